#include "audit/flow.h"

#include <algorithm>
#include <array>

#include "audit/paths.h"
#include "base/bytes.h"
#include "base/digest.h"
#include "base/text.h"
#include "codec/decoder.h"
#include "format/code_commands.h"
#include "format/file_kind.h"
#include "format/service_config.h"
#include "format/source_references.h"

namespace lazaret::audit {
namespace {

using format::ShellCommand;
using format::ShellMoment;
using format::ShellValue;

// Bytes that are read and produced: by what follows from one start, and by all of an image, so that a job that exhausts its reader takes nothing from the others.
// (The shell's parser has a limit for each text.)
constexpr std::uint64_t work_limit = 128 << 20, image_work_limit = 512 << 20;
// Of one image: texts that are read, readings of one file with other arguments, and what is known of one fetch.
constexpr std::size_t steps_limit = 2048, runs_limit = 6, files_limit = 8192, chain_limit = 16, folder_limit = 64, written_limit = 1024;
constexpr std::size_t decompressed_limit = 4 << 20;
constexpr std::string_view standard_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::string_view base_name(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> names) { return std::find(names.begin(), names.end(), text) != names.end(); }

// Programs that do not run the files that they are given. What is not listed may.
bool only_reads(std::string_view program) {
  static constexpr std::array<std::string_view, 94> names = {
      "[",        "[[",       "apk",     "apt",      "apt-get",   "base32",  "base64",  "basename", "break",   "bzip2",  "cat",     "cd",     "chgrp",   "chmod",
      "chown",    "cksum",    "cmp",     "continue", "cp",        "curl",    "cut",     "date",     "declare", "df",     "diff",    "dirname", "dpkg",   "du",
      "echo",     "egrep",    "exit",    "export",   "expr",      "false",   "fgrep",   "file",     "fold",    "getent", "getopt",  "getopts", "gpg",    "grep",
      "gunzip",   "gzip",     "hash",    "head",     "hostname",  "id",      "install", "jq",       "kill",    "ldconfig", "less",  "let",    "ln",      "local",
      "ls",       "md5sum",   "mkdir",   "mktemp",   "more",      "mount",   "mv",      "openssl",  "pgrep",   "pkill",  "printf",  "pushd",  "pwd",     "read",
      "readlink", "readonly", "realpath", "return",  "rm",        "rmdir",   "sed",     "set",      "sha1sum", "sha256sum", "sha512sum", "shift", "sleep", "sort",
      "stat",     "sync",     "tail",    "tar",      "tee",       "test",    "touch",   "tr",       "true",    "type"};
  static constexpr std::array<std::string_view, 22> more = {"typeset", "ulimit", "umask", "umount", "uname", "uniq", "unset", "unzip", "wait", "wc", "wget", "which",
                                                            "whoami", "xxd", "xz", "zcat", "yum", "dnf", "rpm", "command", ":", "rev"};
  return std::find(names.begin(), names.end(), program) != names.end() || std::find(more.begin(), more.end(), program) != more.end();
}

std::optional<std::string> decompress(std::string_view, std::string_view data) {
  codec::DecoderLimits limits;
  limits.bytes_out = decompressed_limit;
  limits.ratio = 1100;
  limits.ratio_grace = 1 << 20;
  limits.window = 8 << 20;
  const codec::Encoding encoding = codec::sniff(as_bytes(data));
  if (encoding == codec::Encoding::plain) return std::nullopt;
  const auto decoder = codec::make_decoder(encoding, limits, nullptr);
  Bytes in = as_bytes(data);
  std::string out;
  std::array<std::uint8_t, 16384> buffer;
  for (;;) {
    const std::size_t count = decoder->decode(in, buffer);
    if (count == 0) break;
    out.append(reinterpret_cast<const char*>(buffer.data()), count);
    if (out.size() > decompressed_limit) return std::nullopt;
  }
  if (out.empty()) return std::nullopt;
  return out;
}

bool is_address(std::string_view url) { return url.find("://") != std::string_view::npos; }

}  // namespace

std::uint64_t Flow::Step::line_of(std::uint64_t at) const {
  return 1 + static_cast<std::uint64_t>(std::lower_bound(line_ends.begin(), line_ends.end(), at) - line_ends.begin());
}

Flow::Flow(const RootFileSystem& root, const format::ImageConfig& config, Visit visit)
    : root_(root),
      visit_(std::move(visit)),
      working_dir_(config.working_dir.empty() ? "/" : canonical_path(config.working_dir)),
      search_path_(standard_path),
      work_(work_limit),
      image_work_(image_work_limit - work_limit) {
  for (const std::string& variable : config.env) {
    const auto equals = variable.find('=');
    if (equals == std::string::npos) continue;
    const std::string name = variable.substr(0, equals);
    if (name == "PATH") search_path_ = variable.substr(equals + 1);
    environment_.emplace_back(name, ShellValue{variable.substr(equals + 1), true, {"config.Env." + name}});
  }
}

void Flow::start_command(const std::string& path, const std::string& text, std::size_t own_words) {
  Step step;
  step.shown = path;
  step.content = step.text = text;
  step.variables = environment_;
  step.folder = working_dir_;
  step.chain = {path};
  step.own_words = own_words;
  enqueue(std::move(step));
  drain();
}

void Flow::start_job(const std::string& path, std::string_view content, const std::string& text, std::uint64_t offset,
                     const std::vector<std::pair<std::string, std::string>>& variables, const std::string& folder, const std::vector<std::string>& chain) {
  Step step;
  step.path = step.shown = path;
  step.content = content;
  step.text = text;
  step.offset = offset;
  step.variables = environment_;
  for (const auto& [name, value] : variables) step.variables.emplace_back(name, ShellValue{value, true, {path}});
  step.folder = folder.empty() ? "/" : folder;
  step.chain = chain;
  step.is_command = true;
  step.file = root_.find(path);
  reach(path, chain);
  enqueue(std::move(step));
  drain();
}

void Flow::start_file(const std::string& path, const std::vector<std::string>& chain) {
  start(path, environment_, std::nullopt, working_dir_, chain);
  drain();
}

void Flow::enqueue(Step step) {
  if (steps_ >= steps_limit || work_ == 0) {
    cut_ = true;
    return;
  }
  if (step.chain.size() > chain_limit) return;
  // The same text with the same surroundings gives the same.
  std::string key = step.shown + '\n' + std::to_string(step.offset) + '\n' + step.folder + '\n';
  for (const auto& [name, value] : step.variables) key += name + '=' + value.text + '\n';
  if (step.arguments) {
    for (const ShellValue& value : *step.arguments) key += value.text + '\n';
  }
  if (!seen_.insert(sha256(as_bytes(key)).hex()).second) return;
  // What exhausted its reader once would again.
  if (!step.path.empty() && !step.is_command && (unread_.contains(step.path) || ++runs_[step.path] > runs_limit)) return;
  ++steps_;
  queue_.push_back(std::move(step));
}

void Flow::drain() {
  while (!queue_.empty()) {
    Step step = std::move(queue_.front());
    queue_.pop_front();
    if (work_ == 0) {
      cut_ = true;
      queue_.clear();
      break;
    }
    run(step);
  }
  // As much again for the next start.
  const std::uint64_t used = work_limit - std::min(work_, work_limit), more = std::min(used, image_work_);
  image_work_ -= more;
  work_ += more;
}

void Flow::run(Step& step) {
  for (std::size_t i = 0; i < step.content.size(); ++i) {
    if (step.content[i] == '\n') step.line_ends.push_back(i);
  }
  if (step.file && !step.is_command) {
    const format::FileType type = format::classify(as_bytes(step.content), step.content.size(), step.path);
    using format::Language;
    if (type.language != Language::none && type.language != Language::shell && type.language != Language::crontab) {
      follow_source(step);
      return;
    }
  }
  format::ShellScript script = read(step, false);
  const bool twice = script.branches;
  const auto show = [&](format::ShellScript& shown) {
    if (!visit_) return;
    // From offsets in the text to those in the file.
    const auto size = static_cast<std::uint64_t>(step.content.size());
    for (ShellCommand& command : shown.commands) {
      command.offset = std::min(command.offset + step.offset, size);
      command.end = std::min(command.end + step.offset, size);
      command.line = static_cast<std::uint32_t>(step.line_of(command.offset));
      command.chain.insert(command.chain.begin(), step.origin.begin(), step.origin.end());
    }
    visit_({step.shown, step.content, std::move(shown), step.chain, step.file});
  };
  show(script);
  if (!twice) return;
  format::ShellScript other = read(step, true);
  show(other);
}

format::ShellScript Flow::read(Step& step, bool keep_values) {
  format::ShellEnvironment environment;
  environment.variables = step.variables;
  environment.arguments = step.arguments;
  environment.name = step.name;
  environment.folder = step.folder;
  environment.read_file = [this](std::string_view path) { return text_of(path); };
  environment.decompress = decompress;
  environment.keep_values = keep_values;
  environment.work = &work_;
  environment.on_command = [&](const ShellCommand& command, const ShellMoment& moment) { follow(step, command, moment); };
  format::ShellScript script = format::parse_shell(step.text, environment);
  // What is built to exhaust whoever reads it hides the rest.
  if (script.cut) unread_.emplace(step.shown, "expands or nests beyond the limit when it runs; what it does then is not known to the end");
  for (const auto& [path, content] : script.files) {
    if (written_.size() >= written_limit) break;
    if (!content.text.empty()) written_[path] = {content.text, content.is_static, format::origin_steps(script, content.origin)};
  }
  return script;
}

void Flow::follow(const Step& step, const ShellCommand& command, const ShellMoment& moment) {
  const std::size_t program = format::program_word(command);
  std::vector<std::string> chain = step.chain;
  if (!step.path.empty()) chain.push_back(step.path + ":" + std::to_string(step.line_of(std::min<std::uint64_t>(command.offset + step.offset, step.content.size()))));
  chain.insert(chain.end(), step.origin.begin(), step.origin.end());
  chain.insert(chain.end(), command.chain.begin(), command.chain.end());
  // Wrappers are programs of the image too.
  for (std::size_t i = 0; i < program && i < command.words.size(); ++i) {
    const auto& word = command.words[i];
    if (word.is_static && !word.text.empty() && (word.text[0] == '/' || i == 0)) {
      if (const auto file = look_up(word.text, moment.variable("PATH"))) reach(*file, chain);
    }
  }
  if (program < command.words.size()) follow_program(step, command, moment, program, chain);
  for (const auto& redirection : command.redirections) {
    if (redirection.operation != "<" || program >= command.words.size() || !redirection.target.is_static) continue;
    if (format::is_interpreter(base_name(command.words[program].text)))
      start(format::absolute_path(moment.folder(), redirection.target.text), moment.variables(command, false), {}, moment.folder(), chain);
  }
}

void Flow::follow_program(const Step& step, const ShellCommand& command, const ShellMoment& moment, std::size_t program, const std::vector<std::string>& chain) {
  const auto& words = command.words;
  const std::string& text = words[program].text;
  if (text.empty() || text.size() > 4096) return;
  const std::string name(base_name(text));
  note_fetch(step, command, moment);

  if (name == "." || name == "source") {
    if (program + 1 < words.size() && !words[program + 1].text.empty())
      start(format::absolute_path(moment.folder(), words[program + 1].text), moment.variables(command, true), moment.arguments(), moment.folder(), chain, step.shown,
            step.line_of(command.offset + step.offset));
    return;
  }

  // The program itself.
  const std::string search = moment.variable("PATH");
  std::vector<ShellValue> arguments;
  for (std::size_t i = program + 1; i < words.size(); ++i) {
    arguments.push_back(moment.value_of(words[i]));
    if (i >= step.own_words && command.nesting == format::ShellNesting::none) arguments.back().origin.insert(arguments.back().origin.begin(), "config.Cmd");
  }
  const std::string path = text.find('/') != std::string::npos ? format::absolute_path(moment.folder(), text) : look_up(text, search).value_or("");
  if (!path.empty()) start(path, moment.variables(command, false), arguments, moment.folder(), chain, step.shown, step.line_of(command.offset + step.offset));

  if (format::is_interpreter(name) || is_one_of(name, {"awk", "gawk", "mawk", "nawk", "java", "with-contenv", "execlineb", "Rscript", "tsx", "ts-node", "pypy3"})) {
    follow_interpreter(step, command, moment, program, chain);
    return;
  }
  if (is_one_of(name, {"run-parts", "find", "ls", "s6-svscan", "runsvdir", "runsv", "s6-supervise"})) {
    for (std::size_t i = program + 1; i < words.size(); ++i) {
      if (words[i].is_static && words[i].text.size() > 1 && words[i].text.find('/') != std::string::npos)
        follow_folder(format::absolute_path(moment.folder(), words[i].text), command, moment, chain);
    }
    return;
  }
  if (only_reads(name)) return;
  if (name == "supervisord" || name == "circusd") follow_services(name, command, moment, program, chain);
  // Other programs may run or load the files that they are given.
  for (std::size_t i = program + 1; i < words.size() && i < program + 64; ++i) {
    std::string_view word = words[i].text;
    if (word.size() < 2 || word.size() > 4096) continue;
    if (const auto equals = word.find("=/"); word[0] == '-' && equals != std::string_view::npos) word.remove_prefix(equals + 1);
    if (word.find('/') != std::string_view::npos && word.find("://") == std::string_view::npos && word[0] != '-') {
      const std::string file = format::absolute_path(moment.folder(), word);
      // Settings are read, not run.
      const auto found = root_.find(file);
      if (found && found->record.file_type.kind != format::FileKind::script && found->record.file_type.language == format::Language::none) {
        reach(file, chain);
      } else {
        start(file, moment.variables(command, false), {}, moment.folder(), chain);
      }
    } else if (i == program + 1 && word[0] != '-' && path.empty()) {
      // A wrapper that is not known, and what it starts.
      if (const auto found = look_up(word, search)) start(*found, moment.variables(command, false), {}, moment.folder(), chain);
    }
  }
}

// sh file, python3 -u file, python3 -m module, java -jar file
void Flow::follow_interpreter(const Step& step, const ShellCommand& command, const ShellMoment& moment, std::size_t program, const std::vector<std::string>& chain) {
  const auto& words = command.words;
  const std::string name(base_name(words[program].text));
  const bool shell = format::is_shell(name);
  std::size_t i = program + 1;
  for (; i < words.size(); ++i) {
    const std::string_view word = words[i].text;
    if (word.size() < 2 || (word[0] != '-' && word[0] != '+')) break;
    if (word == "--") {
      ++i;
      break;
    }
    if (shell && word[1] != '-' && word.find('c') != std::string_view::npos) {
      // The parser reads the text that -c gives.
      if (word.find('l') != std::string_view::npos) start("/etc/profile", moment.variables(command, false), {}, moment.folder(), chain);
      return;
    }
    if (word == "-m" && i + 1 < words.size() && name.starts_with("python")) {
      std::string module = words[i + 1].text;
      std::replace(module.begin(), module.end(), '.', '/');
      for (const std::string_view ending : {".py", "/__main__.py", "/__init__.py"})
        start(format::absolute_path(moment.folder(), module + std::string(ending)), moment.variables(command, false), {}, moment.folder(), chain);
      return;
    }
    if (is_one_of(word, {"-e", "-c", "-r", "--eval", "-E"}) && !shell) {
      if (is_one_of(name, {"node", "nodejs", "ruby"}) && word == "-r" && i + 1 < words.size()) {
        start(format::absolute_path(moment.folder(), words[++i].text), moment.variables(command, false), {}, moment.folder(), chain);
        continue;
      }
      // The parser reads the commands of the code; this is what else it names.
      if (i + 1 < words.size()) {
        for (const format::SourceReference& reference : format::source_references(words[i + 1].text, format::Language::none, folder_limit))
          start(format::absolute_path(moment.folder(), reference.path), moment.variables(command, false), {}, moment.folder(), chain);
      }
      return;
    }
    if (shell && is_one_of(word, {"-o", "+o", "-O", "+O", "--rcfile", "--init-file"})) {
      if (word.starts_with("--") && i + 1 < words.size())
        start(format::absolute_path(moment.folder(), words[i + 1].text), moment.variables(command, false), {}, moment.folder(), chain);
      ++i;
    } else if (is_one_of(word, {"--require", "--import", "-javaagent", "-jar", "-f", "-W", "-X"}) && i + 1 < words.size()) {
      if (word == "-jar" || word == "--require" || word == "--import" || word == "-f")
        start(format::absolute_path(moment.folder(), words[i + 1].text), moment.variables(command, false), {}, moment.folder(), chain);
      ++i;
    }
  }
  if (i >= words.size() || words[i].text.empty() || words[i].text == "-") return;
  std::vector<ShellValue> arguments;
  for (std::size_t j = i + 1; j < words.size(); ++j) {
    arguments.push_back(moment.value_of(words[j]));
    if (j >= step.own_words && command.nesting == format::ShellNesting::none) arguments.back().origin.insert(arguments.back().origin.begin(), "config.Cmd");
  }
  const std::string file = format::absolute_path(moment.folder(), words[i].text);
  const std::uint64_t line = step.line_of(command.offset + step.offset);
  if (start(file, moment.variables(command, false), arguments, moment.folder(), chain, step.shown, line)) return;
  // A shell looks through the search path too.
  if (words[i].text.find('/') == std::string::npos) {
    if (const auto found = look_up(words[i].text, moment.variable("PATH")))
      start(*found, moment.variables(command, false), arguments, moment.folder(), chain, step.shown, line);
  }
}

// Everything that lies in a folder and is text that can run.
void Flow::follow_folder(const std::string& folder, const ShellCommand& command, const ShellMoment& moment, const std::vector<std::string>& chain) {
  const auto found = root_.find(folder);
  const std::string real = found ? found->record.path : folder;
  if (real == "/" || (found && found->record.type != format::TarType::directory)) return;
  std::vector<std::string> files;
  for (std::size_t layer = 0; layer < root_.layers().size(); ++layer) {
    for (const KeptFile& kept : root_.layers()[layer]->kept) {
      if (kept.path.size() <= real.size() + 1 || !kept.path.starts_with(real) || kept.path[real.size()] != '/' || !root_.is_visible(layer, kept.entry)) continue;
      if (files.size() > folder_limit) return;  // a whole tree is searched, not a folder of scripts run
      files.push_back(kept.path);
    }
  }
  std::sort(files.begin(), files.end());
  const Values variables = moment.variables(command, true);
  for (const std::string& file : files) start(file, variables, {}, moment.folder(), chain);
}

void Flow::follow_services(const std::string&, const ShellCommand& command, const ShellMoment& moment, std::size_t at, const std::vector<std::string>& chain) {
  std::vector<std::string> files = {"/etc/supervisord.conf", "/etc/supervisor/supervisord.conf"};
  const auto& words = command.words;
  for (std::size_t i = at + 1; i < words.size(); ++i) {
    const std::string& word = words[i].text;
    if ((word == "-c" || word == "--configuration") && i + 1 < words.size()) files = {words[i + 1].text};
    if (word.starts_with("-c/")) files = {word.substr(2)};
    if (word.starts_with("--configuration=")) files = {word.substr(16)};
  }
  for (std::size_t i = 0; i < files.size() && i < 64; ++i) {
    const std::string path = format::absolute_path(moment.folder(), files[i]);
    std::vector<std::string> matching = {path};
    if (path.find('*') != std::string::npos) {
      matching.clear();
      const std::string folder(folder_of(path));
      for (std::size_t layer = 0; layer < root_.layers().size(); ++layer) {
        for (const KeptFile& kept : root_.layers()[layer]->kept) {
          if (folder_of(kept.path) == folder && root_.is_visible(layer, kept.entry) && matching.size() < folder_limit) matching.push_back(kept.path);
        }
      }
    }
    for (const std::string& file : matching) {
      const auto text = text_of(file);
      if (!text) continue;
      std::vector<std::string> includes;
      for (const format::ServiceCommand& service : format::supervisor_commands(*text, &includes)) {
        Step step;
        step.path = step.shown = file;
        step.content = *text;
        step.text = service.text;
        step.offset = service.offset;
        step.variables = moment.variables(command, false);
        for (const auto& [name, value] : service.variables) step.variables.emplace_back(name, ShellValue{value, true, {file}});
        step.folder = service.folder.empty() ? "/" : service.folder;
        step.chain = chain;
        step.is_command = true;
        step.file = root_.find(file);
        reach(file, chain);
        enqueue(std::move(step));
      }
      for (const std::string& include : includes) {
        if (files.size() < 64) files.push_back(include.starts_with('/') ? include : std::string(folder_of(file)) + "/" + include);
      }
    }
  }
}

// Files that a program in another language names.
void Flow::follow_source(const Step& step) {
  const format::FileType type = format::classify(as_bytes(step.content), step.content.size(), step.path);
  const std::string folder(folder_of(step.path));
  work_ -= std::min<std::uint64_t>(work_, step.content.size());
  // The commands that it runs, with the image's variables filled in.
  const auto value_of = [&](std::string_view name) -> std::optional<std::string> {
    for (const auto& [known, value] : step.variables) {
      if (known == name) return value.text;
    }
    return std::nullopt;
  };
  for (format::CodeCommand& command : format::code_commands(step.content, value_of)) {
    Step inside = step;
    inside.line_ends.clear();
    inside.is_command = true;
    inside.text = std::move(command.text);
    inside.offset = command.offset;
    inside.arguments.reset();
    for (const std::string& name : command.variables) inside.origin.push_back("config.Env." + name);
    enqueue(std::move(inside));
  }
  for (const format::SourceReference& reference : format::source_references(step.content, type.language)) {
    std::vector<std::string> chain = step.chain;
    chain.push_back(step.path + ":" + std::to_string(step.line_of(reference.offset)));
    std::vector<std::string> candidates;
    if (reference.is_module) {
      for (const std::string_view ending : {".py", "/__init__.py"}) candidates.push_back(folder + "/" + reference.path + std::string(ending));
    } else if (reference.path[0] == '/') {
      candidates = {reference.path, folder + reference.path};  // __DIR__ . '/x.php'
    } else {
      candidates = {folder + "/" + reference.path, step.folder + "/" + reference.path};
      for (const std::string_view ending : {".js", "/index.js", ".rb"}) candidates.push_back(folder + "/" + reference.path + std::string(ending));
    }
    for (const std::string& candidate : candidates) {
      const auto found = root_.find(candidate);
      if (!found || found->record.type == format::TarType::directory) continue;
      const bool runs = reference.is_module || (found->record.mode & 0111) != 0 || found->record.file_type.language != format::Language::none ||
                        found->record.file_type.kind == format::FileKind::elf;
      if (runs) start(candidate, step.variables, {}, step.folder, chain);
      break;
    }
  }
}

// curl -o file, wget -O file: what is started from there later is not in the image.
void Flow::note_fetch(const Step& step, const ShellCommand& command, const ShellMoment& moment) {
  const std::size_t program = format::program_word(command);
  if (program >= command.words.size() || fetched_.size() >= written_limit) return;
  const std::string_view name = base_name(command.words[program].text);
  if (is_one_of(name, {"cp", "mv", "ln", "install"}) && command.words.size() > program + 2) {
    const auto known = fetched_.find(format::absolute_path(moment.folder(), command.words[command.words.size() - 2].text));
    if (known != fetched_.end()) fetched_.emplace(format::absolute_path(moment.folder(), command.words.back().text), known->second);
    return;
  }
  // A checksum or signature that the image holds, of whatever was fetched before.
  const bool checks = (name.ends_with("sum") && std::any_of(command.words.begin(), command.words.end(), [](const auto& word) { return is_one_of(word.text, {"-c", "--check"}); })) ||
                      (name == "gpg" && std::any_of(command.words.begin(), command.words.end(), [](const auto& word) { return word.text == "--verify"; })) || name == "gpgv" ||
                      name == "cosign" || name == "minisign";
  if (checks) {
    for (auto& [path, fetch] : fetched_) fetch.checked |= fetch.by == step.shown;
    return;
  }
  // What is cloned or unpacked lies below a folder.
  const auto last_word = [&](std::size_t back) -> const std::string& { return command.words[command.words.size() - 1 - back].text; };
  if (name == "git" && command.words.size() > program + 2 && command.words[program + 1].text == "clone") {
    const bool named = !is_address(last_word(0)) && is_address(last_word(1));
    std::string url = named ? last_word(1) : last_word(0), folder = named ? last_word(0) : std::string(base_name(url));
    if (!named && folder.ends_with(".git")) folder.resize(folder.size() - 4);
    if (is_address(url)) fetched_.emplace(format::absolute_path(moment.folder(), folder) + "/", Fetch{url, step.shown});
    return;
  }
  if (name == "tar" || name == "unzip") {
    std::string folder = moment.folder(), url;
    for (std::size_t i = program + 1; i < command.words.size(); ++i) {
      const std::string& word = command.words[i].text;
      if ((word == "-C" || word == "-d") && i + 1 < command.words.size()) folder = format::absolute_path(moment.folder(), command.words[i + 1].text);
      if (const auto known = fetched_.find(format::absolute_path(moment.folder(), word)); known != fetched_.end()) url = known->second.url;
    }
    if (!url.empty()) fetched_.emplace(folder + (folder.ends_with('/') ? "" : "/"), Fetch{url, step.shown});
    return;
  }
  if (!is_one_of(name, {"curl", "wget", "fetch", "aria2c", "axel"})) return;
  std::string url, output;
  bool by_name = name != "curl";
  for (std::size_t i = program + 1; i < command.words.size(); ++i) {
    const std::string& word = command.words[i].text;
    if (is_address(word)) url = word;
    const bool valued = is_one_of(word, {"-o", "--output", "--output-document"}) || (name == "wget" && word == "-O") ||
                        (word.size() > 2 && word[0] == '-' && word[1] != '-' && word.back() == (name == "wget" ? 'O' : 'o'));
    if (valued && i + 1 < command.words.size()) output = command.words[i + 1].text;
    by_name |= name == "curl" && (word == "-O" || (word.size() > 2 && word[0] == '-' && word[1] != '-' && word.find('O') != std::string::npos));
  }
  for (const auto& redirection : command.redirections) {
    if (redirection.operation == ">" && redirection.fd <= 1) output = redirection.target.text;
  }
  if (output.empty() && by_name && !url.empty()) output = base_name(url.substr(0, url.find_first_of("?#")));
  if (output.empty() || output == "-" || output.starts_with("/dev/")) return;
  fetched_.emplace(format::absolute_path(moment.folder(), output), Fetch{url, step.shown});
}

bool Flow::start(const std::string& path, const Values& variables, std::optional<std::vector<ShellValue>> arguments, const std::string& folder,
                 const std::vector<std::string>& chain, const std::string& starter, std::uint64_t line) {
  if (path.find('*') != std::string::npos) {
    // for f in /docker-entrypoint.d/*; do . "$f"; done
    const std::string place(folder_of(path));
    if (place.find('*') != std::string::npos || place == "/") return false;
    std::vector<std::string> files;
    for (std::size_t layer = 0; layer < root_.layers().size(); ++layer) {
      for (const KeptFile& kept : root_.layers()[layer]->kept) {
        if (folder_of(kept.path) == place && root_.is_visible(layer, kept.entry) && files.size() < folder_limit) files.push_back(kept.path);
      }
    }
    std::sort(files.begin(), files.end());
    for (const std::string& file : files) start(file, variables, arguments, folder, chain);
    return !files.empty();
  }
  const auto real = reach(path, chain);
  if (!real) {
    if (const auto own = written_.find(path); own != written_.end()) {
      Step step;
      step.path = step.shown = path;
      step.content = step.text = own->second.text;
      step.variables = variables;
      step.arguments = std::move(arguments);
      step.name = path;
      step.folder = folder;
      step.chain = chain;
      step.chain.insert(step.chain.end(), own->second.origin.begin(), own->second.origin.end());
      enqueue(std::move(step));
      return true;
    }
    auto outside = fetched_.find(path);
    for (std::string_view place = path; outside == fetched_.end() && place.size() > 1;) {
      place = folder_of(place);
      outside = fetched_.find(place == "/" ? std::string("/") : std::string(place) + "/");
    }
    // Within one script the detectors see both; what is unpacked they do not follow.
    if (outside != fetched_.end() && !starter.empty() && outside_.size() < folder_limit && (outside->second.by != starter || outside->first.ends_with('/')))
      outside_.push_back({path, outside->second.url, starter, line, outside->second.checked, chain});
    return false;
  }
  const auto text = root_.kept_text(*real);
  if (!text) {
    const auto found = root_.find(*real);
    if (found && found->record.file_type.language == format::Language::shell && found->record.type == format::TarType::file)
      unread_.emplace(*real, "is started by the image and too large to be followed");
    return true;
  }
  Step step;
  step.path = step.shown = *real;
  step.content = step.text = *text;
  step.variables = variables;
  step.arguments = std::move(arguments);
  step.name = path;
  step.folder = folder;
  step.chain = chain;
  step.file = root_.find(*real);
  // #! names a program of the image too: it may be anything.
  if (text->starts_with("#!")) {
    const std::string_view head = text->substr(2, std::min<std::size_t>(text->find('\n'), 512) - 2);
    for (const std::string_view word : split(head, ' ')) {
      if (!word.starts_with('/')) continue;
      std::vector<std::string> next = chain;
      next.push_back(*real + ":1");
      const auto interpreter = root_.find(word);
      if (interpreter && interpreter->record.path != *real && root_.kept_text(word)) {
        std::vector<ShellValue> given = {{path, true, {}}};
        if (step.arguments) given.insert(given.end(), step.arguments->begin(), step.arguments->end());
        if (next.size() < chain_limit) start(std::string(word), variables, given, folder, next);
      } else {
        reach(std::string(word), next);
      }
    }
  }
  enqueue(std::move(step));
  return true;
}

// The path of the file itself when there is one.
std::optional<std::string> Flow::reach(const std::string& path, const std::vector<std::string>& chain) {
  const auto found = root_.find(path);
  if (!found || found->record.type == format::TarType::directory) return std::nullopt;
  if (reach_.size() >= files_limit) {
    cut_ = true;
    return std::nullopt;
  }
  if (found->record.type == format::TarType::hard_link) reach_.emplace(canonical_path(found->record.link_target), chain);
  reach_.emplace(found->record.path, chain);
  return found->record.path;
}

std::optional<std::string> Flow::look_up(std::string_view name, std::string_view search_path) const {
  if (name.empty() || name.size() > 255) return std::nullopt;
  if (name[0] == '/') return root_.find(name) ? std::optional(std::string(name)) : std::nullopt;
  if (name.find('/') != std::string_view::npos) return std::nullopt;
  for (const std::string_view folder : split(search_path.empty() ? std::string_view(search_path_) : search_path, ':')) {
    std::string path = std::string(folder) + "/" + std::string(name);
    const auto found = root_.find(path);
    if (found && found->record.type != format::TarType::directory) return path;
  }
  return std::nullopt;
}

std::optional<std::string> Flow::text_of(std::string_view path) const {
  if (const auto own = written_.find(path); own != written_.end() && own->second.is_static && !root_.find(path)) return own->second.text;
  const auto text = root_.kept_text(path);
  if (!text) return std::nullopt;
  return std::string(*text);
}

}  // namespace lazaret::audit
