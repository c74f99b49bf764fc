#include "net/http_client.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <mutex>

#include "base/text.h"

namespace lazaret::net {
namespace {

constexpr int redirects_limit = 5;
constexpr std::size_t header_bytes_limit = 256 << 10;

void start_curl() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

struct Transfer {
  const HttpRequest* request;
  const BodySink* sink;
  HttpResponse response;
  std::size_t header_bytes = 0;
  bool stopped = false, too_large = false;
};

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::string_view line = trim(std::string_view(data, size * count));
  transfer.header_bytes += size * count;
  if (transfer.header_bytes > header_bytes_limit) return 0;
  if (line.starts_with("HTTP/")) {
    transfer.response.headers.clear();  // a new answer: after "100 Continue", say
  } else if (const auto colon = line.find(':'); colon != std::string_view::npos) {
    transfer.response.headers.emplace_back(to_lower(trim(line.substr(0, colon))), std::string(trim(line.substr(colon + 1))));
  }
  return size * count;
}

struct BodyContext {
  Transfer* transfer;
  CURL* handle;
};

std::size_t on_body(char* data, std::size_t size, std::size_t count, void* user) {
  auto& context = *static_cast<BodyContext*>(user);
  Transfer& transfer = *context.transfer;
  const Bytes piece(reinterpret_cast<const std::uint8_t*>(data), size * count);
  if (transfer.response.status == 0) curl_easy_getinfo(context.handle, CURLINFO_RESPONSE_CODE, &transfer.response.status);
  const bool wanted = transfer.response.status == 200 || transfer.response.status == 206;
  if (wanted && *transfer.sink != nullptr) {
    if (!(*transfer.sink)(transfer.response, piece)) {
      transfer.stopped = true;
      return 0;
    }
    return piece.size();
  }
  const std::uint64_t most = wanted ? transfer.request->max_body : std::min<std::uint64_t>(transfer.request->max_body, 64 << 10);
  if (transfer.response.body.size() + piece.size() > most) {
    if (wanted) {
      transfer.too_large = true;
      return 0;
    }
    return piece.size();  // the text of an error may be cut
  }
  transfer.response.body.append(data, size * count);
  return piece.size();
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  const auto& transfer = *static_cast<Transfer*>(user);
  return transfer.request->cancelled != nullptr && transfer.request->cancelled->load() ? 1 : 0;
}

}  // namespace

std::string_view HttpResponse::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

UrlParts split_url(std::string_view url) {
  UrlParts parts;
  const auto scheme = url.find("://");
  if (scheme == std::string_view::npos) return parts;
  parts.scheme = to_lower(url.substr(0, scheme));
  url.remove_prefix(scheme + 3);
  const auto slash = std::min(url.find_first_of("/?#"), url.size());
  std::string_view authority = url.substr(0, slash);
  parts.path = slash == url.size() ? "/" : std::string(url.substr(slash));
  if (const auto at = authority.rfind('@'); at != std::string_view::npos) authority.remove_prefix(at + 1);
  const auto bracket = authority.rfind(']');
  const auto colon = authority.rfind(':');
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    parts.port = authority.substr(colon + 1);
    authority = authority.substr(0, colon);
  } else {
    parts.port = parts.scheme == "https" ? "443" : "80";
  }
  parts.host = to_lower(authority);
  return parts;
}

class HttpClient::Impl {
 public:
  Impl() {
    start_curl();
    handle_ = curl_easy_init();
  }
  ~Impl() { curl_easy_cleanup(handle_); }

  Result<HttpResponse> send(HttpRequest request, const BodySink& sink) {
    for (int hops = 0;; ++hops) {
      auto response = send_once(request, sink);
      if (!response) return response;
      const bool redirect = response->status == 301 || response->status == 302 || response->status == 303 || response->status == 307 || response->status == 308;
      const std::string location(response->header("location"));
      if (!redirect || location.empty()) return response;
      if (hops == redirects_limit) return Error{ErrorCode::network, fmt::format("{}: more than {} redirects", request.url, redirects_limit)};
      const UrlParts from = split_url(request.url);
      std::string next = location;
      if (location.starts_with("//")) {
        next = from.scheme + ":" + location;
      } else if (location.starts_with('/')) {
        next = from.scheme + "://" + from.host + ":" + from.port + location;
      }
      const UrlParts to = split_url(next);
      if (to.host.empty() || (to.scheme != "https" && to.scheme != "http")) return Error{ErrorCode::network, fmt::format("{}: redirected to \"{}\", which is no web address", request.url, location)};
      if (to.scheme == "http" && from.scheme == "https") return Error{ErrorCode::network, fmt::format("{}: redirected from https to http, which is not followed", request.url)};
      if (to.host != from.host || to.port != from.port) request.authorization.clear();
      if (response->status == 303 || (request.method == "POST" && response->status != 307 && response->status != 308)) {
        request.method = "GET";
        request.body.clear();
      }
      request.url = next;
    }
  }

 private:
  Result<HttpResponse> send_once(const HttpRequest& request, const BodySink& sink) {
    curl_easy_reset(handle_);
    Transfer transfer{&request, &sink, {}, 0, false, false};
    transfer.response.url = request.url;
    BodyContext body{&transfer, handle_};
    char problem[CURL_ERROR_SIZE] = "";
    curl_easy_setopt(handle_, CURLOPT_URL, request.url.c_str());
    curl_easy_setopt(handle_, CURLOPT_PROTOCOLS_STR, request.insecure ? "http,https" : "https,http");
    curl_easy_setopt(handle_, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle_, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(handle_, CURLOPT_ERRORBUFFER, problem);
    curl_easy_setopt(handle_, CURLOPT_CONNECTTIMEOUT, 20L);
    curl_easy_setopt(handle_, CURLOPT_LOW_SPEED_LIMIT, 1024L);
    curl_easy_setopt(handle_, CURLOPT_LOW_SPEED_TIME, 60L);
    curl_easy_setopt(handle_, CURLOPT_BUFFERSIZE, 512L << 10);
    curl_easy_setopt(handle_, CURLOPT_USERAGENT, "lazaret");
    curl_easy_setopt(handle_, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(handle_, CURLOPT_HEADERDATA, &transfer);
    curl_easy_setopt(handle_, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(handle_, CURLOPT_WRITEDATA, &body);
    curl_easy_setopt(handle_, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(handle_, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(handle_, CURLOPT_XFERINFODATA, &transfer);
    if (request.insecure) {
      curl_easy_setopt(handle_, CURLOPT_SSL_VERIFYPEER, 0L);
      curl_easy_setopt(handle_, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (request.method == "HEAD") curl_easy_setopt(handle_, CURLOPT_NOBODY, 1L);
    if (request.method == "POST") {
      curl_easy_setopt(handle_, CURLOPT_POST, 1L);
      curl_easy_setopt(handle_, CURLOPT_POSTFIELDS, request.body.c_str());
      curl_easy_setopt(handle_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    }
    curl_slist* headers = nullptr;
    for (const auto& [name, value] : request.headers) headers = curl_slist_append(headers, (name + ": " + value).c_str());
    if (!request.authorization.empty()) headers = curl_slist_append(headers, ("Authorization: " + request.authorization).c_str());
    curl_easy_setopt(handle_, CURLOPT_HTTPHEADER, headers);

    const CURLcode code = curl_easy_perform(handle_);
    curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &transfer.response.status);
    curl_slist_free_all(headers);
    if (transfer.stopped || code == CURLE_ABORTED_BY_CALLBACK) return Error{ErrorCode::cancelled, fmt::format("{}: stopped", request.url)};
    if (transfer.too_large) return Error{ErrorCode::limit, fmt::format("{}: the answer is larger than {} bytes", request.url, request.max_body)};
    if (code != CURLE_OK) {
      return Error{ErrorCode::network, fmt::format("{}: {}", request.url, *problem != '\0' ? problem : curl_easy_strerror(code))};
    }
    return std::move(transfer.response);
  }

  CURL* handle_;
};

HttpClient::HttpClient() : impl_(std::make_unique<Impl>()) {}
HttpClient::~HttpClient() = default;
Result<HttpResponse> HttpClient::send(const HttpRequest& request, const BodySink& sink) { return impl_->send(request, sink); }

}  // namespace lazaret::net
