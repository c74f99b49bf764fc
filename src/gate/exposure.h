// Exposure: who was given what turned out to be bad.
//
// A subject becomes digests (its manifests, what they name and nobody else's image does, indexes that name them), and the ledger says who pulled these, from
// whichever repository. Pulls are summed by account, by network (/24 or /48) and by agent; nothing is kept of a client beyond these sums.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "gate/ledger.h"
#include "store/ledger.h"

namespace lazaret::gate {

enum class SubjectKind : std::uint8_t { image, repository, publisher, takedown };

// What people write: "alice/tomcat:latest", "alice/tomcat@sha256:...", "sha256:..." (an image), "alice/tomcat" (a repository when there is such a one),
// "alice" (a publisher), "12" (a takedown).
struct Subject {
  SubjectKind kind = SubjectKind::image;
  std::string name;
};

struct SubjectContent {
  Subject subject;
  std::vector<Digest> manifests;        // its own, children of its indexes, and indexes of others that name one of them
  std::vector<Digest> blobs;            // named by them, and by no image that is still released
  std::map<Digest, Digest> configs;     // of the manifests: some runtimes name an image by it
  std::map<Digest, std::string> names;  // "alice/tomcat:latest", of manifests that were pushed under a name
  std::int64_t takedown = 0;            // the first act that hides one of them, and when it was; 0: none does
  store::Time taken_down = 0;
};

// ErrorCode::not_found: there is no such thing, or never was. `kind`: only this one; nothing: the first that fits in the order above.
Result<SubjectContent> find_subject(store::MetadataStore& metadata, const std::string& name, std::optional<SubjectKind> kind);

struct ExposureSum {
  store::Time first = 0, last = 0;
  std::uint64_t pulls = 0;       // of manifests
  std::uint64_t downloads = 0;   // of blobs
  std::uint64_t not_modified = 0, cut = 0;
  std::uint64_t late = 0;        // pulls and downloads that began after the takedown
  std::uint64_t bytes = 0;
  std::set<std::string> images;  // names or digests, at most `most_images`

  static constexpr std::size_t most_images = 100;
  void add(const store::PullSummary& pulls, const std::string& image);
};

struct Exposure {
  SubjectContent content;
  ExposureSum all;
  std::map<std::string, ExposureSum> accounts, networks, agents;  // "" is the account of anonymous pulls
  bool cut = false;  // there were more groups than `most_groups`; sums of all are complete

  static constexpr std::size_t most_groups = 200'000;
};

Result<Exposure> find_exposure(Ledger& ledger, SubjectContent content, store::Time from);

std::string_view name_of(SubjectKind kind);
std::optional<SubjectKind> parse_subject_kind(std::string_view name);

}  // namespace lazaret::gate
