// bbolt databases, read only: containerd keeps its image names in one.
//
// A B+tree of pages (go.etcd.io/bbolt, page.go, node.go, db.go). Two meta pages at the front name
// the root; the valid one with the higher transaction number counts. A bucket is a value: the root
// page of its own tree, or, when small, the page itself ("inline").
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/diagnostic.h"

namespace lazaret::format {

// A view of the bytes of a whole database file, which must outlive it. Malformed pages, loops and
// pages outside of the file are left out and reported; no input makes it crash or run for ever.
class BoltDatabase {
 public:
  explicit BoltDatabase(Bytes file);

  // False when neither meta page is valid: not a bbolt database, or torn.
  bool valid() const { return page_size_ != 0; }
  // The number of the last transaction. Two reads of a live file that agree in it, the one before
  // and the other after reading the whole, saw the same tree.
  std::uint64_t transaction() const { return transaction_; }

  struct Item {
    std::string_view key;
    std::string_view value;  // of buckets: their header, of no use to callers
    bool is_bucket = false;
  };
  // Calls `visit` for each item of the bucket at `path` (from the top; empty is the top itself), in
  // the order of keys, until it returns false. False when there is no such bucket.
  bool list(std::span<const std::string_view> path, const std::function<bool(const Item&)>& visit);
  // The value with this key in that bucket.
  std::optional<std::string_view> get(std::span<const std::string_view> path, std::string_view key);

  const std::vector<Diagnostic>& diagnostics() const { return diagnostics_; }

 private:
  struct Bucket {
    std::uint64_t root = 0;
    Bytes inline_page;  // when root is 0
  };
  bool read_meta(std::uint64_t offset);
  std::optional<Bucket> find_bucket(std::span<const std::string_view> path);
  bool walk(const Bucket& bucket, const std::function<bool(const Item&)>& visit);
  bool walk_page(Bytes page, unsigned depth, const std::function<bool(const Item&)>& visit);
  Bytes page(std::uint64_t id);
  void report(std::string_view what, std::uint64_t offset);

  Bytes file_;
  std::uint64_t page_size_ = 0, transaction_ = 0, root_ = 0;
  std::uint64_t visits_left_ = 0;
  std::vector<Diagnostic> diagnostics_;
};

}  // namespace lazaret::format
