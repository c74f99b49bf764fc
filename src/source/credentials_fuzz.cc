// A config.json. Programs are not run: the PATH is empty.
#include <cstdlib>

#include "base/bytes.h"
#include "source/credentials.h"

using namespace lazaret;
using namespace lazaret::source;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const bool no_programs = setenv("PATH", "/nonexistent", 1) == 0;
  if (!no_programs) std::abort();
  for (const char* name : {"nginx", "registry.example:5000/team/app"}) {
    const auto image = parse_image_name(name);
    const auto found =
        credentials_in(as_text({data, size}), "config.json", *image, std::chrono::milliseconds(1));
    if (found && found->has_value() && (*found)->empty()) std::abort();
  }
  return 0;
}
