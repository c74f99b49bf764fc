// cpio: members one behind the other, each a header with magic, a name that ends in NUL, and
// content; the last member is named "TRAILER!!!" (cpio(5); POSIX.1-2017, pax, "cpio Interchange
// Format"; Linux, Documentation/driver-api/early-userspace/buffer-format.rst):
//
//   newc "070701", crc "070702": 13 fields of 8 hexadecimal digits; name and content padded to 4
//   odc "070707": octal digits, no padding
//   binary, magic 070707 as a number in either byte order: 13 words of 16 bits, 32-bit numbers with
//     the high half first, name and content padded to 2
//   rpm for large files "07070X": an index into the package's header; sizes stand there, not here
//
// Archives follow one another, with zeros between them (initramfs images do). Hard links in newc
// have their content behind the last of their names only.
#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>

#include "format/archives.h"
#include "format/diagnostic_list.h"

namespace lazaret::format {
namespace {

constexpr std::uint32_t type_mask = 0170000, symlink_type = 0120000;
constexpr std::string_view trailer = "TRAILER!!!";

struct Header {
  std::uint64_t size = 0;       // of the header
  std::uint64_t alignment = 1;  // of name and content
  std::uint32_t mode = 0;
  std::uint64_t device = 0, inode = 0, links = 0;
  std::uint64_t name_size = 0, file_size = 0;
};

std::optional<std::uint64_t> read_digits(std::string_view text, unsigned base) {
  std::uint64_t value = 0;
  for (const char c : text) {
    unsigned digit = 16;
    if (c >= '0' && c <= '9') digit = static_cast<unsigned>(c - '0');
    if (c >= 'a' && c <= 'f') digit = static_cast<unsigned>(c - 'a') + 10;
    if (c >= 'A' && c <= 'F') digit = static_cast<unsigned>(c - 'A') + 10;
    if (digit >= base) return std::nullopt;
    value = value * base + digit;  // 11 octal or 8 hexadecimal digits at most
  }
  return value;
}

std::optional<Header> read_newc(Bytes content, std::uint64_t offset) {
  constexpr std::size_t fields = 13;
  const auto bytes = slice(content, offset, 6 + 8 * fields);
  if (!bytes) return std::nullopt;
  std::uint64_t values[fields];
  for (std::size_t i = 0; i < fields; ++i) {
    const auto value = read_digits(as_text(bytes->subspan(6 + 8 * i, 8)), 16);
    if (!value) return std::nullopt;
    values[i] = *value;
  }
  Header header;
  header.size = bytes->size();
  header.alignment = 4;
  header.inode = values[0];
  header.mode = static_cast<std::uint32_t>(values[1]);
  header.links = values[4];
  header.file_size = values[6];
  header.device = values[7] << 32 | values[8];
  header.name_size = values[11];
  return header;
}

std::optional<Header> read_odc(Bytes content, std::uint64_t offset) {
  constexpr std::size_t widths[] = {6, 6, 6, 6, 6, 6, 6, 11, 6, 11};
  const auto bytes = slice(content, offset, 76);
  if (!bytes) return std::nullopt;
  std::uint64_t values[std::size(widths)];
  std::size_t at = 6;
  for (std::size_t i = 0; i < std::size(widths); at += widths[i++]) {
    const auto value = read_digits(as_text(bytes->subspan(at, widths[i])), 8);
    if (!value) return std::nullopt;
    values[i] = *value;
  }
  Header header;
  header.size = bytes->size();
  header.device = values[0];
  header.inode = values[1];
  header.mode = static_cast<std::uint32_t>(values[2]);
  header.links = values[5];
  header.name_size = values[8];
  header.file_size = values[9];
  return header;
}

std::optional<Header> read_binary(Bytes content, std::uint64_t offset, bool big_endian) {
  const auto bytes = slice(content, offset, 26);
  if (!bytes) return std::nullopt;
  const auto word = [&](std::uint64_t index) -> std::uint64_t {
    return big_endian ? *read_be<std::uint16_t>(*bytes, 2 * index)
                      : *read_le<std::uint16_t>(*bytes, 2 * index);
  };
  Header header;
  header.size = bytes->size();
  header.alignment = 2;
  header.device = word(1);
  header.inode = word(2);
  header.mode = static_cast<std::uint32_t>(word(3));
  header.links = word(6);
  header.name_size = word(10);
  header.file_size = word(11) << 16 | word(12);
  return header;
}

class Parser {
 public:
  Parser(Bytes content, const Limits& limits) : content_(content), limits_(limits) {}

  Archive parse() {
    std::uint64_t at = 0;
    while (at < content_.size()) {
      const std::uint64_t next = read_member(at);
      if (next == at) break;
      at = next;
    }
    if (!ended_ && !stopped_ && at >= content_.size()) {
      diagnostics_.add("anomaly.cpio-missing-end", "The archive ends without its trailer.", at);
    }
    name_hard_links();
    archive_.diagnostics = diagnostics_.take();
    return std::move(archive_);
  }

 private:
  std::optional<Header> read_header(std::uint64_t at) const {
    const std::string_view magic = as_text(clamp(content_, at, 6));
    if (magic == "070701" || magic == "070702") return read_newc(content_, at);
    if (magic == "070707") return read_odc(content_, at);
    if (magic.starts_with("\xc7\x71")) return read_binary(content_, at, false);
    if (magic.starts_with("\x71\xc7")) return read_binary(content_, at, true);
    return std::nullopt;
  }

  // Where the next member begins; `at` itself to stop.
  std::uint64_t read_member(std::uint64_t at) {
    if (content_[at] == 0) return skip_zeros(at);
    if (as_text(clamp(content_, at, 6)) == "07070X") {
      diagnostics_.add("anomaly.cpio-stripped",
                       "The sizes of members stand in a package's header; they were looked at as "
                       "one run of bytes.",
                       at);
      return stop(at);
    }
    const auto header = read_header(at);
    if (!header || header->name_size == 0) return resynchronise(at);
    if (archive_.members.size() >= limits_.nested_entries) {
      diagnostics_.add("anomaly.cpio-too-many-entries",
                       fmt::format("The archive has more than {} members.", limits_.nested_entries),
                       at, true, content_.size() - at);
      return stop(at);
    }
    const std::uint64_t name_offset = at + header->size;
    const auto name_bytes = slice(content_, name_offset, header->name_size);
    if (!name_bytes) {
      diagnostics_.add("anomaly.cpio-truncated", "The archive ends within a name.", at, true);
      return stop(at);
    }
    const std::string_view field = as_text(*name_bytes);
    const std::string_view name = field.substr(0, field.find('\0'));
    add_gap_if_set(name_offset + name.size(), name_offset + field.size());
    const std::uint64_t name_end = name_offset + header->name_size;
    const std::uint64_t data_offset = aligned(name_end, at, header->alignment);
    add_gap_if_set(name_end, data_offset);
    const Bytes data = clamp(content_, data_offset, header->file_size);
    if (data.size() < header->file_size) {
      diagnostics_.add("anomaly.cpio-truncated",
                       fmt::format("The archive ends within \"{}\".", name.substr(0, 200)), at,
                       true, header->file_size - data.size());
    }
    const std::uint64_t data_end =
        std::min<std::uint64_t>(data_offset, content_.size()) + data.size();
    const std::uint64_t next = aligned(data_end, at, header->alignment);
    add_gap_if_set(data_end, next);
    if (name == trailer) {
      ended_ = true;
      if (!data.empty()) add_gap(data_offset, data.size());
      return next;
    }
    ended_ = false;
    add_member(*header, name, data, at);
    return next;
  }

  void add_member(const Header& header, std::string_view name, Bytes data, std::uint64_t offset) {
    if (name.size() > limits_.path_bytes) {
      diagnostics_.add("anomaly.cpio-long-path",
                       fmt::format("A name is {} bytes long.", name.size()), offset);
    }
    ArchiveMember member;
    member.path = name;
    member.mode = header.mode & 07777;
    member.data = data;
    constexpr std::size_t longest_target = 4096;  // PATH_MAX
    if ((header.mode & type_mask) == symlink_type && data.size() <= longest_target) {
      member.link_target = as_text(data);
      member.data = {};
    } else if (header.links > 1) {
      links_[{header.device, header.inode}].push_back(archive_.members.size());
    }
    archive_.members.push_back(std::move(member));
  }

  // Members that are one file and have no content name the one that has it.
  void name_hard_links() {
    for (const auto& [file, members] : links_) {
      const auto holder = std::find_if(members.begin(), members.end(), [&](std::size_t index) {
        return !archive_.members[index].data.empty();
      });
      if (holder == members.end()) continue;
      for (const std::size_t index : members) {
        ArchiveMember& member = archive_.members[index];
        if (member.data.empty()) member.link_target = archive_.members[*holder].path;
      }
    }
  }

  // Behind a trailer zeros fill the block, and another archive may follow.
  std::uint64_t skip_zeros(std::uint64_t at) {
    const std::string_view rest = as_text(content_).substr(static_cast<std::size_t>(at));
    const std::size_t zeros = rest.find_first_not_of('\0');
    if (zeros == std::string_view::npos) return content_.size();
    return at + zeros;
  }

  std::uint64_t resynchronise(std::uint64_t at) {
    const std::string_view text = as_text(content_);
    std::uint64_t next = content_.size();
    // The text forms only: two bytes of the binary form are anywhere.
    for (std::size_t found = text.find("07070", at + 1); found != std::string_view::npos;
         found = text.find("07070", found + 1)) {
      const auto header = read_header(found);
      if (!header || header->name_size == 0) continue;
      next = found;
      break;
    }
    // Behind the end these are bytes of something else and no damage.
    diagnostics_.add(ended_ ? "anomaly.cpio-after-end" : "anomaly.cpio-malformed",
                     fmt::format("{} bytes are no header where one should be.", next - at), at,
                     !ended_, next - at);
    if (next == content_.size()) return stop(at);
    add_gap(at, next - at);
    return next;
  }

  std::uint64_t stop(std::uint64_t at) {
    stopped_ = true;
    add_gap(at, content_.size() - at);
    return at;
  }

  // `offset` rounded up, counted from the beginning of the member (which is itself aligned unless
  // the archive stands behind something else); not beyond the end.
  std::uint64_t aligned(std::uint64_t offset, std::uint64_t member, std::uint64_t alignment) const {
    const std::uint64_t up = (offset - member + alignment - 1) / alignment * alignment + member;
    return std::max(offset, std::min<std::uint64_t>(up, content_.size()));
  }

  void add_gap(std::uint64_t offset, std::uint64_t size) {
    if (size > 0) archive_.gaps.emplace_back(offset, size);
  }
  // Padding, and bytes behind the NUL of a name, are a gap unless they are zeros.
  void add_gap_if_set(std::uint64_t begin, std::uint64_t end) {
    if (begin >= end) return;
    const std::string_view bytes = as_text(clamp(content_, begin, end - begin));
    const std::size_t zeros = bytes.find_first_not_of('\0');
    if (zeros != std::string_view::npos) add_gap(begin + zeros, bytes.size() - zeros);
  }

  const Bytes content_;
  const Limits& limits_;
  Archive archive_;
  DiagnosticList diagnostics_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::vector<std::size_t>> links_;
  bool ended_ = false, stopped_ = false;
};

}  // namespace

Archive parse_cpio(Bytes content, const Limits& limits) {
  return Parser(content, limits).parse();
}

}  // namespace lazaret::format
