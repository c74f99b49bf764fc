#include "store/condemnation_journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "base/text.h"

namespace lazaret::store {
namespace {

using Act = JournalEntry::Act;

constexpr std::string_view act_names[] = {"tombstone", "tombstone-removed", "tombstones-removed", "file-tombstone", "file-tombstones-removed", "takedown", "takedown-undone"};
constexpr off_t most_line = 1 << 20;
constexpr TombstoneKind kinds[] = {TombstoneKind::manifest, TombstoneKind::blob, TombstoneKind::diff_id, TombstoneKind::files};

std::string encode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '%' || c == '\t' || c == '\n' || c == '\r' || c == '\0') {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out;
}

std::string decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      if (const auto byte = from_hex(text.substr(i + 1, 2)); byte && byte->size() == 1) {
        out += *byte;
        i += 2;
        continue;
      }
    }
    out += text[i];
  }
  return out;
}

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<TombstoneKind> kind_of(std::string_view name) {
  for (const TombstoneKind kind : kinds) {
    if (name_of(kind) == name) return kind;
  }
  return std::nullopt;
}

std::optional<JournalEntry> read_line(std::string_view line) {
  const auto fields = split(line, '\t');
  const auto name = std::find(std::begin(act_names), std::end(act_names), fields.front());
  if (name == std::end(act_names)) return std::nullopt;
  JournalEntry entry;
  entry.act = static_cast<Act>(name - std::begin(act_names));
  const auto field = [&](std::size_t i) { return i < fields.size() ? fields[i] : std::string_view(); };
  switch (entry.act) {
    case Act::tombstone:
    case Act::tombstone_removed: {
      const auto kind = kind_of(field(1));
      const auto value = Digest::parse(field(2));
      if (!kind || !value) return std::nullopt;
      entry.tombstone.kind = *kind;
      entry.tombstone.value = *value;
      if (entry.act == Act::tombstone_removed) return entry;
      const auto takedown = number(field(3)), at = number(field(4));
      if (fields.size() != 6 || !takedown || !at) return std::nullopt;
      entry.tombstone.takedown = *takedown;
      entry.tombstone.at = *at;
      entry.tombstone.reason = decode(field(5));
      return entry;
    }
    case Act::tombstones_removed: {
      const auto takedown = number(field(1));
      if (!takedown) return std::nullopt;
      entry.tombstone.takedown = *takedown;
      return entry;
    }
    case Act::file_tombstone: {
      const auto content = from_hex(field(1));
      const auto takedown = number(field(2));
      if (fields.size() != 6 || !content || content->size() != entry.file.content.size() || !takedown) return std::nullopt;
      std::copy(content->begin(), content->end(), entry.file.content.begin());
      entry.file.takedown = *takedown;
      entry.file.condemns = field(3) == "condemns";
      entry.file.path = decode(field(4));
      entry.file.reason = decode(field(5));
      return entry;
    }
    case Act::file_tombstones_removed: {
      const auto blob = Digest::parse(field(1));
      if (!blob) return std::nullopt;
      entry.blob = *blob;
      return entry;
    }
    case Act::takedown: {
      const auto id = number(field(1)), at = number(field(2));
      if (fields.size() != 8 || !id || *id <= 0 || !at) return std::nullopt;
      entry.takedown = {*id, decode(field(3)), decode(field(4)), decode(field(5)), decode(field(6)), *at, 0, field(7) == "closes-account"};
      return entry;
    }
    case Act::takedown_undone: {
      const auto id = number(field(1)), at = number(field(2));
      if (!id || !at) return std::nullopt;
      entry.takedown.id = *id;
      entry.takedown.undone = *at;
      return entry;
    }
  }
  return std::nullopt;
}

}  // namespace

std::string to_line(const JournalEntry& entry) {
  const std::string_view name = act_names[static_cast<std::size_t>(entry.act)];
  const Tombstone& tombstone = entry.tombstone;
  const Takedown& takedown = entry.takedown;
  switch (entry.act) {
    case Act::tombstone:
      return fmt::format("{}\t{}\t{}\t{}\t{}\t{}\n", name, name_of(tombstone.kind), tombstone.value.str(), tombstone.takedown, tombstone.at, encode(tombstone.reason));
    case Act::tombstone_removed: return fmt::format("{}\t{}\t{}\n", name, name_of(tombstone.kind), tombstone.value.str());
    case Act::tombstones_removed: return fmt::format("{}\t{}\n", name, tombstone.takedown);
    case Act::file_tombstone:
      return fmt::format("{}\t{}\t{}\t{}\t{}\t{}\n", name, to_hex(entry.file.content), entry.file.takedown, entry.file.condemns ? "condemns" : "doubts",
                         encode(entry.file.path), encode(entry.file.reason));
    case Act::file_tombstones_removed: return fmt::format("{}\t{}\n", name, entry.blob.str());
    case Act::takedown:
      return fmt::format("{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n", name, takedown.id, takedown.at, encode(takedown.kind), encode(takedown.subject), encode(takedown.actor),
                         encode(takedown.reason), takedown.closes_account ? "closes-account" : "");
    case Act::takedown_undone: return fmt::format("{}\t{}\t{}\n", name, takedown.id, takedown.undone);
  }
  return "";
}

JournalText read_journal(std::string_view text) {
  JournalText journal;
  while (!text.empty()) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) break;
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (line.empty()) continue;
    if (auto entry = read_line(line)) {
      journal.entries.push_back(std::move(*entry));
    } else {
      ++journal.unreadable;
    }
  }
  return journal;
}

Result<std::unique_ptr<CondemnationJournal>> CondemnationJournal::open(const std::string& path) {
  FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  struct stat info {};
  if (!file || ::fstat(file.get(), &info) != 0) return Error{ErrorCode::io, fmt::format("cannot open {}: check that the folder may be written", path)};
  // What a crash left of a line was not done; it goes, so that the next line is whole.
  std::string tail(static_cast<std::size_t>(std::min<off_t>(info.st_size, most_line)), '\0');
  const off_t begin = info.st_size - static_cast<off_t>(tail.size());
  if (!tail.empty() && ::pread(file.get(), tail.data(), tail.size(), begin) != static_cast<ssize_t>(tail.size())) return Error{ErrorCode::io, fmt::format("cannot read {}", path)};
  const auto end = tail.rfind('\n');
  const off_t whole = end == std::string::npos ? begin : begin + static_cast<off_t>(end) + 1;
  if (whole != info.st_size && ::ftruncate(file.get(), whole) != 0) return Error{ErrorCode::io, fmt::format("cannot write {}: check that the folder may be written", path)};
  return std::unique_ptr<CondemnationJournal>(new CondemnationJournal(std::move(file), path, whole == 0));
}

Result<void> CondemnationJournal::append(const std::vector<JournalEntry>& entries) {
  std::string text;
  for (const JournalEntry& entry : entries) text += to_line(entry);
  const std::lock_guard lock(mutex_);
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t put = ::write(file_.get(), text.data() + done, text.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return Error{ErrorCode::io, fmt::format("cannot write {}: check that the disk is not full", path_)};
    done += static_cast<std::size_t>(put);
  }
  if (::fdatasync(file_.get()) != 0) return Error{ErrorCode::io, fmt::format("cannot write {} to the disk", path_)};
  empty_ = empty_ && text.empty();
  return {};
}

JournalReplay replay(const std::vector<JournalEntry>& entries, Writer& writer) {
  JournalReplay result;
  std::set<Digest> manifests, blobs;
  const auto note = [&](const Tombstone& tombstone) {
    if (tombstone.kind == TombstoneKind::manifest) manifests.insert(tombstone.value);
    if (tombstone.kind == TombstoneKind::blob) blobs.insert(tombstone.value);
  };
  for (const JournalEntry& entry : entries) {
    switch (entry.act) {
      case Act::tombstone:
        writer.add_tombstone(entry.tombstone);
        note(entry.tombstone);
        break;
      case Act::tombstone_removed: writer.remove_tombstone(entry.tombstone.kind, entry.tombstone.value); break;
      case Act::tombstones_removed: writer.remove_tombstones(entry.tombstone.takedown); break;
      case Act::file_tombstone: writer.add_file_tombstone(entry.file); break;
      case Act::file_tombstones_removed: writer.remove_file_tombstones(entry.blob); break;
      case Act::takedown: {
        const Takedown& act = entry.takedown;
        if (writer.takedown(act.id)) break;
        ++result.takedowns;
        writer.put_takedown(act);
        if (act.kind == "publisher") {
          writer.hide_publisher(act.subject, act.id);
        } else {
          const auto split = act.subject.find('@');
          const auto repository = writer.repository(act.subject.substr(0, split));
          const auto digest = split == std::string::npos ? std::nullopt : Digest::parse(act.subject.substr(split + 1));
          if (repository && digest) {
            writer.hide_manifest(repository->id, writer.canonical(*digest).value_or(*digest), act.id);
          } else if (repository) {
            writer.hide_repository(repository->id, act.id);
          }
        }
        break;
      }
      case Act::takedown_undone: {
        const auto act = writer.takedown(entry.takedown.id);
        if (!act || act->undone != 0) break;
        ++result.undone;
        writer.show(act->id);
        writer.restore_states(act->id);
        writer.set_undone(act->id, entry.takedown.undone);
        break;
      }
    }
  }
  // States follow what is left standing at the end.
  for (const Digest& digest : manifests) {
    const auto tombstones = writer.tombstones(TombstoneKind::manifest, digest);
    const auto manifest = writer.manifest(digest);
    if (tombstones.empty() || !manifest || manifest->state == State::condemned) continue;
    const std::int64_t act = tombstones.back().takedown;  // the acts come after verdicts
    if (act != 0) writer.keep_state(digest, act);
    writer.set_state(digest, State::condemned, manifest->ruleset, act != 0);
    ++result.condemned;
  }
  for (const Digest& blob : blobs) {
    if (writer.tombstones(TombstoneKind::blob, blob).empty()) continue;
    for (const Digest& digest : writer.manifests_naming(blob)) {
      const auto manifest = writer.manifest(digest);
      if (!manifest || manifest->state == State::condemned || manifest->pinned) continue;
      // Nothing is given out before the gate has looked again, with what it knows now.
      writer.set_state(digest, State::pending, "", false);
      ++result.condemned;
    }
  }
  return result;
}

}  // namespace lazaret::store
