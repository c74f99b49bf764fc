// Shell text as detectors need it: scripts parsed once, lines of other texts parsed where a pattern hit, cron's fields taken off.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "detect/detector.h"
#include "format/shell.h"

namespace lazaret::detect {

// A parsed piece of a file's text.
struct ShellText {
  const format::ShellScript& script;
  std::string_view text;
  std::uint64_t offset;  // of `text` in FileView::content
  bool is_script;        // false: a line of a text that is no script, so that it may be prose or another language's string
};

// Calls `visit` for all shell text of the file that concerns the detector: the whole file when it is a script, a crontab or a command of the config, else the
// lines around its hits. The parsed script is kept per thread, so that several detectors share the work.
void for_each_shell_text(const FileView& file, const std::function<void(const ShellText&)>& visit);

// The line of `text` around `offset`, without blanks at its ends, at most 400 bytes.
std::string shell_line_at(std::string_view text, std::uint64_t offset);

// The index of the word that names a program out of `names` in a position where it would be run: the first word behind wrappers (sudo, env, ...), cron's five
// fields and user, or Dockerfile's RUN. words.size() when there is none.
std::size_t find_program(const format::ShellCommand& command, std::initializer_list<std::string_view> names);

// Programs that fetch from the network: curl, wget, fetch, aria2c, lwp-download, GET.
std::size_t find_fetch(const format::ShellCommand& command);

// The first argument that is a URL or host/path, "" when none is.
std::string_view url_of(const format::ShellCommand& command);

// "host:port" of a word such as /dev/tcp/H/P; "" when it is none.
std::string endpoint_of_device(std::string_view word);

// True when the host part is an IP address written in any way (dotted, integer, hex).
bool is_address_literal(std::string_view host);
std::string_view host_of_url(std::string_view url);

// True for numbers between 1 and 65535.
bool is_port(std::string_view text);

// The finding's evidence line and offset for a command.
FileFinding finding_at(const Rule& rule, const ShellText& text, const format::ShellCommand& command);

}  // namespace lazaret::detect
