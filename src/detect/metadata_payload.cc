// Programs and archives in labels, annotations and variables.
//
// Nobody runs a label, but nobody looks at it either: a program in base64 in an annotation travels with the image, past every scanner of files, to whoever knows where to look. What is
// decoded is audited like any file; this says that it is there.
#include <array>
#include <string>

#include "base/text.h"
#include "detect/detector.h"
#include "detect/text_context_support.h"

namespace lazaret::detect {
namespace {

constexpr Rule rules[] = {
    {"hidden-content.payload-in-metadata", Category::hidden_content, Severity::medium, Confidence::high, "Program or archive in the image's metadata",
     "A label, annotation, variable or document holds a program, script or archive in encoded form. Signatures and attestations are encoded too, but are none of these.",
     "Find out who put it there and what reads it.", {"T1027.009"}},
};

bool is_payload(const format::FileType& type) {
  using format::FileKind;
  switch (type.kind) {
    case FileKind::elf:
    case FileKind::pe:
    case FileKind::macho:
    case FileKind::java_class:
    case FileKind::script:
    case FileKind::gzip:
    case FileKind::zstd:
    case FileKind::xz:
    case FileKind::bzip2:
    case FileKind::zip:
    case FileKind::tar:
    case FileKind::cpio:
    case FileKind::ar:
    case FileKind::rpm:
    case FileKind::seven_zip: return true;
    default: return false;
  }
}

void inspect(const FileView& file, FileReport& report) {
  // Decoded once; what lies deeper belongs to the same payload.
  if (file.nesting != 1 || (file.origin != Origin::metadata && file.origin != Origin::environment) || !is_payload(file.type)) return;
  FileFinding finding;
  finding.rule = &rules[0];
  finding.evidence = std::string(format::name_of(file.type.kind)) + " of " + std::to_string(file.file_size) + " bytes";
  if (file.type.kind == format::FileKind::script) finding.evidence += ": " + evidence_of(file.text(), 0, 80);
  report.add(std::move(finding));
}

}  // namespace

extern const Detector metadata_payload_detector;
const Detector metadata_payload_detector = {.name = "metadata-payload",
                                            .summary = "Finds programs and archives that labels, annotations, variables and documents of the image carry in encoded form.",
                                            .rules = rules,
                                            .patterns = {},
                                            .kinds = {format::FileKind::script},
                                            .trigger = Trigger::always,
                                            .inspect = inspect};

}  // namespace lazaret::detect
