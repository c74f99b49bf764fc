// What a file is, decided from its first bytes.
//
// The order of the questions matters where a file could be two things: what a kernel or an interpreter would run comes first (ELF, "#!"), then
// containers, then text. Names decide only the language of a text, never the kind: an attacker picks names.
#include "format/file_kind.h"

#include <algorithm>
#include <optional>
#include <array>
#include <cstring>

#include "base/text.h"
#include "format/tar.h"

namespace lazaret::format {
namespace {

using namespace std::string_view_literals;

struct Magic {
  std::string_view bytes;
  std::size_t offset;
  FileKind kind;
};

constexpr std::array magics = {
    Magic{"\x7f""ELF"sv, 0, FileKind::elf},
    Magic{"PK\x03\x04"sv, 0, FileKind::zip},
    Magic{"PK\x05\x06"sv, 0, FileKind::zip},
    Magic{"\x1f\x8b\x08"sv, 0, FileKind::gzip},
    Magic{"\x28\xb5\x2f\xfd"sv, 0, FileKind::zstd},
    Magic{"\xfd""7zXZ\0"sv, 0, FileKind::xz},
    Magic{"BZh"sv, 0, FileKind::bzip2},
    Magic{"!<arch>\n"sv, 0, FileKind::ar},
    Magic{"!<thin>\n"sv, 0, FileKind::ar},
    Magic{"070701"sv, 0, FileKind::cpio},
    Magic{"070702"sv, 0, FileKind::cpio},
    Magic{"070707"sv, 0, FileKind::cpio},
    Magic{"\xed\xab\xee\xdb"sv, 0, FileKind::rpm},
    Magic{"7z\xbc\xaf\x27\x1c"sv, 0, FileKind::seven_zip},
    Magic{"Rar!\x1a\x07"sv, 0, FileKind::rar},
    Magic{"MSCF\0\0\0\0"sv, 0, FileKind::cab},
    Magic{"hsqs"sv, 0, FileKind::squashfs},
    Magic{"sqsh"sv, 0, FileKind::squashfs},
    Magic{"\x89PNG\r\n\x1a\n"sv, 0, FileKind::image},
    Magic{"\xff\xd8\xff"sv, 0, FileKind::image},
    Magic{"GIF87a"sv, 0, FileKind::image},
    Magic{"GIF89a"sv, 0, FileKind::image},
    Magic{"II*\0"sv, 0, FileKind::image},
    Magic{"MM\0*"sv, 0, FileKind::image},
    Magic{"WEBP"sv, 8, FileKind::image},
    Magic{"ftyp"sv, 4, FileKind::audio_video},
    Magic{"OggS"sv, 0, FileKind::audio_video},
    Magic{"ID3"sv, 0, FileKind::audio_video},
    Magic{"fLaC"sv, 0, FileKind::audio_video},
    Magic{"WAVE"sv, 8, FileKind::audio_video},
    Magic{"\x1a\x45\xdf\xa3"sv, 0, FileKind::audio_video},
    Magic{"wOFF"sv, 0, FileKind::font},
    Magic{"wOF2"sv, 0, FileKind::font},
    Magic{"OTTO"sv, 0, FileKind::font},
    Magic{"\0\1\0\0\0"sv, 0, FileKind::font},
    Magic{"ttcf"sv, 0, FileKind::font},
    Magic{"%PDF-"sv, 0, FileKind::pdf},
    Magic{"SQLite format 3\0"sv, 0, FileKind::sqlite},
    Magic{"\0asm\1\0\0\0"sv, 0, FileKind::wasm},
    Magic{"\x62\x31\x05\0"sv, 12, FileKind::berkeley_db},
    Magic{"\x61\x15\x06\0"sv, 12, FileKind::berkeley_db},
};

bool begins_with(Bytes head, std::string_view magic, std::size_t offset = 0) {
  return head.size() >= offset + magic.size() && as_text(head.subspan(offset, magic.size())) == magic;
}

// The old binary cpio has a magic number of two bytes, which one in 32,768 random contents (a decoded checksum) has too: its first header must
// also name a file, with the NUL that ends the name where the header says.
bool begins_binary_cpio(Bytes head, std::uint64_t size) {
  constexpr std::size_t header_size = 26, name_size_offset = 20, longest_name = 4096;
  if (head.size() < header_size) return false;
  const bool little = head[0] == 0xc7 && head[1] == 0x71, big = head[0] == 0x71 && head[1] == 0xc7;
  if (!little && !big) return false;
  const std::size_t name_size = little ? *read_le<std::uint16_t>(head, name_size_offset) : *read_be<std::uint16_t>(head, name_size_offset);
  if (name_size < 2 || name_size > longest_name || header_size + name_size > size) return false;
  const std::string_view name = as_text(head.subspan(header_size, std::min(name_size, head.size() - header_size)));
  const auto end = name.find('\0');
  return name.size() < name_size ? end == std::string_view::npos : end == name_size - 1;
}

std::optional<FileKind> binary_kind(Bytes head, std::uint64_t size) {
  for (const Magic& magic : magics) {
    if (begins_with(head, magic.bytes, magic.offset)) {
      if (magic.kind == FileKind::bzip2 && (head.size() < 10 || head[3] < '1' || head[3] > '9' || as_text(head.subspan(4, 3)) != "1AY")) continue;
      return magic.kind;
    }
  }
  if (begins_with(head, "MZ")) {
    const auto offset = read_le<std::uint32_t>(head, 0x3c);
    if (offset && *offset < size) return FileKind::pe;
  }
  if (const auto word = read_be<std::uint32_t>(head, 0)) {
    if (*word == 0xfeedfaceu || *word == 0xfeedfacfu || *word == 0xcefaedfeu || *word == 0xcffaedfeu) return FileKind::macho;
    if (*word == 0xcafebabeu) {
      // A Java class has its version where a universal Mach-O has a small number of architectures.
      return read_be<std::uint32_t>(head, 4).value_or(0) < 40 ? FileKind::macho : FileKind::java_class;
    }
  }
  // Skippable zstd frame in front.
  if (head.size() >= 4 && (head[0] & 0xf0) == 0x50 && head[1] == 0x2a && head[2] == 0x4d && head[3] == 0x18) return FileKind::zstd;
  // CPython: a version-dependent word, then "\r\n"; the flags behind it are small.
  if (head.size() >= 16 && head[2] == '\r' && head[3] == '\n' && head[0] != 0 && head[4] < 4 && head[5] == 0 && head[6] == 0 && head[7] == 0) return FileKind::python_bytecode;
  // lzma-alone: properties, then a power-of-two dictionary, then a size that is unknown or sane.
  if (head.size() >= 13 && head[0] == 0x5d && head[1] == 0 && head[2] == 0 && (head[3] & (head[3] - 1)) == 0 && head[4] <= 8) {
    const auto unpacked = read_le<std::uint64_t>(head, 5);
    if (*unpacked == ~0ull || *unpacked < 1ull << 40) return FileKind::lzma;
  }
  if (begins_binary_cpio(head, size)) return FileKind::cpio;
  if (looks_like_tar(head) && head[0] != 0) return FileKind::tar;
  return std::nullopt;
}

enum class TextKind { none, plain, utf16 };

TextKind text_kind(Bytes head) {
  if (begins_with(head, "\xff\xfe") || begins_with(head, "\xfe\xff")) return TextKind::utf16;
  // Counted without a branch for each byte: most files of an image are text.
  constexpr std::uint32_t odd_one = 1, high_one = 1 << 16;  // of up to 4096 bytes
  static constexpr auto weights = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::size_t byte = 0; byte < 256; ++byte) {
      if (byte >= 0x80) table[byte] = high_one;
      if (byte < 0x20 && byte != '\n' && byte != '\r' && byte != '\t' && byte != '\f' && byte != 0x1b && byte != '\b') table[byte] = odd_one;
    }
    return table;
  }();
  if (std::memchr(head.data(), 0, head.size()) != nullptr) return TextKind::none;
  std::uint64_t odd = 0, high = 0;
  for (Bytes rest = head; !rest.empty();) {
    const Bytes part = rest.first(std::min<std::size_t>(rest.size(), 4096));
    std::uint32_t sum = 0;
    for (const std::uint8_t byte : part) sum += weights[byte];
    odd += sum % high_one;
    high += sum / high_one;
    rest = rest.subspan(part.size());
  }
  // A few control characters stand in honest text (form feeds, escapes, terminal sequences).
  if (odd * 50 > head.size()) return TextKind::none;
  // High bytes: UTF-8 or a mostly readable 8-bit code page; the last character of the head may be cut.
  if (high == 0) return TextKind::plain;
  for (std::size_t cut = 0; cut < 4 && cut < head.size(); ++cut) {
    if (is_utf8(as_text(head.first(head.size() - cut)))) return TextKind::plain;
  }
  return high * 4 < head.size() ? TextKind::plain : TextKind::none;
}

Language language_of_program(std::string_view program) {
  const auto slash = program.rfind('/');
  if (slash != std::string_view::npos) program.remove_prefix(slash + 1);
  // python3.11 -> python, lua5.4 -> lua
  const auto is = [&](std::string_view name) {
    if (!program.starts_with(name)) return false;
    const std::string_view rest = program.substr(name.size());
    return rest.find_first_not_of("0123456789.-") == std::string_view::npos;
  };
  for (const std::string_view name : {"sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "rbash", "fish", "busybox"}) {
    if (is(name)) return Language::shell;
  }
  if (is("python") || is("pypy")) return Language::python;
  if (is("perl")) return Language::perl;
  if (is("php")) return Language::php;
  if (is("ruby") || is("jruby")) return Language::ruby;
  if (is("lua") || is("luajit")) return Language::lua;
  if (is("node") || is("nodejs") || is("deno") || is("bun")) return Language::node;
  if (is("awk") || is("gawk") || is("mawk")) return Language::awk;
  if (is("tclsh") || is("wish") || is("expect")) return Language::tcl;
  if (is("pwsh")) return Language::powershell;
  return Language::none;
}

// "#!/usr/bin/env -S VAR=1 python3 -u" names python.
Language language_of_shebang(std::string_view line) {
  line.remove_prefix(2);
  bool env = false;
  while (!line.empty()) {
    const auto begin = line.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos) break;
    line.remove_prefix(begin);
    const std::string_view word = line.substr(0, line.find_first_of(" \t\r"));
    line.remove_prefix(word.size());
    if (!env && (word == "env" || word.ends_with("/env"))) {
      env = true;
      continue;
    }
    if (env && (word.starts_with('-') || word.find('=') != std::string_view::npos)) continue;
    return language_of_program(word);
  }
  return Language::none;
}

Language language_of_path(std::string_view path) {
  const auto slash = path.rfind('/');
  const std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  const auto contains = [&](std::string_view part) { return path.find(part) != std::string_view::npos; };
  if (contains("/etc/cron.d/") || path.ends_with("/etc/crontab") || contains("/var/spool/cron/") || contains("/etc/crontabs/")) return Language::crontab;
  if (name == "Dockerfile" || name.starts_with("Dockerfile.") || name == "Containerfile" || name.ends_with(".dockerfile")) return Language::dockerfile;
  if (name == ".bashrc" || name == ".profile" || name == ".bash_profile" || name == "bash.bashrc" || name == "profile" || name == "rc.local") return Language::shell;
  const auto dot = name.rfind('.');
  if (dot == std::string_view::npos) return Language::none;
  const std::string extension = to_lower(name.substr(dot + 1));
  static constexpr std::array<std::pair<std::string_view, Language>, 32> table = {{
      {"sh", Language::shell},        {"bash", Language::shell},   {"zsh", Language::shell},     {"ksh", Language::shell},     {"py", Language::python},
      {"pyw", Language::python},      {"pth", Language::python},   {"pl", Language::perl},       {"pm", Language::perl},       {"cgi", Language::perl},
      {"php", Language::php},         {"php5", Language::php},     {"phtml", Language::php},     {"inc", Language::php},       {"rb", Language::ruby},
      {"lua", Language::lua},         {"js", Language::node},      {"mjs", Language::node},      {"cjs", Language::node},      {"ts", Language::node},
      {"awk", Language::awk},         {"tcl", Language::tcl},      {"ps1", Language::powershell}, {"java", Language::java},    {"jsp", Language::java},
      {"groovy", Language::java},     {"go", Language::go},        {"c", Language::c},           {"h", Language::c},           {"cc", Language::c},
      {"service", Language::systemd_unit}, {"timer", Language::systemd_unit},
  }};
  for (const auto& [known, language] : table) {
    if (extension == known) return language;
  }
  return Language::none;
}

// Text without a "#!" line whose lines are plainly shell: scripts that hide behind another name, such as logo3.jpg.
bool reads_as_shell(std::string_view text) {
  static constexpr std::array commands = {"curl ", "wget ", "chmod ", "crontab ", "export ", "nohup ", "echo ", "rm -", "cd ", "sudo ", "apt-get ", "apk ", "sleep ",
                                          "kill ", "pkill ", "if [", "while ", "for ", "mkdir ", "set -", "exec ", "ps aux", "ps -", "systemctl ", "bash ", "sh "};
  std::size_t lines = 0, hits = 0;
  while (!text.empty() && lines < 40) {
    const std::string_view line = trim(text.substr(0, text.find('\n')));
    text.remove_prefix(std::min(text.size(), text.find('\n') == std::string_view::npos ? text.size() : text.find('\n') + 1));
    if (line.empty() || line[0] == '#') continue;
    ++lines;
    for (const std::string_view command : commands) {
      if (line.starts_with(command)) {
        ++hits;
        break;
      }
    }
  }
  return hits >= 2 && hits * 3 >= lines;
}

bool begins_ignoring_case(std::string_view text, std::string_view start) {
  return text.size() >= start.size() && equals_ignore_case(text.substr(0, start.size()), start);
}

FileType classify_text(std::string_view text, std::string_view path) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  if (text.starts_with("#!")) {
    const std::string_view line = text.substr(0, text.find('\n'));
    const Language language = language_of_shebang(line);
    return {FileKind::script, language != Language::none ? language : language_of_path(path)};
  }
  const auto first = text.find_first_not_of(" \t\r\n");
  const std::string_view body = first == std::string_view::npos ? std::string_view() : text.substr(first);
  if (body.starts_with("<?php") || body.starts_with("<?=")) return {FileKind::script, Language::php};
  const Language named = language_of_path(path);
  if (body.starts_with("-----BEGIN ")) return {FileKind::pem, named};
  if (begins_ignoring_case(body, "<?xml") || begins_ignoring_case(body, "<!doctype") || begins_ignoring_case(body, "<html") || begins_ignoring_case(body, "<svg")) {
    return {FileKind::xml, named};
  }
  if (body.starts_with('{') || body.starts_with('[')) {
    const auto next = body.find_first_not_of(" \t\r\n", 1);
    const char c = next == std::string_view::npos ? '\0' : body[next];
    const bool json = body[0] == '{' ? c == '"' || c == '}' || c == '/' : c == '"' || c == '{' || c == '[' || c == ']' || c == '-' || (c >= '0' && c <= '9');
    // "[Unit]" is no JSON, nor is "[ -f x ] && ...".
    if (json && named == Language::none) return {FileKind::json, Language::none};
  }
  if (named == Language::none && (body.starts_with("[Unit]") || body.starts_with("[Service]"))) return {FileKind::text, Language::systemd_unit};
  if (named == Language::none && reads_as_shell(body)) return {FileKind::text, Language::shell};
  return {FileKind::text, named};
}

}  // namespace

FileType classify(Bytes head, std::uint64_t size, std::string_view path) {
  if (size == 0 || head.empty()) return {FileKind::empty, Language::none};
  if (const auto kind = binary_kind(head, size)) return {*kind, Language::none};
  switch (text_kind(head)) {
    case TextKind::utf16: return {FileKind::text, language_of_path(path)};
    case TextKind::plain: return classify_text(as_text(head), path);
    case TextKind::none: break;
  }
  // A "#!" line makes a script of anything: the kernel does not look further.
  if (begins_with(head, "#!")) return {FileKind::script, language_of_shebang(as_text(head).substr(0, as_text(head).find('\n')))};
  return {FileKind::data, Language::none};
}

std::string_view name_of(FileKind kind) {
  static constexpr std::array<std::string_view, file_kind_count> names = {
      "empty", "data", "text", "script", "json", "xml", "elf", "pe", "macho", "java-class", "python-bytecode", "wasm", "gzip", "zstd", "xz", "bzip2", "lzma",
      "zip", "tar", "cpio", "ar", "rpm", "7z", "rar", "cab", "iso", "squashfs", "image", "audio-video", "font", "pdf", "sqlite", "berkeley-db", "pem"};
  return names[static_cast<std::size_t>(kind)];
}

std::string_view name_of(Language language) {
  static constexpr std::array<std::string_view, 17> names = {"", "shell", "python", "perl", "php", "ruby", "lua", "node", "awk", "tcl", "powershell", "java", "go", "c",
                                                            "crontab", "systemd-unit", "dockerfile"};
  return names[static_cast<std::size_t>(language)];
}

bool is_text(FileKind kind) { return KindSet::texts().contains(kind); }

}  // namespace lazaret::format
