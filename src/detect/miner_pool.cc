// Addresses of mining pools: stratum URLs, and names of known pools with a port.
//
// Lists of pools (ad blockers, detection rules, network monitors) name many; what mines names one
// or a few. A bare name without a port or a mining scheme is a web site's and says nothing.
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "detect/detector.h"
#include "detect/incident_data_support.h"
#include "detect/miner_support.h"
#include "detect/text_context_support.h"

namespace lazaret::detect {
namespace {

constexpr Rule rules[] = {
    {.id = "miner.pool-address",
     .category = Category::miner,
     .severity = Severity::medium,
     .confidence = Confidence::medium,
     .title = "Names a mining pool",
     .explanation = "The address of a mining pool stands in something that runs. Monitors and "
                    "proxies of pools name them too.",
     .remediation = "Find out what uses the address.",
     .attack = {"T1496.001"}},
};

constexpr std::size_t most = 8;  // pools in one file; more make a list

std::span<const engine::Pattern> patterns() {
  static const std::vector<engine::Pattern> list = [] {
    std::vector<engine::Pattern> result;
    result.push_back(engine::regex_ignore_case("stratum[0-9]?s?(?:\\+[a-z]{2,4})?://[a-z0-9]"));
    for (const std::string& domain : incident_data().pool_domains)
      result.push_back(engine::literal_ignore_case(domain));
    return result;
  }();
  return list;
}

bool in_address(char c) {
  return is_word(c) || c == '.' || c == '-' || c == ':' || c == '/' || c == '+' || c == '@';
}

void inspect(const FileView& file, FileReport& report) {
  const std::string_view text = file.text();
  struct Found {
    PoolAddress pool;
    std::uint64_t begin, end;
  };
  std::vector<Found> found;
  std::uint64_t judged_to = 0;
  for (const engine::PatternHit& hit : file.hits) {
    if (hit.end <= judged_to || hit.end > text.size() || hit.end == 0) continue;
    std::size_t begin = static_cast<std::size_t>(hit.end), end = begin;
    while (begin > 0 && hit.end - begin < 200 && in_address(text[begin - 1])) --begin;
    while (end < text.size() && end - hit.end < 100 && in_address(text[end])) ++end;
    judged_to = end;
    std::string_view word = text.substr(begin, end - begin);
    while (!word.empty() && (word.back() == '.' || word.back() == ':' || word.back() == '/'))
      word.remove_suffix(1);
    auto pool = parse_pool_address(word);
    if (!pool || !pool->certain()) continue;
    // Donation servers stand in every xmrig and say nothing about whom it mines for.
    if (pool->host.ends_with("xmrig.com")) continue;
    const bool known = std::any_of(found.begin(), found.end(), [&](const Found& other) {
      return other.pool.text() == pool->text();
    });
    if (known) continue;
    if (found.size() == most) return;
    found.push_back({std::move(*pool), begin, begin + word.size()});
  }
  bool reported = false;
  for (const Found& entry : found) {
    const Role role = role_of(file, entry.begin);
    if (role == Role::prose) continue;
    Indicator indicator{"pool", entry.pool.text(), entry.pool.known_pool};
    const std::string_view line = line_at(text, entry.begin);
    // Then the whole command or configuration is a finding of miner-command-line or miner-config.
    const bool has_login = contains_ignore_case(line, "user") ||
                           line.find("-u") != std::string_view::npos ||
                           line.find("wallet") != std::string_view::npos;
    if (role != Role::runs || has_login || reported) {
      report.add_indicator(std::move(indicator), entry.begin);
      continue;
    }
    reported = true;
    FileFinding finding;
    finding.rule = &rules[0];
    finding.offset = entry.begin;
    finding.evidence = evidence_of(text, entry.begin, entry.end);
    finding.indicators.push_back(std::move(indicator));
    report.add(std::move(finding));
  }
}

}  // namespace

extern const Detector miner_pool_detector;
const Detector miner_pool_detector = {
    .name = "miner-pool",
    .summary = "Finds addresses of mining pools.",
    .rules = rules,
    .patterns = {},
    .kinds = {format::FileKind::text, format::FileKind::script, format::FileKind::json,
              format::FileKind::xml, format::FileKind::elf, format::FileKind::python_bytecode,
              format::FileKind::java_class},
    .trigger = Trigger::on_hit,
    .inspect = inspect,
    .late_patterns = patterns,
};

}  // namespace lazaret::detect
