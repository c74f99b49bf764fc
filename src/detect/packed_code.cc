// Code that unpacks and runs itself, and code written so that nobody can read it.
//
// Installers, licensed products and bundles do this too, so that each form alone is weak; it counts where the image starts such a file. What is packed as base64 or hex is unpacked and audited
// by itself; these rules say that somebody took the trouble.
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

constexpr std::string_view advice = "Unpack it (the report shows what base64 and hex give) and read it, or ask its author for the source.";

constexpr Rule rules[] = {
    {"obfuscation.runs-decoded-text", Category::obfuscation, Severity::medium, Confidence::high, "Program text that is decoded and run",
     "The program carries another one in encoded form and runs it (exec, eval). Self-extracting scripts and licence protection do so too.", advice, {"T1027.013", "T1140"}},
    {"obfuscation.packed-javascript", Category::obfuscation, Severity::low, Confidence::medium, "JavaScript packed into eval",
     "The code is a packer's output. Old libraries were shipped so to save bytes.", advice, {"T1027.002"}},
    {"obfuscation.renamed-javascript", Category::obfuscation, Severity::low, Confidence::medium, "JavaScript made unreadable",
     "Names and strings were replaced by a tool whose only purpose is to keep people from reading the code.", advice, {"T1027"}},
    {"obfuscation.character-codes", Category::obfuscation, Severity::low, Confidence::medium, "Text put together from character codes and run",
     "What is run is written as a list of numbers.", advice, {"T1027.010"}},
};
enum { decoded, packed, renamed, codes };

enum : std::uint32_t { b64decode, decompress, marshal, fromhex, base64_decode, gzinflate, str_rot13, atob, decode64, perl_decode, buffer_base64, packer, renamed_name, from_char_code, chr_chain, chr_join };
constexpr engine::Pattern patterns[] = {
    engine::literal("b64decode("),
    engine::literal("zlib.decompress("),
    engine::literal("marshal.loads("),
    engine::literal("bytes.fromhex("),
    engine::literal("base64_decode("),
    engine::literal("gzinflate("),
    engine::literal("str_rot13("),
    engine::literal("atob("),
    engine::literal("decode64("),
    engine::literal("decode_base64("),
    engine::regex("[\"']base64[\"'][ ]*\\)[ ]*\\.toString\\("),
    engine::literal("eval(function(p,a,c,k,e,"),
    engine::regex("var _0x[0-9a-f]{4,6}[ ]?=|function _0x[0-9a-f]{4,6}\\(|const _0x[0-9a-f]{4,6}="),
    engine::literal("fromCharCode("),
    engine::regex("chr\\([0-9]{1,3}\\)[ ]?\\.[ ]?chr\\("),
    engine::regex("join\\([\\[(]?chr\\("),
};

bool runs_text(std::string_view name) {
  const std::string_view last = last_name(name);
  for (const std::string_view sink : {"eval", "exec", "assert", "Function", "create_function", "instance_eval", "class_eval", "runInThisContext", "_compile", "execScript"}) {
    if (last == sink) return true;
  }
  return false;
}

CodeStyle style_of(const FileView& file) {
  using format::Language;
  if (file.type.language == Language::php || file.text().starts_with("<?php")) return CodeStyle::php;
  if (file.type.language == Language::node || extension_of(file.path) == "js" || extension_of(file.path) == "mjs" || extension_of(file.path) == "cjs") return CodeStyle::c_like;
  return CodeStyle::hash;
}

// The longest quoted text in [begin, end).
std::size_t longest_literal(std::string_view text, std::size_t begin, std::size_t end) {
  std::size_t longest = 0, from = 0;
  char quote = '\0';
  for (std::size_t at = begin; at < std::min(end, text.size()); ++at) {
    if (quote == '\0' && (text[at] == '"' || text[at] == '\'')) {
      quote = text[at];
      from = at;
    } else if (text[at] == quote && quote != '\0') {
      longest = std::max(longest, at - from - 1);
      quote = '\0';
    }
  }
  if (quote != '\0') longest = std::max(longest, std::min(end, text.size()) - from);
  return longest;
}

class Inspection {
 public:
  Inspection(const FileView& file, FileReport& report) : file_(file), report_(report), text_(file.text()) {}

  void run() {
    std::size_t names = 0;
    for (const engine::PatternHit& hit : file_.hits) {
      if (hit.end > text_.size()) continue;
      const auto end = static_cast<std::size_t>(hit.end);
      if (role_of(file_, end - 1) == Role::prose) continue;
      switch (hit.pattern) {
        case packer: add(packed, end - 10, "eval(function(p,a,c,k,e,d)"); break;
        case renamed_name: ++names; break;
        case from_char_code:
        case chr_chain:
        case chr_join: look_at_codes(end); break;
        default: look_at_decoder(end); break;
      }
    }
    // A library may have one such name by chance.
    if (names >= 12) add(renamed, static_cast<std::size_t>(file_.hits.front().end) - 1, std::to_string(names) + " functions and variables named _0x...");
  }

 private:
  const std::string& code() {
    if (code_.empty()) code_ = mask_code(text_, style_of(file_));
    return code_;
  }

  void add(int rule, std::size_t at, std::string step, std::optional<Severity> severity = {}) {
    if (!said_.insert(rule).second) return;
    FileFinding finding;
    finding.rule = &rules[rule];
    finding.offset = at;
    finding.evidence = evidence_of(text_, at, at + 60);
    finding.chain = {std::move(step)};
    finding.severity = severity;
    report_.add(std::move(finding));
  }

  // exec(zlib.decompress(base64.b64decode("...")))
  void look_at_decoder(std::size_t end) {
    const std::size_t place = end - 1;
    if (code()[place] == ' ') return;
    for (const EnclosingCall& call : calls_around(code(), place)) {
      if (!runs_text(call.name)) continue;
      // A method of the same name belongs to something else (cursor.exec, re.exec).
      if (call.name.find('.') != std::string_view::npos && last_name(call.name) == "exec" && !call.name.starts_with("builtins")) continue;
      const std::string_view arguments = arguments_at(code(), call.open);
      const std::size_t literal = longest_literal(text_, call.open + 1, call.open + 1 + std::max<std::size_t>(arguments.size(), 600));
      add(decoded, call.open, std::string(call.name), literal >= 60 ? std::nullopt : std::optional(Severity::low));
      return;
    }
  }

  // eval(String.fromCharCode(118,97,114, ...))
  void look_at_codes(std::size_t end) {
    const std::size_t place = end - 1;
    if (code()[place] == ' ') return;
    std::size_t numbers = 0;
    for (std::size_t at = end; at < text_.size() && at - end < 4000; ++at) {
      const char c = text_[at];
      if (c == ',' || c == '.') ++numbers;
      if (c == ';' || c == '\n' || c == '{') break;
    }
    if (numbers < 30) return;
    for (const EnclosingCall& call : calls_around(code(), place)) {
      if (runs_text(call.name)) add(codes, call.open, std::string(call.name), Severity::medium);
    }
  }

  const FileView& file_;
  FileReport& report_;
  const std::string_view text_;
  std::string code_;
  std::set<int> said_;
};

void inspect(const FileView& file, FileReport& report) {
  constexpr std::size_t longest = 4 << 20;
  if (file.content.size() > longest || file.origin == Origin::metadata) return;
  Inspection(file, report).run();
}

}  // namespace

extern const Detector packed_code_detector;
const Detector packed_code_detector = {.name = "packed-code",
                                       .summary = "Finds scripts that decode and run themselves, and JavaScript made unreadable.",
                                       .rules = rules,
                                       .patterns = patterns,
                                       .kinds = {format::FileKind::script, format::FileKind::text},
                                       .trigger = Trigger::on_hit,
                                       .inspect = inspect};

}  // namespace lazaret::detect
