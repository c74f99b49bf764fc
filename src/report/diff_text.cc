#include "report/diff_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/text.h"
#include "report/diff_writer.h"

namespace lazaret::report {
namespace {

constexpr std::size_t value_bytes = 300, listed_folders = 12;

std::string counted(std::uint64_t count, std::string_view what) { return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s"); }

std::string counts(std::uint64_t added, std::uint64_t removed, std::uint64_t changed) {
  std::string text;
  const auto add = [&](std::uint64_t count, std::string_view what) {
    if (count == 0) return;
    text += text.empty() ? fmt::format("{} {}", counted(count, "file"), what) : fmt::format(", {} {}", count, what);
  };
  add(added, "added");
  add(removed, "removed");
  add(changed, "changed");
  return text;
}

// The first two parts of the folder: "/usr/share" of "/usr/share/a/b".
std::string top_folder(std::string_view path) {
  std::size_t end = 0;
  for (unsigned parts = 0; parts < 2; ++parts) {
    const auto slash = path.find('/', end + 1);
    if (slash == std::string_view::npos) break;
    end = slash;
  }
  return end == 0 ? "/" : std::string(path.substr(0, end));
}

}  // namespace

char sign_of(audit::Change change) { return change == audit::Change::added ? '+' : change == audit::Change::removed ? '-' : '~'; }

std::string describe(const audit::PackageChange& package) {
  std::string text = escape(package.name, 100);
  if (package.change == audit::Change::added) {
    text += " " + escape(package.new_version, 100);
  } else if (package.change == audit::Change::removed) {
    text += " " + escape(package.old_version, 100);
  } else if (package.old_version == package.new_version) {
    text += " " + escape(package.new_version, 100) + ", the same version";
  } else {
    text += fmt::format(" {} -> {}", escape(package.old_version, 100), escape(package.new_version, 100));
  }
  const std::string files = counts(package.files_added, package.files_removed, package.files_changed);
  return files.empty() ? text : text + ": " + files;
}

std::string describe(const audit::FileChange& file) {
  std::string text = file.kind;
  if (file.change == audit::Change::changed) {
    text.clear();
    for (const std::string& aspect : file.aspects) text += (text.empty() ? "" : ", ") + escape(aspect, 200);
    if (file.old_size != file.new_size) text += fmt::format(", {} -> {}", format_bytes(file.old_size), format_bytes(file.new_size));
  } else if (file.kind != "link" && file.kind != "folder") {
    text += fmt::format(" {:04o}, {}", file.mode, format_bytes(file.change == audit::Change::removed ? file.old_size : file.new_size));
  }
  if (file.is_started) text += ", started by the image";
  if (!file.package.empty()) {
    text += fmt::format(", package {}{}", escape(file.package, 100), file.package_is_same ? " (the same version)" : "");
  } else if (file.is_program) {
    text += ", no package";
  }
  return text;
}

std::string describe(const audit::ConfigChange& config) {
  if (config.old_value.empty()) return escape(config.new_value, value_bytes);
  if (config.new_value.empty()) return "was " + escape(config.old_value, value_bytes);
  return fmt::format("{} -> {}", escape(config.old_value, value_bytes), escape(config.new_value, value_bytes));
}

std::string describe(const audit::AbilityChange& change) {
  const audit::Ability& ability = change.ability;
  return fmt::format("{} {}{}, {}", ability.kind, escape(ability.path, value_bytes), ability.detail.empty() ? "" : fmt::format(" ({})", escape(ability.detail, 200)),
                     change.package.empty() ? "no package" : "package " + escape(change.package, 100));
}

std::string describe_files(const audit::PlatformDiff& platform) {
  const std::string text = counts(platform.files_added, platform.files_removed, platform.files_changed);
  return text.empty() ? "no file is different" : text;
}

FileLines choose_files(const audit::PlatformDiff& platform, std::size_t limit) {
  FileLines lines;
  const auto rank = [](const audit::FileChange& file) {
    if (file.is_started && file.change != audit::Change::removed) return 0;
    if (file.is_program && file.package.empty() && file.change != audit::Change::removed) return 1;
    if (file.package_is_same) return 2;
    return file.is_program ? 3 : 4;
  };
  std::vector<const audit::FileChange*> order;
  for (const audit::FileChange& file : platform.files) order.push_back(&file);
  std::stable_sort(order.begin(), order.end(), [&](const auto* a, const auto* b) { return rank(*a) < rank(*b); });
  if (order.size() <= limit) {
    lines.files = std::move(order);
    return lines;
  }
  lines.files.assign(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(limit));
  struct Count {
    std::uint64_t added = 0, removed = 0, changed = 0;
    std::uint64_t all() const { return added + removed + changed; }
  };
  std::map<std::string, Count> folders;
  for (std::size_t i = limit; i < order.size(); ++i) {
    Count& count = folders[top_folder(order[i]->path)];
    ++(order[i]->change == audit::Change::added ? count.added : order[i]->change == audit::Change::removed ? count.removed : count.changed);
  }
  std::vector<std::pair<std::string, Count>> largest(folders.begin(), folders.end());
  std::stable_sort(largest.begin(), largest.end(), [](const auto& a, const auto& b) { return a.second.all() > b.second.all(); });
  Count rest;
  for (std::size_t i = 0; i < largest.size(); ++i) {
    const Count& count = largest[i].second;
    if (i < listed_folders) {
      lines.folders.push_back(fmt::format("{}: {}", escape(largest[i].first, 200), counts(count.added, count.removed, count.changed)));
    } else {
      rest.added += count.added;
      rest.removed += count.removed;
      rest.changed += count.changed;
    }
  }
  if (rest.all() > 0) lines.folders.push_back("elsewhere: " + counts(rest.added, rest.removed, rest.changed));
  return lines;
}

std::string platform_name(const audit::PlatformDiff& platform) {
  if (platform.old_platform == platform.new_platform || platform.new_platform.empty()) return escape(platform.old_platform, 100);
  if (platform.old_platform.empty()) return escape(platform.new_platform, 100);
  return fmt::format("{} -> {}", escape(platform.old_platform, 100), escape(platform.new_platform, 100));
}

std::string risk_line_of(const audit::ImageDiff& diff) {
  if (diff.risks.empty()) return "none: nothing in it looks risky";
  return fmt::format("{}: {}", audit::name_of_risk(diff.risks.front().severity), escape(diff.risks.front().text, 400));
}

}  // namespace lazaret::report
