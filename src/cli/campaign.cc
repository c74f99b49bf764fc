// lazaret campaign: campaigns of a data folder, or of the server that uses it.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "base/text.h"
#include "base/time.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/server_client.h"
#include "cli/server_configuration.h"
#include "intel/campaigns.h"
#include "intel/incident_folder.h"
#include "intel/story.h"
#include "report/campaign_report.h"
#include "server/intelligence.h"
#include "server/server.h"

namespace lazaret::cli {
namespace {

// What a data folder knows, open for this process alone.
struct Folder {
  std::unique_ptr<server::DataLock> lock;
  std::unique_ptr<store::IndicatorStore> indicators;
  std::unique_ptr<store::MetadataStore> metadata;
  std::unique_ptr<store::LedgerStore> ledger;

  static Result<Folder> open(const std::string& data) {
    Folder folder;
    auto lock = server::DataLock::take(data);
    if (!lock) return lock.error();
    folder.lock = std::move(*lock);
    auto incidents = intel::read_incident_folder(server::incident_folder_of(data));
    if (!incidents) return incidents.error();
    if (const auto used = detect::use_imported_incidents(std::move(*incidents)); !used) return used.error();
    auto indicators = store::open_sqlite_indicator_store(server::indicator_file_of(data));
    if (!indicators) return indicators.error();
    folder.indicators = std::move(*indicators);
    auto metadata = store::open_sqlite_metadata_store(data + "/metadata.sqlite");
    if (!metadata) return metadata.error();
    folder.metadata = std::move(*metadata);
    auto ledger = store::open_sqlite_ledger(data + "/ledger");
    if (!ledger) return ledger.error();
    folder.ledger = std::move(*ledger);
    return folder;
  }
};

int print_list(const std::vector<intel::CampaignSummary>& campaigns, const CampaignOptions& options) {
  if (options.format != "json") return write_output(options.output, report::campaign_list_table(campaigns)) ? 0 : exit_error;
  JsonWriter json;
  json.begin_array();
  for (const intel::CampaignSummary& campaign : campaigns) report::write_campaign_summary(json, campaign);
  json.end_array();
  return write_output(options.output, json.take() + "\n") ? 0 : exit_error;
}

int list(const intel::StorySources& sources, const CampaignOptions& options) {
  const auto campaigns = intel::list_campaigns(sources, options.all);
  if (!campaigns) return fail(campaigns.error().message);
  return print_list(*campaigns, options);
}

int show(const intel::StorySources& sources, const CampaignOptions& options) {
  const auto format = report::parse_campaign_format(options.format);
  if (!format) return fail(fmt::format("{} is no format: table, json, markdown, html or stix", options.format));
  const auto story = intel::tell(sources, options.id);
  if (!story) return fail(story.error().message);
  return write_output(options.output, report::write_campaign(*story, *format)) ? 0 : exit_error;
}

std::uint64_t size_of(const format::JsonValue& object, std::string_view key) {
  const format::JsonValue* value = object.find(key);
  return value != nullptr ? value->as_size().value_or(0) : 0;
}
bool truth_of(const format::JsonValue& object, std::string_view key) {
  const format::JsonValue* value = object.find(key);
  return value != nullptr && value->as_bool() != nullptr && *value->as_bool();
}

intel::CampaignSummary summary_of(const format::JsonValue& item) {
  intel::CampaignSummary summary;
  summary.campaign.id = static_cast<std::int64_t>(size_of(item, "id"));
  summary.campaign.name = item.text("name");
  summary.campaign.incident = item.text("incident");
  summary.campaign.confirmed = truth_of(item, "confirmed");
  summary.images = size_of(item, "images");
  summary.bad = size_of(item, "convicted");
  summary.accounts = size_of(item, "accounts");
  summary.pulls = size_of(item, "pulls");
  summary.first_seen = parse_rfc3339(item.text("first_upload")).value_or(0);
  summary.last_seen = parse_rfc3339(item.text("last_upload")).value_or(0);
  return summary;
}

int ask_server(const CampaignOptions& options) {
  auto client = ServerClient::open(options.access);
  if (!client) return fail(client.error().message);
  const std::string path = fmt::format("/campaigns/{}", options.id);
  if (options.act == CampaignAct::list) {
    const auto answer = options.all ? client->get("/campaigns", {{"all", "true"}}) : client->get("/campaigns");
    if (!answer) return fail(answer.error().message);
    std::vector<intel::CampaignSummary> campaigns;
    if (const format::JsonValue* items = answer->find("items"); items != nullptr && items->as_array() != nullptr) {
      for (const format::JsonValue& item : *items->as_array()) campaigns.push_back(summary_of(item));
    }
    return print_list(campaigns, options);
  }
  if (options.act == CampaignAct::show || options.act == CampaignAct::report) {
    const auto answer = client->get(path + "/report", {{"format", options.format}});
    if (!answer) return fail(answer.error().message);
    return write_output(options.output, answer->text("text")) ? 0 : exit_error;
  }
  JsonWriter body(0);
  body.begin_object();
  std::string act = "/confirm", method = "POST";
  if (options.act == CampaignAct::name) {
    act = "/name";
    method = "PUT";
    body.field("name", options.name);
  } else if (options.act == CampaignAct::merge) {
    act = "/merge";
    body.field("campaign", options.other);
  } else if (options.act == CampaignAct::split) {
    act = "/split";
    body.key("images").strings(options.images);
  }
  const auto answer = client->send(method, path + act, options.act == CampaignAct::confirm ? "" : body.end_object().take());
  if (!answer) return fail(answer.error().message);
  if (options.act == CampaignAct::split) fmt::print("{}\n", size_of(*answer, "id"));
  return 0;
}

}  // namespace

int run_campaign(const CampaignOptions& options) {
  if (!options.access.server.empty()) return ask_server(options);
  const auto configuration = read_configuration(options.access.serve);
  if (!configuration) return fail(configuration.error().message);
  auto folder = Folder::open(configuration->data);
  if (!folder && folder.error().code == ErrorCode::busy) return ask_server(options);
  if (!folder) return fail(folder.error().message);
  const intel::StorySources sources{*folder->indicators, folder->metadata.get(), folder->ledger.get()};
  intel::Campaigns campaigns(*folder->indicators, milliseconds_now);
  Result<void> done;
  std::string said;
  switch (options.act) {
    case CampaignAct::list: return list(sources, options);
    case CampaignAct::show:
    case CampaignAct::report: return show(sources, options);
    case CampaignAct::confirm:
      done = campaigns.confirm(options.id, person());
      said = fmt::format("campaign {} is confirmed: its images stay in it", options.id);
      break;
    case CampaignAct::name:
      done = campaigns.name(options.id, options.name, person());
      said = fmt::format("campaign {} is called {}", options.id, escape(options.name));
      break;
    case CampaignAct::merge:
      done = campaigns.merge(options.id, options.other, person());
      said = fmt::format("campaign {} is part of campaign {}", options.other, options.id);
      break;
    case CampaignAct::split: {
      const auto made = campaigns.split(options.id, options.images, person());
      if (!made) return fail(made.error().message);
      fmt::print("{}\n", *made);
      said = fmt::format("{} images are campaign {} now", options.images.size(), *made);
      break;
    }
  }
  if (!done) return fail(done.error().message);
  fmt::print(stderr, "lazaret: {}\n", said);
  return 0;
}

}  // namespace lazaret::cli
