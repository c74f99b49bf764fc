#include "server/configuration.h"

#include <fmt/format.h>

#include <functional>
#include <map>
#include <toml++/toml.h>

#include "net/url.h"
#include "server/webhooks.h"

namespace lazaret::server {
namespace {

// Reads one table by the names of its keys. The first mistake is kept.
class Reader {
 public:
  explicit Reader(std::string_view file) : file_(file) {}

  using Setting = std::function<bool(const toml::node&)>;  // false: not of the right form
  struct Known {
    Setting set;
    std::string form;  // what must stand there
  };

  void table(const toml::table& table, std::string_view name, const std::map<std::string, Known, std::less<>>& keys) {
    for (const auto& [key, value] : table) {
      if (name.empty() && value.is_table()) continue;
      const std::string full = name.empty() ? std::string(key.str()) : fmt::format("{}.{}", name, key.str());
      const auto known = keys.find(key.str());
      if (known == keys.end()) {
        std::string all;
        for (const auto& [other, unused] : keys) all += (all.empty() ? "" : ", ") + other;
        fail(value, fmt::format("unknown key {}; known are {}", full, all));
      } else if (!known->second.set(value)) {
        fail(value, fmt::format("{} must be {}", full, known->second.form));
      }
    }
  }
  void fail(const toml::node& node, const std::string& what) {
    if (error_.empty()) error_ = fmt::format("{}:{}: {}", file_, node.source().begin.line, what);
  }
  const std::string& error() const { return error_; }

 private:
  const std::string file_;
  std::string error_;
};

using Known = Reader::Known;

Known text(std::string& to) {
  return {[&to](const toml::node& node) {
            const auto value = node.value<std::string>();
            if (!value || !node.is_string()) return false;
            to = *value;
            return true;
          },
          "a text"};
}
Known texts(std::vector<std::string>& to) {
  return {[&to](const toml::node& node) {
            const toml::array* list = node.as_array();
            if (list == nullptr) return false;
            to.clear();
            for (const toml::node& item : *list) {
              if (!item.is_string()) return false;
              to.push_back(*item.value<std::string>());
            }
            return true;
          },
          "a list of texts"};
}
Known flag(bool& to) {
  return {[&to](const toml::node& node) {
            if (!node.is_boolean()) return false;
            to = *node.value<bool>();
            return true;
          },
          "true or false"};
}
template <typename Set>
Known number(std::int64_t least, std::int64_t most, Set set) {
  return {[=](const toml::node& node) {
            const auto value = node.value<std::int64_t>();
            if (!node.is_integer() || !value || *value < least || *value > most) return false;
            set(*value);
            return true;
          },
          fmt::format("a whole number from {} to {}", least, most)};
}
template <typename T>
Known number(std::int64_t least, std::int64_t most, T* to) {
  return number(least, most, [to](std::int64_t value) { *to = static_cast<T>(value); });
}
// A word that stands for a value. `note` is added to what must stand there.
template <typename T>
Known word(T& to, std::vector<std::pair<std::string_view, T>> words, std::string_view note = "") {
  std::string form;
  for (std::size_t i = 0; i < words.size(); ++i) form += fmt::format("{}\"{}\"", i == 0 ? "" : i + 1 == words.size() ? " or " : ", ", words[i].first);
  return {[&to, words = std::move(words)](const toml::node& node) {
            const auto value = node.value<std::string>();
            if (!node.is_string()) return false;
            for (const auto& [name, meaning] : words) {
              if (*value != name) continue;
              to = meaning;
              return true;
            }
            return false;
          },
          form + std::string(note)};
}
Known doubt(gate::OnDoubt& to) { return word<gate::OnDoubt>(to, {{"hold", gate::OnDoubt::hold}, {"release", gate::OnDoubt::release}}, " (served with a warning)"); }

Known webhooks(Reader& reader, std::vector<Webhook>& to) {
  return {[&reader, &to](const toml::node& node) {
            const toml::array* list = node.as_array();
            if (list == nullptr) return false;
            for (const toml::node& item : *list) {
              const toml::table* table = item.as_table();
              if (table == nullptr) return false;
              Webhook webhook;
              reader.table(*table, "webhook", {{"url", text(webhook.url)}, {"secret", text(webhook.secret)}, {"events", texts(webhook.events)}, {"insecure", flag(webhook.insecure)}});
              const auto url = net::parse_url(webhook.url);
              if (!url) {
                reader.fail(item, "webhook.url must be a web address such as https://hooks.example/lazaret");
              } else if (url->scheme == "http" && !webhook.insecure && !net::is_loopback_host(url->host)) {
                reader.fail(item, "webhook.url must be https; insecure = true allows http to another machine");
              }
              if (webhook.secret.size() < 16) reader.fail(item, "webhook.secret must have at least 16 characters: receivers know our messages by it");
              for (const std::string& event : webhook.events) {
                if (!is_webhook_event(event)) reader.fail(item, fmt::format("webhook.events: {} is none; known are pushed, released, held, condemned, takedown, takedown-undone and deleted", event));
              }
              to.push_back(std::move(webhook));
            }
            return true;
          },
          "tables, each written as [[webhook]]"};
}

}  // namespace

Result<Configuration> parse_configuration(std::string_view toml, std::string_view file_name) {
  toml::table root;
  try {
    root = toml::parse(toml, file_name);
  } catch (const toml::parse_error& error) {
    return Error{ErrorCode::invalid, fmt::format("{}:{}: {}", file_name, error.source().begin.line, error.description())};
  }
  Configuration c;
  gate::Policy& gate = c.gate;
  const auto milliseconds = [](std::chrono::milliseconds& to) {
    return number(0, 86'400, [&to](std::int64_t value) { to = std::chrono::seconds(value); });
  };
  Reader reader(file_name);
  reader.table(root, "",
               {{"listen", texts(c.listen)},
                {"data", text(c.data)},
                {"public-url", text(c.public_url)},
                {"jobs", number(0, 256, &c.jobs)},
                {"rules", texts(c.rules)},
                {"policy-file", text(c.policy_file)},
                {"audit-cache-bytes", number(1 << 20, 1ll << 50, &c.audit_cache_bytes)},
                {"blob-bytes", number(1, 1ll << 50, &c.blob_bytes)},
                {"webhook", webhooks(reader, c.webhooks)}});
  const std::map<std::string, std::map<std::string, Known, std::less<>>, std::less<>> tables = {
      {"http",
       {{"certificate", text(c.certificate)},
        {"key", text(c.key)},
        {"trusted-proxies", texts(c.trusted_proxies)},
        {"loops", number(0, 64, &c.loops)},
        {"workers", number(2, 1024, &c.workers)}}},
      {"access",
       {{"anonymous-pull", flag(c.anonymous_pull)},
        {"requests-per-second-of-address", number(0, 1'000'000, &c.requests_of_address)},
        {"requests-per-second-of-account", number(0, 1'000'000, &c.requests_of_account)}}},
      {"log", {{"requests", flag(c.log_requests)}}},
      {"metrics", {{"access", word<MetricsAccess>(c.metrics, {{"loopback", MetricsAccess::loopback}, {"administrators", MetricsAccess::administrators}, {"anyone", MetricsAccess::anyone}})}}},
      {"gate",
       {{"mode", word<bool>(gate.enforce, {{"enforce", true}, {"observe", false}})},
        {"suspicious", doubt(gate.suspicious)},
        {"incomplete", doubt(gate.incomplete)},
        {"push-wait-seconds", milliseconds(gate.push_wait)},
        {"pull-wait-seconds", milliseconds(gate.pull_wait)},
        {"retry-after-seconds", number(1, 3600, [&gate](std::int64_t value) { gate.retry_after = std::chrono::seconds(value); })},
        {"audit-seconds", number(1, 86'400, [&gate](std::int64_t value) { gate.audit_time = std::chrono::seconds(value); })},
        {"audit-attempts", number(1, 100, &gate.audit_attempts)},
        {"foreign-layers", flag(gate.foreign_layers)},
        {"publisher-reads-back", flag(gate.publisher_reads_back)},
        {"publisher-releases", flag(gate.publisher_releases)},
        {"takedown-takes-shared", flag(gate.takedown_takes_shared)},
        {"waiting-requests", number(0, 1'000'000, &gate.waiting_requests)},
        {"upload-hours", number(1, 10'000, [&gate](std::int64_t value) { gate.upload_age = std::chrono::hours(value); })},
        {"blob-hours", number(0, 10'000, [&gate](std::int64_t value) { gate.blob_age = std::chrono::hours(value); })}}},
      {"ledger", {{"record", flag(c.record_pulls)}, {"retention-days", number(0, 36'500, &c.retention_days)}, {"hash-addresses", flag(c.hash_addresses)}}},
      {"rehearsal", {{"clock-file", text(c.clock_file)}}},
      {"maintenance", {{"collect-seconds", number(0, 31'536'000, &c.collect_seconds)}, {"reaudits-per-minute", number(0, 1'000'000, &c.reaudits_per_minute)}}},
  };
  for (const auto& [key, value] : root) {
    const toml::table* table = value.as_table();
    if (table == nullptr) continue;
    const auto known = tables.find(key.str());
    if (known == tables.end()) {
      reader.fail(value, fmt::format("unknown table [{}]", key.str()));
    } else {
      reader.table(*table, key.str(), known->second);
    }
  }
  if (!reader.error().empty()) return Error{ErrorCode::invalid, reader.error()};
  if (c.certificate.empty() != c.key.empty()) {
    return Error{ErrorCode::invalid, fmt::format("{}: http.certificate and http.key belong together", file_name)};
  }
  return c;
}

}  // namespace lazaret::server
