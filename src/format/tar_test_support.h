// Makes tar archives byte by byte, and records what the reader says about them. For tests and fuzz
// targets.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "format/tar.h"

namespace lazaret::format {

// One header block. Fields can be overwritten with set(); the checksum is computed by str().
class TarBlock {
 public:
  explicit TarBlock(std::string_view name, char type = '0', std::uint64_t size = 0)
      : bytes_(512, '\0') {
    set(0, name);
    octal(100, 8, 0644);
    octal(108, 8, 0);
    octal(116, 8, 0);
    octal(124, 12, size);
    octal(136, 12, 1700000000);
    bytes_[156] = type;
    set(257, std::string_view("ustar\00000", 8));
    octal(329, 8, 0);
    octal(337, 8, 0);
  }
  TarBlock& set(std::size_t at, std::string_view text) {
    bytes_.replace(at, text.size(), text);
    return *this;
  }
  TarBlock& octal(std::size_t at, std::size_t width, std::uint64_t value) {
    for (std::size_t i = width - 1; i-- > 0; value >>= 3)
      bytes_[at + i] = static_cast<char>('0' + (value & 7));
    bytes_[at + width - 1] = '\0';
    return *this;
  }
  TarBlock& binary(std::size_t at, std::size_t width, std::int64_t value) {
    auto rest = static_cast<std::uint64_t>(value);
    for (std::size_t i = width; i-- > 0;) {
      const bool beyond = width - 1 - i >= 8;
      bytes_[at + i] = static_cast<char>(beyond ? (value < 0 ? 0xff : 0) : rest & 0xff);
      if (!beyond) rest >>= 8;
    }
    bytes_[at] = static_cast<char>(static_cast<unsigned char>(bytes_[at]) | 0x80);
    return *this;
  }
  TarBlock& link(std::string_view target) { return set(157, target); }
  TarBlock& gnu() { return set(257, std::string_view("ustar  \0", 8)); }
  TarBlock& v7() { return set(257, std::string(255, '\0')); }
  std::string str(bool signed_sum = false) const {
    std::string result = bytes_;
    result.replace(148, 8, "        ");
    std::int64_t sum = 0;
    for (const char c : result) {
      if (signed_sum) {
        sum += static_cast<signed char>(c);
      } else {
        sum += static_cast<unsigned char>(c);
      }
    }
    char digits[16];
    std::snprintf(digits, sizeof digits, "%06o", static_cast<unsigned>(sum));
    result.replace(148, 6, std::string_view(digits).substr(0, 6));
    result[154] = '\0';
    result[155] = ' ';
    return result;
  }

 private:
  std::string bytes_;
};

inline std::string tar_padded(std::string content) {
  content.resize((content.size() + 511) / 512 * 512, '\0');
  return content;
}
inline std::string tar_member(std::string_view name, std::string_view content, char type = '0') {
  return TarBlock(name, type, content.size()).str() + tar_padded(std::string(content));
}
inline std::string pax_record(std::string_view key, std::string_view value) {
  const std::size_t rest = key.size() + value.size() + 3;
  std::size_t size = rest + 1;
  while (std::to_string(size).size() + rest != size) ++size;
  return std::to_string(size) + " " + std::string(key) + "=" + std::string(value) + "\n";
}
inline std::string pax_header(std::string_view records, char type = 'x') {
  return tar_member("PaxHeaders/x", records, type);
}
inline std::string gnu_long(std::string_view name, char type = 'L') {
  const std::string content = std::string(name) + '\0';
  return TarBlock("././@LongLink", type, content.size()).gnu().str() + tar_padded(content);
}
inline const std::string tar_end_marker(1024, '\0');

struct TarRecord {
  TarEntry entry;
  std::string content;       // holes as zeros up to `max_hole`
  std::uint64_t size = 0;    // holes included
  std::uint64_t stored = 0;  // without them
  bool ended = false;
};
struct TarSide {
  std::string what;
  std::uint64_t offset = 0;
  std::string bytes;
  bool operator==(const TarSide&) const = default;
};

class TarRecorder final : public TarHandler {
 public:
  static constexpr std::uint64_t max_hole = 1 << 20;

  void entry(const TarEntry& entry) override {
    in_order = in_order && (entries.empty() || entries.back().ended);
    entries.push_back({entry, "", 0, 0, false});
    log += "entry " + entry.path + " -> " + entry.link_target + " type " + entry.type_flag + " " +
           std::to_string(entry.size) + " at " + std::to_string(entry.header_offset) + "\n";
  }
  void data(Bytes piece) override {
    in_order = in_order && !entries.empty() && !entries.back().ended && !piece.empty();
    if (!in_order) return;
    entries.back().content += as_text(piece);
    entries.back().size += piece.size();
    entries.back().stored += piece.size();
  }
  void hole(std::uint64_t size) override {
    in_order = in_order && !entries.empty() && !entries.back().ended && size > 0;
    if (!in_order) return;
    if (size <= max_hole) entries.back().content.append(static_cast<std::size_t>(size), '\0');
    entries.back().size += size;
    log += "hole " + std::to_string(size) + "\n";
  }
  void entry_end() override {
    in_order = in_order && !entries.empty() && !entries.back().ended;
    if (!in_order) return;
    entries.back().ended = true;
    log += "end " + std::to_string(entries.back().size) + "\n";
  }
  void side_bytes(std::string_view what, std::uint64_t offset, Bytes piece, bool first) override {
    in_order = in_order && !piece.empty() && (entries.empty() || entries.back().ended);
    if (first) {
      sides.push_back({std::string(what), offset, ""});
    } else {
      in_order = in_order && !sides.empty() && sides.back().what == what &&
                 sides.back().offset + sides.back().bytes.size() == offset;
      if (!in_order) return;
    }
    sides.back().bytes += as_text(piece);
  }
  void diagnostic(Diagnostic diagnostic) override {
    log += diagnostic.rule + " at " + std::to_string(diagnostic.offset) + " " +
           std::to_string(diagnostic.bytes) + " " + diagnostic.message + "\n";
    diagnostics.push_back(std::move(diagnostic));
  }

  // Everything that happened but for the sizes of pieces.
  std::string summary() const {
    std::string result = log;
    for (const TarRecord& record : entries) result += record.content + "\n";
    for (const TarSide& side : sides)
      result += side.what + " at " + std::to_string(side.offset) + " " + side.bytes + "\n";
    return result;
  }
  std::vector<std::string> rules() const {
    std::vector<std::string> result;
    for (const Diagnostic& diagnostic : diagnostics) result.push_back(diagnostic.rule);
    return result;
  }
  std::vector<std::string> paths() const {
    std::vector<std::string> result;
    for (const TarRecord& record : entries) result.push_back(record.entry.path);
    return result;
  }

  std::vector<TarRecord> entries;
  std::vector<TarSide> sides;
  std::vector<Diagnostic> diagnostics;
  std::string log;
  bool in_order = true;  // the handler's contract was kept
  TarAccount account;
};

// Reads `archive` in pieces of `piece` bytes; 0: in one.
inline TarRecorder read_tar(std::string_view archive, const Limits& limits = {},
                            std::size_t piece = 0) {
  TarRecorder recorder;
  TarReader reader(limits, recorder);
  const Bytes bytes = as_bytes(archive);
  if (piece == 0) piece = bytes.size() + 1;
  for (std::size_t at = 0; at < bytes.size(); at += piece) reader.feed(clamp(bytes, at, piece));
  reader.finish();
  recorder.account = reader.account();
  return recorder;
}
inline bool is_balanced(const TarAccount& account) {
  return account.header + account.content + account.padding + account.side == account.total;
}

}  // namespace lazaret::format
