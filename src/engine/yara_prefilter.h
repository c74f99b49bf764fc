// From a file's bytes to the few rules that can be true of it: a pass that looks for the literals that matches need (yara_literals.h), then the conditions of
// the rules whose strings were met (yara_condition.h), and of those that need no string.
//
// Files come in classes, by their first bytes and their size. More than half of the published rules are for Windows programs or for small files, and what only
// they need is not looked for in others: the conditions are evaluated for a class of which nothing else is known, and what is looked for is what the rules that
// are left need. A class is made when its first file comes.
//
// Literals come in tiers. First are those without which rules cannot be true: for each rule the fewest and rarest (YaraConditions::Needs). Weak ones ("<?") are
// in most files of some kind, and the rest is all else that conditions ask for; both are looked for only where a rule still may be true and hangs on them.
//
// Literals that are long and rare enough go to a LiteralFinder, the others and expressions to Hyperscan.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "engine/literal_finder.h"
#include "engine/pattern_database.h"
#include "engine/yara_condition.h"

namespace lazaret::engine {

// Immutable after the constructor and thread-safe; what belongs to one file is a Pass.
class YaraPrefilter {
  struct Class;
  struct Scratch {
    std::vector<Hit> hits;
    LiteralFinder::Scratch finder;
    std::vector<std::uint32_t> found;
  };

 public:
  // `sources`: (name space, source), in the order in which libyara gets them. `saved_patterns`: how the names of the files begin in which the compiled
  // patterns are kept; "" for none.
  YaraPrefilter(const std::vector<std::pair<std::string, YaraSource>>& sources, std::string saved_patterns);
  ~YaraPrefilter();

  const YaraConditions& conditions() const { return conditions_; }

  // One file at a time. Not thread-safe; made once and used again, since it is as large as the list of strings.
  class Pass {
   public:
    explicit Pass(const YaraPrefilter& owner);
    // `head`: how the file begins. `least_size`: what is known of its size so far; the whole size need not be known. `in_windows`: it is not fed at once.
    void begin(Bytes head, std::uint64_t least_size, bool in_windows = false);
    // Bytes of the file: all of them, or windows that overlap by more than a literal is long.
    void feed(Bytes bytes);
    // The strings met so far, and one that was met in another pass over the same file.
    const std::vector<std::uint32_t>& met() const { return met_; }
    void meet(std::uint32_t string);
    // The rules that may be true, ascending. Valid until begin().
    const std::vector<std::uint32_t>& finish(const YaraFacts& facts);

   private:
    void sort_out(const YaraFacts& facts);
    bool hangs_on(unsigned tiers) const;
    bool look_for_more(unsigned tier, const YaraFacts& facts);  // false: nothing more is known

    const YaraPrefilter& owner_;
    const Class* class_ = nullptr;
    bool in_windows_ = false;
    YaraConditions::Evaluation evaluation_;
    Scratch scratch_;
    std::vector<std::uint32_t> found_;               // literals
    const std::vector<std::uint8_t>* base_ = nullptr;  // of what present_ is a copy, but for what was met
    bool base_changed_ = false;
    std::vector<std::uint8_t> present_;    // by string: it may be there
    std::vector<std::uint32_t> met_;       // strings to forget again
    std::vector<std::uint8_t> triggered_;  // by rule
    std::vector<std::uint32_t> rules_;     // triggered
    std::vector<std::uint32_t> candidates_;
  };

 private:
  enum Tier : std::uint8_t { first, weak, rest };
  static constexpr std::size_t tier_count = 3;
  struct Literal {
    std::string text;
    bool ignore_case = false;
    bool expression = false;  // text is one
    auto operator<=>(const Literal&) const = default;
  };
  struct Patterns {
    std::vector<std::uint32_t> literals;       // of literals_: those for Hyperscan, by pattern
    std::vector<std::uint32_t> long_literals;  // those for the finder, by its numbers
    mutable std::once_flag once;
    mutable std::unique_ptr<PatternDatabase> database;  // null: it could not be made, and every string may be there
    mutable std::unique_ptr<LiteralFinder> finder;
  };
  struct Class {
    std::once_flag once;
    std::vector<std::uint8_t> possible;  // by rule: it can be true of a file of this class
    std::vector<std::uint32_t> always;   // rules that can be true without any literal of the first tier
    std::vector<std::uint8_t> tiers;     // by rule: a bit for each tier in which a string stands that it hangs on
    std::array<Patterns, tier_count> patterns;
    std::vector<std::uint8_t> unknown, never_known;  // by string: it may be there after the first tier, after all tiers
    std::array<std::vector<std::uint32_t>, tier_count> strings;  // that a tier makes known
  };
  static constexpr std::size_t class_count = 6;
  static constexpr std::uint64_t large_size = 1 << 20;

  static Pattern pattern_of(const Literal& literal);  // a view of it
  void add_literals();
  void add_references();
  const Class& class_of(Bytes head, std::uint64_t least_size) const;
  void make_class(Class& one, YaraHeader header, bool is_large) const;
  std::vector<Tier> tiers_of_strings(const Class& one, const YaraFacts& facts) const;
  void make_patterns(const Patterns& patterns) const;
  bool scan(const Patterns& patterns, Bytes bytes, Scratch& scratch, std::vector<std::uint32_t>& found) const;

  YaraConditions conditions_;
  std::string saved_patterns_;
  std::vector<Literal> literals_;
  std::vector<std::uint8_t> is_long_;                   // by literal: the finder can look for it
  std::vector<std::vector<std::uint32_t>> strings_of_;  // by literal
  std::vector<std::vector<std::uint32_t>> literals_of_;  // by string; none: it may be anywhere
  std::vector<std::uint8_t> is_weak_;                   // by string
  std::vector<double> costs_, met_costs_;               // by string: of looking for it, the part of it for meeting it in vain
  std::vector<std::vector<std::uint32_t>> needs_;       // by rule: the rules it refers to, however far
  std::vector<std::vector<std::uint32_t>> woken_by_;    // by rule: itself and the rules that refer to it, however far
  mutable std::array<Class, class_count> classes_;
};

}  // namespace lazaret::engine
