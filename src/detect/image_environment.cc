// What the image config itself arranges: variables that load code into every program, and search paths that put a stranger first.
#include <array>

#include "base/text.h"
#include "detect/detector.h"

namespace lazaret::detect {
namespace {

constexpr Rule rules[] = {
    {"persistence.preload-variable", Category::persistence, Severity::high, Confidence::medium, "Environment loads a library into every program",
     "LD_PRELOAD in the image's environment puts a library into every process. Memory allocators (jemalloc, tcmalloc) are loaded so on purpose; a library in a temporary or hidden folder is not one.",
     "Look at the library.", {"T1574.006"}},
    {"persistence.startup-variable", Category::persistence, Severity::medium, Confidence::medium, "Environment makes interpreters run a file first",
     "BASH_ENV, PYTHONSTARTUP, NODE_OPTIONS --require, PERL5OPT and their kin run code before the program that was asked for.", "Look at the file.", {"T1546.004"}},
    {"impersonation.search-path", Category::impersonation, Severity::medium, Confidence::medium, "Search path begins in a writable or hidden folder",
     "Programs named like system tools in such a folder are run in their place.", "Look at what lies in the folder.", {"T1574.007"}},
    {"persistence.library-path", Category::persistence, Severity::low, Confidence::medium, "Library path leads into a temporary or hidden folder",
     "Libraries and modules of that folder are loaded in place of the system's. Build caches are sometimes left in such variables.", "Look at what lies in the folder.", {"T1574.006", "T1574.007"}},
};

bool is_odd_place(std::string_view path) {
  for (const std::string_view prefix : {"/tmp", "/var/tmp", "/dev/shm", "/run/"}) {
    if (path.starts_with(prefix)) return true;
  }
  return path.find("/.") != std::string_view::npos;
}

void inspect_image(const ImageView& image, std::vector<ImageFinding>& findings) {
  for (const std::string& variable : image.manifest().config.env) {
    const auto equals = variable.find('=');
    if (equals == std::string::npos) continue;
    const std::string_view name = std::string_view(variable).substr(0, equals), value = std::string_view(variable).substr(equals + 1);
    const std::string path = "config.Env." + std::string(name);
    const auto add = [&](const Rule& rule, std::optional<Severity> severity) { findings.push_back({&rule, path, variable, {path}, {}, severity, {}}); };
    if ((name == "LD_PRELOAD" || name == "LD_AUDIT") && !value.empty()) {
      bool allocator = false;
      for (const std::string_view known : {"jemalloc", "tcmalloc", "mimalloc", "libeatmydata", "libfaketime", "snoopy"}) allocator |= value.find(known) != std::string_view::npos;
      // A name can be borrowed; a place cannot.
      add(rules[0], is_odd_place(value) ? std::optional(Severity::critical) : allocator ? std::optional(Severity::low) : std::nullopt);
    }
    for (const std::string_view startup : {"BASH_ENV", "PYTHONSTARTUP", "PERL5OPT", "RUBYOPT", "ENV", "PROMPT_COMMAND"}) {
      if (name == startup && !value.empty()) add(rules[1], is_odd_place(value) ? std::optional(Severity::high) : name == "ENV" ? std::optional(Severity::info) : std::nullopt);
    }
    if (name == "NODE_OPTIONS" && (value.find("--require") != std::string_view::npos || value.find("--import") != std::string_view::npos || value.find("-r ") != std::string_view::npos)) add(rules[1], {});
    for (const std::string_view startup : {"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"}) {
      // Agents of observability are loaded so; one in a temporary or hidden folder is none.
      if (name != startup) continue;
      const auto agent = value.find("-javaagent:");
      if (agent != std::string_view::npos && is_odd_place(value.substr(agent + 11))) add(rules[1], Severity::high);
    }
    if (name == "PYTHONPATH" || name == "PERL5LIB" || name == "RUBYLIB" || name == "NODE_PATH" || name == "LD_LIBRARY_PATH" || name == "CLASSPATH") {
      for (const std::string_view folder : split(value, ':')) {
        if (is_odd_place(folder) && folder.find("/.local") == std::string_view::npos && folder.find("/.venv") == std::string_view::npos) {
          add(rules[3], {});
          break;
        }
      }
    }
    if (name == "PATH") {
      // A folder in front of the system's that everybody may write to.
      for (const std::string_view folder : split(value, ':')) {
        if (folder.starts_with("/usr/") || folder == "/bin" || folder == "/sbin") break;
        const auto entry = image.find(folder);
        if (entry && entry->is_directory && (entry->mode & 0002) != 0 && !is_odd_place(folder)) {
          add(rules[2], {});
          break;
        }
      }
      const std::string_view first = value.substr(0, value.find(':'));
      if (is_odd_place(first) && first.find("/.local/bin") == std::string_view::npos && first.find("/.cargo") == std::string_view::npos && first.find("/.venv") == std::string_view::npos) add(rules[2], {});
    }
  }
}

}  // namespace

extern const Detector image_environment_detector;
const Detector image_environment_detector = {.name = "image-environment",
                                             .summary = "Variables of the image config that load code or change which programs run.",
                                             .rules = rules,
                                             .patterns = {},
                                             .kinds = {},
                                             .trigger = Trigger::on_hit,
                                             .inspect = nullptr,
                                             .inspect_image = inspect_image};

}  // namespace lazaret::detect
