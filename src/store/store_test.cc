// The contract of the stores, run on every back end.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>
#include <tuple>

#include "store/blob_store.h"
#include "store/ledger.h"
#include "store/metadata_store.h"

namespace lazaret::store {
namespace {

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/lazaret-store-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

Digest named(std::string_view text) { return sha256(as_bytes(text)); }

std::string read_all(const OpenBlob& blob) {
  std::string text(blob.size + 10, '\0');
  const auto got = blob.read(0, {reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  EXPECT_TRUE(got.ok());
  text.resize(got.ok() ? *got : 0);
  return text;
}

// --- blobs --------------------------------------------------------------------------------------------------------------------

class BlobStores : public testing::TestWithParam<const char*> {
 protected:
  BlobStores() : store_(std::string(GetParam()) == "memory" ? make_memory_blob_store() : std::move(*open_folder_blob_store(folder_.path()))) {}
  Folder folder_;
  std::unique_ptr<BlobStore> store_;
};
INSTANTIATE_TEST_SUITE_P(, BlobStores, testing::Values("folder", "memory"), [](const auto& kind) { return std::string(kind.param); });

TEST_P(BlobStores, AnUploadBecomesABlob) {
  auto upload = std::move(*store_->create_upload("a-1"));
  ASSERT_TRUE(upload->append(as_bytes("hello ")));
  ASSERT_TRUE(upload->append(as_bytes("world")));
  EXPECT_EQ(upload->size(), 11u);
  std::uint8_t part[4];
  EXPECT_EQ(*upload->read(6, part), 4u);
  EXPECT_EQ(std::string(part, part + 4), "worl");
  EXPECT_EQ(*upload->read(11, part), 0u);
  ASSERT_TRUE(store_->finish_upload("a-1", *upload, named("hello world")));
  EXPECT_EQ(read_all(*store_->open(named("hello world"))), "hello world");
  EXPECT_TRUE(store_->uploads()->empty());
  EXPECT_EQ(store_->open_upload("a-1").error().code, ErrorCode::not_found);
}

TEST_P(BlobStores, AnUploadGoesOnWhereItEnded) {
  ASSERT_TRUE((*store_->create_upload("u"))->append(as_bytes("12345")));
  auto upload = std::move(*store_->open_upload("u"));
  EXPECT_EQ(upload->size(), 5u);
  ASSERT_TRUE(upload->append(as_bytes("678")));
  ASSERT_EQ(store_->uploads()->size(), 1u);
  EXPECT_EQ(store_->uploads()->front().id, "u");
  EXPECT_EQ(store_->uploads()->front().size, 8u);
  ASSERT_TRUE(store_->finish_upload("u", *upload, named("12345678")));
  EXPECT_EQ(read_all(*store_->open(named("12345678"))), "12345678");
}

TEST_P(BlobStores, TheSameBlobTwiceIsOneBlob) {
  for (const char* id : {"first", "second"}) {
    auto upload = std::move(*store_->create_upload(id));
    ASSERT_TRUE(upload->append(as_bytes("same")));
    ASSERT_TRUE(store_->finish_upload(id, *upload, named("same")));
  }
  int count = 0;
  ASSERT_TRUE(store_->for_each([&](const Digest& digest, std::uint64_t size) {
    EXPECT_EQ(digest, named("same"));
    EXPECT_EQ(size, 4u);
    return ++count < 10;
  }));
  EXPECT_EQ(count, 1);
  EXPECT_TRUE(store_->uploads()->empty());
}

TEST_P(BlobStores, EmptyBlobsAreBlobs) {
  auto upload = std::move(*store_->create_upload("e"));
  ASSERT_TRUE(store_->finish_upload("e", *upload, named("")));
  EXPECT_EQ(store_->open(named(""))->size, 0u);
}

TEST_P(BlobStores, WhatIsRemovedIsGoneButOpenOnesGoOn) {
  auto upload = std::move(*store_->create_upload("r"));
  ASSERT_TRUE(upload->append(as_bytes("bytes")));
  ASSERT_TRUE(store_->finish_upload("r", *upload, named("bytes")));
  const auto open = store_->open(named("bytes"));
  ASSERT_TRUE(store_->remove(named("bytes")));
  EXPECT_EQ(store_->open(named("bytes")).error().code, ErrorCode::not_found);
  EXPECT_EQ(read_all(*open), "bytes");
  EXPECT_TRUE(store_->remove(named("bytes"))) << "removing twice is no error";
}

TEST_P(BlobStores, AnUploadIdIsUsedOnce) {
  ASSERT_TRUE(store_->create_upload("x").ok());
  EXPECT_FALSE(store_->create_upload("x").ok());
  ASSERT_TRUE(store_->remove_upload("x"));
  EXPECT_EQ(store_->open_upload("x").error().code, ErrorCode::not_found);
}

// --- metadata -----------------------------------------------------------------------------------------------------------------

class MetadataStores : public testing::TestWithParam<const char*> {
 protected:
  MetadataStores() : store_(open()) {}
  std::unique_ptr<MetadataStore> open() { return std::move(*open_sqlite_metadata_store(in_memory() ? "" : folder_.path() + "/metadata.sqlite")); }
  bool in_memory() const { return std::string(GetParam()) == "memory"; }

  template <typename Work>
  void write(Work work) {
    const auto done = store_->write([&](Writer& writer) {
      work(writer);
      return Result<void>();
    });
    ASSERT_TRUE(done.ok()) << done.error().message;
  }
  template <typename Work>
  void read(Work work) {
    const auto done = store_->read([&](Reader& reader) { work(reader); });
    ASSERT_TRUE(done.ok()) << done.error().message;
  }
  static Manifest manifest(std::string_view text, State state = State::pending) {
    Manifest manifest;
    manifest.digest = named(text);
    manifest.media_type = "application/vnd.oci.image.manifest.v1+json";
    manifest.state = state;
    manifest.created = 5;
    return manifest;
  }
  // A repository with one manifest (named by `text`) that has one layer (named `text` + "-layer").
  static std::int64_t push(Writer& writer, std::string_view name, std::string_view publisher, std::string_view text, State state = State::pending) {
    const std::int64_t repository = writer.add_repository(name, publisher, 1);
    const Digest layer = named(std::string(text) + "-layer");
    writer.add_blob(layer, 7, 1);
    writer.link_blob(repository, layer, {std::string(publisher), 1, 0});
    writer.add_manifest(manifest(text, state), text, {{ReferenceKind::layer, layer, 7, "application/vnd.oci.image.layer.v1.tar"}});
    writer.bind(repository, named(text), {std::string(publisher), 1, 0});
    return repository;
  }

  Folder folder_;
  std::unique_ptr<MetadataStore> store_;
};
INSTANTIATE_TEST_SUITE_P(, MetadataStores, testing::Values("file", "memory"), [](const auto& kind) { return std::string(kind.param); });

TEST_P(MetadataStores, ATransactionHappensWhollyOrNotAtAll) {
  const auto failed = store_->write([](Writer& writer) -> Result<void> {
    writer.add_repository("a/b", "a", 1);
    EXPECT_TRUE(writer.repository("a/b"));
    return Error{ErrorCode::invalid, "no"};
  });
  EXPECT_EQ(failed.error().message, "no");
  read([](Reader& reader) { EXPECT_FALSE(reader.repository("a/b")); });
}

TEST_P(MetadataStores, RepositoriesComeByNameAndOnceEach) {
  write([](Writer& writer) {
    const auto first = writer.add_repository("b/x", "b", 1);
    EXPECT_EQ(writer.add_repository("b/x", "somebody", 2), first);
    writer.add_repository("a/x", "a", 1);
    writer.add_repository("c", "c", 1);
  });
  read([](Reader& reader) {
    const auto all = reader.repositories("", 10);
    ASSERT_EQ(all.size(), 3u);
    EXPECT_EQ(all[0].name, "a/x");
    EXPECT_EQ(all[1].publisher, "b");
    EXPECT_EQ(reader.repositories("a/x", 1).front().name, "b/x");
    EXPECT_EQ(reader.repository(all[2].id)->name, "c");
    EXPECT_FALSE(reader.repository_visible(all[0].id)) << "nothing is released in it";
  });
}

TEST_P(MetadataStores, ManifestsKeepTheirBytesAndOrder) {
  const std::string bytes("{\"a\" : 1}\n\0x", 12);
  write([&](Writer& writer) {
    writer.add_manifest(manifest("m"), bytes,
                        {{ReferenceKind::config, named("c"), 3, "t/c"}, {ReferenceKind::layer, named("l2"), 4, ""}, {ReferenceKind::layer, named("l1"), 5, ""}});
    Manifest other = manifest("m", State::released);
    writer.add_manifest(other, "other", {});
  });
  read([&](Reader& reader) {
    EXPECT_EQ(*reader.manifest_bytes(named("m")), bytes);
    EXPECT_EQ(reader.manifest(named("m"))->state, State::pending) << "a second push changes nothing";
    EXPECT_EQ(reader.manifest(named("m"))->size, bytes.size());
    const auto references = reader.references(named("m"));
    ASSERT_EQ(references.size(), 3u);
    EXPECT_EQ(references[0].media_type, "t/c");
    EXPECT_EQ(references[1].digest, named("l2"));
    EXPECT_EQ(references[2].size, 5u);
    EXPECT_FALSE(reader.manifest(named("nothing")));
    EXPECT_FALSE(reader.manifest_bytes(named("nothing")));
  });
}

TEST_P(MetadataStores, ABlobIsOutOnlyThroughAReleasedManifestOfItsRepository) {
  std::int64_t repository = 0, other = 0;
  write([&](Writer& writer) {
    repository = push(writer, "a/x", "a", "m");
    other = writer.add_repository("b/y", "b", 1);
    writer.link_blob(other, named("m-layer"), {"b", 1, 0});
    EXPECT_FALSE(writer.blob_released(repository, named("m-layer")));
    writer.set_state(named("m"), State::released, "rules", false);
    EXPECT_TRUE(writer.blob_released(repository, named("m-layer")));
    EXPECT_FALSE(writer.blob_released(other, named("m-layer"))) << "no manifest of that repository names it";
    EXPECT_TRUE(writer.blob_in_use(repository, named("m-layer")));
    EXPECT_FALSE(writer.blob_in_use(other, named("m-layer")));
  });
  write([&](Writer& writer) {
    writer.unlink_blob(repository, named("m-layer"));
    EXPECT_FALSE(writer.blob_released(repository, named("m-layer")));
  });
}

TEST_P(MetadataStores, TagsServeWhatWasReleased) {
  std::int64_t repository = 0;
  write([&](Writer& writer) {
    repository = push(writer, "a/x", "a", "one", State::released);
    push(writer, "a/x", "a", "two");
    writer.put_tag(repository, {"t", named("one"), named("one"), "a", 1, 0});
    writer.put_tag(repository, {"new", named("two"), {}, "a", 1, 0});
    writer.put_tag(repository, {"t", named("two"), named("one"), "a", 2, 0});
  });
  read([&](Reader& reader) {
    EXPECT_EQ(reader.tag(repository, "t")->released, named("one"));
    EXPECT_EQ(reader.tags(repository, "", 10, false).size(), 2u);
    ASSERT_EQ(reader.tags(repository, "", 10, true).size(), 1u);
    EXPECT_EQ(reader.tags(repository, "", 10, true).front().name, "t");
    EXPECT_TRUE(reader.tags(repository, "t", 10, false).empty());
  });
  write([&](Writer& writer) {
    writer.set_state(named("two"), State::released, "rules", false);
    writer.release_tags_of(named("two"));
    EXPECT_EQ(writer.tag(repository, "new")->released, named("two"));
    EXPECT_EQ(writer.tag(repository, "t")->released, named("two"));
    writer.remove_tags_of(repository, named("two"));
    EXPECT_FALSE(writer.tag(repository, "new"));
  });
}

TEST_P(MetadataStores, AManifestThatLeavesTakesNoOtherTagWithIt) {
  write([&](Writer& writer) {
    const auto repository = push(writer, "a/x", "a", "one", State::released);
    push(writer, "a/x", "a", "two");
    writer.put_tag(repository, {"t", named("two"), named("one"), "a", 2, 0});
    writer.remove_tags_of(repository, named("one"));
    EXPECT_EQ(writer.tag(repository, "t")->digest, named("two"));
    EXPECT_TRUE(writer.tag(repository, "t")->released.empty());
  });
}

TEST_P(MetadataStores, ATakedownHidesAndUndoingItRestoresExactly) {
  std::int64_t mine = 0, theirs = 0, act = 0, earlier = 0;
  write([&](Writer& writer) {
    mine = push(writer, "bad/x", "bad", "m", State::released);
    theirs = push(writer, "good/y", "good", "n", State::released);
    writer.link_blob(theirs, named("m-layer"), {"good", 1, 0});
    writer.put_tag(mine, {"t", named("m"), named("m"), "bad", 1, 0});
    const auto old = push(writer, "bad/old", "bad", "o", State::released);
    earlier = writer.add_takedown({0, "repository", "bad/old", "admin", "r", 9, 0});
    writer.hide_repository(old, earlier);
    act = writer.add_takedown({0, "publisher", "bad", "admin", "miners", 10, 0});
    EXPECT_NE(act, earlier);
    writer.hide_publisher("bad", act);
    writer.add_tombstone({TombstoneKind::manifest, named("m"), act, "miners", 10});
    writer.add_tombstone({TombstoneKind::manifest, named("m"), 0, "verdict", 10});
  });
  read([&](Reader& reader) {
    EXPECT_EQ(reader.repository("bad/x")->takedown, act);
    EXPECT_EQ(reader.binding(mine, named("m"))->takedown, act);
    EXPECT_TRUE(reader.tags(mine, "", 10, true).empty());
    EXPECT_FALSE(reader.blob_released(mine, named("m-layer")));
    EXPECT_FALSE(reader.repository_visible(mine));
    EXPECT_TRUE(reader.repository_visible(theirs));
    EXPECT_FALSE(reader.manifest_visible_somewhere(named("m")));
    EXPECT_TRUE(reader.manifest_visible_somewhere(named("n")));
    EXPECT_FALSE(reader.blob_released_somewhere(named("m-layer")));
    EXPECT_TRUE(reader.blob_released_somewhere(named("n-layer")));
    EXPECT_EQ(reader.tombstones(TombstoneKind::manifest, named("m")).size(), 2u);
    EXPECT_TRUE(reader.has_tombstones(TombstoneKind::manifest));
    EXPECT_FALSE(reader.has_tombstones(TombstoneKind::files));
    EXPECT_EQ(reader.takedown(act)->reason, "miners");
    EXPECT_EQ(reader.takedown_of("publisher", "bad")->id, act);
    EXPECT_FALSE(reader.takedown_of("publisher", "good"));
  });
  write([&](Writer& writer) {
    EXPECT_EQ(writer.manifests_hidden_by(act), std::vector<Digest>{named("m")});
    writer.show(act);
    writer.remove_tombstones(act);
    writer.set_undone(act, 11);
    EXPECT_EQ(writer.tags(mine, "", 10, true).size(), 1u);
    EXPECT_TRUE(writer.blob_released(mine, named("m-layer")));
    EXPECT_EQ(writer.repository("bad/old")->takedown, earlier) << "what an earlier act hid stays hidden";
    EXPECT_EQ(writer.tombstones(TombstoneKind::manifest, named("m")).size(), 1u) << "the verdict stays";
    EXPECT_EQ(writer.takedown(act)->undone, 11);
    EXPECT_FALSE(writer.takedown_of("publisher", "bad"));
  });
}

TEST_P(MetadataStores, StatesAreKeptByAnActAndGivenBack) {
  write([&](Writer& writer) {
    const auto repository = push(writer, "a/x", "a", "m", State::released);
    push(writer, "a/x", "a", "n", State::released);
    writer.set_state(named("m"), State::released, "rules", true);
    writer.hide_manifest(repository, named("m"), 7);
    EXPECT_EQ(writer.binding(repository, named("m"))->takedown, 7);
    EXPECT_EQ(writer.binding(repository, named("n"))->takedown, 0);
    writer.keep_state(named("m"), 7);
    writer.set_state(named("m"), State::condemned, "other", false);
    writer.restore_states(7);
    EXPECT_EQ(writer.manifest(named("m"))->state, State::released);
    EXPECT_EQ(writer.manifest(named("m"))->ruleset, "rules");
    EXPECT_TRUE(writer.manifest(named("m"))->pinned);
    EXPECT_EQ(writer.manifest(named("n"))->state, State::released);
    EXPECT_FALSE(writer.content(named("m-layer")));
    writer.set_content(named("m-layer"), {named("decoded"), named("files")});
    EXPECT_EQ(writer.content(named("m-layer"))->diff_id, named("decoded"));
    EXPECT_EQ(writer.content(named("m-layer"))->files, named("files"));
    writer.touch_blob(repository, named("m-layer"), 99);
    EXPECT_EQ(writer.blob_link(repository, named("m-layer"))->at, 99);
    writer.touch_blob(repository, named("nothing"), 99);
    EXPECT_FALSE(writer.blob_link(repository, named("nothing")));
    writer.add_tombstone({TombstoneKind::blob, named("m-layer"), 0, "verdict", 1});
    writer.add_tombstone({TombstoneKind::blob, named("m-layer"), 7, "act", 1});
    writer.remove_tombstone(TombstoneKind::blob, named("m-layer"));
    EXPECT_EQ(writer.tombstones(TombstoneKind::blob, named("m-layer")).size(), 1u);
  });
}

TEST_P(MetadataStores, ReferrersAndParents) {
  write([&](Writer& writer) {
    const auto repository = push(writer, "a/x", "a", "base", State::released);
    Manifest signature = manifest("signature");
    signature.subject = named("base");
    signature.artifact_type = "application/vnd.example.signature";
    writer.add_manifest(signature, "s", {});
    writer.bind(repository, signature.digest, {"a", 1, 0});
    Manifest index = manifest("index");
    index.kind = ManifestKind::index;
    writer.add_manifest(index, "i", {{ReferenceKind::manifest, named("base"), 4, "t"}});
    ASSERT_EQ(writer.referrers(repository, named("base")).size(), 1u);
    EXPECT_EQ(writer.referrers(repository, named("base")).front().artifact_type, "application/vnd.example.signature");
    EXPECT_TRUE(writer.referrers(repository, named("other")).empty());
    EXPECT_EQ(writer.parents(named("base")), std::vector<Digest>{named("index")});
  });
}

TEST_P(MetadataStores, VerdictsBelongToDigestAndRuleset) {
  write([&](Writer& writer) {
    writer.put_verdict({named("m"), "r1", State::released, "clean", 0, {}, "{}", 1});
    writer.put_verdict({named("m"), "r2", State::condemned, "malicious", 97, {"Reverse shell", "Miner"}, "{\"x\":1}", 2});
    EXPECT_EQ(writer.verdict(named("m"), "r1")->verdict, "clean");
    EXPECT_EQ(writer.verdict(named("m"), "")->ruleset, "r2");
    EXPECT_EQ(writer.verdict(named("m"), "r2")->titles, (std::vector<std::string>{"Reverse shell", "Miner"}));
    EXPECT_FALSE(writer.verdict(named("m"), "r3"));
    EXPECT_FALSE(writer.verdict(named("n"), ""));
  });
}

TEST_P(MetadataStores, WhatIsToBeJudgedIsFound) {
  write([&](Writer& writer) {
    writer.add_manifest(manifest("new"), "", {});
    writer.add_manifest(manifest("old"), "", {});
    writer.add_manifest(manifest("by hand"), "", {});
    writer.set_state(named("old"), State::released, "r1", false);
    writer.set_state(named("by hand"), State::released, "r1", true);
    EXPECT_EQ(writer.manifests_in(State::pending, 10), std::vector<Digest>{named("new")});
    EXPECT_EQ(writer.manifests_judged_otherwise("r2", 10).size(), 2u);
    EXPECT_EQ(writer.manifests_judged_otherwise("r1", 10), std::vector<Digest>{named("new")});
  });
}

TEST_P(MetadataStores, UploadsAliasesAndEventsAreKept) {
  const Digest wide = hash(HashAlgorithm::sha512, as_bytes("x"));
  write([&](Writer& writer) {
    writer.put_upload({"id-1", "a/x", "a", HashAlgorithm::sha512, 1, 2});
    writer.add_alias(wide, named("x"));
    writer.add_event({0, 3, "pushed", "a", "a/x", "t", named("m"), "detail"});
    writer.add_event({0, 4, "released", "", "", "", named("m"), ""});
  });
  read([&](Reader& reader) {
    EXPECT_EQ(reader.upload("id-1")->algorithm, HashAlgorithm::sha512);
    EXPECT_EQ(reader.uploads().size(), 1u);
    EXPECT_EQ(*reader.canonical(wide), named("x"));
    EXPECT_EQ(*reader.canonical(named("y")), named("y"));
    EXPECT_FALSE(reader.canonical(hash(HashAlgorithm::sha512, as_bytes("y"))));
    ASSERT_EQ(reader.events(0, 10).size(), 2u);
    EXPECT_EQ(reader.events(reader.events(0, 10)[0].id, 10).front().kind, "released");
  });
  write([](Writer& writer) { writer.remove_upload("id-1"); });
  read([](Reader& reader) { EXPECT_TRUE(reader.uploads().empty()); });
}

TEST_P(MetadataStores, ImagesAreListedNewestFirstPageByPage) {
  std::int64_t repository = 0;
  write([&](Writer& writer) {
    repository = push(writer, "alice/app", "alice", "a", State::released);
    push(writer, "bob/app", "bob", "b", State::held);
    push(writer, "alice/app", "alice", "c", State::held);
  });
  read([&](Reader& reader) {
    std::vector<Digest> found;
    ManifestFilter filter;
    filter.limit = 1;
    for (;;) {
      const auto page = reader.manifests(filter);
      if (page.empty()) break;
      found.push_back(page.front().digest);
      filter.before = page.front().created;
      filter.before_digest = page.front().digest;
    }
    std::vector<Digest> all = {named("a"), named("b"), named("c")};
    // They were made at one time: by digest, the greatest first.
    std::sort(all.begin(), all.end(), [](const Digest& a, const Digest& b) { return a.str() > b.str(); });
    EXPECT_EQ(found, all);
    ManifestFilter held;
    held.state = State::held;
    EXPECT_EQ(reader.manifests(held).size(), 2u);
    held.repository = repository;
    ASSERT_EQ(reader.manifests(held).size(), 1u);
    EXPECT_EQ(reader.manifests(held).front().digest, named("c"));
    EXPECT_EQ(reader.manifests_by_state(), (std::array<std::uint64_t, 4>{0, 1, 2, 0}));
  });
}

TEST_P(MetadataStores, TagsOfAManifestAreThoseThatNameOrServeIt) {
  std::int64_t repository = 0;
  write([&](Writer& writer) {
    repository = push(writer, "alice/app", "alice", "a", State::released);
    push(writer, "alice/app", "alice", "b", State::held);
    writer.put_tag(repository, {"one", named("a"), named("a"), "alice", 1, 0});
    writer.put_tag(repository, {"two", named("b"), named("a"), "alice", 1, 0});
    writer.put_tag(repository, {"three", named("b"), Digest(), "alice", 1, 0});
  });
  read([&](Reader& reader) {
    std::vector<std::string> names;
    for (const Tag& tag : reader.tags_of(repository, named("a"))) names.push_back(tag.name);
    EXPECT_EQ(names, (std::vector<std::string>{"one", "two"}));
    EXPECT_TRUE(reader.tags_of(repository + 1, named("a")).empty());
  });
}

TEST_P(MetadataStores, EventsComeNewestFirstAndByWhatTheyTellOf) {
  write([&](Writer& writer) {
    writer.add_event({0, 1, "pushed", "alice", "alice/app", "1", named("a"), ""});
    writer.add_event({0, 2, "held", "", "alice/app", "", named("a"), "why"});
    writer.add_event({0, 3, "held", "", "bob/app", "", named("b"), ""});
    writer.add_event({0, 4, "takedown", "admin", "", "", Digest(), ""});
  });
  read([&](Reader& reader) {
    const auto kinds = [&](const EventFilter& filter) {
      std::string text;
      for (const Event& event : reader.newest_events(filter)) text += std::to_string(event.at) + " ";
      return text;
    };
    EXPECT_EQ(kinds({}), "4 3 2 1 ");
    EventFilter filter;
    filter.limit = 2;
    EXPECT_EQ(kinds(filter), "4 3 ");
    filter.before = reader.newest_events(filter).back().id;
    EXPECT_EQ(kinds(filter), "2 1 ");
    EventFilter held;
    held.kind = "held";
    EXPECT_EQ(kinds(held), "3 2 ");
    held.repository = "bob/app";
    EXPECT_EQ(kinds(held), "3 ");
    EventFilter of;
    of.digest = named("a");
    EXPECT_EQ(kinds(of), "2 1 ");
    of.kind = "held";
    EXPECT_EQ(kinds(of), "2 ");
  });
}

TEST_P(MetadataStores, AVerdictCanBeForgotten) {
  write([&](Writer& writer) {
    push(writer, "alice/app", "alice", "a");
    writer.put_verdict({named("a"), "old", State::held, "suspicious", 40, {}, "{}", 1});
    writer.put_verdict({named("a"), "new", State::released, "clean", 0, {}, "{}", 2});
    writer.remove_verdict(named("a"), "new");
  });
  read([&](Reader& reader) {
    EXPECT_FALSE(reader.verdict(named("a"), "new"));
    EXPECT_EQ(reader.verdict(named("a"), "")->ruleset, "old");
  });
}

TEST_P(MetadataStores, MarksAreKeptByName) {
  write([&](Writer& writer) {
    EXPECT_FALSE(writer.mark("a"));
    writer.set_mark("a", 0);
    writer.set_mark("b", 7);
  });
  write([&](Writer& writer) { writer.set_mark("b", 9); });
  read([&](Reader& reader) {
    EXPECT_EQ(reader.mark("a"), 0);
    EXPECT_EQ(reader.mark("b"), 9);
    EXPECT_FALSE(reader.mark("c"));
  });
}

TEST_P(MetadataStores, ATakedownThatIsBroughtAlongKeepsItsIdAndNoOtherGetsIt) {
  write([&](Writer& writer) {
    writer.put_takedown({7, "publisher", "alice", "admin", "miners", 3, 0});
    EXPECT_EQ(writer.takedown(7)->subject, "alice");
    EXPECT_TRUE(writer.takedown_of("publisher", "alice"));
    EXPECT_GT(writer.add_takedown({0, "publisher", "bob", "admin", "miners", 4, 0}), 7);
  });
}

TEST_P(MetadataStores, CollectionTakesWhatNothingRefersTo) {
  write([&](Writer& writer) {
    const auto repository = push(writer, "a/x", "a", "kept");
    writer.add_blob(named("loose"), 1, 1);
    writer.link_blob(repository, named("loose"), {"a", 1, 0});
    writer.add_blob(named("fresh"), 1, 1);
    writer.link_blob(repository, named("fresh"), {"a", 100, 0});
    writer.add_manifest(manifest("nowhere"), "", {});
    EXPECT_EQ(writer.collect_links(50, 10), 1u);
    EXPECT_EQ(writer.collect_manifests(50, 10), std::vector<Digest>{named("nowhere")});
    EXPECT_EQ(writer.collect_blobs(10), std::vector<Digest>{named("loose")});
    EXPECT_TRUE(writer.blob_size(named("kept-layer")));
    EXPECT_TRUE(writer.blob_size(named("fresh")));
    EXPECT_FALSE(writer.blob_size(named("loose")));
  });
}

TEST_P(MetadataStores, ReadersSeeOneState) {
  write([](Writer& writer) { writer.add_repository("r0", "p", 1); });
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (int i = 1; i <= 60; ++i) {
      (void)store_->write([&](Writer& w) {
        w.add_repository("r" + std::to_string(i) + "a", "p", 1);
        w.add_repository("r" + std::to_string(i) + "b", "p", 1);
        return Result<void>();
      });
    }
    stop = true;
  });
  while (!stop) {
    read([](Reader& reader) {
      const auto first = reader.repositories("", 1000).size(), second = reader.repositories("", 1000).size();
      EXPECT_EQ(first, second);
      EXPECT_EQ(first % 2, 1u);
    });
  }
  writer.join();
}

TEST_P(MetadataStores, ItIsSoundAndCanBeCopied) {
  write([](Writer& writer) { writer.add_repository("a/b", "a", 1); });
  EXPECT_TRUE(store_->check()->empty());
  ASSERT_TRUE(store_->backup(folder_.path() + "/copy.sqlite"));
  const auto copy = open_sqlite_metadata_store(folder_.path() + "/copy.sqlite");
  ASSERT_TRUE(copy.ok());
  ASSERT_TRUE((*copy)->read([](Reader& reader) { EXPECT_TRUE(reader.repository("a/b")); }));
}

TEST_P(MetadataStores, RelaxedWritesAreSeenAtOnce) {
  const auto done = store_->write(
      [](Writer& writer) {
        writer.add_repository("a/b", "a", 1);
        return Result<void>();
      },
      Durability::relaxed);
  ASSERT_TRUE(done.ok());
  read([](Reader& reader) { EXPECT_TRUE(reader.repository("a/b")); });
  write([](Writer& writer) { EXPECT_TRUE(writer.repository("a/b")); });
}

TEST(SqliteMetadataStore, KeepsWhatWasWrittenAndRefusesAnotherForm) {
  const Folder folder;
  const std::string path = folder.path() + "/m.sqlite";
  {
    auto store = std::move(*open_sqlite_metadata_store(path));
    ASSERT_TRUE(store->write([](Writer& writer) {
      writer.add_repository("a/b", "a", 1);
      return Result<void>();
    }));
  }
  {
    auto store = std::move(*open_sqlite_metadata_store(path));
    ASSERT_TRUE(store->read([](Reader& reader) { EXPECT_TRUE(reader.repository("a/b")); }));
  }
  std::ofstream(folder.path() + "/text.sqlite") << std::string(5000, 'x');
  EXPECT_FALSE(open_sqlite_metadata_store(folder.path() + "/text.sqlite").ok());
}

// --- what responds to an incident ---------------------------------------------------------------------------------------------------

TEST(MetadataStore, FilesOfATakedownAreKnownAgainUntilItIsUndone) {
  auto store = std::move(*open_sqlite_metadata_store(""));
  const FileContent one{1}, two{2}, three{3};
  ASSERT_TRUE(store->write([&](Writer& writer) -> Result<void> {
    writer.add_blob(named("layer"), 10, 1);
    writer.add_blob(named("other"), 10, 1);
    writer.set_carried_files(named("layer"), {{one, "/a", false, true}, {two, "/b", true, false}, {two, "/b again", false, false}});
    writer.set_carried_files(named("other"), {{two, "/x", false, false}, {three, "/y", false, false}});
    return {};
  }));
  ASSERT_TRUE(store->read([&](Reader& reader) {
    const auto files = reader.carried_files(named("layer"));
    ASSERT_EQ(files.size(), 2u);
    EXPECT_EQ(std::tuple(files[0].path, files[0].convicts, files[0].claimed), std::tuple("/a", false, true));
    EXPECT_TRUE(files[1].convicts);
    EXPECT_TRUE(reader.file_tombstones(named("other")).empty());
    EXPECT_FALSE(reader.file_released_somewhere(one)) << "no manifest names the layer";
  }));
  ASSERT_TRUE(store->write([&](Writer& writer) -> Result<void> {
    writer.add_file_tombstone({two, 7, "/b", "miners", false});
    writer.add_file_tombstone({two, 7, "/b", "miners", true});
    writer.add_file_tombstone({one, 8, "/a", "shells", false});
    return {};
  }));
  ASSERT_TRUE(store->read([&](Reader& reader) {
    const auto found = reader.file_tombstones(named("other"));
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(std::tuple(found[0].takedown, found[0].path, found[0].reason, found[0].condemns), std::tuple(7, "/b", "miners", true));
    EXPECT_EQ(reader.file_tombstones(named("layer")).size(), 2u);
    EXPECT_TRUE(reader.file_tombstones(named("layer"))[0].condemns);
    EXPECT_EQ(reader.buried_files().size(), 2u);
    EXPECT_EQ(reader.file_tombstones_of(7).size(), 1u);
  }));
  ASSERT_TRUE(store->write([&](Writer& writer) -> Result<void> {
    writer.remove_tombstones(7);
    return {};
  }));
  ASSERT_TRUE(store->read([&](Reader& reader) { EXPECT_EQ(reader.buried_files(), std::vector<FileContent>{one}); }));
  ASSERT_TRUE(store->write([&](Writer& writer) -> Result<void> {
    writer.remove_file_tombstones(named("layer"));
    writer.remove_blob(named("layer"));
    return {};
  }));
  ASSERT_TRUE(store->read([&](Reader& reader) {
    EXPECT_TRUE(reader.buried_files().empty());
    EXPECT_TRUE(reader.carried_files(named("layer")).empty());
    EXPECT_EQ(reader.carried_files(named("other")).size(), 2u);
  }));
}

TEST(MetadataStore, ReportsOfOneImageAreOneCaseUntilItIsClosed) {
  auto store = std::move(*open_sqlite_metadata_store(""));
  std::int64_t first = 0, second = 0;
  ASSERT_TRUE(store->write([&](Writer& writer) -> Result<void> {
    first = writer.open_case(named("m"), 10);
    EXPECT_EQ(writer.open_case(named("m"), 20), first);
    second = writer.open_case(named("n"), 30);
    for (int i = 0; i < 1200; ++i) writer.add_user_report({first, 10 + i, "bob", "192.0.2.1", "alice/x", "t", "bad"});
    writer.add_user_report({second, 30, "", "", "alice/y", "", "worse"});
    return {};
  }));
  ASSERT_TRUE(store->read([&](Reader& reader) {
    EXPECT_EQ(reader.user_case(first)->reports, 1200u);
    EXPECT_EQ(reader.user_reports(first).size(), 1000u) << "the rest is counted";
    EXPECT_EQ(reader.open_cases(), (std::pair<std::uint64_t, Time>(2, 10)));
    EXPECT_EQ(reader.user_cases(CaseState::open, 0, 10).size(), 2u);
    EXPECT_EQ(reader.user_cases(std::nullopt, first, 10).front().id, second);
    EXPECT_FALSE(reader.user_case(99));
  }));
  ASSERT_TRUE(store->write([&](Writer& writer) -> Result<void> {
    writer.close_case(first, CaseState::rejected, 50, "admin", "a mistake");
    EXPECT_NE(writer.open_case(named("m"), 60), first) << "what comes later is another case";
    return {};
  }));
  ASSERT_TRUE(store->read([&](Reader& reader) {
    const auto closed = reader.user_case(first);
    EXPECT_EQ(std::tuple(closed->state, closed->closed, closed->closed_by, closed->note), std::tuple(CaseState::rejected, 50, "admin", "a mistake"));
    EXPECT_EQ(reader.open_cases(), (std::pair<std::uint64_t, Time>(2, 30)));
  }));
}

TEST(MetadataStore, TakedownsAreListedNewestFirst) {
  auto store = std::move(*open_sqlite_metadata_store(""));
  ASSERT_TRUE(store->write([&](Writer& writer) -> Result<void> {
    for (int i = 1; i <= 3; ++i) EXPECT_EQ(writer.add_takedown({0, "publisher", std::to_string(i), "admin", "why", i, 0, i == 2}), i);
    writer.set_undone(2, 9);
    return {};
  }));
  ASSERT_TRUE(store->read([&](Reader& reader) {
    const auto acts = reader.takedowns(1'000'000, 2);
    ASSERT_EQ(acts.size(), 2u);
    EXPECT_EQ(acts[0].id, 3);
    EXPECT_TRUE(acts[1].closes_account);
    EXPECT_EQ(acts[1].undone, 9);
    EXPECT_EQ(reader.takedowns(2, 10).size(), 1u);
    EXPECT_FALSE(reader.takedown_of("publisher", "2"));
  }));
}

// --- ledger -------------------------------------------------------------------------------------------------------------------

constexpr Time day = 86'400'000;
constexpr Time march = 1'772'323'200'000;  // 2026-03-01

Pull pull_of(const std::string& digest, Time at, const std::string& identity = "alice") {
  Pull pull;
  pull.at = at;
  pull.identity = identity;
  pull.address = "192.0.2.1";
  pull.agent = "docker/20.10";
  pull.repository = "bad/x";
  pull.tag = "latest";
  pull.digest = named(digest);
  pull.manifest = true;
  pull.bytes = 77;
  pull.state = "released";
  pull.verdict = "clean";
  pull.ruleset = "r1";
  return pull;
}

PullFilter only(const std::string& digest) {
  PullFilter filter;
  filter.digest = named(digest);
  return filter;
}

TEST(Ledger, KeepsPullsAndFindsThem) {
  const Folder folder;
  for (const std::string& path : {std::string(), folder.path() + "/ledger"}) {
    auto ledger = std::move(*open_sqlite_ledger(path));
    const Pull pull = pull_of("m", march + 10), other = pull_of("n", march + 20, "");
    ASSERT_TRUE(ledger->append({pull, other}));
    EXPECT_EQ(ledger->find({})->size(), 2u);
    const auto found = ledger->find(only("m"));
    ASSERT_EQ(found->size(), 1u);
    const Pull& kept = found->front();
    EXPECT_EQ(std::tuple(kept.at, kept.identity, kept.address, kept.agent, kept.repository, kept.tag), std::tuple(pull.at, pull.identity, pull.address, pull.agent, pull.repository, pull.tag));
    EXPECT_EQ(std::tuple(kept.manifest, kept.status, kept.bytes, kept.state, kept.verdict, kept.ruleset, kept.complete, kept.count), std::tuple(true, 200, 77u, "released", "clean", "r1", true, 1u));
    PullFilter late;
    late.from = march + 15;
    EXPECT_EQ(ledger->find(late)->size(), 1u);
    PullFilter early;
    early.until = march + 20;
    EXPECT_EQ(ledger->find(early)->size(), 1u);
    PullFilter nobody;
    nobody.identity = "bob";
    EXPECT_EQ(ledger->find(nobody)->size(), 0u);
    // Page by page.
    PullFilter page;
    page.limit = 1;
    const auto first = ledger->find(page);
    ASSERT_EQ(first->size(), 1u);
    page.after = first->front().id;
    EXPECT_EQ(ledger->find(page)->front().digest, named("n"));
  }
}

TEST(Ledger, IsKeptByMonthsThatGoAsAWhole) {
  const Folder folder;
  const std::string path = folder.path() + "/ledger";
  for (int again = 0; again < 2; ++again) {
    auto ledger = std::move(*open_sqlite_ledger(path));
    if (again == 0) {
      ASSERT_TRUE(ledger->append({pull_of("m", march - 1), pull_of("m", march), pull_of("m", march + 31 * day), pull_of("m", march + 70 * day)}));
    }
    const auto all = ledger->find({});
    ASSERT_EQ(all->size(), 4u);
    EXPECT_TRUE(std::is_sorted(all->begin(), all->end(), [](const Pull& a, const Pull& b) { return a.id < b.id; }));
    EXPECT_EQ(all->back().at, march + 70 * day);
  }
  EXPECT_TRUE(std::filesystem::exists(path + "/2026-02.sqlite"));
  auto ledger = std::move(*open_sqlite_ledger(path));
  EXPECT_EQ(*ledger->forget(march - 1), 0u) << "February has not ended before";
  EXPECT_EQ(*ledger->forget(march + 40 * day), 2u);
  EXPECT_FALSE(std::filesystem::exists(path + "/2026-02.sqlite"));
  EXPECT_FALSE(std::filesystem::exists(path + "/2026-03.sqlite"));
  EXPECT_EQ(ledger->find({})->size(), 2u);
  // What is told later of a month that went begins it anew.
  ASSERT_TRUE(ledger->append({pull_of("m", march)}));
  EXPECT_EQ(ledger->find({})->size(), 3u);
}

TEST(Ledger, UnderLoadEqualPullsBecomeOneEntry) {
  auto ledger = std::move(*open_sqlite_ledger(""));
  std::vector<Pull> many;
  for (int i = 0; i < 3000; ++i) many.push_back(pull_of(i % 3 == 0 ? "m" : "n", march + i, i % 2 == 0 ? "alice" : "bob"));
  ASSERT_TRUE(ledger->append(many));
  const auto entries = ledger->find({});
  EXPECT_EQ(entries->size(), 4u);
  std::uint64_t pulls = 0, bytes = 0;
  for (const Pull& entry : *entries) {
    pulls += entry.count;
    bytes += entry.bytes;
    EXPECT_GE(entry.last - entry.at, 2900);
  }
  EXPECT_EQ(pulls, 3000u);
  EXPECT_EQ(bytes, 3000u * 77);
}

TEST(Ledger, SumsUpByClient) {
  auto ledger = std::move(*open_sqlite_ledger(""));
  Pull cached = pull_of("m", march + 40 * day), blob = pull_of("layer", march + 5, "bob"), end = blob;
  cached.status = 304;
  cached.bytes = 0;
  blob.manifest = end.manifest = false;
  blob.bytes = 1000;
  end.at += 7;
  end.complete = false;
  end.bytes = 300;
  end.missing = 700;
  ASSERT_TRUE(ledger->append({pull_of("m", march), pull_of("m", march + day), cached, blob, end, pull_of("n", march)}));
  std::map<std::string, PullSummary> by_identity;
  ASSERT_TRUE(ledger->summarise({named("m"), named("layer")}, 0, march + day, [&](const PullSummary& summary) {
    PullSummary& all = by_identity[summary.identity];
    all.first = all.first == 0 ? summary.first : std::min(all.first, summary.first);
    all.last = std::max(all.last, summary.last);
    all.pulls += summary.pulls;
    all.not_modified += summary.not_modified;
    all.cut += summary.cut;
    all.late += summary.late;
    all.bytes += summary.bytes;
  }));
  ASSERT_EQ(by_identity.size(), 2u);
  const PullSummary& alice = by_identity["alice"];
  EXPECT_EQ(std::tuple(alice.first, alice.last, alice.pulls, alice.not_modified, alice.cut, alice.late, alice.bytes), std::tuple(march, march + 40 * day, 3u, 1u, 0u, 2u, 154u));
  const PullSummary& bob = by_identity["bob"];
  EXPECT_EQ(std::tuple(bob.pulls, bob.cut, bob.bytes), std::tuple(1u, 1u, 300u)) << "what did not go out does not count";
}

TEST(Ledger, CountsPullsOfManifestsByDay) {
  auto ledger = std::move(*open_sqlite_ledger(""));
  Pull blob = pull_of("layer", march + 2 * day);
  blob.manifest = false;
  ASSERT_TRUE(ledger->append({pull_of("m", march), pull_of("n", march), pull_of("m", march + 2 * day), pull_of("m", march + 40 * day), blob}));
  const auto counts = ledger->pull_counts(0, 10);
  ASSERT_EQ(counts->size(), 2u);
  EXPECT_EQ(counts->front().digest, named("m"));
  EXPECT_EQ(counts->front().pulls, 3u);
  EXPECT_EQ(counts->front().last_day, march + 40 * day);
  const auto since = ledger->pull_counts(march + day, 10);
  ASSERT_EQ(since->size(), 1u);
  EXPECT_EQ(since->front().pulls, 2u);
  EXPECT_EQ(ledger->pull_counts(0, 1)->size(), 1u);
}

}  // namespace
}  // namespace lazaret::store
