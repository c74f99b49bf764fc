#include "engine/yara_condition.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/text.h"
#include "engine/yara_literals.h"

namespace lazaret::engine {
namespace {

// Values of the pe module that are undefined for a file that does not begin as a PE file does: libyara 4.2.3 sets them, and its functions answer, only when
// there is a DOS header. Constants and `is_pe` are not among them.
constexpr std::array<std::string_view, 30> pe_values = {
    "machine",   "number_of_sections", "timestamp",     "characteristics", "entry_point", "image_base", "number_of_rva_and_sizes", "subsystem",
    "checksum",  "sections",           "overlay",       "linker_version",  "os_version",  "image_version", "subsystem_version",    "size_of_image",
    "imphash",   "exports",            "number_of_exports", "number_of_imports", "number_of_resources", "resources", "version_info", "number_of_signatures",
    "signatures", "pdb_path",          "is_dll",        "is_32bit",        "is_64bit",    "imports"};

constexpr std::string_view pe_begin = "MZ", elf_begin = "\x7f" "ELF";

bool is_pe_value(std::string_view name) {
  if (!name.starts_with("pe.")) return false;
  name.remove_prefix(3);
  return std::find(pe_values.begin(), pe_values.end(), name.substr(0, name.find('.'))) != pe_values.end();
}

bool matches_name(std::string_view pattern, std::string_view name) {
  if (pattern.ends_with('*')) return name.starts_with(pattern.substr(0, pattern.size() - 1));
  return pattern == name;
}

}  // namespace

YaraHeader yara_header_of(Bytes content) {
  const std::string_view begin = as_text(clamp(content, 0, 4));
  return begin.starts_with(pe_begin) ? YaraHeader::pe : begin == elf_begin ? YaraHeader::elf : YaraHeader::other;
}

// --- making

void YaraConditions::add(const std::string& name_space, const YaraSource& source) {
  Scope& scope = scopes_[name_space];
  for (const YaraRuleSource& rule : source.rules) {
    const auto index = static_cast<std::uint32_t>(rules_.size());
    rules_.emplace_back();
    rules_[index].first_string = static_cast<std::uint32_t>(strings_.size());
    rules_[index].string_count = static_cast<std::uint32_t>(rule.strings.size());
    for (const YaraString& string : rule.strings) strings_.push_back({index, string, ""});
    std::vector<std::string> variables;
    const std::uint32_t root = add_node(rule.condition, scope, index, variables);
    rules_[index].root = root;
    auto& references = rules_[index].references;
    std::sort(references.begin(), references.end());
    references.erase(std::unique(references.begin(), references.end()), references.end());
    scope.rules.emplace_back(rule.name, index);
    scope.by_name.emplace(rule.name, index);
  }
}

void YaraConditions::resolve_string(const YaraExpression& expression, std::uint32_t rule, Node& node) const {
  if (expression.text == "$") return;
  const Rule& owner = rules_[rule];
  for (std::uint32_t s = owner.first_string; s < owner.first_string + owner.string_count; ++s) {
    if (strings_[s].source.name == expression.text) node.index = s;
  }
  if (node.index == ~0u) node.kind = Kind::unknown;
}

void YaraConditions::resolve_set(const YaraExpression& expression, const Scope& scope, std::uint32_t rule, Node& node) {
  node.first_member = static_cast<std::uint32_t>(members_.size());
  for (const std::string& name : expression.names) {
    if (name.starts_with('$')) {
      const Rule& owner = rules_[rule];
      for (std::uint32_t s = owner.first_string; s < owner.first_string + owner.string_count; ++s) {
        if (matches_name(name, strings_[s].source.name)) members_.push_back(s);
      }
    } else {
      node.of_rules = true;
      for (const auto& [other, index] : scope.rules) {
        if (!matches_name(name, other)) continue;
        members_.push_back(index);
        rules_[rule].references.push_back(index);
      }
    }
  }
  node.member_count = static_cast<std::uint32_t>(members_.size()) - node.first_member;
}

std::uint32_t YaraConditions::add_node(const YaraExpression& expression, const Scope& scope, std::uint32_t rule, std::vector<std::string>& variables) {
  static constexpr std::array<std::pair<std::string_view, Operator>, 24> operators = {{
      {"+", Operator::add}, {"-", Operator::subtract}, {"*", Operator::multiply}, {"\\", Operator::divide}, {"%", Operator::remainder},
      {"&", Operator::bit_and}, {"|", Operator::bit_or}, {"^", Operator::bit_xor}, {"<<", Operator::shift_left}, {">>", Operator::shift_right},
      {"==", Operator::equal}, {"!=", Operator::different}, {"<", Operator::less}, {"<=", Operator::less_equal}, {">", Operator::greater},
      {">=", Operator::greater_equal}, {"contains", Operator::contains}, {"icontains", Operator::icontains}, {"startswith", Operator::startswith},
      {"istartswith", Operator::istartswith}, {"endswith", Operator::endswith}, {"iendswith", Operator::iendswith}, {"iequals", Operator::iequals},
      {"matches", Operator::matches},
  }};
  Node node;
  node.kind = expression.kind;
  node.quantifier = expression.quantifier;
  node.bounded = expression.bounded;
  node.value = expression.value;
  switch (expression.kind) {
    case Kind::text:
      node.index = static_cast<std::uint32_t>(texts_.size());
      texts_.push_back(expression.text);
      break;
    case Kind::regexp:
      // Only what its matches must contain is looked at.
      node.first_member = static_cast<std::uint32_t>(texts_.size());
      for (std::string& literal : necessary_literals(expression.text, expression.value != 0)) {
        texts_.push_back(expression.value != 0 ? to_lower(literal) : std::move(literal));
      }
      node.member_count = static_cast<std::uint32_t>(texts_.size()) - node.first_member;
      break;
    case Kind::read:
      node.is_signed = expression.text.starts_with("int");
      node.big_endian = expression.text.ends_with("be");
      node.size = expression.text.find("32") != std::string::npos ? 4 : expression.text.find("16") != std::string::npos ? 2 : 1;
      break;
    case Kind::identifier: {
      if (std::find(variables.begin(), variables.end(), expression.text) != variables.end()) {
        node.kind = Kind::unknown;
        break;
      }
      const auto variable = std::find(yara_text_variables.begin(), yara_text_variables.end(), expression.text);
      const auto other = scope.by_name.find(expression.text);
      if (variable != yara_text_variables.end()) {
        node.meaning = Meaning::text_variable;
        node.index = static_cast<std::uint32_t>(variable - yara_text_variables.begin());
      } else if (other != scope.by_name.end()) {
        node.meaning = Meaning::rule;
        node.index = other->second;
        rules_[rule].references.push_back(other->second);
      } else {
        node.kind = Kind::unknown;
      }
      break;
    }
    case Kind::module_value:
      // A variable of a loop has members too ("section.name"): only a module's own name is looked up.
      if (is_pe_value(expression.text) && std::find(variables.begin(), variables.end(), "pe") == variables.end()) node.meaning = Meaning::pe_value;
      break;
    case Kind::string:
    case Kind::string_count:
    case Kind::string_place: resolve_string(expression, rule, node); break;
    case Kind::arithmetic:
    case Kind::compare:
    case Kind::text_compare:
      for (const auto& [sign, op] : operators) {
        if (sign == expression.text) node.op = op;
      }
      break;
    case Kind::of:
    case Kind::for_of: resolve_set(expression, scope, rule, node); break;
    default: break;
  }

  const std::size_t outer = variables.size();
  if (expression.kind == Kind::for_in) variables.insert(variables.end(), expression.names.begin(), expression.names.end());
  std::vector<std::uint32_t> children;
  children.reserve(expression.children.size());
  for (const YaraExpression& child : expression.children) children.push_back(add_node(child, scope, rule, variables));
  variables.resize(outer);
  // What is cheap to know comes first, since one "no" ends it.
  if (expression.kind == Kind::logical_and) {
    std::stable_sort(children.begin(), children.end(), [this](std::uint32_t a, std::uint32_t b) { return cost_of(a) < cost_of(b); });
  }
  node.first_child = static_cast<std::uint32_t>(children_.size());
  node.child_count = static_cast<std::uint32_t>(children.size());
  children_.insert(children_.end(), children.begin(), children.end());
  nodes_.push_back(node);
  return static_cast<std::uint32_t>(nodes_.size() - 1);
}

unsigned YaraConditions::cost_of(std::uint32_t index) const {
  const Node& node = nodes_[index];
  if (node.meaning == Meaning::rule) return 30;
  unsigned cost = node.kind == Kind::of ? 10 : node.kind == Kind::for_of ? 20 : node.kind == Kind::text_compare ? 5 : 1;
  for (std::uint32_t i = 0; i < node.child_count; ++i) cost += cost_of(children_[node.first_child + i]);
  return std::min(cost, 1000u);
}

// --- evaluating

void YaraConditions::Evaluation::begin(const YaraFacts& facts, const std::vector<std::uint8_t>& present) {
  facts_ = facts;
  present_ = &present;
  if (++round_ == 0) {
    std::fill(known_.begin(), known_.end(), Known{});
    round_ = 1;
  }
}

YaraConditions::Evaluation::Outcome YaraConditions::Evaluation::outcome_of(std::uint32_t rule) {
  Known& known = known_[rule];
  if (known.round != round_) {
    const Outcome outcome = evaluate(conditions_.rules_[rule].root, no_string);
    known_[rule] = {round_, outcome};
    return outcome;
  }
  return known.outcome;
}

bool YaraConditions::Evaluation::is_present(std::uint32_t node, std::uint32_t current) const {
  const std::uint32_t own = conditions_.nodes_[node].index;
  const std::uint32_t string = own == ~0u ? current : own;
  return string == no_string || (*present_)[string] != 0;
}

YaraConditions::Evaluation::Outcome YaraConditions::Evaluation::evaluate(std::uint32_t index, std::uint32_t current) {
  const Node& node = conditions_.nodes_[index];
  const auto child = [&](std::uint32_t i) { return conditions_.children_[node.first_child + i]; };
  const auto member = [&](std::uint32_t i) { return conditions_.members_[node.first_member + i]; };
  switch (node.kind) {
    case Kind::boolean: return node.value != 0 ? yes : no;
    case Kind::string: return evaluate_string(index, current);
    case Kind::compare:
    case Kind::text_compare: return evaluate_comparison(index, current);
    case Kind::logical_and: {
      Outcome all = yes;
      for (std::uint32_t i = 0; i < node.child_count; ++i) {
        const Outcome one = evaluate(child(i), current);
        if (one == no) return no;
        if (one == maybe) all = maybe;
      }
      return all;
    }
    case Kind::logical_or: {
      Outcome any = no;
      for (std::uint32_t i = 0; i < node.child_count; ++i) {
        const Outcome one = evaluate(child(i), current);
        if (one == yes) return yes;
        if (one == maybe) any = maybe;
      }
      return any;
    }
    case Kind::logical_not: return evaluate(child(0), current) == yes ? no : maybe;
    case Kind::identifier:
      if (node.meaning != Meaning::rule) return maybe;
      // It may also be not true because of a global rule.
      return static_cast<Outcome>(outcome_of(node.index) | no);
    case Kind::of: {
      std::size_t possible = 0;
      for (std::uint32_t i = 0; i < node.member_count; ++i) {
        possible += node.of_rules ? (outcome_of(member(i)) & yes) != 0 : (*present_)[member(i)] != 0;
      }
      return enough(index, current, possible, node.member_count);
    }
    case Kind::for_of: {
      if (node.of_rules) return maybe;
      std::size_t possible = 0;
      const std::uint32_t body = child(node.child_count - 1);
      for (std::uint32_t i = 0; i < node.member_count; ++i) possible += (evaluate(body, member(i)) & yes) != 0;
      return enough(index, current, possible, node.member_count);
    }
    case Kind::for_in: {
      // True needs one round whose body is true, unless none or as many as there are rounds will do.
      using Quantifier = YaraExpression::Quantifier;
      bool needs_one = node.quantifier == Quantifier::any;
      if (node.quantifier == Quantifier::number) {
        const Number least = number(child(0), current);
        needs_one = least.state == Number::State::known && least.value >= 1;
      }
      if (!needs_one) return maybe;
      return (evaluate(child(node.child_count - 1), current) & yes) != 0 ? maybe : no;
    }
    case Kind::integer:
    case Kind::file_size:
    case Kind::read:
    case Kind::string_count:
    case Kind::string_place:
    case Kind::negative:
    case Kind::complement:
    case Kind::arithmetic:
    case Kind::module_value: {
      const Number value = number(index, current);
      if (value.state == Number::State::unknown) return maybe;
      return value.state == Number::State::known && value.value != 0 ? yes : no;
    }
    default: return maybe;
  }
}

YaraConditions::Evaluation::Outcome YaraConditions::Evaluation::enough(std::uint32_t index, std::uint32_t current, std::size_t possible, std::size_t all) {
  using Quantifier = YaraExpression::Quantifier;
  const Node& node = conditions_.nodes_[index];
  if (all == 0) return maybe;
  switch (node.quantifier) {
    case Quantifier::any: return possible >= 1 ? maybe : no;
    case Quantifier::all: return possible == all ? maybe : no;
    case Quantifier::none: return maybe;
    case Quantifier::number:
    case Quantifier::percent: break;
  }
  const Number least = number(conditions_.children_[node.first_child], current);
  if (least.state != Number::State::known || least.value <= 0) return maybe;
  const auto wanted = static_cast<std::uint64_t>(least.value);
  if (node.quantifier == Quantifier::number) return possible >= wanted ? maybe : no;
  return wanted > 100 || possible * 100 >= all * wanted ? maybe : no;
}

YaraConditions::Evaluation::Outcome YaraConditions::Evaluation::evaluate_string(std::uint32_t index, std::uint32_t current) {
  const Node& node = conditions_.nodes_[index];
  if (!is_present(index, current)) return no;
  if (node.bounded || node.child_count == 0) return maybe;
  const std::uint32_t string = node.index == ~0u ? current : node.index;
  const Number place = number(conditions_.children_[node.first_child], current);
  if (place.state == Number::State::undefined) return no;
  if (place.state == Number::State::unknown || string == no_string) return maybe;
  if (!facts_.known) {
    if (place.value != 0) return maybe;
    const std::string_view expected = conditions_.strings_[string].prefix, begin = known_begin();
    if (facts_.header == YaraHeader::other) return expected.starts_with(pe_begin) || expected.starts_with(elf_begin) ? no : maybe;
    const std::size_t common = std::min(expected.size(), begin.size());
    return expected.substr(0, common) == begin.substr(0, common) ? maybe : no;
  }
  if (place.value < 0 || static_cast<std::uint64_t>(place.value) >= facts_.file_size) return no;
  const auto offset = static_cast<std::uint64_t>(place.value);
  const std::string& prefix = conditions_.strings_[string].prefix;
  if (prefix.size() > facts_.file_size - offset) return no;
  const std::string_view there = as_text(clamp(facts_.content, offset, prefix.size()));
  return prefix.starts_with(there) ? maybe : no;
}

std::optional<std::string_view> YaraConditions::Evaluation::text(std::uint32_t index) const {
  const Node& node = conditions_.nodes_[index];
  if (node.kind == Kind::text) return conditions_.texts_[node.index];
  if (node.meaning == Meaning::text_variable && facts_.known) return facts_.variables[node.index];
  return std::nullopt;
}

YaraConditions::Evaluation::Outcome YaraConditions::Evaluation::evaluate_comparison(std::uint32_t index, std::uint32_t current) {
  const Node& node = conditions_.nodes_[index];
  const std::uint32_t left = conditions_.children_[node.first_child], right = conditions_.children_[node.first_child + 1];
  const auto outcome = [](bool is) { return is ? yes : no; };
  const auto a = text(left), b = text(right);
  if (a && b) {
    switch (node.op) {
      case Operator::equal: return outcome(*a == *b);
      case Operator::different: return outcome(*a != *b);
      case Operator::contains: return outcome(a->find(*b) != std::string_view::npos);
      case Operator::icontains: return outcome(to_lower(*a).find(to_lower(*b)) != std::string::npos);
      case Operator::startswith: return outcome(a->starts_with(*b));
      case Operator::istartswith: return outcome(to_lower(*a).starts_with(to_lower(*b)));
      case Operator::endswith: return outcome(a->ends_with(*b));
      case Operator::iendswith: return outcome(to_lower(*a).ends_with(to_lower(*b)));
      case Operator::iequals: return outcome(equals_ignore_case(*a, *b));
      default: return maybe;
    }
  }
  if (node.op == Operator::matches && a) {
    const Node& regexp = conditions_.nodes_[right];
    if (regexp.kind != Kind::regexp || regexp.member_count == 0) return maybe;
    const std::string value = regexp.value != 0 ? to_lower(*a) : std::string(*a);
    for (std::uint32_t i = 0; i < regexp.member_count; ++i) {
      if (value.find(conditions_.texts_[regexp.first_member + i]) != std::string::npos) return maybe;
    }
    return no;
  }
  if (!facts_.known && compare_in_class(left, node.op, right, current) == no) return no;
  const Number x = number(left, current), y = number(right, current);
  if (x.state == Number::State::undefined || y.state == Number::State::undefined) return no;
  if (x.state == Number::State::unknown || y.state == Number::State::unknown) return maybe;
  switch (node.op) {
    case Operator::equal: return outcome(x.value == y.value);
    case Operator::different: return outcome(x.value != y.value);
    case Operator::less: return outcome(x.value < y.value);
    case Operator::less_equal: return outcome(x.value <= y.value);
    case Operator::greater: return outcome(x.value > y.value);
    case Operator::greater_equal: return outcome(x.value >= y.value);
    default: return maybe;
  }
}

// What a class of files alone says of a comparison.
YaraConditions::Evaluation::Outcome YaraConditions::Evaluation::compare_in_class(std::uint32_t left, Operator op, std::uint32_t right, std::uint32_t current) {
  const Node& node = conditions_.nodes_[left];
  if (node.kind != Kind::file_size && node.kind != Kind::read) {
    // The other way round.
    const Kind other = conditions_.nodes_[right].kind;
    if (other != Kind::file_size && other != Kind::read) return maybe;
    switch (op) {
      case Operator::equal: return compare_in_class(right, op, left, current);
      case Operator::less: return compare_in_class(right, Operator::greater, left, current);
      case Operator::less_equal: return compare_in_class(right, Operator::greater_equal, left, current);
      case Operator::greater: return compare_in_class(right, Operator::less, left, current);
      case Operator::greater_equal: return compare_in_class(right, Operator::less_equal, left, current);
      default: return maybe;
    }
  }
  const Number value = number(right, current);
  if (value.state != Number::State::known) return maybe;
  if (node.kind == Kind::file_size) {
    // No file has a negative size.
    const std::uint64_t size = value.value < 0 ? 0 : static_cast<std::uint64_t>(value.value);
    switch (op) {
      case Operator::equal: return value.value < 0 || size < facts_.least_size || size > facts_.most_size ? no : maybe;
      case Operator::less: return value.value <= 0 || size <= facts_.least_size ? no : maybe;
      case Operator::less_equal: return value.value < 0 || size < facts_.least_size ? no : maybe;
      case Operator::greater: return value.value >= 0 && size >= facts_.most_size ? no : maybe;
      case Operator::greater_equal: return value.value >= 0 && size > facts_.most_size ? no : maybe;
      default: return maybe;
    }
  }
  // A first word that a file of no such kind cannot have.
  if (op != Operator::equal || facts_.header != YaraHeader::other) return maybe;
  const Number place = number(conditions_.children_[node.first_child], current);
  if (place.state != Number::State::known || place.value != 0) return maybe;
  std::string begin;
  for (unsigned i = 0; i < node.size; ++i) {
    const unsigned shift = 8 * (node.big_endian ? node.size - 1u - i : i);
    begin += static_cast<char>(static_cast<std::uint64_t>(value.value) >> shift & 0xff);
  }
  return begin.starts_with(pe_begin) || begin.starts_with(elf_begin) ? no : maybe;
}

// How all files of the class at hand begin.
std::string_view YaraConditions::Evaluation::known_begin() const {
  return facts_.header == YaraHeader::pe ? pe_begin : facts_.header == YaraHeader::elf ? elf_begin : std::string_view();
}

YaraConditions::Evaluation::Number YaraConditions::Evaluation::number(std::uint32_t index, std::uint32_t current) {
  const Node& node = conditions_.nodes_[index];
  switch (node.kind) {
    case Kind::integer: return {Number::State::known, node.value};
    case Kind::file_size:
      if (!facts_.known) return {};
      return {Number::State::known, static_cast<std::int64_t>(facts_.file_size)};
    case Kind::read: return read(index, current);
    case Kind::string_count:
      if (!is_present(index, current)) return {Number::State::known, 0};
      return {};
    case Kind::string_place:
      if (!is_present(index, current)) return {Number::State::undefined, 0};
      return {};
    case Kind::module_value:
      if (node.meaning == Meaning::pe_value) {
        const YaraHeader header = facts_.known ? yara_header_of(facts_.content) : facts_.header;
        if (header == YaraHeader::elf || header == YaraHeader::other) return {Number::State::undefined, 0};
      }
      return {};
    case Kind::negative:
    case Kind::complement: {
      Number value = number(conditions_.children_[node.first_child], current);
      const auto bits = static_cast<std::uint64_t>(value.value);
      value.value = static_cast<std::int64_t>(node.kind == Kind::negative ? 0 - bits : ~bits);
      return value;
    }
    case Kind::arithmetic: return calculate(index, current);
    default: return {};
  }
}

YaraConditions::Evaluation::Number YaraConditions::Evaluation::read(std::uint32_t index, std::uint32_t current) {
  const Node& node = conditions_.nodes_[index];
  const Number place = number(conditions_.children_[node.first_child], current);
  if (place.state != Number::State::known) return place;
  const auto offset = static_cast<std::uint64_t>(place.value);
  if (place.value < 0) return {Number::State::undefined, 0};
  const Bytes content = facts_.known ? facts_.content : as_bytes(known_begin());
  if (facts_.known && (node.size > facts_.file_size || offset > facts_.file_size - node.size)) return {Number::State::undefined, 0};
  const auto bytes = slice(content, offset, node.size);
  if (!bytes) return {};
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < node.size; ++i) value = value << 8 | (*bytes)[node.big_endian ? i : node.size - 1u - i];
  const unsigned unused = 64 - 8u * node.size;
  auto result = static_cast<std::int64_t>(value);
  if (node.is_signed) result = static_cast<std::int64_t>(value << unused) >> unused;
  return {Number::State::known, result};
}

YaraConditions::Evaluation::Number YaraConditions::Evaluation::calculate(std::uint32_t index, std::uint32_t current) {
  const Node& node = conditions_.nodes_[index];
  const Number left = number(conditions_.children_[node.first_child], current);
  const Number right = number(conditions_.children_[node.first_child + 1], current);
  if (left.state == Number::State::undefined || right.state == Number::State::undefined) return {Number::State::undefined, 0};
  if (left.state == Number::State::unknown || right.state == Number::State::unknown) return {};
  const auto a = static_cast<std::uint64_t>(left.value), b = static_cast<std::uint64_t>(right.value);
  const auto known = [](std::uint64_t bits) { return Number{Number::State::known, static_cast<std::int64_t>(bits)}; };
  const bool divides = right.value != 0 && !(right.value == -1 && left.value == std::numeric_limits<std::int64_t>::min());
  switch (node.op) {
    case Operator::add: return known(a + b);
    case Operator::subtract: return known(a - b);
    case Operator::multiply: return known(a * b);
    case Operator::bit_and: return known(a & b);
    case Operator::bit_or: return known(a | b);
    case Operator::bit_xor: return known(a ^ b);
    case Operator::divide: return divides ? Number{Number::State::known, left.value / right.value} : Number{};
    case Operator::remainder: return divides ? Number{Number::State::known, left.value % right.value} : Number{};
    case Operator::shift_left: return b < 64 ? known(a << b) : Number{};
    case Operator::shift_right: return b < 64 && left.value >= 0 ? known(a >> b) : Number{};
    default: return {};
  }
}

}  // namespace lazaret::engine
