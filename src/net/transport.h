// The bytes of one accepted connection: a socket, or TLS on it. Does not block, but for two calls that say so.
//
// OpenSSL works on the socket itself, so that the kernel can do the encryption (kTLS) and files are
// sent without passing through the program where it does. Used by one thread at a time; SIGPIPE must be
// blocked on it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/file_descriptor.h"

typedef struct ssl_st SSL;
typedef struct ssl_ctx_st SSL_CTX;

namespace lazaret::net {

enum class IoStatus {
  ok,
  would_block,
  closed,  // by the peer, or its connection failed
  failed,  // the file could not be read
};
struct IoResult {
  IoStatus status = IoStatus::ok;
  std::size_t bytes = 0;  // more than none when ok
};

class Transport {
 public:
  // `tls` may be null: plain.
  Transport(FileDescriptor socket, const std::shared_ptr<SSL_CTX>& tls);
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  int socket() const { return socket_.get(); }
  bool tls() const { return ssl_ != nullptr; }

  IoStatus handshake();  // of TLS; to be called again after would_block
  IoResult read(std::span<char> space);
  // As much of both as the kernel takes. `more`: something follows at once. After would_block the same bytes
  // must be offered again.
  IoResult write(std::string_view first, std::string_view second, bool more);
  IoResult send_file(int file, std::uint64_t offset, std::uint64_t length);

  // Whether the socket takes more, or has more, waiting for that up to a time. The two calls that may block.
  bool wait_until_writable(int milliseconds) const;
  bool wait_until_readable(int milliseconds) const;
  void close();  // as the destructor
  // Says that nothing more will be sent, and stops sending.
  void end_sending();
  // Makes every read and write of another thread fail at once (the one thing that may be called beside them),
  // and has the kernel drop what it holds unsent.
  void abort();

 private:
  IoStatus status_of(int result);

  FileDescriptor socket_;
  SSL* ssl_ = nullptr;
  bool failed_ = false;  // TLS must not be touched any more
};

}  // namespace lazaret::net
