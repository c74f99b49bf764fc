// Any bytes as a script: commands refer to commands that are there and to places in the text, what
// expansions produce is limited, and the words of a command survive quoting.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "format/shell.h"

using namespace lazaret::format;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const ShellDecompress decompress = [](std::string_view, std::string_view packed) {
    return std::optional<std::string>(std::string(packed));
  };
  const ShellScript script = parse_shell(text, decompress);
  const auto& commands = script.commands;
  std::size_t produced = 0;
  for (std::size_t i = 0; i < commands.size(); ++i) {
    const ShellCommand& command = commands[i];
    if (command.offset > size || command.end > size || command.line == 0) std::abort();
    if (command.nesting != ShellNesting::none && command.outer >= commands.size()) std::abort();
    if (command.previous != ShellCommand::no_command && command.previous >= i) std::abort();
    if (program_word(command) > command.words.size()) std::abort();
    for (const ShellWord& word : command.words) produced += word.text.size();
    bool known = false;
    if (i < 16) static_output(script, i, &known, decompress);
  }
  if (produced > (64u << 20)) std::abort();

  if (commands.empty() || script.cut) return 0;
  std::vector<std::string> arguments;
  for (const ShellWord& word : commands.back().words) arguments.push_back(word.text);
  if (arguments.empty()) return 0;
  const ShellScript again = parse_arguments(arguments);
  if (again.commands.empty()) std::abort();
  const ShellCommand& outer = again.commands.back();
  if (again.cut) return 0;
  if (outer.words.size() != arguments.size()) std::abort();
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (outer.words[i].text != arguments[i]) std::abort();
  }
  return 0;
}
