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
  std::uint64_t value = 0;
  for (unsigned shift = 0;; shift += 7) {
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

std::uint64_t EntryTable::decode(std::uint64_t from, Entry& entry) const {
  std::size_t block = from >> 32, position = from & 0xffffffff;
  if (position == blocks_[block].size()) {
    ++block;
    position = 0;
  }
  const std::string& records = blocks_[block];
  const std::uint64_t shared = get(records, position), rest = get(records, position);
  entry.path.resize(shared);
  entry.path.append(records, position, rest);
  position += rest;
  entry.type = static_cast<format::TarType>(records[position++]);
  entry.file_type.kind = static_cast<format::FileKind>(records[position++]);
  entry.file_type.language = static_cast<format::Language>(records[position++]);
  entry.mode = static_cast<std::uint32_t>(get(records, position));
  entry.uid = static_cast<std::uint32_t>(get(records, position));
  entry.gid = static_cast<std::uint32_t>(get(records, position));
  entry.size = get(records, position);
  const auto get_text = [&](std::string& text) {
    const std::uint64_t size = get(records, position);
    text.assign(records, position, size);
    position += size;
  };
  get_text(entry.link_target);
  get_text(entry.capabilities);
  return position_of(block, position);
}

Entry EntryTable::at(std::size_t number) const {
  assert(number < count_);
  Entry entry;
  std::uint64_t position = restarts_[number / restart_interval];
  for (std::size_t i = 0; i <= number % restart_interval; ++i) position = decode(position, entry);
  entry.content = contents_[number];
  return entry;
}

bool EntryTable::Cursor::next(Entry& entry) {
  if (number_ == table_.count_) return false;
  position_ = table_.decode(position_, entry);
  entry.content = table_.contents_[number_];
  ++number_;
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
