// The gate: what may be seen, by whom, and why not.
//
// An image is pending until its audit ends, then released, held or condemned. The state belongs to the digest of the manifest and to nothing else: not to
// a tag, a repository, a declared type or a client. There is one function that releases, Gate::release, and one that calls it, Gate::settle, which every
// change of a state goes through. Whatever ends badly (a crash, a time-out, a database that fails) leaves an image pending or held.
//
// Everything is asked by digest. A tag is resolved once, and what is given out is what was resolved. A tag serves the last manifest that was
// released under it, whatever was pushed since.
//
// Strangers are told nothing of what is not released: it does not exist. Insiders (who may push to the repository) are told why.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "audit/cache.h"
#include "audit/layer_auditor.h"
#include "audit/policy.h"
#include "audit/report.h"
#include "audit/ruleset.h"
#include "base/limits.h"
#include "base/result.h"
#include "base/time.h"
#include "format/image.h"
#include "gate/blob_audits.h"
#include "gate/document.h"
#include "gate/policy.h"
#include "gate/served_cache.h"
#include "gate/waiting.h"
#include "intel/campaigns.h"
#include "store/blob_store.h"
#include "store/metadata_store.h"

namespace lazaret::gate {

// Milliseconds since 1970. Given from outside, so that tests and the demo have a clock of their own.
using Clock = std::function<store::Time()>;

// Whether somebody may push to a repository.
using MayPush = std::function<bool(const std::string& repository)>;

// Why a manifest in that state is not released, in one line, for those who may know.
std::string reason_of(store::Reader& reader, const Digest& manifest, store::State state);

// What the gate uses and does not own. Everything must outlive it.
struct Parts {
  store::BlobStore* blobs = nullptr;
  store::MetadataStore* metadata = nullptr;
  std::shared_ptr<const audit::Ruleset> ruleset;
  const audit::Policy* audit_policy = nullptr;
  audit::AuditMachine* machine = nullptr;
  audit::Cache* cache = nullptr;
  Clock clock = milliseconds_now;
  // Reads a manifest and its config into what the audit takes. `read` gives the bytes of a blob.
  using ReadBlob = std::function<Result<std::string>(const Digest&, std::uint64_t limit)>;
  std::function<format::ImageDescription(const store::Manifest&, const std::string& bytes, const ReadBlob& read)> describe;
  // The report as it is kept and shown (lazaret.report/v1).
  std::function<std::string(const audit::Report&)> write_report;
  // What images have in common; null for none. An image that nothing convicts is held when it shares with a convicted one what nobody has by chance.
  intel::Campaigns* campaigns = nullptr;
  // Told how many seconds each audit of a manifest took; may be empty. Called on judges' threads.
  std::function<void(double)> audited;
  // A folder for marks of audits under way: one that ends with the process is not tried for ever.
  std::string marks_folder;
};

// Who asks, as far as the gate cares.
struct Viewer {
  std::string name;      // "" for nobody in particular
  bool insider = false;  // may push to this repository
};

struct Resolution {
  enum class Kind : std::uint8_t {
    found,
    pending,  // wait(digest)
    refused,  // it is there and may not go out; only insiders get this
    unknown,
  };
  Kind kind = Kind::unknown;
  std::shared_ptr<const Served> served;  // found
  Digest digest;                         // found, pending, refused
  std::string why;                       // refused: for people
};

struct BlobResolution {
  Resolution::Kind kind = Resolution::Kind::unknown;
  Digest digest;  // canonical
  std::uint64_t size = 0;
  bool released = false;  // found, and for everybody
  std::string why;
};

struct PushResult {
  Digest digest;  // canonical
  store::State state = store::State::pending;
  Digest subject;  // empty: none
};

struct TagPage {
  std::vector<std::string> names;
  bool more = false;
};

// Why a push is refused. `code` tells which answer of the protocol fits.
struct Refusal {
  enum class Code : std::uint8_t { manifest_invalid, blob_unknown, denied, digest_invalid, failed };
  Code code = Code::manifest_invalid;
  std::string message;
  Digest missing;  // blob_unknown: what is not there
  ErrorCode cause = ErrorCode::io;  // failed: ErrorCode::limit when the disk is full

  static Refusal failed(const Error& error) { return {Code::failed, error.message, {}, error.code}; }
};
template <typename T>
using Pushed = std::variant<T, Refusal>;

// Thread-safe. Calls use the database and may block, but for those that say otherwise.
class Gate {
 public:
  // Takes up what was pending when the last process ended. `judges`: manifests judged at one time.
  static Result<std::unique_ptr<Gate>> open(Parts parts, Policy policy, const Limits& limits, unsigned judges);
  ~Gate();

  const Policy& policy() const { return policy_; }
  BlobAudits& blob_audits() { return *blob_audits_; }
  store::Time now() const { return parts_.clock(); }
  // What states are judged under: ruleset, policy of the audit and limits.
  const std::string& rules() const { return rules_; }
  // The digest of the ruleset alone, as reports name it.
  const std::string& ruleset() const { return parts_.ruleset->digest(); }

  // --- push
  // Whether this publisher may bring anything here: false once it or the repository was taken down.
  Result<bool> may_push(const std::string& repository, const std::string& publisher);
  // A finished upload, whose sha256 the caller has computed, becomes a blob of the repository. `name`: the digest the client uses. Denied when the
  // content is condemned or the publisher was taken down; the quarantine file stays then.
  std::optional<Refusal> finish_upload(const std::string& repository, const std::string& publisher, const std::string& id, store::BlobUpload& upload,
                                       const Digest& sha256, const Digest& name);
  // Takes a released blob over from another repository. False when it is not there, not released, or condemned: one answer for all.
  Result<bool> mount(const std::string& repository, const std::string& publisher, const std::string& from, const Digest& digest);
  // Repositories from which a blob could be mounted; the caller keeps those that the client may read.
  Result<std::vector<std::string>> mountable_from(const Digest& digest);
  // `name`: the digest the client gave, empty when it pushes by tag. Refused when the document is not what it should be, or names what is not there.
  Pushed<PushResult> put_manifest(const std::string& repository, const std::string& publisher, const Digest& name, const std::vector<std::string>& tags,
                                  const std::string& content_type, const std::string& bytes);

  // --- pull
  // From memory, without blocking; null when the database must be asked.
  std::shared_ptr<const Served> peek(std::string_view repository, std::string_view reference) const { return served_.find(repository, reference); }
  // `reference`: a tag or a digest.
  Result<Resolution> resolve(const std::string& repository, const std::string& reference, const Viewer& viewer);
  // `read`: the bytes are wanted, not only whether they are there.
  Result<BlobResolution> find_blob(const std::string& repository, const Digest& digest, const Viewer& viewer, bool read);
  // A push relies on a blob being there: its age counts from now.
  void touch_blob(const std::string& repository, const Digest& sha256);
  // Calls `woken` once when the state of the manifest is no longer pending, perhaps before this returns. 0: too many wait.
  std::uint64_t wait(const Digest& manifest, std::function<void()> woken);
  void stop_waiting(std::uint64_t id) { waiting_.remove(id); }
  std::uint64_t waiting() const { return waiting_.count(); }

  Result<std::optional<TagPage>> tags(const std::string& repository, const std::string& after, std::size_t limit, const Viewer& viewer);
  // `may_see`: whether the one who asks may pull from a repository, and push to it.
  Result<TagPage> repositories(const std::string& after, std::size_t limit, const std::function<std::pair<bool, bool>(const std::string&)>& may_see);
  struct Referrer {
    store::Manifest manifest;
    std::shared_ptr<const std::string> bytes;
  };
  Result<std::vector<Referrer>> referrers(const std::string& repository, const Digest& subject, const Viewer& viewer);

  // --- removal. False: there was no such thing.
  Result<bool> remove_manifest(const std::string& repository, const Digest& digest, const std::string& actor);
  Result<bool> remove_tag(const std::string& repository, const std::string& tag, const std::string& actor);
  Result<bool> remove_blob(const std::string& repository, const Digest& digest, const std::string& actor);

  // --- decisions
  // Whether it is held; also when that cannot be found out.
  bool held(const Digest& manifest);
  // Why a manifest is not released, in one line, for those who may know.
  Result<std::string> reason(const Digest& manifest);
  Result<std::optional<store::Verdict>> verdict(const Digest& manifest);
  // Sets a state by hand: it stays until somebody changes it again, whatever new rules say. Administrators may always do so. A publisher (`may_push` is
  // given then) may release what is held, where the policy lets it (Policy::publisher_releases), and hold again what it released so; only when it may push
  // to every repository that holds the image, since a state belongs to the digest. ErrorCode::unauthorized: not by this policy.
  Result<void> decide(const Digest& manifest, store::State state, const std::string& actor, const std::string& why, const MayPush& may_push = nullptr);
  // Forgets what the audit said under the rules of now, and audits again in the background; until that has ended the state stays. False: no such image.
  Result<bool> audit_again(const Digest& manifest);
  // Hides and condemns everything of a publisher or repository ("alice", "alice/tomcat"), or one image ("alice/tomcat@sha256:..."), in one transaction:
  // when it returns, nothing of it leaves any more. Returns the number of the act. `closes_account`: what is remembered with it. ErrorCode::busy: it was taken
  // down already.
  Result<std::int64_t> take_down(const std::string& kind, const std::string& subject, const std::string& actor, const std::string& why, bool closes_account = false);
  Result<void> undo_takedown(std::int64_t act, const std::string& actor);
  // Does an act again that the database forgot, also where nothing of its subject is there any more. Returns its new number.
  Result<std::int64_t> restore_takedown(const store::Takedown& act, const std::vector<store::Tombstone>& tombstones, const std::vector<store::FileTombstone>& files);

  // Called after anything that was visible may be visible no more; transfers that are under way are to be looked at again. Set before requests come.
  void on_revocation(std::function<void()> changed) { revoked_ = std::move(changed); }
  // Called after each settled verdict, for events and metrics. Set before requests come.
  void on_settled(std::function<void(const Digest&, store::State)> settled) { settled_ = std::move(settled); }

  // Images that a known incident lists or is linked with: those that are released are held, the reason being `why`, and judged again. Returns how many that
  // were. Digests that are not here are passed over.
  Result<std::size_t> hold_listed(const std::vector<std::string>& digests, const std::string& why);

  // Judges again what was judged under other rules, when nothing else is to be done: of `first` up to half of `limit`, then the newest. How many that are.
  Result<std::size_t> queue_outdated(std::size_t limit, const std::vector<Digest>& first = {});
  // Held while the file of a blob comes or goes, so that a collection does not remove what was uploaded again meanwhile.
  std::mutex& blob_lock(const Digest& digest) { return blob_locks_[digest.bytes()[0]]; }
  store::BlobStore& blobs() { return *parts_.blobs; }
  store::MetadataStore& metadata() { return *parts_.metadata; }

  // How often condemned content came again, since the start.
  std::uint64_t tombstone_hits() const { return tombstone_hits_; }
  // Manifests that wait for a judge or are with one.
  std::size_t queue_length() const;

 private:
  Gate(Parts parts, Policy policy, const Limits& limits);

  struct Settled {
    std::vector<std::string> repositories;  // that hold the manifest
    store::State before = store::State::pending, after = store::State::pending;
    std::vector<Digest> parents;
  };
  // The only way to a state. In a writing transaction.
  Settled settle(store::Writer& writer, const Digest& manifest, store::State wanted, const std::string& actor, const std::string& detail, bool pinned);
  Result<void> publisher_may_decide(store::Reader& reader, const store::Manifest& manifest, store::State wanted, const MayPush& may_push) const;
  // The only place where anything becomes visible.
  void release(store::Writer& writer, const Digest& manifest, bool pinned);
  // After the transaction: caches, waiters, transfers, indexes that name it.
  void announce(const Digest& manifest, const Settled& settled);

  void judge_forever();
  void judge(const Digest& manifest);
  struct Judgement {
    store::Verdict verdict;
    // Layers and configs that convict the image by themselves.
    std::set<Digest> bad_blobs;
    std::map<Digest, store::BlobContent> contents;  // of the layers, by blob
    std::map<Digest, std::vector<store::CarriedFile>> files;
    bool children_pending = false;
  };
  Result<Judgement> audit(const store::Manifest& manifest, const std::string& bytes);
  // Puts the image into the index of indicators, before it may become visible.
  Result<void> index(const store::Manifest& manifest, const audit::Report& report, Judgement& judgement);
  void hold_when_linked(const intel::Placement& placement, Judgement& judgement) const;
  void weigh_children(store::Reader& reader, const store::Manifest& manifest, Judgement& judgement);
  Result<void> apply(const store::Manifest& manifest, Judgement judgement);
  void condemn_blob(store::Writer& writer, const Digest& blob, std::int64_t act, const std::string& why);
  // A layer that holds nothing but what others have too, or what packages brought: it is nobody's, and condemning it would hit whoever uses the same base.
  bool is_common(store::Reader& reader, const Digest& layer);
  // Makes the files that only these blobs brought known again.
  void bury_files(store::Writer& writer, const Digest& blob, std::int64_t act, const std::string& why);
  Result<std::shared_ptr<const std::set<store::FileContent>>> buried_files();
  void forget_buried_files();
  void hold(const Digest& manifest, const std::string& why);
  void enqueue(const Digest& manifest, bool background);
  void watch();
  std::string mark_of(const Digest& manifest) const;

  const Parts parts_;
  const Policy policy_;
  const Limits limits_;
  std::string rules_;
  std::atomic<std::uint64_t> tombstone_hits_{0};
  Waiting waiting_;
  ServedCache served_;
  std::array<std::mutex, 256> blob_locks_;
  std::unique_ptr<BlobAudits> blob_audits_;
  std::function<void()> revoked_;
  std::function<void(const Digest&, store::State)> settled_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Digest> queue_, background_;
  std::set<Digest> queued_;
  struct Running {
    std::chrono::steady_clock::time_point since = std::chrono::steady_clock::now();
    bool again = false;  // asked for while it was with a judge
    bool late = false;   // held for taking too long
  };
  std::map<Digest, Running> running_;
  std::shared_ptr<const std::set<store::FileContent>> buried_;  // null: to be read again
  std::uint64_t buried_version_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> judges_;
  std::thread watcher_;
};

}  // namespace lazaret::gate
