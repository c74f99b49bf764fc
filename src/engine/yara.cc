#include "engine/yara.h"

#include <fmt/format.h>
#include <yara.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <sstream>

#include "base/digest.h"
#include "base/text.h"

namespace lazaret::engine {
namespace {

// pe is offered besides those that concern images, since published packs import it everywhere; on our whole buffers it is harmless.
constexpr std::array<std::string_view, 6> offered_modules = {"elf", "hash", "math", "console", "time", "pe"};

// Text variables that published packs expect, so that they compile; the first four are set for each file.
constexpr std::array<const char*, 6> text_variables = {"filename", "filepath", "extension", "filetype", "owner", "md5"};
constexpr std::array<const char*, 2> number_variables = {"unpack_size", "unpack_depth"};
constexpr std::array<const char*, 2> flag_variables = {"unpack_executable", "unpack_encrypted"};

Result<void> start_library() {
  static const int code = yr_initialize();
  if (code != ERROR_SUCCESS) return Error{ErrorCode::unsupported, fmt::format("libyara does not start (error {})", code)};
  return {};
}

// Text of rules without comments and strings, so that `import` is found where it is a statement and nowhere else.
std::vector<std::string> imports_of(std::string_view source) {
  std::vector<std::string> imports;
  for (std::size_t i = 0; i < source.size();) {
    if (source.substr(i, 2) == "//") {
      i = std::min(source.find('\n', i), source.size());
    } else if (source.substr(i, 2) == "/*") {
      const auto end = source.find("*/", i + 2);
      i = end == std::string_view::npos ? source.size() : end + 2;
    } else if (source[i] == '"') {
      for (++i; i < source.size() && source[i] != '"'; ++i) {
        if (source[i] == '\\') ++i;
      }
      ++i;
    } else if (source.substr(i, 6) == "import" && (i == 0 || !(std::isalnum(static_cast<unsigned char>(source[i - 1])) || source[i - 1] == '_'))) {
      std::size_t at = i + 6;
      while (at < source.size() && std::isspace(static_cast<unsigned char>(source[at]))) ++at;
      if (at < source.size() && source[at] == '"') {
        const auto end = source.find('"', at + 1);
        if (end != std::string_view::npos) imports.emplace_back(source.substr(at + 1, end - at - 1));
        i = end == std::string_view::npos ? source.size() : end + 1;
      } else {
        i = at;
      }
    } else {
      ++i;
    }
  }
  return imports;
}

struct Source {
  std::string name_space, file, text;
};

struct CompileProblem {
  std::string message;
};

void on_compile_message(int level, const char* file, int line, const YR_RULE*, const char* message, void* context) {
  if (level != YARA_ERROR_LEVEL_ERROR) return;
  auto& problem = *static_cast<CompileProblem*>(context);
  if (problem.message.empty()) problem.message = fmt::format("{}:{}: {}", file == nullptr ? "rules" : file, line, message);
}

Result<YR_RULES*> compile_sources(const std::vector<Source>& sources) {
  YR_COMPILER* compiler = nullptr;
  if (yr_compiler_create(&compiler) != ERROR_SUCCESS) return Error{ErrorCode::limit, "not enough memory for YARA rules"};
  CompileProblem problem;
  yr_compiler_set_callback(compiler, on_compile_message, &problem);
  yr_compiler_set_include_callback(compiler, nullptr, nullptr, nullptr);  // includes are off
  for (const char* name : text_variables) yr_compiler_define_string_variable(compiler, name, "");
  for (const char* name : number_variables) yr_compiler_define_integer_variable(compiler, name, 0);
  for (const char* name : flag_variables) yr_compiler_define_boolean_variable(compiler, name, 0);

  for (const Source& source : sources) {
    for (const std::string& module : imports_of(source.text)) {
      if (std::find(offered_modules.begin(), offered_modules.end(), module) == offered_modules.end()) {
        yr_compiler_destroy(compiler);
        return Error{ErrorCode::unsupported, fmt::format("{}: imports the module \"{}\"; lazaret offers elf, hash, math, console, time and pe. Take the file out, or the "
                                                         "rules that need it", source.file, module)};
      }
    }
    // A file name for messages; the text comes from memory, so that it is what was hashed.
    const int errors = yr_compiler_add_string(compiler, source.text.c_str(), source.name_space.c_str());
    if (errors != 0 || !problem.message.empty()) {
      yr_compiler_destroy(compiler);
      std::string message = problem.message;
      if (message.starts_with("rules:")) message = source.file + message.substr(5);
      return Error{ErrorCode::invalid, message.empty() ? source.file + ": does not compile" : message};
    }
  }
  YR_RULES* rules = nullptr;
  const int code = yr_compiler_get_rules(compiler, &rules);
  yr_compiler_destroy(compiler);
  if (code != ERROR_SUCCESS) return Error{ErrorCode::limit, fmt::format("YARA rules could not be put together (error {})", code)};
  return rules;
}

class LibyaraRules final : public YaraRules {
 public:
  LibyaraRules(YR_RULES* compiled, std::string digest) : compiled_(compiled), digest_(std::move(digest)) {
    YR_RULE* rule = nullptr;
    yr_rules_foreach(compiled_, rule) {
      YaraRule known;
      known.name = rule->identifier;
      known.namespace_name = rule->ns->name;
      const char* tag = nullptr;
      yr_rule_tags_foreach(rule, tag) { known.tags.emplace_back(tag); }
      YR_META* meta = nullptr;
      yr_rule_metas_foreach(rule, meta) {
        known.metadata.emplace_back(meta->identifier, meta->type == META_TYPE_STRING    ? std::string(meta->string)
                                                      : meta->type == META_TYPE_BOOLEAN ? (meta->integer != 0 ? "true" : "false")
                                                                                        : std::to_string(meta->integer));
      }
      index_.emplace(rule, rules_.size());
      rules_.push_back(std::move(known));
    }
  }
  ~LibyaraRules() override {
    for (YR_SCANNER* scanner : idle_) yr_scanner_destroy(scanner);
    yr_rules_destroy(compiled_);
  }

  const std::vector<YaraRule>& rules() const override { return rules_; }
  const std::string& digest() const override { return digest_; }

  YaraResult scan(Bytes content, const YaraFile& file, std::uint32_t timeout_seconds) const override {
    YaraResult result;
    YR_SCANNER* const scanner = take_scanner();
    if (scanner == nullptr) {
      result.incomplete = "not enough memory for a scanner";
      return result;
    }
    const auto slash = file.path.rfind('/');
    const std::string name = slash == std::string::npos ? file.path : file.path.substr(slash + 1);
    const auto dot = name.rfind('.');
    const std::string extension = dot == std::string::npos ? "" : name.substr(dot);
    yr_scanner_define_string_variable(scanner, "filename", name.c_str());
    yr_scanner_define_string_variable(scanner, "filepath", file.path.c_str());
    yr_scanner_define_string_variable(scanner, "extension", extension.c_str());
    yr_scanner_define_string_variable(scanner, "filetype", file.file_type.c_str());

    Scan scan{this, content, &result, scanner};
    yr_scanner_set_callback(scanner, on_message, &scan);
    yr_scanner_set_timeout(scanner, static_cast<int>(timeout_seconds));
    yr_scanner_set_flags(scanner, SCAN_FLAGS_NO_TRYCATCH | SCAN_FLAGS_REPORT_RULES_MATCHING);
    const int code = yr_scanner_scan_mem(scanner, content.data(), content.size());
    if (code == ERROR_SCAN_TIMEOUT) {
      result.incomplete = fmt::format("the rules did not end within {} seconds", timeout_seconds);
    } else if (code != ERROR_SUCCESS && result.incomplete.empty()) {
      result.incomplete = fmt::format("libyara gave up with error {}", code);
    }
    give_scanner(scanner);
    std::sort(result.matches.begin(), result.matches.end(), [](const YaraMatch& a, const YaraMatch& b) { return a.rule < b.rule; });
    return result;
  }

 private:
  struct Scan {
    const LibyaraRules* self;
    Bytes content;
    YaraResult* result;
    YR_SCANNER* scanner;
  };

  static int on_message(YR_SCAN_CONTEXT* context, int message, void* data, void* user) {
    auto& scan = *static_cast<Scan*>(user);
    if (message == CALLBACK_MSG_TOO_MANY_MATCHES) {
      const auto* string = static_cast<const YR_STRING*>(data);
      scan.result->incomplete = fmt::format("the string {} matches too often", string->identifier);
      return CALLBACK_CONTINUE;
    }
    if (message != CALLBACK_MSG_RULE_MATCHING) return CALLBACK_CONTINUE;
    YR_RULE* rule = static_cast<YR_RULE*>(data);
    YaraMatch match;
    match.rule = scan.self->index_.at(rule);
    bool any = false;
    YR_STRING* string = nullptr;
    yr_rule_strings_foreach(rule, string) {
      YR_MATCH* where = nullptr;
      yr_string_matches_foreach(context, string, where) {
        const auto offset = static_cast<std::uint64_t>(where->base + where->offset);
        if (!any || offset < match.offset) {
          any = true;
          match.offset = offset;
          match.string_name = string->identifier;
          match.excerpt = as_text(clamp(scan.content, offset, std::min<std::uint64_t>(static_cast<std::uint64_t>(where->match_length), 200)));
        }
        break;  // matches of a string come in the order of their offsets
      }
    }
    scan.result->matches.push_back(std::move(match));
    return CALLBACK_CONTINUE;
  }

  YR_SCANNER* take_scanner() const {
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        YR_SCANNER* const scanner = idle_.back();
        idle_.pop_back();
        return scanner;
      }
    }
    YR_SCANNER* scanner = nullptr;
    return yr_scanner_create(compiled_, &scanner) == ERROR_SUCCESS ? scanner : nullptr;
  }
  void give_scanner(YR_SCANNER* scanner) const {
    const std::lock_guard lock(mutex_);
    idle_.push_back(scanner);
  }

  YR_RULES* const compiled_;
  const std::string digest_;
  std::vector<YaraRule> rules_;
  std::map<const YR_RULE*, std::size_t> index_;
  mutable std::mutex mutex_;
  mutable std::vector<YR_SCANNER*> idle_;
};

Result<std::unique_ptr<YaraRules>> make(const std::vector<Source>& sources) {
  if (const auto started = start_library(); !started) return started.error();
  const auto compiled = compile_sources(sources);
  if (!compiled) return compiled.error();
  Hasher hasher;
  for (const Source& source : sources) {
    hasher.update(as_bytes(source.name_space));
    hasher.update(as_bytes(std::string_view("\0", 1)));
    hasher.update(as_bytes(source.text));
  }
  return std::unique_ptr<YaraRules>(std::make_unique<LibyaraRules>(*compiled, hasher.finish().str()));
}

}  // namespace

Result<std::unique_ptr<YaraRules>> YaraRules::load(const std::vector<std::string>& paths) {
  namespace fs = std::filesystem;
  std::vector<Source> sources;
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
  return make(sources);
}

Result<std::unique_ptr<YaraRules>> YaraRules::compile(const std::vector<std::pair<std::string, std::string>>& sources) {
  std::vector<Source> list;
  for (const auto& [name, text] : sources) list.push_back({name, name, text});
  return make(list);
}

}  // namespace lazaret::engine
