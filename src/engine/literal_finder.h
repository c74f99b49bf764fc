// Which of many thousand literals are contained in bytes: faster than an automaton when they are long enough.
//
// Every fourth position of the bytes is looked at: the six bytes there (a gram) are hashed, and a bitmap says whether any literal has them. A literal of nine
// bytes or more has four grams in a row of which one must fall on such a position, wherever it stands. Which four is free to choose, and the rarest are taken.
// Where the bitmap says yes, the literals with this gram are compared. Grams are compared without regard to case, literals as they ask for it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace lazaret::engine {

// Immutable after the constructor and thread-safe.
class LiteralFinder {
 public:
  static constexpr std::size_t least_length = 9;
  // False: too short, or made of nothing but what is everywhere (zeros, "function"), so that too much had to be compared.
  static bool suits(std::string_view text);

  struct Literal {
    std::string_view text;     // one that suits; must outlive the finder
    bool ignore_case = false;  // ASCII letters of either case
  };

  explicit LiteralFinder(std::vector<Literal> literals);

  // What one caller at a time needs; made once and used again, with any finder.
  class Scratch {
    friend class LiteralFinder;
    std::vector<std::uint32_t> seen_;  // by literal: the round in which it was found
    std::uint32_t round_ = 0;
  };

  // Appends the numbers of the literals that are contained in `bytes`, each once, in no order.
  void find(Bytes bytes, Scratch& scratch, std::vector<std::uint32_t>& found) const;

 private:
  struct Entry {
    std::uint64_t gram = 0;     // folded
    std::uint32_t literal = 0;
    std::uint32_t offset = 0;   // of the gram in the literal
  };
  void compare_at(Bytes bytes, std::size_t position, Scratch& scratch, std::vector<std::uint32_t>& found) const;
  bool stands_at(Bytes bytes, std::size_t begin, const Literal& literal) const;

  std::vector<Literal> literals_;
  std::vector<std::uint64_t> bitmap_;
  unsigned bitmap_shift_ = 0;             // of a hash: what is left is the number of a word
  std::vector<std::uint32_t> buckets_;    // by the upper bits of a hash: the first of its entries; one more at the end
  unsigned bucket_shift_ = 0;
  std::vector<Entry> entries_;            // by bucket
};

}  // namespace lazaret::engine
