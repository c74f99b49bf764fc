#include "net/http_client.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <mutex>

#include "base/text.h"
#include "net/url.h"

namespace lazaret::net {
namespace {

constexpr int redirects_limit = 5;
constexpr std::size_t header_bytes_limit = 256 << 10;
constexpr std::uint64_t refusal_bytes_limit = 64 << 10;

bool start_curl() {
  static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
  return code == CURLE_OK;
}

struct Transfer {
  const HttpRequest& request;
  const BodySink& sink;
  CURL* handle;
  HttpResponse response = {};
  std::size_t header_bytes = 0;
  // Why a callback ended the transfer.
  enum class End { none, sink, body_limit, header_limit, enough } end = End::none;
};

std::size_t on_header(char* data, std::size_t, std::size_t size, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::string_view line = trim(std::string_view(data, size));
  transfer.header_bytes += size;
  if (transfer.header_bytes > header_bytes_limit) {
    transfer.end = Transfer::End::header_limit;
    return 0;
  }
  if (line.starts_with("HTTP/")) {
    transfer.response.headers.clear();  // a new answer: after "100 Continue", or a proxy's
  } else if (const auto colon = line.find(':'); colon != std::string_view::npos) {
    transfer.response.headers.emplace_back(to_lower(trim(line.substr(0, colon))),
                                           std::string(trim(line.substr(colon + 1))));
  }
  return size;
}

std::size_t on_body(char* data, std::size_t, std::size_t size, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  HttpResponse& response = transfer.response;
  if (response.status == 0)
    curl_easy_getinfo(transfer.handle, CURLINFO_RESPONSE_CODE, &response.status);
  const bool wanted = response.status == 200 || response.status == 206;
  if (wanted && transfer.sink) {
    if (transfer.sink(response, as_bytes({data, size}))) return size;
    transfer.end = Transfer::End::sink;
    return 0;
  }
  const std::uint64_t limit =
      wanted ? transfer.request.max_body : std::min(transfer.request.max_body, refusal_bytes_limit);
  const std::uint64_t room = limit - response.body.size();
  if (size <= room) {
    response.body.append(data, size);
    return size;
  }
  // The text of a refusal may be cut, but not read for as long as the server likes to send.
  response.body.append(data, static_cast<std::size_t>(room));
  transfer.end = wanted ? Transfer::End::body_limit : Transfer::End::enough;
  return 0;
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  const auto& request = static_cast<Transfer*>(user)->request;
  return request.cancelled != nullptr && request.cancelled->load(std::memory_order_relaxed) ? 1 : 0;
}

ErrorCode code_of(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return ErrorCode::invalid;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
      return ErrorCode::unauthorized;
    default:
      return ErrorCode::network;
  }
}

// The first bytes of the server's answer to our hello are no TLS record. Time-outs, resets and
// alerts say nothing of the kind.
bool speaks_no_tls(CURLcode code, std::string_view text) {
  return code == CURLE_SSL_CONNECT_ERROR &&
         (text.find("wrong version number") != std::string_view::npos ||  // OpenSSL
          text.find("unexpected TLS packet") != std::string_view::npos);  // GnuTLS
}

// What changes something is not done at another place than the one that was asked.
bool follows_redirects(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "POST";
}

bool is_redirect(long status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

// A line end in a header's value would begin a header, or a request, of somebody else's making.
bool is_header_text(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

}  // namespace

std::string_view HttpResponse::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

class HttpClient::Impl {
 public:
  Impl() : handle_(start_curl() ? curl_easy_init() : nullptr) {}
  ~Impl() { curl_easy_cleanup(handle_); }

  Result<HttpResponse> send(HttpRequest request, const BodySink& sink) {
    if (handle_ == nullptr) return Error{ErrorCode::io, "libcurl could not be started"};
    auto url = parse_url(request.url);
    if (!url) return Error{ErrorCode::invalid, fmt::format("{}: not a web address", request.url)};
    for (int hops = 0;; ++hops) {
      auto response = send_once(request, *url, sink);
      // Of a server that another one named, it says nothing about the one that was asked.
      if (!response && response.error().code == ErrorCode::unsupported && hops > 0)
        return Error{ErrorCode::network, response.error().message};
      if (!response || !is_redirect(response->status) || !request.unix_socket.empty() ||
          !request.follow_redirects || !follows_redirects(request.method))
        return response;
      const std::string location(response->header("location"));
      if (location.empty()) return response;
      const auto next = resolve_url(*url, location);
      if (const auto allowed = check_redirect(*url, next, location, hops, *response, request);
          !allowed)
        return allowed.error();
      if (!url->same_origin(*next)) request.authorization.clear();
      if (response->status == 303 || (request.method == "POST" && response->status < 307)) {
        if (request.method != "HEAD") request.method = "GET";
        request.body.clear();
      }
      url = next;
    }
  }

 private:
  static Result<void> check_redirect(const Url& from, const std::optional<Url>& to,
                                     const std::string& location, int hops,
                                     const HttpResponse& response, const HttpRequest& request) {
    const auto refuse = [&](std::string_view why) {
      return Error{ErrorCode::network,
                   fmt::format("{}: redirected to \"{}\", {}", from.str(), location, why)};
    };
    if (hops >= redirects_limit)
      return refuse(fmt::format("after {} other redirects", redirects_limit));
    if (!to) return refuse("which is no web address");
    if (from.scheme == "https" && to->scheme == "http")
      return refuse("which leads from https to http");
    if (request.method == "POST" && response.status >= 307 && !from.same_origin(*to))
      return refuse("another server, which is not sent what was meant for this one");
    return {};
  }

  template <typename Value>
  void set(CURLoption option, Value value) {
    curl_easy_setopt(handle_, option, value);
  }

  Result<HttpResponse> send_once(const HttpRequest& request, const Url& url, const BodySink& sink) {
    const std::string address = url.str();
    const bool insecure = lists_host(request.insecure_hosts, url);
    if (url.scheme == "http" && !insecure && request.unix_socket.empty())
      return Error{ErrorCode::invalid,
                   fmt::format("{}: plain http is used only with hosts that were named as insecure",
                               address)};
    Transfer transfer{request, sink, handle_};
    transfer.response.url = address;
    char problem[CURL_ERROR_SIZE] = "";
    set(CURLOPT_URL, address.c_str());
    set(CURLOPT_PROTOCOLS_STR, url.scheme.c_str());
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_PATH_AS_IS, 1L);
    set(CURLOPT_ERRORBUFFER, problem);
    set(CURLOPT_CONNECTTIMEOUT, request.timeouts.connect_seconds);
    set(CURLOPT_LOW_SPEED_LIMIT, request.timeouts.slow_bytes);
    set(CURLOPT_LOW_SPEED_TIME, request.timeouts.slow_seconds);
    set(CURLOPT_BUFFERSIZE, 512L << 10);
    set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);  // a proxy's own answer is not the server's
    set(CURLOPT_USERAGENT, "lazaret");
    set(CURLOPT_HEADERFUNCTION, on_header);
    set(CURLOPT_HEADERDATA, &transfer);
    set(CURLOPT_WRITEFUNCTION, on_body);
    set(CURLOPT_WRITEDATA, &transfer);
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, on_progress);
    set(CURLOPT_XFERINFODATA, &transfer);
    if (!request.unix_socket.empty()) {
      set(CURLOPT_UNIX_SOCKET_PATH, request.unix_socket.c_str());
      set(CURLOPT_PROXY, "");
    }
    if (insecure) {
      set(CURLOPT_SSL_VERIFYPEER, 0L);
      set(CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (request.method == "HEAD") set(CURLOPT_NOBODY, 1L);
    const bool sends_body = request.method == "POST" || request.method == "PUT" ||
                            request.method == "PATCH" || !request.body.empty();
    if (sends_body) {
      set(CURLOPT_POST, 1L);
      set(CURLOPT_POSTFIELDS, request.body.c_str());
      set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    }
    if (request.method != "GET" && request.method != "HEAD" && request.method != "POST")
      set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    auto fields = request.headers;
    if (!request.authorization.empty()) fields.emplace_back("Authorization", request.authorization);
    if (sends_body) fields.emplace_back("Expect", "");  // no waiting for "100"
    curl_slist* headers = nullptr;
    const auto free_headers = [](curl_slist** list) { curl_slist_free_all(*list); };
    const std::unique_ptr<curl_slist*, decltype(free_headers)> owner(&headers, free_headers);
    for (const auto& [name, value] : fields) {
      if (!is_header_text(name) || !is_header_text(value))
        return Error{ErrorCode::invalid,
                     fmt::format("{}: a header of the request holds a line end", address)};
      headers = curl_slist_append(headers, (name + ": " + value).c_str());
    }
    set(CURLOPT_HTTPHEADER, headers);

    const CURLcode code = curl_easy_perform(handle_);
    curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &transfer.response.status);
    curl_easy_reset(handle_);  // what the handle refers to ends with this function

    switch (transfer.end) {
      case Transfer::End::sink:
        return Error{ErrorCode::cancelled, fmt::format("{}: stopped", address)};
      case Transfer::End::body_limit:
        return Error{ErrorCode::limit, fmt::format("{}: the answer is larger than {} bytes",
                                                   address, request.max_body)};
      case Transfer::End::header_limit:
        return Error{ErrorCode::limit, fmt::format("{}: the answer's headers are larger than {}",
                                                   address, format_bytes(header_bytes_limit))};
      case Transfer::End::enough:
        return std::move(transfer.response);
      case Transfer::End::none:
        break;
    }
    if (code == CURLE_ABORTED_BY_CALLBACK)
      return Error{ErrorCode::cancelled, fmt::format("{}: stopped", address)};
    const std::string_view text = *problem != '\0' ? problem : curl_easy_strerror(code);
    if (code != CURLE_OK)
      return Error{speaks_no_tls(code, text) ? ErrorCode::unsupported : code_of(code),
                   fmt::format("{}: {}", address, text)};
    return std::move(transfer.response);
  }

  CURL* const handle_;
};

HttpClient::HttpClient() : impl_(std::make_unique<Impl>()) {}
HttpClient::~HttpClient() = default;
Result<HttpResponse> HttpClient::send(const HttpRequest& request, const BodySink& sink) {
  return impl_->send(request, sink);
}

std::optional<std::chrono::seconds> retry_after(const HttpResponse& response) {
  const std::string text(response.header("retry-after"));
  if (text.empty()) return std::nullopt;
  if (text.find_first_not_of("0123456789") == std::string::npos) {
    // More than a day is as good as never; the digits of more need not fit a number.
    return std::chrono::seconds(text.size() > 5 ? 86400 : std::min(86400, std::stoi(text)));
  }
  const time_t date = curl_getdate(text.c_str(), nullptr);
  if (date == -1) return std::nullopt;
  return std::chrono::seconds(
      std::clamp<std::int64_t>(static_cast<std::int64_t>(date) - std::time(nullptr), 0, 86400));
}

}  // namespace lazaret::net
