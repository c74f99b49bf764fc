// What the server is doing.
#include "audit/ruleset.h"
#include "server/api_answer.h"
#include "server/api_resources.h"

namespace lazaret::server {
namespace {

net::Response status(ApiCall& call) {
  std::array<std::uint64_t, 4> counts{};
  const auto read = call.services.metadata.read([&](store::Reader& reader) { counts = reader.manifests_by_state(); });
  if (!read) return answer(call, read.error());
  JsonWriter json(0);
  json.begin_object().field("version", audit::engine_version()).field("rules", call.services.gate.rules());
  json.key("images").begin_object();
  for (const store::State state : {store::State::pending, store::State::released, store::State::held, store::State::condemned})
    json.field(store::name_of(state), counts[static_cast<std::size_t>(state)]);
  json.end_object();
  json.field("audit_queue", call.services.gate.queue_length()).field("waiting_requests", call.services.gate.waiting());
  json.field("ledger_waiting", call.services.ledger.waiting()).end_object();
  return answer_json(200, std::move(json));
}

net::Response ruleset(ApiCall& call) {
  JsonWriter json(0);
  json.begin_object().field("version", audit::engine_version()).field("ruleset", call.services.gate.ruleset()).field("rules", call.services.gate.rules());
  json.field("mode", call.services.gate.policy().enforce ? "enforce" : "observe").end_object();
  return answer_json(200, std::move(json));
}

net::Response audit_outdated(ApiCall& call) {
  const auto queued = call.services.gate.queue_outdated(100'000);
  if (!queued) return answer(call, queued.error());
  if (const auto logged = call.services.accounts.log(call.actor(), "images.audit-outdated", "", std::to_string(*queued)); !logged) return answer(call, logged.error());
  JsonWriter json(0);
  json.begin_object().field("queued", *queued).end_object();
  return answer_json(202, std::move(json));
}

constexpr ApiRoute list[] = {
    {"GET", "/ruleset", ApiAccess::anyone, ruleset, {200}},
    {"POST", "/audits/outdated", ApiAccess::administrator, audit_outdated, {202}},
    {"GET", "/status", ApiAccess::administrator, status, {200}},
};

}  // namespace

std::span<const ApiRoute> status_routes() { return list; }

}  // namespace lazaret::server
