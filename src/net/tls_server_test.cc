#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/mman.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/digest.h"
#include "net/http_client.h"
#include "net/server_client_test_support.h"
#include "net/tls_context.h"

namespace lazaret::net {
namespace {

// A folder with a certificate and its key, gone at the end.
class CertificateFolder {
 public:
  CertificateFolder() {
    char name[] = "/tmp/lazaret-tls-XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~CertificateFolder() { std::filesystem::remove_all(folder_); }
  TlsFiles files() const { return {folder_ + "/certificate.pem", folder_ + "/key.pem"}; }

  void write(const std::string& common_name) const {
    const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
    const std::unique_ptr<X509, void (*)(X509*)> certificate(X509_new(), X509_free);
    X509_set_version(certificate.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
    X509_set_pubkey(certificate.get(), key.get());
    X509_NAME* const name = X509_get_subject_name(certificate.get());
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1, 0);
    X509_set_issuer_name(certificate.get(), name);
    X509_sign(certificate.get(), key.get(), EVP_sha256());
    const auto to = [&](const std::string& path, auto write_pem) {
      const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen((path + ".new").c_str(), "w"), std::fclose);
      ASSERT_TRUE(file);
      write_pem(file.get());
      std::fflush(file.get());
      std::filesystem::rename(path + ".new", path);
    };
    to(files().certificate, [&](FILE* file) { PEM_write_X509(file, certificate.get()); });
    to(files().key, [&](FILE* file) { PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
  }

 private:
  std::string folder_;
};

// The common name of the certificate a server shows, over a connection that then goes on.
class TlsProbe {
 public:
  explicit TlsProbe(std::uint16_t port, int most = 0) : client_(port), context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free) {
    if (most != 0) SSL_CTX_set_max_proto_version(context_.get(), most);
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_fd(ssl_.get(), client_.descriptor());
    connected_ = SSL_connect(ssl_.get()) == 1;
  }
  bool connected() const { return connected_; }
  std::string name() const {
    const std::unique_ptr<X509, void (*)(X509*)> certificate(SSL_get1_peer_certificate(ssl_.get()), X509_free);
    char text[64] = "";
    if (certificate) X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, text, sizeof text);
    return text;
  }
  std::string get(const std::string& path) {
    const std::string request = "GET " + path + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    if (SSL_write(ssl_.get(), request.data(), static_cast<int>(request.size())) <= 0) return "";
    std::string text;
    char space[4096];
    for (int got; (got = SSL_read(ssl_.get(), space, sizeof space)) > 0;) text.append(space, static_cast<std::size_t>(got));
    return text;
  }

 private:
  RawClient client_;
  std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context_;
  std::unique_ptr<SSL, void (*)(SSL*)> ssl_{nullptr, SSL_free};
  bool connected_ = false;
};

HttpRequest request_to(const Server& server, const std::string& path) {
  HttpRequest request;
  request.url = fmt::format("https://127.0.0.1:{}{}", server.port(), path);
  request.insecure_hosts = {"127.0.0.1"};
  return request;
}

TEST(TlsServer, ServesMemoryFilesAndUploads) {
  const CertificateFolder folder;
  folder.write("one");
  std::string large(9 << 20, '\0');
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 7 >> 3);
  auto file = std::make_shared<FileDescriptor>(memfd_create("file", MFD_CLOEXEC));
  ASSERT_EQ(write(file->get(), large.data(), large.size()), static_cast<ssize_t>(large.size()));
  const auto shared = std::make_shared<const std::string>(large);
  ServerOptions options;
  options.tls = folder.files();
  const auto server = start_server(
      [&](const ExchangePtr& exchange) {
        EXPECT_TRUE(exchange->request().tls);
        EXPECT_EQ(exchange->request().scheme, "https");
        Response response;
        if (exchange->request().path == "/file") response.body = FileRegion{file, 0, large.size()};
        if (exchange->request().path == "/memory") response.body = shared;
        if (exchange->request().path == "/small") response.body = "small";
        if (exchange->request().method == "POST") {
          exchange->read_body(16 << 20, [exchange](std::string body) { exchange->respond(text_response(200, sha256(as_bytes(body)).str())); });
          return;
        }
        exchange->respond(std::move(response));
      },
      options);
  HttpClient client;
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(client.send(request_to(*server, "/small"))->body, "small");
    EXPECT_TRUE(client.send(request_to(*server, "/file"))->body == large);
    EXPECT_TRUE(client.send(request_to(*server, "/memory"))->body == large);
    auto post = request_to(*server, "/post");
    post.method = "POST";
    post.body = large;
    EXPECT_EQ(client.send(post)->body, sha256(as_bytes(large)).str());
  }
  EXPECT_EQ(server->statistics().accepted, 1u);
}

TEST(TlsServer, ANewCertificateIsUsedWithoutDroppingConnections) {
  const CertificateFolder folder;
  folder.write("first.example");
  ServerOptions options;
  options.tls = folder.files();
  const auto server = start_server([](const ExchangePtr& exchange) { exchange->respond(text_response(200, "here")); }, options);
  TlsProbe before(server->port());
  EXPECT_EQ(before.name(), "first.example");
  folder.write("second.example");
  ASSERT_TRUE(server->reload_tls().ok());
  EXPECT_EQ(TlsProbe(server->port()).name(), "second.example");
  EXPECT_NE(before.get("/").find("here"), std::string::npos);
  // A wrong file changes nothing but says so.
  std::ofstream(folder.files().key, std::ios::trunc) << "no key";
  const auto wrong = server->reload_tls();
  ASSERT_FALSE(wrong.ok());
  EXPECT_NE(wrong.error().message.find("key.pem"), std::string::npos) << wrong.error().message;
  EXPECT_EQ(TlsProbe(server->port()).name(), "second.example");
}

TEST(TlsServer, ReadsTheFilesAgainOnlyWhenTheyChanged) {
  const CertificateFolder folder;
  folder.write("first.example");
  const auto context = TlsContext::load(folder.files().certificate, folder.files().key);
  ASSERT_TRUE(context.ok());
  const auto first = (*context)->current();
  EXPECT_TRUE((*context)->reload_if_changed().ok());
  EXPECT_EQ((*context)->current(), first);
  folder.write("second.example");
  EXPECT_TRUE((*context)->reload_if_changed().ok());
  EXPECT_NE((*context)->current(), first);
}

TEST(TlsServer, SpeaksNothingOlderThanTls12) {
  const CertificateFolder folder;
  folder.write("one");
  ServerOptions options;
  options.tls = folder.files();
  const auto server = start_server([](const ExchangePtr& exchange) { exchange->respond(text_response(200, "here")); }, options);
  EXPECT_TRUE(TlsProbe(server->port()).connected());
  EXPECT_TRUE(TlsProbe(server->port(), TLS1_2_VERSION).connected());
  EXPECT_FALSE(TlsProbe(server->port(), TLS1_1_VERSION).connected());
  // Plain HTTP to the port, garbage, and nothing.
  RawClient plain(server->port());
  plain.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(plain.rest().find("here"), std::string::npos);
  EXPECT_GE(server->statistics().handshake_failures, 2u);
}

TEST(TlsServer, ClientsThatStallInTheHandshakeAreClosed) {
  const CertificateFolder folder;
  folder.write("one");
  ServerOptions options;
  options.tls = folder.files();
  options.limits.head_time = std::chrono::milliseconds(100);
  const auto server = start_server([](const ExchangePtr& exchange) { exchange->respond(text_response(200, "here")); }, options);
  RawClient silent(server->port()), half(server->port());
  half.send("\x16\x03\x01");
  EXPECT_EQ(silent.rest(), "");
  EXPECT_EQ(half.rest(), "");
}

TEST(TlsServer, WhatCannotBeReadIsSaidWithItsName) {
  ServerOptions options;
  options.listen = {"127.0.0.1:0"};
  options.tls = TlsFiles{"/nonexistent/certificate.pem", "/nonexistent/key.pem"};
  const auto server = Server::start(options, [](const ExchangePtr&) {});
  ASSERT_FALSE(server.ok());
  EXPECT_NE(server.error().message.find("/nonexistent/certificate.pem"), std::string::npos);
  for (const char* address : {"", "5000", "localhost", "127.0.0.1:99999", "nowhere.example:80", "[::1:80", "unix:"}) {
    ServerOptions wrong;
    wrong.listen = {address};
    EXPECT_FALSE(Server::start(wrong, [](const ExchangePtr&) {}).ok()) << address;
  }
}

TEST(Server, ListensOnUnixSocketsAndBothFamilies) {
  const CertificateFolder folder;
  const std::string path = folder.files().key + ".socket";
  ServerOptions options;
  options.listen = {"unix:" + path, "[::1]:0", "127.0.0.1:0"};
  auto started = Server::start(options, [](const ExchangePtr& exchange) { exchange->respond(text_response(200, exchange->request().client)); });
  if (!started && started.error().message.find("[::1]") != std::string::npos) GTEST_SKIP() << "this machine has no IPv6";
  ASSERT_TRUE(started.ok()) << started.error().message;
  HttpClient client;
  HttpRequest request;
  request.url = "http://localhost/";
  request.unix_socket = path;
  EXPECT_EQ(client.send(request)->body, "unix");
  HttpRequest six;
  six.url = "http://" + (*started)->addresses()[1] + "/";
  six.insecure_hosts = {"[::1]"};
  const auto answer = client.send(six);
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  EXPECT_EQ(answer->body, "::1");
  started->reset();
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace lazaret::net
