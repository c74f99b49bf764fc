// Where in a text a hit stands: its line, what surrounds it, whether it is part of something that
// runs or only talked about.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "detect/detector.h"

namespace lazaret::detect {

bool is_word(char c);  // letter, digit or underscore (ASCII)

// The line that holds `offset`, without its line end; at most `limit` bytes to either side.
std::string_view line_at(std::string_view text, std::uint64_t offset, std::size_t limit = 400);

// Like line_at, with lines that end in a backslash joined to their next (shell, Dockerfile), so
// that one command is one piece.
std::string_view logical_line_at(std::string_view text, std::uint64_t offset,
                                 std::size_t limit = 4000);

// What a finding shows: the line around [begin, end), trimmed, cut to about 300 bytes with the
// match inside. In binaries the run of printable characters.
std::string evidence_of(std::string_view text, std::uint64_t begin, std::uint64_t end);

// True when neither neighbour of [begin, end) is one of `joining` or a word character, so that the
// match is a whole name and not the middle of a longer one.
bool stands_alone(std::string_view text, std::uint64_t begin, std::uint64_t end,
                  std::string_view joining = "");

// How much a mention in this file says.
enum class Role : std::uint8_t {
  runs,      // commands of the image, scripts, crontabs, units, executables, byte code
  settings,  // JSON, XML, text in no known language: read by some program, or by nobody
  prose,     // documentation by its name, or a comment line of a script
  record,    // build history, labels: did run once, or only says something
};
Role role_of(const FileView& file, std::uint64_t offset);

// By name only: /usr/share/doc, man pages, README, *.md, *.rst, licence and changelog files.
bool is_documentation(std::string_view path);

// "c" of "/a/b.tar/c"; "jpg" of "/x/logo.JPG", "" when there is none. Lower case.
std::string_view base_name(std::string_view path);
std::string extension_of(std::string_view path);

}  // namespace lazaret::detect
