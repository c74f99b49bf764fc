#include "intel/stix_pattern.h"

#include "base/text.h"

namespace lazaret::intel {
namespace {

constexpr std::size_t pattern_bytes = 64u << 10, values_limit = 1000;

class Parser {
 public:
  explicit Parser(std::string_view text) : rest_(text) {}

  Result<std::vector<StixValue>> run() {
    for (;;) {
      if (!take("[")) return Error{ErrorCode::invalid, "the pattern is no observation in brackets"};
      for (;;) {
        if (const auto done = comparison(); !done) return done.error();
        if (take("]")) break;
        if (!word("OR")) return Error{ErrorCode::unsupported, "the pattern asks for several things at once"};
      }
      skip_blanks();
      if (rest_.empty()) return std::move(values_);
      if (!word("OR")) return Error{ErrorCode::unsupported, "the pattern asks for several things at once"};
    }
  }

 private:
  void skip_blanks() {
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t' || rest_.front() == '\n' || rest_.front() == '\r')) rest_.remove_prefix(1);
  }
  bool take(std::string_view token) {
    skip_blanks();
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }
  bool word(std::string_view token) {
    skip_blanks();
    if (!rest_.starts_with(token) || (rest_.size() > token.size() && rest_[token.size()] != ' ' && rest_[token.size()] != '[' && rest_[token.size()] != '(' && rest_[token.size()] != '\'')) return false;
    rest_.remove_prefix(token.size());
    return true;
  }
  Result<std::string> text() {
    skip_blanks();
    if (!take("'")) return Error{ErrorCode::unsupported, "the pattern compares with something that is no text"};
    std::string value;
    while (!rest_.empty() && rest_.front() != '\'') {
      if (rest_.front() == '\\' && rest_.size() > 1) rest_.remove_prefix(1);
      value += rest_.front();
      rest_.remove_prefix(1);
    }
    if (!take("'")) return Error{ErrorCode::invalid, "the pattern ends in the middle of a text"};
    return value;
  }
  Result<void> comparison() {
    skip_blanks();
    if (word("NOT")) return Error{ErrorCode::unsupported, "the pattern asks for what must not be there"};
    std::string path;
    bool quoted = false;
    while (!rest_.empty()) {
      const char c = rest_.front();
      if (c == '\'') {
        quoted = !quoted;
      } else if (!quoted && (c == ' ' || c == '=' || c == '!' || c == '<' || c == '>' || c == ']')) {
        break;
      } else {
        path += c;
      }
      rest_.remove_prefix(1);
    }
    if (path.empty() || path.find(':') == std::string::npos) return Error{ErrorCode::invalid, "the pattern has no property where one is expected"};
    if (word("IN")) {
      if (!take("(")) return Error{ErrorCode::invalid, "IN wants a list"};
      do {
        auto value = text();
        if (!value) return value.error();
        if (const auto added = add(path, std::move(*value)); !added) return added;
      } while (take(","));
      if (!take(")")) return Error{ErrorCode::invalid, "the list has no end"};
      return {};
    }
    if (!take("=")) return Error{ErrorCode::unsupported, "only comparisons for equality are read"};
    (void)take("=");
    auto value = text();
    if (!value) return value.error();
    return add(path, std::move(*value));
  }
  Result<void> add(const std::string& path, std::string value) {
    if (values_.size() >= values_limit) return Error{ErrorCode::limit, "the pattern has too many values"};
    values_.push_back({path, std::move(value)});
    return {};
  }

  std::string_view rest_;
  std::vector<StixValue> values_;
};

}  // namespace

Result<std::vector<StixValue>> read_stix_pattern(std::string_view pattern) {
  if (pattern.size() > pattern_bytes) return Error{ErrorCode::limit, "the pattern is too long"};
  return Parser(pattern).run();
}

}  // namespace lazaret::intel
