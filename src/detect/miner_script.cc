// Scripts that make a machine ready for a miner: kill its rivals, take all cores and huge pages,
// switch off what watches, start a program out of a temporary folder.
//
// Each step has innocent users: databases want huge pages, clean-up scripts of defenders kill
// miners, installers run from /tmp. logo3.jpg of 2018 and its descendants do most of them in one
// script, and that is not chance.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"
#include "detect/detector.h"
#include "detect/shell_text_support.h"
#include "detect/text_context_support.h"

namespace lazaret::detect {
namespace {

constexpr Rule rules[] = {
    {.id = "miner.installer",
     .category = Category::miner,
     .severity = Severity::critical,
     .confidence = Confidence::high,
     .title = "Installs a miner",
     .explanation = "The script kills other miners or takes memory as miners want it, and goes on "
                    "as their installers do.",
     .remediation = "Do not run the image. Where it ran, look for what the script left: cron, "
                    "/tmp, /var/tmp.",
     .attack = {"T1496.001", "T1489", "T1105"}},
    {.id = "miner.rival-killer",
     .category = Category::miner,
     .severity = Severity::high,
     .confidence = Confidence::medium,
     .title = "Kills other miners",
     .explanation = "Processes with the names of miners or pools are searched and killed: a script "
                    "that wants the machine for itself. Clean-up scripts of defenders do the same.",
     .remediation = "Read the script.",
     .attack = {"T1496.001", "T1489"}},
    {.id = "miner.msr-access",
     .category = Category::miner,
     .severity = Severity::high,
     .confidence = Confidence::medium,
     .title = "Changes the processor's registers as RandomX miners do",
     .explanation =
         "Writing model-specific registers switches off prefetching, which makes RandomX "
         "faster and everything else slower. Overclocking tools write them too.",
     .remediation = "Find what needs it; it takes a privileged container.",
     .attack = {"T1496.001"}},
    {.id = "miner.huge-pages",
     .category = Category::miner,
     .severity = Severity::low,
     .confidence = Confidence::medium,
     .title = "Asks the host for huge pages",
     .explanation = "Miners want huge pages; databases and packet processing want them too.",
     .remediation = "Find what needs it; it takes a privileged container.",
     .attack = {"T1496.001"}},
};

constexpr engine::Pattern patterns[] = {
    engine::literal("kill -9"),      engine::literal("pkill"),
    engine::literal("killall"),      engine::literal("xargs kill"),
    engine::literal("nr_hugepages"), engine::literal("allow_writes=on"),
    engine::literal("wrmsr"),        engine::literal("xargs -r kill"),
    engine::literal("kill -KILL"),   engine::literal("xargs -I"),
};

bool names_miner(std::string_view text) {
  static constexpr std::array<std::string_view, 22> names = {
      "stratum",   "cryptonight", "xmrig",   "minerd",     "kdevtmpfsi",  "kinsing",
      "minergate", "xmr-stak",    "\\-p x",  "-p x",       "monero",      "cpuminer",
      "nanopool",  "hashvault",   "minexmr", "supportxmr", "moneroocean", "crypto-pool",
      "c3pool",    "miningpool",  "cnrig",   "kworkerds"};
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view name) { return contains_ignore_case(text, name); });
}

bool is_temporary(std::string_view path) {
  return path.find("/tmp/") != std::string_view::npos ||
         path.find("/dev/shm/") != std::string_view::npos;
}

// The steps of an installer, each with its weight.
struct Steps {
  unsigned kills = 0;
  bool huge_pages = false, registers = false, clears_cron = false, starts_hidden = false,
       makes_executable = false, fetches = false, counts_cores = false, hides_traces = false,
       kills_guards = false;
  std::size_t first_kill = 0, first_pages = 0, first_registers = 0;

  unsigned weight() const {
    return (kills >= 2 ? 2u : kills) + huge_pages + 2u * registers + clears_cron +
           2u * starts_hidden + makes_executable + fetches + counts_cores + hides_traces +
           2u * kills_guards;
  }
  bool for_mining() const { return kills >= 1 || huge_pages || registers; }
  std::string text() const {
    std::string list;
    const auto add = [&](bool present, std::string_view name) {
      if (present) list += (list.empty() ? "" : ", ") + std::string(name);
    };
    add(kills > 0, "kills miners (" + std::to_string(kills) + ")");
    add(kills_guards, "removes security agents");
    add(huge_pages, "huge pages");
    add(registers, "processor registers");
    add(clears_cron, "clears crontab");
    add(fetches, "fetches into a temporary folder");
    add(makes_executable, "makes it executable");
    add(counts_cores, "counts cores");
    add(starts_hidden, "starts it in the background");
    add(hides_traces, "removes traces");
    return list;
  }
};

void read_command(const format::ShellScript& script, std::size_t index, Steps& steps) {
  const format::ShellCommand& command = script.commands[index];
  const std::string words = command.text();
  const auto runs = [&](std::initializer_list<std::string_view> names) {
    return find_program(command, names) < command.words.size();
  };
  const auto count_kill = [&] {
    if (steps.kills++ == 0) steps.first_kill = index;
  };
  if (runs({"pkill", "killall", "pgrep"}) && names_miner(words)) count_kill();
  if (runs({"grep", "egrep", "fgrep", "awk", "pgrep"}) && names_miner(words)) {
    for (std::size_t j = index + 1;
         j < script.commands.size() && script.commands[j].pipeline == command.pipeline; ++j) {
      if (script.commands[j].text().find("kill") != std::string::npos) {
        count_kill();
        break;
      }
    }
  }
  const auto set_pages = [&] {
    if (!steps.huge_pages) steps.first_pages = index;
    steps.huge_pages = true;
  };
  if (words.find("nr_hugepages") != std::string::npos && runs({"sysctl", "echo", "tee"}))
    set_pages();
  for (const format::ShellRedirection& redirection : command.redirections) {
    if (redirection.target.text.find("nr_hugepages") != std::string::npos &&
        redirection.operation.starts_with('>'))
      set_pages();
    if (redirection.operation.starts_with('>') && (redirection.target.text.ends_with("/wtmp") ||
                                                   redirection.target.text.ends_with("/lastlog")))
      steps.hides_traces = true;
  }
  if ((runs({"modprobe"}) && words.find("allow_writes=on") != std::string::npos) ||
      runs({"wrmsr"})) {
    if (!steps.registers) steps.first_registers = index;
    steps.registers = true;
  }
  if (runs({"crontab"}) && words.find(" -r") != std::string::npos) steps.clears_cron = true;
  if (runs({"chmod"}) && is_temporary(words)) steps.makes_executable = true;
  if (find_fetch(command) < command.words.size()) {
    bool into = is_temporary(words);
    for (const format::ShellRedirection& redirection : command.redirections)
      into = into || is_temporary(redirection.target.text);
    steps.fetches = steps.fetches || into;
  }
  if (runs({"nproc"}) || words.find("/proc/cpuinfo") != std::string::npos)
    steps.counts_cores = true;
  static constexpr std::array<std::string_view, 3> starters = {"nohup", "setsid", "disown"};
  for (const format::ShellWord& word : command.words) {
    if (std::find(starters.begin(), starters.end(), word.text) != starters.end())
      steps.starts_hidden = true;
  }
  if (runs({"history"}) && words.find("-c") != std::string::npos) steps.hides_traces = true;
  static constexpr std::array<std::string_view, 6> guards = {
      "aegis", "aliyun-service", "bcm-agent", "qcloud", "YunJing", "bmc-agent"};
  if (runs({"rm", "pkill", "killall", "service", "systemctl", "kill"}) &&
      std::any_of(guards.begin(), guards.end(),
                  [&](std::string_view guard) { return words.find(guard) != std::string::npos; }))
    steps.kills_guards = true;
}

void report_steps(const Steps& steps, const ShellText& text, FileReport& report) {
  const auto& commands = text.script.commands;
  const auto add = [&](const Rule& rule, std::size_t index) {
    FileFinding finding = finding_at(rule, text, commands[index]);
    if (&rule == &rules[0] || &rule == &rules[1]) finding.evidence += "  [" + steps.text() + "]";
    if (!text.is_script) finding.confidence = Confidence::medium;
    report.add(std::move(finding));
  };
  if (steps.for_mining() && steps.weight() >= 5) {
    add(rules[0], steps.kills > 0   ? steps.first_kill
                  : steps.registers ? steps.first_registers
                                    : steps.first_pages);
    return;
  }
  if (steps.kills >= 2) add(rules[1], steps.first_kill);
  if (!text.is_script) return;
  if (steps.registers) add(rules[2], steps.first_registers);
  if (steps.huge_pages) add(rules[3], steps.first_pages);
}

Steps steps_of(const format::ShellScript& script) {
  Steps steps;
  for (std::size_t i = 0; i < script.commands.size(); ++i) read_command(script, i, steps);
  return steps;
}

void inspect(const FileView& file, FileReport& report) {
  using format::FileKind;
  using format::Language;
  // Text in no known language may be a script that is given to a shell by name: read as one, the
  // steps tell. A language's own strings are read line by line.
  const bool unknown_text = file.origin == Origin::file && file.type.kind == FileKind::text &&
                            file.type.language == Language::none;
  if (unknown_text) {
    constexpr std::size_t longest = 512 * 1024;
    if (file.hits.empty() || is_documentation(file.path)) return;
    const std::string_view text = file.text().substr(0, longest);
    const format::ShellScript script = format::parse_shell(text);
    report_steps(steps_of(script), {script, text, 0, false}, report);
    return;
  }
  for_each_shell_text(file, [&](const ShellText& text) {
    if (text.is_script || file.type.kind == FileKind::script)
      report_steps(steps_of(text.script), text, report);
  });
}

}  // namespace

extern const Detector miner_script_detector;
const Detector miner_script_detector = {
    .name = "miner-script",
    .summary = "Finds scripts that prepare a machine for a miner.",
    .rules = rules,
    .patterns = patterns,
    .kinds = format::KindSet::texts(),
    .trigger = Trigger::always,
    .inspect = inspect,
};

}  // namespace lazaret::detect
