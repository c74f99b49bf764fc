#include "audit/file_auditor.h"

#include <algorithm>
#include <array>
#include <optional>

#include "audit/audit_rules.h"
#include "audit/carried_program.h"
#include "audit/encoded_text.h"
#include "audit/paths.h"
#include "audit/unpack.h"
#include "base/text.h"
#include "format/elf_packing.h"
#include "format/rpm_database.h"

namespace lazaret::audit {
namespace {

using detect::FileFinding;
using detect::Indicator;
using format::FileKind;

constexpr std::uint64_t kept_script_bytes = 128 << 10;
constexpr std::uint64_t kept_shell_bytes = 1 << 20;
constexpr std::uint64_t kept_text_bytes = 4 << 10;
constexpr std::uint64_t kept_database_bytes = 64ull << 20;
constexpr std::size_t evidence_bytes = 400;

// How a payload was reached inside a top-level file.
struct Level {
  std::vector<std::string> nested;  // names of containers' members, outermost first
  std::vector<std::string> chain;   // decoding steps
  unsigned depth = 0;
  std::uint64_t whole_file = 0;     // members up to this size are held whole here
  // Where in the file the text stood that was decoded: what is found in it is shown there.
  std::optional<std::pair<std::uint64_t, std::uint64_t>> place;  // offset and line
};

bool is_limit(std::string_view rule) {
  for (const std::string_view part : {"bomb", "window", "too-many", "too-large", "encrypted", "method", "long-path", "depth", "thin", "stripped", "sparse", "upx", "too-many-programs"}) {
    if (rule.find(part) != std::string_view::npos) return true;
  }
  return false;
}

std::uint64_t line_of(Bytes bytes, std::uint64_t offset) {
  const Bytes before = clamp(bytes, 0, offset);
  return 1 + static_cast<std::uint64_t>(std::count(before.begin(), before.end(), '\n'));
}

// All steps of `part` stand in `whole`, in their order, and there is at least one.
bool is_part_of(const std::vector<std::string>& part, const std::vector<std::string>& whole) {
  if (part.empty()) return false;
  std::size_t at = 0;
  for (const std::string& step : whole) at += at < part.size() && step == part[at];
  return at == part.size();
}

void take_indicators(const LayerFinding& from, LayerFinding& to) {
  for (const Indicator& indicator : from.indicators) {
    const bool known = std::any_of(to.indicators.begin(), to.indicators.end(),
                                   [&](const Indicator& other) { return other.type == indicator.type && other.value == indicator.value; });
    if (!known) to.indicators.push_back(indicator);
  }
}

// Hits of one scan, sorted into a list per detector. Kept per thread so that its memory is reused.
struct HitTable {
  std::vector<engine::Hit> hits;
  std::vector<std::vector<engine::PatternHit>> by_detector;
  std::vector<std::uint32_t> touched;
  std::vector<std::uint64_t> marks;  // ends of marks of encoded text

  void clear() {
    for (const std::uint32_t detector : touched) by_detector[detector].clear();
    touched.clear();
    marks.clear();
    hits.clear();
  }
};

}  // namespace

class FileAuditor::Impl {
 public:
  Impl(const Ruleset& ruleset, const Limits& limits, FileOutcome& outcome)
      : ruleset_(ruleset), limits_(limits), outcome_(outcome) {}

  void audit(const FileInput& file) {
    begin(file);
    if (file.script == nullptr) {
      if (file.first) ++outcome_.files;
      outcome_.bytes += file.content.size();
      keep(file);
    }

    Level level;
    level.whole_file = limits_.nested_whole_file_bytes;
    Content content{file.path, file.content, file.content_offset, file.file_size, file.type, file.origin};
    content.mode = file.mode;
    content.uid = file.uid;
    content.gid = file.gid;
    content.first = file.first;
    content.digest = file.content_digest;
    content.script = file.script;
    content.sha256 = file.sha256;
    content.yara_windows = file.yara_windows.get();
    inspect(content, level);
    const bool whole = file.first && file.last;
    if (whole && (file.md5_wanted || file.sha1_wanted)) add_digests(file);
    end(file.content, whole);
  }

  void audit_side_content(std::string_view what, std::uint64_t offset, Bytes bytes) {
    FileInput file;
    begin(file);
    outcome_.bytes += bytes.size();
    Level level;
    level.whole_file = limits_.nested_whole_file_bytes;
    level.nested.push_back(fmt_offset(what, offset));
    inspect({level.nested.back(), bytes, 0, bytes.size(), classify(bytes, ""), detect::Origin::file}, level);
    end({}, false);
  }

  void add_diagnostic(const Diagnostic& diagnostic, std::uint64_t entry, const std::string& path) {
    FileInput file;
    file.entry = entry;
    file.path = path;
    begin(file);
    note(diagnostic, {});
    end({}, false);
  }

  std::unique_ptr<Stream> open_stream(const FileInput& file);

 private:
  struct Content {
    std::string_view path;
    Bytes bytes;
    std::uint64_t offset = 0, file_size = 0;
    format::FileType type;
    detect::Origin origin = detect::Origin::file;
    std::uint32_t mode = 0, uid = 0, gid = 0;
    bool first = true;
    ContentDigest* digest = nullptr;
    const format::ShellScript* script = nullptr;
    Digest sha256{};  // when it is known already
    engine::YaraWindows* yara_windows = nullptr;  // of a file in windows
    bool whole() const { return bytes.size() == file_size; }
  };
  class Report;
  class Members;
  class LargeFile;

  static std::string fmt_offset(std::string_view what, std::uint64_t offset) {
    return std::string(what) + "@" + std::to_string(offset);
  }
  static format::FileType classify(Bytes bytes, std::string_view path) {
    return format::classify(clamp(bytes, 0, 4096), bytes.size(), path);
  }

  void begin(const FileInput& file) {
    entry_ = file.entry;
    path_ = file.path;
    first_finding_ = outcome_.findings.size();
    file_findings_ = 0;
    decoded_text_ = 0;
    nested_left_ = limits_.nested_bytes;
  }

  void add_digests(const FileInput& file) {
    FileDigest& digest = outcome_.digests.emplace_back();
    digest.entry = file.entry;
    if (file.md5_wanted) digest.set(file.md5.empty() ? hash(HashAlgorithm::md5, file.content) : file.md5);
    if (file.sha1_wanted) digest.set(hash(HashAlgorithm::sha1, file.content));
  }

  // Of any other file, the digests that package databases know are only needed, and so only made, when something was found in it.
  void end(Bytes content, bool whole) {
    if (!whole || outcome_.findings.size() == first_finding_ || entry_ == LayerFinding::no_entry) return;
    const Digest md5 = hash(HashAlgorithm::md5, content), sha1 = hash(HashAlgorithm::sha1, content);
    for (std::size_t i = first_finding_; i < outcome_.findings.size(); ++i) {
      outcome_.findings[i].md5 = as_text(md5.bytes());
      outcome_.findings[i].sha1 = as_text(sha1.bytes());
    }
  }

  void keep(const FileInput& file) {
    if (file.entry == LayerFinding::no_entry) return;
    if (is_rpm_database(file.path)) return keep_rpm_database(file);
    if (!file.first || !file.last) return;
    if (!is_kept(file.path, file.type, file.file_size, file.mode)) return;
    outcome_.kept.push_back({file.entry, file.path, std::string(as_text(file.content))});
  }

  // Of rpm's database only what is asked of it later is kept: it is large, and every layer that installs something has all of it.
  void keep_rpm_database(const FileInput& file) {
    if (!file.last) {
      if (file.first) add_incomplete(file.file_size, "the package database is larger than the limit (--limit-whole-file-bytes)", {});
      return;
    }
    if (!file.first) return;
    bool damaged = false;
    std::string text = format::rpm_database_as_text(file.content, &damaged);
    if (damaged) add_incomplete(file.file_size, "the package database could not be read as a whole", {});
    outcome_.kept.push_back({file.entry, file.path, std::move(text)});
  }

  void inspect(const Content& content, const Level& level);
  // What a content turned out to be, for those who come after the detectors.
  struct Inspected {
    Digest sha256;
    std::optional<format::ElfFile> elf;
  };
  void look_into(const Content& content, const Level& level, Inspected& inspected);
  void add_traits(const Content& content, const Level& level, const Inspected& inspected, std::size_t findings_before);
  void inspect_behind_program(const Content& content, std::uint64_t end, const Level& level);
  bool scan(const Content& content, HitTable& table);
  void inspect_encoded(const Content& content, const Level& level, const std::vector<std::uint64_t>& marks);
  void inspect_nested(const Content& content, const Level& level);
  void inspect_programs(const Content& content, const Level& level, const format::ElfFile* elf);
  void inspect_derived(std::string text, std::string step, std::uint64_t offset, const Content& parent, const Level& level);
  void run_yara(const Content& content, const Level& level);

  void add(const FileFinding& finding, const Content& content, const Level& level);
  void note(const Diagnostic& diagnostic, const Level& level);
  void add_incomplete(std::uint64_t bytes, std::string reason, const Level& level) {
    std::string path = path_;
    for (const std::string& name : level.nested) path += (path.empty() ? "" : " -> ") + name;
    outcome_.incomplete.push_back({std::move(path), bytes, std::move(reason)});
  }
  UnpackLimits unpack_limits(const Level& level) const {
    return {nested_left_, limits_.nested_ratio, limits_.ratio_grace, level.whole_file, &limits_};
  }

  const Ruleset& ruleset_;
  const Limits& limits_;
  FileOutcome& outcome_;

  // Of the top-level file at hand.
  std::uint64_t entry_ = LayerFinding::no_entry;
  std::string path_;
  std::size_t first_finding_ = 0;
  std::uint64_t file_findings_ = 0, decoded_text_ = 0, nested_left_ = 0;
  std::optional<format::ElfFile> large_elf_;  // of the first window of a large file
};

// What a detector says of one content.
class FileAuditor::Impl::Report final : public detect::FileReport {
 public:
  Report(Impl& impl, const Content& content, const Level& level) : impl_(impl), content_(content), level_(level) {}

  void add(FileFinding finding) override { impl_.add(finding, content_, level_); }
  void add_indicator(Indicator indicator, std::uint64_t) override {
    impl_.outcome_.indicators.emplace_back(std::move(indicator), impl_.path_);
  }
  void add_derived(std::string text, std::string step, std::uint64_t offset) override {
    derived_.push_back({std::move(text), std::move(step), offset});
  }
  void add_unaudited(std::uint64_t bytes, std::string reason) override { impl_.add_incomplete(bytes, std::move(reason), level_); }
  struct Derived {
    std::string text, step;
    std::uint64_t offset = 0;
  };
  std::vector<Derived> take_derived() { return std::move(derived_); }

 private:
  Impl& impl_;
  const Content& content_;
  const Level& level_;
  std::vector<Derived> derived_;
};

// Takes what a container holds and audits it one level deeper.
class FileAuditor::Impl::Members final : public UnpackHandler {
 public:
  Members(Impl& impl, const Level& level) : impl_(impl), level_(level) {}

  void member(const std::string& path, std::uint32_t mode, std::uint64_t size, const FileContent& content) override {
    impl_.nested_left_ -= std::min<std::uint64_t>(impl_.nested_left_, content.bytes.size());
    impl_.outcome_.bytes += content.bytes.size();
    Level level = deeper(path);
    if (content.first) {
      type_ = classify(content.bytes, path);
      ++impl_.outcome_.files;
    }
    Content inner{level.nested.back(), content.bytes, content.offset, size == ~0ull ? content.offset + content.bytes.size() : size,
                  type_, detect::Origin::file};
    inner.mode = mode;
    inner.first = content.first;
    inner.sha256 = content.sha256;
    if (!(content.first && content.last)) {
      inner.file_size = std::max(inner.file_size, content.offset + content.bytes.size() + 1);  // never whole
    }
    if (content.first) yara_windows_ = inner.whole() ? nullptr : open_yara_windows(impl_.ruleset_, inner.path, type_.kind, content.bytes);
    inner.yara_windows = yara_windows_.get();
    impl_.inspect(inner, level);
    if (content.last && yara_windows_ != nullptr) {
      const std::uint64_t whole_size = content.offset + content.bytes.size();
      if (yara_windows_->may_match(whole_size)) impl_.add_incomplete(whole_size, std::string(too_large_for_yara), level);
      yara_windows_.reset();
    }
  }
  void side_content(std::string_view what, std::uint64_t offset, Bytes bytes) override {
    impl_.outcome_.bytes += bytes.size();
    Level level = deeper(fmt_offset(what, offset));
    impl_.inspect({level.nested.back(), bytes, 0, bytes.size(), classify(bytes, ""), detect::Origin::file}, level);
  }
  void diagnostic(const Diagnostic& diagnostic) override { impl_.note(diagnostic, level_); }

 private:
  Level deeper(const std::string& name) const {
    Level level = level_;
    level.place.reset();
    level.nested.push_back(name);
    ++level.depth;
    // Each level may hold one file whole while it looks inside: halving keeps the sum bounded.
    level.whole_file = std::max<std::uint64_t>(level_.whole_file / 2, 1 << 20);
    return level;
  }

  Impl& impl_;
  const Level level_;
  format::FileType type_;
  std::unique_ptr<engine::YaraWindows> yara_windows_;  // of the member at hand
};

void FileAuditor::Impl::inspect(const Content& content, const Level& level) {
  if (content.bytes.empty()) return;
  const std::size_t before = outcome_.findings.size();
  Inspected inspected;
  look_into(content, level, inspected);
  // Decoded text is part of the file that holds it, and a script as it runs was a file before.
  const bool own = level.chain.empty() && content.script == nullptr;
  if (own && content.whole() && content.first) add_traits(content, level, inspected, before);
}

void FileAuditor::Impl::add_traits(const Content& content, const Level& level, const Inspected& inspected, std::size_t findings_before) {
  if (content.origin == detect::Origin::history || content.origin == detect::Origin::metadata) return;
  TraitSource source;
  source.path = path_;
  source.content = content.bytes;
  source.type = content.type;
  source.sha256 = inspected.sha256;
  source.elf = inspected.elf ? &*inspected.elf : nullptr;
  source.nested = !level.nested.empty();
  source.is_file = content.origin == detect::Origin::file;
  for (std::size_t i = findings_before; i < outcome_.findings.size() && !source.flagged; ++i) {
    source.flagged = outcome_.findings[i].severity >= detect::Severity::medium && outcome_.findings[i].nested.size() == level.nested.size();
  }
  collect_traits(source, outcome_.traits);
}

void FileAuditor::Impl::look_into(const Content& content, const Level& level, Inspected& inspected) {
  // One table per level: a detector's derived text and nested members are scanned while this one's hits are in use.
  thread_local std::array<HitTable, 64> tables;
  HitTable& table = tables[std::min<std::size_t>(level.depth, tables.size() - 1)];
  if (!scan(content, table)) {
    add_incomplete(content.bytes.size(), "the pattern pass did not finish on this file", level);
  }

  detect::FileView view;
  view.path = content.path;
  view.content = content.bytes;
  view.content_offset = content.offset;
  view.file_size = content.file_size;
  view.type = content.type;
  view.origin = content.origin;
  view.mode = content.mode;
  view.uid = content.uid;
  view.gid = content.gid;
  view.nesting = level.depth;
  view.script = content.script;
  if (content.whole()) inspected.sha256 = view.sha256 = content.sha256.empty() ? sha256(content.bytes) : content.sha256;
  if (content.digest != nullptr) *content.digest = content_digest(view.sha256);

  std::optional<format::ElfFile>& elf = inspected.elf;
  if (content.type.kind == FileKind::elf) {
    if (content.first) {
      elf = format::parse_elf(content.bytes, content.file_size);
      if (!content.whole()) large_elf_ = elf;
    } else {
      elf = large_elf_;
    }
    if (elf) view.elf = &*elf;
  }

  const FileKind kind = content.origin == detect::Origin::file ? content.type.kind : FileKind::script;
  Report report(*this, content, level);
  for (std::size_t d = 0; d < ruleset_.detectors().size(); ++d) {
    const detect::Detector& detector = *ruleset_.detectors()[d];
    if (detector.inspect == nullptr || !detector.kinds.contains(kind)) continue;
    if (detector.trigger == detect::Trigger::on_hit && table.by_detector[d].empty()) continue;
    view.hits = table.by_detector[d];
    detector.inspect(view, report);
  }
  // A program that was cut out of other bytes may lack its end; that says nothing of it.
  const bool carved = !level.nested.empty() && level.nested.back().starts_with(carved_prefix);
  if (elf && content.first && content.whole() && !carved) {
    for (const Diagnostic& diagnostic : elf->diagnostics) note(diagnostic, level);
  }
  if (elf && content.whole() && !carved && elf->end_of_image > 0 && elf->end_of_image < content.bytes.size()) inspect_behind_program(content, elf->end_of_image, level);
  const std::vector<std::uint64_t> marks = std::move(table.marks);
  table.marks.clear();

  if (ruleset_.yara() != nullptr && content.script == nullptr) run_yara(content, level);
  if (level.depth >= limits_.nesting_depth) {
    if (is_container(content.type.kind)) {
      add_incomplete(content.bytes.size(), "nested deeper than the limit of " + std::to_string(limits_.nesting_depth) + " levels", level);
    }
    return;
  }
  for (Report::Derived& derived : report.take_derived()) inspect_derived(std::move(derived.text), std::move(derived.step), derived.offset, content, level);
  if (content.script != nullptr && content.origin == detect::Origin::file) return;
  inspect_encoded(content, level, marks);
  if (content.whole()) inspect_nested(content, level);
  inspect_programs(content, level, elf ? &*elf : nullptr);
}

// Bytes behind everything that a program's headers account for: loaders ignore them, the program itself may read them. Programs among them are cut out by
// themselves, wherever they begin.
void FileAuditor::Impl::inspect_behind_program(const Content& content, std::uint64_t end, const Level& level) {
  const Bytes rest = content.bytes.subspan(static_cast<std::size_t>(end));
  if (std::all_of(rest.begin(), rest.end(), [](std::uint8_t byte) { return byte == 0; })) return;
  note({"hidden-content.elf-trailing-data", std::to_string(rest.size()) + " bytes follow the end of the program", end, false, 0}, level);
  if (level.depth < limits_.nesting_depth && classify(rest, "").kind != FileKind::elf) Members(*this, level).side_content("elf-trailing-data", end, rest);
}

bool FileAuditor::Impl::scan(const Content& content, HitTable& table) {
  table.clear();
  table.by_detector.resize(ruleset_.detectors().size());
  const FileKind kind = content.origin == detect::Origin::file ? content.type.kind : FileKind::script;
  const Ruleset::PatternSet& patterns = ruleset_.patterns_for(kind);
  const auto status = patterns.database->scan(content.bytes, limits_.pattern_hits, table.hits);
  for (const engine::Hit& hit : table.hits) {
    const Ruleset::PatternOwner& owner = patterns.owners[hit.pattern];
    if (owner.detector == nullptr) {
      table.marks.push_back(hit.end);
      continue;
    }
    if (!owner.detector->kinds.contains(kind)) continue;
    auto& list = table.by_detector[owner.detector_index];
    if (list.empty()) table.touched.push_back(owner.detector_index);
    list.push_back({owner.pattern, hit.end});
  }
  return status == engine::ScanStatus::complete;
}

void FileAuditor::Impl::inspect_encoded(const Content& content, const Level& level, const std::vector<std::uint64_t>& marks) {
  if (decoded_text_ >= limits_.encoded_text_bytes) return;
  const bool as_text_kind = format::is_text(content.type.kind) || content.origin != detect::Origin::file;
  if (as_text_kind) {
    bool cut = false;
    auto runs = codec::find_encoded_runs(as_text(content.bytes), 24, limits_.encoded_runs,
                                         limits_.encoded_text_bytes - decoded_text_, is_worth_auditing, &cut);
    if (cut) {
      add_incomplete(content.bytes.size(), "more encoded text than the limit allows to decode", level);
    }
    for (auto& run : runs) {
      decoded_text_ += run.decoded.size();
      inspect_derived(std::move(run.decoded), run.form == codec::EncodedRun::Form::base64 ? "base64" : "hex", run.offset, content, level);
    }
    return;
  }
  std::uint64_t done = 0;
  for (const std::uint64_t end : marks) {
    if (end <= done) continue;
    std::uint64_t offset = 0;
    auto decoded = decode_around(content.bytes, end, &offset, &done);
    if (!decoded || decoded_text_ + decoded->size() > limits_.encoded_text_bytes) continue;
    decoded_text_ += decoded->size();
    inspect_derived(std::move(*decoded), "base64", offset, content, level);
  }
}

void FileAuditor::Impl::inspect_derived(std::string text, std::string step, std::uint64_t offset, const Content& parent, const Level& level) {
  if (level.depth >= limits_.nesting_depth) {
    add_incomplete(text.size(), "encoded deeper than the limit of " + std::to_string(limits_.nesting_depth) + " levels", level);
    return;
  }
  Level deeper = level;
  ++deeper.depth;
  deeper.chain.push_back(std::move(step));
  if (!deeper.place && level.nested.empty()) {
    const bool lines = format::is_text(parent.type.kind) || parent.origin != detect::Origin::file;
    deeper.place = {parent.offset + offset, parent.offset == 0 && lines ? line_of(parent.bytes, offset) : 0};
  }
  outcome_.bytes += text.size();
  // PowerShell's -EncodedCommand is UTF-16.
  if (auto plain = from_utf16(text)) {
    text = std::move(*plain);
    deeper.chain.emplace_back("utf-16");
  }
  Content content{parent.path, as_bytes(text), 0, text.size(), classify(as_bytes(text), ""), parent.origin};
  inspect(content, deeper);
}

void FileAuditor::Impl::inspect_nested(const Content& content, const Level& level) {
  const FileKind kind = content.type.kind;
  if (is_closed_container(kind)) {
    add_incomplete(content.bytes.size(), "lazaret does not unpack " + std::string(format::name_of(kind)) + " archives", level);
    return;
  }
  if (!is_container(kind)) return;
  if (nested_left_ == 0) {
    add_incomplete(content.bytes.size(), "the nested content of this file is larger than the limit", level);
    return;
  }
  Members members(*this, level);
  unpack(kind, content.path, content.bytes, unpack_limits(level), members);
}

// Programs packed or carried by this file. The members of containers are found as such.
void FileAuditor::Impl::inspect_programs(const Content& content, const Level& level, const format::ElfFile* elf) {
  if (is_container(content.type.kind)) return;
  const std::vector<std::uint64_t> magic = find_elf_magic(content.bytes);
  if (elf == nullptr && magic.empty()) return;
  if (nested_left_ == 0) {
    add_incomplete(content.bytes.size(), "the nested content of this file is larger than the limit", level);
    return;
  }
  Members members(*this, level);
  if (elf != nullptr && content.whole() && !unpack_upx(content.bytes, *elf, content.mode, unpack_limits(level), members) &&
      format::packing_of(content.bytes, *elf).packed) {
    add_incomplete(content.bytes.size(), "a packed program that lazaret cannot unpack", level);
  }
  carve_programs(content.bytes, content.offset, magic, members);
}

void FileAuditor::Impl::run_yara(const Content& content, const Level& level) {
  if (!content.whole()) {
    if (content.yara_windows != nullptr) content.yara_windows->feed(content.bytes);
    return;
  }
  if (content.bytes.size() > limits_.yara_file_bytes) {
    const auto windows = open_yara_windows(ruleset_, content.path, content.type.kind, content.bytes);
    windows->feed(content.bytes);
    if (windows->may_match(content.bytes.size())) add_incomplete(content.bytes.size(), std::string(too_large_for_yara), level);
    return;
  }
  const auto result = ruleset_.yara()->scan(content.bytes, {std::string(content.path), std::string(format::name_of(content.type.kind))},
                                            limits_.yara_seconds);
  if (!result.incomplete.empty()) add_incomplete(content.bytes.size(), "YARA: " + result.incomplete, level);
  for (const engine::YaraMatch& match : result.matches) {
    const std::string id = yara_rule_id(ruleset_.yara()->rules()[match.rule]);
    const RuleDocument* document = ruleset_.find(id);
    LayerFinding finding;
    finding.rule = id;
    finding.severity = document->severity;
    finding.confidence = document->confidence;
    finding.entry = entry_;
    finding.path = path_;
    finding.nested = level.nested;
    finding.offset = match.offset;
    finding.evidence = match.excerpt;
    finding.chain = level.chain;
    outcome_.findings.push_back(std::move(finding));
  }
}

void FileAuditor::Impl::add(const FileFinding& found, const Content& content, const Level& level) {
  if (file_findings_ == limits_.findings_per_file) {
    add_incomplete(0, "more findings in this file than the limit; the rest is not listed", level);
  }
  if (file_findings_++ >= limits_.findings_per_file) return;

  LayerFinding finding;
  finding.rule = found.rule->id;
  finding.severity = found.severity.value_or(found.rule->severity);
  finding.confidence = found.confidence.value_or(found.rule->confidence);
  finding.entry = entry_;
  finding.path = path_;
  finding.nested = level.nested;
  finding.offset = content.offset + found.offset;
  finding.evidence = found.evidence.substr(0, evidence_bytes);
  finding.chain = level.chain;
  finding.chain.insert(finding.chain.end(), found.chain.begin(), found.chain.end());
  finding.indicators = found.indicators;
  if (level.place) {
    finding.offset = level.place->first;
    finding.line = level.place->second;
  } else if (content.offset == 0 && (format::is_text(content.type.kind) || content.origin != detect::Origin::file)) {
    finding.line = line_of(content.bytes, found.offset);
  }
  // Overlapping windows see the same thing twice, and so do the parser, which evaluates, and the search for encoded text: the longer way is the one to show.
  for (std::size_t i = first_finding_; i < outcome_.findings.size(); ++i) {
    LayerFinding& other = outcome_.findings[i];
    if (other.rule == finding.rule && other.line == finding.line && finding.line != 0 && other.nested == finding.nested && other.chain != finding.chain) {
      if (is_part_of(finding.chain, other.chain)) {
        take_indicators(finding, other);
        return;
      }
      if (is_part_of(other.chain, finding.chain)) {
        take_indicators(other, finding);
        other = std::move(finding);
        return;
      }
    }
    if (other.rule == finding.rule && other.offset == finding.offset && other.nested == finding.nested &&
        other.chain == finding.chain && other.evidence == finding.evidence) {
      return;
    }
  }
  outcome_.findings.push_back(std::move(finding));
}

// Bytes of a layer that cannot be decoded are not audited, whatever the cause. Inside a file it depends: what lies behind a limit, a password or a
// method of ours that is missing could be read by somebody else; what is damaged cannot be read by anybody, and its raw bytes have been scanned.
void FileAuditor::Impl::note(const Diagnostic& diagnostic, const Level& level) {
  const bool inside_file = !path_.empty() || level.depth > 0;
  if (diagnostic.unaudited && (!inside_file || is_limit(diagnostic.rule))) add_incomplete(diagnostic.bytes, diagnostic.message, level);
  const RuleDocument* document = ruleset_.find(family_of(diagnostic.rule));
  LayerFinding finding;
  finding.rule = document->id;
  finding.severity = document->severity;
  finding.confidence = document->confidence;
  finding.entry = entry_;
  finding.path = path_;
  finding.nested = level.nested;
  finding.offset = diagnostic.offset;
  finding.evidence = diagnostic.message;
  finding.chain = level.chain;
  // One of a kind for each content is enough: a broken archive can have a million of them.
  for (std::size_t i = first_finding_; i < outcome_.findings.size(); ++i) {
    if (outcome_.findings[i].rule == finding.rule && outcome_.findings[i].nested == finding.nested) return;
  }
  outcome_.findings.push_back(std::move(finding));
}

// A large compressed file or archive: its windows are scanned as they are by audit(); its content is unpacked here as it streams by.
class FileAuditor::Impl::LargeFile final : public FileAuditor::Stream {
 public:
  LargeFile(Impl& impl, const FileInput& file, const Level& level)
      : impl_(impl), file_(file), members_(impl, level) {
    impl_.begin(file_);
    unpacker_ = open_unpacker(file.type.kind, file.path, impl_.unpack_limits(level), members_);
  }
  void feed(Bytes bytes) override { unpacker_->feed(bytes); }
  void finish() override { unpacker_->finish(); }

 private:
  Impl& impl_;
  const FileInput file_;
  Members members_;
  std::unique_ptr<StreamUnpacker> unpacker_;
};

std::unique_ptr<FileAuditor::Stream> FileAuditor::Impl::open_stream(const FileInput& file) {
  Level level;
  level.whole_file = limits_.nested_whole_file_bytes;
  return std::make_unique<LargeFile>(*this, file, level);
}

FileAuditor::FileAuditor(const Ruleset& ruleset, const Limits& limits, FileOutcome& outcome)
    : impl_(std::make_unique<Impl>(ruleset, limits, outcome)) {}
FileAuditor::~FileAuditor() = default;
void FileAuditor::audit(const FileInput& file) { impl_->audit(file); }
void FileAuditor::audit_side_content(std::string_view what, std::uint64_t offset, Bytes bytes) {
  impl_->audit_side_content(what, offset, bytes);
}
void FileAuditor::add_diagnostic(const Diagnostic& diagnostic, std::uint64_t entry, const std::string& path) {
  impl_->add_diagnostic(diagnostic, entry, path);
}
std::unique_ptr<FileAuditor::Stream> FileAuditor::open_stream(const FileInput& file) { return impl_->open_stream(file); }

std::unique_ptr<engine::YaraWindows> open_yara_windows(const Ruleset& ruleset, std::string_view path, FileKind kind, Bytes head) {
  if (ruleset.yara() == nullptr) return nullptr;
  return ruleset.yara()->open_windows({std::string(path), std::string(format::name_of(kind))}, head);
}

const std::string_view too_large_for_yara = "too large for YARA rules, which need a file as a whole, and a rule may match it";

bool is_kept(std::string_view path, const format::FileType& type, std::uint64_t size, std::uint32_t mode) {
  const auto under = [&](std::string_view folder) { return path.starts_with(folder); };
  if (under("/var/lib/dpkg/") || under("/lib/apk/db/") || under("/usr/lib/apk/db/")) {
    const bool database = path.ends_with(".md5sums") || path == "/var/lib/dpkg/status" || under("/var/lib/dpkg/status.d/") ||
                          path == "/var/lib/dpkg/diversions" || path.ends_with("/db/installed") || path.ends_with(".list") ||
                          path.ends_with(".conffiles");
    if (database) return size <= kept_database_bytes;
  }
  if (type.language == format::Language::shell && size <= kept_shell_bytes) return true;
  if (size > kept_script_bytes) return false;
  // Programs in other languages are kept where an image's own lie, not where libraries do.
  const bool library = under("/usr/lib/") || under("/usr/share/") || under("/lib/") || path.find("/site-packages/") != std::string_view::npos ||
                       path.find("/dist-packages/") != std::string_view::npos || path.find("/node_modules/") != std::string_view::npos ||
                       path.find("/lib/python") != std::string_view::npos || under("/usr/include/");
  if (type.kind == FileKind::script && !library) return true;
  if (type.kind == FileKind::script) return type.language == format::Language::shell || (mode & 0111) != 0;
  if (!format::is_text(type.kind)) return false;
  if (under("/etc/cron") || under("/var/spool/cron/") || under("/etc/profile") || under("/etc/init.d/") || under("/etc/systemd/") ||
      under("/usr/lib/systemd/system/") || under("/lib/systemd/system/") || under("/etc/supervisor") || under("/etc/s6") ||
      under("/etc/services.d/") || under("/etc/cont-init.d/")) {
    return true;
  }
  for (const std::string_view file : {"/etc/ld.so.preload", "/etc/passwd", "/etc/os-release", "/usr/lib/os-release", "/etc/rc.local",
                                      "/etc/bash.bashrc", "/root/.bashrc", "/root/.profile", "/etc/inittab", "/etc/supervisord.conf"}) {
    if (path == file) return true;
  }
  using format::Language;
  for (const Language language : {Language::python, Language::perl, Language::php, Language::ruby, Language::node, Language::lua, Language::systemd_unit}) {
    if (!library && type.language == language) return true;
  }
  // Small texts that may be part of a script: data for base64 -d, a file with variables, a job.
  if (!library && type.kind == FileKind::text && type.language == Language::none && size <= kept_text_bytes) return true;
  if (under("/etc/periodic/") || under("/etc/sv/") || under("/etc/service/") || under("/docker-entrypoint") || under("/etc/local.d/")) return true;
  return type.language == format::Language::shell || type.language == format::Language::crontab ||
         ((mode & 0111) != 0 && type.language != format::Language::none);
}

}  // namespace lazaret::audit
