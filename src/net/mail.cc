#include "net/mail.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/base64.h"
#include "base/random.h"
#include "base/text.h"
#include "base/time.h"
#include "net/url.h"

namespace lazaret::net {
namespace {

constexpr std::size_t most_subject_bytes = 500;

// What stands between scheme and port.
std::string_view host_of(std::string_view url) {
  const auto begin = url.find("://");
  if (begin == std::string_view::npos) return {};
  std::string_view rest = url.substr(begin + 3);
  rest = rest.substr(0, rest.find('/'));
  if (rest.starts_with('[')) return rest.substr(0, rest.find(']') + 1);
  return rest.substr(0, rest.find(':'));
}

// RFC 2047: at most 75 characters a word, whole characters in each.
std::string header_text(std::string_view text) {
  if (std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; })) return std::string(text);
  std::string encoded;
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = std::min(text.size(), begin + 42);
    while (end < text.size() && end > begin + 1 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    encoded += (encoded.empty() ? "" : "\r\n ") + std::string("=?UTF-8?B?") + encode_base64(text.substr(begin, end - begin)) + "?=";
    begin = end;
  }
  return encoded;
}

// RFC 5322 date-time, from RFC 3339.
std::string date_now() {
  static constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::string text = to_rfc3339(milliseconds_now());
  const int month = (text[5] - '0') * 10 + text[6] - '0';
  return fmt::format("{} {} {} {} +0000", text.substr(8, 2), months[std::clamp(month, 1, 12) - 1], text.substr(0, 4), text.substr(11, 8));
}

struct Upload {
  std::string_view rest;
};

std::size_t read_more(char* buffer, std::size_t size, std::size_t count, void* user) {
  auto& upload = *static_cast<Upload*>(user);
  const std::size_t some = std::min(size * count, upload.rest.size());
  std::memcpy(buffer, upload.rest.data(), some);
  upload.rest.remove_prefix(some);
  return some;
}

}  // namespace

bool is_mail_address(std::string_view text) {
  const auto at = text.find('@');
  if (at == 0 || at == std::string_view::npos || at + 1 == text.size() || text.size() > 254 || text.find('@', at + 1) != std::string_view::npos) return false;
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f && std::strchr("<>()[]\\,;:\"", c) == nullptr; });
}

Result<void> send_mail(const MailServer& server, const Mail& mail) {
  for (const std::string* address : {&mail.from, &mail.to}) {
    if (!is_mail_address(*address)) return Error{ErrorCode::invalid, fmt::format("{} is no mail address", escape(*address))};
  }
  if (mail.subject.size() > most_subject_bytes || mail.subject.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
    return Error{ErrorCode::invalid, "the subject is too long or has several lines"};
  }
  const bool tls = server.url.starts_with("smtps://");
  const std::string_view host = host_of(server.url);
  if ((!tls && !server.url.starts_with("smtp://")) || host.empty()) {
    return Error{ErrorCode::invalid, fmt::format("{} is no mail server; write smtp://HOST:PORT or smtps://HOST:PORT", escape(server.url))};
  }
  std::string text;
  for (const char c : mail.text) {
    if (c == '\r') continue;
    if (c == '\n') text += '\r';
    text += c;
  }
  // Base64, so that no line is too long and no byte is changed on the way.
  std::string body;
  const std::string encoded = encode_base64(text);
  for (std::size_t begin = 0; begin < encoded.size(); begin += 76) body += encoded.substr(begin, 76) + "\r\n";
  const std::string message = fmt::format(
      "Date: {}\r\nFrom: <{}>\r\nTo: <{}>\r\nSubject: {}\r\nMessage-ID: <{}@lazaret.invalid>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
      "Content-Transfer-Encoding: base64\r\nAuto-Submitted: auto-generated\r\n\r\n{}",
      date_now(), mail.from, mail.to, header_text(mail.subject), to_hex(as_bytes(random_bytes(16))), body);

  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  const std::unique_ptr<CURL, void (*)(CURL*)> handle(started == CURLE_OK ? curl_easy_init() : nullptr, curl_easy_cleanup);
  if (handle == nullptr) return Error{ErrorCode::io, "libcurl could not be started"};
  const std::string from = "<" + mail.from + ">", to = "<" + mail.to + ">";
  const std::unique_ptr<curl_slist, void (*)(curl_slist*)> recipients(curl_slist_append(nullptr, to.c_str()), curl_slist_free_all);
  Upload upload{message};
  char why[CURL_ERROR_SIZE] = "";
  CURL* const curl = handle.get();
  curl_easy_setopt(curl, CURLOPT_URL, server.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_USE_SSL, static_cast<long>(tls || !is_loopback_host(host) ? CURLUSESSL_ALL : CURLUSESSL_TRY));
  curl_easy_setopt(curl, CURLOPT_MAIL_FROM, from.c_str());
  curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, recipients.get());
  if (!server.user.empty()) {
    curl_easy_setopt(curl, CURLOPT_USERNAME, server.user.c_str());
    curl_easy_setopt(curl, CURLOPT_PASSWORD, server.password.c_str());
  }
  curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
  curl_easy_setopt(curl, CURLOPT_READFUNCTION, read_more);
  curl_easy_setopt(curl, CURLOPT_READDATA, &upload);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 20L);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT, 120L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
  const CURLcode code = curl_easy_perform(curl);
  if (code == CURLE_OK) return {};
  const ErrorCode kind = code == CURLE_LOGIN_DENIED || code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_USE_SSL_FAILED ? ErrorCode::unauthorized : ErrorCode::network;
  return Error{kind, fmt::format("{}: {}", server.url, why[0] != '\0' ? why : curl_easy_strerror(code))};
}

}  // namespace lazaret::net
