// Any bytes, strictly and leniently: what is accepted strictly without a remark is accepted leniently with the same top value.
#include <cstdlib>

#include "format/json.h"

using namespace lazaret;
using namespace lazaret::format;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const JsonDocument strict = parse_json(text);
  const bool accepted = strict.valid && strict.diagnostics.empty();
  JsonOptions options;
  options.lenient = true;
  const JsonDocument lenient = parse_json(text, options);
  if (accepted && !lenient.valid) std::abort();
  if (accepted && (strict.value.as_object() != nullptr) != (lenient.value.as_object() != nullptr)) std::abort();
  return 0;
}
