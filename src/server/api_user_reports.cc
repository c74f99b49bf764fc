// What users report of images: anybody may, administrators decide. Reports of one image are one case.
#include <charconv>

#include "base/time.h"
#include "gate/user_reports.h"
#include "net/address.h"
#include "registry/name.h"
#include "server/api_answer.h"
#include "server/api_resources.h"

namespace lazaret::server {
namespace {

void write(JsonWriter& json, const store::UserCase& one, store::Time now) {
  json.begin_object().field("id", one.id).field("digest", one.digest.str()).field("state", store::name_of(one.state)).field("reports", one.reports);
  json.field("opened", to_rfc3339(one.opened));
  // The clock: it runs until somebody decides.
  json.field("open_seconds", ((one.state == store::CaseState::open ? now : one.closed) - one.opened) / 1000);
  if (one.state != store::CaseState::open) json.field("closed", to_rfc3339(one.closed)).field("closed_by", one.closed_by).field("note", one.note);
}

std::optional<std::int64_t> case_of(const ApiCall& call) {
  const std::string& text = call.parameter("id");
  std::int64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return id;
}

net::Response report(ApiCall& call) {
  BodyFields fields(call.body);
  const std::string image = fields.required_text("image", 400), reason = fields.required_text("reason", 4000);
  if (auto mistake = fields.mistake()) return std::move(*mistake);
  const auto at = image.find('@'), colon = image.rfind(':');
  gate::NewUserReport given;
  if (at != std::string::npos) {
    given.repository = image.substr(0, at);
    given.reference = image.substr(at + 1);
  } else if (colon != std::string::npos && image.find('/', colon) == std::string::npos) {
    given.repository = image.substr(0, colon);
    given.reference = image.substr(colon + 1);
  } else {
    given.repository = image;
    given.reference = "latest";
  }
  const bool named = registry::is_repository_name(given.repository) && (Digest::parse(given.reference) || registry::is_tag(given.reference));
  if (!named) return answer(Problem{400, "This is no image", "Write REPOSITORY:TAG or REPOSITORY@sha256:...", "", "image"});
  if (!call.may(registry::Action::pull, given.repository)) return not_found("such image");
  if (const auto wait = call.services.user_reports.take(net::client_key(call.request().client))) {
    net::Response response = answer(Problem{429, "Too many reports", "This address has reported many images in a short time.", "Come again later, or write to the administrator.", ""});
    response.add("Retry-After", std::to_string(wait->count()));
    return response;
  }
  given.reason = reason;
  given.reporter = call.caller.name;
  given.address = call.request().client;
  const gate::Viewer viewer{call.caller.name, call.may(registry::Action::push, given.repository)};
  const auto opened = gate::report_image(call.services.gate, given, viewer);
  if (!opened) return answer(call, opened.error());
  JsonWriter json(0);
  json.begin_object().field("id", opened->id).field("digest", opened->digest.str()).field("reports", opened->reports).field("opened", to_rfc3339(opened->opened));
  return answer_json(201, std::move(json.end_object()));
}

net::Response list_all(ApiCall& call) {
  ApiPage page(call);
  if (page.mistake()) return *page.mistake();
  std::optional<store::CaseState> state;
  if (const auto name = call.query("state")) {
    state = store::parse_case_state(*name);
    if (!state) return answer(Problem{400, "There is no such state", "A state is open, confirmed or rejected.", "", "state"});
  }
  std::optional<std::string> next;
  const auto read = call.services.metadata.read([&](store::Reader& reader) {
    const auto cases = reader.user_cases(state, page.after_number(), page.limit() + 1);
    const std::size_t count = std::min(cases.size(), page.limit());
    for (std::size_t i = 0; i < count; ++i) {
      write(page.json(), cases[i], call.services.gate.now());
      page.json().end_object();
    }
    if (cases.size() > count) next = std::to_string(cases[count - 1].id);
  });
  if (!read) return answer(call, read.error());
  return page.answer(next);
}

net::Response show_case(ApiCall& call, std::int64_t id) {
  JsonWriter json(0);
  bool known = false;
  const auto read = call.services.metadata.read([&](store::Reader& reader) {
    const auto one = reader.user_case(id);
    if (!one) return;
    known = true;
    write(json, *one, call.services.gate.now());
    json.key("texts").begin_array();
    for (const store::UserReport& text : reader.user_reports(id)) {
      json.begin_object().field("at", to_rfc3339(text.at)).field("reporter", text.reporter).field("address", text.address).field("repository", text.repository);
      json.field("tag", text.tag).field("reason", text.reason).end_object();
    }
    json.end_array().end_object();
  });
  if (!read) return answer(call, read.error());
  return known ? answer_json(200, std::move(json)) : not_found("such case");
}

net::Response show(ApiCall& call) {
  const auto id = case_of(call);
  return id ? show_case(call, *id) : not_found("such case");
}

net::Response decide(ApiCall& call) {
  const auto id = case_of(call);
  if (!id) return not_found("such case");
  BodyFields fields(call.body);
  const std::string state = fields.required_text("state", 20), act = fields.text("act", 20, "none"), note = fields.text("note", 4000);
  if (state != "confirmed" && state != "rejected") fields.refuse("state", "it is confirmed or rejected");
  if (act != "none" && act != "hold" && act != "condemn") fields.refuse("act", "it is none, hold or condemn");
  if (auto mistake = fields.mistake()) return std::move(*mistake);
  const gate::CaseAct done = act == "hold" ? gate::CaseAct::hold : act == "condemn" ? gate::CaseAct::condemn : gate::CaseAct::none;
  const auto closed = gate::close_case(call.services.gate, *id, state == "confirmed", done, call.caller.name, note);
  if (!closed) return answer(call, closed.error());
  if (const auto logged = call.services.accounts.log(call.actor(), "user-report." + state, std::to_string(*id), act + ": " + note); !logged) return answer(call, logged.error());
  return show_case(call, *id);
}

constexpr ApiRoute list[] = {
    {"GET", "/user-reports", ApiAccess::administrator, list_all, {200}, {"state"}, true},
    {"POST", "/user-reports", ApiAccess::anyone, report, {201, 404}, {}, false, 16 << 10},
    {"GET", "/user-reports/{id}", ApiAccess::administrator, show, {200, 404}},
    {"POST", "/user-reports/{id}/decision", ApiAccess::administrator, decide, {200, 404, 409}, {}, false, 16 << 10},
};

}  // namespace

std::span<const ApiRoute> user_report_routes() { return list; }

}  // namespace lazaret::server
