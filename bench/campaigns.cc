// How well campaigns are found in a generated set whose campaigns are known, and how long a new image takes to be linked when 100,000 are indexed.
//
// usage: campaigns_bench [CAMPAIGNS CLEAN INDEXED [FILE]]   (100 10000 100000, an index in a temporary file)
// The set is described in intel/generated_set_test_support.h. Times are wall and processor time of one thread.
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "base/text.h"
#include "intel/campaigns.h"
#include "intel/generated_set_test_support.h"
#include "store/indicator_store.h"

namespace {

using namespace lazaret;

double processor_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double percentile(std::vector<double> values, double part) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1, static_cast<std::size_t>(part * static_cast<double>(values.size())))];
}

void fail(const Error& error) {
  fmt::print(stderr, "{}\n", error.message);
  std::exit(2);
}

}  // namespace

int main(int argc, char** argv) {
  const auto number = [&](int argument, unsigned otherwise) { return argc > argument ? static_cast<unsigned>(std::strtoul(argv[argument], nullptr, 10)) : otherwise; };
  const unsigned campaigns = number(1, 100), clean = number(2, 10'000), indexed = number(3, 100'000);
  const std::string file = argc > 4 ? argv[4] : fmt::format("/tmp/lazaret-campaigns-{}.sqlite", ::getpid());
  auto store = store::open_sqlite_indicator_store(file);
  if (!store) fail(store.error());
  std::int64_t now = 0;
  intel::Campaigns linker(**store, [&now] { return ++now; });

  intel::test::GeneratedSet set(campaigns, clean, 1);
  for (const auto& image : set.images()) {
    if (const auto placed = linker.learn(image.facts); !placed) fail(placed.error());
  }
  for (;;) {
    const auto done = linker.reconsider(1000);
    if (!done) fail(done.error());
    if (*done == 0) break;
  }
  std::vector<std::int64_t> found;
  for (const auto& image : set.images()) {
    const auto placed = linker.placement(image.facts.digest);
    if (!placed) fail(placed.error());
    found.push_back(placed->campaign);
  }
  const intel::test::Quality quality = intel::test::measure(set.images(), found);
  fmt::print("{} images, {} campaigns: precision {:.4f} ({} of {} pairs), recall {:.4f} ({} of {} pairs)\n", set.images().size(), campaigns, quality.precision, quality.pairs_right,
             quality.pairs_found, quality.recall, quality.pairs_right, quality.pairs_wanted);

  // The same mixture, until as many are indexed; then a thousand more, one at a time.
  const std::size_t first = set.images().size();
  const unsigned more = indexed > first ? static_cast<unsigned>(indexed - first) : 0;
  intel::test::GeneratedSet rest(more / 110, more - more / 10, 2), last(9, 900, 3);
  const double before = processor_seconds();
  for (auto& image : rest.images()) {
    image.facts.digest = sha256(as_bytes("rest " + image.facts.digest.str()));
    if (const auto placed = linker.learn(image.facts); !placed) fail(placed.error());
  }
  const double filled = processor_seconds() - before;
  std::vector<double> wall, processor;
  for (auto& image : last.images()) {
    image.facts.digest = sha256(as_bytes("last " + image.facts.digest.str()));
    const auto begin = std::chrono::steady_clock::now();
    const double processor_begin = processor_seconds();
    if (const auto placed = linker.learn(image.facts); !placed) fail(placed.error());
    processor.push_back(1000 * (processor_seconds() - processor_begin));
    wall.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
  }
  std::uint64_t nodes = 0;
  (void)(*store)->read([&](store::IndicatorReader& reader) { nodes = reader.node_count(); }).ok();
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  fmt::print("{} images indexed, filled in {:.1f} s of processor time, index {}, peak memory {}\n", nodes, filled, format_bytes([&] {
               std::FILE* opened = std::fopen(file.c_str(), "rb");
               if (opened == nullptr) return 0ul;
               std::fseek(opened, 0, SEEK_END);
               const long size = std::ftell(opened);
               std::fclose(opened);
               return static_cast<unsigned long>(std::max(0l, size));
             }()),
             format_bytes(static_cast<std::uint64_t>(usage.ru_maxrss) << 10));
  fmt::print("a new image ({} of them): median {:.2f} ms, p99 {:.2f} ms, most {:.2f} ms; processor time: median {:.2f} ms, p99 {:.2f} ms\n", wall.size(), percentile(wall, 0.5),
             percentile(wall, 0.99), percentile(wall, 1.0), percentile(processor, 0.5), percentile(processor, 0.99));
  if (argc <= 4) {
    for (const char* ending : {"", "-wal", "-shm"}) ::unlink((file + ending).c_str());
  }
  return quality.precision >= 0.99 && quality.recall >= 0.99 ? 0 : 1;
}
