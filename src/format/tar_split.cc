#include "format/tar_split.h"

#include <array>

#include "format/json.h"

namespace lazaret::format {
namespace {

// Standard base64 with padding, as encoding/json writes bytes. Nothing for anything else.
std::optional<std::string> decode_base64(std::string_view text) {
  static constexpr auto values = [] {
    std::array<std::int8_t, 256> table{};
    table.fill(-1);
    constexpr std::string_view alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (std::size_t i = 0; i < alphabet.size(); ++i)
      table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
    return table;
  }();
  if (text.size() % 4 != 0) return std::nullopt;
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  std::string out;
  out.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      const bool filler = i + k >= text.size() - padding;
      const int value = filler ? 0 : values[static_cast<unsigned char>(text[i + k])];
      if (value < 0) return std::nullopt;
      group = group << 6 | static_cast<std::uint32_t>(value);
    }
    out += static_cast<char>(group >> 16);
    out += static_cast<char>(group >> 8 & 0xff);
    out += static_cast<char>(group & 0xff);
  }
  out.resize(out.size() - padding);
  return out;
}

// slicing-by-8: table[k][b] is the CRC of b followed by k zeros.
constexpr auto crc_tables = [] {
  std::array<std::array<std::uint64_t, 256>, 8> tables{};
  for (unsigned i = 0; i < 256; ++i) {
    std::uint64_t value = i;
    for (int bit = 0; bit < 8; ++bit)
      value = (value & 1) != 0 ? value >> 1 ^ 0xD800000000000000u : value >> 1;
    tables[0][i] = value;
  }
  for (std::size_t k = 1; k < 8; ++k) {
    for (std::size_t i = 0; i < 256; ++i)
      tables[k][i] = tables[0][tables[k - 1][i] & 0xff] ^ tables[k - 1][i] >> 8;
  }
  return tables;
}();

}  // namespace

void Crc64::update(Bytes bytes) {
  std::uint64_t state = state_;
  while (bytes.size() >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), 8);  // little-endian, as all machines that this is built for
    word ^= state;
    state = 0;
    for (std::size_t i = 0; i < 8; ++i) state ^= crc_tables[7 - i][word >> (8 * i) & 0xff];
    bytes = bytes.subspan(8);
  }
  for (const std::uint8_t byte : bytes) state = crc_tables[0][(state ^ byte) & 0xff] ^ state >> 8;
  state_ = state;
}

bool TarSplitReader::fail(std::string_view why) {
  problem_ =
      "line " + std::to_string(lines_) + " of the record of its tar form " + std::string(why);
  stopped_ = true;
  return false;
}

bool TarSplitReader::feed(Bytes bytes) {
  std::string_view text = as_text(bytes);
  while (!stopped_) {
    const auto end = text.find('\n');
    const std::string_view part = text.substr(0, end);
    if (pending_.size() + part.size() > limits_.tar_split_line) {
      ++lines_;
      return fail("is longer than the limit");
    }
    if (end == std::string_view::npos) {
      pending_ += part;
      return true;
    }
    if (pending_.empty()) {
      line(part);
    } else {
      pending_ += part;
      line(pending_);
      pending_.clear();
    }
    text.remove_prefix(end + 1);
  }
  return false;
}

bool TarSplitReader::finish() {
  if (!stopped_ && !pending_.empty()) line(pending_);
  pending_.clear();
  return !stopped_;
}

bool TarSplitReader::line(std::string_view text) {
  ++lines_;
  if (text.empty() || text == "\r") return true;
  const JsonDocument document = parse_json(text, {.max_depth = 4, .max_values = 64});
  if (!document.valid || document.value.as_object() == nullptr) return fail("is no JSON object");
  const JsonValue& value = document.value;
  const JsonValue* type = value.find("type");
  const std::uint64_t kind = type == nullptr ? 0 : type->as_size().value_or(0);
  auto payload = decode_base64(value.text("payload"));
  if (!payload) return fail("has a payload that is not base64");

  TarSplitEntry entry;
  if (kind == 2) {
    entry.size = payload->size();
    entry.segment = std::move(*payload);
  } else if (kind == 1) {
    if (++entries_ > limits_.layer_entries) return fail("is one entry more than the limit");
    entry.is_file = true;
    // A name that is not UTF-8 is kept aside as bytes.
    entry.name = value.text("name");
    if (const std::string_view raw = value.text("name_raw"); !raw.empty()) {
      auto bytes = decode_base64(raw);
      if (!bytes) return fail("has a name that is not base64");
      entry.name = std::move(*bytes);
    }
    if (const JsonValue* size = value.find("size"); size != nullptr) {
      const auto number = size->as_size();
      if (!number || *number > static_cast<std::uint64_t>(INT64_MAX)) return fail("has no size");
      entry.size = *number;
    }
    if (payload->size() == 8) entry.crc64 = read_be<std::uint64_t>(as_bytes(*payload), 0);
    if (entry.size > 0 && !entry.crc64) return fail("has no checksum");
  } else {
    return fail("is of an unknown type");
  }
  if (!take_(entry)) stopped_ = true;
  return !stopped_;
}

}  // namespace lazaret::format
