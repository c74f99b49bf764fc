#include "audit/hidden_layers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "audit/layer_names.h"
#include "audit/paths.h"
#include "base/text.h"

namespace lazaret::audit {
namespace {

constexpr std::size_t named_at_most = 4;

// Counts, and the first few by name.
class Tally {
 public:
  void add(std::string_view path) {
    if (count_++ < named_at_most) names_ += (names_.empty() ? "" : ", ") + escape(path, 120);
  }
  std::size_t count() const { return count_; }
  std::string text() const { return count_ > named_at_most ? fmt::format("{} and {} more", names_, count_ - named_at_most) : names_; }

 private:
  std::size_t count_ = 0;
  std::string names_;
};

bool is_program(const EntryView& entry) {
  return entry.type == format::TarType::file && (entry.file_type.kind == format::FileKind::elf || (entry.file_type.kind == format::FileKind::script && (entry.mode & 0111) != 0));
}

// "COPY app /srv/app" of any builder's way to write it down.
std::string_view instruction_of(std::string_view step) {
  if (const auto mark = step.find("#(nop)"); mark != std::string_view::npos) step.remove_prefix(mark + 6);
  step = trim(step);
  if (const auto mark = step.rfind("# buildkit"); mark != std::string_view::npos) step = trim(step.substr(0, mark));
  return step;
}

bool brings_no_files(std::string_view instruction) {
  static constexpr std::array names = {"CMD ", "ENV ", "LABEL ", "EXPOSE ", "ENTRYPOINT ", "STOPSIGNAL ", "HEALTHCHECK ", "SHELL ", "ONBUILD ", "MAINTAINER ", "ARG "};
  return std::any_of(names.begin(), names.end(), [&](std::string_view name) { return instruction.starts_with(name); });
}

// Where COPY and ADD put things, "" when that depends on the working directory.
std::string destination_of(std::string_view instruction) {
  if (!instruction.starts_with("COPY ") && !instruction.starts_with("ADD ")) return "";
  if (instruction.find('$') != std::string_view::npos || instruction.find('[') != std::string_view::npos || instruction.find('"') != std::string_view::npos) return "";
  const auto blank = instruction.rfind(' ');
  const std::string_view last = trim(instruction.substr(blank));
  return last.starts_with('/') ? canonical_path(last) : "";
}

bool has_part(std::string_view path, std::string_view part) {
  for (auto at = path.find(part); at != std::string_view::npos; at = path.find(part, at + 1)) {
    const bool left = at > 0 && path[at - 1] == '/', right = at + part.size() == path.size() || path[at + part.size()] == '/';
    if (left && right) return true;
  }
  return false;
}

}  // namespace

std::vector<LayerRemark> remarks_on_layers(const RootFileSystem& root) {
  std::vector<LayerRemark> remarks;
  const auto& layers = root.layers();
  for (std::size_t number = 0; number < layers.size(); ++number) {
    Tally markers, deleted, replaced, linked;
    EntryTable::Cursor cursor(layers[number]->entries);
    EntryView entry;
    for (std::size_t at = 0; cursor.next(entry); ++at) {
      const MarkerKind kind = marker_kind(name_of_path(entry.path));
      if (number == 0 && (kind == MarkerKind::whiteout || kind == MarkerKind::opaque)) markers.add(entry.path);
      if (number > 0 && kind == MarkerKind::opaque && folder_of(entry.path) == "/")
        remarks.push_back({"hidden-content.opaque-root", number, std::string(entry.path), "the layer hides everything that is below it"});
      if (!root.linked().empty()) {
        if (const auto place = root.linked().find({number, at}); place != root.linked().end()) linked.add(std::string(entry.path) + " -> " + place->second);
      }
      if (kind == MarkerKind::none && is_program(entry) && !root.is_visible(number, at) && !root.seen_as(number, at)) {
        if (root.find_exact(root.place_of(number, at))) replaced.add(entry.path);
        else deleted.add(entry.path);
      }
    }
    if (markers.count() > 0) remarks.push_back({"hidden-content.marker-without-target", number, "", markers.text()});
    if (linked.count() > 0) remarks.push_back({"anomaly.layer-writes-through-link", number, "", linked.text()});
    if (deleted.count() > 0) remarks.push_back({"hidden-content.deleted-programs", number, "", deleted.text()});
    if (replaced.count() > 0) remarks.push_back({"hidden-content.overwritten-programs", number, "", replaced.text()});
  }
  return remarks;
}

std::vector<LayerRemark> remarks_on_history(const format::ImageConfig& config, const std::vector<const LayerAudit*>& layers) {
  std::vector<LayerRemark> remarks;
  std::vector<std::string_view> steps;
  for (const auto& step : config.history) {
    if (!step.empty_layer) steps.push_back(step.created_by);
  }
  if (config.history.empty() || layers.empty()) return remarks;
  if (steps.size() != layers.size()) {
    remarks.push_back({"anomaly.history-count", 0, "", fmt::format("the history has {} steps with a layer, the image {} layers", steps.size(), layers.size())});
    return remarks;
  }
  for (std::size_t number = 0; number < layers.size(); ++number) {
    const std::string_view instruction = instruction_of(steps[number]);
    const std::string destination = destination_of(instruction);
    const bool quiet = brings_no_files(instruction);
    if (!quiet && (destination.empty() || destination == "/")) continue;
    const std::string_view part = name_of_path(destination);
    Tally files;
    bool found = false;
    EntryTable::Cursor cursor(layers[number]->entries);
    for (EntryView entry; cursor.next(entry) && !found;) {
      if (entry.type != format::TarType::directory && marker_kind(name_of_path(entry.path)) == MarkerKind::none) files.add(entry.path);
      found = !quiet && has_part(entry.path, part);
    }
    if (!found && files.count() > 0)
      remarks.push_back({"anomaly.history-mismatch", number, "", fmt::format("\"{}\" brought {}", escape(instruction.substr(0, 160)), files.text())});
  }
  return remarks;
}

}  // namespace lazaret::audit
