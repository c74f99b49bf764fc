// From a file's bytes to the few rules that can be true of it: one Hyperscan pass over the literals that matches need (yara_literals.h), then the conditions
// of the rules whose strings were met (yara_condition.h), and of those that need no string.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "engine/pattern_database.h"
#include "engine/yara_condition.h"

namespace lazaret::engine {

// Immutable after the constructor and thread-safe; what belongs to one file is a Pass.
class YaraPrefilter {
 public:
  // `sources`: (name space, source), in the order in which libyara gets them. `saved_patterns`: the file in which the compiled patterns are kept; "" for none.
  YaraPrefilter(const std::vector<std::pair<std::string, YaraSource>>& sources, std::string saved_patterns);
  ~YaraPrefilter();

  const YaraConditions& conditions() const { return conditions_; }

  struct Statistics {
    std::size_t rules = 0, strings = 0, strings_without_literals = 0, patterns = 0, expressions = 0, rules_without_trigger = 0;
  };
  const Statistics& statistics() const { return statistics_; }

  // One file at a time. Not thread-safe; made once and used again, since it is as large as the list of strings.
  class Pass {
   public:
    explicit Pass(const YaraPrefilter& owner);
    void begin();
    // Bytes of the file: all of them, or windows that overlap by more than a literal is long.
    void feed(Bytes bytes);
    // The strings met so far, and one that was met in another pass over the same file.
    const std::vector<std::uint32_t>& met() const { return met_; }
    void meet(std::uint32_t string);
    // The rules that may be true, ascending. Valid until begin().
    const std::vector<std::uint32_t>& finish(const YaraFacts& facts);

   private:
    const YaraPrefilter& owner_;
    YaraConditions::Evaluation evaluation_;
    std::vector<Hit> hits_;
    std::vector<std::uint8_t> present_;     // by string
    std::vector<std::uint32_t> met_;        // strings to forget again
    std::vector<std::uint8_t> triggered_;   // by rule
    std::vector<std::uint32_t> rules_;      // triggered or without trigger
    std::vector<std::uint32_t> candidates_;
  };

 private:
  struct Literal;
  static Pattern pattern_of(const Literal& literal);  // a view of it
  void add_literals();
  void add_triggers();
  const PatternDatabase* database() const;  // null: none could be made, and every string may be there

  struct Literal {
    std::string text;
    bool ignore_case = false;
    bool expression = false;  // text is one
    auto operator<=>(const Literal&) const = default;
  };

  YaraConditions conditions_;
  Statistics statistics_;
  std::string saved_patterns_;
  std::vector<Literal> literals_;                           // by pattern
  std::vector<std::vector<std::uint32_t>> strings_of_;      // by pattern
  std::vector<std::vector<std::uint32_t>> woken_by_;        // by rule: itself and the rules that refer to it, however far
  std::vector<std::uint32_t> always_;                       // rules that can be true without any literal
  std::vector<std::uint8_t> unsearchable_;                  // by string
  mutable std::once_flag once_;
  mutable std::unique_ptr<PatternDatabase> database_;
};

}  // namespace lazaret::engine
