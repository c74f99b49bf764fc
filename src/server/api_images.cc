// Images: what the gate knows of them, and decisions by hand. What is not released exists for those only who may push to a repository that holds it.
#include <fmt/format.h>

#include <charconv>

#include "server/api_answer.h"
#include "server/api_resources.h"
#include "server/api_view.h"

namespace lazaret::server {
namespace {

constexpr std::size_t most_looked_at = 5'000;  // of one answer, so that a list of what the caller may not see does not go on for ever

net::Response no_image() { return not_found("such image"); }

std::optional<Digest> digest_of(const ApiCall& call) { return Digest::parse(call.parameter("digest")); }

net::Response list_images(ApiCall& call) {
  ApiPage page(call);
  if (page.mistake()) return *page.mistake();
  store::ManifestFilter filter;
  if (const auto text = call.query("state")) {
    filter.state = store::parse_state(*text);
    if (!filter.state) return answer({400, "A parameter is wrong", fmt::format("state is {}", *text), "It is one of pending, released, held and condemned.", "state"});
  }
  // Strangers see nothing else; not looking at it keeps the list short.
  if (call.caller.anonymous()) {
    if (filter.state && *filter.state != store::State::released) return page.answer(std::nullopt);
    filter.state = store::State::released;
  }
  if (!page.after().empty()) {
    const std::string_view after = page.after();
    const auto space = after.find(' ');
    const auto digest = space == std::string_view::npos ? std::nullopt : Digest::parse(after.substr(space + 1));
    if (!digest || std::from_chars(after.data(), after.data() + space, filter.before).ptr != after.data() + space) {
      return answer({400, "A parameter is wrong", "cursor is none that this list gave out", "Take it from `next` of an answer of the same list.", "cursor"});
    }
    filter.before_digest = *digest;
  }
  std::optional<std::string> next;
  const auto read = call.services.metadata.read([&](store::Reader& reader) {
    if (const auto name = call.query("repository")) {
      const auto repository = reader.repository(*name);
      if (!repository) return;
      filter.repository = repository->id;
    }
    filter.limit = 200;
    std::size_t shown = 0;
    for (std::size_t looked = 0;;) {
      const std::vector<store::Manifest> some = reader.manifests(filter);
      for (const store::Manifest& manifest : some) {
        if (shown == page.limit() || looked == most_looked_at) {
          next = fmt::format("{} {}", filter.before, filter.before_digest.str());
          return;
        }
        ++looked;
        filter.before = manifest.created;
        filter.before_digest = manifest.digest;
        const ImageView view = look_at(call, reader, manifest);
        if (view.places.empty()) continue;
        write_image(page.json(), reader, manifest, view);
        ++shown;
      }
      if (some.size() < filter.limit) return;
    }
  });
  if (!read) return answer(call, read.error());
  return page.answer(next);
}

net::Response show_image(ApiCall& call) {
  const auto digest = digest_of(call);
  if (!digest) return no_image();
  JsonWriter json(0);
  bool found = false;
  const auto read = call.services.metadata.read([&](store::Reader& reader) {
    const auto canonical = reader.canonical(*digest);
    const auto manifest = canonical ? reader.manifest(*canonical) : std::nullopt;
    if (!manifest) return;
    const ImageView view = look_at(call, reader, *manifest);
    if (view.places.empty()) return;
    found = true;
    write_image(json, reader, *manifest, view);
  });
  if (!read) return answer(call, read.error());
  return found ? answer_json(200, std::move(json)) : no_image();
}

// repository:tag, or repository@digest, as clients write them.
net::Response resolve(ApiCall& call) {
  const std::string reference = call.query("reference").value_or("");
  const auto at = reference.find('@');
  const auto colon = reference.rfind(':');
  const std::string repository_name = reference.substr(0, at != std::string::npos ? at : colon);
  const std::string wanted = at != std::string::npos ? reference.substr(at + 1) : colon != std::string::npos && colon > reference.rfind('/') + 1 ? reference.substr(colon + 1) : "";
  if (wanted.empty()) return answer({400, "A parameter is wrong", "reference is no image", "Write it as repository:tag or repository@sha256:...", "reference"});
  JsonWriter json(0);
  bool found = false;
  const auto read = call.services.metadata.read([&](store::Reader& reader) {
    const auto repository = reader.repository(repository_name);
    if (!repository) return;
    const bool insider = call.may(registry::Action::push, repository_name);
    Digest digest;
    if (const auto given = Digest::parse(wanted)) {
      digest = reader.canonical(*given).value_or(Digest());
    } else if (const auto tag = reader.tag(repository->id, wanted); tag && (tag->takedown == 0 || call.caller.administrator)) {
      digest = insider ? tag->digest : tag->released;
    }
    const auto manifest = digest.empty() ? std::nullopt : reader.manifest(digest);
    if (!manifest) return;
    const ImageView view = look_at(call, reader, *manifest);
    for (const ImagePlace& place : view.places) found = found || place.repository == repository_name;
    if (found) write_image(json, reader, *manifest, view);
  });
  if (!read) return answer(call, read.error());
  return found ? answer_json(200, std::move(json)) : no_image();
}

net::Response report(ApiCall& call) {
  const auto digest = digest_of(call);
  if (!digest) return no_image();
  std::optional<store::Verdict> verdict;
  const auto read = call.services.metadata.read([&](store::Reader& reader) {
    const auto canonical = reader.canonical(*digest);
    const auto manifest = canonical ? reader.manifest(*canonical) : std::nullopt;
    if (manifest && look_at(call, reader, *manifest).insider) verdict = reader.verdict(*canonical, "");
  });
  if (!read) return answer(call, read.error());
  if (!verdict || verdict->report.empty()) return not_found("report of such an image");
  net::Response response;
  response.add("Content-Type", "application/json");
  response.add("Cache-Control", "no-store");
  response.body = std::move(verdict->report);
  return response;
}

net::Response history(ApiCall& call) {
  ApiPage page(call);
  if (page.mistake()) return *page.mistake();
  const auto digest = digest_of(call);
  if (!digest) return no_image();
  bool found = false;
  std::optional<std::string> next;
  const auto read = call.services.metadata.read([&](store::Reader& reader) {
    const auto canonical = reader.canonical(*digest);
    const auto manifest = canonical ? reader.manifest(*canonical) : std::nullopt;
    if (!manifest || !look_at(call, reader, *manifest).insider) return;
    found = true;
    store::EventFilter filter;
    filter.digest = *canonical;
    filter.before = page.after_number();
    filter.limit = page.limit() + 1;
    next = write_events(page, reader.newest_events(filter));
  });
  if (!read) return answer(call, read.error());
  return found ? page.answer(next) : no_image();
}

net::Response decide(ApiCall& call) {
  BodyFields fields(call.body);
  const std::string wanted = fields.required_text("state", 20), reason = fields.required_text("reason", 1000);
  const auto state = store::parse_state(wanted);
  if (!state || *state == store::State::pending) fields.refuse("state", "must be released, held or condemned");
  if (auto mistake = fields.mistake()) return std::move(*mistake);
  const auto digest = digest_of(call);
  if (!digest) return no_image();
  Digest canonical;
  bool insider = false;
  const auto read = call.services.metadata.read([&](store::Reader& reader) {
    const auto known = reader.canonical(*digest);
    const auto manifest = known ? reader.manifest(*known) : std::nullopt;
    if (!manifest) return;
    canonical = *known;
    insider = look_at(call, reader, *manifest).insider;
  });
  if (!read) return answer(call, read.error());
  if (!insider) return no_image();
  gate::MayPush may_push;
  if (!call.caller.administrator) may_push = [&](const std::string& repository) { return call.may(registry::Action::push, repository); };
  if (const auto done = call.services.gate.decide(canonical, *state, call.caller.name, reason, may_push); !done) return answer(call, done.error());
  if (const auto logged = call.services.accounts.log(call.actor(), fmt::format("image.{}", wanted), canonical.str(), reason); !logged) return answer(call, logged.error());
  return show_image(call);
}

net::Response audit_again(ApiCall& call) {
  const auto digest = digest_of(call);
  if (!digest) return no_image();
  const auto queued = call.services.gate.audit_again(*digest);
  if (!queued) return answer(call, queued.error());
  if (!*queued) return no_image();
  if (const auto logged = call.services.accounts.log(call.actor(), "image.audit", digest->str(), ""); !logged) return answer(call, logged.error());
  net::Response response;
  response.status = 202;
  return response;
}

constexpr ApiRoute list[] = {
    {"GET", "/images", ApiAccess::anyone, list_images, {200}, {"repository", "state"}, true},
    {"GET", "/images/{digest}", ApiAccess::anyone, show_image, {200, 404}},
    {"GET", "/images/{digest}/report", ApiAccess::account, report, {200, 404}},
    {"GET", "/images/{digest}/events", ApiAccess::account, history, {200, 404}, {}, true},
    {"POST", "/images/{digest}/decision", ApiAccess::person, decide, {200, 404}, {}, false, 8192},
    {"POST", "/images/{digest}/audit", ApiAccess::administrator, audit_again, {202, 404}},
    {"GET", "/resolve", ApiAccess::anyone, resolve, {200, 404}, {"reference"}},
    // The link in refusals of pushes.
    {"GET", "/reports/{digest}", ApiAccess::account, report, {200, 404}},
};

}  // namespace

std::span<const ApiRoute> image_routes() { return list; }

}  // namespace lazaret::server
