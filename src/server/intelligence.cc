#include "server/intelligence.h"

#include <fmt/format.h>

#include "base/text.h"
#include "intel/incident_folder.h"
#include "intel/story.h"

namespace lazaret::server {

std::string incident_folder_of(const std::string& data) { return data + "/intel"; }
std::string indicator_file_of(const std::string& data) { return data + "/indicators.sqlite"; }

Result<std::unique_ptr<Intelligence>> Intelligence::open(const std::string& data, Clock clock) {
  auto store = store::open_sqlite_indicator_store(indicator_file_of(data));
  if (!store) return store.error();
  return std::unique_ptr<Intelligence>(new Intelligence(incident_folder_of(data), std::move(*store), std::move(clock)));
}

Result<std::size_t> Intelligence::learn_incidents(gate::Gate& gate) { return learn(detect::incident_data(), gate, nullptr); }

Result<std::size_t> Intelligence::learn(const detect::IncidentData& data, gate::Gate& gate, std::vector<std::string>* matched) {
  std::size_t held = 0;
  for (const intel::Campaigns::Incident& incident : intel::known_incidents(data)) {
    auto linked = campaigns_.learn_incident(incident);
    if (!linked) return linked.error();
    // Of an image that was pushed before there was an index only the digest is known.
    for (const detect::KnownImage& image : data.images) {
      if (!image.digest.empty() && image.incident->id == incident.id) linked->push_back(image.digest.str());
    }
    const auto now_held = gate.hold_listed(*linked, fmt::format("it matches the known incident {}: {}", incident.id, escape(incident.title, 200)));
    if (!now_held) return now_held.error();
    held += *now_held;
    if (matched != nullptr) {
      for (const std::string& digest : *linked) {
        bool here = false;
        const auto read = gate.metadata().read([&](store::Reader& reader) {
          const auto parsed = Digest::parse(digest);
          here = parsed && reader.manifest(*parsed).has_value();
        });
        if (!read) return read.error();
        if (here) matched->push_back(digest);
      }
    }
  }
  return held;
}

Result<Intelligence::Imported> Intelligence::take(std::string_view text, const intel::ImportOptions& options, gate::Gate& gate) {
  auto import = intel::read_import(text, options);
  if (!import) return import.error();
  const detect::Incident* known = intel::find_incident(import->id);
  if (known != nullptr && !known->imported) return Error{ErrorCode::invalid, fmt::format("{} is a built-in incident: choose another id", import->id)};
  Imported result;
  const std::string file = intel::to_toml(*import);
  const detect::DataFile as_rules{"incidents/" + import->id + ".toml", file, true};
  const auto data = detect::parse_incident_data({&as_rules, 1});
  if (!data) return data.error();
  if (const auto written = intel::write_incident(folder_, import->id, file); !written) return written.error();
  const auto held = learn(*data, gate, &result.matched);
  if (!held) return held.error();
  result.held = *held;
  result.import = std::move(*import);
  return result;
}

Result<bool> Intelligence::withdraw(const std::string& id) { return intel::remove_incident(folder_, id); }

}  // namespace lazaret::server
