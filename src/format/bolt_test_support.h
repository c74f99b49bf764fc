// Writes bbolt databases, for tests and seeds of fuzz targets.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"

namespace lazaret::format {

struct BoltTree {
  std::map<std::string, std::string> values;
  std::map<std::string, BoltTree> buckets;
};

class BoltWriter {
 public:
  // Buckets without buckets and with less than `inline_bytes` are inline, as bbolt makes them.
  explicit BoltWriter(std::size_t page_size = 4096, std::size_t items_of_a_page = 8,
                      std::size_t inline_bytes = 0)
      : page_size_(page_size), items_(items_of_a_page), inline_bytes_(inline_bytes) {}

  std::string write(const BoltTree& top, std::uint64_t transaction = 7) {
    file_.assign(3 * page_size_, '\0');
    put16(file_, 2 * page_size_ + 8, 0x10);  // an empty freelist
    put64(file_, 2 * page_size_, 2);
    const std::uint64_t root = write_bucket(top);
    for (const std::uint64_t number : {0u, 1u})
      put_meta(file_, number, page_size_, root, transaction - 1 + number);
    return file_;
  }

  static void put_meta(std::string& file, std::uint64_t number, std::size_t page_size,
                       std::uint64_t root, std::uint64_t transaction) {
    const std::size_t at = number * page_size;
    put64(file, at, number);
    put16(file, at + 8, 0x04);
    put32(file, at + 16, 0xED0CDAED);
    put32(file, at + 20, 2);
    put32(file, at + 24, static_cast<std::uint32_t>(page_size));
    put64(file, at + 32, root);
    put64(file, at + 48, 2);
    put64(file, at + 56, file.size() / page_size);
    put64(file, at + 64, transaction);
    std::uint64_t checksum = 0xcbf29ce484222325u;
    for (std::size_t i = at + 16; i < at + 72; ++i) {
      checksum ^= static_cast<std::uint8_t>(file[i]);
      checksum *= 0x100000001b3u;
    }
    put64(file, at + 72, checksum);
  }

  static void put16(std::string& bytes, std::size_t at, std::uint16_t value) {
    put(bytes, at, value, 2);
  }
  static void put32(std::string& bytes, std::size_t at, std::uint32_t value) {
    put(bytes, at, value, 4);
  }
  static void put64(std::string& bytes, std::size_t at, std::uint64_t value) {
    put(bytes, at, value, 8);
  }

 private:
  struct Item {
    std::string key, value;
    bool bucket = false;
  };

  static void put(std::string& bytes, std::size_t at, std::uint64_t value, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) bytes[at + i] = static_cast<char>(value >> (8 * i));
  }

  static std::string leaf(const std::vector<Item>& items) {
    std::string page(16 + 16 * items.size(), '\0');
    put16(page, 8, 0x02);
    put16(page, 10, static_cast<std::uint16_t>(items.size()));
    for (std::size_t i = 0; i < items.size(); ++i) {
      const std::size_t at = 16 + 16 * i;
      put32(page, at, items[i].bucket ? 1 : 0);
      put32(page, at + 4, static_cast<std::uint32_t>(page.size() - at));
      put32(page, at + 8, static_cast<std::uint32_t>(items[i].key.size()));
      put32(page, at + 12, static_cast<std::uint32_t>(items[i].value.size()));
      page += items[i].key + items[i].value;
    }
    return page;
  }

  std::uint64_t add_page(std::string page) {
    const std::uint64_t id = file_.size() / page_size_;
    const std::size_t pages = std::max<std::size_t>(1, (page.size() + page_size_ - 1) / page_size_);
    page.resize(pages * page_size_, '\0');
    put64(page, 0, id);
    put32(page, 12, static_cast<std::uint32_t>(pages - 1));
    file_ += page;
    return id;
  }

  // The number of the bucket's root page.
  std::uint64_t write_bucket(const BoltTree& tree) {
    std::vector<Item> items;
    for (const auto& [key, value] : tree.values) items.push_back({key, value, false});
    for (const auto& [key, bucket] : tree.buckets) {
      std::string value(16, '\0');
      const std::string page = bucket.buckets.empty() ? leaf_of(bucket) : "";
      if (!page.empty() && page.size() < inline_bytes_) {
        value += page;
      } else {
        put64(value, 0, write_bucket(bucket));
      }
      items.push_back({key, value, true});
    }
    std::sort(items.begin(), items.end(),
              [](const Item& a, const Item& b) { return a.key < b.key; });
    std::vector<std::pair<std::string, std::uint64_t>> level;
    for (std::size_t i = 0; i < items.size() || level.empty(); i += items_) {
      const auto begin = items.begin() + static_cast<std::ptrdiff_t>(std::min(i, items.size()));
      const auto end =
          items.begin() + static_cast<std::ptrdiff_t>(std::min(i + items_, items.size()));
      level.emplace_back(begin == end ? "" : begin->key, add_page(leaf({begin, end})));
    }
    while (level.size() > 1) {
      std::vector<std::pair<std::string, std::uint64_t>> above;
      const std::size_t children = std::max<std::size_t>(2, items_);
      for (std::size_t i = 0; i < level.size(); i += children) {
        const std::size_t count = std::min(children, level.size() - i);
        std::string page(16 + 16 * count, '\0');
        put16(page, 8, 0x01);
        put16(page, 10, static_cast<std::uint16_t>(count));
        for (std::size_t k = 0; k < count; ++k) {
          const std::size_t at = 16 + 16 * k;
          put32(page, at, static_cast<std::uint32_t>(page.size() - at));
          put32(page, at + 4, static_cast<std::uint32_t>(level[i + k].first.size()));
          put64(page, at + 8, level[i + k].second);
          page += level[i + k].first;
        }
        above.emplace_back(level[i].first, add_page(page));
      }
      level = std::move(above);
    }
    return level.front().second;
  }

  static std::string leaf_of(const BoltTree& tree) {
    std::vector<Item> items;
    for (const auto& [key, value] : tree.values) items.push_back({key, value, false});
    return leaf(items);
  }

  const std::size_t page_size_, items_, inline_bytes_;
  std::string file_;
};

}  // namespace lazaret::format
