// A campaign as a bundle of STIX 2.1 (OASIS, 2021-06-10).
#include <fmt/format.h>

#include <algorithm>

#include "base/digest.h"
#include "base/json_writer.h"
#include "base/text.h"
#include "base/time.h"
#include "report/campaign_report.h"

namespace lazaret::report {
namespace {

using intel::Story;
using intel::StoryIndicator;

// An id that follows from the content, in the form of a UUID of version 5.
std::string id_of(std::string_view type, const std::string& content) {
  std::string hex = sha256(as_bytes(std::string(type) + "\n" + content)).hex().substr(0, 32);
  hex[12] = '5';
  hex[16] = "89ab"[static_cast<std::size_t>(hex[16] % 4)];
  return fmt::format("{}--{}-{}-{}-{}-{}", type, hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 4), hex.substr(16, 4), hex.substr(20));
}

std::string quoted(std::string_view value) {
  std::string result;
  for (const char c : value) {
    if (c == '\'' || c == '\\') result += '\\';
    result += c;
  }
  return "'" + result + "'";
}

// "" for what no pattern of STIX says.
std::string pattern_of(const StoryIndicator& indicator) {
  const std::string value = quoted(indicator.value);
  if (indicator.kind == "file-sha256" || indicator.kind == "miner-file") return fmt::format("[file:hashes.'SHA-256' = {}]", value);
  if (indicator.kind == "url") return fmt::format("[url:value = {}]", quoted(indicator.value.find("://") == std::string::npos ? "http://" + indicator.value : indicator.value));
  if (indicator.kind == "domain" || indicator.kind == "host") {
    const bool digits = std::all_of(indicator.value.begin(), indicator.value.end(), [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
    return fmt::format("[{}:value = {}]", digits ? "ipv4-addr" : "domain-name", value);
  }
  if (indicator.kind == "c2") return fmt::format("[x-lazaret-server:value = {}]", value);
  if (indicator.kind == "login") return fmt::format("[x-lazaret-login:value = {}]", value);
  if (indicator.kind.starts_with("wallet.")) return fmt::format("[x-cryptocurrency-wallet:value = {}]", value);
  return "";
}

// "created" and "modified" have milliseconds (3.2, common properties).
std::string moment(store::Time at) {
  std::string text = to_rfc3339(at);
  text.insert(text.size() - 1, ".000");
  return text;
}

class Bundle {
 public:
  explicit Bundle(const Story& story) : story_(story) {
    at_ = moment(std::max({story.campaign.created, story.first_verdict, story.last_pull}));
    key_ = fmt::format("{} {} {}", story.campaign.id, story.campaign.created, story.title);
  }

  std::string write() {
    json_.begin_object().field("type", "bundle").field("id", id_of("bundle", key_ + at_)).key("objects").begin_array();
    const std::string identity = id_of("identity", "lazaret");
    begin("identity", identity).field("name", "lazaret").field("identity_class", "system").end_object();
    const std::string campaign = id_of("campaign", key_);
    begin("campaign", campaign).field("created_by_ref", identity).field("name", text(story_.title));
    json_.field("description", fmt::format("{} images of {} accounts, {} pulls", story_.images.size(), story_.accounts.size(), story_.pulls));
    if (story_.first_upload != 0) json_.field("first_seen", moment(story_.first_upload));
    if (story_.first_upload != 0 && story_.last_pull > story_.first_upload) json_.field("last_seen", moment(story_.last_pull));
    json_.end_object();
    for (const std::string& technique : story_.attack) {
      const std::string id = id_of("attack-pattern", technique);
      begin("attack-pattern", id).field("name", technique).key("external_references").begin_array().begin_object();
      json_.field("source_name", "mitre-attack").field("external_id", technique).end_object().end_array().end_object();
      relate(campaign, "uses", id);
    }
    for (const StoryIndicator& indicator : story_.indicators) add(indicator, campaign);
    for (const intel::StoryImage& image : story_.images) {
      if (!image.bad) continue;
      StoryIndicator as_indicator;
      as_indicator.kind = "image";
      as_indicator.title = "image";
      as_indicator.value = image.digest;
      add(as_indicator, campaign, fmt::format("[x-lazaret-image:digest = {}]", quoted(image.digest)));
    }
    begin("report", id_of("report", key_ + at_)).field("created_by_ref", identity).field("name", "Incident report: " + text(story_.title));
    json_.field("published", at_).key("report_types").strings({"campaign", "indicator"}).key("object_refs").strings(references_).end_object();
    json_.end_array().end_object();
    return json_.take() + "\n";
  }

 private:
  JsonWriter& begin(std::string_view type, const std::string& id) {
    references_.push_back(id);
    return json_.begin_object().field("type", type).field("spec_version", "2.1").field("id", id).field("created", at_).field("modified", at_);
  }
  void add(const StoryIndicator& indicator, const std::string& campaign, std::string pattern = "") {
    if (pattern.empty()) pattern = pattern_of(indicator);
    if (pattern.empty()) return;
    const std::string id = id_of("indicator", pattern);
    if (std::find(references_.begin(), references_.end(), id) != references_.end()) return;
    begin("indicator", id).field("name", fmt::format("{} {}", indicator.title, text(indicator.value))).key("indicator_types").strings({"malicious-activity"});
    json_.field("pattern", pattern).field("pattern_type", "stix").field("valid_from", story_.first_upload != 0 ? moment(story_.first_upload) : at_).end_object();
    relate(id, "indicates", campaign);
  }
  void relate(const std::string& from, std::string_view how, const std::string& to) {
    const std::string id = id_of("relationship", from + std::string(how) + to);
    begin("relationship", id).field("relationship_type", how).field("source_ref", from).field("target_ref", to).end_object();
  }
  static std::string text(std::string_view value) { return escape(value, 300); }

  const Story& story_;
  std::string at_, key_;
  JsonWriter json_;
  std::vector<std::string> references_;
};

}  // namespace

std::string campaign_stix(const Story& story) { return Bundle(story).write(); }

}  // namespace lazaret::report
