#include "engine/yara_prefilter.h"

#include <algorithm>
#include <array>
#include <map>

#include "engine/saved_patterns.h"
#include "engine/yara_literals.h"

namespace lazaret::engine {

YaraPrefilter::YaraPrefilter(const std::vector<std::pair<std::string, YaraSource>>& sources, std::string saved_patterns) : saved_patterns_(std::move(saved_patterns)) {
  for (const auto& [name_space, source] : sources) conditions_.add(name_space, source);
  add_literals();
  add_triggers();
  statistics_.rules = conditions_.rule_count();
  statistics_.strings = conditions_.strings().size();
  statistics_.patterns = literals_.size();
  statistics_.rules_without_trigger = always_.size();
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
    string.prefix = std::move(literals.prefix);
    if (literals.any_of.empty() && !literals.expression.empty() && PatternDatabase::compile(std::array{pattern_of({literals.expression, false, true})}).ok()) {
      ++statistics_.expressions;
      literals.any_of = {literals.expression};
    } else {
      literals.expression.clear();
    }
    string.searchable = !literals.any_of.empty();
    if (!string.searchable) ++statistics_.strings_without_literals;
    unsearchable_.push_back(string.searchable ? 0 : 1);
    string.source = {};
    for (std::string& text : literals.any_of) {
      auto& strings = wanted[{std::move(text), literals.ignore_case, !literals.expression.empty()}];
      if (strings.empty() || strings.back() != s) strings.push_back(s);
    }
  }
  for (auto& [literal, strings] : wanted) {
    literals_.push_back(literal);
    strings_of_.push_back(std::move(strings));
  }
}

void YaraPrefilter::add_triggers() {
  const std::size_t count = conditions_.rule_count();
  // References go back only, so one pass from the first rule on sees all of them.
  std::vector<std::vector<std::uint32_t>> needs(count);
  woken_by_.resize(count);
  for (std::uint32_t rule = 0; rule < count; ++rule) {
    std::vector<std::uint32_t>& all = needs[rule];
    for (const std::uint32_t other : conditions_.references(rule)) {
      all.push_back(other);
      all.insert(all.end(), needs[other].begin(), needs[other].end());
    }
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    for (const std::uint32_t other : all) woken_by_[other].push_back(rule);
    woken_by_[rule].push_back(rule);
  }
  YaraConditions::Evaluation evaluation(conditions_);
  YaraFacts nothing;
  nothing.known = false;
  evaluation.begin(nothing, unsearchable_);
  for (std::uint32_t rule = 0; rule < count; ++rule) {
    if (evaluation.may_be_true(rule)) always_.push_back(rule);
  }
}

const PatternDatabase* YaraPrefilter::database() const {
  std::call_once(once_, [this] {
    std::vector<Pattern> patterns;
    patterns.reserve(literals_.size());
    for (const Literal& literal : literals_) {
      patterns.push_back(pattern_of(literal));
    }
    auto made = saved_or_compiled(saved_patterns_, patterns);
    if (made) database_ = std::move(*made);
  });
  return database_.get();
}

YaraPrefilter::Pass::Pass(const YaraPrefilter& owner)
    : owner_(owner), evaluation_(owner.conditions_), present_(owner.unsearchable_), triggered_(owner.conditions_.rule_count()) {}

void YaraPrefilter::Pass::begin() {
  for (const std::uint32_t string : met_) present_[string] = 0;
  for (const std::uint32_t rule : rules_) triggered_[rule] = 0;
  met_.clear();
  rules_.clear();
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
  hits_.clear();
  const PatternDatabase* const database = owner_.database();
  if (database == nullptr || database->scan(bytes, owner_.literals_.size() + 1, hits_) != ScanStatus::complete) {
    // Not scanned: nothing is known to be absent.
    for (std::uint32_t string = 0; string < present_.size(); ++string) meet(string);
    return;
  }
  for (const Hit& hit : hits_) {
    for (const std::uint32_t string : owner_.strings_of_[hit.pattern]) meet(string);
  }
}

const std::vector<std::uint32_t>& YaraPrefilter::Pass::finish(const YaraFacts& facts) {
  for (const std::uint32_t rule : owner_.always_) {
    if (triggered_[rule] != 0) continue;
    triggered_[rule] = 1;
    rules_.push_back(rule);
  }
  candidates_.clear();
  evaluation_.begin(facts, present_);
  for (const std::uint32_t rule : rules_) {
    if (evaluation_.may_be_true(rule)) candidates_.push_back(rule);
  }
  std::sort(candidates_.begin(), candidates_.end());
  return candidates_;
}

}  // namespace lazaret::engine
