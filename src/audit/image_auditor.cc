#include "audit/image_auditor.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "audit/file_auditor.h"
#include "audit/hidden_layers.h"
#include "audit/integrity.h"
#include "audit/known_bad_packages.h"
#include "audit/package_index.h"
#include "audit/paths.h"
#include "audit/reach.h"
#include "audit/root_file_system.h"
#include "base/text.h"
#include "detect/secret_support.h"

namespace lazaret::audit {
namespace {

using detect::Origin;

// The merged image as the detectors of whole images see it.
class View final : public detect::ImageView {
 public:
  View(const format::ImageDescription& image, const format::ManifestDescription& manifest, const RootFileSystem& root, const PackageIndex& packages,
       std::size_t base_layers)
      : image_(image), manifest_(manifest), root_(root), packages_(packages), base_layers_(base_layers) {}

  const std::string& reference() const override { return image_.reference; }
  const format::ManifestDescription& manifest() const override { return manifest_; }
  Digest digest() const override { return image_.digest; }
  std::optional<detect::RootEntry> find(std::string_view path) const override {
    auto found = root_.find(path);
    if (!found) return std::nullopt;
    last_ = std::move(*found);
    return to_entry(last_);
  }
  void for_each(const std::function<void(const detect::RootEntry&)>& visit) const override {
    root_.for_each([&](const RootFileSystem::Found& found) { visit(to_entry(found)); });
  }
  std::optional<std::string_view> script_text(std::string_view path) const override { return root_.kept_text(path); }
  std::optional<detect::PackageOwner> package_of(std::string_view path) const override {
    const auto found = root_.find(path);
    if (!found) return std::nullopt;
    const auto owner = packages_.owner(found->record.path, found->layer, content_of(*root_.layers()[found->layer], found->record, found->entry));
    if (!owner) return std::nullopt;
    return detect::PackageOwner{owner->package->manager, owner->package->name, owner->package->version,
                                owner->state == PackageIndex::State::unmodified && owner->trust != Trust::none,
                                owner->trust == Trust::known_base};
  }
  bool added_by_publisher(std::size_t layer) const override { return layer >= base_layers_; }

 private:
  static detect::RootEntry to_entry(const RootFileSystem::Found& found) {
    detect::RootEntry entry;
    entry.path = found.record.path;
    entry.layer = found.layer;
    entry.mode = found.record.mode;
    entry.uid = found.record.uid;
    entry.gid = found.record.gid;
    entry.capabilities = found.record.capabilities;
    entry.size = found.record.size;
    entry.type = found.record.file_type;
    entry.is_directory = found.record.type == format::TarType::directory;
    entry.is_symlink = found.record.type == format::TarType::symlink;
    entry.link_target = found.record.link_target;
    return entry;
  }

  const format::ImageDescription& image_;
  const format::ManifestDescription& manifest_;
  const RootFileSystem& root_;
  const PackageIndex& packages_;
  const std::size_t base_layers_;
  mutable RootFileSystem::Found last_;  // holds what the last find() points to
};

// Makes the report of one image, step by step; finish() reads as the list of them.
class Merge {
 public:
  // `publisher_files` may be null: they are not wanted.
  Merge(const Ruleset& ruleset, const Limits& limits, const format::ImageDescription& image, const std::map<std::string, AuditedBlob>& blobs,
        std::map<Digest, std::vector<PublisherFile>>* publisher_files)
      : ruleset_(ruleset), limits_(limits), image_(image), blobs_(blobs), publisher_files_(publisher_files) {
    report_.target = image.reference;
    report_.image_digest = image.digest.str();
    report_.image_media_type = image.media_type;
    report_.engine_version = engine_version();
    report_.ruleset = ruleset.digest();
  }

  void audit_documents() {
    for (const auto& [what, why] : image_.unaudited) report_.incomplete.push_back({"", what, 0, why});
    FileOutcome outcome;
    FileAuditor auditor(ruleset_, limits_, outcome);
    for (const Diagnostic& diagnostic : image_.diagnostics) auditor.add_diagnostic(diagnostic, LayerFinding::no_entry, "");
    for (const auto& [name, text] : image_.documents) audit_text(auditor, name, text, Origin::metadata);
    add(std::move(outcome), "", "", nullptr);
  }

  void audit_manifest(const format::ManifestDescription& manifest) {
    Report::Manifest shown{manifest.digest.str(), manifest.platform, manifest.config_digest.str(), {}};
    std::vector<const LayerAudit*> layers;
    for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
      const format::LayerReference& reference = manifest.layers[i];
      const auto blob = blobs_.find(reference.key);
      Report::Layer layer;
      layer.digest = reference.descriptor.digest.str();
      layer.media_type = reference.descriptor.media_type;
      layer.size = reference.descriptor.size;
      layer.created_by = created_by(manifest.config, i);
      if (blob == blobs_.end()) {
        report_.incomplete.push_back({i < manifest.config.diff_ids.size() ? manifest.config.diff_ids[i].str() : "", reference.key,
                                      reference.descriptor.size, "the layer could not be read"});
      } else {
        used_.insert(reference.key);
        const LayerAudit& audit = blob->second.audit;
        layers.push_back(&audit);
        layer.diff_id = audit.diff_id.str();
        if (layer.digest.empty()) layer.digest = audit.blob_digest.str();
        if (layer.size == 0) layer.size = audit.blob_size;
        check_diff_id(manifest, i, audit);
        if (reference.form == format::LayerForm::shipped) check_media_type(manifest, reference.descriptor.media_type, audit);
      }
      shown.layers.push_back(std::move(layer));
    }
    if (manifest.is_image && !manifest.config_json.empty() && manifest.config.diff_ids.size() != manifest.layers.size()) {
      add_finding("anomaly.layer-count", manifest.digest.str(), "",
                  fmt::format("the manifest has {} layers, the config {} diff_ids", manifest.layers.size(), manifest.config.diff_ids.size()));
    }
    shown.base = base_of(manifest);
    report_.manifests.push_back(std::move(shown));

    const RootFileSystem root(layers);
    audit_config(manifest);
    std::vector<std::string> paths;
    for (const LayerAudit* layer : layers) {
      for (const LayerFinding& finding : layer->findings) paths.push_back(finding.path);
      for (const KeptFile& file : layer->kept) paths.push_back(file.path);
    }
    const std::size_t base_layers = report_.manifests.back().base.layers;
    const PackageIndex packages(root, base_layers, paths);
    describe(report_.manifests.back(), root, packages);
    if (publisher_files_ != nullptr) {
      for (PublisherFile& file : publisher_files(root, packages, base_layers)) (*publisher_files_)[layers[file.layer]->blob_digest].push_back(std::move(file));
    }
    const auto is_package_file = [&](std::string_view path) { return is_package_text(root, packages, path); };
    shown_.clear();
    const FlowResult flow = follow_image(root, manifest.config, is_package_file, [&](const FlowRun& run) {
      if (!run.file || !is_package_file(run.path)) add_run(run, manifest.digest.str(), root, packages);
    });
    for (const FlowOutside& outside : flow.outside) add_outside(outside, manifest.digest.str(), root);
    for (const auto& [path, reason] : flow.unread) {
      // A package's own script is not judged by what it does with the image's values; where its reading ends hides nothing.
      if (is_package_file(path)) continue;
      const auto found = root.find_exact(path);
      report_.incomplete.push_back({found ? root.layers()[found->layer]->diff_id.str() : "", path, found ? found->record.size : 0, reason});
    }
    if (flow.cut) report_.incomplete.push_back({"", "config", 0, "what the image starts branches out further than the limit; the rest was not followed"});
    const Reach& reach = flow.reach;
    for (std::size_t i = 0; i < layers.size(); ++i) add_layer(*layers[i], i, manifest.digest.str(), root, packages, reach);
    add_remarks(remarks_on_layers(root), layers, manifest.digest.str());
    // A layer that could not be read would put the others out of step with the history.
    if (layers.size() == manifest.layers.size()) add_remarks(remarks_on_history(manifest.config, layers), layers, manifest.digest.str());
    inspect_image(manifest, root, packages, base_layers, reach);
    add_integrity(manifest.digest.str(), root, packages, base_layers, reach);
  }

  // Whether each blob is what its name says; and blobs that no manifest refers to, which are part of what was handed over too.
  void add_blobs() {
    for (const auto& [key, audited] : blobs_) {
      const LayerAudit& blob = audited.audit;
      const Digest& claimed = audited.offer.digest;
      if (claimed.algorithm() == HashAlgorithm::sha256 && !claimed.empty() && claimed != blob.blob_digest && !blob.ended_early) {
        add_finding("integrity.blob-digest", "", blob.diff_id.str(),
                    fmt::format("the blob is named {}, its bytes are {}", claimed.str(), blob.blob_digest.str()));
      }
      if (used_.contains(key)) continue;
      report_.bytes += blob.bytes;
      report_.files += blob.files;
      // docker save's old layout has a file VERSION of three bytes beside each layer.
      // gzip writes the name of the file it packed into its header.
      const bool furniture = (key.ends_with("/VERSION") && blob.blob_digest == sha256(as_bytes("1.0"))) || key.ends_with("(gzip-name)");
      if (!furniture) add_finding("hidden-content.unreferenced-blob", "", blob.diff_id.str(), fmt::format("{} ({} bytes)", key, blob.blob_size));
      for (const LayerFinding& finding : blob.findings) add(finding, "", blob.diff_id.str(), false, {});
      for (const LayerIncomplete& part : blob.incomplete) {
        report_.incomplete.push_back({blob.diff_id.str(), part.path, part.bytes, part.reason});
      }
      for (const auto& [indicator, path] : blob.indicators) index_of(indicator);
    }
  }

  Report take() && { return std::move(report_); }

 private:
  // By the diff_ids of the bytes that were audited; the claim of a store that has no archive any more is none.
  Report::Base base_of(const format::ManifestDescription& manifest) const {
    std::vector<Digest> diff_ids;
    for (const format::LayerReference& reference : manifest.layers) {
      const auto blob = blobs_.find(reference.key);
      if (blob == blobs_.end() || blob->second.audit.ended_early || reference.form == format::LayerForm::rebuilt) break;
      diff_ids.push_back(blob->second.audit.diff_id);
    }
    const BaseTable::Match match = ruleset_.bases().find(diff_ids);
    Report::Base base;
    base.layers = match.base.layers;
    base.chain_id = match.chain_id;
    base.digest = match.base.digest;
    base.reference = match.base.reference;
    if (match.base.layers < match.base.of) base.reference += fmt::format(" (the first {} of {} layers)", match.base.layers, match.base.of);
    return base;
  }

  static void describe(Report::Manifest& manifest, const RootFileSystem& root, const PackageIndex& packages) {
    manifest.added.layers = manifest.layers.size() - std::min(manifest.layers.size(), manifest.base.layers);
    for (std::size_t layer = manifest.base.layers; layer < root.layers().size(); ++layer) manifest.added.files += root.visible_files(layer);
    std::map<std::string, Report::Packages> managers;
    for (const Package& package : packages.packages()) {
      Report::Packages& counts = managers[package.manager];
      counts.manager = package.manager;
      switch (package.trust) {
        case Trust::known_base: ++counts.known_base; break;
        case Trust::self_declared: ++counts.self_declared; break;
        case Trust::none: ++counts.not_believed; break;
      }
    }
    for (auto& [name, counts] : managers) manifest.packages.push_back(std::move(counts));
  }

  static std::string created_by(const format::ImageConfig& config, std::size_t layer) {
    std::size_t number = 0;
    for (const auto& step : config.history) {
      if (step.empty_layer) continue;
      if (number++ == layer) return detect::redact_secrets(step.created_by);
    }
    return "";
  }

  void check_diff_id(const format::ManifestDescription& manifest, std::size_t i, const LayerAudit& blob) {
    if (i >= manifest.config.diff_ids.size() || blob.ended_early || manifest.layers[i].form == format::LayerForm::rebuilt) return;
    const Digest& claimed = manifest.config.diff_ids[i];
    if (claimed.algorithm() != blob.diff_id.algorithm() || claimed == blob.diff_id) return;
    add_finding("integrity.diff-id", manifest.digest.str(), blob.diff_id.str(),
                fmt::format("the config says {}, the layer's bytes are {}", claimed.str(), blob.diff_id.str()));
  }

  void check_media_type(const format::ManifestDescription& manifest, std::string_view type, const LayerAudit& blob) {
    const std::string_view declared = type.ends_with("gzip")                                        ? "gzip"
                                      : type.ends_with("+zstd")                                     ? "zstd"
                                      : type.ends_with(".layer.v1.tar") || type.ends_with(".diff.tar") ? "plain"
                                                                                                    : "";
    if (declared.empty() || declared == blob.encoding || blob.blob_size == 0) return;
    add_finding("anomaly.media-type-mismatch", manifest.digest.str(), blob.diff_id.str(),
                fmt::format("the layer is declared as {} but its bytes are {}", type, blob.encoding));
  }

  void audit_text(FileAuditor& auditor, const std::string& path, std::string_view text, Origin origin) {
    if (text.empty()) return;
    FileInput input;
    input.path = path;
    input.content = as_bytes(text);
    input.file_size = text.size();
    input.type = format::classify(clamp(input.content, 0, 4096), text.size(), "");
    input.origin = origin;
    if (origin != Origin::metadata && input.type.language == format::Language::none) input.type.language = format::Language::shell;
    auditor.audit(input);
  }

  void audit_config(const format::ManifestDescription& manifest) {
    const format::ImageConfig& config = manifest.config;
    FileOutcome run, built;
    FileAuditor running(ruleset_, limits_, run), building(ruleset_, limits_, built);
    for (const std::string& variable : config.env) {
      const auto equals = variable.find('=');
      const std::string name = variable.substr(0, equals);
      audit_text(running, "config.Env." + name, equals == std::string::npos ? std::string_view() : std::string_view(variable).substr(equals + 1),
                 Origin::environment);
    }
    for (const auto& [name, value] : config.labels) audit_text(running, "config.Labels." + name, value, Origin::metadata);
    for (const auto& [path, value] : config.other_strings) audit_text(running, "config." + path, value, Origin::metadata);
    for (const auto& [name, value] : manifest.annotations) audit_text(running, "annotation." + name, value, Origin::metadata);
    for (std::size_t i = 0; i < config.history.size(); ++i) {
      const std::string path = fmt::format("history[{}]", i);
      audit_text(building, path, config.history[i].created_by, Origin::history);
      audit_text(building, path + ".comment", config.history[i].comment, Origin::history);
    }
    Context started, at_build;
    started.reached = true;
    at_build.build_time = true;
    add(std::move(run), manifest.digest.str(), "", &started);
    add(std::move(built), manifest.digest.str(), "", &at_build);
  }

  void add(FileOutcome outcome, const std::string& manifest, const std::string& layer, const Context* context) {
    report_.bytes += outcome.bytes;
    for (const LayerFinding& finding : outcome.findings) {
      Context place;
      if (context != nullptr) place = *context;
      // Labels and annotations are read by people and tools, but no container starts them.
      if (finding.path.starts_with("config.Labels.") || finding.path.starts_with("annotation.")) place.reached = false;
      std::vector<std::string> reached_by;
      if (place.reached) reached_by.push_back(finding.path);
      add(finding, manifest, layer, false, place, reached_by);
    }
    for (const LayerIncomplete& part : outcome.incomplete) report_.incomplete.push_back({layer, part.path, part.bytes, part.reason});
    for (const auto& [indicator, path] : outcome.indicators) index_of(indicator);
    for (const Trait& trait : outcome.traits) report_.facts.push_back({trait.type, trait.value, layer, trait.path, trait.flagged, false});
  }

  // What the detectors say of a text as the image runs it.
  void add_run(const FlowRun& run, const std::string& manifest, const RootFileSystem& root, const PackageIndex& packages) {
    FileOutcome outcome;
    FileAuditor auditor(ruleset_, limits_, outcome);
    FileInput input;
    input.path = run.path;
    input.content = as_bytes(run.content);
    input.file_size = run.content.size();
    input.type = format::classify(clamp(input.content, 0, 4096), run.content.size(), run.path);
    input.script = &run.script;
    input.origin = run.file || run.path.starts_with('/') ? Origin::file : Origin::config;
    if (input.origin == Origin::config) input.type = {format::FileKind::script, format::Language::shell};
    if (!format::is_text(input.type.kind)) input.type.kind = format::FileKind::script;
    std::string layer;
    if (run.file) {
      input.entry = run.file->entry;
      input.mode = run.file->record.mode;
      layer = root.layers()[run.file->layer]->diff_id.str();
    } else if (input.origin == Origin::config) {
      report_.bytes += run.content.size();
    }
    auditor.audit(input);
    for (const LayerFinding& finding : outcome.findings) {
      Context context;
      context.reached = true;
      if (run.file) {
        PackageIndex::Content content = content_of(*root.layers()[run.file->layer], run.file->record, run.file->entry);
        if (!finding.md5.empty()) content.md5 = finding.md5;
        if (!finding.sha1.empty()) content.sha1 = finding.sha1;
        add_owner(packages.owner(finding.path, run.file->layer, content), context);
      }
      // Readings with other arguments or branches say the same again.
      std::set<std::string>& shown = shown_[place_of(finding, layer)];
      if (shown.size() >= 3 || !shown.insert(finding.evidence).second) continue;
      add(finding, manifest, layer, run.file.has_value(), context, run.chain);
    }
    for (const LayerIncomplete& part : outcome.incomplete) report_.incomplete.push_back({layer, part.path, part.bytes, part.reason});
    for (const auto& [indicator, path] : outcome.indicators) index_of(indicator);
  }

  void add_outside(const FlowOutside& outside, const std::string& manifest, const RootFileSystem& root) {
    const RuleDocument* document = ruleset_.find("dropper.payload-outside");
    LayerFinding finding;
    finding.rule = document->id;
    finding.severity = document->severity;
    finding.confidence = document->confidence;
    if (outside.checked) {
      finding.severity = detect::Severity::low;
      finding.confidence = detect::Confidence::low;
    }
    finding.path = outside.starter;
    finding.line = outside.line;
    finding.evidence = fmt::format("{} is fetched{}{} and started", outside.path, outside.url.empty() ? "" : " from ", outside.url);
    if (!outside.url.empty()) finding.indicators.push_back({"url", outside.url, false});
    Context context;
    context.reached = true;
    std::string layer;
    const auto found = root.find_exact(outside.starter);
    if (found) layer = root.layers()[found->layer]->diff_id.str();
    add(finding, manifest, layer, found.has_value(), context, outside.chain);
  }

  // Where a finding stands, for telling whether a text that runs said it already.
  static std::string place_of(const LayerFinding& finding, const std::string& layer) {
    std::string place = finding.rule + '\n' + layer + '\n' + finding.path + '\n' + std::to_string(finding.line);
    for (const std::string& name : finding.nested) place += '\n' + name;
    return place;
  }

  void add_layer(const LayerAudit& layer, std::size_t number, const std::string& manifest, const RootFileSystem& root,
                 const PackageIndex& packages, const Reach& reach) {
    const bool new_layer = counted_.insert(layer.diff_id.str()).second;
    if (new_layer) {
      report_.bytes += layer.bytes;
      report_.files += layer.files;
      for (const LayerIncomplete& part : layer.incomplete) {
        report_.incomplete.push_back({layer.diff_id.str(), part.path, part.bytes, part.reason});
      }
      for (const auto& [indicator, path] : layer.indicators) index_of(indicator);
    }
    if (new_layer) add_facts(layer, number, root, packages);
    for (const LayerFinding& finding : layer.findings) {
      Context context;
      std::vector<std::string> chain;
      const auto seen = finding.entry == LayerFinding::no_entry ? std::nullopt : root.seen_as(number, finding.entry);
      const bool visible = seen.has_value();
      if (finding.entry != LayerFinding::no_entry) {
        const Entry entry = layer.entries.at(finding.entry);
        if (visible) {
          auto reached = reach.find(*seen);
          if (reached == reach.end()) reached = reach.find(finding.path);
          if (reached != reach.end()) {
            context.reached = true;
            chain = reached->second;
          }
          if (*seen != finding.path) chain.push_back("seen as " + *seen);
        }
        PackageIndex::Content content = content_of(layer, entry, finding.entry);
        if (!finding.md5.empty()) content.md5 = finding.md5;
        if (!finding.sha1.empty()) content.sha1 = finding.sha1;
        add_owner(packages.owner(finding.path, number, content), context);
        context.documentation = is_documentation_path(finding.path) && (entry.mode & 0111) == 0 &&
                                entry.file_type.kind != format::FileKind::elf && entry.file_type.kind != format::FileKind::pe;
      }
      // Seen as it runs, with what is known then: that says more.
      if (context.reached && finding.line != 0 && shown_.contains(place_of(finding, layer.diff_id.str()))) continue;
      add(finding, manifest, layer.diff_id.str(), visible, context, chain);
      if (finding.entry != LayerFinding::no_entry && !visible && !context.package_file && !context.documentation) add_hidden_payload(finding, number, manifest, layer, root);
    }
  }

  void add_facts(const LayerAudit& layer, std::size_t number, const RootFileSystem& root, const PackageIndex& packages) {
    const bool base = number < report_.manifests.back().base.layers;
    std::string owned_path;
    bool owned = false;
    for (const Trait& trait : layer.traits) {
      if (trait.path != owned_path) {
        owned_path = trait.path;
        Context context;
        const auto found = root.find_exact(trait.path);
        if (found && found->layer == number) add_owner(packages.owner(trait.path, number, content_of(layer, found->record, found->entry)), context);
        owned = context.package_file;
      }
      report_.facts.push_back({trait.type, trait.value, layer.diff_id.str(), trait.path, trait.flagged, owned || base});
    }
  }

  // Content that somebody brought and took away again is still handed out with the image, and whoever looks at the files of a container never sees it. That
  // is worth a word when the content itself is.
  void add_hidden_payload(const LayerFinding& finding, std::size_t number, const std::string& manifest, const LayerAudit& layer, const RootFileSystem& root) {
    const RuleDocument* document = ruleset_.find(finding.rule);
    if (document == nullptr || finding.severity < detect::Severity::high || document->category == detect::Category::hidden_content ||
        document->category == detect::Category::anomaly || document->category == detect::Category::integrity)
      return;
    if (!hidden_payloads_.emplace(layer.diff_id.str(), finding.entry).second) return;
    const bool replaced = root.find_exact(root.place_of(number, finding.entry)).has_value();
    LayerFinding hidden;
    hidden.rule = replaced ? "hidden-content.overwritten-payload" : "hidden-content.deleted-payload";
    const RuleDocument* own = ruleset_.find(hidden.rule);
    hidden.severity = own->severity;
    hidden.confidence = own->confidence;
    hidden.entry = finding.entry;
    hidden.path = finding.path;
    hidden.evidence = fmt::format("{}; a later layer {} it", document->title, replaced ? "replaces" : "removes");
    add(hidden, manifest, layer.diff_id.str(), false, {});
  }

  void add_remarks(const std::vector<LayerRemark>& remarks, const std::vector<const LayerAudit*>& layers, const std::string& manifest) {
    for (const LayerRemark& remark : remarks) {
      const RuleDocument* document = ruleset_.find(remark.rule);
      LayerFinding finding;
      finding.rule = remark.rule;
      finding.severity = document->severity;
      finding.confidence = document->confidence;
      finding.path = remark.path;
      finding.evidence = remark.evidence;
      add(finding, manifest, layers[remark.layer]->diff_id.str(), false, {});
    }
  }

  // Only a database that can be believed makes a finding one in a file of a package; a version that is known to be bad never does.
  static void add_owner(const std::optional<PackageIndex::Owner>& owner, Context& context) {
    if (!owner || owner->state != PackageIndex::State::unmodified || owner->trust == Trust::none) return;
    const Package& package = *owner->package;
    if (find_known_bad_package(package.manager, package.name, package.version) != nullptr) return;
    context.package_file = true;
    context.package = package.name;
    context.package_trust = name_of(owner->trust);
  }

  void add_integrity(const std::string& manifest, const RootFileSystem& root, const PackageIndex& packages, std::size_t base_layers, const Reach& reach) {
    IntegrityJudgement judgement = judge_integrity(root, packages, base_layers);
    for (const IntegrityGap& gap : judgement.gaps) report_.incomplete.push_back({root.layers()[gap.layer]->diff_id.str(), gap.path, gap.bytes, gap.reason});
    for (IntegrityFinding& found : judgement.findings) {
      const RuleDocument* document = ruleset_.find(found.rule);
      LayerFinding finding;
      finding.rule = found.rule;
      finding.severity = found.severity.value_or(document->severity);
      finding.confidence = document->confidence;
      finding.path = std::move(found.path);
      finding.evidence = std::move(found.evidence);
      Context context;
      std::vector<std::string> chain;
      if (const auto reached = reach.find(finding.path); reached != reach.end()) {
        context.reached = true;
        chain = reached->second;
      }
      const bool visible = !finding.path.empty() && root.find_exact(finding.path).has_value();
      add(finding, manifest, root.layers()[found.layer]->diff_id.str(), visible, context, chain);
    }
  }

  void inspect_image(const format::ManifestDescription& manifest, const RootFileSystem& root, const PackageIndex& packages, std::size_t base_layers,
                     const Reach& reach) {
    const View view(image_, manifest, root, packages, base_layers);
    for (const detect::Detector* detector : ruleset_.detectors()) {
      if (detector->inspect_image == nullptr) continue;
      std::vector<detect::ImageFinding> findings;
      detector->inspect_image(view, findings);
      for (detect::ImageFinding& found : findings) {
        LayerFinding finding;
        finding.rule = found.rule->id;
        finding.severity = found.severity.value_or(found.rule->severity);
        finding.confidence = found.confidence.value_or(found.rule->confidence);
        finding.path = std::move(found.path);
        finding.evidence = std::move(found.evidence);
        finding.chain = std::move(found.chain);
        finding.indicators = std::move(found.indicators);
        std::string layer;
        Context context;
        bool visible = false;
        if (!finding.path.empty()) {
          if (const auto entry = root.find_exact(finding.path)) {
            layer = root.layers()[entry->layer]->diff_id.str();
            visible = true;
            context.reached = reach.contains(finding.path);
          } else if (finding.path.starts_with("config.")) {
            context.reached = true;
          }
        }
        add(finding, manifest.digest.str(), layer, visible, context);
      }
    }
  }

  void add_finding(const std::string& rule, const std::string& manifest, const std::string& layer, std::string evidence) {
    const RuleDocument* document = ruleset_.find(rule);
    LayerFinding finding;
    finding.rule = rule;
    finding.severity = document->severity;
    finding.confidence = document->confidence;
    finding.evidence = std::move(evidence);
    add(finding, manifest, layer, false, {});
  }

  void add(const LayerFinding& from, const std::string& manifest, const std::string& layer, bool visible, const Context& context,
           const std::vector<std::string>& reached_by = {}) {
    const RuleDocument* document = ruleset_.find(from.rule);
    if (document == nullptr) return;  // an audit of another ruleset never gets here: the cache is keyed by it
    Finding finding;
    finding.rule = from.rule;
    finding.category = document->category;
    finding.severity = from.severity;
    finding.confidence = from.confidence;
    finding.title = document->title;
    finding.explanation = document->explanation;
    finding.remediation = document->remediation;
    finding.doubt = document->doubt;
    finding.attack = document->attack;
    finding.location = {manifest, layer, from.path, from.offset, from.line, visible, from.nested};
    finding.evidence = detect::redact_secrets(from.evidence);
    finding.chain = reached_by;
    const std::string place = from.line != 0 ? fmt::format("{}:{}", from.path, from.line) : from.path;
    if (!reached_by.empty() && from.path.starts_with('/') && reached_by.back() != place) finding.chain.push_back(place);
    finding.chain.insert(finding.chain.end(), from.chain.begin(), from.chain.end());
    finding.context = context;
    for (const detect::Indicator& indicator : from.indicators) finding.indicators.push_back(index_of(indicator));

    std::string identity = from.rule + '\n' + layer + '\n' + from.path + '\n' + std::to_string(from.offset) + '\n' + from.evidence;
    for (const std::string& name : from.nested) identity += '\n' + name;
    for (const std::string& step : from.chain) identity += '\n' + step;
    finding.id = sha256(as_bytes(identity)).hex().substr(0, 16);
    // A layer that several platforms share is reported once; what one of them reaches, the image reaches.
    if (const auto known = by_id_.find(finding.id); known != by_id_.end()) {
      Finding& other = report_.findings[known->second];
      other.location.in_final_rootfs |= visible;
      if (context.reached && !other.context.reached) {
        other.context.reached = true;
        other.chain = finding.chain;
      }
      other.context.package_file &= context.package_file;
      return;
    }
    if (report_.findings.size() >= limits_.findings) {
      if (report_.findings.size() == limits_.findings && !cut_) {
        cut_ = true;
        report_.incomplete.push_back({"", "", 0, fmt::format("more than {} findings; the rest is not listed", limits_.findings)});
      }
      return;
    }
    by_id_.emplace(finding.id, report_.findings.size());
    report_.findings.push_back(std::move(finding));
  }

  std::size_t index_of(const detect::Indicator& indicator) {
    const auto key = std::pair(indicator.type, indicator.value);
    const auto [known, is_new] = indicators_.emplace(key, report_.indicators.size());
    if (is_new) {
      report_.indicators.push_back(indicator);
    } else {
      report_.indicators[known->second].validated |= indicator.validated;
    }
    return known->second;
  }

  const Ruleset& ruleset_;
  const Limits& limits_;
  const format::ImageDescription& image_;
  const std::map<std::string, AuditedBlob>& blobs_;
  std::map<Digest, std::vector<PublisherFile>>* const publisher_files_;
  Report report_;
  std::set<std::string> used_;     // keys of blobs that manifests refer to
  std::set<std::string> counted_;  // diff_ids whose bytes have been counted
  std::set<std::pair<std::string, std::uint64_t>> hidden_payloads_;  // (diff_id, entry)
  std::map<std::string, std::size_t> by_id_;
  std::map<std::string, std::set<std::string>> shown_;  // of texts that run, evidence by place
  std::map<std::pair<std::string, std::string>, std::size_t> indicators_;
  bool cut_ = false;
};

// Findings refer to indicators by index, so the indicators must not depend on the order in which layers came in.
void sort_indicators(Report& report) {
  std::vector<std::size_t> order(report.indicators.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::tie(report.indicators[a].type, report.indicators[a].value) < std::tie(report.indicators[b].type, report.indicators[b].value);
  });
  std::vector<std::size_t> place(order.size());
  std::vector<detect::Indicator> sorted;
  for (std::size_t i = 0; i < order.size(); ++i) {
    place[order[i]] = i;
    sorted.push_back(std::move(report.indicators[order[i]]));
  }
  report.indicators = std::move(sorted);
  for (Finding& finding : report.findings) {
    for (std::size_t& index : finding.indicators) index = place[index];
    std::sort(finding.indicators.begin(), finding.indicators.end());
    finding.indicators.erase(std::unique(finding.indicators.begin(), finding.indicators.end()), finding.indicators.end());
  }
}

}  // namespace

ImageAuditor::ImageAuditor(std::shared_ptr<const Ruleset> ruleset, AuditMachine& machine, const Policy& policy, Cache* cache)
    : ruleset_(std::move(ruleset)), machine_(machine), policy_(policy), cache_(cache) {}

std::unique_ptr<BlobWriter> ImageAuditor::begin(const BlobOffer& offer) {
  if (cache_ != nullptr) {
    if (auto known = cache_->find(offer)) {
      const std::lock_guard lock(mutex_);
      ++cached_;
      blobs_.insert_or_assign(offer.key, AuditedBlob{offer, std::move(*known)});
      return nullptr;
    }
  }
  return std::make_unique<LayerAuditor>(ruleset_, machine_, offer, [this, offer](LayerAudit audit) {
    if (cache_ != nullptr) cache_->store(offer, audit);
    const std::lock_guard lock(mutex_);
    blobs_.insert_or_assign(offer.key, AuditedBlob{offer, std::move(audit)});
  });
}

std::vector<const LayerAudit*> ImageAuditor::layers_of(const format::ManifestDescription& manifest) const {
  std::vector<const LayerAudit*> layers;
  for (const format::LayerReference& reference : manifest.layers) {
    if (const auto blob = blobs_.find(reference.key); blob != blobs_.end()) layers.push_back(&blob->second.audit);
  }
  return layers;
}

Report ImageAuditor::finish(const format::ImageDescription& image) {
  // A layer that was rebuilt from a folder goes by the name that the image gives it: the digest of what was made here says
  // nothing to anybody.
  for (const format::ManifestDescription& manifest : image.manifests) {
    for (std::size_t i = 0; i < manifest.layers.size() && i < manifest.config.diff_ids.size(); ++i) {
      if (manifest.layers[i].form != format::LayerForm::rebuilt) continue;
      if (const auto blob = blobs_.find(manifest.layers[i].key); blob != blobs_.end()) blob->second.audit.diff_id = manifest.config.diff_ids[i];
    }
  }
  Merge merge(*ruleset_, machine_.limits, image, blobs_, wants_publisher_files_ ? &publisher_files_ : nullptr);
  merge.audit_documents();
  for (const format::ManifestDescription& manifest : image.manifests) merge.audit_manifest(manifest);
  merge.add_blobs();
  Report report = std::move(merge).take();
  sort_indicators(report);
  judge(policy_, report);
  return report;
}

}  // namespace lazaret::audit
