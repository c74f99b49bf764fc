// What the gate does, as metrics: images by state, audits, what was refused and why, the ledger.
#pragma once

#include <functional>
#include <string_view>

#include "base/metrics.h"
#include "gate/gate.h"
#include "gate/ledger.h"

namespace lazaret::server {

// Takes the seconds of each audit (gate::Parts::audited).
std::function<void(double)> audit_timer(Metrics& metrics);
// Takes the reason of each refusal (registry::RegistryOptions::refused).
std::function<void(std::string_view)> refusal_counter(Metrics& metrics);
// Values that are asked for when the metrics are read. All must outlive the last reading.
void watch_gate(Metrics& metrics, const gate::Gate& gate, const gate::Ledger& ledger, store::MetadataStore& metadata);

}  // namespace lazaret::server
