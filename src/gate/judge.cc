// From a pending manifest to its state.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <exception>

#include "audit/image_auditor.h"
#include "base/file_descriptor.h"
#include "base/text.h"
#include "gate/gate.h"
#include "gate/known_files.h"
#include "intel/observations.h"

namespace lazaret::gate {

using store::Manifest;
using store::ManifestKind;
using store::Reader;
using store::Reference;
using store::ReferenceKind;
using store::State;
using store::TombstoneKind;
using store::Writer;

namespace {

constexpr std::size_t read_bytes = 1 << 20;
constexpr std::size_t shown_findings = 3;

Result<void> feed(store::BlobStore& blobs, const Digest& digest, BlobWriter& writer) {
  const auto blob = blobs.open(digest);
  if (!blob) return blob.error();
  std::vector<std::uint8_t> buffer(std::min<std::uint64_t>(read_bytes, std::max<std::uint64_t>(blob->size, 1)));
  for (std::uint64_t offset = 0; offset < blob->size;) {
    const auto got = blob->read(offset, buffer);
    if (!got) return got.error();
    if (*got == 0) return Error{ErrorCode::corrupt, "the blob is shorter than it was"};
    if (!writer.write({buffer.data(), *got})) break;
    offset += *got;
  }
  return {};
}

// Names and contents of the files of a layer as one digest. A second entry of a name replaces the first, as it does where the layer is unpacked.
Digest files_of(const audit::LayerAudit& layer) {
  std::map<std::string, audit::ContentDigest> files;
  audit::Entry entry;
  for (audit::EntryTable::Cursor cursor(layer.entries); cursor.next(entry);) {
    if (entry.content != audit::ContentDigest{}) files[entry.path] = entry.content;
  }
  if (files.empty()) return {};
  Hasher hasher;
  for (const auto& [path, content] : files) {
    hasher.update(as_bytes(path));
    hasher.update(as_bytes(std::string_view("\0", 1)));
    hasher.update(content);
  }
  return hasher.finish();
}

// One line for people: what, and where.
std::string title_of(const audit::Finding& finding) {
  std::string place = finding.location.path;
  for (const std::string& name : finding.location.nested) place += " -> " + name;
  if (finding.location.line != 0) place += fmt::format(", line {}", finding.location.line);
  return finding.title + (place.empty() ? "" : " (" + escape(place, 200) + ")");
}

void record(store::Verdict& verdict, const audit::Report& report) {
  verdict.verdict = audit::name_of(report.verdict);
  verdict.score = report.score;
  for (const audit::Finding& finding : report.findings) {
    if (verdict.titles.size() == shown_findings || finding.weight == 0) break;
    verdict.titles.push_back(title_of(finding));
  }
  if (report.findings.empty() || verdict.titles.empty()) {
    for (const audit::Incomplete& part : report.incomplete) {
      if (verdict.titles.size() == shown_findings) break;
      verdict.titles.push_back(fmt::format("not audited: {} ({})", escape(part.path.empty() ? part.layer : part.path, 200), escape(part.reason, 200)));
    }
  }
}

}  // namespace

Result<std::unique_ptr<Gate>> Gate::open(Parts parts, Policy policy, const Limits& limits, unsigned judges) {
  std::unique_ptr<Gate> gate(new Gate(std::move(parts), policy, limits));
  std::vector<Digest> pending;
  const auto read = gate->parts_.metadata->read([&](Reader& reader) { pending = reader.manifests_in(State::pending, 1'000'000); });
  if (!read) return read.error();
  if (::mkdir(gate->parts_.marks_folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return Error{ErrorCode::io, "cannot make the folder " + gate->parts_.marks_folder};
  }
  gate->blob_audits_ = std::make_unique<BlobAudits>(gate->parts_.ruleset, *gate->parts_.machine, *gate->parts_.cache, std::max(2u, judges));
  for (const Digest& digest : pending) gate->enqueue(digest, false);
  for (unsigned i = 0; i < judges; ++i) gate->judges_.emplace_back([raw = gate.get()] { raw->judge_forever(); });
  gate->watcher_ = std::thread([raw = gate.get()] { raw->watch(); });
  return gate;
}

Gate::Gate(Parts parts, Policy policy, const Limits& limits)
    : parts_(std::move(parts)), policy_(policy), limits_(limits), waiting_(policy.waiting_requests) {
  // A state depends on the rules, on the audit's policy and on the limits.
  std::string all = parts_.ruleset->digest();
  const audit::Policy& weights = *parts_.audit_policy;
  for (const auto& row : weights.weights) {
    for (const int weight : row) all += fmt::format("/{}", weight);
  }
  for (const int number : {weights.package_file, weights.documentation, weights.build_time, weights.reached, weights.other, weights.further_percent,
                           weights.further_count, weights.suspicious_from, weights.malicious_from}) {
    all += fmt::format("/{}", number);
  }
  for (const auto& [name, limit] : weights.category_limit) all += fmt::format("/{}={}", name, limit);
  for (const auto& [name, limit] : weights.rule_limit) all += fmt::format("/{}={}", name, limit);
  all += fmt::format("/{}/{}", static_cast<int>(policy_.suspicious), static_cast<int>(policy_.incomplete));
  if (!policy_.enforce) all += "/observe";
  all += "/" + to_hex(Bytes(reinterpret_cast<const std::uint8_t*>(&limits_), sizeof limits_));
  rules_ = sha256(as_bytes(all)).str();
}

Gate::~Gate() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  if (watcher_.joinable()) watcher_.join();
  for (std::thread& judge : judges_) judge.join();
  blob_audits_.reset();
}

// --- the queue --------------------------------------------------------------------------------------------------------------------

void Gate::enqueue(const Digest& manifest, bool background) {
  const std::lock_guard lock(mutex_);
  if (const auto running = running_.find(manifest); running != running_.end()) {
    running->second.again = true;
    return;
  }
  if (!queued_.insert(manifest).second) return;
  (background ? background_ : queue_).push_back(manifest);
  wake_.notify_all();
}

std::size_t Gate::queue_length() const {
  const std::lock_guard lock(mutex_);
  return queued_.size() + running_.size();
}

Result<std::size_t> Gate::queue_outdated(std::size_t limit, const std::vector<Digest>& first) {
  std::vector<Digest> outdated;
  const auto done = parts_.metadata->read([&](Reader& reader) {
    for (const Digest& digest : first) {
      // Half of them, so that what nobody pulled yet has its turn too.
      if (outdated.size() >= (limit + 1) / 2) break;
      const auto manifest = reader.manifest(digest);
      if (manifest && manifest->ruleset != rules_ && !manifest->pinned) outdated.push_back(digest);
    }
    for (const Digest& digest : reader.manifests_judged_otherwise(rules_, limit)) {
      if (outdated.size() < limit && std::find(outdated.begin(), outdated.end(), digest) == outdated.end()) outdated.push_back(digest);
    }
  });
  if (!done) return done.error();
  for (const Digest& digest : outdated) enqueue(digest, true);
  return outdated.size();
}

void Gate::judge_forever() {
  for (;;) {
    Digest manifest;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty() || !background_.empty(); });
      if (stopping_) return;
      std::deque<Digest>& from = queue_.empty() ? background_ : queue_;
      manifest = from.front();
      from.pop_front();
      queued_.erase(manifest);
      running_.emplace(manifest, Running{});
    }
    try {
      judge(manifest);
    } catch (const std::exception& error) {
      // A library that threw, or no memory: unknown, hence held.
      hold(manifest, fmt::format("the audit failed: {}", escape(error.what(), 200)));
    }
    bool again = false;
    {
      const std::lock_guard lock(mutex_);
      again = running_[manifest].again;
      running_.erase(manifest);
    }
    if (again) enqueue(manifest, false);
  }
}

void Gate::watch() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    wake_.wait_for(lock, std::chrono::seconds(1), [this] { return stopping_; });
    std::vector<Digest> late;
    for (auto& [digest, running] : running_) {
      if (running.late || std::chrono::steady_clock::now() - running.since < policy_.audit_time) continue;
      running.late = true;
      late.push_back(digest);
    }
    lock.unlock();
    for (const Digest& digest : late) hold(digest, fmt::format("the audit took longer than {} seconds", policy_.audit_time.count()));
    lock.lock();
  }
}

// --- one manifest -----------------------------------------------------------------------------------------------------------------

std::string Gate::mark_of(const Digest& manifest) const { return parts_.marks_folder + "/" + manifest.hex(); }

void Gate::judge(const Digest& digest) {
  std::optional<Manifest> manifest;
  std::string bytes;
  std::optional<store::Verdict> known;
  const auto read = parts_.metadata->read([&](Reader& reader) {
    manifest = reader.manifest(digest);
    bytes = reader.manifest_bytes(digest).value_or("");
    known = reader.verdict(digest, rules_);
  });
  if (!read) {
    // The state stays as it is and is looked at again; a released one stays released, a pending one pending.
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    enqueue(digest, false);
    return;
  }
  if (!manifest) {
    ::unlink(mark_of(digest).c_str());
    return;  // deleted meanwhile
  }
  Judgement judgement;
  // What an index is depends on its children, and its own document is read in no time.
  if (known && known->verdict != "failed" && manifest->kind != ManifestKind::index) {
    judgement.verdict = *known;
    // What it is linked with may have changed since.
    if (parts_.campaigns != nullptr) {
      const auto placed = parts_.campaigns->placement(digest);
      if (!placed) return hold(digest, "the index of indicators failed: " + escape(placed.error().message, 300));
      hold_when_linked(*placed, judgement);
    }
  } else {
    // The mark grows by a byte with each attempt and goes when the attempt ends, well or not.
    const std::string mark = mark_of(digest);
    struct stat info {};
    if (::stat(mark.c_str(), &info) == 0 && info.st_size >= static_cast<off_t>(policy_.audit_attempts)) {
      ::unlink(mark.c_str());
      return hold(digest, fmt::format("the audit ended with the process {} times", policy_.audit_attempts));
    }
    {
      const FileDescriptor file(::open(mark.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
      [[maybe_unused]] const ssize_t put = file ? ::write(file.get(), ".", 1) : 0;
    }
    const auto begun = std::chrono::steady_clock::now();
    auto audited = audit(*manifest, bytes);
    if (parts_.audited) parts_.audited(std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count());
    ::unlink(mark.c_str());
    if (!audited) return hold(digest, "the audit failed: " + escape(audited.error().message, 300));
    judgement = std::move(*audited);
  }
  if (const auto applied = apply(*manifest, std::move(judgement)); !applied) {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    const std::lock_guard lock(mutex_);
    if (!stopping_) running_[digest].again = true;
  }
}

Result<Gate::Judgement> Gate::audit(const Manifest& manifest, const std::string& bytes) {
  // Where the bytes of what the manifest names lie, by the name it uses.
  std::map<std::string, Digest> places;
  const auto read = parts_.metadata->read([&](Reader& reader) {
    const auto parsed = read_pushed_document(bytes, manifest.media_type, true, limits_);
    if (!parsed) return;
    for (const Reference& reference : parsed->references) {
      if (const auto sha256 = reader.canonical(reference.digest)) places.emplace(reference.digest.str(), *sha256);
    }
  });
  if (!read) return read.error();

  const auto read_blob = [&](const Digest& digest, std::uint64_t limit) -> Result<std::string> {
    const auto place = places.find(digest.str());
    if (place == places.end()) return Error{ErrorCode::not_found, "there is no blob " + digest.str()};
    const auto blob = parts_.blobs->open(place->second);
    if (!blob) return blob.error();
    if (blob->size > limit) return Error{ErrorCode::limit, fmt::format("{} has more than {} bytes", digest.str(), limit)};
    std::string text(blob->size, '\0');
    const auto got = blob->read(0, {reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
    if (!got) return got.error();
    text.resize(*got);
    return text;
  };
  const format::ImageDescription image = parts_.describe(manifest, bytes, read_blob);

  audit::ImageAuditor auditor(parts_.ruleset, *parts_.machine, *parts_.audit_policy, parts_.cache);
  auditor.want_publisher_files();
  std::set<std::string> offered;
  for (const format::ManifestDescription& description : image.manifests) {
    for (const format::LayerReference& layer : description.layers) {
      if (!offered.insert(layer.key).second) continue;
      const auto place = places.find(layer.descriptor.digest.str());
      if (place == places.end()) continue;  // the report says that the layer could not be read
      const BlobAudits::Turn turn(*blob_audits_, place->second);
      BlobOffer offer;
      offer.key = layer.key;
      offer.digest = place->second;
      offer.size = layer.descriptor.size;
      offer.media_type = layer.descriptor.media_type;
      offer.digest_is_proved = true;  // hashed here before it got its name
      const auto writer = auditor.begin(offer);
      if (writer == nullptr) continue;
      if (const auto fed = feed(*parts_.blobs, place->second, *writer); fed) {
        writer->finish();
      } else {
        writer->fail(fed.error());
      }
    }
  }
  const audit::Report report = auditor.finish(image);

  Judgement judgement;
  store::Verdict& verdict = judgement.verdict;
  verdict.digest = manifest.digest;
  verdict.ruleset = rules_;
  record(verdict, report);
  verdict.report = parts_.write_report(report);
  switch (report.verdict) {
    case audit::Verdict::clean: verdict.state = State::released; break;
    case audit::Verdict::malicious: verdict.state = State::condemned; break;
    case audit::Verdict::suspicious: verdict.state = policy_.suspicious == OnDoubt::hold ? State::held : State::released; break;
    case audit::Verdict::incomplete: verdict.state = policy_.incomplete == OnDoubt::hold ? State::held : State::released; break;
  }
  if (verdict.state == State::released && !report.incomplete.empty() && policy_.incomplete == OnDoubt::hold) verdict.state = State::held;
  if (!policy_.enforce) verdict.state = State::released;

  std::map<std::string, Digest> blob_of;  // diff_id -> where it lies
  std::vector<const audit::LayerAudit*> layers;
  std::set<std::string> base_layers;
  for (const audit::Report::Manifest& shown : report.manifests) {
    for (std::size_t i = 0; i < std::min(shown.base.layers, shown.layers.size()); ++i) base_layers.insert(shown.layers[i].diff_id);
  }
  for (const format::ManifestDescription& description : image.manifests) {
    for (const audit::LayerAudit* layer : auditor.layers_of(description)) {
      blob_of.emplace(layer->diff_id.str(), layer->blob_digest);
      judgement.contents[layer->blob_digest] = {layer->diff_id, files_of(*layer), base_layers.contains(layer->diff_id.str())};
      layers.push_back(layer);
    }
  }
  const auto buried = buried_files();
  if (!buried) return buried.error();
  judgement.files = carried_files(auditor, report, layers, parts_.audit_policy->malicious_from, **buried);
  if (report.verdict == audit::Verdict::malicious) {
    for (const audit::Finding& finding : report.findings) {
      if (finding.weight < parts_.audit_policy->malicious_from) continue;
      if (const auto blob = blob_of.find(finding.location.layer); blob != blob_of.end()) judgement.bad_blobs.insert(blob->second);
      if (finding.location.layer.empty() && finding.location.path.starts_with("config.")) {
        for (const audit::Report::Manifest& shown : report.manifests) {
          if (const auto config = Digest::parse(shown.config)) judgement.bad_blobs.insert(*config);
        }
      }
    }
  }
  if (const auto indexed = index(manifest, report, judgement); !indexed) return indexed.error();
  return judgement;
}

Result<void> Gate::index(const Manifest& manifest, const audit::Report& report, Judgement& judgement) {
  // An index is what its images are, and a signature has nothing to share.
  if (parts_.campaigns == nullptr || manifest.kind != ManifestKind::image) return {};
  intel::ImageFacts facts;
  facts.digest = manifest.digest;
  facts.verdict = judgement.verdict.verdict;
  facts.score = report.score;
  // What a person decided goes before what the audit says.
  facts.bad = manifest.pinned ? manifest.state == State::condemned : report.verdict == audit::Verdict::malicious;
  facts.attack = intel::techniques_of(report);
  facts.first_seen = manifest.created;
  facts.observations = intel::observe(report);
  const auto read = parts_.metadata->read([&](Reader& reader) {
    for (const std::int64_t id : reader.repositories_with(manifest.digest)) {
      const auto repository = reader.repository(id);
      const auto binding = reader.binding(id, manifest.digest);
      if (repository && binding) facts.places.push_back({binding->publisher, repository->name, binding->at});
    }
  });
  if (!read) return read.error();
  const auto placed = parts_.campaigns->learn(facts);
  if (!placed) return placed.error();
  hold_when_linked(*placed, judgement);
  return {};
}

void Gate::hold_when_linked(const intel::Placement& placement, Judgement& judgement) const {
  if (!policy_.enforce || judgement.verdict.state != State::released || placement.bad) return;
  const std::string why = intel::describe(placement);
  if (why.empty()) return;
  judgement.verdict.state = State::held;
  judgement.verdict.titles.insert(judgement.verdict.titles.begin(), "linked with a campaign: " + why);
}

// An index is what the worst of its children is.
void Gate::weigh_children(Reader& reader, const Manifest& manifest, Judgement& judgement) {
  const auto worsen = [&](State state, std::string title) {
    if (state == State::condemned && judgement.verdict.state != State::condemned) judgement.verdict.titles.insert(judgement.verdict.titles.begin(), title);
    if (state == State::held && judgement.verdict.state == State::released) judgement.verdict.titles.push_back(title);
    judgement.verdict.state = std::max(judgement.verdict.state, state);
  };
  // How deep indexes nest below a manifest; stops at what is too deep anyway.
  const std::function<unsigned(const Digest&, unsigned)> depth_of = [&](const Digest& digest, unsigned above) -> unsigned {
    unsigned depth = above;
    if (above > limits_.index_depth) return depth;
    for (const Reference& reference : reader.references(digest)) {
      if (reference.kind != ReferenceKind::manifest) continue;
      const auto child = reader.manifest(reference.digest);
      if (child && child->kind == ManifestKind::index) depth = std::max(depth, depth_of(reference.digest, above + 1));
    }
    return depth;
  };
  if (depth_of(manifest.digest, 1) > limits_.index_depth) worsen(State::held, fmt::format("indexes nested more than {} deep", limits_.index_depth));
  for (const Reference& reference : reader.references(manifest.digest)) {
    const auto child = reader.manifest(reference.digest);
    if (!child) {
      // What was released with all its children stays so when one is deleted later.
      if (manifest.state != State::released) worsen(State::held, fmt::format("it names {}, which is not here", reference.digest.str()));
      continue;
    }
    if (child->state == State::pending) judgement.children_pending = true;
    if (child->state == State::held || child->state == State::condemned) {
      std::string why;
      if (const auto verdict = reader.verdict(reference.digest, "")) {
        for (const std::string& title : verdict->titles) why += (why.empty() ? "" : "; ") + title;
      }
      worsen(child->state, fmt::format("it names {}, which is {}{}", reference.digest.str(), name_of(child->state), why.empty() ? "" : ": " + why));
    }
  }
}

Result<void> Gate::apply(const Manifest& manifest, Judgement judgement) {
  std::optional<Settled> settled;
  const auto done = parts_.metadata->write([&](Writer& writer) -> Result<void> {
    const auto current = writer.manifest(manifest.digest);
    if (!current) return {};
    judgement.verdict.at = now();
    for (const auto& [blob, content] : judgement.contents) writer.set_content(blob, content);
    for (const auto& [blob, files] : judgement.files) writer.set_carried_files(blob, files);
    if (current->kind == ManifestKind::index) {
      weigh_children(writer, *current, judgement);
      if (judgement.children_pending && judgement.verdict.state != State::condemned) return {};
    }
    writer.put_verdict(judgement.verdict);
    // Content that was condemned before, in whatever form it comes back.
    std::optional<store::Tombstone> condemned;
    const auto look = [&](TombstoneKind kind, const Digest& value) {
      for (const store::Tombstone& tombstone : writer.tombstones(kind, value)) {
        if (!condemned || tombstone.takedown < condemned->takedown) condemned = tombstone;
      }
    };
    look(TombstoneKind::manifest, manifest.digest);
    for (const Reference& reference : writer.references(manifest.digest)) {
      if (reference.kind == ReferenceKind::manifest) continue;
      look(TombstoneKind::blob, reference.digest);
      if (const auto content = writer.content(reference.digest)) {
        look(TombstoneKind::diff_id, content->diff_id);
        if (!content->files.empty()) look(TombstoneKind::files, content->files);
      }
    }
    State wanted = judgement.verdict.state;
    std::string reason = judgement.verdict.titles.empty() ? judgement.verdict.verdict : judgement.verdict.titles.front();
    std::int64_t act = 0;
    // Content that only a publisher brought who was taken down, in a layer of somebody else's.
    const auto file = known_file(writer, manifest.digest);
    if (!condemned && file && file->condemns && policy_.enforce) condemned = {TombstoneKind::files, {}, file->takedown, explain(*file), 0};
    if (!condemned && file && wanted == State::released && policy_.enforce) {
      wanted = State::held;
      reason = explain(*file);
      // So that undoing the act has it judged again.
      writer.keep_state(manifest.digest, file->takedown);
    }
    if (condemned) ++tombstone_hits_;
    if (condemned && wanted != State::condemned) {
      wanted = State::condemned;
      act = condemned->takedown;
      reason = "it holds content that was condemned: " + condemned->reason;
      // So that undoing the act gives this back as well.
      if (act != 0) writer.keep_state(manifest.digest, act);
    }
    settled = settle(writer, manifest.digest, wanted, "", judgement.verdict.verdict + ": " + reason, false);
    if (settled->after == State::condemned) {
      writer.add_tombstone({TombstoneKind::manifest, manifest.digest, act, reason, now()});
      for (const Digest& blob : judgement.bad_blobs) {
        // What a released image stands on is not condemned by what another image makes of it.
        if (writer.blob_released_somewhere(blob)) continue;
        condemn_blob(writer, blob, 0, reason);
      }
    }
    return {};
  });
  if (!done) return done.error();
  if (settled) announce(manifest.digest, *settled);
  return {};
}

// The bytes, and what they unpack to.
void Gate::condemn_blob(Writer& writer, const Digest& blob, std::int64_t act, const std::string& why) {
  writer.add_tombstone({TombstoneKind::blob, blob, act, why, now()});
  const auto content = writer.content(blob);
  if (!content) return;
  writer.add_tombstone({TombstoneKind::diff_id, content->diff_id, act, why, now()});
  if (!content->files.empty()) writer.add_tombstone({TombstoneKind::files, content->files, act, why, now()});
}

void Gate::hold(const Digest& digest, const std::string& why) {
  std::optional<Settled> settled;
  const auto done = parts_.metadata->write([&](Writer& writer) -> Result<void> {
    const auto manifest = writer.manifest(digest);
    if (!manifest) return {};
    if (manifest->state != State::pending) {
      // A failed audit under new rules takes nothing away: the state was found by an audit that did not fail. It is not tried again under these.
      writer.set_state(digest, manifest->state, rules_, manifest->pinned);
      writer.add_event({0, now(), "audit-failed", "", "", "", digest, why});
      return {};
    }
    writer.put_verdict({digest, rules_, State::held, "failed", 0, {why}, "", now()});
    settled = settle(writer, digest, State::held, "", why, false);
    return {};
  });
  if (done.ok() && settled) announce(digest, *settled);
}

Result<std::size_t> Gate::hold_listed(const std::vector<std::string>& digests, const std::string& why) {
  std::size_t held = 0;
  for (const std::string& text : digests) {
    const auto digest = Digest::parse(text);
    if (!digest) continue;
    std::optional<Settled> settled;
    const auto done = parts_.metadata->write([&](Writer& writer) -> Result<void> {
      const auto manifest = writer.manifest(*digest);
      if (!manifest || manifest->pinned || manifest->state != State::released || !policy_.enforce) return {};
      settled = settle(writer, *digest, State::held, "", why, false);
      // Under no rules: so that it is judged again even when nothing but this was learned.
      writer.set_state(*digest, State::held, "", false);
      return {};
    });
    if (!done) return done.error();
    if (!settled) continue;
    ++held;
    announce(*digest, *settled);
    enqueue(*digest, true);
  }
  return held;
}

// --- the one way to a state -------------------------------------------------------------------------------------------------------

Gate::Settled Gate::settle(Writer& writer, const Digest& digest, State wanted, const std::string& actor, const std::string& detail, bool pinned) {
  Settled settled;
  const auto manifest = writer.manifest(digest);
  if (!manifest) return settled;
  settled.before = settled.after = manifest->state;
  for (const std::int64_t id : writer.repositories_with(digest)) {
    if (const auto repository = writer.repository(id)) settled.repositories.push_back(repository->name);
  }
  // What a person decided stays, until a person decides otherwise.
  if (manifest->pinned && !pinned) {
    writer.set_state(digest, manifest->state, rules_, true);
    return settled;
  }
  settled.after = wanted;
  settled.parents = writer.parents(digest);
  if (wanted == State::released) {
    release(writer, digest, pinned);
  } else {
    writer.set_state(digest, wanted, rules_, pinned);
  }
  if (settled.before != settled.after || pinned) {
    writer.add_event({0, now(), std::string(name_of(wanted)), actor, settled.repositories.empty() ? "" : settled.repositories.front(), "", digest, detail});
  }
  return settled;
}

void Gate::release(Writer& writer, const Digest& manifest, bool pinned) {
  writer.set_state(manifest, State::released, rules_, pinned);
  writer.release_tags_of(manifest);
}

void Gate::announce(const Digest& manifest, const Settled& settled) {
  for (const std::string& repository : settled.repositories) served_.forget(repository);
  if (settled.after != State::pending) waiting_.wake(manifest);
  if (settled.before == State::released && settled.after != State::released && revoked_) revoked_();
  if (settled_) settled_(manifest, settled.after);
  for (const Digest& parent : settled.parents) enqueue(parent, false);
}

}  // namespace lazaret::gate
