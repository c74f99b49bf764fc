#include "gate/exposure.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace lazaret::gate {
namespace {

using store::Reader;
using store::ReferenceKind;

std::optional<std::int64_t> number_of(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

class Finder {
 public:
  Finder(Reader& reader, SubjectContent& content) : reader_(reader), content_(content) {}

  bool find(SubjectKind kind, const std::string& name) {
    switch (kind) {
      case SubjectKind::image: return find_image(name);
      case SubjectKind::repository: return find_repository(name);
      case SubjectKind::publisher: return find_publisher(name);
      case SubjectKind::takedown: return find_takedown(name);
    }
    return false;
  }

  // Of the manifests that were found: what they name, and the act that hides them.
  void complete() {
    const std::set<Digest> own = manifests_;
    for (const Digest& digest : own) add_children(digest);
    for (const Digest& digest : own) {
      for (const Digest& parent : reader_.parents(digest)) manifests_.insert(parent);
    }
    std::set<Digest> blobs;
    for (const Digest& digest : manifests_) {
      for (const store::Reference& reference : reader_.references(digest)) {
        if (reference.kind == ReferenceKind::config) content_.configs.emplace(digest, reference.digest);
        if (reference.kind != ReferenceKind::manifest && !reader_.blob_released_somewhere(reference.digest)) blobs.insert(reference.digest);
      }
    }
    for (const Digest& digest : manifests_) name(digest, own.contains(digest));
    content_.manifests.assign(manifests_.begin(), manifests_.end());
    content_.blobs.assign(blobs.begin(), blobs.end());
  }

 private:
  bool find_image(const std::string& name) {
    if (const auto digest = Digest::parse(name)) {
      const auto canonical = reader_.canonical(*digest);
      if (!canonical || !reader_.manifest(*canonical)) return false;
      manifests_.insert(*canonical);
      return true;
    }
    if (const auto at = name.find('@'); at != std::string::npos) {
      const auto digest = Digest::parse(std::string_view(name).substr(at + 1));
      const auto canonical = digest ? reader_.canonical(*digest) : std::nullopt;
      const auto repository = reader_.repository(std::string_view(name).substr(0, at));
      if (!canonical || !repository || !reader_.binding(repository->id, *canonical)) return false;
      manifests_.insert(*canonical);
      return true;
    }
    const auto colon = name.rfind(':');
    if (colon == std::string::npos || name.find('/', colon) != std::string::npos) return false;
    const auto repository = reader_.repository(std::string_view(name).substr(0, colon));
    const auto tag = repository ? reader_.tag(repository->id, std::string_view(name).substr(colon + 1)) : std::nullopt;
    if (!tag) return false;
    // What the tag served, and what was pushed last.
    manifests_.insert(tag->digest);
    if (!tag->released.empty()) manifests_.insert(tag->released);
    return true;
  }

  bool find_repository(const std::string& name) {
    const auto repository = reader_.repository(name);
    if (!repository) return false;
    for (const Digest& digest : reader_.manifests_of(repository->id)) manifests_.insert(digest);
    return true;
  }

  bool find_publisher(const std::string& name) {
    const std::vector<Digest> found = reader_.manifests_of_publisher(name);
    manifests_.insert(found.begin(), found.end());
    return !found.empty() || reader_.takedown_of("publisher", name);
  }

  bool find_takedown(const std::string& name) {
    const auto id = number_of(name);
    if (!id || !reader_.takedown(*id)) return false;
    for (const Digest& digest : reader_.manifests_hidden_by(*id)) manifests_.insert(digest);
    return true;
  }

  void add_children(const Digest& digest) {
    for (const store::Reference& reference : reader_.references(digest)) {
      if (reference.kind == ReferenceKind::manifest && manifests_.insert(reference.digest).second) add_children(reference.digest);
    }
  }

  void name(const Digest& digest, bool own) {
    for (const std::int64_t id : reader_.repositories_with(digest)) {
      const auto repository = reader_.repository(id);
      const auto binding = reader_.binding(id, digest);
      if (!repository || !binding) continue;
      if (binding->takedown != 0 && own) {
        const auto act = reader_.takedown(binding->takedown);
        if (act && (content_.takedown == 0 || act->at < content_.taken_down)) {
          content_.takedown = act->id;
          content_.taken_down = act->at;
        }
      }
      if (content_.names.contains(digest)) continue;
      std::string& text = content_.names[digest];
      text = repository->name + "@" + digest.str();
      for (const store::Tag& tag : reader_.tags(id, "", 1000, false)) {
        if (tag.digest == digest || tag.released == digest) {
          text = repository->name + ":" + tag.name;
          break;
        }
      }
    }
  }

  Reader& reader_;
  SubjectContent& content_;
  std::set<Digest> manifests_;
};

}  // namespace

std::string_view name_of(SubjectKind kind) {
  switch (kind) {
    case SubjectKind::image: return "image";
    case SubjectKind::repository: return "repository";
    case SubjectKind::publisher: return "publisher";
    case SubjectKind::takedown: return "takedown";
  }
  return "";
}

std::optional<SubjectKind> parse_subject_kind(std::string_view name) {
  for (const SubjectKind kind : {SubjectKind::image, SubjectKind::repository, SubjectKind::publisher, SubjectKind::takedown}) {
    if (name == name_of(kind)) return kind;
  }
  return std::nullopt;
}

Result<SubjectContent> find_subject(store::MetadataStore& metadata, const std::string& name, std::optional<SubjectKind> kind) {
  SubjectContent content;
  bool found = false;
  const auto read = metadata.read([&](Reader& reader) {
    for (const SubjectKind wanted : {SubjectKind::image, SubjectKind::repository, SubjectKind::publisher, SubjectKind::takedown}) {
      if (kind && *kind != wanted) continue;
      Finder finder(reader, content);
      if (!finder.find(wanted, name)) continue;
      content.subject = {wanted, name};
      finder.complete();
      found = true;
      return;
    }
  });
  if (!read) return read.error();
  if (!found) {
    return Error{ErrorCode::not_found, fmt::format("there is no {} {} here; name an image (REPOSITORY:TAG, REPOSITORY@sha256:... or sha256:...), a repository, a publisher or the"
                                                   " number of a takedown",
                                                   kind ? name_of(*kind) : "such thing as", name)};
  }
  return content;
}

void ExposureSum::add(const store::PullSummary& summary, const std::string& image) {
  first = first == 0 ? summary.first : std::min(first, summary.first);
  last = std::max(last, summary.last);
  (summary.manifest ? pulls : downloads) += summary.pulls;
  not_modified += summary.not_modified;
  cut += summary.cut;
  late += summary.late;
  bytes += summary.bytes;
  if (!image.empty() && images.size() < most_images) images.insert(image);
}

Result<Exposure> find_exposure(Ledger& ledger, SubjectContent content, store::Time from) {
  // What was given out a moment ago belongs to the answer.
  ledger.flush();
  Exposure exposure;
  exposure.content = std::move(content);
  std::vector<Digest> digests = exposure.content.manifests;
  digests.insert(digests.end(), exposure.content.blobs.begin(), exposure.content.blobs.end());
  const auto group = [&](std::map<std::string, ExposureSum>& groups, const std::string& key, const store::PullSummary& summary, const std::string& image) {
    const auto known = groups.find(key);
    if (known == groups.end() && groups.size() >= Exposure::most_groups) {
      exposure.cut = true;
      return;
    }
    (known == groups.end() ? groups[key] : known->second).add(summary, image);
  };
  const auto done = ledger.store().summarise(digests, from, exposure.content.taken_down, [&](const store::PullSummary& summary) {
    std::string image;
    if (summary.manifest) {
      const auto named = exposure.content.names.find(summary.digest);
      image = !summary.tag.empty() ? summary.repository + ":" + summary.tag : named != exposure.content.names.end() ? named->second : summary.repository + "@" + summary.digest.str();
    }
    exposure.all.add(summary, image);
    group(exposure.accounts, summary.identity, summary, image);
    group(exposure.networks, network_of(summary.address), summary, image);
    group(exposure.agents, summary.agent, summary, image);
  });
  if (!done) return done.error();
  return exposure;
}

}  // namespace lazaret::gate
