#include "audit/entry_table.h"

#include <cassert>

#include "audit/serial.h"

namespace lazaret::audit {
namespace {

void put(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

// Records are written by append() or checked by load(), so reading them back cannot run over the end.
std::uint64_t get(std::string_view records, std::size_t& position) {
  std::uint64_t value = 0;
  for (unsigned shift = 0;; shift += 7) {
    const auto byte = static_cast<std::uint8_t>(records[position++]);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return value;
  }
}

}  // namespace

void EntryTable::append(const Entry& entry) {
  std::size_t shared = 0;
  if (count_ % restart_interval == 0) {
    restarts_.push_back(records_.size());
  } else {
    const std::size_t most = std::min(entry.path.size(), last_path_.size());
    while (shared < most && entry.path[shared] == last_path_[shared]) ++shared;
  }
  put(records_, shared);
  put(records_, entry.path.size() - shared);
  records_.append(entry.path, shared, std::string::npos);
  records_.push_back(static_cast<char>(entry.type));
  records_.push_back(static_cast<char>(entry.file_type.kind));
  records_.push_back(static_cast<char>(entry.file_type.language));
  put(records_, entry.mode);
  put(records_, entry.size);
  put(records_, entry.link_target.size());
  records_ += entry.link_target;
  last_path_ = entry.path;
  ++count_;
}

std::size_t EntryTable::decode(std::size_t position, Entry& entry) const {
  const std::uint64_t shared = get(records_, position), rest = get(records_, position);
  entry.path.resize(shared);
  entry.path.append(records_, position, rest);
  position += rest;
  entry.type = static_cast<format::TarType>(records_[position++]);
  entry.file_type.kind = static_cast<format::FileKind>(records_[position++]);
  entry.file_type.language = static_cast<format::Language>(records_[position++]);
  entry.mode = static_cast<std::uint32_t>(get(records_, position));
  entry.size = get(records_, position);
  const std::uint64_t link_size = get(records_, position);
  entry.link_target.assign(records_, position, link_size);
  return position + link_size;
}

Entry EntryTable::at(std::size_t number) const {
  assert(number < count_);
  Entry entry;
  std::size_t position = restarts_[number / restart_interval];
  for (std::size_t i = 0; i <= number % restart_interval; ++i) position = decode(position, entry);
  return entry;
}

bool EntryTable::Cursor::next(Entry& entry) {
  if (number_ == table_.count_) return false;
  position_ = table_.decode(position_, entry);
  ++number_;
  return true;
}

std::string EntryTable::save() const {
  SerialWriter writer;
  writer.number(count_);
  writer.text(records_);
  return writer.take();
}

bool EntryTable::load(Bytes bytes) {
  SerialReader reader(bytes);
  const std::uint64_t count = reader.number();
  const std::string_view records = reader.text();
  if (!reader.ok() || !reader.at_end()) return false;

  // One checked walk, so that the unchecked decode() is safe afterwards.
  EntryTable loaded;
  SerialReader walk(as_bytes(records));
  std::uint64_t path_size = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    if (i % restart_interval == 0) {
      loaded.restarts_.push_back(walk.position());
      path_size = 0;
    }
    const std::uint64_t shared = walk.number();
    if (shared > path_size) return false;
    path_size = shared + walk.text().size();
    const std::uint64_t type = walk.number(), kind = walk.number(), language = walk.number();
    if (type > static_cast<unsigned>(format::TarType::other) || kind >= format::file_kind_count || language >= 0x80) {
      return false;
    }
    walk.number();
    walk.number();
    walk.text();
    if (!walk.ok()) return false;
  }
  if (!walk.at_end()) return false;
  loaded.records_ = records;
  loaded.count_ = count;
  *this = std::move(loaded);
  return true;
}

}  // namespace lazaret::audit
