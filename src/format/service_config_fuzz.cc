// Any bytes as a table of cron, a unit, a configuration of supervisord, an inittab and as program text: offsets lie in the text, what is given back is bounded.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "format/code_commands.h"
#include "format/service_config.h"
#include "format/source_references.h"

using namespace lazaret::format;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> includes;
  for (const auto& commands : {cron_commands(text, true), cron_commands(text, false), unit_commands(text), supervisor_commands(text, &includes), inittab_commands(text)}) {
    for (const ServiceCommand& command : commands) {
      if (command.offset > size || command.text.empty()) std::abort();
    }
  }
  if (includes.size() > 64) std::abort();
  for (const Language language : {Language::python, Language::node, Language::ruby}) {
    for (const SourceReference& reference : source_references(text, language)) {
      if (reference.offset >= size || reference.path.empty()) std::abort();
    }
  }
  std::size_t produced = 0;
  for (const CodeCommand& command : code_commands(text, [](std::string_view) { return std::optional<std::string>("value"); })) {
    if (command.offset >= size) std::abort();
    produced += command.text.size();
  }
  if (produced > (1 << 20)) std::abort();
  return 0;
}
