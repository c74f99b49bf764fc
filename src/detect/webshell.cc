// Webshells: pages that run what the request tells them.
//
// What makes one is a flow, not a word: data of the request (a source) gets into a call that runs it (a sink), as it is or through decoders. phpMyAdmin, WordPress and Adminer read requests on
// every page and have calls of exec(), but not one in the other. The ways to hide it change the words and keep the flow: the function's name is put together from pieces, called through a
// variable or a callback, the data goes through base64 or a cipher, the page is a picture with a few bytes of PHP behind it.
#include <algorithm>
#include <array>
#include <set>
#include <string>

#include "base/text.h"
#include "detect/code_text_support.h"
#include "detect/detector.h"
#include "detect/text_context_support.h"

namespace lazaret::detect {
namespace {

constexpr std::string_view advice = "Remove the page; look at how it got into the image. Where it was served, treat the host as compromised.";

constexpr Rule rules[] = {
    {"webshell.run-request", Category::webshell, Severity::critical, Confidence::high, "Page runs code or commands of the request",
     "Data of the request goes straight into a call that runs it: whoever knows the address controls the server. No product needs that.", advice, {"T1505.003"}},
    {"webshell.request-in-command", Category::webshell, Severity::high, Confidence::medium, "Data of the request gets into a command",
     "Data of the request becomes part of something that is run. Webshells do it on purpose, careless administration pages by mistake; both let strangers in.", advice, {"T1505.003"}},
    {"webshell.hidden-function", Category::webshell, Severity::critical, Confidence::high, "Request is passed to a function whose name is hidden",
     "The name of the function is put together, decoded or taken from the request, so that nobody who searches for it finds it.", advice, {"T1505.003", "T1027"}},
    {"webshell.write-request", Category::webshell, Severity::high, Confidence::high, "Request decides which file is written and with what",
     "File name and content both come from the request: the page is there to bring others.", advice, {"T1505.003", "T1105"}},
    {"webshell.load-class", Category::webshell, Severity::critical, Confidence::medium, "Page loads code of the request as a class",
     "Bytes of the request are defined as a class and run (the in-memory shells Behinder and Godzilla work so).", advice, {"T1505.003", "T1620"}},
};
enum { run_request, request_in_command, hidden_function, write_request, load_class };

enum : std::uint32_t { php_get, php_post, php_request, php_cookie, php_input, php_server, jsp_parameter, jsp_reader, asp_request, flask, django, cgi, express_query, express_body, rails, perl_param };
constexpr engine::Pattern patterns[] = {
    engine::literal("$_GET"),
    engine::literal("$_POST"),
    engine::literal("$_REQUEST"),
    engine::literal("$_COOKIE"),
    engine::literal("php://input"),
    engine::regex("\\$_SERVER[ ]*\\[[ ]*[\"']HTTP_"),
    engine::literal("request.getParameter"),
    engine::regex("request\\.get(Reader|InputStream|Header)"),
    engine::regex_ignore_case("request(\\.(item|form|querystring))?[ ]*[\\[(][ ]*\""),
    engine::regex("request\\.(args|form|values|data|json|cookies)"),
    engine::regex("request\\.(GET|POST)"),
    engine::regex("\\.get(value|first)\\([\"']"),
    engine::literal("req.query"),
    engine::literal("req.body"),
    engine::regex("params\\[:"),
    engine::regex("param\\([\"']"),
};

template <std::size_t N>
bool is_one_of(std::string_view name, const std::array<std::string_view, N>& list) {
  return std::any_of(list.begin(), list.end(), [&](std::string_view item) { return equals_ignore_case(item, name); });
}

// What each language runs things with.
constexpr std::array<std::string_view, 12> php_sinks = {"eval", "assert", "system", "exec", "shell_exec", "passthru", "popen", "proc_open", "pcntl_exec", "create_function", "call_user_func", "call_user_func_array"};
constexpr std::array<std::string_view, 8> php_callbacks = {"array_map", "array_filter", "array_walk", "usort", "uasort", "uksort", "register_shutdown_function", "array_reduce"};
constexpr std::array<std::string_view, 18> script_sinks = {"os.system", "os.popen", "subprocess.call", "subprocess.run", "subprocess.Popen", "subprocess.check_output", "subprocess.getoutput", "commands.getoutput",
                                                           "eval", "exec", "system", "execSync", "spawnSync", "child_process.exec", "child_process.execSync", "vm.runInThisContext", "vm.runInNewContext", "Function"};
constexpr std::array<std::string_view, 6> server_sinks = {"exec", "ProcessBuilder", "eval", "execute", "executeglobal", "Start"};
// Leave the data what it is.
constexpr std::array<std::string_view, 32> decoders = {"base64_decode", "gzinflate", "gzuncompress", "gzdecode", "str_rot13", "stripslashes", "trim",      "urldecode", "rawurldecode", "hex2bin", "pack",  "strrev",
                                                       "openssl_decrypt", "stripcslashes", "html_entity_decode", "file_get_contents", "implode", "join", "b64decode", "decode", "String", "str", "unhexlify", "decodeBuffer",
                                                       "request", "Item", "Form", "QueryString", "param", "getParameter", "getvalue", "getfirst"};
// Make it harmless, or only ask about it.
constexpr std::array<std::string_view, 34> harmless = {"isset",     "empty",       "escapeshellarg", "escapeshellcmd", "intval",    "is_numeric", "in_array",     "array_key_exists", "strlen",    "count", "md5",      "sha1", "ctype_digit", "ctype_alnum",
                                                       "preg_match", "is_string",  "is_array",       "floatval",       "filter_var", "basename",  "array_search", "strcmp",           "strtotime", "int",   "parseInt", "Number", "shlex.quote", "quote",
                                                       "hash",       "str_starts_with", "strpos",   "sanitize_key",   "absint",     "wp_verify_nonce"};

struct Language {
  CodeStyle style = CodeStyle::hash;
  bool php = false, server = false;
};

bool is_sink(const Language& language, std::string_view name) {
  if (language.php) return is_one_of(name, php_sinks);
  if (language.server) return is_one_of(last_name(name), server_sinks) && last_name(name).size() > 3 && (last_name(name) != "Start" || name.find("Process") != std::string_view::npos);
  // exec() is also a method of regular expressions and databases.
  return std::find(script_sinks.begin(), script_sinks.end(), name) != script_sinks.end();
}

Language language_of(const FileView& file) {
  const std::string_view text = file.text();
  if (file.type.language == format::Language::php || text.find("<?php") != std::string_view::npos || text.find("<?=") != std::string_view::npos) return {CodeStyle::php, true, false};
  if (text.find("<%") != std::string_view::npos) return {CodeStyle::server, false, true};
  if (file.type.language == format::Language::node || extension_of(file.path) == "js") return {CodeStyle::c_like, false, false};
  return {};
}

// Whether nothing but decoders stands between the call and the data.
bool is_straight(std::string_view code, std::size_t open, std::size_t source, std::size_t source_end, const std::vector<EnclosingCall>& calls, std::size_t outermost) {
  // Compared with something ($_GET['a'] == 1) the data is a question, not a command.
  for (std::size_t at = source_end; at < code.size() && at - source_end < 200; ++at) {
    if (code[at] == '[' || code[at] == '{') {
      at = std::min(code.find(code[at] == '[' ? ']' : '}', at), code.size() - 1);
    } else if (code[at] == '=' || code[at] == '!' || code[at] == '<' || code[at] == '>' || code[at] == '+') {
      return false;
    } else if (code[at] != ' ' && code[at] != '"' && code[at] != '\'' && code[at] != '(') {
      break;
    }
  }
  for (std::size_t i = 0; i < outermost; ++i) {
    if (!calls[i].name.empty() && !is_one_of(last_name(calls[i].name), decoders)) return false;
  }
  // Text before the data ("ping " . $_GET[..]) makes it part of something. What is in parentheses of its own (isset($_GET[..]) ? ) is not in front of it.
  std::size_t depth = 0;
  for (std::size_t at = source; at > open + 1; --at) {
    const char c = code[at - 1];
    if (c == ')' || c == ']') ++depth;
    else if ((c == '(' || c == '[') && depth > 0) --depth;
    else if (depth == 0 && (c == '"' || c == '\'' || c == ',' || c == '+' || (c == '.' && at == source))) return false;
  }
  return true;
}

// The function name that an expression gives: 'ass'.'ert', "sys" . "tem".
std::string joined_literals(std::string_view expression) {
  std::string joined;
  char quote = '\0';
  for (const char c : expression) {
    if (quote != '\0') {
      if (c == quote) quote = '\0';
      else joined.push_back(c);
    } else if (c == '"' || c == '\'') {
      quote = c;
    }
  }
  return joined;
}

// True when a variable holds a function's name that somebody took care to hide.
bool is_hidden_function(std::string_view text, std::string_view code, std::string_view variable) {
  if (variable.size() < 2 || variable.front() != '$') return false;
  for (auto at = code.find(variable); at != std::string_view::npos; at = code.find(variable, at + 1)) {
    std::size_t next = at + variable.size();
    if (next < code.size() && is_word(code[next])) continue;
    while (next < code.size() && code[next] == ' ') ++next;
    if (next + 1 >= code.size() || code[next] != '=' || code[next + 1] == '=') continue;
    const auto end = std::min(code.find(';', next), code.size());
    const std::string_view value = code.substr(next + 1, end - next - 1);
    for (const std::string_view maker : {"base64_decode", "str_rot13", "strrev", "chr", "hex2bin", "gzinflate", "pack", "str_replace", "substr", "$_GET", "$_POST", "$_REQUEST", "$_COOKIE"}) {
      if (mentions(value, maker)) return true;
    }
    if (is_one_of(joined_literals(text.substr(next + 1, end - next - 1)), php_sinks)) return true;
  }
  return false;
}

class Inspection {
 public:
  Inspection(const FileView& file, FileReport& report) : file_(file), report_(report), text_(file.text()), language_(language_of(file)), code_(mask_code(text_, language_.style)) {}

  void run() {
    for (const engine::PatternHit& hit : file_.hits) {
      if (hit.end > text_.size()) continue;
      const bool php_source = hit.pattern <= php_server, server_source = hit.pattern >= jsp_parameter && hit.pattern <= asp_request;
      if (php_source != language_.php || (!php_source && server_source != language_.server)) continue;
      if (hit.pattern == perl_param && file_.type.language != format::Language::perl) continue;
      look_at(static_cast<std::size_t>(hit.end), hit.pattern);
    }
    if (language_.server) look_for_classes();
    follow_variables();
  }

 private:
  void add(int rule, std::size_t at, std::string chain, std::optional<Severity> severity = {}) {
    if (!said_.insert(rule).second) return;
    FileFinding finding;
    finding.rule = &rules[rule];
    finding.offset = at;
    finding.evidence = evidence_of(text_, at, at + 20);
    finding.chain = {std::move(chain)};
    finding.severity = severity;
    if (is_documentation(file_.path)) finding.confidence = Confidence::low;
    report_.add(std::move(finding));
  }

  // Scripts that are no pages of a web server are only as bad as what they listen to.
  std::optional<Severity> severity_for_language() const { return language_.php || language_.server ? std::nullopt : std::optional(Severity::high); }

  void look_at(std::size_t end, std::uint32_t pattern) {
    // The source must be code, or a string that names an input (php://input).
    std::size_t begin = end - 1;
    while (begin > 0 && end - begin < 40 && (is_word(text_[begin - 1]) || text_[begin - 1] == '$' || text_[begin - 1] == '.')) --begin;
    if (pattern == php_input) {
      begin = end - std::string_view("php://input").size();
      if (begin > 0 && (text_[begin - 1] == '"' || text_[begin - 1] == '\'')) --begin;
    } else if (pattern == php_server) {
      begin = text_.substr(0, end).rfind("$_SERVER");
      end = begin + 8;
    }
    if (pattern != php_input && begin < code_.size() && code_[begin] == ' ') return;

    const auto calls = calls_around(code_, begin);
    bool guarded = false;
    for (std::size_t i = 0; i < calls.size() && !guarded; ++i) {
      const EnclosingCall& call = calls[i];
      if (is_one_of(last_name(call.name), harmless)) {
        guarded = true;
      } else if (language_.php && equals_ignore_case(call.name, "preg_replace")) {
        const std::string_view regex = text_.substr(call.open + 1, code_.find(',', call.open) - call.open - 1);
        const auto close = regex.find_last_of("\"'");
        std::size_t flag = close == std::string_view::npos ? 0 : close;
        bool evaluates = false;
        while (flag > 0 && regex[flag - 1] >= 'a' && regex[flag - 1] <= 'z') evaluates |= regex[--flag] == 'e';
        if (evaluates && call.argument >= 1 && flag > 2) add(run_request, begin, "request -> preg_replace /e");
      } else if (language_.php && is_one_of(call.name, php_callbacks) && is_callback(call)) {
        add(hidden_function, begin, "request -> " + std::string(call.name));
      } else if (language_.php && equals_ignore_case(call.name, "file_put_contents")) {
        const std::string_view arguments = arguments_at(code_, call.open);
        const auto comma = arguments.find(',');
        const auto from_request = [](std::string_view part) { return part.find("$_GET") != part.npos || part.find("$_POST") != part.npos || part.find("$_REQUEST") != part.npos || part.find("$_COOKIE") != part.npos; };
        if (comma != std::string_view::npos && from_request(arguments.substr(0, comma)) && from_request(arguments.substr(comma))) add(write_request, begin, "request -> file_put_contents");
      } else if (is_sink(language_, call.name)) {
        // A method of the same name ($db->exec, re.exec) belongs to something else.
        if (language_.php && call.open >= call.name.size() + 2 && code_.substr(0, call.open - call.name.size()).ends_with("->")) continue;
        const bool straight = is_straight(code_, call.open, begin, end, calls, i);
        const std::string chain = "request -> " + std::string(call.name);
        if (call.name.starts_with("call_user_func") && call.argument > 0 && !is_callback(call)) continue;
        if (!straight && equals_ignore_case(call.name, "assert")) continue;
        // Consoles of development servers read their code so; they listen to nobody else.
        if (straight) add(run_request, begin, chain, pattern == php_input ? std::optional(Severity::high) : severity_for_language());
        else add(request_in_command, begin, chain);
      } else if (language_.php && call.name.starts_with('$') && call.name.find('>') == std::string_view::npos) {
        if (is_hidden_function(text_, code_, call.name)) add(hidden_function, begin, "request -> " + std::string(call.name) + "()");
      }
    }
    if (guarded) return;
    look_at_forms(begin, end);
    const std::string_view variable = assigned_variable(code_, begin);
    // What goes through a call that is no decoder is something else afterwards.
    const bool kept = std::all_of(calls.begin(), calls.end(), [](const EnclosingCall& call) { return call.name.empty() || is_one_of(last_name(call.name), decoders); });
    if (kept && variable.size() >= (language_.php ? 2u : 1u) && !variable.starts_with("$_") && variables_.size() < 64) variables_.insert(std::string(variable));
  }

  // $_GET['f']($_GET['x']), `$_GET[x]`, include $_GET[x].
  // And without parentheses, as VBScript writes it: eval request("x").
  void look_at_forms(std::size_t begin, std::size_t end) {
    if (language_.server) {
      const std::string near = to_lower(std::string_view(code_).substr(begin > 60 ? begin - 60 : 0, std::min<std::size_t>(begin, 60)));
      const auto request = near.rfind("request");
      if (request != std::string::npos) {
        const std::string_view before = trim(std::string_view(near).substr(0, request));
        if (before.ends_with("eval") || before.ends_with("execute") || before.ends_with("executeglobal")) add(run_request, begin, "request -> " + std::string(before.substr(before.rfind(' ') + 1)));
      }
    }
    if (!language_.php) return;
    std::size_t at = end;
    while (at < code_.size() && code_[at] == ' ' && at - end < 4) ++at;
    for (int index = 0; index < 3 && at < code_.size() && (code_[at] == '[' || code_[at] == '{'); ++index) {
      const char close = code_[at] == '[' ? ']' : '}';
      while (at < code_.size() && code_[at] != close && code_[at] != ';') ++at;
      if (at < code_.size() && code_[at] == close) ++at;
    }
    if (at > end && at < code_.size() && code_[at] == '(') add(hidden_function, begin, "request names the function");
    std::size_t before = begin;
    while (before > 0 && (code_[before - 1] == ' ' || code_[before - 1] == '(' || code_[before - 1] == '@')) --before;
    std::size_t first = before;
    while (first > 0 && is_word(code_[first - 1])) --first;
    const std::string_view word = std::string_view(code_).substr(first, before - first);
    for (const std::string_view loader : {"include", "include_once", "require", "require_once"}) {
      if (equals_ignore_case(word, loader)) add(request_in_command, begin, "request -> " + std::string(loader));
    }
    const std::size_t statement = std::min(code_.rfind(';', begin), begin);
    const std::string_view part = std::string_view(code_).substr(statement, begin - statement);
    if (std::count(part.begin(), part.end(), '`') % 2 == 1) add(run_request, begin, "request -> backticks");
  }

  // array_map('assert', $_POST), array_map($_GET['f'], ...)
  bool is_callback(const EnclosingCall& call) const {
    const std::string_view arguments = arguments_at(code_, call.open), raw = text_.substr(call.open + 1, arguments.size());
    for (std::size_t begin = 0; begin <= raw.size();) {
      const std::size_t end = std::min(raw.find(',', begin), raw.size());
      const std::string_view argument = trim(raw.substr(begin, end - begin));
      if (is_one_of(joined_literals(argument), php_sinks)) return true;
      if (argument.starts_with('$') && is_hidden_function(text_, code_, argument)) return true;
      begin = end + 1;
    }
    return (equals_ignore_case(call.name, "array_map") || equals_ignore_case(call.name, "register_shutdown_function")) && trim(arguments).starts_with("$_");
  }

  // $c = $_POST['x']; ... eval($c);
  void follow_variables() {
    if (variables_.empty() || said_.contains(run_request)) return;
    for (std::size_t open = code_.find('('); open != std::string::npos; open = code_.find('(', open + 1)) {
      std::size_t last = open;
      while (last > 0 && code_[last - 1] == ' ') --last;
      std::size_t first = last;
      while (first > 0 && (is_word(code_[first - 1]) || code_[first - 1] == '$' || (!language_.php && code_[first - 1] == '.'))) --first;
      const std::string_view name = std::string_view(code_).substr(first, last - first);
      if (name.size() < 2) continue;
      const bool method = first >= 2 && (code_.compare(first - 2, 2, "->") == 0 || code_.compare(first - 2, 2, "::") == 0);
      const bool hidden = language_.php && name.front() == '$' && is_hidden_function(text_, code_, name);
      if (method || (!hidden && !is_sink(language_, name))) continue;
      const std::string_view arguments = arguments_at(code_, open);
      for (const std::string& variable : variables_) {
        if (!mentions(arguments, variable)) continue;
        const bool quoted = arguments.find("escapeshell") != std::string_view::npos || arguments.find("quote") != std::string_view::npos || arguments.find("intval") != std::string_view::npos;
        const std::string_view whole = trim(arguments);
        if (quoted || (name.starts_with("call_user_func") && !mentions(arguments.substr(0, arguments.find(',')), variable)) || (equals_ignore_case(name, "assert") && whole != variable)) continue;
        const std::string chain = "request -> " + variable + " -> " + std::string(name);
        if (hidden) {
          add(hidden_function, first, chain);
        } else if (whole == variable && (language_.server || equals_ignore_case(name, "eval") || equals_ignore_case(name, "assert"))) {
          add(run_request, first, chain, severity_for_language());
        } else {
          add(request_in_command, first, chain);
        }
      }
    }
  }

  void look_for_classes() {
    const auto at = code_.find("defineClass");
    if (at != std::string::npos && code_.find("request.get") != std::string::npos) add(load_class, at, "request -> defineClass");
  }

  const FileView& file_;
  FileReport& report_;
  const std::string_view text_;
  const Language language_;
  const std::string code_;
  std::set<std::string> variables_;
  std::set<int> said_;
};

void inspect(const FileView& file, FileReport& report) {
  constexpr std::size_t longest = 4 << 20;  // no page is longer; a bundle of a whole application is
  if (file.content.size() > longest || file.origin != Origin::file) return;
  Inspection(file, report).run();
}

}  // namespace

extern const Detector webshell_detector;
const Detector webshell_detector = {.name = "webshell",
                                    .summary = "Finds pages in which data of the request is run as code or command, in PHP, JSP, ASP, Python, Perl, Ruby and JavaScript.",
                                    .rules = rules,
                                    .patterns = patterns,
                                    .kinds = {format::FileKind::text, format::FileKind::script, format::FileKind::xml},
                                    .trigger = Trigger::on_hit,
                                    .inspect = inspect};

}  // namespace lazaret::detect
