// Small ELF files for tests: 64 bit, little-endian, inert.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lazaret::detect::test {

struct ElfSample {
  std::uint16_t type = 3;  // ET_DYN; 1 object, 2 executable
  std::uint16_t machine = 62;
  std::string interpreter;
  std::string soname, rpath;
  std::vector<std::string> exports, imports;  // functions
  std::string data;                           // behind the tables
  std::uint64_t extra_memory = 0;             // of the loadable segment, beyond the file
  bool section_headers = true;                // one section of code over everything

  std::string build() const {
    std::string dynamic_strings(1, '\0');
    const auto add_string = [&](std::string_view text) {
      const std::uint64_t offset = dynamic_strings.size();
      dynamic_strings += std::string(text) + '\0';
      return offset;
    };
    std::string symbols(24, '\0');
    std::uint32_t count = 1;
    const auto add_symbol = [&](std::string_view name, bool defined) {
      std::string symbol;
      put(symbol, add_string(name), 4);
      symbol += '\x12';  // global function
      symbol += '\0';
      put(symbol, defined ? 1 : 0, 2);
      put(symbol, defined ? 0x1000 : 0, 8);
      put(symbol, 0, 8);
      symbols += symbol;
      ++count;
    };
    for (const std::string& name : exports) add_symbol(name, true);
    for (const std::string& name : imports) add_symbol(name, false);
    const std::uint64_t rpath_offset = rpath.empty() ? 0 : add_string(rpath);
    const std::uint64_t soname_offset = soname.empty() ? 0 : add_string(soname);

    const std::uint64_t program_headers = interpreter.empty() ? 2 : 3;
    const std::uint64_t symbols_at = 64 + program_headers * 56;
    const std::uint64_t strings_at = symbols_at + symbols.size();
    const std::uint64_t hash_at = (strings_at + dynamic_strings.size() + 7) & ~std::uint64_t{7};
    std::string hash;
    put(hash, 1, 4);
    put(hash, count, 4);
    put(hash, 0, 4);
    for (std::uint32_t i = 0; i < count; ++i) put(hash, 0, 4);
    const std::uint64_t dynamic_at = (hash_at + hash.size() + 7) & ~std::uint64_t{7};
    std::string dynamic;
    const auto add_dynamic = [&](std::uint64_t tag, std::uint64_t value) {
      put(dynamic, tag, 8);
      put(dynamic, value, 8);
    };
    add_dynamic(4, hash_at);
    add_dynamic(5, strings_at);
    add_dynamic(6, symbols_at);
    add_dynamic(10, dynamic_strings.size());
    add_dynamic(11, 24);
    if (soname_offset != 0) add_dynamic(14, soname_offset);
    if (rpath_offset != 0) add_dynamic(29, rpath_offset);
    add_dynamic(0, 0);
    const std::uint64_t interpreter_at = dynamic_at + dynamic.size();
    const std::uint64_t data_at =
        interpreter_at + (interpreter.empty() ? 0 : interpreter.size() + 1);
    const std::uint64_t sections_at = data_at + data.size();
    const std::uint64_t size = sections_at + (section_headers ? 64 : 0);

    std::string file(
        "\x7f"
        "ELF\x02\x01\x01",
        7);
    file.resize(16, '\0');
    put(file, type, 2);
    put(file, machine, 2);
    put(file, 1, 4);
    put(file, 64, 8);  // entry
    put(file, 64, 8);  // program headers
    put(file, section_headers ? sections_at : 0, 8);
    put(file, 0, 4);
    put(file, 64, 2);
    put(file, 56, 2);
    put(file, program_headers, 2);
    put(file, 64, 2);
    put(file, section_headers ? 1 : 0, 2);
    put(file, 0, 2);
    const auto add_segment = [&](std::uint32_t kind, std::uint64_t at, std::uint64_t length,
                                 std::uint64_t memory) {
      put(file, kind, 4);
      put(file, 5, 4);
      put(file, at, 8);
      put(file, at, 8);
      put(file, at, 8);
      put(file, length, 8);
      put(file, memory, 8);
      put(file, 4096, 8);
    };
    add_segment(1, 0, size, size + extra_memory);
    add_segment(2, dynamic_at, dynamic.size(), dynamic.size());
    if (!interpreter.empty())
      add_segment(3, interpreter_at, interpreter.size() + 1, interpreter.size() + 1);
    file += symbols;
    file += dynamic_strings;
    file.resize(hash_at, '\0');
    file += hash;
    file.resize(dynamic_at, '\0');
    file += dynamic;
    if (!interpreter.empty()) file += interpreter + '\0';
    file += data;
    if (section_headers) {
      put(file, 0, 4);
      put(file, 1, 4);  // SHT_PROGBITS
      put(file, 6, 8);  // SHF_ALLOC | SHF_EXECINSTR
      put(file, 0, 8);
      put(file, 0, 8);
      put(file, sections_at, 8);
      put(file, 0, 8);
      put(file, 1, 8);
      put(file, 0, 8);
    }
    return file;
  }

 private:
  static void put(std::string& out, std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
  }
};

}  // namespace lazaret::detect::test
