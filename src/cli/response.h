// What the commands of incident response share.
#pragma once

#include "cli/options.h"
#include "cli/server_client.h"

namespace lazaret::cli {

// lazaret exposure and pulls (cli/exposure.cc). Return the exit code.
int show_exposure(ServerClient& client, const ResponseOptions& options);
int export_pulls(ServerClient& client, const ResponseOptions& options);

}  // namespace lazaret::cli
