#include "gate/takedown_journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <limits>
#include <map>
#include <optional>
#include <vector>

#include "base/file_descriptor.h"
#include "base/json_writer.h"
#include "base/text.h"
#include "format/json.h"

namespace lazaret::gate {
namespace {

using format::JsonValue;
using store::Takedown;
using store::TombstoneKind;

constexpr TombstoneKind tombstone_kinds[] = {TombstoneKind::manifest, TombstoneKind::blob, TombstoneKind::diff_id, TombstoneKind::files};

struct Entry {
  Takedown act;
  std::vector<store::Tombstone> tombstones;
  std::vector<store::FileTombstone> files;
};

std::string to_line(const Entry& entry) {
  JsonWriter json(0);
  const Takedown& act = entry.act;
  json.begin_object().field("kind", act.kind).field("subject", act.subject).field("actor", act.actor).field("reason", act.reason).field("at", act.at).field("undone", act.undone);
  json.field("closes_account", act.closes_account).key("tombstones").begin_array();
  for (const store::Tombstone& tombstone : entry.tombstones) json.begin_object().field("kind", name_of(tombstone.kind)).field("value", tombstone.value.str()).end_object();
  json.end_array().key("files").begin_array();
  for (const store::FileTombstone& file : entry.files) json.begin_object().field("content", to_hex(file.content)).field("path", file.path).field("condemns", file.condemns).end_object();
  return json.end_array().end_object().take() + "\n";
}

std::optional<Entry> from_line(std::string_view line) {
  const format::JsonDocument document = format::parse_json(line);
  if (!document.valid) return std::nullopt;
  const JsonValue& value = document.value;
  const auto number = [](const JsonValue& of, std::string_view key) {
    const JsonValue* const found = of.find(key);
    return found != nullptr ? static_cast<std::int64_t>(found->as_size().value_or(0)) : 0;
  };
  const auto flag = [](const JsonValue& of, std::string_view key) {
    const JsonValue* const found = of.find(key);
    return found != nullptr && found->as_bool() != nullptr && *found->as_bool();
  };
  Entry entry;
  entry.act = {0, std::string(value.text("kind")), std::string(value.text("subject")), std::string(value.text("actor")), std::string(value.text("reason")), number(value, "at"),
               number(value, "undone"), flag(value, "closes_account")};
  if (entry.act.kind.empty() || entry.act.subject.empty()) return std::nullopt;
  const JsonValue* const tombstones = value.find("tombstones");
  const JsonValue* const files = value.find("files");
  if (tombstones == nullptr || tombstones->as_array() == nullptr || files == nullptr || files->as_array() == nullptr) return std::nullopt;
  for (const JsonValue& one : *tombstones->as_array()) {
    const auto digest = Digest::parse(one.text("value"));
    const auto kind = std::find_if(std::begin(tombstone_kinds), std::end(tombstone_kinds), [&](TombstoneKind known) { return name_of(known) == one.text("kind"); });
    if (!digest || kind == std::end(tombstone_kinds)) return std::nullopt;
    entry.tombstones.push_back({*kind, *digest, 0, entry.act.reason, entry.act.at});
  }
  for (const JsonValue& one : *files->as_array()) {
    const auto content = from_hex(one.text("content"));
    store::FileTombstone file;
    if (!content || content->size() != file.content.size()) return std::nullopt;
    std::copy(content->begin(), content->end(), file.content.begin());
    file.path = one.text("path");
    file.reason = entry.act.reason;
    file.condemns = flag(one, "condemns");
    entry.files.push_back(std::move(file));
  }
  return entry;
}

}  // namespace

Result<void> TakedownJournal::write(store::MetadataStore& metadata, std::int64_t act) {
  Entry entry;
  bool known = false;
  const auto read = metadata.read([&](store::Reader& reader) {
    const auto takedown = reader.takedown(act);
    if (!takedown) return;
    known = true;
    entry = {*takedown, reader.tombstones_of(act), reader.file_tombstones_of(act)};
  });
  if (!read) return read.error();
  if (!known) return Error{ErrorCode::not_found, fmt::format("there is no takedown {}", act)};
  const std::string line = to_line(entry);
  const auto fail = [&] { return Error{ErrorCode::io, fmt::format("cannot write {}: {}", path_, std::strerror(errno))}; };
  const FileDescriptor file(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!file) return fail();
  if (::write(file.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size()) || ::fsync(file.get()) != 0) return fail();
  return {};
}

Result<std::size_t> TakedownJournal::restore(Gate& gate) {
  // What the file says last of each subject.
  std::map<std::pair<std::string, std::string>, Entry> last;
  std::ifstream file(path_, std::ios::binary);
  std::string line;
  std::uint64_t whole = 0;
  for (std::size_t number = 1; std::getline(file, line); ++number) {
    // The last line is cut short when the process ended in the middle of it: its act is in the database then, and is written again below.
    if (file.eof()) {
      if (::truncate(path_.c_str(), static_cast<off_t>(whole)) != 0) return Error{ErrorCode::io, fmt::format("cannot write {}: {}", path_, std::strerror(errno))};
      break;
    }
    whole += line.size() + 1;
    auto entry = from_line(line);
    if (!entry) return Error{ErrorCode::corrupt, fmt::format("{}, line {}: this is no takedown; restore the file, or remove the line if you know what it was", path_, number)};
    std::pair<std::string, std::string> key(entry->act.kind, entry->act.subject);
    last.insert_or_assign(std::move(key), std::move(*entry));
  }
  std::vector<Takedown> acts;
  const auto read = gate.metadata().read([&](store::Reader& reader) {
    for (std::int64_t before = std::numeric_limits<std::int64_t>::max();;) {
      const auto some = reader.takedowns(before, 1000);
      if (some.empty()) return;
      acts.insert(acts.end(), some.begin(), some.end());
      before = some.back().id;
    }
  });
  if (!read) return read.error();
  // Newest first: what the database says of each subject.
  std::map<std::pair<std::string, std::string>, Takedown> known;
  for (const Takedown& act : acts) known.emplace(std::pair(act.kind, act.subject), act);

  std::size_t restored = 0;
  for (const auto& [key, entry] : last) {
    const auto in_database = known.find(key);
    // The database knows this act or a later one: its word counts.
    if (in_database != known.end() && in_database->second.at >= entry.act.at) continue;
    if (entry.act.undone != 0) continue;
    const auto again = gate.restore_takedown(entry.act, entry.tombstones, entry.files);
    if (!again) return again.error();
    ++restored;
  }
  for (const auto& [key, act] : known) {
    const auto in_file = last.find(key);
    const bool told = in_file != last.end() && in_file->second.act.at >= act.at && (in_file->second.act.undone != 0) == (act.undone != 0);
    if (told || (in_file == last.end() && act.undone != 0)) continue;
    if (const auto written = write(gate.metadata(), act.id); !written) return written.error();
  }
  return restored;
}

}  // namespace lazaret::gate
