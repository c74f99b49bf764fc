#include "detect/finding.h"

namespace lazaret::detect {
namespace {

constexpr std::array<std::string_view, 17> category_names = {
    "known-bad",      "miner",       "reverse-shell",    "bind-shell",       "webshell",
    "dropper",        "persistence", "container-escape", "credential-theft", "rootkit",
    "obfuscation",    "integrity",   "hidden-content",   "impersonation",    "proxy-abuse",
    "exposed-secret", "anomaly"};
constexpr std::array<std::string_view, 5> severity_names = {"info", "low", "medium", "high",
                                                            "critical"};
constexpr std::array<std::string_view, 3> confidence_names = {"low", "medium", "high"};

template <typename Enum, std::size_t N>
std::optional<Enum> parse(const std::array<std::string_view, N>& names, std::string_view name) {
  for (std::size_t i = 0; i < N; ++i) {
    if (names[i] == name) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

}  // namespace

std::string_view name_of(Category category) {
  return category_names[static_cast<std::size_t>(category)];
}
std::string_view name_of(Severity severity) {
  return severity_names[static_cast<std::size_t>(severity)];
}
std::string_view name_of(Confidence confidence) {
  return confidence_names[static_cast<std::size_t>(confidence)];
}
std::optional<Category> parse_category(std::string_view name) {
  return parse<Category>(category_names, name);
}
std::optional<Severity> parse_severity(std::string_view name) {
  return parse<Severity>(severity_names, name);
}

}  // namespace lazaret::detect
