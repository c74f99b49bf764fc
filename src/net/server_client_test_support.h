// A client for tests of the server that sends what it is told, byte for byte.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "base/file_descriptor.h"
#include "base/text.h"
#include "net/http_server.h"

namespace lazaret::net {

struct Answer {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  bool complete = false;  // false: the connection ended first
};

class RawClient {
 public:
  explicit RawClient(std::uint16_t port) : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(port);
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(socket_.get(), reinterpret_cast<sockaddr*>(&name), sizeof name) == 0;
  }

  bool connected() const { return connected_; }
  int descriptor() const { return socket_.get(); }
  bool send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  void end_sending() { shutdown(socket_.get(), SHUT_WR); }
  void close() { socket_.close(); }

  // More bytes into the buffer; false at the end of the connection.
  bool fill() {
    char space[65536];
    const ssize_t got = recv(socket_.get(), space, sizeof space, 0);
    if (got <= 0) return false;
    buffer_.append(space, static_cast<std::size_t>(got));
    return true;
  }
  // Everything until the connection ends.
  std::string rest() {
    while (fill()) {
    }
    return std::exchange(buffer_, "");
  }

  // The next response; to a HEAD one when `head`.
  Answer read(bool head = false) {
    Answer answer;
    std::size_t end;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos)
      if (!fill()) return answer;
    const std::string text = buffer_.substr(0, end + 2);
    buffer_.erase(0, end + 4);
    answer.status = std::atoi(text.c_str() + 9);
    for (std::size_t at = text.find("\r\n") + 2; at < text.size();) {
      const auto line_end = text.find("\r\n", at);
      const std::string line = text.substr(at, line_end - at);
      const auto colon = line.find(": ");
      answer.headers[to_lower(line.substr(0, colon))] = line.substr(colon + 2);
      at = line_end + 2;
    }
    if (answer.status == 100) return read(head);
    if (head || answer.status == 204 || answer.status == 304) {
      answer.complete = true;
    } else if (answer.headers.contains("transfer-encoding")) {
      for (;;) {
        const auto line = take_line();
        if (!line) return answer;
        const std::size_t size = std::strtoul(line->c_str(), nullptr, 16);
        if (!take(size, answer.body)) return answer;
        std::string ignored;
        if (!take(2, ignored)) return answer;
        if (size == 0) break;
      }
      answer.complete = true;
    } else if (answer.headers.contains("content-length")) {
      answer.complete = take(std::strtoull(answer.headers["content-length"].c_str(), nullptr, 10), answer.body);
    } else {
      answer.body = rest();
      answer.complete = true;
    }
    return answer;
  }

  Answer get(const std::string& target, const std::string& headers = "") {
    send("GET " + target + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n");
    return read();
  }

 private:
  bool take(std::size_t size, std::string& out) {
    while (buffer_.size() < size)
      if (!fill()) {
        out += std::exchange(buffer_, "");
        return false;
      }
    out.append(buffer_, 0, size);
    buffer_.erase(0, size);
    return true;
  }
  std::optional<std::string> take_line() {
    std::size_t end;
    while ((end = buffer_.find("\r\n")) == std::string::npos)
      if (!fill()) return std::nullopt;
    std::string line = buffer_.substr(0, end);
    buffer_.erase(0, end + 2);
    return line;
  }

  FileDescriptor socket_;
  bool connected_ = false;
  std::string buffer_;
};

// A server on the loopback with any port. Fails the test when it does not start.
inline std::unique_ptr<Server> start_server(Handler handler, ServerOptions options = {}) {
  if (options.listen == ServerOptions().listen) options.listen = {"127.0.0.1:0"};
  auto server = Server::start(std::move(options), std::move(handler));
  if (!server) {
    ADD_FAILURE() << server.error().message;
    std::abort();
  }
  return std::move(server).value();
}

}  // namespace lazaret::net
