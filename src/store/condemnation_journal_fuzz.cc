// The journal of what was condemned, as a damaged disk gives it: what is read is written again as the same.
#include <cstdlib>

#include "store/condemnation_journal.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lazaret::store;
  const JournalText journal = read_journal({reinterpret_cast<const char*>(data), size});
  std::string text;
  for (const JournalEntry& entry : journal.entries) text += to_line(entry);
  const JournalText again = read_journal(text);
  if (again.unreadable != 0 || again.entries.size() != journal.entries.size()) std::abort();
  std::string twice;
  for (const JournalEntry& entry : again.entries) twice += to_line(entry);
  if (twice != text) std::abort();
  return 0;
}
