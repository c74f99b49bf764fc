// The rules of `lazaret check` that no detector of images has: what is found out about a host, its containers and its processes. They stand here so that the ruleset documents them like all
// others.
#pragma once

#include <span>

#include "detect/finding.h"

namespace lazaret::audit {

std::span<const detect::Rule> host_rules();

}  // namespace lazaret::audit
