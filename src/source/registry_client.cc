#include "source/registry_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/text.h"
#include "format/json.h"
#include "net/http_client.h"
#include "net/url.h"
#include "source/delivery.h"
#include "source/registry_auth.h"

namespace lazaret::source {
namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

// A download that moves on by less than this between two interruptions stands still.
constexpr std::uint64_t progress_bytes = 1 << 20;
constexpr std::string_view manifest_types =
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.docker.distribution.manifest.v2+json";

net::HttpClient& client() {
  thread_local net::HttpClient instance;
  return instance;
}

bool asks_to_come_back(long status) {
  return status == 429 || status >= 500;
}

}  // namespace

class RegistryClient::Impl {
 public:
  Impl(ImageName image, const SourceOptions& options, Credentials credentials, RetryPolicy retry)
      : image_(std::move(image)),
        options_(options),
        retry_(retry),
        host_(image_.host == "docker.io" ? "registry-1.docker.io" : image_.host),
        insecure_hosts_(options.insecure_hosts),
        auth_(image_, std::move(credentials), insecure_hosts_) {
    const auto url = net::parse_url("https://" + host_ + "/");
    insecure_ = url && net::lists_host(insecure_hosts_, *url);
  }

  // One answer of the registry, after authentication. Without a sink with retries; what a sink
  // took cannot be taken back, so that its owner has to try again.
  Result<net::HttpResponse> get(const std::string& path, std::uint64_t max_bytes,
                                const Headers& headers, const net::BodySink& sink) {
    bool authenticated = false;
    for (int attempt = 1;;) {
      const bool plain = protocol_ == Protocol::http;
      const auto url = net::parse_url((plain ? "http://" : "https://") + host_ + path);
      if (!url)
        return Error{ErrorCode::invalid, fmt::format("{}: \"{}\" is no host", image_.str(), host_)};
      net::HttpRequest request;
      request.url = url->str();
      request.headers = headers;
      request.max_body = max_bytes;
      // Before it is known what the registry speaks, nothing is said that must not be heard.
      if (protocol_ != Protocol::unknown) request.authorization = auth_.header();
      auto response = send(request, sink);
      if (response || response.error().code == ErrorCode::unauthorized) settle(Protocol::https);
      if (!response && response.error().code == ErrorCode::unsupported && insecure_ &&
          settle(Protocol::http))
        continue;
      if (response && response->status == 401 && !authenticated) {
        authenticated = true;
        const auto send_token_request = [&](const net::HttpRequest& token_request) {
          return send_retrying(token_request);
        };
        const auto answered =
            auth_.answer(*url, *response, request.authorization, send_token_request);
        if (!answered) return answered.error();
        continue;
      }
      if (sink != nullptr || !worth_another_try(response) || attempt >= retry_.tries)
        return response;
      if (const auto paused = pause(attempt++, response); !paused) return paused.error();
    }
  }

  static bool worth_another_try(const Result<net::HttpResponse>& response) {
    return response ? asks_to_come_back(response->status)
                    : response.error().code == ErrorCode::network;
  }

  // Waits before the next try. An Error when there should be none.
  Result<void> pause(int attempt, const Result<net::HttpResponse>& response) const {
    auto length = retry_.first_pause * (1 << std::min(attempt - 1, 10));
    if (const auto asked = response ? net::retry_after(*response) : std::nullopt) {
      if (*asked > retry_.longest_pause)
        return Error{ErrorCode::busy,
                     fmt::format("{} answers {} and asks to come back in {} seconds", image_.host,
                                 response->status, asked->count())};
      length = *asked;
    }
    const auto end = std::chrono::steady_clock::now() + std::min(length, retry_.longest_pause);
    for (;;) {
      if (is_cancelled(options_)) return cancelled_error();
      const auto left = end - std::chrono::steady_clock::now();
      if (left <= left.zero()) return {};
      std::this_thread::sleep_for(
          std::min<std::chrono::steady_clock::duration>(left, std::chrono::milliseconds(100)));
    }
  }

  Error error_of(const net::HttpResponse& response, std::string_view what) const {
    std::string detail;
    const auto document = format::parse_json(response.body);
    if (const auto* errors = document.value.find("errors");
        errors != nullptr && errors->as_array() != nullptr && !errors->as_array()->empty()) {
      const auto& first = errors->as_array()->front();
      detail = fmt::format(" {} {}", first.text("code"), first.text("message")).substr(0, 300);
    }
    switch (response.status) {
      case 401:
      case 403:
        return {ErrorCode::unauthorized,
                fmt::format("{}: the registry refuses ({}{}): log in with \"docker login {}\", or "
                            "check the name",
                            what, response.status, detail, image_.host)};
      case 404:
        return {ErrorCode::not_found,
                fmt::format("{}: there is no such image (404{})", what, detail)};
      case 429:
        return {ErrorCode::busy, fmt::format("{}: too many requests (429{}): log in, or wait and "
                                             "try again",
                                             what, detail)};
      default:
        return {ErrorCode::network,
                fmt::format("{}: the registry answers {}{}", what, response.status, detail)};
    }
  }

  std::string path(std::string_view kind, const std::string& reference) const {
    return fmt::format("/v2/{}/{}/{}", image_.repository, kind, reference);
  }
  const ImageName& image() const { return image_; }
  const SourceOptions& options() const { return options_; }
  const RetryPolicy& retry() const { return retry_; }

 private:
  enum class Protocol { unknown, https, http };

  // Decides what the registry speaks, once. Whether it is `protocol` then.
  bool settle(Protocol protocol) {
    Protocol known = Protocol::unknown;
    return protocol_.compare_exchange_strong(known, protocol) || known == protocol;
  }

  Result<net::HttpResponse> send(net::HttpRequest request, const net::BodySink& sink) const {
    if (request.insecure_hosts.empty()) request.insecure_hosts = insecure_hosts_;
    request.cancelled = options_.cancelled;
    return client().send(request, sink);
  }

  // To token servers.
  Result<net::HttpResponse> send_retrying(const net::HttpRequest& request) const {
    for (int attempt = 1;; ++attempt) {
      auto response = send(request, nullptr);
      if (!worth_another_try(response) || attempt >= retry_.tries) return response;
      if (const auto paused = pause(attempt, response); !paused) return paused.error();
    }
  }

  const ImageName image_;
  const SourceOptions& options_;
  const RetryPolicy retry_;
  const std::string host_;
  const std::vector<std::string> insecure_hosts_;
  bool insecure_ = false;
  std::atomic<Protocol> protocol_{Protocol::unknown};
  RegistryAuth auth_;
};

RegistryClient::RegistryClient(ImageName image, const SourceOptions& options,
                               Credentials credentials, RetryPolicy retry)
    : impl_(std::make_unique<Impl>(std::move(image), options, std::move(credentials), retry)) {}
RegistryClient::~RegistryClient() = default;

Result<RegistryClient::Document> RegistryClient::manifest(const std::string& reference,
                                                          std::uint64_t max_bytes) {
  const auto response = impl_->get(impl_->path("manifests", reference), max_bytes,
                                   {{"Accept", std::string(manifest_types)}}, nullptr);
  if (!response) return response.error();
  if (response->status != 200) return impl_->error_of(*response, impl_->image().str());
  const std::string_view type = response->header("content-type");
  return Document{response->body, std::string(trim(type.substr(0, type.find(';')))),
                  Digest::parse(response->header("docker-content-digest")).value_or(Digest())};
}

Result<std::string> RegistryClient::small_blob(const Digest& digest, std::uint64_t max_bytes) {
  const auto response = impl_->get(impl_->path("blobs", digest.str()), max_bytes, {}, nullptr);
  if (!response) return response.error();
  if (response->status != 200) return impl_->error_of(*response, "blob " + digest.str());
  return response->body;
}

Result<void> RegistryClient::stream_blob(const format::Descriptor& descriptor, BlobWriter& writer) {
  const std::string path = impl_->path("blobs", descriptor.digest.str());
  const std::string what = "blob " + descriptor.digest.str();
  const std::uint64_t size = descriptor.size;  // 0 when the manifest does not say
  std::uint64_t done = 0, mark = 0;
  bool resumes = true;  // until the registry answers with another range than it was asked for
  for (int attempt = 1;; ++attempt) {
    Headers headers;
    if (done > 0 && resumes) headers.emplace_back("Range", fmt::format("bytes={}-", done));
    std::uint64_t skip = 0;
    bool first = true;
    enum { complete, misplaced, unwanted, too_long } end = complete;
    const std::uint64_t before = done;
    const auto response =
        impl_->get(path, UINT64_MAX, headers, [&](const net::HttpResponse& head, Bytes piece) {
          if (std::exchange(first, false)) {
            const std::string_view range = head.header("content-range");
            if (head.status == 206 && !range.starts_with(fmt::format("bytes {}-", done))) {
              end = misplaced;
              return false;
            }
            // A registry that does not know Range begins anew; what we have is passed over.
            skip = head.status == 206 ? 0 : done;
          }
          const auto known = static_cast<std::size_t>(std::min<std::uint64_t>(skip, piece.size()));
          skip -= known;
          piece = piece.subspan(known);
          if (piece.empty()) return true;
          if (size > 0 && piece.size() > size - done) {
            end = too_long;
            return false;
          }
          done += piece.size();
          if (writer.write(piece)) return true;
          end = unwanted;
          return false;
        });
    if (end == unwanted) return {};
    if (is_cancelled(impl_->options())) return cancelled_error();
    if (end == too_long)
      return Error{ErrorCode::corrupt,
                   fmt::format("{}: the registry sends more than the {} bytes that the manifest "
                               "names",
                               what, size)};

    Error why{ErrorCode::corrupt,
              fmt::format("{}: the registry sent {} of {} bytes", what, done, size)};
    if (end == misplaced) {
      why.message = what + ": the registry answers with another range than it was asked for";
      if (!resumes || done == 0) return why;
      resumes = false;
    } else if (response && (response->status == 200 || response->status == 206)) {
      // A whole answer that brought nothing new will not do so next time.
      if (done == size || (size == 0 && skip == 0)) return {};
      if (done == before) return why;
    } else if (response && response->status == 416 && done > 0) {
      // Nothing follows what we have.
      return size == 0 || done == size ? Result<void>() : why;
    } else if (response) {
      why = impl_->error_of(*response, what);
      if (!asks_to_come_back(response->status)) return why;
    } else {
      why = response.error();
      if (why.code != ErrorCode::network) return why;
    }
    if (done - mark >= progress_bytes) {  // only a download that stands still is given up
      mark = done;
      attempt = 1;
    }
    if (attempt >= impl_->retry().tries) return why;
    if (const auto paused = impl_->pause(attempt, response); !paused) return paused.error();
  }
}

}  // namespace lazaret::source
