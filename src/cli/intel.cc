// lazaret intel: what lazaret knows besides its rules. Today the table of base images that somebody trusts.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "audit/lineage.h"
#include "base/text.h"
#include "cli/audit_session.h"
#include "cli/bases_file.h"
#include "cli/commands.h"
#include "cli/output.h"

namespace lazaret::cli {
namespace {

// The layers of a manifest, when their bytes are what the image says; else why they cannot be a base.
Result<std::vector<Digest>> trustworthy_layers(const audit::Report& report, const audit::Report::Manifest& manifest) {
  for (const audit::Finding& finding : report.findings) {
    if (finding.rule == "integrity.diff-id" || finding.rule == "integrity.blob-digest" || finding.rule == "anomaly.layer-rebuilt") {
      return Error{ErrorCode::invalid, fmt::format("{} ({}): a base must be trusted by the bytes that were shipped", finding.title, finding.evidence)};
    }
  }
  std::vector<Digest> layers;
  for (const audit::Report::Layer& layer : manifest.layers) {
    const auto digest = Digest::parse(layer.diff_id);
    if (!digest) return Error{ErrorCode::invalid, "a layer could not be read"};
    layers.push_back(*digest);
  }
  return layers;
}

}  // namespace

int run_trust_base(const TrustBaseOptions& options) {
  const std::string file = bases_file(options.scan.bases);
  if (file.empty()) return fail("neither $XDG_DATA_HOME nor $HOME is set: name the table with --bases FILE");
  auto table = read_bases(options.scan.bases);
  if (!table) return fail(table.error().message);

  ScanOptions scan = options.scan;
  scan.ignore_file.clear();
  auto session = AuditSession::open(scan);
  if (!session) return fail(session.error().message);
  bool failed = false;
  for (const std::string& target : options.scan.targets) {
    const auto audited = (*session)->audit(target);
    if (!audited) {
      failed = true;
      fail(fmt::format("{}: {}", target, audited.error().message));
      if ((*session)->interrupted()) break;
      continue;
    }
    const audit::Report& report = audited->report;
    if (report.verdict == audit::Verdict::malicious) {
      failed = true;
      fail(fmt::format("{}: the image is malicious ({}) and was not added", target, report.reasons.empty() ? "" : report.reasons.front()));
      continue;
    }
    for (const audit::Report::Manifest& manifest : report.manifests) {
      const auto layers = trustworthy_layers(report, manifest);
      if (!layers) {
        failed = true;
        fail(fmt::format("{}: {}; it was not added", target, layers.error().message));
        continue;
      }
      const std::string reference = options.reference.empty() ? report.target : options.reference;
      const std::size_t changed = table->add_image(*layers, escape(reference, 512), manifest.digest);
      fmt::print("{}{}: {} layers, {} new\n", escape(reference), manifest.platform.empty() ? "" : " (" + escape(manifest.platform) + ")", layers->size(), changed);
    }
  }
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::path(file).parent_path();
  if (!folder.empty()) std::filesystem::create_directories(folder, error);
  if (error) return fail(fmt::format("cannot make the folder {}: {}", folder.string(), error.message()));
  if (!write_output(file, table->text())) return exit_error;
  return failed ? exit_error : 0;
}

int run_list_bases(const TrustBaseOptions& options) {
  const auto table = read_bases(options.scan.bases);
  if (!table) return fail(table.error().message);
  std::string text;
  for (const auto& [chain_id, base] : table->entries()) {
    text += fmt::format("{}  {:>3} of {:<3} layers  {}{}\n", chain_id, base.layers, base.of, escape(base.reference), base.digest.empty() ? "" : "  " + base.digest);
  }
  return write_output("", text) ? 0 : exit_error;
}

}  // namespace lazaret::cli
