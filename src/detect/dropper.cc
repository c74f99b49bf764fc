// Droppers: something is fetched and run, so that what the image does is decided by somebody else's
// server.
//
// Installers do the same at build time (history), and so does a line of documentation; at run time
// it means that nothing in the image says what will run. A bare address, plain http, a picture that
// is run, or a loop make the difference between careless and hostile.
#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <set>

#include "base/text.h"
#include "detect/shell_text_support.h"

namespace lazaret::detect {
namespace {

using format::ShellCommand;
using format::ShellNesting;

constexpr std::string_view pin =
    "Do not run the image. If it is yours: fetch at build time, check a pinned digest, and start "
    "what you checked.";

constexpr Rule rules[] = {
    {"dropper.fetch-and-run",
     Category::dropper,
     Severity::high,
     Confidence::high,
     "Fetches a program and runs it",
     "What runs is not in the image: the server decides it anew each time. Installers in build "
     "steps look the same and weigh less.",
     pin,
     {"T1105", "T1059.004", "T1204.003"}},
    {"dropper.fetch-and-run-address",
     Category::dropper,
     Severity::critical,
     Confidence::high,
     "Fetches a program from a bare address or a disguised file and runs it",
     "The source is an IP address or a file that claims to be a picture, as in the campaigns of "
     "2018; honest installers have names and say what they are.",
     pin,
     {"T1105", "T1059.004", "T1036.008", "T1204.003"}},
    {"dropper.fetch-then-start",
     Category::dropper,
     Severity::high,
     Confidence::medium,
     "Fetches a file, makes it executable and starts it",
     "A program is downloaded when the container runs. Without a checksum anybody who controls the "
     "server or the way to it decides what it is.",
     pin,
     {"T1105", "T1204.003"}},
    {"dropper.decode-and-run",
     Category::dropper,
     Severity::high,
     Confidence::high,
     "Decodes text and runs it",
     "The commands are encoded so that a reader does not see them. Self-extracting installers do "
     "it too.",
     "Decode the text and look at it.",
     {"T1140", "T1027.010"}},
    {"dropper.fetch-verified",
     Category::dropper,
     Severity::low,
     Confidence::low,
     "Fetches a program at start and checks it before it runs",
     "What runs is not in the image, but the image holds the checksum or signature that it must "
     "have.",
     "Fetch at build time, so that the image says what it runs.",
     {"T1105"}},
    {"dropper.interpreter-fetch",
     Category::dropper,
     Severity::critical,
     Confidence::medium,
     "Runs code that is fetched by a one-liner",
     "An interpreter downloads code and executes it without ever storing it.",
     pin,
     {"T1105", "T1059.006"}},
};
enum : std::size_t {
  fetch_and_run,
  fetch_address,
  fetch_then_start,
  decode_and_run,
  fetch_verified,
  interpreter_fetch
};

constexpr engine::Pattern patterns[] = {
    engine::literal("curl"),
    engine::literal("wget"),
    engine::literal("lwp-"),
    engine::literal("aria2c"),
    engine::literal("base64 -d"),
    engine::literal("base64 --decode"),
    engine::literal("xxd -r"),
    engine::literal("urlopen("),
    engine::literal("requests.get("),
    engine::literal("urllib"),
    engine::literal("file_get_contents("),
    engine::literal("open-uri"),
};

bool is_disguised(std::string_view url) {
  url = url.substr(0, url.find_first_of("?#"));
  for (const std::string_view extension : {".jpg", ".jpeg", ".png", ".gif", ".ico", ".bmp", ".txt",
                                           ".pdf", ".mp3", ".mp4", ".css", ".svg"}) {
    if (url.size() > extension.size() &&
        equals_ignore_case(url.substr(url.size() - extension.size()), extension))
      return extension != ".txt";
  }
  return false;
}

bool is_interpreter_word(std::string_view word) {
  const auto slash = word.rfind('/');
  return format::is_interpreter(slash == std::string_view::npos ? word : word.substr(slash + 1));
}

std::string_view name_of_file(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string_view program_of(const ShellCommand& command) {
  const std::size_t at = format::program_word(command);
  return at < command.words.size() ? name_of_file(command.words[at].text) : std::string_view();
}

// An option of an interpreter that makes the next word its program: -c, -lc, -e, -r.
bool takes_program(std::string_view option) {
  return option.size() >= 2 && option[0] == '-' && option[1] != '-' &&
         (option.back() == 'c' || option.back() == 'e' || option == "-r");
}

// A command that runs what it reads: `sh`, `bash -s -- args`, `python3 -`, `. /dev/stdin`, `xargs
// sh -c`, and eval or $line in a loop that reads; but not `sh file` or `python -m json.tool`.
bool runs_standard_input(const ShellCommand& command) {
  std::size_t at = format::program_word(command);
  if (at >= command.words.size()) return false;
  const std::string& program = command.words[at].text;
  if (program == "xargs" || program == "parallel") {
    for (std::size_t i = at + 1; i < command.words.size(); ++i) {
      if (!is_interpreter_word(command.words[i].text)) continue;
      // sh -c with a text of its own only takes arguments from the input.
      return i + 2 >= command.words.size() || command.words[i + 2].text.size() <= 4;
    }
    return false;
  }
  if (program == "." || program == "source")
    return at + 1 < command.words.size() && command.words[at + 1].text == "/dev/stdin";
  if (program == "eval") return at + 1 < command.words.size() && !command.words[at + 1].is_static;
  if (!command.words[at].is_static && program.empty()) return command.words.size() == at + 1;
  if (!is_interpreter_word(program)) return false;
  for (std::size_t i = at + 1; i < command.words.size(); ++i) {
    const std::string& word = command.words[i].text;
    if (word == "-" || word == "/dev/stdin" || word == "--" || word.starts_with("-s")) return true;
    if (word.starts_with("-c") || word.starts_with("-e") || word.starts_with("-m") ||
        word.starts_with("-n") || word.starts_with("-p"))
      return false;
    if (!word.starts_with('-')) return false;
  }
  return true;
}

// Answers of the name service as text: dig +short TXT name | sh.
bool asks_names(const ShellCommand& command) {
  const std::size_t at = find_program(command, {"dig", "host", "nslookup", "drill", "kdig"});
  return std::any_of(
      command.words.begin() + static_cast<std::ptrdiff_t>(at), command.words.end(),
      [](const auto& word) { return to_lower(word.text).find("txt") != std::string::npos; });
}

bool fetches(const ShellCommand& command) {
  return find_fetch(command) < command.words.size() || asks_names(command);
}

// Services whose only answer is a shell for somebody else.
bool is_shell_service(std::string_view host) {
  for (const std::string_view name :
       {"reverse-shell.sh", "shell.now.sh", "revshells.com", "gsocket.io", "www.gsocket.io"}) {
    if (equals_ignore_case(host, name)) return true;
  }
  return false;
}

void add_fetch(const ShellText& text, const ShellCommand& fetch, const FileView& file,
               FileReport& report, std::string step) {
  const std::string_view url = url_of(fetch);
  const std::string_view host = host_of_url(url);
  const bool hostile = is_address_literal(host) || is_disguised(url) || host.ends_with(".onion") ||
                       is_shell_service(host) ||
                       url.find("pastebin.com/raw") != std::string_view::npos;
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
    if (word == "-o" || word == "-O" || word == "--output" || word == "--output-document" ||
        (word.size() > 2 && word[0] == '-' && word[1] != '-' &&
         (word.back() == 'o' || word.back() == 'O'))) {
      return fetch.words[i + 1].text;
    }
  }
  for (const auto& redirection : fetch.redirections) {
    if (redirection.operation == ">" || redirection.operation == ">>")
      return redirection.target.text;
  }
  // wget URL and curl -O URL: the last part of the URL.
  const std::string_view url = url_of(fetch);
  const auto slash = url.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : url.substr(slash + 1);
}

// The command around a substitution runs what it gives: sh -c "$(...)", eval "$(...)", sh <(...), .
// <(...), sh <<< $(...), and $(...) alone.
bool outer_runs(const ShellCommand& outer, ShellNesting nesting) {
  const std::size_t at = format::program_word(outer);
  const std::string_view program =
      at < outer.words.size() ? name_of_file(outer.words[at].text) : std::string_view();
  if (program == "eval" || program == "." || program == "source") return true;
  if (at == 0 && !outer.words.empty() && !outer.words[0].is_static && outer.words[0].text.empty())
    return true;
  if (!format::is_interpreter(program)) return false;
  return nesting == ShellNesting::process || !outer.redirections.empty() ||
         std::any_of(outer.words.begin(), outer.words.end(),
                     [](const auto& word) { return takes_program(word.text); });
}

// Compares with a checksum or signature; merely printing a sum checks nothing.
bool checks(const ShellCommand& command, std::string_view program) {
  const auto has = [&](std::initializer_list<std::string_view> options) {
    return std::any_of(command.words.begin(), command.words.end(), [&](const auto& word) {
      return std::find(options.begin(), options.end(), word.text) != options.end();
    });
  };
  if (program.ends_with("sum")) return has({"-c", "--check", "-sc", "-cs"});
  if (program == "gpg") return has({"--verify"});
  return program == "gpgv" || program == "cosign" || program == "minisign";
}

struct Pipeline {
  std::size_t last_member = 0;  // index of its last command
  std::size_t runner = 0;       // last stage that runs what it reads, counted from 1; 0: none
  // Something further down the pipeline runs what this command prints.
  bool runs_output_of(const ShellCommand& command) const { return runner > command.stage + 1; }
};

// Does the command, as it is written, run the value of the variable: eval "$x", sh -c "$x", sh <<<
// "$x", $x, echo "$x" | sh?
bool runs_variable(const ShellText& text, const Pipeline& pipeline, const ShellCommand& command,
                   const std::set<std::string, std::less<>>& names) {
  if (command.end > text.text.size() || command.end <= command.offset) return false;
  const std::string_view written =
      text.text.substr(static_cast<std::size_t>(command.offset),
                       static_cast<std::size_t>(command.end - command.offset));
  const bool named = std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    for (auto at = written.find(name); at != std::string_view::npos;
         at = written.find(name, at + 1)) {
      const bool braced = at >= 2 && written.substr(at - 2, 2) == "${";
      if (!braced && (at == 0 || written[at - 1] != '$')) continue;
      const char next = at + name.size() < written.size() ? written[at + name.size()] : ' ';
      if (std::isalnum(static_cast<unsigned char>(next)) == 0 && next != '_') return true;
    }
    return false;
  });
  // A word that is nothing but the value: in sh -c "install $version" it is data.
  const auto is_value = [](const format::ShellWord& word) {
    return !word.is_static && word.text.empty();
  };
  const bool alone =
      std::any_of(command.words.begin(), command.words.end(), is_value) ||
      std::any_of(command.redirections.begin(), command.redirections.end(),
                  [&](const auto& redirection) { return is_value(redirection.target); });
  if (!named || !alone) return false;
  const std::string_view program = program_of(command);
  if (program == "eval" ||
      (format::is_interpreter(program) && outer_runs(command, ShellNesting::substitution)))
    return true;
  if (program.empty() && !command.words.empty() && command.words[0].text.empty()) return true;
  if (program != "echo" && program != "printf" && program != "cat") return false;
  return pipeline.runs_output_of(command);
}

// eval and sh -c with words that are known.
bool runs_its_words(const ShellCommand& outer) {
  const std::string_view program = program_of(outer);
  return program == "eval" ||
         (format::is_interpreter(program) &&
          std::any_of(outer.words.begin(), outer.words.end(),
                      [](const auto& word) { return takes_program(word.text); }));
}

bool decodes(const ShellCommand& command) {
  for (const std::string_view name :
       {"base64", "base32", "xxd", "openssl", "rev", "tr", "sed", "tac", "gzip", "gunzip", "zcat",
        "xz", "bzip2", "bunzip2", "zstd"}) {
    if (program_of(command) == name) return true;
  }
  return program_of(command) == "printf" && command.words.size() == 2 &&
         std::count(command.words[1].text.begin(), command.words[1].text.end(), '\\') > 4;
}

void add_decoded(const ShellText& text, const ShellCommand& command, std::size_t last,
                 FileReport& report) {
  bool known = false;
  const std::string output = format::static_output(text.script, last, &known);
  if (!known || output.empty()) return;
  const ShellCommand& before = text.script.commands[last];
  if (decodes(before)) {
    FileFinding finding = finding_at(rules[decode_and_run], text, command);
    finding.evidence += "  =>  " + output.substr(0, 160);
    if (!text.is_script) finding.severity = Severity::low;
    report.add(std::move(finding));
  }
  report.add_derived(output, decodes(before) ? std::string(program_of(before)) : "pipe",
                     text.offset + command.offset);
}

void inspect_script(const FileView& file, const ShellText& text, FileReport& report) {
  const auto& commands = text.script.commands;
  std::map<std::size_t, Pipeline> pipelines;
  for (std::size_t i = 0; i < commands.size(); ++i) {
    Pipeline& pipeline = pipelines[commands[i].pipeline];
    pipeline.last_member = i;
    if (runs_standard_input(commands[i]))
      pipeline.runner = std::max(pipeline.runner, commands[i].stage + 1);
  }
  std::set<std::string, std::less<>> fetched;  // variables that hold what was fetched
  const ShellCommand* last_fetch = nullptr;
  // How far apart a fetch and a start may be.
  const std::size_t reach = file.script != nullptr ? 400 : 40;
  std::size_t outputs = 256;  // that may still be worked out
  for (std::size_t i = 0; i < commands.size(); ++i) {
    const ShellCommand& command = commands[i];
    const Pipeline& pipeline = pipelines[command.pipeline];
    if (!fetched.empty() && runs_variable(text, pipeline, command, fetched)) {
      add_fetch(text, *last_fetch, file, report, "variable");
      fetched.clear();
    }
    if (fetches(command)) {
      // fetch | ... | sh
      const bool piped = pipeline.runs_output_of(command);
      if (piped) {
        add_fetch(text, command, file, report, "pipe to interpreter");
        continue;
      }
      if ((command.nesting == ShellNesting::substitution ||
           command.nesting == ShellNesting::process) &&
          command.outer < commands.size()) {
        const ShellCommand& outer = commands[command.outer];
        if (outer_runs(outer, command.nesting)) {
          const std::string_view program = program_of(outer);
          add_fetch(text, command, file, report,
                    std::string(program.empty() ? "command" : program));
          continue;
        }
        for (const auto& [name, value] : outer.assignments) {
          if (value.is_static || fetched.size() >= 16) continue;
          fetched.insert(name);
          last_fetch = &command;
        }
      }
      // fetch -o X; chmod +x X; ./X or sh X
      const std::string_view output = output_of(command);
      const std::string_view name = name_of_file(output);
      if ((name.size() >= 2 || output.find('/') != std::string_view::npos) && !name.empty() &&
          output != "/dev/null" && name != "-") {
        bool started = false, checked = false;
        for (std::size_t j = i + 1; j < commands.size() && j < i + reach; ++j) {
          const auto& words = commands[j].words;
          const std::size_t at = format::program_word(commands[j]);
          if (at >= words.size()) continue;
          const std::string_view program = name_of_file(words[at].text);
          const bool names_it = std::any_of(words.begin(), words.end(), [&](const auto& w) {
            return name_of_file(w.text) == name || w.text == output;
          });
          if (checks(commands[j], program)) checked = true;
          if (program == name ||
              ((format::is_interpreter(program) || program == "." || program == "source") &&
               names_it))
            started = true;
        }
        const std::string_view url = url_of(command);
        // A checksum of the attacker's own makes nothing better.
        const bool hostile = is_address_literal(host_of_url(url)) || is_disguised(url);
        // At build time, or in a script that nobody starts, that is how it should be done.
        if (started && checked && !hostile && file.script != nullptr) report.add(finding_at(rules[fetch_verified], text, command));
        if (started && (!checked || hostile)) {
          FileFinding finding = finding_at(rules[fetch_then_start], text, command);
          if (!url.empty()) finding.indicators.push_back({"url", std::string(url), false});
          if (hostile) {
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
    if (outputs == 0) continue;
    if (command.previous != ShellCommand::no_command && runs_standard_input(command)) {
      --outputs;
      add_decoded(text, command, command.previous, report);
      continue;
    }
    // eval "$(static text | base64 -d)"
    if ((command.nesting == ShellNesting::substitution ||
         command.nesting == ShellNesting::process) &&
        command.outer < commands.size() && i == pipeline.last_member && decodes(command) &&
        (outer_runs(commands[command.outer], command.nesting) ||
         runs_its_words(commands[command.outer])))
      add_decoded(text, command, i, report);
  }
}

// What a line of code fetches and executes: python -c "exec(urlopen('http://...').read())" and its
// kin. "" when it does not do both.
std::string url_of_code(std::string_view line) {
  const auto calls = [&](std::string_view name) {
    for (auto at = line.find(name); at != std::string_view::npos; at = line.find(name, at + 1)) {
      if (at == 0 || (line[at - 1] != '.' && line[at - 1] != '_' &&
                      (std::isalnum(static_cast<unsigned char>(line[at - 1])) == 0)))
        return true;
    }
    return false;
  };
  const auto has = [&](std::string_view part) { return line.find(part) != std::string_view::npos; };
  const bool fetches_text = has("urlopen(") || has("requests.get(") || has("file_get_contents(") ||
                            has("urllib.request") || has("URI.open(") || has("open-uri") ||
                            (has("LWP::Simple") && has("get")) || has("http.get(") ||
                            has("https.get(");
  const auto url = line.find("://");
  const bool runs = calls("exec(") || calls("eval(") || calls("os.system(") ||
                    (has("LWP::Simple") && (calls("eval") || calls("system"))) ||
                    (has("open-uri") && calls("eval"));
  if (!fetches_text || !runs || url == std::string_view::npos || url < 4) return "";
  const std::string_view near =
      line.substr(url >= 5 && line.substr(url - 5, 5) == "https" ? url - 5 : url - 4);
  return std::string(near.substr(0, near.find_first_of("'\" )\n")));
}

// The program of an interpreter's -c, -e or -r, with the shell's quoting taken off.
void inspect_programs(const ShellText& text, FileReport& report) {
  for (const ShellCommand& command : text.script.commands) {
    const std::string_view program = program_of(command);
    if (!format::is_interpreter(program) || format::is_shell(program)) continue;
    std::string joined;  // perl -MLWP::Simple -e ..., ruby -ropen-uri -e ...
    for (const auto& word : command.words) joined += word.text.substr(0, 2048) + ' ';
    const std::string url = joined.size() > 8192 ? "" : url_of_code(joined);
    if (url.empty()) continue;
    FileFinding finding = finding_at(rules[interpreter_fetch], text, command);
    finding.indicators.push_back({"url", url, false});
    report.add(std::move(finding));
    return;
  }
}

void inspect_source(const FileView& file, FileReport& report) {
  const std::string_view text = file.text();
  for (const engine::PatternHit& hit : file.hits) {
    if (hit.pattern < 7) continue;
    // All of it on one line: a call that fetches, and what it gives executed.
    const std::string line = shell_line_at(text, hit.end);
    std::string url = url_of_code(line);
    if (url.empty()) continue;
    FileFinding finding;
    finding.rule = &rules[interpreter_fetch];
    finding.offset = hit.end;
    finding.evidence = line;
    finding.indicators.push_back({"url", std::move(url), false});
    report.add(std::move(finding));
    return;
  }
}

void inspect(const FileView& file, FileReport& report) {
  for_each_shell_text(file, [&](const ShellText& text) {
    inspect_script(file, text, report);
    if (text.is_script) inspect_programs(text, report);
  });
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
