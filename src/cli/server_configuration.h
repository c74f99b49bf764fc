// The configuration that commands on a data folder share.
#pragma once

#include "base/result.h"
#include "cli/options.h"
#include "server/configuration.h"

namespace lazaret::cli {

// lazaret.toml, when one is named, with what the command line says instead.
Result<server::Configuration> read_configuration(const ServeOptions& options);

}  // namespace lazaret::cli
