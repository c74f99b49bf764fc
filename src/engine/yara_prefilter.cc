#include "engine/yara_prefilter.h"

#include <algorithm>
#include <map>

#include "engine/saved_patterns.h"
#include "engine/yara_literals.h"

namespace lazaret::engine {

YaraPrefilter::YaraPrefilter(const std::vector<std::pair<std::string, YaraSource>>& sources, std::string saved_patterns) : saved_patterns_(std::move(saved_patterns)) {
  for (const auto& [name_space, source] : sources) conditions_.add(name_space, source);
  add_literals();
  add_references();
  std::size_t number = 0;
  for (const YaraHeader header : {YaraHeader::pe, YaraHeader::elf, YaraHeader::other}) {
    for (const bool is_large : {false, true}) make_class(classes_[number++], header, is_large);
  }
}

YaraPrefilter::~YaraPrefilter() = default;

std::size_t YaraPrefilter::class_of(Bytes head, std::uint64_t least_size) {
  const YaraHeader header = yara_header_of(head);
  return (header == YaraHeader::pe ? 0 : header == YaraHeader::elf ? 2 : 4) + (least_size > large_size ? 1 : 0);
}

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
  has_weak_.resize(conditions_.rule_count());
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
    const bool is_weak = literals.weak && !literals.any_of.empty();
    if (is_weak) {
      weak_strings_.push_back(s);
      has_weak_[string.rule] = 1;
    }
    unknown_.push_back(literals.any_of.empty() || is_weak ? 1 : 0);
    for (std::string& text : literals.any_of) {
      auto& strings = wanted[{std::move(text), literals.ignore_case, is_expression, is_weak ? weak : strong}];
      if (strings.empty() || strings.back() != s) strings.push_back(s);
    }
  }
  for (auto& [literal, strings] : wanted) {
    literals_.push_back(literal);
    strings_of_.push_back(std::move(strings));
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
    for (const std::uint32_t other : all) {
      woken_by_[other].push_back(rule);
      has_weak_[rule] = has_weak_[rule] | has_weak_[other];
    }
    woken_by_[rule].push_back(rule);
  }
}

void YaraPrefilter::make_class(Class& one, YaraHeader header, bool is_large) {
  one.facts.known = false;
  one.facts.header = header;
  if (is_large) {
    one.facts.least_size = large_size + 1;
  } else {
    one.facts.most_size = large_size;
  }
  const std::size_t count = conditions_.rule_count();
  YaraConditions::Evaluation evaluation(conditions_);
  const std::vector<std::uint8_t> all_present(conditions_.strings().size(), 1);
  std::vector<std::uint8_t> needed(count);  // rules whose strings are looked for
  evaluation.begin(one.facts, all_present);
  for (std::uint32_t rule = 0; rule < count; ++rule) {
    one.possible.push_back(evaluation.may_be_true(rule) ? 1 : 0);
    if (one.possible.back() == 0) continue;
    needed[rule] = 1;
    for (const std::uint32_t other : needs_[rule]) needed[other] = 1;
  }
  evaluation.begin(one.facts, unknown_);
  for (std::uint32_t rule = 0; rule < count; ++rule) {
    if (one.possible[rule] != 0 && evaluation.may_be_true(rule)) one.always.push_back(rule);
  }
  for (std::uint32_t literal = 0; literal < literals_.size(); ++literal) {
    const auto& strings = strings_of_[literal];
    if (std::any_of(strings.begin(), strings.end(), [&](std::uint32_t s) { return needed[conditions_.strings()[s].rule] != 0; })) {
      one.patterns[literals_[literal].strength].literals.push_back(literal);
    }
  }
}

const PatternDatabase* YaraPrefilter::database(std::size_t which, Strength strength) const {
  const Patterns& patterns = classes_[which].patterns[strength];
  std::call_once(patterns.once, [&] {
    std::vector<Pattern> list;
    list.reserve(patterns.literals.size());
    for (const std::uint32_t literal : patterns.literals) list.push_back(pattern_of(literals_[literal]));
    const std::string file = saved_patterns_.empty() ? "" : saved_patterns_ + "-" + std::to_string(which) + (strength == weak ? "w" : "");
    if (auto made = saved_or_compiled(file, list)) patterns.database = std::move(*made);
  });
  return patterns.database.get();
}

// False: the bytes were not looked through. Hits name literals.
bool YaraPrefilter::scan(std::size_t which, Strength strength, Bytes bytes, std::vector<Hit>& hits) const {
  const Patterns& patterns = classes_[which].patterns[strength];
  const PatternDatabase* const made = database(which, strength);
  hits.clear();
  if (made == nullptr || made->scan(bytes, patterns.literals.size() + 1, hits) != ScanStatus::complete) return false;
  for (Hit& hit : hits) hit.pattern = patterns.literals[hit.pattern];
  return true;
}

// --- one file

YaraPrefilter::Pass::Pass(const YaraPrefilter& owner)
    : owner_(owner), evaluation_(owner.conditions_), present_(owner.unknown_), triggered_(owner.conditions_.rule_count()) {}

void YaraPrefilter::Pass::forget() {
  for (const std::uint32_t string : met_) present_[string] = 0;
  for (const std::uint32_t rule : rules_) triggered_[rule] = 0;
  if (weak_changed_) {
    for (const std::uint32_t string : owner_.weak_strings_) present_[string] = 1;
  }
  weak_changed_ = false;
  met_.clear();
  rules_.clear();
}

void YaraPrefilter::Pass::begin(Bytes head, std::uint64_t least_size) {
  forget();
  class_ = class_of(head, least_size);
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
  if (!owner_.scan(class_, strong, bytes, hits_)) {
    // Nothing is known to be absent.
    for (std::uint32_t string = 0; string < present_.size(); ++string) meet(string);
    return;
  }
  for (const Hit& hit : hits_) {
    for (const std::uint32_t string : owner_.strings_of_[hit.pattern]) meet(string);
  }
}

void YaraPrefilter::Pass::sort_out(const YaraFacts& facts) {
  evaluation_.begin(facts, present_);
  std::erase_if(candidates_, [this](std::uint32_t rule) { return !evaluation_.may_be_true(rule); });
}

void YaraPrefilter::Pass::look_for_weak(Bytes content) {
  if (!owner_.scan(class_, weak, content, hits_)) return;
  weak_changed_ = true;
  for (const std::uint32_t string : owner_.weak_strings_) present_[string] = 0;
  for (const Hit& hit : hits_) {
    for (const std::uint32_t string : owner_.strings_of_[hit.pattern]) present_[string] = 1;
  }
}

const std::vector<std::uint32_t>& YaraPrefilter::Pass::finish(const YaraFacts& facts) {
  const Class& own = owner_.classes_[class_];
  candidates_.clear();
  for (const std::uint32_t rule : rules_) {
    if (own.possible[rule] != 0) candidates_.push_back(rule);
  }
  for (const std::uint32_t rule : own.always) {
    if (triggered_[rule] == 0) candidates_.push_back(rule);
  }
  sort_out(facts);
  const bool is_whole = facts.content.size() == facts.file_size;
  if (is_whole && std::any_of(candidates_.begin(), candidates_.end(), [this](std::uint32_t rule) { return owner_.has_weak_[rule] != 0; })) {
    look_for_weak(facts.content);
    sort_out(facts);
  }
  std::sort(candidates_.begin(), candidates_.end());
  return candidates_;
}

}  // namespace lazaret::engine
