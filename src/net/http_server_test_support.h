// An HTTP or HTTPS server on the loopback for tests: what it answers, byte for byte, is up to them.
#pragma once

#include <arpa/inet.h>
#include <fmt/core.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/text.h"

namespace lazaret::net {

struct ServerRequest {
  std::string method, target;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;

  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
};

using ServerHeaders = std::vector<std::pair<std::string, std::string>>;

// A whole answer, with its Content-Length.
inline std::string reply(int status, std::string_view body = {},
                         const ServerHeaders& headers = {}) {
  std::string text = fmt::format(
      "HTTP/1.1 {} Status\r\nConnection: close\r\nContent-Length: {}\r\n", status, body.size());
  for (const auto& [name, value] : headers) text += name + ": " + value + "\r\n";
  return text + "\r\n" + std::string(body);
}

inline std::string redirect(int status, const std::string& location) {
  return reply(status, "elsewhere", {{"Location", location}});
}

class TestServer {
 public:
  // How an answer is sent; false when the client is gone.
  using Send = std::function<bool(std::string_view)>;
  // Gives the bytes of an answer, or sends them itself and gives "". The connection ends then.
  using Handler = std::function<std::string(const ServerRequest&, const Send&)>;
  enum class Speaks { http, https };

  explicit TestServer(Handler handler, Speaks speaks = Speaks::http,
                      const std::string& address = "127.0.0.1", std::uint16_t port = 0)
      : handler_(std::move(handler)), address_(address) {
    if (speaks == Speaks::https) make_tls();
    if (address.starts_with('/')) {
      listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_un name{};
      name.sun_family = AF_UNIX;
      address.copy(name.sun_path, sizeof name.sun_path - 1);
      EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
    } else {
      listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_in name{};
      name.sin_family = AF_INET;
      name.sin_port = htons(port);
      inet_pton(AF_INET, address.c_str(), &name.sin_addr);
      const int reuse = 1;
      setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof reuse);
      EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
      socklen_t size = sizeof name;
      getsockname(listener_, reinterpret_cast<sockaddr*>(&name), &size);
      port_ = ntohs(name.sin_port);
    }
    EXPECT_EQ(listen(listener_, 64), 0);
    accepter_ = std::thread([this] { accept_all(); });
  }

  ~TestServer() {
    stopping_ = true;
    shutdown(listener_, SHUT_RDWR);
    accepter_.join();
    close(listener_);
    {
      const std::lock_guard lock(mutex_);
      for (const int connection : connections_) shutdown(connection, SHUT_RDWR);
    }
    for (std::thread& thread : threads_) thread.join();
  }
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  std::uint16_t port() const { return port_; }
  std::string host() const { return fmt::format("{}:{}", address_, port_); }
  std::string url(const std::string& path = "/") const {
    return (tls_ ? "https://" : "http://") + host() + path;
  }
  std::vector<ServerRequest> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  bool stopping() const { return stopping_; }

  // So many connections are closed as soon as they are there.
  std::atomic<int> drops{0};

 private:
  void make_tls() {
    tls_.reset(SSL_CTX_new(TLS_server_method()));
    const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
    const std::unique_ptr<X509, void (*)(X509*)> certificate(X509_new(), X509_free);
    X509_set_version(certificate.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
    X509_set_pubkey(certificate.get(), key.get());
    X509_NAME* const name = X509_get_subject_name(certificate.get());
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("registry.example"), -1, -1,
                               0);
    X509_set_issuer_name(certificate.get(), name);
    EXPECT_GT(X509_sign(certificate.get(), key.get(), EVP_sha256()), 0);
    EXPECT_EQ(SSL_CTX_use_certificate(tls_.get(), certificate.get()), 1);
    EXPECT_EQ(SSL_CTX_use_PrivateKey(tls_.get(), key.get()), 1);
  }

  void accept_all() {
    for (;;) {
      const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (connection < 0) {
        if (stopping_) return;
        continue;
      }
      if (stopping_ || drops.load() > 0) {
        if (drops.load() > 0) --drops;
        close(connection);
        continue;
      }
      const std::lock_guard lock(mutex_);
      connections_.push_back(connection);
      threads_.emplace_back([this, connection] { serve(connection); });
    }
  }

  void serve(int connection) {
    sigset_t pipes;
    sigemptyset(&pipes);
    sigaddset(&pipes, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipes, nullptr);  // of clients that leave early
    const timeval patience{20, 0};
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    std::unique_ptr<SSL, void (*)(SSL*)> ssl(tls_ ? SSL_new(tls_.get()) : nullptr, SSL_free);
    bool good = true;
    if (ssl) {
      SSL_set_fd(ssl.get(), connection);
      good = SSL_accept(ssl.get()) == 1;
    }
    const auto receive = [&](char* data, int size) {
      return ssl ? SSL_read(ssl.get(), data, size)
                 : static_cast<int>(read(connection, data, static_cast<std::size_t>(size)));
    };
    const Send send_all = [&](std::string_view bytes) {
      while (!bytes.empty()) {
        const auto size =
            ssl ? SSL_write(ssl.get(), bytes.data(), static_cast<int>(bytes.size()))
                : static_cast<int>(send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL));
        if (size <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(size));
      }
      return true;
    };
    if (good) {
      ServerRequest request;
      if (read_request(receive, request)) {
        {
          const std::lock_guard lock(mutex_);
          requests_.push_back(request);
        }
        const std::string answer = handler_(request, send_all);
        if (!answer.empty()) send_all(answer);
        if (ssl) SSL_shutdown(ssl.get());
      } else if (!ssl) {
        send_all(reply(400, "not HTTP"));
      }
    }
    const std::lock_guard lock(mutex_);
    std::erase(connections_, connection);
    ssl.reset();
    // What was not read would turn the end of the answer into a reset.
    shutdown(connection, SHUT_WR);
    const timeval moment{0, 200000};
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &moment, sizeof moment);
    char rest[4096];
    for (int i = 0; i < 64 && read(connection, rest, sizeof rest) > 0; ++i) {
    }
    close(connection);
  }

  template <typename Receive>
  static bool read_request(const Receive& receive, ServerRequest& request) {
    std::string text;
    char buffer[8192];
    std::size_t end = std::string::npos;
    while ((end = text.find("\r\n\r\n")) == std::string::npos) {
      const int size = receive(buffer, sizeof buffer);
      if (size <= 0 || text.size() > (1 << 20)) return false;
      text.append(buffer, static_cast<std::size_t>(size));
      // A TLS hello, which has no line ends to wait for.
      if (text[0] < 'A' || text[0] > 'Z') return false;
    }
    const auto lines = split(std::string_view(text).substr(0, end), '\n');
    const auto words = split(trim(lines[0]), ' ');
    if (words.size() != 3) return false;
    request.method = words[0];
    request.target = words[1];
    for (std::size_t i = 1; i < lines.size(); ++i) {
      const auto colon = lines[i].find(':');
      if (colon == std::string_view::npos) continue;
      request.headers[to_lower(lines[i].substr(0, colon))] = trim(lines[i].substr(colon + 1));
    }
    request.body = text.substr(end + 4);
    const std::string length = request.header("content-length");
    const std::size_t wanted = length.empty() ? 0 : std::stoul(length);
    while (request.body.size() < wanted) {
      const int size = receive(buffer, sizeof buffer);
      if (size <= 0) return false;
      request.body.append(buffer, static_cast<std::size_t>(size));
    }
    return true;
  }

  struct FreeTls {
    void operator()(SSL_CTX* tls) const { SSL_CTX_free(tls); }
  };

  const Handler handler_;
  const std::string address_;
  std::unique_ptr<SSL_CTX, FreeTls> tls_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  std::vector<ServerRequest> requests_;
  std::vector<int> connections_;
  std::list<std::thread> threads_;
  std::thread accepter_;
};

// Sets a variable of the environment for one scope; null removes it.
class ScopedVariable {
 public:
  ScopedVariable(const char* name, const char* value) : name_(name) {
    if (const char* old = getenv(name); old != nullptr) old_ = old, had_ = true;
    value != nullptr ? setenv(name, value, 1) : unsetenv(name);
  }
  ~ScopedVariable() { had_ ? setenv(name_, old_.c_str(), 1) : unsetenv(name_); }
  ScopedVariable(const ScopedVariable&) = delete;
  ScopedVariable& operator=(const ScopedVariable&) = delete;

 private:
  const char* const name_;
  std::string old_;
  bool had_ = false;
};

}  // namespace lazaret::net
