#include "source/bolt_file.h"

#include <fmt/core.h>

#include <chrono>
#include <thread>

#include "source/delivery.h"
#include "source/local_file.h"

namespace lazaret::source {
namespace {

constexpr unsigned attempts = 20;
// Holds both meta pages, whatever the page size.
constexpr std::size_t head_bytes = 128 * 1024;

std::uint64_t transaction_of(Bytes bytes) {
  const format::BoltDatabase database(bytes);
  return database.valid() ? database.transaction() : 0;
}

}  // namespace

Result<std::unique_ptr<BoltFile>> BoltFile::read(int root, const std::string& path,
                                                 const SourceOptions& options) {
  // bbolt never writes to a page of the tree that the current meta page names. The pages of the
  // tree before it are free for the transaction after it: when the number of the last transaction
  // is the same before and after, no page of its tree was touched between.
  std::string why;
  for (unsigned attempt = 0; attempt < attempts; ++attempt) {
    if (is_cancelled(options)) return cancelled_error();
    if (attempt > 0) std::this_thread::sleep_for(std::chrono::milliseconds(20 * attempt));
    const auto file = LocalFile::open_below(root, path);
    if (!file) return file.error();
    std::vector<std::uint8_t> head(head_bytes);
    const auto before_size = file->read_at(0, head);
    if (!before_size) return before_size.error();
    const std::uint64_t before = transaction_of({head.data(), *before_size});
    auto whole = read_whole(*file, options.limits.store_database_bytes);
    if (!whole)
      return Error{whole.error().code, fmt::format("{}: {}", path, whole.error().message)};
    const auto after_size = file->read_at(0, head);
    if (!after_size) return after_size.error();
    const std::uint64_t after = transaction_of({head.data(), *after_size});
    auto database = std::make_unique<BoltFile>(std::move(*whole));
    if (!database->bolt.valid()) {
      why = "is not a bbolt database";
      continue;
    }
    if (before == after && database->bolt.transaction() == after) return database;
    why = "is being written all the time; try again";
  }
  return Error{ErrorCode::busy, fmt::format("{} {}", path, why)};
}

}  // namespace lazaret::source
