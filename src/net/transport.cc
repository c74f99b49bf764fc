#include "net/transport.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

namespace lazaret::net {
namespace {

// What one call sends of a file: large enough to be cheap, small enough that other connections get their turn.
constexpr std::uint64_t file_piece = 2 << 20;
// Plaintext that is read and encrypted in the program at one time.
constexpr std::size_t tls_piece = 64 << 10;

IoResult socket_result(ssize_t result) {
  if (result > 0) return {IoStatus::ok, static_cast<std::size_t>(result)};
  if (result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return {IoStatus::would_block, 0};
  return {IoStatus::closed, 0};
}

}  // namespace

Transport::Transport(FileDescriptor socket, const std::shared_ptr<SSL_CTX>& tls) : socket_(std::move(socket)) {
  if (!tls) return;
  ssl_ = SSL_new(tls.get());
  if (ssl_ == nullptr || SSL_set_fd(ssl_, socket_.get()) != 1) {
    failed_ = true;
    return;
  }
  SSL_set_accept_state(ssl_);
}

Transport::~Transport() {
  close();
}

void Transport::close() {
  if (ssl_ != nullptr && !failed_) {
    ERR_clear_error();
    SSL_shutdown(ssl_);  // a close_notify, if there is room for it
    ERR_clear_error();
  }
  SSL_free(std::exchange(ssl_, nullptr));
  failed_ = true;
  socket_.close();
}

IoStatus Transport::status_of(int result) {
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: return IoStatus::would_block;
    default:
      failed_ = true;
      ERR_clear_error();
      return IoStatus::closed;
  }
}

IoStatus Transport::handshake() {
  if (failed_) return IoStatus::closed;
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_);
  return result == 1 ? IoStatus::ok : status_of(result);
}

IoResult Transport::read(std::span<char> space) {
  if (ssl_ == nullptr) {
    for (;;) {
      const ssize_t result = recv(socket_.get(), space.data(), space.size(), 0);
      if (result >= 0 || errno != EINTR) return socket_result(result);
    }
  }
  if (failed_) return {IoStatus::closed, 0};
  ERR_clear_error();
  std::size_t bytes = 0;
  const int result = SSL_read_ex(ssl_, space.data(), space.size(), &bytes);
  if (result == 1) return {IoStatus::ok, bytes};
  return {status_of(result), 0};
}

IoResult Transport::write(std::string_view first, std::string_view second, bool more) {
  if (ssl_ == nullptr) {
    std::array<iovec, 2> pieces{};
    msghdr message{};
    message.msg_iov = pieces.data();
    for (const std::string_view piece : {first, second})
      if (!piece.empty()) pieces[message.msg_iovlen++] = {const_cast<char*>(piece.data()), piece.size()};
    for (;;) {
      const ssize_t result = sendmsg(socket_.get(), &message, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
      if (result >= 0 || errno != EINTR) return socket_result(result);
    }
  }
  if (failed_) return {IoStatus::closed, 0};
  ERR_clear_error();
  const std::string_view piece = first.empty() ? second : first;
  std::size_t bytes = 0;
  const int result = SSL_write_ex(ssl_, piece.data(), piece.size(), &bytes);
  if (result == 1) return {IoStatus::ok, bytes};
  return {status_of(result), 0};
}

IoResult Transport::send_file(int file, std::uint64_t offset, std::uint64_t length) {
  length = std::min(length, file_piece);
  auto position = static_cast<off_t>(offset);
  if (ssl_ == nullptr) {
    const ssize_t result = sendfile(socket_.get(), file, &position, static_cast<std::size_t>(length));
    if (result == 0 || (result < 0 && (errno == EIO || errno == EINVAL || errno == EBADF || errno == EOVERFLOW)))
      return {IoStatus::failed, 0};
    return socket_result(result);
  }
  if (failed_) return {IoStatus::closed, 0};
  ERR_clear_error();
  if (BIO_get_ktls_send(SSL_get_wbio(ssl_))) {
    const ossl_ssize_t result = SSL_sendfile(ssl_, file, position, static_cast<std::size_t>(length), 0);
    if (result > 0) return {IoStatus::ok, static_cast<std::size_t>(result)};
    if (result == 0) return {IoStatus::failed, 0};
    return {status_of(static_cast<int>(result)), 0};
  }
  static thread_local std::string buffer(tls_piece, '\0');
  const ssize_t got = pread(file, buffer.data(), static_cast<std::size_t>(std::min<std::uint64_t>(length, tls_piece)), position);
  if (got <= 0) return {IoStatus::failed, 0};
  return write({buffer.data(), static_cast<std::size_t>(got)}, {}, false);
}

bool Transport::wait_until_writable(int milliseconds) const {
  pollfd wanted{socket_.get(), POLLOUT, 0};
  return poll(&wanted, 1, milliseconds) > 0;
}

bool Transport::wait_until_readable(int milliseconds) const {
  pollfd wanted{socket_.get(), POLLIN, 0};
  return poll(&wanted, 1, milliseconds) > 0;
}

void Transport::end_sending() {
  if (ssl_ != nullptr && !failed_) {
    ERR_clear_error();
    SSL_shutdown(ssl_);
    ERR_clear_error();
  }
  ::shutdown(socket_.get(), SHUT_WR);
}

void Transport::abort() {
  const linger reset{1, 0};
  setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  ::shutdown(socket_.get(), SHUT_RDWR);
}

}  // namespace lazaret::net
