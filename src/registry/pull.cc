// Pulling and listing (distribution-spec, "Pull" and "Content Discovery").
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/json_writer.h"
#include "gate/document.h"
#include "net/range.h"
#include "registry/call.h"

namespace lazaret::registry {

using Kind = gate::Resolution::Kind;

namespace {

net::Response manifest_unknown() { return error(404, "MANIFEST_UNKNOWN", "there is no such manifest"); }
net::Response blob_unknown() { return error(404, "BLOB_UNKNOWN", "there is no such blob"); }
net::Response name_unknown() { return error(404, "NAME_UNKNOWN", "there is no such repository"); }

// `n`: how many are wanted. Nothing when it is no number.
std::optional<std::size_t> page_size(const net::Request& request, std::size_t most) {
  const auto text = request.query_value("n");
  if (!text) return most;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error == std::errc::result_out_of_range && end == text->data() + text->size()) return most;
  if (text->empty() || error != std::errc() || end != text->data() + text->size()) return std::nullopt;
  return static_cast<std::size_t>(std::min<std::uint64_t>(value, most));
}

// What the ledger says of an answer, but for who asked.
store::Pull pull_of(const gate::Served& served, int status, std::uint64_t bytes) {
  store::Pull pull;
  pull.digest = served.digest;
  pull.manifest = true;
  pull.status = status;
  pull.bytes = bytes;
  pull.state = served.state;
  pull.verdict = served.verdict;
  pull.ruleset = served.ruleset;
  return pull;
}

store::Pull pull_of(const gate::BlobResolution& blob, int status, std::uint64_t bytes) {
  store::Pull pull;
  pull.digest = blob.digest;
  pull.status = status;
  pull.bytes = bytes;
  if (blob.released) pull.state = "released";
  return pull;
}

}  // namespace

// --- manifests --------------------------------------------------------------------------------------------------------------------

void Registry::get_manifest(const CallPtr& call) {
  if (!allowed(call, Action::pull)) return;
  const std::string& reference = call->route.reference;
  if (reference.find(':') != std::string::npos) {
    if (!Digest::parse(reference)) return call->respond(error(400, "DIGEST_INVALID", "the digest is malformed; known are sha256 and sha512"));
  } else if (!is_tag(reference)) {
    return call->respond(manifest_unknown());
  }
  if (ledger_.full()) return call->respond(unavailable({ErrorCode::busy, "the ledger does not keep up"}));
  const gate::Viewer viewer{call->caller.name, authorizer_.insider(call->caller, call->route.repository)};
  const auto resolution = gate_.resolve(call->route.repository, reference, viewer);
  if (!resolution) return call->respond(unavailable(resolution.error()));
  switch (resolution->kind) {
    case Kind::found: return answer_manifest(call, *resolution->served);
    case Kind::pending: return wait_for_manifest(call, resolution->digest);
    case Kind::refused: return call->respond(denial(call, resolution->digest, resolution->why));
    case Kind::unknown: return call->respond(manifest_unknown());
  }
}

void Registry::answer_manifest(const CallPtr& call, const gate::Served& served) {
  // The name that was asked for: a client compares it with what it computes.
  const auto asked = Digest::parse(call->route.reference);
  const std::string digest = (asked ? *asked : served.used.empty() ? served.digest : served.used).str();
  net::Response response;
  response.add("Docker-Content-Digest", digest);
  response.add("ETag", "\"" + digest + "\"");
  response.add("Docker-Distribution-API-Version", "registry/2.0");
  if (!served.warning.empty()) add_warning(response, "lazaret: " + served.warning);
  if (net::if_none_match(call->request(), "\"" + digest + "\"")) {
    response.status = 304;
    record_pull(call, pull_of(served, 304, 0));
    return call->respond(std::move(response));
  }
  response.add("Content-Type", served.media_type);
  response.body = served.bytes;
  // A HEAD gives nothing away, so that it is no pull.
  if (!call->is("HEAD")) record_pull(call, pull_of(served, 200, served.bytes->size()));
  call->respond(std::move(response));
}

void Registry::wait_for_manifest(const CallPtr& call, const Digest& digest) {
  const auto come_again = [this, call] {
    net::Response response = error(429, "TOOMANYREQUESTS", fmt::format("this image is being audited; come again in {} seconds", gate_.policy().retry_after.count()));
    response.add("Retry-After", std::to_string(gate_.policy().retry_after.count()));
    call->respond(std::move(response));
  };
  call->exchange->set_deadline(gate_.policy().pull_wait, come_again);
  const std::uint64_t id = gate_.wait(digest, [this, call] {
    if (call->exchange->responded() || call->exchange->cancelled()) return;
    call->exchange->run([this, call] {
      if (!call->exchange->cancelled()) get_manifest(call);
    });
  });
  if (id == 0) return come_again();
  call->exchange->on_end([this, id](const net::Outcome&) { gate_.stop_waiting(id); });
}

// --- blobs ------------------------------------------------------------------------------------------------------------------------

void Registry::get_blob(const CallPtr& call) {
  if (!allowed(call, Action::pull)) return;
  const auto asked = Digest::parse(call->route.reference);
  if (!asked) return call->respond(error(400, "DIGEST_INVALID", "the digest is malformed; known are sha256 and sha512"));
  if (ledger_.full()) return call->respond(unavailable({ErrorCode::busy, "the ledger does not keep up"}));
  const gate::Viewer viewer{call->caller.name, authorizer_.insider(call->caller, call->route.repository)};
  const bool read = call->is("GET");
  const auto blob = gate_.find_blob(call->route.repository, *asked, viewer, read);
  if (!blob) return call->respond(unavailable(blob.error()));
  if (blob->kind == Kind::refused) return call->respond(denial(call, {}, blob->why));
  if (blob->kind != Kind::found) return call->respond(blob_unknown());

  const std::string digest = asked->str(), etag = "\"" + digest + "\"";
  net::Response response;
  response.add("Docker-Content-Digest", digest);
  response.add("ETag", etag);
  response.add("Accept-Ranges", "bytes");
  response.add("Docker-Distribution-API-Version", "registry/2.0");
  if (net::if_none_match(call->request(), etag)) {
    response.status = 304;
    record_pull(call, pull_of(*blob, 304, 0));
    return call->respond(std::move(response));
  }
  // Never a Content-Encoding: the bytes are what the digest names.
  response.add("Content-Type", "application/octet-stream");
  if (!read) {
    if (viewer.insider) gate_.touch_blob(call->route.repository, blob->digest);
    response.body = net::LengthOnly{blob->size};
    return call->respond(std::move(response));
  }
  const auto open = gate_.blobs().open(blob->digest);
  if (!open) return call->respond(open.error().code == ErrorCode::not_found ? blob_unknown() : unavailable(open.error()));
  std::uint64_t begin = 0, length = open->size;
  if (const auto range = call->request().header("Range"); range && net::if_range_holds(call->request(), etag)) {
    const net::RangeResult wanted = net::parse_range(*range, open->size);
    if (wanted.kind == net::RangeResult::Kind::unsatisfiable) {
      net::Response unsatisfiable = error(416, "SIZE_INVALID", "the blob has no such part");
      unsatisfiable.add("Content-Range", net::unsatisfied_range(open->size));
      return call->respond(std::move(unsatisfiable));
    }
    if (wanted.kind == net::RangeResult::Kind::part) {
      begin = wanted.range.offset;
      length = wanted.range.length;
      response.status = 206;
      response.add("Content-Range", net::content_range(wanted.range, open->size));
    }
  }
  if (open->file != nullptr) {
    response.body = net::FileRegion{open->file, begin, length};
  } else {
    response.body = std::make_shared<const std::string>(open->memory->substr(begin, length));
  }
  // Written down before the first byte: what comes after can only make it less.
  const int status = response.status;
  record_pull(call, pull_of(*blob, status, length));
  std::uint64_t id = 0;
  {
    const std::lock_guard lock(transfers_mutex_);
    id = next_transfer_++;
    transfers_.emplace(id, Transfer{call->route.repository, *asked, viewer, call->exchange});
  }
  call->exchange->on_end([this, call, id, status, length, blob = *blob](const net::Outcome& outcome) {
    {
      const std::lock_guard lock(transfers_mutex_);
      transfers_.erase(id);
    }
    // Another status: it was refused in the last moment, and none of the blob went out.
    const bool refused = outcome.status != status;
    if (outcome.kind == net::Outcome::Kind::complete && !refused) return;
    store::Pull pull = pull_of(blob, status, refused ? 0 : std::min(outcome.body_bytes, length));
    pull.complete = false;
    pull.missing = length - pull.bytes;
    record_pull(call, std::move(pull));
  });
  // A takedown between the question above and the entry in the list has not seen this transfer.
  const auto still = gate_.find_blob(call->route.repository, *asked, viewer, true);
  if (!still || still->kind != Kind::found) return call->respond(blob_unknown());
  call->respond(std::move(response));
}

// --- lists ------------------------------------------------------------------------------------------------------------------------

void Registry::list_tags(const CallPtr& call) {
  if (!allowed(call, Action::pull)) return;
  const auto n = page_size(call->request(), options_.page);
  if (!n) return call->respond(error(400, "UNSUPPORTED", "n must be a number"));
  const gate::Viewer viewer{call->caller.name, authorizer_.insider(call->caller, call->route.repository)};
  const auto page = gate_.tags(call->route.repository, call->request().query_value("last").value_or(""), *n, viewer);
  if (!page) return call->respond(unavailable(page.error()));
  if (!*page) return call->respond(name_unknown());
  JsonWriter out(0);
  out.begin_object().field("name", call->route.repository).key("tags").strings((*page)->names).end_object();
  net::Response response = json(200, out.take());
  if ((*page)->more && *n > 0) {
    response.add("Link", fmt::format("</v2/{}/tags/list?n={}&last={}>; rel=\"next\"", call->route.repository, *n, percent_encode((*page)->names.back())));
  }
  call->respond(std::move(response));
}

void Registry::list_repositories(const CallPtr& call) {
  const auto n = page_size(call->request(), options_.page);
  if (!n) return call->respond(error(400, "UNSUPPORTED", "n must be a number"));
  const auto page = gate_.repositories(call->request().query_value("last").value_or(""), *n, [&](const std::string& name) {
    return std::pair(authorizer_.may(call->caller, Action::pull, name), authorizer_.may(call->caller, Action::push, name));
  });
  if (!page) return call->respond(unavailable(page.error()));
  JsonWriter out(0);
  out.begin_object().key("repositories").strings(page->names).end_object();
  net::Response response = json(200, out.take());
  if (page->more && *n > 0) response.add("Link", fmt::format("</v2/_catalog?n={}&last={}>; rel=\"next\"", *n, percent_encode(page->names.back())));
  call->respond(std::move(response));
}

void Registry::list_referrers(const CallPtr& call) {
  if (!allowed(call, Action::pull)) return;
  const auto subject = Digest::parse(call->route.reference);
  if (!subject) return call->respond(error(400, "DIGEST_INVALID", "the digest is malformed; known are sha256 and sha512"));
  const gate::Viewer viewer{call->caller.name, authorizer_.insider(call->caller, call->route.repository)};
  const auto found = gate_.referrers(call->route.repository, *subject, viewer);
  if (!found) return call->respond(unavailable(found.error()));
  const auto filter = call->request().query_value("artifactType");
  const std::string after = call->request().query_value("last").value_or("");
  JsonWriter out(0);
  out.begin_object().field("schemaVersion", 2).field("mediaType", "application/vnd.oci.image.index.v1+json").key("manifests").begin_array();
  std::string next;
  std::size_t bytes = 0;
  std::string last;
  for (const gate::Gate::Referrer& referrer : *found) {
    const std::string digest = referrer.manifest.digest.str();
    if (digest <= after || (filter && referrer.manifest.artifact_type != *filter)) continue;
    // An answer stays within what clients take as a manifest.
    if (bytes > 3u << 20) {
      next = last;
      break;
    }
    out.begin_object().field("mediaType", referrer.manifest.media_type).field("digest", digest).field("size", referrer.manifest.size);
    if (!referrer.manifest.artifact_type.empty()) out.field("artifactType", referrer.manifest.artifact_type);
    if (const auto document = gate::read_pushed_document(*referrer.bytes, referrer.manifest.media_type, true, options_.limits); document && !document->annotations.empty()) {
      out.key("annotations").begin_object();
      for (const auto& [key, value] : document->annotations) {
        out.field(key, value);
        bytes += key.size() + value.size();
      }
      out.end_object();
    }
    out.end_object();
    bytes += 400;
    last = digest;
  }
  out.end_array().end_object();
  net::Response response;
  response.add("Content-Type", "application/vnd.oci.image.index.v1+json");
  response.body = out.take();
  if (filter) response.add("OCI-Filters-Applied", "artifactType");
  if (!next.empty()) {
    std::string link = fmt::format("</v2/{}/referrers/{}?last={}", call->route.repository, subject->str(), percent_encode(next));
    if (filter) link += "&artifactType=" + percent_encode(*filter);
    response.add("Link", link + ">; rel=\"next\"");
  }
  call->respond(std::move(response));
}

}  // namespace lazaret::registry
