// docker://REF: an image in a registry (OCI distribution-spec; token authentication as Docker's clients speak it).
#pragma once

#include <memory>

#include "base/result.h"
#include "source/source.h"

namespace lazaret::source {

// Checks the name; talks to the registry when delivering.
Result<std::unique_ptr<ImageSource>> open_registry(const Target& target);

}  // namespace lazaret::source
