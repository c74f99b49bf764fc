#include "intel/entry_check.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/digest.h"
#include "base/text.h"
#include "format/wallet.h"
#include "intel/observations.h"

namespace lazaret::intel {
namespace {

constexpr std::size_t value_bytes = 512, shortest_value = 8;
constexpr std::string_view empty_file = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

bool is_hex(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); });
}

std::optional<std::uint32_t> ipv4(std::string_view text) {
  in_addr address{};
  if (text.size() > 15 || ::inet_pton(AF_INET, std::string(text).c_str(), &address) != 1) return std::nullopt;
  return ntohl(address.s_addr);
}
bool is_ipv6(std::string_view text) {
  in6_addr address{};
  return text.size() <= 45 && ::inet_pton(AF_INET6, std::string(text).c_str(), &address) == 1;
}

// RFC 1122, 1918, 3927, 5771, 6598: not one machine, or not the same one for everybody.
bool is_no_public_address(std::uint32_t address) {
  struct Net {
    std::uint32_t first;
    unsigned bits;
  };
  static constexpr std::array nets = {Net{0x00000000, 8},  Net{0x0a000000, 8},  Net{0x7f000000, 8},  Net{0xac100000, 12}, Net{0xc0a80000, 16},
                                      Net{0xa9fe0000, 16}, Net{0x64400000, 10}, Net{0xe0000000, 3}};
  return std::any_of(nets.begin(), nets.end(), [&](const Net& net) { return (address >> (32 - net.bits)) == (net.first >> (32 - net.bits)); });
}

bool is_domain(std::string_view name) {
  if (name.size() > 253 || name.find('.') == std::string_view::npos) return false;
  for (const std::string_view label : split(name, '.')) {
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
    for (const char c : label) {
      if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_')) return false;
    }
  }
  // The last label of a name is never a number (RFC 1123, 2.1).
  const auto last = name.rfind('.');
  return !std::all_of(name.begin() + static_cast<std::ptrdiff_t>(last) + 1, name.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::optional<std::string> check_host(std::string_view host, bool whole_url) {
  if (const auto address = ipv4(host)) {
    if (is_no_public_address(*address)) return "the address is private, local or for many, so that it says nothing";
    return std::nullopt;
  }
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (is_ipv6(host)) {
    if (host == "::1" || host == "::" || host.starts_with("fe80:") || host.starts_with("fc") || host.starts_with("fd") || host.starts_with("ff")) {
      return "the address is private, local or for many, so that it says nothing";
    }
    return std::nullopt;
  }
  if (!is_domain(host)) return "it is neither an address nor the name of a host";
  // Whether a host is one that everybody uses is known where addresses become observations: of such a host these have the URL alone.
  std::vector<store::Observation> observations;
  observe_address(std::string(host) + ":1", true, observations);
  if (observations.empty() && !whole_url) return "everybody uses this host: name the whole URL";
  if (!whole_url && detect::incident_data().is_pool(host)) return "it is a mining pool, which lazaret knows and which says nothing of who mines there";
  return std::nullopt;
}

std::optional<std::string> check_address(ImportedEntry& entry) {
  entry.value = to_lower(entry.value);
  std::string_view host = entry.value;
  const bool bare_ipv6 = is_ipv6(host);
  if (const auto colon = host.rfind(':'); !bare_ipv6 && colon != std::string_view::npos) {
    const std::string_view port = host.substr(colon + 1);
    if (port.empty() || port.size() > 5 || !std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; })) return "it is no host with a port";
    host = host.substr(0, colon);
  }
  return check_host(host, false);
}

std::optional<std::string> check_url(const ImportedEntry& entry) {
  const auto scheme = entry.value.find("://");
  if (scheme == std::string::npos || scheme == 0) return "it is no URL";
  std::string_view rest = std::string_view(entry.value).substr(scheme + 3);
  const auto slash = rest.find_first_of("/?#");
  std::string_view authority = rest.substr(0, slash);
  if (const auto at = authority.rfind('@'); at != std::string_view::npos) authority.remove_prefix(at + 1);
  const auto colon = authority.rfind(':');
  const std::string host = to_lower(authority.starts_with('[') ? authority.substr(0, authority.find(']') + 1) : authority.substr(0, colon));
  const bool has_path = slash != std::string_view::npos && rest.size() > slash + 1;
  return check_host(host, has_path);
}

}  // namespace

std::string refang(std::string_view text) {
  std::string result(trim(text));
  const auto replace_all = [&](std::string_view from, std::string_view to) {
    for (std::size_t at = result.find(from); at != std::string::npos; at = result.find(from, at + to.size())) result.replace(at, from.size(), to);
  };
  for (const auto& [from, to] : {std::pair("[.]", "."), std::pair("(.)", "."), std::pair("[dot]", "."), std::pair("[:]", ":"), std::pair("[://]", "://")}) replace_all(from, to);
  if (result.size() > 4 && equals_ignore_case(std::string_view(result).substr(0, 4), "hxxp")) result.replace(0, 4, "http");
  return result;
}

std::string type_of_word(std::string_view word) {
  if (word.starts_with("sha256:") && Digest::parse(to_lower(word))) return "image";
  if (word.size() == 64 && is_hex(word)) return "file-sha256";
  if (is_hex(word) && (word.size() == 32 || word.size() == 40 || word.size() == 128)) return "hash";
  if (word.find("://") != std::string_view::npos) return "url";
  if (const auto wallet = format::validate_wallet(word)) return wallet->type;
  std::string_view host = word;
  if (const auto colon = word.rfind(':'); colon != std::string_view::npos && !is_ipv6(word)) host = word.substr(0, colon);
  if (ipv4(host) || is_ipv6(host)) return "c2";
  if (is_domain(to_lower(host))) return host.size() == word.size() ? "domain" : "c2";
  return "";
}

std::optional<std::string> check_entry(ImportedEntry& entry) {
  const std::string& type = entry.type;
  if (type == "hash") return "only SHA-256 digests are compared";
  entry.value = type == "token" || type == "path" || type == "login" ? std::string(trim(entry.value)) : refang(entry.value);
  const bool plain = std::all_of(entry.value.begin(), entry.value.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (entry.value.empty() || !plain || entry.value.size() > value_bytes) return fmt::format("a value has 1 to {} printable characters without blanks", value_bytes);
  if (type == "file-sha256") {
    entry.value = to_lower(entry.value);
    if (!Digest::parse("sha256:" + entry.value)) return "a SHA-256 digest has 64 hex digits";
    if (entry.value == empty_file) return "it is the digest of an empty file";
    return std::nullopt;
  }
  if (type == "image") {
    entry.value = to_lower(entry.value);
    if (!Digest::parse(entry.value)) return "the digest of an image is sha256: and 64 hex digits";
    return std::nullopt;
  }
  if (type == "publisher" || type == "repository") {
    const auto slashes = std::count(entry.value.begin(), entry.value.end(), '/');
    if (type == "publisher" ? slashes != 1 : slashes < 2) return "a publisher is registry/name, a repository registry/name/name";
    return std::nullopt;
  }
  if (entry.value.size() < shortest_value) return fmt::format("it has fewer than {} characters and would be found by chance", shortest_value);
  if (type == "c2") return check_address(entry);
  if (type == "domain") {
    entry.value = to_lower(entry.value);
    while (entry.value.ends_with('.')) entry.value.pop_back();
    if (!is_domain(entry.value)) return "it is no domain";
    return check_host(entry.value, false);
  }
  if (type == "url") return check_url(entry);
  if (type.starts_with("wallet.")) {
    const auto wallet = format::validate_wallet(entry.value);
    if (!wallet) return "it is no wallet: the checksum is wrong";
    entry.type = wallet->type;
    if (detect::incident_data().wallet_stop_list.contains(entry.value)) return "it is a wallet for donations or of documentation";
    return std::nullopt;
  }
  if (type == "login" || type == "token") return std::nullopt;
  if (type == "path") return entry.value.starts_with('/') ? std::nullopt : std::optional<std::string>("a path begins with /");
  return "lazaret has no use for this type";
}

}  // namespace lazaret::intel
