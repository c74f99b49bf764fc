// Proxyware: programs that sell the host's network connection. Some people run them on purpose, so
// this is a matter of policy and never malice by itself; in an image that says nothing of it, it is
// somebody else earning with the host's address (traffmonetizer/cli_v2: 5 million pulls).
//
// Judged by what is started (a command with the options that only this program has), by the
// program itself (names of its service inside an executable), and by the image's own name. Lists of
// domains (ad blockers) and prose are no evidence.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "base/text.h"
#include "detect/detector.h"
#include "detect/text_context_support.h"

namespace lazaret::detect {
namespace {

constexpr Rule rules[] = {
    {.id = "proxy-abuse.proxyware-command",
     .category = Category::proxy_abuse,
     .severity = Severity::high,
     .confidence = Confidence::high,
     .title = "Starts a program that sells network access",
     .explanation = "The command starts proxyware: strangers use the host's connection and "
                    "address, and somebody is paid for it.",
     .remediation = "Remove it, unless the image's user asked for exactly this.",
     .attack = {"T1496.002"}},
    {.id = "proxy-abuse.proxyware-program",
     .category = Category::proxy_abuse,
     .severity = Severity::high,
     .confidence = Confidence::medium,
     .title = "Program that sells network access",
     .explanation = "The executable talks to a proxyware service: strangers use the host's "
                    "connection and address, and somebody is paid for it.",
     .remediation = "Remove it, unless the image's user asked for exactly this.",
     .attack = {"T1496.002"}},
    {.id = "proxy-abuse.proxyware-image",
     .category = Category::proxy_abuse,
     .severity = Severity::high,
     .confidence = Confidence::high,
     .title = "Image of a proxyware service",
     .explanation = "The image is published to sell the connection of whoever runs it.",
     .remediation = "Run it only when this is what you want.",
     .attack = {"T1496.002"}},
};

struct Service {
  std::string_view name;
  std::string_view command;    // what stands in commands
  std::string_view companion;  // must stand in the same command
  std::string_view program;    // what stands in the executable
};
constexpr std::array<Service, 12> services = {{
    {"Traffmonetizer", "start accept", "--token", "traffmonetizer"},
    {"Honeygain", "-tou-accept", "-email", "honeygain"},
    {"EarnApp", "earnapp", "start", "earnapp.com"},
    {"Pawns (IPRoyal)", "-accept-tos", "-email", "pawns.app"},
    {"PacketStream", "packetstream/psclient", "CID", "packetstream.io"},
    {"Peer2Profit", "p2pclient", "-l", "peer2profit"},
    {"Repocket", "repocket/repocket", "RP_", "repocket.co"},
    {"ProxyRack", "proxyrack/pop", "", "proxyrack.com"},
    {"Bitping", "bitpingd", "", "bitping.com"},
    {"EarnFM", "earnfm/earnfm-client", "", "earn.fm"},
    {"ProxyLite", "proxylite/proxyservice", "", "proxylite.ru"},
    {"Mysterium", "--agreed-terms-and-conditions", "service", "mysterium.network"},
}};

constexpr auto patterns = [] {
  std::array<engine::Pattern, services.size() * 2> list{};
  for (std::size_t i = 0; i < services.size(); ++i) {
    list[2 * i] = engine::literal(services[i].command);
    list[2 * i + 1] = engine::literal_ignore_case(services[i].program);
  }
  return list;
}();

bool is_binary_program(format::FileKind kind) {
  return kind == format::FileKind::elf || kind == format::FileKind::pe ||
         kind == format::FileKind::macho;
}

void inspect(const FileView& file, FileReport& report) {
  const std::string_view text = file.text();
  std::array<std::size_t, services.size()> mentions{};
  std::array<bool, services.size()> reported{};
  for (const engine::PatternHit& hit : file.hits) {
    const std::size_t index = hit.pattern / 2;
    if (index >= services.size() || reported[index]) continue;
    const Service& service = services[index];
    const bool is_command = hit.pattern % 2 == 0;
    const std::string_view needle = is_command ? service.command : service.program;
    if (hit.end < needle.size() || hit.end > text.size()) continue;
    const std::uint64_t begin = hit.end - needle.size();
    FileFinding finding;
    finding.offset = begin;
    if (is_binary_program(file.type.kind)) {
      // One mention may be a list; the service's own client names it again and again.
      if (is_command || ++mentions[index] < 8) continue;
      finding.rule = &rules[1];
    } else {
      if (!is_command || role_of(file, begin) != Role::runs) continue;
      const std::string_view line = logical_line_at(text, begin);
      if (!service.companion.empty() && line.find(service.companion) == std::string_view::npos)
        continue;
      if (!stands_alone(text, begin, hit.end)) continue;
      finding.rule = &rules[0];
    }
    finding.evidence = std::string(service.name) + ": " + evidence_of(text, begin, hit.end);
    report.add(std::move(finding));
    reported[index] = true;
  }
}

void inspect_image(const ImageView& image, std::vector<ImageFinding>& findings) {
  static constexpr std::array<std::string_view, 14> names = {
      "docker.io/traffmonetizer/cli",     "docker.io/traffmonetizer/cli_v2",
      "docker.io/honeygain/honeygain",    "docker.io/iproyal/pawns-cli",
      "docker.io/packetstream/psclient",  "docker.io/peer2profit/peer2profit_linux",
      "docker.io/repocket/repocket",      "docker.io/proxyrack/pop",
      "docker.io/bitping/bitpingd",       "docker.io/earnfm/earnfm-client",
      "docker.io/proxylite/proxyservice", "docker.io/mysteriumnetwork/myst",
      "docker.io/fazalfarhan01/earnapp",  "docker.io/mrcolorrain/speedshare"};
  const std::string_view reference = image.reference();
  for (const std::string_view name : names) {
    if (!reference.starts_with(name)) continue;
    const std::string_view rest = reference.substr(name.size());
    if (!rest.empty() && rest.front() != ':' && rest.front() != '@') continue;
    ImageFinding finding;
    finding.rule = &rules[2];
    finding.evidence = std::string(reference);
    findings.push_back(std::move(finding));
    return;
  }
}

}  // namespace

extern const Detector proxyware_detector;
const Detector proxyware_detector = {
    .name = "proxyware",
    .summary = "Finds programs that sell the host's network connection.",
    .rules = rules,
    .patterns = patterns,
    .kinds = format::KindSet::all(),
    .trigger = Trigger::on_hit,
    .inspect = inspect,
    .inspect_image = inspect_image,
};

}  // namespace lazaret::detect
