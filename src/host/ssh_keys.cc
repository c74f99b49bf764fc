#include "host/ssh_keys.h"

#include <optional>

#include "base/base64.h"
#include "base/digest.h"
#include "base/text.h"

namespace lazaret::host {
namespace {

constexpr std::size_t max_keys = 10'000, max_files = 32;

bool is_space(char c) { return c == ' ' || c == '\t'; }

// The next word; spaces inside of double quotes belong to it.
std::string_view next_word(std::string_view& text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  std::size_t end = 0;
  for (bool quoted = false; end < text.size() && (quoted || !is_space(text[end])); ++end) {
    if (text[end] == '\\' && end + 1 < text.size() && text[end + 1] == '"') {
      ++end;
    } else if (text[end] == '"') {
      quoted = !quoted;
    }
  }
  end = std::min(end, text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(end);
  return word;
}

// The name of its kind that a key's body begins with (RFC 4253, 6.6): four bytes of length, then the name.
std::string kind_of(std::string_view body) {
  const auto bytes = decode_base64(body);
  if (!bytes || bytes->size() < 4) return "";
  std::size_t length = 0;
  for (std::size_t i = 0; i < 4; ++i) length = length << 8 | static_cast<std::uint8_t>((*bytes)[i]);
  if (length > bytes->size() - 4) return "";
  return bytes->substr(4, length);
}

}  // namespace

std::vector<AuthorizedKey> read_authorized_keys(std::string_view text) {
  std::vector<AuthorizedKey> keys;
  std::size_t number = 0;
  for (std::string_view line : split(text, '\n')) {
    ++number;
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    line = trim(line);
    if (line.empty() || line.front() == '#' || keys.size() >= max_keys) continue;
    // With options in front or without.
    std::string_view rest = line;
    std::string_view type = next_word(rest), options;
    std::string_view after = rest;
    std::string_view body = next_word(after);
    if (kind_of(body) != type || type.empty()) {
      options = type;
      type = body;
      body = next_word(after);
      if (kind_of(body) != type || type.empty()) continue;
    }
    AuthorizedKey key;
    key.line = number;
    key.type = type;
    key.body = body;
    key.options = options;
    key.comment = trim(after);
    const Digest digest = sha256(as_bytes(*decode_base64(body)));
    std::string print = encode_base64(*from_hex(digest.hex()));
    while (print.ends_with('=')) print.pop_back();
    key.fingerprint = "SHA256:" + print;
    keys.push_back(std::move(key));
  }
  return keys;
}

std::string forced_command(std::string_view options) {
  bool quoted = false;
  for (std::size_t i = 0; i < options.size(); ++i) {
    const bool begins = i == 0 || options[i - 1] == ',';
    constexpr std::string_view name = "command=\"";
    if (!quoted && begins && options.size() - i > name.size() && equals_ignore_case(options.substr(i, name.size()), name)) {
      std::string command;
      for (std::size_t at = i + name.size(); at < options.size() && options[at] != '"'; ++at) {
        if (options[at] == '\\' && at + 1 < options.size() && options[at + 1] == '"') ++at;
        command += options[at];
      }
      return command;
    }
    if (options[i] == '"' && (i == 0 || options[i - 1] != '\\')) quoted = !quoted;
  }
  return "";
}

std::vector<std::string> authorized_keys_files(std::string_view config) {
  std::vector<std::string> files;
  for (std::string_view line : split(config, '\n')) {
    line = trim(line);
    if (line.empty() || line.front() == '#') continue;
    std::string text(line);
    for (char& c : text) {
      if (c == '=' || c == '\r') c = ' ';
    }
    std::string_view rest = text;
    if (!equals_ignore_case(next_word(rest), "AuthorizedKeysFile")) continue;
    while (files.size() < max_files) {
      std::string_view word = next_word(rest);
      if (word.empty()) break;
      if (word.size() > 2 && word.front() == '"' && word.back() == '"') word = word.substr(1, word.size() - 2);
      if (word != "none") files.emplace_back(word);
    }
  }
  if (files.empty()) files = {".ssh/authorized_keys", ".ssh/authorized_keys2"};
  return files;
}

}  // namespace lazaret::host
