// What the names in one layer say that only some readers hear: whiteout markers, names that stand twice, names below files and links.
//
// Markers are ordinary entries whose names begin with ".wh." (OCI image-spec, layer.md). Engines differ in what they make of one that is malformed: containerd refuses "/etc/.wh.", Docker's old code
// and umoci remove /etc, others leave it lying about as a file. Likewise for a path that stands twice: the last entry wins for those who unpack, the first for some who look things up.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "audit/entry_table.h"
#include "base/diagnostic.h"
#include "format/tar.h"

namespace lazaret::audit {

struct NameProblem {
  Diagnostic diagnostic;
  std::uint64_t entry = 0;  // number in the layer's table
  std::string path;
};

// How a name that begins with ".wh." is to be taken.
enum class MarkerKind : std::uint8_t {
  none,       // an ordinary name
  whiteout,   // ".wh.<name>"
  opaque,     // ".wh..wh..opq"
  aufs,       // ".wh..wh.aufs", ".wh..wh.orph", ".wh..wh.plnk": left by old versions of Docker, ignored by all
  malformed,  // ".wh..wh.<anything else>"
  folder,     // ".wh.", ".wh..", ".wh...": names nothing, the folder it lies in, or the one above
};
MarkerKind marker_kind(std::string_view name);

// One layer; not thread-safe. Eight bytes for each entry that is no folder.
class LayerNames {
 public:
  // `path`: canonical, of entry number `number`.
  void add(const format::TarEntry& entry, const std::string& path, std::uint64_t number);
  // When all entries are in `table`. At most a few problems of a kind.
  std::vector<NameProblem> finish(const EntryTable& table);

 private:
  void report(std::string rule, std::string message, std::uint64_t number, const std::string& path);

  std::vector<NameProblem> problems_;
  std::map<std::string, std::size_t, std::less<>> counts_;
  std::vector<std::uint64_t> hashes_;              // of the paths of what is no folder
  std::map<std::uint64_t, std::string> odd_names_;  // raw names that are spelled otherwise than the layer's others, by entry
  std::map<std::string, std::uint64_t> removed_;   // what markers remove, with their entries
  int style_ = -1;                                  // how the layer's names begin: "", "./" or "/"
};

}  // namespace lazaret::audit
