#include "source/registry_auth.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "codec/text_encoding.h"
#include "format/json.h"

namespace lazaret::source {
namespace {

constexpr std::size_t challenges_limit = 16;
constexpr std::uint64_t token_answer_bytes = 1 << 20;
// A token is thrown away this long before it expires.
constexpr std::chrono::seconds token_margin{5};
// Servers that say less mean this much (registry-auth-token.md, "expires_in").
constexpr std::uint64_t shortest_token_seconds = 60;
constexpr std::uint64_t longest_token_seconds = 24 * 3600;

// Domains under which strangers have names, so that two of them have nothing to do with each other.
constexpr std::array<std::string_view, 24> shared_domains = {
    "amazonaws.com",      "appspot.com",    "azurecontainer.io", "azurecr.io",  "azurewebsites.net",
    "cloudapp.net",       "cloudfront.net", "duckdns.org",       "dyndns.org",  "fly.dev",
    "github.io",          "gitlab.io",      "herokuapp.com",     "netlify.app", "ngrok.app",
    "ngrok.io",           "ngrok-free.app", "onrender.com",      "pages.dev",   "run.app",
    "trafficmanager.net", "vercel.app",     "windows.net",       "workers.dev",
};

// Longer second levels of countries below which strangers have names.
constexpr std::array<std::string_view, 12> country_domains = {
    "academy", "biznes", "hotel", "kyoto", "osaka",  "police",
    "press",   "public", "sklep", "store", "school", "tokyo",
};

// The part of a name that somebody registered: "example.com", "example.co.uk". The whole name where
// that is not plain, which is the strict answer.
std::string_view registrable(std::string_view host) {
  std::vector<std::size_t> dots;
  for (std::size_t i = 0; i < host.size(); ++i) {
    if (host[i] == '.') dots.push_back(i);
  }
  if (dots.size() < 2) return host;
  for (const std::string_view shared : shared_domains) {
    // Regions stand between such a domain and its users; whatever is below it is one name.
    if (host == shared) return host;
    if (host.ends_with(shared) && host[host.size() - shared.size() - 1] == '.') return host;
  }
  const std::size_t last = dots.back(), before = dots[dots.size() - 2];
  // "co.uk", "com.au", "asso.fr": a country's second level is registered below.
  const std::string_view second = host.substr(before + 1, last - before - 1);
  const bool country =
      host.size() - last - 1 == 2 &&
      (second.size() <= 4 ||
       std::find(country_domains.begin(), country_domains.end(), second) != country_domains.end());
  if (!country) return host.substr(before + 1);
  return dots.size() < 3 ? host : host.substr(dots[dots.size() - 3] + 1);
}

bool is_address(std::string_view host) {
  return host.starts_with('[') || host.find_first_not_of("0123456789.") == std::string_view::npos;
}

bool has_empty_label(std::string_view host) {
  return host.starts_with('.') || host.ends_with('.') || host.find("..") != std::string_view::npos;
}

bool is_separator(char c) {
  return c == ' ' || c == '\t' || c == ',';
}

// Asks for nothing but to read. A registry that asks for more gets a token for what we need.
bool only_pulls(std::string_view scope) {
  bool any = false;
  for (const std::string_view item : split(scope, ' ')) {
    if (item.empty()) continue;
    if (!item.starts_with("repository:") || !item.ends_with(":pull")) return false;
    any = true;
  }
  return any;
}

}  // namespace

std::vector<Challenge> parse_challenges(std::string_view header) {
  std::vector<Challenge> challenges;
  std::size_t at = 0;
  const auto skip = [&](std::string_view what) {
    at = std::min(header.find_first_not_of(what, at), header.size());
  };
  while (at < header.size()) {
    skip(" \t,");
    const std::size_t begin = at;
    while (at < header.size() && !is_separator(header[at]) && header[at] != '=' &&
           header[at] != '"')
      ++at;
    const std::string word = to_lower(header.substr(begin, at - begin));
    const std::size_t word_end = at;
    skip(" \t");
    if (at < header.size() && header[at] == '=') {
      ++at;
      skip(" \t");
      std::string value;
      if (at < header.size() && header[at] == '"') {
        for (++at; at < header.size() && header[at] != '"'; ++at) {
          if (header[at] == '\\' && at + 1 < header.size()) ++at;
          value.push_back(header[at]);
        }
        if (at < header.size()) ++at;
      } else {
        while (at < header.size() && !is_separator(header[at])) value.push_back(header[at++]);
      }
      if (challenges.empty()) continue;
      Challenge& challenge = challenges.back();
      std::string* const field = word == "realm"     ? &challenge.realm
                                 : word == "service" ? &challenge.service
                                 : word == "scope"   ? &challenge.scope
                                                     : nullptr;
      if (field != nullptr && field->empty()) *field = std::move(value);
    } else if (!word.empty()) {
      if (challenges.size() == challenges_limit) break;
      at = word_end;
      challenges.push_back({word, "", "", ""});
    } else if (at < header.size() && at == word_end && !is_separator(header[at])) {
      ++at;  // a quotation mark that belongs nowhere
    }
  }
  return challenges;
}

bool realm_is_trusted(std::string_view registry_host, std::string_view realm_host) {
  const std::string registry = to_lower(registry_host), realm = to_lower(realm_host);
  if (registry.empty() || realm.empty()) return false;
  if (registry == realm) return true;
  if (has_empty_label(registry) || has_empty_label(realm)) return false;
  if (registry == "registry-1.docker.io" || registry == "docker.io")
    return realm == "auth.docker.io";
  if (is_address(registry) || is_address(realm)) return false;
  const std::string_view domain = registrable(registry);
  return domain.find('.') != std::string_view::npos && domain == registrable(realm);
}

std::string RegistryAuth::header() {
  const std::lock_guard lock(mutex_);
  if (std::chrono::steady_clock::now() >= expires_) header_.clear();
  return header_;
}

std::string RegistryAuth::login_hint() const {
  return credentials_.empty() ? fmt::format("log in with \"docker login {}\"", image_.host)
                              : "check the user and password that are stored for it";
}

Result<void> RegistryAuth::answer(const net::Url& registry, const net::HttpResponse& refusal,
                                  const std::string& used, const Send& send) {
  const std::lock_guard lock(mutex_);
  // Somebody to whom the registry redirected is not asked who we are, nor told.
  if (const auto from = net::parse_url(refusal.url); !from || !from->same_origin(registry))
    return Error{ErrorCode::unauthorized,
                 fmt::format("{} redirects to {}, which refuses", image_.host, refusal.url)};
  // Another thread has asked meanwhile.
  if (header_ != used && !header_.empty()) return {};

  std::vector<Challenge> challenges;
  std::string all;
  for (const auto& [name, value] : refusal.headers) {
    if (name != "www-authenticate") continue;
    all += (all.empty() ? "" : ", ") + value.substr(0, 200);
    for (Challenge& challenge : parse_challenges(value)) challenges.push_back(std::move(challenge));
  }
  // A token reveals less than a password.
  for (const Challenge& challenge : challenges) {
    if (challenge.scheme == "bearer" && !challenge.realm.empty())
      return get_token(registry, challenge, send);
  }
  for (const Challenge& challenge : challenges) {
    if (challenge.scheme != "basic") continue;
    if (credentials_.user.empty())
      return Error{ErrorCode::unauthorized,
                   fmt::format("{} asks for a user and password: {}", image_.host, login_hint())};
    std::string basic =
        "Basic " + codec::encode_base64(credentials_.user + ":" + credentials_.password);
    if (basic == used)
      return Error{
          ErrorCode::unauthorized,
          fmt::format("{} does not accept the user and password: {}", image_.host, login_hint())};
    header_ = std::move(basic);
    expires_ = std::chrono::steady_clock::time_point::max();
    return {};
  }
  return Error{ErrorCode::unsupported,
               all.empty()
                   ? fmt::format("{} refuses without saying how to authenticate", image_.host)
                   : fmt::format("{} asks for an authentication that is not known here: \"{}\"",
                                 image_.host, all)};
}

Result<void> RegistryAuth::get_token(const net::Url& registry, const Challenge& challenge,
                                     const Send& send) {
  const auto realm = net::parse_url(challenge.realm);
  if (!realm)
    return Error{ErrorCode::unauthorized,
                 fmt::format("{} names \"{}\" as its token server, which is no web address",
                             image_.host, challenge.realm)};
  if (registry.scheme == "https" && realm->scheme == "http")
    return Error{ErrorCode::unauthorized,
                 fmt::format("{} names \"{}\" as its token server, which leads from https to http",
                             image_.host, challenge.realm)};
  std::vector<std::string> insecure = insecure_hosts_;
  // What may be said to a registry without TLS may be said to another port of the same host.
  if (net::lists_host(insecure_hosts_, registry)) insecure.push_back(registry.host);
  if (realm->scheme == "http" && !net::lists_host(insecure, *realm))
    return Error{
        ErrorCode::unauthorized,
        fmt::format("{} names \"{}\" as its token server: plain http is used only with hosts "
                    "that were named as insecure",
                    image_.host, challenge.realm)};
  const bool trusted = realm_is_trusted(registry.host, realm->host);
  const bool with_credentials = trusted && !credentials_.empty();

  net::HttpRequest request;
  request.insecure_hosts = std::move(insecure);
  request.max_body = token_answer_bytes;
  std::vector<std::pair<std::string, std::string>> fields;
  if (!challenge.service.empty()) fields.emplace_back("service", challenge.service);
  fields.emplace_back("scope", only_pulls(challenge.scope)
                                   ? challenge.scope
                                   : "repository:" + image_.repository + ":pull");
  if (with_credentials && !credentials_.identity_token.empty()) {
    fields.emplace_back("grant_type", "refresh_token");
    fields.emplace_back("client_id", "lazaret");
    fields.emplace_back("refresh_token", credentials_.identity_token);
    request.method = "POST";
    request.url = realm->str();
    request.headers = {{"Content-Type", "application/x-www-form-urlencoded"}};
    request.body = net::encode_form(fields);
  } else {
    net::Url url = *realm;
    url.query += (url.query.empty() ? "" : "&") + net::encode_form(fields);
    request.url = url.str();
    if (with_credentials)
      request.authorization =
          "Basic " + codec::encode_base64(credentials_.user + ":" + credentials_.password);
  }

  const auto asked_at = std::chrono::steady_clock::now();
  const auto response = send(request);
  if (!response) return response.error();
  if (response->status != 200) {
    const std::string kept =
        !trusted && !credentials_.empty()
            ? fmt::format(
                  "; your credentials for {} were not sent there, since it belongs to "
                  "another domain",
                  image_.host)
            : std::string();
    return Error{response->status == 429 || response->status >= 500 ? ErrorCode::busy
                                                                    : ErrorCode::unauthorized,
                 fmt::format("the token server {} answers {} for {}{}: {}", realm->host,
                             response->status, image_.name(), kept, login_hint())};
  }
  const auto document = format::parse_json(response->body);
  std::string token(document.value.text("token"));
  if (token.empty()) token = document.value.text("access_token");
  const bool printable =
      std::all_of(token.begin(), token.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  if (token.empty() || !printable)
    return Error{ErrorCode::unauthorized,
                 fmt::format("the token server {} gave no token", realm->host)};
  std::uint64_t seconds = shortest_token_seconds;
  if (const auto* expires_in = document.value.find("expires_in");
      expires_in != nullptr && expires_in->as_size())
    seconds = std::clamp(*expires_in->as_size(), shortest_token_seconds, longest_token_seconds);
  header_ = "Bearer " + token;
  expires_ = asked_at + std::chrono::seconds(seconds) - token_margin;
  return {};
}

}  // namespace lazaret::source
