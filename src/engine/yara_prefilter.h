// From a file's bytes to the few rules that can be true of it: a Hyperscan pass over the literals that matches need (yara_literals.h), then the conditions of
// the rules whose strings were met (yara_condition.h), and of those that need no string.
//
// Files come in classes, by their first bytes and their size. More than half of the published rules are for Windows programs or for small files, and what only
// they need is not looked for in others: the conditions are evaluated once for a class of which nothing else is known, and the patterns of a class are those of
// the rules that are left. A class is compiled when its first file comes.
//
// Weak literals ("<?") are in most files of some kind. They are looked for in a second pass, over those files only in which a rule hangs on nothing else.
#pragma once

#include <array>
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
  // `sources`: (name space, source), in the order in which libyara gets them. `saved_patterns`: how the names of the files begin in which the compiled
  // patterns are kept; "" for none.
  YaraPrefilter(const std::vector<std::pair<std::string, YaraSource>>& sources, std::string saved_patterns);
  ~YaraPrefilter();

  const YaraConditions& conditions() const { return conditions_; }

  // One file at a time. Not thread-safe; made once and used again, since it is as large as the list of strings.
  class Pass {
   public:
    explicit Pass(const YaraPrefilter& owner);
    // `head`: how the file begins. `least_size`: what is known of its size so far; the whole size need not be known.
    void begin(Bytes head, std::uint64_t least_size);
    // Bytes of the file: all of them, or windows that overlap by more than a literal is long.
    void feed(Bytes bytes);
    // The strings met so far, and one that was met in another pass over the same file.
    const std::vector<std::uint32_t>& met() const { return met_; }
    void meet(std::uint32_t string);
    // The rules that may be true, ascending. Valid until begin().
    const std::vector<std::uint32_t>& finish(const YaraFacts& facts);

   private:
    void forget();
    void sort_out(const YaraFacts& facts);
    void look_for_weak(Bytes content);

    const YaraPrefilter& owner_;
    std::size_t class_ = 0;
    YaraConditions::Evaluation evaluation_;
    std::vector<Hit> hits_;
    std::vector<std::uint8_t> present_;    // by string
    std::vector<std::uint32_t> met_;       // strings to forget again
    std::vector<std::uint8_t> triggered_;  // by rule
    std::vector<std::uint32_t> rules_;     // triggered or without trigger
    std::vector<std::uint32_t> candidates_;
    bool weak_changed_ = false;
  };

 private:
  enum Strength : std::uint8_t { strong, weak };
  struct Literal {
    std::string text;
    bool ignore_case = false;
    bool expression = false;  // text is one
    Strength strength = strong;
    auto operator<=>(const Literal&) const = default;
  };
  struct Patterns {
    std::vector<std::uint32_t> literals;  // by pattern, in literals_
    mutable std::once_flag once;
    mutable std::unique_ptr<PatternDatabase> database;  // null: it could not be made, and every string may be there
  };
  struct Class {
    YaraFacts facts;
    std::vector<std::uint8_t> possible;  // by rule: it can be true of a file of this class
    std::vector<std::uint32_t> always;   // rules that can be true without any literal
    std::array<Patterns, 2> patterns;    // by strength
  };
  static constexpr std::size_t class_count = 6;
  static constexpr std::uint64_t large_size = 1 << 20;
  static std::size_t class_of(Bytes head, std::uint64_t least_size);

  static Pattern pattern_of(const Literal& literal);  // a view of it
  void add_literals();
  void add_references();
  void make_class(Class& one, YaraHeader header, bool is_large);
  const PatternDatabase* database(std::size_t which, Strength strength) const;
  bool scan(std::size_t which, Strength strength, Bytes bytes, std::vector<Hit>& hits) const;

  YaraConditions conditions_;
  std::string saved_patterns_;
  std::vector<Literal> literals_;
  std::vector<std::vector<std::uint32_t>> strings_of_;  // by literal
  std::vector<std::vector<std::uint32_t>> needs_;       // by rule: the rules it refers to, however far
  std::vector<std::vector<std::uint32_t>> woken_by_;    // by rule: itself and the rules that refer to it, however far
  std::vector<std::uint8_t> has_weak_;                  // by rule: a string of it, or of those it refers to, has weak literals
  std::vector<std::uint32_t> weak_strings_;
  std::vector<std::uint8_t> unknown_;                   // by string: what the first pass does not look for, and so may be there
  std::array<Class, class_count> classes_;
};

}  // namespace lazaret::engine
