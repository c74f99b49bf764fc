#include "server/server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>
#include <thread>

#include "audit/cache.h"
#include "audit/image_auditor.h"
#include "audit/ruleset.h"
#include "base/file_descriptor.h"
#include "base/hmac.h"
#include "base/text.h"
#include "base/time.h"
#include "gate/collector.h"
#include "gate/gate.h"
#include "gate/ledger.h"
#include "intel/incident_folder.h"
#include "net/http_server.h"
#include "registry/account_authorizer.h"
#include "registry/accounts.h"
#include "registry/answers.h"
#include "registry/description.h"
#include "registry/registry.h"
#include "registry/token_endpoint.h"
#include "report/writer.h"
#include "server/api_router.h"
#include "server/gate_metrics.h"
#include "server/intelligence.h"
#include "server/operations.h"
#include "server/takedown.h"
#include "server/rehearsal_clock.h"
#include "server/webhooks.h"

namespace lazaret::server {
namespace {

constexpr std::chrono::seconds drain_time{30};
constexpr std::size_t most_pulled = 1'000;  // images whose pulls decide what is audited again first

Result<std::string> read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{ErrorCode::not_found, fmt::format("cannot read {}: check that the file exists and may be read", path)};
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

class FileLock final : public DataLock {
 public:
  explicit FileLock(FileDescriptor file) : file_(std::move(file)) {}

 private:
  const FileDescriptor file_;
};

// What a data folder holds, open.
struct Data {
  std::unique_ptr<DataLock> lock;
  std::unique_ptr<store::BlobStore> blobs;
  std::unique_ptr<store::MetadataStore> metadata;
  std::unique_ptr<store::LedgerStore> ledger;

  static Result<Data> open(const std::string& folder) {
    Data data;
    auto lock = DataLock::take(folder);
    if (!lock) return lock.error();
    data.lock = std::move(*lock);
    auto blobs = store::open_folder_blob_store(folder);
    if (!blobs) return blobs.error();
    data.blobs = std::move(*blobs);
    auto metadata = store::open_sqlite_metadata_store(folder + "/metadata.sqlite", folder + "/condemned.journal");
    if (!metadata) return metadata.error();
    data.metadata = std::move(*metadata);
    auto ledger = store::open_sqlite_ledger(folder + "/ledger");
    if (!ledger) return ledger.error();
    data.ledger = std::move(*ledger);
    return data;
  }
};

class Running final : public Server {
 public:
  ~Running() override { stop(); }

  Result<void> open(const Configuration& configuration) {
    configuration_ = configuration;
    auto data = Data::open(configuration.data);
    if (!data) return data.error();
    data_ = std::move(*data);

    const unsigned processors = std::max(1u, std::thread::hardware_concurrency());
    const unsigned jobs = configuration.jobs != 0 ? configuration.jobs : processors;
    if (!configuration.policy_file.empty()) {
      const auto text = read_text(configuration.policy_file);
      if (!text) return text.error();
      auto policy = audit::Policy::parse(*text, configuration.policy_file);
      if (!policy) return policy.error();
      audit_policy_ = std::move(*policy);
    }
    auto incidents = intel::read_incident_folder(incident_folder_of(configuration.data));
    if (!incidents) return incidents.error();
    if (const auto used = detect::use_imported_incidents(std::move(*incidents)); !used) {
      return Error{used.error().code, fmt::format("imported incidents in {}: {}", incident_folder_of(configuration.data), used.error().message)};
    }
    const std::string cache_folder = configuration.data + "/cache";
    const auto ruleset = audit::Ruleset::make(configuration.rules, cache_folder);
    if (!ruleset) return ruleset.error();
    std::string warning;
    auto cache = audit::Cache::open(cache_folder, (*ruleset)->layer_digest(), limits_, configuration.audit_cache_bytes, &warning);
    if (!cache) return cache.error();
    if (!warning.empty()) fmt::print(stderr, "lazaret: warning: {}\n", escape(warning));
    cache_ = std::move(*cache);
    machine_ = std::make_unique<audit::AuditMachine>(jobs, limits_);
    // Compiled now, so that the first push does not wait for it.
    (void)(*ruleset)->patterns_for(format::FileKind::text);
    (void)(*ruleset)->patterns_for(format::FileKind::elf);

    if (const auto lost = gate::remove_lost_uploads(*data_.blobs, *data_.metadata); !lost) return lost.error();
    operations_ = std::make_unique<Operations>(configuration_, log_);
    gate::Parts parts;
    parts.audited = audit_timer(operations_->metrics());
    parts.blobs = data_.blobs.get();
    parts.metadata = data_.metadata.get();
    parts.ruleset = *ruleset;
    parts.audit_policy = &audit_policy_;
    parts.machine = machine_.get();
    parts.cache = cache_.get();
    parts.describe = [this](const store::Manifest& manifest, const std::string& bytes, const gate::Parts::ReadBlob& read) {
      return registry::describe_manifest(manifest, bytes, read, limits_);
    };
    parts.write_report = [](const audit::Report& report) { return report::to_json({report}, false); };
    if (!configuration.clock_file.empty()) {
      auto clock = RehearsalClock::open(configuration.clock_file);
      if (!clock) return clock.error();
      fmt::print(stderr, "lazaret: warning: rehearsal: the time is what stands in {}\n", escape(configuration.clock_file));
      parts.clock = [clock = std::shared_ptr<RehearsalClock>(std::move(*clock))] { return clock->now(); };
    }
    if (!configuration.gate.enforce) fmt::print(stderr, "lazaret: warning: the gate only observes: every image that can be audited is given out, whatever its verdict\n");
    parts.marks_folder = configuration.data + "/auditing";
    auto intelligence = Intelligence::open(configuration.data, parts.clock);
    if (!intelligence) return intelligence.error();
    intelligence_ = std::move(*intelligence);
    parts.campaigns = &intelligence_->campaigns();
    auto gate = gate::Gate::open(std::move(parts), configuration.gate, limits_, std::max(2u, jobs));
    if (!gate) return gate.error();
    gate_ = std::move(*gate);
    const auto held = intelligence_->learn_incidents(*gate_);
    if (!held) return held.error();
    if (*held > 0) fmt::print(stderr, "lazaret: {} released images match known incidents and are held now\n", *held);
    std::string address_key;
    if (configuration.hash_addresses) {
      auto key = read_or_make_key(configuration.data + "/ledger-key");
      if (!key) return key.error();
      address_key = std::move(*key);
    }
    ledger_ = std::make_unique<gate::Ledger>(*data_.ledger, std::move(address_key));
    if (!configuration.record_pulls) ledger_->disable();
    if (const auto opened = open_accounts(); !opened) return opened.error();
    registry::RegistryOptions options;
    options.refused = refusal_counter(operations_->metrics());
    options.limits = limits_;
    options.blob_bytes = configuration.blob_bytes;
    options.public_url = configuration.public_url;
    registry_ = std::make_unique<registry::Registry>(*gate_, *ledger_, *authorizer_, options);
    gate_->on_revocation([this] { registry_->recheck_transfers(); });
    takedown_journal_ = std::make_unique<gate::TakedownJournal>(configuration.data + "/takedowns.log");
    if (const auto finished = finish_takedowns(*gate_, *accounts_, *takedown_journal_); !finished) return finished.error();
    services_.emplace(ApiServices{configuration_, *gate_, *ledger_, *data_.ledger, *data_.metadata, *accounts_, *authorizer_, log_, user_reports_, *takedown_journal_, *intelligence_});
    api_ = std::make_unique<ApiRouter>(*services_);

    net::ServerOptions http;
    http.listen = configuration.listen;
    if (!configuration.certificate.empty()) http.tls = net::TlsFiles{configuration.certificate, configuration.key};
    http.loops = configuration.loops != 0 ? configuration.loops : std::min(processors, 4u);
    http.workers = configuration.workers;
    http.trusted_proxies = configuration.trusted_proxies;
    http.refusal = [](int status, std::string_view reason) {
      const std::string_view code = status == 413 ? "SIZE_INVALID" : status == 429 || status == 503 ? "TOOMANYREQUESTS" : "UNSUPPORTED";
      return registry::error(status, code, reason);
    };
    watch_gate(operations_->metrics(), *gate_, *ledger_, *data_.metadata);
    const auto open_cases = [this] {
      std::pair<std::uint64_t, store::Time> open;
      (void)data_.metadata->read([&](store::Reader& reader) { open = reader.open_cases(); }).ok();
      return open;
    };
    operations_->metrics().value("lazaret_user_cases_open", "Images that users reported and nobody has decided about.", false, [open_cases] { return static_cast<double>(open_cases().first); });
    operations_->metrics().value("lazaret_user_case_oldest_seconds", "How long the oldest of them has been open.", false, [this, open_cases] {
      const store::Time opened = open_cases().second;
      return opened == 0 ? 0.0 : static_cast<double>(gate_->now() - opened) / 1000;
    });
    auto server = net::Server::start(std::move(http), [this](const net::ExchangePtr& exchange) { handle(exchange); });
    if (!server) return server.error();
    http_ = std::move(*server);
    operations_->watch(*http_);
    const std::string source = !configuration_.public_url.empty() ? configuration_.public_url : "urn:lazaret";
    webhooks_ = std::make_unique<Webhooks>(configuration_.webhooks, source, *data_.metadata, log_, operations_->metrics());
    maintenance_ = std::thread([this] { maintain(); });
    return {};
  }

  std::vector<std::string> addresses() const override { return http_->addresses(); }

  void stop() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      wake_.notify_all();
    }
    if (maintenance_.joinable()) maintenance_.join();
    if (http_ != nullptr) http_->stop(drain_time);
    gate_.reset();  // ends judges, which use everything else, and forgets who waits
    webhooks_.reset();
    http_.reset();
    registry_.reset();
    ledger_.reset();
  }

  Result<void> reload() override { return http_->reload_tls(); }

 private:
  Result<void> open_accounts() {
    auto store = store::open_sqlite_account_store(configuration_.data + "/accounts.sqlite");
    if (!store) return store.error();
    registry::AccountOptions options;
    options.anonymous_pull = configuration_.anonymous_pull;
    auto accounts = registry::Accounts::open(std::move(*store), options);
    if (!accounts) return accounts.error();
    accounts_ = std::move(*accounts);
    const std::string password_file = configuration_.data + "/admin-password";
    const auto first = accounts_->make_first_administrator(password_file);
    if (!first) return first.error();
    if (*first) fmt::print(stderr, "lazaret: the password of the new administrator admin is in {}\n", escape(password_file));
    const auto rate = static_cast<double>(configuration_.requests_of_account);
    authorizer_ = std::make_unique<registry::AccountAuthorizer>(*accounts_, configuration_.public_url, net::RateLimit{rate, 10 * rate});
    tokens_ = std::make_unique<registry::TokenEndpoint>(*accounts_);
    return {};
  }

  bool may_read_metrics(const net::Request& request) {
    if (configuration_.metrics == MetricsAccess::anyone) return true;
    // A proxy on this machine asks for others.
    const bool local = (request.peer.starts_with("127.") || request.peer == "::1" || request.peer.empty()) && !request.header("x-forwarded-for") && !request.header("forwarded") && !request.header("via");
    if (configuration_.metrics == MetricsAccess::loopback && local) return true;
    const auto caller = authorizer_->caller(request);
    return caller && caller->administrator;
  }

  void handle(const net::ExchangePtr& exchange) {
    if (!operations_->admit(exchange)) return;
    const std::string& path = exchange->request().path;
    if (path.starts_with("/v2/") || path == "/v2") {
      registry_->handle(exchange);
    } else if (path == registry::token_path) {
      tokens_->handle(exchange);
    } else if (path == "/metrics") {
      exchange->run([this, exchange] { exchange->respond(may_read_metrics(exchange->request()) ? operations_->metrics_page() : net::text_response(403, "metrics are not for everybody: see [metrics] in lazaret.toml\n")); });
    } else if (path == "/healthz") {
      exchange->respond(net::text_response(200, "ok\n"));
    } else if (path == "/readyz") {
      exchange->run([this, exchange] {
        const auto read = data_.metadata->read([](store::Reader& reader) { reader.upload(""); });
        exchange->respond(read.ok() ? net::text_response(200, "ready\n") : net::text_response(503, "the metadata store does not answer\n"));
      });
    } else if (path.starts_with(api_base) && path.substr(api_base.size()).starts_with('/')) {
      api_->handle(exchange);
    } else {
      exchange->respond(net::text_response(404, "there is nothing at this path\n"));
    }
  }

  // New rules: what is pulled most and what is newest first, a few at a time, so that pushes and pulls keep the machine.
  void queue_outdated() {
    const std::size_t most = std::max<std::size_t>(1, configuration_.reaudits_per_minute / 6);
    if (configuration_.reaudits_per_minute == 0) return;
    std::vector<Digest> pulled;
    if (const auto counts = data_.ledger->pull_counts(gate_->now() - std::chrono::milliseconds(std::chrono::hours(30 * 24)).count(), most_pulled)) {
      for (const store::PullCount& count : *counts) pulled.push_back(count.digest);
    }
    (void)gate_->queue_outdated(most, pulled).ok();
  }

  void maintain() {
    std::chrono::steady_clock::time_point collected = std::chrono::steady_clock::now(), forget_next = collected;
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      const std::uint64_t pause = configuration_.collect_seconds == 0 ? 10 : std::min<std::uint64_t>(10, configuration_.collect_seconds);
      wake_.wait_for(lock, std::chrono::seconds(pause), [this] { return stopping_; });
      if (stopping_) return;
      lock.unlock();
      registry_->tidy();
      if (gate_->queue_length() == 0) queue_outdated();
      if (const auto done = intelligence_->campaigns().reconsider(64); !done) fmt::print(stderr, "lazaret: warning: the index of indicators failed: {}\n", escape(done.error().message));
      const auto now = std::chrono::steady_clock::now();
      if (configuration_.collect_seconds != 0 && now - collected >= std::chrono::seconds(configuration_.collect_seconds)) {
        collected = now;
        if (const auto done = gate::collect(*gate_, [this](const std::string& id) { return registry_->uploads().open(id); }); !done) fmt::print(stderr, "lazaret: warning: the collection failed: {}\n", escape(done.error().message));
      }
      if (configuration_.retention_days != 0 && now >= forget_next) {
        forget_next = now + std::chrono::hours(1);
        const auto done = data_.ledger->forget(gate_->now() - static_cast<store::Time>(configuration_.retention_days) * 86'400'000);
        if (!done) fmt::print(stderr, "lazaret: warning: old pulls could not be forgotten: {}\n", escape(done.error().message));
      }
      lock.lock();
    }
  }

  Configuration configuration_;
  const Limits limits_;
  Data data_;
  audit::Policy audit_policy_ = audit::Policy::standard();
  std::unique_ptr<audit::Cache> cache_;
  std::unique_ptr<audit::AuditMachine> machine_;
  std::unique_ptr<Intelligence> intelligence_;  // the gate uses it
  std::unique_ptr<gate::Ledger> ledger_;
  Log log_{STDERR_FILENO};
  std::unique_ptr<Operations> operations_;
  std::unique_ptr<registry::Accounts> accounts_;
  std::unique_ptr<registry::Authorizer> authorizer_;
  std::unique_ptr<registry::TokenEndpoint> tokens_;
  std::unique_ptr<gate::Gate> gate_;
  std::unique_ptr<registry::Registry> registry_;
  // Ten at once, then one every five minutes.
  net::RateLimiter user_reports_{{1.0 / 300, 10}};
  std::unique_ptr<gate::TakedownJournal> takedown_journal_;
  std::unique_ptr<Webhooks> webhooks_;
  std::optional<ApiServices> services_;
  std::unique_ptr<ApiRouter> api_;
  std::unique_ptr<net::Server> http_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread maintenance_;
};

// Every connection is a descriptor, and every download one more.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

Result<std::unique_ptr<DataLock>> DataLock::take(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return Error{ErrorCode::io, fmt::format("cannot make the folder {}: {}", folder, error.message())};
  ::chmod(folder.c_str(), 0700);
  const std::string path = folder + "/lock";
  FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file) return Error{ErrorCode::io, fmt::format("cannot open {}: check that the folder may be written", path)};
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    return Error{ErrorCode::busy, fmt::format("the data folder {} is in use by another lazaret: stop it first, or name another folder with --data", folder)};
  }
  return std::unique_ptr<DataLock>(new FileLock(std::move(file)));
}

Result<std::unique_ptr<Server>> Server::start(const Configuration& configuration) {
  raise_descriptor_limit();
  auto running = std::make_unique<Running>();
  if (const auto opened = running->open(configuration); !opened) return opened.error();
  return std::unique_ptr<Server>(std::move(running));
}

Result<std::string> collect_offline(const Configuration& configuration) {
  auto data = Data::open(configuration.data);
  if (!data) return data.error();
  const auto lost = gate::remove_lost_uploads(*data->blobs, *data->metadata);
  if (!lost) return lost.error();
  const auto collected = gate::collect({*data->blobs, *data->metadata, {}, {}, milliseconds_now(), configuration.gate.upload_age, configuration.gate.blob_age});
  if (!collected) return collected.error();
  return fmt::format("{} uploads, {} links, {} manifests, {} blobs removed; {} freed\n", collected->uploads + *lost, collected->links, collected->manifests,
                     collected->blobs, format_bytes(collected->bytes));
}

Result<FsckResult> fsck_offline(const Configuration& configuration, bool content) {
  auto data = Data::open(configuration.data);
  if (!data) return data.error();
  const auto checked = gate::check(*data->blobs, *data->metadata, content);
  if (!checked) return checked.error();
  FsckResult result;
  for (const std::string& problem : checked->problems) result.text += escape(problem) + "\n";
  result.text += fmt::format("{} manifests, {} blobs, {}; {} files for a collection to remove; {} problems\n", checked->manifests, checked->blobs, format_bytes(checked->bytes),
                             checked->leftovers, checked->problems.size());
  result.sound = checked->problems.empty();
  return result;
}

}  // namespace lazaret::server
