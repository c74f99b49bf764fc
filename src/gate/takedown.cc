// Takedown, its undoing, and what keeps the content out meanwhile.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "gate/gate.h"

namespace lazaret::gate {

using store::Reader;
using store::ReferenceKind;
using store::State;
using store::TombstoneKind;
using store::Writer;

Result<std::int64_t> Gate::take_down(const std::string& kind, const std::string& subject, const std::string& actor, const std::string& why,
                                     bool closes_account) {
  std::int64_t act = 0;
  std::vector<Digest> hidden;
  const auto done = parts_.metadata->write([&](Writer& writer) -> Result<void> {
    const store::Time at = now();
    if (const auto standing = writer.takedown_of(kind, subject)) return Error{ErrorCode::busy, fmt::format("{} {} was taken down already, by act {}", kind, subject, standing->id)};
    act = writer.add_takedown({0, kind, subject, actor, why, at, 0, closes_account});
    if (kind == "publisher") {
      writer.hide_publisher(subject, act);
    } else if (kind == "repository") {
      const auto repository = writer.repository(subject);
      if (!repository) return Error{ErrorCode::not_found, "there is no repository " + subject};
      writer.hide_repository(repository->id, act);
    } else if (kind == "image") {
      const auto split = subject.find('@');
      const auto digest = split == std::string::npos ? std::nullopt : Digest::parse(subject.substr(split + 1));
      const auto repository = writer.repository(subject.substr(0, split));
      if (!digest || !repository) return Error{ErrorCode::not_found, "there is no image " + subject + "; name it as repository@sha256:..."};
      const auto sha256 = writer.canonical(*digest);
      if (!sha256 || !writer.binding(repository->id, *sha256)) return Error{ErrorCode::not_found, "there is no image " + subject};
      writer.hide_manifest(repository->id, *sha256, act);
    } else {
      return Error{ErrorCode::invalid, "what can be taken down is a publisher, a repository or an image"};
    }
    hidden = writer.manifests_hidden_by(act);
    for (const Digest& manifest : hidden) {
      // Somebody else who pushed the same bytes keeps them unless policy says otherwise.
      if (!policy_.takedown_takes_shared && writer.manifest_visible_somewhere(manifest)) continue;
      writer.add_tombstone({TombstoneKind::manifest, manifest, act, why, at});
      for (const store::Reference& reference : writer.references(manifest)) {
        if (reference.kind == ReferenceKind::manifest || (!policy_.takedown_takes_shared && writer.blob_released_somewhere(reference.digest))) continue;
        if (reference.kind == ReferenceKind::layer && is_common(writer, reference.digest)) continue;
        condemn_blob(writer, reference.digest, act, why);
      }
      writer.keep_state(manifest, act);
      writer.set_state(manifest, State::condemned, rules_, true);
    }
    // Once all of it is hidden, what is still to be seen somewhere is what others have too.
    for (const Digest& manifest : hidden) {
      if (!policy_.takedown_takes_shared && writer.manifest_visible_somewhere(manifest)) continue;
      for (const store::Reference& reference : writer.references(manifest)) {
        if (reference.kind == ReferenceKind::layer) bury_files(writer, reference.digest, act, why);
      }
    }
    writer.add_event({0, at, "takedown", actor, kind == "publisher" ? "" : subject, "", {}, fmt::format("{} {}: {}", kind, subject, why)});
    return {};
  });
  if (!done) return done.error();
  forget_buried_files();
  served_.forget_all();
  for (const Digest& manifest : hidden) waiting_.wake(manifest);
  if (revoked_) revoked_();
  return act;
}

Result<void> Gate::undo_takedown(std::int64_t act, const std::string& actor) {
  const auto done = parts_.metadata->write([&](Writer& writer) -> Result<void> {
    const auto takedown = writer.takedown(act);
    if (!takedown || takedown->undone != 0) return Error{ErrorCode::not_found, fmt::format("there is no takedown {} to undo", act)};
    writer.show(act);
    writer.remove_tombstones(act);
    writer.restore_states(act);
    writer.set_undone(act, now());
    writer.add_event({0, now(), "takedown-undone", actor, "", "", {}, fmt::format("{} {}", takedown->kind, takedown->subject)});
    return {};
  });
  if (!done) return done.error();
  forget_buried_files();
  served_.forget_all();
  // What was pushed meanwhile and condemned only for this act has not been judged yet.
  std::vector<Digest> pending;
  const auto read = parts_.metadata->read([&](Reader& reader) { pending = reader.manifests_in(State::pending, 1'000'000); });
  if (!read) return read.error();
  for (const Digest& digest : pending) enqueue(digest, false);
  return {};
}

Result<std::int64_t> Gate::restore_takedown(const store::Takedown& act, const std::vector<store::Tombstone>& tombstones, const std::vector<store::FileTombstone>& files) {
  const std::string why = act.reason;
  auto again = take_down(act.kind, act.subject, act.actor, why, act.closes_account);
  if (!again && again.error().code != ErrorCode::not_found) return again;
  std::int64_t id = again ? *again : 0;
  const auto done = parts_.metadata->write([&](Writer& writer) -> Result<void> {
    if (id == 0) id = writer.add_takedown({0, act.kind, act.subject, act.actor, why, now(), 0, act.closes_account});
    for (store::Tombstone tombstone : tombstones) {
      tombstone.takedown = id;
      writer.add_tombstone(tombstone);
    }
    for (store::FileTombstone file : files) {
      file.takedown = id;
      writer.add_file_tombstone(file);
    }
    writer.add_event({0, now(), "takedown-restored", act.actor, "", "", {}, fmt::format("{} {}", act.kind, act.subject)});
    return {};
  });
  if (!done) return done.error();
  forget_buried_files();
  return id;
}

bool Gate::is_common(Reader& reader, const Digest& layer) {
  const auto content = reader.content(layer);
  if (content && content->base) return true;
  const std::vector<store::CarriedFile> files = reader.carried_files(layer);
  return !files.empty() && std::all_of(files.begin(), files.end(), [&](const store::CarriedFile& file) {
    return !file.convicts && (file.claimed || reader.file_released_somewhere(file.content));
  });
}

// Only what nobody else has: a file that many images share ties nothing together.
void Gate::bury_files(Writer& writer, const Digest& blob, std::int64_t act, const std::string& why) {
  for (const store::CarriedFile& file : writer.carried_files(blob)) {
    if (writer.file_released_somewhere(file.content)) continue;
    writer.add_file_tombstone({file.content, act, file.path, why, file.convicts});
  }
}

// In memory, since a judge asks for every file of every layer. What is buried meanwhile is seen in the transaction that settles the state, for all files that
// the store remembers of a layer.
Result<std::shared_ptr<const std::set<store::FileContent>>> Gate::buried_files() {
  std::uint64_t version = 0;
  {
    const std::lock_guard lock(mutex_);
    if (buried_ != nullptr) return buried_;
    version = buried_version_;
  }
  auto files = std::make_shared<std::set<store::FileContent>>();
  const auto done = parts_.metadata->read([&](Reader& reader) {
    for (const store::FileContent& content : reader.buried_files()) files->insert(content);
  });
  if (!done) return done.error();
  const std::lock_guard lock(mutex_);
  if (version == buried_version_) buried_ = files;
  return std::shared_ptr<const std::set<store::FileContent>>(files);
}

void Gate::forget_buried_files() {
  const std::lock_guard lock(mutex_);
  buried_ = nullptr;
  ++buried_version_;
}

}  // namespace lazaret::gate
