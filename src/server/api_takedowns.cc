// Takedowns, their undoing, and the evidence of them.
#include <charconv>
#include <limits>

#include "base/time.h"
#include "server/api_answer.h"
#include "server/api_resources.h"
#include "server/evidence.h"
#include "server/takedown.h"

namespace lazaret::server {
namespace {

std::optional<std::int64_t> act_of(const ApiCall& call) {
  const std::string& text = call.parameter("id");
  std::int64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return id;
}

void write(JsonWriter& json, store::Reader& reader, const store::Takedown& act) {
  json.begin_object().field("id", act.id).field("kind", act.kind).field("subject", act.subject).field("actor", act.actor).field("reason", act.reason);
  json.field("at", to_rfc3339(act.at));
  if (act.undone != 0) json.field("undone", to_rfc3339(act.undone));
  json.field("closes_account", act.closes_account).field("images", reader.manifests_hidden_by(act.id).size());
  json.field("blobs", reader.blobs_condemned_by(act.id).size()).field("files", reader.file_tombstones_of(act.id).size()).end_object();
}

net::Response show_act(ApiCall& call, std::int64_t id, int status) {
  JsonWriter json(0);
  bool known = false;
  const auto read = call.services.metadata.read([&](store::Reader& reader) {
    const auto act = reader.takedown(id);
    if (!act) return;
    known = true;
    write(json, reader, *act);
  });
  if (!read) return answer(call, read.error());
  return known ? answer_json(status, std::move(json)) : not_found("such takedown");
}

net::Response create(ApiCall& call) {
  BodyFields fields(call.body);
  const std::string kind = fields.required_text("kind", 20), subject = fields.required_text("subject", 400), reason = fields.required_text("reason", 4000);
  if (auto mistake = fields.mistake()) return std::move(*mistake);
  const auto act = take_down(call.services.gate, call.services.accounts, call.services.takedown_journal, call.actor(), kind, subject, reason);
  if (!act) return answer(call, act.error());
  return show_act(call, *act, 201);
}

net::Response list_all(ApiCall& call) {
  ApiPage page(call);
  if (page.mistake()) return *page.mistake();
  std::optional<std::string> next;
  const auto read = call.services.metadata.read([&](store::Reader& reader) {
    const auto acts = reader.takedowns(page.after().empty() ? std::numeric_limits<std::int64_t>::max() : page.after_number(), page.limit() + 1);
    for (std::size_t i = 0; i < std::min(acts.size(), page.limit()); ++i) write(page.json(), reader, acts[i]);
    if (acts.size() > page.limit()) next = std::to_string(acts[page.limit() - 1].id);
  });
  if (!read) return answer(call, read.error());
  return page.answer(next);
}

net::Response show(ApiCall& call) {
  const auto id = act_of(call);
  return id ? show_act(call, *id, 200) : not_found("such takedown");
}

net::Response undo(ApiCall& call) {
  const auto id = act_of(call);
  if (!id) return not_found("such takedown");
  if (const auto undone = undo_takedown(call.services.gate, call.services.accounts, call.services.takedown_journal, call.actor(), *id); !undone) return answer(call, undone.error());
  return show_act(call, *id, 200);
}

net::Response evidence(ApiCall& call) {
  const auto id = act_of(call);
  if (!id) return not_found("such takedown");
  const auto archive = write_evidence(call.services.gate, call.services.ledger, *id, call.services.configuration.data);
  if (!archive) return answer(call, archive.error());
  if (const auto logged = call.services.accounts.log(call.actor(), "takedown.evidence", std::to_string(*id), ""); !logged) return answer(call, logged.error());
  net::Response response;
  response.add("Content-Type", "application/x-tar");
  response.add("Content-Disposition", "attachment; filename=\"takedown-" + std::to_string(*id) + ".tar\"");
  response.add("Cache-Control", "no-store");
  response.body = net::FileRegion{archive->file, 0, archive->size};
  return response;
}

constexpr ApiRoute list[] = {
    {"GET", "/takedowns", ApiAccess::administrator, list_all, {200}, {}, true},
    {"POST", "/takedowns", ApiAccess::administrator, create, {201, 404, 409}, {}, false, 16 << 10},
    {"GET", "/takedowns/{id}", ApiAccess::administrator, show, {200, 404}},
    {"POST", "/takedowns/{id}/undo", ApiAccess::administrator, undo, {200, 404}},
    {"GET", "/takedowns/{id}/evidence", ApiAccess::administrator, evidence, {200, 404, 507}},
};

}  // namespace

std::span<const ApiRoute> takedown_routes() { return list; }

}  // namespace lazaret::server
