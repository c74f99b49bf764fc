#include <algorithm>
#include <limits>

#include "engine/yara_condition.h"

namespace lazaret::engine {
namespace {

constexpr double infinite = std::numeric_limits<double>::infinity();

}  // namespace

YaraConditions::Needs::Needs(const YaraConditions& conditions, const std::vector<double>& costs)
    : conditions_(conditions),
      costs_(costs),
      all_present_(conditions.strings().size(), 1),
      some_absent_(all_present_),
      all_(conditions),
      some_(conditions),
      known_(conditions.rule_count()),
      is_known_(conditions.rule_count()) {}

void YaraConditions::Needs::begin(const YaraFacts& facts) {
  facts_ = facts;
  all_.begin(facts, all_present_);
  std::fill(is_known_.begin(), is_known_.end(), 0);
}

const YaraConditions::Needs::Choice& YaraConditions::Needs::of(std::uint32_t rule) {
  if (is_known_[rule] == 0) {
    // References go back only, so this ends.
    Choice choice = choose(conditions_.rules_[rule].root, Evaluation::no_string);
    std::sort(choice.strings.begin(), choice.strings.end());
    choice.strings.erase(std::unique(choice.strings.begin(), choice.strings.end()), choice.strings.end());
    known_[rule] = std::move(choice);
    is_known_[rule] = 1;
  }
  return known_[rule];
}

YaraConditions::Needs::Choice YaraConditions::Needs::of_string(std::uint32_t string) const {
  if (string == Evaluation::no_string || costs_[string] == infinite) return {infinite, {}};
  return {costs_[string], {string}};
}

YaraConditions::Needs::Choice YaraConditions::Needs::choose(std::uint32_t index, std::uint32_t current) {
  if ((all_.evaluate(index, current) & Evaluation::yes) == 0) return {};
  const Node& node = conditions_.nodes_[index];
  const auto child = [&](std::uint32_t i) { return conditions_.children_[node.first_child + i]; };
  switch (node.kind) {
    case Kind::string: return of_string(node.index == ~0u ? current : node.index);
    case Kind::logical_and: {
      Choice best{infinite, {}};
      for (std::uint32_t i = 0; i < node.child_count; ++i) {
        Choice one = choose(child(i), current);
        if (one.cost < best.cost) best = std::move(one);
      }
      return best;
    }
    case Kind::logical_or: {
      Choice all;
      for (std::uint32_t i = 0; i < node.child_count && all.cost < infinite; ++i) {
        const Choice one = choose(child(i), current);
        all.cost += one.cost;
        all.strings.insert(all.strings.end(), one.strings.begin(), one.strings.end());
      }
      return all;
    }
    case Kind::identifier: return node.meaning == Meaning::rule ? of(node.index) : Choice{infinite, {}};
    case Kind::of:
    case Kind::for_of: {
      if (node.kind == Kind::for_of && node.of_rules) return {infinite, {}};
      std::vector<Choice> items;
      for (std::uint32_t i = 0; i < node.member_count; ++i) {
        const std::uint32_t member = conditions_.members_[node.first_member + i];
        if (node.kind == Kind::for_of) {
          items.push_back(choose(child(node.child_count - 1), member));
        } else {
          items.push_back(node.of_rules ? of(member) : of_string(member));
        }
      }
      return choose_enough(index, current, std::move(items));
    }
    default: return choose_all_within(index, current);
  }
}

// Of `items` a number must be there: without all but one less of them it is not reached, and the cheapest will do.
YaraConditions::Needs::Choice YaraConditions::Needs::choose_enough(std::uint32_t index, std::uint32_t current, std::vector<Choice> items) {
  std::sort(items.begin(), items.end(), [](const Choice& a, const Choice& b) { return a.cost < b.cost; });
  Choice choice;
  std::size_t possible = items.size();
  for (const Choice& item : items) {
    if (item.cost == infinite) break;
    choice.cost += item.cost;
    choice.strings.insert(choice.strings.end(), item.strings.begin(), item.strings.end());
    if ((all_.enough(index, current, --possible, items.size()) & Evaluation::yes) == 0) return choice;
  }
  return {infinite, {}};
}

// Counts, places and whatever else is said of strings: without any of them.
YaraConditions::Needs::Choice YaraConditions::Needs::choose_all_within(std::uint32_t index, std::uint32_t current) {
  Choice choice;
  collect_strings(index, current, choice.strings);
  for (const std::uint32_t string : choice.strings) {
    if (string == Evaluation::no_string) return {infinite, {}};
    choice.cost += costs_[string];
  }
  if (choice.strings.empty() || choice.cost == infinite) return {infinite, {}};
  for (const std::uint32_t string : choice.strings) some_absent_[string] = 0;
  some_.begin(facts_, some_absent_);
  const bool is_needed = (some_.evaluate(index, current) & Evaluation::yes) == 0;
  for (const std::uint32_t string : choice.strings) some_absent_[string] = 1;
  return is_needed ? choice : Choice{infinite, {}};
}

void YaraConditions::Needs::collect_strings(std::uint32_t index, std::uint32_t current, std::vector<std::uint32_t>& strings) const {
  const Node& node = conditions_.nodes_[index];
  if (node.kind == Kind::string || node.kind == Kind::string_count || node.kind == Kind::string_place) strings.push_back(node.index == ~0u ? current : node.index);
  if ((node.kind == Kind::of || node.kind == Kind::for_of) && !node.of_rules) {
    for (std::uint32_t i = 0; i < node.member_count; ++i) strings.push_back(conditions_.members_[node.first_member + i]);
  }
  for (std::uint32_t i = 0; i < node.child_count; ++i) collect_strings(conditions_.children_[node.first_child + i], current, strings);
}

}  // namespace lazaret::engine
