#include "engine/yara_units.h"

#include <algorithm>
#include <set>

#include "engine/yara_library.h"

namespace lazaret::engine {
namespace {

constexpr std::size_t kept_bytes = 24 << 20;

// Microseconds on the machine of docs/benchmarks.md: what it takes to compile a unit, and to scan with one. Only their ratio matters, to choose between one
// unit for all candidates (made once more for each combination of them) and a unit for each (kept, but each reads the whole file).
constexpr std::uint64_t compile_unit = 500, compile_rule = 150, scanned_per_microsecond = 600;

// So many candidates of one source are scanned for with all rules of the source: it is compiled once, whichever the candidates are. For large files that is too
// slow, since libyara's time grows with the number of strings.
constexpr std::size_t many_of_source = 6;
constexpr std::uint64_t largest_for_source = 1 << 20;

bool one_unit_is_better(std::size_t candidates, std::uint64_t size) {
  return candidates > 1 && (candidates - 1) * (size / scanned_per_microsecond) > compile_unit + candidates * compile_rule;
}

}  // namespace

std::vector<std::pair<std::string, YaraSource>> YaraUnits::read_sources(const std::vector<YaraRule>& rules, bool wanted) {
  std::map<std::string, std::vector<std::size_t>> rules_of, texts_of;  // by name space
  for (std::size_t i = 0; i < rules.size(); ++i) {
    rules_of[rules[i].namespace_name].push_back(i);
    if (!rules[i].is_private) index_of_.emplace(std::pair{rules[i].namespace_name, rules[i].name}, i);
  }
  std::vector<YaraSource> read(texts_.size());
  for (std::size_t i = 0; i < texts_.size(); ++i) {
    if (wanted) read[i] = read_yara_source(texts_[i].text);
    texts_of[texts_[i].name_space].push_back(i);
  }

  // What was read must be what libyara read, rule for rule.
  std::set<std::string> understood;
  for (const auto& [name_space, list] : texts_of) {
    std::vector<std::string> own, theirs;
    bool clear = wanted;
    for (const std::size_t text : list) {
      clear = clear && read[text].problem.empty();
      for (const YaraRuleSource& rule : read[text].rules) own.push_back(rule.name);
    }
    for (const std::size_t rule : rules_of[name_space]) theirs.push_back(rules[rule].name);
    if (clear && own == theirs) understood.insert(name_space);
  }

  std::vector<std::pair<std::string, YaraSource>> sources;
  std::vector<YaraText> others;
  for (std::size_t i = 0; i < texts_.size(); ++i) {
    if (!understood.contains(texts_[i].name_space)) {
      others.push_back(texts_[i]);
      continue;
    }
    auto& list = rules_of[texts_[i].name_space];
    for (const YaraRuleSource& rule : read[i].rules) {
      const std::size_t index = list.front();
      list.erase(list.begin());
      rules_.push_back({index, i, rule.begin, rule.end, rule.is_private, {}, {}});
    }
    sources.emplace_back(texts_[i].name_space, std::move(read[i]));
  }
  connect(sources);

  if (!others.empty()) {
    auto unit = std::make_shared<YaraUnit>();
    if (auto compiled = compile_yara(others)) {
      unit->rules = make_small(std::move(*compiled), unit->bytes);
      if (unit->rules != nullptr) number_rules(*unit, {});
    }
    whole_ = std::move(unit);
    for (std::size_t i = 0; i < rules.size(); ++i) whole_rule_count_ += understood.contains(rules[i].namespace_name) ? 0 : 1;
  }
  return sources;
}

void YaraUnits::connect(const std::vector<std::pair<std::string, YaraSource>>& sources) {
  reported_of_.resize(texts_.size());
  struct Scope {
    std::vector<std::pair<std::string, std::uint32_t>> rules;
    std::map<std::string, std::uint32_t, std::less<>> by_name;
    std::vector<std::uint32_t> globals, members;
    std::set<std::string> imports;
  };
  std::map<std::string, Scope> scopes;
  const auto add_all = [this](Key& to, std::uint32_t rule) {
    to.push_back(rule);
    to.insert(to.end(), rules_[rule].needs.begin(), rules_[rule].needs.end());
  };
  const auto tidy = [](Key& key) {
    std::sort(key.begin(), key.end());
    key.erase(std::unique(key.begin(), key.end()), key.end());
  };
  std::uint32_t number = 0;
  for (const auto& [name_space, source] : sources) {
    Scope& scope = scopes[name_space];
    scope.imports.insert(source.imports.begin(), source.imports.end());
    for (const YaraRuleSource& rule : source.rules) {
      Key needs;
      for (const std::string& word : rule.mentioned) {
        if (word.ends_with('*')) {
          for (const auto& [name, other] : scope.rules) {
            if (name.starts_with(word.substr(0, word.size() - 1))) add_all(needs, other);
          }
        } else if (const auto found = scope.by_name.find(word); found != scope.by_name.end()) {
          add_all(needs, found->second);
        }
      }
      tidy(needs);
      rules_[number].needs = std::move(needs);
      for (const std::string& module : scope.imports) {
        if (std::binary_search(rule.mentioned.begin(), rule.mentioned.end(), module)) rules_[number].imports.push_back(module);
      }
      if (!rule.is_private) reported_of_[rules_[number].text].push_back(number);
      if (rule.is_global) scope.globals.push_back(number);
      scope.members.push_back(number);
      scope.rules.emplace_back(rule.name, number);
      scope.by_name.emplace(rule.name, number);
      ++number;
    }
  }
  for (auto& [name_space, scope] : scopes) {
    if (scope.globals.empty()) continue;
    Key globals;
    for (const std::uint32_t rule : scope.globals) add_all(globals, rule);
    for (const std::uint32_t rule : scope.members) {
      Key& needs = rules_[rule].needs;
      needs.insert(needs.end(), globals.begin(), globals.end());
      tidy(needs);
    }
  }
}

// Gives each rule of a unit its number. `wanted`: numbers among all rules; empty for all.
void YaraUnits::number_rules(YaraUnit& unit, const std::set<std::size_t>& wanted) const {
  YR_RULE* rule = nullptr;
  yr_rules_foreach(unit.rules.get(), rule) {
    const auto found = index_of_.find({rule->ns->name, rule->identifier});
    const bool counts = found != index_of_.end() && (wanted.empty() || wanted.contains(found->second));
    unit.indexes.push_back(counts ? found->second : no_index);
  }
}

bool YaraUnits::any_reported(const std::vector<std::uint32_t>& candidates) const {
  return std::any_of(candidates.begin(), candidates.end(), [this](std::uint32_t rule) { return !rules_[rule].is_private; });
}

std::vector<std::shared_ptr<const YaraUnit>> YaraUnits::units_for(const std::vector<std::uint32_t>& candidates, std::uint64_t size) const {
  std::map<std::size_t, Key> by_text;
  for (const std::uint32_t rule : candidates) {
    if (!rules_[rule].is_private) by_text[rules_[rule].text].push_back(rule);
  }
  std::vector<std::shared_ptr<const YaraUnit>> units;
  if (whole_ != nullptr) units.push_back(whole_);
  Key reported;
  for (const auto& [text, list] : by_text) {
    if (list.size() >= many_of_source && size <= largest_for_source) {
      units.push_back(unit(reported_of_[text]));
    } else {
      reported.insert(reported.end(), list.begin(), list.end());
    }
  }
  std::sort(reported.begin(), reported.end());
  if (one_unit_is_better(reported.size(), size)) {
    units.push_back(unit(reported));
  } else {
    for (const std::uint32_t rule : reported) units.push_back(unit({rule}));
  }
  return units;
}

std::shared_ptr<const YaraUnit> YaraUnits::unit(const Key& key) const {
  {
    const std::lock_guard lock(mutex_);
    const auto found = units_.find(key);
    if (found != units_.end()) {
      by_use_.splice(by_use_.begin(), by_use_, found->second.place);
      return found->second.unit;
    }
  }
  // Two threads may make the same one; that is cheaper than to let all wait.
  std::shared_ptr<const YaraUnit> made = make_unit(key);
  const std::lock_guard lock(mutex_);
  const auto [entry, is_new] = units_.emplace(key, Entry{made, {}});
  if (!is_new) return entry->second.unit;
  by_use_.push_front(&entry->first);
  entry->second.place = by_use_.begin();
  bytes_ += made->bytes;
  while (bytes_ > kept_bytes && by_use_.size() > 1) {
    const auto last = units_.find(*by_use_.back());
    bytes_ -= last->second.unit->bytes;
    by_use_.pop_back();
    units_.erase(last);
  }
  return made;
}

std::vector<YaraText> YaraUnits::parts_of(const Key& needed) const {
  std::vector<YaraText> parts;
  for (const std::uint32_t number : needed) {
    const Rule& rule = rules_[number];
    const YaraText& text = texts_[rule.text];
    auto part = std::find_if(parts.begin(), parts.end(), [&](const YaraText& one) { return one.name_space == text.name_space; });
    if (part == parts.end()) {
      parts.push_back({text.name_space, text.file, ""});
      part = parts.end() - 1;
    }
    // A module may be imported again.
    for (const std::string& module : rule.imports) part->text += "import \"" + module + "\"\n";
    part->text.append(text.text, rule.begin, rule.end - rule.begin + 1);
    part->text += '\n';
  }
  return parts;
}

std::shared_ptr<const YaraUnit> YaraUnits::make_unit(const Key& key) const {
  Key needed;
  std::set<std::size_t> wanted;
  for (const std::uint32_t rule : key) {
    needed.push_back(rule);
    needed.insert(needed.end(), rules_[rule].needs.begin(), rules_[rule].needs.end());
    wanted.insert(rules_[rule].index);
  }
  std::sort(needed.begin(), needed.end());
  needed.erase(std::unique(needed.begin(), needed.end()), needed.end());

  auto unit = std::make_shared<YaraUnit>();
  auto compiled = compile_yara(parts_of(needed));
  if (!compiled) {
    // A rule needs something of its name space that is not seen here: then with all of it.
    std::vector<YaraText> whole;
    std::set<std::string> name_spaces;
    for (const std::uint32_t rule : key) name_spaces.insert(texts_[rules_[rule].text].name_space);
    for (const YaraText& text : texts_) {
      if (name_spaces.contains(text.name_space)) whole.push_back(text);
    }
    compiled = compile_yara(whole);
  }
  if (compiled) unit->rules = make_small(std::move(*compiled), unit->bytes);
  if (unit->rules != nullptr) number_rules(*unit, wanted);
  return unit;
}

}  // namespace lazaret::engine
