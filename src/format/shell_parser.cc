// Lists, pipelines, groups and simple commands of the shell (IEEE 1003.1, chapter 2.9, 2.10).
//
// The grammar is followed only as far as it says which words are commands and what feeds them. A
// fragment (one line of a script, a crontab, a Dockerfile) parses as well as a whole script: a
// closing word without its opening one is skipped, and a group that is not closed ends with the
// text. Nesting beyond the limit is read flat, so that commands in it are listed all the same.
#include "format/shell_parser.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <unordered_map>

namespace lazaret::format {
namespace shell {
namespace {

constexpr std::array<std::string_view, 5> declarations = {"export", "local", "declare", "typeset",
                                                          "readonly"};

// The stream that a redirection changes when it names none.
int stream_of(const ShellRedirection& redirection) {
  if (redirection.fd >= 0) return redirection.fd;
  return redirection.operation.starts_with('<') ? 0 : 1;
}

}  // namespace

bool Parser::looking_at_word(std::string_view what) const {
  if (!looking_at(what)) return false;
  const std::size_t end = at_ + what.size();
  return end >= text_.size() || ends_word(text_[end]) || text_[end] == '\r';
}

void Parser::skip_blanks() {
  for (;;) {
    if (is_blank(peek())) {
      ++at_;
    } else if (peek() == '\\' && peek(1) == '\n') {
      at_ += 2;
    } else if (peek() == '\\' && peek(1) == '\r' && peek(2) == '\n') {
      at_ += 3;
    } else if (peek() == '\r' && (peek(1) == '\n' || at_ + 1 == text_.size())) {
      ++at_;
    } else if (peek() == '#') {
      at_ = std::min(text_.find('\n', at_), text_.size());
    } else {
      return;
    }
  }
}

// Over a line's end and the here-documents that follow the line.
void Parser::skip_line_end() {
  ++at_;
  at_ = std::max(at_, here_end_);
}

void Parser::skip_lines() {
  for (skip_blanks(); peek() == '\n'; skip_blanks()) skip_line_end();
}

// --- lists

bool Parser::closes(Closer closer) {
  const auto word = [&](std::string_view what) {
    if (!looking_at_word(what)) return false;
    at_ += what.size();
    return true;
  };
  switch (closer) {
    case Closer::brace:
      return word("}");
    case Closer::fi:
      return word("fi");
    case Closer::done:
      return word("done");
    case Closer::case_item:
      return looking_at_word("esac");
    case Closer::none:
    case Closer::parenthesis:
      return false;
  }
  return false;
}

// Words that only structure, and closing ones that close nothing.
bool Parser::skip_keyword() {
  for (const std::string_view word :
       {"then", "else", "elif", "do", "!", "time", "coproc", "fi", "done", "esac", "}"}) {
    if (!looking_at_word(word)) continue;
    at_ += word.size();
    return true;
  }
  return false;
}

// Commands up to the closer, which is stepped over unless it is a parenthesis or `esac`.
void Parser::list(Closer closer) {
  ShellConnector connector = ShellConnector::sequence;
  while (!state_.stopped) {
    skip_blanks();
    if (at_end()) return;
    const char c = peek();
    if (c == '\n') {
      skip_line_end();
      continue;
    }
    if (c == ')') {
      if (parentheses_ > 0) return;
      ++at_;
      continue;
    }
    if (c == ';') {
      const bool item_ends = peek(1) == ';' || peek(1) == '&';
      at_ += item_ends ? 2 : 1;
      if (item_ends && closer == Closer::case_item) {
        if (peek() == '&') ++at_;
        return;
      }
      connector = ShellConnector::sequence;
      continue;
    }
    if (c == '&' && peek(1) != '>') {
      const bool both = peek(1) == '&';
      connector = both ? ShellConnector::and_if : ShellConnector::background;
      at_ += both ? 2 : 1;
      continue;
    }
    if (c == '|') {
      const bool both = peek(1) == '|';
      if (both) connector = ShellConnector::or_if;
      at_ += both ? 2 : 1;
      continue;
    }
    if (closes(closer)) return;
    if (skip_keyword()) continue;
    const std::size_t before = at_;
    pipeline(connector);
    connector = ShellConnector::sequence;
    if (at_ == before) ++at_;  // nothing could be read: step over it
  }
}

void Parser::pipeline(ShellConnector connector) {
  const auto saved = std::array{pipeline_, stage_, last_};
  pipeline_ = ++state_.pipelines;
  stage_ = 0;
  last_ = ShellCommand::no_command;
  for (;;) {
    const std::size_t first = state_.script.commands.size(), feeder = feeder_;
    feeder_ = feed();
    // && and || make what follows depend on what went before, as do the stages of a pipeline.
    const bool depends =
        connector == ShellConnector::and_if || connector == ShellConnector::or_if;
    state_.conditional += depends;
    const bool group = command(connector);
    state_.conditional -= depends;
    feeder_ = feeder;
    skip_blanks();
    const bool piped = peek() == '|' && peek(1) != '|';
    if (group && (piped || stage_ > 0)) join(first);
    if (!piped) break;
    ++at_;
    if (peek() == '&') ++at_;
    skip_lines();
    ++stage_;
    if (at_end() || state_.stopped) break;
  }
  pipeline_ = saved[0];
  stage_ = saved[1];
  last_ = saved[2];
}

// A group is part of a pipeline: so are its commands.
void Parser::join(std::size_t first) {
  auto& commands = state_.script.commands;
  std::unordered_map<std::size_t, std::size_t> stages;
  std::size_t most = 1;
  for (std::size_t i = first; i < commands.size(); ++i) {
    if (commands[i].nesting != ShellNesting::none) continue;
    std::size_t& count = stages[commands[i].pipeline];
    count = std::max(count, commands[i].stage + 1);
    most = std::max(most, count);
  }
  for (std::size_t i = first; i < commands.size(); ++i) {
    ShellCommand& command = commands[i];
    if (command.nesting != ShellNesting::none) continue;
    // The last stages of the group's own pipelines all feed what follows the group.
    command.stage += stage_ + most - stages[command.pipeline];
    command.pipeline = pipeline_;
    command.previous = last_;
    last_ = i;
  }
  stage_ += most - 1;
}

bool Parser::command(ShellConnector connector) {
  for (;;) {
    skip_lines();
    if (at_end()) return false;
    const std::size_t first = state_.script.commands.size(), begin = at_;
    std::string function = std::move(function_);
    function_.clear();
    state_.conditional += !function.empty();
    const bool group = compound();
    state_.conditional -= !function.empty();
    if (group) {
      if (!function.empty()) define(std::move(function), begin);
      give_redirections(first);
      return true;
    }
    if (skip_keyword()) continue;
    if (looking_at_word("function")) {
      at_ += 8;
      skip_blanks();
      const std::size_t name = at_;
      while (!at_end() && !ends_word(peek())) ++at_;
      function_ = text_.substr(name, at_ - name);
      skip_blanks();
      if (peek() == '(' && peek(1) == ')') at_ += 2;
      continue;
    }
    if (simple(connector)) return false;
  }
}

// --- groups

void Parser::body(Closer closer) {
  const std::size_t feeder = feeder_;
  ++nesting_;
  if (closer == Closer::parenthesis) ++parentheses_;
  list(closer);
  if (closer == Closer::parenthesis) {
    --parentheses_;
    if (peek() == ')') ++at_;
  }
  --nesting_;
  feeder_ = feeder;
}

// True when a group was read.
bool Parser::compound() {
  const auto opens = [&](std::string_view word) {
    if (!looking_at_word(word)) return false;
    at_ += word.size();
    if (!too_deep()) return true;
    state_.script.cut = true;
    return false;
  };
  if (peek() == '(') {
    if (peek(1) == '(' && arithmetic_command()) return true;
    ++at_;
    if (too_deep()) {
      state_.script.cut = true;
      return true;
    }
    const std::string folder = state_.folder;
    body(Closer::parenthesis);
    state_.folder = folder;
    return true;
  }
  const std::size_t begin = at_;
  if (opens("{")) {
    body(Closer::brace);
  } else if (opens("if")) {
    ++state_.conditional;
    body(Closer::fi);
    --state_.conditional;
  } else if (opens("while") || opens("until")) {
    ++state_.conditional;
    body(Closer::done);
    --state_.conditional;
  } else if (opens("for") || opens("select")) {
    loop();
  } else if (opens("case")) {
    ++state_.conditional;
    case_items();
    --state_.conditional;
  } else {
    return at_ != begin;  // the limit: its commands are read without it
  }
  return true;
}

// A loop over a list that is known builds its values step by step: s="$s$(printf "\\x$c")". Its commands are those of one reading of the body; what the
// body leaves in variables comes from a reading for each item.
void Parser::loop() {
  std::string name;
  std::vector<ShellWord> values;
  loop_head(name, values);
  const bool steps = values.size() > 1 && values.size() <= iteration_limit && !name.empty() &&
                     std::all_of(values.begin(), values.end(), [](const ShellWord& value) { return value.is_static && !value.glob; }) &&
                     state_.spend(64 * state_.variables.size());
  auto variables = steps ? state_.variables : std::map<std::string, Variable, std::less<>>();
  const std::size_t begin = at_;
  body(Closer::done);
  const std::string_view text = text_.substr(begin, std::min(at_, text_.size()) - begin);
  if (!steps || text.find('=') == std::string_view::npos) return;
  state_.variables = std::move(variables);
  const std::size_t first = state_.script.commands.size();
  ++state_.sourced;
  for (const ShellWord& value : values) {
    state_.set(name, value);
    Inner unused;
    evaluate(text, position(begin), true, "for", ShellNesting::evaluation, unused);
    state_.script.commands.resize(std::min(first, state_.script.commands.size()));
  }
  --state_.sourced;
}

// "name in words" or "((...))" of a loop.
void Parser::loop_head(std::string& variable, std::vector<ShellWord>& values) {
  const std::size_t begin = at_;
  Inner inner;
  skip_blanks();
  if (peek() == '(') {
    arithmetic_command();
    return;
  }
  const std::size_t name_begin = at_;
  while (!at_end() && is_name(peek())) ++at_;
  const std::string_view name = text_.substr(name_begin, at_ - name_begin);
  skip_lines();
  Fields fields(state_, true, position(at_));
  const bool listed = looking_at_word("in");
  if (listed) {
    at_ += 2;
    for (;;) {
      skip_blanks();
      if (at_end() || ends_word(peek())) break;
      const std::size_t before = at_;
      read_word(fields, inner);
      fields.next();
      if (at_ == before) break;
    }
  }
  // One value is certain; of several each is meant, one after the other.
  values = fields.take();
  variable = name;
  ShellWord value;
  value.is_static = listed && values.size() == 1;
  for (const ShellWord& item : values) {
    if (!value.text.empty()) value.text += ' ';
    value.text += item.text;
    value.is_static &= item.is_static;
    value.origin = state_.origins.join(value.origin, item.origin);
  }
  if (!name.empty()) state_.set(name, std::move(value));
  add_outer(inner, begin);
}

void Parser::case_items() {
  const std::size_t begin = at_;
  Inner inner;
  skip_blanks();
  read_value(inner);
  add_outer(inner, begin);
  skip_lines();
  if (looking_at_word("in")) at_ += 2;
  ++nesting_;
  while (!at_end() && !state_.stopped) {
    skip_lines();
    if (looking_at_word("esac")) {
      at_ += 4;
      break;
    }
    const std::size_t before = at_;
    if (peek() == '(') ++at_;
    // pattern | pattern )
    for (;;) {
      skip_blanks();
      const char c = peek();
      if (at_end() || c == '\n' || c == ';' || c == '&') break;
      if (c == ')') {
        ++at_;
        break;
      }
      const std::size_t pattern = at_;
      Inner in_pattern;
      read_value(in_pattern);
      add_outer(in_pattern, pattern);
      if (at_ == pattern) ++at_;
    }
    list(Closer::case_item);
    if (at_ == before || (peek() == ')' && parentheses_ > 0)) break;
  }
  --nesting_;
}

// ((...)): only the substitutions in it matter. False when it is a subshell in a subshell.
bool Parser::arithmetic_command() {
  const auto outside = closing_parenthesis(at_), inside = closing_parenthesis(at_ + 1);
  if (!outside || !inside || *inside + 1 != *outside) return false;
  Inner inner;
  const std::size_t begin = at_;
  number(text_.substr(at_ + 2, *inside - at_ - 2), inner);
  at_ = *outside + 1;
  add_outer(inner, begin);
  return true;
}

// What redirects a group redirects each command in it.
void Parser::give_redirections(std::size_t first) {
  std::vector<ShellRedirection> redirections;
  Inner inner;
  const std::size_t end = state_.script.commands.size();
  for (skip_blanks(); redirection(redirections, inner); skip_blanks()) {
  }
  if (redirections.empty()) return;
  auto& commands = state_.script.commands;
  std::size_t any = ShellCommand::no_command;
  for (std::size_t i = first; i < end && i < commands.size(); ++i) {
    if (commands[i].nesting != ShellNesting::none) continue;
    any = i;
    std::vector<ShellRedirection> all;
    for (const ShellRedirection& redirection : redirections) {
      const auto& own = commands[i].redirections;
      const bool replaced = std::any_of(own.begin(), own.end(), [&](const ShellRedirection& other) {
        return stream_of(other) == stream_of(redirection);
      });
      if (!replaced && state_.spend(redirection.target.text.size() + 64))
        all.push_back(redirection);
    }
    if (all.empty()) continue;
    const bool fed = std::any_of(all.begin(), all.end(), feeds_input);
    all.insert(all.end(), std::make_move_iterator(commands[i].redirections.begin()),
               std::make_move_iterator(commands[i].redirections.end()));
    commands[i].redirections = std::move(all);
    if (!fed) continue;
    const ShellCommand copy = commands[i];
    const std::size_t program = program_word(copy);
    if (program >= copy.words.size() || !is_shell(base_name(copy.words[program].text))) continue;
    Inner evaluated;
    evaluate_input(copy, ShellCommand::no_command, evaluated);
    for (const std::size_t index : evaluated) commands[index].outer = i;
  }
  write_group(first, end, redirections);
  if (any == ShellCommand::no_command) {
    ShellCommand command;
    command.redirections = std::move(redirections);
    command.offset = command.end = position(at_);
    finish(std::move(command), inner);
  } else {
    for (const std::size_t index : inner) commands[index].outer = any;
  }
}

// --- simple commands

bool Parser::simple(ShellConnector connector) {
  ShellCommand command;
  command.connector = connector;
  Inner inner;
  Fields words(state_, true, position(at_));
  std::size_t count = 0;  // of words, as they are written
  std::string_view first_word;
  bool declares = false;
  const std::size_t begin = at_;
  std::size_t end = at_;
  while (!at_end()) {
    skip_blanks();
    const char c = peek();
    if (at_end() || c == '\n' || c == ';' || c == ')' || c == '|') break;
    if (c == '&' && peek(1) != '>') break;
    if (c == '(') {
      // name(): a function, whose body follows.
      std::size_t close = at_ + 1;
      while (close < text_.size() && is_blank(text_[close])) ++close;
      if (count == 1 && command.assignments.empty() && command.redirections.empty() &&
          close < text_.size() && text_[close] == ')') {
        at_ = close + 1;
        function_ = first_word;
        skip_lines();
        return false;
      }
      break;
    }
    const std::size_t before = at_;
    if (redirection(command.redirections, inner)) {
      end = at_;
      continue;
    }
    const std::size_t assigned = command.assignments.size();
    if ((count == 0 || declares) && assignment(command, inner)) {
      // One that the limits did not allow to keep is passed over.
      if (declares && command.assignments.size() > assigned) {
        const auto& [name, value] = command.assignments.back();
        words.expansion(name, true, true);
        words.expansion("=", true, true);
        words.expansion(value.text, value.is_static, true, value.origin);
        words.next();
      }
      end = at_;
      continue;
    }
    words.move_to(position(at_));
    if (count == 0 && looking_at_word("[[")) {
      condition(words, inner);
    } else {
      read_word(words, inner);
    }
    if (at_ == before) break;
    if (++count == 1) {
      first_word = text_.substr(before, at_ - before);
      declares =
          std::find(declarations.begin(), declarations.end(), first_word) != declarations.end();
    }
    words.next();
    end = at_;
  }
  command.words = words.take();
  if (end == begin) return true;
  command.offset = position(begin);
  command.end = fixed_ ? base_ : base_ + end;
  finish(std::move(command), inner);
  return true;
}

// [[ ... ]]: operators are words, and nothing in it is a pipe or a redirection. Ends with the line.
void Parser::condition(Fields& words, Inner& inner) {
  while (!at_end() && peek() != '\n') {
    const std::size_t before = at_;
    if (looking_at_word("]]")) {
      words.quoted("]]");
      at_ += 2;
      return;
    }
    if (ends_word(peek()) && !looking_at("<(") && !looking_at(">(")) {
      words.literal(peek());
      ++at_;
    } else {
      read_word(words, inner);
    }
    words.next();
    if (at_ == before) ++at_;
    skip_blanks();
  }
}

// name=value, name+=value, name[1]=value, name=(a b c)
bool Parser::assignment(ShellCommand& command, Inner& inner) {
  std::size_t end = at_;
  if (!is_name_start(peek())) return false;
  while (end < text_.size() && is_name(text_[end])) ++end;
  const std::string name(text_.substr(at_, end - at_));
  std::string_view subscript;
  if (end < text_.size() && text_[end] == '[') {
    const std::size_t close = text_.substr(0, std::min(end + 64, text_.size())).find(']', end);
    if (close == std::string_view::npos) return false;
    subscript = text_.substr(end + 1, close - end - 1);
    end = close + 1;
  }
  const bool append = end + 1 < text_.size() && text_[end] == '+' && text_[end + 1] == '=';
  if (end >= text_.size() || (text_[end] != '=' && !append)) return false;
  at_ = end + (append ? 2 : 1);

  Variable variable;
  const auto known = state_.variables.find(name);
  if ((append || !subscript.empty()) && known != state_.variables.end()) {
    if (state_.spend_on(known->second.items)) variable = known->second;
  }
  ShellWord value;
  if (peek() == '(') {
    ++at_;
    Fields items(state_, true, position(at_));
    for (;;) {
      skip_lines();
      if (at_end() || peek() == ')') break;
      const std::size_t before = at_;
      read_word(items, inner);
      items.next();
      if (at_ == before) ++at_;
    }
    if (!at_end()) ++at_;
    variable.is_array = true;
    for (ShellWord& item : items.take()) variable.items.push_back(std::move(item));
    for (const ShellWord& item : variable.items) {
      if (!state_.spend(item.text.size() + 1)) break;
      if (!value.text.empty()) value.text += ' ';
      value.text += item.text;
      value.is_static &= item.is_static;
      value.origin = state_.origins.join(value.origin, item.origin);
    }
  } else {
    value = read_value(inner);
    if (!subscript.empty()) {
      const auto index = number(subscript, inner);
      variable.is_array = true;
      if (index && *index >= 0 && *index < 4096) {
        const auto place = static_cast<std::size_t>(*index);
        if (variable.items.size() <= place) variable.items.resize(place + 1);
        variable.items[place] = value;
      } else {
        variable.items.push_back(value);
      }
    } else if (append && !variable.items.empty()) {
      value.text = variable.items.front().text + value.text;
      value.is_static &= variable.items.front().is_static;
      value.origin = state_.origins.join(variable.items.front().origin, value.origin);
      variable.items.front() = value;
    } else {
      variable.items = {value};
    }
  }
  if (!state_.spend(value.text.size())) return true;
  state_.set(name, std::move(variable));
  command.assignments.emplace_back(name, std::move(value));
  return true;
}

bool Parser::redirection(std::vector<ShellRedirection>& redirections, Inner& inner) {
  std::size_t at = at_;
  int fd = -1;
  if (is_digit(peek())) {
    fd = 0;
    while (at < text_.size() && is_digit(text_[at]) && fd < 100'000)
      fd = fd * 10 + (text_[at++] - '0');
  }
  static constexpr std::array<std::string_view, 12> operations = {
      "&>>", "<<<", "<<-", "&>", ">>", "<<", "<>", ">&", "<&", ">|", ">", "<"};
  const auto found = std::find_if(
      operations.begin(), operations.end(),
      [&](std::string_view operation) { return text_.substr(at, operation.size()) == operation; });
  if (found == operations.end() || (fd >= 0 && found->front() == '&')) return false;
  const std::string_view operation = *found;
  if (operation.size() == 1 && at + 1 < text_.size() && text_[at + 1] == '(' && fd < 0)
    return false;
  at_ = at + operation.size();
  skip_blanks();
  ShellRedirection redirection;
  redirection.fd = fd;
  redirection.operation = operation == "<<-" ? "<<" : std::string(operation);
  if (redirection.operation == "<<") {
    here_document(redirection, operation == "<<-", inner);
  } else {
    redirection.target = read_value(inner);
  }
  redirections.push_back(std::move(redirection));
  return true;
}

// A here-document begins on the next line, but its command goes on behind the delimiter. So its
// text is read ahead, and the end of the line jumps over it.
void Parser::here_document(ShellRedirection& redirection, bool strip_tabs, Inner& inner) {
  const ShellWord delimiter = read_delimiter();
  std::size_t begin = here_end_;
  if (here_end_ <= at_) {
    const auto line_end = text_.find('\n', at_);
    begin = line_end == std::string_view::npos ? text_.size() : line_end + 1;
  }
  std::size_t at = begin, end = begin;
  std::string stripped;
  for (;;) {
    if (at >= text_.size()) break;
    const auto line_end = std::min(text_.find('\n', at), text_.size());
    std::string_view line = text_.substr(at, line_end - at);
    if (strip_tabs) line.remove_prefix(std::min(line.find_first_not_of('\t'), line.size()));
    at = std::min(line_end + 1, text_.size());
    std::string_view bare = line;
    if (bare.ends_with('\r')) bare.remove_suffix(1);
    if (bare == delimiter.text) break;
    end = at;
    if (strip_tabs) stripped.append(line).push_back('\n');
  }
  here_end_ = at;
  const std::string_view document =
      strip_tabs ? std::string_view(stripped) : text_.substr(begin, end - begin);
  if (delimiter.quoted) {
    redirection.target.text = document;
  } else {
    redirection.target = expand(document, inner);
  }
  redirection.target.quoted = delimiter.quoted;
  redirection.target.glob = false;
  redirection.target.offset = position(begin);
}

// Substitutions in words that belong to no command (for x in $(...), case $(...) in): an empty
// command stands for them.
void Parser::add_outer(Inner& inner, std::size_t begin) {
  if (inner.empty()) return;
  ShellCommand command;
  command.offset = position(begin);
  command.end = position(at_);
  finish(std::move(command), inner);
  inner.clear();
}

// A command is complete: text that it runs is parsed, then it joins the list behind what it
// contains.
void Parser::finish(ShellCommand command, Inner& inner) {
  auto& commands = state_.script.commands;
  const std::size_t program = program_word(command);
  if (program < command.words.size()) {
    ShellWord& word = command.words[program];
    if (word.glob && word.text.find('/') != std::string::npos) {
      const std::string_view known = program_of_pattern(word.text);
      if (!known.empty()) word.text = known;
    }
    if (!call(command, program, inner)) evaluate_arguments(command, program, inner);
    run_builtin(command, program);
  }
  if (commands.size() >= command_limit || !state_.spend(8 * chain_.size())) {
    state_.script.cut = true;
    state_.stopped = commands.size() >= command_limit;
    return;
  }
  command.chain = chain_;
  if (command.chain.size() > chain_limit) command.chain.resize(chain_limit);
  command.pipeline = pipeline_;
  command.stage = stage_;
  // What feeds a group feeds the first command of each of its pipelines.
  command.previous = last_ != ShellCommand::no_command ? last_ : feeder_;
  const std::size_t index = commands.size();
  for (const std::size_t i : inner) commands[i].outer = index;
  commands.push_back(std::move(command));
  last_ = index;
  after(index, program);
}

}  // namespace shell

namespace {

ShellScript parse(std::string_view text, const ShellEnvironment* environment,
                  const ShellDecompress* decompress) {
  shell::State state;
  state.variables["IFS"].items.emplace_back().text = " \t\n";
  const std::uint64_t floor = environment == nullptr ? shell::work_floor : shell::started_work_floor;
  const std::uint64_t own = floor + shell::work_factor * text.size();
  state.work = own;
  state.decompress = decompress;
  if (environment != nullptr) {
    state.environment = environment;
    if (environment->work != nullptr) state.work = std::min(own, *environment->work);
    state.prepare();
  }
  const std::uint64_t granted = state.work;
  const bool marked = text.starts_with("\xef\xbb\xbf");  // a byte order mark
  shell::Parser(state, text.substr(marked ? 3 : 0), 0, marked ? 3 : 0, false, {}).parse();
  if (environment != nullptr && environment->work != nullptr)
    *environment->work -= std::min(*environment->work, granted - state.work + text.size());
  for (auto& [path, content] : state.files) state.script.files.emplace_back(path, std::move(content));
  state.script.origins = state.origins.take();
  // Lines, counted once for all commands in the order of their offsets.
  auto& commands = state.script.commands;
  std::vector<std::uint32_t> order(commands.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return commands[a].offset < commands[b].offset;
  });
  std::uint32_t line = 1;
  std::size_t at = 0;
  for (const std::uint32_t index : order) {
    const auto offset =
        static_cast<std::size_t>(std::min<std::uint64_t>(commands[index].offset, text.size()));
    line += static_cast<std::uint32_t>(
        std::count(text.begin() + static_cast<std::ptrdiff_t>(at),
                   text.begin() + static_cast<std::ptrdiff_t>(offset), '\n'));
    at = offset;
    commands[index].line = line;
  }
  return std::move(state.script);
}

}  // namespace

ShellScript parse_shell(std::string_view text, const ShellDecompress& decompress) {
  return parse(text, nullptr, decompress ? &decompress : nullptr);
}

ShellScript parse_shell(std::string_view text, const ShellEnvironment& environment) {
  return parse(text, &environment, environment.decompress ? &environment.decompress : nullptr);
}

ShellScript parse_arguments(const std::vector<std::string>& arguments) {
  return parse_shell(quote_arguments(arguments));
}

std::string quote_arguments(const std::vector<std::string>& arguments) {
  constexpr std::string_view plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:,+@%=";
  std::string line;
  for (const std::string& argument : arguments) {
    // A=b as the program is no assignment here, and `if` no keyword.
    const bool program = line.empty();
    if (!program) line += ' ';
    if (!argument.empty() && argument.find_first_not_of(plain) == std::string::npos &&
        (!program || argument.find_first_of("/.-") != std::string::npos) &&
        (!program || argument.find('=') == std::string::npos)) {
      line += argument;
      continue;
    }
    line += '\'';
    for (const char c : argument) {
      if (c == '\'') {
        line += "'\\''";
      } else {
        line += c;
      }
    }
    line += '\'';
  }
  return line;
}

}  // namespace lazaret::format
