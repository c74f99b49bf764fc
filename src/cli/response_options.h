// The commands of incident response that ask a running server: takedown, evidence, exposure, report, reports, pulls.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/options.h"

namespace CLI {
class App;
}

namespace lazaret::cli {

// How each is written: docs/lazaret.1.
void add_response_commands(CLI::App& app, ResponseOptions& options);

}  // namespace lazaret::cli
