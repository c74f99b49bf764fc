#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "report/diff_text.h"
#include "report/diff_writer.h"
#include "report/terminal_text.h"
#include "report/text_support.h"

namespace lazaret::report {
namespace {

constexpr std::size_t risks_shown = 15, packages_shown = 40, files_shown = 40, scripts_shown = 5, script_lines_shown = 15, findings_shown = 25;

class Writer {
 public:
  explicit Writer(const TableStyle& style) : paint_{style.colour}, width_(std::clamp<std::size_t>(style.width, 60, 140)) {}

  void line(std::string_view indent, std::string_view text, const char* colour = nullptr) {
    const std::string deeper = std::string(indent) + "    ";
    std::string wrapped = wrap(text, width_, deeper);
    // wrap() takes the column of the indent for the first line, which stands four columns further left.
    out += fmt::format("{}{}\n", indent, colour == nullptr ? wrapped : paint_(colour, wrapped));
  }
  void heading(std::string_view text) {
    out += "\n";
    line("  ", text, "1");
  }
  void more(std::size_t all, std::size_t shown, std::string_view what) {
    if (all > shown) out += fmt::format("    and {} more {}: use --format json\n", all - shown, what);
  }
  const Paint& paint() const { return paint_; }

  std::string out;

 private:
  const Paint paint_;
  const std::size_t width_;
};

const char* colour_of(audit::Change change) { return change == audit::Change::added ? "32" : change == audit::Change::removed ? "31" : "33"; }

void add_platform(Writer& writer, const audit::PlatformDiff& platform) {
  const auto item = [&](audit::Change change, const std::string& text) { writer.line("    ", fmt::format("{} {}", sign_of(change), text), colour_of(change)); };
  writer.heading(fmt::format("{}: {}", platform_name(platform), platform.old_platform.empty()   ? "new, with nothing to compare it with"
                                                                : platform.new_platform.empty() ? "gone"
                                                                                                : describe_files(platform)));
  if (!platform.config.empty()) {
    writer.heading("configuration");
    for (const audit::ConfigChange& change : platform.config) {
      const audit::Change sign = change.old_value.empty() ? audit::Change::added : change.new_value.empty() ? audit::Change::removed : audit::Change::changed;
      item(sign, fmt::format("{}  {}", escape(change.field, 200), describe(change)));
    }
  }
  if (!platform.packages.empty()) {
    writer.heading(fmt::format("packages ({})", platform.packages.size()));
    for (std::size_t i = 0; i < std::min(platform.packages.size(), packages_shown); ++i) item(platform.packages[i].change, describe(platform.packages[i]));
    writer.more(platform.packages.size(), packages_shown, "packages");
  }
  if (!platform.abilities.empty()) {
    writer.heading("abilities");
    std::size_t shown = 0;
    for (const audit::AbilityChange& change : platform.abilities) {
      if (++shown <= files_shown) item(change.change, describe(change));
    }
    writer.more(platform.abilities.size(), files_shown, "abilities");
  }
  if (!platform.files.empty()) {
    writer.heading("files outside of updated packages");
    const FileLines lines = choose_files(platform, files_shown);
    for (const audit::FileChange* file : lines.files) item(file->change, fmt::format("{}  {}", escape(file->path, 300), describe(*file)));
    for (const std::string& folder : lines.folders) writer.line("    ", "  " + folder);
  }
  if (platform.bookkeeping > 0) {
    writer.line("    ", fmt::format("  {} data file{} of package managers, caches and logs", platform.bookkeeping, platform.bookkeeping == 1 ? "" : "s"), "2");
  }
  std::size_t scripts = 0;
  for (const audit::ScriptChange& script : platform.scripts) {
    if (++scripts > scripts_shown) break;
    writer.heading(fmt::format("new lines of {}, which the image starts", escape(script.path, 200)));
    const std::size_t shown = std::min(script.lines.size(), script_lines_shown);
    for (std::size_t i = 0; i < shown; ++i) writer.line("    ", "+ " + escape(script.lines[i], 400), "32");
    writer.more(script.lines.size() + script.more, shown, "lines");
  }
}

}  // namespace

std::string to_table(const audit::ImageDiff& diff, const TableStyle& style) {
  Writer writer(style);
  const Paint& paint = writer.paint();
  const char* colour = diff.risk() >= detect::Severity::high     ? "1;97;41"
                       : diff.risk() == detect::Severity::medium ? "1;30;43"
                       : diff.risk() == detect::Severity::low    ? "1;30;46"
                                                                 : "1;30;42";
  const std::string level = diff.risk() == detect::Severity::info ? "NO RISK SEEN" : to_upper(audit::name_of_risk(diff.risk())) + " RISK";
  writer.out = paint(colour, " " + level + " ") + "\n";
  writer.line("  ", fmt::format("{} -> {}", escape(diff.old_report.target, 200), escape(diff.new_report.target, 200)), "1");
  if (style.quiet) return writer.out;
  std::size_t shown = 0;
  for (const audit::Risk& risk : diff.risks) {
    if (++shown > risks_shown) break;
    std::string where;
    if (diff.platforms.size() > 1 && !risk.platforms.empty()) {
      for (const std::string& platform : risk.platforms) where += (where.empty() ? " (" : ", ") + escape(platform, 100);
      where += ")";
    }
    writer.line("  ", fmt::format("- {}: {}{}", audit::name_of_risk(risk.severity), escape(risk.text, 600), where), colour_of(risk.severity));
  }
  if (diff.risks.size() > risks_shown) writer.out += fmt::format("    and {} more risks: use --format json\n", diff.risks.size() - risks_shown);

  writer.out += "\n";
  for (const auto& [name, report] : {std::pair("old", &diff.old_report), std::pair("new", &diff.new_report)}) {
    writer.line("  ", fmt::format("{}  {}  {}, score {}{}", name, report->image_digest.empty() ? escape(report->target, 100) : report->image_digest,
                                  audit::name_of(report->verdict), report->score, report->incomplete.empty() ? "" : ", not all of it could be audited"));
  }
  for (const audit::PlatformDiff& platform : diff.platforms) add_platform(writer, platform);

  std::size_t gone = 0, count = 0, silent = 0;
  for (const audit::FindingChange& change : diff.findings) {
    if (change.change == audit::Change::removed) {
      ++gone;
      continue;
    }
    if (change.finding.weight == 0) {
      ++silent;
      continue;
    }
    if (++count > findings_shown) continue;
    if (count == 1) writer.heading("findings");
    const audit::Finding& finding = change.finding;
    writer.line("    ", fmt::format("{} {} {}", sign_of(change.change), to_upper(detect::name_of(finding.severity)), finding.title), colour_of(finding.severity));
    writer.line("      ", place_of(finding));
    if (!finding.evidence.empty()) writer.line("      ", escape(finding.evidence, 400), "36");
    if (change.change == audit::Change::changed && !change.old_evidence.empty()) writer.line("      ", "was " + escape(change.old_evidence, 400), "2");
  }
  writer.more(count, findings_shown, "findings");
  if (silent > 0) writer.out += fmt::format("\n  {} new or changed finding{} without weight: use --format json to see them\n", silent, silent == 1 ? "" : "s");
  if (gone > 0) writer.out += fmt::format("\n  {} finding{} of the old image {} gone\n", gone, gone == 1 ? "" : "s", gone == 1 ? "is" : "are");
  return writer.out + "\n";
}

}  // namespace lazaret::report
