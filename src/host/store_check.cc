#include "host/store_check.h"

#include <fmt/format.h>

#include <algorithm>

#include "audit/image_auditor.h"
#include "detect/known_image_support.h"
#include "source/reference.h"

namespace lazaret::host {
namespace {

// Findings of one deep audit that the host's report repeats; `lazaret scan` lists all.
constexpr std::size_t findings_of_an_image = 20;

// Wants no blob: a source that is given it reads documents only.
class DocumentsOnly final : public BlobConsumer {
 public:
  std::unique_ptr<BlobWriter> begin(const BlobOffer&) override { return nullptr; }
};

std::vector<std::string> history_of(const format::ImageConfig& config) {
  std::vector<std::string> steps;
  for (const auto& step : config.history) steps.push_back(step.created_by);
  return steps;
}

template <typename T>
bool begins_with(const std::vector<T>& whole, const std::vector<T>& part) {
  return !part.empty() && whole.size() >= part.size() && std::equal(part.begin(), part.end(), whole.begin());
}

}  // namespace

Result<void> StoreCheck::look_at(StorePlace place) {
  const Engine engine = place.engine;
  const std::string path = place.path;
  const StorePlace where{engine, path, {}};
  const StoreOptions& named = options_.stores;
  const bool is_named = path == (engine == Engine::docker ? named.docker_root : engine == Engine::podman ? named.podman_root : named.containerd_root);
  if (machine_.progress) machine_.progress(fmt::format("{} {}", name_of(engine), path));
  auto inventory = list_store(std::move(place), machine_.source_options);
  if (!inventory) {
    // A folder that is there but was never a store is nothing; one that the user named should be one.
    if (inventory.error().code == ErrorCode::not_found && !is_named) return {};
    if (inventory.error().code == ErrorCode::cancelled || is_named) return inventory.error();
    report_.not_looked_at.emplace_back(fmt::format("{} {}", name_of(engine), path), inventory.error().message);
    return {};
  }
  for (auto& [what, why] : inventory->unread) report_.not_looked_at.emplace_back(fmt::format("{} {}: {}", name_of(engine), path, what), why);
  for (const StoredImage& image : inventory->images) {
    if (const auto done = look_at_image(where, image); !done) return done;
  }
  for (const StoredContainer& container : inventory->containers) {
    if (const auto done = look_at_container(where, container); !done) return done;
  }
  report_.looked_at.push_back({fmt::format("images of {}", name_of(engine)), path, inventory->images.size()});
  report_.looked_at.push_back({fmt::format("containers of {}", name_of(engine)), path, inventory->containers.size()});
  return {};
}

void StoreCheck::find_known(const StoredImage& image, const format::ImageDescription& description, Subject& subject) {
  detect::ImageIdentity identity;
  identity.references = image.names;
  for (const Digest& digest : image.digests) identity.digests.emplace_back("image", digest);
  identity.digests.emplace_back("image", description.digest);
  for (const format::ManifestDescription& manifest : description.manifests) {
    identity.digests.emplace_back("manifest", manifest.digest);
    identity.digests.emplace_back("config", manifest.config_digest);
    for (const format::LayerReference& layer : manifest.layers) identity.layers.push_back(layer.descriptor.digest);
    identity.layers.insert(identity.layers.end(), manifest.config.diff_ids.begin(), manifest.config.diff_ids.end());
  }
  std::vector<detect::ImageFinding> findings;
  detect::find_known_images(detect::incident_data(), identity, findings);
  if (machine_.more_incidents != nullptr) detect::find_known_images(*machine_.more_incidents, identity, findings);
  FindingWriter writer(*machine_.ruleset, subject);
  for (detect::ImageFinding& finding : findings) {
    // A deep audit says some of it too.
    const auto& known = subject.report.findings;
    if (std::any_of(known.begin(), known.end(), [&](const audit::Finding& other) { return other.rule == finding.rule->id; })) continue;
    writer.add(finding.rule->id, "", std::move(finding.evidence), {std::move(finding.chain), std::move(finding.indicators), finding.severity, finding.confidence});
  }
}

void StoreCheck::find_known_name(const std::string& name, Subject& subject) {
  detect::ImageIdentity identity;
  identity.references = {name};
  if (const auto parsed = source::parse_image_name(name); parsed && !parsed->digest.empty()) identity.digests.emplace_back("image", parsed->digest);
  std::vector<detect::ImageFinding> findings;
  detect::find_known_images(detect::incident_data(), identity, findings);
  if (machine_.more_incidents != nullptr) detect::find_known_images(*machine_.more_incidents, identity, findings);
  if (!findings.empty()) FindingWriter(*machine_.ruleset, subject).add("known-bad.container", "image", findings.front().evidence, {{}, {}, findings.front().severity, findings.front().confidence});
}

Result<void> StoreCheck::audit(const std::function<Result<format::ImageDescription>(BlobConsumer&, const source::SourceOptions&)>& deliver, Subject& subject, format::ImageDescription* description) {
  audit::ImageAuditor auditor(machine_.ruleset, machine_.machine, machine_.policy, machine_.cache);
  auto delivered = deliver(auditor, machine_.source_options);
  if (!delivered) {
    if (delivered.error().code == ErrorCode::cancelled) return delivered.error();
    subject.report.incomplete.push_back({"", "", 0, delivered.error().message});
    return {};
  }
  audit::Report report = auditor.finish(*delivered);
  std::erase_if(report.findings, [](const audit::Finding& finding) { return finding.weight == 0; });
  if (report.findings.size() > findings_of_an_image) {
    subject.left_out = report.findings.size() - findings_of_an_image;
    report.findings.resize(findings_of_an_image);
  }
  subject.report = std::move(report);
  if (description != nullptr) *description = std::move(*delivered);
  return {};
}

Result<void> StoreCheck::look_at_image(const StorePlace& place, const StoredImage& image) {
  Subject subject;
  subject.kind = SubjectKind::image;
  subject.store = name_of(place.engine);
  subject.place = place.path;
  subject.id = image.id;
  subject.name = image.names.empty() ? image.id : image.names.front();
  subject.target = image.target;
  format::ImageDescription description;
  if (options_.deep) {
    if (machine_.progress) machine_.progress(fmt::format("{} image {}", subject.store, subject.name));
    if (const auto done = audit(image.deliver, subject, &description); !done) return done;
  } else {
    DocumentsOnly consumer;
    auto delivered = image.deliver(consumer, machine_.source_options);
    if (!delivered) {
      if (delivered.error().code == ErrorCode::cancelled) return delivered.error();
      subject.report.incomplete.push_back({"", "", 0, delivered.error().message});
    } else {
      description = std::move(*delivered);
      for (const auto& [what, why] : description.unaudited) subject.report.incomplete.push_back({"", what, 0, why});
    }
  }
  subject.report.target = subject.name;
  if (subject.report.image_digest.empty()) subject.report.image_digest = description.digest.str();
  find_known(image, description, subject);

  ImageFacts facts;
  facts.subject = report_.subjects.size();
  for (const format::ManifestDescription& manifest : description.manifests) {
    if (!manifest.is_image) continue;
    facts.configs.insert(manifest.config_digest);
    facts.lineages.push_back({manifest.config.diff_ids, history_of(manifest.config)});
  }
  images_.push_back(std::move(facts));
  report_.subjects.push_back(std::move(subject));
  return {};
}

void StoreCheck::judge_settings(const ContainerSettings& settings, Subject& subject) {
  FindingWriter writer(*machine_.ruleset, subject);
  if (settings.privileged) writer.add("container-escape.privileged-container", "settings", "privileged");
  if (settings.host_processes) writer.add("container-escape.host-processes", "settings", "the container has no process namespace of its own");
  for (const ContainerSettings::Mount& mount : settings.mounts) {
    const HostPlace kind = place_of_mount(mount.source);
    const std::string what = fmt::format("{} of the host is {}{}", mount.source, mount.target, mount.writable ? "" : ", read only");
    if (kind == HostPlace::socket) {
      writer.add("container-escape.runtime-socket", "settings", what);
    } else if (kind != HostPlace::other && mount.writable) {
      writer.add("container-escape.host-mount", "settings", what);
    }
  }
  audit_command(*machine_.ruleset, machine_.machine.limits, "command", settings.command, subject);
}

Result<void> StoreCheck::look_at_container(const StorePlace& place, const StoredContainer& container) {
  if (place.engine == Engine::docker) docker_containers_.insert(container.id);
  if (place.engine == Engine::containerd && container.id.starts_with("moby/") && docker_containers_.contains(container.id.substr(5))) return {};
  Subject subject;
  subject.kind = SubjectKind::container;
  subject.store = name_of(place.engine);
  subject.place = place.path;
  subject.id = container.id;
  subject.name = container.name;
  subject.state = container.state;
  if (options_.deep && container.deliver) {
    if (machine_.progress) machine_.progress(fmt::format("{} container {}", subject.store, subject.name));
    if (const auto done = audit(container.deliver, subject, nullptr); !done) return done;
  }
  subject.report.target = subject.name;
  if (!container.image_name.empty()) find_known_name(container.image_name, subject);
  if (!container.no_settings.empty()) subject.report.incomplete.push_back({"", "settings", 0, container.no_settings});
  judge_settings(container.settings, subject);
  containers_.push_back({report_.subjects.size(), container.image_name, container.image_id});
  report_.subjects.push_back(std::move(subject));
  return {};
}

bool StoreCheck::is_bad(const Subject& subject) const {
  audit::Report copy = subject.report;
  audit::judge(machine_.policy, copy);
  return copy.verdict == audit::Verdict::malicious;
}

void StoreCheck::relate() {
  std::vector<const ImageFacts*> bad;
  for (const ImageFacts& image : images_) {
    if (is_bad(report_.subjects[image.subject])) bad.push_back(&image);
  }
  const auto stands_on = [&](const ImageFacts& image) -> const ImageFacts* {
    for (const ImageFacts* other : bad) {
      for (const Digest& config : image.configs) {
        if (other->configs.contains(config)) return other;
      }
      for (const auto& lineage : image.lineages) {
        for (const auto& base : other->lineages) {
          // Layers alone say little: a bad image may be a clean base with a bad command, and the base is in many others. The history tells them apart.
          if (begins_with(lineage.diff_ids, base.diff_ids) && begins_with(lineage.history, base.history)) return other;
        }
      }
    }
    return nullptr;
  };
  std::vector<std::pair<const ImageFacts*, const ImageFacts*>> found;
  for (const ImageFacts& image : images_) {
    if (is_bad(report_.subjects[image.subject])) continue;
    if (const ImageFacts* other = stands_on(image)) found.emplace_back(&image, other);
  }
  for (const auto& [image, other] : found) {
    const Subject& reason = report_.subjects[other->subject];
    FindingWriter(*machine_.ruleset, report_.subjects[image->subject]).add("known-bad.built-on", "", fmt::format("{} ({})", reason.name, reason.store));
    bad.push_back(image);
  }

  for (const ContainerFacts& container : containers_) {
    Subject& subject = report_.subjects[container.subject];
    for (const ImageFacts* image : bad) {
      const Subject& source = report_.subjects[image->subject];
      if (source.store != subject.store || source.place != subject.place) continue;
      const bool same = container.image_id.empty() ? source.name == container.image_name : source.id == container.image_id;
      if (!same) continue;
      const auto& findings = subject.report.findings;
      if (std::none_of(findings.begin(), findings.end(), [](const audit::Finding& finding) { return finding.rule == "known-bad.container"; }))
        FindingWriter(*machine_.ruleset, subject).add("known-bad.container", "image", fmt::format("its image is {}", source.name));
      break;
    }
  }
}

}  // namespace lazaret::host
