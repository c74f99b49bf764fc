#include "net/tls_context.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

#include "base/text.h"

namespace lazaret::net {
namespace {

std::string openssl_error() {
  const unsigned long code = ERR_get_error();
  char text[256] = "unknown error";
  if (code != 0) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return text;
}

// Of the protocols a client offers, the one we speak. A client that offers only others (h2) goes on without, as RFC 7301 allows.
int select_protocol(SSL*, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                    unsigned offered_size, void*) {
  static constexpr unsigned char ours[] = "\x08http/1.1";
  unsigned char* found = nullptr;
  if (SSL_select_next_proto(&found, size, ours, sizeof ours - 1, offered, offered_size) != OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_NOACK;
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

Result<std::shared_ptr<SSL_CTX>> make_context(const std::string& certificate, const std::string& key) {
  ERR_clear_error();
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!context) return Error{ErrorCode::io, "OpenSSL gives no TLS context: " + openssl_error()};
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_COMPRESSION |
                                         SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_ENABLE_KTLS | SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);  // tickets resume sessions without memory of ours
  SSL_CTX_set_alpn_select_cb(context.get(), select_protocol, nullptr);
  if (SSL_CTX_set_cipher_list(context.get(), "ECDHE+AESGCM:ECDHE+CHACHA20") != 1)
    return Error{ErrorCode::io, "OpenSSL knows none of our TLS 1.2 ciphers: " + openssl_error()};
  if (SSL_CTX_use_certificate_chain_file(context.get(), certificate.c_str()) != 1)
    return Error{ErrorCode::invalid, fmt::format("no TLS certificate can be read from {}: {}; it must be PEM, the server's certificate first",
                                                 escape(certificate), openssl_error())};
  if (SSL_CTX_use_PrivateKey_file(context.get(), key.c_str(), SSL_FILETYPE_PEM) != 1)
    return Error{ErrorCode::invalid, fmt::format("no TLS key can be read from {}: {}; it must be an unencrypted PEM key", escape(key), openssl_error())};
  if (SSL_CTX_check_private_key(context.get()) != 1)
    return Error{ErrorCode::invalid, fmt::format("the TLS key {} does not belong to the certificate {}", escape(key), escape(certificate))};
  return context;
}

}  // namespace

Result<std::unique_ptr<TlsContext>> TlsContext::load(const std::string& certificate, const std::string& key) {
  std::unique_ptr<TlsContext> context(new TlsContext(certificate, key));
  if (auto loaded = context->reload(); !loaded) return loaded.error();
  return context;
}

std::shared_ptr<SSL_CTX> TlsContext::current() const {
  const std::lock_guard lock(mutex_);
  return context_;
}

std::string TlsContext::identity_of_files() const {
  std::string identity;
  for (const std::string& path : {certificate_, key_}) {
    struct stat file {};
    if (stat(path.c_str(), &file) != 0) return "";
    identity += fmt::format("{} {} {} {}.{};", file.st_dev, file.st_ino, file.st_size, file.st_mtim.tv_sec, file.st_mtim.tv_nsec);
  }
  return identity;
}

Result<void> TlsContext::reload() {
  std::string identity = identity_of_files();
  auto context = make_context(certificate_, key_);
  const std::lock_guard lock(mutex_);
  identity_ = std::move(identity);  // also of files that are wrong: they are not read again until they change
  if (!context) return context.error();
  context_ = std::move(context).value();
  return {};
}

Result<void> TlsContext::reload_if_changed() {
  const std::string identity = identity_of_files();
  {
    const std::lock_guard lock(mutex_);
    if (identity.empty() || identity == identity_) return {};
  }
  return reload();
}

}  // namespace lazaret::net
