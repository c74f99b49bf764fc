// Package managers that run when a container starts.
//
// At build time they are how images are made. At start they fetch what the image does not hold, from an index that may have changed since, or straight from
// a repository or an address: what runs today need not be what ran yesterday. That is careless rather than hostile, so it weighs little; only texts that
// the image is known to start are looked at.
#include <algorithm>

#include "base/text.h"
#include "detect/shell_text_support.h"
#include "detect/text_context_support.h"

namespace lazaret::detect {
namespace {

using format::ShellCommand;

constexpr std::string_view advice = "Install when the image is built, with pinned versions and hashes.";

constexpr Rule rules[] = {
    {"dropper.install-from-address", Category::dropper, Severity::low, Confidence::high, "Installs a package from an address when it starts",
     "The package comes from a repository or a URL and not from an index: whoever controls that place decides what runs. Development images do this for convenience.", advice, {"T1105", "T1195.002"}},
    {"dropper.install-at-start", Category::dropper, Severity::low, Confidence::low, "Installs packages when it starts",
     "What runs is not in the image, so that an audit of the image cannot speak for it. Development images do this for convenience.", advice, {"T1105"}},
};

bool has(const ShellCommand& command, std::size_t from, std::initializer_list<std::string_view> words) {
  return std::any_of(command.words.begin() + static_cast<std::ptrdiff_t>(std::min(from, command.words.size())), command.words.end(),
                     [&](const auto& word) { return std::find(words.begin(), words.end(), word.text) != words.end(); });
}

// The command installs something that is not there yet.
bool installs(const ShellCommand& command, std::size_t at) {
  const std::string_view program = base_name(command.words[at].text);
  const auto is = [&](std::initializer_list<std::string_view> names) { return std::find(names.begin(), names.end(), program) != names.end(); };
  if (is({"pip", "pip2", "pip3", "pipx", "uv"})) return has(command, at + 1, {"install", "run"}) && !has(command, at + 1, {"--no-index"});
  if (program.starts_with("python")) return has(command, at + 1, {"pip"}) && has(command, at + 1, {"-m"}) && has(command, at + 1, {"install"});
  if (is({"npx", "bunx"})) return !has(command, at + 1, {"--no-install", "--no"});
  if (is({"npm", "pnpm", "yarn", "bun"})) return has(command, at + 1, {"install", "i", "ci", "add", "dlx", "exec"}) && !has(command, at + 1, {"--offline", "--prefer-offline"});
  if (is({"go"})) return has(command, at + 1, {"install", "get"}) || (has(command, at + 1, {"run"}) && command.text().find('@') != std::string::npos);
  if (is({"gem", "cargo", "luarocks", "cpanm", "composer", "bundle"})) return has(command, at + 1, {"install", "require", "update"}) || program == "cpanm";
  if (is({"apt-get", "apt", "apk", "yum", "dnf", "microdnf", "zypper"})) return has(command, at + 1, {"install", "add"});
  return is({"ansible-pull", "easy_install"});
}

bool names_address(const ShellCommand& command) {
  return std::any_of(command.words.begin(), command.words.end(), [](const auto& word) {
    const std::string_view text = word.text;
    return text.starts_with("git+") || text.find(" @ http") != std::string_view::npos || text.starts_with("git@") || text.starts_with("github:") || text.ends_with(".git") ||
           (text.find("://") != std::string_view::npos && text.find("://") <= 10 && !text.starts_with("-"));
  });
}

void inspect(const FileView& file, FileReport& report) {
  if (file.script == nullptr || file.path.starts_with("config.OnBuild")) return;
  for_each_shell_text(file, [&](const ShellText& text) {
    for (const ShellCommand& command : text.script.commands) {
      const std::size_t at = format::program_word(command);
      if (at >= command.words.size() || !installs(command, at)) continue;
      FileFinding finding = finding_at(rules[names_address(command) ? 0 : 1], text, command);
      report.add(std::move(finding));
    }
  });
}

}  // namespace

extern const Detector install_at_start_detector;
const Detector install_at_start_detector = {.name = "install-at-start",
                                            .summary = "Package managers that fetch when the container starts.",
                                            .rules = rules,
                                            .patterns = {},
                                            .kinds = format::KindSet::texts(),
                                            .trigger = Trigger::always,
                                            .inspect = inspect};

}  // namespace lazaret::detect
