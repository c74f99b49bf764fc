#include "engine/yara.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <sstream>

#include "base/digest.h"
#include "engine/saved_file.h"
#include "engine/yara_library.h"
#include "engine/yara_prefilter.h"
#include "engine/yara_rule_list.h"
#include "engine/yara_units.h"

namespace lazaret::engine {
namespace {

// How much of a large file's begin is kept until its end, for what conditions read there.
constexpr std::size_t kept_header_bytes = 64 << 10;

class LibyaraRules final : public YaraRules {
 public:
  LibyaraRules(std::vector<YaraText> texts, std::vector<YaraRule> rules, std::string digest, const YaraOptions& options)
      : digest_(std::move(digest)), rules_(std::move(rules)), units_(std::move(texts)) {
    std::vector<std::pair<std::string, YaraSource>> understood = units_.read_sources(rules_, options.prefilter);
    const std::string file = options.cache_folder.empty() ? "" : options.cache_folder + "/patterns-yara-";
    if (!understood.empty()) prefilter_ = std::make_unique<YaraPrefilter>(understood, file);
    statistics_.rules = rules_.size();
    statistics_.rules_run_always = units_.whole_rule_count();
  }

  const std::vector<YaraRule>& rules() const override { return rules_; }
  const std::string& digest() const override { return digest_; }
  const YaraStatistics& statistics() const override { return statistics_; }

  YaraResult scan(Bytes content, const YaraFile& file, std::uint32_t timeout_seconds) const override {
    YaraResult result;
    const YaraVariables variables(file);
    const auto begin = std::chrono::steady_clock::now();
    const auto seconds_left = [&]() -> int {
      const auto spent = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - begin).count();
      return static_cast<int>(static_cast<std::int64_t>(timeout_seconds) - spent);
    };
    std::vector<std::uint32_t> candidates;
    if (prefilter_ != nullptr) {
      const PassLease pass(*this, content, content.size(), false);
      pass->feed(content);
      candidates = pass->finish(facts_of(content, content.size(), variables));
    }
    result.rules_run = candidates.size() + units_.whole_rule_count();
    for (const auto& unit : units_.units_for(candidates, content.size())) {
      const int seconds = seconds_left();
      if (unit->rules == nullptr) {
        result.incomplete = "not enough memory for a rule";
      } else if (seconds <= 0) {
        result.incomplete = fmt::format("the rules did not end within {} seconds", timeout_seconds);
        break;
      } else {
        scan_with(unit->rules.get(), unit->indexes, content, variables, seconds, result);
      }
    }
    std::sort(result.matches.begin(), result.matches.end(), [](const YaraMatch& a, const YaraMatch& b) { return a.rule < b.rule; });
    return result;
  }

  std::unique_ptr<YaraWindows> open_windows(const YaraFile& file, Bytes head) const override { return std::make_unique<Windows>(*this, file, head); }

 private:
  static YaraFacts facts_of(Bytes content, std::uint64_t size, const YaraVariables& variables) {
    YaraFacts facts;
    facts.content = content;
    facts.file_size = size;
    std::copy(variables.values.begin(), variables.values.end(), facts.variables.begin());
    return facts;
  }

  // A pass of the prefilter, taken from those at rest and given back.
  class PassLease {
   public:
    PassLease(const LibyaraRules& owner, Bytes head, std::uint64_t least_size, bool in_windows) : owner_(owner) {
      {
        const std::lock_guard lock(owner_.mutex_);
        if (!owner_.idle_.empty()) {
          pass_ = std::move(owner_.idle_.back());
          owner_.idle_.pop_back();
        }
      }
      if (pass_ == nullptr) pass_ = std::make_unique<YaraPrefilter::Pass>(*owner_.prefilter_);
      pass_->begin(head, least_size, in_windows);
    }
    ~PassLease() {
      const std::lock_guard lock(owner_.mutex_);
      owner_.idle_.push_back(std::move(pass_));
    }
    PassLease(const PassLease&) = delete;
    PassLease& operator=(const PassLease&) = delete;
    YaraPrefilter::Pass* operator->() const { return pass_.get(); }

   private:
    const LibyaraRules& owner_;
    std::unique_ptr<YaraPrefilter::Pass> pass_;
  };

  class Windows final : public YaraWindows {
   public:
    Windows(const LibyaraRules& owner, const YaraFile& file, Bytes head)
        : owner_(owner), variables_(file), header_(as_text(clamp(head, 0, kept_header_bytes))), least_size_(head.size()) {}
    void feed(Bytes window) override {
      if (owner_.prefilter_ == nullptr) return;
      const PassLease pass(owner_, as_bytes(header_), least_size_, true);
      pass->feed(window);
      const std::lock_guard lock(mutex_);
      met_.insert(pass->met().begin(), pass->met().end());
    }
    bool may_match(std::uint64_t file_size) override {
      const std::lock_guard lock(mutex_);
      if (owner_.units_.whole_rule_count() > 0) return true;
      if (owner_.prefilter_ == nullptr) return false;
      const PassLease pass(owner_, as_bytes(header_), least_size_, true);
      for (const std::uint32_t string : met_) pass->meet(string);
      return owner_.units_.any_reported(pass->finish(facts_of(as_bytes(header_), file_size, variables_)));
    }

   private:
    const LibyaraRules& owner_;
    const YaraVariables variables_;
    const std::string header_;
    const std::uint64_t least_size_;
    std::mutex mutex_;
    std::set<std::uint32_t> met_;
  };

  const std::string digest_;
  const std::vector<YaraRule> rules_;
  YaraStatistics statistics_;
  YaraUnits units_;
  std::unique_ptr<YaraPrefilter> prefilter_;  // null: no source was understood
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<YaraPrefilter::Pass>> idle_;
};

// What libyara says of the sources: that they compile, and which rules are in them. Kept for the next start with the same sources.
Result<std::vector<YaraRule>> rules_of(const std::vector<YaraText>& texts, const std::string& digest, const YaraOptions& options) {
  // The number goes up when what is kept changes, or what compile_yara() takes: modules, variables.
  const std::string key = fmt::format("1 {} {}", YR_VERSION, digest);
  const std::string file = options.cache_folder.empty() ? "" : options.cache_folder + "/rules-yara-" + sha256(as_bytes(key)).hex().substr(0, 32);
  if (!file.empty()) {
    if (const auto saved = load_file(file)) {
      if (auto rules = read_rule_list(*saved)) return std::move(*rules);
    }
  }
  const auto compiled = compile_yara(texts);
  if (!compiled) return compiled.error();
  std::vector<YaraRule> rules = list_rules(compiled->get());
  if (!file.empty()) save_file(file, write_rule_list(rules));
  return rules;
}

Result<std::unique_ptr<YaraRules>> make(std::vector<YaraText> texts, const YaraOptions& options) {
  Hasher hasher;
  for (const YaraText& source : texts) {
    hasher.update(as_bytes(source.name_space));
    hasher.update(as_bytes(std::string_view("\0", 1)));
    hasher.update(as_bytes(source.text));
  }
  std::string digest = hasher.finish().str();
  auto rules = rules_of(texts, digest, options);
  if (!rules) return rules.error();
  return std::unique_ptr<YaraRules>(std::make_unique<LibyaraRules>(std::move(texts), std::move(*rules), std::move(digest), options));
}

}  // namespace

Result<std::unique_ptr<YaraRules>> YaraRules::load(const std::vector<std::string>& paths, const YaraOptions& options) {
  namespace fs = std::filesystem;
  std::vector<YaraText> sources;
  for (const std::string& path : paths) {
    std::error_code error;
    std::vector<std::pair<std::string, std::string>> files;  // (path, name space)
    if (fs::is_directory(path, error)) {
      for (auto entry = fs::recursive_directory_iterator(path, error); !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
        const std::string extension = entry->path().extension().string();
        if (entry->is_regular_file(error) && (extension == ".yar" || extension == ".yara" || extension == ".rule")) {
          files.emplace_back(entry->path().string(), fs::relative(entry->path(), path, error).string());
        }
      }
      std::sort(files.begin(), files.end());
    } else if (fs::is_regular_file(path, error)) {
      files.emplace_back(path, fs::path(path).filename().string());
    }
    if (error) return Error{ErrorCode::io, fmt::format("--rules {}: {}", path, error.message())};
    if (files.empty()) return Error{ErrorCode::not_found, fmt::format("--rules {}: no such file, or a folder without .yar, .yara or .rule files", path)};
    for (const auto& [file, name_space] : files) {
      std::ifstream in(file, std::ios::binary);
      std::ostringstream text;
      text << in.rdbuf();
      if (!in) return Error{ErrorCode::io, fmt::format("--rules {}: cannot be read", file)};
      sources.push_back({name_space, file, text.str()});
    }
  }
  return make(std::move(sources), options);
}

Result<std::unique_ptr<YaraRules>> YaraRules::compile(const std::vector<std::pair<std::string, std::string>>& sources, const YaraOptions& options) {
  std::vector<YaraText> list;
  for (const auto& [name, text] : sources) list.push_back({name, name, text});
  return make(std::move(list), options);
}

}  // namespace lazaret::engine
