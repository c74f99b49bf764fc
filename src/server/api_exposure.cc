// Exposure: who was given what turned out to be bad; and the ledger itself.
#include <algorithm>

#include "base/time.h"
#include "gate/exposure.h"
#include "server/api_answer.h"
#include "server/api_resources.h"
#include "server/pull_text.h"

namespace lazaret::server {
namespace {

// Of groups in one answer; sums count all.
constexpr std::size_t most_groups = 20'000;

void write_sum(JsonWriter& json, const gate::ExposureSum& sum) {
  json.field("pulls", sum.pulls).field("downloads", sum.downloads).field("not_modified", sum.not_modified).field("cut", sum.cut).field("late", sum.late);
  json.field("bytes", sum.bytes);
  if (sum.first != 0) json.field("first", to_rfc3339(sum.first)).field("last", to_rfc3339(sum.last));
}

void write_groups(JsonWriter& json, std::string_view name, std::string_view key, const std::map<std::string, gate::ExposureSum>& groups, bool& cut) {
  std::vector<const std::pair<const std::string, gate::ExposureSum>*> sorted;
  for (const auto& group : groups) sorted.push_back(&group);
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) { return a->second.pulls + a->second.downloads > b->second.pulls + b->second.downloads; });
  if (sorted.size() > most_groups) {
    sorted.resize(most_groups);
    cut = true;
  }
  json.key(name).begin_array();
  for (const auto* group : sorted) {
    json.begin_object().field(key, group->first);
    write_sum(json, group->second);
    json.key("images").strings({group->second.images.begin(), group->second.images.end()}).end_object();
  }
  json.end_array();
}

net::Response show(ApiCall& call) {
  const auto subject = call.query("subject");
  if (!subject || subject->empty()) {
    return answer(Problem{400, "The subject is missing", "Name an image, a repository, a publisher or the number of a takedown.", "", "subject"});
  }
  std::optional<gate::SubjectKind> kind;
  if (const auto name = call.query("kind")) {
    kind = gate::parse_subject_kind(*name);
    if (!kind) return answer(Problem{400, "There is no such kind", "A kind is image, repository, publisher or takedown.", "", "kind"});
  }
  store::Time from = 0;
  if (const auto text = call.query("from")) {
    const auto time = parse_rfc3339(*text);
    if (!time) return answer(Problem{400, "This is no time", "Write a date or a time of RFC 3339, such as 2018-05-10T08:00:00Z.", "", "from"});
    from = *time;
  }
  auto content = gate::find_subject(call.services.metadata, *subject, kind);
  if (!content) return answer(call, content.error());
  const auto exposure = gate::find_exposure(call.services.ledger, std::move(*content), from);
  if (!exposure) return answer(call, exposure.error());
  // Who was told of whom is written down.
  if (const auto logged = call.services.accounts.log(call.actor(), "exposure", *subject, ""); !logged) return answer(call, logged.error());

  const gate::SubjectContent& found = exposure->content;
  bool cut = exposure->cut;
  JsonWriter json(0);
  json.begin_object().field("schema", "lazaret.exposure/v1").field("kind", gate::name_of(found.subject.kind)).field("subject", found.subject.name);
  json.field("made", to_rfc3339(call.services.gate.now()));
  if (found.takedown != 0) json.key("takedown").begin_object().field("id", found.takedown).field("at", to_rfc3339(found.taken_down)).end_object();
  json.key("images").begin_array();
  for (const Digest& digest : found.manifests) {
    json.begin_object().field("digest", digest.str());
    if (const auto name = found.names.find(digest); name != found.names.end()) json.field("name", name->second);
    if (const auto config = found.configs.find(digest); config != found.configs.end()) json.field("config", config->second.str());
    json.end_object();
  }
  json.end_array();
  write_sum(json, exposure->all);
  write_groups(json, "accounts", "account", exposure->accounts, cut);
  write_groups(json, "networks", "network", exposure->networks, cut);
  write_groups(json, "agents", "agent", exposure->agents, cut);
  return answer_json(200, std::move(json.field("cut_off", cut).end_object()));
}

net::Response pulls(ApiCall& call) {
  ApiPage page(call);
  if (page.mistake()) return *page.mistake();
  store::PullFilter filter;
  filter.after = page.after_number();
  filter.limit = page.limit() + 1;
  if (const auto text = call.query("digest")) {
    const auto digest = Digest::parse(*text);
    if (!digest) return answer(Problem{400, "This is no digest", "Write sha256: and 64 hex digits.", "", "digest"});
    filter.digest = *digest;
  }
  filter.repository = call.query("repository").value_or("");
  filter.identity = call.query("identity").value_or("");
  for (const auto& [name, time] : {std::pair("from", &filter.from), std::pair("until", &filter.until)}) {
    const auto text = call.query(name);
    if (!text) continue;
    const auto parsed = parse_rfc3339(*text);
    if (!parsed) return answer(Problem{400, "This is no time", "Write a date or a time of RFC 3339, such as 2018-05-10T08:00:00Z.", "", name});
    *time = *parsed;
  }
  if (page.after().empty()) {
    call.services.ledger.flush();
    if (const auto logged = call.services.accounts.log(call.actor(), "ledger", "", ""); !logged) return answer(call, logged.error());
  }
  const auto found = call.services.pulls.find(filter);
  if (!found) return answer(call, found.error());
  const std::size_t count = std::min(found->size(), page.limit());
  for (std::size_t i = 0; i < count; ++i) write_pull(page.json(), (*found)[i]);
  return page.answer(found->size() > count ? std::optional<std::string>(std::to_string((*found)[count - 1].id)) : std::nullopt);
}

constexpr ApiRoute list[] = {
    {"GET", "/exposure", ApiAccess::administrator, show, {200, 404}, {"subject", "kind", "from"}},
    {"GET", "/pulls", ApiAccess::administrator, pulls, {200}, {"digest", "repository", "identity", "from", "until"}, true},
};

}  // namespace

std::span<const ApiRoute> exposure_routes() { return list; }

}  // namespace lazaret::server
