// Similarity digests of scripts and programs: TLSH (Oliver, Cheng, Chen: "TLSH - A Locality Sensitive Hash", CTC 2013), through Debian's libtlsh, and the
// shape of a script, which is its text without what an actor changes from one server to the next.
//
// A TLSH value is 70 upper-case hex digits (128 buckets, one byte of checksum), the form without version prefix.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace lazaret::format {

// "" for fewer than 256 bytes and for content with too little variety.
std::string similarity_hash(Bytes content);
bool is_similarity_hash(std::string_view text);
// 0 for equal content, about 30 for variants of one program, 100 and more for unrelated ones. -1 when one of the two is no such digest.
int similarity_distance(std::string_view a, std::string_view b);
// Keys of which two digests at a small distance most likely share some: one for each of 16 groups of 8 buckets, with the number of the group in
// bits 16 and up.
std::vector<std::uint32_t> similarity_keys(std::string_view hash);

// White space is one blank, comments of whole lines go, hosts, numbers and long encoded words become placeholders.
std::string script_shape(std::string_view text);

}  // namespace lazaret::format
