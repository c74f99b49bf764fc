// A record is "<length> <key>=<value>\n", the length being that of the whole record in decimal
// (POSIX.1-2017, pax, "pax Extended Header"). Values may hold newlines: readers that split the
// content by lines see records inside of values. Of two records with one key most readers take the
// last, some the first.
//
// Keys with a meaning here: path, linkpath, size, uid, gid, mtime; SCHILY.xattr.<name> (raw value;
// star, Go, GNU tar), LIBARCHIVE.xattr.<url-encoded name> (base64 value; libarchive writes both);
// GNU.sparse.* (GNU tar manual, "Storing Sparse Files"). Everything else is handed out as bytes to
// be looked at, since a comment record can carry a payload as well as a file can.
#include "format/tar_pax.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <limits>
#include <unordered_map>

namespace lazaret::format {
namespace {

using namespace std::string_view_literals;

struct Record {
  std::string_view key, value;
  std::size_t offset = 0, size = 0;  // of the whole record
};

constexpr std::string_view schily_xattr = "SCHILY.xattr.";
constexpr std::string_view libarchive_xattr = "LIBARCHIVE.xattr.";
constexpr std::string_view sparse_prefix = "GNU.sparse.";
constexpr std::size_t min_record = 5;

std::optional<Record> next_record(std::string_view content, std::size_t offset) {
  const std::string_view rest = content.substr(offset);
  const std::size_t space = rest.substr(0, 20).find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const auto size = read_decimal(rest.substr(0, space));
  if (!size || *size < min_record || *size > rest.size() || *size < space + 2) return std::nullopt;
  const std::string_view record = rest.substr(0, static_cast<std::size_t>(*size));
  if (record.back() != '\n') return std::nullopt;
  const std::string_view pair = record.substr(space + 1, record.size() - space - 2);
  const std::size_t equals = pair.find('=');
  if (equals == std::string_view::npos || equals == 0) return std::nullopt;
  return Record{pair.substr(0, equals), pair.substr(equals + 1), offset, record.size()};
}

// Keys that may stand in one header more than once by design.
bool repeats(std::string_view key) {
  return key == "GNU.sparse.offset" || key == "GNU.sparse.numbytes";
}

// For each record whether a later one has the same key.
std::vector<bool> find_overridden(const std::vector<Record>& records) {
  std::vector<bool> overridden(records.size(), false);
  std::unordered_map<std::string_view, std::size_t> last;
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (repeats(records[i].key)) continue;
    const auto [found, added] = last.emplace(records[i].key, i);
    if (added) continue;
    overridden[found->second] = true;
    found->second = i;
  }
  return overridden;
}

bool is_plain_number(std::string_view text) {
  return text.size() <= 40 && text.find_first_not_of("0123456789.+-") == std::string_view::npos;
}
bool is_plain_word(std::string_view text) {
  return text.size() <= 32 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  " _-.+$@"sv.find(c) != std::string_view::npos;
         });
}

// Records that say nothing about content and cannot hide any.
bool is_harmless(std::string_view key, std::string_view value) {
  constexpr std::array numbers = {
      "atime"sv,        "ctime"sv,           "SCHILY.dev"sv,      "SCHILY.ino"sv,
      "SCHILY.nlink"sv, "SCHILY.devmajor"sv, "SCHILY.devminor"sv, "LIBARCHIVE.creationtime"sv};
  if (std::find(numbers.begin(), numbers.end(), key) != numbers.end())
    return is_plain_number(value);
  constexpr std::array words = {"uname"sv, "gname"sv, "hdrcharset"sv, "charset"sv};
  return std::find(words.begin(), words.end(), key) != words.end() && is_plain_word(value);
}

// Attributes of nearly every image, with values too short to hold anything else.
bool is_common_xattr(std::string_view name, std::string_view value) {
  return (name == "security.capability" && value.size() <= 24) ||
         (name == "security.selinux" && value.size() <= 64);
}

// A value in which a reader that splits by lines would see another record.
bool holds_record(std::string_view value) {
  for (std::size_t at = value.find('\n'); at != std::string_view::npos;
       at = value.find('\n', at + 1)) {
    const std::string_view line = value.substr(at + 1);
    const std::size_t space = line.substr(0, 20).find(' ');
    if (space == std::string_view::npos || !read_decimal(line.substr(0, space))) continue;
    const std::string_view pair = line.substr(space + 1);
    constexpr std::array keys = {"path="sv, "linkpath="sv, "size="sv, "SCHILY."sv, "GNU.sparse."sv};
    for (const std::string_view key : keys) {
      if (pair.starts_with(key)) return true;
    }
  }
  return false;
}

std::optional<std::int64_t> read_time(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const std::size_t point = text.find('.');
  const auto whole = read_decimal(text.substr(0, point));
  if (!whole) return std::nullopt;
  const std::string_view fraction =
      point == std::string_view::npos ? std::string_view() : text.substr(point + 1);
  if (fraction.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  const auto seconds = static_cast<std::int64_t>(*whole);
  if (!negative) return seconds;
  const bool part = fraction.find_first_not_of('0') != std::string_view::npos;
  return -seconds - (part ? 1 : 0);
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string decode_url(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 &&
        hex_value(text[i + 2]) >= 0) {
      result.push_back(static_cast<char>(hex_value(text[i + 1]) << 4 | hex_value(text[i + 2])));
      i += 2;
    } else {
      result.push_back(text[i]);
    }
  }
  return result;
}

// Base64 of RFC 4648 without or with padding; nothing when a character does not belong.
std::optional<std::string> decode_base64(std::string_view text) {
  while (text.ends_with('=')) text.remove_suffix(1);
  if (text.size() % 4 == 1) return std::nullopt;
  std::string result;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    int value = 0;
    if (c >= 'A' && c <= 'Z') {
      value = c - 'A';
    } else if (c >= 'a' && c <= 'z') {
      value = c - 'a' + 26;
    } else if (c >= '0' && c <= '9') {
      value = c - '0' + 52;
    } else if (c == '+') {
      value = 62;
    } else if (c == '/') {
      value = 63;
    } else {
      return std::nullopt;
    }
    bits = (bits << 6 | static_cast<std::uint32_t>(value)) & 0xffffff;
    count += 6;
    if (count >= 8) {
      count -= 8;
      result.push_back(static_cast<char>(bits >> count & 0xff));
    }
  }
  return result;
}

class Interpreter {
 public:
  explicit Interpreter(std::string_view content) { read(content); }
  PaxContent take() { return std::move(result_); }

 private:
  void read(std::string_view content) {
    std::vector<Record> records;
    std::size_t offset = 0;
    while (offset < content.size()) {
      const auto record = next_record(content, offset);
      if (!record) break;
      records.push_back(*record);
      offset += record->size;
    }
    const std::vector<bool> overridden = find_overridden(records);
    std::unordered_map<std::string_view, std::string_view> earlier;
    for (std::size_t i = 0; i < records.size(); ++i) {
      const Record& record = records[i];
      if (overridden[i]) {
        unused(record.offset, record.size);
        earlier[record.key] = record.value;
        continue;
      }
      if (const auto found = earlier.find(record.key);
          found != earlier.end() && found->second != record.value) {
        problem("anomaly.tar-pax-duplicate-key",
                fmt::format("The key \"{}\" stands twice in one extended header, with different "
                            "values; readers differ in which one counts.",
                            record.key.substr(0, 80)),
                record.offset);
      }
      apply(record);
    }
    finish_sparse();
    if (offset < content.size()) {
      problem("anomaly.tar-pax-malformed",
              "An extended header holds bytes that are not a record; readers stop here or refuse "
              "the archive.",
              offset);
      unused(offset, content.size() - offset);
    }
  }

  void apply(const Record& record) {
    const auto& [key, value, offset, size] = record;
    if (holds_record(value)) {
      problem("anomaly.tar-pax-embedded-record",
              fmt::format("The value of \"{}\" holds a line that looks like a record of its own; "
                          "readers that split by lines would follow it.",
                          key.substr(0, 80)),
              offset);
    }
    PaxAttributes& to = result_.attributes;
    if (key == "path" || key == "linkpath") {
      effective(key);
      (key == "path" ? to.path : to.link_path) = text(record);
    } else if (key == "size" || key == "uid" || key == "gid") {
      if (key == "size") effective(key);
      const auto number = this->number(record);
      if (!number) return;
      if (key == "size") {
        to.size = *number;
      } else {
        const auto id = static_cast<std::uint32_t>(
            std::min<std::uint64_t>(*number, std::numeric_limits<std::uint32_t>::max()));
        (key == "uid" ? to.uid : to.gid) = id;
      }
    } else if (key == "mtime") {
      if (value.empty()) return;
      to.mtime = read_time(value);
      if (!to.mtime) malformed(record);
    } else if (key.starts_with(schily_xattr)) {
      effective(key);
      add_xattr(record, std::string(key.substr(schily_xattr.size())), std::string(value), true);
    } else if (key.starts_with(libarchive_xattr)) {
      effective(key);
      auto decoded = decode_base64(value);
      if (!decoded) {
        malformed(record);
        return;
      }
      add_xattr(record, decode_url(key.substr(libarchive_xattr.size())), std::move(*decoded),
                false);
    } else if (key.starts_with(sparse_prefix)) {
      effective(key);
      to.any_sparse = true;
      apply_sparse(record, key.substr(sparse_prefix.size()));
    } else if (!is_harmless(key, value)) {
      unused(offset, size);
    }
  }

  void apply_sparse(const Record& record, std::string_view key) {
    PaxAttributes& to = result_.attributes;
    if (key == "major" || key == "minor") {
      (key == "major" ? to.sparse_major : to.sparse_minor) = record.value.substr(0, 20);
      if (!read_decimal(record.value)) malformed(record);
    } else if (key == "name") {
      to.sparse_name = text(record);
    } else if (key == "size") {
      to.sparse_size = number(record);
    } else if (key == "realsize") {
      real_size_ = number(record);
    } else if (key == "numblocks") {
      to.sparse_blocks = number(record);
    } else if (key == "offset" || key == "numbytes") {
      // Version 0.0: pairs in this order, one record for each number.
      const auto value = number(record);
      if (!value || (key == "offset") != (pairs_.size() % 2 == 0)) {
        to.sparse_map_valid = false;
        return;
      }
      pairs_.push_back(*value);
    } else if (key == "map") {
      map_ = record;
    } else {
      unused(record.offset, record.size);
    }
  }

  void finish_sparse() {
    PaxAttributes& to = result_.attributes;
    if (!to.sparse_size) to.sparse_size = real_size_;
    if (pairs_.empty() && map_ && !map_->value.empty()) {
      std::string_view rest = map_->value;
      for (;;) {
        const std::size_t comma = rest.find(',');
        const auto value = read_decimal(rest.substr(0, comma));
        if (!value) {
          malformed(*map_);
          to.sparse_map_valid = false;
          break;
        }
        pairs_.push_back(*value);
        if (comma == std::string_view::npos) break;
        rest.remove_prefix(comma + 1);
      }
    }
    to.sparse_map_present = !pairs_.empty() || (map_ && !map_->value.empty());
    if (pairs_.size() % 2 != 0) to.sparse_map_valid = false;
    for (std::size_t i = 0; i + 1 < pairs_.size(); i += 2) {
      to.sparse_map.push_back({pairs_[i], pairs_[i + 1]});
    }
  }

  void add_xattr(const Record& record, std::string name, std::string value, bool raw) {
    auto& xattrs = result_.attributes.xattrs;
    if (!is_common_xattr(name, value)) unused(record.offset, record.size);
    // libarchive writes each attribute in both forms; the raw one is what Go reads.
    const auto [found, added] = xattr_index_.emplace(name, xattrs.size());
    if (added) {
      xattrs.emplace_back(std::move(name), std::move(value));
    } else if (xattrs[found->second].second != value) {
      problem("anomaly.tar-pax-duplicate-key",
              fmt::format("The extended attribute \"{}\" is given twice, with different values.",
                          name.substr(0, 80)),
              record.offset);
      if (raw) xattrs[found->second].second = std::move(value);
      unused(record.offset, record.size);
    }
  }

  // A path. Nothing when it is empty; what C programs see when it holds a NUL.
  std::optional<std::string> text(const Record& record) {
    const std::size_t end = record.value.find('\0');
    if (end != std::string_view::npos) malformed(record);
    if (record.value.empty()) {
      problem(
          "anomaly.tar-pax-disagreement",
          fmt::format("The record \"{}\" is empty: some readers keep the header's value, others "
                      "do not.",
                      record.key),
          record.offset);
    }
    if (end == 0 || record.value.empty()) return std::nullopt;
    return std::string(record.value.substr(0, end));
  }

  std::optional<std::uint64_t> number(const Record& record) {
    if (record.value.empty()) return std::nullopt;
    const auto value = read_decimal(record.value);
    if (!value) malformed(record);
    return value;
  }

  void malformed(const Record& record) {
    problem("anomaly.tar-pax-malformed",
            fmt::format("The value of \"{}\" in an extended header is malformed.",
                        record.key.substr(0, 80)),
            record.offset);
    unused(record.offset, record.size);
  }
  void problem(std::string_view rule, std::string message, std::size_t offset) {
    constexpr std::size_t max_problems = 64;
    if (result_.problems.size() < max_problems)
      result_.problems.push_back({rule, std::move(message), offset});
  }
  void unused(std::size_t offset, std::size_t size) {
    auto& runs = result_.unused;
    if (!runs.empty()) {
      auto& [begin, length] = runs.back();
      if (offset >= begin && offset + size <= begin + length) return;
      if (offset == begin + length) {
        length += size;
        return;
      }
    }
    runs.emplace_back(offset, size);
  }
  void effective(std::string_view key) {
    std::string& keys = result_.attributes.effective_keys;
    if (keys.size() > 200) return;
    if (!keys.empty()) keys += ", ";
    keys += key.substr(0, 80);
  }

  PaxContent result_;
  std::vector<std::uint64_t> pairs_;
  std::optional<std::uint64_t> real_size_;
  std::optional<Record> map_;
  std::unordered_map<std::string, std::size_t> xattr_index_;
};

}  // namespace

std::optional<std::uint64_t> read_decimal(std::string_view text) {
  if (text.empty() || text.size() > 40) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    const auto shifted = checked_mul(value, 10);
    if (!shifted) return std::nullopt;
    const auto sum = checked_add(*shifted, static_cast<std::uint64_t>(c - '0'));
    if (!sum) return std::nullopt;
    value = *sum;
  }
  if (value >> 63 != 0) return std::nullopt;
  return value;
}

PaxContent read_pax(std::string_view content) {
  return Interpreter(content).take();
}

}  // namespace lazaret::format
