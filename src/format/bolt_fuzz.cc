// Any bytes as a bbolt database: listing all of it ends, and every item lies inside of the file.
#include <cstdlib>
#include <functional>

#include "format/bolt.h"
#include "format/bolt_test_support.h"

using namespace lazaret;
using namespace lazaret::format;

namespace {

unsigned visits = 0;

void walk(BoltDatabase& database, Bytes file, std::vector<std::string_view> path) {
  std::vector<std::string_view> buckets;
  database.list(path, [&](const BoltDatabase::Item& item) {
    for (const Bytes part : {as_bytes(item.key), as_bytes(item.value)}) {
      if (part.empty()) continue;
      if (part.data() < file.data() || part.data() + part.size() > file.data() + file.size())
        std::abort();
    }
    if (item.is_bucket) buckets.push_back(item.key);
    return ++visits < 2000;
  });
  if (path.size() >= 5) return;
  for (const std::string_view name : buckets) {
    if (visits >= 2000) return;
    auto below = path;
    below.push_back(name);
    walk(database, file, below);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Rights the checksums of the meta pages, since no mutation would; the page size of all seeds.
  std::string bytes(reinterpret_cast<const char*>(data), size);
  if (bytes.size() >= 2 * 512) {
    for (const std::uint64_t number : {0u, 1u}) {
      const auto root = *read_le<std::uint64_t>(as_bytes(bytes), number * 512 + 32);
      const auto transaction = *read_le<std::uint64_t>(as_bytes(bytes), number * 512 + 64);
      BoltWriter::put_meta(bytes, number, 512, root, transaction);
    }
  }
  const Bytes file = as_bytes(bytes);
  BoltDatabase database(file);
  visits = 0;
  walk(database, file, {});
  const std::string_view path[] = {"v1", "default", "images"};
  database.get(path, "image-1000");
  return 0;
}
