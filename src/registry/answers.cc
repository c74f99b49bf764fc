#include "registry/answers.h"

#include <fmt/format.h>

#include <charconv>

#include "base/json_writer.h"
#include "base/text.h"

namespace lazaret::registry {
namespace {

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

net::Response error(int status, std::string_view code, std::string_view message, std::string_view detail) {
  std::string body = "{\"errors\":[{\"code\":";
  append_json_string(body, code);
  body += ",\"message\":";
  append_json_string(body, escape(message, 2000));
  if (!detail.empty()) body.append(",\"detail\":").append(detail);
  body += "}]}\n";
  return json(status, std::move(body));
}

net::Response json(int status, std::string body) {
  net::Response response;
  response.status = status;
  response.add("Content-Type", "application/json");
  response.body = std::move(body);
  return response;
}

net::Response empty(int status) {
  net::Response response;
  response.status = status;
  if (status != 204 && status != 304) response.body = std::string();
  return response;
}

void add_warning(net::Response& response, std::string_view text) {
  std::string quoted = "299 - \"";
  for (const char c : escape(text, 1000)) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c >= ' ' && c < 0x7f ? c : '?';
  }
  response.add("Warning", quoted + "\"");
}

std::string percent_encode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~' || c == '/';
    if (plain) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::optional<ContentRange> parse_content_range(std::string_view header) {
  header = trim(header);
  if (header.starts_with("bytes ")) header.remove_prefix(6);
  if (const std::size_t slash = header.find('/'); slash != std::string_view::npos) header = header.substr(0, slash);
  const std::size_t dash = header.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto begin = number(header.substr(0, dash)), end = number(header.substr(dash + 1));
  if (!begin || !end || *end < *begin) return std::nullopt;
  return ContentRange{*begin, *end};
}

}  // namespace lazaret::registry
