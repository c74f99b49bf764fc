#include "server/api_view.h"

#include "base/time.h"
#include "gate/gate.h"

namespace lazaret::server {

ImageView look_at(const ApiCall& call, store::Reader& reader, const store::Manifest& manifest) {
  ImageView view;
  for (const std::int64_t id : reader.repositories_with(manifest.digest)) {
    const auto repository = reader.repository(id);
    const auto binding = reader.binding(id, manifest.digest);
    if (!repository || !binding) continue;
    const std::int64_t hidden = repository->takedown != 0 ? repository->takedown : binding->takedown;
    const bool insider = call.may(registry::Action::push, repository->name);
    if (hidden != 0 && !call.caller.administrator) continue;
    if (!insider && (manifest.state != store::State::released || !call.may(registry::Action::pull, repository->name))) continue;
    view.insider = view.insider || insider;
    ImagePlace place{repository->name, binding->publisher, binding->at, hidden, {}};
    for (const store::Tag& tag : reader.tags_of(id, manifest.digest)) {
      if (insider || tag.released == manifest.digest) place.tags.push_back(tag.name);
    }
    view.places.push_back(std::move(place));
  }
  return view;
}

void write_image(JsonWriter& json, store::Reader& reader, const store::Manifest& manifest, const ImageView& view) {
  constexpr std::string_view kinds[] = {"image", "index", "artifact"};
  json.begin_object().field("digest", manifest.digest.str()).field("media_type", manifest.media_type).field("kind", kinds[static_cast<std::size_t>(manifest.kind)]);
  json.field("size", manifest.size).field("created", to_rfc3339(manifest.created)).field("state", store::name_of(manifest.state));
  if (!manifest.artifact_type.empty()) json.field("artifact_type", manifest.artifact_type);
  if (!manifest.subject.empty()) json.field("subject", manifest.subject.str());
  const auto verdict = reader.verdict(manifest.digest, "");
  if (view.insider) {
    json.field("decided_by_hand", manifest.pinned);
    if (manifest.state != store::State::released) json.field("why", gate::reason_of(reader, manifest.digest, manifest.state));
  }
  // Of a released image everybody learns what its answers warn of.
  if (verdict && (view.insider || verdict->verdict == "suspicious" || verdict->verdict == "incomplete" || verdict->verdict == "clean")) {
    json.key("verdict").begin_object().field("verdict", verdict->verdict).field("score", verdict->score).field("at", to_rfc3339(verdict->at));
    json.field("rules", verdict->ruleset).key("titles").strings(verdict->titles).end_object();
  }
  json.key("repositories").begin_array();
  for (const ImagePlace& place : view.places) {
    json.begin_object().field("repository", place.repository).field("publisher", place.publisher).field("pushed", to_rfc3339(place.at)).key("tags").strings(place.tags);
    if (place.takedown != 0) json.field("takedown", place.takedown);
    json.end_object();
  }
  json.end_array().end_object();
}

std::optional<std::string> write_events(ApiPage& page, const std::vector<store::Event>& events) {
  JsonWriter& json = page.json();
  std::size_t written = 0;
  for (const store::Event& event : events) {
    if (written == page.limit()) return std::to_string(events[written - 1].id);
    json.begin_object().field("id", event.id).field("at", to_rfc3339(event.at)).field("kind", event.kind).field("actor", event.actor);
    if (!event.repository.empty()) json.field("repository", event.repository);
    if (!event.tag.empty()) json.field("tag", event.tag);
    if (!event.digest.empty()) json.field("digest", event.digest.str());
    json.field("detail", event.detail).end_object();
    ++written;
  }
  return std::nullopt;
}

}  // namespace lazaret::server
