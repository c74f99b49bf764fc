// Small sets of rules compiled by libyara when a file first needs them.
//
// libyara cannot scan with a part of its rules, and its time for a file grows with the number of strings it was compiled with. A unit is one rule, or some, with
// the rules they refer to and the global rules of their name spaces: what libyara says of a rule there is what it would say with all rules. Units are kept up to
// a number of bytes; those least recently used go.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/yara.h"
#include "engine/yara_library.h"
#include "engine/yara_syntax.h"

namespace lazaret::engine {

struct YaraUnit {
  CompiledYara rules;                // null: there was not enough memory
  std::vector<std::size_t> indexes;  // of each rule of `rules`: its index among all rules, or no_index when it only helps
  std::size_t bytes = 0;
};

// Thread-safe after read_sources().
class YaraUnits {
 public:
  // `texts` must compile together.
  explicit YaraUnits(std::vector<YaraText> texts) : texts_(std::move(texts)) {}

  // The sources of the name spaces that are understood, in their order; the others go into the unit that every file gets. `rules`: all rules, as libyara lists
  // them. Not `wanted`: none is understood.
  std::vector<std::pair<std::string, YaraSource>> read_sources(const std::vector<YaraRule>& rules, bool wanted);

  // Rules of sources that are not understood.
  std::size_t whole_rule_count() const { return whole_rule_count_; }

  // What must scan a file of `size` bytes so that each of `candidates` (their numbers in the prefilter) is decided: unit for unit.
  std::vector<std::shared_ptr<const YaraUnit>> units_for(const std::vector<std::uint32_t>& candidates, std::uint64_t size) const;
  // True when one of the candidates is a rule that libyara reports.
  bool any_reported(const std::vector<std::uint32_t>& candidates) const;

 private:
  struct Rule {
    std::size_t index = 0;  // among all rules
    std::size_t text = 0;   // in texts_
    std::size_t begin = 0, end = 0;
    bool is_private = false;
    std::vector<std::uint32_t> needs;  // all rules, by their numbers here, that must be compiled with it
    std::vector<std::string> imports;  // modules that its condition names
  };
  using Key = std::vector<std::uint32_t>;

  std::shared_ptr<const YaraUnit> unit(const Key& key) const;
  std::shared_ptr<const YaraUnit> make_unit(const Key& key) const;
  void number_rules(YaraUnit& unit, const std::set<std::size_t>& wanted) const;
  std::vector<YaraText> parts_of(const Key& needed) const;
  void connect(const std::vector<std::pair<std::string, YaraSource>>& sources);

  std::vector<YaraText> texts_;
  std::vector<Rule> rules_;  // of understood sources, in the prefilter's order
  std::vector<std::vector<std::uint32_t>> reported_of_;  // by text: its rules that are not private
  std::map<std::pair<std::string, std::string>, std::size_t> index_of_;  // (name space, name) of the rules that libyara reports
  std::shared_ptr<const YaraUnit> whole_;
  std::size_t whole_rule_count_ = 0;

  struct Entry {
    std::shared_ptr<const YaraUnit> unit;
    std::list<const Key*>::iterator place;
  };
  mutable std::mutex mutex_;
  mutable std::map<Key, Entry> units_;
  mutable std::list<const Key*> by_use_;  // the last used first
  mutable std::size_t bytes_ = 0;
};

}  // namespace lazaret::engine
