#include "net/connection.h"

#include <sys/epoll.h>

#include <algorithm>
#include <exception>

#include "base/text.h"

namespace lazaret::net {
namespace {

using Clock = EventLoop::Clock;

// What one turn of a connection moves before others get theirs.
constexpr std::uint64_t turn_bytes = 8 << 20;
// Requests of one connection that are answered in a row.
constexpr int turn_requests = 64;
constexpr std::size_t receive_buffer = 256 << 10;
// How long a worker that just got something waits for more, while nobody else wants it.
constexpr int spare_milliseconds = 2;

}  // namespace

void ExchangeState::on_end(std::function<void(const Outcome&)> ended) {
  std::optional<Outcome> outcome;
  {
    const std::lock_guard lock(mutex_);
    if (outcome_) {
      outcome = outcome_;
    } else {
      ended_.push_back(std::move(ended));
    }
  }
  if (outcome) ended(*outcome);
}

void ExchangeState::finish(const Outcome& outcome) {
  if (outcome.kind != Outcome::Kind::complete) cancel();
  responded_.store(true, std::memory_order_release);
  std::vector<std::function<void(const Outcome&)>> ended;
  {
    const std::lock_guard lock(mutex_);
    if (outcome_) return;
    outcome_ = outcome;
    ended.swap(ended_);
  }
  for (const auto& call : ended) call(outcome);
}

Connection::Connection(std::shared_ptr<EventLoop> loop, std::shared_ptr<ServerCore> core, FileDescriptor socket,
                       std::string peer, bool tls, std::function<void(Connection&)> closed)
    : loop_(std::move(loop)),
      core_(std::move(core)),
      peer_(std::move(peer)),
      client_key_(client_key(peer_)),
      closed_(std::move(closed)),
      transport_(std::move(socket), tls && core_->tls ? core_->tls->current() : nullptr),
      state_(transport_.tls() ? State::handshake : State::reading_head),
      reader_(core_->parser_limits) {}

Connection::~Connection() {
  if (state_ == State::closed) return;
  core_->clients.leave(client_key_);
  core_->connections.fetch_sub(1);
}

void Connection::start() {
  if (!loop_->watch(transport_.socket(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, this)) {
    close();
    return;
  }
  set_deadline(loop_->now() + core_->options.limits.head_time);
}

void Connection::on_events(std::uint32_t events) {
  if (state_ == State::closed) return;
  const bool dead = (events & (EPOLLHUP | EPOLLERR)) != 0;
  if (dead || (events & (EPOLLIN | EPOLLRDHUP)) != 0) readable_ = true;
  if (dead || (events & EPOLLOUT) != 0) writable_ = true;
  if (state_ == State::handling && (dead || (events & EPOLLRDHUP) != 0)) {
    fail(Outcome::Kind::client_gone);
    return;
  }
  drive();
}

void Connection::drive() {
  if (driving_) return;
  const auto self = shared_from_this();
  driving_ = true;
  const std::uint64_t served = served_;
  while (step()) {
    if (served_ - served >= turn_requests) {
      loop_->post([self] { self->drive(); });
      break;
    }
  }
  driving_ = false;
}

bool Connection::step() {
  switch (state_) {
    case State::handshake:
      if (!readable_) return false;
      lend_handshake();
      return false;
    case State::reading_head: return read_head();
    case State::receiving:
      if (input_at_ >= input_.size() && !readable_) {
        wait_for_peer();
        return false;
      }
      lend_body();
      return false;
    case State::sending:
      if (!writable_) {
        wait_for_peer();
        return false;
      }
      if (file_left_ > 0 || !source_ended_) {
        lend_response();
        return false;
      }
      return send_memory();
    case State::draining: return drain();
    case State::lingering: return linger();
    case State::handling:
    case State::handshake_elsewhere:
    case State::receiving_elsewhere:
    case State::sending_elsewhere:
    case State::closed: return false;
  }
  return false;
}

// --- TLS

void Connection::lend_handshake() {
  state_ = State::handshake_elsewhere;
  readable_ = writable_ = false;
  const bool taken = core_->threads.send([self = shared_from_this()] {
    const IoStatus status = self->transport_.handshake();
    self->loop_->post([self, status] {
      if (self->cut_ || (status != IoStatus::ok && status != IoStatus::would_block)) {
        self->core_->handshake_failures.fetch_add(1);
        self->close();
        return;
      }
      self->state_ = status == IoStatus::ok ? State::reading_head : State::handshake;
      // The first request may have come with the last message of the handshake.
      if (status == IoStatus::ok) self->readable_ = self->writable_ = true;
      if (self->deadline_ <= self->loop_->now()) {
        self->timed_out();
        return;
      }
      self->drive();
    });
  });
  if (!taken) close();
}

// --- the head

bool Connection::read_head() {
  std::string_view input = std::string_view(input_).substr(input_at_);
  const bool fresh = input.empty();
  if (fresh) {
    if (!input_.empty()) {
      input_ = std::string();  // an idle connection holds no buffer
      input_at_ = 0;
    }
    if (!readable_) return false;
    std::string& space = loop_->scratch();
    const IoResult result = transport_.read(space);
    if (result.status == IoStatus::would_block) {
      readable_ = false;
      return false;
    }
    if (result.status != IoStatus::ok) {
      close();
      return false;
    }
    // Less than was asked for: the socket is empty, and its next bytes, or its end, are another event.
    if (!transport_.tls() && result.bytes < space.size()) readable_ = false;
    input = std::string_view(space).substr(0, result.bytes);
  }
  const std::size_t before = input.size();
  const bool begun = reader_.begun();
  const auto progress = reader_.feed(input);
  if (fresh) {
    if (!input.empty()) input_.assign(input);
    input_at_ = 0;
  } else {
    input_at_ += before - input.size();
  }
  switch (progress) {
    case HeadReader::Progress::more:
      if (!begun && reader_.begun()) set_deadline(loop_->now() + core_->options.limits.head_time);
      return true;
    case HeadReader::Progress::refused:
      refuse(reader_.refusal().status, reader_.refusal().reason);
      return true;
    case HeadReader::Progress::complete: begin_exchange(reader_.take()); return true;
  }
  return false;
}

// The server's own answer to something that is no request; the connection ends with it.
void Connection::refuse(int status, std::string_view reason) {
  core_->refused_requests.fetch_add(1, std::memory_order_relaxed);
  close_after_ = linger_after_ = true;
  is_head_ = false;
  Response response = core_->refusal(status, reason);
  response.close = true;
  response_ = std::move(response);
  begin_response();
}

void Connection::set_client(Request& request) const {
  request.peer = peer_;
  request.tls = transport_.tls();
  request.scheme = request.tls ? "https" : "http";
  request.client = peer_;
  if (core_->trusted_proxies.empty()) return;
  const auto peer = IpAddress::parse(peer_);  // none: over a Unix socket, whose peers were let in by its file's mode
  if (peer && !core_->trusted_proxies.contains(*peer)) return;
  // From right to left: each proxy appends whom it spoke with, and the first that is none of ours is the client.
  const std::string list = request.header_list("x-forwarded-for");
  const auto hops = split(list, ',');
  for (auto hop = hops.rbegin(); hop != hops.rend(); ++hop) {
    const auto address = IpAddress::parse(trim(*hop));
    if (!address) break;
    request.client = address->str();
    if (!core_->trusted_proxies.contains(*address)) break;
  }
  const auto scheme = request.header("x-forwarded-proto");
  if (scheme && (*scheme == "http" || *scheme == "https")) request.scheme = *scheme;
}

// --- the body

void Connection::receive(const std::shared_ptr<ExchangeState>& state, std::shared_ptr<BodyReceiver> receiver,
                         std::uint64_t max_bytes) {
  if (state != exchange_ || state_ != State::handling || response_ || receiver_) {
    core_->threads.work([receiver = std::move(receiver)] { receiver->fail(BodyFailure::cut); });
    return;
  }
  receiver_ = std::move(receiver);
  body_limit_ = max_bytes;
  waited_ = {};
  const auto length = decoder_.remaining();
  if (length && *length > max_bytes) {
    lend_body(BodyFailure::too_large);
    return;
  }
  if (decoder_.done()) {
    lend_body();
    return;
  }
  if (continue_wanted_ && input_at_ >= input_.size()) {
    // It fits the buffer of a socket that nothing was written to; if not, the client does not wait for ever.
    transport_.write("HTTP/1.1 100 Continue\r\n\r\n", {}, false);
  }
  continue_wanted_ = false;
  state_ = State::receiving;
  drive();
}

// Gives the connection to a worker, which receives a part of the body, or tells the receiver of a failure.
void Connection::lend_body(std::optional<BodyFailure> failure) {
  state_ = State::receiving_elsewhere;
  stop_waiting();
  readable_ = false;
  const bool taken = core_->threads.work([self = shared_from_this(), failure]() mutable {
    BodyStep step = BodyStep::failed;
    try {
      step = self->receive_body(failure);
    } catch (const std::exception&) {
      failure = BodyFailure::cut;  // out of memory, or a fault of the receiver: it gets no further call
      step = BodyStep::failed;
    }
    self->loop_->post([self, step, failure] { self->body_returned(step, failure); });
  });
  if (!taken) fail(Outcome::Kind::cut);
}

Connection::BodyStep Connection::receive_body(std::optional<BodyFailure>& failure) {
  if (failure) {
    receiver_->fail(*failure);
    return BodyStep::failed;
  }
  if (decoder_.done()) {
    receiver_->finish();
    return BodyStep::done;
  }
  static thread_local std::string buffer(receive_buffer, '\0');
  const auto ended = [&](BodyFailure why) {
    failure = cut_ ? BodyFailure::cut : why;
    receiver_->fail(*failure);
    return BodyStep::failed;
  };
  for (std::uint64_t moved = 0; moved < turn_bytes;) {
    if (cut_) return ended(BodyFailure::cut);
    std::string_view input = std::string_view(input_).substr(std::min(input_at_, input_.size()));
    const bool fresh = input.empty();
    if (fresh) {
      input_.clear();
      input_at_ = 0;
      // Not beyond the body: what follows it stays in the kernel.
      const std::uint64_t wanted = decoder_.remaining().value_or(buffer.size());
      const IoResult result =
          transport_.read(std::span(buffer.data(), static_cast<std::size_t>(std::min<std::uint64_t>(wanted, buffer.size()))));
      if (result.status == IoStatus::would_block) {
        // A client that sends fast has more sooner than the way through the loop and back takes.
        if (moved > 0 && core_->threads.works_waiting() == 0 && transport_.wait_until_readable(spare_milliseconds)) continue;
        return BodyStep::waiting;
      }
      if (result.status != IoStatus::ok) return ended(BodyFailure::client_gone);
      input = std::string_view(buffer).substr(0, result.bytes);
    }
    const std::size_t before = input.size();
    const BodyStep step = receive_piece(input, failure);
    moved += before - input.size();
    if (!fresh) {
      input_at_ += before - input.size();
    } else if (!input.empty()) {
      input_.assign(input);
    }
    if (step != BodyStep::again) return step;
  }
  return BodyStep::again;
}

Connection::BodyStep Connection::receive_piece(std::string_view& input, std::optional<BodyFailure>& failure) {
  while (!input.empty()) {
    Bytes piece;
    const auto status = decoder_.decode(input, piece);
    body_received_ += piece.size();
    if (status == BodyDecoder::Status::malformed || body_received_ > body_limit_) {
      failure = status == BodyDecoder::Status::malformed ? BodyFailure::malformed : BodyFailure::too_large;
      receiver_->fail(*failure);
      return BodyStep::failed;
    }
    if (!piece.empty() && !receiver_->receive(piece)) return BodyStep::refused;
    if (status == BodyDecoder::Status::done) {
      receiver_->finish();
      return BodyStep::done;
    }
  }
  return BodyStep::again;
}

void Connection::body_returned(BodyStep step, std::optional<BodyFailure> failure) {
  if (state_ != State::receiving_elsewhere) return;
  state_ = State::receiving;
  if (step == BodyStep::again) readable_ = true;
  if (cut_) {
    if (step != BodyStep::failed) {
      if (step == BodyStep::waiting || step == BodyStep::again) {
        lend_body(BodyFailure::cut);
        return;
      }
    }
    fail(Outcome::Kind::cut);
    return;
  }
  if (response_ && (step == BodyStep::waiting || step == BodyStep::again)) {
    // Somebody else answered while the receiver wanted more.
    core_->threads.work([receiver = receiver_] { receiver->fail(BodyFailure::cut); });
    step = BodyStep::refused;
  }
  switch (step) {
    case BodyStep::waiting:
    case BodyStep::again: drive(); return;
    case BodyStep::refused:
    case BodyStep::done:
      core_->bytes_received.fetch_add(body_received_, std::memory_order_relaxed);
      receiver_.reset();
      // Whether more has come, nobody has asked the kernel.
      readable_ = true;
      state_ = State::handling;
      if (response_) begin_response();
      drive();
      return;
    case BodyStep::failed: break;
  }
  core_->bytes_received.fetch_add(body_received_, std::memory_order_relaxed);
  const auto receiver = std::move(receiver_);  // it holds the exchange, which answers by itself when it is dropped
  close_after_ = true;
  state_ = State::handling;
  if (failure == BodyFailure::client_gone) {
    fail(Outcome::Kind::client_gone);
    return;
  }
  readable_ = true;
  if (!response_ && exchange_->claim()) {
    core_->refused_requests.fetch_add(1, std::memory_order_relaxed);
    response_ = failure == BodyFailure::too_large  ? core_->refusal(413, "the request's body is too large")
                : failure == BodyFailure::too_slow ? core_->refusal(408, "the request's body came too slowly")
                : failure == BodyFailure::malformed ? core_->refusal(400, "the request's chunks are malformed")
                                                    : core_->refusal(500, "the request failed on the server");
  }
  // A response of the receiver that is still on its way begins when it arrives.
  if (response_) begin_response();
  drive();
}

bool Connection::drain() {
  while (!decoder_.done()) {
    std::string_view input = std::string_view(input_).substr(std::min(input_at_, input_.size()));
    const bool fresh = input.empty();
    if (fresh) {
      if (!readable_) return false;
      std::string& space = loop_->scratch();
      const IoResult result = transport_.read(
          std::span(space.data(), static_cast<std::size_t>(std::min<std::uint64_t>(space.size(), decoder_.remaining().value_or(0)))));
      if (result.status == IoStatus::would_block) {
        readable_ = false;
        return false;
      }
      if (result.status != IoStatus::ok) {
        close();
        return false;
      }
      input = std::string_view(space).substr(0, result.bytes);
    }
    const std::size_t before = input.size();
    Bytes ignored;
    decoder_.decode(input, ignored);
    if (!fresh) input_at_ += before - input.size();
  }
  next_request();
  return true;
}

bool Connection::linger() {
  std::string& space = loop_->scratch();
  for (std::uint64_t moved = 0; readable_ && moved < turn_bytes;) {
    // Below TLS: nobody is interested in what it says.
    const ssize_t got = recv(transport_.socket(), space.data(), space.size(), MSG_DONTWAIT);
    if (got > 0) {
      moved += static_cast<std::uint64_t>(got);
    } else if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
      readable_ = false;
      return false;
    } else {
      close();
      return false;
    }
  }
  if (readable_) loop_->post([self = shared_from_this()] { self->drive(); });
  return false;
}

// --- the end

void Connection::next_request() {
  state_ = State::reading_head;
  decoder_ = BodyDecoder();
  // What was read ahead is a request already.
  const auto& limits = core_->options.limits;
  set_deadline(loop_->now() + (input_at_ < input_.size() ? limits.head_time : limits.idle_time));
  if (core_->stopping) close_if_idle();
}

void Connection::end_exchange(Outcome::Kind kind) {
  if (!exchange_) return;
  Outcome outcome;
  outcome.kind = kind;
  outcome.status = response_ ? response_->status : 0;
  outcome.body_bytes = body_sent_;
  outcome.request_bytes = body_received_;
  outcome.duration = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begun_);
  core_->bytes_sent.fetch_add(body_sent_, std::memory_order_relaxed);
  const auto exchange = std::move(exchange_);
  exchange_.reset();
  response_.reset();
  exchange->finish(outcome);
}

void Connection::fail(Outcome::Kind kind) {
  if (receiver_) {
    // It was between two pieces.
    const BodyFailure why = kind == Outcome::Kind::cut ? BodyFailure::cut : BodyFailure::client_gone;
    if (state_ == State::receiving) core_->threads.work([receiver = receiver_, why] { receiver->fail(why); });
    receiver_.reset();
  }
  end_exchange(kind);
  close();
}

void Connection::close() {
  if (state_ == State::closed) return;
  const auto self = shared_from_this();
  state_ = State::closed;
  receiver_.reset();
  response_.reset();
  loop_->unwatch(transport_.socket());
  transport_.close();
  clear_deadline();
  input_ = head_ = std::string();
  loop_->retire(self);
  core_->clients.leave(client_key_);
  core_->connections.fetch_sub(1);
  closed_(*self);
}

void Connection::cut(const std::shared_ptr<ExchangeState>& state) {
  if (state == exchange_ && state_ != State::closed) cut_all();
}

void Connection::cut_all() {
  if (state_ == State::closed) return;
  cut_ = true;
  if (exchange_) exchange_->cancel();
  transport_.abort();
  if (state_ == State::handshake_elsewhere || state_ == State::receiving_elsewhere || state_ == State::sending_elsewhere)
    return;  // whoever has it notices, and it ends when it comes back
  fail(Outcome::Kind::cut);
}

void Connection::close_if_idle() {
  if (state_ == State::reading_head && !reader_.begun() && input_at_ >= input_.size()) close();
}

// --- time

// A body may keep us waiting for a grace, and for as long as its bytes take at the minimum rate; and never long without a byte.
void Connection::wait_for_peer() {
  const auto& limits = core_->options.limits;
  const auto now = Clock::now();
  if (waiting_since_) return;
  waiting_since_ = now;
  const std::uint64_t moved = std::max(body_sent_, body_received_);
  const auto allowed = limits.rate_grace + std::chrono::milliseconds(std::min<std::uint64_t>(
                                               moved * 1000 / std::max<std::uint64_t>(limits.minimum_rate, 1), 1'000'000'000));
  set_deadline(now + std::min<Clock::duration>(limits.stall_time, std::max<Clock::duration>(allowed - waited_, Clock::duration(0))));
}

void Connection::stop_waiting() {
  if (!waiting_since_) return;
  waited_ += Clock::now() - *waiting_since_;
  waiting_since_.reset();
  clear_deadline();
}

void Connection::set_deadline(Clock::time_point time) {
  deadline_ = time;
  if (time >= timer_) return;  // the timer that is set looks again
  timer_ = time;
  loop_->at(time, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->on_timer();
  });
}

void Connection::on_timer() {
  timer_ = Clock::time_point::max();
  if (state_ == State::closed || deadline_ == Clock::time_point::max()) return;
  if (Clock::now() < deadline_) {
    set_deadline(deadline_);
    return;
  }
  timed_out();
}

void Connection::timed_out() {
  switch (state_) {
    case State::reading_head:
      if (!reader_.begun()) {
        close();
        return;
      }
      refuse(408, "the request's head came too slowly");
      drive();
      return;
    case State::receiving: lend_body(BodyFailure::too_slow); return;
    case State::sending:
      transport_.abort();
      fail(Outcome::Kind::client_gone);
      return;
    case State::handshake: core_->handshake_failures.fetch_add(1); [[fallthrough]];
    case State::draining:
    case State::lingering: close(); return;
    case State::handling:
    case State::handshake_elsewhere:
    case State::receiving_elsewhere:
    case State::sending_elsewhere:
    case State::closed: return;
  }
}

}  // namespace lazaret::net
