// Encoded text: base64 and hexadecimal, the forms in which payloads hide in scripts, variables and
// JSON.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/base64.h"
#include "base/bytes.h"

namespace lazaret::codec {

using lazaret::decode_base64;
using lazaret::encode_base64;

// Pairs of hex digits, also with separators: "\x41\x42", "41 42", "0x41,0x42".
std::optional<std::string> decode_hex(std::string_view text);

// A stretch of `text` that looks encoded, and what it decodes to.
struct EncodedRun {
  enum class Form : std::uint8_t { base64, hex } form;
  std::uint64_t offset = 0, size = 0;  // in `text`
  std::string decoded;
};

// Finds maximal runs of base64 (at least `minimum` characters; line-wrapped runs are joined) and of
// hex ("\x.." escapes, or plain digit pairs of at least 2 * minimum digits) that decode to something
// `wanted`: most long identifiers are valid base64 too. Stops after `max_runs` such runs or
// `max_bytes` decoded bytes of them (then `*cut` is set). Linear in text.size().
std::vector<EncodedRun> find_encoded_runs(std::string_view text, std::size_t minimum,
                                          std::size_t max_runs, std::size_t max_bytes,
                                          const std::function<bool(std::string_view)>& wanted,
                                          bool* cut);

}  // namespace lazaret::codec
