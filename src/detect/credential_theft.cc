// Scripts that take credentials: read keys, tokens and memory of others, and send them away.
//
// Reading alone says little: every cloud tool reads ~/.aws/credentials, every monitor reads /proc. What tells theft is what happens next (the data goes into an upload), how many different
// kinds are read at once, or that the memory and environment of other processes is searched. The flow is followed by lines: names and files that take up what a line with a source gives, and
// uploads that mention them.
#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>

#include "base/text.h"
#include "detect/detector.h"
#include "detect/text_context_support.h"

namespace lazaret::detect {
namespace {

constexpr std::string_view advice = "Do not run it. Where it ran, replace every key and token that was within reach of the container.";

constexpr Rule rules[] = {
    {"credential-theft.sends-credentials", Category::credential_theft, Severity::critical, Confidence::medium, "Sends keys or passwords away",
     "A credential is read and goes into an upload. Backup scripts and logins at one's own service do this on purpose.", advice, {"T1552.001", "T1041"}},
    {"credential-theft.process-memory", Category::credential_theft, Severity::low, Confidence::medium, "Reads memory or environment of other processes",
     "Secrets of other programs stand in /proc/<pid>/environ and mem. Debuggers and monitors read them too; together with an upload it is theft.", advice, {"T1003.007", "T1552"}},
    {"credential-theft.harvest", Category::credential_theft, Severity::medium, Confidence::medium, "Looks for many kinds of credentials",
     "The script knows the places of four or more kinds of credentials that have nothing to do with each other. Scanners for secrets do too.", advice, {"T1552.001", "T1083"}},
    {"credential-theft.metadata-service", Category::credential_theft, Severity::low, Confidence::medium, "Asks the cloud's metadata service for credentials",
     "The keys of the machine's role are there for whoever asks. Programs that run in the cloud do so; in other images it is worth a look.", "Find out what the keys are used for.", {"T1552.005"}},
};
enum { sends, process_memory, harvest, metadata };

enum class Kind : std::uint8_t { aws, docker, kubernetes_token, kubeconfig, ssh, git, npm, gcp, azure, shadow, environment, memory, history, login_file, wallet, vault, metadata, browser, count };

struct Source {
  engine::Pattern pattern;
  Kind kind;
};
constexpr std::array sources = {
    Source{engine::literal(".aws/credentials"), Kind::aws},
    Source{engine::literal(".docker/config.json"), Kind::docker},
    Source{engine::literal("serviceaccount/token"), Kind::kubernetes_token},
    Source{engine::literal(".kube/config"), Kind::kubeconfig},
    Source{engine::literal(".ssh/id_"), Kind::ssh},
    Source{engine::literal("/root/.ssh"), Kind::ssh},
    Source{engine::literal(".git-credentials"), Kind::git},
    Source{engine::literal(".npmrc"), Kind::npm},
    Source{engine::literal(".pypirc"), Kind::npm},
    Source{engine::literal("application_default_credentials"), Kind::gcp},
    Source{engine::literal("gcloud/credentials"), Kind::gcp},
    Source{engine::literal(".azure/"), Kind::azure},
    Source{engine::literal("/etc/shadow"), Kind::shadow},
    Source{engine::regex("/proc/[^ \\n]{1,24}/environ"), Kind::environment},
    Source{engine::regex("/proc/[^ \\n]{1,24}/mem[\"' )]"), Kind::memory},
    Source{engine::regex("env[ \\t]*\\|[ \\t]*(curl|wget|nc|ncat|base64|gzip) "), Kind::environment},
    Source{engine::literal(".bash_history"), Kind::history},
    Source{engine::literal(".netrc"), Kind::login_file},
    Source{engine::literal(".pgpass"), Kind::login_file},
    Source{engine::literal("wallet.dat"), Kind::wallet},
    Source{engine::literal(".ethereum/keystore"), Kind::wallet},
    Source{engine::literal(".vault-token"), Kind::vault},
    Source{engine::literal("meta-data/iam/security-credentials"), Kind::metadata},
    Source{engine::literal("instance/service-accounts/default/token"), Kind::metadata},
    Source{engine::literal("/Login Data"), Kind::browser},
};
constexpr auto make_patterns() {
  std::array<engine::Pattern, sources.size()> patterns{};
  for (std::size_t i = 0; i < sources.size(); ++i) patterns[i] = sources[i].pattern;
  return patterns;
}
constexpr auto patterns = make_patterns();

constexpr std::size_t longest_script = 1 << 20, lines_limit = 20'000;

bool has_word(std::string_view line, std::string_view word) {
  for (auto at = line.find(word); at != std::string_view::npos; at = line.find(word, at + 1)) {
    if (stands_alone(line, at, at + word.size(), "-")) return true;
  }
  return false;
}
bool has_any(std::string_view line, std::initializer_list<std::string_view> parts) {
  return std::any_of(parts.begin(), parts.end(), [&](std::string_view part) { return line.find(part) != std::string_view::npos; });
}

// Whether a line sends something somewhere. Asking (GET) with a credential in a header is what credentials are for.
bool is_upload(std::string_view line) {
  if (has_word(line, "curl") && has_any(line, {" -d", " --data", " -F", " --form", " -T", " --upload-file", " --json"})) return true;
  if (has_word(line, "wget") && has_any(line, {"--post-data", "--post-file", "--body-data", "--body-file"})) return true;
  if (line.find("/dev/tcp/") != std::string_view::npos && line.find('>') != std::string_view::npos) return true;
  for (const std::string_view netcat : {"nc", "ncat", "netcat", "socat"}) {
    if (has_word(line, netcat) && (line.find('|') != std::string_view::npos || line.find('<') != std::string_view::npos)) return true;
  }
  if ((has_word(line, "scp") || has_word(line, "rsync")) && line.find('@') != std::string_view::npos && line.find(':') != std::string_view::npos) return true;
  return has_any(line, {"requests.post(", "requests.put(", "session.post(", "axios.post(", "httpx.post(", "urlopen(", ".sendall(", "http.request(", "https.request(", "$ua->post(", "Net::HTTP.post", "fetch(",
                        "api.telegram.org", "discord.com/api/webhooks"});
}

// Names that hold what a line gives: NAME=..., "> file", "tar czf file", "with open(..) as name".
void collect_names(std::string_view line, std::set<std::string>& names) {
  const auto add = [&](std::string_view name) {
    while (!name.empty() && (name.front() == '"' || name.front() == '\'' || name.front() == '$' || name.front() == '{')) name.remove_prefix(1);
    while (!name.empty() && (name.back() == '"' || name.back() == '\'' || name.back() == '}' || name.back() == ':' || name.back() == ';' || name.back() == ')')) name.remove_suffix(1);
    if (!name.empty() && name.size() < 100 && name != "/dev/null" && name != "&1" && name != "1" && names.size() < 64) names.insert(std::string(name));
  };
  const std::string_view text = trim(line);
  const auto equals = text.find('=');
  if (equals != std::string_view::npos && equals > 0 && equals + 1 < text.size() && text[equals + 1] != '=') {
    std::size_t end = equals;
    while (end > 0 && (text[end - 1] == ' ' || text[end - 1] == '+')) --end;
    std::size_t begin = end;
    while (begin > 0 && is_word(text[begin - 1])) --begin;
    add(text.substr(begin, end - begin));
  }
  const auto words = split(text, ' ');
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i];
    const bool has_next = i + 1 < words.size();
    if ((word == ">" || word == ">>" || word == "as" || word == "-o" || word == "-czf" || word == "czf" || word == "cf" || word == "-cf" || word == "-zcf" || word == "zcf" || word == "-cvzf") && has_next) add(words[i + 1]);
    else if (word.starts_with(">") && word.size() > 2) add(word.substr(word.find_first_not_of('>') == std::string_view::npos ? 1 : word.find_first_not_of('>')));
  }
  if (text.starts_with("cp ") && words.size() > 2) add(words.back());
}

bool mentions_name(std::string_view line, const std::set<std::string>& names) {
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    for (auto at = line.find(name); at != std::string_view::npos; at = line.find(name, at + 1)) {
      if (stands_alone(line, at, at + name.size())) return true;
    }
    return false;
  });
}

// /proc/self and the like is the program itself.
bool is_own_process(std::string_view line) { return has_any(line, {"/proc/self/", "/proc/thread-self/", "/proc/$$/", "/proc/1/environ"}); }

void inspect(const FileView& file, FileReport& report) {
  const std::string_view text = file.text();
  if (text.size() > longest_script || (file.origin == Origin::file && file.type.language == format::Language::none && file.type.kind != format::FileKind::script)) return;
  if (file.origin == Origin::metadata || file.origin == Origin::environment) return;

  std::set<Kind> kinds;
  std::map<std::size_t, Kind> source_lines;  // by the offset of the line
  std::size_t first = text.size();
  for (const engine::PatternHit& hit : file.hits) {
    if (hit.end > text.size()) continue;
    const auto at = static_cast<std::size_t>(hit.end) - 1;
    const std::string_view line = logical_line_at(text, at);
    const Kind kind = sources[hit.pattern].kind;
    if (role_of(file, at) == Role::prose || ((kind == Kind::environment || kind == Kind::memory) && is_own_process(line))) continue;
    kinds.insert(kind);
    source_lines.emplace(static_cast<std::size_t>(line.data() - text.data()), kind);
    first = std::min(first, at);
  }
  if (kinds.empty()) return;

  std::set<std::string> names;
  std::set<Kind> sent;
  bool uploads = false;
  std::size_t sent_at = text.size(), memory_at = text.size();
  std::string sent_line;
  // Twice, since functions may stand behind their use.
  for (int round = 0; round < 2; ++round) {
    std::size_t count = 0;
    for (std::size_t at = 0; at < text.size() && count++ < lines_limit;) {
      const std::string_view line = logical_line_at(text, at, 8000);
      const auto begin = static_cast<std::size_t>(line.data() - text.data());
      auto source = source_lines.lower_bound(begin);
      const bool is_source = source != source_lines.end() && source->first < begin + std::max<std::size_t>(line.size(), 1);
      const bool tainted = !names.empty() && mentions_name(line, names);
      if (is_source && (source->second == Kind::environment || source->second == Kind::memory)) memory_at = std::min(memory_at, begin);
      if (is_upload(line) && role_of(file, begin) != Role::prose) {
        uploads = true;
        if (is_source || tainted) {
          if (is_source) sent.insert(source->second);
          else sent.insert(kinds.begin(), kinds.end());
          if (begin < sent_at) {
            sent_at = begin;
            sent_line = evidence_of(text, begin, begin + line.size());
          }
        }
      } else if (is_source || tainted) {
        collect_names(line, names);
      }
      at = std::max(begin + line.size(), at) + 1;
    }
  }

  const auto add = [&](int rule, std::size_t at, std::string evidence, std::optional<Severity> severity, std::optional<Confidence> confidence = {}) {
    FileFinding finding;
    finding.rule = &rules[rule];
    finding.offset = at;
    finding.evidence = std::move(evidence);
    finding.severity = severity;
    finding.confidence = confidence;
    report.add(std::move(finding));
  };
  const auto line_of = [&](std::size_t at) { return evidence_of(text, at, at + 1); };
  // A service account's token and a role's keys are sent to log in at one's own service too.
  const bool only_logins = std::all_of(sent.begin(), sent.end(), [](Kind kind) { return kind == Kind::kubernetes_token || kind == Kind::metadata || kind == Kind::npm || kind == Kind::login_file || kind == Kind::azure; });
  if (!sent.empty()) {
    const bool cloud = sent.contains(Kind::kubernetes_token) || sent.contains(Kind::metadata);
    if (only_logins) add(sends, sent_at, sent_line, cloud ? Severity::medium : Severity::low);
    else add(sends, sent_at, sent_line, {}, sent.size() >= 2 ? std::optional(Confidence::high) : std::nullopt);
  }
  if (memory_at < text.size() && !sent.contains(Kind::environment) && !sent.contains(Kind::memory)) {
    const bool searches = has_any(text, {"BEGIN", "PASSWORD", "SECRET", "TOKEN", "password", "secret", "token", "AKIA"});
    add(process_memory, memory_at, line_of(memory_at), uploads && searches ? std::optional(Severity::high) : searches ? std::optional(Severity::medium) : std::nullopt, searches && !uploads ? std::optional(Confidence::low) : std::nullopt);
  }
  if (kinds.size() >= 4 && sent.empty()) add(harvest, first, line_of(first), kinds.size() >= 6 && uploads ? std::optional(Severity::high) : std::nullopt, kinds.size() < 6 ? std::optional(Confidence::low) : std::nullopt);
  if (kinds.contains(Kind::metadata) && sent.empty()) {
    const auto at = std::find_if(source_lines.begin(), source_lines.end(), [](const auto& line) { return line.second == Kind::metadata; });
    if (at != source_lines.end()) add(metadata, at->first, line_of(at->first), {});
  }
}

}  // namespace

extern const Detector credential_theft_detector;
const Detector credential_theft_detector = {.name = "credential-theft",
                                            .summary = "Finds scripts that read keys, tokens and the memory of other processes and send them away.",
                                            .rules = rules,
                                            .patterns = patterns,
                                            .kinds = {format::FileKind::script, format::FileKind::text},
                                            .trigger = Trigger::on_hit,
                                            .inspect = inspect};

}  // namespace lazaret::detect
