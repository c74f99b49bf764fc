// Every detector over any bytes: no crash, no endless loop, offsets inside of the content. The
// first byte chooses path and origin.
#include <array>
#include <cstdlib>
#include <memory>
#include <vector>

#include "base/digest.h"
#include "detect/detector.h"
#include "engine/pattern_database.h"
#include "format/elf.h"

using namespace lazaret;
using namespace lazaret::detect;

namespace {

class Collector : public FileReport {
 public:
  explicit Collector(std::size_t size) : size_(size) {}
  void add(FileFinding finding) override { check(finding.offset); }
  void add_indicator(Indicator, std::uint64_t offset) override { check(offset); }
  void add_derived(std::string, std::string, std::uint64_t offset) override { check(offset); }
  void add_unaudited(std::uint64_t, std::string) override {}

 private:
  void check(std::uint64_t offset) const {
    if (offset > size_) std::abort();
  }
  std::size_t size_;
};

struct Engine {
  std::vector<const Detector*> detectors = all_detectors();
  std::vector<std::pair<std::size_t, std::uint32_t>> owners;
  std::unique_ptr<engine::PatternDatabase> database;

  Engine() {
    std::vector<engine::Pattern> patterns;
    for (std::size_t i = 0; i < detectors.size(); ++i) {
      std::uint32_t index = 0;
      for (const engine::Pattern& pattern : patterns_of(*detectors[i])) {
        patterns.push_back(pattern);
        owners.emplace_back(i, index++);
      }
    }
    auto compiled = engine::PatternDatabase::compile(patterns);
    if (!compiled) std::abort();
    database = std::move(*compiled);
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Engine engine;
  if (size == 0) return 0;
  static constexpr std::array<std::string_view, 8> paths = {
      "/run.sh", "/a.py",         "/config.json", "/x.jpg",
      "/tmp/.x", "/etc/cron.d/a", "/Dockerfile",  "/b"};
  static constexpr std::array<Origin, 5> origins = {
      Origin::file, Origin::config, Origin::environment, Origin::history, Origin::metadata};
  FileView file;
  file.path = paths[data[0] % paths.size()];
  file.origin = origins[data[0] / paths.size() % origins.size()];
  file.content = Bytes(data + 1, size - 1);
  file.file_size = size - 1;
  file.mode = 0755;
  file.type = file.origin == Origin::file
                  ? format::classify(file.content, file.file_size, file.path)
                  : format::FileType{format::FileKind::script, format::Language::shell};
  file.sha256 = sha256(file.content);
  format::ElfFile elf;
  if (file.type.kind == format::FileKind::elf) {
    elf = format::parse_elf(file.content, file.file_size);
    file.elf = &elf;
  }
  std::vector<engine::Hit> found;
  if (engine.database->scan(file.content, 100'000, found) == engine::ScanStatus::failed)
    std::abort();
  std::vector<std::vector<engine::PatternHit>> hits(engine.detectors.size());
  for (const engine::Hit& hit : found) {
    const auto [detector, pattern] = engine.owners[hit.pattern];
    hits[detector].push_back({pattern, hit.end});
  }
  for (std::size_t i = 0; i < engine.detectors.size(); ++i) {
    const Detector& detector = *engine.detectors[i];
    if (detector.inspect == nullptr || !detector.kinds.contains(file.type.kind)) continue;
    if (detector.trigger == Trigger::on_hit && hits[i].empty()) continue;
    file.hits = hits[i];
    Collector collector(file.content.size());
    detector.inspect(file, collector);
  }
  return 0;
}
