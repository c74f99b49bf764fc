#include "codec/text_encoding.h"

#include <algorithm>
#include <array>

namespace lazaret::codec {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Words and paths consist of base64 letters too. What encoded bytes have and words do not: all three classes of characters mixed, or
// padding. Text encodes to upper and lower case for certain; a run of 24 letters without a digit is possible, so case alone is enough
// when it changes often.
bool looks_encoded(std::string_view run) {
  unsigned upper = 0, lower = 0, digit = 0, changes = 0, slashes = 0;
  int last = -1;
  for (const char c : run.substr(0, 256)) {
    int kind = -1;
    if (c >= 'A' && c <= 'Z') {
      ++upper;
      kind = 0;
    } else if (c >= 'a' && c <= 'z') {
      ++lower;
      kind = 1;
    } else if (c >= '0' && c <= '9') {
      ++digit;
      kind = 2;
    } else if (c == '/' || c == '-' || c == '_') {
      ++slashes;
    }
    if (kind >= 0 && last >= 0 && kind != last) ++changes;
    if (kind >= 0) last = kind;
  }
  const std::size_t size = std::min<std::size_t>(run.size(), 256);
  if (upper == 0 || lower == 0) return false;
  return changes * 6 >= size && slashes * 6 <= size;
}

// The end of a run of base64 that begins at `begin`: lines that are joined by a line end (with indentation, a closing quote and an opening one,
// or a backslash) belong together when each but the last is full.
std::size_t end_of_base64(std::string_view text, std::size_t begin, std::size_t* letters) {
  std::size_t at = begin;
  *letters = 0;
  std::size_t first_line = 0;
  for (;;) {
    const std::size_t line = at;
    while (at < text.size() && base64_value(text[at]) < 64) ++at;
    const std::size_t size = at - line;
    *letters += size;
    if (first_line == 0) first_line = size;
    if (at < text.size() && text[at] == '=') {
      while (at < text.size() && text[at] == '=') ++at;
      return at;
    }
    if (size != first_line || size < 40) return at;
    // Between lines: at most a few characters of quoting, and one line end.
    std::size_t next = at;
    bool line_end = false;
    for (unsigned i = 0; next < text.size() && i < 24; ++i, ++next) {
      const char c = text[next];
      if (c == '\n') {
        line_end = true;
      } else if (c == '\\' && next + 1 < text.size() && text[next + 1] == 'n') {
        line_end = true;
        ++next;
      } else if (c != ' ' && c != '\t' && c != '\r' && c != '"' && c != '\'' && c != '\\' && c != '+') {
        break;
      }
    }
    if (!line_end || next >= text.size() || base64_value(text[next]) >= 64) return at;
    at = next;
  }
}

}  // namespace

std::optional<std::string> decode_hex(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',' || c == ':' || c == ';' || c == '{' || c == '}' || c == '"' || c == '\'') {
      ++i;
      continue;
    }
    if ((c == '\\' || c == '0') && i + 1 < text.size() && (text[i + 1] == 'x' || text[i + 1] == 'X')) {
      i += 2;
      continue;
    }
    if (i + 1 >= text.size()) return std::nullopt;
    const int high = hex_value(c), low = hex_value(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(high << 4 | low));
    i += 2;
  }
  if (bytes.empty()) return std::nullopt;
  return bytes;
}

std::vector<EncodedRun> find_encoded_runs(std::string_view text, std::size_t minimum, std::size_t max_runs, std::size_t max_bytes,
                                          const std::function<bool(std::string_view)>& wanted, bool* cut) {
  std::vector<EncodedRun> runs;
  std::size_t decoded_bytes = 0;
  *cut = false;
  const auto add = [&](EncodedRun::Form form, std::size_t begin, std::size_t end, std::string decoded) {
    if (!wanted(decoded)) return true;
    if (runs.size() >= max_runs || decoded_bytes + decoded.size() > max_bytes) {
      *cut = true;
      return false;
    }
    decoded_bytes += decoded.size();
    runs.push_back({form, begin, end - begin, std::move(decoded)});
    return true;
  };

  // "\\x41\\x42": four characters for a byte, so a shorter run counts.
  for (std::size_t at = text.find("\\x"); at != std::string_view::npos; at = text.find("\\x", at)) {
    const std::size_t begin = at;
    std::string decoded;
    while (at + 3 < text.size() && text[at] == '\\' && text[at + 1] == 'x' && hex_value(text[at + 2]) >= 0 && hex_value(text[at + 3]) >= 0) {
      decoded.push_back(static_cast<char>(hex_value(text[at + 2]) << 4 | hex_value(text[at + 3])));
      at += 4;
    }
    if (at == begin) at += 2;
    if (decoded.size() * 2 >= minimum && !add(EncodedRun::Form::hex, begin, at, std::move(decoded))) return runs;
  }

  // A run of `minimum` characters that begins in the next `minimum` ones covers the last of them: when that one is no letter of base64, all of them
  // are passed over at once. Prose and code are read at a twentieth of their bytes.
  std::size_t at = 0;
  while (at + minimum <= text.size()) {
    std::size_t begin = at + minimum - 1;
    if (base64_value(text[begin]) >= 64) {
      at = begin + 1;
      continue;
    }
    while (begin > at && base64_value(text[begin - 1]) < 64) --begin;
    if (begin > at) {
      at = begin;
      continue;
    }
    std::size_t plain_end = at + minimum;
    while (plain_end < text.size() && base64_value(text[plain_end]) < 64) ++plain_end;
    const std::string_view run = text.substr(begin, plain_end - begin);
    const bool all_hex = std::all_of(run.begin(), run.end(), [](char c) { return hex_value(c) >= 0; });
    if (all_hex) {
      at = plain_end;
      if (run.size() >= 2 * minimum && run.size() % 2 == 0) {
        auto decoded = decode_hex(run);
        if (decoded && !add(EncodedRun::Form::hex, begin, at, std::move(*decoded))) return runs;
      }
      continue;
    }
    std::size_t letters = 0;
    const std::size_t end = end_of_base64(text, begin, &letters);
    at = std::max(end, plain_end);
    const bool padded = end > plain_end - 1 && end > begin && text[end - 1] == '=' && letters % 4 != 0;
    if (!padded && !looks_encoded(run)) continue;
    // A variable's name or a path in front can shift the groups ("data=" does not, "x/" does); padded runs tell where they end.
    const std::string_view whole = text.substr(begin, end - begin);
    if (!add(EncodedRun::Form::base64, begin, end, decode_base64_letters(whole))) return runs;
  }
  return runs;
}

}  // namespace lazaret::codec
