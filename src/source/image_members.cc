#include "source/image_members.h"

#include <fmt/core.h>

#include "base/text.h"

namespace lazaret::source {
namespace {

constexpr int max_links = 40;  // Linux follows as many (path_resolution(7))
constexpr std::size_t max_diagnostics = 200;

}  // namespace

std::string clean_path(std::string_view path, bool* escaped) {
  std::vector<std::string_view> parts;
  for (const auto part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      parts.push_back(part);
    } else if (!parts.empty()) {
      parts.pop_back();
    } else if (escaped != nullptr) {
      *escaped = true;
    }
  }
  std::string result;
  for (const auto part : parts) {
    if (!result.empty()) result += '/';
    result += part;
  }
  return result;
}

std::optional<bool> begins_like_json(std::string_view head) {
  const auto first = head.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return std::nullopt;
  return head[first] == '{' || head[first] == '[';
}

std::optional<std::size_t> ImageMembers::add(Member member) {
  if (members_.size() >= limits_.image_members) {
    overflowed_ = true;
    return std::nullopt;
  }
  const auto report = [&](std::string rule, std::string message) {
    if (diagnostics_.size() < max_diagnostics)
      diagnostics_.push_back({std::move(rule), std::move(message), member.header_offset, false, 0});
  };
  bool escaped = false;
  std::string path = clean_path(member.path, &escaped);
  if (escaped)
    report("anomaly.archive-path-outside",
           fmt::format("The name \"{}\" of a member of the image archive leads out of the archive.",
                       member.path));
  member.path = std::move(path);
  member.key = member.path;
  auto& same = by_path_[member.path];
  if (!same.empty() && member.kind != MemberKind::folder) {
    member.key += fmt::format("#{}", same.size() + 1);
    report("anomaly.archive-duplicate-member",
           fmt::format("The image archive has more than one member \"{}\": which one is used "
                       "depends on the program that reads it.",
                       member.path));
  }
  if (member.kind != MemberKind::folder) same.push_back(members_.size());
  members_.push_back(std::move(member));
  return members_.size() - 1;
}

bool ImageMembers::may_keep(std::uint64_t size) const {
  return size <= limits_.config_bytes && size <= limits_.documents_bytes - document_bytes_;
}

void ImageMembers::keep(std::size_t index, std::string document) {
  document_bytes_ += document.size();
  members_[index].document = std::move(document);
}

std::string ImageMembers::take(std::size_t index) {
  std::string document = std::move(*members_[index].document);
  members_[index].document.reset();
  document_bytes_ -= document.size();
  return document;
}

std::vector<std::size_t> ImageMembers::find_all(std::string_view path) const {
  std::vector<std::size_t> result;
  const auto found = by_path_.find(clean_path(path));
  if (found == by_path_.end()) return result;
  for (const auto index : found->second) {
    if (members_[index].kind == MemberKind::file) result.push_back(index);
  }
  return result;
}

std::optional<std::size_t> ImageMembers::find(std::string_view path) const {
  // The members of all folders on the way may be links: the path is resolved one component at a
  // time, and a link's target is put in front of what is left.
  std::string left = clean_path(path);
  std::string done;
  for (int links = 0; links <= max_links;) {
    const auto slash = left.find('/');
    const std::string name = left.substr(0, slash);
    left = slash == std::string::npos ? "" : left.substr(slash + 1);
    const std::string here = done.empty() ? name : done + "/" + name;
    const auto found = by_path_.find(here);
    if (found == by_path_.end() || found->second.empty()) {
      if (left.empty()) return std::nullopt;
      done = here;  // a folder need not have a member of its own
      continue;
    }
    const std::size_t index = found->second.back();
    const Member& member = members_[index];
    if (member.kind == MemberKind::file) {
      if (left.empty()) return index;
      return std::nullopt;
    }
    ++links;
    std::string target = member.link_target;
    // A symbolic link counts from its folder, a hard link from the top. An absolute link stays
    // within the archive: docker resolves it in the folder it unpacked to.
    if (member.kind == MemberKind::symlink && !target.starts_with('/'))
      target = done + "/" + target;
    // A hard link to its own name would be a loop; what it can only mean is the member before it.
    left = clean_path(left.empty() ? target : target + "/" + left);
    if (left.size() > limits_.path_bytes) return std::nullopt;
    done.clear();
  }
  return std::nullopt;
}

}  // namespace lazaret::source
