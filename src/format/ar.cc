// ar: "!<arch>\n", then members one behind the other, each a header of 60 bytes of text and content
// padded to an even offset (ar(5); GNU binutils, include/aout/ar.h; deb(5)):
//
//   0 name[16]  16 mtime[12]  28 uid[6]  34 gid[6]  40 mode[8] octal  48 size[10] decimal  58 "`\n"
//
// Long names: GNU keeps them in a member "//", one on a line, and names members "/<offset>"; BSD
// puts the name in front of the content and names the member "#1/<length>". GNU ends short names
// with '/'. In a .deb the order and the names of members matter, and tools differ in which of two
// members of the same name they take.
#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <unordered_set>

#include "format/archives.h"
#include "format/diagnostic_list.h"

namespace lazaret::format {
namespace {

constexpr std::string_view magic = "!<arch>\n";
constexpr std::string_view thin_magic = "!<thin>\n";
constexpr std::uint64_t header_size = 60;

// Digits with spaces behind them; all spaces are 0.
std::optional<std::uint64_t> read_number(std::string_view field, unsigned base) {
  std::uint64_t value = 0;
  field = field.substr(0, field.find_last_not_of(' ') + 1);
  for (const char c : field) {
    if (c < '0' || c >= static_cast<char>('0' + base)) return std::nullopt;
    value = value * base + static_cast<std::uint64_t>(c - '0');  // 12 digits at most
  }
  return value;
}

std::string_view without_spaces(std::string_view field) {
  return field.substr(0, field.find_last_not_of(' ') + 1);
}

class Parser {
 public:
  Parser(Bytes content, const Limits& limits) : content_(content), limits_(limits) {}

  Archive parse() {
    const std::string_view text = as_text(content_);
    if (text.starts_with(thin_magic)) {
      diagnostics_.add("anomaly.ar-thin",
                       "A thin archive holds names of files and not the files themselves.", 0,
                       true);
      add_gap(0, content_.size());
    } else if (!text.starts_with(magic)) {
      malformed(0, "The archive does not begin like one.");
    } else {
      read_members();
    }
    archive_.diagnostics = diagnostics_.take();
    return std::move(archive_);
  }

 private:
  void read_members() {
    std::uint64_t at = magic.size();
    while (at < content_.size()) {
      const auto header = slice(content_, at, header_size);
      if (!header) return malformed(at, "The archive ends within a header.");
      const std::string_view text = as_text(*header);
      const auto size = read_number(text.substr(48, 10), 10);
      if (!text.ends_with("`\n") || !size) return malformed(at, "A header is malformed.");
      if (archive_.members.size() >= limits_.nested_entries) {
        diagnostics_.add(
            "anomaly.ar-too-many-entries",
            fmt::format("The archive has more than {} members.", limits_.nested_entries), at, true,
            content_.size() - at);
        return add_gap(at, content_.size() - at);
      }
      const std::uint64_t data = at + header_size;
      ArchiveMember member;
      member.mode =
          static_cast<std::uint32_t>(read_number(text.substr(40, 8), 8).value_or(0)) & 07777;
      member.data = clamp(content_, data, *size);
      if (member.data.size() < *size) {
        diagnostics_.add("anomaly.ar-truncated", "The archive ends within a member.", at, true,
                         *size - member.data.size());
      }
      at = data + member.data.size();
      resolve_name(without_spaces(text.substr(0, 16)), data, member);
      offsets_.push_back(data);
      archive_.members.push_back(std::move(member));
      if (at % 2 != 0 && at < content_.size()) {
        if (content_[at] != '\n' && content_[at] != 0) add_gap(at, 1);
        ++at;
      }
    }
    report_duplicates();
  }

  void resolve_name(std::string_view field, std::uint64_t data, ArchiveMember& member) {
    if (field == "//") {
      names_ = as_text(member.data);
      member.path = field;
    } else if (field.starts_with("#1/")) {
      const auto size = read_number(field.substr(3), 10);
      if (!size || *size > member.data.size()) {
        member.path = field;
        diagnostics_.add("anomaly.ar-malformed", "A long name is longer than its member.", data);
        return;
      }
      const std::string_view name = as_text(member.data.first(static_cast<std::size_t>(*size)));
      const std::size_t name_size = std::min(name.find('\0'), name.size());
      member.path = limited(name.substr(0, name_size), data);
      const std::size_t slack = name.find_first_not_of('\0', name_size);
      if (slack != std::string_view::npos) add_gap(data + slack, *size - slack);
      member.data = member.data.subspan(static_cast<std::size_t>(*size));
    } else if (field.size() > 1 && field[0] == '/' && field[1] >= '0' && field[1] <= '9') {
      const auto offset = read_number(field.substr(1), 10);
      if (!offset || *offset >= names_.size()) {
        member.path = field;
        diagnostics_.add("anomaly.ar-malformed", "A member's name is not in the table of names.",
                         data);
        return;
      }
      std::string_view name = names_.substr(static_cast<std::size_t>(*offset));
      name = name.substr(0, name.find_first_of(std::string_view("\n\0", 2)));
      if (name.ends_with('/')) name.remove_suffix(1);
      member.path = limited(name, data);
    } else {
      if (field.size() > 1 && field.ends_with('/') && field[0] != '/') field.remove_suffix(1);
      member.path = field;
    }
  }

  // Many members can name one long line of the table, so that a cut is needed.
  std::string_view limited(std::string_view name, std::uint64_t offset) {
    if (name.size() <= limits_.path_bytes) return name;
    diagnostics_.add("anomaly.ar-long-path", fmt::format("A name of {} bytes is cut.", name.size()),
                     offset);
    return name.substr(0, static_cast<std::size_t>(limits_.path_bytes));
  }

  void report_duplicates() {
    std::unordered_set<std::string_view> names;
    for (std::size_t i = 0; i < archive_.members.size(); ++i) {
      const std::string& path = archive_.members[i].path;
      if (names.insert(path).second) continue;
      diagnostics_.add("anomaly.ar-duplicate-name",
                       fmt::format("Two members are named \"{}\"; readers differ in which counts.",
                                   path.substr(0, 200)),
                       offsets_[i]);
    }
  }

  void malformed(std::uint64_t offset, std::string message) {
    diagnostics_.add("anomaly.ar-malformed", std::move(message), offset, true,
                     content_.size() - offset);
    add_gap(offset, content_.size() - offset);
    report_duplicates();
  }
  void add_gap(std::uint64_t offset, std::uint64_t size) {
    if (size > 0) archive_.gaps.emplace_back(offset, size);
  }

  const Bytes content_;
  const Limits& limits_;
  Archive archive_;
  DiagnosticList diagnostics_;
  std::string_view names_;
  std::vector<std::uint64_t> offsets_;  // of the members' data
};

}  // namespace

Archive parse_ar(Bytes content, const Limits& limits) {
  return Parser(content, limits).parse();
}

}  // namespace lazaret::format
