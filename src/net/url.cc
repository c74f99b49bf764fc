#include "net/url.h"

#include <curl/curl.h>
#include <fmt/core.h>

#include <algorithm>
#include <memory>

#include "base/text.h"
#include "net/address.h"

namespace lazaret::net {
namespace {

using Handle = std::unique_ptr<CURLU, void (*)(CURLU*)>;

std::optional<std::string> part_of(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return std::nullopt;
  std::string result = text;
  curl_free(text);
  return result;
}

std::optional<Url> read(std::string_view first, std::string_view second) {
  const Handle handle(curl_url(), curl_url_cleanup);
  if (!handle) return std::nullopt;
  for (const std::string_view text : {first, second}) {
    if (text.empty()) continue;
    // What a C string cannot hold, and control characters, are refused before libcurl sees them.
    if (std::any_of(text.begin(), text.end(),
                    [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }))
      return std::nullopt;
    if (curl_url_set(handle.get(), CURLUPART_URL, std::string(text).c_str(),
                     CURLU_DISALLOW_USER | CURLU_URLENCODE | CURLU_PATH_AS_IS) != CURLUE_OK)
      return std::nullopt;
  }
  Url url;
  url.scheme = to_lower(part_of(handle.get(), CURLUPART_SCHEME).value_or(""));
  url.host = to_lower(part_of(handle.get(), CURLUPART_HOST).value_or(""));
  url.path = part_of(handle.get(), CURLUPART_PATH).value_or("/");
  url.query = part_of(handle.get(), CURLUPART_QUERY).value_or("");
  const std::string port = part_of(handle.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT).value_or("");
  if ((url.scheme != "http" && url.scheme != "https") || url.host.empty()) return std::nullopt;
  // Names in other scripts come as xn--...: what a resolver would first have to map to another name
  // cannot be compared.
  if (url.host.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-._[]:") != std::string::npos)
    return std::nullopt;
  if (port.empty() || port.size() > 5 || port.find_first_not_of("0123456789") != port.npos)
    return std::nullopt;
  const unsigned long number = std::stoul(port);
  if (number == 0 || number > 65535) return std::nullopt;
  url.port = static_cast<std::uint16_t>(number);
  return url;
}

}  // namespace

std::string Url::str() const {
  const bool is_default = port == (scheme == "https" ? 443 : 80);
  std::string text = scheme + "://" + host;
  if (!is_default) text += ":" + std::to_string(port);
  text += path;
  if (!query.empty()) text += "?" + query;
  return text;
}

std::optional<Url> parse_url(std::string_view text) {
  // libcurl guesses a scheme that is missing, and takes one or three slashes for two.
  const auto colon = text.find("://");
  if (colon == std::string_view::npos || text.substr(colon + 3).starts_with('/'))
    return std::nullopt;
  if (text.find_first_of("/?#") < colon) return std::nullopt;
  return read(text, "");
}

std::optional<Url> resolve_url(const Url& base, std::string_view reference) {
  // With a scheme of its own (RFC 3986, section 4.2: no relative path has a colon in its first
  // part).
  if (const auto end = reference.find_first_of(":/?#");
      end != std::string_view::npos && reference[end] == ':')
    return parse_url(reference);
  if (reference.starts_with("///")) return std::nullopt;
  return read(base.str(), reference);
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

std::string encode_form(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::string text;
  for (const auto& [name, value] : fields) {
    if (!text.empty()) text += '&';
    text += encode_path(name) + "=" + encode_path(value);
  }
  return text;
}

bool lists_host(const std::vector<std::string>& hosts, const Url& url) {
  const std::string with_port = fmt::format("{}:{}", url.host, url.port);
  return std::any_of(hosts.begin(), hosts.end(), [&](const std::string& host) {
    return equals_ignore_case(host, url.host) || equals_ignore_case(host, with_port);
  });
}

bool is_loopback_host(std::string_view host) {
  if (host == "localhost") return true;
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const auto address = IpAddress::parse(host);
  return address && (address->is_ipv4() ? address->bytes[12] == 127 : address->str() == "::1");
}

}  // namespace lazaret::net
