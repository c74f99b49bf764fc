// Traits of files: what ties images together besides what findings name (SSH keys, digests, similarity, build ids).
//
// A trait says nothing of whether a file is bad; campaigns weigh it by how rare it is and by what was found at its place.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/digest.h"
#include "format/elf.h"
#include "format/file_kind.h"

namespace lazaret::audit {

// Types: "file-sha256", "ssh-key" (base64 body), "script-tlsh", "script-shape" (sha256 of format::script_shape), "program-tlsh", "build-id", "go-build-id",
// "build-path".
struct Trait {
  std::string type, value;
  std::string path;  // of the file of the layer, or of the part of the config
  bool flagged = false;  // something of weight was found in the very content

  bool operator==(const Trait&) const = default;
};

// More of one blob are not kept.
constexpr std::size_t traits_limit = 4096;

// One content, whole.
struct TraitSource {
  std::string_view path;
  Bytes content;
  format::FileType type;
  Digest sha256;  // may be empty
  const format::ElfFile* elf = nullptr;
  bool flagged = false;   // see Trait
  bool nested = false;    // inside of another file
  bool is_file = true;    // false: a command or setting of the config
};
void collect_traits(const TraitSource& source, std::vector<Trait>& traits);

// The base64 bodies of SSH public keys in a text (RFC 4253, 6.6), each once, at most 64.
std::vector<std::string> ssh_public_keys(std::string_view text);
// Folders of the source a program was built from, as its debugging data, assertions and panics name them; at most 8.
std::vector<std::string> build_paths(Bytes program);

}  // namespace lazaret::audit
