// What a caller may see of an image, for all resources that show images: the same rule as the distribution API's.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json_writer.h"
#include "server/api_answer.h"
#include "store/metadata_store.h"

namespace lazaret::server {

// A repository that holds an image.
struct ImagePlace {
  std::string repository, publisher;
  store::Time at = 0;
  std::int64_t takedown = 0;  // the act that hides it; administrators see it still
  std::vector<std::string> tags;
};

struct ImageView {
  std::vector<ImagePlace> places;  // those that the caller may see; none: the image does not exist for it
  bool insider = false;            // may push to one of them: is told why, and given the report
};

ImageView look_at(const ApiCall& call, store::Reader& reader, const store::Manifest& manifest);
// As the schema Image of docs/openapi.yaml.
void write_image(JsonWriter& json, store::Reader& reader, const store::Manifest& manifest, const ImageView& view);
// As the schema Event. Of `events`, asked for with one more than the page takes; the position of the next page, when there is one.
std::optional<std::string> write_events(ApiPage& page, const std::vector<store::Event>& events);

}  // namespace lazaret::server
