// Credentials in the files where programs keep them: registry logins, kubeconfigs, .netrc, .pgpass, .npmrc, .git-credentials, wp-config.php, shadow.
//
// Told by structure, not by name: a docker config is a JSON object with "auths" whose "auth" decodes to user:password, wherever it lies. Only where the form says nothing (.pgpass,
// .git-credentials, shadow, environment files) the name does.
#include <algorithm>
#include <array>
#include <string>

#include "base/base64.h"
#include "base/text.h"
#include "detect/detector.h"
#include "detect/secret_support.h"
#include "detect/text_context_support.h"
#include "format/json.h"

namespace lazaret::detect {
namespace {

constexpr std::string_view advice = "Change the password, remove the file from the image, and mount it at run time. Deleting it in a later layer does not remove it.";

constexpr Rule rules[] = {
    {"exposed-secret.registry-login", Category::exposed_secret, Severity::high, Confidence::high, "Login of a container registry",
     "A docker config with a login: whoever pulls the image can push others in this account's name.", advice, {"T1552.001", "T1078"}},
    {"exposed-secret.kubeconfig", Category::exposed_secret, Severity::high, Confidence::high, "Credentials of a Kubernetes cluster", "A kubeconfig with a client key or token opens the cluster.", advice,
     {"T1552.001", "T1078"}},
    {"exposed-secret.login-file", Category::exposed_secret, Severity::high, Confidence::medium, "Stored login",
     "A file of a program keeps a user name and password (.netrc, .pgpass, .npmrc, .git-credentials, ...).", advice, {"T1552.001"}},
    {"exposed-secret.application-password", Category::exposed_secret, Severity::medium, Confidence::medium, "Password in settings of an application",
     "A settings file has a password in it. Samples with made-up passwords look the same.", advice, {"T1552.001"}},
    {"exposed-secret.password-hash", Category::exposed_secret, Severity::medium, Confidence::high, "Account with a password",
     "An account of the image has a password, whose hash everybody can try to break; the same password then opens every container.", "Remove the password (passwd -l), use keys.", {"T1552.001", "T1078.003"}},
    {"exposed-secret.empty-password", Category::exposed_secret, Severity::medium, Confidence::high, "Account that needs no password",
     "An account of the image has an empty password, so that anybody inside may become it (CVE-2019-5021).", "Lock the account (passwd -l).", {"T1078.003"}},
};

enum : std::uint32_t { auths, client_key, current_context, netrc, auth_token, npm_password, db_password };
constexpr engine::Pattern patterns[] = {
    engine::literal("\"auths\""),       engine::literal("client-key-data:"),
    engine::literal("current-context:"), engine::regex("machine[ \\t]+[^ \\t\\n]{1,100}[ \\t\\n]+login[ \\t]+[^ \\t\\n]{1,100}[ \\t\\n]+password[ \\t]+"),
    engine::literal("_authToken"),      engine::literal(":_password"),
    engine::literal("DB_PASSWORD"),
};

std::string_view word_at(std::string_view text, std::size_t at) {
  const std::size_t end = std::min(text.find_first_of(" \t\r\n\"',;)", at), text.size());
  return text.substr(at, end - at);
}

// The value behind "name<separators>", without quotes.
std::pair<std::size_t, std::string_view> value_after(std::string_view text, std::size_t at) {
  const std::size_t end = at;
  while (at < text.size() && at - end < 12 && (text[at] == ' ' || text[at] == '\t' || text[at] == '=' || text[at] == ':' || text[at] == '"' || text[at] == '\'' || text[at] == ',')) ++at;
  return {at, word_at(text, at)};
}

void add_value(const Rule& rule, const FileView& file, std::size_t begin, std::size_t size, std::string what, FileReport& report) {
  FileFinding finding = secret_at(rule, file, begin, begin + size);
  finding.evidence = std::move(what) + redact(file.text().substr(begin, size));
  if (file.origin == Origin::file && is_documentation(file.path)) finding.severity = Severity::low;
  report.add(std::move(finding));
}

void inspect_auths(const FileView& file, FileReport& report) {
  if (!file.whole() || file.content.size() > (1 << 20)) return;
  std::string_view text = file.text();
  // The object may stand in a here-document or a manifest: from the first brace on.
  const auto brace = text.find('{');
  if (brace == std::string_view::npos) return;
  const auto document = format::parse_json(text.substr(brace), {.max_depth = 32, .max_values = 100'000, .lenient = true});
  const format::JsonValue* list = document.value.find("auths");
  if (list == nullptr || list->as_object() == nullptr) return;
  for (const auto& [registry, login] : *list->as_object()) {
    const std::string_view auth = login.text("auth"), token = login.text("identitytoken"), password = login.text("password");
    std::string shown;
    if (const auto decoded = decode_base64(auth)) {
      const auto colon = decoded->find(':');
      if (colon == std::string::npos) continue;
      const std::string_view secret = std::string_view(*decoded).substr(colon + 1);
      if (secret.empty() || (is_placeholder(secret) && token.empty())) continue;
      shown = decoded->substr(0, std::min<std::size_t>(colon, 80)) + ":" + redact(secret);
    } else if (!token.empty() && !is_placeholder(token)) {
      shown = redact(token);
    } else if (!password.empty() && !is_placeholder(password)) {
      shown = std::string(login.text("username").substr(0, 80)) + ":" + redact(password);
    } else {
      continue;
    }
    FileFinding finding;
    finding.rule = &rules[0];
    finding.offset = std::min(text.find(registry), text.size() - 1);
    finding.evidence = registry.substr(0, 120) + ": " + shown;
    if (is_test_path(file.path)) finding.severity = Severity::low;
    report.add(std::move(finding));
  }
}

// True for a file that is a .netrc as a whole, and for commands that write one. Manuals, tests and programs that print one have the same words in them.
bool is_netrc(const FileView& file, std::size_t at) {
  if (file.origin != Origin::file || file.type.kind == format::FileKind::script) return logical_line_at(file.text(), at).find("netrc") != std::string_view::npos;
  for (std::string_view line : split(file.text().substr(0, 4096), '\n')) {
    line = trim(line);
    if (line.empty() || line.starts_with('#')) continue;
    return line.starts_with("machine") || line.starts_with("default") || line.starts_with("macdef");
  }
  return false;
}

void inspect_netrc(const FileView& file, std::size_t end, FileReport& report) {
  const std::string_view text = file.text(), value = word_at(text, end);
  const std::size_t begin = text.substr(0, end).rfind("machine");
  if (is_placeholder(value) || begin == std::string_view::npos || !is_netrc(file, end)) return;
  const std::string_view host = word_at(text, text.find_first_not_of(" \t", begin + 7));
  add_value(rules[2], file, end, value.size(), "machine " + std::string(host.substr(0, 80)) + ", password ", report);
}

void inspect_hits(const FileView& file, FileReport& report) {
  const std::string_view text = file.text();
  bool auths_done = false;
  for (const engine::PatternHit& hit : file.hits) {
    if (hit.end > text.size()) continue;
    const auto end = static_cast<std::size_t>(hit.end);
    switch (hit.pattern) {
      case auths:
        if (!auths_done) inspect_auths(file, report);
        auths_done = true;
        break;
      case client_key: {
        const auto [begin, value] = value_after(text, end);
        const auto decoded = decode_base64(value);
        if (decoded && decoded->find("PRIVATE KEY-----") != std::string::npos) add_value(rules[1], file, begin, value.size(), "client-key-data: ", report);
        break;
      }
      case current_context: {
        for (std::size_t at = text.find("token:"); at != std::string_view::npos; at = text.find("token:", at + 6)) {
          const auto [begin, value] = value_after(text, at + 5);
          if (at > 0 && (is_word(text[at - 1]) || text[at - 1] == '-')) continue;
          if (value.size() >= 16 && !is_placeholder(value)) {
            add_value(rules[1], file, begin, value.size(), "token: ", report);
            break;
          }
        }
        break;
      }
      case netrc: inspect_netrc(file, end, report); break;
      case auth_token:
      case npm_password: {
        if (end >= text.size() || (text[end] != '=' && text[end] != ' ')) break;  // .npmrc; code that names it goes on otherwise
        const auto [begin, value] = value_after(text, end);
        if (value.size() >= 16 && !is_placeholder(value) && value.find_first_of("([{") == std::string_view::npos && entropy_of(value) > 2.8)
          add_value(rules[2], file, begin, value.size(), "npm login: ", report);
        break;
      }
      case db_password: {
        // define('DB_PASSWORD', 'x') of WordPress and its like; assignments are looked at by name.
        if (end >= text.size() || (text[end] != '\'' && text[end] != '"')) break;
        const std::size_t comma = text.find_first_not_of(" \t", end + 1);
        if (comma == std::string_view::npos || text[comma] != ',') break;
        const auto quote = text.find_first_not_of(" \t", comma + 1);
        if (quote == std::string_view::npos || (text[quote] != '\'' && text[quote] != '"')) break;
        const auto close = text.find(text[quote], quote + 1);
        if (close == std::string_view::npos || close - quote > 200) break;
        const std::string_view value = text.substr(quote + 1, close - quote - 1);
        if (!is_placeholder(value) && value != "password_here") add_value(rules[3], file, quote + 1, value.size(), "DB_PASSWORD = ", report);
        break;
      }
      default: break;
    }
  }
}

// user:$6$salt$hash:... of shadow(5).
void inspect_shadow(const FileView& file, FileReport& report) {
  std::size_t at = 0;
  for (const std::string_view line : split(file.text(), '\n')) {
    const std::size_t begin = at;
    at += line.size() + 1;
    const auto fields = split(line, ':');
    if (fields.size() < 8 || fields[0].empty()) continue;
    FileFinding finding;
    finding.offset = begin;
    if (fields[1].empty()) {
      finding.rule = &rules[5];
      finding.evidence = std::string(fields[0].substr(0, 80)) + ": empty password";
    } else if (fields[1].starts_with('$') && fields[1].size() > 20) {
      finding.rule = &rules[4];
      finding.evidence = std::string(fields[0].substr(0, 80)) + ": " + redact(fields[1]);
    } else {
      continue;
    }
    report.add(std::move(finding));
  }
}

// host:port:database:user:password of libpq.
void inspect_pgpass(const FileView& file, FileReport& report) {
  std::size_t at = 0;
  for (const std::string_view line : split(file.text(), '\n')) {
    const std::size_t begin = at;
    at += line.size() + 1;
    const auto fields = split(trim(line), ':');
    if (fields.size() != 5 || line.starts_with('#') || is_placeholder(fields[4])) continue;
    const std::size_t password = line.rfind(':') + 1;
    add_value(rules[2], file, begin + password, trim(line).size() - password, std::string(line.substr(0, std::min<std::size_t>(password, 100))), report);
  }
}

bool is_settings_file(std::string_view path) {
  const std::string_view name = base_name(path);
  if (name == ".git-credentials" || name.starts_with(".env") || name.ends_with(".env")) return true;
  const std::string extension = extension_of(path);
  for (const std::string_view known : {"yml", "yaml", "ini", "conf", "cfg", "toml", "properties", "cnf"}) {
    if (extension == known) return true;
  }
  return name == ".npmrc" || name == ".pypirc" || name == "settings.py" || name == "config.json";
}

void inspect_urls(const FileView& file, FileReport& report) {
  for (const UrlCredentials& url : find_url_credentials(file.text(), 8)) {
    if (is_placeholder(url.password) || url.password.size() < 6 || url.password == url.user || equals_ignore_case(url.user, "user") || equals_ignore_case(url.user, "username") ||
        contains_ignore_case(url.host, "example.") || role_of(file, url.begin) == Role::prose)
      continue;
    const bool stored = base_name(file.path) == ".git-credentials";
    add_value(rules[stored ? 2 : 3], file, url.begin, url.password.size(), std::string(url.user.substr(0, 60)) + "@" + std::string(url.host.substr(0, 80)) + ": ", report);
  }
}

// NAME=value lines of environment files.
void inspect_environment_file(const FileView& file, FileReport& report) {
  std::size_t at = 0;
  for (std::string_view line : split(file.text(), '\n')) {
    const std::size_t begin = at;
    at += line.size() + 1;
    line = trim(line);
    if (line.starts_with("export ")) line.remove_prefix(7);
    const auto equals = line.find('=');
    if (equals == std::string_view::npos || line.starts_with('#') || !names_secret(trim(line.substr(0, equals)))) continue;
    std::string_view value = trim(line.substr(equals + 1));
    while (!value.empty() && (value.front() == '"' || value.front() == '\'')) value.remove_prefix(1);
    while (!value.empty() && (value.back() == '"' || value.back() == '\'')) value.remove_suffix(1);
    if (value.size() < 6 || is_placeholder(value) || value.front() == '/') continue;
    FileFinding finding;
    finding.rule = &rules[3];
    finding.offset = begin;
    finding.evidence = std::string(trim(line.substr(0, equals)).substr(0, 60)) + " = " + redact(value);
    if (entropy_of(value) < 2.5) finding.confidence = Confidence::low;
    if (is_test_path(file.path) || base_name(file.path).find("sample") != std::string_view::npos || base_name(file.path).find("example") != std::string_view::npos ||
        base_name(file.path).find("dist") != std::string_view::npos || base_name(file.path).find("template") != std::string_view::npos)
      finding.severity = Severity::low;
    report.add(std::move(finding));
  }
}

void inspect(const FileView& file, FileReport& report) {
  if (!file.hits.empty()) inspect_hits(file, report);
  if (file.origin != Origin::file || file.content.size() > (256 << 10) || file.content_offset != 0) return;
  const std::string_view name = base_name(file.path);
  if (file.path == "/etc/shadow" || file.path == "/etc/shadow-") return inspect_shadow(file, report);
  if (name == ".pgpass" || name == "pgpass.conf") return inspect_pgpass(file, report);
  if (!is_settings_file(file.path)) return;
  inspect_urls(file, report);
  if (name.starts_with(".env") || name.ends_with(".env")) inspect_environment_file(file, report);
}

}  // namespace

extern const Detector secret_config_file_detector;
const Detector secret_config_file_detector = {.name = "secret-config-file",
                                              .summary = "Finds logins that programs keep in files: registries, clusters, databases, package registries, accounts of the system.",
                                              .rules = rules,
                                              .patterns = patterns,
                                              .kinds = format::KindSet::texts(),
                                              .trigger = Trigger::always,
                                              .inspect = inspect};

}  // namespace lazaret::detect
