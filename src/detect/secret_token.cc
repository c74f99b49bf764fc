// Access tokens that their form gives away.
//
// Since 2021 providers give tokens a beginning that is rare elsewhere, and some a checksum (GitHub's "Behind GitHub's new authentication token formats"; npm's are the same: 30 letters, then
// the CRC-32 of them as six letters of base 62). Where there is a checksum, it decides: what is made up for documentation fails it. Where there is none, length, letters and entropy do.
#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "base/base64.h"
#include "base/text.h"
#include "detect/detector.h"
#include "detect/secret_support.h"
#include "detect/text_context_support.h"
#include "format/json.h"

namespace lazaret::detect {
namespace {

constexpr std::string_view advice = "Revoke the token where it was made, look through its use since, and give tokens to containers at run time or builds as secret mounts.";

constexpr Rule rules[] = {
    {"exposed-secret.token", Category::exposed_secret, Severity::high, Confidence::medium, "Access token", "Whoever pulls the image can use the service as the owner of this token.", advice,
     {"T1552.001", "T1528"}},
    {"exposed-secret.kubernetes-token", Category::exposed_secret, Severity::high, Confidence::high, "Kubernetes service account token",
     "The token lets its bearer act in the cluster that issued it; old ones never end.", advice, {"T1552.007", "T1528"}},
    {"exposed-secret.jwt", Category::exposed_secret, Severity::low, Confidence::medium, "JSON web token",
     "A signed token that some service accepts until it ends. Clients and tests hold such tokens innocently.", advice, {"T1552.001", "T1528"}},
};

enum class Check : std::uint8_t { crc32, random, telegram, jwt };
struct Form {
  std::string_view beginning;  // what the pattern ends with
  std::string_view service;
  std::size_t least, most;  // letters behind the beginning
  Check check = Check::random;
};

// In the order of `patterns`.
constexpr std::array forms = {
    Form{"ghp_", "GitHub", 36, 36, Check::crc32},
    Form{"gho_", "GitHub", 36, 36, Check::crc32},
    Form{"ghu_", "GitHub", 36, 36, Check::crc32},
    Form{"ghs_", "GitHub", 36, 36, Check::crc32},
    Form{"ghr_", "GitHub", 76, 76, Check::random},
    Form{"github_pat_", "GitHub", 82, 82},
    Form{"glpat-", "GitLab", 20, 64},
    Form{"npm_", "npm", 36, 36, Check::crc32},
    Form{"pypi-AgEIcHlwaS5vcmc", "PyPI", 50, 400},
    Form{"xoxb-", "Slack", 30, 120},
    Form{"xoxp-", "Slack", 30, 120},
    Form{"xoxa-", "Slack", 30, 120},
    Form{"xoxs-", "Slack", 30, 120},
    Form{"xoxr-", "Slack", 30, 120},
    Form{"sk_live_", "Stripe", 24, 120},
    Form{"rk_live_", "Stripe", 24, 120},
    Form{"T3BlbkFJ", "OpenAI", 20, 120},
    Form{"sk-ant-", "Anthropic", 80, 140},
    Form{"hf_", "Hugging Face", 34, 34},
    Form{"GOCSPX-", "Google OAuth client", 28, 28},
    Form{"dop_v1_", "DigitalOcean", 64, 64},
    Form{"dckr_pat_", "Docker Hub", 27, 27},
    Form{"SG.", "SendGrid", 66, 66},
    Form{"hvs.CAES", "Vault", 60, 300},
    Form{"AGE-SECRET-KEY-1", "age", 58, 58},
    Form{"api.telegram.org/bot", "Telegram bot", 40, 60, Check::telegram},
    Form{"eyJhbGciOi", "", 40, 4096, Check::jwt},
    Form{"eyJ0eXAiOi", "", 40, 4096, Check::jwt},
    Form{"eyJraWQiOi", "", 40, 4096, Check::jwt},
};

constexpr std::array patterns = {
    engine::regex("ghp_[A-Za-z0-9]{4}"), engine::regex("gho_[A-Za-z0-9]{4}"), engine::regex("ghu_[A-Za-z0-9]{4}"), engine::regex("ghs_[A-Za-z0-9]{4}"), engine::regex("ghr_[A-Za-z0-9]{4}"),
    engine::literal("github_pat_"), engine::literal("glpat-"), engine::regex("npm_[A-Za-z0-9]{36}"), engine::literal("pypi-AgEIcHlwaS5vcmc"), engine::literal("xoxb-"), engine::literal("xoxp-"),
    engine::literal("xoxa-"), engine::literal("xoxs-"), engine::literal("xoxr-"), engine::literal("sk_live_"), engine::literal("rk_live_"), engine::literal("T3BlbkFJ"), engine::literal("sk-ant-"),
    engine::regex("hf_[A-Za-z]{34}"), engine::literal("GOCSPX-"), engine::literal("dop_v1_"), engine::literal("dckr_pat_"), engine::regex("SG\\.[A-Za-z0-9_\\-]{22}\\."),
    engine::literal("hvs.CAES"), engine::literal("AGE-SECRET-KEY-1"), engine::literal("api.telegram.org/bot"), engine::literal("eyJhbGciOi"), engine::literal("eyJ0eXAiOi"),
    engine::literal("eyJraWQiOi"),
};
static_assert(forms.size() == patterns.size());
// How far the pattern of a form goes beyond its beginning.
constexpr std::size_t beyond(std::size_t form) {
  return forms[form].beginning == "npm_" ? 36 : forms[form].beginning == "hf_" ? 34 : forms[form].beginning == "SG." ? 23 : form < 5 ? 4 : 0;
}

std::uint32_t crc32(std::string_view text) {
  std::uint32_t crc = ~0u;
  for (const char c : text) {
    crc ^= static_cast<std::uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0u);
  }
  return ~crc;
}

// The last six of 36 letters are the CRC-32 of the first thirty, in base 62.
bool has_right_checksum(std::string_view letters) {
  constexpr std::string_view alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  std::uint32_t value = crc32(letters.substr(0, 30));
  for (std::size_t i = 36; i-- > 30;) {
    if (letters[i] != alphabet[value % 62]) return false;
    value /= 62;
  }
  return value == 0;
}

struct Jwt {
  bool kubernetes = false;
  std::string about;
};
std::optional<Jwt> read_jwt(std::string_view token) {
  const auto parts = split(token, '.');
  if (parts.size() != 3 || parts[1].size() < 16 || parts[2].size() < 20) return std::nullopt;
  const auto header = decode_base64(parts[0]), payload = decode_base64(parts[1]);
  if (!header || !payload) return std::nullopt;
  const auto head = format::parse_json(*header), body = format::parse_json(*payload);
  const std::string algorithm = to_lower(head.value.text("alg"));
  if (!head.valid || !body.valid || body.value.as_object() == nullptr || algorithm.empty() || algorithm == "none") return std::nullopt;
  Jwt jwt;
  const std::string issuer(body.value.text("iss")), subject(body.value.text("sub"));
  // The one that everybody's documentation shows.
  if (subject == "1234567890" || body.value.text("name") == "John Doe") return std::nullopt;
  jwt.kubernetes = issuer == "kubernetes/serviceaccount" || body.value.find("kubernetes.io") != nullptr || subject.starts_with("system:serviceaccount:");
  jwt.about = "alg " + algorithm + (issuer.empty() ? "" : ", issued by " + issuer) + (jwt.kubernetes ? ", for " + subject : "");
  return jwt;
}

void inspect(const FileView& file, FileReport& report) {
  const std::string_view text = file.text();
  std::size_t done = 0;
  for (const engine::PatternHit& hit : file.hits) {
    const Form& form = forms[hit.pattern];
    if (hit.end > text.size() || hit.end < form.beginning.size() + beyond(hit.pattern)) continue;
    const std::size_t behind = static_cast<std::size_t>(hit.end) - beyond(hit.pattern);
    std::size_t begin = behind - form.beginning.size();
    if (begin < done) continue;
    const bool dots = form.check == Check::jwt || form.beginning == "SG.";
    std::size_t end = behind;
    while (end < text.size() && end - behind <= form.most && (is_token_letter(text[end]) || (dots && text[end] == '.') || (form.check == Check::telegram && text[end] == ':'))) ++end;
    const std::size_t letters = end - behind;
    if (letters < form.least || letters > form.most) continue;
    if (form.service == "OpenAI") {  // stands in the middle
      while (begin > 0 && behind - begin < 140 && is_token_letter(text[begin - 1])) --begin;
      if (!text.substr(begin).starts_with("sk-")) continue;
    } else if (begin > 0 && is_word(text[begin - 1])) {
      continue;
    }
    const std::string_view secret = text.substr(behind, letters), token = text.substr(begin, end - begin);
    if (form.check == Check::jwt) {
      const auto jwt = read_jwt(token);
      if (!jwt) continue;
      FileFinding finding = secret_at(rules[jwt->kubernetes ? 1 : 2], file, begin, end);
      finding.evidence += " (" + jwt->about.substr(0, 200) + ")";
      report.add(std::move(finding));
      done = end;
      continue;
    }
    if (form.check == Check::crc32) {
      if (!has_right_checksum(secret)) continue;
    } else if (is_placeholder(secret) || entropy_of(secret) < (letters >= 30 ? 3.6 : 3.2)) {
      continue;
    }
    if (form.check == Check::telegram) {
      const auto colon = secret.find(':');
      if (colon == std::string_view::npos || colon < 6 || secret.substr(0, colon).find_first_not_of("0123456789") != std::string_view::npos || secret.size() - colon != 36) continue;
    }
    FileFinding finding = secret_at(rules[0], file, begin, end);
    finding.evidence = std::string(form.service) + " token: " + finding.evidence;
    if (form.check == Check::crc32) {
      finding.confidence = Confidence::high;
      finding.evidence += " (its checksum is right)";
    }
    report.add(std::move(finding));
    done = end;
  }
}

}  // namespace

extern const Detector secret_token_detector;
const Detector secret_token_detector = {.name = "secret-token",
                                        .summary = "Finds access tokens of code hosts, package registries, chat, payment and AI services, and JSON web tokens.",
                                        .rules = rules,
                                        .patterns = patterns,
                                        .kinds = secret_kinds(),
                                        .trigger = Trigger::on_hit,
                                        .inspect = inspect};

}  // namespace lazaret::detect
