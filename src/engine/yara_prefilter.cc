#include "engine/yara_prefilter.h"

#include <algorithm>
#include <limits>
#include <map>

#include "base/digest.h"
#include "engine/literal_rarity.h"
#include "engine/saved_patterns.h"
#include "engine/yara_literals.h"

namespace lazaret::engine {
namespace {

// What it costs to look for one literal more, in units of a long one: a short one, an expression; and what it costs to meet it in vain, for which a file is
// taken to be of a usual size. Measured roughly; they only choose between strings that serve alike.
constexpr double short_cost = 20, expression_cost = 100, weak_cost = 1e6, met_cost = 20000, usual_size = 64 << 10;
// A rule that is woken in vain by more files than one in two hundred.
constexpr double woken_often = met_cost / 200;

}  // namespace

YaraPrefilter::YaraPrefilter(const std::vector<std::pair<std::string, YaraSource>>& sources, std::string saved_patterns) : saved_patterns_(std::move(saved_patterns)) {
  for (const auto& [name_space, source] : sources) conditions_.add(name_space, source);
  add_literals();
  add_references();
}

YaraPrefilter::~YaraPrefilter() = default;

Pattern YaraPrefilter::pattern_of(const Literal& literal) {
  Pattern pattern;
  pattern.text = literal.text;
  pattern.literal = !literal.expression;
  pattern.ignore_case = literal.ignore_case;
  pattern.dot_all = literal.expression;
  pattern.once = true;
  return pattern;
}

void YaraPrefilter::add_literals() {
  std::map<Literal, std::vector<std::uint32_t>> wanted;
  for (std::uint32_t s = 0; s < conditions_.strings().size(); ++s) {
    YaraConditions::String& string = conditions_.string(s);
    YaraLiterals literals = necessary_literals(string.source);  // all that the source was kept for
    const bool is_expression = !literals.expression.empty();
    if (is_expression) {
      literals.any_of = {std::move(literals.expression)};
      literals.weak = false;
    }
    string.prefix = std::move(literals.prefix);
    string.source = {};
    is_weak_.push_back(literals.weak && !literals.any_of.empty() ? 1 : 0);
    for (std::string& text : literals.any_of) {
      auto& strings = wanted[{std::move(text), literals.ignore_case, is_expression}];
      if (strings.empty() || strings.back() != s) strings.push_back(s);
    }
  }
  literals_of_.resize(is_weak_.size());
  costs_.resize(is_weak_.size());
  met_costs_.resize(is_weak_.size());
  for (auto& [literal, strings] : wanted) {
    const bool is_long = !literal.expression && LiteralFinder::suits(literal.text);
    const double met = literal.expression ? 0 : std::min(1.0, frequency_of(literal.text) * usual_size) * met_cost;
    const double cost = (literal.expression ? expression_cost : is_long ? 1 : short_cost) + met;
    for (const std::uint32_t string : strings) {
      literals_of_[string].push_back(static_cast<std::uint32_t>(literals_.size()));
      costs_[string] += cost + (is_weak_[string] != 0 ? weak_cost : 0);
      met_costs_[string] += met;
    }
    literals_.push_back(literal);
    is_long_.push_back(is_long ? 1 : 0);
    strings_of_.push_back(std::move(strings));
  }
  for (std::size_t s = 0; s < costs_.size(); ++s) {
    if (literals_of_[s].empty()) costs_[s] = std::numeric_limits<double>::infinity();
  }
}

void YaraPrefilter::add_references() {
  const std::size_t count = conditions_.rule_count();
  needs_.resize(count);
  woken_by_.resize(count);
  // References go back only, so one pass from the first rule on sees all of them.
  for (std::uint32_t rule = 0; rule < count; ++rule) {
    std::vector<std::uint32_t>& all = needs_[rule];
    for (const std::uint32_t other : conditions_.references(rule)) {
      all.push_back(other);
      all.insert(all.end(), needs_[other].begin(), needs_[other].end());
    }
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    for (const std::uint32_t other : all) woken_by_[other].push_back(rule);
    woken_by_[rule].push_back(rule);
  }
}

// --- classes of files

const YaraPrefilter::Class& YaraPrefilter::class_of(Bytes head, std::uint64_t least_size) const {
  const YaraHeader header = yara_header_of(head);
  const bool is_large = least_size > large_size;
  Class& one = classes_[(header == YaraHeader::pe ? 0u : header == YaraHeader::elf ? 2u : 4u) + (is_large ? 1u : 0u)];
  std::call_once(one.once, [&] { make_class(one, header, is_large); });
  return one;
}

void YaraPrefilter::make_class(Class& one, YaraHeader header, bool is_large) const {
  YaraFacts facts;
  facts.known = false;
  facts.header = header;
  if (is_large) {
    facts.least_size = large_size + 1;
  } else {
    facts.most_size = large_size;
  }
  const auto count = static_cast<std::uint32_t>(conditions_.rule_count());
  const auto string_count = static_cast<std::uint32_t>(is_weak_.size());
  YaraConditions::Evaluation evaluation(conditions_);
  const std::vector<std::uint8_t> all_present(string_count, 1);
  evaluation.begin(facts, all_present);
  for (std::uint32_t rule = 0; rule < count; ++rule) one.possible.push_back(evaluation.may_be_true(rule) ? 1 : 0);

  const std::vector<Tier> tiers = tiers_of_strings(one, facts);
  // A literal is in the first tier that one of its strings asks for, and a string is known when all of its literals were looked for.
  std::vector<std::uint8_t> tier_of(literals_.size(), tier_count);
  for (std::uint32_t s = 0; s < string_count; ++s) {
    for (const std::uint32_t literal : literals_of_[s]) tier_of[literal] = std::min<std::uint8_t>(tier_of[literal], tiers[s]);
  }
  for (std::uint32_t literal = 0; literal < literals_.size(); ++literal) {
    if (tier_of[literal] == tier_count) continue;
    Patterns& patterns = one.patterns[tier_of[literal]];
    (is_long_[literal] != 0 ? patterns.long_literals : patterns.literals).push_back(literal);
  }
  one.unknown.assign(string_count, 1);
  one.never_known.assign(string_count, 1);
  std::vector<std::uint8_t> known_after(string_count, tier_count);
  for (std::uint32_t s = 0; s < string_count; ++s) {
    if (literals_of_[s].empty()) continue;
    known_after[s] = 0;
    for (const std::uint32_t literal : literals_of_[s]) known_after[s] = std::max(known_after[s], tier_of[literal]);
    if (known_after[s] == tier_count) continue;
    one.never_known[s] = 0;
    if (known_after[s] == first) one.unknown[s] = 0;
    one.strings[known_after[s]].push_back(s);
  }

  one.tiers.resize(count);
  for (std::uint32_t s = 0; s < string_count; ++s) {
    if (known_after[s] == tier_count) continue;
    for (const std::uint32_t rule : woken_by_[conditions_.strings()[s].rule]) one.tiers[rule] = static_cast<std::uint8_t>(one.tiers[rule] | 1u << known_after[s]);
  }
  evaluation.begin(facts, one.unknown);
  for (std::uint32_t rule = 0; rule < count; ++rule) {
    if (one.possible[rule] != 0 && evaluation.may_be_true(rule)) one.always.push_back(rule);
  }
}

// tier_count for strings that no rule of the class needs.
std::vector<YaraPrefilter::Tier> YaraPrefilter::tiers_of_strings(const Class& one, const YaraFacts& facts) const {
  std::vector<Tier> tiers(is_weak_.size(), static_cast<Tier>(tier_count));
  const auto ask = [&](std::uint32_t string, Tier tier) { tiers[string] = std::min(tiers[string], tier); };
  std::vector<Tier> others(conditions_.rule_count(), static_cast<Tier>(tier_count));  // by rule: for its strings that are not needed
  YaraConditions::Needs needs(conditions_, costs_);
  needs.begin(facts);
  for (std::uint32_t rule = 0; rule < conditions_.rule_count(); ++rule) {
    if (one.possible[rule] == 0) continue;
    const YaraConditions::Needs::Choice& choice = needs.of(rule);
    double met = 0;
    for (const std::uint32_t string : choice.strings) {
      ask(string, is_weak_[string] != 0 ? weak : first);
      met += met_costs_[string];
    }
    const bool is_found_early = choice.cost < weak_cost && met < woken_often;
    // A rule that many files make a candidate is decided by all that there is to know of it.
    others[rule] = std::min(others[rule], is_found_early ? rest : first);
    for (const std::uint32_t other : needs_[rule]) others[other] = std::min(others[other], is_found_early ? rest : first);
  }
  for (std::uint32_t s = 0; s < is_weak_.size(); ++s) {
    const Tier tier = others[conditions_.strings()[s].rule];
    if (tier != static_cast<Tier>(tier_count)) ask(s, tier == first && is_weak_[s] != 0 ? weak : tier);
  }
  return tiers;
}

// --- looking for literals

void YaraPrefilter::make_patterns(const Patterns& patterns) const {
  std::vector<LiteralFinder::Literal> long_ones;
  for (const std::uint32_t literal : patterns.long_literals) long_ones.push_back({literals_[literal].text, literals_[literal].ignore_case});
  patterns.finder = std::make_unique<LiteralFinder>(std::move(long_ones));

  std::vector<Pattern> list;
  Hasher hasher;  // which patterns they are depends on the rules and on this program
  for (const std::uint32_t number : patterns.literals) {
    const Literal& literal = literals_[number];
    list.push_back(pattern_of(literal));
    hasher.update(as_bytes(std::to_string(literal.text.size()) + (literal.ignore_case ? "i" : "") + (literal.expression ? "x" : "l")));
    hasher.update(as_bytes(literal.text));
  }
  const std::string file = saved_patterns_.empty() ? "" : saved_patterns_ + hasher.finish().hex().substr(0, 32);
  if (auto made = saved_or_compiled(file, list)) patterns.database = std::move(*made);
}

// False: the bytes were not looked through.
bool YaraPrefilter::scan(const Patterns& patterns, Bytes bytes, Scratch& scratch, std::vector<std::uint32_t>& found) const {
  std::call_once(patterns.once, [&] { make_patterns(patterns); });
  scratch.hits.clear();
  if (patterns.database == nullptr || patterns.database->scan(bytes, patterns.literals.size() + 1, scratch.hits) != ScanStatus::complete) return false;
  for (const Hit& hit : scratch.hits) found.push_back(patterns.literals[hit.pattern]);
  scratch.found.clear();
  patterns.finder->find(bytes, scratch.finder, scratch.found);
  for (const std::uint32_t number : scratch.found) found.push_back(patterns.long_literals[number]);
  return true;
}

// --- one file

YaraPrefilter::Pass::Pass(const YaraPrefilter& owner) : owner_(owner), evaluation_(owner.conditions_), triggered_(owner.conditions_.rule_count()) {}

void YaraPrefilter::Pass::begin(Bytes head, std::uint64_t least_size, bool in_windows) {
  for (const std::uint32_t rule : rules_) triggered_[rule] = 0;
  rules_.clear();
  found_.clear();
  in_windows_ = in_windows;
  class_ = &owner_.class_of(head, least_size);
  const std::vector<std::uint8_t>* const base = in_windows ? &class_->never_known : &class_->unknown;
  if (base != base_ || base_changed_) {
    present_ = *base;
    base_ = base;
    base_changed_ = false;
  } else {
    for (const std::uint32_t string : met_) present_[string] = 0;
  }
  met_.clear();
}

void YaraPrefilter::Pass::meet(std::uint32_t string) {
  if (present_[string] != 0) return;
  present_[string] = 1;
  met_.push_back(string);
  for (const std::uint32_t rule : owner_.woken_by_[owner_.conditions_.strings()[string].rule]) {
    if (triggered_[rule] != 0) continue;
    triggered_[rule] = 1;
    rules_.push_back(rule);
  }
}

void YaraPrefilter::Pass::feed(Bytes bytes) {
  for (std::size_t tier = 0; tier < (in_windows_ ? tier_count : 1); ++tier) {
    if (owner_.scan(class_->patterns[tier], bytes, scratch_, found_)) continue;
    // Nothing is known to be absent.
    for (std::uint32_t string = 0; string < present_.size(); ++string) meet(string);
    return;
  }
  for (const std::uint32_t literal : found_) {
    for (const std::uint32_t string : owner_.strings_of_[literal]) meet(string);
  }
}

void YaraPrefilter::Pass::sort_out(const YaraFacts& facts) {
  evaluation_.begin(facts, present_);
  std::erase_if(candidates_, [this](std::uint32_t rule) { return !evaluation_.may_be_true(rule); });
}

bool YaraPrefilter::Pass::hangs_on(unsigned tiers) const {
  return std::any_of(candidates_.begin(), candidates_.end(), [&](std::uint32_t rule) { return (class_->tiers[rule] & tiers) != 0; });
}

bool YaraPrefilter::Pass::look_for_more(unsigned tier, const YaraFacts& facts) {
  if (!owner_.scan(class_->patterns[tier], facts.content, scratch_, found_)) return false;
  base_changed_ = true;
  for (const std::uint32_t string : class_->strings[tier]) present_[string] = 0;
  // A string may have a literal of an earlier tier too.
  for (const std::uint32_t literal : found_) {
    for (const std::uint32_t string : owner_.strings_of_[literal]) present_[string] = 1;
  }
  sort_out(facts);
  return true;
}

const std::vector<std::uint32_t>& YaraPrefilter::Pass::finish(const YaraFacts& facts) {
  candidates_.clear();
  for (const std::uint32_t rule : rules_) {
    if (class_->possible[rule] != 0) candidates_.push_back(rule);
  }
  for (const std::uint32_t rule : class_->always) {
    if (triggered_[rule] == 0) candidates_.push_back(rule);
  }
  sort_out(facts);
  // The rest's strings may have weak literals.
  if (!in_windows_ && hangs_on(1u << weak | 1u << rest) && look_for_more(weak, facts) && hangs_on(1u << rest)) look_for_more(rest, facts);
  std::sort(candidates_.begin(), candidates_.end());
  return candidates_;
}

}  // namespace lazaret::engine
