// Miners by how they are told what to do: configuration files and command lines.
//
// A miner's configuration is known by its shape: a pool, a login, and settings that nothing else has, in one object. A command line by `-o host:port -u login -p x` and options of
// miners. The login need not be a wallet (pools with accounts take names or mail addresses), so the shape stands on its own.
#include <algorithm>
#include <array>
#include <set>

#include "base/text.h"
#include "detect/shell_text_support.h"
#include "format/json.h"

namespace lazaret::detect {
namespace {

using format::JsonValue;
using format::ShellCommand;

constexpr std::string_view remove = "Do not run the image. Declared miner images are a matter of policy: allow them by an ignore entry.";

constexpr Rule rules[] = {
    {"miner.config", Category::miner, Severity::critical, Confidence::high, "Configuration of a miner", "The file names a pool and a login and has settings that only miners have.", remove, {"T1496.001"}},
    {"miner.command-line", Category::miner, Severity::critical, Confidence::high, "Starts a miner", "A program is started with a pool, a login and options that only miners take.", remove, {"T1496.001"}},
    {"miner.rival-killer", Category::miner, Severity::high, Confidence::medium, "Kills other miners",
     "Processes with the names of miners or pools are searched and killed: a script that wants the machine for itself. Clean-up scripts of defenders do the same.", remove, {"T1496.001", "T1489"}},
    {"miner.huge-pages", Category::miner, Severity::low, Confidence::medium, "Prepares the host for mining", "Huge pages or model-specific registers are set as RandomX miners want them; databases want huge pages too.", remove, {"T1496.001"}},
};

constexpr engine::Pattern patterns[] = {
    engine::literal("donate-level"),     engine::literal("stratum+"),      engine::literal("cryptonight"), engine::literal("\"pools\""),          engine::literal("pool_address"),
    engine::literal("wallet_address"),   engine::literal("randomx"),       engine::literal("--algo"),      engine::literal("nicehash"),           engine::literal("rig-id"),
    engine::literal("max-cpu-usage"),    engine::literal("xmrig"),         engine::literal("minerd"),      engine::literal("nr_hugepages"),       engine::literal("allow_writes=on"),
    engine::literal(" -p x"),            engine::literal("kill -9"),       engine::literal("pkill"),       engine::literal("cpu-max-threads-hint"), engine::literal("max-threads-hint"),
};

constexpr std::array marks = {"donate-level", "donate-over-proxy", "randomx", "rig-id", "nicehash", "max-cpu-usage", "max-threads-hint", "huge-pages", "cpu", "opencl", "cuda",
                              "pool_list", "pool_address", "wallet_address", "pool_password", "use_nicehash", "pool_weight", "tls-fingerprint", "self-select", "retry-pause",
                              "print-time", "av", "safe", "cpu-affinity", "algo", "variant", "keepalive", "1gb-pages", "currency"};

bool looks_like_pool(std::string_view text) {
  if (text.find("stratum+") != std::string_view::npos || text.starts_with("daemon+")) return true;
  const auto scheme = text.find("://");
  if (scheme != std::string_view::npos) text.remove_prefix(scheme + 3);
  const auto colon = text.rfind(':');
  return colon != std::string_view::npos && colon > 0 && is_port(text.substr(colon + 1)) && text.find_first_of(" /\"'$") == std::string_view::npos &&
         (text.find('.') != std::string_view::npos || text.starts_with("localhost"));
}

std::string_view without_scheme(std::string_view pool) {
  const auto scheme = pool.find("://");
  return scheme == std::string_view::npos ? pool : pool.substr(scheme + 3);
}

struct Config {
  std::set<std::string> keys;
  std::string pool, login;
};

void collect(const JsonValue& value, Config& config, unsigned depth) {
  if (depth > 6) return;
  if (const auto* array = value.as_array()) {
    for (const JsonValue& item : *array) collect(item, config, depth + 1);
  }
  const auto* object = value.as_object();
  if (object == nullptr) return;
  for (const auto& [key, item] : *object) {
    const std::string name = to_lower(key);
    if (std::find(marks.begin(), marks.end(), name) != marks.end()) config.keys.insert(name);
    if (const std::string* text = item.as_string()) {
      if ((name == "url" || name == "pool_address" || name == "pool" || name == "host") && looks_like_pool(*text)) config.pool = *text;
      if ((name == "user" || name == "wallet_address" || name == "wallet" || name == "login") && !text->empty()) config.login = *text;
    }
    collect(item, config, depth + 1);
  }
}

void inspect_config(const FileView& file, FileReport& report) {
  if (file.content.size() > 1 << 20 || file.hits.empty()) return;
  const std::string_view text = file.text();
  const auto first = text.find('{');
  // xmr-stak's files have no outer braces.
  std::string wrapped;
  std::string_view body = first == std::string_view::npos ? std::string_view() : text.substr(first);
  if (text.find("\"pool_list\"") != std::string_view::npos && text.find("\"pool_list\"") < first) {
    wrapped = "{" + std::string(text.substr(text.find("\"pool_list\""))) + "}";
    body = wrapped;
  }
  if (body.empty()) return;
  const auto document = format::parse_json(body, {32, 200'000, true});
  Config config;
  collect(document.value, config, 0);
  if (config.keys.size() < 3 || config.pool.empty() || config.login.empty()) return;
  FileFinding finding;
  finding.rule = &rules[0];
  finding.offset = first == std::string_view::npos ? 0 : first;
  finding.evidence = "pool " + config.pool + ", login " + config.login + ", settings";
  for (const std::string& key : config.keys) finding.evidence += " " + key;
  finding.indicators.push_back({"pool", std::string(without_scheme(config.pool)), false});
  finding.indicators.push_back({"login", config.login, false});
  report.add(std::move(finding));
}

bool is_placeholder(std::string_view login) {
  return login.empty() || login.find("YOUR") != std::string_view::npos || login.starts_with('<') || login.starts_with('$') || login.starts_with('%') || login == "user" || login == "username";
}

void inspect_command(const ShellText& text, const ShellCommand& command, FileReport& report) {
  std::string pool, login;
  unsigned options = 0;
  bool password = false;
  const auto& words = command.words;
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string name = words[i].text, value = i + 1 < words.size() ? words[i + 1].text : "";
    if (const auto equals = name.find('='); name.starts_with("--") && equals != std::string::npos) {
      value = name.substr(equals + 1);
      name.resize(equals);
    }
    if ((name == "-o" || name == "--url" || name == "-P" || name == "--pool" || name == "--server") && looks_like_pool(value)) pool = value;
    if (name == "-u" || name == "--user" || name == "--wallet" || name == "-w") login = value;
    if (name == "-p" || name == "--pass") password = true;
    for (const std::string_view known : {"--donate-level", "--randomx-mode", "--randomx-1gb-pages", "--cpu-max-threads-hint", "--max-cpu-usage", "--rig-id", "--nicehash", "--algo", "-a", "--coin",
                                         "--huge-pages", "--currency", "--av", "--tls-fingerprint", "--cpu-priority", "--randomx-wrmsr", "--self-select"}) {
      if (name == known) {
        // -a only with an algorithm behind it
        if (known == "-a" || known == "--algo") {
          static constexpr std::array algorithms = {"rx/", "cn/", "cryptonight", "randomx", "argon2", "kawpow", "ethash", "gr", "astrobwt", "yespower", "x11", "scrypt", "ghostrider", "cn"};
          options += std::any_of(algorithms.begin(), algorithms.end(), [&](std::string_view a) { return value.starts_with(a); });
        } else {
          ++options;
        }
      }
    }
  }
  const bool stratum = pool.find("stratum+") != std::string::npos;
  if (pool.empty() || is_placeholder(login)) return;
  // curl -o file -u user:password URL has the same letters: a pool is host:port, and the password stands apart.
  if (!stratum && options == 0 && !password) return;
  FileFinding finding = finding_at(rules[1], text, command);
  finding.indicators.push_back({"pool", std::string(without_scheme(pool)), false});
  finding.indicators.push_back({"login", login, false});
  if (!text.is_script) {
    finding.severity = Severity::medium;
    finding.confidence = Confidence::low;
  }
  report.add(std::move(finding));
}

bool names_miner(std::string_view text) {
  for (const std::string_view name : {"stratum", "cryptonight", "xmrig", "minerd", "kdevtmpfsi", "kinsing", "minergate", "xmr-stak", "\\-p x", "monero", "cpuminer", "nanopool", "hashvault"}) {
    if (contains_ignore_case(text, name)) return true;
  }
  return false;
}

void inspect_killers(const ShellText& text, FileReport& report) {
  unsigned kills = 0;
  const ShellCommand* first = nullptr;
  const auto& commands = text.script.commands;
  for (std::size_t i = 0; i < commands.size(); ++i) {
    const ShellCommand& command = commands[i];
    if (find_program(command, {"pkill", "killall"}) < command.words.size() && names_miner(command.text())) {
      ++kills;
      if (first == nullptr) first = &command;
    }
    if (find_program(command, {"grep", "egrep", "awk"}) < command.words.size() && names_miner(command.text())) {
      for (std::size_t j = i + 1; j < commands.size() && commands[j].pipeline == command.pipeline; ++j) {
        if (commands[j].text().find("kill") != std::string::npos) {
          ++kills;
          if (first == nullptr) first = &command;
        }
      }
    }
  }
  if (kills >= 2 && text.is_script) {
    FileFinding finding = finding_at(rules[2], text, *first);
    finding.evidence += "  (" + std::to_string(kills) + " such commands)";
    report.add(std::move(finding));
  }
}

void inspect(const FileView& file, FileReport& report) {
  inspect_config(file, report);
  for_each_shell_text(file, [&](const ShellText& text) {
    for (const ShellCommand& command : text.script.commands) {
      inspect_command(text, command, report);
      const std::string words = text.is_script ? command.text() : std::string();
      if (words.find("nr_hugepages") != std::string::npos || words.find("allow_writes=on") != std::string::npos) report.add(finding_at(rules[3], text, command));
    }
    inspect_killers(text, report);
  });
}

}  // namespace

extern const Detector miner_config_detector;
const Detector miner_config_detector = {.name = "miner-config",
                                        .summary = "Configuration files and command lines of miners, and the scripts around them.",
                                        .rules = rules,
                                        .patterns = patterns,
                                        .kinds = format::KindSet::texts(),
                                        .trigger = Trigger::always,
                                        .inspect = inspect};

}  // namespace lazaret::detect
