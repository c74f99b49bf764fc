// A detector: one file of this folder, one constant of type Detector, found by the build.
//
// To add one, write src/detect/<name>.cc that defines `extern const Detector <name>_detector` (file
// name and identifier use the same words, hyphens as underscores) and <name>_test.cc beside it.
// Nothing else is edited: the build lists every file of the folder that is not a test and is not
// named in detect/CMakeLists.txt as a helper.
//
// A detector is a pure function of what it is given: no I/O, no clock, no network, no global state,
// no exceptions. The bytes it sees are hostile. It runs on many threads at once.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/digest.h"
#include "detect/finding.h"
#include "engine/pattern.h"
#include "format/elf.h"
#include "format/file_kind.h"
#include "format/image.h"
#include "format/shell.h"

namespace lazaret::detect {

// Where the bytes of a FileView come from.
enum class Origin : std::uint8_t {
  file,         // an entry of a layer, or something nested in one
  config,       // a command of the image config: path is "config.Entrypoint", "config.Cmd",
                // "config.Healthcheck", ...
  environment,  // the value of a variable of config.Env: path is "config.Env.NAME"
  history,   // created_by of a history entry: path is "history[3]". It ran at build time; it does
             // not run in the container
  metadata,  // labels, annotations, other strings of the documents
};

// One file, or one window of a file too large to be held whole. Everything in it is valid during
// the call only.
struct FileView {
  // Absolute path in the root file system ("/run.sh"), or for nested content the name inside its
  // container, or the config path.
  std::string_view path;
  Bytes content;
  std::uint64_t content_offset = 0;  // of `content` in the file: 0 unless this is a later window
  std::uint64_t file_size = 0;       // equals content.size() when the file is whole
  format::FileType type;             // of the whole file
  Origin origin = Origin::file;
  std::uint32_t mode = 0;  // permission bits of the tar entry, 0 where there are none
  std::uint32_t uid = 0, gid = 0;
  unsigned nesting = 0;  // 0: directly in a layer
  Digest sha256;         // of the file; empty for windows
  // Hits of this detector's own patterns, ordered by end offset.
  std::span<const engine::PatternHit> hits;
  // The parsed ELF file; null when type.kind is not elf. For windows it was parsed from the first
  // window.
  const format::ElfFile* elf = nullptr;
  // The parsed text when the image starts it, with what is known then of its variables, arguments
  // and files; null when the file is looked at by itself.
  const format::ShellScript* script = nullptr;

  std::string_view text() const { return as_text(content); }
  bool whole() const { return content.size() == file_size; }
};

// Collects the findings of one inspect() call.
class FileReport {
 public:
  virtual ~FileReport() = default;
  virtual void add(FileFinding finding) = 0;
  // Something that may tie images together, without being a finding.
  virtual void add_indicator(Indicator indicator, std::uint64_t offset) = 0;
  // Text that the file would produce when it runs (a decoded string, a here-document): goes through
  // all detectors again, with `step` ("base64", "eval") added to the chain of what is found in it.
  virtual void add_derived(std::string content, std::string step, std::uint64_t offset) = 0;
  // A part of the file could not be looked at: the audit is incomplete, for this reason. What
  // collects findings only need not care.
  virtual void add_unaudited(std::uint64_t /*bytes*/, std::string /*reason*/) {}
};

// What is visible at one path of the final root file system.
struct RootEntry {
  std::string_view path;
  std::size_t layer = 0;  // index in the manifest's layers
  std::uint32_t mode = 0, uid = 0, gid = 0;
  std::uint64_t size = 0;
  std::string capabilities;  // value of the extended attribute security.capability, raw
  format::FileType type;
  bool is_directory = false, is_symlink = false;
  std::string_view link_target;
};

// The distribution package that claims a file, as far as the image's own package database says.
struct PackageOwner {
  std::string_view manager, name, version;  // "dpkg", "openssh-server", "1:9.2p1-2"; valid as long as the view
  bool unmodified = false;  // the content is what the database says, and nothing speaks against the database
  bool known_base = false;  // and the database stands in a known base image: no publisher wrote it
};

// The image after the merge, for detectors that judge more than one file.
class ImageView {
 public:
  virtual ~ImageView() = default;
  virtual const std::string& reference()
      const = 0;  // "docker.io/alice/tomcat:latest", or "" for a file without a name
  virtual const format::ManifestDescription& manifest() const = 0;
  // Of the document that the reference stands for: the index, or the manifest itself. Empty when the
  // form of the image has none.
  virtual Digest digest() const { return {}; }
  // Follows symlinks inside the root. Nothing when the path is not visible in the end.
  virtual std::optional<RootEntry> find(std::string_view path) const = 0;
  virtual void for_each(const std::function<void(const RootEntry&)>& visit) const = 0;
  // The text of a script or small configuration file that is visible at `path`, as kept by the
  // layer audit; nothing when it was not kept (binary, or too large).
  virtual std::optional<std::string_view> script_text(std::string_view path) const = 0;
  // The package that claims the program, library or script visible at `path`; nothing for other files and where no package does.
  virtual std::optional<PackageOwner> package_of(std::string_view path) const {
    (void)path;
    return std::nullopt;
  }
  // Whether the layer with this index lies above the known base image; true for all layers when no base is known.
  virtual bool added_by_publisher(std::size_t layer) const {
    (void)layer;
    return true;
  }
};

struct ImageFinding {
  const Rule* rule = nullptr;
  std::string path;  // "" when the finding is about the image as a whole
  std::string evidence;
  std::vector<std::string> chain;
  std::vector<Indicator> indicators;
  std::optional<Severity> severity;
  std::optional<Confidence> confidence;
};

enum class Trigger : std::uint8_t {
  on_hit,  // inspect() is called for files in which at least one of the patterns matched
  always,  // inspect() is called for every file of the kinds
};

struct Detector {
  std::string_view name;     // "reverse-shell-bash"
  std::string_view summary;  // one sentence for `lazaret rules`
  std::span<const Rule> rules;
  std::span<const engine::Pattern> patterns;
  format::KindSet kinds;  // file kinds it looks at; commands of the config count as `script`
  Trigger trigger = Trigger::on_hit;
  void (*inspect)(const FileView& file, FileReport& report) = nullptr;
  void (*inspect_image)(const ImageView& image, std::vector<ImageFinding>& findings) = nullptr;
  // For patterns that are made from data when they are first asked for; then `patterns` stays
  // empty. What it gives lives as long as the process.
  std::span<const engine::Pattern> (*late_patterns)() = nullptr;
};

// The detector's patterns, wherever they come from.
inline std::span<const engine::Pattern> patterns_of(const Detector& detector) {
  return detector.late_patterns != nullptr ? detector.late_patterns() : detector.patterns;
}

// Every detector of this build, ordered by name. The vector lives as long as the process.
const std::vector<const Detector*>& all_detectors();

}  // namespace lazaret::detect
