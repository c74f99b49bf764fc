// Command lines that start a miner, in whatever they stand: scripts, commands of the image, units,
// argument lists of Python or Go, lists of YAML, strings of an executable.
//
// The shape is `-o host:port -u login -p x`. Letters alone say nothing (`curl -o file -u user`), so
// each value is judged: an address of a pool, a wallet with a right checksum, an algorithm, options
// that nothing else has. The login need not be a wallet: pools with accounts take names.
#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "detect/detector.h"
#include "detect/miner_support.h"
#include "detect/shell_text_support.h"
#include "detect/text_context_support.h"

namespace lazaret::detect {
namespace {

constexpr Rule rules[] = {
    {.id = "miner.command-line",
     .category = Category::miner,
     .severity = Severity::critical,
     .confidence = Confidence::high,
     .title = "Starts a miner",
     .explanation = "A program is started with a pool, a login and options that only miners take. "
                    "The login earns, whoever runs the image pays.",
     .remediation = "Do not run the image. Declared miner images are a matter of policy: allow "
                    "them by an ignore entry.",
     .attack = {"T1496.001"}},
    {.id = "miner.options",
     .category = Category::miner,
     .severity = Severity::high,
     .confidence = Confidence::medium,
     .title = "Starts a program with options that only miners have",
     .explanation = "Pool and login are not in sight; the options are those of miners.",
     .remediation = "Find the program that is started and its configuration.",
     .attack = {"T1496.001"}},
};

constexpr engine::Pattern patterns[] = {
    engine::regex_ignore_case("stratum[0-9]?s?(?:\\+[a-z]{2,4})?://"),
    engine::literal("--donate-"),
    engine::literal("--randomx-"),
    engine::literal("--rig-id"),
    engine::literal("--nicehash"),
    engine::literal("--cpu-max-threads-hint"),
    engine::literal("--max-cpu-usage"),
    engine::literal("--self-select"),
    engine::literal("--huge-pages-jit"),
    engine::literal("--cpu-priority"),
    engine::regex("--(?:algo|coin|currency)[ =\"',]"),
    engine::regex("-a[ \"',=]{1,4}(?:cryptonight|cn/|rx/|randomx|argon2|ghostrider|kawpow)"),
    // The short form: an address with a port behind -o, or pass x.
    engine::regex("[\\s\"']-o[\\s\"',=]{1,24}[a-zA-Z0-9$][a-zA-Z0-9.{}_-]{2,80}:[0-9]{2,5}"),
    engine::regex("[\\s\"']-(?:p|-pass)[\\s\"',=]{1,24}x(?:[\\s\"';&|]|$)"),
    engine::regex(
        "--(?:url|pool|server)[\\s\"',=]{1,24}[a-zA-Z0-9][a-zA-Z0-9.+/:_-]{2,80}:[0-9]{2,5}"),
};

constexpr std::array<std::string_view, 15> miner_options = {
    "--donate-level",         "--donate-over-proxy", "--rig-id",           "--nicehash",
    "--cpu-max-threads-hint", "--max-cpu-usage",     "--self-select",      "--huge-pages-jit",
    "--randomx-mode",         "--randomx-init",      "--randomx-no-numa",  "--randomx-1gb-pages",
    "--randomx-wrmsr",        "--randomx-no-rdmsr",  "--randomx-cache-qos"};

struct Command {
  std::optional<PoolAddress> pool;
  std::string login;
  std::optional<Indicator> wallet;
  bool login_is_variable = false, pool_is_variable = false;
  bool password = false, password_x = false;
  bool algorithm = false;
  std::set<std::string_view> options;
};

// "" for "$WALLET" and the like; then `name` is the variable's.
std::string_view variable_of(std::string_view word) {
  if (word.size() < 2 || word.front() != '$') return {};
  word.remove_prefix(1);
  if (word.front() == '{') word.remove_prefix(1);
  const auto end = std::find_if_not(word.begin(), word.end(), is_word);
  return word.substr(0, static_cast<std::size_t>(end - word.begin()));
}

Command read_command(std::string_view text, const std::vector<LooseWord>& words) {
  Command command;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string_view name = words[i].text;
    // A stratum address is one wherever it stands.
    if (!command.pool && name.find("://") != std::string_view::npos) {
      if (auto pool = parse_pool_address(name); pool && pool->mining_scheme) {
        if (!pool->login.empty()) command.login = pool->login;
        command.pool = std::move(pool);
        continue;
      }
    }
    if (name.size() < 2 || name.front() != '-') continue;
    if (std::find(miner_options.begin(), miner_options.end(), name) != miner_options.end())
      command.options.insert(name);
    if (i + 1 >= words.size()) break;
    const std::string_view given = words[i + 1].text;
    const std::string_view variable = variable_of(given);
    std::string_view value = given;
    if (!variable.empty()) {
      value = value_of_variable(text, variable);
      if (value.empty()) value = given;
    }
    const bool unknown = value.front() == '$';
    if (name == "-o" || name == "--url" || name == "--pool" || name == "--server" || name == "-P" ||
        name == "-url") {
      if (command.pool) continue;
      if (unknown) command.pool_is_variable = true;
      // "$POOL:$PORT" and "pool.example:$PORT"
      std::string address(value);
      if (const auto dollar = address.find(":$"); dollar != std::string::npos) {
        const auto port =
            value_of_variable(text, variable_of(std::string_view(address).substr(dollar + 1)));
        if (!port.empty()) address = address.substr(0, dollar + 1) + std::string(port);
      }
      if (!variable.empty()) {
        // "${HOST}:3333": what follows the variable belongs to the address.
        const auto rest = given.find(':', 1);
        if (rest != std::string_view::npos && address.find(':') == std::string::npos)
          address += std::string(given.substr(rest));
      }
      if (auto pool = parse_pool_address(address)) {
        if (!pool->login.empty()) command.login = pool->login;
        command.pool = std::move(pool);
      }
    } else if (name == "-u" || name == "--user" || name == "--wallet" || name == "--userpass") {
      if (value.front() == '-') continue;
      if (unknown)
        command.login_is_variable = true;
      else if (command.login.empty())
        command.login = std::string(value);
    } else if (name == "-p" || name == "--pass") {
      command.password = true;
      command.password_x = command.password_x || value == "x" || value.starts_with("x:");
    } else if (name == "-a" || name == "--algo" || name == "-algo") {
      command.algorithm = command.algorithm || is_mining_algorithm(value);
    } else if (name == "--coin" || name == "--currency") {
      const std::string coin = to_lower(value);
      if (coin == "monero" || coin == "xmr" || coin == "zephyr" || coin == "zeph" ||
          coin == "wownero" || coin == "ravencoin")
        command.options.insert("--coin");
    }
  }
  if (!command.login.empty()) command.wallet = wallet_of_login(command.login);
  return command;
}

bool is_placeholder(std::string_view login) {
  return contains_ignore_case(login, "your_") || contains_ignore_case(login, "yourwallet") ||
         contains_ignore_case(login, "wallet_address") || login == "WALLET" ||
         login == "USERNAME" || login == "LOGIN";
}

enum class Judgement { nothing, options, miner };

Judgement judge(const Command& command) {
  const bool login = !command.login.empty() || command.login_is_variable;
  const std::size_t marks = command.options.size() + (command.algorithm ? 1 : 0);
  if (command.pool && is_placeholder(command.login)) return Judgement::options;
  if (command.pool && command.pool->certain())
    return login || command.password || marks > 0 ? Judgement::miner : Judgement::nothing;
  if (command.pool && login && (command.wallet || command.password_x || marks > 0))
    return Judgement::miner;
  if (command.wallet && (marks > 0 || (command.pool_is_variable && command.password)))
    return Judgement::miner;
  if (command.pool_is_variable && login && command.password_x && marks > 0) return Judgement::miner;
  if (marks >= 2) return Judgement::options;
  return Judgement::nothing;
}

// Reports commands of one file, each pool and login once.
class Reporter {
 public:
  Reporter(const FileView& file, FileReport& report) : file_(file), report_(report) {}

  bool full() const { return findings_ == 16; }

  // `offset`: of the telling part in the file; [begin, end): the command.
  void consider(const Command& command, std::uint64_t offset, std::uint64_t begin,
                std::uint64_t end) {
    const Judgement judgement = judge(command);
    if (judgement == Judgement::nothing || full()) return;
    const Role role = role_of(file_, offset);
    // Options without a pool are help texts and detection rules everywhere but in what runs.
    if (judgement == Judgement::options &&
        (role != Role::runs || !format::is_text(file_.type.kind)))
      return;
    const std::string key = (command.pool ? command.pool->text() : "") + " " + command.login;
    if (!reported_.insert(key).second) return;

    FileFinding finding;
    finding.rule = &rules[judgement == Judgement::miner ? 0 : 1];
    finding.offset = offset;
    finding.evidence = evidence_of(file_.text(), begin, std::min(end, begin + 300));
    if (command.pool) finding.indicators.push_back({"pool", command.pool->text(), false});
    if (command.wallet) finding.indicators.push_back(*command.wallet);
    // The worker's name behind the wallet is kept: it may be the same in several images.
    if (judgement == Judgement::miner && !command.login.empty() &&
        (!command.wallet || command.login.size() > command.wallet->value.size()))
      finding.indicators.push_back({"login", command.login.substr(0, 200), false});
    grade(command, judgement, role, finding);
    report_.add(std::move(finding));
    ++findings_;
  }

 private:
  static void grade(const Command& command, Judgement judgement, Role role, FileFinding& finding) {
    if (role == Role::prose) {
      finding.severity = Severity::low;
      finding.confidence = Confidence::low;
      return;
    }
    if (judgement != Judgement::miner) return;
    const bool certain = command.pool && command.pool->certain();
    const bool paid = command.pool && (command.wallet || (certain && !command.login.empty()));
    if (role == Role::settings && !paid) {
      finding.severity = Severity::high;
      finding.confidence = Confidence::medium;
    } else if (role == Role::record) {
      finding.severity = Severity::high;
    } else if (!command.wallet && !certain && command.options.empty() && !command.algorithm) {
      finding.confidence = Confidence::medium;
    }
  }

  const FileView& file_;
  FileReport& report_;
  std::set<std::string> reported_;
  std::size_t findings_ = 0;
};

void inspect(const FileView& file, FileReport& report) {
  const std::string_view text = file.text();
  Reporter reporter(file, report);
  std::uint64_t judged_to = 0;
  for (const engine::PatternHit& hit : file.hits) {
    if (hit.end <= judged_to || hit.end > text.size() || hit.end == 0) continue;
    std::uint64_t begin = 0;
    const std::string_view piece = command_around(text, hit.end - 1, begin);
    judged_to = begin + piece.size() + 1;  // the line end belongs to it
    reporter.consider(read_command(text, loose_words(piece)), hit.end - 1, begin,
                      begin + piece.size());
    if (reporter.full()) return;
  }
  // Quoting hides words from the patterns, not from a shell.
  for_each_shell_text(file, [&](const ShellText& shell) {
    if (!shell.is_script) return;
    for (const format::ShellCommand& command : shell.script.commands) {
      if (command.words.size() < 4) continue;
      const std::string words = command.text();
      reporter.consider(read_command(text, loose_words(words)), command.offset, command.offset,
                        std::max(command.end, command.offset));
    }
  });
}

}  // namespace

extern const Detector miner_command_line_detector;
const Detector miner_command_line_detector = {
    .name = "miner-command-line",
    .summary = "Finds commands that start miners.",
    .rules = rules,
    .patterns = patterns,
    .kinds = {format::FileKind::text, format::FileKind::script, format::FileKind::json,
              format::FileKind::xml, format::FileKind::elf, format::FileKind::python_bytecode,
              format::FileKind::java_class},
    .trigger = Trigger::always,
    .inspect = inspect,
};

}  // namespace lazaret::detect
