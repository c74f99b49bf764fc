// Keys of cloud accounts: AWS, Google Cloud, Azure.
//
// An AWS access key id alone opens nothing and stands in logs and examples; what counts is the 40 characters of the secret next to it. Forms: AWS "Understanding unique ID prefixes" (IAM User
// Guide); Azure storage keys are 64 bytes in base64; a shared access signature has sv, sp or se, and sig.
#include <algorithm>
#include <array>
#include <string>

#include "base/base64.h"
#include "base/text.h"
#include "detect/detector.h"
#include "detect/secret_support.h"
#include "detect/text_context_support.h"

namespace lazaret::detect {
namespace {

constexpr std::string_view advice = "Revoke the key at the provider, look through its use since the image was made, and give keys to containers at run time only.";

constexpr Rule rules[] = {
    {"exposed-secret.aws-key", Category::exposed_secret, Severity::high, Confidence::high, "AWS access key with its secret",
     "Access key id and secret stand together: whoever pulls the image acts as this account.", advice, {"T1552.001", "T1078.004"}},
    {"exposed-secret.aws-key-id", Category::exposed_secret, Severity::low, Confidence::medium, "AWS access key id",
     "The id names an account but opens nothing without its secret, which was not found nearby.", advice, {"T1552.001"}},
    {"exposed-secret.gcp-service-account", Category::exposed_secret, Severity::high, Confidence::high, "Google Cloud service account key",
     "The file is all that is needed to act as the service account.", advice, {"T1552.001", "T1078.004"}},
    {"exposed-secret.google-api-key", Category::exposed_secret, Severity::low, Confidence::medium, "Google API key",
     "Such keys are often made to be public (maps, Firebase); without restrictions they cost their owner money.", advice, {"T1552.001"}},
    {"exposed-secret.azure-storage-key", Category::exposed_secret, Severity::high, Confidence::high, "Azure storage or service key",
     "The key gives full access to the storage account, queue or database that the connection string names.", advice, {"T1552.001", "T1078.004"}},
    {"exposed-secret.azure-sas", Category::exposed_secret, Severity::medium, Confidence::medium, "Azure shared access signature",
     "The address carries its own permission, until the time in it.", advice, {"T1552.001"}},
};

enum : std::uint32_t { access_id, secret_name, service_account, google_key, account_key, shared_key, signature };
constexpr engine::Pattern patterns[] = {
    engine::regex("A[KS]IA[A-Z2-7]{16}"),
    engine::regex_ignore_case("aws_?secret_?(access_?)?key"),
    engine::literal("\"private_key_id\""),
    engine::regex("AIza[0-9A-Za-z_\\-]{35}"),
    engine::literal("AccountKey="),
    engine::literal("SharedAccessKey="),
    engine::regex("[?&]sig=[A-Za-z0-9%]{20}"),
};

bool is_secret_letter(char c) { return is_word(c) ? c != '_' : c == '/' || c == '+'; }

// Forty letters of base64 that stand alone and are no digest in hex and no path.
bool is_aws_secret(std::string_view text) {
  if (text.size() != 40 || is_placeholder(text)) return false;
  std::size_t upper = 0, lower = 0, digit = 0, slash = 0;
  for (const char c : text) {
    upper += c >= 'A' && c <= 'Z' ? 1 : 0;
    lower += c >= 'a' && c <= 'z' ? 1 : 0;
    digit += c >= '0' && c <= '9' ? 1 : 0;
    slash += c == '/' ? 1 : 0;
  }
  return upper >= 3 && lower >= 3 && digit >= 1 && slash <= 6 && entropy_of(text) >= 4.2;
}

// The first secret in [from, to), as {begin, size}; size 0 when there is none.
std::pair<std::size_t, std::size_t> find_aws_secret(std::string_view text, std::size_t from, std::size_t to) {
  to = std::min(to, text.size());
  for (std::size_t at = from; at < to;) {
    if (!is_secret_letter(text[at])) {
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < text.size() && is_secret_letter(text[end])) ++end;
    if (is_aws_secret(text.substr(at, end - at))) return {at, end - at};
    at = end;
  }
  return {0, 0};
}

void inspect_aws(const FileView& file, std::size_t end, FileReport& report) {
  constexpr std::size_t id_size = 20, near = 400;
  const std::string_view text = file.text();
  const std::size_t begin = end - id_size;
  const std::string_view id = text.substr(begin, id_size);
  if (!stands_alone(text, begin, end) || is_placeholder(id) || entropy_of(id) < 2.8) return;
  auto [secret, size] = find_aws_secret(text, end, end + near);
  if (size == 0) std::tie(secret, size) = find_aws_secret(text, begin > near ? begin - near : 0, begin);
  FileFinding finding = secret_at(rules[size > 0 ? 0 : 1], file, begin, end);
  if (size > 0) {
    finding.evidence += ", secret " + redact(text.substr(secret, size));
    if (id.starts_with("ASIA")) finding.severity = Severity::medium;  // ends by itself after hours
  }
  report.add(std::move(finding));
}

// aws_secret_access_key = ... without an id nearby (environment variables, one file each).
void inspect_aws_name(const FileView& file, std::size_t end, FileReport& report) {
  const std::string_view text = file.text();
  std::size_t at = end;
  while (at < text.size() && at - end < 12 && !is_secret_letter(text[at])) ++at;
  const auto [begin, size] = find_aws_secret(text, at, at + 1);
  if (size == 0) return;
  constexpr std::size_t near = 400;
  const std::string_view around = text.substr(begin > near ? begin - near : 0, 2 * near + size);
  if (around.find("AKIA") != std::string_view::npos || around.find("ASIA") != std::string_view::npos) return;  // said already
  report.add(secret_at(rules[0], file, begin, begin + size));
}

void inspect_service_account(const FileView& file, std::size_t end, FileReport& report) {
  const std::string_view text = file.text();
  const std::size_t from = end > 4096 ? end - 4096 : 0;
  const std::string_view around = text.substr(from, 12288);
  const std::size_t key = around.find("\"private_key\"");
  if (around.find("\"service_account\"") == std::string_view::npos || key == std::string_view::npos) return;
  const std::string_view body = around.substr(key, 400);
  const std::size_t pem = body.find("-----BEGIN ");
  if (pem == std::string_view::npos || is_placeholder(body.substr(pem + 27, 60))) return;
  FileFinding finding;
  finding.rule = &rules[2];
  finding.offset = end;
  const std::size_t mail = around.find("\"client_email\"");
  if (mail != std::string_view::npos) {
    const std::size_t open = around.find('"', mail + 14), close = open == std::string_view::npos ? open : around.find('"', open + 1);
    if (close != std::string_view::npos && close - open < 200) finding.evidence = "client_email = " + std::string(around.substr(open + 1, close - open - 1)) + ", ";
  }
  finding.evidence += "private_key is there";
  if (is_test_path(file.path)) finding.severity = Severity::low;
  report.add(std::move(finding));
}

void inspect_azure(const FileView& file, std::size_t end, FileReport& report) {
  const std::string_view text = file.text();
  std::size_t at = end;
  while (at < text.size() && (is_secret_letter(text[at]) || text[at] == '=')) ++at;
  const std::string_view key = text.substr(end, at - end);
  if (key.size() < 40 || key.size() > 100 || is_placeholder(key)) return;
  const auto decoded = decode_base64(key);
  if (!decoded || (decoded->size() != 64 && decoded->size() != 32) || entropy_of(key) < 4) return;
  // The key of the emulator is the same everywhere and in its documentation.
  if (key.starts_with("Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq")) return;
  report.add(secret_at(rules[4], file, end, at));
}

void inspect_signature(const FileView& file, std::size_t end, FileReport& report) {
  const std::string_view text = file.text();
  const std::string_view line = line_at(text, end, 600);
  if (line.find("sv=20") == std::string_view::npos || (line.find("se=") == std::string_view::npos && line.find("sp=") == std::string_view::npos)) return;
  std::size_t begin = end, at = end;
  while (begin > 0 && text[begin - 1] != '=') --begin;
  while (at < text.size() && (is_word(text[at]) || text[at] == '%')) ++at;
  const std::string_view value = text.substr(begin, at - begin);
  if (value.size() < 43 || is_placeholder(value) || entropy_of(value) < 4) return;
  report.add(secret_at(rules[5], file, begin, at));
}

void inspect(const FileView& file, FileReport& report) {
  const std::string_view text = file.text();
  for (const engine::PatternHit& hit : file.hits) {
    if (hit.end > text.size()) continue;
    const auto end = static_cast<std::size_t>(hit.end);
    switch (hit.pattern) {
      case access_id: inspect_aws(file, end, report); break;
      case secret_name: inspect_aws_name(file, end, report); break;
      case service_account: inspect_service_account(file, end, report); break;
      case google_key:
        if (stands_alone(text, end - 39, end, "-") && !is_placeholder(text.substr(end - 39, 39)) && entropy_of(text.substr(end - 35, 35)) > 3.8) report.add(secret_at(rules[3], file, end - 39, end));
        break;
      case account_key:
      case shared_key: inspect_azure(file, end, report); break;
      case signature: inspect_signature(file, end, report); break;
      default: break;
    }
  }
}

}  // namespace

extern const Detector secret_cloud_key_detector;
const Detector secret_cloud_key_detector = {.name = "secret-cloud-key",
                                            .summary = "Finds keys of AWS, Google Cloud and Azure accounts, validated by form and by what stands beside them.",
                                            .rules = rules,
                                            .patterns = patterns,
                                            .kinds = secret_kinds(),
                                            .trigger = Trigger::on_hit,
                                            .inspect = inspect};

}  // namespace lazaret::detect
