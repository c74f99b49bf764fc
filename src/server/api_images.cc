// Images: what the gate knows of them.
#include "server/api_answer.h"
#include "server/api_resources.h"

namespace lazaret::server {
namespace {

// Whether the caller may push to a repository that holds the image: then it is told why, and is given the report.
bool insider(ApiCall& call, store::Reader& reader, const Digest& digest) {
  if (call.caller.administrator) return true;
  for (const std::int64_t id : reader.repositories_with(digest)) {
    const auto repository = reader.repository(id);
    if (repository && call.may(registry::Action::push, repository->name)) return true;
  }
  return false;
}

net::Response report(ApiCall& call) {
  const auto digest = Digest::parse(call.parameter("digest"));
  if (!digest) return not_found("report of such an image");
  std::optional<store::Verdict> verdict;
  const auto read = call.services.metadata.read([&](store::Reader& reader) {
    const auto canonical = reader.canonical(*digest);
    if (canonical && insider(call, reader, *canonical)) verdict = reader.verdict(*canonical, "");
  });
  if (!read) return answer(call, read.error());
  if (!verdict || verdict->report.empty()) return not_found("report of such an image");
  net::Response response;
  response.add("Content-Type", "application/json");
  response.add("Cache-Control", "no-store");
  response.body = std::move(verdict->report);
  return response;
}

constexpr ApiRoute list[] = {
    // The link in refusals of pushes.
    {"GET", "/reports/{digest}", ApiAccess::account, report, {200, 404}},
};

}  // namespace

std::span<const ApiRoute> image_routes() { return list; }

}  // namespace lazaret::server
