// Repositories and their tags: only those that the caller may see, as the catalog and the tag list of the distribution API.
#include "base/text.h"
#include "base/time.h"
#include "server/api_answer.h"
#include "server/api_resources.h"

namespace lazaret::server {
namespace {

void write_repository(const ApiCall& call, JsonWriter& json, store::Reader& reader, const store::Repository& repository) {
  json.begin_object().field("name", repository.name).field("publisher", repository.publisher).field("created", to_rfc3339(repository.created));
  json.field("visible", reader.repository_visible(repository.id)).field("may_push", call.may(registry::Action::push, repository.name));
  if (repository.takedown != 0) json.field("takedown", repository.takedown);
  json.end_object();
}

bool may_see(const ApiCall& call, store::Reader& reader, const store::Repository& repository) {
  if (call.caller.administrator) return true;
  if (repository.takedown != 0) return false;
  return call.may(registry::Action::push, repository.name) || (call.may(registry::Action::pull, repository.name) && reader.repository_visible(repository.id));
}

net::Response list_repositories(ApiCall& call) {
  ApiPage page(call);
  if (page.mistake()) return *page.mistake();
  const std::string wanted = to_lower(call.query("q").value_or(""));
  const std::string publisher = call.query("publisher").value_or("");
  std::optional<std::string> next;
  const auto read = call.services.metadata.read([&](store::Reader& reader) {
    std::string last = page.after(), shown_last = page.after();
    std::size_t shown = 0;
    for (;;) {
      const std::vector<store::Repository> some = reader.repositories(last, 1000);
      for (const store::Repository& repository : some) {
        last = repository.name;
        if (repository.name.find(wanted) == std::string::npos || (!publisher.empty() && repository.publisher != publisher) || !may_see(call, reader, repository)) continue;
        if (shown == page.limit()) {
          next = shown_last;
          return;
        }
        write_repository(call, page.json(), reader, repository);
        shown_last = repository.name;
        ++shown;
      }
      if (some.size() < 1000) return;
    }
  });
  if (!read) return answer(call, read.error());
  return page.answer(next);
}

net::Response show_repository(ApiCall& call) {
  JsonWriter json(0);
  bool found = false;
  const auto read = call.services.metadata.read([&](store::Reader& reader) {
    const auto repository = reader.repository(call.parameter("repository"));
    if (!repository || !may_see(call, reader, *repository)) return;
    found = true;
    write_repository(call, json, reader, *repository);
  });
  if (!read) return answer(call, read.error());
  return found ? answer_json(200, std::move(json)) : not_found("such repository");
}

net::Response list_tags(ApiCall& call) {
  ApiPage page(call);
  if (page.mistake()) return *page.mistake();
  const auto name = call.query("repository");
  if (!name) return answer({400, "A parameter is missing", "repository says whose tags are wanted", "", "repository"});
  bool found = false;
  std::optional<std::string> next;
  const auto read = call.services.metadata.read([&](store::Reader& reader) {
    const auto repository = reader.repository(*name);
    if (!repository || !may_see(call, reader, *repository)) return;
    found = true;
    const bool insider = call.may(registry::Action::push, *name);
    const auto tags = reader.tags(repository->id, page.after(), page.limit() + 1, !insider);
    std::string last;
    std::size_t looked = 0;
    for (const store::Tag& tag : tags) {
      if (looked++ == page.limit()) {
        next = last;
        return;
      }
      last = tag.name;
      if (tag.takedown != 0 && !call.caller.administrator) continue;
      const auto manifest = insider ? reader.manifest(tag.digest) : std::nullopt;
      JsonWriter& json = page.json();
      json.begin_object().field("name", tag.name).field("publisher", tag.publisher).field("pushed", to_rfc3339(tag.at));
      if (!tag.released.empty()) json.field("released", tag.released.str());
      if (manifest) json.field("digest", tag.digest.str()).field("state", store::name_of(manifest->state));
      if (tag.takedown != 0) json.field("takedown", tag.takedown);
      json.end_object();
    }
  });
  if (!read) return answer(call, read.error());
  return found ? page.answer(next) : not_found("such repository");
}

constexpr ApiRoute list[] = {
    {"GET", "/repositories", ApiAccess::anyone, list_repositories, {200}, {"q", "publisher"}, true},
    {"GET", "/repositories/{repository*}", ApiAccess::anyone, show_repository, {200, 404}},
    {"GET", "/tags", ApiAccess::anyone, list_tags, {200, 404}, {"repository"}, true},
};

}  // namespace

std::span<const ApiRoute> repository_routes() { return list; }

}  // namespace lazaret::server
