// Passwords and tokens in variables of the image config and in its build history.
//
// ENV is part of the config, which everybody who pulls the image reads; so is the history, where build arguments stay for good (docker's documentation warns of both). What a variable means
// is told by its name; whether the value is a secret or a switch, a path, a number or a placeholder, by the value.
#include <algorithm>
#include <array>
#include <string>

#include "base/text.h"
#include "detect/detector.h"
#include "detect/secret_support.h"

namespace lazaret::detect {
namespace {

constexpr std::string_view advice = "Change the secret; give it to the container at run time, and to the build as a secret mount (RUN --mount=type=secret).";

constexpr Rule rules[] = {
    {"exposed-secret.environment", Category::exposed_secret, Severity::medium, Confidence::high, "Secret in a variable of the image", "Everybody who can pull the image can read its variables.", advice,
     {"T1552.001"}},
    {"exposed-secret.build-history", Category::exposed_secret, Severity::medium, Confidence::high, "Secret in the build history",
     "Build arguments and variables stay in the image's history, where everybody who can pull it reads them.", advice, {"T1552.001"}},
    {"exposed-secret.default-password", Category::exposed_secret, Severity::low, Confidence::high, "Well-known password in a variable of the image",
     "The image starts with a password that everybody guesses first, unless its user sets another.", "Make the image refuse to start without a password.", {"T1078.001"}},
    {"exposed-secret.url-password", Category::exposed_secret, Severity::medium, Confidence::high, "Password in an address", "An address in the image's config or history holds a user name and password.", advice,
     {"T1552.001"}},
};

bool is_well_known(std::string_view value) {
  const std::string lower = to_lower(value);
  for (const std::string_view word : {"admin", "root", "postgres", "mysql", "guest", "toor", "123456", "12345678", "password1", "admin123", "rabbitmq", "minioadmin", "redis", "mongo", "oracle", "elastic",
                                      "sonar", "wordpress", "keycloak", "neo4j", "letmein", "qwerty", "docker", "server", "public", "anonymous"}) {
    if (lower == word) return true;
  }
  return false;
}

// A path, a number, a list of options, a variable's name: what stands in variables whose name only sounds like a secret.
bool is_no_secret(std::string_view value) {
  if (value.size() < 5 || is_placeholder(value)) return true;
  if (value.front() == '/' || value.front() == '.' || value.front() == '-' || value.starts_with("file:")) return true;
  if (value.find_first_not_of("0123456789") == std::string_view::npos && value.size() < 8) return true;
  const auto scheme = value.find("://");
  return scheme != std::string_view::npos || value.find(' ') != std::string_view::npos;
}

void judge(const Rule& rule, const FileView& file, std::string_view name, std::string_view value, std::size_t offset, FileReport& report) {
  if (!names_secret(name)) return;
  FileFinding finding;
  finding.offset = offset;
  finding.evidence = std::string(name.substr(0, 80)) + " = " + redact(value);
  if (is_well_known(value)) {
    finding.rule = &rules[2];
  } else if (is_no_secret(value)) {
    return;
  } else {
    finding.rule = &rule;
    // Names and words of a language (TOKEN_KIND=bearer) are less sure than letters thrown at random.
    const bool mixed = std::any_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; }) && std::any_of(value.begin(), value.end(), [](char c) { return c > '9'; });
    if (!mixed && entropy_of(value) < 3.2) finding.confidence = Confidence::medium;
    if (file.origin == Origin::environment && entropy_of(value) >= 3.5 && value.size() >= 20) finding.severity = Severity::high;
  }
  report.add(std::move(finding));
}

void inspect(const FileView& file, FileReport& report) {
  const std::string_view text = file.text();
  if (file.origin == Origin::file || file.origin == Origin::metadata || file.nesting != 0) return;
  constexpr std::string_view variable = "config.Env.";
  if (file.origin == Origin::environment && file.path.starts_with(variable)) judge(rules[0], file, file.path.substr(variable.size()), text, 0, report);
  if (file.origin == Origin::history) {
    for (const Assignment& assignment : assignments_of_step(text)) {
      judge(rules[1], file, assignment.name, assignment.value, static_cast<std::size_t>(assignment.value.data() - text.data()), report);
    }
  }
  for (const UrlCredentials& url : find_url_credentials(text, 4)) {
    if (is_placeholder(url.password)) continue;
    FileFinding finding;
    finding.rule = &rules[3];
    finding.offset = url.begin;
    finding.evidence = std::string(url.user.substr(0, 60)) + "@" + std::string(url.host.substr(0, 80)) + ": " + redact(url.password);
    if (is_well_known(url.password) || url.password == url.user) finding.severity = Severity::low;
    report.add(std::move(finding));
  }
}

}  // namespace

extern const Detector secret_environment_detector;
const Detector secret_environment_detector = {.name = "secret-environment",
                                              .summary = "Finds passwords and tokens in variables of the image config, in its commands and in its build history.",
                                              .rules = rules,
                                              .patterns = {},
                                              .kinds = {format::FileKind::script},
                                              .trigger = Trigger::always,
                                              .inspect = inspect};

}  // namespace lazaret::detect
