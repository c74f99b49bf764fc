// Web addresses as a client needs them: taken apart, resolved against one another, compared.
//
// The taking apart is libcurl's own, since libcurl also connects: two readers of one URL that see
// different hosts ("https://good.example\@evil.example/") are how credentials reach the wrong one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lazaret::net {

// An http or https address without user information and fragment.
struct Url {
  std::string scheme;  // "http" or "https"
  std::string host;    // lower case; IPv6 addresses in brackets
  std::uint16_t port = 0;
  std::string path;   // "/" at least; percent-encoded
  std::string query;  // without "?"; percent-encoded

  std::string str() const;
  // Scheme, host and port: what a server is to the rules about credentials.
  bool same_origin(const Url& other) const {
    return scheme == other.scheme && host == other.host && port == other.port;
  }
};

// Nothing for other schemes, user information ("https://user@host/"), bytes that do not belong into
// a URL, and everything malformed.
std::optional<Url> parse_url(std::string_view text);

// What a Location header means that came with an answer from `base` (RFC 3986, section 5).
std::optional<Url> resolve_url(const Url& base, std::string_view reference);

// Text as a path or a part of one: all but letters, digits and -._~/:@ become %XX.
std::string encode_path(std::string_view text);

// "a=1&b=x%20y": names and values for a query or a form.
std::string encode_form(const std::vector<std::pair<std::string, std::string>>& fields);

// Whether a list of "host" (any port) and "host:port" names the server of a URL.
bool lists_host(const std::vector<std::string>& hosts, const Url& url);

// Whether a host, with or without the brackets of IPv6, is this machine by its name or address: nobody stands between. A name that only begins like an address
// ("127.example") is not.
bool is_loopback_host(std::string_view host);

}  // namespace lazaret::net
