// Which files of an image belong to a distribution package, are they as the package brought them, and what is the word of the database worth?
//
// The answer comes from the image's own package databases, which whoever made the image may have written. They are therefore read in every layer,
// not only as they are in the end: a database tells the truth about an attack when it is compared with what it said before. A list of files
// that changed while the version of its package did not is not believed; the list before it is. docs/packages.md describes the whole.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/root_file_system.h"

namespace lazaret::audit {

enum class Trust : std::uint8_t {
  none,           // the list of files contradicts what an earlier layer says of the same version, or belongs to no installed package
  self_declared,  // nothing contradicts it, and nothing but the image vouches for it
  known_base,     // it stands unchanged in a layer of a base image that the table of known bases has
};
std::string_view name_of(Trust trust);  // "", "self-declared", "known-base"

struct Package {
  std::string manager;  // "dpkg", "apk", "rpm"
  std::string name, version, architecture;
  std::size_t layer = 0;  // where its present list of files was first written
  Trust trust = Trust::self_declared;
};

// A database that was changed in a way that no package manager changes it.
struct DatabaseProblem {
  enum class Kind : std::uint8_t { rewritten, removed } kind{};
  std::size_t layer = 0;  // the layer that did it
  std::string path;       // the file of the database
  std::string package;    // "openssh-server 1:9.2p1-2"; "" when the whole database is meant
  std::string what;       // the first lines that differ, or what is gone
};

class PackageIndex {
 public:
  // `base_layers`: how many of the lowest layers are a known base. Of the databases it keeps what they say of `paths` (canonical) and of the
  // programs, libraries and scripts of every layer. `root` must outlive it.
  PackageIndex(const RootFileSystem& root, std::size_t base_layers, const std::vector<std::string>& paths);

  // The digests of a file, raw; what is not known is "".
  struct Content {
    std::string_view md5, sha1;
    ContentDigest sha256{};  // the first half
  };
  enum class State : std::uint8_t { unmodified, modified, unknown };
  struct Owner {
    const Package* package = nullptr;
    State state = State::unknown;  // unknown: the digest that the database has was not made, or it has none
    Trust trust = Trust::none;     // of what the database says of this very file
    std::string expected;          // "md5:<hex>", unless State::unmodified; "" when the database has none
    std::string found;             // the same of the file, for State::modified
  };
  // The package that claims `path`, for a file there that came with `layer`. One whose checksum is the file's goes before one whose is not.
  std::optional<Owner> owner(std::string_view path, std::size_t layer, const Content& content) const;

  // Every installed package, by manager and name.
  const std::vector<Package>& packages() const { return packages_; }
  const std::vector<DatabaseProblem>& problems() const { return problems_; }
  // True when any layer has a database of this manager; "" asks for any.
  bool has_database(std::string_view manager = "") const;

 private:
  struct Record {
    std::uint64_t path = 0;  // hash of the path
    std::uint32_t package = 0, layer = 0;
    std::uint8_t size = 0;   // of the checksum
    std::array<char, 32> checksum{};
  };
  class Builder;

  // Hashes of paths; a table without lists, since a database names ten times as many paths as are in it.
  class Keys {
   public:
    void insert(std::uint64_t key);
    bool contains(std::uint64_t key) const;

   private:
    std::vector<std::uint64_t> slots_;  // 0 is free
    std::size_t count_ = 0;
    bool zero_ = false;
  };

  std::uint64_t key_of(std::string_view path) const;

  std::vector<std::string_view> links_;  // of /bin, /lib, ...: those that are links into /usr
  Keys wanted_;
  std::vector<Record> records_;  // by path
  std::vector<Package> packages_;
  std::vector<DatabaseProblem> problems_;
  std::map<std::string, std::size_t, std::less<>> first_layer_;  // of each manager's database
};

// True when the script or small file visible at `path` is as its package brought it, by a database that can be believed.
bool is_package_text(const RootFileSystem& root, const PackageIndex& packages, std::string_view path);

// The layer's digests of the file with this number, for PackageIndex::Content. Views into `layer`.
PackageIndex::Content content_of(const LayerAudit& layer, const Entry& entry, std::uint64_t number);

}  // namespace lazaret::audit
