// What a file is, told from its bytes and never from its name.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "base/bytes.h"

namespace lazaret::format {

enum class FileKind : std::uint8_t {
  empty,
  data,    // none of the others
  text,    // readable text (UTF-8, UTF-16, Latin-1) of no particular kind
  script,  // text that an interpreter runs: a #! line, or the unmistakable beginnings of one
           // (<?php, ...)
  json,
  xml,  // also HTML, SVG
  elf,
  pe,
  macho,
  java_class,
  python_bytecode,
  wasm,
  // Containers of other files: the audit goes on inside.
  gzip,
  zstd,
  xz,
  bzip2,
  lzma,
  zip,
  tar,
  cpio,
  ar,
  rpm,
  seven_zip,
  rar,
  cab,
  iso,
  squashfs,
  // Media and documents.
  image,
  audio_video,
  font,
  pdf,
  sqlite,
  berkeley_db,
  pem,  // begins with -----BEGIN
};
inline constexpr unsigned file_kind_count = static_cast<unsigned>(FileKind::pem) + 1;

// The language of a script, or of a text whose beginning or name says so (then it is still judged
// by what it contains).
enum class Language : std::uint8_t {
  none,
  shell,
  python,
  perl,
  php,
  ruby,
  lua,
  node,
  awk,
  tcl,
  powershell,
  java,
  go,
  c,
  crontab,
  systemd_unit,
  dockerfile,
};

struct FileType {
  FileKind kind = FileKind::data;
  Language language = Language::none;
};

// `head`: the first bytes of the file (4 KiB decide everything but tar with leading junk); `size`:
// of the whole file. `path` is used for Language only (".py", "Dockerfile", "/etc/cron.d/x"), never
// for FileKind.
FileType classify(Bytes head, std::uint64_t size, std::string_view path);

// "elf", "script", ... as shown in reports.
std::string_view name_of(FileKind kind);
std::string_view name_of(Language language);

// True for kinds whose bytes are meant to be read as text.
bool is_text(FileKind kind);

// A set of kinds, for detectors that say what they look at.
class KindSet {
 public:
  constexpr KindSet() = default;
  constexpr KindSet(std::initializer_list<FileKind> kinds) {
    for (const FileKind kind : kinds) bits_ |= 1ull << static_cast<unsigned>(kind);
  }
  constexpr bool contains(FileKind kind) const {
    return (bits_ >> static_cast<unsigned>(kind) & 1) != 0;
  }
  static constexpr KindSet all() {
    KindSet set;
    set.bits_ = ~0ull;
    return set;
  }
  // text, script, json, xml, pem
  static constexpr KindSet texts() {
    return {FileKind::text, FileKind::script, FileKind::json, FileKind::xml, FileKind::pem};
  }

 private:
  std::uint64_t bits_ = 0;
};

}  // namespace lazaret::format
