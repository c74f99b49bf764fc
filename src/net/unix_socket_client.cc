#include "net/unix_socket_client.h"

#include <curl/curl.h>
#include <fmt/core.h>

#include <algorithm>
#include <memory>

namespace lazaret::net {
namespace {

constexpr std::size_t error_bytes = 64 * 1024;
constexpr long silence_seconds = 600;
constexpr long connect_seconds = 10;

struct Transfer {
  CURL* curl;
  const UnixSocketRequest& request;
  const std::function<bool(Bytes)>& sink;
  std::string& error_body;
  bool stopped = false;
};

std::size_t on_body(char* data, std::size_t, std::size_t size, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  long status = 0;
  curl_easy_getinfo(transfer.curl, CURLINFO_RESPONSE_CODE, &status);
  if (status >= 400) {
    transfer.error_body.append(data, std::min(size, error_bytes - transfer.error_body.size()));
    return size;
  }
  if (transfer.sink(as_bytes({data, size}))) return size;
  transfer.stopped = true;
  return 0;
}

int on_progress(void* context, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  const auto& transfer = *static_cast<Transfer*>(context);
  return transfer.request.cancelled != nullptr && transfer.request.cancelled->load() ? 1 : 0;
}

}  // namespace

Result<long> get_over_unix_socket(const UnixSocketRequest& request,
                                  const std::function<bool(Bytes)>& sink, std::string& error_body) {
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  const std::unique_ptr<CURL, void (*)(CURL*)> curl(
      initialised == CURLE_OK ? curl_easy_init() : nullptr, curl_easy_cleanup);
  if (!curl) return Error{ErrorCode::io, "libcurl could not be started"};
  Transfer transfer{curl.get(), request, sink, error_body};
  const std::string url = "http://localhost" + request.path;
  char message[CURL_ERROR_SIZE] = {};
  curl_easy_setopt(curl.get(), CURLOPT_UNIX_SOCKET_PATH, request.socket.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "http");
  curl_easy_setopt(curl.get(), CURLOPT_PROXY, "");
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_CONNECTTIMEOUT, connect_seconds);
  curl_easy_setopt(curl.get(), CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_LOW_SPEED_TIME, silence_seconds);
  curl_easy_setopt(curl.get(), CURLOPT_BUFFERSIZE, 512L * 1024);
  curl_easy_setopt(curl.get(), CURLOPT_ERRORBUFFER, message);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(curl.get(), CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl.get(), CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(curl.get(), CURLOPT_XFERINFODATA, &transfer);
  const CURLcode code = curl_easy_perform(curl.get());
  if (code == CURLE_ABORTED_BY_CALLBACK) return Error{ErrorCode::cancelled, "stopped as asked"};
  if (code != CURLE_OK && !transfer.stopped) {
    const std::string why = message[0] != '\0' ? message : curl_easy_strerror(code);
    return Error{ErrorCode::network, fmt::format("{}: {}", request.socket, why)};
  }
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  return status;
}

std::string encode_path(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~/:@").find(c) != std::string_view::npos;
    if (plain) {
      result += c;
    } else {
      result += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return result;
}

}  // namespace lazaret::net
