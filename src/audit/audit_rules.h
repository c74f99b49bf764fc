// The rules that the audit itself emits: ambiguous containers, lying digests, hidden content.
//
// Parsers name what they met ("anomaly.gzip-extra-member"); what it means for a person stands here, in one table.
#pragma once

#include <span>
#include <string_view>

#include "detect/finding.h"

namespace lazaret::audit {

std::span<const detect::Rule> audit_rules();

// The rule that documents a diagnostic: itself when it has a row of its own, else that of its family ("anomaly.zip-overlap" is an ambiguous archive).
std::string_view family_of(std::string_view diagnostic);

}  // namespace lazaret::audit
