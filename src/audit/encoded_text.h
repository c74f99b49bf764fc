// Payloads encoded as text inside files: base64 and hexadecimal in scripts, JSON, variables, and in the strings of binaries.
//
// In text every run that looks encoded is decoded and audited again. In binaries that would mean decoding every symbol table, so
// there the one pattern pass looks for how the beginnings of payloads ("#!/bin/", "/dev/tcp/", "\x7fELF", "curl ", ...) look in base64 at
// each of the three alignments, and only runs around such a mark are decoded.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "codec/text_encoding.h"

namespace lazaret::audit {

// Literals of the pattern pass over binaries. Constant for the life of the process.
std::span<const std::string> encoded_marks();

// The run of base64 around the mark that ended at `end` in `content`, decoded; nothing when it does not decode.
// `offset` is set to where the run begins, and `run_end` to where it ends.
std::optional<std::string> decode_around(Bytes content, std::uint64_t end, std::uint64_t* offset, std::uint64_t* run_end);

// Text in UTF-16 with little-endian units and no mark, when it is all in Latin letters, digits and signs; nothing when `bytes` is no such text.
std::optional<std::string> from_utf16(std::string_view bytes);

// True when decoded bytes are worth auditing: text, or a kind of file that is known.
bool is_worth_auditing(std::string_view decoded);

}  // namespace lazaret::audit
