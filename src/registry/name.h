// Names and paths of the distribution API (distribution-spec, "Endpoints").
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace lazaret::registry {

// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/...)*`, at most 229 bytes, so that host and name together stay within what clients take.
bool is_repository_name(std::string_view name);
// `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`
bool is_tag(std::string_view tag);

// What a path under /v2/ stands for.
struct Route {
  enum class Kind { root, catalog, tags, manifest, blob, start_upload, upload, referrers };
  Kind kind = Kind::root;
  std::string repository;  // not checked yet
  std::string reference;   // tag or digest, digest, or the id of an upload; not checked yet
};

// A repository may be called a/manifests/b or a/blobs/c: paths are read from the right. Nothing for a path that is none of the API's.
std::optional<Route> parse_route(std::string_view path);

}  // namespace lazaret::registry
