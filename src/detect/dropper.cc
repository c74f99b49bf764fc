// Droppers: something is fetched and run, so that what the image does is decided by somebody else's server.
//
// Installers do the same at build time (history), and so does a line of documentation; at run time it means that nothing in the image says what will
// run. A bare address, plain http, a picture that is run, or a loop make the difference between careless and hostile.
#include <algorithm>
#include <array>
#include <cctype>

#include "base/text.h"
#include "detect/shell_text_support.h"

namespace lazaret::detect {
namespace {

using format::ShellCommand;
using format::ShellNesting;

constexpr std::string_view pin = "Do not run the image. If it is yours: fetch at build time, check a pinned digest, and start what you checked.";

constexpr Rule rules[] = {
    {"dropper.fetch-and-run", Category::dropper, Severity::high, Confidence::high, "Fetches a program and runs it",
     "What runs is not in the image: the server decides it anew each time. Installers in build steps look the same and weigh less.", pin, {"T1105", "T1059.004", "T1204.003"}},
    {"dropper.fetch-and-run-address", Category::dropper, Severity::critical, Confidence::high, "Fetches a program from a bare address or a disguised file and runs it",
     "The source is an IP address or a file that claims to be a picture, as in the campaigns of 2018; honest installers have names and say what they are.", pin,
     {"T1105", "T1059.004", "T1036.008", "T1204.003"}},
    {"dropper.fetch-then-start", Category::dropper, Severity::high, Confidence::medium, "Fetches a file, makes it executable and starts it",
     "A program is downloaded when the container runs. Without a checksum anybody who controls the server or the way to it decides what it is.", pin, {"T1105", "T1204.003"}},
    {"dropper.decode-and-run", Category::dropper, Severity::high, Confidence::high, "Decodes text and runs it", "The commands are encoded so that a reader does not see them. Self-extracting installers do it too.",
     "Decode the text and look at it.", {"T1140", "T1027.010"}},
    {"dropper.interpreter-fetch", Category::dropper, Severity::critical, Confidence::medium, "Runs code that is fetched by a one-liner",
     "An interpreter downloads code and executes it without ever storing it.", pin, {"T1105", "T1059.006"}},
};
enum : std::size_t { fetch_and_run, fetch_address, fetch_then_start, decode_and_run, interpreter_fetch };

constexpr engine::Pattern patterns[] = {
    engine::literal("curl"), engine::literal("wget"), engine::literal("lwp-"), engine::literal("aria2c"), engine::literal("base64 -d"), engine::literal("base64 --decode"),
    engine::literal("xxd -r"), engine::literal("urlopen("), engine::literal("requests.get("), engine::literal("urllib"), engine::literal("file_get_contents("), engine::literal("open-uri"),
};

bool is_disguised(std::string_view url) {
  url = url.substr(0, url.find_first_of("?#"));
  for (const std::string_view extension : {".jpg", ".jpeg", ".png", ".gif", ".ico", ".bmp", ".txt", ".pdf", ".mp3", ".mp4", ".css", ".svg"}) {
    if (url.size() > extension.size() && equals_ignore_case(url.substr(url.size() - extension.size()), extension)) return extension != ".txt";
  }
  return false;
}

bool is_interpreter_word(std::string_view word) {
  const auto slash = word.rfind('/');
  return format::is_interpreter(slash == std::string_view::npos ? word : word.substr(slash + 1));
}

// A command that runs what it reads: `sh`, `bash -s -- args`, `python3 -`, `. /dev/stdin`; but not `sh file` or `python -m json.tool`.
bool runs_standard_input(const ShellCommand& command) {
  std::size_t at = format::program_word(command);
  if (at < command.words.size() && command.words[at].text == "xargs") ++at;
  if (at >= command.words.size()) return false;
  const std::string& program = command.words[at].text;
  if (program == "." || program == "source") return at + 1 < command.words.size() && command.words[at + 1].text == "/dev/stdin";
  if (!is_interpreter_word(program)) return false;
  for (std::size_t i = at + 1; i < command.words.size(); ++i) {
    const std::string& word = command.words[i].text;
    if (word == "-" || word == "/dev/stdin" || word == "--" || word.starts_with("-s")) return true;
    if (word.starts_with("-c") || word.starts_with("-e") || word.starts_with("-m") || word.starts_with("-n") || word.starts_with("-p")) return false;
    if (!word.starts_with('-')) return false;
  }
  return true;
}

void add_fetch(const ShellText& text, const ShellCommand& fetch, const FileView& file, FileReport& report, std::string step) {
  const std::string_view url = url_of(fetch);
  const std::string_view host = host_of_url(url);
  const bool hostile = is_address_literal(host) || is_disguised(url) || host.ends_with(".onion") || url.find("pastebin.com/raw") != std::string_view::npos;
  FileFinding finding = finding_at(rules[hostile ? fetch_address : fetch_and_run], text, fetch);
  finding.chain.push_back(std::move(step));
  if (!url.empty()) finding.indicators.push_back({"url", std::string(url), false});
  if (!hostile) {
    // https from a named host is careless, not hostile; http can be changed on the way.
    const bool secure = url.starts_with("https://");
    if (secure && file.origin != Origin::config) finding.severity = Severity::medium;
    if (url.empty()) finding.confidence = Confidence::medium;
  }
  if (!text.is_script) {
    finding.severity = hostile ? Severity::high : Severity::low;
    finding.confidence = Confidence::medium;
  }
  report.add(std::move(finding));
}

std::string_view output_of(const ShellCommand& fetch) {
  for (std::size_t i = 0; i + 1 < fetch.words.size(); ++i) {
    const std::string& word = fetch.words[i].text;
    if (word == "-o" || word == "-O" || word == "--output" || word == "--output-document" || (word.size() > 2 && word[0] == '-' && word[1] != '-' && (word.back() == 'o' || word.back() == 'O'))) {
      return fetch.words[i + 1].text;
    }
  }
  for (const auto& redirection : fetch.redirections) {
    if (redirection.operation == ">" || redirection.operation == ">>") return redirection.target.text;
  }
  // wget URL and curl -O URL: the last part of the URL.
  const std::string_view url = url_of(fetch);
  const auto slash = url.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : url.substr(slash + 1);
}

std::string_view name_of_file(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

void inspect_script(const FileView& file, const ShellText& text, FileReport& report) {
  const auto& commands = text.script.commands;
  for (std::size_t i = 0; i < commands.size(); ++i) {
    const ShellCommand& command = commands[i];
    if (find_fetch(command) < command.words.size()) {
      // fetch | ... | sh
      bool piped = false;
      for (std::size_t j = i + 1; j < commands.size() && j < i + 64; ++j) {
        if (commands[j].pipeline == command.pipeline && runs_standard_input(commands[j])) piped = true;
      }
      if (piped) {
        add_fetch(text, command, file, report, "pipe to interpreter");
        continue;
      }
      // sh -c "$(fetch)", eval "$(fetch)", sh <(fetch), . <(fetch), sh <<< $(fetch)
      if (command.nesting == ShellNesting::substitution || command.nesting == ShellNesting::process) {
        const ShellCommand& outer = commands[std::min(command.outer, commands.size() - 1)];
        const std::size_t at = format::program_word(outer);
        const std::string_view program = at < outer.words.size() ? name_of_file(outer.words[at].text) : std::string_view();
        const bool only_word = at == 0 && !outer.words.empty() && !outer.words[0].is_static && outer.words[0].text.empty();
        const bool runs = program == "eval" || program == "." || program == "source" || only_word ||
                          (format::is_interpreter(program) && (command.nesting == ShellNesting::process || std::any_of(outer.words.begin(), outer.words.end(), [](const auto& w) {
                                                                return w.text == "-c" || w.text == "-e" || (w.text.size() > 2 && w.text[0] == '-' && w.text[1] != '-' && w.text.back() == 'c');
                                                              }) || !outer.redirections.empty()));
        if (runs) {
          add_fetch(text, command, file, report, std::string(program.empty() ? "command" : program));
          continue;
        }
      }
      // fetch -o X; chmod +x X; ./X or sh X
      const std::string_view output = output_of(command);
      const std::string_view name = name_of_file(output);
      if ((name.size() >= 2 || output.find('/') != std::string_view::npos) && !name.empty() && output != "/dev/null" && name != "-") {
        bool started = false, checked = false;
        for (std::size_t j = i + 1; j < commands.size() && j < i + 40; ++j) {
          const auto& words = commands[j].words;
          const std::size_t at = format::program_word(commands[j]);
          if (at >= words.size()) continue;
          const std::string_view program = name_of_file(words[at].text);
          const bool names_it = std::any_of(words.begin(), words.end(), [&](const auto& w) { return name_of_file(w.text) == name || w.text == output; });
          if (program.find("sum") != std::string_view::npos || program == "gpg" || program == "gpgv" || program == "cosign" || program == "minisign") checked = true;
          if (program == name || ((format::is_interpreter(program) || program == "." || program == "source") && names_it)) started = true;
        }
        if (started && !checked) {
          const std::string_view url = url_of(command);
          FileFinding finding = finding_at(rules[fetch_then_start], text, command);
          if (!url.empty()) finding.indicators.push_back({"url", std::string(url), false});
          if (is_address_literal(host_of_url(url)) || is_disguised(url)) {
            finding.severity = Severity::critical;
            finding.confidence = Confidence::high;
          } else if (url.starts_with("https://")) {
            finding.severity = Severity::medium;
          }
          if (!text.is_script) finding.severity = Severity::low;
          report.add(std::move(finding));
        }
      }
      continue;
    }
    // static text | base64 -d | sh, and the text itself goes round again
    if (runs_standard_input(command) && i > 0) {
      bool known = false;
      std::size_t before = i;
      while (before > 0 && commands[before - 1].pipeline != command.pipeline && i - before < 16) --before;
      if (before > 0 && commands[before - 1].pipeline == command.pipeline) {
        const std::string output = format::static_output(text.script, before - 1, &known);
        if (known && !output.empty()) {
          const std::string_view last = commands[before - 1].program();
          const bool decoded = last == "base64" || last == "xxd" || last == "openssl" || last == "rev" || last == "tr";
          if (decoded) {
            FileFinding finding = finding_at(rules[decode_and_run], text, command);
            finding.evidence += "  =>  " + output.substr(0, 160);
            if (!text.is_script) finding.severity = Severity::low;
            report.add(std::move(finding));
          }
          report.add_derived(output, decoded ? std::string(last) : "pipe", text.offset + command.offset);
        }
      }
    }
  }
}

// python -c "exec(urlopen('http://...').read())" and its kin, also in files.
void inspect_source(const FileView& file, FileReport& report) {
  const std::string_view text = file.text();
  for (const engine::PatternHit& hit : file.hits) {
    if (hit.pattern < 7) continue;
    // All of it on one line: a call that fetches, and what it gives executed.
    const std::string line = shell_line_at(text, hit.end);
    const auto calls = [&](std::string_view name) {
      for (auto at = line.find(name); at != std::string::npos; at = line.find(name, at + 1)) {
        if (at == 0 || (line[at - 1] != '.' && line[at - 1] != '_' && (std::isalnum(static_cast<unsigned char>(line[at - 1])) == 0))) return true;
      }
      return false;
    };
    const bool fetches = line.find("urlopen(") != std::string::npos || line.find("requests.get(") != std::string::npos || line.find("file_get_contents(") != std::string::npos ||
                         line.find("urllib.request") != std::string::npos || line.find("URI.open(") != std::string::npos;
    const auto url = line.find("://");
    if (!fetches || url == std::string::npos || url < 4 || !(calls("exec(") || calls("eval(") || calls("os.system("))) continue;
    const std::string_view near = std::string_view(line).substr(url >= 5 && line.substr(url - 5, 5) == "https" ? url - 5 : url - 4);
    FileFinding finding;
    finding.rule = &rules[interpreter_fetch];
    finding.offset = hit.end;
    finding.evidence = line;
    finding.indicators.push_back({"url", std::string(near.substr(0, near.find_first_of("'\" )\n"))), false});
    report.add(std::move(finding));
    return;
  }
}

void inspect(const FileView& file, FileReport& report) {
  for_each_shell_text(file, [&](const ShellText& text) { inspect_script(file, text, report); });
  inspect_source(file, report);
}

}  // namespace

extern const Detector dropper_detector;
const Detector dropper_detector = {.name = "dropper",
                                   .summary = "Programs that are fetched, or decoded, and run.",
                                   .rules = rules,
                                   .patterns = patterns,
                                   .kinds = format::KindSet::texts(),
                                   .trigger = Trigger::always,
                                   .inspect = inspect};

}  // namespace lazaret::detect
