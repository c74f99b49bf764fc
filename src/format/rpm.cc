// rpm, version 3 and 4: a lead, a signature header, a header, and the payload, a compressed cpio
// (rpm, docs/manual/format_v4.md; LSB 5.0, "Package File Format").
//
//   lead, 96 bytes: ed ab ee db, ..., name[66] at 10, reserved[16] at 80
//   header: 8e ad e8 01, reserved[4], number of entries, size of the store (big-endian), entries of
//     16 bytes (tag, type, offset into the store, count), the store; the signature header is padded
//     to a multiple of 8
//
// Scriptlets are what an attacker needs: strings in the header that run as root when the package is
// installed or removed. Tags that rpm does not know and bytes of the store that no entry covers are
// carried along by every tool and looked at by none.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "format/archives.h"
#include "format/diagnostic_list.h"

namespace lazaret::format {
namespace {

constexpr std::uint64_t lead_size = 96, intro_size = 16, entry_size = 16;
constexpr std::uint32_t lead_magic = 0xedabeedb, header_magic = 0x8eade801;

enum Type : std::uint32_t {
  string_type = 6,
  binary_type = 7,
  string_array_type = 8,
  i18n_type = 9
};

enum Tag : std::uint32_t {
  name_tag = 1000,
  version_tag = 1001,
  release_tag = 1002,
  epoch_tag = 1003,
  architecture_tag = 1022,
};

struct Script {
  std::uint32_t tag;
  std::string_view name;
};
constexpr std::array scripts = {
    Script{1023, "prein"},
    Script{1024, "postin"},
    Script{1025, "preun"},
    Script{1026, "postun"},
    Script{1065, "triggerscripts"},
    Script{1079, "verifyscript"},
    Script{1151, "pretrans"},
    Script{1152, "posttrans"},
    Script{5066, "filetriggerscripts"},
    Script{5076, "transfiletriggerscripts"},
    Script{5103, "preuntrans"},
    Script{5104, "postuntrans"},
};
// The interpreters of the above: of interest when they have arguments, which may be the script.
constexpr std::array programs = {
    Script{1085, "preinprog"},
    Script{1086, "postinprog"},
    Script{1087, "preunprog"},
    Script{1088, "postunprog"},
    Script{1091, "verifyscriptprog"},
    Script{1092, "triggerscriptprog"},
    Script{1153, "pretransprog"},
    Script{1154, "posttransprog"},
    Script{5067, "filetriggerscriptprog"},
    Script{5077, "transfiletriggerscriptprog"},
    Script{5105, "preuntransprog"},
    Script{5106, "postuntransprog"},
};

template <typename List>
std::optional<std::string_view> find_script(const List& list, std::uint32_t tag) {
  const auto found = std::find_if(list.begin(), list.end(),
                                  [tag](const Script& script) { return script.tag == tag; });
  if (found == list.end()) return std::nullopt;
  return found->name;
}

// Tags in use by rpm: header regions and locale table, signatures, package tags of old and new.
bool is_known_tag(std::uint32_t tag) {
  return (tag >= 61 && tag <= 64) || tag == 100 || (tag >= 256 && tag <= 290) ||
         (tag >= 1000 && tag <= 1200) || (tag >= 5000 && tag <= 5200);
}

struct Entry {
  std::uint32_t tag = 0, type = 0, count = 0;
  std::uint64_t offset = 0;  // in the file
  Bytes data;
};

class Parser {
 public:
  Parser(Bytes content, const Limits& limits) : content_(content), limits_(limits) {}

  Rpm parse() {
    if (read_be<std::uint32_t>(content_, 0) != lead_magic || !slice(content_, 0, lead_size)) {
      malformed(0, "The package does not begin with a lead.");
      return take();
    }
    read_lead();
    const auto signature_end = read_header(lead_size);
    if (!signature_end) return take();
    const std::uint64_t padded =
        std::min<std::uint64_t>((*signature_end + 7) / 8 * 8, content_.size());
    add_gap_if_set(*signature_end, padded);
    entries_.clear();
    const auto header_end = read_header(padded);
    if (!header_end) return take();
    read_name();
    read_scripts();
    if (*header_end < content_.size()) {
      ArchiveMember payload;
      payload.path = "payload";
      payload.data = content_.subspan(static_cast<std::size_t>(*header_end));
      rpm_.contents.members.push_back(std::move(payload));
    } else {
      diagnostics_.add("anomaly.rpm-truncated", "The package has no payload.", *header_end, true);
    }
    return take();
  }

 private:
  Rpm take() {
    std::sort(rpm_.contents.gaps.begin(), rpm_.contents.gaps.end());
    rpm_.contents.diagnostics = diagnostics_.take();
    return std::move(rpm_);
  }

  void read_lead() {
    constexpr std::uint64_t name_offset = 10, name_size = 66, reserved_offset = 80;
    const std::string_view name = as_text(clamp(content_, name_offset, name_size));
    const std::uint64_t text_size = std::min(name.find('\0'), name.size());
    add_gap_if_set(name_offset + text_size, name_offset + name_size);
    add_gap_if_set(reserved_offset, lead_size);
  }

  // Reads the entries of the header at `offset` and returns where it ends.
  std::optional<std::uint64_t> read_header(std::uint64_t offset) {
    const auto count = read_be<std::uint32_t>(content_, offset + 8);
    const auto store_size = read_be<std::uint32_t>(content_, offset + 12);
    if (read_be<std::uint32_t>(content_, offset) != header_magic || !count || !store_size) {
      malformed(offset, "A header is missing or malformed.");
      return std::nullopt;
    }
    add_gap_if_set(offset + 4, offset + 8);
    const std::uint64_t index = offset + intro_size;
    const std::uint64_t index_size = entry_size * *count;
    const std::uint64_t store_offset = index + index_size;
    const auto store = slice(content_, store_offset, *store_size);
    if (!slice(content_, index, index_size) || !store) {
      malformed(offset, "A header ends behind the end of the file.");
      return std::nullopt;
    }
    if (*count > limits_.nested_entries) {
      malformed(offset, "A header has more entries than the limit allows.");
      return std::nullopt;
    }
    for (std::uint64_t i = 0; i < *count; ++i)
      read_entry(index + i * entry_size, *store, store_offset);
    find_store_gaps(*store, store_offset);
    return store_offset + *store_size;
  }

  void read_entry(std::uint64_t at, Bytes store, std::uint64_t store_offset) {
    Entry entry;
    entry.tag = *read_be<std::uint32_t>(content_, at);
    entry.type = *read_be<std::uint32_t>(content_, at + 4);
    const std::uint64_t offset = *read_be<std::uint32_t>(content_, at + 8);
    entry.count = *read_be<std::uint32_t>(content_, at + 12);
    const auto size = size_of(entry, store, offset);
    const auto data = size ? slice(store, offset, *size) : std::nullopt;
    if (!data) {
      diagnostics_.add("anomaly.rpm-malformed",
                       fmt::format("The header's entry of tag {} lies outside of it.", entry.tag),
                       at);
      return;
    }
    entry.data = *data;
    entry.offset = store_offset + offset;
    entries_.push_back(entry);
  }

  // The bytes an entry takes up in the store.
  std::optional<std::uint64_t> size_of(const Entry& entry, Bytes store, std::uint64_t offset) {
    constexpr std::uint64_t widths[] = {0, 1, 1, 2, 4, 8};
    if (entry.type < std::size(widths)) return widths[entry.type] * entry.count;
    if (entry.type == binary_type) return entry.count;
    if (entry.type > i18n_type || offset > store.size()) return std::nullopt;
    // Entries may overlap, so that counting their strings could take for ever.
    const std::string_view text = as_text(store).substr(static_cast<std::size_t>(offset));
    const std::uint64_t strings = entry.type == string_type ? 1 : entry.count;
    std::size_t end = 0;
    for (std::uint64_t i = 0; i < strings; ++i) {
      const std::size_t nul = text.find('\0', end);
      if (nul == std::string_view::npos) return std::nullopt;
      scanned_ += nul + 1 - end;
      if (scanned_ > max_scanned * content_.size()) return std::nullopt;
      end = nul + 1;
    }
    return end;
  }

  void find_store_gaps(Bytes store, std::uint64_t store_offset) {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
    for (const Entry& entry : entries_)
      ranges.emplace_back(entry.offset, entry.offset + entry.data.size());
    std::sort(ranges.begin(), ranges.end());
    std::uint64_t at = store_offset;
    for (const auto& [begin, end] : ranges) {
      add_gap_if_set(at, begin);
      at = std::max(at, end);
    }
    add_gap_if_set(at, store_offset + store.size());
  }

  const Entry* find(std::uint32_t tag) const {
    const auto found = std::find_if(entries_.begin(), entries_.end(),
                                    [tag](const Entry& entry) { return entry.tag == tag; });
    return found == entries_.end() ? nullptr : &*found;
  }
  std::string_view text(std::uint32_t tag) const {
    const Entry* entry = find(tag);
    if (entry == nullptr || entry->type < string_type || entry->type == binary_type) return {};
    const std::string_view bytes = as_text(entry->data);
    return bytes.substr(0, bytes.find('\0'));
  }

  void read_name() {
    const Entry* epoch = find(epoch_tag);
    const auto number = epoch != nullptr ? read_be<std::uint32_t>(epoch->data, 0) : std::nullopt;
    rpm_.name = text(name_tag);
    rpm_.name += '-';
    if (number) rpm_.name += std::to_string(*number) + ":";
    rpm_.name += text(version_tag);
    rpm_.name += '-';
    rpm_.name += text(release_tag);
    if (const std::string_view architecture = text(architecture_tag); !architecture.empty()) {
      rpm_.name += '.';
      rpm_.name += architecture;
    }
  }

  void read_scripts() {
    std::vector<std::uint32_t> seen;
    for (const Entry& entry : entries_) {
      const bool is_text =
          entry.type == string_type || entry.type == string_array_type || entry.type == i18n_type;
      if (const auto script = find_script(scripts, entry.tag); script && is_text) {
        if (std::find(seen.begin(), seen.end(), entry.tag) != seen.end()) {
          diagnostics_.add("anomaly.rpm-duplicate-tag",
                           fmt::format("The header has two scriptlets \"{}\".", *script),
                           entry.offset);
        } else {
          seen.push_back(entry.tag);
        }
        add_scripts("scriptlet/" + std::string(*script), entry);
      } else if (const auto program = find_script(programs, entry.tag);
                 program && is_text && entry.count > 1) {
        add_member("scriptlet/" + std::string(*program), entry.data);
      } else if (!is_known_tag(entry.tag) && (is_text || entry.type == binary_type)) {
        add_member("header/" + std::to_string(entry.tag), entry.data);
      }
    }
  }

  // One member for each string.
  void add_scripts(const std::string& path, const Entry& entry) {
    const std::string_view text = as_text(entry.data);
    std::size_t begin = 0;
    for (std::size_t number = 0; begin < text.size(); ++number) {
      const std::size_t end = std::min(text.find('\0', begin), text.size());
      add_member(number == 0 ? path : path + "/" + std::to_string(number),
                 entry.data.subspan(begin, end - begin));
      begin = end + 1;
    }
  }

  void add_member(std::string path, Bytes data) {
    // Entries may overlap; what is handed out must not be more than there is, by much.
    handed_out_ += data.size();
    if (handed_out_ > max_scanned * content_.size() ||
        rpm_.contents.members.size() >= limits_.nested_entries) {
      diagnostics_.add("anomaly.rpm-malformed", "The header's entries overlap.", 0, true,
                       data.size());
      return;
    }
    ArchiveMember member;
    member.path = std::move(path);
    member.data = data;
    rpm_.contents.members.push_back(std::move(member));
  }

  void malformed(std::uint64_t offset, std::string message) {
    offset = std::min<std::uint64_t>(offset, content_.size());
    diagnostics_.add("anomaly.rpm-malformed", std::move(message), offset, true,
                     content_.size() - offset);
    if (offset < content_.size()) rpm_.contents.gaps.emplace_back(offset, content_.size() - offset);
  }
  void add_gap_if_set(std::uint64_t begin, std::uint64_t end) {
    if (begin >= end) return;
    const std::string_view bytes = as_text(clamp(content_, begin, end - begin));
    const std::size_t zeros = bytes.find_first_not_of('\0');
    if (zeros != std::string_view::npos)
      rpm_.contents.gaps.emplace_back(begin + zeros, bytes.size() - zeros);
  }

  static constexpr std::uint64_t max_scanned = 4;

  const Bytes content_;
  const Limits& limits_;
  Rpm rpm_;
  DiagnosticList diagnostics_;
  std::vector<Entry> entries_;
  std::uint64_t scanned_ = 0, handed_out_ = 0;
};

}  // namespace

Rpm parse_rpm(Bytes content, const Limits& limits) {
  return Parser(content, limits).parse();
}

}  // namespace lazaret::format
