#include "engine/yara_literal_sequence.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace lazaret::engine {
namespace {

constexpr std::size_t alternatives_limit = 16;
constexpr std::size_t required_limit = 64;
constexpr std::size_t length_limit = 96;

double weight_of(std::uint8_t byte) {
  if (byte == 0) return 0.25;
  if (byte == 0xff || byte == 0x20 || byte == 0x90 || byte == 0xcc) return 0.4;
  return 1;
}

}  // namespace

double literal_quality(const std::vector<std::string>& any_of) {
  double worst = any_of.empty() ? 0 : 1e9;
  for (const std::string& literal : any_of) {
    double sum = 0;
    for (std::size_t i = 0; i < literal.size() && sum < 12; ++i) {
      const bool repeated = (i >= 1 && literal[i] == literal[i - 1]) || (i >= 2 && literal[i] == literal[i - 2]);
      sum += std::min(weight_of(static_cast<std::uint8_t>(literal[i])), repeated ? 0.3 : 1.0);
    }
    // Three bytes are met by chance.
    if (literal.size() < 4) sum = std::min(sum, 2.0);
    if (literal.size() < 2) sum = 0;
    worst = std::min(worst, sum);
  }
  return any_of.empty() ? 0 : worst - 0.1 * std::log2(static_cast<double>(any_of.size()));
}

void LiteralSequence::offer(const std::vector<std::string>& candidate) {
  if (candidate.empty() || candidate.size() > required_limit) return;
  if (literal_quality(candidate) > literal_quality(best_)) best_ = candidate;
}

void LiteralSequence::close_run() {
  offer(run_);
  run_ = {""};
  exact_ = false;
}

void LiteralSequence::add_gap() { close_run(); }

void LiteralSequence::add_exact(const std::vector<std::string>& alternatives) {
  if (alternatives.empty()) return close_run();
  const auto longest = [](const std::vector<std::string>& list) {
    return std::max_element(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.size() < b.size(); })->size();
  };
  if (run_.size() * alternatives.size() > alternatives_limit || longest(run_) + longest(alternatives) > length_limit) close_run();
  if (alternatives.size() > alternatives_limit || longest(alternatives) > length_limit) {
    offer(alternatives);
    return close_run();
  }
  std::vector<std::string> longer;
  longer.reserve(run_.size() * alternatives.size());
  for (const std::string& left : run_) {
    for (const std::string& right : alternatives) longer.push_back(left + right);
  }
  run_ = std::move(longer);
}

void LiteralSequence::add(const LiteralPiece& piece) {
  if (piece.exact) return add_exact(*piece.exact);
  close_run();
  offer(piece.required);
}

LiteralPiece LiteralSequence::finish() {
  LiteralPiece piece;
  if (exact_) {
    std::sort(run_.begin(), run_.end());
    run_.erase(std::unique(run_.begin(), run_.end()), run_.end());
    piece.exact = run_;
  }
  offer(run_);
  piece.required = std::move(best_);
  return piece;
}

LiteralPiece alternative_of(const std::vector<LiteralPiece>& pieces) {
  LiteralPiece result;
  result.exact.emplace();
  bool all_required = true;
  for (const LiteralPiece& piece : pieces) {
    if (!piece.exact || !result.exact || result.exact->size() + piece.exact->size() > alternatives_limit) {
      result.exact.reset();
    } else {
      result.exact->insert(result.exact->end(), piece.exact->begin(), piece.exact->end());
    }
    const std::vector<std::string>& known = piece.required.empty() && piece.exact ? *piece.exact : piece.required;
    if (known.empty()) all_required = false;
    result.required.insert(result.required.end(), known.begin(), known.end());
  }
  if (!all_required || result.required.size() > required_limit) result.required.clear();
  return result;
}

}  // namespace lazaret::engine
