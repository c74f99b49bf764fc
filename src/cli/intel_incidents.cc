// lazaret intel import, export, list and remove: known incidents, built in and of the user.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "base/json_writer.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/bases_file.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/server_client.h"
#include "cli/server_configuration.h"
#include "intel/import.h"
#include "intel/incident_export.h"
#include "intel/incident_folder.h"
#include "report/campaign_report.h"
#include "server/intelligence.h"
#include "server/server.h"

namespace lazaret::cli {
namespace {

// For `serve` in the data folder, else in the user's.
Result<std::string> folder_of(const IncidentOptions& options) {
  if (!options.access.serve.data.empty() || !options.access.serve.config.empty()) {
    const auto configuration = read_configuration(options.access.serve);
    if (!configuration) return configuration.error();
    return server::incident_folder_of(configuration->data);
  }
  const std::string folder = incident_folder(options.folder);
  if (folder.empty()) return Error{ErrorCode::invalid, "neither $XDG_DATA_HOME nor $HOME is set: name the folder with --incidents DIR"};
  return folder;
}

// Through the server, which holds at once what matches.
int send_files(const IncidentOptions& options) {
  auto client = ServerClient::open(options.access);
  if (!client) return fail(client.error().message);
  bool failed = false;
  for (const std::string& file : options.files) {
    const auto text = read_text(file);
    if (!text) {
      failed = true;
      fail(text.error().message);
      continue;
    }
    JsonWriter body(0);
    body.begin_object().field("text", *text).field("source", file.substr(file.rfind('/') + 1));
    if (!options.format.empty()) body.field("format", options.format);
    if (!options.id.empty()) body.field("id", options.id);
    if (!options.title.empty()) body.field("title", options.title);
    const auto answer = client->send("POST", "/incidents", body.end_object().take());
    if (!answer) {
      failed = true;
      fail(fmt::format("{}: {}", file, answer.error().message));
      continue;
    }
    const format::JsonValue* matched = answer->find("matched");
    const std::size_t matches = matched != nullptr && matched->as_array() != nullptr ? matched->as_array()->size() : 0;
    fmt::print("{} ({}): {} taken, {} not taken; {} images match, {} of them were released and are held now\n", escape(answer->text("title")), escape(answer->text("id")), answer->number("taken"),
               answer->number("refused_count"), matches, answer->number("held"));
    if (const format::JsonValue* refused = answer->find("refused"); refused != nullptr && refused->as_array() != nullptr) {
      for (const format::JsonValue& entry : *refused->as_array()) fmt::print("  not taken: {}: {}\n", escape(entry.text("entry"), 200), escape(entry.text("why"), 200));
    }
  }
  return failed ? exit_error : 0;
}

int import_files(const IncidentOptions& options, const std::string& folder) {
  bool failed = false;
  for (const std::string& file : options.files) {
    const auto text = read_text(file);
    if (!text) {
      failed = true;
      fail(text.error().message);
      continue;
    }
    intel::ImportOptions import_options;
    if (options.format == "toml") import_options.format = intel::ImportFormat::toml;
    if (options.format == "stix") import_options.format = intel::ImportFormat::stix;
    if (options.format == "misp") import_options.format = intel::ImportFormat::misp;
    if (options.format == "list") import_options.format = intel::ImportFormat::list;
    import_options.id = options.id;
    import_options.title = options.title;
    import_options.source = file.substr(file.rfind('/') + 1);
    import_options.now = milliseconds_now();
    const auto import = intel::read_import(*text, import_options);
    if (!import) {
      failed = true;
      fail(fmt::format("{}: {}", file, import.error().message));
      continue;
    }
    const detect::Incident* known = intel::find_incident(import->id);
    if (known != nullptr && !known->imported) {
      failed = true;
      fail(fmt::format("{}: {} is a built-in incident: choose another name with --id", file, import->id));
      continue;
    }
    if (const auto written = intel::write_incident(folder, import->id, intel::to_toml(*import)); !written) {
      failed = true;
      fail(written.error().message);
      continue;
    }
    fmt::print("{}", intel::describe(*import));
  }
  return failed ? exit_error : 0;
}

int list(const IncidentOptions& options) {
  const detect::IncidentData& data = detect::incident_data();
  JsonWriter json;
  json.begin_array();
  std::string table = fmt::format("{:<30} {:<9} {:<10} {:>6} {:>10}  {}\n", "ID", "FROM", "SEEN", "IMAGES", "INDICATORS", "TITLE");
  for (const auto& incident : data.incidents) {
    const auto of = [&](const auto& facts) { return std::count_if(facts.begin(), facts.end(), [&](const auto& fact) { return fact.incident == incident.get(); }); };
    const auto images = of(data.images), indicators = of(data.indicators) + of(data.publishers);
    table += fmt::format("{:<30} {:<9} {:<10} {:>6} {:>10}  {}\n", escape(incident->id), incident->imported ? "imported" : "built in", escape(incident->first_seen), images, indicators, escape(incident->title, 200));
    json.begin_object().field("id", incident->id).field("title", incident->title).field("imported", incident->imported).field("first_seen", incident->first_seen);
    json.field("last_seen", incident->last_seen).field("images", static_cast<std::int64_t>(images)).field("indicators", static_cast<std::int64_t>(indicators)).end_object();
  }
  json.end_array();
  return write_output(options.output, options.format == "json" ? json.take() + "\n" : table) ? 0 : exit_error;
}

int export_incidents(const IncidentOptions& options) {
  const detect::IncidentData& data = detect::incident_data();
  std::string text;
  if (options.ids.size() != 1 && options.format != "list") return fail("name one incident (lazaret intel list); only lists hold several");
  for (const std::string& id : options.ids) {
    const detect::Incident* incident = intel::find_incident(id);
    if (incident == nullptr) return fail(fmt::format("there is no incident {}: `lazaret intel list` shows all", id));
    const intel::Import import = intel::import_of(data, *incident);
    if (options.format == "stix") {
      text += report::campaign_stix(intel::story_of(import));
    } else {
      text += options.format == "list" ? intel::to_list(import) : intel::to_toml(import);
    }
  }
  return write_output(options.output, text) ? 0 : exit_error;
}

}  // namespace

int run_incidents(const IncidentOptions& options) {
  const bool of_registry = !options.access.serve.data.empty() || !options.access.serve.config.empty();
  if (options.act == IncidentAct::take && (of_registry || !options.access.server.empty())) {
    if (!options.access.server.empty()) return send_files(options);
    const auto configuration = read_configuration(options.access.serve);
    if (!configuration) return fail(configuration.error().message);
    const auto lock = server::DataLock::take(configuration->data);
    if (!lock && lock.error().code == ErrorCode::busy) return send_files(options);
  }
  const auto folder = folder_of(options);
  if (!folder) return fail(folder.error().message);
  if (options.act == IncidentAct::remove) {
    for (const std::string& id : options.ids) {
      const auto removed = intel::remove_incident(*folder, id);
      if (!removed) return fail(removed.error().message);
      if (!*removed) return fail(fmt::format("no incident {} was imported into {}", id, *folder));
      fmt::print("{} was removed\n", escape(id));
    }
    return 0;
  }
  auto imported = intel::read_incident_folder(*folder);
  if (!imported) return fail(imported.error().message);
  if (const auto used = detect::use_imported_incidents(std::move(*imported)); !used) return fail(fmt::format("{}: {}", *folder, used.error().message));
  switch (options.act) {
    case IncidentAct::list: return list(options);
    case IncidentAct::take: return import_files(options, *folder);
    case IncidentAct::give: return export_incidents(options);
    case IncidentAct::remove: break;
  }
  return 0;
}

}  // namespace lazaret::cli
