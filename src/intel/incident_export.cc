#include "intel/incident_export.h"

#include <fmt/format.h>

#include "base/text.h"
#include "intel/weights.h"

namespace lazaret::intel {
namespace {

ImportedEntry entry_of(std::string type, std::string value, const detect::IncidentFact& fact) {
  ImportedEntry entry{std::move(type), std::move(value)};
  entry.confidence = fact.confidence == detect::Confidence::high ? "high" : "medium";
  entry.source = fact.source;
  entry.note = fact.note;
  return entry;
}

}  // namespace

Import import_of(const detect::IncidentData& data, const detect::Incident& incident) {
  Import import;
  import.id = incident.id;
  import.title = incident.title;
  import.first_seen = incident.first_seen;
  import.last_seen = incident.last_seen;
  import.attack = incident.attack;
  import.timeline = incident.timeline;
  for (const detect::KnownPublisher& publisher : data.publishers) {
    if (publisher.incident == &incident) import.entries.push_back(entry_of("publisher", publisher.account, publisher));
  }
  for (const detect::KnownImage& image : data.images) {
    if (image.incident != &incident) continue;
    ImportedEntry entry = image.digest.empty() ? entry_of("repository", image.repository, image) : entry_of("image", image.digest.str(), image);
    if (!image.digest.empty()) entry.repository = image.repository;
    entry.tags = image.tags;
    entry.date = image.date;
    import.entries.push_back(std::move(entry));
  }
  for (const detect::KnownIndicator& indicator : data.indicators) {
    if (indicator.incident != &incident) continue;
    ImportedEntry entry = entry_of(indicator.type, indicator.value, indicator);
    entry.earned = indicator.earned;
    entry.earned_at = indicator.earned_at;
    import.entries.push_back(std::move(entry));
  }
  return import;
}

std::string to_list(const Import& import) {
  std::string text = fmt::format("# {}: {}\n", import.id, escape(import.title, 200));
  for (const ImportedEntry& entry : import.entries) {
    // Names of accounts and words of scripts mean nothing to a reader of lists.
    const bool word = entry.type == "file-sha256" || entry.type == "image" || entry.type == "c2" || entry.type == "domain" || entry.type == "url" || entry.type.starts_with("wallet.");
    if (word) text += fmt::format("{}  # {}\n", entry.value, entry.type);
  }
  return text;
}

Story story_of(const Import& import) {
  Story story;
  story.title = import.title;
  story.attack = import.attack;
  story.first_upload = first_moment(import.first_seen);
  story.campaign.created = story.first_upload;
  for (const ImportedEntry& entry : import.entries) {
    if (entry.type == "image") {
      StoryImage image;
      image.digest = entry.value;
      image.bad = true;
      story.images.push_back(std::move(image));
      continue;
    }
    const Kind* kind = find_kind(entry.type);
    if (kind == nullptr) continue;
    StoryIndicator indicator;
    indicator.kind = entry.type;
    indicator.title = kind->title;
    indicator.value = entry.value;
    indicator.listed = true;
    indicator.weight = kind->flagged;
    story.indicators.push_back(std::move(indicator));
  }
  return story;
}

}  // namespace lazaret::intel
