// The stores of Podman and containerd, also when their documents are hostile.
#include <fmt/core.h>
#include <gmock/gmock.h>

#include "format/bolt_test_support.h"
#include "source/containerd_store.h"
#include "source/containers_store.h"
#include "source/docker_store.h"
#include "source/sources.h"
#include "source/stored_images.h"
#include "source/store_test_support.h"

namespace lazaret::source {
namespace {

using format::BoltTree;
using format::BoltWriter;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

Result<format::ImageDescription> deliver(const std::string& text, Collector& collector,
                                         const SourceOptions& options = {}) {
  const auto target = parse_target(text);
  EXPECT_TRUE(target.ok());
  const auto source = open_source(*target);
  if (!source) return source.error();
  return (*source)->deliver(collector, options);
}

std::string failure(const std::string& text) {
  Collector collector;
  const auto result = deliver(text, collector);
  return result ? "" : result.error().message;
}

// The documents of an image with these layers.
struct Documents {
  std::string config, manifest;
  Digest config_digest, manifest_digest;

  explicit Documents(const std::vector<std::string>& layers) {
    std::string diff_ids, blobs;
    for (const std::string& layer : layers) {
      const std::string digest = sha256(as_bytes(layer)).str();
      diff_ids += (diff_ids.empty() ? "\"" : ",\"") + digest + "\"";
      blobs += fmt::format(
          R"({}{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{}","size":{}}})",
          blobs.empty() ? "" : ",", digest, layer.size());
    }
    config = fmt::format(
        R"({{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":[{}]}}}})",
        diff_ids);
    config_digest = sha256(as_bytes(config));
    manifest = fmt::format(
        R"({{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{}","size":{}}},"layers":[{}]}})",
        config_digest.str(), config.size(), blobs);
    manifest_digest = sha256(as_bytes(manifest));
  }
};

// --- Podman --------------------------------------------------------------------------------------

// A store with one image of two layers.
class PodmanStore {
 public:
  explicit PodmanStore(const std::string& names = R"("docker.io/library/app:1")") {
    lower.add("etc/motd", "lower\n");
    lower.end();
    upper.add("bin/run", "upper\n");
    upper.end();
    documents.emplace(std::vector<std::string>{lower.tar, upper.tar});
    id = documents->config_digest.hex();
    const std::string manifest_key = "manifest-" + documents->manifest_digest.str(),
                      config_key = documents->config_digest.str();
    folder.write(
        "overlay-images/images.json",
        fmt::format(
            R"([{{"id":"{}","digest":"{}","names":[{}],"layer":"upper","big-data-names":["{}","{}","manifest"]}}])",
            id, documents->manifest_digest.str(), names, config_key, manifest_key));
    write_layers("lower");
    const std::string data = "overlay-images/" + id + "/";
    folder.write(data + big_data_file(config_key), documents->config);
    folder.write(data + big_data_file(manifest_key), documents->manifest);
    folder.write(data + "manifest", documents->manifest);
    folder.write("overlay-layers/lower.tar-split.gz", lower.record);
    folder.write("overlay-layers/upper.tar-split.gz", upper.record);
    folder.write("overlay/lower/diff/etc/motd", "lower\n");
    folder.write("overlay/upper/diff/bin/run", "upper\n");
  }
  void write_layers(const std::string& parent) const {
    folder.write(
        "overlay-layers/layers.json",
        fmt::format(
            R"([{{"id":"lower","diff-digest":"{}"}},{{"id":"upper","parent":"{}","diff-digest":"{}"}}])",
            sha256(as_bytes(lower.tar)).str(), parent, sha256(as_bytes(upper.tar)).str()));
  }
  std::string target(const std::string& reference) const {
    return "containers-storage:[overlay@" + folder.path() + "+/run/none]" + reference;
  }

  TemporaryFolder folder;
  RecordedLayer lower, upper;
  std::optional<Documents> documents;
  std::string id;
};

TEST(ContainersStorage, DeliversTheExactLayers) {
  const PodmanStore store;
  Collector collector;
  const auto image = deliver(store.target("app:1"), collector);
  ASSERT_TRUE(image.ok()) << image.error().message;
  EXPECT_EQ(image->reference, "containers-storage:docker.io/library/app:1");
  EXPECT_EQ(image->digest, store.documents->manifest_digest);
  EXPECT_THAT(image->unaudited, IsEmpty());
  EXPECT_THAT(image->diagnostics, IsEmpty());
  ASSERT_EQ(image->manifests.size(), 1u);
  const auto& layers = image->manifests[0].layers;
  ASSERT_EQ(layers.size(), 2u);
  EXPECT_EQ(collector.blobs.at(layers[0].key).bytes, store.lower.tar);
  EXPECT_EQ(collector.blobs.at(layers[1].key).bytes, store.upper.tar);
  EXPECT_EQ(layers[1].form, format::LayerForm::unpacked);
}

TEST(ContainersStorage, FindsAnImageAsPodmanDoes) {
  const PodmanStore store(
      R"("docker.io/library/app:1","localhost/built:latest","registry.example:5000/team/tool:2")");
  const std::string digest = store.documents->manifest_digest.str();
  for (const std::string& name :
       {std::string("app:1"), std::string("docker.io/library/app:1"), std::string("library/app:1"),
        std::string("built"), std::string("localhost/built"), std::string("team/tool:2"),
        std::string("tool:2"), store.id, "@" + store.id, "app:1@" + store.id,
        store.id.substr(0, 12), "sha256:" + store.id, digest, "app@" + digest}) {
    EXPECT_EQ(failure(store.target(name)), "") << name;
  }
  for (const std::string name : {"app", "app:2", "other.example/app:1", "ool:2"})
    EXPECT_THAT(failure(store.target(name)), HasSubstr("has no image")) << name;
  EXPECT_THAT(failure(store.target("")), HasSubstr("name an image"));
}

TEST(ContainersStorage, UnderstandsSpecifiers) {
  const auto full = parse_store_specifier("[overlay@/a/b+/run/c:opt=1]name:tag");
  ASSERT_TRUE(full.ok());
  ASSERT_EQ(full->locations.size(), 1u);
  EXPECT_EQ(full->locations[0].driver, "overlay");
  EXPECT_EQ(full->locations[0].root, "/a/b");
  EXPECT_EQ(full->reference, "name:tag");
  const auto root = parse_store_specifier("[/a]@0123");
  ASSERT_TRUE(root.ok());
  EXPECT_EQ(root->locations[0].driver, "");
  EXPECT_EQ(root->locations[0].root, "/a");
  EXPECT_EQ(root->reference, "@0123");
  EXPECT_FALSE(parse_store_specifier("[overlay@/a").ok());
  EXPECT_FALSE(parse_store_specifier("[overlay@a]b").ok());
  EXPECT_FALSE(parse_store_specifier("[]b").ok());
  EXPECT_THAT(failure("containers-storage:[btrfs@/nonexistent]a"), HasSubstr("btrfs is not read"));
  EXPECT_THAT(failure("containers-storage:[overlay@/nonexistent]a"), HasSubstr("/nonexistent"));
}

TEST(ContainersStorage, StorageConfSaysWhereStoresAre) {
  const PodmanStore store;
  const TemporaryFolder folder;
  folder.write("storage.conf", "[storage]\ndriver = \"overlay\"\ngraphroot = \"" +
                                   folder.path("none") +
                                   "\"\n[storage.options]\nadditionalimagestores = [\"" +
                                   store.folder.path() + "\"]\n");
  setenv("CONTAINERS_STORAGE_CONF", folder.path("storage.conf").c_str(), 1);
  const auto locations = default_store_locations();
  ASSERT_TRUE(locations.ok());
  ASSERT_EQ(locations->size(), 2u);
  EXPECT_EQ((*locations)[0].driver, "overlay");
  EXPECT_EQ(failure("containers-storage:app:1"), "");
  folder.write("storage.conf", "[storage\n");
  EXPECT_THAT(failure("containers-storage:app:1"), HasSubstr("storage.conf:1"));
  unsetenv("CONTAINERS_STORAGE_CONF");
}

TEST(ContainersStorage, NamesOfBigDataFiles) {
  EXPECT_EQ(big_data_file("manifest"), "manifest");
  EXPECT_EQ(big_data_file("sha256:ab"), "=c2hhMjU2OmFi");
  EXPECT_EQ(big_data_file("manifest-sha256:a"), "=bWFuaWZlc3Qtc2hhMjU2OmE=");
  EXPECT_EQ(big_data_file("../x"), "=Li4veA==");
}

TEST(ContainersStorage, AStoreThatWasChangedIsIncomplete) {
  const PodmanStore store;
  store.folder.write("overlay/upper/diff/bin/run", "UPPER\n");
  Collector collector;
  const auto image = deliver(store.target("app:1"), collector);
  ASSERT_TRUE(image.ok());
  ASSERT_EQ(image->unaudited.size(), 1u);
  EXPECT_THAT(image->unaudited[0].second, HasSubstr("bin/run"));
  EXPECT_EQ(image->manifests[0].layers[1].form, format::LayerForm::rebuilt);
  EXPECT_EQ(image->manifests[0].layers[0].form, format::LayerForm::unpacked);
}

TEST(ContainersStorage, AMissingFolderIsIncomplete) {
  const PodmanStore store;
  std::filesystem::remove_all(store.folder.path("overlay/lower"));
  Collector collector;
  const auto image = deliver(store.target("app:1"), collector);
  ASSERT_TRUE(image.ok());
  EXPECT_THAT(image->unaudited, Not(IsEmpty()));
  EXPECT_NE(collector.blobs.at("layer lower").failure, "");
}

TEST(ContainersStorage, LayersThatAreTheirOwnParents) {
  const PodmanStore store;
  store.write_layers("upper");
  Collector collector;
  const auto image = deliver(store.target("app:1"), collector);
  ASSERT_TRUE(image.ok());
  EXPECT_THAT(image->unaudited, Not(IsEmpty()));
  EXPECT_EQ(collector.blobs.size(), 1u);
}

TEST(ContainersStorage, DocumentsThatAreNone) {
  for (const std::string list :
       {"", "{}", "[1,null,{}]", "[{\"id\":\"../../x\",\"names\":[\"docker.io/library/app:1\"]}]",
        "[[[["}) {
    const PodmanStore store;
    store.folder.write("overlay-images/images.json", list);
    EXPECT_THAT(failure(store.target("app:1")), HasSubstr("no image")) << list;
    const PodmanStore other;
    other.folder.write("overlay-layers/layers.json", list);
    Collector collector;
    const auto image = deliver(other.target("app:1"), collector);
    ASSERT_TRUE(image.ok());
    EXPECT_THAT(image->unaudited, Not(IsEmpty())) << list;
    EXPECT_THAT(collector.blobs, IsEmpty());
  }
}

TEST(ContainersStorage, ALinkOutOfTheStoreIsNotFollowed) {
  const PodmanStore store;
  const TemporaryFolder outside;
  outside.write("run", "secret\n");
  std::filesystem::remove_all(store.folder.path("overlay/upper/diff"));
  std::filesystem::create_directory_symlink(outside.path(),
                                            store.folder.path("overlay/upper/diff"));
  Collector collector;
  const auto image = deliver(store.target("app:1"), collector);
  ASSERT_TRUE(image.ok());
  EXPECT_THAT(image->unaudited, Not(IsEmpty()));
  EXPECT_THAT(collector.blobs.at("layer upper").bytes, Not(HasSubstr("secret")));
}

TEST(ContainersStorage, ADocumentThatIsNotWhatItsNameSays) {
  const PodmanStore store;
  store.folder.write("overlay-images/" + store.id + "/" + big_data_file("sha256:" + store.id),
                     "{\"os\":\"linux\"}");
  Collector collector;
  const auto image = deliver(store.target("app:1"), collector);
  ASSERT_TRUE(image.ok());
  EXPECT_THAT(image->diagnostics, Not(IsEmpty()));
}

// --- containerd ----------------------------------------------------------------------------------

std::string varint(std::uint64_t value) {
  std::string out;
  for (value *= 2; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  return out + static_cast<char>(value);
}

class Containerd {
 public:
  Containerd() : documents({"first layer of a tar", "second layer"}) {}

  void add(const std::string& name_space, const std::string& name, const Digest& digest,
           std::size_t size) {
    BoltTree& image = meta.buckets["v1"].buckets[name_space].buckets["images"].buckets[name];
    image.buckets["target"].values = {{"digest", digest.str()},
                                      {"mediatype", "application/vnd.oci.image.manifest.v1+json"},
                                      {"size", varint(size)}};
  }
  void add(const std::string& name_space, const std::string& name) {
    add(name_space, name, documents.manifest_digest, documents.manifest.size());
  }
  void put_blob(const std::string& content) const {
    folder.write("io.containerd.content.v1.content/blobs/sha256/" + sha256(as_bytes(content)).hex(),
                 content);
  }
  void write() const {
    put_blob(documents.config);
    put_blob(documents.manifest);
    folder.write("io.containerd.metadata.v1.bolt/meta.db", BoltWriter(4096, 4, 1024).write(meta));
  }
  std::string target(const std::string& reference) const {
    return "containerd:[" + folder.path() + "]" + reference;
  }

  TemporaryFolder folder;
  BoltTree meta;
  Documents documents;
};

TEST(ContainerdSource, DeliversBlobsOfTheContentStore) {
  Containerd store;
  store.add("k8s.io", "docker.io/library/app:1");
  store.put_blob("first layer of a tar");
  store.put_blob("second layer");
  store.write();
  Collector collector;
  const auto image = deliver(store.target("app:1"), collector);
  ASSERT_TRUE(image.ok()) << image.error().message;
  EXPECT_EQ(image->reference, "containerd:k8s.io/docker.io/library/app:1");
  EXPECT_THAT(image->unaudited, IsEmpty());
  EXPECT_THAT(image->diagnostics, IsEmpty());
  ASSERT_EQ(image->manifests.size(), 1u);
  EXPECT_EQ(collector.blobs.at(image->manifests[0].layers[1].key).bytes, "second layer");
  EXPECT_EQ(image->manifests[0].layers[1].form, format::LayerForm::shipped);
}

TEST(ContainerdSource, SearchesNamespaces) {
  Containerd store;
  const Digest other = sha256(as_bytes("other"));
  store.add("default", "docker.io/library/both:1");
  store.add("k8s.io", "docker.io/library/both:1", other, 5);
  store.add("k8s.io", "docker.io/library/same:1");
  store.add("moby", "docker.io/library/same:1");
  store.add("k8s.io", "docker.io/library/differ:1");
  store.add("moby", "docker.io/library/differ:1", other, 5);
  store.write();
  auto opened = ContainerdStore::open(store.folder.path(), {});
  ASSERT_TRUE(opened.ok());
  ContainerdStore& found = *opened;
  EXPECT_EQ(found.find("both:1")->name_space, "default");
  EXPECT_EQ(found.find("k8s.io/both:1")->name_space, "k8s.io");
  EXPECT_EQ(found.find("k8s.io/docker.io/library/both:1")->target.digest, other);
  EXPECT_EQ(found.find("same:1")->name, "docker.io/library/same:1");
  EXPECT_EQ(found.find(store.documents.manifest_digest.str())->name_space, "default");
  EXPECT_EQ(found.find("same:1")->target.size, store.documents.manifest.size());
  const auto several = found.find("differ:1");
  ASSERT_FALSE(several.ok());
  EXPECT_THAT(several.error().message, HasSubstr("containerd:moby/docker.io/library/differ:1"));
  EXPECT_EQ(found.find("moby/differ:1")->target.digest, other);
  EXPECT_EQ(found.find("default/same:1").error().code, ErrorCode::not_found);
}

TEST(ContainerdSource, ALayerThatWasDiscardedComesFromItsSnapshot) {
  Containerd store;
  store.add("default", "docker.io/library/app:1");
  store.put_blob("first layer of a tar");
  const std::string chain = sha256(as_bytes(sha256(as_bytes("first layer of a tar")).str() + " " +
                                            sha256(as_bytes("second layer")).str()))
                                .str();
  store.meta.buckets["v1"]
      .buckets["default"]
      .buckets["snapshots"]
      .buckets["overlayfs"]
      .buckets[chain]
      .values["name"] = "default/2/" + chain;
  store.write();
  BoltTree snapshots;
  snapshots.buckets["v1"].buckets["snapshots"].buckets["default/2/" + chain].values["id"] =
      "\x82\x01";
  store.folder.write("io.containerd.snapshotter.v1.overlayfs/metadata.db",
                     BoltWriter().write(snapshots));
  store.folder.write("io.containerd.snapshotter.v1.overlayfs/snapshots/130/fs/bin/run",
                     "unpacked\n");
  Collector collector;
  const auto image = deliver(store.target("app:1"), collector);
  ASSERT_TRUE(image.ok());
  EXPECT_THAT(image->unaudited, IsEmpty());
  ASSERT_EQ(image->diagnostics.size(), 1u);
  EXPECT_EQ(image->diagnostics[0].rule, "anomaly.layer-rebuilt");
  const auto& layer = image->manifests[0].layers[1];
  EXPECT_EQ(layer.form, format::LayerForm::rebuilt);
  EXPECT_THAT(collector.blobs.at(layer.key).bytes, HasSubstr("unpacked\n"));
}

TEST(ContainerdSource, WhatIsGoneIsIncomplete) {
  Containerd store;
  store.add("default", "docker.io/library/app:1");
  store.put_blob("first layer of a tar");
  store.write();
  Collector collector;
  const auto image = deliver(store.target("app:1"), collector);
  ASSERT_TRUE(image.ok());
  ASSERT_EQ(image->unaudited.size(), 1u);
  EXPECT_THAT(image->unaudited[0].first, HasSubstr("layer sha256:"));
}

TEST(ContainerdSource, DatabasesThatAreNone) {
  Containerd store;
  store.add("default", "docker.io/library/app:1");
  store.write();
  const std::string path = "io.containerd.metadata.v1.bolt/meta.db";
  const std::string sound = BoltWriter(4096, 4).write(store.meta);
  store.folder.write(path, sound.substr(0, 3 * 4096));
  EXPECT_THAT(failure(store.target("app:1")), HasSubstr("no image"));
  SourceOptions options;
  options.limits.store_database_bytes = 1000;
  Collector collector;
  EXPECT_EQ(deliver(store.target("app:1"), collector, options).error().code, ErrorCode::limit);
  std::filesystem::remove(store.folder.path(path));
  std::filesystem::create_symlink("/etc/passwd", store.folder.path(path));
  EXPECT_THAT(failure(store.target("app:1")), HasSubstr("symbolic link"));
  EXPECT_THAT(failure("containerd:[" + store.folder.path("nothing") + "]app:1"),
              HasSubstr("nothing"));
  EXPECT_THAT(failure("containerd:[relative]app"), HasSubstr("absolute path"));
  EXPECT_THAT(failure("containerd:[/root]"), HasSubstr("name an image"));
}

// A google.protobuf.Any as containerd keeps a container's spec in.
std::string any(const std::string& type, const std::string& value) {
  const auto field = [](char number, const std::string& content) {
    std::string out(1, static_cast<char>(number << 3 | 2));
    std::size_t size = content.size();
    for (; size >= 0x80; size >>= 7) out += static_cast<char>(size | 0x80);
    return out + static_cast<char>(size) + content;
  };
  return field(1, type) + field(2, value);
}

TEST(ContainerdSource, ListsImagesAndContainersOfAllNamespaces) {
  Containerd store;
  store.add("default", "docker.io/library/app:1");
  store.add("k8s.io", "docker.io/library/app:2");
  BoltTree& container = store.meta.buckets["v1"].buckets["k8s.io"].buckets["containers"].buckets["abc"];
  const std::string spec = "{\"process\":{\"args\":[\"" + std::string(300, 'x') + "\"]}}";
  container.values = {{"image", "docker.io/library/app:2"}, {"snapshotter", "overlayfs"}, {"snapshotKey", "abc"}, {"spec", any("types.containerd.io/opencontainers/runtime-spec/1/Spec", spec)}};
  container.buckets["labels"].values = {{"io.kubernetes.pod.name", "web-0"}};
  store.write();
  auto opened = ContainerdStore::open(store.folder.path(), {});
  ASSERT_TRUE(opened.ok());
  ASSERT_EQ(opened->images().size(), 2u);
  EXPECT_EQ(opened->images()[1].name_space, "k8s.io");
  const auto containers = opened->containers();
  ASSERT_EQ(containers.size(), 1u);
  EXPECT_EQ(containers[0].id, "abc");
  EXPECT_EQ(containers[0].spec, spec);
  EXPECT_EQ(containers[0].pod_name, "web-0");
  EXPECT_EQ(opened->open_snapshot(containers[0], {}).error().code, ErrorCode::not_found);
}

TEST(ContainerdSource, SpecsThatAreCutOff) {
  const std::string whole = any("type", std::string(200, 'v'));
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    Containerd store;
    store.add("default", "docker.io/library/app:1");
    store.meta.buckets["v1"].buckets["default"].buckets["containers"].buckets["abc"].values["spec"] = whole.substr(0, size);
    store.write();
    auto opened = ContainerdStore::open(store.folder.path(), {});
    ASSERT_TRUE(opened.ok());
    EXPECT_EQ(opened->containers().at(0).spec.size(), size == whole.size() ? 200u : 0u);
  }
}

// --- Docker's own folder ------------------------------------------------------------------------

class DockerFolder {
 public:
  DockerFolder() {
    layer.add("bin/run", "content\n");
    layer.end();
    diff_id = sha256(as_bytes(layer.tar)).str();
    config = "{\"os\":\"linux\",\"architecture\":\"amd64\",\"config\":{\"Cmd\":[\"/bin/run\"]},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" + diff_id + "\"]}}";
    id = sha256(as_bytes(config)).hex();
    folder.write("image/overlay2/imagedb/content/sha256/" + id, config);
    folder.write("image/overlay2/repositories.json", "{\"Repositories\":{\"app\":{\"app:1\":\"sha256:" + id + "\",\"app@sha256:" + std::string(64, 'a') + "\":\"sha256:" + id + "\"}}}");
    const std::string place = "image/overlay2/layerdb/sha256/" + diff_id.substr(7) + "/";
    folder.write(place + "cache-id", "0123abc");
    folder.write("overlay2/0123abc/diff/bin/run", "content\n");
    folder.write("image/overlay2/distribution/v2metadata-by-diffid/sha256/" + diff_id.substr(7), "[{\"Digest\":\"sha256:" + std::string(64, 'b') + "\",\"SourceRepository\":\"docker.io/library/app\"}]");
    folder.write("containers/c1/config.v2.json", "{\"ID\":\"c1\",\"Name\":\"/web\",\"Driver\":\"overlay2\",\"Image\":\"sha256:" + id + "\",\"Config\":{\"Image\":\"app:1\"},\"State\":{\"Running\":true}}");
    folder.write("containers/c1/hostconfig.json", "{}");
    folder.write("image/overlay2/layerdb/mounts/c1/mount-id", "4567def");
    folder.write("overlay2/4567def/diff/tmp/new", "written\n");
  }
  Result<DockerStore> open() const { return DockerStore::open(*open_folder(folder.path()), "docker", {}); }

  TemporaryFolder folder;
  RecordedLayer layer;
  std::string diff_id, config, id;
};

TEST(DockerStore, ImagesContainersAndWhatTheyWrote) {
  const DockerFolder docker;
  const auto store = docker.open();
  ASSERT_TRUE(store.ok()) << store.error().message;
  EXPECT_THAT(store->unread(), IsEmpty());
  ASSERT_EQ(store->images().size(), 1u);
  const DockerImage& image = store->images()[0];
  EXPECT_EQ(image.id.hex(), docker.id);
  EXPECT_EQ(image.names.at(0), "docker.io/library/app:1");
  EXPECT_EQ(image.digests.at(0).hex(), std::string(64, 'a'));
  Collector collector;
  const auto described = deliver_image(*store, image, "app", collector, {});
  ASSERT_TRUE(described.ok());
  EXPECT_THAT(described->unaudited, IsEmpty());
  ASSERT_EQ(described->manifests.at(0).layers.size(), 1u);
  const auto& layer = described->manifests[0].layers[0];
  EXPECT_EQ(layer.descriptor.digest.hex(), std::string(64, 'b'));
  EXPECT_EQ(layer.form, format::LayerForm::rebuilt) << "there is no record of its tar form";
  EXPECT_THAT(collector.blobs.at(layer.key).bytes, HasSubstr("content\n"));

  ASSERT_EQ(store->containers().size(), 1u);
  const DockerContainer& container = store->containers()[0];
  EXPECT_EQ(container.name, "web");
  EXPECT_TRUE(container.running);
  EXPECT_EQ(container.image_id.hex(), docker.id);
  auto written = store->open_layer(container);
  ASSERT_TRUE(written.ok()) << written.error().message;
  Collector upper;
  ASSERT_TRUE(deliver_written_layer(std::move(*written), "web", upper, {}).ok());
  EXPECT_THAT(upper.blobs.begin()->second.bytes, HasSubstr("written\n"));
}

TEST(DockerStore, WhatLeadsOutOfTheFolderIsRefused) {
  const DockerFolder docker;
  docker.folder.write("image/overlay2/layerdb/sha256/" + docker.diff_id.substr(7) + "/cache-id", "../../etc");
  docker.folder.write("image/overlay2/layerdb/mounts/c1/mount-id", "..");
  const auto store = docker.open();
  ASSERT_TRUE(store.ok());
  EXPECT_EQ(store->open_layer(store->containers()[0]).error().code, ErrorCode::corrupt);
  Collector collector;
  const auto described = deliver_image(*store, store->images()[0], "app", collector, {});
  ASSERT_TRUE(described.ok());
  EXPECT_THAT(described->unaudited, Not(IsEmpty()));
}

TEST(DockerStore, DocumentsThatAreNone) {
  for (const char* text : {"", "{", "[]", "{\"Repositories\":7}", "{\"Repositories\":{\"a\":{\"b\":7}}}"}) {
    const DockerFolder docker;
    docker.folder.write("image/overlay2/repositories.json", text);
    docker.folder.write("containers/c1/config.v2.json", text);
    docker.folder.write("image/overlay2/imagedb/content/sha256/" + docker.id, text);
    const auto store = docker.open();
    ASSERT_TRUE(store.ok());
    ASSERT_EQ(store->images().size(), 1u);
    Collector collector;
    const auto described = deliver_image(*store, store->images()[0], "app", collector, {});
    ASSERT_TRUE(described.ok());
    EXPECT_THAT(described->diagnostics, Not(IsEmpty())) << "the config is not the one of its ID";
  }
  const TemporaryFolder empty;
  EXPECT_EQ(DockerStore::open(*open_folder(empty.path()), "docker", {}).error().code, ErrorCode::not_found);
}

}  // namespace
}  // namespace lazaret::source
