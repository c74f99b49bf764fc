#include "engine/yara_syntax.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "engine/yara_lexer.h"

namespace lazaret::engine {
namespace {

using Kind = YaraExpression::Kind;
using Quantifier = YaraExpression::Quantifier;

constexpr unsigned depth_limit = 200;
constexpr std::array<std::string_view, 12> read_functions = {"int8",   "int16",   "int32",   "uint8",   "uint16",   "uint32",
                                                             "int8be", "int16be", "int32be", "uint8be", "uint16be", "uint32be"};
constexpr std::array<std::string_view, 8> text_operators = {"contains", "icontains", "startswith", "istartswith",
                                                            "endswith", "iendswith", "iequals",    "matches"};

template <typename List>
bool is_one_of(const List& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

// Recursive descent, one function for each level of precedence. The first problem stops it.
class Parser {
 public:
  explicit Parser(std::string_view source) : lexer_(source) { advance(); }

  YaraSource read() {
    while (!failed() && token_.kind != YaraToken::Kind::end) {
      if (is_word("import")) {
        advance();
        if (token_.kind != YaraToken::Kind::text) fail("the name of a module is missing");
        result_.imports.push_back(token_.text);
        advance();
      } else {
        read_rule();
      }
    }
    return std::move(result_);
  }

 private:
  bool failed() const { return !result_.problem.empty(); }
  void fail(std::string_view what) {
    if (!failed()) result_.problem = fmt::format("line {}: {}", lexer_.line_at(token_.begin), what);
  }

  void advance() {
    last_end_ = token_.end;
    token_ = lexer_.next();
    if (token_.kind == YaraToken::Kind::bad) fail(token_.text);
    // After a problem every token is the end, so that no loop goes on.
    if (failed()) token_ = {};
  }
  bool is_word(std::string_view word) const { return token_.kind == YaraToken::Kind::word && token_.text == word; }
  bool is_sign(std::string_view sign) const { return token_.kind == YaraToken::Kind::sign && token_.text == sign; }
  bool accept_word(std::string_view word) {
    if (!is_word(word)) return false;
    advance();
    return true;
  }
  bool accept_sign(std::string_view sign) {
    if (!is_sign(sign)) return false;
    advance();
    return true;
  }
  void expect_sign(std::string_view sign) {
    if (!accept_sign(sign)) fail(fmt::format("\"{}\" is missing", sign));
  }
  std::string take_word() {
    if (token_.kind != YaraToken::Kind::word) {
      fail("a name is missing");
      return "";
    }
    std::string word = std::move(token_.text);
    advance();
    return word;
  }
  bool next_is_word(std::string_view word) const {
    YaraLexer ahead = lexer_;
    const YaraToken token = ahead.next();
    return token.kind == YaraToken::Kind::word && token.text == word;
  }

  // --- rules and strings

  void read_rule() {
    YaraRuleSource rule;
    rule.begin = token_.begin;
    for (;;) {
      if (accept_word("global")) {
        rule.is_global = true;
      } else if (accept_word("private")) {
        rule.is_private = true;
      } else {
        break;
      }
    }
    if (!accept_word("rule")) return fail("a rule should begin here");
    rule.name = take_word();
    if (accept_sign(":")) {
      while (token_.kind == YaraToken::Kind::word) advance();
    }
    expect_sign("{");
    if (accept_word("meta")) {
      expect_sign(":");
      read_metadata();
    }
    if (accept_word("strings")) {
      expect_sign(":");
      while (token_.kind == YaraToken::Kind::string_name) read_string(rule);
    }
    if (!accept_word("condition")) return fail("the condition is missing");
    expect_sign(":");
    mentioned_.clear();
    rule.condition = read_expression();
    std::sort(mentioned_.begin(), mentioned_.end());
    mentioned_.erase(std::unique(mentioned_.begin(), mentioned_.end()), mentioned_.end());
    rule.mentioned = std::move(mentioned_);
    if (!is_sign("}")) return fail("the condition should end here");
    rule.end = token_.end;
    advance();
    if (!failed()) result_.rules.push_back(std::move(rule));
  }

  void read_metadata() {
    while (token_.kind == YaraToken::Kind::word && token_.text != "strings" && token_.text != "condition") {
      advance();
      expect_sign("=");
      accept_sign("-");
      const bool value = token_.kind == YaraToken::Kind::text || token_.kind == YaraToken::Kind::integer || is_word("true") || is_word("false");
      if (!value) return fail("a value of the metadata is missing");
      advance();
    }
  }

  void read_string(YaraRuleSource& rule) {
    YaraString string;
    string.name = std::move(token_.text);
    advance();
    if (!is_sign("=")) return fail("\"=\" is missing");
    // A hex string has words of its own, so the lexer is told before it reads them.
    YaraLexer ahead = lexer_;
    const YaraToken first = ahead.next();
    if (first.kind == YaraToken::Kind::sign && first.text == "{") {
      string.kind = YaraString::Kind::hex;
      lexer_ = ahead;
      if (!lexer_.read_hex_string(string.value)) return fail("a hex string does not end");
      advance();
    } else {
      advance();
      if (token_.kind == YaraToken::Kind::regexp) {
        string.kind = YaraString::Kind::regexp;
        string.ignore_case = token_.flags.find('i') != std::string::npos;
        string.dot_all = token_.flags.find('s') != std::string::npos;
      } else if (token_.kind != YaraToken::Kind::text) {
        return fail("a string is missing");
      }
      string.value = std::move(token_.text);
      advance();
    }
    read_modifiers(string);
    if (!string.wide) string.ascii = true;
    rule.strings.push_back(std::move(string));
  }

  void read_modifiers(YaraString& string) {
    for (;;) {
      if (accept_word("nocase")) {
        string.ignore_case = true;
      } else if (accept_word("ascii")) {
        string.ascii = true;
      } else if (accept_word("wide")) {
        string.wide = true;
      } else if (accept_word("fullword")) {
        string.full_word = true;
      } else if (accept_word("private")) {
      } else if (accept_word("xor")) {
        string.exclusive_or = true;
        read_keys(string);
      } else if (accept_word("base64")) {
        string.base64 = true;
        string.base64_alphabet = read_alphabet();
      } else if (accept_word("base64wide")) {
        string.base64_wide = true;
        // Both modifiers share one alphabet; libyara refuses two that differ.
        if (std::string alphabet = read_alphabet(); !alphabet.empty()) string.base64_alphabet = std::move(alphabet);
      } else {
        return;
      }
    }
  }

  void read_keys(YaraString& string) {
    if (!accept_sign("(")) return;
    const auto key = [&]() -> unsigned {
      if (token_.kind != YaraToken::Kind::integer || token_.value > 255) {
        fail("a key of xor should stand here");
        return 0;
      }
      const auto value = static_cast<unsigned>(token_.value);
      advance();
      return value;
    };
    string.key_min = string.key_max = key();
    if (accept_sign("-")) string.key_max = key();
    expect_sign(")");
  }

  std::string read_alphabet() {
    if (!accept_sign("(")) return "";
    std::string alphabet;
    if (token_.kind == YaraToken::Kind::text) alphabet = std::move(token_.text);
    if (alphabet.size() != 64) fail("an alphabet of 64 characters should stand here");
    advance();
    expect_sign(")");
    return alphabet;
  }

  // --- conditions

  // Counts nesting; too deep is a problem of its own.
  struct Depth {
    explicit Depth(Parser& parser) : owner(parser) {
      if (++owner.depth_ > depth_limit) owner.fail("nested too deeply");
    }
    ~Depth() { --owner.depth_; }
    Parser& owner;
  };

  static YaraExpression node(Kind kind, std::string text = "") {
    YaraExpression expression;
    expression.kind = kind;
    expression.text = std::move(text);
    return expression;
  }

  YaraExpression read_expression() {
    const Depth depth(*this);
    return read_joined(Kind::logical_or, "or", [this] { return read_joined(Kind::logical_and, "and", [this] { return read_not(); }); });
  }

  template <typename Next>
  YaraExpression read_joined(Kind kind, std::string_view word, Next next) {
    YaraExpression first = next();
    if (!is_word(word)) return first;
    YaraExpression all = node(kind);
    all.children.push_back(std::move(first));
    while (accept_word(word)) all.children.push_back(next());
    return all;
  }

  YaraExpression read_not() {
    const Depth depth(*this);
    for (const auto& [word, kind] : {std::pair{"not", Kind::logical_not}, std::pair{"defined", Kind::defined}}) {
      if (!accept_word(word)) continue;
      YaraExpression expression = node(kind);
      expression.children.push_back(read_not());
      return expression;
    }
    return read_equality();
  }

  YaraExpression read_binary(Kind kind, std::string text, YaraExpression left, YaraExpression right) {
    YaraExpression expression = node(kind, std::move(text));
    expression.children.push_back(std::move(left));
    expression.children.push_back(std::move(right));
    return expression;
  }

  YaraExpression read_equality() {
    YaraExpression left = read_relation();
    for (;;) {
      if (is_sign("==") || is_sign("!=")) {
        std::string sign = take_sign();
        left = read_binary(Kind::compare, std::move(sign), std::move(left), read_relation());
      } else if (token_.kind == YaraToken::Kind::word && is_one_of(text_operators, token_.text)) {
        std::string word = take_word();
        left = read_binary(Kind::text_compare, std::move(word), std::move(left), read_relation());
      } else {
        return left;
      }
    }
  }

  YaraExpression read_relation() {
    YaraExpression left = read_arithmetic(0);
    if (is_word("of") || (is_sign("%") && next_is_word("of"))) {
      YaraExpression of = node(Kind::of);
      of.quantifier = accept_sign("%") ? Quantifier::percent : Quantifier::number;
      of.children.push_back(std::move(left));
      left = finish_of(std::move(of));
    }
    while (is_sign("<") || is_sign("<=") || is_sign(">") || is_sign(">=")) {
      std::string sign = take_sign();
      left = read_binary(Kind::compare, std::move(sign), std::move(left), read_arithmetic(0));
    }
    return left;
  }

  std::string take_sign() {
    std::string sign = std::move(token_.text);
    advance();
    return sign;
  }

  YaraExpression read_arithmetic(unsigned level) {
    static constexpr std::array<std::array<std::string_view, 4>, 6> levels = {{{"|"}, {"^"}, {"&"}, {"<<", ">>"}, {"+", "-"}, {"*", "\\", "%"}}};
    if (level == levels.size()) return read_sign();
    YaraExpression left = read_arithmetic(level + 1);
    while (token_.kind == YaraToken::Kind::sign && is_one_of(levels[level], token_.text)) {
      if (is_sign("%") && next_is_word("of")) return left;  // a percentage
      std::string sign = take_sign();
      left = read_binary(Kind::arithmetic, std::move(sign), std::move(left), read_arithmetic(level + 1));
    }
    return left;
  }

  YaraExpression read_sign() {
    const Depth depth(*this);
    if (is_sign("-") || is_sign("~")) {
      YaraExpression expression = node(take_sign() == "-" ? Kind::negative : Kind::complement);
      expression.children.push_back(read_sign());
      return expression;
    }
    return read_primary();
  }

  YaraExpression read_primary() {
    YaraExpression expression;
    switch (token_.kind) {
      case YaraToken::Kind::integer:
        expression = node(Kind::integer);
        expression.value = token_.value;
        advance();
        return expression;
      case YaraToken::Kind::floating:
        advance();
        return node(Kind::unknown);
      case YaraToken::Kind::text:
      case YaraToken::Kind::regexp:
        expression = node(token_.kind == YaraToken::Kind::text ? Kind::text : Kind::regexp, std::move(token_.text));
        expression.value = token_.flags.find('i') != std::string::npos;
        advance();
        return expression;
      case YaraToken::Kind::string_name: return read_string_use(Kind::string);
      case YaraToken::Kind::string_count: return read_string_use(Kind::string_count);
      case YaraToken::Kind::string_offset:
      case YaraToken::Kind::string_length:
        expression = node(Kind::string_place, std::move(token_.text));
        advance();
        if (accept_sign("[")) {
          read_expression();
          expect_sign("]");
        }
        return expression;
      case YaraToken::Kind::word: return read_word();
      default: break;
    }
    if (!accept_sign("(")) {
      fail("a condition is missing");
      return expression;
    }
    expression = read_expression();
    expect_sign(")");
    return expression;
  }

  YaraExpression read_string_use(Kind kind) {
    YaraExpression expression = node(kind, std::move(token_.text));
    advance();
    if (kind == Kind::string && accept_word("at")) {
      expression.children.push_back(read_arithmetic(0));
    } else if (accept_word("in")) {
      expression.bounded = true;
      read_range(expression);
    }
    return expression;
  }

  void read_range(YaraExpression& owner) {
    expect_sign("(");
    owner.children.push_back(read_arithmetic(0));
    expect_sign("..");
    owner.children.push_back(read_arithmetic(0));
    expect_sign(")");
  }

  YaraExpression read_word() {
    std::string word = take_word();
    if (word == "true" || word == "false") {
      YaraExpression expression = node(Kind::boolean);
      expression.value = word == "true";
      return expression;
    }
    if (word == "filesize") return node(Kind::file_size);
    if (word == "entrypoint") return node(Kind::unknown);
    if (word == "for") return read_for();
    if (word == "any" || word == "all" || word == "none") {
      YaraExpression of = node(Kind::of);
      of.quantifier = quantifier_of(word);
      return finish_of(std::move(of));
    }
    if (is_one_of(read_functions, word) && is_sign("(")) {
      YaraExpression expression = node(Kind::read, std::move(word));
      advance();
      expression.children.push_back(read_expression());
      expect_sign(")");
      return expression;
    }
    mentioned_.push_back(word);
    YaraExpression expression = node(Kind::identifier, std::move(word));
    for (;;) {
      if (accept_sign(".")) {
        expression.kind = Kind::module_value;
        expression.text += "." + take_word();
      } else if (accept_sign("[")) {
        expression.kind = Kind::module_value;
        read_expression();
        expect_sign("]");
      } else if (accept_sign("(")) {
        expression.kind = Kind::module_value;
        while (!failed() && !is_sign(")")) {
          read_expression();
          if (!accept_sign(",")) break;
        }
        expect_sign(")");
      } else {
        return expression;
      }
    }
  }

  static Quantifier quantifier_of(std::string_view word) {
    return word == "any" ? Quantifier::any : word == "all" ? Quantifier::all : Quantifier::none;
  }

  YaraExpression finish_of(YaraExpression of) {
    if (!accept_word("of")) fail("\"of\" is missing");
    of.names = read_set();
    if (accept_word("in")) {
      of.bounded = true;
      read_range(of);
    } else if (accept_word("at")) {
      of.bounded = true;
      of.children.push_back(read_arithmetic(0));
    }
    return of;
  }

  std::vector<std::string> read_set() {
    if (accept_word("them")) return {"$*"};
    std::vector<std::string> names;
    expect_sign("(");
    do {
      if (token_.kind == YaraToken::Kind::string_name) {
        names.push_back(std::move(token_.text));
        advance();
      } else {
        std::string name = take_word();
        if (is_sign("*") && token_.begin == last_end_) {
          name += '*';
          advance();
        }
        mentioned_.push_back(name);
        names.push_back(std::move(name));
      }
    } while (accept_sign(","));
    expect_sign(")");
    return names;
  }

  YaraExpression read_for() {
    const Depth depth(*this);
    YaraExpression loop = node(Kind::for_of);
    if (is_word("any") || is_word("all") || is_word("none")) {
      loop.quantifier = quantifier_of(take_word());
    } else {
      loop.quantifier = Quantifier::number;
      loop.children.push_back(read_arithmetic(0));
      if (accept_sign("%")) loop.quantifier = Quantifier::percent;
    }
    if (accept_word("of")) {
      loop.names = read_set();
    } else {
      loop.kind = Kind::for_in;
      do {
        loop.names.push_back(take_word());
      } while (accept_sign(","));
      if (!accept_word("in")) fail("\"in\" is missing");
      if (accept_sign("(")) {
        do {
          read_expression();
          if (accept_sign("..")) read_expression();
        } while (accept_sign(","));
        expect_sign(")");
      } else {
        read_arithmetic(0);
      }
    }
    expect_sign(":");
    expect_sign("(");
    loop.children.push_back(read_expression());
    expect_sign(")");
    return loop;
  }

  YaraLexer lexer_;
  YaraToken token_;
  std::size_t last_end_ = 0;
  unsigned depth_ = 0;
  std::vector<std::string> mentioned_;
  YaraSource result_;
};

}  // namespace

YaraSource read_yara_source(std::string_view source) { return Parser(source).read(); }

}  // namespace lazaret::engine
