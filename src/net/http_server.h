// The HTTP/1.1 server of `lazaret serve`: accepts, reads requests, sends responses; knows nothing of
// registries.
//
// How requests travel. Each event loop (a thread on an epoll) owns connections. A head that is
// complete becomes an Exchange, and the Handler is called with it ON THE LOOP: it must not block. It
// does one of these:
//   - respond() at once (from memory: the fast path);
//   - run() a job on a worker thread, which may block and responds when it is ready;
//   - receive() the body: pieces go to a BodyReceiver on worker threads as they arrive. No thread is
//     held while the client is slow, and nothing is read ahead of the receiver: that is the back pressure;
//   - keep the ExchangePtr and return (a *suspended* request, which costs a few hundred bytes and no
//     thread), and respond() later from any thread. set_deadline() says what happens if nobody does.
// An Exchange that is dropped by everybody without a response answers 500 by itself.
//
// Bodies of responses that may touch the disk or block (FileRegion, GeneratedBody) are sent by sender
// threads a piece at a time, so that many slow downloads share few threads.
//
// Everything of Exchange is thread-safe. Callbacks are never called with a lock held.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "net/http_message.h"

namespace lazaret::net {

// Every limit of the server, in one place.
struct ServerLimits {
  std::size_t head_bytes = 64 << 10;     // request line and fields (431)
  std::size_t target_bytes = 8 << 10;    // (414)
  std::size_t header_fields = 100;       // (431)
  std::size_t chunk_line_bytes = 256;    // size and extensions of one chunk
  std::size_t trailer_bytes = 8 << 10;
  std::uint64_t connections = 16'384;    // beyond, new ones wait in the kernel's queue
  std::uint64_t connections_per_client = 1'024;  // of one IPv4 address or IPv6 /64; beyond, closed at once
  std::uint64_t requests_per_connection = 1'000'000;
  std::uint64_t queued_jobs = 4'096;     // run() beyond that answers 503
  std::uint64_t drained_bytes = 256 << 10;  // of a body nobody wanted, read to keep the connection

  std::chrono::milliseconds head_time{15'000};       // from the first byte of a head to its last (408), and TLS handshake
  std::chrono::milliseconds idle_time{75'000};       // between requests
  std::chrono::milliseconds stall_time{60'000};      // no byte moves in a body
  std::chrono::milliseconds rate_grace{30'000};      // waiting for the client that is always allowed, plus
  std::uint64_t minimum_rate = 512;                  // its bytes at this rate a second (408, or cut)
  std::chrono::milliseconds linger_time{2'000};      // reading on after an answer that ends the connection
};

struct TlsFiles {
  std::string certificate;  // PEM: certificate, then its chain
  std::string key;          // PEM
};

struct ServerOptions {
  // "127.0.0.1:5000", "[::1]:5000", ":5000" (all addresses, IPv6 and IPv4), "unix:/path". Port 0: any.
  std::vector<std::string> listen{"127.0.0.1:5000"};
  std::optional<TlsFiles> tls;  // of all TCP listeners
  unsigned loops = 1;
  unsigned workers = 16;  // run() and receive()
  unsigned senders = 4;   // files, generated bodies, TLS handshakes
  ServerLimits limits;
  // Addresses or networks ("10.0.0.0/8") whose X-Forwarded-For and X-Forwarded-Proto are believed.
  std::vector<std::string> trusted_proxies;
  // The answer to a request that the server itself refuses (400, 408, 413, 414, 417, 431, 500, 501, 503, 505).
  std::function<Response(int status, std::string_view reason)> refusal;
};

// Why a body ended early.
enum class BodyFailure { client_gone, too_large, malformed, too_slow, cut };

// Takes the body of one request. Calls come one at a time, in order, on worker threads.
class BodyReceiver {
 public:
  virtual ~BodyReceiver() = default;
  // The next bytes, never empty; may block. False: no more is wanted (then no further call comes;
  // respond() before or after).
  virtual bool receive(Bytes bytes) = 0;
  // The last call of a body, complete or not. fail() may respond(), else the server does.
  virtual void finish() = 0;
  virtual void fail(BodyFailure reason) = 0;
};

// How an exchange ended.
struct Outcome {
  enum class Kind {
    complete,     // the response was handed to the kernel whole
    client_gone,  // the client closed, stalled or was too slow
    cut,          // by cut() or by the end of the server
    failed,       // a body source or file failed
  };
  Kind kind = Kind::complete;
  int status = 0;                   // 0: no response was begun
  std::uint64_t body_bytes = 0;     // of the response, handed to the kernel
  std::uint64_t request_bytes = 0;  // of the request's body
  std::chrono::microseconds duration{0};
};

class Exchange;
using ExchangePtr = std::shared_ptr<Exchange>;

// One request and its response.
class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  virtual ~Exchange() = default;

  const Request& request() const { return request_; }

  // The response; the first call counts, later ones do nothing and return false.
  virtual bool respond(Response response) = 0;
  virtual bool responded() const = 0;

  // Runs a job on a worker thread. When too many wait already, the request is answered 503 and the
  // job dropped.
  virtual void run(std::function<void()> job) = 0;

  // Gives the body to `receiver`, which must hold the ExchangePtr; once for a request, only while no response
  // was given (else: fail(cut)). A request without body goes straight to finish(). Beyond `max_bytes`: fail(too_large), before anything is read when
  // Content-Length says so.
  virtual void receive(std::shared_ptr<BodyReceiver> receiver, std::uint64_t max_bytes) = 0;
  // The whole body, for small ones; `done` is called on a worker thread. Failures are answered by the server.
  void read_body(std::uint64_t max_bytes, std::function<void(std::string body)> done);

  // When no response was given `after` from now, `expired` is called on the loop (it must not block);
  // it would respond(). A later call replaces an earlier one.
  virtual void set_deadline(std::chrono::milliseconds after, std::function<void()> expired) = 0;

  // Called once when the exchange is over, on any thread; at once when it is over already. For a suspended
  // request whose client goes away this is the notice. Several may be added. They must not hold the ExchangePtr:
  // it would keep itself alive.
  virtual void on_end(std::function<void(const Outcome&)> ended) = 0;
  // Whether it is of no use to go on: the client is gone, or cut() was called.
  virtual bool cancelled() const = 0;

  // Ends the connection now, whatever is being sent: what the kernel holds unsent is thrown away.
  virtual void cut() = 0;

 protected:
  Request request_;
};

using Handler = std::function<void(const ExchangePtr&)>;

struct ServerStatistics {
  std::uint64_t connections = 0;           // open now
  std::uint64_t accepted = 0;              // since the start
  std::uint64_t refused_connections = 0;   // per-client limit
  std::uint64_t requests = 0;
  std::uint64_t refused_requests = 0;      // answered by the server itself
  std::uint64_t bytes_received = 0;        // of bodies
  std::uint64_t bytes_sent = 0;            // of bodies
  std::uint64_t handshake_failures = 0;
};

class Server {
 public:
  // Binds and begins to accept. Errors say which address or file, and what to do.
  static Result<std::unique_ptr<Server>> start(ServerOptions options, Handler handler);
  // As stop() with no time to drain.
  virtual ~Server() = default;

  // "127.0.0.1:5000", with the real ports.
  virtual std::vector<std::string> addresses() const = 0;
  virtual std::uint16_t port() const = 0;  // of the first TCP listener

  // Stops accepting; idle connections close, running exchanges may finish within `drain`, what is left is
  // cut. Returns when all threads have ended. Not on a thread of the server.
  virtual void stop(std::chrono::milliseconds drain) = 0;

  // Reads certificate and key again; connections keep what they have, new ones get the new. On an error the old
  // stay in use. (They are also looked at every few seconds and read again when they changed.)
  virtual Result<void> reload_tls() = 0;

  // Runs something on a loop after a time; it must not block. Not called when the server ends before.
  virtual void after(std::chrono::milliseconds delay, std::function<void()> job) = 0;

  virtual ServerStatistics statistics() const = 0;
};

}  // namespace lazaret::net
