// Programs with the extension of a picture, a document or another passive file.
//
// "logo3.jpg | bash": the extension keeps proxies, people and scanners that go by names from
// looking. What innocent files look like it: an HTML error page or a Git LFS pointer saved as a
// picture (text, but no shell), and test data of file-type libraries.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "base/text.h"
#include "detect/detector.h"
#include "detect/text_context_support.h"

namespace lazaret::detect {
namespace {

constexpr Rule rules[] = {
    {.id = "impersonation.script-as-media",
     .category = Category::impersonation,
     .severity = Severity::high,
     .confidence = Confidence::high,
     .title = "Script with the extension of a picture or document",
     .explanation = "The content is a script, the name says picture, sound, font or document. "
                    "Downloaders hide their second stage like this.",
     .remediation = "Find what fetches or runs the file; remove both.",
     .attack = {"T1036.008"}},
    {.id = "impersonation.elf-as-media",
     .category = Category::impersonation,
     .severity = Severity::high,
     .confidence = Confidence::high,
     .title = "Executable with the extension of a picture or document",
     .explanation = "The content is an ELF program, the name says picture, sound, font or "
                    "document.",
     .remediation = "Find what runs the file; remove both.",
     .attack = {"T1036.008"}},
    {.id = "impersonation.elf-as-text",
     .category = Category::impersonation,
     .severity = Severity::medium,
     .confidence = Confidence::medium,
     .title = "Executable with the extension of a text file",
     .explanation = "The content is an ELF program, the name says text, log, configuration or "
                    "web page. Test data of tools that read ELF files may look like this.",
     .remediation = "Find what runs the file.",
     .attack = {"T1036.008"}},
};

constexpr std::array<std::string_view, 31> media_extensions = {
    "jpg", "jpeg", "png", "gif",  "bmp",   "ico",  "webp", "tif",  "tiff", "heic", "avif",
    "mp3", "mp4",  "avi", "mkv",  "mov",   "wav",  "ogg",  "webm", "flac", "ttf",  "otf",
    "pdf", "woff", "eot", "docx", "woff2", "xlsx", "pptx", "doc",  "xls"};
constexpr std::array<std::string_view, 15> text_extensions = {"txt",  "log", "conf", "cfg", "ini",
                                                              "json", "xml", "html", "htm", "css",
                                                              "csv",  "yml", "yaml", "md",  "toml"};

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

// Text without a #! line that reads like a shell script: at least three different idioms.
bool reads_like_shell(std::string_view text) {
  static constexpr std::array<std::string_view, 18> idioms = {
      "curl ",     "wget ",  "chmod ", "crontab ", "nohup ",    "/bin/sh",
      "/bin/bash", "| bash", "|bash",  "| sh",     "|sh",       "base64 -d",
      "rm -rf ",   "xargs ", "pkill ", "kill -9",  "/dev/null", "awk '{"};
  const std::string_view head = text.substr(0, 64 * 1024);
  std::size_t found = 0;
  for (const std::string_view idiom : idioms) {
    if (head.find(idiom) != std::string_view::npos) ++found;
  }
  return found >= 3;
}

void inspect(const FileView& file, FileReport& report) {
  if (file.origin != Origin::file || file.content_offset != 0) return;
  const std::string extension = extension_of(file.path);
  if (extension.empty()) return;
  const bool media = contains(media_extensions, extension);
  if (!media && !contains(text_extensions, extension)) return;

  const Rule* rule = nullptr;
  std::string what;
  switch (file.type.kind) {
    case format::FileKind::elf:
      rule = media ? &rules[1] : &rules[2];
      what = "ELF";
      break;
    case format::FileKind::script:
      if (!media) return;
      rule = &rules[0];
      what = evidence_of(file.text(), 0, 0);
      break;
    case format::FileKind::text:
      if (!media || !reads_like_shell(file.text())) return;
      rule = &rules[0];
      what = evidence_of(file.text(), 0, 0);
      break;
    default:
      return;
  }
  FileFinding finding;
  finding.rule = rule;
  finding.evidence = std::string(base_name(file.path)) + ": " + what;
  report.add(std::move(finding));
}

}  // namespace

extern const Detector masquerade_file_type_detector;
const Detector masquerade_file_type_detector = {
    .name = "masquerade-file-type",
    .summary = "Finds scripts and executables with the extension of a passive file.",
    .rules = rules,
    .patterns = {},
    .kinds = {format::FileKind::elf, format::FileKind::script, format::FileKind::text},
    .trigger = Trigger::always,
    .inspect = inspect,
};

}  // namespace lazaret::detect
