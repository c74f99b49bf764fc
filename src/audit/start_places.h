// What runs without being asked for, and by whom: cron, init, login shells and their kin.
//
// An image may be started with another command than its own, so that nobody need run cron or init in it for these to count.
#pragma once

#include <span>
#include <string_view>

namespace lazaret::audit {

struct StartPlace {
  std::string_view path;  // of a folder when it ends in a slash
  std::string_view starter;
};
std::span<const StartPlace> start_places();

// Who runs the file by itself; "" when nobody does.
std::string_view starter_of(std::string_view path);

}  // namespace lazaret::audit
