#include "net/exchange.h"

#include <exception>

namespace lazaret::net {
namespace {

// Collects a small body.
class WholeBody final : public BodyReceiver {
 public:
  WholeBody(ExchangePtr exchange, std::function<void(std::string)> done) : exchange_(std::move(exchange)), done_(std::move(done)) {}
  bool receive(Bytes bytes) override {
    body_.append(as_text(bytes));
    return true;
  }
  void finish() override { done_(std::move(body_)); }
  void fail(BodyFailure) override {}  // the server answers

 private:
  const ExchangePtr exchange_;
  const std::function<void(std::string)> done_;
  std::string body_;
};

}  // namespace

void Exchange::read_body(std::uint64_t max_bytes, std::function<void(std::string body)> done) {
  receive(std::make_shared<WholeBody>(shared_from_this(), std::move(done)), max_bytes);
}

ServerExchange::~ServerExchange() {
  if (state_->claim()) deliver(connection_->core().refusal(500, "the request was not answered"));
}

void ServerExchange::deliver(Response response) {
  if (connection_->in_handler()) {
    connection_->respond(state_, std::move(response));
    return;
  }
  connection_->loop().post([connection = connection_, state = state_, response = std::move(response)]() mutable {
    connection->respond(state, std::move(response));
  });
}

bool ServerExchange::respond(Response response) {
  if (!state_->claim()) return false;
  deliver(std::move(response));
  return true;
}

void ServerExchange::run(std::function<void()> job) {
  const auto self = std::static_pointer_cast<ServerExchange>(shared_from_this());
  const bool taken = connection_->core().threads.work_bounded(
      [self, job = std::move(job)] {
        try {
          job();
        } catch (const std::exception&) {
          self->respond(self->connection_->core().refusal(500, "the request failed on the server"));
        }
      },
      connection_->core().options.limits.queued_jobs);
  if (taken) return;
  Response busy = connection_->core().refusal(503, "the server is busy; try again in a moment");
  busy.add("Retry-After", "1");
  respond(std::move(busy));
}

void ServerExchange::receive(std::shared_ptr<BodyReceiver> receiver, std::uint64_t max_bytes) {
  if (connection_->in_handler()) {
    connection_->receive(state_, std::move(receiver), max_bytes);
    return;
  }
  connection_->loop().post([connection = connection_, state = state_, receiver = std::move(receiver), max_bytes]() mutable {
    connection->receive(state, std::move(receiver), max_bytes);
  });
}

void ServerExchange::set_deadline(std::chrono::milliseconds after, std::function<void()> expired) {
  const std::uint64_t serial = ++deadlines_;
  const std::weak_ptr<ServerExchange> weak = std::static_pointer_cast<ServerExchange>(shared_from_this());
  connection_->loop().after(after, [weak, serial, expired = std::move(expired)] {
    const auto self = weak.lock();
    if (self && self->deadlines_ == serial && !self->responded()) expired();
  });
}

void ServerExchange::cut() {
  state_->cancel();
  connection_->loop().post([connection = connection_, state = state_] { connection->cut(state); });
}

}  // namespace lazaret::net
