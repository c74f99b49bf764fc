#include "audit/report.h"

#include <fmt/format.h>

#include <array>

namespace lazaret::audit {

std::string_view name_of(Verdict verdict) {
  static constexpr std::array<std::string_view, 4> names = {"clean", "suspicious", "malicious", "incomplete"};
  return names[static_cast<std::size_t>(verdict)];
}

std::pair<Report::Base, Report::Added> lineage_of(const Report& report) {
  Report::Base base;
  Report::Added added;
  bool known = !report.manifests.empty();
  for (const Report::Manifest& manifest : report.manifests) {
    known &= manifest.base.known();
    added.layers += manifest.added.layers;
    added.files += manifest.added.files;
  }
  if (known) base = report.manifests.front().base;
  return {base, added};
}

std::string describe_lineage(const Report::Base& base, const Report::Added& added) {
  const auto plural = [](std::uint64_t count, const char* noun) { return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s"); };
  const std::string what = plural(added.layers, "layer") + ", " + plural(added.files, "file");
  if (!base.known()) return "not known; " + what;
  return base.reference + " (known), added by publisher: " + what;
}

std::string describe_packages(const Report::Packages& packages) {
  const std::uint64_t all = packages.known_base + packages.self_declared + packages.not_believed;
  std::string text = fmt::format("{}: {} package{}", packages.manager, all, all == 1 ? "" : "s");
  if (packages.known_base > 0) text += fmt::format(", {} from the known base", packages.known_base);
  if (packages.self_declared > 0) text += fmt::format(", {} self-declared", packages.self_declared);
  if (packages.not_believed > 0) text += fmt::format(", {} not believed", packages.not_believed);
  return text;
}

}  // namespace lazaret::audit
