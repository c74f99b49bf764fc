// What commands print, where the script itself says it: echo and printf, and the filters behind
// which scripts hide text (base64 -d, xxd -r -p, rev, tr, cut, ...).
#include <algorithm>
#include <array>
#include <limits>

#include "format/shell_parser.h"

namespace lazaret::format {
namespace shell {
namespace {

constexpr std::size_t walk_limit = 4096;       // commands of one pipeline
constexpr std::uint64_t command_cost = 16;     // of looking at one of them
constexpr std::size_t output_limit = 8 << 20;  // bytes that one command may print
constexpr std::size_t width_limit = 4096;      // printf %4096d

using Arguments = std::vector<std::string_view>;
using Text = std::optional<std::string>;

// -d, or in a cluster of short options, or by its long name.
bool has_option(const Arguments& arguments, char letter, std::string_view name = {}) {
  return std::any_of(arguments.begin(), arguments.end(), [&](std::string_view argument) {
    if (argument.starts_with("--")) return !name.empty() && argument == name;
    return argument.size() > 1 && argument[0] == '-' &&
           argument.find(letter) != std::string_view::npos;
  });
}

// Words that are no options: files to read, which makes the output unknown, but for "-".
bool reads_file(const Arguments& arguments, std::string_view valued = {}) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    if (argument == "-" || argument == "/dev/stdin") continue;
    if (!argument.starts_with('-')) return true;
    if (argument.size() == 2 && valued.find(argument[1]) != std::string_view::npos) ++i;
  }
  return false;
}

// The value of -n, attached or as the next word, or of --lines=.
std::optional<std::string_view> value_of(const Arguments& arguments, char letter,
                                         std::string_view name) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    if (argument.starts_with("--")) {
      if (argument.starts_with(name) && argument.substr(name.size()).starts_with('='))
        return argument.substr(name.size() + 1);
    } else if (argument.size() >= 2 && argument[0] == '-' && argument[1] == letter) {
      if (argument.size() > 2) return argument.substr(2);
      if (i + 1 < arguments.size()) return arguments[i + 1];
    }
  }
  return std::nullopt;
}

// --- decoders

int value_in(char c, std::string_view alphabet) {
  const auto at = alphabet.find(c);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

// Bits of `width` a character; what is no such character is skipped, and padding ends a group.
std::string decode_bits(std::string_view text, const std::array<int, 256>& values, unsigned width) {
  std::string bytes;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    if (c == '=') {
      bits = count = 0;
      continue;
    }
    const int value = values[static_cast<unsigned char>(c)];
    if (value < 0) continue;
    bits = bits << width | static_cast<std::uint32_t>(value);
    count += width;
    if (count >= 8) {
      count -= 8;
      bytes.push_back(static_cast<char>(bits >> count & 0xff));
    }
  }
  return bytes;
}

std::array<int, 256> table_of(std::string_view alphabet) {
  std::array<int, 256> table{};
  for (std::size_t c = 0; c < table.size(); ++c)
    table[c] = value_in(static_cast<char>(static_cast<unsigned char>(c)), alphabet);
  return table;
}

std::string decode_base64(std::string_view text) {
  static const auto table = [] {
    auto made = table_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    made['-'] = 62;
    made['_'] = 63;
    return made;
  }();
  return decode_bits(text, table, 6);
}

std::string decode_base32(std::string_view text) {
  static const auto table = table_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567");
  return decode_bits(text, table, 5);
}

std::string decode_hex(std::string_view text) {
  static const auto table = [] {
    auto made = table_of("0123456789abcdef");
    for (int i = 0; i < 6; ++i) made[static_cast<std::size_t>('A' + i)] = 10 + i;
    return made;
  }();
  return decode_bits(text, table, 4);
}

// "00000000: 6375 726c  curl", as xxd prints it.
std::string decode_dump(std::string_view text) {
  std::string bytes;
  while (!text.empty()) {
    const auto line_end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, line_end);
    text.remove_prefix(std::min(line_end + 1, text.size()));
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    line.remove_prefix(std::min(colon + 2, line.size()));
    bytes += decode_hex(line.substr(0, line.find("  ")));
  }
  return bytes;
}

// --- filters of lines and characters

template <typename Visit>  // visit(line, has_end)
void for_each_line(std::string_view text, const Visit& visit) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    visit(text.substr(0, end), end != std::string_view::npos);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

std::string reversed_lines(std::string_view text) {
  std::string out;
  for_each_line(text, [&](std::string_view line, bool ends) {
    out.append(line.rbegin(), line.rend());
    if (ends) out += '\n';
  });
  return out;
}

std::string lines_backwards(std::string_view text) {
  std::vector<std::string_view> lines;
  for_each_line(text, [&](std::string_view line, bool) { lines.push_back(line); });
  std::string out;
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) (out += *line) += '\n';
  return out;
}

// The characters of a set of tr in their order: a-z, [:upper:], \n.
std::string characters_of(std::string_view written) {
  std::string set;
  for (std::size_t at = 0; at < written.size();) {
    if (written.substr(at, 2) == "[:") {
      const auto end = written.find(":]", at + 2);
      if (end != std::string_view::npos) {
        const std::string pattern =
            "[[:" + std::string(written.substr(at + 2, end - at - 2)) + ":]]";
        for (int c = 0; c < 256; ++c) {
          const char character = static_cast<char>(static_cast<unsigned char>(c));
          if (pattern_fits(pattern, {&character, 1})) set.push_back(character);
        }
        at = end + 2;
        continue;
      }
    }
    const auto read = [&] {
      std::string one;
      if (written[at] == '\\') {
        append_escape(written, at, EscapeStyle::format, one);
        // \A is A, as \- is -.
        if (one.size() == 2 && one[0] == '\\') one.erase(0, 1);
      } else {
        one = written[at++];
      }
      return static_cast<unsigned char>(one.empty() ? 0 : one[0]);
    };
    const unsigned low = read();
    if (at + 1 < written.size() && written[at] == '-') {
      ++at;
      const unsigned high = read();
      for (unsigned c = low; c <= high && set.size() < 4096; ++c)
        set.push_back(static_cast<char>(c));
    } else {
      set.push_back(static_cast<char>(low));
    }
    if (set.size() >= 4096) break;
  }
  return set;
}

Text translate(Arguments arguments, std::string_view text) {
  bool deletes = false, squeezes = false, complements = false;
  while (!arguments.empty() && arguments[0].size() > 1 && arguments[0][0] == '-') {
    for (const char option : arguments[0].substr(1)) {
      deletes |= option == 'd';
      squeezes |= option == 's';
      complements |= option == 'c' || option == 'C';
    }
    const bool last = arguments[0] == "--";
    arguments.erase(arguments.begin());
    if (last) break;
  }
  if (arguments.empty() || arguments.size() > 2) return std::nullopt;
  const std::string from = characters_of(arguments[0]);
  const std::string to = arguments.size() > 1 ? characters_of(arguments[1]) : "";
  std::array<bool, 256> in_from{};
  std::array<bool, 256> in_to{};
  std::array<char, 256> result{};
  for (std::size_t c = 0; c < 256; ++c)
    result[c] = static_cast<char>(static_cast<unsigned char>(c));
  for (const char c : from) in_from[static_cast<unsigned char>(c)] = true;
  for (const char c : to) in_to[static_cast<unsigned char>(c)] = true;
  if (complements) {
    for (bool& in : in_from) in = !in;
  }
  if (!deletes && !to.empty()) {
    if (complements) {
      for (std::size_t c = 0; c < 256; ++c) {
        if (in_from[c]) result[c] = to.back();
      }
    } else {
      for (std::size_t i = from.size(); i-- > 0;)
        result[static_cast<unsigned char>(from[i])] = to[std::min(i, to.size() - 1)];
    }
  } else if (!deletes && !squeezes) {
    return std::nullopt;
  }
  const auto& squeezed = to.empty() ? in_from : in_to;
  std::string out;
  for (const char c : text) {
    if (deletes && in_from[static_cast<unsigned char>(c)]) continue;
    const char made = result[static_cast<unsigned char>(c)];
    if (squeezes && !out.empty() && out.back() == made &&
        squeezed[static_cast<unsigned char>(made)])
      continue;
    out.push_back(made);
  }
  return out;
}

// head and tail, with lines or bytes: -n 3, -3, -c 5, -n +2, -n -1.
Text part(bool head, const Arguments& arguments, std::string_view text) {
  std::string_view amount = "10";
  bool bytes = false;
  if (const auto count = value_of(arguments, 'c', "--bytes")) {
    amount = *count;
    bytes = true;
  } else if (const auto lines = value_of(arguments, 'n', "--lines")) {
    amount = *lines;
  } else if (!arguments.empty() && arguments[0].size() > 1 &&
             (arguments[0][0] == '-' || arguments[0][0] == '+') && is_digit(arguments[0][1])) {
    amount = arguments[0].substr(arguments[0][0] == '-' ? 1 : 0);
    if (amount.ends_with('c')) bytes = true;
  }
  const bool from_start = amount.starts_with('+'), all_but = amount.starts_with('-');
  if (from_start || all_but) amount.remove_prefix(1);
  if (head && from_start) return std::nullopt;
  const auto number = leading_number(amount, text.size() + 1);
  if (!number) return std::nullopt;
  std::size_t total = text.size();
  if (!bytes) {
    total = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) +
            (text.empty() || text.ends_with('\n') ? 0 : 1);
  }
  // What lies between two counts of lines or bytes.
  const std::size_t count = std::min(*number, total);
  std::size_t begin = 0, end = total;
  if (head) {
    end = all_but ? total - count : count;
  } else {
    begin = from_start ? std::min(*number == 0 ? 0 : *number - 1, total) : total - count;
  }
  if (bytes) return std::string(text.substr(begin, end - begin));
  std::string out;
  std::size_t line = 0;
  for_each_line(text, [&](std::string_view content, bool ends) {
    if (line >= begin && line < end) {
      out += content;
      if (ends) out += '\n';
    }
    ++line;
  });
  return out;
}

// "1,3-5,7-"; counted from 1.
using Ranges = std::vector<std::pair<std::size_t, std::size_t>>;
std::optional<Ranges> ranges_of(std::string_view list) {
  constexpr std::size_t most = std::numeric_limits<std::uint32_t>::max();
  Ranges ranges;
  while (!list.empty()) {
    const auto end = std::min(list.find(','), list.size());
    const std::string_view range = list.substr(0, end);
    list.remove_prefix(std::min(end + 1, list.size()));
    const auto dash = range.find('-');
    const auto first = dash == 0 ? std::size_t{1} : leading_number(range, most);
    const auto last = dash == std::string_view::npos ? first
                      : dash + 1 == range.size()     ? most
                                                     : leading_number(range.substr(dash + 1), most);
    if (!first || !last || ranges.size() > 32) return std::nullopt;
    ranges.emplace_back(*first, *last);
  }
  if (ranges.empty()) return std::nullopt;
  return ranges;
}

Text cut(const Arguments& arguments, std::string_view text) {
  auto list = value_of(arguments, 'c', "--characters");
  if (!list) list = value_of(arguments, 'b', "--bytes");
  const bool characters = list.has_value();
  if (!list) list = value_of(arguments, 'f', "--fields");
  if (!list) return std::nullopt;
  const auto ranges = ranges_of(*list);
  if (!ranges) return std::nullopt;
  const std::string_view delimiter = value_of(arguments, 'd', "--delimiter").value_or("\t");
  if (delimiter.size() != 1) return std::nullopt;
  const auto chosen = [&](std::size_t place) {
    return std::any_of(ranges->begin(), ranges->end(), [&](const auto& range) {
      return place >= range.first && place <= range.second;
    });
  };
  std::string out;
  for_each_line(text, [&](std::string_view line, bool) {
    if (characters) {
      for (std::size_t i = 0; i < line.size(); ++i) {
        if (chosen(i + 1)) out.push_back(line[i]);
      }
    } else if (line.find(delimiter) == std::string_view::npos) {
      out += line;
    } else {
      std::size_t field = 1;
      bool first = true;
      for (;; ++field) {
        const auto end = line.find(delimiter);
        if (chosen(field)) {
          if (!first) out += delimiter;
          out += line.substr(0, end);
          first = false;
        }
        if (end == std::string_view::npos) break;
        line.remove_prefix(end + 1);
      }
    }
    out += '\n';
  });
  return out;
}

// s/from/to/g with plain text or one set of characters, and y/abc/xyz/.
Text edit(std::string_view expression, std::string_view text) {
  if (expression.size() < 4 || (expression[0] != 's' && expression[0] != 'y')) return std::nullopt;
  const char delimiter = expression[1];
  std::array<std::string, 2> parts;
  std::size_t at = 2;
  for (std::string& part : parts) {
    for (; at < expression.size() && expression[at] != delimiter; ++at) {
      if (expression[at] == '\\' && at + 1 < expression.size()) part.push_back(expression[at++]);
      part.push_back(expression[at]);
    }
    if (at >= expression.size()) return std::nullopt;
    ++at;
  }
  const std::string_view flags = expression.substr(at);
  if (expression[0] == 'y') return translate({parts[0], parts[1]}, text);
  if (flags != "g" && !flags.empty()) return std::nullopt;
  const auto plain = [](std::string_view written, std::string_view special) -> Text {
    std::string result;
    for (std::size_t i = 0; i < written.size(); ++i) {
      if (written[i] == '\\' && i + 1 < written.size()) {
        const char c = written[++i];
        if (is_name(c) && c != 'n') return std::nullopt;
        result.push_back(c == 'n' ? '\n' : c);
      } else if (special.find(written[i]) != std::string_view::npos) {
        return std::nullopt;
      } else {
        result.push_back(written[i]);
      }
    }
    return result;
  };
  const Text to = plain(parts[1], "&");
  const Text from = plain(parts[0], ".*[]^$+?(){}|");
  const bool set =
      parts[0].size() > 2 && parts[0][0] == '[' && parts[0].find(']', 2) == parts[0].size() - 1;
  if (!to || (!from && !set) || parts[0].empty() || parts[0].size() > 64) return std::nullopt;
  std::string out;
  bool fits_limit = true;
  for_each_line(text, [&](std::string_view line, bool ends) {
    bool done = false;
    while (!line.empty()) {
      const bool free = !done || flags == "g";
      const bool fits =
          free && fits_limit &&
          (from ? line.starts_with(*from) : pattern_fits(parts[0], line.substr(0, 1)));
      if (fits) {
        out += *to;
        done = true;
        fits_limit = out.size() <= output_limit;
        line.remove_prefix(from ? from->size() : 1);
      } else {
        out.push_back(line[0]);
        line.remove_prefix(1);
      }
    }
    if (ends) out += '\n';
  });
  if (!fits_limit) return std::nullopt;
  return out;
}

Text edited(const Arguments& arguments, std::string_view text) {
  std::string result(text);
  bool any = false;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    if (argument == "-e" || argument == "-E" || argument == "-r") continue;
    if (argument.starts_with('-') || (any && arguments[i - 1] != "-e")) return std::nullopt;
    const Text next = edit(argument, result);
    if (!next) return std::nullopt;
    result = *next;
    any = true;
  }
  if (!any) return std::nullopt;
  return result;
}

// The callback's name of the format that the program decompresses; "" when it does not.
std::string_view decompressor(std::string_view program, const Arguments& arguments) {
  struct Family {
    std::string_view format;
    std::array<std::string_view, 2> both;  // with -d
    std::array<std::string_view, 3> decoders;
  };
  static constexpr std::array<Family, 4> families = {
      {{"gzip", {"gzip", "pigz"}, {"gunzip", "zcat", "gzcat"}},
       {"xz", {"xz", "lzma"}, {"unxz", "xzcat", "unlzma"}},
       {"bzip2", {"bzip2", "pbzip2"}, {"bunzip2", "bzcat", "bzcat"}},
       {"zstd", {"zstd", "zstdmt"}, {"unzstd", "zstdcat", "zstdcat"}}}};
  for (const Family& family : families) {
    if (std::find(family.decoders.begin(), family.decoders.end(), program) != family.decoders.end())
      return family.format;
    if (std::find(family.both.begin(), family.both.end(), program) == family.both.end()) continue;
    if (has_option(arguments, 'd', "--decompress") || has_option(arguments, 'd', "--uncompress"))
      return family.format;
  }
  return {};
}

bool decodes_base64(std::string_view program, const Arguments& arguments) {
  if (program == "base64" || program == "gbase64")
    return (has_option(arguments, 'd', "--decode") || has_option(arguments, 'D')) &&
           !reads_file(arguments, "w");
  if (program != "openssl" || arguments.empty() || !has_option(arguments, 'd')) return false;
  bool base64 = arguments[0] == "base64";
  if (!base64 && arguments[0] != "enc") return false;
  for (const std::string_view argument :
       arguments.empty() ? Arguments{} : Arguments(arguments.begin() + 1, arguments.end())) {
    if (argument == "-base64" || argument == "-a") {
      base64 = true;
    } else if (argument != "-d" && argument != "-A") {
      return false;  // a cipher, or a file
    }
  }
  return base64;
}

// What the filter makes of its input; nothing when it is none that is known.
Text filtered(std::string_view program, const Arguments& arguments, std::string_view text,
              const ShellDecompress* decompress) {
  if (decodes_base64(program, arguments)) return decode_base64(text);
  if (program == "base32" && has_option(arguments, 'd', "--decode") && !reads_file(arguments, "w"))
    return decode_base32(text);
  if (program == "basenc" && has_option(arguments, 'd', "--decode")) {
    if (has_option(arguments, '\0', "--base16")) return decode_hex(text);
    if (has_option(arguments, '\0', "--base32")) return decode_base32(text);
    return decode_base64(text);
  }
  if (program == "xxd" && has_option(arguments, 'r', "-revert") && !reads_file(arguments, "clsg"))
    return has_option(arguments, 'p') ? decode_hex(text) : decode_dump(text);
  if (program == "rev" && !reads_file(arguments)) return reversed_lines(text);
  if (program == "tac" && arguments.empty()) return lines_backwards(text);
  if (program == "tr") return translate(arguments, text);
  if ((program == "head" || program == "tail") && !reads_file(arguments, "nc"))
    return part(program == "head", arguments, text);
  if (program == "tail" && arguments.size() == 1 && arguments[0].starts_with('+'))
    return part(false, arguments, text);
  if (program == "cut" && !reads_file(arguments, "cbfd")) return cut(arguments, text);
  if (program == "sed") return edited(arguments, text);
  if (program == "tee" || program == "dos2unix" || program == "sponge" || program == "pv" ||
      (program == "cat" && !reads_file(arguments)) ||
      (program == "grep" && arguments.size() == 1 && (arguments[0].empty() || arguments[0] == ".")))
    return std::string(text);
  if (const auto format = decompressor(program, arguments);
      !format.empty() && decompress != nullptr && !reads_file(arguments))
    return (*decompress)(format, text);
  return std::nullopt;
}

// --- sources

std::string echoed(const Arguments& arguments) {
  std::size_t i = 0;
  bool escapes = false, line_end = true;
  for (; i < arguments.size(); ++i) {
    const std::string_view option = arguments[i];
    if (option.size() < 2 || option[0] != '-' ||
        option.find_first_not_of("neE", 1) != std::string_view::npos)
      break;
    for (const char c : option.substr(1)) {
      if (c == 'n') line_end = false;
      if (c != 'n') escapes = c == 'e';
    }
  }
  std::string text;
  for (const std::size_t first = i; i < arguments.size(); ++i) {
    if (i != first) text += ' ';
    text += arguments[i];
  }
  if (escapes) {
    text = with_escapes(text, EscapeStyle::echo);
    if (const auto end = text.find("\\c"); end != std::string::npos) {
      text.resize(end);
      return text;
    }
  }
  if (line_end) text += '\n';
  return text;
}

// One conversion of printf at format[at] == '%', with the argument that it takes.
bool convert(std::string_view format, std::size_t& at, const Arguments& arguments,
             std::size_t& next, std::string& out) {
  std::size_t i = at + 1;
  bool left = false, zero = false;
  for (; i < format.size() && std::string_view("-+ 0#'").find(format[i]) != std::string_view::npos;
       ++i) {
    left |= format[i] == '-';
    zero |= format[i] == '0';
  }
  const auto take = [&]() -> std::string_view {
    return next < arguments.size() ? arguments[next++] : std::string_view();
  };
  const auto read = [&]() -> std::optional<std::size_t> {
    if (i < format.size() && format[i] == '*') {
      ++i;
      return leading_number(take(), width_limit).value_or(0);
    }
    const auto number = leading_number(format.substr(i), width_limit);
    while (i < format.size() && is_digit(format[i])) ++i;
    return number;
  };
  const std::size_t width = read().value_or(0);
  std::optional<std::size_t> precision;
  if (i < format.size() && format[i] == '.') {
    ++i;
    precision = read().value_or(0);
  }
  while (i < format.size() && (format[i] == 'l' || format[i] == 'h' || format[i] == 'j')) ++i;
  if (i >= format.size()) return false;
  const char kind = format[i];
  at = i + 1;
  std::string text;
  if (kind == '%') {
    out += '%';
    return true;
  }
  if (kind == 's' || kind == 'q') {
    text = take();
  } else if (kind == 'b') {
    text = with_escapes(take(), EscapeStyle::echo);
  } else if (kind == 'c') {
    text = take().substr(0, 1);
  } else if (std::string_view("diuoxX").find(kind) != std::string_view::npos) {
    const std::string_view argument = take();
    std::int64_t value = 0;
    if (argument.size() > 1 && (argument[0] == '\'' || argument[0] == '"')) {
      value = static_cast<unsigned char>(argument[1]);
    } else if (!argument.empty()) {
      const auto number = argument.size() > 64 ? std::nullopt : arithmetic(argument);
      if (!number) return false;
      value = *number;
    }
    if (kind == 'o' || kind == 'x' || kind == 'X') {
      const unsigned shift = kind == 'o' ? 3 : 4;
      auto rest = static_cast<std::uint64_t>(value);
      const std::string_view digits = kind == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
      do {
        text.insert(text.begin(), digits[rest & ((1u << shift) - 1)]);
        rest >>= shift;
      } while (rest != 0);
    } else {
      text = std::to_string(value);
    }
    if (zero && !left && text.size() < width) text.insert(0, width - text.size(), '0');
    precision.reset();
  } else {
    return false;
  }
  if (precision && text.size() > *precision) text.resize(*precision);
  if (text.size() < width) text.insert(left ? text.size() : 0, width - text.size(), ' ');
  out += text;
  return true;
}

// `command -v curl`, `which curl`: the name serves as well as its path.
std::optional<std::string_view> looked_up(std::string_view program, const Arguments& arguments) {
  const bool which = program == "which" || program == "type";
  if (!which && (program != "command" || !has_option(arguments, 'v'))) return std::nullopt;
  for (const std::string_view argument : arguments) {
    if (!argument.starts_with('-')) return argument;
  }
  return std::nullopt;
}

bool prints_nothing(std::string_view program) {
  for (const std::string_view name :
       {":",     "true",  "false", "set",     "shift",    "export", "unset",
        "cd",    "sleep", "local", "declare", "readonly", "trap",   "umask",
        "shopt", "test",  "[",     "mkdir",   "touch",    "chmod",  "alias"}) {
    if (program == name) return true;
  }
  return false;
}

// Its output goes to a file, or to another stream.
bool writes_elsewhere(const ShellCommand& command) {
  bool elsewhere = false;
  for (const ShellRedirection& redirection : command.redirections) {
    const std::string& operation = redirection.operation;
    if (operation.starts_with('<') || (redirection.fd >= 0 && redirection.fd != 1)) continue;
    const std::string& target = redirection.target.text;
    elsewhere = target != "/dev/stdout" && target != "/dev/fd/1" && target != "/proc/self/fd/1" &&
                !(operation == ">&" && target == "1");
  }
  return elsewhere;
}

// Programs that print the files that they are given, or what they make of them.
bool reads_named_files(std::string_view program) {
  for (const std::string_view name :
       {"cat", "base64", "gbase64", "base32", "basenc", "xxd", "rev", "tac", "head", "tail", "cut",
        "sed", "gunzip", "zcat", "gzip", "pigz", "xz", "unxz", "xzcat", "bzip2", "bunzip2", "bzcat",
        "zstd", "unzstd", "zstdcat", "grep", "openssl"}) {
    if (program == name) return true;
  }
  return false;
}

// Takes the files that are known out of the arguments; what they hold is the command's input.
std::optional<Output> named_files(std::string_view program, Arguments& arguments,
                                  const OutputContext& context) {
  if (!context.read_file || !reads_named_files(program)) return std::nullopt;
  std::optional<Output> content;
  for (std::size_t i = 0; i < arguments.size();) {
    const std::string_view argument = arguments[i];
    std::optional<Output> file;
    if (!argument.empty() && argument[0] != '-' && argument.size() < 4096 &&
        (i > 0 || program != "sed"))
      file = context.read_file(argument);
    if (!file) {
      ++i;
      continue;
    }
    if (!content) content.emplace().known = true;
    if (content->text.size() + file->text.size() > output_limit) return std::nullopt;
    content->text += file->text;
    content->known &= file->known;
    if (context.origins != nullptr)
      content->origin = context.origins->join(content->origin, file->origin);
    auto first = arguments.begin() + static_cast<std::ptrdiff_t>(i);
    if (program == "openssl" && i > 0 && arguments[i - 1] == "-in") --first, --i;
    arguments.erase(first, arguments.begin() + static_cast<std::ptrdiff_t>(i) +
                               (program == "openssl" && *first == "-in" ? 2 : 1));
  }
  return content;
}

// dirname, basename and the like of a path that is known.
Text path_part(std::string_view program, const Arguments& arguments, const OutputContext& context) {
  if (program == "pwd" && context.folder != nullptr) return *context.folder;
  std::string_view path;
  for (const std::string_view argument : arguments) {
    if (argument.starts_with('-')) continue;
    if (!path.empty()) return std::nullopt;
    path = argument;
  }
  if (path.empty()) return std::nullopt;
  const auto slash = path.rfind('/');
  if (program == "dirname") {
    if (slash == std::string_view::npos) return ".";
    return std::string(path.substr(0, std::max<std::size_t>(slash, 1)));
  }
  if (program == "basename") return std::string(base_name(path));
  if ((program == "readlink" || program == "realpath") && context.folder != nullptr)
    return absolute_path(*context.folder, path);
  return std::nullopt;
}

bool is_decoder(std::string_view program, const Arguments& arguments) {
  return decodes_base64(program, arguments) || program == "base32" || program == "basenc" ||
         program == "xxd" || program == "rev" || program == "tac" || program == "tr" ||
         program == "sed" || !decompressor(program, arguments).empty();
}

// What the commands that a command evaluates (eval, sh -c, a function) print.
Output evaluated_output(const ShellScript& script, std::size_t outer, const OutputContext& context,
                        std::uint64_t& work, bool& cut, unsigned depth);

Output command_output(const ShellScript& script, std::size_t index, const Output& piped,
                      const OutputContext& context, std::uint64_t& work, bool& cut, bool captured,
                      unsigned depth) {
  const ShellCommand& command = script.commands[index];
  if (!captured && writes_elsewhere(command)) return {"", true, 0};
  const auto join = [&](std::uint32_t a, std::uint32_t b) {
    return context.origins == nullptr ? 0 : context.origins->join(a, b);
  };
  Output input = piped;
  bool redirected = false;
  for (const ShellRedirection& redirection : command.redirections) {
    if (!feeds_input(redirection)) continue;
    input = {};
    redirected = false;
    if (redirection.operation.starts_with("<<")) {
      input = {redirection.target.text, redirection.target.is_static, redirection.target.origin};
      if (redirection.operation == "<<<") input.text += '\n';
      redirected = true;
    } else if (redirection.operation == "<" && redirection.target.is_static && context.read_file) {
      if (auto file = context.read_file(redirection.target.text)) {
        input = std::move(*file);
        redirected = true;
      }
    }
  }
  // Of a mere assignment; $(< file) prints the file.
  if (command.words.empty()) return redirected ? input : Output{"", command.redirections.empty(), 0};
  const std::size_t at = program_word(command);
  if (at >= command.words.size() || !command.words[at].is_static) return {};
  const std::string_view program = base_name(command.words[at].text);
  Arguments arguments;
  bool known = true;
  std::uint32_t origin = 0;
  for (std::size_t i = at + 1; i < command.words.size(); ++i) {
    known &= command.words[i].is_static;
    origin = join(origin, command.words[i].origin);
    arguments.push_back(command.words[i].text);
  }
  if (program == "echo") return {echoed(arguments), known, origin};
  if (program == "printf") {
    const auto text = formatted(arguments);
    return {text.value_or(""), known && text.has_value(), origin};
  }
  if (prints_nothing(program)) return {"", true, 0};
  if (const auto name = looked_up(program, arguments))
    return {std::string(*name) + '\n', known, origin};
  if (known) {
    if (auto part = path_part(program, arguments, context))
      return {std::move(*part) + '\n', true, origin};
    if (auto files = named_files(program, arguments, context)) input = std::move(*files);
  }
  if (program == "cat" && !reads_file(arguments)) return input;
  if (known && input.known) {
    if (auto text = filtered(program, arguments, input.text, context.decompress)) {
      origin = join(input.origin, origin);
      if (context.origins != nullptr && is_decoder(program, arguments))
        origin = context.origins->add(origin, program);
      return {std::move(*text), true, origin};
    }
  }
  if (depth < 8) return evaluated_output(script, index, context, work, cut, depth);
  return {};
}

}  // namespace

std::optional<std::size_t> leading_number(std::string_view text, std::size_t most) {
  if (text.empty() || !is_digit(text[0])) return std::nullopt;
  std::size_t value = 0;
  for (const char c : text) {
    if (!is_digit(c)) break;
    value =
        value > most / 10 ? most : std::min(value * 10 + static_cast<std::size_t>(c - '0'), most);
  }
  return value;
}

std::optional<std::string> formatted(const Arguments& arguments) {
  std::size_t next = !arguments.empty() && arguments[0] == "--" ? 1 : 0;
  if (next >= arguments.size()) return std::nullopt;
  const std::string_view format = arguments[next++];
  std::string out;
  for (;;) {
    const std::size_t before = next;
    for (std::size_t at = 0; at < format.size();) {
      if (format[at] == '\\') {
        append_escape(format, at, EscapeStyle::format, out);
      } else if (format[at] != '%') {
        out.push_back(format[at++]);
      } else if (!convert(format, at, arguments, next, out)) {
        return std::nullopt;
      }
      if (out.size() > output_limit) return std::nullopt;
    }
    if (next == before || next >= arguments.size()) return out;
  }
}

namespace {

Output pipeline_output_at(const ShellScript& script, std::size_t last, const OutputContext& context,
                          std::uint64_t& work, bool& cut, bool captured, unsigned depth) {
  const auto& commands = script.commands;
  std::vector<std::size_t> walk;
  for (std::size_t i = last; i < commands.size(); i = commands[i].previous) {
    if (walk.size() >= walk_limit || (!walk.empty() && i >= walk.back())) return {};
    walk.push_back(i);
  }
  const auto pay = [&](std::uint64_t cost) {
    if (cost > work) {
      work = 0;
      cut = true;
      return false;
    }
    work -= cost;
    return true;
  };
  if (walk.empty() || !pay(command_cost * walk.size())) return {};
  std::reverse(walk.begin(), walk.end());

  // Commands of one stage read the same input, and what they print comes one after the other.
  Output input, output{"", true, 0};
  const ShellCommand* before = nullptr;
  for (const std::size_t i : walk) {
    const ShellCommand& command = commands[i];
    if (before != nullptr &&
        (before->pipeline != command.pipeline || before->stage != command.stage)) {
      input = std::move(output);
      output = {"", true, 0};
    }
    before = &command;
    // `command -v wget || command -v curl`: the first that prints something is enough.
    if (command.connector == ShellConnector::or_if && !output.text.empty()) continue;
    const Output own =
        command_output(script, i, input, context, work, cut, captured && i == last, depth);
    if (own.text.size() > output_limit || output.text.size() > output_limit ||
        !pay(own.text.size())) {
      cut = true;
      return {};
    }
    output.text += own.text;
    output.known &= own.known;
    if (context.origins != nullptr) output.origin = context.origins->join(output.origin, own.origin);
  }
  return output;
}

Output evaluated_output(const ShellScript& script, std::size_t outer, const OutputContext& context,
                        std::uint64_t& work, bool& cut, unsigned depth) {
  const auto& commands = script.commands;
  Output output;
  bool any = false;
  std::size_t looked = 0;
  std::vector<std::size_t> inner;
  if (outer == 0 || commands[outer - 1].nesting == ShellNesting::none) return output;
  for (std::size_t i = outer; i-- > 0 && looked < walk_limit; ++looked) {
    if (commands[i].nesting == ShellNesting::evaluation && commands[i].outer == outer)
      inner.push_back(i);
  }
  std::reverse(inner.begin(), inner.end());
  if (looked > work) {
    work = 0;
    cut = true;
    return output;
  }
  work -= looked;
  for (std::size_t i = 0; i < inner.size(); ++i) {
    if (i + 1 < inner.size() &&
        commands[inner[i + 1]].pipeline == commands[inner[i]].pipeline)
      continue;
    const Output part =
        pipeline_output_at(script, inner[i], context, work, cut, false, depth + 1);
    if (!any) output.known = any = true;
    output.text += part.text;
    output.known &= part.known;
    if (context.origins != nullptr) output.origin = context.origins->join(output.origin, part.origin);
  }
  return output;
}

}  // namespace

Output pipeline_output(const ShellScript& script, std::size_t last, const OutputContext& context,
                       std::uint64_t& work, bool& cut, bool captured) {
  return pipeline_output_at(script, last, context, work, cut, captured, 0);
}

}  // namespace shell

std::string static_output(const ShellScript& script, std::size_t last, bool* known,
                          const ShellDecompress& decompress) {
  std::uint64_t work = 16 << 20;
  bool cut = false;
  shell::OutputContext context;
  if (decompress) context.decompress = &decompress;
  shell::Output output = shell::pipeline_output(script, last, context, work, cut);
  *known = output.known;
  return output.known ? std::move(output.text) : std::string();
}

}  // namespace lazaret::format
