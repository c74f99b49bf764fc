#include "detect/shell_text_support.h"

#include <algorithm>
#include <array>
#include <vector>

namespace lazaret::detect {
namespace {

using format::Language;
using format::ShellCommand;
using format::ShellScript;

constexpr std::size_t script_limit = 512 << 10;
constexpr std::size_t lines_limit = 200;

bool is_script(const FileView& file) {
  if (file.origin == Origin::config || file.origin == Origin::environment || file.origin == Origin::history) return true;
  switch (file.type.language) {
    case Language::shell:
    case Language::crontab:
    case Language::dockerfile: return true;
    default: return false;
  }
}

// One script for each thread: detectors look at the same file one after the other.
struct LastScript {
  const void* data = nullptr;
  std::size_t size = 0;
  Digest digest;
  ShellScript script;
};

const ShellScript& parsed(const FileView& file) {
  thread_local LastScript last;
  const Digest digest = file.sha256.empty() ? sha256(file.content) : file.sha256;
  if (last.data != file.content.data() || last.size != file.content.size() || last.digest != digest) {
    last.script = format::parse_shell(file.text());
    last.data = file.content.data();
    last.size = file.content.size();
    last.digest = digest;
  }
  return last.script;
}

bool is_cron_field(std::string_view word) {
  return !word.empty() && word.find_first_not_of("0123456789*/,-") == std::string_view::npos;
}

std::string_view base_name(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace

void for_each_shell_text(const FileView& file, const std::function<void(const ShellText&)>& visit) {
  if (file.script != nullptr) {
    visit({*file.script, file.text(), 0, true});
    return;
  }
  if (is_script(file) && file.content.size() <= script_limit) {
    visit({parsed(file), file.text(), 0, true});
    return;
  }
  // Lines with hits. A line may hold a string of another language: the quotes around it do not stop the parser, since what it holds is parsed
  // again when it is evaluated text, and else the words are there all the same.
  std::uint64_t done = 0;
  std::size_t lines = 0;
  for (const engine::PatternHit& hit : file.hits) {
    if (hit.end <= done && done != 0) continue;
    const std::string_view text = file.text();
    const auto at = static_cast<std::size_t>(hit.end == 0 ? 0 : hit.end - 1);
    // A match may end with the line end itself: the line is the one before it.
    auto begin = at == 0 ? std::string_view::npos : text.rfind('\n', at - 1);
    begin = begin == std::string_view::npos ? 0 : begin + 1;
    if (at - begin > 4096) begin = at - 4096;
    auto end = std::min(text.find('\n', at), text.size());
    if (end - at > 4096) end = at + 4096;
    done = end;
    if (++lines > lines_limit) return;
    const std::string_view line = text.substr(begin, end - begin);
    const ShellScript script = format::parse_shell(line);
    visit({script, line, begin, false});
    // A string literal inside the line: os.system("curl ... | sh").
    for (const char quote : {'"', '\'', '`'}) {
      const auto open = line.rfind(quote, at - begin);
      if (open == std::string_view::npos) continue;
      std::string literal;
      std::size_t i = open + 1;
      for (; i < line.size() && line[i] != quote; ++i) {
        if (line[i] == '\\' && i + 1 < line.size()) ++i;
        literal.push_back(line[i]);
      }
      if (literal.size() < 8) continue;
      const ShellScript inner = format::parse_shell(literal);
      visit({inner, literal, begin + open + 1, false});
    }
  }
}

std::string shell_line_at(std::string_view text, std::uint64_t offset) {
  const auto at = static_cast<std::size_t>(std::min<std::uint64_t>(offset, text.size()));
  auto begin = at == 0 ? std::string_view::npos : text.rfind('\n', at - 1);
  begin = begin == std::string_view::npos ? 0 : begin + 1;
  auto end = std::min(text.find('\n', at), text.size());
  if (at - begin > 200) begin = at - 200;
  if (end - begin > 400) end = begin + 400;
  while (begin < end && (text[begin] == ' ' || text[begin] == '\t')) ++begin;
  while (end > begin && (text[end - 1] == ' ' || text[end - 1] == '\r')) --end;
  return std::string(text.substr(begin, end - begin));
}

std::size_t find_program(const ShellCommand& command, std::initializer_list<std::string_view> names) {
  const auto matches = [&](std::size_t i) {
    const std::string_view program = base_name(command.words[i].text);
    return std::find(names.begin(), names.end(), program) != names.end();
  };
  const std::size_t none = command.words.size();
  const std::size_t first = format::program_word(command);
  if (first < none && matches(first)) return first;
  // cron: five fields or @reboot, perhaps a user.
  std::size_t i = 0;
  if (!command.words.empty() && command.words[0].text.starts_with('@')) {
    i = 1;
  } else {
    while (i < none && i < 5 && is_cron_field(command.words[i].text)) ++i;
    if (i != 5) i = 0;
  }
  if (i > 0) {
    for (std::size_t j = i; j < none && j < i + 3; ++j) {
      if (matches(j)) return j;
    }
  }
  if (none > 1 && (command.words[0].text == "RUN" || command.words[0].text == "CMD" || command.words[0].text == "ENTRYPOINT") && matches(1)) return 1;
  return none;
}

std::size_t find_fetch(const ShellCommand& command) {
  return find_program(command, {"curl", "wget", "fetch", "aria2c", "lwp-download", "lwp-request", "GET", "axel", "httpie", "http"});
}

std::string_view url_of(const ShellCommand& command) {
  for (const format::ShellWord& word : command.words) {
    const std::string_view text = word.text;
    const auto scheme = text.find("://");
    if (scheme != std::string_view::npos && scheme <= 8) return text;
  }
  // curl and wget take host/path without a scheme.
  const std::size_t program = find_fetch(command);
  for (std::size_t i = program + 1; i < command.words.size(); ++i) {
    const std::string_view text = command.words[i].text;
    if (text.starts_with('-') || text.starts_with('/')) continue;
    const auto dot = text.find('.');
    if (dot != std::string_view::npos && dot > 0 && dot + 1 < text.size() && text.find('/') != std::string_view::npos && text.find('/') > dot) return text;
  }
  return {};
}

std::string endpoint_of_device(std::string_view word) {
  for (const std::string_view device : {"/dev/tcp/", "/dev/udp/"}) {
    const auto at = word.find(device);
    if (at == std::string_view::npos) continue;
    const std::string_view rest = word.substr(at + device.size());
    const auto slash = rest.find('/');
    if (slash == std::string_view::npos || slash == 0) return "";
    std::string_view port = rest.substr(slash + 1);
    port = port.substr(0, port.find_first_not_of("0123456789"));
    if (!is_port(port)) return "";
    return std::string(rest.substr(0, slash)) + ":" + std::string(port);
  }
  return "";
}

std::string_view host_of_url(std::string_view url) {
  const auto scheme = url.find("://");
  if (scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find_first_of("/?#"));
  const auto at = url.rfind('@');
  if (at != std::string_view::npos) url.remove_prefix(at + 1);
  if (url.starts_with('[')) return url.substr(0, url.find(']') == std::string_view::npos ? url.size() : url.find(']') + 1);
  return url.substr(0, url.find(':'));
}

bool is_address_literal(std::string_view host) {
  if (host.starts_with('[')) return true;
  if (host.empty()) return false;
  if (host.starts_with("0x") || host.starts_with("0X")) return host.find_first_not_of("0123456789abcdefABCDEFxX.") == std::string_view::npos;
  return host.find_first_not_of("0123456789.") == std::string_view::npos && host.find_first_of("0123456789") != std::string_view::npos;
}

bool is_port(std::string_view text) {
  if (text.empty() || text.size() > 5 || text.find_first_not_of("0123456789") != std::string_view::npos) return false;
  int value = 0;
  for (const char c : text) value = value * 10 + (c - '0');
  return value > 0 && value < 65536;
}

FileFinding finding_at(const Rule& rule, const ShellText& text, const ShellCommand& command) {
  FileFinding finding;
  finding.rule = &rule;
  finding.offset = text.offset + command.offset;
  finding.evidence = shell_line_at(text.text, command.offset);
  finding.chain = command.chain;
  // What is only there once the text is evaluated is shown behind the line that leads to it.
  std::string decoded = command.text();
  for (const format::ShellRedirection& redirection : command.redirections) {
    if (redirection.operation.starts_with("<<")) continue;
    decoded += ' ';
    if (redirection.fd >= 0) decoded += std::to_string(redirection.fd);
    decoded += redirection.operation + (redirection.target.text.starts_with('/') ? " " : "") + redirection.target.text;
  }
  const std::string_view known = std::string_view(decoded).substr(0, decoded.find(' '));
  const bool shown = finding.evidence.find(known) != std::string::npos &&
                     std::all_of(command.words.begin(), command.words.end(), [&](const auto& word) {
                       return finding.evidence.find(word.text) != std::string::npos;
                     });
  if (!shown && text.is_script && (command.nesting == format::ShellNesting::evaluation || !command.chain.empty() || text.script.origins.size() > 1)) {
    finding.evidence = finding.evidence.substr(0, 200) + "  =>  " + decoded.substr(0, 300);
  }
  return finding;
}

}  // namespace lazaret::detect
