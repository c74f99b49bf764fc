#include "engine/literal_finder.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <numeric>
#include <unordered_map>
#include <utility>

#include "engine/literal_rarity.h"

namespace lazaret::engine {
namespace {

constexpr std::size_t gram_length = 6, stride = 4;
static_assert(LiteralFinder::least_length == gram_length + stride - 1);
// Of a long literal, where its grams are sought.
constexpr std::size_t looked_at = 64;
// Bits of the bitmap for each gram, of which two are set: the more, the fewer positions are compared in vain, and the less of it is in the processor's caches.
constexpr std::size_t bits_for_gram = 32;
// The most that the grams of a literal may be met together, by position.
constexpr double most_frequency = 2e-4;

// Bit 5 is set where bit 6 is: that makes one of upper and lower case, and of some other bytes, which only costs comparisons.
std::uint64_t folded(std::uint64_t bytes) { return bytes | (bytes & 0x4040404040404040u) >> 1; }

// Six bytes, the first lowest.
std::uint64_t folded_gram(const std::uint8_t* at) {
  std::uint64_t bytes = 0;
  std::memcpy(&bytes, at, gram_length);
  return folded(bytes);
}
// The same in one load, where eight bytes are.
std::uint64_t quick_gram(const std::uint8_t* at) {
  std::uint64_t bytes = 0;
  std::memcpy(&bytes, at, sizeof bytes);
  return folded(bytes) & 0xffffffffffffu;
}

std::uint64_t hash_of(std::uint64_t gram) { return gram * 0x9e3779b97f4a7c15u; }
// Two bits of a word of the bitmap. The word is chosen by the upper bits of the hash.
std::uint64_t bits_of(std::uint64_t hash) { return std::uint64_t{1} << (hash >> 26 & 63) | std::uint64_t{1} << (hash >> 32 & 63); }

char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

const std::uint8_t* bytes_of(std::string_view text) { return reinterpret_cast<const std::uint8_t*>(text.data()); }

// The costs of the grams of a literal.
std::vector<double> frequencies_in(std::string_view text) {
  std::vector<double> all;
  for (std::size_t i = 0; i + gram_length <= std::min(text.size(), looked_at); ++i) {
    all.push_back(frequency_of(text.substr(i, gram_length)));
  }
  return all;
}

// Where the four grams in a row begin that are the least of all, and their sum.
std::pair<std::size_t, double> rarest_of(const std::vector<double>& costs) {
  std::pair<std::size_t, double> best{0, std::numeric_limits<double>::infinity()};
  for (std::size_t i = 0; i + stride <= costs.size(); ++i) {
    const double sum = std::accumulate(costs.begin() + static_cast<std::ptrdiff_t>(i), costs.begin() + static_cast<std::ptrdiff_t>(i + stride), 0.0);
    if (sum < best.second) best = {i, sum};
  }
  return best;
}

}  // namespace

bool LiteralFinder::suits(std::string_view text) { return text.size() >= least_length && rarest_of(frequencies_in(text)).second < most_frequency; }

LiteralFinder::LiteralFinder(std::vector<Literal> literals) : literals_(std::move(literals)) {
  const std::size_t grams = literals_.size() * stride;
  // At most 2^24 each, so that the bits in a word are other bits of the hash than its number.
  const auto words = std::clamp(static_cast<unsigned>(std::bit_width(grams * bits_for_gram / 64)), 6u, 24u);
  bitmap_shift_ = 64 - words;
  bitmap_.resize(std::size_t{1} << words);
  const auto buckets = std::clamp(static_cast<unsigned>(std::bit_width(grams)), 8u, 24u);
  bucket_shift_ = 64 - buckets;
  buckets_.resize((std::size_t{1} << buckets) + 1);

  entries_.reserve(grams);
  std::unordered_map<std::uint64_t, std::uint32_t> uses;  // a gram of many literals makes many comparisons
  for (std::uint32_t number = 0; number < literals_.size(); ++number) {
    const std::string_view text = literals_[number].text;
    std::vector<double> costs = frequencies_in(text);
    for (std::size_t i = 0; i < costs.size(); ++i) {
      if (const auto used = uses.find(folded_gram(bytes_of(text) + i)); used != uses.end()) costs[i] *= 1 + used->second;
    }
    const std::size_t best = rarest_of(costs).first;
    for (std::size_t i = best; i < best + stride; ++i) {
      const std::uint64_t gram = folded_gram(bytes_of(text) + i);
      ++uses[gram];
      entries_.push_back({gram, number, static_cast<std::uint32_t>(i)});
    }
  }
  std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
    const std::uint64_t x = hash_of(a.gram), y = hash_of(b.gram);
    return x != y ? x < y : a.literal != b.literal ? a.literal < b.literal : a.offset < b.offset;
  });
  for (const Entry& entry : entries_) {
    const std::uint64_t hash = hash_of(entry.gram);
    bitmap_[hash >> bitmap_shift_] |= bits_of(hash);
    ++buckets_[(hash >> bucket_shift_) + 1];
  }
  for (std::size_t i = 1; i < buckets_.size(); ++i) buckets_[i] += buckets_[i - 1];
}

bool LiteralFinder::stands_at(Bytes bytes, std::size_t begin, const Literal& literal) const {
  if (literal.text.size() > bytes.size() - begin) return false;
  const auto* const there = reinterpret_cast<const char*>(bytes.data()) + begin;
  if (!literal.ignore_case) return std::memcmp(there, literal.text.data(), literal.text.size()) == 0;
  return std::equal(literal.text.begin(), literal.text.end(), there, [](char a, char b) { return to_lower(a) == to_lower(b); });
}

void LiteralFinder::compare_at(Bytes bytes, std::size_t position, Scratch& scratch, std::vector<std::uint32_t>& found) const {
  const std::uint64_t gram = folded_gram(bytes.data() + position);
  const std::size_t bucket = hash_of(gram) >> bucket_shift_;
  for (std::uint32_t i = buckets_[bucket]; i < buckets_[bucket + 1]; ++i) {
    const Entry& entry = entries_[i];
    if (entry.gram != gram || entry.offset > position || scratch.seen_[entry.literal] == scratch.round_) continue;
    if (!stands_at(bytes, position - entry.offset, literals_[entry.literal])) continue;
    scratch.seen_[entry.literal] = scratch.round_;
    found.push_back(entry.literal);
  }
}

void LiteralFinder::find(Bytes bytes, Scratch& scratch, std::vector<std::uint32_t>& found) const {
  if (literals_.empty() || bytes.size() < least_length) return;
  if (scratch.seen_.size() < literals_.size()) scratch.seen_.resize(literals_.size());
  if (++scratch.round_ == 0) {
    std::fill(scratch.seen_.begin(), scratch.seen_.end(), 0);
    scratch.round_ = 1;
  }
  const std::uint64_t* const bitmap = bitmap_.data();
  const unsigned shift = bitmap_shift_;
  const auto is_marked = [bitmap, shift](std::uint64_t gram) {
    const std::uint64_t hash = hash_of(gram), bits = bits_of(hash);
    return (bitmap[hash >> shift] & bits) == bits ? 1u : 0u;
  };
  // Eight positions at a time: most of them need no more than the bitmap.
  constexpr std::size_t block = 8;
  std::size_t position = 0;
  for (; position + block * stride + sizeof(std::uint64_t) <= bytes.size(); position += block * stride) {
    const std::uint8_t* const at = bytes.data() + position;
    unsigned marked = 0;
    for (std::size_t i = 0; i < block; ++i) marked |= is_marked(quick_gram(at + i * stride)) << i;
    for (; marked != 0; marked &= marked - 1) compare_at(bytes, position + static_cast<std::size_t>(std::countr_zero(marked)) * stride, scratch, found);
  }
  for (; position + gram_length <= bytes.size(); position += stride) {
    if (is_marked(folded_gram(bytes.data() + position)) != 0) compare_at(bytes, position, scratch, found);
  }
}

}  // namespace lazaret::engine
