// Text that commands run: eval, sh -c and its kin, a static pipe or here-document into a shell, and
// the builtins whose effect on variables decides what later words are.
//
// What is evaluated joins the script as commands inside the one that runs it. Only text that is
// known is evaluated: the known parts of a word whose rest is unknown are worth reading too.
#include <algorithm>
#include <array>

#include "format/code_commands.h"
#include "format/shell_parser.h"

namespace lazaret::format::shell {
namespace {

constexpr std::size_t lines_limit = 16;  // of input that xargs makes commands of

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), text) != names.end();
}

// Programs that start a command somewhere else, their own options being too many to know: a shell
// among their words is taken for what they start.
bool starts_elsewhere(std::string_view program) {
  return is_one_of(program, {"chroot",   "nsenter", "unshare", "docker",      "podman",
                             "nerdctl",  "crictl",  "kubectl", "ctr",         "lxc-attach",
                             "lxc",      "screen",  "tmux",    "systemd-run", "start-stop-daemon",
                             "ip",       "proot",   "capsh",   "flock",       "script",
                             "parallel", "runuser", "su",      "watch",       "machinectl",
                             "runc",     "crun",    "setns",   "firejail",    "bwrap"});
}

// A cluster of short options with this letter: -lc.
bool has_letter(std::string_view option, char letter) {
  return option.size() >= 2 && option[0] == '-' && option[1] != '-' &&
         option.find(letter) != std::string_view::npos;
}

bool is_standard_input(std::string_view path) {
  return path == "/dev/stdin" || path == "/dev/fd/0" || path == "/proc/self/fd/0";
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  if (from.empty()) return;
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> parts;
  for (;;) {
    text.remove_prefix(std::min(text.find_first_not_of(separators), text.size()));
    if (text.empty()) return parts;
    const auto end = std::min(text.find_first_of(separators), text.size());
    parts.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

}  // namespace

bool feeds_input(const ShellRedirection& redirection) {
  return redirection.operation.starts_with('<') && redirection.fd <= 0;
}

void Parser::evaluate(std::string_view body, std::uint64_t base, bool fixed, std::string step,
                      ShellNesting nesting, Inner& inner, std::uint32_t origin) {
  if (body.empty()) return;
  if (too_deep() || depth_ + nesting_ + 1 >= depth_limit || !state_.spend(body.size() + 64)) {
    state_.script.cut = true;
    return;
  }
  const std::size_t first = state_.script.commands.size();
  std::vector<std::string> chain = chain_;
  for (std::string& way : state_.origins.steps(origin)) chain.push_back(std::move(way));
  chain.push_back(std::move(step));
  Parser(state_, body, depth_ + nesting_ + 1, base, fixed, std::move(chain)).parse();
  for (std::size_t i = first; i < state_.script.commands.size(); ++i) {
    ShellCommand& command = state_.script.commands[i];
    if (command.nesting != ShellNesting::none) continue;
    command.nesting = nesting;
    inner.push_back(i);
  }
}

// A word that stands in the text as it is, perhaps in quotes, keeps its positions.
void Parser::evaluate_word(const ShellWord& word, std::string step, const ShellCommand& command,
                           Inner& inner) {
  if (!fixed_ && word.offset >= base_) {
    for (const std::size_t quote : {0u, 1u}) {
      const auto at = static_cast<std::size_t>(word.offset - base_) + quote;
      if (at > text_.size() || !text_.substr(at).starts_with(word.text)) continue;
      return evaluate(text_.substr(at, word.text.size()), position(at), false, std::move(step),
                      ShellNesting::evaluation, inner, word.origin);
    }
  }
  evaluate(word.text, command.offset, true, std::move(step), ShellNesting::evaluation, inner,
           word.origin);
}

// Words that are a command of their own.
void Parser::evaluate_words(const std::vector<ShellWord>& words, std::string step,
                            const ShellCommand& command, Inner& inner) {
  std::string line;
  std::uint32_t origin = 0;
  for (const ShellWord& word : words) {
    if (!line.empty()) line += ' ';
    line += quote_arguments({word.text});
    if (!word.is_static) line += "\"$?\"";  // what is not known is not known there either
    origin = state_.origins.join(origin, word.origin);
  }
  evaluate(line, command.offset, true, std::move(step), ShellNesting::evaluation, inner, origin);
}

void Parser::evaluate_arguments(const ShellCommand& command, std::size_t program, Inner& inner) {
  const auto& words = command.words;
  const std::string_view name = base_name(words[program].text);
  const std::size_t next = program + 1;
  if (is_shell(name)) {
    evaluate_shell(command, program, inner);
  } else if (name == "eval") {
    if (next + 1 == words.size()) return evaluate_word(words[next], "eval", command, inner);
    std::string text;
    std::uint32_t origin = 0;
    for (std::size_t i = next; i < words.size(); ++i) {
      text += words[i].text + ' ';
      origin = state_.origins.join(origin, words[i].origin);
    }
    evaluate(text, command.offset, true, "eval", ShellNesting::evaluation, inner, origin);
  } else if (name == "." || name == "source") {
    if (next < words.size() && is_standard_input(words[next].text)) {
      evaluate_input(command, feed(), inner);
    } else if (next < words.size() && !words[next].is_static) {
      evaluate_processes(command, inner);
    } else if (next < words.size()) {
      source_file(command, next, inner);
    }
  } else if (name == "trap") {
    if (next + 1 < words.size() && !words[next].text.starts_with('-'))
      evaluate_word(words[next], "trap", command, inner);
  } else if (name == "env") {
    for (std::size_t i = next; i < words.size(); ++i) {
      std::string_view text = words[i].text;
      if (text == "-S" || text == "--split-string") {
        if (i + 1 < words.size()) evaluate_word(words[i + 1], "env -S", command, inner);
        return;
      }
      const std::string_view option = text.starts_with("-S") ? "-S" : "--split-string=";
      if (!text.starts_with(option)) continue;
      return evaluate(text.substr(option.size()), command.offset, true, "env -S",
                      ShellNesting::evaluation, inner);
    }
  } else if (name == "xargs") {
    evaluate_xargs(command, program, inner);
  } else if (name == "find" || name == "fd" || name == "fdfind") {
    evaluate_exec(command, program, inner);
  } else if (name == "ssh" || name == "sshpass" || name == "rsh" || name == "dbclient") {
    evaluate_remote(command, program, inner);
  } else if (name == "at" || name == "batch") {
    evaluate_input(command, feed(), inner);
  } else if (is_interpreter(name) || is_one_of(name, {"awk", "gawk", "mawk", "nawk"})) {
    evaluate_program(command, program, inner);
  } else if (starts_elsewhere(name)) {
    for (std::size_t i = next; i < words.size(); ++i) {
      if (is_shell(base_name(words[i].text)) && words[i - 1].text != "-s" &&
          words[i - 1].text != "--shell")
        return evaluate_shell(command, i, inner);
    }
    evaluate_option(command, program, inner);
  } else {
    // A shell by another name: /opt/server -c 'commands'.
    for (std::size_t i = next; i + 1 < words.size() && i < next + 3; ++i) {
      if (words[i].text == "-c" || words[i].text == "-lc" || words[i].text == "-ic") {
        if (words[i + 1].text.find(' ') != std::string::npos) evaluate_word(words[i + 1], std::string(name) + " -c", command, inner);
        return;
      }
    }
  }
}

// sh -c text, sh -s < text, sh <(...)
void Parser::evaluate_shell(const ShellCommand& command, std::size_t program, Inner& inner) {
  const auto& words = command.words;
  bool runs_text = false, reads_input = false;
  std::size_t i = program + 1;
  for (; i < words.size(); ++i) {
    const std::string_view word = words[i].text;
    if (word.empty() && !words[i].is_static && !runs_text && i + 1 < words.size()) {
      const std::string_view following = words[i + 1].text;
      if (following.starts_with('-')) continue;  // sh $options -c text
    }
    if (word == "-" || word == "--") {
      ++i;
      break;
    }
    if (word.size() < 2 || (word[0] != '-' && word[0] != '+')) break;
    if (word.starts_with("--")) {
      if (word == "--rcfile" || word == "--init-file") ++i;
      continue;
    }
    runs_text |= has_letter(word, 'c');
    reads_input |= has_letter(word, 's');
    if (word.back() == 'o' || word.back() == 'O') ++i;
  }
  if (runs_text || reads_input) {
    // The words behind are the arguments of what runs; for -c the first is its name.
    auto saved = std::pair{state_.positional, state_.self};
    const std::size_t name = runs_text ? i + 1 : i;
    if (!state_.spend_on(words)) return;
    state_.positional.emplace();
    state_.self.reset();
    if (runs_text && name < words.size()) state_.self = words[name];
    for (std::size_t word = runs_text ? name + 1 : name; word < words.size(); ++word)
      state_.positional->push_back(words[word]);
    if (!runs_text) {
      evaluate_input(command, feed(), inner);
    } else if (i < words.size()) {
      evaluate_word(words[i], std::string(base_name(words[program].text)) + " -c", command, inner);
    }
    state_.positional = std::move(saved.first);
    state_.self = std::move(saved.second);
    return;
  }
  if (i < words.size() && !is_standard_input(words[i].text)) {
    if (!words[i].is_static) {
      evaluate_processes(command, inner);
    } else {
      run_file(command, i, std::string(words[i].text), inner);
    }
    return;
  }
  evaluate_input(command, feed(), inner);
}

// su -c text, script -c text, watch text, flock file command
void Parser::evaluate_option(const ShellCommand& command, std::size_t program, Inner& inner) {
  const auto& words = command.words;
  const std::string_view name = base_name(words[program].text);
  if (is_one_of(name, {"su", "runuser", "script", "flock"})) {
    for (std::size_t i = program + 1; i + 1 < words.size(); ++i) {
      const std::string_view word = words[i].text;
      if (word == "--command" || (has_letter(word, 'c') && word.back() == 'c')) {
        return evaluate_word(words[i + 1], std::string(name) + " -c", command, inner);
      }
    }
    for (std::size_t i = program + 1; i < words.size(); ++i) {
      const std::string_view word = words[i].text;
      if (!word.starts_with("--command=")) continue;
      return evaluate(word.substr(10), command.offset, true, std::string(name) + " -c",
                      ShellNesting::evaluation, inner);
    }
  }
  // The first word that is no option, nor the value of one.
  std::size_t i = program + 1;
  for (; i < words.size() && words[i].text.starts_with('-'); ++i) {
    if (words[i].text == (name == "watch" ? "-n" : "-w") || words[i].text == "-E") ++i;
  }
  if (name == "watch") {
    std::string text;
    for (; i < words.size(); ++i) text += words[i].text + ' ';
    evaluate(text, command.offset, true, "watch", ShellNesting::evaluation, inner);
  } else if (name == "flock") {
    if (i + 1 < words.size()) {
      evaluate_words({words.begin() + static_cast<std::ptrdiff_t>(i) + 1, words.end()}, "flock",
                     command, inner);
    }
  } else if (name == "tmux" || name == "screen") {
    if (words.size() > program + 2 && words.back().text.find(' ') != std::string::npos)
      evaluate_word(words.back(), std::string(name), command, inner);
  } else if (is_one_of(name, {"su", "runuser", "chroot", "nsenter", "unshare"})) {
    evaluate_input(command, feed(), inner);  // they start a shell when they are told nothing else
  }
}

// find -exec command {} ;
void Parser::evaluate_exec(const ShellCommand& command, std::size_t program, Inner& inner) {
  const auto& words = command.words;
  for (std::size_t i = program + 1; i < words.size(); ++i) {
    if (!is_one_of(words[i].text, {"-exec", "-execdir", "-ok", "-okdir", "-x", "-X", "--exec"}))
      continue;
    std::vector<ShellWord> inside;
    for (++i; i < words.size() && words[i].text != ";" && words[i].text != "+"; ++i)
      inside.push_back(words[i]);
    evaluate_words(inside, "find -exec", command, inner);
  }
}

// xargs command: with what it reads as arguments.
void Parser::evaluate_xargs(const ShellCommand& command, std::size_t program, Inner& inner) {
  const auto& words = command.words;
  std::string replaced;
  std::size_t i = program + 1;
  for (; i < words.size() && words[i].text.starts_with('-'); ++i) {
    const std::string& option = words[i].text;
    if (option == "-I" || option == "-J") {
      if (++i < words.size()) replaced = words[i].text;
    } else if (option.starts_with("-I")) {
      replaced = option.substr(2);
    } else if (option.starts_with("-i") || option == "--replace") {
      replaced = option.size() > 2 && option[1] != '-' ? option.substr(2) : "{}";
    } else if (option.starts_with("--replace=")) {
      replaced = option.substr(10);
    } else if (option.size() == 2 &&
               std::string_view("nPLsdEa").find(option[1]) != std::string_view::npos) {
      ++i;
    }
  }
  if (i >= words.size()) return;
  std::vector<ShellWord> inside(words.begin() + static_cast<std::ptrdiff_t>(i), words.end());
  const Output input = input_of(command, feed());
  if (!replaced.empty()) {
    std::vector<std::string_view> lines = split(input.text, "\n");
    if (lines.empty()) lines.emplace_back();
    if (lines.size() > lines_limit) {
      lines.resize(lines_limit);
      state_.script.cut = true;
    }
    for (const std::string_view line : lines) {
      std::vector<ShellWord> filled = inside;
      for (ShellWord& word : filled) {
        const auto before = word.text.size();
        if (word.text.find(replaced) == std::string::npos) continue;
        if (!state_.spend(before * (line.size() + 1))) return;
        replace_all(word.text, replaced, line);
        word.origin = state_.origins.join(word.origin, input.origin);
        if (!input.known) word.is_static = false;
      }
      evaluate_words(filled, "xargs", command, inner);
    }
    return;
  }
  for (const std::string_view part : split(input.text, " \t\n\r")) {
    if (!state_.spend(part.size() + 64)) return;
    inside.emplace_back().text = part;
    inside.back().is_static = input.known;
    inside.back().origin = input.origin;
  }
  evaluate_words(inside, "xargs", command, inner);
}

// ssh host command
void Parser::evaluate_remote(const ShellCommand& command, std::size_t program, Inner& inner) {
  const auto& words = command.words;
  std::size_t i = program + 1;
  if (base_name(words[program].text) == "sshpass") {
    while (i < words.size() && base_name(words[i].text) != "ssh") ++i;
    ++i;
  }
  for (; i < words.size() && words[i].text.starts_with('-'); ++i) {
    const std::string& option = words[i].text;
    if (option.size() == 2 &&
        std::string_view("BbcDEeFIiJLlmOopQRSWwy").find(option[1]) != std::string_view::npos)
      ++i;
  }
  ++i;  // the host
  if (i >= words.size()) return evaluate_input(command, feed(), inner);
  if (i + 1 == words.size()) return evaluate_word(words[i], "ssh", command, inner);
  std::string text;
  for (; i < words.size(); ++i) text += words[i].text + ' ';
  evaluate(text, command.offset, true, "ssh", ShellNesting::evaluation, inner);
}

// python3 -c code, perl -e code, awk program, python3 <<E: the commands that the code runs.
void Parser::evaluate_program(const ShellCommand& command, std::size_t program, Inner& inner) {
  const auto& words = command.words;
  const std::string_view name = base_name(words[program].text);
  bool any = false;
  for (std::size_t i = program + 1; i < words.size(); ++i) {
    any |= !words[i].text.starts_with('-');
    if (words[i].text.size() >= 8) evaluate_code(words[i].text, command, name, words[i].origin, inner);
  }
  if (any) return;
  const Output input = input_of(command, feed());
  evaluate_code(input.text, command, name, input.origin, inner);
}

void Parser::evaluate_code(std::string_view code, const ShellCommand& command, std::string_view program, std::uint32_t origin, Inner& inner) {
  constexpr std::size_t code_limit = 64 << 10;
  if (code.find_first_of("(`\"'{") == std::string_view::npos || code.size() > code_limit || !state_.spend(code.size())) return;
  const std::string copy(code);  // what is evaluated may move the words
  const std::string step(program);
  const auto variable = [&](std::string_view name) -> std::optional<std::string> {
    const auto known = state_.variables.find(name);
    if (known == state_.variables.end() || known->second.items.empty() || !known->second.items.front().is_static) return std::nullopt;
    return known->second.items.front().text;
  };
  for (const CodeCommand& inside : code_commands(copy, variable)) {
    std::uint32_t way = origin;
    for (const std::string& name : inside.variables) {
      const auto known = state_.variables.find(name);
      if (known != state_.variables.end() && !known->second.items.empty()) way = state_.origins.join(way, known->second.items.front().origin);
    }
    evaluate(inside.text, command.offset, true, step, ShellNesting::evaluation, inner, way);
  }
}

// --- input

Output Parser::input_of(const ShellCommand& command, std::size_t feed) {
  for (auto redirection = command.redirections.rbegin(); redirection != command.redirections.rend();
       ++redirection) {
    if (!feeds_input(*redirection)) continue;
    const ShellWord& target = redirection->target;
    if (redirection->operation.starts_with("<<"))
      return {target.text, target.is_static, target.origin};
    if (redirection->operation == "<" && target.is_static)
      return state_.read_file(target.text).value_or(Output{});
    return {};
  }
  if (feed == ShellCommand::no_command) return {};
  return state_.output(feed);
}

void Parser::evaluate_input(const ShellCommand& command, std::size_t feed, Inner& inner) {
  const std::size_t program = program_word(command);
  std::string step(program < command.words.size() ? base_name(command.words[program].text)
                                                  : std::string_view("|"));
  for (auto redirection = command.redirections.rbegin(); redirection != command.redirections.rend();
       ++redirection) {
    if (!feeds_input(*redirection)) continue;
    if (redirection->operation.starts_with("<<"))
      return evaluate_word(redirection->target, std::move(step), command, inner);
    if (!redirection->target.is_static) {
      evaluate_processes(command, inner);
      return;
    }
    break;
  }
  const Output input = input_of(command, feed);
  evaluate(input.text, command.offset, true, std::move(step), ShellNesting::evaluation, inner,
           input.origin);
}

// Runs what the process substitutions of the command give.
bool Parser::evaluate_processes(const ShellCommand& command, Inner& inner) {
  Inner processes;
  for (const std::size_t i : inner) {
    if (state_.script.commands[i].nesting == ShellNesting::process) processes.push_back(i);
  }
  const Output output = output_of(processes, 0);
  const std::size_t program = program_word(command);
  evaluate(output.text, command.offset, true,
           std::string(program < command.words.size() ? base_name(command.words[program].text)
                                                      : std::string_view("<()")),
           ShellNesting::evaluation, inner, output.origin);
  return !output.text.empty();
}

// --- builtins

void Parser::run_builtin(const ShellCommand& command, std::size_t program) {
  const auto& words = command.words;
  const std::string_view name = words[program].text;
  const std::size_t next = program + 1;
  if (name == "set") {
    for (std::size_t i = next; i < words.size() && words[i].text.starts_with('-'); ++i)
      state_.export_all |= has_letter(words[i].text, 'a');
    std::size_t i = next;
    while (i < words.size() && words[i].text != "--" &&
           (words[i].text.starts_with('-') || words[i].text.starts_with('+')))
      i += words[i].text == "-o" || words[i].text == "+o" ? 2 : 1;
    if (i >= words.size()) return;
    if (words[i].text == "--") ++i;
    if (!state_.spend_on(words)) return;
    if (state_.conditional > 0 && state_.positional && !state_.positional->empty()) {
      state_.script.branches = true;
      if (state_.environment != nullptr && state_.environment->keep_values) return;
    }
    state_.positional.emplace(words.begin() + static_cast<std::ptrdiff_t>(i), words.end());
  } else if (name == "export" || name == "declare" || name == "typeset") {
    bool exports = name == "export";
    for (std::size_t i = next; i < words.size(); ++i) {
      const std::string_view word = words[i].text;
      exports |= has_letter(word, 'x');
      const auto variable = state_.variables.find(word.substr(0, word.find('=')));
      if (exports && variable != state_.variables.end()) variable->second.exported = true;
    }
  } else if (name == "alias") {
    for (std::size_t i = next; i < words.size(); ++i) {
      const auto equals = words[i].text.find('=');
      if (equals == std::string::npos || equals == 0 || state_.functions.size() >= 1024) continue;
      if (!state_.spend(words[i].text.size() + 64)) return;
      Function& function = state_.functions[words[i].text.substr(0, equals)];
      function.body = words[i].text.substr(equals + 1) + " \"$@\"";
      function.fixed = true;
    }
  } else if (name == "shift") {
    if (!state_.positional) return;
    auto& positional = *state_.positional;
    const auto count = next < words.size() ? leading_number(words[next].text, positional.size())
                                           : std::optional<std::size_t>(1);
    const std::size_t taken = std::min(count.value_or(0), positional.size());
    if (!state_.spend(positional.size())) return;
    positional.erase(positional.begin(), positional.begin() + static_cast<std::ptrdiff_t>(taken));
  } else if (name == "unset") {
    for (std::size_t i = next; i < words.size(); ++i) {
      const auto variable = state_.variables.find(words[i].text);
      if (variable != state_.variables.end()) state_.variables.erase(variable);
    }
  } else if (name == "printf") {
    if (next + 2 >= words.size() || words[next].text != "-v") return;
    std::vector<std::string_view> arguments;
    ShellWord value;
    for (std::size_t i = next + 2; i < words.size(); ++i) {
      arguments.push_back(words[i].text);
      value.is_static &= words[i].is_static;
      value.origin = state_.origins.join(value.origin, words[i].origin);
    }
    const auto text = formatted(arguments);
    value.is_static &= text.has_value();
    value.text = text.value_or("");
    if (state_.spend(value.text.size() + 64)) state_.set(words[next + 1].text, std::move(value));
  } else if (name == "read" || name == "mapfile" || name == "readarray") {
    read_variables(command, program);
  }
}

void Parser::read_variables(const ShellCommand& command, std::size_t program) {
  const auto& words = command.words;
  const bool lines_of_array = words[program].text != "read";
  std::vector<std::string_view> names;
  bool array = lines_of_array;
  for (std::size_t i = program + 1; i < words.size(); ++i) {
    const std::string_view word = words[i].text;
    if (word.size() >= 2 && word[0] == '-') {
      if (word.back() == 'a') {
        array = true;
      } else if (std::string_view("dinNptuOCc").find(word.back()) != std::string_view::npos) {
        ++i;
      }
    } else if (!word.empty() && is_name_start(word[0]) &&
               std::all_of(word.begin(), word.end(), is_name)) {
      names.push_back(word);
    }
  }
  const Output input = input_of(command, feed());
  if (names.empty()) names.emplace_back(lines_of_array ? "MAPFILE" : "REPLY");
  if (!state_.spend(input.text.size() + 64 * names.size())) return;
  std::string_view text = input.text;
  while (text.ends_with('\n')) text.remove_suffix(1);
  const auto line_end = text.find('\n');
  bool known = input.known && (lines_of_array || line_end == std::string_view::npos);
  if (!lines_of_array) text = text.substr(0, line_end);
  const std::string separators(lines_of_array ? std::string_view("\n") : state_.separators());
  const auto word_of = [&](std::string_view value) {
    ShellWord word;
    word.text = value;
    word.is_static = known;
    word.origin = input.origin;
    return word;
  };
  if (array) {
    Variable variable;
    variable.is_array = true;
    for (const std::string_view part : split(text, separators)) {
      if (!state_.spend(part.size() + 64)) break;
      variable.items.push_back(word_of(part));
    }
    if (variable.items.empty()) variable.items.push_back(word_of(""));
    return state_.set(names.front(), std::move(variable));
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    text.remove_prefix(std::min(text.find_first_not_of(separators), text.size()));
    const auto end =
        i + 1 == names.size() ? text.size() : std::min(text.find_first_of(separators), text.size());
    state_.set(names[i], word_of(text.substr(0, end)));
    text.remove_prefix(end);
  }
}

}  // namespace lazaret::format::shell
