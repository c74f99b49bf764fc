// Shell commands that programs in other languages run: os.system('...'), exec("..."), `...`,
// subprocess.run(["sh", "-c", "..."]).
//
// Calls are found by their names and arguments by their quotes; it is no parser of any of these
// languages. Variables of the environment that stand in the arguments (os.environ["P"],
// process.env.P, $ENV{P}, getenv("P")) are filled in when they are known. Time is linear in the
// text, and what is given back is limited.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lazaret::format {

struct CodeCommand {
  std::string text;          // for a shell
  std::uint64_t offset = 0;  // of the call in the code
  std::vector<std::string> variables;  // of the environment, that are part of the text
};

using CodeVariable = std::function<std::optional<std::string>(std::string_view name)>;

std::vector<CodeCommand> code_commands(std::string_view code, const CodeVariable& variable = nullptr,
                                       std::size_t limit = 64);

}  // namespace lazaret::format
