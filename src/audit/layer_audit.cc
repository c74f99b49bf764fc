#include "audit/layer_audit.h"

#include "audit/serial.h"

namespace lazaret::audit {
namespace {

// Raised whenever the form below changes, so that an old cache reads as empty.
constexpr std::uint64_t form_version = 4;

void put_digest(SerialWriter& writer, const Digest& digest) { writer.text(digest.str()); }

Digest get_digest(SerialReader& reader) {
  return Digest::parse(reader.text()).value_or(Digest());
}

void put_strings(SerialWriter& writer, const std::vector<std::string>& strings) {
  writer.number(strings.size());
  for (const std::string& text : strings) writer.text(text);
}

std::vector<std::string> get_strings(SerialReader& reader) {
  std::vector<std::string> strings(reader.count());
  for (std::string& text : strings) text = reader.text();
  return strings;
}

void put_indicator(SerialWriter& writer, const detect::Indicator& indicator) {
  writer.text(indicator.type);
  writer.text(indicator.value);
  writer.number(indicator.validated);
}

detect::Indicator get_indicator(SerialReader& reader) {
  detect::Indicator indicator;
  indicator.type = reader.text();
  indicator.value = reader.text();
  indicator.validated = reader.number() != 0;
  return indicator;
}

void put_finding(SerialWriter& writer, const LayerFinding& finding) {
  writer.text(finding.rule);
  writer.number(static_cast<unsigned>(finding.severity));
  writer.number(static_cast<unsigned>(finding.confidence));
  writer.number(finding.entry + 1);  // no_entry becomes 0
  writer.text(finding.path);
  put_strings(writer, finding.nested);
  writer.number(finding.offset);
  writer.number(finding.line);
  writer.text(finding.evidence);
  put_strings(writer, finding.chain);
  writer.number(finding.indicators.size());
  for (const auto& indicator : finding.indicators) put_indicator(writer, indicator);
  writer.text(finding.md5);
  writer.text(finding.sha1);
}

LayerFinding get_finding(SerialReader& reader) {
  LayerFinding finding;
  finding.rule = reader.text();
  finding.severity = static_cast<detect::Severity>(reader.number() % 5);
  finding.confidence = static_cast<detect::Confidence>(reader.number() % 3);
  finding.entry = reader.number() - 1;
  finding.path = reader.text();
  finding.nested = get_strings(reader);
  finding.offset = reader.number();
  finding.line = reader.number();
  finding.evidence = reader.text();
  finding.chain = get_strings(reader);
  finding.indicators.resize(reader.count());
  for (auto& indicator : finding.indicators) indicator = get_indicator(reader);
  finding.md5 = reader.text();
  finding.sha1 = reader.text();
  return finding;
}

}  // namespace

std::string LayerAudit::save() const {
  SerialWriter writer;
  writer.number(form_version);
  put_digest(writer, blob_digest);
  put_digest(writer, diff_id);
  writer.number(blob_size);
  writer.number(decoded_size);
  writer.text(encoding);
  writer.number(is_tar);
  writer.number(bytes);
  writer.number(files);
  writer.text(entries.save());
  writer.number(findings.size());
  for (const LayerFinding& finding : findings) put_finding(writer, finding);
  writer.number(indicators.size());
  for (const auto& [indicator, path] : indicators) {
    put_indicator(writer, indicator);
    writer.text(path);
  }
  writer.number(incomplete.size());
  for (const LayerIncomplete& part : incomplete) {
    writer.text(part.path);
    writer.number(part.bytes);
    writer.text(part.reason);
  }
  writer.number(kept.size());
  for (const KeptFile& file : kept) {
    writer.number(file.entry);
    writer.text(file.path);
    writer.text(file.text);
  }
  put_file_digests(writer, digests);
  writer.number(traits.size());
  for (const Trait& trait : traits) {
    writer.text(trait.type);
    writer.text(trait.value);
    writer.text(trait.path);
    writer.number(trait.flagged);
  }
  return writer.take();
}

std::optional<LayerAudit> LayerAudit::load(Bytes bytes_in) {
  SerialReader reader(bytes_in);
  if (reader.number() != form_version) return std::nullopt;
  LayerAudit audit;
  audit.blob_digest = get_digest(reader);
  audit.diff_id = get_digest(reader);
  audit.blob_size = reader.number();
  audit.decoded_size = reader.number();
  audit.encoding = reader.text();
  audit.is_tar = reader.number() != 0;
  audit.bytes = reader.number();
  audit.files = reader.number();
  if (!audit.entries.load(as_bytes(reader.text()))) return std::nullopt;
  audit.findings.resize(reader.count());
  for (LayerFinding& finding : audit.findings) finding = get_finding(reader);
  audit.indicators.resize(reader.count());
  for (auto& [indicator, path] : audit.indicators) {
    indicator = get_indicator(reader);
    path = reader.text();
  }
  audit.incomplete.resize(reader.count());
  for (LayerIncomplete& part : audit.incomplete) {
    part.path = reader.text();
    part.bytes = reader.number();
    part.reason = reader.text();
  }
  audit.kept.resize(reader.count());
  for (KeptFile& file : audit.kept) {
    file.entry = reader.number();
    file.path = reader.text();
    file.text = reader.text();
  }
  if (!get_file_digests(reader, audit.digests)) return std::nullopt;
  audit.traits.resize(reader.count());
  for (Trait& trait : audit.traits) {
    trait.type = reader.text();
    trait.value = reader.text();
    trait.path = reader.text();
    trait.flagged = reader.number() != 0;
  }
  if (!reader.ok() || !reader.at_end()) return std::nullopt;
  for (const LayerFinding& finding : audit.findings) {
    if (finding.entry != LayerFinding::no_entry && finding.entry >= audit.entries.size()) return std::nullopt;
  }
  if (!audit.digests.empty() && audit.digests.back().entry >= audit.entries.size()) return std::nullopt;
  for (const KeptFile& file : audit.kept) {
    if (file.entry >= audit.entries.size()) return std::nullopt;
  }
  return audit;
}

}  // namespace lazaret::audit
