#include "format/rpm_database.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.h"

namespace lazaret::format {
namespace {

using Visit = std::function<void(Bytes)>;

constexpr std::uint64_t header_bytes = 32ull << 20;  // rpm's own limit for a header is 256 MiB; real ones have some 100 KiB
constexpr std::size_t text_limit = 32 << 20;
constexpr std::uint32_t files_limit = 1'000'000;     // of one package

// ---- SQLite (sqlite.org/fileformat2.html) --------------------------------------------------------------------------------------------------

class SqliteReader {
 public:
  explicit SqliteReader(Bytes file) : file_(file) {
    page_size_ = read_be<std::uint16_t>(file, 16).value_or(0);
    if (page_size_ == 1) page_size_ = 65536;
    usable_ = page_size_ - std::min<std::uint64_t>(page_size_, read_le<std::uint8_t>(file, 20).value_or(0));
  }

  bool read(const Visit& visit) {
    if (page_size_ < 512 || (page_size_ & (page_size_ - 1)) != 0 || usable_ < 480) return false;
    seen_.assign(file_.size() / page_size_ + 2, false);
    budget_ = 4 * file_.size();
    std::uint32_t root = 0;
    walk(1, 0, [&](Bytes record) {
      const auto type = column(record, 0), name = column(record, 1), page = column(record, 3);
      if (type && name && page && as_text(*type) == "table" && as_text(*name) == "Packages") root = number(*page);
    });
    if (root == 0) return false;
    seen_.assign(seen_.size(), false);
    walk(root, 0, [&](Bytes record) {
      if (const auto blob = column(record, 1)) visit(*blob);
    });
    return !damaged_;
  }

 private:
  static constexpr unsigned depth_limit = 24;

  static std::optional<std::uint64_t> varint(Bytes bytes, std::uint64_t& at) {
    std::uint64_t value = 0;
    for (unsigned i = 0; i < 9; ++i) {
      const auto byte = read_le<std::uint8_t>(bytes, at);
      if (!byte) return std::nullopt;
      ++at;
      if (i == 8) return value << 8 | *byte;
      value = value << 7 | (*byte & 0x7f);
      if ((*byte & 0x80) == 0) return value;
    }
    return std::nullopt;
  }
  static std::uint32_t number(Bytes bytes) {
    std::uint64_t value = 0;
    for (const std::uint8_t byte : bytes) value = value << 8 | byte;
    return value > 0xffffffff ? 0 : static_cast<std::uint32_t>(value);
  }

  // The bytes of a column of a record.
  static std::optional<Bytes> column(Bytes record, unsigned wanted) {
    std::uint64_t at = 0;
    const auto header_size = varint(record, at);
    if (!header_size) return std::nullopt;
    std::uint64_t data = *header_size;
    for (unsigned i = 0; at < *header_size; ++i) {
      const auto type = varint(record, at);
      if (!type) return std::nullopt;
      static constexpr std::array<std::uint64_t, 12> sizes = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0};
      const std::uint64_t size = *type < sizes.size() ? sizes[*type] : (*type - 12) / 2;
      if (i == wanted) return slice(record, data, size);
      const auto next = checked_add(data, size);
      if (!next) return std::nullopt;
      data = *next;
    }
    return std::nullopt;
  }

  std::optional<Bytes> page(std::uint32_t id) {
    if (id == 0 || id >= seen_.size() || seen_[id]) return std::nullopt;
    seen_[id] = true;
    return slice(file_, (id - 1) * page_size_, page_size_);
  }

  void walk(std::uint32_t id, unsigned depth, const Visit& visit) {
    const auto bytes = depth > depth_limit ? std::nullopt : page(id);
    if (!bytes) {
      damaged_ = true;
      return;
    }
    const std::uint64_t header = id == 1 ? 100 : 0;
    const std::uint8_t type = read_le<std::uint8_t>(*bytes, header).value_or(0);
    const std::uint16_t cells = read_be<std::uint16_t>(*bytes, header + 3).value_or(0);
    if (type != 5 && type != 13) {
      damaged_ = true;
      return;
    }
    const std::uint64_t pointers = header + (type == 5 ? 12 : 8);
    for (std::uint64_t i = 0; i < cells; ++i) {
      const auto at = read_be<std::uint16_t>(*bytes, pointers + 2 * i);
      if (!at) {
        damaged_ = true;
        return;
      }
      if (type == 5) {
        walk(read_be<std::uint32_t>(*bytes, *at).value_or(0), depth + 1, visit);
      } else {
        leaf_cell(*bytes, *at, visit);
      }
    }
    if (type == 5) walk(read_be<std::uint32_t>(*bytes, header + 8).value_or(0), depth + 1, visit);
  }

  void leaf_cell(Bytes bytes, std::uint64_t at, const Visit& visit) {
    const auto size = varint(bytes, at), row = varint(bytes, at);
    if (!size || !row || *size > header_bytes) {
      damaged_ = true;
      return;
    }
    const std::uint64_t most = usable_ - 35;
    std::uint64_t local = *size;
    if (*size > most) {
      const std::uint64_t least = (usable_ - 12) * 32 / 255 - 23;
      local = least + (*size - least) % (usable_ - 4);
      if (local > most) local = least;
    }
    const auto piece = slice(bytes, at, local);
    if (!piece) {
      damaged_ = true;
      return;
    }
    // Pointers of a page may all lead to the same cell.
    if (local >= budget_) {
      damaged_ = true;
      return;
    }
    budget_ -= local + 1;
    if (local == *size) return visit(*piece);
    std::vector<std::uint8_t> record(piece->begin(), piece->end());
    std::uint32_t next = read_be<std::uint32_t>(bytes, at + local).value_or(0);
    while (record.size() < *size) {
      const auto overflow = page(next);
      if (!overflow) {
        damaged_ = true;
        return;
      }
      next = read_be<std::uint32_t>(*overflow, 0).value_or(0);
      const Bytes part = clamp(*overflow, 4, std::min<std::uint64_t>(usable_ - 4, *size - record.size()));
      record.insert(record.end(), part.begin(), part.end());
    }
    visit(record);
  }

  Bytes file_;
  std::uint64_t page_size_ = 0, usable_ = 0, budget_ = 0;
  std::vector<bool> seen_;
  bool damaged_ = false;
};

// ---- ndb ---------------------------------------------------------------------------------------------------------------------------------------

constexpr std::uint32_t ndb_magic = 0x506d7052, slot_magic = 0x746f6c53, blob_magic = 0x53626c42;  // "RpmP", "Slot", "BlbS"

bool read_ndb(Bytes file, const Visit& visit) {
  constexpr std::uint64_t page_bytes = 4096, slot_bytes = 16, block_bytes = 16, first_slot = 2;
  const std::uint64_t pages = read_le<std::uint32_t>(file, 12).value_or(0);
  const std::uint64_t slots = std::min<std::uint64_t>(pages * page_bytes, file.size()) / slot_bytes;
  bool complete = pages * page_bytes <= file.size();
  std::uint64_t budget = file.size();  // blobs do not overlap in a sound file
  for (std::uint64_t i = first_slot; i < slots; ++i) {
    const std::uint64_t slot = i * slot_bytes;
    if (read_le<std::uint32_t>(file, slot) != slot_magic) {
      complete = false;
      continue;
    }
    const std::uint32_t index = *read_le<std::uint32_t>(file, slot + 4);
    const std::uint64_t block = *read_le<std::uint32_t>(file, slot + 8);
    if (block == 0) continue;  // free
    const std::uint64_t at = block * block_bytes;
    const auto size = read_le<std::uint32_t>(file, at + 12);
    const auto blob = size ? slice(file, at + 16, *size) : std::nullopt;
    if (!blob || read_le<std::uint32_t>(file, at) != blob_magic || read_le<std::uint32_t>(file, at + 4) != index || blob->size() > budget) {
      complete = false;
      continue;
    }
    budget -= blob->size();
    visit(*blob);
  }
  return complete;
}

// ---- Berkeley DB hash ------------------------------------------------------------------------------------------------------------------------------

class BerkeleyReader {
 public:
  explicit BerkeleyReader(Bytes file) : file_(file), big_endian_(read_be<std::uint32_t>(file, 12) == magic) {}

  static bool is_one(Bytes file) { return read_le<std::uint32_t>(file, 12) == magic || read_be<std::uint32_t>(file, 12) == magic; }

  bool read(const Visit& visit) {
    page_size_ = u32(20);
    if (page_size_ < 512 || page_size_ > 65536 || (page_size_ & (page_size_ - 1)) != 0 || read_le<std::uint8_t>(file_, 24).value_or(1) != 0) return false;  // encrypted
    const std::uint64_t pages = file_.size() / page_size_;
    seen_.assign(static_cast<std::size_t>(pages), false);
    bool complete = u32(32) < pages;
    for (std::uint64_t page = 1; page < pages; ++page) {
      const std::uint64_t at = page * page_size_;
      const std::uint8_t type = read_le<std::uint8_t>(file_, at + 25).value_or(0);
      if (type == hash_page || type == unsorted_hash_page) complete &= read_page(at, visit);
    }
    return complete;
  }

 private:
  static constexpr std::uint32_t magic = 0x00061561;
  static constexpr std::uint64_t page_header = 26;
  static constexpr std::uint8_t unsorted_hash_page = 2, overflow_page = 7, hash_page = 13;
  static constexpr std::uint8_t inline_item = 1, item_on_pages = 3;

  std::uint32_t u32(std::uint64_t at) const { return (big_endian_ ? read_be<std::uint32_t>(file_, at) : read_le<std::uint32_t>(file_, at)).value_or(0); }
  std::uint16_t u16(std::uint64_t at) const { return (big_endian_ ? read_be<std::uint16_t>(file_, at) : read_le<std::uint16_t>(file_, at)).value_or(0); }

  // Items are keys and values by turns, from the end of the page towards its front.
  bool read_page(std::uint64_t at, const Visit& visit) {
    bool complete = true;
    const std::uint16_t entries = u16(at + 20);
    if (page_header + 2ull * entries > page_size_) return false;
    std::uint64_t end = page_size_;
    for (std::uint64_t i = 0; i < entries; ++i) {
      const std::uint64_t offset = u16(at + page_header + 2 * i);
      if (offset < page_header || offset >= end) return false;
      const std::uint64_t size = end - offset;
      end = offset;
      if (i % 2 == 0) continue;
      const std::uint8_t type = read_le<std::uint8_t>(file_, at + offset).value_or(0);
      if (type == inline_item) {
        visit(clamp(file_, at + offset + 1, size - 1));
      } else if (type == item_on_pages && size >= 12) {
        complete &= read_chain(u32(at + offset + 4), u32(at + offset + 8), visit);
      } else {
        complete = false;
      }
    }
    return complete;
  }

  bool read_chain(std::uint64_t page, std::uint64_t size, const Visit& visit) {
    if (size > header_bytes) return false;
    std::vector<std::uint8_t> item;
    while (item.size() < size) {
      if (page == 0 || page >= seen_.size() || seen_[static_cast<std::size_t>(page)]) return false;
      seen_[static_cast<std::size_t>(page)] = true;
      const std::uint64_t at = page * page_size_;
      if (read_le<std::uint8_t>(file_, at + 25) != overflow_page) return false;
      const Bytes part = clamp(file_, at + page_header, std::min<std::uint64_t>({u16(at + 22), page_size_ - page_header, size - item.size()}));
      if (part.empty()) return false;
      item.insert(item.end(), part.begin(), part.end());
      page = u32(at + 16);
    }
    visit(item);
    return true;
  }

  Bytes file_;
  const bool big_endian_;
  std::uint64_t page_size_ = 0;
  std::vector<bool> seen_;
};

// ---- headers -----------------------------------------------------------------------------------------------------------------------------------------

enum Tag : std::uint32_t {
  name_tag = 1000,
  version_tag = 1001,
  release_tag = 1002,
  epoch_tag = 1003,
  vendor_tag = 1011,
  architecture_tag = 1022,
  file_modes_tag = 1030,
  file_digests_tag = 1035,
  file_flags_tag = 1037,
  folder_indexes_tag = 1116,
  base_names_tag = 1117,
  folders_tag = 1118,
};
constexpr std::uint32_t int16_type = 3, int32_type = 4, string_type = 6, string_array_type = 8, i18n_type = 9;
constexpr std::uint32_t is_config = 1, is_document = 2, is_ghost = 64, is_license = 128;

// The first entry of each tag.
class Header {
 public:
  explicit Header(Bytes bytes) : bytes_(bytes) {
    count_ = read_be<std::uint32_t>(bytes, 0).value_or(0);
    const std::uint64_t store_size = read_be<std::uint32_t>(bytes, 4).value_or(0);
    const auto store = slice(bytes, 8 + 16ull * count_, store_size);
    valid_ = store && count_ > 0;
    if (valid_) store_ = *store;
  }
  bool valid() const { return valid_; }

  struct Entry {
    std::uint32_t type = 0, count = 0;
    Bytes data;  // to the end of the store
  };
  std::optional<Entry> find(std::uint32_t tag) const {
    for (std::uint64_t i = 0; i < count_; ++i) {
      const std::uint64_t at = 8 + 16 * i;
      if (*read_be<std::uint32_t>(bytes_, at) != tag) continue;
      const std::uint32_t offset = *read_be<std::uint32_t>(bytes_, at + 8);
      if (offset > store_.size()) return std::nullopt;
      return Entry{*read_be<std::uint32_t>(bytes_, at + 4), *read_be<std::uint32_t>(bytes_, at + 12), store_.subspan(offset)};
    }
    return std::nullopt;
  }
  std::string text(std::uint32_t tag) const {
    const auto entry = find(tag);
    if (!entry || (entry->type != string_type && entry->type != i18n_type)) return "";
    const std::string_view bytes = as_text(entry->data);
    return std::string(bytes.substr(0, std::min<std::size_t>(bytes.find('\0'), 512)));
  }
  std::vector<std::string_view> texts(std::uint32_t tag) const {
    std::vector<std::string_view> list;
    const auto entry = find(tag);
    if (!entry || entry->type != string_array_type || entry->count > files_limit) return list;
    std::string_view rest = as_text(entry->data);
    for (std::uint32_t i = 0; i < entry->count; ++i) {
      const std::size_t end = rest.find('\0');
      if (end == std::string_view::npos) break;
      list.push_back(rest.substr(0, end));
      rest.remove_prefix(end + 1);
    }
    return list;
  }

 private:
  Bytes bytes_, store_;
  std::uint32_t count_ = 0;
  bool valid_ = false;
};

std::optional<std::uint32_t> number_at(const std::optional<Header::Entry>& entry, std::uint64_t index) {
  if (!entry || index >= entry->count) return std::nullopt;
  if (entry->type == int16_type) return read_be<std::uint16_t>(entry->data, 2 * index);
  if (entry->type == int32_type) return read_be<std::uint32_t>(entry->data, 4 * index);
  return std::nullopt;
}

std::string to_base64(std::string_view bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<std::uint8_t>(c);
    count += 8;
    while (count >= 6) {
      count -= 6;
      text.push_back(digits[bits >> count & 63]);
    }
  }
  if (count > 0) text.push_back(digits[bits << (6 - count) & 63]);
  while (text.size() % 4 != 0) text.push_back('=');
  return text;
}

bool is_one_line(std::string_view text) { return text.find('\n') == std::string_view::npos; }

}  // namespace

bool read_rpm_database(Bytes file, const Visit& visit) {
  if (as_text(file).starts_with(std::string_view("SQLite format 3\0", 16))) return SqliteReader(file).read(visit);
  if (read_le<std::uint32_t>(file, 0) == ndb_magic) return read_ndb(file, visit);
  if (BerkeleyReader::is_one(file)) return BerkeleyReader(file).read(visit);
  return false;
}

bool read_rpm_header(Bytes bytes, RpmPackage& package, const PackagedFileVisitor& visit) {
  const Header header(bytes);
  if (!header.valid()) return false;
  package = {};
  package.name = header.text(name_tag);
  if (package.name.empty()) return false;
  if (const auto epoch = number_at(header.find(epoch_tag), 0)) package.version = std::to_string(*epoch) + ":";
  package.version += header.text(version_tag) + "-" + header.text(release_tag);
  package.architecture = header.text(architecture_tag);
  package.vendor = header.text(vendor_tag);

  const auto names = header.texts(base_names_tag), folders = header.texts(folders_tag), digests = header.texts(file_digests_tag);
  const auto folder_indexes = header.find(folder_indexes_tag), modes = header.find(file_modes_tag), flags = header.find(file_flags_tag);
  std::string path;
  std::uint64_t path_bytes = 0;  // many files may share one long folder
  for (std::size_t i = 0; i < names.size() && path_bytes <= 4 * bytes.size(); ++i) {
    const auto folder = number_at(folder_indexes, i);
    const std::uint32_t mode = number_at(modes, i).value_or(0), flag = number_at(flags, i).value_or(0);
    constexpr std::uint32_t type_mask = 0170000, regular = 0100000;
    if (!folder || *folder >= folders.size() || (mode & type_mask) != regular || (flag & (is_config | is_document | is_ghost | is_license)) != 0) continue;
    path.assign(folders[*folder]);
    path += names[i];
    path_bytes += path.size();
    const auto digest = i < digests.size() ? from_hex(digests[i]) : std::nullopt;
    const bool known = digest && (digest->size() == 16 || digest->size() == 20 || digest->size() == 32);
    visit({path, known ? std::string_view(*digest) : std::string_view(), mode & 07777});
  }
  return true;
}

std::string rpm_database_as_text(Bytes file, bool* damaged) {
  std::string text;
  bool cut = false;
  const bool complete = read_rpm_database(file, [&](Bytes blob) {
    RpmPackage package;
    std::string files, folder = "\n";
    const bool is_header = read_rpm_header(blob, package, [&](const PackagedFile& entry) {
      const std::size_t slash = entry.path.rfind('/');
      if (slash == std::string_view::npos || !is_one_line(entry.path)) return;
      const std::string_view name = entry.path.substr(slash + 1), in = entry.path.substr(0, slash);
      if ((entry.mode & 0111) == 0 && name.find(".so") == std::string_view::npos && !name.ends_with(".ko")) return;
      if (in != folder) {
        folder = in;
        files += "F:" + folder.substr(std::min<std::size_t>(1, folder.size())) + "\n";
      }
      files += "R:" + std::string(name) + "\n";
      if (entry.checksum.size() == 20 || entry.checksum.size() == 32) {
        files += std::string(entry.checksum.size() == 20 ? "Z:Q1" : "Z:Q2") + to_base64(entry.checksum) + "\n";
      }
    });
    if (!is_header || !is_one_line(package.name) || !is_one_line(package.version) || !is_one_line(package.architecture)) return;
    if (text.size() + files.size() > text_limit) {
      cut = true;
      return;
    }
    text += "P:" + package.name + "\nV:" + package.version + "\nA:" + package.architecture + "\n" + files + "\n";
  });
  if (damaged != nullptr) *damaged = !complete || cut;
  return text;
}

}  // namespace lazaret::format
