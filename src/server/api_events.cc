// What was decided and done: the gate's events, and the log of administrative acts, whose entries are chained so that none can be changed unnoticed.
#include "base/time.h"
#include "server/api_answer.h"
#include "server/api_resources.h"
#include "server/api_view.h"

namespace lazaret::server {
namespace {

net::Response list_events(ApiCall& call) {
  ApiPage page(call);
  if (page.mistake()) return *page.mistake();
  store::EventFilter filter;
  filter.kind = call.query("kind").value_or("");
  filter.repository = call.query("repository").value_or("");
  filter.before = page.after_number();
  filter.limit = page.limit() + 1;
  std::optional<std::string> next;
  const auto read = call.services.metadata.read([&](store::Reader& reader) { next = write_events(page, reader.newest_events(filter)); });
  if (!read) return answer(call, read.error());
  return page.answer(next);
}

net::Response list_acts(ApiCall& call) {
  ApiPage page(call);
  if (page.mistake()) return *page.mistake();
  const auto acts = call.services.accounts.store().acts(page.after_number(), page.limit() + 1);
  if (!acts) return answer(call, acts.error());
  std::optional<std::string> next;
  std::size_t written = 0;
  for (const store::Act& act : *acts) {
    if (written == page.limit()) {
      next = std::to_string((*acts)[written - 1].id);
      break;
    }
    page.json().begin_object().field("id", act.id).field("at", to_rfc3339(act.at)).field("actor", act.actor).field("address", act.address).field("act", act.act);
    page.json().field("subject", act.subject).field("detail", act.detail).field("chain", act.chain).end_object();
    ++written;
  }
  return page.answer(next);
}

net::Response prove_acts(ApiCall& call) {
  const auto broken = call.services.accounts.store().first_broken_act();
  if (!broken) return answer(call, broken.error());
  JsonWriter json(0);
  json.begin_object().field("sound", !broken->has_value());
  if (*broken) json.field("first_broken", **broken);
  json.end_object();
  return answer_json(200, std::move(json));
}

constexpr ApiRoute list[] = {
    {"GET", "/events", ApiAccess::administrator, list_events, {200}, {"kind", "repository"}, true},
    {"GET", "/acts", ApiAccess::administrator, list_acts, {200}, {}, true},
    {"GET", "/acts/integrity", ApiAccess::administrator, prove_acts, {200}},
};

}  // namespace

std::span<const ApiRoute> event_routes() { return list; }

}  // namespace lazaret::server
