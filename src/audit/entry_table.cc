#include "audit/entry_table.h"

#include <algorithm>
#include <cassert>

#include "audit/serial.h"

namespace lazaret::audit {
namespace {

constexpr std::size_t block_bytes = 256 << 10;

void put(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

// Records are written by append() or checked by load(), so reading them back cannot run over the end.
std::uint64_t get(std::string_view records, std::size_t& position) {
  const auto first = static_cast<std::uint8_t>(records[position++]);
  if (first < 0x80) return first;
  std::uint64_t value = first & 0x7f;
  for (unsigned shift = 7;; shift += 7) {
    const auto byte = static_cast<std::uint8_t>(records[position++]);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return value;
  }
}

constexpr std::uint64_t position_of(std::size_t block, std::size_t offset) { return static_cast<std::uint64_t>(block) << 32 | offset; }

}  // namespace

ContentDigest content_digest(const Digest& sha256) {
  ContentDigest digest{};
  const Bytes bytes = sha256.bytes();
  std::copy_n(bytes.begin(), std::min(bytes.size(), digest.size()), digest.begin());
  return digest;
}

ContentDigest* EntryTable::next_content() {
  if (contents_.size() == count_) contents_.emplace_back();
  return &contents_.back();
}

void EntryTable::append(const Entry& entry) {
  std::size_t shared = 0;
  if (count_ % restart_interval == 0) {
    if (blocks_.empty() || blocks_.back().size() >= block_bytes) {
      if (!blocks_.empty()) blocks_.back().shrink_to_fit();
      blocks_.emplace_back().reserve(blocks_.size() == 1 ? 0 : block_bytes + block_bytes / 16);
    }
    restarts_.push_back(position_of(blocks_.size() - 1, blocks_.back().size()));
  } else {
    const std::size_t most = std::min(entry.path.size(), last_path_.size());
    while (shared < most && entry.path[shared] == last_path_[shared]) ++shared;
  }
  std::string& records = blocks_.back();
  put(records, shared);
  put(records, entry.path.size() - shared);
  records.append(entry.path, shared, std::string::npos);
  records.push_back(static_cast<char>(entry.type));
  records.push_back(static_cast<char>(entry.file_type.kind));
  records.push_back(static_cast<char>(entry.file_type.language));
  put(records, entry.mode);
  put(records, entry.uid);
  put(records, entry.gid);
  put(records, entry.size);
  put(records, entry.link_target.size());
  records += entry.link_target;
  put(records, entry.capabilities.size());
  records += entry.capabilities;
  if (contents_.size() == count_) contents_.push_back(entry.content);
  last_path_ = entry.path;
  ++count_;
}

std::size_t EntryTable::decode(std::string_view block, std::size_t position, Record& record) {
  const auto get_text = [&] {
    const std::uint64_t size = get(block, position);
    const std::string_view text(block.data() + position, size);
    position += size;
    return text;
  };
  record.shared = get(block, position);
  record.rest = get_text();
  EntryView& entry = record.entry;
  entry.type = static_cast<format::TarType>(block[position++]);
  entry.file_type.kind = static_cast<format::FileKind>(block[position++]);
  entry.file_type.language = static_cast<format::Language>(block[position++]);
  entry.mode = static_cast<std::uint32_t>(get(block, position));
  entry.uid = static_cast<std::uint32_t>(get(block, position));
  entry.gid = static_cast<std::uint32_t>(get(block, position));
  entry.size = get(block, position);
  entry.link_target = get_text();
  entry.capabilities = get_text();
  return position;
}

void EntryTable::copy(const EntryView& from, Entry& to) {
  to.link_target = from.link_target;
  to.capabilities = from.capabilities;
  to.type = from.type;
  to.mode = from.mode;
  to.uid = from.uid;
  to.gid = from.gid;
  to.size = from.size;
  to.file_type = from.file_type;
}

Entry EntryTable::at(std::size_t number) const {
  assert(number < count_);
  Entry entry;
  const std::uint64_t restart = restarts_[number / restart_interval];
  const std::string_view block = blocks_[restart >> 32];
  std::size_t position = restart & 0xffffffff;
  Record record;
  for (std::size_t i = 0; i <= number % restart_interval; ++i) {
    position = decode(block, position, record);
    entry.path.resize(record.shared);
    entry.path += record.rest;
  }
  copy(record.entry, entry);
  entry.content = contents_[number];
  return entry;
}

bool EntryTable::has_path(std::size_t number, std::string_view path) const {
  assert(number < count_);
  const std::uint64_t restart = restarts_[number / restart_interval];
  const std::string_view block = blocks_[restart >> 32];
  std::size_t position = restart & 0xffffffff;
  std::size_t size = 0, same = 0;  // of the record's path, and how many of its bytes are those of `path`
  Record record;
  for (std::size_t i = 0; i <= number % restart_interval; ++i) {
    position = decode(block, position, record);
    if (record.shared <= same) {
      const std::string_view wanted = path.substr(record.shared);
      const auto differs = std::mismatch(record.rest.begin(), record.rest.end(), wanted.begin(), wanted.end());
      same = record.shared + static_cast<std::size_t>(differs.first - record.rest.begin());
    }
    size = record.shared + record.rest.size();
  }
  return same == path.size() && size == path.size();
}

bool EntryTable::Cursor::next(EntryView& entry) {
  if (number_ == table_.count_) return false;
  if (position_ == table_.blocks_[block_].size()) {
    ++block_;
    position_ = 0;
  }
  Record record;
  position_ = decode(table_.blocks_[block_], position_, record);
  path_.resize(record.shared);
  path_ += record.rest;
  entry = record.entry;
  entry.path = path_;
  ++number_;
  return true;
}

bool EntryTable::Cursor::next(Entry& entry) {
  EntryView view;
  if (!next(view)) return false;
  entry.path = view.path;
  copy(view, entry);
  entry.content = table_.contents_[number_ - 1];
  return true;
}

std::string EntryTable::save() const {
  SerialWriter writer;
  writer.number(count_);
  writer.number(blocks_.size());
  for (const std::string& block : blocks_) writer.text(block);
  std::string contents;
  contents.reserve(contents_.size() * sizeof(ContentDigest));
  for (std::size_t i = 0; i < count_; ++i) contents.append(as_text(contents_[i]));
  writer.text(contents);
  return writer.take();
}

bool EntryTable::load(Bytes bytes) {
  SerialReader reader(bytes);
  EntryTable loaded;
  const std::uint64_t count = reader.number();
  loaded.blocks_.resize(reader.count());
  for (std::string& block : loaded.blocks_) block = reader.text();
  const std::string_view contents = reader.text();
  if (!reader.ok() || !reader.at_end() || contents.size() % sizeof(ContentDigest) != 0 || contents.size() / sizeof(ContentDigest) != count) return false;

  // One checked walk, so that the unchecked decode() is safe afterwards.
  std::uint64_t number = 0;
  for (std::size_t block = 0; block < loaded.blocks_.size(); ++block) {
    SerialReader walk(as_bytes(loaded.blocks_[block]));
    if (number % restart_interval != 0 || walk.at_end()) return false;
    for (std::uint64_t path_size = 0; !walk.at_end(); ++number) {
      if (number % restart_interval == 0) {
        loaded.restarts_.push_back(position_of(block, walk.position()));
        path_size = 0;
      }
      const std::uint64_t shared = walk.number();
      if (shared > path_size) return false;
      path_size = shared + walk.text().size();
      const std::uint8_t type = walk.byte(), kind = walk.byte(), language = walk.byte();
      if (type > static_cast<unsigned>(format::TarType::other) || kind >= format::file_kind_count || language >= 0x80) return false;
      for (unsigned field = 0; field < 4; ++field) walk.number();
      walk.text();
      walk.text();
      if (!walk.ok()) return false;
    }
  }
  if (number != count) return false;
  for (std::size_t i = 0; i < contents.size(); i += sizeof(ContentDigest)) {
    ContentDigest& content = loaded.contents_.emplace_back();
    std::copy_n(contents.begin() + static_cast<std::ptrdiff_t>(i), content.size(), content.begin());
  }
  loaded.count_ = count;
  *this = std::move(loaded);
  return true;
}

}  // namespace lazaret::audit
