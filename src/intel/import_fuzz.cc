// Imports of any bytes: nothing crashes, and what is taken can be written and read again with the same content.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "intel/import.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lazaret;
  using namespace lazaret::intel;
  if (size == 0) return 0;
  ImportOptions options;
  options.format = static_cast<ImportFormat>(data[0] % 5);
  options.source = "fuzz";
  options.now = 1'600'000'000'000;
  const auto import = read_import({reinterpret_cast<const char*>(data) + 1, size - 1}, options);
  if (!import) return 0;
  const detect::DataFile file{"incidents/" + import->id + ".toml", to_toml(*import), true};
  const auto read = detect::parse_incident_data({&file, 1});
  if (!read || read->publishers.size() + read->images.size() + read->indicators.size() != import->entries.size()) std::abort();
  (void)describe(*import);
  return 0;
}
