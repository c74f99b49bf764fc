#include "gate/known_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "base/text.h"

namespace lazaret::gate {

using store::CarriedFile;
using store::FileContent;

std::map<Digest, std::vector<CarriedFile>> carried_files(const audit::ImageAuditor& auditor, const audit::Report& report,
                                                         const std::vector<const audit::LayerAudit*>& layers, int convicting,
                                                         const std::set<FileContent>& buried) {
  std::set<std::pair<std::string, std::string>> convicted;  // layer, path
  for (const audit::Finding& finding : report.findings) {
    if (finding.weight >= convicting && !finding.context.package_file && !finding.location.layer.empty()) convicted.emplace(finding.location.layer, finding.location.path);
  }
  std::map<Digest, std::vector<CarriedFile>> all;
  for (const audit::LayerAudit* layer : layers) {
    if (all.contains(layer->blob_digest)) continue;
    std::map<FileContent, std::tuple<int, CarriedFile>> files;  // with their place in the queue
    const auto offer = [&](int place, const FileContent& content, const std::string& path, bool convicts, bool claimed = false) {
      const auto [known, is_new] = files.emplace(content, std::tuple(place, CarriedFile{content, path, convicts, claimed}));
      if (is_new) return;
      auto& [its_place, file] = known->second;
      its_place = std::min(its_place, place);
      file.convicts |= convicts;
    };
    if (const auto brought = auditor.files_of_publisher().find(layer->blob_digest); brought != auditor.files_of_publisher().end()) {
      for (const audit::PublisherFile& file : brought->second) offer(file.claimed ? 3 : 2, file.content, file.path, false, file.claimed);
    }
    const std::string diff_id = layer->diff_id.str();
    const bool convicts = std::any_of(convicted.begin(), convicted.end(), [&](const auto& place) { return place.first == diff_id; });
    if (convicts || !buried.empty()) {
      audit::Entry entry;
      for (audit::EntryTable::Cursor cursor(layer->entries); cursor.next(entry);) {
        if (entry.content == FileContent{}) continue;
        if (convicted.contains({diff_id, entry.path})) offer(1, entry.content, entry.path, true);
        if (buried.contains(entry.content)) offer(0, entry.content, entry.path, false);
      }
    }
    std::vector<std::tuple<int, CarriedFile>> queue;
    for (auto& [content, file] : files) queue.push_back(std::move(file));
    std::stable_sort(queue.begin(), queue.end(), [](const auto& a, const auto& b) { return std::get<0>(a) < std::get<0>(b); });
    if (queue.size() > most_carried_files) queue.resize(most_carried_files);
    std::vector<CarriedFile>& kept = all[layer->blob_digest];
    for (auto& [place, file] : queue) kept.push_back(std::move(file));
  }
  return all;
}

std::optional<store::FileTombstone> known_file(store::Reader& reader, const Digest& manifest) {
  std::optional<store::FileTombstone> found;
  for (const store::Reference& reference : reader.references(manifest)) {
    if (reference.kind != store::ReferenceKind::layer) continue;
    for (store::FileTombstone& tombstone : reader.file_tombstones(reference.digest)) {
      if (!found || (tombstone.condemns && !found->condemns)) found = std::move(tombstone);
    }
  }
  return found;
}

std::string explain(const store::FileTombstone& file) {
  return fmt::format("it has a file that only images had which were taken down (act {}: {}; the file was {} there)", file.takedown, file.reason, escape(file.path, 200));
}

}  // namespace lazaret::gate
