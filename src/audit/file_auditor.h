// One file's bytes -> findings, and round again for everything nested or encoded in it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "audit/layer_audit.h"
#include "audit/ruleset.h"
#include "base/limits.h"
#include "format/elf.h"

namespace lazaret::audit {

// What auditing some files gave, in the order of the files.
struct FileOutcome {
  std::vector<LayerFinding> findings;
  std::vector<std::pair<detect::Indicator, std::string>> indicators;
  std::vector<LayerIncomplete> incomplete;
  std::vector<KeptFile> kept;
  std::vector<FileDigest> digests;
  std::vector<Trait> traits;
  std::uint64_t bytes = 0, files = 0;
};

// A file of a layer, or one window of it.
struct FileInput {
  std::uint64_t entry = LayerFinding::no_entry;
  std::string path;
  Bytes content;
  std::uint64_t content_offset = 0, file_size = 0;
  bool first = true, last = true;
  format::FileType type;
  detect::Origin origin = detect::Origin::file;
  std::uint32_t mode = 0, uid = 0, gid = 0;
  bool md5_wanted = false, sha1_wanted = false;  // for FileOutcome::digests, when `content` is the whole file
  ContentDigest* content_digest = nullptr;  // filled in when `content` is the whole file
  // The text as the image runs it: then only the detectors of text look at it, and what its commands come to. The file itself was audited with its layer.
  const format::ShellScript* script = nullptr;
  Digest sha256, md5;                       // of the whole file, when they are known already
  // Of a file in windows, when there are YARA rules: shared by all of its windows, which may be audited by several threads. Whoever made it asks it in the end.
  std::shared_ptr<engine::YaraWindows> yara_windows;
};

// Not thread-safe; cheap to make. `ruleset` and `limits` must outlive it.
class FileAuditor {
 public:
  FileAuditor(const Ruleset& ruleset, const Limits& limits, FileOutcome& outcome);
  ~FileAuditor();

  void audit(const FileInput& file);

  // Bytes that stand somewhere in a blob without being a file of it (padding, trailing data, a zstd skippable frame): audited as a file
  // named after what they are, with the finding that they are there.
  void audit_side_content(std::string_view what, std::uint64_t offset, Bytes bytes);

  // A parser's diagnostic about the file (or, with an empty path, about the blob itself).
  void add_diagnostic(const Diagnostic& diagnostic, std::uint64_t entry, const std::string& path);

  // One file in a stream of unknown content: feed the bytes of a large compressed or archived file in order. Used for files that are
  // too large to be held whole.
  class Stream;
  std::unique_ptr<Stream> open_stream(const FileInput& file);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

class FileAuditor::Stream {
 public:
  virtual ~Stream() = default;
  virtual void feed(Bytes bytes) = 0;
  virtual void finish() = 0;
};

// For FileInput::yara_windows; null without YARA rules. And what is incomplete when a rule may match a file that was not held whole.
std::unique_ptr<engine::YaraWindows> open_yara_windows(const Ruleset& ruleset, std::string_view path, format::FileKind kind, Bytes head);
extern const std::string_view too_large_for_yara;

// True when the merge needs the text of this file: see KeptFile.
bool is_kept(std::string_view path, const format::FileType& type, std::uint64_t size, std::uint32_t mode);

}  // namespace lazaret::audit
