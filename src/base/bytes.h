// Views of bytes and the only arithmetic that may be done on numbers read from a file.
//
// Every parser of lazaret reads hostile input. None of them adds, multiplies or indexes with a
// number that came from the input except through the helpers here, which say "no" instead of
// wrapping around or reading past the end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

namespace lazaret {

// A view of bytes owned by somebody else. Cheap to copy; never outlives its owner.
using Bytes = std::span<const std::uint8_t>;

inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// a + b and a * b, or nothing when the result does not fit 64 bits.
[[nodiscard]] inline std::optional<std::uint64_t> checked_add(std::uint64_t a, std::uint64_t b) {
  std::uint64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}
[[nodiscard]] inline std::optional<std::uint64_t> checked_mul(std::uint64_t a, std::uint64_t b) {
  std::uint64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

// The `size` bytes at `offset`, or nothing when any of them lies outside `bytes`.
[[nodiscard]] inline std::optional<Bytes> slice(Bytes bytes, std::uint64_t offset,
                                                std::uint64_t size) {
  if (offset > bytes.size() || size > bytes.size() - offset) return std::nullopt;
  return bytes.subspan(static_cast<std::size_t>(offset), static_cast<std::size_t>(size));
}

// As much of [offset, offset + size) as lies inside `bytes`; empty when nothing does.
[[nodiscard]] inline Bytes clamp(Bytes bytes, std::uint64_t offset, std::uint64_t size) {
  if (offset >= bytes.size()) return {};
  const std::uint64_t rest = bytes.size() - offset;
  return bytes.subspan(static_cast<std::size_t>(offset),
                       static_cast<std::size_t>(size < rest ? size : rest));
}

// An unsigned integer at `offset` in little- or big-endian order, or nothing when it does not lie
// inside `bytes`.
template <typename T>
[[nodiscard]] std::optional<T> read_le(Bytes bytes, std::uint64_t offset) {
  static_assert(std::is_unsigned_v<T>);
  const auto field = slice(bytes, offset, sizeof(T));
  if (!field) return std::nullopt;
  T value;
  std::memcpy(&value, field->data(), sizeof(T));
  return value;
}
template <typename T>
[[nodiscard]] std::optional<T> read_be(Bytes bytes, std::uint64_t offset) {
  static_assert(std::is_unsigned_v<T>);
  const auto field = slice(bytes, offset, sizeof(T));
  if (!field) return std::nullopt;
  T value = 0;
  for (const std::uint8_t byte : *field)
    value = static_cast<T>((static_cast<std::uint64_t>(value) << 8) | byte);
  return value;
}

}  // namespace lazaret
