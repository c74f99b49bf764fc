// An exchange as handlers hold it: a handle that turns calls of any thread into jobs of the connection's loop.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "net/connection.h"
#include "net/http_server.h"

namespace lazaret::net {

class ServerExchange final : public Exchange {
 public:
  explicit ServerExchange(std::shared_ptr<Connection> connection)
      : connection_(std::move(connection)), state_(std::make_shared<ExchangeState>()) {}
  // Answers 500 when nobody has answered.
  ~ServerExchange() override;

  Request& request_to_fill() { return request_; }
  const std::shared_ptr<ExchangeState>& state() const { return state_; }

  bool respond(Response response) override;
  bool responded() const override { return state_->responded(); }
  void run(std::function<void()> job) override;
  void receive(std::shared_ptr<BodyReceiver> receiver, std::uint64_t max_bytes) override;
  void set_deadline(std::chrono::milliseconds after, std::function<void()> expired) override;
  void on_end(std::function<void(const Outcome&)> ended) override { state_->on_end(std::move(ended)); }
  bool cancelled() const override { return state_->cancelled(); }
  void cut() override;

 private:
  void deliver(Response response);

  const std::shared_ptr<Connection> connection_;
  const std::shared_ptr<ExchangeState> state_;
  std::atomic<std::uint64_t> deadlines_{0};  // set so far; only the last one counts
};

}  // namespace lazaret::net
