// What the interface says of itself: its description as OpenAPI 3.1, and its routes as the code has them.
#include "base/embedded.h"
#include "base/json_writer.h"
#include "server/api_answer.h"
#include "server/api_resources.h"

namespace lazaret {
std::span<const EmbeddedFile> embedded_openapi();
}

namespace lazaret::server {
namespace {

net::Response openapi(ApiCall&) {
  return net::text_response(200, embedded_openapi().front().content(), "application/yaml");
}

net::Response routes(ApiCall&) {
  JsonWriter json(0);
  json.begin_object().key("items").begin_array();
  for (const std::span<const ApiRoute> resource : api_resources()) {
    for (const ApiRoute& route : resource) {
      json.begin_object().field("method", route.method).field("path", route.path).field("access", name_of(route.access)).key("query").begin_array();
      for (const std::string_view name : query_of(route)) json.value(name);
      json.end_array().field("body", route.body_bytes != 0).key("statuses").begin_array();
      for (const int status : statuses_of(route)) json.value(status);
      json.end_array().end_object();
    }
  }
  json.end_array().end_object();
  return answer_json(200, std::move(json));
}

constexpr ApiRoute list[] = {
    {"GET", "/openapi.yaml", ApiAccess::anyone, openapi, {200}},
    {"GET", "/routes", ApiAccess::anyone, routes, {200}},
};

}  // namespace

std::span<const ApiRoute> description_routes() { return list; }

}  // namespace lazaret::server
