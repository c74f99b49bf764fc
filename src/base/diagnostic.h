// What a parser says about bytes that are ambiguous, malformed or over a limit. Parsers do not
// fail: they return what they read plus diagnostics.
#pragma once

#include <cstdint>
#include <string>

namespace lazaret {

struct Diagnostic {
  // "anomaly.<what>", e.g. "anomaly.json-duplicate-key". Lower case and hyphens; stable, since
  // reports carry it.
  std::string rule;
  std::string message;  // one sentence for a person; may hold attacker text, which is escaped where
                        // it is shown
  std::uint64_t offset = 0;  // in the bytes that were parsed
  bool unaudited =
      false;  // true: bytes could not be looked at because of it, so that the audit is incomplete
  std::uint64_t bytes = 0;  // how many, when known
};

}  // namespace lazaret
