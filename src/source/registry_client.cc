#include "source/registry_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

#include "base/text.h"
#include "format/json.h"
#include "net/http_client.h"
#include "net/unix_socket_client.h"

namespace lazaret::source {
namespace {

constexpr int tries_limit = 6;
constexpr int longest_wait_seconds = 30;
constexpr std::string_view manifest_types =
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.docker.distribution.manifest.v2+json";

std::string base64(std::string_view bytes) {
  static constexpr char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t bits = 0;
    const std::size_t size = std::min<std::size_t>(3, bytes.size() - i);
    for (std::size_t j = 0; j < 3; ++j) bits = bits << 8 | (j < size ? static_cast<std::uint8_t>(bytes[i + j]) : 0u);
    for (std::size_t j = 0; j < 4; ++j) out.push_back(j <= size ? alphabet[bits >> (18 - 6 * j) & 63] : '=');
  }
  return out;
}

// The last two labels, or three below a two-letter country's second level: near enough to a registrable domain to tell strangers apart, and strict where unsure.
std::string_view registrable(std::string_view host) {
  std::vector<std::size_t> dots;
  for (std::size_t i = 0; i < host.size(); ++i) {
    if (host[i] == '.') dots.push_back(i);
  }
  if (dots.size() < 2) return host;
  const std::size_t last = dots.back(), before = dots[dots.size() - 2];
  const bool country = host.size() - last - 1 == 2 && last - before - 1 <= 3;
  if (!country) return host.substr(before + 1);
  return dots.size() < 3 ? host : host.substr(dots[dots.size() - 3] + 1);
}

net::HttpClient& client() {
  thread_local net::HttpClient instance;
  return instance;
}

}  // namespace

Challenge parse_challenge(std::string_view header) {
  Challenge challenge;
  header = trim(header);
  const auto space = std::min(header.find(' '), header.size());
  challenge.scheme = to_lower(header.substr(0, space));
  std::string_view rest = header.substr(space);
  while (!rest.empty()) {
    rest = rest.substr(std::min(rest.find_first_not_of(" ,\t"), rest.size()));
    const auto equals = rest.find('=');
    if (equals == std::string_view::npos) break;
    const std::string key = to_lower(trim(rest.substr(0, equals)));
    rest.remove_prefix(equals + 1);
    std::string value;
    if (rest.starts_with('"')) {
      std::size_t i = 1;
      for (; i < rest.size() && rest[i] != '"'; ++i) {
        if (rest[i] == '\\' && i + 1 < rest.size()) ++i;
        value.push_back(rest[i]);
      }
      rest.remove_prefix(std::min(i + 1, rest.size()));
    } else {
      const auto end = std::min(rest.find(','), rest.size());
      value = trim(rest.substr(0, end));
      rest.remove_prefix(end);
    }
    if (key == "realm") challenge.realm = value;
    if (key == "service") challenge.service = value;
    if (key == "scope") challenge.scope = value;
  }
  return challenge;
}

bool realm_is_trusted(std::string_view registry_host, std::string_view realm_host) {
  registry_host = registry_host.substr(0, registry_host.find(':'));
  realm_host = realm_host.substr(0, realm_host.find(':'));
  if (equals_ignore_case(registry_host, realm_host)) return true;
  if (registry_host == "registry-1.docker.io" || registry_host == "docker.io") return equals_ignore_case(realm_host, "auth.docker.io");
  // Addresses have no domains.
  if (realm_host.find_first_not_of("0123456789.") == std::string_view::npos || realm_host.find('.') == std::string_view::npos) return false;
  return equals_ignore_case(registrable(registry_host), registrable(realm_host));
}

class RegistryClient::Impl {
 public:
  Impl(ImageName image, const SourceOptions& options, Credentials credentials)
      : image_(std::move(image)), options_(options), credentials_(std::move(credentials)) {
    host_ = image_.host == "docker.io" ? "registry-1.docker.io" : image_.host;
    const auto colon = host_.rfind(':');
    for (const std::string& insecure : options.insecure_hosts) {
      if (insecure == host_ || insecure == image_.host || (colon != std::string::npos && insecure == host_.substr(0, colon))) insecure_ = true;
    }
  }

  Result<net::HttpResponse> get(const std::string& path, std::uint64_t max_bytes, const std::vector<std::pair<std::string, std::string>>& headers, const net::BodySink& sink) {
    bool asked_for_token = false;
    for (int attempt = 1;; ++attempt) {
      net::HttpRequest request;
      request.url = scheme() + "://" + host_ + path;
      request.headers = headers;
      request.max_body = max_bytes;
      request.insecure = insecure_;
      request.cancelled = options_.cancelled;
      {
        const std::lock_guard lock(mutex_);
        request.authorization = authorization_;
      }
      auto response = client().send(request, sink);
      if (!response) {
        if (response.error().code != ErrorCode::network) return response;
        if (insecure_ && !plain_ && attempt == 1) {  // a registry without TLS, which the user allowed
          plain_ = true;
          continue;
        }
        if (sink != nullptr || attempt >= tries_limit) return response;  // streams are resumed by the caller
        wait(attempt, "");
        continue;
      }
      if (response->status == 401 && !asked_for_token) {
        asked_for_token = true;
        const auto authorized = authorize(std::string(response->header("www-authenticate")));
        if (!authorized) return authorized.error();
        continue;
      }
      if ((response->status == 429 || response->status >= 500) && attempt < tries_limit && sink == nullptr) {
        wait(attempt, response->header("retry-after"));
        continue;
      }
      return response;
    }
  }

  Error error_of(const net::HttpResponse& response, std::string_view what) const {
    std::string detail;
    const auto document = format::parse_json(response.body);
    if (const auto* errors = document.value.find("errors"); errors != nullptr && errors->as_array() != nullptr && !errors->as_array()->empty()) {
      detail = std::string(errors->as_array()->front().text("code")) + " " + std::string(errors->as_array()->front().text("message"));
    }
    if (response.status == 401 || response.status == 403) {
      return {ErrorCode::unauthorized, fmt::format("{}: the registry refuses ({}{}{}): log in with `docker login {}`, or check the name", what, response.status, detail.empty() ? "" : " ", detail,
                                                   image_.host)};
    }
    if (response.status == 404) return {ErrorCode::not_found, fmt::format("{}: there is no such image ({})", what, detail.empty() ? "404" : detail)};
    if (response.status == 429) return {ErrorCode::busy, fmt::format("{}: too many requests: log in, or wait and try again", what)};
    return {ErrorCode::network, fmt::format("{}: the registry answers {} {}", what, response.status, detail)};
  }

  void wait(int attempt, std::string_view retry_after) const {
    int seconds = 1 << std::min(attempt - 1, 4);
    if (!retry_after.empty() && retry_after.size() < 6 && retry_after.find_first_not_of("0123456789") == std::string_view::npos) seconds = std::atoi(std::string(retry_after).c_str());
    seconds = std::clamp(seconds, 0, longest_wait_seconds);
    for (int i = 0; i < seconds * 10; ++i) {
      if (options_.cancelled != nullptr && options_.cancelled->load()) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  }

  std::string scheme() const { return plain_ ? "http" : "https"; }
  std::string path(std::string_view kind, const std::string& reference) const { return "/v2/" + image_.repository + "/" + std::string(kind) + "/" + reference; }
  const ImageName& image() const { return image_; }
  const SourceOptions& options() const { return options_; }

 private:
  // Gets a token, or takes the user and password, as the registry asks.
  Result<void> authorize(const std::string& header) {
    const Challenge challenge = parse_challenge(header);
    const std::lock_guard lock(mutex_);
    const bool safe = !plain_ || insecure_;
    if (challenge.scheme == "basic") {
      if (credentials_.user.empty()) {
        return Error{ErrorCode::unauthorized, fmt::format("{} asks for a user and password: log in with `docker login {}`", host_, image_.host)};
      }
      if (!safe) return Error{ErrorCode::unauthorized, fmt::format("{} asks for a password over http, which is not sent", host_)};
      authorization_ = "Basic " + base64(credentials_.user + ":" + credentials_.password);
      return {};
    }
    if (challenge.scheme != "bearer" || challenge.realm.empty()) {
      return Error{ErrorCode::unsupported, fmt::format("{} asks for an authentication that lazaret does not speak: \"{}\"", host_, header.substr(0, 100))};
    }
    const net::UrlParts realm = net::split_url(challenge.realm);
    const net::UrlParts registry = net::split_url(scheme() + "://" + host_);
    const bool secure = realm.scheme == "https" || (insecure_ && realm.scheme == "http");
    if (realm.host.empty() || !secure) return Error{ErrorCode::unauthorized, fmt::format("{} names \"{}\" as its token server, which is no https address", host_, challenge.realm)};
    const bool trusted = realm_is_trusted(registry.host, realm.host) && !credentials_.empty();

    const std::string scope = challenge.scope.empty() ? "repository:" + image_.repository + ":pull" : challenge.scope;
    net::HttpRequest request;
    request.insecure = insecure_;
    request.max_body = 1 << 20;
    request.cancelled = options_.cancelled;
    const std::string query = "service=" + net::encode_path(challenge.service) + "&scope=" + net::encode_path(scope);
    if (trusted && !credentials_.identity_token.empty()) {
      request.method = "POST";
      request.url = challenge.realm;
      request.headers = {{"Content-Type", "application/x-www-form-urlencoded"}};
      request.body = "grant_type=refresh_token&client_id=lazaret&" + query + "&refresh_token=" + net::encode_path(credentials_.identity_token);
    } else {
      request.url = challenge.realm + (challenge.realm.find('?') == std::string::npos ? "?" : "&") + query;
      if (trusted) request.authorization = "Basic " + base64(credentials_.user + ":" + credentials_.password);
    }
    const auto response = client().send(request);
    if (!response) return response.error();
    if (response->status != 200) return error_of(*response, fmt::format("token for {}", image_.name()));
    const auto document = format::parse_json(response->body);
    std::string token(document.value.text("token"));
    if (token.empty()) token = document.value.text("access_token");
    if (token.empty()) return Error{ErrorCode::unauthorized, fmt::format("the token server {} gave no token", realm.host)};
    if (token.find_first_of("\r\n") != std::string::npos) return Error{ErrorCode::unauthorized, fmt::format("the token server {} gave a malformed token", realm.host)};
    authorization_ = "Bearer " + token;
    return {};
  }

  const ImageName image_;
  const SourceOptions& options_;
  const Credentials credentials_;
  std::string host_;
  bool insecure_ = false;
  std::atomic<bool> plain_{false};
  std::mutex mutex_;
  std::string authorization_;
};

RegistryClient::RegistryClient(ImageName image, const SourceOptions& options, Credentials credentials)
    : impl_(std::make_unique<Impl>(std::move(image), options, std::move(credentials))) {}
RegistryClient::~RegistryClient() = default;

Result<RegistryClient::Document> RegistryClient::manifest(const std::string& reference, std::uint64_t max_bytes) {
  const auto response = impl_->get(impl_->path("manifests", reference), max_bytes, {{"Accept", std::string(manifest_types)}}, nullptr);
  if (!response) return response.error();
  if (response->status != 200) return impl_->error_of(*response, impl_->image().str());
  const std::string_view type = response->header("content-type");
  return Document{response->body, std::string(trim(type.substr(0, type.find(';')))), Digest::parse(response->header("docker-content-digest")).value_or(Digest())};
}

Result<std::string> RegistryClient::small_blob(const Digest& digest, std::uint64_t max_bytes) {
  const auto response = impl_->get(impl_->path("blobs", digest.str()), max_bytes, {}, nullptr);
  if (!response) return response.error();
  if (response->status != 200) return impl_->error_of(*response, "blob " + digest.str());
  return response->body;
}

Result<void> RegistryClient::stream_blob(const format::Descriptor& descriptor, BlobWriter& writer) {
  std::uint64_t done = 0;
  bool unwanted = false, too_long = false;
  Error last{ErrorCode::network, "the download did not begin"};
  for (int attempt = 1; attempt <= tries_limit; ++attempt) {
    std::vector<std::pair<std::string, std::string>> headers;
    if (done > 0) headers.emplace_back("Range", fmt::format("bytes={}-", done));
    std::uint64_t skip = 0;
    bool first = true, misplaced = false;
    const std::uint64_t before = done;
    const auto response = impl_->get(impl_->path("blobs", descriptor.digest.str()), ~0ull, headers, [&](const net::HttpResponse& head, Bytes piece) {
      if (first) {
        first = false;
        // A server that ignores Range begins anew: what we have is skipped. One that answers 206 must say where it begins.
        skip = head.status == 206 ? 0 : done;
        if (head.status == 206 && done > 0 && !head.header("content-range").starts_with(fmt::format("bytes {}-", done))) {
          misplaced = true;
          return false;
        }
      }
      const std::size_t drop = static_cast<std::size_t>(std::min<std::uint64_t>(skip, piece.size()));
      skip -= drop;
      piece = piece.subspan(drop);
      if (descriptor.size > 0 && done + piece.size() > descriptor.size) {
        too_long = true;
        return false;
      }
      if (!piece.empty() && !writer.write(piece)) {
        unwanted = true;
        return false;
      }
      done += piece.size();
      return true;
    });
    if (unwanted) return {};
    if (too_long) return Error{ErrorCode::corrupt, fmt::format("the registry sends more than the {} bytes that the manifest names", descriptor.size)};
    if (impl_->options().cancelled != nullptr && impl_->options().cancelled->load()) return Error{ErrorCode::cancelled, "cancelled"};
    if (response && (response->status == 200 || response->status == 206)) {
      if (descriptor.size == 0 || done == descriptor.size) return {};
      last = Error{ErrorCode::corrupt, fmt::format("the registry sent {} of {} bytes", done, descriptor.size)};
    } else if (response && response->status == 416 && done == descriptor.size) {
      return {};
    } else if (response && response->status != 429 && response->status < 500) {
      return impl_->error_of(*response, "blob " + descriptor.digest.str());
    } else {
      last = response ? impl_->error_of(*response, "blob " + descriptor.digest.str()) : response.error();
      if (misplaced) last = Error{ErrorCode::corrupt, "the registry resumes at another place than asked"};
    }
    if (done > before) attempt = 1;  // it moves: only a download that stands still is given up
    impl_->wait(attempt, response ? response->header("retry-after") : std::string_view());
  }
  return last;
}

}  // namespace lazaret::source
