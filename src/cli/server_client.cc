#include "cli/server_client.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "base/base64.h"
#include "base/text.h"
#include "cli/server_configuration.h"
#include "net/url.h"

namespace lazaret::cli {
namespace {

constexpr std::uint64_t most_answer_bytes = 256ull << 20;

Result<std::string> read_password(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string password;
  if (!file || !std::getline(file, password)) {
    return Error{ErrorCode::not_found, fmt::format("cannot read the password in {}: name the file with --password-file, or run this as the user that runs the server", path)};
  }
  if (password.ends_with('\r')) password.pop_back();
  return password;
}

// Where a server that listens there answers on this machine.
std::string local_address(std::string_view listen) {
  const auto colon = listen.rfind(':');
  std::string_view host = listen.substr(0, colon);
  if (host.empty() || host == "0.0.0.0" || host == "[::]") host = "127.0.0.1";
  return std::string(host) + std::string(listen.substr(colon));
}

std::string describe(const net::HttpResponse& response, const format::JsonValue& body) {
  const std::string_view detail = body.text("detail"), advice = body.text("advice");
  if (detail.empty()) return fmt::format("the server answered {}: {}", response.status, response.body.substr(0, 300));
  return advice.empty() ? std::string(detail) : fmt::format("{}. {}", detail, advice);
}

Error refusal(const net::HttpResponse& response) {
  const ErrorCode code = response.status == 404                              ? ErrorCode::not_found
                         : response.status == 401 || response.status == 403 ? ErrorCode::unauthorized
                         : response.status == 429 || response.status >= 500 ? ErrorCode::busy
                                                                             : ErrorCode::invalid;
  return {code, describe(response, format::parse_json(response.body).value)};
}

Error unreachable(const Error& error, const std::string& server) {
  if (error.code != ErrorCode::network) return error;
  return {ErrorCode::network, fmt::format("no server answers at {} ({}): start `lazaret serve`, or name another with --server", server, error.message)};
}

}  // namespace

Result<ServerClient> ServerClient::open(const ServerAccess& access) {
  const auto configuration = read_configuration(access.serve);
  if (!configuration) return configuration.error();
  auto client = locate(access, *configuration);
  if (!client) return client;
  const auto password = read_password(access.password_file.empty() ? configuration->data + "/admin-password" : access.password_file);
  if (!password) return password.error();
  client->authorization_ = "Basic " + encode_base64(access.user + ":" + *password);
  return client;
}

Result<ServerClient> ServerClient::open_anonymous(const ServerAccess& access) {
  const auto configuration = read_configuration(access.serve);
  if (!configuration) return configuration.error();
  return locate(access, *configuration);
}

Result<ServerClient> ServerClient::locate(const ServerAccess& access, const server::Configuration& configuration) {
  ServerClient client;
  client.http_ = std::make_unique<net::HttpClient>();
  if (!access.server.empty()) {
    client.server_ = access.server.find("://") == std::string::npos ? "https://" + access.server : access.server;
    while (client.server_.ends_with('/')) client.server_.pop_back();
  } else {
    const std::string& listen = configuration.listen.front();
    if (listen.starts_with("unix:")) {
      client.server_ = "http://localhost";
      client.unix_socket_ = listen.substr(5);
    } else {
      client.server_ = fmt::format("{}://{}", configuration.certificate.empty() ? "http" : "https", local_address(listen));
    }
  }
  const auto url = net::parse_url(client.server_);
  if (!url || url->path != "/" || !url->query.empty()) {
    return Error{ErrorCode::invalid, fmt::format("--server {} is no address of a server; write it like https://registry.example or http://127.0.0.1:5000", access.server)};
  }
  // On this machine nobody stands between; elsewhere the password goes over TLS or not at all.
  if (net::is_loopback_host(url->host)) {
    client.insecure_hosts_.push_back(fmt::format("{}:{}", url->host, url->port));
  } else if (url->scheme == "http") {
    return Error{ErrorCode::invalid, fmt::format("--server {}: a password is sent to another machine over https only", access.server)};
  }
  return client;
}

void ServerClient::prepare(net::HttpRequest& request) const {
  request.unix_socket = unix_socket_;
  request.authorization = authorization_;
  request.insecure_hosts = insecure_hosts_;
  request.max_body = most_answer_bytes;
  request.follow_redirects = false;
}

Result<std::string> ServerClient::ask_text(net::HttpRequest request) {
  prepare(request);
  auto response = http_->send(request);
  if (!response) return unreachable(response.error(), unix_socket_.empty() ? server_ : unix_socket_);
  if (response->status / 100 != 2) return refusal(*response);
  return std::move(response->body);
}

Result<format::JsonValue> ServerClient::ask(net::HttpRequest request) {
  const auto text = ask_text(std::move(request));
  if (!text) return text.error();
  if (text->empty()) return format::JsonValue();
  format::JsonOptions options;
  options.max_values = 50'000'000;
  format::JsonDocument document = format::parse_json(*text, options);
  if (!document.valid) return Error{ErrorCode::corrupt, fmt::format("{} does not answer as a lazaret server does", server_)};
  return std::move(document.value);
}

Result<std::string> ServerClient::get_text(const std::string& path, const Query& query) {
  net::HttpRequest request;
  request.url = server_ + "/api/v1" + path + (query.empty() ? "" : "?" + net::encode_form(query));
  return ask_text(std::move(request));
}

Result<std::uint64_t> ServerClient::save(const std::string& path, const std::string& file) {
  net::HttpRequest request;
  request.url = server_ + "/api/v1" + path;
  prepare(request);
  request.max_body = UINT64_MAX;
  const std::string unfinished = file + ".part";
  std::ofstream out(unfinished, std::ios::binary | std::ios::trunc);
  if (!out) return Error{ErrorCode::io, fmt::format("cannot write {}: check that its folder exists and may be written", unfinished)};
  std::uint64_t size = 0;
  const auto response = http_->send(request, [&](const net::HttpResponse&, Bytes piece) {
    out.write(reinterpret_cast<const char*>(piece.data()), static_cast<std::streamsize>(piece.size()));
    size += piece.size();
    return out.good();
  });
  out.close();
  const auto give_up = [&](Error error) {
    std::error_code ignored;
    std::filesystem::remove(unfinished, ignored);
    return error;
  };
  if (!out) return give_up({ErrorCode::io, fmt::format("cannot write {}: is the disk full?", unfinished)});
  if (!response) return give_up(unreachable(response.error(), unix_socket_.empty() ? server_ : unix_socket_));
  if (response->status != 200) return give_up(refusal(*response));
  std::error_code problem;
  std::filesystem::rename(unfinished, file, problem);
  if (problem) return give_up({ErrorCode::io, fmt::format("cannot write {}: {}", file, problem.message())});
  return size;
}

Result<format::JsonValue> ServerClient::get(const std::string& path, const Query& query) {
  net::HttpRequest request;
  request.url = server_ + "/api/v1" + path + (query.empty() ? "" : "?" + net::encode_form(query));
  return ask(std::move(request));
}

Result<format::JsonValue> ServerClient::send(const std::string& method, const std::string& path, std::string body) {
  net::HttpRequest request;
  request.method = method;
  request.url = server_ + "/api/v1" + path;
  if (!body.empty()) request.headers.emplace_back("Content-Type", "application/json");
  request.body = std::move(body);
  return ask(std::move(request));
}

Result<void> ServerClient::each(const std::string& path, const Query& query, const std::function<bool(const format::JsonValue&)>& visit, std::size_t most) {
  Query now = query;
  now.emplace_back("limit", std::to_string(std::min<std::size_t>(most, 1000)));
  for (std::size_t visited = 0;;) {
    const auto page = get(path, now);
    if (!page) return page.error();
    const format::JsonValue* items = page->find("items");
    const format::JsonValue::Array* list = items != nullptr ? items->as_array() : nullptr;
    if (list == nullptr) return Error{ErrorCode::corrupt, fmt::format("{} does not answer as a lazaret server does", server_)};
    for (const format::JsonValue& item : *list) {
      if (!visit(item) || ++visited == most) return {};
    }
    const std::string next(page->text("next"));
    if (next.empty()) return {};
    now = query;
    now.emplace_back("limit", "1000");
    now.emplace_back("cursor", next);
  }
}

}  // namespace lazaret::cli
