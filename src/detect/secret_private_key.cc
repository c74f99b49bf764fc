// Private keys: PEM (RFC 7468), OpenSSH (PROTOCOL.key), PuTTY, PGP.
//
// A heading is no key: documentation, parsers and scanners are full of them. A key is a heading, base64 to the matching end, and bytes in it that are what the heading says: one DER
// SEQUENCE that fills the body, or OpenSSH's magic, or a packet of PGP.
#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "base/base64.h"
#include "base/text.h"
#include "detect/detector.h"
#include "detect/secret_support.h"
#include "detect/text_context_support.h"

namespace lazaret::detect {
namespace {

constexpr std::string_view advice = "Treat the key as public: replace it, remove it from the image and mount it at run time. Deleting it in a later layer does not remove it.";

constexpr Rule rules[] = {
    {"exposed-secret.private-key", Category::exposed_secret, Severity::high, Confidence::high, "Private key",
     "Everybody who can pull the image has this key and whatever it opens. Test keys of libraries look the same; they belong to an unmodified package, or lie in a folder of tests.", advice, {"T1552.004"}},
    {"exposed-secret.private-key-encrypted", Category::exposed_secret, Severity::low, Confidence::high, "Private key under a password",
     "Everybody who can pull the image can try passwords on this key, for as long as he likes.", advice, {"T1552.004"}},
};

constexpr engine::Pattern patterns[] = {engine::literal("PRIVATE KEY-----"), engine::literal("PRIVATE KEY BLOCK-----"), engine::literal("PuTTY-User-Key-File-")};

constexpr std::size_t longest_key = 64 << 10;

// A DER SEQUENCE (X.690) that is as long as the bytes are, but for a few of padding.
bool is_sequence(std::string_view der) {
  if (der.size() < 16 || der[0] != 0x30) return false;
  std::size_t length = static_cast<std::uint8_t>(der[1]), head = 2;
  if (length >= 0x80) {
    const std::size_t bytes = length & 0x7f;
    if (bytes == 0 || bytes > 3 || der.size() < 2 + bytes) return false;
    length = 0;
    for (std::size_t i = 0; i < bytes; ++i) length = length << 8 | static_cast<std::uint8_t>(der[2 + i]);
    head += bytes;
  }
  return length + head <= der.size() && der.size() - length - head <= 3;
}

struct Key {
  std::size_t begin = 0, end = 0;  // in the text
  bool encrypted = false;
  std::string kind;
};

// The key whose heading ends at `heading_end` ("...PRIVATE KEY-----").
std::optional<Key> read_pem(std::string_view text, std::size_t heading_end) {
  constexpr std::string_view begin_mark = "-----BEGIN ", end_mark = "-----END ";
  const std::size_t from = heading_end > 80 ? heading_end - 80 : 0;
  const std::size_t begin = text.substr(0, heading_end).rfind(begin_mark);
  if (begin == std::string_view::npos || begin < from) return std::nullopt;
  const std::string_view label = text.substr(begin + begin_mark.size(), heading_end - begin - begin_mark.size() - 5);
  if (label.find('-') != std::string_view::npos || label.find('\n') != std::string_view::npos) return std::nullopt;
  const std::string closing = std::string(end_mark) + std::string(label) + "-----";
  const std::size_t end = text.substr(0, std::min(text.size(), heading_end + longest_key)).find(closing, heading_end);
  if (end == std::string_view::npos) return std::nullopt;

  // In JSON, YAML and source code line ends are written as \n, and lines stand in quotes.
  std::string body;
  bool encrypted = label.find("ENCRYPTED") != std::string_view::npos;
  std::string_view rest = text.substr(heading_end, end - heading_end);
  std::string plain;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    if (rest[i] == '\\' && i + 1 < rest.size() && (rest[i + 1] == 'n' || rest[i + 1] == 'r')) {
      plain.push_back('\n');
      ++i;
    } else if (rest[i] == '"' || rest[i] == '\'' || rest[i] == '+' || rest[i] == ',') {
      // A plus sign is a letter of base64 too: only the one that joins strings stands between quotes.
      const bool joins = rest[i] == '+' && (i == 0 || rest[i - 1] == '"' || rest[i - 1] == '\'' || rest[i - 1] == ' ');
      plain.push_back(rest[i] == '+' && !joins ? '+' : ' ');
    } else {
      plain.push_back(rest[i]);
    }
  }
  for (std::string_view line : split(plain, '\n')) {
    line = trim(line);
    if (line.find(':') != std::string_view::npos) {  // Proc-Type, DEK-Info, Version, Comment
      if (contains_ignore_case(line, "ENCRYPTED")) encrypted = true;
      continue;
    }
    if (line.starts_with('=')) continue;  // the checksum of PGP
    for (const char c : line) {
      if (c == ' ' || c == '\t' || c == '\r') continue;
      if (c != '=' && base64_value(c) >= 64) return std::nullopt;
      body.push_back(c);
    }
  }
  const auto decoded = decode_base64(body);
  if (!decoded || decoded->size() < 32) return std::nullopt;
  const std::string_view bytes = *decoded;
  constexpr std::string_view openssh_magic("openssh-key-v1\0", 15);
  bool valid = false;
  if (label.starts_with("OPENSSH")) {
    valid = bytes.starts_with(openssh_magic);
    constexpr std::string_view no_cipher("\0\0\0\4none", 8);
    encrypted = valid && !bytes.substr(openssh_magic.size()).starts_with(no_cipher);
  } else if (label.starts_with("PGP")) {
    // Secret-key packet (RFC 4880, 4.2): tag 5, old or new format.
    const auto tag = static_cast<std::uint8_t>(bytes[0]);
    valid = (tag & 0xc0) == 0xc0 ? (tag & 0x3f) == 5 : (tag & 0x80) != 0 && (tag >> 2 & 0xf) == 5;
  } else {
    // The old form encrypts the bytes themselves, so that they have no structure.
    valid = is_sequence(bytes) || (encrypted && entropy_of(bytes) > 4.5);
  }
  if (!valid || entropy_of(bytes) < 3.5) return std::nullopt;
  return Key{begin, end + closing.size(), encrypted, std::string(label)};
}

std::optional<Key> read_putty(std::string_view text, std::size_t mark_end) {
  const std::string_view rest = text.substr(mark_end, 16 << 10);
  const std::size_t encryption = rest.find("\nEncryption: "), lines = rest.find("\nPrivate-Lines: "), mac = rest.find("\nPrivate-MAC: ");
  if (encryption == std::string_view::npos || lines == std::string_view::npos || mac == std::string_view::npos || lines > mac || encryption > lines) return std::nullopt;
  const std::size_t body = rest.find('\n', lines + 1);
  const auto decoded = decode_base64(rest.substr(body, mac - body));
  if (!decoded || decoded->size() < 32) return std::nullopt;
  return Key{mark_end - 20, mark_end + mac, !rest.substr(encryption + 13).starts_with("none"), "PuTTY key"};
}

// Libraries for encryption have keys in their code to test themselves with (GnuTLS, netty).
bool is_code(const FileView& file) {
  return file.type.kind == format::FileKind::elf || file.type.kind == format::FileKind::java_class || file.type.kind == format::FileKind::python_bytecode || file.type.kind == format::FileKind::pe;
}
bool is_program(const FileView& file) { return file.elf != nullptr && (file.elf->type == 2 || !file.elf->interpreter.empty()); }

// Keys that maintainer scripts make at installation, for certificates that nobody trusts and for a server that asks on first contact. All containers of an image share them, which is worth
// fixing, but they open nothing.
bool is_made_at_installation(std::string_view path) {
  for (const std::string_view known : {"/etc/ssl/private/ssl-cert-snakeoil.key", "/etc/dovecot/private/dovecot.pem", "/etc/dovecot/private/dovecot.key", "/etc/exim4/exim.key", "/etc/pki/tls/private/localhost.key"}) {
    if (path == known) return true;
  }
  return path.starts_with("/etc/ssh/ssh_host_") && path.ends_with("_key");
}

void inspect(const FileView& file, FileReport& report) {
  const std::string_view text = file.text();
  std::size_t done = 0;
  for (const engine::PatternHit& hit : file.hits) {
    if (hit.end > text.size() || hit.end < done || hit.end < 20) continue;
    const auto at = static_cast<std::size_t>(hit.end);
    const auto key = hit.pattern == 2 ? read_putty(text, at) : read_pem(text, at);
    if (!key) continue;
    done = key->end;
    FileFinding finding;
    finding.rule = &rules[key->encrypted ? 1 : 0];
    finding.offset = key->begin;
    finding.evidence = key->kind + (key->encrypted ? ", under a password" : "") + ", " + std::to_string(key->end - key->begin) + " bytes, sha256 " +
                       sha256(as_bytes(text.substr(key->begin, key->end - key->begin))).hex().substr(0, 16);
    if (is_test_path(file.path) || is_made_at_installation(file.path) || (file.origin == Origin::file && is_documentation(file.path))) finding.severity = Severity::low;
    else if (is_code(file)) finding.severity = is_program(file) ? Severity::medium : Severity::low;
    report.add(std::move(finding));
  }
}

}  // namespace

extern const Detector secret_private_key_detector;
const Detector secret_private_key_detector = {.name = "secret-private-key",
                                              .summary = "Finds private keys (PEM, OpenSSH, PuTTY, PGP) by what they decode to.",
                                              .rules = rules,
                                              .patterns = patterns,
                                              .kinds = secret_kinds(),
                                              .trigger = Trigger::on_hit,
                                              .inspect = inspect};

}  // namespace lazaret::detect
