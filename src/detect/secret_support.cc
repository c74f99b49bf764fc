#include "detect/secret_support.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/text.h"
#include "detect/text_context_support.h"

namespace lazaret::detect {
namespace {

bool contains_any(std::string_view text, std::initializer_list<std::string_view> parts) {
  return std::any_of(parts.begin(), parts.end(), [&](std::string_view part) { return text.find(part) != std::string_view::npos; });
}

bool is_quote(char c) { return c == '"' || c == '\'' || c == '`'; }
bool is_blank(char c) { return c == ' ' || c == '\t'; }

// The end of a word of a shell command or Dockerfile that begins at `at`; quotes hold blanks together.
std::size_t end_of_word(std::string_view text, std::size_t at) {
  char quote = '\0';
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (quote != '\0') {
      if (c == quote) quote = '\0';
    } else if (is_quote(c)) {
      quote = c;
    } else if (is_blank(c) || c == '\n' || c == ';') {
      break;
    }
  }
  return at;
}

std::string_view unquoted(std::string_view text) {
  if (text.size() >= 2 && is_quote(text.front()) && text.back() == text.front()) return text.substr(1, text.size() - 2);
  return text;
}

}  // namespace

std::string redact(std::string_view secret) {
  const std::size_t size = secret.size();
  if (size < 8) return fmt::format("[{} characters]", size);
  const std::size_t head = size >= 16 ? 4 : 2, tail = size >= 16 ? 2 : 1;
  return fmt::format("{}...{} [{} characters]", secret.substr(0, head), secret.substr(size - tail), size);
}

double entropy_of(std::string_view text) {
  if (text.empty()) return 0;
  std::array<std::size_t, 256> counts{};
  for (const char c : text) ++counts[static_cast<std::uint8_t>(c)];
  double bits = 0;
  for (const std::size_t count : counts) {
    if (count == 0) continue;
    const double share = static_cast<double>(count) / static_cast<double>(text.size());
    bits -= share * std::log2(share);
  }
  return bits;
}

bool is_placeholder(std::string_view value) {
  value = trim(value);
  if (value.size() < 3) return true;
  if (value.front() == '$' || value.front() == '<' || value.front() == '[' || value.front() == '%' || value.front() == '@') return true;
  const std::string lower = to_lower(value);
  if (contains_any(lower, {"example", "changeme", "change_me", "change-me", "changeit", "placeholder", "xxxx", "your_", "your-", "yourpass", "yourtoken", "yoursecret", "mytoken", "mypass", "mysecret", "${", "$(", "{{",
                           "}}", "%(", "redacted", "****", "dummy", "replace", "insert-", "insert_", "notreal", "not-real", "fake", "fixme", "...", "<", "u003c"}))
    return true;
  for (const std::string_view word : {"password", "passwd", "pass", "secret", "token", "apikey", "api_key", "null", "none", "nil", "true", "false", "yes", "no", "on", "off", "undefined", "default",
                                      "test", "testing", "string", "user", "username", "value", "key", "optional", "required", "unset", "disabled", "enabled", "auto"}) {
    if (lower == word) return true;
  }
  // One or two letters over and over, and letters in their order.
  std::array<bool, 256> seen{};
  std::size_t distinct = 0, ascending = 0;
  for (std::size_t i = 0; i < value.size(); ++i) {
    bool& known = seen[static_cast<std::uint8_t>(value[i])];
    distinct += known ? 0 : 1;
    known = true;
    if (i > 0 && value[i] == value[i - 1] + 1) ++ascending;
  }
  return distinct <= 2 || (value.size() >= 16 && distinct <= 4) || ascending * 2 > value.size();
}

bool is_test_path(std::string_view path) {
  for (const std::string_view part : split(path, '/')) {
    for (const std::string_view name : {"test", "tests", "testing", "testdata", "test-data", "test_data", "fixtures", "fixture", "__tests__", "spec", "specs", "mocks", "example", "examples",
                                        "samples", "demo", "demos", "testutil", "testutils", "test_utils", "dummyserver", "selftest", "benchmark"}) {
      if (equals_ignore_case(part, name)) return true;
    }
    if (part.starts_with("test_") || part.ends_with("_test.go") || part.ends_with("_test.py") || part.ends_with(".test.js") || part.ends_with(".spec.js")) return true;
  }
  return false;
}

std::string_view name_before(std::string_view text, std::size_t begin) {
  std::size_t at = std::min(begin, text.size());
  const auto skip = [&](auto wanted) {
    while (at > 0 && begin - at < 200 && wanted(text[at - 1])) --at;
  };
  skip([](char c) { return is_quote(c) || is_blank(c) || c == '\\'; });
  std::size_t signs = 0;
  while (at > 0 && (text[at - 1] == '=' || text[at - 1] == ':' || text[at - 1] == '>')) {
    --at;
    ++signs;
  }
  if (signs == 0) return {};
  skip([](char c) { return is_quote(c) || is_blank(c) || c == '\\'; });
  const std::size_t end = at;
  while (at > 0 && end - at < 60 && (is_word(text[at - 1]) || text[at - 1] == '-' || text[at - 1] == '.')) --at;
  return text.substr(at, end - at);
}

bool names_secret(std::string_view name) {
  const std::string lower = to_lower(name);
  const std::string_view text = lower;
  for (const std::string_view end : {"_file", "_path", "_dir", "_url", "_uri", "_host", "_name", "_user", "_id", "_ttl", "_expiry", "_expires", "_length", "_len", "_type", "_mode", "_hash", "_sha",
                                     "_sha256", "_md5", "_policy", "_prompt", "_command", "_cmd", "_timeout", "_lifetime", "_store", "_algorithm", "_enabled", "_required", "_method",
                                     "_endpoint", "_issuer", "_audience", "_version", "_min", "_max", "_age"}) {
    if (text.ends_with(end)) return false;
  }
  if (contains_any(text, {"allow_empty", "random_", "use_", "no_password", "nopass", "public_key", "publickey", "pubkey", "tokenizer"})) return false;
  return contains_any(text, {"password", "passwd", "passphrase", "secret", "token", "api_key", "apikey", "api-key", "access_key", "accesskey", "private_key", "credential", "auth_key", "encryption_key"}) ||
         text == "pass" || text.ends_with("_pass") || text.ends_with("_pwd");
}

std::vector<Assignment> assignments_of_step(std::string_view step) {
  std::vector<Assignment> found;
  std::string_view text = trim(step);
  const auto skip_blanks = [&] {
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  };
  const auto take_assignments = [&](bool to_end) {
    for (std::size_t count = 0; count < 256; ++count) {
      skip_blanks();
      std::size_t name = 0;
      while (name < text.size() && (is_word(text[name]) || text[name] == '.' || text[name] == '-')) ++name;
      if (name == 0) return;
      if (name < text.size() && text[name] == '=') {
        // A value of the old builder's history may hold blanks without quotes: then it goes on to the next "NAME=".
        const std::size_t end = end_of_word(text, name + 1);
        found.push_back({text.substr(0, name), unquoted(text.substr(name + 1, end - name - 1))});
        text.remove_prefix(end);
        continue;
      }
      if (!to_end) return;
      if (name < text.size() && is_blank(text[name]) && found.empty()) {  // ENV NAME value
        found.push_back({text.substr(0, name), unquoted(trim(text.substr(name)))});
        return;
      }
      text.remove_prefix(end_of_word(text, name));
    }
  };
  if (const auto mark = text.find("#(nop)"); mark != std::string_view::npos) {
    text.remove_prefix(mark + 6);
    skip_blanks();
  }
  if (text.starts_with("RUN ")) text.remove_prefix(4);
  if (text.starts_with("ENV ") || text.starts_with("ARG ")) {
    text.remove_prefix(4);
    if (const auto mark = text.rfind("# buildkit"); mark != std::string_view::npos) text = trim(text.substr(0, mark));
    if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);  // buildah: ENV [A=b]
    take_assignments(true);
  } else if (text.starts_with('|')) {
    text.remove_prefix(1);
    while (!text.empty() && text.front() >= '0' && text.front() <= '9') text.remove_prefix(1);
    take_assignments(false);
  }
  return found;
}

std::vector<UrlCredentials> find_url_credentials(std::string_view text, std::size_t limit) {
  std::vector<UrlCredentials> found;
  const auto ends = [](char c) {
    return static_cast<unsigned char>(c) <= 0x20 || c == '/' || c == '"' || c == '\'' || c == '`' || c == '<' || c == '>' || c == '\\' || c == '?' || c == '#' || c == '|' || c == ')' || c == '(' ||
           c == ',' || c == ';';
  };
  for (std::size_t at = text.find("://"); at != std::string_view::npos && found.size() < limit; at = text.find("://", at + 3)) {
    std::size_t end = at + 3;
    std::size_t colon = std::string_view::npos, sign = std::string_view::npos;
    while (end < text.size() && end - at < 600 && !ends(text[end])) {
      if (text[end] == ':' && colon == std::string_view::npos) colon = end;
      if (text[end] == '@') sign = end;  // the last one: passwords hold @ when they are written carelessly
      ++end;
    }
    if (colon == std::string_view::npos || sign == std::string_view::npos || colon >= sign || end - sign < 4) continue;
    found.push_back({colon + 1, text.substr(at + 3, colon - at - 3), text.substr(colon + 1, sign - colon - 1), text.substr(sign + 1, end - sign - 1)});
  }
  return found;
}

FileFinding secret_at(const Rule& rule, const FileView& file, std::size_t begin, std::size_t end) {
  const std::string_view text = file.text();
  FileFinding finding;
  finding.rule = &rule;
  finding.offset = begin;
  const std::string_view name = name_before(text, begin);
  finding.evidence = (name.empty() ? std::string() : std::string(name) + " = ") + redact(text.substr(begin, end - begin));
  if (is_test_path(file.path)) finding.severity = Severity::low;
  return finding;
}

std::string redact_secrets(std::string_view text) {
  std::vector<std::pair<std::size_t, std::size_t>> ranges;
  const auto add = [&](std::string_view part) { ranges.emplace_back(static_cast<std::size_t>(part.data() - text.data()), part.size()); };
  for (const Assignment& assignment : assignments_of_step(text)) {
    if (names_secret(assignment.name) && !is_placeholder(assignment.value)) add(assignment.value);
  }
  for (const UrlCredentials& url : find_url_credentials(text, 64)) {
    if (!is_placeholder(url.password)) add(url.password);
  }
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at;
    while (end < text.size() && (is_token_letter(text[end]) || text[end] == '.')) ++end;
    if (end - at >= 20 && begins_like_token(text.substr(at, end - at))) add(text.substr(at, end - at));
    at = std::max(end, at + 1);
  }
  if (ranges.empty()) return std::string(text);
  std::sort(ranges.begin(), ranges.end());
  std::string result;
  std::size_t done = 0;
  for (const auto& [begin, size] : ranges) {
    if (begin < done) continue;
    result += text.substr(done, begin - done);
    result += redact(text.substr(begin, size));
    done = begin + size;
  }
  result += text.substr(done);
  return result;
}

bool is_token_letter(char c) { return is_word(c) || c == '-'; }

bool begins_like_token(std::string_view text) {
  for (const std::string_view beginning : {"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "npm_", "pypi-", "xoxb-", "xoxp-", "xoxa-", "xoxs-", "xoxr-", "sk_live_", "rk_live_", "sk-", "hf_",
                                           "GOCSPX-", "SG.", "dop_v1_", "dckr_pat_", "AKIA", "ASIA", "hvs.", "AGE-SECRET-KEY-", "AIza"}) {
    if (text.starts_with(beginning)) return true;
  }
  return text.starts_with("eyJ") && std::count(text.begin(), text.end(), '.') == 2;  // a JSON web token
}

}  // namespace lazaret::detect
