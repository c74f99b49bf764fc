// The server's certificate and TLS settings, read again while connections go on.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "base/result.h"

typedef struct ssl_ctx_st SSL_CTX;

namespace lazaret::net {

// Thread-safe. TLS 1.2 and later, kernel TLS where the kernel has it.
class TlsContext {
 public:
  // PEM files. Errors name the file and what is wrong with it.
  static Result<std::unique_ptr<TlsContext>> load(const std::string& certificate, const std::string& key);

  // What new connections use; a connection keeps what it got.
  std::shared_ptr<SSL_CTX> current() const;
  // Reads the files again; on an error the old ones stay in use.
  Result<void> reload();
  // reload() when a file is another one, or changed, since it was last read.
  Result<void> reload_if_changed();

 private:
  TlsContext(std::string certificate, std::string key)
      : certificate_(std::move(certificate)), key_(std::move(key)) {}
  std::string identity_of_files() const;

  const std::string certificate_, key_;
  mutable std::mutex mutex_;
  std::shared_ptr<SSL_CTX> context_;
  std::string identity_;
};

}  // namespace lazaret::net
