#include "detect/program_data_support.h"

#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <utility>

#include "base/embedded.h"

#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

namespace lazaret {

std::span<const EmbeddedFile> embedded_programs();  // made by cmake/Embed.cmake

namespace detect {
namespace {

constexpr std::array<std::pair<std::string_view, ProgramKind>, 5> kinds = {{{"c2", ProgramKind::c2},
                                                                           {"miner", ProgramKind::miner},
                                                                           {"tunnel", ProgramKind::tunnel},
                                                                           {"scanner", ProgramKind::scanner},
                                                                           {"escape", ProgramKind::escape}}};

// Reads one [[program]]; the first trouble is kept in `error`.
KnownProgram read_program(const toml::table& table, std::string& error) {
  KnownProgram program;
  std::string kind;
  const std::array<std::pair<std::string_view, std::string*>, 3> texts = {{{"name", &program.name}, {"kind", &kind}, {"source", &program.source}}};
  const std::array<std::pair<std::string_view, std::vector<std::string>*>, 5> lists = {{{"modules", &program.modules},
                                                                                     {"packages", &program.packages},
                                                                                     {"implants", &program.implants},
                                                                                     {"crates", &program.crates},
                                                                                     {"marks", &program.marks}}};
  const auto fail = [&](std::string message) {
    if (error.empty()) error = fmt::format("program '{}': {}", program.name, message);
  };
  for (const auto& [key, target] : texts) {
    const auto value = table[key].value_exact<std::string>();
    if (value && !value->empty())
      *target = *value;
    else
      fail(fmt::format("'{}' must be a string that is not empty", key));
  }
  for (const auto& [key, value] : table) {
    bool known = key == "name" || key == "kind" || key == "source";
    for (const auto& [name, target] : lists) {
      if (key != name) continue;
      known = true;
      const toml::array* array = value.as_array();
      if (array == nullptr) {
        fail(fmt::format("'{}' must be a list of strings", name));
        continue;
      }
      for (const toml::node& node : *array) {
        const auto text = node.value_exact<std::string>();
        if (text && text->size() >= 4)
          target->push_back(*text);
        else
          fail(fmt::format("'{}' must be a list of strings of at least four letters", name));
      }
    }
    if (!known) fail(fmt::format("unknown key '{}'", key.str()));
  }
  bool kind_known = false;
  for (const auto& [name, value] : kinds) {
    if (kind != name) continue;
    program.kind = value;
    kind_known = true;
  }
  if (!kind_known) fail(fmt::format("there is no kind '{}'", kind));
  if (program.modules.empty() && program.packages.empty() && program.crates.empty() && program.marks.empty()) fail("nothing says how to know it");
  return program;
}

}  // namespace

Result<std::vector<KnownProgram>> parse_programs(std::string_view text) {
  std::vector<KnownProgram> programs;
  std::string error;
  try {
    const toml::table root = toml::parse(text);
    for (const auto& [key, value] : root) {
      const toml::array* array = value.as_array();
      if (key != "program" || array == nullptr) return Error{ErrorCode::invalid, fmt::format("programs.toml: unknown key '{}'", key.str())};
      for (const toml::node& node : *array) {
        if (const toml::table* table = node.as_table())
          programs.push_back(read_program(*table, error));
        else
          error = "'program' must be [[program]]";
      }
    }
  } catch (const toml::parse_error& problem) {
    return Error{ErrorCode::invalid, fmt::format("programs.toml:{}: {}", problem.source().begin.line, problem.description())};
  }
  if (!error.empty()) return Error{ErrorCode::invalid, "programs.toml: " + error};
  return programs;
}

const std::vector<KnownProgram>& known_programs() {
  static const std::vector<KnownProgram> programs = [] {
    auto parsed = parse_programs(embedded_programs().front().content());
    if (!parsed) {
      std::fprintf(stderr, "lazaret: %s\n", parsed.error().message.c_str());
      std::abort();
    }
    return std::move(*parsed);
  }();
  return programs;
}

bool is_below(std::string_view path, std::string_view prefix) {
  return path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
}

}  // namespace detect
}  // namespace lazaret
