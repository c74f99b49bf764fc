#include "detect/incident_data_support.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <iterator>
#include <mutex>
#include <optional>
#include <utility>

#include "base/text.h"

#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

namespace lazaret {

std::span<const EmbeddedFile> embedded_rules();  // made by cmake/Embed.cmake

namespace detect {
namespace {

// Reads one file into `data`; the first trouble ends it with a message.
class FileParser {
 public:
  FileParser(const DataFile& file, IncidentData& data) : file_(file), data_(data) {}

  std::optional<Error> run() {
    toml::table table;
    try {
      table = toml::parse(file_.content);
    } catch (const toml::parse_error& problem) {
      fail(fmt::format("line {}: {}", problem.source().begin.line, problem.description()));
      return error_;
    }
    if (file_.name.starts_with("incidents/")) {
      read_incident(table);
    } else if (file_.name == "pools.toml") {
      read_pools(table);
    } else if (file_.name == "wallet-stop-list.toml") {
      read_stop_list(table);
    } else {
      fail("no kind of data file has this name");
    }
    return error_;
  }

 private:
  void fail(std::string message) {
    if (!error_) error_ = Error{ErrorCode::invalid, fmt::format("{}: {}", file_.name, message)};
  }

  void allow_keys(const toml::table& table, std::initializer_list<std::string_view> keys) {
    for (const auto& [key, value] : table) {
      if (std::find(keys.begin(), keys.end(), key.str()) == keys.end())
        fail(fmt::format("unknown key '{}'", key.str()));
    }
  }

  std::string text(const toml::table& table, std::string_view key, bool required = true) {
    if (const auto value = table[key].value_exact<std::string>(); value && !value->empty())
      return *value;
    if (required || table.contains(key))
      fail(fmt::format("'{}' must be a string that is not empty", key));
    return {};
  }

  std::vector<std::string> texts(const toml::table& table, std::string_view key) {
    std::vector<std::string> result;
    if (!table.contains(key)) return result;
    const toml::array* array = table[key].as_array();
    if (array == nullptr) {
      fail(fmt::format("'{}' must be a list of strings", key));
      return result;
    }
    for (const toml::node& node : *array) {
      if (const auto value = node.value_exact<std::string>(); value && !value->empty())
        result.push_back(*value);
      else
        fail(fmt::format("'{}' must be a list of strings", key));
    }
    return result;
  }

  std::vector<const toml::table*> tables(const toml::table& table, std::string_view key) {
    std::vector<const toml::table*> result;
    if (!table.contains(key)) return result;
    const toml::array* array = table[key].as_array();
    if (array == nullptr) fail(fmt::format("'{}' must be [[{}]]", key, key));
    for (std::size_t i = 0; array != nullptr && i < array->size(); ++i) {
      if (const toml::table* entry = (*array)[i].as_table())
        result.push_back(entry);
      else
        fail(fmt::format("'{}' must be [[{}]]", key, key));
    }
    return result;
  }

  void read_fact(const toml::table& table, const Incident& incident, IncidentFact& fact) {
    fact.incident = &incident;
    const std::string confidence = text(table, "confidence");
    if (confidence == "high")
      fact.confidence = Confidence::high;
    else if (confidence == "medium")
      fact.confidence = Confidence::medium;
    else
      fail("'confidence' must be high or medium");
    fact.source = text(table, "source");
    fact.note = text(table, "note", false);
  }

  void read_incident(const toml::table& table) {
    allow_keys(table, {"id", "title", "first_seen", "last_seen", "attack", "timeline", "publisher",
                       "image", "indicator"});
    auto incident = std::make_unique<Incident>();
    incident->imported = file_.imported;
    incident->id = text(table, "id");
    if (file_.name != fmt::format("incidents/{}.toml", incident->id))
      fail("'id' must be the name of the file");
    incident->title = text(table, "title");
    incident->first_seen = text(table, "first_seen");
    incident->last_seen = text(table, "last_seen", false);
    incident->attack = texts(table, "attack");
    for (const toml::table* entry : tables(table, "timeline")) {
      allow_keys(*entry, {"when", "what", "source"});
      Incident::Moment moment{text(*entry, "when"), text(*entry, "what"), text(*entry, "source")};
      if (!incident->timeline.empty() && moment.when < incident->timeline.back().when)
        fail("'timeline' must be in order of time");
      incident->timeline.push_back(std::move(moment));
    }

    for (const toml::table* entry : tables(table, "publisher")) {
      allow_keys(*entry, {"account", "confidence", "source", "note"});
      KnownPublisher publisher;
      read_fact(*entry, *incident, publisher);
      publisher.account = text(*entry, "account");
      if (std::count(publisher.account.begin(), publisher.account.end(), '/') != 1)
        fail("'account' must be registry/name");
      data_.publishers.push_back(std::move(publisher));
    }
    for (const toml::table* entry : tables(table, "image")) read_image(*entry, *incident);
    for (const toml::table* entry : tables(table, "indicator")) read_indicator(*entry, *incident);
    data_.incidents.push_back(std::move(incident));
  }

  void read_image(const toml::table& table, const Incident& incident) {
    allow_keys(table, {"repository", "tags", "digest", "date", "confidence", "source", "note"});
    KnownImage image;
    read_fact(table, incident, image);
    image.repository = text(table, "repository", !table.contains("digest"));
    if (!image.repository.empty() && std::count(image.repository.begin(), image.repository.end(), '/') < 2)
      fail("'repository' must be registry/name/name");
    image.tags = texts(table, "tags");
    image.date = text(table, "date", false);
    if (table.contains("digest")) {
      const auto digest = Digest::parse(text(table, "digest"));
      if (digest)
        image.digest = *digest;
      else
        fail("'digest' must be sha256: and 64 hex digits");
    }
    data_.images.push_back(std::move(image));
  }

  void read_indicator(const toml::table& table, const Incident& incident) {
    allow_keys(table, {"type", "value", "confidence", "source", "note", "earned", "earned_at"});
    static constexpr std::string_view types[] = {"c2",
                                                 "domain",
                                                 "url",
                                                 "wallet.monero",
                                                 "wallet.cryptonote",
                                                 "wallet.bitcoin",
                                                 "wallet.ethereum",
                                                 "login",
                                                 "token",
                                                 "path",
                                                 "layer",
                                                 "file-sha256"};
    KnownIndicator indicator;
    read_fact(table, incident, indicator);
    indicator.type = text(table, "type");
    indicator.value = text(table, "value");
    indicator.earned = text(table, "earned", false);
    indicator.earned_at = text(table, "earned_at", !indicator.earned.empty());
    if (std::find(std::begin(types), std::end(types), indicator.type) == std::end(types))
      fail(fmt::format("unknown type '{}'", indicator.type));
    if (indicator.type == "file-sha256" && !Digest::parse("sha256:" + indicator.value))
      fail("a file-sha256 has 64 lower-case hex digits");
    if (indicator.type == "layer" && !Digest::parse(indicator.value))
      fail("a layer is sha256: and 64 hex digits");
    // Shorter ones would be found by chance.
    if (indicator.value.size() < 8) fail(fmt::format("'{}' is too short", indicator.value));
    if (file_.imported && indicator.type != "file-sha256" && indicator.type != "path" &&
        ++data_.imported_patterns > imported_patterns_limit)
      fail(fmt::format("more than {} imported values that are looked for in contents",
                       imported_patterns_limit));
    data_.indicators.push_back(std::move(indicator));
  }

  void read_pools(const toml::table& table) {
    allow_keys(table, {"pools"});
    for (const toml::table* entry : tables(table, "pools")) {
      allow_keys(*entry, {"source", "domains"});
      text(*entry, "source");
      for (const std::string& domain : texts(*entry, "domains")) {
        if (domain != to_lower(domain) || domain.find('.') == std::string::npos)
          fail(fmt::format("'{}' is no domain in lower case", domain));
        data_.pool_domains.push_back(domain);
      }
    }
  }

  void read_stop_list(const toml::table& table) {
    allow_keys(table, {"wallet"});
    for (const toml::table* entry : tables(table, "wallet")) {
      allow_keys(*entry, {"type", "value", "use"});
      text(*entry, "type");
      text(*entry, "use");
      data_.wallet_stop_list.insert(text(*entry, "value"));
    }
  }

  const DataFile& file_;
  IncidentData& data_;
  std::optional<Error> error_;
};

}  // namespace

bool IncidentData::is_pool(std::string_view host) const {
  std::string name = to_lower(host);
  while (!name.empty() && name.back() == '.') name.pop_back();
  std::string_view rest = name;
  while (true) {
    if (std::binary_search(pool_domains.begin(), pool_domains.end(), rest)) return true;
    const auto dot = rest.find('.');
    if (dot == std::string_view::npos) return false;
    rest.remove_prefix(dot + 1);
  }
}

const KnownImage* IncidentData::find_image(const Digest& manifest) const {
  const auto found = image_index.find(manifest);
  return found == image_index.end() ? nullptr : &images[found->second];
}

const KnownIndicator* IncidentData::find_file(std::string_view sha256_hex) const {
  const auto found = file_index.find(std::string(sha256_hex));
  return found == file_index.end() ? nullptr : &indicators[found->second];
}

Result<IncidentData> parse_incident_data(std::span<const DataFile> files) {
  IncidentData data;
  Hasher hasher;
  for (const DataFile& file : files) {
    const std::string header = fmt::format("{}\n{}\n", file.name, file.content.size());
    hasher.update(as_bytes(header));
    hasher.update(as_bytes(file.content));
    if (auto error = FileParser(file, data).run()) return *error;
  }
  data.digest = hasher.finish();
  for (std::size_t i = 0; i < data.images.size(); ++i) {
    if (!data.images[i].digest.empty()) data.image_index.emplace(data.images[i].digest, i);
  }
  for (std::size_t i = 0; i < data.indicators.size(); ++i) {
    if (data.indicators[i].type == "file-sha256") data.file_index.emplace(data.indicators[i].value, i);
  }
  std::sort(data.pool_domains.begin(), data.pool_domains.end());
  data.pool_domains.erase(std::unique(data.pool_domains.begin(), data.pool_domains.end()),
                          data.pool_domains.end());
  return data;
}

namespace {

std::vector<DataFile> built_in_files() {
  std::vector<DataFile> files;
  for (const EmbeddedFile& file : embedded_rules())
    files.push_back({std::string(file.name), file.content(), false});
  return files;
}

// Set once, by whoever comes first.
const IncidentData*& current_data() {
  static const IncidentData* data = nullptr;
  return data;
}
std::mutex data_mutex;

}  // namespace

Result<void> use_imported_incidents(std::vector<DataFile> imported) {
  if (imported.empty()) return {};
  std::vector<DataFile> files = built_in_files();
  files.insert(files.end(), std::make_move_iterator(imported.begin()),
               std::make_move_iterator(imported.end()));
  auto parsed = parse_incident_data(files);
  if (!parsed) return parsed.error();
  const std::lock_guard lock(data_mutex);
  if (current_data() != nullptr)
    return Error{ErrorCode::busy, "other incidents are in use already: they can be read again by a new start only"};
  static const IncidentData data = std::move(*parsed);
  current_data() = &data;
  return {};
}

const IncidentData& incident_data() {
  static const IncidentData& data = []() -> const IncidentData& {
    const std::lock_guard lock(data_mutex);
    if (current_data() == nullptr) {
      auto parsed = parse_incident_data(built_in_files());
      if (!parsed) {
        std::fprintf(stderr, "the built-in data rules are broken: %s\n",
                     parsed.error().message.c_str());
        std::abort();
      }
      static const IncidentData built_in = std::move(*parsed);
      current_data() = &built_in;
    }
    return *current_data();
  }();
  return data;
}

}  // namespace detect
}  // namespace lazaret
