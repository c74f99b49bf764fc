// The literals that a sequence of pieces must contain (yara_literals.h, for hex strings and regular expressions).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace lazaret::engine {

// How well one of these literals tells files apart: about the number of its bytes that are not common. 0 for an empty list.
double literal_quality(const std::vector<std::string>& any_of);
// A strong one is absent from most files. A weak one ("<?", "MZ") is worth a look where everything else of a rule is there.
inline constexpr double strong_literal_quality = 3.0, weak_literal_quality = 1.0;

// What is known of a piece of a pattern.
struct LiteralPiece {
  std::optional<std::vector<std::string>> exact;  // all texts that it can match, when they are few
  std::vector<std::string> required;              // one of them is contained in every match; empty: nothing known
};

// Collects pieces from left to right. Runs of exact pieces grow together; what is kept is the best of all runs.
class LiteralSequence {
 public:
  void add(const LiteralPiece& piece);
  void add_exact(const std::vector<std::string>& alternatives);
  void add_gap();  // anything may stand here
  LiteralPiece finish();

 private:
  void close_run();
  void offer(const std::vector<std::string>& candidate);

  std::vector<std::string> run_{""};
  std::vector<std::string> best_;
  bool exact_ = true;  // the run is all there is so far
};

// Either of two pieces.
LiteralPiece alternative_of(const std::vector<LiteralPiece>& pieces);

}  // namespace lazaret::engine
