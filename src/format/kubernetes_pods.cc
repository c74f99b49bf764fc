#include "format/kubernetes_pods.h"

#include <map>

#include "format/json.h"

namespace lazaret::format {
namespace {

// The digest at the end of what names an image.
Digest digest_in(std::string_view image) {
  const auto at = image.rfind("sha256:");
  if (at == std::string_view::npos) return {};
  // Behind '@' or "://", or alone.
  if (at != 0 && image[at - 1] != '@' && image[at - 1] != '/') return {};
  return Digest::parse(image.substr(at)).value_or(Digest());
}

void read_containers(const JsonValue& pod, std::string_view list, std::string_view statuses, std::string_view kind, const PodContainer& common, std::vector<PodContainer>& all) {
  std::map<std::string, std::size_t, std::less<>> by_name;
  const auto entry = [&](const std::string& name) -> PodContainer& {
    const auto [known, is_new] = by_name.emplace(name, all.size());
    if (is_new) {
      all.push_back(common);
      all.back().container = name;
      all.back().kind = kind;
    }
    return all[known->second];
  };
  const auto each = [&](std::string_view part, std::string_view member, const auto& visit) {
    const JsonValue* const of = pod.find(part);
    const JsonValue* const found = of != nullptr ? of->find(member) : nullptr;
    if (found == nullptr || found->as_array() == nullptr) return;
    for (const JsonValue& one : *found->as_array()) {
      if (one.as_object() != nullptr) visit(one);
    }
  };
  each("spec", list, [&](const JsonValue& one) {
    PodContainer& container = entry(std::string(one.text("name")));
    container.image = one.text("image");
    container.asked = digest_in(container.image);
  });
  each("status", statuses, [&](const JsonValue& one) {
    PodContainer& container = entry(std::string(one.text("name")));
    if (container.image.empty()) container.image = one.text("image");
    container.runs = digest_in(one.text("imageID"));
    const JsonValue* const state = one.find("state");
    container.running = state != nullptr && state->find("running") != nullptr;
  });
}

void read_pod(const JsonValue& pod, std::vector<PodContainer>& all) {
  PodContainer common;
  if (const JsonValue* const metadata = pod.find("metadata")) {
    common.name_space = metadata->text("namespace");
    common.pod = metadata->text("name");
  }
  if (const JsonValue* const spec = pod.find("spec")) common.node = spec->text("nodeName");
  read_containers(pod, "containers", "containerStatuses", "container", common, all);
  read_containers(pod, "initContainers", "initContainerStatuses", "init", common, all);
  read_containers(pod, "ephemeralContainers", "ephemeralContainerStatuses", "ephemeral", common, all);
}

}  // namespace

PodContainers read_pods(std::string_view json) {
  PodContainers pods;
  JsonOptions options;
  options.max_values = 50'000'000;
  JsonDocument document = parse_json(json, options);
  pods.diagnostics = std::move(document.diagnostics);
  const JsonValue* const items = document.value.find("items");
  if (items != nullptr && items->as_array() != nullptr) {
    for (const JsonValue& pod : *items->as_array()) {
      if (pod.as_object() != nullptr) read_pod(pod, pods.containers);
    }
    pods.valid = document.valid;
  } else if (document.value.find("spec") != nullptr) {
    read_pod(document.value, pods.containers);
    pods.valid = document.valid;
  }
  return pods;
}

}  // namespace lazaret::format
