// The members of an image archive or layout folder, by name, as the programs that read such
// archives resolve names.
//
// An archive is a list, a reader wants a map, and in the gap between them live the tricks: the same
// name twice (docker unpacks, so the last wins; containers/image searches, so the first wins),
// "./a" and "a", names with "..", symbolic links from layer to layer (docker save's old layout has
// them honestly, a hostile one has loops). Each member keeps its own key, so that every one is
// audited; lookups answer as docker does and ambiguity is reported.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/diagnostic.h"
#include "base/limits.h"

namespace lazaret::source {

enum class MemberKind : std::uint8_t { file, symlink, hard_link, folder };

struct Member {
  std::string path;  // clean: no ".", "..", doubled or leading '/'
  std::string key;   // path, or "path#2" for the second member of that name
  MemberKind kind = MemberKind::file;
  std::string link_target;   // as written
  std::uint64_t size = 0;    // of files
  std::uint64_t offset = 0;  // of the content in an archive file
  std::uint64_t header_offset = 0;
  bool sparse = false;
  // The bytes of a small JSON file; such a member has not been offered as a blob.
  std::optional<std::string> document;
};

class ImageMembers {
 public:
  explicit ImageMembers(const Limits& limits) : limits_(limits) {}

  // Adds a member with the path as written; sets path and key. Nothing when there are too many,
  // which is reported once.
  std::optional<std::size_t> add(Member member);
  // Whether `size` more bytes of documents may be kept.
  bool may_keep(std::uint64_t size) const;
  void keep(std::size_t index, std::string document);
  // The document turned out to be a blob.
  std::string take(std::size_t index);

  // The file that a reader gets for `path`: symbolic links (also of folders) and hard links are
  // followed inside the archive. Nothing when there is none or the links go round in circles.
  std::optional<std::size_t> find(std::string_view path) const;
  // All files with exactly this path, in the order they came.
  std::vector<std::size_t> find_all(std::string_view path) const;

  const std::vector<Member>& all() const { return members_; }
  Member& at(std::size_t index) { return members_[index]; }
  const std::vector<Diagnostic>& diagnostics() const { return diagnostics_; }
  bool overflowed() const { return overflowed_; }

 private:
  const Limits& limits_;
  std::vector<Member> members_;
  std::unordered_map<std::string, std::vector<std::size_t>> by_path_;
  std::uint64_t document_bytes_ = 0;
  std::vector<Diagnostic> diagnostics_;
  bool overflowed_ = false;
};

// `path` without ".", doubled and leading '/'; ".." takes the component before it away and never
// leads above the top. `escaped` tells that one wanted to.
std::string clean_path(std::string_view path, bool* escaped = nullptr);

// Whether the first bytes of a file are those of a JSON object or list; nothing when they are all
// white space.
std::optional<bool> begins_like_json(std::string_view head);

}  // namespace lazaret::source
