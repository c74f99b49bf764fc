#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "report/diff_text.h"
#include "report/diff_writer.h"
#include "report/markdown_text.h"
#include "report/text_support.h"

namespace lazaret::report {
namespace {

constexpr std::size_t listed = 100, files_shown = 60;

void add_list(std::string& out, std::string_view title, const std::vector<std::string>& lines) {
  if (lines.empty()) return;
  out += fmt::format("\n### {}\n\n", title);
  for (std::size_t i = 0; i < std::min(lines.size(), listed); ++i) out += "- " + lines[i] + "\n";
  if (lines.size() > listed) out += fmt::format("- and {} more\n", lines.size() - listed);
}

void add_platform(std::string& out, const audit::PlatformDiff& platform) {
  out += fmt::format("\n## {}\n\n", markdown_plain(platform_name(platform)));
  if (platform.old_platform.empty() || platform.new_platform.empty()) {
    out += platform.old_platform.empty() ? "New, with nothing to compare it with.\n" : "Gone.\n";
    return;
  }
  out += fmt::format("{}.\n", describe_files(platform));
  const auto item = [](audit::Change change, const std::string& text) { return fmt::format("{}: {}", audit::name_of(change), markdown_plain(text, 800)); };
  std::vector<std::string> lines;
  for (const audit::ConfigChange& change : platform.config) lines.push_back(fmt::format("**{}** {}", markdown_plain(change.field), markdown_plain(describe(change), 800)));
  add_list(out, "Configuration", lines);
  lines.clear();
  for (const audit::PackageChange& change : platform.packages) lines.push_back(item(change.change, describe(change)));
  add_list(out, "Packages", lines);
  lines.clear();
  for (const audit::AbilityChange& change : platform.abilities) lines.push_back(item(change.change, describe(change)));
  add_list(out, "Abilities", lines);
  lines.clear();
  const FileLines files = choose_files(platform, files_shown);
  for (const audit::FileChange* file : files.files) lines.push_back(item(file->change, fmt::format("{}, {}", escape(file->path, 300), describe(*file))));
  for (const std::string& folder : files.folders) lines.push_back(markdown_plain(folder, 400));
  if (platform.bookkeeping > 0) lines.push_back(fmt::format("{} data files of package managers, caches and logs", platform.bookkeeping));
  add_list(out, "Files outside of updated packages", lines);
  for (const audit::ScriptChange& script : platform.scripts) {
    out += fmt::format("\n### New lines of {}, which the image starts\n\n", markdown_plain(script.path));
    out += markdown_code(script.lines);
    if (script.more > 0) out += fmt::format("\nand {} more lines\n", script.more);
  }
}

}  // namespace

std::string to_markdown(const audit::ImageDiff& diff) {
  std::string out = fmt::format("# {}: {} to {}\n", diff.risk() == detect::Severity::info ? "No risk seen" : to_upper(audit::name_of_risk(diff.risk())) + " risk",
                                markdown_plain(diff.old_report.target), markdown_plain(diff.new_report.target));
  if (!diff.risks.empty()) out += "\n";
  for (std::size_t i = 0; i < std::min(diff.risks.size(), listed); ++i) {
    out += fmt::format("- **{}**: {}\n", audit::name_of_risk(diff.risks[i].severity), markdown_plain(diff.risks[i].text, 600));
  }
  out += "\n| | image | verdict | score |\n|---|---|---|---|\n";
  for (const auto& [name, report] : {std::pair("old", &diff.old_report), std::pair("new", &diff.new_report)}) {
    out += fmt::format("| {} | `{}` | {}{} | {} |\n", name, report->image_digest.empty() ? "no digest" : report->image_digest, audit::name_of(report->verdict),
                       report->incomplete.empty() ? "" : ", not all of it could be audited", report->score);
  }
  for (const audit::PlatformDiff& platform : diff.platforms) add_platform(out, platform);

  std::size_t gone = 0;
  bool heading = false;
  for (const audit::FindingChange& change : diff.findings) {
    if (change.change == audit::Change::removed) ++gone;
    if (change.change == audit::Change::removed || change.finding.weight == 0) continue;
    if (!heading) out += "\n## Findings\n";
    heading = true;
    const audit::Finding& finding = change.finding;
    out += fmt::format("\n{} {}: {}, {}\n\n", change.change == audit::Change::added ? "New" : "Changed", to_upper(detect::name_of(finding.severity)), markdown_plain(finding.title),
                       markdown_plain(place_of(finding), 600));
    if (!finding.evidence.empty()) out += markdown_code(finding.evidence);
  }
  if (gone > 0) out += fmt::format("\n{} finding{} of the old image {} gone.\n", gone, gone == 1 ? "" : "s", gone == 1 ? "is" : "are");
  return out + fmt::format("\nlazaret {}, ruleset `{}`\n\n", diff.new_report.engine_version, diff.new_report.ruleset);
}

}  // namespace lazaret::report
