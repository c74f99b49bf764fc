// A zip is read from its end: the end record names the central directory, whose headers name the
// local headers, each in front of its member's content. Some readers go from the front instead and
// see only local headers. So the same bytes can be two archives:
//  - a second end record inside of the comment of the first, or in front of it;
//  - local headers that no central header names, and names, methods and sizes that differ between
//  the
//    two headers of one member;
//  - offsets that count from the beginning of the file, or of the archive behind something else (a
//    self-extractor, a shell script);
//  - members that share content: David Fifield's bomb (2019) lets 250 members overlap, each quoting
//    the headers of the next, and expands 10 MB to 281 TB without any nesting.
// The central directory that most readers find decides what a member is. Whatever it leaves out is
// looked for local headers, and what is then still left is a gap.
#include "format/zip.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <unordered_set>

#include "format/diagnostic_list.h"
#include "format/zip_records.h"

namespace lazaret::format {
namespace {

constexpr std::uint64_t max_end_distance = 22 + 65535;

struct Range {
  std::uint64_t begin = 0, end = 0;
  bool member = false;
};

std::string_view shown(std::string_view name) {
  return name.substr(0, 200);
}

class Parser {
 public:
  Parser(Bytes content, const Limits& limits) : content_(content), limits_(limits) {}

  ZipFile parse() {
    if (const auto end = find_end()) read_directory(*end);
    report_overlap();
    report_other_ends();
    read_rest();
    report_duplicates();
    std::sort(file_.gaps.begin(), file_.gaps.end(),
              [](const ZipFile::Gap& a, const ZipFile::Gap& b) { return a.offset < b.offset; });
    file_.diagnostics = diagnostics_.take();
    return std::move(file_);
  }

 private:
  // The last end record in the file; others in reach of a reader are reported by
  // report_other_ends().
  std::optional<ZipEnd> find_end() {
    const std::string_view text = as_text(content_);
    const std::uint64_t reach =
        content_.size() - std::min<std::uint64_t>(content_.size(), max_end_distance);
    std::optional<ZipEnd> found;
    for (std::size_t at = text.rfind(zip_end_signature);
         at != std::string_view::npos && (at >= reach || !found);
         at = at == 0 ? std::string_view::npos : text.rfind(zip_end_signature, at - 1)) {
      const auto end = read_end_record(content_, at);
      if (!end) continue;
      if (!found) {
        found = end;
      } else {
        other_ends_.push_back(at);
      }
    }
    if (!found) {
      diagnostics_.add("anomaly.zip-no-directory",
                       "The archive has no end record; its members were looked for by their local "
                       "headers.",
                       0);
    }
    return found;
  }

  void read_directory(const ZipEnd& end) {
    file_.comment = end.comment;
    ranges_.push_back({end.records_offset, end.offset + end.size});
    if (end.disk != 0) {
      diagnostics_.add("anomaly.zip-multi-disk",
                       "The archive is one part of several; the others are not here.", end.offset,
                       true);
    }
    const auto start = find_directory(end);
    if (!start) {
      if (end.entries > 0 || end.directory_size > 0)
        diagnostics_.add("anomaly.zip-no-directory",
                         "The end record names a central directory that is not there.", end.offset,
                         end.entries > 0);
      return;
    }
    std::uint64_t at = *start;
    std::uint64_t count = 0;
    while (at < end.records_offset) {
      const auto header = read_central_header(content_, at);
      if (!header) break;
      ++count;
      if (!room()) break;
      add_member(*header);
      at += header->header_size;
    }
    ranges_.push_back({*start, at});
    // Without zip64 the number is cut to 16 bits by some writers.
    const std::uint64_t mask = end.records_offset == end.offset ? 0xffff : ~0ull;
    if ((count & mask) != (end.entries & mask) && !full_) {
      diagnostics_.add("anomaly.zip-entry-count",
                       fmt::format("The end record counts {} members and the central directory "
                                   "lists {}.",
                                   end.entries, count),
                       end.offset);
    }
  }

  // Where the central directory begins: in front of the end records, or where they say.
  std::optional<std::uint64_t> find_directory(const ZipEnd& end) {
    std::optional<std::uint64_t> by_size;
    if (end.directory_size > 0 && end.directory_size <= end.records_offset)
      by_size = end.records_offset - end.directory_size;
    const auto is_directory = [&](std::uint64_t at) {
      return has_signature(content_, at, zip_central_signature);
    };
    const bool size_is_right = by_size && is_directory(*by_size);
    const bool offset_is_right =
        end.directory_offset < end.records_offset && is_directory(end.directory_offset);
    if (size_is_right && offset_is_right && *by_size != end.directory_offset) {
      diagnostics_.add("anomaly.zip-second-directory",
                       "The end record's offset and size lead to two central directories.",
                       end.offset);
    }
    has_directory_ = size_is_right || offset_is_right;
    if (size_is_right) {
      // Offsets may not count what stands in front of the archive.
      if (*by_size > end.directory_offset) base_ = *by_size - end.directory_offset;
      return by_size;
    }
    if (offset_is_right) return end.directory_offset;
    return std::nullopt;
  }

  // Ranges are sorted by now.
  void report_other_ends() {
    std::sort(other_ends_.begin(), other_ends_.end());
    std::size_t range = 0;
    std::uint64_t member_end = 0;
    for (const std::uint64_t at : other_ends_) {
      for (; range < ranges_.size() && ranges_[range].begin <= at; ++range) {
        if (ranges_[range].member) member_end = std::max(member_end, ranges_[range].end);
      }
      if (at < member_end) continue;  // a zip inside of a zip
      diagnostics_.add("anomaly.zip-second-directory",
                       "A second end record is in reach of readers, which may see another archive.",
                       at);
    }
  }

  bool room() {
    if (file_.entries.size() < limits_.nested_entries) return true;
    if (!full_) {
      diagnostics_.add("anomaly.zip-too-many-entries",
                       fmt::format("The archive has more than {} members.", limits_.nested_entries),
                       0, true);
    }
    full_ = true;
    return false;
  }

  void add_gap(std::uint64_t offset, std::uint64_t size) {
    if (size > 0) file_.gaps.push_back({offset, size});
  }
  void add_unread(const ZipHeader& header) {
    for (const auto& [offset, size] : header.unread) add_gap(offset, size);
  }

  void add_member(const ZipHeader& central) {
    ZipEntry entry;
    entry.path = central.name;
    entry.method = central.method;
    entry.size = central.size;
    entry.crc32 = central.crc32;
    entry.encrypted = central.encrypted();
    const std::uint32_t mode = central.attributes >> 16;
    constexpr std::uint32_t type_mask = 0170000, symlink_type = 0120000, directory_type = 0040000;
    const bool is_unix = central.host == 3 || central.host == 19;
    if (is_unix) {
      entry.mode = mode & 07777;
      entry.is_symlink = (mode & type_mask) == symlink_type;
    }
    entry.is_directory = entry.path.ends_with('/') ||
                         (is_unix && (mode & type_mask) == directory_type) ||
                         (!is_unix && (central.attributes & 0x10) != 0);
    add_unread(central);
    report_unicode_name(central);

    std::uint64_t offset = checked_add(base_, central.local_offset).value_or(~0ull);
    if (!has_signature(content_, offset, zip_local_signature)) offset = central.local_offset;
    entry.header_offset = offset;
    const auto local = read_local_header(content_, offset);
    if (!local) {
      diagnostics_.add("anomaly.zip-missing-entry",
                       fmt::format("The member \"{}\" has no local header where the central "
                                   "directory says.",
                                   shown(entry.path)),
                       central.offset, true, central.encoded_size);
      file_.entries.push_back(std::move(entry));
      return;
    }
    compare(central, *local);
    add_unread(*local);
    const std::uint64_t data_offset = offset + local->header_size;
    entry.data = clamp(content_, data_offset, central.encoded_size);
    std::uint64_t end = data_offset + entry.data.size();
    if (entry.data.size() < central.encoded_size) {
      diagnostics_.add(
          "anomaly.zip-truncated",
          fmt::format("The member \"{}\" ends behind the end of the file.", shown(entry.path)),
          offset, true, central.encoded_size - entry.data.size());
    } else if (central.has_descriptor() || local->has_descriptor()) {
      end += descriptor_size(content_, end, central.encoded_size);
    }
    ranges_.push_back({offset, end, true});
    file_.entries.push_back(std::move(entry));
  }

  void report_unicode_name(const ZipHeader& header) {
    if (header.unicode_name.empty() || header.unicode_name == header.name) return;
    const bool ascii = std::all_of(header.name.begin(), header.name.end(), [](char c) {
      return static_cast<unsigned char>(c) < 0x80 && c != '?' && c != '_';
    });
    if (!ascii) return;  // the same name in another character set
    diagnostics_.add(
        "anomaly.zip-name-disagreement",
        fmt::format("\"{}\" has a second name, \"{}\"; readers differ in which counts.",
                    shown(header.name), shown(header.unicode_name)),
        header.offset);
  }

  void compare(const ZipHeader& central, const ZipHeader& local) {
    if (central.name != local.name) {
      diagnostics_.add("anomaly.zip-name-disagreement",
                       fmt::format("The central directory says \"{}\" and the local header \"{}\".",
                                   shown(central.name), shown(local.name)),
                       local.offset);
    }
    report_unicode_name(local);
    // Sizes of 0 stand in the local header when a descriptor follows.
    const auto differ = [&](std::uint64_t here, std::uint64_t there) {
      return here != there && !(local.has_descriptor() && (there == 0 || there == 0xffffffff));
    };
    std::string what;
    if (central.method != local.method) what = "method";
    if (central.encrypted() != local.encrypted()) what = "encryption";
    if (differ(central.encoded_size, local.encoded_size) || differ(central.size, local.size))
      what = "size";
    if (what.empty()) return;
    diagnostics_.add(
        "anomaly.zip-header-disagreement",
        fmt::format("The two headers of \"{}\" differ in its {}.", shown(central.name), what),
        local.offset);
  }

  void report_overlap() {
    std::sort(ranges_.begin(), ranges_.end(), [](const Range& a, const Range& b) {
      return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
    });
    std::uint64_t end = 0, overlapping = 0, first = 0;
    for (const Range& range : ranges_) {
      if (range.begin < end && range.end > range.begin) {
        if (overlapping++ == 0) first = range.begin;
      }
      end = std::max(end, range.end);
    }
    if (overlapping > 0) {
      diagnostics_.add("anomaly.zip-overlap",
                       fmt::format("{} members share bytes with others, as they do in "
                                   "decompression bombs.",
                                   overlapping),
                       first);
    }
  }

  // What lies between the ranges: local headers that nobody names, and gaps.
  void read_rest() {
    std::uint64_t at = 0;
    const std::vector<Range> ranges = ranges_;
    for (const Range& range : ranges) {
      if (range.begin > at) read_gap(at, range.begin);
      at = std::max(at, range.end);
    }
    if (at < content_.size()) read_gap(at, content_.size());
  }

  void read_gap(std::uint64_t begin, std::uint64_t end) {
    // Reads nothing behind `end`: what follows is accounted for.
    const Bytes bytes = content_.first(static_cast<std::size_t>(end));
    const std::string_view text = as_text(bytes);
    std::uint64_t at = begin;
    while (at < end) {
      const std::size_t found = text.find(zip_local_signature, at);
      if (found == std::string_view::npos) break;
      const auto local = plausible_local(bytes, found);
      if (!local) {
        at = found + 1;
        continue;
      }
      if (!room()) break;
      add_gap(begin, found - begin);
      at = begin = add_local_member(bytes, *local);
    }
    add_gap(begin, end - begin);
  }

  static std::optional<ZipHeader> plausible_local(Bytes bytes, std::uint64_t offset) {
    auto local = read_local_header(bytes, offset);
    if (!local || local->name.empty() || local->method > 99) return std::nullopt;
    return local;
  }

  // Returns where it ends.
  std::uint64_t add_local_member(Bytes bytes, const ZipHeader& local) {
    ZipEntry entry;
    entry.path = local.name;
    entry.method = local.method;
    entry.crc32 = local.crc32;
    entry.size = local.size;
    entry.encrypted = local.encrypted();
    entry.is_directory = entry.path.ends_with('/');
    entry.only_local = true;
    entry.header_offset = local.offset;
    add_unread(local);
    const std::uint64_t data_offset = local.offset + local.header_size;
    std::uint64_t size = local.encoded_size;
    std::uint64_t descriptor = 0;
    if (local.has_descriptor() && (size == 0 || size == 0xffffffff)) {
      size = find_local_end(bytes, data_offset) - data_offset;
      descriptor = descriptor_size(bytes, data_offset + size, size);
    } else if (local.has_descriptor()) {
      const auto end = checked_add(data_offset, size);
      if (end) descriptor = descriptor_size(bytes, *end, size);
    }
    entry.data = clamp(bytes, data_offset, size);
    if (entry.data.size() < size) {
      diagnostics_.add(
          "anomaly.zip-truncated",
          fmt::format("The member \"{}\" ends behind the bytes that are there.", shown(entry.path)),
          local.offset, true, size - entry.data.size());
    }
    if (has_directory_) {
      diagnostics_.add("anomaly.zip-hidden-entry",
                       fmt::format("The central directory does not list \"{}\"; readers from the "
                                   "front see it.",
                                   shown(entry.path)),
                       local.offset);
    }
    const std::uint64_t end = data_offset + entry.data.size() + descriptor;
    file_.entries.push_back(std::move(entry));
    return end;
  }

  // The end of content whose size stands behind it: at a descriptor that fits, or at the next
  // header.
  static std::uint64_t find_local_end(Bytes bytes, std::uint64_t begin) {
    const std::string_view text = as_text(bytes);
    for (std::size_t at = text.find("PK", begin); at != std::string_view::npos;
         at = text.find("PK", at + 1)) {
      if (has_signature(bytes, at, zip_descriptor_signature) &&
          descriptor_size(bytes, at, at - begin) > 0)
        return at;
      if (has_signature(bytes, at, zip_central_signature) || plausible_local(bytes, at)) return at;
    }
    return bytes.size();
  }

  void report_duplicates() {
    std::unordered_set<std::string_view> names;
    for (const ZipEntry& entry : file_.entries) {
      if (names.insert(entry.path).second) continue;
      diagnostics_.add("anomaly.zip-duplicate-name",
                       fmt::format("Two members are named \"{}\"; readers differ in which counts.",
                                   shown(entry.path)),
                       entry.header_offset);
    }
  }

  const Bytes content_;
  const Limits& limits_;
  ZipFile file_;
  DiagnosticList diagnostics_;
  std::vector<std::uint64_t> other_ends_;
  std::vector<Range> ranges_;
  std::uint64_t base_ = 0;
  bool has_directory_ = false, full_ = false;
};

}  // namespace

ZipFile parse_zip(Bytes content, const Limits& limits) {
  return Parser(content, limits).parse();
}

}  // namespace lazaret::format
