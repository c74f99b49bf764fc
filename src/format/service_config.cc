#include "format/service_config.h"

#include <algorithm>
#include <map>

namespace lazaret::format {
namespace {

constexpr std::size_t commands_limit = 4096, variables_limit = 64;

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// visit(line without blanks around it, its offset)
template <typename Visit>
void for_each_line(std::string_view text, const Visit& visit) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = trimmed(text.substr(at, end - at));
    if (!line.empty()) visit(line, static_cast<std::size_t>(line.data() - text.data()));
    at = end + 1;
  }
}

std::string_view first_word(std::string_view text) {
  return text.substr(0, std::min(text.find_first_of(" \t"), text.size()));
}

std::string_view without_word(std::string_view text) {
  return trimmed(text.substr(first_word(text).size()));
}

// Minute, hour and day are numbers or patterns; months and days of the week have names too.
bool is_time_field(std::string_view word, int field) {
  if (word.empty() || word.size() > 256) return false;
  bool number = false;
  for (const char c : word) {
    const bool digit = c >= '0' && c <= '9', letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    number |= digit || c == '*' || c == '?';
    if (!digit && !letter && std::string_view("*/,-~?#").find(c) == std::string_view::npos) return false;
  }
  return number || (field >= 3 && word.size() >= 3 && (word.size() == 3 || word[3] == '-' || word[3] == ','));
}

bool is_name(std::string_view text) {
  return !text.empty() && text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV"
                                                 "WXYZ0123456789_") == std::string_view::npos &&
         (text[0] < '0' || text[0] > '9');
}

bool is_user(std::string_view word) {
  return !word.empty() && (word[0] == '_' || (word[0] >= 'a' && word[0] <= 'z')) &&
         word.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:") ==
             std::string_view::npos;
}

std::string unquoted(std::string_view value) {
  if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') && value.back() == value.front())
    value = value.substr(1, value.size() - 2);
  return std::string(value);
}

// The first unescaped % ends the command; what is behind it is its input, each further % a new line.
std::string with_input(std::string_view command) {
  std::string text, input;
  bool in_input = false;
  for (std::size_t i = 0; i < command.size(); ++i) {
    std::string& part = in_input ? input : text;
    if (command[i] == '\\' && i + 1 < command.size() && command[i + 1] == '%') {
      part += '%';
      ++i;
    } else if (command[i] == '%') {
      if (in_input) part += '\n';
      in_input = true;
    } else {
      part += command[i];
    }
  }
  if (!in_input) return text;
  return text + " <<'%end%'\n" + input + "\n%end%\n";
}

// "A=b", 'A=b c', A=b A2=c as systemd and supervisord write lists of variables.
void read_variables(std::string_view list, std::string_view separators,
                    std::vector<std::pair<std::string, std::string>>& variables) {
  std::size_t at = 0;
  while (at < list.size() && variables.size() < variables_limit) {
    while (at < list.size() && separators.find(list[at]) != std::string_view::npos) ++at;
    std::string item;
    char quote = '\0';
    for (; at < list.size(); ++at) {
      const char c = list[at];
      if (quote != '\0') {
        if (c == quote) {
          quote = '\0';
        } else {
          item += c;
        }
      } else if (c == '"' || c == '\'') {
        quote = c;
      } else if (separators.find(c) != std::string_view::npos) {
        break;
      } else {
        item += c;
      }
    }
    const auto equals = item.find('=');
    if (equals == std::string::npos || !is_name(std::string_view(item).substr(0, equals))) continue;
    variables.emplace_back(item.substr(0, equals), item.substr(equals + 1));
  }
}

struct Section {
  std::string name;
  std::vector<ServiceCommand> commands;
  std::vector<std::pair<std::string, std::string>> variables;
  std::string folder;

  void finish(std::vector<ServiceCommand>& result) {
    for (ServiceCommand& command : commands) {
      if (result.size() >= commands_limit) return;
      command.variables = variables;
      command.folder = folder;
      result.push_back(std::move(command));
    }
    commands.clear();
    variables.clear();
    folder.clear();
  }
};

// key=value of an INI file, lines that end in a backslash or begin with a blank joined.
template <typename Visit>  // visit(section, key, value, offset of the value)
void for_each_setting(std::string_view text, bool indented_continues, const Visit& visit) {
  std::string section, key, value;
  std::uint64_t offset = 0;
  const auto flush = [&] {
    if (!key.empty()) visit(section, key, std::string(trimmed(value)), offset);
    key.clear();
    value.clear();
  };
  bool continues = false;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view raw = text.substr(at, end - at);
    const std::string_view line = trimmed(raw);
    at = end + 1;
    if (!continues && (line.empty() || line[0] == '#' || line[0] == ';')) continue;
    const bool joins = continues || (indented_continues && is_blank(raw[0]) && !key.empty());
    continues = line.ends_with('\\');
    const std::string_view content = continues ? line.substr(0, line.size() - 1) : line;
    if (joins) {
      if (value.size() + content.size() < (1u << 20)) (value += ' ') += content;
      continue;
    }
    flush();
    if (line.starts_with('[')) {
      section = line.substr(1, std::min(line.find(']'), line.size()) - 1);
      continue;
    }
    const auto equals = content.find('=');
    if (equals == std::string_view::npos) continue;
    key = trimmed(content.substr(0, equals));
    const std::string_view rest = trimmed(content.substr(equals + 1));
    value = rest;
    offset = static_cast<std::uint64_t>(rest.data() - text.data());
  }
  flush();
}

}  // namespace

std::vector<ServiceCommand> cron_commands(std::string_view text, bool has_user) {
  std::vector<ServiceCommand> result;
  std::vector<std::pair<std::string, std::string>> variables;
  for_each_line(text, [&](std::string_view line, std::size_t) {
    if (line[0] == '#' || result.size() >= commands_limit) return;
    if (const auto equals = line.find('='); equals != std::string_view::npos) {
      const std::string_view name = trimmed(line.substr(0, equals));
      if (is_name(name)) {
        if (variables.size() < variables_limit)
          variables.emplace_back(name, unquoted(trimmed(line.substr(equals + 1))));
        return;
      }
    }
    std::string_view rest = line;
    if (rest[0] == '@') {
      rest = without_word(rest);
    } else {
      for (int field = 0; field < 5; ++field) {
        if (!is_time_field(first_word(rest), field)) return;
        rest = without_word(rest);
      }
    }
    if (has_user && is_user(first_word(rest))) {
      const std::string_view behind = without_word(rest);
      if (!behind.empty() && behind[0] != '-' && behind[0] != '|' && behind[0] != '>') rest = behind;
    }
    if (rest.starts_with('-')) rest.remove_prefix(1);  // cronie: do not log
    if (rest.empty()) return;
    ServiceCommand command;
    command.offset = static_cast<std::uint64_t>(rest.data() - text.data());
    command.text = with_input(rest);
    command.variables = variables;
    result.push_back(std::move(command));
  });
  return result;
}

std::vector<ServiceCommand> unit_commands(std::string_view text) {
  std::vector<ServiceCommand> result;
  Section unit;
  for_each_setting(text, false, [&](const std::string&, const std::string& key, const std::string& value, std::uint64_t offset) {
    if (key == "Environment") {
      read_variables(value, " \t", unit.variables);
    } else if (key == "WorkingDirectory") {
      unit.folder = value.starts_with('/') ? value : "";
    } else if (key.starts_with("Exec") && unit.commands.size() < commands_limit) {
      // Prefixes: - @ : + ! !!
      const auto begin = std::min(value.find_first_not_of("-@:+!"), value.size());
      ServiceCommand command;
      command.text = value.substr(begin);
      command.offset = offset + begin;
      if (!command.text.empty()) unit.commands.push_back(std::move(command));
    }
  });
  unit.finish(result);
  return result;
}

std::vector<ServiceCommand> supervisor_commands(std::string_view text, std::vector<std::string>* includes) {
  std::vector<ServiceCommand> result;
  Section program;
  for_each_setting(text, true, [&](const std::string& section, const std::string& key, const std::string& value, std::uint64_t offset) {
    if (section != program.name) {
      program.finish(result);
      program.name = section;
    }
    if (section == "include" && key == "files" && includes != nullptr) {
      for (std::string_view rest = value; !rest.empty(); rest = without_word(rest)) {
        if (includes->size() < 64) includes->emplace_back(first_word(rest));
      }
    } else if (key == "environment") {
      read_variables(value, ", \t", program.variables);
    } else if (key == "directory") {
      program.folder = value.starts_with('/') ? value : "";
    } else if (key == "command" && program.commands.size() < commands_limit) {
      ServiceCommand command;
      // A comment begins with a semicolon behind a blank.
      command.text = value.substr(0, value.find(" ;"));
      command.offset = offset;
      if (!command.text.empty()) program.commands.push_back(std::move(command));
    }
  });
  program.finish(result);
  return result;
}

std::vector<ServiceCommand> inittab_commands(std::string_view text) {
  std::vector<ServiceCommand> result;
  for_each_line(text, [&](std::string_view line, std::size_t) {
    if (line[0] == '#' || result.size() >= commands_limit) return;
    std::string_view rest = line;
    for (int field = 0; field < 3; ++field) {
      const auto colon = rest.find(':');
      if (colon == std::string_view::npos) return;
      rest.remove_prefix(colon + 1);
    }
    rest = trimmed(rest);
    if (rest.starts_with('-')) rest.remove_prefix(1);  // a login shell
    if (rest.empty()) return;
    ServiceCommand command;
    command.text = rest;
    command.offset = static_cast<std::uint64_t>(rest.data() - text.data());
    result.push_back(std::move(command));
  });
  return result;
}

}  // namespace lazaret::format
