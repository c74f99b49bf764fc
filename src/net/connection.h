// One connection of the server: reads a request, waits for its response, sends it, and again.
//
// A state machine that one thread at a time may touch. Most of the time that is the loop; while a piece of a body
// is received, or a piece of a file sent, the connection is lent to a worker or sender thread (the states ending in
// _elsewhere), which gives it back by posting its result to the loop. The loop meanwhile only notes events.
//
// epoll is told once, edge-triggered; `readable_` and `writable_` say what the kernel last said. A connection between
// requests holds no buffer.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/event_loop.h"
#include "net/http_parser.h"
#include "net/http_server.h"
#include "net/server_core.h"
#include "net/transport.h"

namespace lazaret::net {

// What an exchange and its connection both know, whichever of them ends first. Thread-safe.
class ExchangeState {
 public:
  // Whether the caller is the first to answer.
  bool claim() { return !responded_.exchange(true, std::memory_order_acq_rel); }
  bool responded() const { return responded_.load(std::memory_order_acquire); }
  void cancel() { cancelled_.store(true, std::memory_order_release); }
  bool cancelled() const { return cancelled_.load(std::memory_order_acquire); }

  void on_end(std::function<void(const Outcome&)> ended);
  void finish(const Outcome& outcome);

 private:
  std::atomic<bool> responded_{false}, cancelled_{false};
  std::mutex mutex_;
  std::optional<Outcome> outcome_;
  std::vector<std::function<void(const Outcome&)>> ended_;
};

class Connection final : public EventLoop::Watcher, public std::enable_shared_from_this<Connection> {
 public:
  // `closed` is called on the loop when the connection has ended.
  Connection(std::shared_ptr<EventLoop> loop, std::shared_ptr<ServerCore> core, FileDescriptor socket, std::string peer,
             bool tls, std::function<void(Connection&)> closed);
  ~Connection() override;

  // All of these on the loop.
  void start();
  void on_events(std::uint32_t events) override;
  void respond(const std::shared_ptr<ExchangeState>& state, Response response);
  void receive(const std::shared_ptr<ExchangeState>& state, std::shared_ptr<BodyReceiver> receiver, std::uint64_t max_bytes);
  void cut(const std::shared_ptr<ExchangeState>& state);
  void cut_all();
  void close_if_idle();

  EventLoop& loop() { return *loop_; }
  const std::shared_ptr<EventLoop>& shared_loop() const { return loop_; }
  ServerCore& core() { return *core_; }
  // Whether the handler is being called for this connection, by the thread that asks.
  bool in_handler() const { return loop_->is_current() && in_handler_; }

 private:
  enum class State {
    handshake,            // TLS; waiting for the peer
    handshake_elsewhere,
    reading_head,         // or idle, when nothing of one has come
    handling,             // the request is somebody's; nothing is read
    receiving,            // a body; waiting for the peer
    receiving_elsewhere,
    sending,              // a response; waiting for the peer
    sending_elsewhere,
    draining,             // reading away what is left of a body
    lingering,            // reading on after the last response, so that the peer gets to read it
    closed,
  };
  enum class BodyStep { waiting, again, refused, done, failed };
  enum class SendStep { waiting, again, done, gone, failed };

  void drive();
  bool step();  // false: there is nothing to do until something happens
  bool read_head();
  void begin_exchange(std::string head);
  void refuse(int status, std::string_view reason);
  void set_client(Request& request) const;
  bool drain();
  bool linger();

  void lend_handshake();
  void lend_body(std::optional<BodyFailure> failure = std::nullopt);
  BodyStep receive_body(std::optional<BodyFailure>& failure);          // on a worker
  BodyStep receive_piece(std::string_view& input, std::optional<BodyFailure>& failure);
  void body_returned(BodyStep step, std::optional<BodyFailure> failure);

  void begin_response();
  void begin_body();
  void write_head(std::optional<std::uint64_t> length);
  bool send_memory();
  void lend_response();
  SendStep send_body();                                                // on a sender
  SendStep flush();
  SendStep produce();
  void response_returned(SendStep step);
  void response_sent();
  void next_request();

  void end_exchange(Outcome::Kind kind);
  void fail(Outcome::Kind kind);  // ends exchange and connection
  void close();

  void wait_for_peer();   // sets the deadline of a body by its rate
  void stop_waiting();
  void set_deadline(EventLoop::Clock::time_point time);
  void clear_deadline() { deadline_ = EventLoop::Clock::time_point::max(); }
  void on_timer();
  void timed_out();

  const std::shared_ptr<EventLoop> loop_;
  const std::shared_ptr<ServerCore> core_;
  const std::string peer_;
  const std::string client_key_;
  std::function<void(Connection&)> closed_;
  Transport transport_;

  State state_ = State::reading_head;
  bool readable_ = false, writable_ = true;
  bool driving_ = false, in_handler_ = false;
  std::atomic<bool> cut_{false};
  bool close_after_ = false, linger_after_ = false;
  std::uint64_t served_ = 0;

  // Time limits.
  EventLoop::Clock::time_point deadline_ = EventLoop::Clock::time_point::max();
  EventLoop::Clock::time_point timer_ = EventLoop::Clock::time_point::max();  // when the loop will look at it
  std::optional<EventLoop::Clock::time_point> waiting_since_;
  EventLoop::Clock::duration waited_{0};

  // The request.
  std::string input_;  // read but not used yet
  std::size_t input_at_ = 0;
  HeadReader reader_;
  BodyDecoder decoder_;
  std::shared_ptr<ExchangeState> exchange_;
  EventLoop::Clock::time_point begun_;
  bool is_head_ = false, http_1_0_ = false, keep_alive_ = true, continue_wanted_ = false;
  std::shared_ptr<BodyReceiver> receiver_;
  std::uint64_t body_limit_ = 0, body_received_ = 0;

  // The response.
  std::optional<Response> response_;
  std::string head_;               // and what a body source made
  std::size_t head_at_ = 0;
  std::string_view memory_;        // of the body, where it is in memory
  std::uint64_t body_in_head_ = 0; // bytes of head_ that count as body
  std::uint64_t file_at_ = 0, file_left_ = 0;
  bool chunked_ = false, source_ended_ = true;
  std::uint64_t produced_ = 0;     // by the source
  std::uint64_t body_sent_ = 0;
};

}  // namespace lazaret::net
