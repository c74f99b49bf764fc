#include "server/gate_metrics.h"

#include <array>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>

namespace lazaret::server {
namespace {

constexpr std::array<std::string_view, 6> reasons = {"invalid", "missing-blob", "wrong-digest", "condemned-or-taken-down", "not-released", "failed"};

// The four numbers of one query, asked for at most once a second, since each is read on its own.
class StateCounts {
 public:
  explicit StateCounts(store::MetadataStore& metadata) : metadata_(metadata) {}

  double of(store::State state) {
    const std::lock_guard lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    if (read_ == std::chrono::steady_clock::time_point() || now - read_ > std::chrono::seconds(1)) {
      std::array<std::uint64_t, 4> fresh{};
      const auto done = metadata_.read([&](store::Reader& reader) { fresh = reader.manifests_by_state(); });
      if (done.ok()) counts_ = fresh;
      read_ = now;
    }
    return static_cast<double>(counts_[static_cast<std::size_t>(state)]);
  }

 private:
  store::MetadataStore& metadata_;
  std::mutex mutex_;
  std::chrono::steady_clock::time_point read_;
  std::array<std::uint64_t, 4> counts_{};
};

}  // namespace

std::function<void(double)> audit_timer(Metrics& metrics) {
  Histogram& seconds = metrics.histogram("lazaret_audit_seconds", "From the beginning of the audit of a manifest to its verdict; what was audited while it was uploaded is not in it.", duration_bounds());
  return [&seconds](double value) { seconds.observe(value); };
}

std::function<void(std::string_view)> refusal_counter(Metrics& metrics) {
  std::array<Counter*, reasons.size()> counters{};
  for (std::size_t i = 0; i < reasons.size(); ++i)
    counters[i] = &metrics.counter("lazaret_refusals_total", "Pushes and pulls that the gate refused, by reason.", {{"reason", std::string(reasons[i])}});
  return [counters](std::string_view reason) {
    for (std::size_t i = 0; i < reasons.size(); ++i) {
      if (reasons[i] == reason) counters[i]->add();
    }
  };
}

void watch_gate(Metrics& metrics, const gate::Gate& gate, const gate::Ledger& ledger, store::MetadataStore& metadata) {
  const auto counts = std::make_shared<StateCounts>(metadata);
  for (const store::State state : {store::State::pending, store::State::released, store::State::held, store::State::condemned})
    metrics.value("lazaret_images", "Images by state.", false, [counts, state] { return counts->of(state); }, {{"state", std::string(store::name_of(state))}});
  metrics.value("lazaret_audit_queue", "Images that wait for their audit.", false, [&gate] { return static_cast<double>(gate.queue_length()); });
  metrics.value("lazaret_waiting_requests", "Requests that wait for a verdict.", false, [&gate] { return static_cast<double>(gate.waiting()); });
  metrics.value("lazaret_tombstone_hits_total", "Condemned content that came again: refused or condemned because of what was condemned before.", true,
                [&gate] { return static_cast<double>(gate.tombstone_hits()); });
  metrics.value("lazaret_ledger_waiting", "Pulls that are not written to the ledger yet.", false, [&ledger] { return static_cast<double>(ledger.waiting()); });
}

}  // namespace lazaret::server
