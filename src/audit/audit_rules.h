// The rules that the audit itself emits: ambiguous containers, lying digests, hidden content.
//
// Parsers name what they met ("anomaly.gzip-extra-member"); what it means for a person stands here, in one table.
#pragma once

#include <span>

#include "detect/finding.h"

namespace lazaret::audit {

std::span<const detect::Rule> audit_rules();

}  // namespace lazaret::audit
