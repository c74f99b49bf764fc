// What the detectors of secrets share: telling a secret from a placeholder, and showing one without giving it away.
//
// A report is mailed, attached to tickets and printed by CI; a secret in it would be one more leak. So evidence never holds a secret, only its beginning and end.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "detect/detector.h"

namespace lazaret::detect {

// Kinds of files in which a secret is read where it stands. What is in archives is looked at by itself, and would be found twice.
constexpr format::KindSet secret_kinds() {
  using format::FileKind;
  return {FileKind::text, FileKind::script, FileKind::json, FileKind::xml, FileKind::pem, FileKind::data, FileKind::elf, FileKind::pe, FileKind::java_class, FileKind::python_bytecode, FileKind::sqlite};
}

// The first four and last two characters ("ghp_...17, 40 characters"); of short ones less, of very short ones nothing but the length.
std::string redact(std::string_view secret);

// Entropy of single bytes, in bits for each. Random base64 of 40 characters has about 4.7, a word of a language about 3.
double entropy_of(std::string_view text);

// True for what documentation and templates write where a secret goes: "changeme", "xxxx", "<token>", "${TOKEN}", "AKIAIOSFODNN7EXAMPLE".
bool is_placeholder(std::string_view value);

// True when some part of the path is a folder of tests, fixtures or examples.
bool is_test_path(std::string_view path);

// The name to which the value that begins at `begin` is assigned (NAME=value, "name": "value", name: value), "" when there is none.
std::string_view name_before(std::string_view text, std::size_t begin);

// True when a variable of this name holds a password, token or key itself, and not its place (..._FILE), age or kind.
bool names_secret(std::string_view name);

// "NAME=value" in a step of the build history: ENV and ARG instructions, and the arguments that BuildKit puts in front of a RUN ("|2 NAME=value OTHER=value /bin/sh -c ..."). Views into
// `step`.
struct Assignment {
  std::string_view name, value;
};
std::vector<Assignment> assignments_of_step(std::string_view step);

// "user:password" in a URL: https://user:password@host/.
struct UrlCredentials {
  std::size_t begin = 0;  // of the password, in the text
  std::string_view user, password, host;
};
std::vector<UrlCredentials> find_url_credentials(std::string_view text, std::size_t limit);

// A finding of a secret at [begin, end) of the text: evidence is its name, when it has one, and the redacted value.
FileFinding secret_at(const Rule& rule, const FileView& file, std::size_t begin, std::size_t end);

// `text` with everything that is recognizably a secret replaced: passwords in URLs, values of variables that are named after secrets, tokens with well-known beginnings. For text of an image
// that is shown for another reason (created_by).
std::string redact_secrets(std::string_view text);

// The letters of which tokens consist: A-Z a-z 0-9 _ -
bool is_token_letter(char c);

// True for tokens that their first letters give away (ghp_, xoxb-, AKIA, ...).
bool begins_like_token(std::string_view text);

}  // namespace lazaret::detect
