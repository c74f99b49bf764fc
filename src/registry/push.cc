// Pushing and deleting (distribution-spec, "Push" and "Content Management").
#include <fmt/format.h>

#include "registry/call.h"

namespace lazaret::registry {

using Code = gate::Refusal::Code;

namespace {

std::string blob_location(const std::string& repository, const Digest& digest) { return "/v2/" + repository + "/blobs/" + digest.str(); }
std::string upload_location(const std::string& repository, const std::string& id) { return "/v2/" + repository + "/blobs/uploads/" + id; }

net::Response accepted_upload(int status, const std::string& repository, const UploadLease& lease) {
  net::Response response = empty(status);
  response.add("Location", upload_location(repository, lease.id()));
  // By custom 0-0 also for nothing.
  response.add("Range", fmt::format("0-{}", lease.size() == 0 ? 0 : lease.size() - 1));
  response.add("Docker-Upload-UUID", lease.id());
  response.add("Docker-Distribution-API-Version", "registry/2.0");
  return response;
}

net::Response created_blob(const std::string& repository, const Digest& digest) {
  net::Response response = empty(201);
  response.add("Location", blob_location(repository, digest));
  response.add("Docker-Content-Digest", digest.str());
  response.add("Docker-Distribution-API-Version", "registry/2.0");
  return response;
}

}  // namespace

net::Response Registry::refusal(const CallPtr& call, const gate::Refusal& refusal) const {
  constexpr std::string_view reasons[] = {"invalid", "missing-blob", "condemned-or-taken-down", "wrong-digest", "failed"};
  if (options_.refused) options_.refused(reasons[static_cast<std::size_t>(refusal.code)]);
  switch (refusal.code) {
    case Code::manifest_invalid: return error(400, "MANIFEST_INVALID", refusal.message);
    case Code::blob_unknown: return error(404, "MANIFEST_BLOB_UNKNOWN", refusal.message, "{\"digest\":\"" + refusal.missing.str() + "\"}");
    case Code::digest_invalid: return error(400, "DIGEST_INVALID", refusal.message);
    case Code::denied: return denial(call, {}, refusal.message);
    case Code::failed: break;
  }
  return unavailable({refusal.cause, refusal.message});
}

// --- manifests --------------------------------------------------------------------------------------------------------------------

void Registry::put_manifest(const CallPtr& call) {
  if (!allowed(call, Action::push)) return;
  const std::string& reference = call->route.reference;
  Digest name;
  std::vector<std::string> tags;
  if (reference.find(':') != std::string::npos) {
    const auto digest = Digest::parse(reference);
    if (!digest) return call->respond(error(400, "DIGEST_INVALID", "the digest is malformed; known are sha256 and sha512"));
    name = *digest;
    tags = call->request().query_values("tag");
    if (tags.size() > 50) return call->respond(error(414, "UNSUPPORTED", "more than 50 tags in one request"));
  } else {
    tags.push_back(reference);
  }
  for (const std::string& tag : tags) {
    if (!is_tag(tag)) return call->respond(error(400, "MANIFEST_INVALID", "\"" + tag + "\" is not a tag: at most 128 letters, digits, and . _ -"));
  }
  call->exchange->read_body(options_.limits.manifest_bytes, [this, call, name, tags](std::string body) {
    const auto pushed = gate_.put_manifest(call->route.repository, call->caller.name, name, tags, std::string(call->request().header("Content-Type").value_or("")), body);
    if (const auto* refused = std::get_if<gate::Refusal>(&pushed)) return call->respond(refusal(call, *refused));
    settle_push(call, std::get<gate::PushResult>(pushed), name, tags, true);
  });
}

void Registry::settle_push(const CallPtr& call, const gate::PushResult& pushed, const Digest& name, const std::vector<std::string>& tags, bool may_wait) {
  const auto created = [this, call, pushed, name, tags](const std::string& warning) {
    const Digest& digest = name.empty() ? pushed.digest : name;
    net::Response response = empty(201);
    response.add("Location", "/v2/" + call->route.repository + "/manifests/" + digest.str());
    response.add("Docker-Content-Digest", digest.str());
    response.add("Docker-Distribution-API-Version", "registry/2.0");
    if (!pushed.subject.empty()) response.add("OCI-Subject", pushed.subject.str());
    if (!name.empty()) {
      for (const std::string& tag : tags) response.add("OCI-Tag", tag);
    }
    if (!warning.empty()) add_warning(response, warning);
    call->respond(std::move(response));
  };
  const std::string not_yet = "the audit of this image goes on; it can be pulled when it has passed";
  const gate::Viewer viewer{call->caller.name, true};
  const auto resolution = gate_.resolve(call->route.repository, pushed.digest.str(), viewer);
  if (!resolution) return call->respond(unavailable(resolution.error()));
  if (resolution->kind == gate::Resolution::Kind::refused) return call->respond(denial(call, pushed.digest, resolution->why));
  if (resolution->kind == gate::Resolution::Kind::pending) {
    if (!may_wait) return created(not_yet);
    call->exchange->set_deadline(gate_.policy().push_wait, [created, not_yet] { created(not_yet); });
    const std::uint64_t id = gate_.wait(pushed.digest, [this, call, pushed, name, tags] {
      if (call->exchange->responded() || call->exchange->cancelled()) return;
      call->exchange->run([this, call, pushed, name, tags] { settle_push(call, pushed, name, tags, false); });
    });
    if (id == 0) return created(not_yet);
    call->exchange->on_end([this, id](const net::Outcome&) { gate_.stop_waiting(id); });
    return;
  }
  // Deleted or taken down meanwhile.
  if (resolution->kind == gate::Resolution::Kind::unknown) return call->respond(error(404, "MANIFEST_UNKNOWN", "the manifest was deleted while it was audited"));
  if (gate_.held(pushed.digest)) {
    const auto why = gate_.reason(pushed.digest);
    return call->respond(denial(call, pushed.digest, why ? *why : "this image is held for review"));
  }
  created(resolution->served->warning);
}

net::Response Registry::no_lease(const Error& why) {
  if (why.code == ErrorCode::not_found) return error(404, "BLOB_UPLOAD_UNKNOWN", why.message);
  if (why.code == ErrorCode::busy) return error(416, "BLOB_UPLOAD_INVALID", why.message);
  return unavailable(why);
}

// --- blobs ------------------------------------------------------------------------------------------------------------------------

void Registry::start_upload(const CallPtr& call) {
  const net::Request& request = call->request();
  const auto mount = request.query_value("mount"), from = request.query_value("from");
  if (!allowed(call, Action::push, mount && from ? std::vector<Scope>{{*from, {Action::pull}}} : std::vector<Scope>{})) return;
  const auto may = gate_.may_push(call->route.repository, call->caller.name);
  if (!may) return call->respond(unavailable(may.error()));
  if (!*may) return call->respond(denial(call, {}, "what this publisher pushes is not accepted any more"));

  if (mount) {
    const auto digest = Digest::parse(*mount);
    if (!digest) return call->respond(error(400, "DIGEST_INVALID", "the digest to mount is malformed; known are sha256 and sha512"));
    std::vector<std::string> sources;
    if (from) {
      // Whether it exists, may be read or is released: one answer, a new upload.
      if (is_repository_name(*from)) sources.push_back(*from);
    } else if (auto all = gate_.mountable_from(*digest)) {
      sources = std::move(*all);
    }
    for (const std::string& source : sources) {
      if (!authorizer_.may(call->caller, Action::pull, source)) continue;
      const auto mounted = gate_.mount(call->route.repository, call->caller.name, source, *digest);
      if (!mounted) return call->respond(unavailable(mounted.error()));
      if (*mounted) return call->respond(created_blob(call->route.repository, *digest));
    }
  }
  HashAlgorithm algorithm = HashAlgorithm::sha256;
  if (const auto wanted = request.query_value("digest-algorithm")) {
    if (*wanted == "sha512") {
      algorithm = HashAlgorithm::sha512;
    } else if (*wanted != "sha256") {
      return call->respond(error(400, "DIGEST_INVALID", "the algorithm is not known here; known are sha256 and sha512"));
    }
  }
  std::optional<Digest> whole;
  if (const auto name = request.query_value("digest")) {
    whole = Digest::parse(*name);
    if (!whole) return call->respond(error(400, "DIGEST_INVALID", "the digest is malformed; known are sha256 and sha512"));
    algorithm = whole->algorithm();
  }
  auto lease = uploads_.begin(call->route.repository, call->caller.name, algorithm);
  if (!lease) return call->respond(unavailable(lease.error()));
  if (whole) return receive_upload(call, std::move(*lease), whole, true);
  net::Response response = accepted_upload(202, call->route.repository, **lease);
  lease->reset();  // the client's next request may come before this one has ended
  call->respond(std::move(response));
}

void Registry::continue_upload(const CallPtr& call) {
  if (!allowed(call, Action::push)) return;
  const net::Request& request = call->request();
  std::optional<Digest> finish_as;
  if (call->is("PUT")) {
    const auto name = request.query_value("digest");
    finish_as = Digest::parse(name.value_or(""));
    if (!finish_as) return call->respond(error(400, "DIGEST_INVALID", name ? "the digest is malformed; known are sha256 and sha512" : "the digest is missing"));
  }
  auto lease = uploads_.resume(call->route.reference, call->route.repository, call->caller.name);
  if (!lease) return call->respond(no_lease(lease.error()));
  // The session is given back before the client reads the answer: its next request may come at once.
  const auto refuse = [&](net::Response response) {
    lease->reset();
    call->respond(std::move(response));
  };
  if (const auto header = request.header("Content-Range")) {
    const auto range = parse_content_range(*header);
    if (!range) return refuse(error(400, "BLOB_UPLOAD_INVALID", "Content-Range must be begin-end"));
    if (range->begin != (*lease)->size()) {
      net::Response response = error(416, "BLOB_UPLOAD_INVALID", fmt::format("the next byte of this upload is {}", (*lease)->size()));
      response.add("Location", upload_location(call->route.repository, (*lease)->id()));
      response.add("Range", fmt::format("0-{}", (*lease)->size() == 0 ? 0 : (*lease)->size() - 1));
      return refuse(std::move(response));
    }
    if (request.content_length && *request.content_length != range->end - range->begin + 1) {
      return refuse(error(400, "SIZE_INVALID", "Content-Range and Content-Length say different things"));
    }
  }
  receive_upload(call, std::move(*lease), finish_as, false);
}

// The body of a request goes to a session.
class Registry::Upload final : public net::BodyReceiver {
 public:
  Upload(Registry& registry, CallPtr call, std::shared_ptr<UploadLease> lease, std::optional<Digest> finish_as, bool one_request)
      : registry_(registry), call_(std::move(call)), lease_(std::move(lease)), finish_as_(finish_as), one_request_(one_request) {}

  bool receive(Bytes bytes) override {
    const auto done = lease_->append(bytes);
    if (done) return true;
    end();
    // What came is kept, but for a session of one request, which has no name to go on with.
    call_->respond(Registry::unavailable(done.error()));
    return false;
  }
  void finish() override {
    net::Response response = finish_as_ ? registry_.finish_upload(call_, *lease_, *finish_as_, one_request_) : accepted_upload(202, call_->route.repository, *lease_);
    // Given back first: the client's next request may come before this one has ended.
    lease_.reset();
    call_->respond(std::move(response));
  }
  void fail(net::BodyFailure) override { end(); }

 private:
  void end() {
    if (lease_ != nullptr && one_request_) lease_->cancel();
    lease_.reset();
  }

  Registry& registry_;
  const CallPtr call_;
  std::shared_ptr<UploadLease> lease_;
  const std::optional<Digest> finish_as_;
  const bool one_request_;
};

void Registry::receive_upload(const CallPtr& call, std::shared_ptr<UploadLease> lease, std::optional<Digest> finish_as, bool one_request) {
  const std::uint64_t size = lease->size();
  const std::uint64_t room = options_.blob_bytes > size ? options_.blob_bytes - size : 0;
  call->exchange->receive(std::make_shared<Upload>(*this, call, std::move(lease), finish_as, one_request), room);
}

net::Response Registry::finish_upload(const CallPtr& call, UploadLease& lease, const Digest& name, bool one_request) {
  const auto refused = lease.finish(name);
  if (!refused) return created_blob(call->route.repository, name);
  if (one_request) lease.cancel();
  return refusal(call, *refused);
}

void Registry::upload_status(const CallPtr& call) {
  if (!allowed(call, Action::push)) return;
  auto lease = uploads_.resume(call->route.reference, call->route.repository, call->caller.name);
  if (!lease) return call->respond(no_lease(lease.error()));
  net::Response response = accepted_upload(204, call->route.repository, **lease);
  lease->reset();
  call->respond(std::move(response));
}

void Registry::cancel_upload(const CallPtr& call) {
  if (!allowed(call, Action::push)) return;
  auto lease = uploads_.resume(call->route.reference, call->route.repository, call->caller.name);
  if (!lease) return call->respond(no_lease(lease.error()));
  (*lease)->cancel();
  lease->reset();
  call->respond(empty(204));
}

// --- deletion ---------------------------------------------------------------------------------------------------------------------

void Registry::remove(const CallPtr& call) {
  if (!allowed(call, Action::remove)) return;
  const std::string& reference = call->route.reference;
  const bool blob = call->route.kind == Route::Kind::blob;
  const auto digest = Digest::parse(reference);
  if (!digest && (blob || reference.find(':') != std::string::npos)) {
    return call->respond(error(400, "DIGEST_INVALID", "the digest is malformed; known are sha256 and sha512"));
  }
  const auto removed = blob     ? gate_.remove_blob(call->route.repository, *digest, call->caller.name)
                       : digest ? gate_.remove_manifest(call->route.repository, *digest, call->caller.name)
                                : gate_.remove_tag(call->route.repository, reference, call->caller.name);
  if (!removed) return call->respond(unavailable(removed.error()));
  if (!*removed) return call->respond(blob ? error(404, "BLOB_UNKNOWN", "there is no such blob") : error(404, "MANIFEST_UNKNOWN", "there is no such manifest"));
  call->respond(empty(202));
}

}  // namespace lazaret::registry
