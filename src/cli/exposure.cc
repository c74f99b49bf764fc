// lazaret exposure and pulls: who was given what, and where it still runs.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <map>
#include <optional>
#include <set>

#include "base/csv.h"
#include "base/json_writer.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/exposure_messages.h"
#include "cli/response.h"
#include "cli/output.h"
#include "format/kubernetes_pods.h"

namespace lazaret::cli {
namespace {

using format::JsonValue;

void each(const JsonValue& value, std::string_view key, const auto& visit) {
  const JsonValue* const list = value.find(key);
  if (list == nullptr || list->as_array() == nullptr) return;
  for (const JsonValue& one : *list->as_array()) visit(one);
}

std::string joined(const JsonValue& group, std::size_t most) {
  std::string text;
  std::size_t count = 0;
  each(group, "images", [&](const JsonValue& image) {
    if (image.as_string() != nullptr && ++count <= most) text += (text.empty() ? "" : " ") + *image.as_string();
  });
  if (count > most) text += fmt::format(" and {} more", count - most);
  return text;
}

// A pod that has to do with an exposed image, and how that is known.
struct PodMatch {
  format::PodContainer container;
  std::string image, how;
};

class ExposedImages {
 public:
  explicit ExposedImages(const JsonValue& exposure) {
    each(exposure, "images", [&](const JsonValue& image) {
      const std::string name(image.text("name"));
      if (const auto digest = Digest::parse(image.text("digest"))) digests_.emplace(*digest, name);
      if (const auto config = Digest::parse(image.text("config"))) digests_.emplace(*config, name);
      if (!name.empty() && name.find('@') == std::string::npos) names_.insert(name);
    });
  }

  std::optional<PodMatch> find(const format::PodContainer& container) const {
    for (const auto& [digest, how] : {std::pair(container.runs, container.running ? "runs" : "ran"), {container.asked, "asks for"}}) {
      const auto known = digest.empty() ? digests_.end() : digests_.find(digest);
      if (known != digests_.end()) return PodMatch{container, known->second.empty() ? known->first.str() : known->second, how};
    }
    // A name says what was asked for; what came of it is known only when the kubelet says so.
    if (!container.runs.empty()) return std::nullopt;
    for (const std::string& name : names_) {
      const std::string_view image = container.image;
      const std::string with_tag = image.rfind(':') == std::string_view::npos || image.find('/', image.rfind(':')) != std::string_view::npos ? container.image + ":latest" : container.image;
      if (with_tag == name || std::string_view(with_tag).ends_with("/" + name)) return PodMatch{container, name, "asks by name for"};
    }
    return std::nullopt;
  }

 private:
  std::map<Digest, std::string> digests_;
  std::set<std::string> names_;
};

Result<std::vector<PodMatch>> find_pods(const JsonValue& exposure, const std::string& file) {
  std::string text;
  if (file == "-") {
    text.assign(std::istreambuf_iterator<char>(std::cin), {});
  } else {
    auto read = read_text(file);
    if (!read) return read.error();
    text = std::move(*read);
  }
  const format::PodContainers pods = format::read_pods(text);
  if (!pods.valid) return Error{ErrorCode::invalid, fmt::format("{} is not the output of `kubectl get pods -A -o json`", file == "-" ? "standard input" : file)};
  const ExposedImages images(exposure);
  std::vector<PodMatch> found;
  for (const format::PodContainer& container : pods.containers) {
    if (auto match = images.find(container)) found.push_back(std::move(*match));
  }
  return found;
}

std::string table(const JsonValue& exposure, const std::string& by, const std::vector<PodMatch>* pods) {
  std::string text = fmt::format("exposure of {} {}\n", escape(exposure.text("kind")), escape(exposure.text("subject")));
  if (const JsonValue* const act = exposure.find("takedown")) text += fmt::format("taken down {} by act {}; {} pulls after that\n", escape(act->text("at")), act->number("id"), exposure.number("late"));
  std::size_t images = 0;
  each(exposure, "images", [&](const JsonValue&) { ++images; });
  text += fmt::format("{} images, {} pulls, {} downloads of layers ({} cut), {}", images, exposure.number("pulls"), exposure.number("downloads"), exposure.number("cut"), format_bytes(exposure.number("bytes")));
  if (!exposure.text("first").empty()) text += fmt::format(", from {} to {}", escape(exposure.text("first")), escape(exposure.text("last")));
  text += fmt::format("\n\n{:<34} {:>9} {:>9} {:>6} {:>11} {:<21} {:<21} {}\n", by == "account" ? "ACCOUNT" : by == "network" ? "NETWORK" : "AGENT", "PULLS", "DOWNLOADS", "LATE", "BYTES", "FIRST", "LAST", "IMAGES");
  each(exposure, by + "s", [&](const JsonValue& group) {
    const std::string name = group.text(by).empty() ? by == "account" ? "(anonymous)" : "(none)" : escape(group.text(by), 60);
    text += fmt::format("{:<34} {:>9} {:>9} {:>6} {:>11} {:<21} {:<21} {}\n", name, group.number("pulls"), group.number("downloads"), group.number("late"), format_bytes(group.number("bytes")),
                        escape(group.text("first")), escape(group.text("last")), escape(joined(group, 3)));
  });
  if (const JsonValue* const cut = exposure.find("cut_off"); cut != nullptr && cut->as_bool() != nullptr && *cut->as_bool()) text += "(there are more; --from and `lazaret pulls` have them)\n";
  if (pods != nullptr) {
    text += fmt::format("\n{} containers in Kubernetes\n", pods->size());
    for (const PodMatch& match : *pods) {
      text += fmt::format("  {}/{} on {}: {} container {} {} {}\n", escape(match.container.name_space), escape(match.container.pod), match.container.node.empty() ? "no node" : escape(match.container.node),
                          match.container.kind, escape(match.container.container), match.how, escape(match.image));
    }
  }
  return text;
}

std::string csv(const JsonValue& exposure, const std::string& by, const std::vector<PodMatch>* pods) {
  if (pods != nullptr) {
    std::string text = csv_line({"namespace", "pod", "node", "kind", "container", "how", "image", "asked", "digest"});
    for (const PodMatch& match : *pods) {
      const format::PodContainer& one = match.container;
      text += csv_line({one.name_space, one.pod, one.node, one.kind, one.container, match.how, match.image, one.image, one.runs.str()});
    }
    return text;
  }
  std::string text = csv_line({by, "pulls", "downloads", "late", "cut", "not modified", "bytes", "first", "last", "images"});
  each(exposure, by + "s", [&](const JsonValue& group) {
    std::vector<std::string> fields = {std::string(group.text(by))};
    for (const char* key : {"pulls", "downloads", "late", "cut", "not_modified", "bytes"}) fields.push_back(std::to_string(group.number(key)));
    for (const char* key : {"first", "last"}) fields.emplace_back(group.text(key));
    fields.push_back(joined(group, 100));
    text += csv_line(fields);
  });
  return text;
}

std::string pods_json(const std::vector<PodMatch>& pods) {
  JsonWriter json(0);
  json.begin_array();
  for (const PodMatch& match : pods) {
    const format::PodContainer& one = match.container;
    json.begin_object().field("namespace", one.name_space).field("pod", one.pod).field("node", one.node).field("kind", one.kind).field("container", one.container);
    json.field("how", match.how).field("image", match.image).field("asked", one.image).field("digest", one.runs.str()).field("running", one.running).end_object();
  }
  return json.end_array().take();
}

}  // namespace

int show_exposure(ServerClient& client, const ResponseOptions& options) {
  ServerClient::Query query = {{"subject", options.subject}};
  if (!options.kind.empty()) query.emplace_back("kind", options.kind);
  if (!options.from.empty()) query.emplace_back("from", options.from);
  const auto exposure = client.get_text("/exposure", query);
  if (!exposure) return fail(exposure.error().message);
  format::JsonOptions limits;
  limits.max_values = 50'000'000;
  const format::JsonDocument document = format::parse_json(*exposure, limits);
  if (!document.valid) return fail(client.server() + " does not answer as a lazaret server does");

  std::optional<std::vector<PodMatch>> pods;
  if (!options.pods.empty()) {
    auto found = find_pods(document.value, options.pods);
    if (!found) return fail(found.error().message);
    pods = std::move(*found);
  }
  const std::vector<PodMatch>* const shown = pods ? &*pods : nullptr;
  std::string text;
  if (options.format == "json") {
    // As it came, with the pods as one more member.
    text = std::string(trim(*exposure));
    if (pods && text.ends_with('}')) text = text.substr(0, text.size() - 1) + ",\"pods\":" + pods_json(*pods) + "}";
    text += "\n";
  } else {
    text = options.format == "csv" ? csv(document.value, options.by, shown) : table(document.value, options.by, shown);
  }
  if (!write_output(options.output, text)) return exit_error;

  if (!options.webhook.empty() || !options.mail_server.empty()) {
    const std::vector<ExposureMessage> messages = exposure_messages(document.value);
    const auto sent = send_exposure_messages(messages, options);
    if (!sent) return fail(sent.error().message);
    fmt::print(stderr, "lazaret: {} messages were sent to {} accounts\n", *sent, messages.size());
  }
  return pods && !pods->empty() ? 1 : 0;
}

int export_pulls(ServerClient& client, const ResponseOptions& options) {
  ServerClient::Query query;
  for (const auto& [name, value] : {std::pair<const char*, const std::string&>("digest", options.digest), {"repository", options.repository}, {"identity", options.account}, {"from", options.from},
                                    {"until", options.until}}) {
    if (!value.empty()) query.emplace_back(name, value);
  }
  static constexpr const char* columns[] = {"at", "last", "count", "identity", "address", "agent", "repository", "tag", "digest", "kind", "status", "bytes", "complete", "missing", "state", "verdict", "ruleset"};
  const bool as_csv = options.format != "jsonl";
  std::FILE* const file = options.output.empty() ? stdout : std::fopen(options.output.c_str(), "we");
  if (file == nullptr) return fail(fmt::format("cannot write {}: check that its folder exists and may be written", options.output));
  if (as_csv) fmt::print(file, "{}", csv_line({std::begin(columns), std::end(columns)}));
  const auto done = client.each("/pulls", query, [&](const JsonValue& pull) {
    std::vector<std::string> fields;
    JsonWriter json(0);
    json.begin_object();
    for (const char* column : columns) {
      const JsonValue* const value = pull.find(column);
      if (value == nullptr) continue;
      std::string text;
      json.key(column);
      if (value->as_string() != nullptr) {
        json.value(text = *value->as_string());
      } else if (value->as_bool() != nullptr) {
        json.value(*value->as_bool());
        text = *value->as_bool() ? "true" : "false";
      } else {
        json.value(value->as_size().value_or(0));
        text = std::to_string(value->as_size().value_or(0));
      }
      fields.push_back(std::move(text));
    }
    fmt::print(file, "{}", as_csv ? csv_line(fields) : json.end_object().take() + "\n");
    return std::ferror(file) == 0;
  });
  const bool written = std::fflush(file) == 0 && std::ferror(file) == 0;
  if (file != stdout) std::fclose(file);
  if (!done) return fail(done.error().message);
  return written ? 0 : fail("the export could not be written: is the disk full?");
}

}  // namespace lazaret::cli
