#include "audit/report.h"

#include <array>

namespace lazaret::audit {

std::string_view name_of(Verdict verdict) {
  static constexpr std::array<std::string_view, 4> names = {"clean", "suspicious", "malicious", "incomplete"};
  return names[static_cast<std::size_t>(verdict)];
}

}  // namespace lazaret::audit
