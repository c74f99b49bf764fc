// Hosts, wallets, logins, image names and rare words of known incidents, in the content of files.
//
// A value proves something where it is used: in a command, a script, an executable. The same value
// stands in block lists, detection rules and reports about the incident. There it is a mention. So
// each hit is judged by its place: what runs (role_of), or a line that fetches, connects or pays.
#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "detect/detector.h"
#include "detect/incident_data_support.h"
#include "detect/text_context_support.h"

namespace lazaret::detect {
namespace {

constexpr std::string_view advice =
    "Do not run the image. Where it ran, treat the host as compromised and rebuild it.";

constexpr Rule rules[] = {
    {.id = "known-bad.c2-address",
     .category = Category::known_bad,
     .severity = Severity::critical,
     .confidence = Confidence::high,
     .title = "Uses a server of a known incident",
     .explanation = "The address served malware or took connections of infected hosts in a "
                    "documented incident.",
     .remediation = advice,
     .attack = {"T1105", "T1071.001"}},
    {.id = "known-bad.wallet",
     .category = Category::known_bad,
     .severity = Severity::critical,
     .confidence = Confidence::high,
     .title = "Pays to a wallet of a known incident",
     .explanation = "Malware of a documented incident mined for this wallet.",
     .remediation = advice,
     .attack = {"T1496.001"}},
    {.id = "known-bad.login",
     .category = Category::known_bad,
     .severity = Severity::critical,
     .confidence = Confidence::high,
     .title = "Mines for an account of a known incident",
     .explanation = "Malware of a documented incident logged in to a mining pool with this name.",
     .remediation = advice,
     .attack = {"T1496.001"}},
    {.id = "known-bad.script-token",
     .category = Category::known_bad,
     .severity = Severity::high,
     .confidence = Confidence::medium,
     .title = "Script names files of a known incident",
     .explanation = "The word names a file or process of a documented incident. Gangs copy each "
                    "other's kill lists, so it says what kind of script this is, not whose.",
     .remediation = "Read the script; it most likely belongs to a miner's installer.",
     .attack = {"T1496.001", "T1562.001"}},
    {.id = "known-bad.image-use",
     .category = Category::known_bad,
     .severity = Severity::critical,
     .confidence = Confidence::high,
     .title = "Starts or builds on an image of a known incident",
     .explanation = "The command pulls, runs or builds on an image that was published as malware.",
     .remediation = advice,
     .attack = {"T1204.003", "T1610"}},
    {.id = "known-bad.mention",
     .category = Category::known_bad,
     .severity = Severity::low,
     .confidence = Confidence::low,
     .title = "Mentions an indicator of a known incident",
     .explanation = "The value stands in text that is not run. Block lists, detection rules and "
                    "reports hold such values too.",
     .remediation = "Look at what reads the file; nothing to do when it is a list or a report."},
};
constexpr const Rule& mention_rule = rules[5];

// What one pattern stands for.
struct Needle {
  const Rule* rule = nullptr;
  const IncidentFact* fact = nullptr;
  std::string text;       // the pattern: lower case for names, as written for wallets
  std::string_view type;  // of the indicator it becomes; "" for none
  std::string value;      // of that indicator
  bool ignore_case = false;
};

bool is_ipv4(std::string_view host) {
  const auto parts = split(host, '.');
  return parts.size() == 4 && std::all_of(parts.begin(), parts.end(), [](std::string_view part) {
           return !part.empty() && part.size() <= 3 &&
                  std::all_of(part.begin(), part.end(),
                              [](char c) { return c >= '0' && c <= '9'; });
         });
}

// inet_aton() takes an address as one number too: 104.225.147.196 is 1759613892 and 0x68e193c4.
std::pair<std::string, std::string> as_numbers(std::string_view address) {
  std::uint32_t number = 0;
  for (const std::string_view part : split(address, '.'))
    number = number << 8 | static_cast<std::uint32_t>(std::stoul(std::string(part)));
  std::array<char, 16> hex{};
  std::snprintf(hex.data(), hex.size(), "0x%08x", number);
  return {std::to_string(number), std::string(hex.data())};
}

const std::vector<Needle>& needles() {
  static const std::vector<Needle> list = [] {
    std::vector<Needle> result;
    const IncidentData& data = incident_data();
    for (const KnownIndicator& indicator : data.indicators) {
      Needle needle;
      needle.fact = &indicator;
      needle.value = needle.text = indicator.value;
      if (indicator.type == "c2" || indicator.type == "domain") {
        needle.rule = &rules[0];
        needle.type = indicator.type;
        needle.text = to_lower(indicator.value.substr(0, indicator.value.find(':')));
        needle.ignore_case = true;
        if (is_ipv4(needle.text)) {
          auto [decimal, hex] = as_numbers(needle.text);
          for (std::string& number : {std::ref(decimal), std::ref(hex)}) {
            Needle other = needle;
            // A bare number may be anything: only as the host of a URL or of bash's /dev/tcp.
            other.text = "//" + number;
            result.push_back(other);
            other.text = "/dev/tcp/" + number;
            result.push_back(std::move(other));
          }
        }
      } else if (indicator.type == "url") {
        needle.rule = &rules[0];
        needle.type = indicator.type;
        const auto scheme = indicator.value.find("://");
        if (scheme != std::string::npos) needle.text = indicator.value.substr(scheme + 3);
        needle.text = to_lower(needle.text);
        needle.ignore_case = true;
      } else if (indicator.type.starts_with("wallet.")) {
        needle.rule = &rules[1];
        needle.type = indicator.type;
      } else if (indicator.type == "login") {
        needle.rule = &rules[2];
        needle.type = indicator.type;
      } else if (indicator.type == "token") {
        needle.rule = &rules[3];
      } else {
        continue;  // paths and file digests: known_bad_file.cc
      }
      result.push_back(std::move(needle));
    }
    // Names of images as commands spell them: without Docker Hub's host.
    std::set<std::string> seen;
    const auto add_image = [&](std::string_view name, const IncidentFact& fact, bool account) {
      constexpr std::string_view hub = "docker.io/";
      if (name.starts_with(hub)) name.remove_prefix(hub.size());
      std::string text(name);
      if (account) text += '/';
      if (!seen.insert(text).second) return;
      Needle needle;
      needle.rule = &rules[4];
      needle.fact = &fact;
      needle.text = std::move(text);
      result.push_back(std::move(needle));
    };
    for (const KnownPublisher& publisher : data.publishers)
      add_image(publisher.account, publisher, true);
    for (const KnownImage& image : data.images) {
      if (image.digest.empty()) add_image(image.repository, image, false);
    }
    return result;
  }();
  return list;
}

std::span<const engine::Pattern> patterns() {
  static const std::vector<engine::Pattern> list = [] {
    std::vector<engine::Pattern> result;
    for (const Needle& needle : needles()) {
      result.push_back(needle.ignore_case ? engine::literal_ignore_case(needle.text)
                                          : engine::literal(needle.text));
    }
    return result;
  }();
  return list;
}

// True when the match is the whole value and not part of a longer one.
bool is_whole(const Needle& needle, std::string_view text, std::uint64_t begin, std::uint64_t end) {
  if (needle.rule == &rules[4]) {
    const bool open_end = needle.text.ends_with('/');  // an account: the name follows
    if (begin > 0) {
      const char before = text[static_cast<std::size_t>(begin) - 1];
      if (is_word(before) || before == '-' || before == '.') return false;
      // "docker.io/alice/x" is the image, "quay.io/alice/x" and "github.com/alice/x" are not.
      if (before == '/') {
        const std::string_view prefix = text.substr(0, static_cast<std::size_t>(begin));
        if (!prefix.ends_with("docker.io/") && !prefix.ends_with("docker.com/")) return false;
      }
    }
    return open_end || end >= text.size() ||
           (!is_word(text[static_cast<std::size_t>(end)]) &&
            text[static_cast<std::size_t>(end)] != '-');
  }
  if (needle.text.starts_with("//") || needle.text.starts_with("/dev/tcp/"))
    return end >= text.size() || !is_word(text[static_cast<std::size_t>(end)]);
  if (needle.rule == &rules[0]) {
    // A name may have something in front (a subdomain), an address may not; neither goes on.
    if (!stands_alone(text, begin, begin, "")) {
      if (begin > 0 && is_word(text[static_cast<std::size_t>(begin) - 1])) return false;
    }
    if (is_ipv4(needle.text) && begin > 0 && text[static_cast<std::size_t>(begin) - 1] == '.')
      return false;
    if (end >= text.size()) return true;
    const char after = text[static_cast<std::size_t>(end)];
    if (is_word(after) || after == '-') return false;
    // "1.2.3.4.5" or "example.org.evil", but "at 1.2.3.4." ends a sentence.
    return !(after == '.' && end + 1 < text.size() &&
             is_word(text[static_cast<std::size_t>(end) + 1]));
  }
  return stands_alone(text, begin, end);
}

bool contains_any(std::string_view line, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return contains_ignore_case(line, word); });
}

// True when the line around a hit in settings or plain text does something with the value.
bool line_uses(const Needle& needle, std::string_view line) {
  if (needle.rule == &rules[0]) {
    return contains_any(
        line, {"curl", "wget", "/dev/tcp", "/dev/udp", "socket", "urlopen", "nc ", "ncat", "socat",
               "| bash", "|bash", "| sh", "|sh", "telnet ", "fetch(", "requests."});
  }
  if (needle.rule == &rules[4]) {
    return contains_any(line, {"docker ", "podman ", "ctr ", "crictl ", "nerdctl ", "from ",
                               "\"image\"", "image:", "docker-compose"});
  }
  return contains_any(
      line, {"stratum", "-u ", "--user", "\"user\"", "wallet", "login", "pool", "user=", "--url"});
}

void inspect(const FileView& file, FileReport& report) {
  const std::string_view text = file.text();
  std::set<std::pair<const Rule*, std::string>> reported;
  std::set<const Incident*> incidents;
  struct Found {
    const Needle* needle;
    std::uint64_t begin, end;
    Role role;
  };
  std::vector<Found> found;
  for (const engine::PatternHit& hit : file.hits) {
    const Needle& needle = needles()[hit.pattern];
    if (hit.end < needle.text.size() || hit.end > text.size()) continue;
    const std::uint64_t begin = hit.end - needle.text.size();
    if (!is_whole(needle, text, begin, hit.end)) continue;
    found.push_back({&needle, begin, hit.end, role_of(file, begin)});
    incidents.insert(needle.fact->incident);
  }
  // An executable with values of many incidents is a scanner rather than their common offspring. It
  // is still shown, and more than a mention: anybody could plant the values.
  const bool is_list = incidents.size() >= 4 && file.type.kind != format::FileKind::script &&
                       file.origin == Origin::file;
  for (const Found& hit : found) {
    const Needle& needle = *hit.needle;
    const std::string_view line = logical_line_at(text, hit.begin, 1000);
    bool in_use = false;
    switch (hit.role) {
      case Role::runs:
        // An executable or script may be a scanner: the name of an image or a rare word in it is
        // no use of it unless the line says so.
        in_use = needle.rule != &rules[4] || line_uses(needle, line);
        if (needle.rule == &rules[3] && file.type.kind == format::FileKind::elf) in_use = false;
        break;
      case Role::settings:
      case Role::record:
        in_use = needle.rule == &rules[3] ? file.type.kind != format::FileKind::elf &&
                                                contains_any(line, {"kill", "grep", "rm ", "chmod"})
                                          : line_uses(needle, line);
        break;
      case Role::prose:
        break;
    }
    const Rule& rule = in_use && !is_list ? *needle.rule : mention_rule;
    if (!reported.emplace(&rule, needle.value.empty() ? needle.fact->incident->id : needle.value)
             .second)
      continue;
    FileFinding finding;
    finding.rule = &rule;
    finding.offset = hit.begin;
    finding.evidence =
        evidence_of(text, hit.begin, hit.end) + " (incident " + needle.fact->incident->id + ")";
    if (!needle.type.empty())
      finding.indicators.push_back({std::string(needle.type), needle.value, true});
    if (&rule != &mention_rule && needle.fact->confidence < rule.confidence)
      finding.confidence = needle.fact->confidence;
    if (in_use && is_list) finding.severity = Severity::medium;
    report.add(std::move(finding));
  }
}

}  // namespace

extern const Detector known_bad_indicator_detector;
const Detector known_bad_indicator_detector = {
    .name = "known-bad-indicator",
    .summary = "Finds servers, wallets, logins and image names of known incidents in contents.",
    .rules = rules,
    .patterns = {},
    .kinds = format::KindSet::all(),
    .trigger = Trigger::on_hit,
    .inspect = inspect,
    .late_patterns = patterns,
};

}  // namespace lazaret::detect
