#include "intel/import.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "base/text.h"
#include "base/time.h"
#include "format/json.h"
#include "intel/entry_check.h"
#include "intel/stix_pattern.h"

namespace lazaret::intel {
namespace {

using format::JsonValue;

constexpr std::size_t source_bytes = 300;

class Reader {
 public:
  Reader(const ImportOptions& options, Import& import) : options_(options), import_(import) {}

  void take(ImportedEntry entry) {
    const std::string shown = entry.type + " " + entry.value;
    if (import_.entries.size() >= import_entries) return refuse(shown, fmt::format("more than {} entries", import_entries));
    if (entry.source.empty()) entry.source = options_.source.empty() ? "imported" : options_.source;
    if (const auto why = check_entry(entry)) return refuse(shown, *why);
    const bool in_content = entry.type != "file-sha256" && entry.type != "path" && entry.type != "image" && entry.type != "publisher" && entry.type != "repository";
    if (in_content && ++patterns_ > detect::imported_patterns_limit) return refuse(shown, fmt::format("more than {} values that are looked for in contents", detect::imported_patterns_limit));
    import_.entries.push_back(std::move(entry));
  }
  void refuse(std::string entry, std::string why) {
    ++import_.refused_count;
    if (import_.refused.size() < shown_refusals) import_.refused.push_back({std::move(entry), std::move(why)});
  }
  void see_date(std::string_view date) {
    if (!parse_rfc3339(date.substr(0, 10))) return;
    const std::string day(date.substr(0, 10));
    if (import_.first_seen.empty() || day < import_.first_seen) import_.first_seen = day;
    if (day > import_.last_seen) import_.last_seen = day;
  }

  // --- STIX 2.1
  Result<void> stix(const JsonValue& bundle) {
    const JsonValue* objects = bundle.find("objects");
    const JsonValue::Array* list = objects != nullptr ? objects->as_array() : nullptr;
    if (list == nullptr) return Error{ErrorCode::invalid, "a STIX bundle has a list \"objects\""};
    for (const JsonValue& object : *list) stix_object(object);
    return {};
  }

  // --- MISP
  Result<void> misp(const JsonValue& document) {
    if (const JsonValue* response = document.find("response"); response != nullptr && response->as_array() != nullptr) {
      for (const JsonValue& item : *response->as_array()) {
        if (const auto done = misp(item); !done) return done;
      }
      return {};
    }
    const JsonValue* event = document.find("Event");
    if (event == nullptr || event->as_object() == nullptr) return Error{ErrorCode::invalid, "a MISP export has an object \"Event\""};
    if (import_.title.empty()) import_.title = event->text("info");
    see_date(event->text("date"));
    attributes(event->find("Attribute"));
    if (const JsonValue* objects = event->find("Object"); objects != nullptr && objects->as_array() != nullptr) {
      for (const JsonValue& object : *objects->as_array()) attributes(object.find("Attribute"));
    }
    return {};
  }

  // --- a word a line
  void list(std::string_view text) {
    std::size_t number = 0;
    for (std::string_view line : split(text, '\n')) {
      ++number;
      line = trim(line.substr(0, line.find('#')));
      if (line.empty()) continue;
      // A hosts file names the sinkhole first, checksum files the file last.
      std::vector<std::string_view> words;
      for (const std::string_view part : split(line, ' ')) {
        for (const std::string_view word : split(part, '\t')) {
          if (!word.empty()) words.push_back(word);
        }
      }
      std::string word = refang(words.front());
      if (words.size() > 1 && (word == "0.0.0.0" || word == "127.0.0.1" || word == "::")) word = refang(words[1]);
      if (word.ends_with(',') || word.ends_with(';')) word.pop_back();
      const std::string type = type_of_word(word);
      if (type.empty()) {
        refuse(fmt::format("line {}: {}", number, line.substr(0, 200)), "it is no digest, address, domain, URL or wallet");
      } else {
        take({type, word});
      }
    }
  }

  // --- our own
  Result<void> toml(std::string_view text) {
    // The file says its id; parse_incident_data() wants it to be the name of the file.
    const std::string id = options_.id.empty() ? id_of_toml(text) : options_.id;
    const std::vector<detect::DataFile> files = {{"incidents/" + id + ".toml", std::string(text), true}};
    auto data = detect::parse_incident_data(files);
    if (!data) return data.error();
    const detect::Incident& incident = *data->incidents.front();
    import_.id = incident.id;
    import_.title = incident.title;
    import_.first_seen = incident.first_seen;
    import_.last_seen = incident.last_seen;
    import_.attack = incident.attack;
    import_.timeline = incident.timeline;
    const auto entry = [](std::string type, std::string value, const detect::IncidentFact& fact) {
      ImportedEntry made{std::move(type), std::move(value)};
      made.confidence = fact.confidence == detect::Confidence::high ? "high" : "medium";
      made.source = fact.source;
      made.note = fact.note;
      return made;
    };
    for (const detect::KnownPublisher& publisher : data->publishers) take(entry("publisher", publisher.account, publisher));
    for (const detect::KnownImage& image : data->images) {
      ImportedEntry made = image.digest.empty() ? entry("repository", image.repository, image) : entry("image", image.digest.str(), image);
      made.repository = image.repository;
      made.date = image.date;
      made.tags = image.tags;
      take(std::move(made));
    }
    for (const detect::KnownIndicator& indicator : data->indicators) {
      ImportedEntry made = entry(indicator.type, indicator.value, indicator);
      made.earned = indicator.earned;
      made.earned_at = indicator.earned_at;
      take(std::move(made));
    }
    return {};
  }

 private:
  static std::string id_of_toml(std::string_view text) {
    for (std::string_view line : split(text, '\n')) {
      line = trim(line);
      if (!line.starts_with("id")) continue;
      const auto from = line.find('"'), to = line.rfind('"');
      if (from != std::string_view::npos && to > from) return std::string(line.substr(from + 1, to - from - 1));
    }
    return "incident";
  }

  void stix_object(const JsonValue& object) {
    const std::string_view type = object.text("type");
    const std::string id(object.text("id").substr(0, 200));
    const JsonValue* revoked = object.find("revoked");
    const bool void_now = revoked != nullptr && revoked->as_bool() != nullptr && *revoked->as_bool();
    if (type == "campaign" || type == "report" || type == "incident" || type == "intrusion-set") {
      if (import_.title.empty() || type == "campaign") import_.title = object.text("name");
      see_date(object.text("first_seen"));
    } else if (type == "attack-pattern") {
      if (const JsonValue* references = object.find("external_references"); references != nullptr && references->as_array() != nullptr) {
        for (const JsonValue& reference : *references->as_array()) {
          const std::string_view technique = reference.text("external_id");
          if (technique.starts_with("T1") && technique.size() <= 9 && import_.attack.size() < 100) import_.attack.emplace_back(technique);
        }
      }
    } else if (type == "indicator") {
      if (void_now) return refuse(id, "it was revoked");
      const auto until = parse_rfc3339(object.text("valid_until"));
      if (until && options_.now != 0 && *until <= options_.now) return refuse(id, "it is not valid any more");
      const std::string_view language = object.text("pattern_type");
      if (language != "stix") return refuse(id, fmt::format("patterns of the type {} are not read", escape(language, 50)));
      see_date(object.text("valid_from"));
      const auto values = read_stix_pattern(object.text("pattern"));
      if (!values) return refuse(id, values.error().message);
      for (const StixValue& value : *values) stix_value(value, std::string(object.text("name")), id);
    } else if (type == "file" || type == "url" || type == "domain-name" || type == "ipv4-addr" || type == "ipv6-addr") {
      // Observables by themselves are what somebody saw, good or bad.
      refuse(id, "it is an observation and no indicator");
    } else if (type != "identity" && type != "marking-definition" && type != "relationship" && type != "malware" && type != "tool" && type != "threat-actor" &&
               type != "observed-data" && type != "infrastructure" && type != "extension-definition") {
      refuse(id.empty() ? "an object" : id, fmt::format("objects of the type \"{}\" are not read", escape(type, 50)));
    }
  }

  void stix_value(const StixValue& value, std::string name, const std::string& id) {
    ImportedEntry entry;
    entry.value = value.value;
    entry.note = name == value.value ? "" : std::move(name);
    const std::string& path = value.path;
    if (path == "file:hashes.SHA-256" || path == "file:hashes.sha256" || path == "artifact:hashes.SHA-256") {
      entry.type = "file-sha256";
    } else if (path.starts_with("file:hashes.")) {
      entry.type = "hash";
    } else if (path == "domain-name:value") {
      entry.type = "domain";
    } else if (path == "ipv4-addr:value" || path == "ipv6-addr:value") {
      entry.type = "c2";
      if (entry.value.ends_with("/32")) entry.value.resize(entry.value.size() - 3);
    } else if (path == "url:value") {
      entry.type = "url";
    } else if (path == "x-lazaret-wallet:value" || path == "x-cryptocurrency-wallet:value" || path == "cryptocurrency-wallet:value") {
      entry.type = "wallet.";
    } else if (path == "x-lazaret-image:digest") {
      entry.type = "image";
    } else if (path == "x-lazaret-server:value") {
      entry.type = "c2";
    } else if (path == "x-lazaret-login:value") {
      entry.type = "login";
    } else {
      return refuse(id + ": " + path.substr(0, 100), "lazaret has no use for this property");
    }
    take(std::move(entry));
  }

  void attributes(const JsonValue* list) {
    if (list == nullptr || list->as_array() == nullptr) return;
    for (const JsonValue& attribute : *list->as_array()) {
      const std::string type(attribute.text("type"));
      std::string value(attribute.text("value"));
      const std::string shown = type.substr(0, 50) + " " + value.substr(0, 200);
      const JsonValue* detection = attribute.find("to_ids");
      if (detection == nullptr || detection->as_bool() == nullptr || !*detection->as_bool()) {
        refuse(shown, "the event does not mark it for detection (to_ids)");
        continue;
      }
      ImportedEntry entry;
      entry.note = attribute.text("comment").substr(0, source_bytes);
      const auto bar = value.find('|');
      const auto second = [&] { return bar == std::string::npos ? std::string() : value.substr(bar + 1); };
      if (type == "sha256") {
        entry.type = "file-sha256";
      } else if (type == "filename|sha256" || type == "malware-sample") {
        entry.type = "file-sha256";
        value = second();
      } else if (type == "domain" || type == "hostname") {
        entry.type = "domain";
      } else if (type == "domain|ip") {
        entry.type = "domain";
        value = value.substr(0, bar);
      } else if (type == "ip-dst" || type == "ip-src") {
        entry.type = "c2";
      } else if (type == "ip-dst|port" || type == "hostname|port") {
        entry.type = "c2";
        if (bar != std::string::npos) value[bar] = ':';
      } else if (type == "url" || type == "uri") {
        entry.type = "url";
      } else if (type == "xmr" || type == "btc") {
        entry.type = "wallet.";
      } else if (type == "md5" || type == "sha1" || type == "sha512" || type == "filename|md5" || type == "filename|sha1") {
        entry.type = "hash";
      } else {
        refuse(shown, "lazaret has no use for this type");
        continue;
      }
      entry.value = std::move(value);
      take(std::move(entry));
    }
  }

  const ImportOptions& options_;
  Import& import_;
  std::size_t patterns_ = 0;
};

ImportFormat format_of(std::string_view text) {
  const std::string_view start = trim(text.substr(0, 4096));
  if (start.starts_with('{') || start.starts_with('[')) return text.find("\"Event\"") != std::string_view::npos ? ImportFormat::misp : ImportFormat::stix;
  if (text.find("[[indicator]]") != std::string_view::npos || text.find("[[image]]") != std::string_view::npos || text.find("[[publisher]]") != std::string_view::npos) return ImportFormat::toml;
  return ImportFormat::list;
}

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      result += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      result += c;
    }
  }
  return result + '"';
}

// A text that may stand in the file: valid UTF-8, not empty.
std::string plain(std::string_view text, std::string_view otherwise) {
  const std::string shown = escape(trim(text), source_bytes);
  return shown.empty() ? std::string(otherwise) : shown;
}

std::string id_from(std::string_view name) {
  std::string id;
  for (const char c : to_lower(name.substr(name.rfind('/') + 1))) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (letter) {
      id += c;
    } else if (!id.empty() && id.back() != '-') {
      id += '-';
    }
  }
  id = id.substr(0, 64);
  while (id.ends_with('-')) id.pop_back();
  return id.empty() ? "imported" : id;
}

}  // namespace

bool is_incident_id(std::string_view id) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !id.empty() && id.size() <= 64 && letter(id.front()) && std::all_of(id.begin(), id.end(), [&](char c) { return letter(c) || c == '-' || c == '.'; });
}

Result<Import> read_import(std::string_view text, const ImportOptions& options) {
  if (text.size() > import_bytes) return Error{ErrorCode::limit, fmt::format("an import has at most {}", format_bytes(import_bytes))};
  Import import;
  Reader reader(options, import);
  const ImportFormat form = options.format == ImportFormat::detect ? format_of(text) : options.format;
  Result<void> read;
  if (form == ImportFormat::stix || form == ImportFormat::misp) {
    const format::JsonDocument document = format::parse_json(text);
    if (!document.valid) return Error{ErrorCode::invalid, "the file is no valid JSON"};
    read = form == ImportFormat::stix ? reader.stix(document.value) : reader.misp(document.value);
  } else if (form == ImportFormat::toml) {
    read = reader.toml(text);
  } else {
    reader.list(text);
  }
  if (!read) return read.error();
  if (!options.id.empty()) import.id = options.id;
  if (!is_incident_id(import.id)) import.id = id_from(import.id.empty() ? (import.title.empty() ? options.source : import.title) : import.id);
  import.title = plain(options.title.empty() ? import.title : options.title, "Indicators from " + plain(options.source, "a list"));
  if (import.first_seen.empty()) import.first_seen = to_rfc3339(options.now).substr(0, 10);
  const auto key = [](const ImportedEntry& entry) { return std::tie(entry.type, entry.value); };
  std::stable_sort(import.entries.begin(), import.entries.end(), [&](const ImportedEntry& a, const ImportedEntry& b) { return key(a) < key(b); });
  import.entries.erase(std::unique(import.entries.begin(), import.entries.end(), [&](const ImportedEntry& a, const ImportedEntry& b) { return key(a) == key(b); }), import.entries.end());
  std::sort(import.attack.begin(), import.attack.end());
  import.attack.erase(std::unique(import.attack.begin(), import.attack.end()), import.attack.end());
  if (import.entries.empty()) {
    return Error{ErrorCode::invalid, import.refused.empty() ? "there is no indicator in it"
                                                            : fmt::format("none of {} entries can be used; the first: {}: {}", import.refused_count, escape(import.refused.front().entry, 200),
                                                                          import.refused.front().why)};
  }
  return import;
}

std::string to_toml(const Import& import) {
  std::string text = fmt::format("# Written by `lazaret intel import`.\n\nid = {}\ntitle = {}\nfirst_seen = {}\n", quoted(import.id), quoted(import.title), quoted(import.first_seen));
  if (!import.last_seen.empty()) text += fmt::format("last_seen = {}\n", quoted(import.last_seen));
  const auto strings = [](const std::vector<std::string>& list) {
    std::string joined;
    for (const std::string& item : list) joined += (joined.empty() ? "" : ", ") + quoted(item);
    return "[" + joined + "]";
  };
  if (!import.attack.empty()) text += "attack = " + strings(import.attack) + "\n";
  for (const auto& moment : import.timeline) {
    text += fmt::format("\n[[timeline]]\nwhen = {}\nwhat = {}\nsource = {}\n", quoted(moment.when), quoted(moment.what), quoted(moment.source));
  }
  for (const ImportedEntry& entry : import.entries) {
    if (entry.type == "publisher") {
      text += "\n[[publisher]]\naccount = " + quoted(entry.value) + "\n";
    } else if (entry.type == "repository") {
      text += "\n[[image]]\nrepository = " + quoted(entry.value) + "\n";
    } else if (entry.type == "image") {
      text += "\n[[image]]\ndigest = " + quoted(entry.value) + "\n";
      if (!entry.repository.empty()) text += "repository = " + quoted(entry.repository) + "\n";
    } else {
      text += fmt::format("\n[[indicator]]\ntype = {}\nvalue = {}\n", quoted(entry.type), quoted(entry.value));
    }
    if (!entry.tags.empty()) text += "tags = " + strings(entry.tags) + "\n";
    if (!entry.date.empty()) text += "date = " + quoted(entry.date) + "\n";
    text += fmt::format("confidence = {}\nsource = {}\n", quoted(entry.confidence), quoted(plain(entry.source, "imported")));
    if (!trim(entry.note).empty()) text += "note = " + quoted(plain(entry.note, "-")) + "\n";
    if (!entry.earned.empty()) text += fmt::format("earned = {}\nearned_at = {}\n", quoted(entry.earned), quoted(entry.earned_at));
  }
  return text;
}

std::string describe(const Import& import) {
  std::map<std::string, std::size_t> counts;
  for (const ImportedEntry& entry : import.entries) ++counts[entry.type];
  std::string text = fmt::format("{} ({}): {} taken", escape(import.title), import.id, import.entries.size());
  std::string list;
  for (const auto& [type, count] : counts) list += fmt::format("{}{} {}", list.empty() ? "" : ", ", count, escape(type));
  text += " (" + list + ")";
  text += fmt::format(", {} not taken\n", import.refused_count);
  for (const RefusedEntry& refused : import.refused) text += fmt::format("  not taken: {}: {}\n", escape(refused.entry, 200), refused.why);
  if (import.refused_count > import.refused.size()) text += fmt::format("  and {} more\n", import.refused_count - import.refused.size());
  return text;
}

}  // namespace lazaret::intel
