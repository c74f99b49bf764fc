// Scans the files of a folder with YARA rules as lazaret does, without an image around them, and prints "NAMESPACE RULE PATH" for each match: what
// yara_differential.py compares with yara's own answers.
//
// usage: yara_scan RULES FOLDER [plain] [variables]
//   plain      hand every file to libyara with all rules, without the prefilter
//   variables  set filename, filepath, extension for each file (the path inside FOLDER); without, they are empty as yara's -d filename= makes them
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "engine/yara.h"

namespace {

double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

}  // namespace

int main(int argc, char** argv) {
  namespace fs = std::filesystem;
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() < 2) {
    fmt::print(stderr, "usage: yara_scan RULES FOLDER [plain] [variables]\n");
    return 2;
  }
  const auto has = [&](const char* word) { return std::find(arguments.begin() + 2, arguments.end(), word) != arguments.end(); };
  lazaret::engine::YaraOptions options;
  options.prefilter = !has("plain");
  const double started = cpu_seconds();
  const auto rules = lazaret::engine::YaraRules::load({arguments[0]}, options);
  if (!rules) {
    fmt::print(stderr, "{}\n", rules.error().message);
    return 2;
  }
  const auto& statistics = (*rules)->statistics();
  (*rules)->scan(lazaret::as_bytes("warm"), {}, 1000);  // compiles the patterns
  const double loaded = cpu_seconds();
  fmt::print(stderr, "{} rules, {} run always; loaded in {:.1f} s\n", statistics.rules, statistics.rules_run_always, loaded - started);

  std::vector<std::string> files;
  std::error_code error;
  for (auto entry = fs::recursive_directory_iterator(arguments[1], fs::directory_options::skip_permission_denied, error);
       entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    if (entry->is_regular_file(error) && !entry->is_symlink(error)) files.push_back(entry->path().string());
  }
  std::sort(files.begin(), files.end());
  std::size_t bytes = 0, matches = 0;
  double scanning = 0;
  for (const std::string& file : files) {
    std::ifstream in(file, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    const std::string content = text.str();
    bytes += content.size();
    lazaret::engine::YaraFile variables;
    if (has("variables")) variables.path = "/" + fs::relative(file, arguments[1]).string();
    const double before = cpu_seconds();
    const auto result = (*rules)->scan(lazaret::as_bytes(content), variables, 1000);
    const double spent = cpu_seconds() - before;
    scanning += spent;
    if (spent > 0.5) fmt::print(stderr, "{:.2f} s: {}\n", spent, file);
    if (!result.incomplete.empty()) fmt::print(stderr, "incomplete: {}: {}\n", file, result.incomplete);
    for (const auto& match : result.matches) {
      const auto& rule = (*rules)->rules()[match.rule];
      fmt::print("{} {} {}\n", rule.namespace_name, rule.name, file);
      ++matches;
    }
  }
  fmt::print(stderr, "{} files, {:.1f} MB, {} matches; {:.1f} s = {:.0f} MB/s\n", files.size(), static_cast<double>(bytes) / 1e6, matches, scanning,
             static_cast<double>(bytes) / 1e6 / scanning);
  return 0;
}
