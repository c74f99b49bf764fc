#include "engine/yara_library.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/text.h"

namespace lazaret::engine {
namespace {

// pe is offered besides those that concern images, since published packs import it everywhere; on our whole buffers it is harmless.
constexpr std::array<std::string_view, 6> offered_modules = {"elf", "hash", "math", "console", "time", "pe"};

// Besides the text variables; published packs expect them, so that they compile.
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

struct CompileProblem {
  std::string message;
};

void on_compile_message(int level, const char* file, int line, const YR_RULE*, const char* message, void* context) {
  if (level != YARA_ERROR_LEVEL_ERROR) return;
  auto& problem = *static_cast<CompileProblem*>(context);
  if (problem.message.empty()) problem.message = fmt::format("{}:{}: {}", file == nullptr ? "rules" : file, line, message);
}

struct Scan {
  YR_RULES* rules;
  std::span<const std::size_t> indexes;
  Bytes content;
  YaraResult* result;
};

int on_scan_message(YR_SCAN_CONTEXT* context, int message, void* data, void* user) {
  auto& scan = *static_cast<Scan*>(user);
  if (message == CALLBACK_MSG_TOO_MANY_MATCHES) {
    const auto* string = static_cast<const YR_STRING*>(data);
    if (scan.result->incomplete.empty()) scan.result->incomplete = fmt::format("the string {} matches too often", string->identifier);
    return CALLBACK_CONTINUE;
  }
  if (message != CALLBACK_MSG_RULE_MATCHING) return CALLBACK_CONTINUE;
  YR_RULE* rule = static_cast<YR_RULE*>(data);
  const std::size_t index = scan.indexes[static_cast<std::size_t>(rule - scan.rules->rules_table)];
  if (index == no_index) return CALLBACK_CONTINUE;
  YaraMatch match;
  match.rule = index;
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

}  // namespace

Result<CompiledYara> compile_yara(std::span<const YaraText> sources) {
  if (const auto started = start_library(); !started) return started.error();
  YR_COMPILER* compiler = nullptr;
  if (yr_compiler_create(&compiler) != ERROR_SUCCESS) return Error{ErrorCode::limit, "not enough memory for YARA rules"};
  CompileProblem problem;
  yr_compiler_set_callback(compiler, on_compile_message, &problem);
  yr_compiler_set_include_callback(compiler, nullptr, nullptr, nullptr);  // includes are off
  for (const std::string_view name : yara_text_variables) yr_compiler_define_string_variable(compiler, name.data(), "");
  for (const char* name : number_variables) yr_compiler_define_integer_variable(compiler, name, 0);
  for (const char* name : flag_variables) yr_compiler_define_boolean_variable(compiler, name, 0);

  for (const YaraText& source : sources) {
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
  return CompiledYara(rules);
}

CompiledYara make_small(CompiledYara rules, std::size_t& bytes) {
  // The compiler's buffers are of a megabyte each. What is saved and loaded again has buffers of what they hold.
  std::string saved;
  YR_STREAM stream{};
  stream.user_data = &saved;
  stream.write = [](const void* data, size_t size, size_t count, void* user) -> size_t {
    static_cast<std::string*>(user)->append(static_cast<const char*>(data), size * count);
    return count;
  };
  if (yr_rules_save_stream(rules.get(), &stream) != ERROR_SUCCESS) return nullptr;
  rules.reset();
  struct Source {
    std::string_view rest;
  } source{saved};
  stream.user_data = &source;
  stream.read = [](void* data, size_t size, size_t count, void* user) -> size_t {
    auto& from = *static_cast<Source*>(user);
    if (size * count > from.rest.size()) return 0;
    std::memcpy(data, from.rest.data(), size * count);
    from.rest.remove_prefix(size * count);
    return count;
  };
  YR_RULES* loaded = nullptr;
  if (yr_rules_load_stream(&stream, &loaded) != ERROR_SUCCESS) return nullptr;
  constexpr std::size_t least_bytes = 128 << 10;  // measured
  bytes = least_bytes + saved.size() * 2;
  return CompiledYara(loaded);
}

YaraVariables::YaraVariables(const YaraFile& file) {
  // libyara takes them as C strings.
  const auto text = [](std::string value) { return value.substr(0, value.find('\0')); };
  const auto slash = file.path.rfind('/');
  const std::string name = slash == std::string::npos ? file.path : file.path.substr(slash + 1);
  const auto dot = name.rfind('.');
  values = {text(name), text(file.path), text(dot == std::string::npos ? "" : name.substr(dot)), text(file.file_type), "", ""};
}

void scan_with(YR_RULES* rules, std::span<const std::size_t> indexes, Bytes content, const YaraVariables& variables, int timeout_seconds, YaraResult& result) {
  YR_SCANNER* scanner = nullptr;
  if (yr_scanner_create(rules, &scanner) != ERROR_SUCCESS) {
    if (result.incomplete.empty()) result.incomplete = "not enough memory for a scanner";
    return;
  }
  for (std::size_t i = 0; i < yara_text_variables.size(); ++i) {
    yr_scanner_define_string_variable(scanner, yara_text_variables[i].data(), variables.values[i].c_str());
  }
  Scan scan{rules, indexes, content, &result};
  yr_scanner_set_callback(scanner, on_scan_message, &scan);
  yr_scanner_set_timeout(scanner, timeout_seconds);
  yr_scanner_set_flags(scanner, SCAN_FLAGS_NO_TRYCATCH | SCAN_FLAGS_REPORT_RULES_MATCHING);
  const int code = yr_scanner_scan_mem(scanner, content.data(), content.size());
  if (code != ERROR_SUCCESS && result.incomplete.empty()) {
    result.incomplete = code == ERROR_SCAN_TIMEOUT ? "the rules did not end in time" : fmt::format("libyara gave up with error {}", code);
  }
  yr_scanner_destroy(scanner);
}

}  // namespace lazaret::engine
