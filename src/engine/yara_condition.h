// Which rules can still be true of a file, from what is known before libyara looks at it.
//
// Known are: which strings have none of their necessary literals in the file (they have no match), the size, the bytes at its begin, and the external
// variables. Each condition is evaluated over sets of possible outcomes: what is not known may be anything. So "no" is certain and "maybe" is not; a rule is
// left out only on "no". That holds for any condition, however it is built: a part that is not understood is "maybe", its negation too.
//
// Undefined values (a read behind the end, a place of a string that does not match) make a comparison not true, and its negation is "maybe" here, so nothing
// hangs on how libyara carries them on. Global rules are not looked at: they can only make a rule not true.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "engine/yara_syntax.h"

namespace lazaret::engine {

// The external variables of text, in the order of YaraFacts::variables.
inline constexpr std::array<std::string_view, 6> yara_text_variables = {"filename", "filepath", "extension", "filetype", "owner", "md5"};

// How a file begins, as far as most rules care: rules for one kind of program need not be looked for in another.
enum class YaraHeader : std::uint8_t { any, pe, elf, other };  // "MZ", "\x7fELF", neither
YaraHeader yara_header_of(Bytes content);

struct YaraFacts {
  Bytes content;  // from the file's begin; may be shorter than the file
  std::uint64_t file_size = 0;
  std::array<std::string_view, yara_text_variables.size()> variables;

  // False: this is a class of files, of which only the following is known.
  bool known = true;
  YaraHeader header = YaraHeader::any;
  std::uint64_t least_size = 0, most_size = ~0ull;
};

// The conditions of all rules. Made once, then immutable and thread-safe.
class YaraConditions {
 public:
  struct String {
    std::uint32_t rule = 0;
    YaraString source;
    std::string prefix;  // bytes that a match begins with
  };

  // Adds the rules of a source to a name space. What `source` holds is copied.
  void add(const std::string& name_space, const YaraSource& source);

  std::size_t rule_count() const { return rules_.size(); }
  const std::vector<String>& strings() const { return strings_; }
  // For the one who makes literals of the strings, before anything is evaluated.
  String& string(std::size_t index) { return strings_[index]; }
  // Rules that a rule refers to, directly.
  const std::vector<std::uint32_t>& references(std::uint32_t rule) const { return rules_[rule].references; }

  enum class Operator : std::uint8_t {
    none, add, subtract, multiply, divide, remainder, bit_and, bit_or, bit_xor, shift_left, shift_right,
    equal, different, less, less_equal, greater, greater_equal,
    contains, icontains, startswith, istartswith, endswith, iendswith, iequals, matches,
  };

  class Needs;
  // `present`: for each string, 0 when it cannot be there. One evaluation for one file; not thread-safe.
  class Evaluation {
   public:
    explicit Evaluation(const YaraConditions& conditions) : conditions_(conditions), known_(conditions.rule_count()) {}
    void begin(const YaraFacts& facts, const std::vector<std::uint8_t>& present);
    bool may_be_true(std::uint32_t rule) { return (outcome_of(rule) & yes) != 0; }

   private:
    friend class Needs;
    // Sets of outcomes.
    using Outcome = std::uint8_t;
    static constexpr Outcome yes = 1, no = 2, maybe = 3;
    struct Number {
      enum class State { known, undefined, unknown } state = State::unknown;
      std::int64_t value = 0;
    };
    static constexpr std::uint32_t no_string = ~0u;

    Outcome outcome_of(std::uint32_t rule);
    Outcome evaluate(std::uint32_t node, std::uint32_t current);
    Outcome evaluate_string(std::uint32_t node, std::uint32_t current);
    Outcome evaluate_comparison(std::uint32_t node, std::uint32_t current);
    Outcome compare_in_class(std::uint32_t left, Operator op, std::uint32_t right, std::uint32_t current);
    std::string_view known_begin() const;
    Outcome enough(std::uint32_t node, std::uint32_t current, std::size_t possible, std::size_t all);
    Number number(std::uint32_t node, std::uint32_t current);
    Number read(std::uint32_t node, std::uint32_t current);
    Number calculate(std::uint32_t node, std::uint32_t current);
    std::optional<std::string_view> text(std::uint32_t node) const;
    bool is_present(std::uint32_t node, std::uint32_t current) const;

    const YaraConditions& conditions_;
    YaraFacts facts_;
    const std::vector<std::uint8_t>* present_ = nullptr;
    struct Known {
      std::uint32_t round = 0;
      Outcome outcome = maybe;
    };
    std::vector<Known> known_;
    std::uint32_t round_ = 0;
  };

  // Strings that a rule cannot be true without, the cheapest that are found: a rule that wants one of three strings and all of two others needs one of those two
  // only. Not thread-safe.
  class Needs {
   public:
    struct Choice {
      double cost = 0;  // infinite: the rule may be true without any string that can be looked for
      std::vector<std::uint32_t> strings;  // if none of them is in a file, the rule is not true of it; none at all: it is never true
    };
    // `costs`: by string, of looking for it; infinite for one that cannot be looked for. They must outlive this.
    Needs(const YaraConditions& conditions, const std::vector<double>& costs);
    // For a class of files.
    void begin(const YaraFacts& facts);
    const Choice& of(std::uint32_t rule);

   private:
    Choice choose(std::uint32_t node, std::uint32_t current);
    Choice choose_enough(std::uint32_t node, std::uint32_t current, std::vector<Choice> items);
    Choice choose_all_within(std::uint32_t node, std::uint32_t current);
    Choice of_string(std::uint32_t string) const;
    void collect_strings(std::uint32_t node, std::uint32_t current, std::vector<std::uint32_t>& strings) const;

    const YaraConditions& conditions_;
    const std::vector<double>& costs_;
    YaraFacts facts_;
    std::vector<std::uint8_t> all_present_, some_absent_;
    Evaluation all_, some_;  // with all strings present, and without some
    std::vector<Choice> known_;
    std::vector<std::uint8_t> is_known_;
  };

 private:
  using Kind = YaraExpression::Kind;
  // What a node stands for beyond its kind.
  enum class Meaning : std::uint8_t { as_kind, rule, text_variable, pe_value };
  struct Node {
    Kind kind = Kind::unknown;
    Meaning meaning = Meaning::as_kind;
    Operator op = Operator::none;
    YaraExpression::Quantifier quantifier = YaraExpression::Quantifier::any;
    std::uint8_t size = 0;  // read: bytes
    bool is_signed = false, big_endian = false, bounded = false, of_rules = false;
    std::uint32_t first_child = 0, child_count = 0;  // in children_
    std::uint32_t first_member = 0, member_count = 0;  // in members_: strings or rules of a set; of a regexp, in texts_: its literals
    std::uint32_t index = ~0u;  // string, rule, variable or text; a string of ~0 is that of the loop around
    std::int64_t value = 0;
  };
  struct Rule {
    std::uint32_t root = 0;
    std::uint32_t first_string = 0, string_count = 0;
    std::vector<std::uint32_t> references;
  };
  struct Scope {
    std::vector<std::pair<std::string, std::uint32_t>> rules;  // in order
    std::map<std::string, std::uint32_t, std::less<>> by_name;
  };

  std::uint32_t add_node(const YaraExpression& expression, const Scope& scope, std::uint32_t rule, std::vector<std::string>& variables);
  void resolve_set(const YaraExpression& expression, const Scope& scope, std::uint32_t rule, Node& node);
  void resolve_string(const YaraExpression& expression, std::uint32_t rule, Node& node) const;
  unsigned cost_of(std::uint32_t node) const;

  std::vector<Rule> rules_;
  std::vector<String> strings_;
  std::vector<Node> nodes_;
  std::vector<std::uint32_t> children_, members_;
  std::vector<std::string> texts_;
  std::map<std::string, Scope, std::less<>> scopes_;
};

}  // namespace lazaret::engine
