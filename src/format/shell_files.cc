// What outlives a command: files that a script writes, the folder it works in, functions, and where
// each value came from.
//
// Scripts hide text by writing it to a file and running the file, or by keeping it in another file
// of the image, a function or a variable of the environment. So the parser remembers what is
// written, reads what its environment gives, and says of each value which way it took.
#include <algorithm>

#include "format/service_config.h"
#include "format/shell_parser.h"

namespace lazaret::format {
namespace shell {
namespace {

constexpr std::size_t origin_limit = 1 << 14, steps_limit = 12;
constexpr std::size_t group_limit = 512;
constexpr std::size_t file_limit = 256, function_limit = 1024;
constexpr unsigned call_depth = 8;
// Without an environment scripts are read by the thousand: only what may hide something is called.
constexpr std::size_t function_body_limit = 4096;

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), text) != names.end();
}

bool is_stream(std::string_view path) {
  return path.empty() || path == "-" || path.starts_with("/dev/") || path.starts_with("/proc/");
}

bool writes(const ShellRedirection& redirection) {
  return redirection.fd <= 1 && redirection.fd != 0 &&
         is_one_of(redirection.operation, {">", ">>", ">|", "&>", "&>>"});
}

bool is_user_table(std::string_view path) { return path.find("/spool/cron") != std::string_view::npos || path.find("/etc/crontabs/") != std::string_view::npos; }

// Below a prefix too: what matters is that some cron reads it.
bool is_cron_path(std::string_view path) {
  return path.find("/etc/cron.d/") != std::string_view::npos || path.ends_with("/etc/crontab") || is_user_table(path);
}

ShellWord word_of(const ShellValue& value, Origins& origins) {
  ShellWord word;
  word.text = value.text;
  word.is_static = value.is_static;
  word.origin = origins.add(value.origin);
  return word;
}

class Moment final : public ShellMoment {
 public:
  explicit Moment(const State& state) : state_(state) {}

  std::vector<std::pair<std::string, ShellValue>> variables(const ShellCommand& command,
                                                            bool all) const override {
    std::vector<std::pair<std::string, ShellValue>> result;
    for (const auto& [name, variable] : state_.variables) {
      if (variable.items.empty() || name == "IFS" || (!all && !variable.exported)) continue;
      result.emplace_back(name, value_of(variable.items.front()));
    }
    if (command.words.empty()) return result;
    for (const auto& assignment : command.assignments) {
      const auto known =
          std::find_if(result.begin(), result.end(), [&](const auto& other) {
            return other.first == assignment.first;
          });
      if (known != result.end()) {
        known->second = value_of(assignment.second);
      } else {
        result.emplace_back(assignment.first, value_of(assignment.second));
      }
    }
    return result;
  }
  std::string variable(std::string_view name) const override {
    const auto known = state_.variables.find(name);
    if (known == state_.variables.end() || known->second.items.empty()) return {};
    return known->second.items.front().text;
  }
  ShellValue value_of(const ShellWord& word) const override {
    return {word.text, word.is_static, state_.origins.steps(word.origin)};
  }
  const std::string& folder() const override { return state_.folder; }
  std::optional<std::vector<ShellValue>> arguments() const override {
    if (!state_.positional) return std::nullopt;
    std::vector<ShellValue> values;
    for (const ShellWord& word : *state_.positional) values.push_back(value_of(word));
    return values;
  }

 private:
  const State& state_;
};

}  // namespace

std::uint32_t Origins::add(std::uint32_t previous, std::string_view step) {
  if (steps_.size() >= origin_limit || steps(previous).size() >= steps_limit) return previous;
  if (previous != 0 && steps_[previous].step == step) return previous;
  steps_.push_back({std::string(step), previous});
  return static_cast<std::uint32_t>(steps_.size() - 1);
}

std::uint32_t Origins::add(const std::vector<std::string>& steps) {
  std::uint32_t origin = 0;
  for (const std::string& step : steps) origin = add(origin, step);
  return origin;
}

bool Origins::contains(std::uint32_t origin, std::uint32_t other) const {
  for (; origin != 0; origin = steps_[origin].previous) {
    if (origin == other) return true;
  }
  return false;
}

std::uint32_t Origins::join(std::uint32_t a, std::uint32_t b) {
  if (a == b || b == 0 || contains(a, b)) return a;
  if (a == 0 || contains(b, a)) return b;
  const std::vector<std::string> known = steps(a);
  for (const std::string& step : steps(b)) {
    if (std::find(known.begin(), known.end(), step) == known.end()) a = add(a, step);
  }
  return a;
}

std::vector<std::string> Origins::steps(std::uint32_t origin) const {
  std::vector<std::string> result;
  for (; origin != 0; origin = steps_[origin].previous) result.push_back(steps_[origin].step);
  std::reverse(result.begin(), result.end());
  return result;
}

// --- state

void State::prepare() {
  for (const auto& [name, value] : environment->variables) {
    if (variables.size() >= variable_limit || value.text.size() > value_limit) {
      script.cut = true;
      continue;
    }
    Variable& variable = variables[name];
    variable.items = {word_of(value, origins)};
    variable.exported = true;
  }
  if (environment->arguments) {
    positional.emplace();
    for (const ShellValue& value : *environment->arguments)
      positional->push_back(word_of(value, origins));
  }
  if (!environment->name.empty()) {
    self.emplace().text = environment->name;
    if (!environment->name.starts_with('-')) {
      Variable& source = variables["BASH_SOURCE"];
      source.items = {*self};
      source.is_array = true;
    }
  }
  folder = environment->folder;
}

std::optional<Output> State::read_file(std::string_view path) {
  if (is_stream(path) || path.size() > 4096) return std::nullopt;
  const std::string whole = absolute_path(folder, path);
  if (const auto own = files.find(whole); own != files.end()) {
    if (!spend(own->second.text.size())) return std::nullopt;
    return Output{own->second.text, own->second.is_static, origins.add(own->second.origin, whole)};
  }
  if (environment == nullptr || !environment->read_file) return std::nullopt;
  auto text = environment->read_file(whole);
  if (!text || !spend(text->size())) return std::nullopt;
  return Output{std::move(*text), true, origins.add(0, whole)};
}

Output State::output(std::size_t last, bool captured) {
  OutputContext context;
  context.decompress = decompress;
  context.origins = &origins;
  context.folder = &folder;
  if (!files.empty() || (environment != nullptr && environment->read_file))
    context.read_file = [this](std::string_view path) { return read_file(path); };
  return pipeline_output(script, last, context, work, script.cut, captured);
}

void State::write_file(std::string_view path, Output content, bool append) {
  if (is_stream(path) || path.size() > 4096 || path.find_first_of("*?") != std::string_view::npos)
    return;
  const std::string whole = absolute_path(folder, path);
  auto file = files.find(whole);
  if (file == files.end()) {
    if (files.size() >= file_limit) {
      script.cut = true;
      return;
    }
    file = files.emplace(whole, ShellWord{}).first;
    append = false;
  } else if (!append && conditional > 0) {
    script.branches = true;
    if (environment != nullptr && environment->keep_values) return;
  }
  if (!spend(content.text.size() + 64)) return;
  ShellWord& word = file->second;
  if (!append) {
    word.text = std::move(content.text);
    word.is_static = content.known;
    word.origin = content.origin;
  } else if (word.text.size() + content.text.size() <= value_limit) {
    word.text += content.text;
    word.is_static &= content.known;
    word.origin = origins.join(word.origin, content.origin);
  }
}

// --- functions and files that run

void Parser::define(std::string name, std::size_t begin) {
  if (name.empty() || name.size() > 256 || state_.functions.size() >= function_limit) return;
  const std::size_t end = std::min(at_, text_.size());
  if (begin >= end || end - begin > value_limit || !state_.spend(end - begin)) return;
  Function& function = state_.functions[name];
  function.body = text_.substr(begin, end - begin);
  function.base = position(begin);
  function.fixed = fixed_ || state_.sourced > 0;
}

// Runs a function of the script, or a file that it wrote. False when the command is neither.
bool Parser::call(const ShellCommand& command, std::size_t program, Inner& inner) {
  const ShellWord& word = command.words[program];
  if (!word.is_static || word.text.empty()) return false;
  const auto known = state_.functions.find(word.text);
  if (known == state_.functions.end())
    return word.text.find('/') != std::string::npos &&
           run_file(command, program, std::string(word.text), inner);
  if (state_.calls >= call_depth) return true;
  if (state_.environment == nullptr && (known->second.body.size() > function_body_limit ||
                                        known->second.body.find('$') == std::string::npos))
    return true;
  if (!state_.spend(2 * known->second.body.size()) || !state_.spend_on(command.words)) return true;
  const Function function = known->second;
  auto saved = state_.positional;
  state_.positional.emplace(command.words.begin() + static_cast<std::ptrdiff_t>(program) + 1,
                            command.words.end());
  ++state_.calls;
  const bool fixed = function.fixed;
  evaluate(function.body, fixed ? command.offset : function.base, fixed, word.text + "()",
           ShellNesting::evaluation, inner, word.origin);
  --state_.calls;
  state_.positional = std::move(saved);
  return true;
}

// words[file] is a file that the script wrote, and that runs with the words behind it.
bool Parser::run_file(const ShellCommand& command, std::size_t file, std::string step,
                      Inner& inner) {
  const ShellWord& word = command.words[file];
  if (!word.is_static || state_.files.empty() || is_stream(word.text)) return false;
  const auto known = state_.files.find(absolute_path(state_.folder, word.text));
  if (known == state_.files.end() || state_.calls >= call_depth) return false;
  const ShellWord content = known->second;
  if (!state_.spend(content.text.size()) || !state_.spend_on(command.words)) return true;
  auto saved = state_.positional;
  state_.positional.emplace(command.words.begin() + static_cast<std::ptrdiff_t>(file) + 1,
                            command.words.end());
  ++state_.calls;
  evaluate(content.text, command.offset, true, std::move(step), ShellNesting::evaluation, inner,
           content.origin);
  --state_.calls;
  state_.positional = std::move(saved);
  return true;
}

// `. file`: of a file that the script did not write only the effect is wanted here (variables,
// functions), since whoever gives the environment follows the file itself.
void Parser::source_file(const ShellCommand& command, std::size_t file, Inner& inner) {
  const ShellWord& word = command.words[file];
  if (run_file(command, file, std::string(word.text), inner)) return;
  if (state_.environment == nullptr || state_.sourced >= call_depth) return;
  std::string path = word.text;
  const auto content = state_.read_file(path);
  if (!content) return;
  std::optional<std::vector<ShellWord>> saved;
  if (file + 1 < command.words.size()) {
    saved = state_.positional;
    state_.positional.emplace(command.words.begin() + static_cast<std::ptrdiff_t>(file) + 1,
                              command.words.end());
  }
  const std::size_t first = state_.script.commands.size();
  const std::uint32_t origin = state_.file_origin;
  state_.file_origin = content->origin;
  ++state_.sourced;
  Inner unused;
  evaluate(content->text, command.offset, true, std::move(path), ShellNesting::evaluation, unused);
  --state_.sourced;
  state_.file_origin = origin;
  state_.script.commands.resize(first);
  if (saved) state_.positional = std::move(saved);
}

void Parser::write_files(const std::vector<ShellRedirection>& redirections, const Output& output) {
  for (const ShellRedirection& redirection : redirections) {
    if (writes(redirection) && redirection.target.is_static)
      state_.write_file(redirection.target.text, output, redirection.operation.ends_with(">>"));
  }
}

// { a; b; } > file: what all of its commands print.
void Parser::write_group(std::size_t first, std::size_t end, const std::vector<ShellRedirection>& redirections) {
  if (!std::any_of(redirections.begin(), redirections.end(), writes)) return;
  const auto& commands = state_.script.commands;
  std::vector<std::size_t> members;
  for (std::size_t i = first; i < end && i < commands.size(); ++i) {
    if (commands[i].nesting == ShellNesting::none) members.push_back(i);
  }
  if (members.size() > group_limit) return;
  Output all{"", true, 0};
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (i + 1 < members.size() && commands[members[i + 1]].pipeline == commands[members[i]].pipeline) continue;
    const Output part = state_.output(members[i], true);
    all.text += part.text;
    all.known &= part.known;
    all.origin = state_.origins.join(all.origin, part.origin);
  }
  write_files(redirections, all);
}

// The jobs of a table that the command gives to cron.
void Parser::run_jobs(std::size_t index, const Output& table, bool has_user) {
  if (table.text.empty() || state_.sourced > 0) return;
  const std::uint64_t offset = state_.script.commands[index].offset;
  for (const ServiceCommand& job : cron_commands(table.text, has_user)) {
    Inner inner;
    evaluate(job.text, offset, true, "written job", ShellNesting::evaluation, inner, table.origin);
    for (const std::size_t i : inner) state_.script.commands[i].outer = index;
  }
}

void Parser::after(std::size_t index, std::size_t program) {
  const ShellEnvironment* environment = state_.environment;
  if (environment != nullptr && environment->on_command && state_.sourced == 0)
    environment->on_command(state_.script.commands[index], Moment(state_));
  // A copy: what is evaluated below may move the commands.
  const bool writes_any = std::any_of(state_.script.commands[index].redirections.begin(), state_.script.commands[index].redirections.end(), writes);
  if (program >= state_.script.commands[index].words.size() && !writes_any) return;
  if (!state_.spend_on(state_.script.commands[index].words)) return;
  const ShellCommand command = state_.script.commands[index];
  if (writes_any) {
    const Output output = state_.output(index, true);
    write_files(command.redirections, output);
    for (const ShellRedirection& redirection : command.redirections) {
      if (writes(redirection) && is_cron_path(redirection.target.text)) run_jobs(index, output, !is_user_table(redirection.target.text));
    }
  }
  const auto& words = command.words;
  if (program >= words.size()) return;
  const std::string_view name = base_name(words[program].text);
  const std::size_t next = program + 1;
  if (name == "cd" || name == "pushd") {
    if (next < words.size() && words[next].is_static && words[next].text != "-")
      state_.folder = absolute_path(state_.folder, words[next].text);
  } else if (name == "tee") {
    bool append = false;
    for (std::size_t i = next; i < words.size(); ++i) {
      append |= words[i].text == "-a" || words[i].text == "--append";
      if (words[i].text.starts_with('-')) continue;
      const Output output = state_.output(index, true);
      if (words[i].is_static) state_.write_file(words[i].text, output, append);
      if (is_cron_path(words[i].text)) run_jobs(index, output, !is_user_table(words[i].text));
    }
  } else if (name == "crontab") {
    const bool reads = words.size() == next || words.back().text == "-" || words.back().text == "/dev/stdin";
    if (reads) {
      run_jobs(index, input_of(command, command.previous), false);
    } else if (!words.back().text.starts_with('-')) {
      if (const auto table = state_.read_file(words.back().text)) run_jobs(index, *table, false);
    }
  } else if (is_one_of(name, {"cp", "mv", "ln", "install"}) && words.size() > next + 1) {
    const ShellWord& from = words[words.size() - 2];
    const ShellWord& to = words.back();
    if (!from.is_static || !to.is_static || from.text.starts_with('-')) return;
    if (auto content = state_.read_file(from.text)) {
      const std::string target =
          to.text.ends_with('/') ? to.text + std::string(base_name(from.text)) : to.text;
      state_.write_file(target, std::move(*content), false);
    }
  }
}

}  // namespace shell

std::string absolute_path(std::string_view folder, std::string_view path) {
  std::string whole = path.starts_with('/') ? std::string() : std::string(folder) + '/';
  whole += path;
  std::string result;
  for (std::size_t at = 0; at < whole.size();) {
    const std::size_t end = std::min(whole.find('/', at), whole.size());
    const std::string_view part = std::string_view(whole).substr(at, end - at);
    at = end + 1;
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      const auto slash = result.rfind('/');
      result.resize(slash == std::string::npos ? 0 : slash);
      continue;
    }
    (result += '/') += part;
  }
  return result.empty() ? "/" : result;
}

std::vector<std::string> origin_steps(const ShellScript& script, std::uint32_t origin) {
  std::vector<std::string> result;
  for (; origin != 0 && origin < script.origins.size(); origin = script.origins[origin].previous)
    result.push_back(script.origins[origin].step);
  std::reverse(result.begin(), result.end());
  return result;
}

}  // namespace lazaret::format
