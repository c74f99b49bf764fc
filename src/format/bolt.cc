#include "format/bolt.h"

#include <string>

namespace lazaret::format {
namespace {

// Page header: id u64, flags u16, count u16, overflow u32.
constexpr std::uint64_t page_header = 16;
constexpr std::uint16_t branch_flag = 0x01, leaf_flag = 0x02;
// Both kinds of elements have 16 bytes; a leaf's flags say whether the value is a bucket.
constexpr std::uint64_t element_bytes = 16;
constexpr std::uint32_t bucket_leaf = 0x01;
constexpr std::uint64_t bucket_header = 16;  // root u64, sequence u64

constexpr std::uint32_t meta_magic = 0xED0CDAED;
constexpr std::uint32_t meta_version = 2;
constexpr std::uint64_t meta_bytes = 64, meta_checked_bytes = 56;

// A tree of 2^64 pages with two children each is less deep than this.
constexpr unsigned max_depth = 64;
constexpr std::size_t max_diagnostics = 20;

std::uint64_t fnv1a(Bytes bytes) {
  std::uint64_t value = 0xcbf29ce484222325u;
  for (const std::uint8_t byte : bytes) {
    value ^= byte;
    value *= 0x100000001b3u;
  }
  return value;
}

}  // namespace

BoltDatabase::BoltDatabase(Bytes file) : file_(file) {
  read_meta(0);
  // The second meta page stands at the page size, which a torn first one does not tell: page sizes
  // are powers of two.
  if (page_size_ != 0) {
    read_meta(page_size_);
  } else {
    for (std::uint64_t size = 512; size <= 65536 && !read_meta(size); size *= 2) {
    }
  }
}

bool BoltDatabase::read_meta(std::uint64_t offset) {
  const auto meta = slice(file_, offset + page_header, meta_bytes);
  if (!meta) return false;
  const auto size = *read_le<std::uint32_t>(*meta, 8);
  const auto transaction = *read_le<std::uint64_t>(*meta, 48);
  if (*read_le<std::uint32_t>(*meta, 0) != meta_magic ||
      *read_le<std::uint32_t>(*meta, 4) != meta_version ||
      *read_le<std::uint64_t>(*meta, meta_checked_bytes) != fnv1a(meta->first(meta_checked_bytes)))
    return false;
  if (size < 512 || size > 1 << 20 || (size & (size - 1)) != 0) return false;
  if (page_size_ != 0 && (size != page_size_ || transaction < transaction_)) return false;
  page_size_ = size;
  transaction_ = transaction;
  root_ = *read_le<std::uint64_t>(*meta, 16);
  return true;
}

void BoltDatabase::report(std::string_view what, std::uint64_t offset) {
  if (diagnostics_.size() >= max_diagnostics) return;
  diagnostics_.push_back({"anomaly.bolt-malformed",
                          "The database is damaged: " + std::string(what) + ".", offset, true, 0});
}

Bytes BoltDatabase::page(std::uint64_t id) {
  const auto offset = checked_mul(id, page_size_);
  const auto head = offset ? slice(file_, *offset, page_header) : std::nullopt;
  if (!head) {
    report("a page lies behind the end", 0);
    return {};
  }
  const std::uint64_t overflow = *read_le<std::uint32_t>(*head, 12);
  return clamp(file_, *offset, (overflow + 1) * page_size_);
}

bool BoltDatabase::walk_page(Bytes page, unsigned depth,
                             const std::function<bool(const Item&)>& visit) {
  if (depth > max_depth || visits_left_ == 0) {
    report("its pages go round in circles", 0);
    return true;
  }
  --visits_left_;
  const auto flags = read_le<std::uint16_t>(page, 8);
  const auto count = read_le<std::uint16_t>(page, 10);
  if (!flags || !count) {
    report("a page is cut off", 0);
    return true;
  }
  const auto page_at = static_cast<std::uint64_t>(page.data() - file_.data());
  for (std::uint64_t i = 0; i < *count; ++i) {
    const std::uint64_t at = page_header + i * element_bytes;
    const auto element = slice(page, at, element_bytes);
    if (!element) {
      report("a page has more elements than room", page_at);
      return true;
    }
    if ((*flags & branch_flag) != 0) {
      const auto child = this->page(*read_le<std::uint64_t>(*element, 8));
      if (!child.empty() && !walk_page(child, depth + 1, visit)) return false;
      continue;
    }
    if ((*flags & leaf_flag) == 0) {
      report("a page is neither branch nor leaf", page_at);
      return true;
    }
    const std::uint64_t position = *read_le<std::uint32_t>(*element, 4);
    const std::uint64_t key_size = *read_le<std::uint32_t>(*element, 8);
    const std::uint64_t value_size = *read_le<std::uint32_t>(*element, 12);
    const auto key = slice(page, at + position, key_size);
    const auto value = slice(page, at + position + key_size, value_size);
    if (!key || !value) {
      report("an element lies outside of its page", page_at + at);
      continue;
    }
    Item item;
    item.key = as_text(*key);
    item.value = as_text(*value);
    item.is_bucket = (*read_le<std::uint32_t>(*element, 0) & bucket_leaf) != 0;
    if (!visit(item)) return false;
  }
  return true;
}

bool BoltDatabase::walk(const Bucket& bucket, const std::function<bool(const Item&)>& visit) {
  // A sound tree has no page twice. `visit` may itself list another bucket.
  const std::uint64_t saved = visits_left_;
  visits_left_ = file_.size() / page_size_ + 1;
  const Bytes first = bucket.root == 0 ? bucket.inline_page : page(bucket.root);
  const bool complete = first.empty() || walk_page(first, 0, visit);
  visits_left_ = saved;
  return complete;
}

std::optional<BoltDatabase::Bucket> BoltDatabase::find_bucket(
    std::span<const std::string_view> path) {
  if (!valid()) return std::nullopt;
  Bucket bucket{root_, {}};
  for (const std::string_view name : path) {
    std::optional<Bucket> next;
    walk(bucket, [&](const Item& item) {
      if (item.key != name || !item.is_bucket) return item.key < name;
      const Bytes header = as_bytes(item.value);
      const auto root = read_le<std::uint64_t>(header, 0);
      if (!root || header.size() < bucket_header) {
        report("a bucket is cut off", 0);
      } else {
        next = Bucket{*root, header.subspan(bucket_header)};
      }
      return false;
    });
    if (!next) return std::nullopt;
    bucket = *next;
  }
  return bucket;
}

bool BoltDatabase::list(std::span<const std::string_view> path,
                        const std::function<bool(const Item&)>& visit) {
  const auto bucket = find_bucket(path);
  if (!bucket) return false;
  walk(*bucket, visit);
  return true;
}

std::optional<std::string_view> BoltDatabase::get(std::span<const std::string_view> path,
                                                  std::string_view key) {
  std::optional<std::string_view> value;
  list(path, [&](const Item& item) {
    if (item.key == key && !item.is_bucket) value = item.value;
    return item.key < key;
  });
  return value;
}

}  // namespace lazaret::format
