#include "intel/observations.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>

#include "base/text.h"

namespace lazaret::intel {
namespace {

using store::Observation;

constexpr std::size_t value_bytes = 512;
constexpr std::size_t shortest_login = 4;  // "x" is what is written where nothing is asked
constexpr std::size_t step_from = 40;  // shorter build steps say nothing

// Everybody's files and pages lie there: only a whole URL says whose.
bool is_shared_host(std::string_view host) {
  static constexpr std::array<std::string_view, 26> shared = {
      "github.com", "githubusercontent.com", "gitlab.com", "bitbucket.org", "pastebin.com", "paste.ee", "ngrok.io", "trycloudflare.com", "amazonaws.com", "googleapis.com",
      "cloudfront.net", "docker.io", "docker.com", "pypi.org", "pythonhosted.org", "npmjs.org", "debian.org", "ubuntu.com", "alpinelinux.org", "apache.org",
      "transfer.sh", "dropbox.com", "telegram.org", "discord.com", "localhost", "host.docker.internal"};
  return std::any_of(shared.begin(), shared.end(),
                     [&](std::string_view name) { return host == name || (host.size() > name.size() && host.ends_with(name) && host[host.size() - name.size() - 1] == '.'); });
}

bool is_number(std::string_view text) {
  return !text.empty() && text.size() <= 5 && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_plain_address(std::string_view host) { return std::all_of(host.begin(), host.end(), [](char c) { return (c >= '0' && c <= '9') || c == '.' || c == ':' || c == '[' || c == ']'; }); }

void add(std::vector<Observation>& observations, std::string_view kind, std::string value, bool flagged) {
  if (!value.empty() && value.size() <= value_bytes) observations.push_back({std::string(kind), std::move(value), flagged});
}

}  // namespace

std::string name_stem(std::string_view name) {
  std::string stem = to_lower(name);
  const auto trailing = [](char c) { return (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'; };
  while (!stem.empty() && trailing(stem.back())) stem.pop_back();
  return stem.size() >= 4 ? stem : "";
}

void observe_address(std::string_view address, bool flagged, std::vector<Observation>& observations) {
  std::string_view rest = address;
  const auto scheme = rest.find("://");
  const bool is_url = scheme != std::string_view::npos;
  if (is_url) rest.remove_prefix(scheme + 3);
  const auto slash = rest.find_first_of("/?#");
  std::string_view authority = rest.substr(0, slash);
  std::string_view path = slash == std::string_view::npos ? std::string_view() : rest.substr(slash);
  path = path.substr(0, path.find_first_of("?#"));
  if (const auto at = authority.rfind('@'); at != std::string_view::npos) authority.remove_prefix(at + 1);
  std::string_view port;
  if (const auto colon = authority.rfind(':'); colon != std::string_view::npos && is_number(authority.substr(colon + 1))) {
    port = authority.substr(colon + 1);
    authority = authority.substr(0, colon);
  }
  std::string host = to_lower(authority);
  while (host.ends_with('.')) host.pop_back();
  if (host.empty() || host.find_first_of(" $\"'`\\<>{}*") != std::string::npos) return;
  const bool shared = is_shared_host(host) || host == "127.0.0.1" || host == "0.0.0.0" || host == "[::1]";
  if (is_url && !(shared && path.size() < 2)) add(observations, "url", host + (port.empty() ? "" : ":" + std::string(port)) + std::string(path), flagged);
  if (shared) return;
  if (!port.empty()) add(observations, "c2", host + ":" + std::string(port), flagged);
  add(observations, is_plain_address(host) ? "host" : "domain", host, flagged);
  const auto name_at = path.rfind('/');
  const std::string_view name = name_at == std::string_view::npos ? std::string_view() : path.substr(name_at + 1);
  if (!port.empty() && port != "80" && port != "443" && !name.empty()) add(observations, "port-file", std::string(port) + "/" + std::string(name), flagged);
}

void observe_place(const store::NodePlace& place, std::vector<Observation>& observations) {
  add(observations, "publisher", place.publisher, false);
  add(observations, "repository", place.repository, false);
  add(observations, "account-stem", name_stem(place.publisher), false);
  const auto slash = place.repository.rfind('/');
  add(observations, "name-stem", name_stem(slash == std::string::npos ? std::string_view(place.repository) : std::string_view(place.repository).substr(slash + 1)), false);
}

void tidy(std::vector<Observation>& observations) {
  std::sort(observations.begin(), observations.end(), [](const Observation& a, const Observation& b) { return std::tuple(a.kind, a.value, !a.flagged) < std::tuple(b.kind, b.value, !b.flagged); });
  observations.erase(std::unique(observations.begin(), observations.end(), [](const Observation& a, const Observation& b) { return a.kind == b.kind && a.value == b.value; }),
                     observations.end());
}

std::vector<Observation> observe(const audit::Report& report) {
  std::vector<Observation> observations;
  std::vector<bool> weighs(report.indicators.size(), false);
  std::set<std::string> bad_layers;
  // What was found at a place: whether it is more than a program that mines, which anybody can download.
  std::map<std::pair<std::string, std::string>, bool> only_miner;
  for (const audit::Finding& finding : report.findings) {
    if (finding.weight == 0) continue;
    for (const std::size_t indicator : finding.indicators) weighs[indicator] = true;
    if (finding.severity < detect::Severity::medium || finding.context.package_file) continue;
    if (!finding.location.layer.empty()) bad_layers.insert(finding.location.layer);
    const auto [place, is_new] = only_miner.emplace(std::pair(finding.location.layer, finding.location.path), true);
    place->second &= finding.category == detect::Category::miner;
  }
  for (std::size_t i = 0; i < report.indicators.size(); ++i) {
    const detect::Indicator& indicator = report.indicators[i];
    const bool flagged = weighs[i];
    if (indicator.type == "url" || indicator.type == "c2") {
      observe_address(indicator.value, flagged, observations);
    } else if (indicator.type == "pool" || indicator.type == "domain") {
      add(observations, indicator.type, to_lower(indicator.value), flagged);
    } else if (indicator.type != "login" || indicator.value.size() >= shortest_login) {
      add(observations, indicator.type, indicator.value, flagged);
    }
  }
  for (const audit::Report::Fact& fact : report.facts) {
    const auto place = only_miner.find(std::pair(fact.layer, fact.path));
    const bool flagged = fact.flagged && place != only_miner.end();
    if (fact.owned && !flagged) continue;
    // Anybody can download a miner, so that the same one in two images says less than another payload would; a known incident may still list it.
    const bool miner = flagged && place->second && fact.type == "file-sha256";
    if (miner) add(observations, "miner-file", fact.value, true);
    add(observations, fact.type, fact.value, flagged && !miner);
  }
  for (const audit::Report::Manifest& manifest : report.manifests) {
    for (std::size_t layer = 0; layer < manifest.layers.size(); ++layer) {
      const bool flagged = bad_layers.contains(manifest.layers[layer].diff_id);
      if (layer < manifest.base.layers && !flagged) continue;
      add(observations, "layer", manifest.layers[layer].diff_id, flagged);
      if (manifest.layers[layer].created_by.size() >= step_from) add(observations, "build-step", sha256(as_bytes(manifest.layers[layer].created_by)).hex(), false);
    }
    add(observations, "image", manifest.digest, false);
  }
  if (!report.image_digest.empty()) add(observations, "image", report.image_digest, false);
  tidy(observations);
  if (observations.size() > observations_limit) {
    std::stable_partition(observations.begin(), observations.end(), [](const Observation& observation) { return observation.flagged; });
    observations.resize(observations_limit);
    tidy(observations);
  }
  return observations;
}

std::vector<Observation> observe(const detect::IncidentData& data, const detect::Incident& incident) {
  std::vector<Observation> observations;
  const auto without_registry = [](const std::string& name) { return name.substr(name.find('/') + 1); };
  for (const detect::KnownPublisher& publisher : data.publishers) {
    if (publisher.incident == &incident) observe_place({without_registry(publisher.account), "", 0}, observations);
  }
  for (const detect::KnownImage& image : data.images) {
    if (image.incident != &incident) continue;
    if (!image.digest.empty()) {
      add(observations, "image", image.digest.str(), true);
    } else {
      add(observations, "repository", without_registry(image.repository), true);
    }
  }
  for (const detect::KnownIndicator& indicator : data.indicators) {
    if (indicator.incident != &incident) continue;
    if (indicator.type == "c2") {
      observe_address(indicator.value, true, observations);
    } else if (indicator.type != "path") {
      add(observations, indicator.type, indicator.type == "domain" ? to_lower(indicator.value) : indicator.value, true);
    }
  }
  tidy(observations);
  return observations;
}

std::string techniques_of(const audit::Report& report) {
  std::set<std::string> techniques;
  for (const audit::Finding& finding : report.findings) {
    if (finding.weight > 0) techniques.insert(finding.attack.begin(), finding.attack.end());
  }
  std::string text;
  for (const std::string& technique : techniques) text += (text.empty() ? "" : " ") + technique;
  return text;
}

}  // namespace lazaret::intel
