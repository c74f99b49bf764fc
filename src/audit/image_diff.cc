#include "audit/image_diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "audit/image_diff_risk.h"
#include "audit/package_index.h"
#include "audit/paths.h"
#include "audit/reach.h"
#include "base/json_writer.h"
#include "base/text.h"

namespace lazaret::audit {
namespace {

using format::TarType;

// Files that are listed one by one: programs and what starts by itself first have a right to a place.
constexpr std::size_t listed_programs = 50'000, listed_others = 50'000;
constexpr std::size_t script_lines = 40, listed_scripts = 200;

// A hard link is the file it names.
Entry resolved(const RootFileSystem& root, Entry entry) {
  if (entry.type != TarType::hard_link) return entry;
  auto target = root.find(canonical_path(entry.link_target));
  if (!target || target->record.type == TarType::hard_link) return entry;
  target->record.path = entry.path;
  return std::move(target->record);
}

bool is_machine_code(const Entry& entry) {
  return entry.file_type.kind == format::FileKind::elf || entry.file_type.kind == format::FileKind::pe || entry.file_type.kind == format::FileKind::macho;
}

bool is_program(const Entry& entry) {
  if (entry.type != TarType::file && entry.type != TarType::hard_link) return false;
  return is_machine_code(entry) || (entry.mode & 0111) != 0;
}

std::string kind_of(const Entry& entry) {
  switch (entry.type) {
    case TarType::symlink: return "link";
    case TarType::directory: return "folder";
    case TarType::character_device:
    case TarType::block_device: return "device";
    case TarType::fifo: return "fifo";
    default: return std::string(format::name_of(entry.file_type.kind));
  }
}

// What is different between two entries of one path, for people; empty when nothing is.
std::vector<std::string> aspects_of(const Entry& before, const Entry& after) {
  std::vector<std::string> aspects;
  if (before.type != after.type) aspects.push_back(fmt::format("{} -> {}", kind_of(before), kind_of(after)));
  if (before.type == TarType::symlink && after.type == TarType::symlink) {
    // The mode of a link means nothing.
    if (before.link_target != after.link_target) aspects.push_back(fmt::format("target {} -> {}", before.link_target, after.link_target));
    return aspects;
  }
  if (before.type == after.type && before.type == TarType::file) {
    const bool known = after.size == 0 || (before.content != ContentDigest{} && after.content != ContentDigest{});
    if (before.size != after.size || before.content != after.content || !known) aspects.push_back("content");
  }
  if ((before.mode & 07777) != (after.mode & 07777)) aspects.push_back(fmt::format("mode {:04o} -> {:04o}", before.mode & 07777, after.mode & 07777));
  if (before.uid != after.uid || before.gid != after.gid) aspects.push_back(fmt::format("owner {}:{} -> {}:{}", before.uid, before.gid, after.uid, after.gid));
  if (before.capabilities != after.capabilities) {
    const auto shown = [](const std::string& raw) { return raw.empty() ? std::string("none") : describe_capabilities(raw); };
    aspects.push_back(fmt::format("capabilities {} -> {}", shown(before.capabilities), shown(after.capabilities)));
  }
  return aspects;
}

// Data that package managers, caches and logs write beside what they install.
bool is_bookkeeping(const FileChange& file) {
  if (file.is_program || file.is_started || file.kind == "script") return false;
  if (file.path == "/etc/ld.so.cache" || file.path == "/etc/passwd-" || file.path == "/etc/shadow-" || file.path == "/etc/group-" || file.path == "/etc/gshadow-") return true;
  for (const std::string_view folder : {"/var/lib/dpkg/", "/lib/apk/db/", "/usr/lib/apk/db/", "/var/lib/apt/", "/var/cache/", "/var/log/", "/usr/lib/sysimage/rpm/",
                                        "/var/lib/rpm/", "/etc/apk/world"}) {
    if (file.path.starts_with(folder)) return true;
  }
  return false;
}

struct FileChanges {
  std::vector<FileChange> files;
  std::uint64_t added = 0, removed = 0, changed = 0;
  bool cut = false;

  void add(FileChange file, bool is_told) {
    ++(file.change == Change::added ? added : file.change == Change::removed ? removed : changed);
    if (!is_told) return;
    std::size_t& count = file.is_program ? programs_ : others_;
    if (count >= (file.is_program ? listed_programs : listed_others)) {
      cut = true;
      return;
    }
    ++count;
    files.push_back(std::move(file));
  }

 private:
  std::size_t programs_ = 0, others_ = 0;
};

FileChanges compare_files(const RootFileSystem& before, const RootFileSystem& after) {
  FileChanges changes;
  const auto whole = [](Change change, const Entry& entry) {
    FileChange file;
    file.change = change;
    file.path = entry.path;
    file.kind = kind_of(entry);
    (change == Change::removed ? file.old_size : file.new_size) = entry.size;
    file.mode = entry.mode & 07777;
    file.is_program = is_program(entry);
    return file;
  };
  after.for_each([&](const RootFileSystem::Found& found) {
    const Entry now = resolved(after, found.record);
    const auto other = before.find_exact(now.path);
    if (!other) {
      // A new folder shows in what it holds.
      if (now.type != TarType::directory) changes.add(whole(Change::added, now), true);
      return;
    }
    const bool is_same_entry = other->entry == found.entry && before.layers()[other->layer]->diff_id == after.layers()[found.layer]->diff_id;
    if (is_same_entry && found.record.type != TarType::hard_link) return;
    const Entry then = resolved(before, other->record);
    std::vector<std::string> aspects = aspects_of(then, now);
    if (aspects.empty()) return;
    FileChange file = whole(Change::changed, now);
    file.aspects = std::move(aspects);
    file.old_size = then.size;
    file.is_program |= is_program(then);
    changes.add(std::move(file), true);
  });
  before.for_each([&](const RootFileSystem::Found& found) {
    if (found.record.type == TarType::directory || after.find_exact(found.record.path)) return;
    changes.add(whole(Change::removed, resolved(before, found.record)), true);
  });
  std::sort(changes.files.begin(), changes.files.end(), [](const FileChange& a, const FileChange& b) { return a.path < b.path; });
  return changes;
}

std::vector<PackageChange> compare_packages(const std::vector<InstalledPackage>& before, const std::vector<InstalledPackage>& after) {
  using Key = std::tuple<std::string, std::string, std::string>;
  std::map<Key, std::pair<std::vector<std::string>, std::vector<std::string>>> versions;
  for (const InstalledPackage& package : before) versions[{package.manager, package.name, package.architecture}].first.push_back(package.version);
  for (const InstalledPackage& package : after) versions[{package.manager, package.name, package.architecture}].second.push_back(package.version);
  std::vector<PackageChange> changes;
  for (const auto& [key, pair] : versions) {
    const auto& [then, now] = pair;
    if (then == now) continue;
    const auto join = [](const std::vector<std::string>& texts) {
      std::string joined;
      for (const std::string& text : texts) joined += (joined.empty() ? "" : ", ") + text;
      return joined;
    };
    PackageChange change;
    change.change = then.empty() ? Change::added : now.empty() ? Change::removed : Change::changed;
    std::tie(change.manager, change.name, change.architecture) = key;
    change.old_version = join(then);
    change.new_version = join(now);
    changes.push_back(std::move(change));
  }
  return changes;
}

std::string as_list(const std::vector<std::string>& texts) {
  if (texts.empty()) return "";
  JsonWriter json(0);
  json.strings(texts);
  return json.take();
}

void compare_items(const std::string& field, const std::map<std::string, std::string>& before, const std::map<std::string, std::string>& after,
                   std::vector<ConfigChange>& changes) {
  for (const auto& [name, value] : before) {
    const auto now = after.find(name);
    if (now == after.end()) {
      changes.push_back({field + "." + name, value, ""});
    } else if (now->second != value) {
      changes.push_back({field + "." + name, value, now->second});
    }
  }
  for (const auto& [name, value] : after) {
    if (!before.contains(name)) changes.push_back({field + "." + name, "", value});
  }
}

std::vector<ConfigChange> compare_config(const format::ImageConfig& before, const format::ImageConfig& after) {
  std::vector<ConfigChange> changes;
  const auto compare = [&](const char* field, const std::string& then, const std::string& now) {
    if (then != now) changes.push_back({field, then, now});
  };
  compare("Entrypoint", as_list(before.entrypoint), as_list(after.entrypoint));
  compare("Cmd", as_list(before.cmd), as_list(after.cmd));
  compare("Shell", as_list(before.shell), as_list(after.shell));
  compare("User", before.user, after.user);
  compare("WorkingDir", before.working_dir, after.working_dir);
  compare("Healthcheck", as_list(before.healthcheck), as_list(after.healthcheck));
  compare("OnBuild", as_list(before.onbuild), as_list(after.onbuild));
  compare("StopSignal", before.stop_signal, after.stop_signal);
  const auto variables = [](const std::vector<std::string>& env) {
    std::map<std::string, std::string> map;
    for (const std::string& variable : env) {
      const auto equals = variable.find('=');
      map[variable.substr(0, equals)] = equals == std::string::npos ? "" : variable.substr(equals + 1);
    }
    return map;
  };
  compare_items("Env", variables(before.env), variables(after.env), changes);
  compare_items("Labels", {before.labels.begin(), before.labels.end()}, {after.labels.begin(), after.labels.end()}, changes);
  const auto set = [](const std::vector<std::string>& names) {
    std::map<std::string, std::string> map;
    for (const std::string& name : names) map[name] = "yes";
    return map;
  };
  compare_items("ExposedPorts", set(before.exposed_ports), set(after.exposed_ports), changes);
  compare_items("Volumes", set(before.volumes), set(after.volumes), changes);
  return changes;
}

// What the configuration, cron, init and profile of an image start. Files of packages that do so by themselves are left out, as in an audit.
Reach started_by(const RootFileSystem& root, const format::ImageConfig& config) {
  std::vector<std::string> paths;
  for (const LayerAudit* layer : root.layers()) {
    for (const KeptFile& file : layer->kept) paths.push_back(file.path);
  }
  const PackageIndex packages(root, 0, paths);
  const auto is_package_file = [&](std::string_view path) { return is_package_text(root, packages, path); };
  return follow_image(root, config, is_package_file, {}).reach;
}

constexpr std::string_view hidden_secret = "(holds a secret)";

// Lines of each file, and fields of the configuration, in which a secret was found: what they hold is not repeated.
using SecretPlaces = std::map<std::string, std::set<std::uint64_t>, std::less<>>;
SecretPlaces secret_places(const Report& report) {
  SecretPlaces places;
  for (const Finding& finding : report.findings) {
    if (finding.category == detect::Category::exposed_secret) places[finding.location.path].insert(finding.location.line);
  }
  return places;
}

void hide_secrets(std::vector<ConfigChange>& changes, const SecretPlaces& before, const SecretPlaces& after) {
  for (ConfigChange& change : changes) {
    if (!change.old_value.empty() && before.contains("config." + change.field)) change.old_value = hidden_secret;
    if (!change.new_value.empty() && after.contains("config." + change.field)) change.new_value = hidden_secret;
  }
}

// Lines of `now` that `before` does not have, in order.
ScriptChange compare_script(Change change, const std::string& path, std::string_view before, std::string_view now, const SecretPlaces& secrets) {
  std::map<std::string_view, std::size_t> known;
  for (const std::string_view line : split(before, '\n')) ++known[trim(line)];
  ScriptChange script{change, path, {}, 0};
  const auto secret = secrets.find(path);
  std::uint64_t number = 0;
  for (const std::string_view line : split(now, '\n')) {
    ++number;
    if (trim(line).empty()) continue;
    if (const auto found = known.find(trim(line)); found != known.end() && found->second > 0) {
      --found->second;
      continue;
    }
    if (script.lines.size() < script_lines) {
      const bool is_secret = secret != secrets.end() && secret->second.contains(number);
      script.lines.emplace_back(is_secret ? hidden_secret : line.substr(0, 400));
    } else {
      ++script.more;
    }
  }
  return script;
}

// Which files are told by the line of their package, and which one by one.
void sort_out(FileChanges changes, const InstalledPackages& before, const InstalledPackages& after, PlatformDiff& diff) {
  std::vector<std::string> paths;
  for (const FileChange& file : changes.files) paths.push_back(file.path);
  const std::vector<std::size_t> old_owners = before.owners_of(paths), new_owners = after.owners_of(paths);

  using Key = std::tuple<std::string_view, std::string_view, std::string_view>;
  const auto key_of = [](const auto& package) { return Key(package.manager, package.name, package.architecture); };
  std::map<Key, std::size_t> by_key;
  for (std::size_t i = 0; i < diff.packages.size(); ++i) by_key.emplace(key_of(diff.packages[i]), i);
  std::map<Key, PackageChange> same_version;  // packages that say they are the same, with files that are not

  for (std::size_t i = 0; i < changes.files.size(); ++i) {
    FileChange& file = changes.files[i];
    const bool is_gone = file.change == Change::removed;
    const std::size_t owner = is_gone ? old_owners[i] : new_owners[i];
    const InstalledPackage* package = owner == InstalledPackages::none ? nullptr : &(is_gone ? before : after).list()[owner];
    if (package != nullptr) {
      file.package = package->name;
      const auto count = [&](PackageChange& change) {
        ++(is_gone ? change.files_removed : file.change == Change::added ? change.files_added : change.files_changed);
      };
      if (const auto known = by_key.find(key_of(*package)); known != by_key.end()) {
        count(diff.packages[known->second]);
        continue;
      }
      file.package_is_same = true;
      PackageChange& change = same_version[key_of(*package)];
      change.change = Change::changed;
      change.manager = package->manager;
      change.name = package->name;
      change.architecture = package->architecture;
      change.old_version = change.new_version = package->version;
      count(change);
    } else if (is_bookkeeping(file)) {
      ++diff.bookkeeping;
      continue;
    }
    diff.files.push_back(std::move(file));
  }
  for (auto& [key, change] : same_version) diff.packages.push_back(std::move(change));
  std::sort(diff.packages.begin(), diff.packages.end(), [&](const PackageChange& a, const PackageChange& b) { return key_of(a) < key_of(b); });
  diff.files_added = changes.added;
  diff.files_removed = changes.removed;
  diff.files_changed = changes.changed;
  diff.cut = changes.cut;
}

std::vector<AbilityChange> compare_abilities(const RootFileSystem& before, const RootFileSystem& after, const InstalledPackages& old_packages,
                                             const InstalledPackages& new_packages) {
  const std::vector<Ability> then = abilities_of(before), now = abilities_of(after);
  const auto less = [](const Ability& a, const Ability& b) { return std::tie(a.kind, a.what, a.detail) < std::tie(b.kind, b.what, b.detail); };
  std::vector<Ability> gone, come;
  std::set_difference(then.begin(), then.end(), now.begin(), now.end(), std::back_inserter(gone), less);
  std::set_difference(now.begin(), now.end(), then.begin(), then.end(), std::back_inserter(come), less);
  std::vector<AbilityChange> changes;
  const auto add = [&](Change change, std::vector<Ability>& abilities, const InstalledPackages& packages) {
    std::vector<std::string> paths;
    for (const Ability& ability : abilities) paths.push_back(ability.path);
    const std::vector<std::size_t> owners = packages.owners_of(paths);
    for (std::size_t i = 0; i < abilities.size(); ++i) {
      changes.push_back({change, std::move(abilities[i]), owners[i] == InstalledPackages::none ? "" : packages.list()[owners[i]].name});
    }
  };
  add(Change::added, come, new_packages);
  add(Change::removed, gone, old_packages);
  return changes;
}


// Manifests of one platform belong together, in their order. What is no image for a machine (an attestation, an artifact) has no platform to compare.
std::vector<std::pair<const format::ManifestDescription*, const format::ManifestDescription*>> pair_up(const format::ImageDescription& before,
                                                                                                     const format::ImageDescription& after) {
  const auto images = [](const format::ImageDescription& image) {
    std::vector<const format::ManifestDescription*> manifests;
    for (const auto& manifest : image.manifests) {
      if (manifest.is_image && !manifest.platform.starts_with("unknown")) manifests.push_back(&manifest);
    }
    return manifests;
  };
  std::vector<std::pair<const format::ManifestDescription*, const format::ManifestDescription*>> pairs;
  std::vector<const format::ManifestDescription*> left = images(before), right = images(after);
  // One each: they are compared whatever they call themselves.
  if (left.size() == 1 && right.size() == 1) return {{left.front(), right.front()}};
  for (const auto* manifest : left) {
    const auto other = std::find_if(right.begin(), right.end(), [&](const auto* each) { return each != nullptr && each->platform == manifest->platform; });
    pairs.emplace_back(manifest, other == right.end() ? nullptr : *other);
    if (other != right.end()) *other = nullptr;
  }
  for (const auto* manifest : right) {
    if (manifest != nullptr) pairs.emplace_back(nullptr, manifest);
  }
  std::stable_sort(pairs.begin(), pairs.end(), [](const auto& a, const auto& b) {
    const auto platform = [](const auto& pair) -> const std::string& { return (pair.second != nullptr ? pair.second : pair.first)->platform; };
    return platform(a) < platform(b);
  });
  return pairs;
}

// Findings are the same when rule, place and evidence are; layers and offsets change with every build.
std::vector<FindingChange> compare_findings(const Report& before, const Report& after) {
  const auto place = [](const Finding& finding) {
    std::string key = finding.rule + '\n' + finding.location.path;
    for (const std::string& name : finding.location.nested) key += '\n' + name;
    return key;
  };
  std::map<std::string, std::size_t> exact;
  for (const Finding& finding : before.findings) ++exact[place(finding) + "\n\n" + finding.evidence];
  std::vector<const Finding*> come;
  for (const Finding& finding : after.findings) {
    const auto known = exact.find(place(finding) + "\n\n" + finding.evidence);
    if (known != exact.end() && known->second > 0) {
      --known->second;
    } else {
      come.push_back(&finding);
    }
  }
  std::map<std::string, std::vector<const Finding*>> left;  // of the old image, by place
  for (auto finding = before.findings.rbegin(); finding != before.findings.rend(); ++finding) {
    const auto known = exact.find(place(*finding) + "\n\n" + finding->evidence);
    if (known->second == 0) continue;
    --known->second;
    left[place(*finding)].push_back(&*finding);
  }
  std::vector<FindingChange> changes;
  for (const Finding* finding : come) {
    FindingChange change{Change::added, *finding, ""};
    if (const auto other = left.find(place(*finding)); other != left.end() && !other->second.empty()) {
      change.change = Change::changed;
      change.old_evidence = other->second.back()->evidence;
      other->second.pop_back();
    }
    changes.push_back(std::move(change));
  }
  for (const auto& [key, findings] : left) {
    for (auto finding = findings.rbegin(); finding != findings.rend(); ++finding) changes.push_back({Change::removed, **finding, ""});
  }
  return changes;
}

}  // namespace

std::string_view name_of(Change change) {
  static constexpr std::string_view names[] = {"added", "removed", "changed"};
  return names[static_cast<std::size_t>(change)];
}

std::string_view name_of_risk(detect::Severity severity) { return severity == detect::Severity::info ? "none" : detect::name_of(severity); }

ImageDiff diff_images(AuditedImage old_image, AuditedImage new_image) {
  ImageDiff diff;
  diff.findings = compare_findings(old_image.report, new_image.report);

  std::map<std::tuple<detect::Severity, std::string, std::string, std::string>, std::vector<std::string>> risks;
  const auto collect = [&](std::vector<Risk> found, const std::string& platform) {
    for (Risk& risk : found) {
      auto& platforms = risks[{risk.severity, risk.code, risk.text, risk.path}];
      if (!platform.empty()) platforms.push_back(platform);
    }
  };
  collect(risks_of(diff.findings), "");
  const SecretPlaces old_secrets = secret_places(old_image.report), new_secrets = secret_places(new_image.report);

  for (const auto& [before, after] : pair_up(old_image.description, new_image.description)) {
    PlatformDiff& platform = diff.platforms.emplace_back();
    if (before != nullptr) platform.old_platform = before->platform.empty() ? "unknown" : before->platform;
    if (after != nullptr) platform.new_platform = after->platform.empty() ? "unknown" : after->platform;
    if (before != nullptr) platform.old_digest = before->digest.str();
    if (after != nullptr) platform.new_digest = after->digest.str();
    if (before == nullptr || after == nullptr) {
      collect({{detect::Severity::low, before == nullptr ? "platform-added" : "platform-removed",
                fmt::format("the platform {} {}, so there is nothing to compare it with", before == nullptr ? after->platform : before->platform,
                            before == nullptr ? "is new" : "is gone"),
                "", {}}},
              "");
      continue;
    }
    const RootFileSystem old_root(old_image.auditor->layers_of(*before)), new_root(new_image.auditor->layers_of(*after));
    const InstalledPackages old_packages(old_root), new_packages(new_root);
    FileChanges files = compare_files(old_root, new_root);
    const Reach started = started_by(new_root, after->config);
    for (FileChange& file : files.files) {
      file.is_started = file.change != Change::removed && started.contains(file.path);
      if (!file.is_started || file.change == Change::removed || platform.scripts.size() >= listed_scripts) continue;
      const auto now = new_root.kept_text(file.path);
      if (!now) continue;
      ScriptChange script = compare_script(file.change, file.path, old_root.kept_text(file.path).value_or(""), *now, new_secrets);
      if (!script.lines.empty()) platform.scripts.push_back(std::move(script));
    }
    platform.packages = compare_packages(old_packages.list(), new_packages.list());
    platform.config = compare_config(before->config, after->config);
    hide_secrets(platform.config, old_secrets, new_secrets);
    sort_out(std::move(files), old_packages, new_packages, platform);
    platform.abilities = compare_abilities(old_root, new_root, old_packages, new_packages);
    collect(risks_of({*before, *after, old_root, new_root, new_packages, platform, diff.findings}), platform.new_platform);
  }

  for (auto& [key, platforms] : risks) {
    const auto& [severity, code, text, path] = key;
    diff.risks.push_back({severity, code, text, path, std::move(platforms)});
  }
  std::stable_sort(diff.risks.begin(), diff.risks.end(), [](const Risk& a, const Risk& b) { return std::pair(b.severity, rank_of_risk(a.code)) < std::pair(a.severity, rank_of_risk(b.code)); });
  diff.old_report = std::move(old_image.report);
  diff.new_report = std::move(new_image.report);
  return diff;
}

}  // namespace lazaret::audit
