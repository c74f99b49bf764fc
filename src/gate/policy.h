// What the gate does with verdicts. Filled from the table [gate] of the configuration (server/configuration.h).
#pragma once

#include <chrono>
#include <cstdint>

namespace lazaret::gate {

enum class OnDoubt : std::uint8_t {
  hold,     // nobody but the publisher sees it until somebody entitled releases it
  release,  // served, with a warning in each answer
};

struct Policy {
  // False: the gate observes. Images are audited and verdicts recorded, shown and warned of as ever, but none is acted upon: what cannot be audited at
  // all is still held, and takedowns hold. For the time in which a registry moves behind the gate. Enforcing again judges everything anew.
  bool enforce = true;
  OnDoubt suspicious = OnDoubt::hold;
  OnDoubt incomplete = OnDoubt::hold;
  // How long a push waits for its verdict before it is told that the audit goes on, and how long a pull of a pending image does before it is told to
  // come again. docker, containerd and skopeo wait minutes.
  std::chrono::milliseconds push_wait{120'000}, pull_wait{60'000};
  std::chrono::seconds retry_after{10};
  // An audit that takes longer is a hold.
  std::chrono::seconds audit_time{1800};
  // An image whose audit ended with the process this often is held.
  unsigned audit_attempts = 3;
  // Descriptors with URLs: clients would fetch bytes that never passed us.
  bool foreign_layers = false;
  // A publisher may read what it pushed before the verdict and while it is held.
  bool publisher_reads_back = true;
  // Whether a takedown of one publisher also takes what others pushed with the same digest.
  bool takedown_takes_shared = false;
  // Whether a publisher may release its own held images; administrators always may.
  bool publisher_releases = false;
  // Requests that may wait for verdicts at one time; beyond, they are told to come again at once.
  std::uint64_t waiting_requests = 10'000;
  // Uploads nobody touched for so long are collected, and blobs that no manifest names.
  std::chrono::hours upload_age{24}, blob_age{24};
};

}  // namespace lazaret::gate
