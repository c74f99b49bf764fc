// The reader goes by program headers first and section headers second: the kernel and the dynamic linker only look at the former, so that stripped
// section headers hide nothing. Every table is bounded; a field that points outside of the file costs that table and a diagnostic, never the rest.
#include "format/elf.h"

#include <algorithm>
#include <optional>

namespace lazaret::format {
namespace {

constexpr std::uint32_t pt_load = 1, pt_dynamic = 2, pt_interp = 3, pt_note = 4;
constexpr std::uint32_t sht_symtab = 2, sht_note = 7, sht_nobits = 8, sht_dynsym = 11;
constexpr std::uint64_t dt_rela = 7, dt_rela_size = 8, dt_init = 12, dt_init_array = 25, dt_init_array_size = 27;
constexpr std::uint64_t dt_needed = 1, dt_hash = 4, dt_strtab = 5, dt_symtab = 6, dt_strsz = 10, dt_soname = 14, dt_rpath = 15, dt_runpath = 29, dt_gnu_hash = 0x6ffffef5;

constexpr std::size_t segments_limit = 512, sections_limit = 65536, symbols_limit = 400'000, needed_limit = 1024, dynamic_limit = 4096;
constexpr std::size_t initialisers_limit = 256, relocations_limit = 200'000;
constexpr std::size_t diagnostics_limit = 32, name_limit = 512;

class Reader {
 public:
  Reader(Bytes content, std::uint64_t file_size) : content_(content), file_size_(std::max<std::uint64_t>(file_size, content.size())) {}

  ElfFile read() {
    if (!read_header()) return std::move(elf_);
    read_segments();
    read_sections();
    read_dynamic();
    read_notes();
    elf_.statically_linked = elf_.type == 2 && elf_.interpreter.empty() && elf_.needed.empty();
    find_end();
    return std::move(elf_);
  }

 private:
  template <typename T>
  std::optional<T> number(std::uint64_t offset) const {
    return elf_.big_endian ? read_be<T>(content_, offset) : read_le<T>(content_, offset);
  }
  std::uint64_t half(std::uint64_t offset) const { return number<std::uint16_t>(offset).value_or(0); }
  std::uint64_t word(std::uint64_t offset) const { return number<std::uint32_t>(offset).value_or(0); }
  // An address or offset: four bytes or eight.
  std::uint64_t wide(std::uint64_t offset) const { return elf_.is_64 ? number<std::uint64_t>(offset).value_or(0) : word(offset); }

  bool partial() const { return content_.size() < file_size_; }

  void note(std::string rule, std::string message, std::uint64_t offset) {
    if (elf_.diagnostics.size() < diagnostics_limit) elf_.diagnostics.push_back({std::move(rule), std::move(message), offset, false, 0});
  }

  std::string text(std::uint64_t offset) const {
    const std::string_view rest = as_text(clamp(content_, offset, name_limit));
    return std::string(rest.substr(0, rest.find('\0')));
  }

  bool read_header() {
    if (content_.size() < 52 || as_text(content_.first(4)) != "\x7f""ELF") return false;
    elf_.is_64 = content_[4] == 2;
    elf_.big_endian = content_[5] == 2;
    if (content_[4] < 1 || content_[4] > 2 || content_[5] < 1 || content_[5] > 2) {
      note("anomaly.elf-header", "the class or byte order of the ELF header is none that exists", 4);
      return false;
    }
    if (elf_.is_64 && content_.size() < 64) return false;
    elf_.valid = true;
    elf_.type = static_cast<std::uint16_t>(half(16));
    elf_.machine = static_cast<std::uint16_t>(half(18));
    elf_.entry = wide(24);
    const std::uint64_t at = elf_.is_64 ? 32 : 28;
    const std::uint64_t width = elf_.is_64 ? 8 : 4;
    program_offset_ = wide(at);
    section_offset_ = wide(at + width);
    const std::uint64_t counts = at + 2 * width + 4 + 2;
    program_size_ = half(counts);
    program_count_ = half(counts + 2);
    section_size_ = half(counts + 4);
    section_count_ = half(counts + 6);
    section_names_ = half(counts + 8);
    return true;
  }

  void read_segments() {
    const std::uint64_t least = elf_.is_64 ? 56 : 32;
    if (program_count_ == 0) return;
    if (program_size_ < least || program_count_ > segments_limit) {
      note("anomaly.elf-program-headers", "the program headers have an impossible size or number", program_offset_);
      return;
    }
    for (std::uint64_t i = 0; i < program_count_; ++i) {
      const auto offset = checked_add(program_offset_, i * program_size_);
      if (!offset || !slice(content_, *offset, least)) {
        if (!partial()) note("anomaly.elf-program-headers", "the program headers lie outside of the file", program_offset_);
        return;
      }
      ElfSegment segment;
      const std::uint64_t o = *offset;
      segment.type = static_cast<std::uint32_t>(word(o));
      if (elf_.is_64) {
        segment.flags = static_cast<std::uint32_t>(word(o + 4));
        segment.offset = wide(o + 8);
        segment.address = wide(o + 16);
        segment.file_size = wide(o + 32);
        segment.memory_size = wide(o + 40);
      } else {
        segment.offset = word(o + 4);
        segment.address = word(o + 8);
        segment.file_size = word(o + 16);
        segment.memory_size = word(o + 20);
        segment.flags = static_cast<std::uint32_t>(word(o + 24));
      }
      if (segment.type == pt_interp && segment.file_size > 0) elf_.interpreter = text(segment.offset);
      const auto end = checked_add(segment.offset, segment.file_size);
      // Files with debugging symbols only keep the headers of segments that are not there.
      if (segment.type == pt_load && (!end || *end > file_size_) && elf_.entry != 0 && segment.file_size > 0) outside_ = true;
      elf_.segments.push_back(segment);
    }
  }

  void read_sections() {
    const std::uint64_t least = elf_.is_64 ? 64 : 40;
    if (section_offset_ == 0 || section_size_ < least) return;
    std::uint64_t count = section_count_;
    if (count == 0) count = elf_.is_64 ? wide(section_offset_ + 32) : word(section_offset_ + 20);  // more than 65,279: in the first header
    if (count > sections_limit) return;
    struct Raw {
      std::uint64_t name;
    };
    std::vector<Raw> raw;
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto offset = checked_add(section_offset_, i * section_size_);
      if (!offset || !slice(content_, *offset, least)) {
        if (!partial()) note("anomaly.elf-section-headers", "the section headers lie outside of the file", section_offset_);
        break;
      }
      const std::uint64_t o = *offset;
      ElfSection section;
      section.type = static_cast<std::uint32_t>(word(o + 4));
      section.flags = wide(o + 8);
      section.address = wide(elf_.is_64 ? o + 16 : o + 12);
      section.offset = wide(elf_.is_64 ? o + 24 : o + 16);
      section.size = wide(elf_.is_64 ? o + 32 : o + 20);
      raw.push_back({word(o)});
      elf_.sections.push_back(std::move(section));
    }
    std::uint64_t names = section_names_;
    if (names == 0xffff && !elf_.sections.empty()) names = word(section_offset_ + (elf_.is_64 ? 40 : 24));
    if (names >= elf_.sections.size()) return;
    const ElfSection table = elf_.sections[names];
    for (std::size_t i = 0; i < elf_.sections.size(); ++i) {
      ElfSection& section = elf_.sections[i];
      if (raw[i].name < table.size) {
        if (const auto at = checked_add(table.offset, raw[i].name)) section.name = text(*at);
      }
      if (section.type == sht_symtab) elf_.has_symbol_table = true;
      if (section.name == ".comment") {
        elf_.comment = as_text(clamp(content_, section.offset, std::min<std::uint64_t>(section.size, 1024)));
        std::replace(elf_.comment.begin(), elf_.comment.end(), '\0', '\n');
      }
      if (section.name == ".go.buildinfo") elf_.has_go_build_info = true;
    }
  }

  // Where an address lies in the file.
  std::optional<std::uint64_t> offset_of(std::uint64_t address) const {
    for (const ElfSegment& segment : elf_.segments) {
      if (segment.type == pt_load && address >= segment.address && address - segment.address < segment.file_size) {
        return checked_add(segment.offset, address - segment.address);
      }
    }
    return std::nullopt;
  }

  void read_dynamic() {
    const auto dynamic = std::find_if(elf_.segments.begin(), elf_.segments.end(), [](const ElfSegment& s) { return s.type == pt_dynamic; });
    if (dynamic == elf_.segments.end()) return;
    const std::uint64_t width = elf_.is_64 ? 8 : 4;
    std::vector<std::uint64_t> needed;
    Initialisers initialisers;
    std::uint64_t strings = 0, strings_size = 0, symbols = 0, hash = 0, gnu_hash = 0, soname = 0, rpath = 0, runpath = 0;
    for (std::uint64_t i = 0; i < dynamic_limit && i * 2 * width < dynamic->file_size; ++i) {
      const auto at = checked_add(dynamic->offset, i * 2 * width);
      if (!at || !slice(content_, *at, 2 * width)) break;
      const std::uint64_t tag = wide(*at), value = wide(*at + width);
      if (tag == 0) break;
      switch (tag) {
        case dt_needed:
          if (needed.size() < needed_limit) needed.push_back(value);
          break;
        case dt_strtab: strings = value; break;
        case dt_strsz: strings_size = value; break;
        case dt_symtab: symbols = value; break;
        case dt_hash: hash = value; break;
        case dt_gnu_hash: gnu_hash = value; break;
        case dt_soname: soname = value; break;
        case dt_rpath: rpath = value; break;
        case dt_runpath: runpath = value; break;
        case dt_rela: initialisers.relocations = value; break;
        case dt_rela_size: initialisers.relocations_size = value; break;
        case dt_init: initialisers.function = value; break;
        case dt_init_array: initialisers.array = value; break;
        case dt_init_array_size: initialisers.array_size = value; break;
        default: break;
      }
    }
    read_initialisers(initialisers);
    const auto table = offset_of(strings);
    if (!table) return;
    const auto name = [&](std::uint64_t index) { return index < strings_size && checked_add(*table, index) ? text(*table + index) : std::string(); };
    for (const std::uint64_t index : needed) elf_.needed.push_back(name(index));
    if (soname != 0) elf_.soname = name(soname);
    if (runpath != 0) {
      elf_.rpath = name(runpath);
    } else if (rpath != 0) {
      elf_.rpath = name(rpath);
    }

    const auto first = offset_of(symbols);
    if (!first) return;
    const std::uint64_t count = symbol_count(hash, gnu_hash, symbols);
    const std::uint64_t entry = elf_.is_64 ? 24 : 16;
    for (std::uint64_t i = 1; i < count && i < symbols_limit; ++i) {
      const auto at = checked_add(*first, i * entry);
      if (!at || !slice(content_, *at, entry)) break;
      ElfSymbol symbol;
      symbol.name = name(word(*at));
      const std::uint8_t info = content_[*at + (elf_.is_64 ? 4 : 12)];
      symbol.type = info & 15;
      symbol.defined = half(*at + (elf_.is_64 ? 6 : 14)) != 0;
      if (!symbol.name.empty()) elf_.dynamic_symbols.push_back(std::move(symbol));
    }
  }

  struct Initialisers {
    std::uint64_t function = 0, array = 0, array_size = 0, relocations = 0, relocations_size = 0;
  };

  // In programs that may be loaded anywhere the array is filled by relocations: those with an addend have the address there, others (REL, RELR) in the array.
  void read_initialisers(const Initialisers& found) {
    const std::uint64_t width = elf_.is_64 ? 8 : 4;
    if (found.function != 0) elf_.initialisers.push_back(found.function);
    const std::uint64_t count = std::min<std::uint64_t>(found.array_size / width, initialisers_limit);
    const auto array = offset_of(found.array);
    if (count == 0 || !array) return;
    std::vector<std::uint64_t> functions(count);
    for (std::uint64_t i = 0; i < count; ++i) functions[i] = wide(*array + i * width);
    const auto table = found.relocations != 0 ? offset_of(found.relocations) : std::nullopt;
    const std::uint64_t relocations = table ? std::min<std::uint64_t>(found.relocations_size / (3 * width), relocations_limit) : 0;
    for (std::uint64_t i = 0; i < relocations; ++i) {
      const std::uint64_t at = *table + i * 3 * width;
      const std::uint64_t target = wide(at);
      if (target < found.array || target - found.array >= count * width || (target - found.array) % width != 0) continue;
      // With a symbol the address is elsewhere.
      const bool with_symbol = elf_.is_64 ? word(at + (elf_.big_endian ? 8 : 12)) != 0 : wide(at + 4) >> 8 != 0;
      functions[(target - found.array) / width] = with_symbol ? 0 : wide(at + 2 * width);
    }
    const std::uint64_t none = elf_.is_64 ? ~std::uint64_t{0} : 0xffffffff;
    for (const std::uint64_t function : functions) {
      if (function != 0 && function != none) elf_.initialisers.push_back(function);
    }
  }

  // How many dynamic symbols there are is written in the hash tables only (or in a section header, which may be stripped).
  std::uint64_t symbol_count(std::uint64_t hash, std::uint64_t gnu_hash, std::uint64_t symbols) const {
    for (const ElfSection& section : elf_.sections) {
      if (section.type == sht_dynsym && section.address == symbols) return section.size / (elf_.is_64 ? 24 : 16);
    }
    if (const auto at = hash != 0 ? offset_of(hash) : std::nullopt) return word(*at + 4);
    const auto at = gnu_hash != 0 ? offset_of(gnu_hash) : std::nullopt;
    if (!at) return 0;
    const std::uint64_t buckets = word(*at), first = word(*at + 4), bloom = word(*at + 8);
    if (buckets > symbols_limit || bloom > symbols_limit) return 0;
    const std::uint64_t table = *at + 16 + bloom * (elf_.is_64 ? 8 : 4);
    std::uint64_t last = 0;
    for (std::uint64_t i = 0; i < buckets; ++i) last = std::max(last, word(table + i * 4));
    if (last < first) return first;
    // The chain of the last bucket ends with an odd value.
    for (std::uint64_t i = last - first; i < symbols_limit; ++i) {
      const auto value = number<std::uint32_t>(table + buckets * 4 + i * 4);
      if (!value || (*value & 1) != 0) return first + i + 1;
    }
    return symbols_limit;
  }

  void read_notes() {
    for (const ElfSegment& segment : elf_.segments) {
      if (segment.type == pt_note) read_note(segment.offset, segment.file_size);
    }
    for (const ElfSection& section : elf_.sections) {
      if (section.type == sht_note) read_note(section.offset, section.size);
    }
  }

  void read_note(std::uint64_t offset, std::uint64_t size) {
    const Bytes notes = clamp(content_, offset, std::min<std::uint64_t>(size, 1 << 20));
    std::uint64_t at = offset;
    const std::uint64_t end = offset + notes.size();
    for (unsigned i = 0; i < 256 && at + 12 <= end; ++i) {
      const std::uint64_t name_size = word(at), description_size = word(at + 4), type = word(at + 8);
      const auto aligned = [](std::uint64_t value) { return (value + 3) & ~3ull; };
      const std::uint64_t description = at + 12 + aligned(name_size);
      if (name_size > end - at || description_size > end || description > end) return;
      const std::string_view name = as_text(clamp(content_, at + 12, name_size));
      const Bytes value = clamp(content_, description, std::min(description_size, end - description));
      if (type == 3 && name.starts_with("GNU") && elf_.build_id.empty() && value.size() <= 64) {
        static constexpr char digits[] = "0123456789abcdef";
        for (const std::uint8_t byte : value) {
          elf_.build_id.push_back(digits[byte >> 4]);
          elf_.build_id.push_back(digits[byte & 15]);
        }
      }
      if (type == 4 && name.starts_with("Go")) elf_.go_build_id = as_text(value);
      at = description + aligned(description_size);
    }
  }

  void find_end() {
    std::uint64_t end = 0;
    const auto cover = [&](std::uint64_t offset, std::uint64_t size) {
      if (const auto last = checked_add(offset, size); last && *last <= file_size_) end = std::max(end, *last);
    };
    cover(0, elf_.is_64 ? 64 : 52);
    cover(program_offset_, program_count_ * program_size_);
    cover(section_offset_, elf_.sections.size() * section_size_);
    for (const ElfSegment& segment : elf_.segments) cover(segment.offset, segment.file_size);
    for (const ElfSection& section : elf_.sections) {
      if (section.type != sht_nobits) cover(section.offset, section.size);
    }
    elf_.end_of_image = end;
    if (outside_ && !elf_.sections.empty() && !partial()) {
      // Debugging files have such segments without content; programs do not.
      const bool debug_only = std::any_of(elf_.sections.begin(), elf_.sections.end(), [](const ElfSection& s) { return s.name.starts_with(".debug_"); });
      if (debug_only) outside_ = false;
    }
    if (outside_ && !partial()) note("anomaly.elf-segment-outside", "a segment of the program lies outside of the file", 0);
  }

  const Bytes content_;
  const std::uint64_t file_size_;
  ElfFile elf_;
  std::uint64_t program_offset_ = 0, section_offset_ = 0;
  std::uint64_t program_size_ = 0, program_count_ = 0, section_size_ = 0, section_count_ = 0, section_names_ = 0;
  bool outside_ = false;
};

}  // namespace

ElfFile parse_elf(Bytes content, std::uint64_t file_size) { return Reader(content, file_size).read(); }

}  // namespace lazaret::format
