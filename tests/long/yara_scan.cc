// Scans the files of a folder with YARA rules as lazaret does, without an image around them, and prints "NAMESPACE RULE PATH" for each match: what
// yara_differential.py compares with yara's own answers, and what bench/run sets beside yara.
//
// usage: yara_scan RULES FOLDER [plain] [variables] [threads=N] [cache=FOLDER]
//   plain      hand every file to libyara with all rules, without the prefilter
//   variables  set filename, filepath, extension for each file (the path inside FOLDER); without, they are empty as yara's -d filename= makes them
//   threads    default 1
//   cache      where compiled rules and patterns are kept for the next start; default nowhere
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/yara.h"

namespace {

namespace fs = std::filesystem;
using lazaret::engine::YaraRules;

double seconds_of(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// A file's bytes in memory as long as this lives; empty when it cannot be read.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat about {};
    if (file >= 0 && ::fstat(file, &about) == 0 && about.st_size > 0) {
      size_ = static_cast<std::size_t>(about.st_size);
      bytes_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
    }
    if (file >= 0) ::close(file);
  }
  ~MappedFile() {
    if (bytes_ != MAP_FAILED) ::munmap(bytes_, size_);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  lazaret::Bytes bytes() const { return bytes_ == MAP_FAILED ? lazaret::Bytes() : lazaret::Bytes(static_cast<const std::uint8_t*>(bytes_), size_); }

 private:
  void* bytes_ = MAP_FAILED;
  std::size_t size_ = 0;
};

struct Work {
  const YaraRules& rules;
  const std::vector<std::string>& files;
  const std::string folder;
  const bool variables;
  std::atomic<std::size_t> next = 0, bytes = 0, matches = 0, rules_run = 0;
  std::mutex output;
};

void scan_files(Work& work) {
  for (;;) {
    const std::size_t number = work.next++;
    if (number >= work.files.size()) return;
    const std::string& path = work.files[number];
    const MappedFile file(path);
    work.bytes += file.bytes().size();
    lazaret::engine::YaraFile about;
    if (work.variables) about.path = "/" + fs::relative(path, work.folder).string();
    const double before = seconds_of(CLOCK_THREAD_CPUTIME_ID);
    const auto result = work.rules.scan(file.bytes(), about, 1000);
    const double spent = seconds_of(CLOCK_THREAD_CPUTIME_ID) - before;
    work.rules_run += result.rules_run;
    work.matches += result.matches.size();
    const std::lock_guard lock(work.output);
    if (spent > 0.5) fmt::print(stderr, "{:.2f} s: {}\n", spent, path);
    if (!result.incomplete.empty()) fmt::print(stderr, "incomplete: {}: {}\n", path, result.incomplete);
    for (const auto& match : result.matches) {
      const auto& rule = work.rules.rules()[match.rule];
      fmt::print("{} {} {}\n", rule.namespace_name, rule.name, path);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() < 2) {
    fmt::print(stderr, "usage: yara_scan RULES FOLDER [plain] [variables] [threads=N] [cache=FOLDER]\n");
    return 2;
  }
  lazaret::engine::YaraOptions options;
  bool variables = false;
  unsigned thread_count = 1;
  for (std::size_t i = 2; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    if (word == "plain") {
      options.prefilter = false;
    } else if (word == "variables") {
      variables = true;
    } else if (word.starts_with("cache=")) {
      options.cache_folder = word.substr(6);
    } else if (!word.starts_with("threads=") || std::from_chars(word.data() + 8, word.data() + word.size(), thread_count).ec != std::errc()) {
      fmt::print(stderr, "unknown: {}\n", word);
      return 2;
    }
  }
  const double started = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
  const auto rules = YaraRules::load({arguments[0]}, options);
  if (!rules) {
    fmt::print(stderr, "{}\n", rules.error().message);
    return 2;
  }
  const auto& statistics = (*rules)->statistics();
  const double loaded = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
  fmt::print(stderr, "{} rules, {} run always; loaded in {:.2f} s\n", statistics.rules, statistics.rules_run_always, loaded - started);

  std::vector<std::string> files;
  std::error_code error;
  for (auto entry = fs::recursive_directory_iterator(arguments[1], fs::directory_options::skip_permission_denied, error);
       entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    if (entry->is_regular_file(error) && !entry->is_symlink(error)) files.push_back(entry->path().string());
  }
  std::sort(files.begin(), files.end());
  Work work{**rules, files, arguments[1], variables, {}, {}, {}, {}, {}};
  std::vector<std::thread> threads;
  for (unsigned i = 1; i < thread_count; ++i) threads.emplace_back([&] { scan_files(work); });
  scan_files(work);
  for (std::thread& thread : threads) thread.join();
  const double scanning = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - loaded;
  fmt::print(stderr, "{} files, {:.1f} MB, {} matches, {} rules decided by libyara; {:.2f} s of processor time = {:.0f} MB/s\n", files.size(),
             static_cast<double>(work.bytes) / 1e6, work.matches.load(), work.rules_run.load(), scanning, static_cast<double>(work.bytes) / 1e6 / scanning);
  return 0;
}
