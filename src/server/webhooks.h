// Tells other systems what the gate decided: CloudEvents 1.0 by HTTP POST, signed.
//
// The gate's log of events is the outbox: an event is in it in the same transaction as what it tells of, and each receiver has a mark in the metadata
// store of what it was told. So nothing is lost by a crash, nothing is told of what did not happen, the gate never waits for a receiver, and a receiver
// gets events in their order, each at least once (ids are stable; a receiver drops what it has). A receiver that fails is tried again, more and more
// rarely, and after `give_up` the event is passed over, which is logged and counted.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/log.h"
#include "base/metrics.h"
#include "server/configuration.h"
#include "store/metadata_store.h"

namespace lazaret::server {

struct WebhookTiming {
  std::chrono::milliseconds first_retry{1'000}, longest_retry{300'000}, give_up{72 * 3'600'000};
  std::chrono::milliseconds look_every{1'000};  // for events
};

// The event as CloudEvents writes it (structured mode, application/cloudevents+json). Text that an attacker chose is escaped. `source`: who tells it.
std::string cloud_event(const store::Event& event, std::string_view source);
// Kinds of events that a webhook may be told of.
bool is_webhook_event(std::string_view kind);
// The value of Lazaret-Signature: "t=<seconds since 1970>,sha256=<hex>", of HMAC-SHA256 with the secret over "<seconds>.<body>".
std::string signature_of(std::string_view secret, std::int64_t seconds, std::string_view body);

// Begins to tell when it is made; ends with it. A receiver that was not there before is told of nothing that happened before.
class Webhooks {
 public:
  // All must outlive it.
  Webhooks(std::vector<Webhook> receivers, std::string source, store::MetadataStore& metadata, Log& log, Metrics& metrics, WebhookTiming timing = {});
  ~Webhooks();
  Webhooks(const Webhooks&) = delete;
  Webhooks& operator=(const Webhooks&) = delete;

 private:
  struct Counters {
    Counter& delivered;
    Counter& failed;
    Counter& dropped;
  };
  void tell(const Webhook& receiver, const std::string& mark);
  bool deliver(const Webhook& receiver, const store::Event& event);
  // False: it is time to end.
  bool wait(std::chrono::milliseconds time);

  const std::vector<Webhook> receivers_;
  const std::string source_;
  store::MetadataStore& metadata_;
  Log& log_;
  const WebhookTiming timing_;
  Counters counters_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::thread> threads_;
};

}  // namespace lazaret::server
