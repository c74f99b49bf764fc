// Reverse and bind shells in the source of other languages, by the parts of the mechanism standing
// together.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace lazaret::detect {

struct SourceShell {
  std::string endpoint;  // "host:port" of the peer, "" when the text does not say it
  bool listens = false;  // it waits for its peer
};

// A connection, descriptors passed on or streams copied, and a shell started, all in `text`, which
// should be no longer than a short function.
std::optional<SourceShell> shell_in_source(std::string_view text);

}  // namespace lazaret::detect
