#include "gate/gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/text.h"
#include "gate/known_files.h"

namespace lazaret::gate {

using store::Binding;
using store::Durability;
using store::Manifest;
using store::Reader;
using store::ReferenceKind;
using store::Repository;
using store::State;
using store::Tag;
using store::TombstoneKind;
using store::Writer;

namespace {

// How the events of decisions by publishers begin, by which they are told from those of administrators.
constexpr std::string_view publisher_decided = "by the publisher: ";

// The account that a repository belongs to (DESIGN 3.3).
std::string namespace_of(std::string_view repository) { return std::string(repository.substr(0, repository.find('/'))); }

bool taken_down(Reader& reader, const std::string& repository, const std::string& publisher) {
  if (reader.takedown_of("publisher", publisher) || reader.takedown_of("publisher", namespace_of(repository))) return true;
  const auto known = reader.repository(repository);
  return known && known->takedown != 0;
}

std::string describe(const store::Verdict& verdict) {
  std::string text;
  for (const std::string& title : verdict.titles) text += (text.empty() ? "" : "; ") + title;
  return text.empty() ? verdict.verdict : text;
}

}  // namespace

std::string reason_of(Reader& reader, const Digest& digest, State state) {
  std::string why;
  const auto verdict = reader.verdict(digest, "");
  if (verdict) why = describe(*verdict);
  for (const auto& tombstone : reader.tombstones(TombstoneKind::manifest, digest)) {
    if (tombstone.takedown != 0) why = "taken down: " + tombstone.reason;
    if (tombstone.takedown == 0 && (!verdict || verdict->state != State::condemned)) why = tombstone.reason;
  }
  if (state == State::held && verdict && verdict->state == State::released) {
    if (const auto file = known_file(reader, digest)) why = explain(*file);
  }
  switch (state) {
    case State::pending: return "the audit of this image has not ended";
    case State::released: return "released";
    case State::held: return "this image is held for review" + (why.empty() ? "" : ": " + why);
    case State::condemned: return "this image is condemned" + (why.empty() ? "" : ": " + why);
  }
  return why;
}

// --- push -------------------------------------------------------------------------------------------------------------------------

Result<bool> Gate::may_push(const std::string& repository, const std::string& publisher) {
  bool may = false;
  const auto done = parts_.metadata->read([&](Reader& reader) { may = !taken_down(reader, repository, publisher); });
  if (!done) return done.error();
  return may;
}

std::optional<Refusal> Gate::finish_upload(const std::string& repository, const std::string& publisher, const std::string& id, store::BlobUpload& upload,
                                           const Digest& sha256, const Digest& name) {
  std::optional<Refusal> refusal;
  const auto look = [&](Reader& reader) {
    if (taken_down(reader, repository, publisher)) refusal = {Refusal::Code::denied, "what this publisher pushes is not accepted any more", {}};
    if (const auto tombstones = reader.tombstones(TombstoneKind::blob, sha256); !tombstones.empty()) {
      refusal = {Refusal::Code::denied, "this content is condemned: " + tombstones.front().reason, {}};
    }
  };
  const auto count = [&] {
    if (refusal && refusal->message.starts_with("this content is condemned")) ++tombstone_hits_;
  };
  // Before the bytes get a name, and again in the transaction that makes them part of the repository.
  if (const auto read = parts_.metadata->read(look); !read) return Refusal::failed(read.error());
  if (refusal) {
    count();
    return refusal;
  }
  const std::uint64_t size = upload.size();
  const std::lock_guard lock(blob_lock(sha256));
  if (const auto moved = parts_.blobs->finish_upload(id, upload, sha256); !moved) return Refusal::failed(moved.error());
  const auto done = parts_.metadata->write([&](Writer& writer) -> Result<void> {
    look(writer);
    if (refusal) return Error{ErrorCode::unauthorized, refusal->message};
    const store::Time at = now();
    const std::int64_t repository_id = writer.add_repository(repository, namespace_of(repository), at);
    writer.add_blob(sha256, size, at);
    if (name != sha256) writer.add_alias(name, sha256);
    writer.link_blob(repository_id, sha256, {publisher, at, 0});
    writer.remove_upload(id);
    return {};
  });
  if (!done && !refusal) refusal = Refusal::failed(done.error());
  count();
  return refusal;
}

Result<bool> Gate::mount(const std::string& repository, const std::string& publisher, const std::string& from, const Digest& digest) {
  bool mounted = false;
  const auto done = parts_.metadata->write([&](Writer& writer) -> Result<void> {
    const auto source = writer.repository(from);
    const auto sha256 = writer.canonical(digest);
    if (!source || source->takedown != 0 || !sha256 || taken_down(writer, repository, publisher)) return {};
    if (!writer.blob_released(source->id, *sha256) || !writer.tombstones(TombstoneKind::blob, *sha256).empty()) return {};
    const store::Time at = now();
    writer.link_blob(writer.add_repository(repository, namespace_of(repository), at), *sha256, {publisher, at, 0});
    mounted = true;
    return {};
  });
  if (!done) return done.error();
  return mounted;
}

Result<std::vector<std::string>> Gate::mountable_from(const Digest& digest) {
  std::vector<std::string> names;
  const auto done = parts_.metadata->read([&](Reader& reader) {
    const auto sha256 = reader.canonical(digest);
    if (!sha256) return;
    for (const std::int64_t id : reader.repositories_with_blob(*sha256, 100)) {
      if (!reader.blob_released(id, *sha256)) continue;
      if (const auto repository = reader.repository(id)) names.push_back(repository->name);
    }
  });
  if (!done) return done.error();
  return names;
}

Pushed<PushResult> Gate::put_manifest(const std::string& repository, const std::string& publisher, const Digest& name, const std::vector<std::string>& tags,
                                      const std::string& content_type, const std::string& bytes) {
  using Code = Refusal::Code;
  auto document = read_pushed_document(bytes, content_type, policy_.foreign_layers, limits_);
  if (!document) return Refusal{Code::manifest_invalid, document.error().message, {}};
  if (!name.empty() && hash(name.algorithm(), as_bytes(bytes)) != name) {
    return Refusal{Code::digest_invalid, "the manifest is not what its digest names", {}};
  }
  PushResult result;
  result.digest = sha256(as_bytes(bytes));
  result.subject = document->subject;
  std::optional<Refusal> refusal;
  const auto refuse = [&](Code code, std::string message, Digest missing = {}) -> Result<void> {
    refusal = {code, message, missing};
    return Error{ErrorCode::invalid, std::move(message)};
  };
  const auto done = parts_.metadata->write([&](Writer& writer) -> Result<void> {
    if (taken_down(writer, repository, publisher)) return refuse(Code::denied, "what this publisher pushes is not accepted any more");
    if (!writer.tombstones(TombstoneKind::manifest, result.digest).empty()) {
      ++tombstone_hits_;
      return refuse(Code::denied, reason_of(writer, result.digest, State::condemned));
    }
    const store::Time at = now();
    const std::int64_t id = writer.add_repository(repository, namespace_of(repository), at);
    if (policy_.foreign_layers) {
      // Their bytes are elsewhere; what the audit cannot see it calls incomplete.
      std::erase_if(document->references, [&](const store::Reference& reference) {
        if (!is_foreign_layer_type(reference.media_type)) return false;
        const auto known = writer.canonical(reference.digest);
        return !known || (!writer.blob_link(id, *known) && writer.tombstones(TombstoneKind::blob, *known).empty());
      });
    }
    for (store::Reference& reference : document->references) {
      const auto known = writer.canonical(reference.digest);
      if (reference.kind == ReferenceKind::manifest) {
        if (known) reference.digest = *known;
        if (!writer.tombstones(TombstoneKind::manifest, reference.digest).empty()) {
          ++tombstone_hits_;
          return refuse(Code::denied, fmt::format("{} is named here; {}", reference.digest.str(), reason_of(writer, reference.digest, State::condemned)));
        }
        const auto child = writer.manifest(reference.digest);
        if (child && child->size != reference.size) {
          return refuse(Code::manifest_invalid, fmt::format("the manifest {} has {} bytes, not {}", reference.digest.str(), child->size, reference.size));
        }
        continue;
      }
      const auto link = known ? writer.blob_link(id, *known) : std::nullopt;
      std::optional<std::uint64_t> size;
      if (known) size = writer.blob_size(*known);
      if (!link || link->takedown != 0 || !size) {
        return refuse(Code::blob_unknown, fmt::format("the blob {} is not in this repository: push it first", reference.digest.str()), reference.digest);
      }
      if (*size != reference.size) {
        return refuse(Code::manifest_invalid, fmt::format("the blob {} has {} bytes, not {}", reference.digest.str(), *size, reference.size));
      }
      if (const auto tombstones = writer.tombstones(TombstoneKind::blob, *known); !tombstones.empty()) {
        ++tombstone_hits_;
        return refuse(Code::denied, fmt::format("{} is condemned: {}", reference.digest.str(), tombstones.front().reason));
      }
      reference.digest = *known;
    }
    if (!name.empty() && name != result.digest) writer.add_alias(name, result.digest);
    Manifest manifest;
    manifest.digest = result.digest;
    manifest.media_type = document->media_type;
    manifest.kind = document->kind;
    manifest.subject = document->subject.empty() ? Digest() : writer.canonical(document->subject).value_or(document->subject);
    manifest.artifact_type = document->artifact_type;
    manifest.created = at;
    writer.add_manifest(manifest, bytes, document->references);
    writer.bind(id, result.digest, {publisher, at, 0});
    const auto stored = writer.manifest(result.digest);
    if (!stored) return Error{ErrorCode::io, "the manifest could not be stored"};
    result.state = stored->state;
    for (const std::string& tag : tags) {
      const auto old = writer.tag(id, tag);
      writer.put_tag(id, {tag, result.digest, stored->state == State::released ? result.digest : old ? old->released : Digest(), publisher, at, 0});
      writer.set_tag_digest(id, tag, result.digest, name.empty() ? result.digest : name);
    }
    writer.add_event({0, at, "pushed", publisher, repository, tags.empty() ? "" : tags.front(), result.digest, document->media_type});
    return {};
  });
  if (refusal) return *refusal;
  if (!done) return Refusal::failed(done.error());
  served_.forget(repository);
  // One more account has it. An image that is not indexed yet will be with all its accounts. A failure here costs a link, not safety.
  if (parts_.campaigns != nullptr) (void)parts_.campaigns->add_place(result.digest, {publisher, repository, now()}).ok();
  if (result.state == State::pending) enqueue(result.digest, false);
  return result;
}

// --- pull -------------------------------------------------------------------------------------------------------------------------

Result<Resolution> Gate::resolve(const std::string& repository, const std::string& reference, const Viewer& viewer) {
  Resolution resolution;
  const ServedCache::Version version = served_.version(repository);
  bool cacheable = false;
  const auto done = parts_.metadata->read([&](Reader& reader) {
    const auto known = reader.repository(repository);
    if (!known) return;
    if (known->takedown != 0) {
      const auto act = reader.takedown(known->takedown);
      if (viewer.insider) resolution = {Resolution::Kind::refused, nullptr, {}, "this repository was taken down" + (act ? ": " + act->reason : "")};
      return;
    }
    // A manifest of this repository that no takedown hides.
    const auto member = [&](const Digest& digest) -> std::optional<Manifest> {
      const auto binding = digest.empty() ? std::nullopt : reader.binding(known->id, digest);
      if (!binding || binding->takedown != 0) return std::nullopt;
      return reader.manifest(digest);
    };
    Digest used;
    const auto serve = [&](const Manifest& manifest) {
      const auto bytes = reader.manifest_bytes(manifest.digest);
      if (!bytes) return;
      auto served = std::make_shared<Served>();
      served->digest = manifest.digest;
      served->used = used;
      served->media_type = manifest.media_type;
      served->bytes = std::make_shared<const std::string>(*bytes);
      served->ruleset = manifest.ruleset;
      served->state = name_of(manifest.state);
      if (const auto verdict = reader.verdict(manifest.digest, manifest.ruleset)) {
        served->verdict = verdict->verdict;
        if (verdict->verdict != "clean") served->warning = verdict->verdict + ": " + describe(*verdict);
      }
      cacheable = manifest.state == State::released;
      resolution = {Resolution::Kind::found, std::move(served), manifest.digest, ""};
    };
    const auto by_digest = Digest::parse(reference);
    std::optional<Manifest> manifest;
    if (by_digest) {
      const auto sha256 = reader.canonical(*by_digest);
      if (sha256) manifest = member(*sha256);
    } else {
      const auto tag = reader.tag(known->id, reference);
      if (!tag || tag->takedown != 0) return;
      manifest = member(tag->released);
      if (!manifest || manifest->state != State::released) manifest = member(tag->digest);
      if (manifest) used = reader.tag_digest(known->id, reference, manifest->digest).value_or(Digest());
    }
    if (!manifest) return;
    switch (manifest->state) {
      case State::released: return serve(*manifest);
      case State::pending: resolution = {Resolution::Kind::pending, nullptr, manifest->digest, ""}; return;
      case State::held:
        // Tools that sign or copy ask for what they pushed by its digest. By tag the publisher is told, like everybody who would run it.
        if (viewer.insider && policy_.publisher_reads_back && by_digest) return serve(*manifest);
        [[fallthrough]];
      case State::condemned:
        if (viewer.insider) resolution = {Resolution::Kind::refused, nullptr, manifest->digest, reason_of(reader, manifest->digest, manifest->state)};
        return;
    }
  });
  if (!done) return done.error();
  if (cacheable) served_.put(repository, reference, version, resolution.served);
  return resolution;
}

Result<BlobResolution> Gate::find_blob(const std::string& repository, const Digest& digest, const Viewer& viewer, bool read) {
  BlobResolution resolution;
  const auto done = parts_.metadata->read([&](Reader& reader) {
    const auto known = reader.repository(repository);
    const auto sha256 = reader.canonical(digest);
    if (!known || known->takedown != 0 || !sha256) return;
    const auto link = reader.blob_link(known->id, *sha256);
    const auto size = reader.blob_size(*sha256);
    if (!link || link->takedown != 0 || !size) return;
    resolution.digest = *sha256;
    resolution.size = *size;
    if (const auto tombstones = reader.tombstones(TombstoneKind::blob, *sha256); !tombstones.empty()) {
      if (viewer.insider) {
        resolution.kind = Resolution::Kind::refused;
        resolution.why = "this content is condemned: " + tombstones.front().reason;
      }
      return;
    }
    if (reader.blob_released(known->id, *sha256)) {
      resolution.kind = Resolution::Kind::found;
      resolution.released = true;
      return;
    }
    if (!viewer.insider) return;
    // A push asks what is there already; that is all it learns.
    if (!read) {
      resolution.kind = Resolution::Kind::found;
      return;
    }
    resolution.kind = policy_.publisher_reads_back ? Resolution::Kind::found : Resolution::Kind::refused;
    resolution.why = "the image this belongs to is not released";
    for (const Digest& manifest : reader.manifests_naming(*sha256)) {
      const auto named_by = reader.manifest(manifest);
      if (named_by && named_by->state == State::condemned) {
        resolution.kind = Resolution::Kind::refused;
        resolution.why = reason_of(reader, manifest, State::condemned);
      }
    }
  });
  if (!done) return done.error();
  return resolution;
}

void Gate::touch_blob(const std::string& repository, const Digest& sha256) {
  // A failure costs the push at worst another upload.
  (void)parts_.metadata
      ->write(
          [&](Writer& writer) {
            if (const auto known = writer.repository(repository)) writer.touch_blob(known->id, sha256, now());
            return Result<void>();
          },
          Durability::relaxed)
      .ok();
}

std::uint64_t Gate::wait(const Digest& manifest, std::function<void()> woken) {
  const std::uint64_t id = waiting_.add(manifest, std::move(woken));
  if (id == 0) return 0;
  // It may have been settled between the question and now.
  bool pending = false;
  const auto done = parts_.metadata->read([&](Reader& reader) {
    const auto stored = reader.manifest(manifest);
    pending = stored && stored->state == State::pending;
  });
  if (done.ok() && !pending) waiting_.wake(manifest);
  return id;
}

Result<std::optional<TagPage>> Gate::tags(const std::string& repository, const std::string& after, std::size_t limit, const Viewer& viewer) {
  std::optional<TagPage> page;
  const auto done = parts_.metadata->read([&](Reader& reader) {
    const auto known = reader.repository(repository);
    if (!known || known->takedown != 0) return;
    if (!viewer.insider && !reader.repository_visible(known->id)) return;
    page.emplace();
    for (const Tag& tag : reader.tags(known->id, after, limit + 1, !viewer.insider)) {
      if (tag.takedown != 0) continue;
      if (page->names.size() == limit) {
        page->more = true;
        break;
      }
      page->names.push_back(tag.name);
    }
  });
  if (!done) return done.error();
  return page;
}

Result<TagPage> Gate::repositories(const std::string& after, std::size_t limit, const std::function<std::pair<bool, bool>(const std::string&)>& may_see) {
  TagPage page;
  const auto done = parts_.metadata->read([&](Reader& reader) {
    std::string last = after;
    for (;;) {
      const std::vector<Repository> some = reader.repositories(last, 1000);
      for (const Repository& repository : some) {
        last = repository.name;
        if (repository.takedown != 0) continue;
        const auto [pull, push] = may_see(repository.name);
        if (!push && !(pull && reader.repository_visible(repository.id))) continue;
        if (page.names.size() == limit) {
          page.more = true;
          return;
        }
        page.names.push_back(repository.name);
      }
      if (some.size() < 1000) return;
    }
  });
  if (!done) return done.error();
  return page;
}

Result<std::vector<Gate::Referrer>> Gate::referrers(const std::string& repository, const Digest& subject, const Viewer& viewer) {
  std::vector<Referrer> found;
  const auto done = parts_.metadata->read([&](Reader& reader) {
    const auto known = reader.repository(repository);
    if (!known || known->takedown != 0) return;
    const Digest sha256 = reader.canonical(subject).value_or(subject);
    const auto about = reader.manifest(sha256);
    if (about && (about->state == State::condemned || (about->state != State::released && !viewer.insider))) return;
    for (const Manifest& manifest : reader.referrers(known->id, sha256)) {
      if (manifest.state != State::released) continue;
      if (auto bytes = reader.manifest_bytes(manifest.digest)) found.push_back({manifest, std::make_shared<const std::string>(std::move(*bytes))});
    }
  });
  if (!done) return done.error();
  return found;
}

// --- removal ----------------------------------------------------------------------------------------------------------------------

Result<bool> Gate::remove_manifest(const std::string& repository, const Digest& digest, const std::string& actor) {
  bool removed = false;
  Digest sha256;
  const auto done = parts_.metadata->write([&](Writer& writer) -> Result<void> {
    const auto known = writer.repository(repository);
    const auto canonical = writer.canonical(digest);
    if (!known || known->takedown != 0 || !canonical) return {};
    const auto binding = writer.binding(known->id, *canonical);
    if (!binding || binding->takedown != 0) return {};
    sha256 = *canonical;
    writer.remove_tags_of(known->id, sha256);
    writer.unbind(known->id, sha256);
    writer.add_event({0, now(), "deleted", actor, repository, "", sha256, ""});
    removed = true;
    return {};
  });
  if (!done) return done.error();
  if (removed) {
    served_.forget(repository);
    waiting_.wake(sha256);
    if (revoked_) revoked_();
  }
  return removed;
}

Result<bool> Gate::remove_tag(const std::string& repository, const std::string& name, const std::string& actor) {
  bool removed = false;
  const auto done = parts_.metadata->write([&](Writer& writer) -> Result<void> {
    const auto known = writer.repository(repository);
    if (!known || known->takedown != 0) return {};
    const auto tag = writer.tag(known->id, name);
    if (!tag || tag->takedown != 0) return {};
    writer.remove_tag(known->id, name);
    writer.add_event({0, now(), "deleted", actor, repository, name, tag->digest, "tag"});
    removed = true;
    return {};
  });
  if (!done) return done.error();
  if (removed) served_.forget(repository);
  return removed;
}

Result<bool> Gate::remove_blob(const std::string& repository, const Digest& digest, const std::string& actor) {
  bool removed = false;
  const auto done = parts_.metadata->write([&](Writer& writer) -> Result<void> {
    const auto known = writer.repository(repository);
    const auto sha256 = writer.canonical(digest);
    if (!known || known->takedown != 0 || !sha256) return {};
    const auto link = writer.blob_link(known->id, *sha256);
    if (!link || link->takedown != 0) return {};
    writer.unlink_blob(known->id, *sha256);
    writer.add_event({0, now(), "deleted", actor, repository, "", *sha256, "blob"});
    removed = true;
    return {};
  });
  if (!done) return done.error();
  if (removed && revoked_) revoked_();
  return removed;
}

// --- decisions --------------------------------------------------------------------------------------------------------------------

bool Gate::held(const Digest& manifest) {
  std::optional<Manifest> stored;
  const auto done = parts_.metadata->read([&](Reader& reader) { stored = reader.manifest(manifest); });
  return !done.ok() || (stored && stored->state == State::held);
}

Result<std::string> Gate::reason(const Digest& manifest) {
  std::string why;
  const auto done = parts_.metadata->read([&](Reader& reader) {
    const auto stored = reader.manifest(manifest);
    why = reason_of(reader, manifest, stored ? stored->state : State::condemned);
  });
  if (!done) return done.error();
  return why;
}

Result<std::optional<store::Verdict>> Gate::verdict(const Digest& manifest) {
  std::optional<store::Verdict> verdict;
  const auto done = parts_.metadata->read([&](Reader& reader) { verdict = reader.verdict(manifest, ""); });
  if (!done) return done.error();
  return verdict;
}

Result<void> Gate::decide(const Digest& manifest, State state, const std::string& actor, const std::string& why, const MayPush& may_push) {
  if (state == State::pending) return Error{ErrorCode::invalid, "an image can be released, held or condemned by hand, nothing else"};
  Settled settled;
  const auto done = parts_.metadata->write([&](Writer& writer) -> Result<void> {
    const auto stored = writer.manifest(manifest);
    if (!stored) return Error{ErrorCode::not_found, "there is no image " + manifest.str()};
    if (may_push) {
      if (const auto allowed = publisher_may_decide(writer, *stored, state, may_push); !allowed) return allowed.error();
    }
    for (const auto& tombstone : writer.tombstones(TombstoneKind::manifest, manifest)) {
      if (tombstone.takedown != 0 && state != State::condemned) {
        return Error{ErrorCode::invalid, fmt::format("the image was taken down by act {}: undo that first", tombstone.takedown)};
      }
    }
    if (state == State::condemned) {
      writer.add_tombstone({TombstoneKind::manifest, manifest, 0, why, now()});
    } else {
      // What a verdict alone keeps out comes back with the person's word: the manifest and what it names.
      writer.remove_tombstone(TombstoneKind::manifest, manifest);
      for (const store::Reference& reference : writer.references(manifest)) {
        if (reference.kind == ReferenceKind::manifest || state != State::released) continue;
        writer.remove_tombstone(TombstoneKind::blob, reference.digest);
        if (const auto content = writer.content(reference.digest)) {
          writer.remove_tombstone(TombstoneKind::diff_id, content->diff_id);
          if (!content->files.empty()) writer.remove_tombstone(TombstoneKind::files, content->files);
        }
        // Nor do its files make another image doubtful any more.
        writer.remove_file_tombstones(reference.digest);
      }
    }
    settled = settle(writer, manifest, state, actor, may_push ? std::string(publisher_decided) + why : why, true);
    return {};
  });
  if (!done) return done.error();
  forget_buried_files();
  announce(manifest, settled);
  if (parts_.campaigns != nullptr && state != State::held) (void)parts_.campaigns->set_bad(manifest, state == State::condemned).ok();
  return {};
}

Result<void> Gate::publisher_may_decide(Reader& reader, const Manifest& manifest, State wanted, const MayPush& may_push) const {
  const auto refuse = [](std::string why) { return Error{ErrorCode::unauthorized, std::move(why)}; };
  if (!policy_.publisher_releases) return refuse("the policy of this registry leaves decisions to administrators (publisher-releases)");
  // A condemned image convicts itself, a pending one has no verdict yet.
  const bool releases = manifest.state == State::held && wanted == State::released;
  const bool takes_back = manifest.state == State::released && manifest.pinned && wanted == State::held;
  if (!releases && !takes_back) {
    return refuse(fmt::format("a publisher releases what is held, and holds again what it released; this image is {}: ask an administrator", name_of(manifest.state)));
  }
  for (const std::int64_t id : reader.repositories_with(manifest.digest)) {
    const auto repository = reader.repository(id);
    if (!repository || !may_push(repository->name)) return refuse("the image is also in a repository of somebody else: ask an administrator");
  }
  // Releasing takes back what verdicts keep out, which convicted other images.
  for (const store::Reference& reference : reader.references(manifest.digest)) {
    if (!reader.tombstones(TombstoneKind::blob, reference.digest).empty()) return refuse("the image holds content that was condemned: ask an administrator");
  }
  // What an administrator decided is not the publisher's to change.
  store::EventFilter filter;
  filter.digest = manifest.digest;
  filter.limit = 1000;
  if (manifest.pinned) {
    for (const store::Event& event : reader.newest_events(filter)) {
      if (event.kind != name_of(manifest.state) || event.actor.empty()) continue;
      if (event.detail.starts_with(publisher_decided)) break;
      return refuse("an administrator decided this: ask one to change it");
    }
  }
  return {};
}

Result<bool> Gate::audit_again(const Digest& name) {
  bool known = false;
  Digest manifest;
  const auto done = parts_.metadata->write([&](Writer& writer) -> Result<void> {
    const auto canonical = writer.canonical(name);
    if (!canonical || !writer.manifest(*canonical)) return {};
    known = true;
    manifest = *canonical;
    writer.remove_verdict(manifest, rules_);
    return {};
  });
  if (!done) return done.error();
  if (known) enqueue(manifest, true);
  return known;
}

}  // namespace lazaret::gate
