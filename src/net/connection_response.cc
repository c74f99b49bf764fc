// The half of a connection that calls the handler and sends what it answers.
#include <algorithm>
#include <exception>

#include <fmt/format.h>

#include "net/connection.h"
#include "net/exchange.h"

namespace lazaret::net {
namespace {

// What one turn of a connection sends before others get theirs.
constexpr std::uint64_t turn_bytes = 8 << 20;
constexpr std::size_t produce_buffer = 64 << 10;
// How long a sender waits for a reader that has no room, while nobody else wants it.
constexpr int spare_milliseconds = 5;
// A body in memory up to this size is sent in one piece with its head under TLS.
constexpr std::size_t joined_bytes = 12 << 10;
// What an idle connection may keep of the space for heads.
constexpr std::size_t kept_head_bytes = 1 << 10;

bool has_no_body(int status) {
  return status < 200 || status == 204 || status == 304;
}

void append_value(std::string& out, std::string_view value) {
  const std::size_t begin = out.size();
  out += value;
  for (std::size_t i = begin; i < out.size(); ++i)
    if ((static_cast<unsigned char>(out[i]) < 0x20 && out[i] != '\t') || out[i] == 0x7f) out[i] = ' ';
}

}  // namespace

void Connection::begin_exchange(std::string head) {
  clear_deadline();
  waiting_since_.reset();
  waited_ = {};
  body_received_ = body_sent_ = 0;
  auto exchange = std::make_shared<ServerExchange>(shared_from_this());
  Request& request = exchange->request_to_fill();
  if (const auto refused = parse_head(std::move(head), core_->parser_limits, request)) {
    exchange->state()->claim();
    refuse(refused->status, refused->reason);
    return;
  }
  set_client(request);
  ++served_;
  core_->requests.fetch_add(1, std::memory_order_relaxed);
  begun_ = EventLoop::Clock::now();
  decoder_ = BodyDecoder(request, core_->parser_limits);
  is_head_ = request.method == "HEAD";
  http_1_0_ = request.minor_version == 0;
  keep_alive_ = request.keep_alive;
  continue_wanted_ = request.expects_continue;
  exchange_ = exchange->state();
  state_ = State::handling;
  in_handler_ = true;
  try {
    core_->handler(exchange);
  } catch (const std::exception&) {
    exchange->respond(core_->refusal(500, "the request failed on the server"));
  }
  exchange.reset();  // answers by itself when the handler has neither answered nor kept it
  in_handler_ = false;
}

void Connection::respond(const std::shared_ptr<ExchangeState>& state, Response response) {
  if (state != exchange_ || state_ == State::closed || response_) return;
  response_ = std::move(response);
  if (state_ == State::receiving) {
    // Somebody else answered while the receiver waits for more.
    core_->threads.work([receiver = std::move(receiver_)] { receiver->fail(BodyFailure::cut); });
    receiver_.reset();
    stop_waiting();
    state_ = State::handling;
  }
  if (state_ != State::handling) return;  // begins when the worker has given the connection back
  begin_response();
  drive();
}

void Connection::begin_response() {
  state_ = State::sending;
  if (!decoder_.done()) {
    const auto left = decoder_.remaining();
    // A client that was not told to continue may send the body or not: nobody can tell where the next request begins.
    if (!left || *left > core_->options.limits.drained_bytes || continue_wanted_) close_after_ = true;
  }
  close_after_ |= !keep_alive_ || response_->close || core_->stopping || served_ >= core_->options.limits.requests_per_connection;
  begin_body();
}

// Takes the body apart into what is in memory, in a file, or yet to be made; writes the head.
void Connection::begin_body() {
  memory_ = {};
  file_left_ = produced_ = body_in_head_ = 0;
  source_ended_ = true;
  chunked_ = false;
  std::optional<std::uint64_t> length = 0;
  if (const auto* text = std::get_if<std::string>(&response_->body)) {
    memory_ = *text;
    length = memory_.size();
  } else if (const auto* shared = std::get_if<std::shared_ptr<const std::string>>(&response_->body)) {
    memory_ = *shared ? std::string_view(**shared) : std::string_view();
    length = memory_.size();
  } else if (const auto* file = std::get_if<FileRegion>(&response_->body)) {
    file_at_ = file->offset;
    length = file_left_ = file->length;
  } else if (const auto* generated = std::get_if<GeneratedBody>(&response_->body)) {
    length = generated->length;
    source_ended_ = length == std::uint64_t{0};
    chunked_ = !length && !http_1_0_;
    if (!length && http_1_0_) close_after_ = true;
  } else if (const auto* only = std::get_if<LengthOnly>(&response_->body)) {
    length = only->length;
  }
  write_head(length);
  if (is_head_ || has_no_body(response_->status)) {
    memory_ = {};
    file_left_ = 0;
    source_ended_ = true;
  }
  if (transport_.tls() && memory_.size() <= joined_bytes) {
    head_ += memory_;
    body_in_head_ = memory_.size();
    memory_ = {};
  }
}

void Connection::write_head(std::optional<std::uint64_t> length) {
  const int status = response_->status;
  head_.clear();
  head_at_ = 0;
  fmt::format_to(std::back_inserter(head_), "HTTP/1.1 {} {}\r\nDate: {}\r\n", status, reason_phrase(status), loop_->date());
  for (const auto& [name, value] : response_->headers) {
    append_value(head_, name);
    head_ += ": ";
    append_value(head_, value);
    head_ += "\r\n";
  }
  if (chunked_ && !has_no_body(status)) {
    head_ += "Transfer-Encoding: chunked\r\n";
  } else if (length && !has_no_body(status)) {
    fmt::format_to(std::back_inserter(head_), "Content-Length: {}\r\n", *length);
  }
  if (close_after_) {
    head_ += "Connection: close\r\n";
  } else if (http_1_0_) {
    head_ += "Connection: keep-alive\r\n";
  }
  head_ += "\r\n";
}

bool Connection::send_memory() {
  stop_waiting();
  while (head_at_ < head_.size() || !memory_.empty()) {
    const std::string_view head = std::string_view(head_).substr(head_at_);
    const IoResult result = transport_.write(head, memory_, false);
    if (result.status == IoStatus::would_block) {
      writable_ = false;
      return true;
    }
    if (result.status != IoStatus::ok) {
      fail(Outcome::Kind::client_gone);
      return false;
    }
    const std::size_t of_head = std::min(result.bytes, head.size());
    head_at_ += of_head;
    memory_.remove_prefix(result.bytes - of_head);
    body_sent_ += result.bytes - of_head;
  }
  body_sent_ += body_in_head_;
  response_sent();
  return true;
}

void Connection::lend_response() {
  state_ = State::sending_elsewhere;
  stop_waiting();
  writable_ = false;
  const bool taken = core_->threads.send([self = shared_from_this()] {
    SendStep step = SendStep::failed;
    try {
      step = self->send_body();
    } catch (const std::exception&) {
      step = SendStep::failed;
    }
    self->loop_->post([self, step] { self->response_returned(step); });
  });
  if (!taken) fail(Outcome::Kind::cut);
}

Connection::SendStep Connection::send_body() {
  const int file = file_left_ > 0 ? std::get<FileRegion>(response_->body).file->get() : -1;
  for (std::uint64_t moved = 0; moved < turn_bytes;) {
    if (cut_) return SendStep::gone;
    if (const SendStep step = flush(); step != SendStep::done) return step;
    if (file_left_ > 0) {
      const IoResult result = transport_.send_file(file, file_at_, file_left_);
      if (result.status == IoStatus::would_block) {
        // A fast reader makes room sooner than the way through the loop and back takes. Only while nobody else wants this thread.
        if (core_->threads.sends_waiting() == 0 && transport_.wait_until_writable(spare_milliseconds)) continue;
        return SendStep::waiting;
      }
      if (result.status == IoStatus::failed) return SendStep::failed;
      if (result.status == IoStatus::closed) return SendStep::gone;
      file_at_ += result.bytes;
      file_left_ -= result.bytes;
      body_sent_ += result.bytes;
      moved += result.bytes;
    } else if (!source_ended_) {
      const std::uint64_t before = produced_;
      if (const SendStep step = produce(); step != SendStep::done) return step;
      moved += produced_ - before;
    } else {
      return SendStep::done;
    }
  }
  return SendStep::again;
}

// Sends what is in head_.
Connection::SendStep Connection::flush() {
  while (head_at_ < head_.size()) {
    const IoResult result = transport_.write(std::string_view(head_).substr(head_at_), {}, file_left_ > 0);
    if (result.status == IoStatus::would_block) return SendStep::waiting;
    if (result.status != IoStatus::ok) return SendStep::gone;
    head_at_ += result.bytes;
  }
  head_.clear();
  head_at_ = 0;
  body_sent_ += std::exchange(body_in_head_, 0);
  return SendStep::done;
}

// Puts the next piece of a generated body into head_.
Connection::SendStep Connection::produce() {
  const auto& body = std::get<GeneratedBody>(response_->body);
  static thread_local std::vector<std::uint8_t> buffer(produce_buffer);
  std::span<std::uint8_t> space = buffer;
  if (body.length) space = space.first(static_cast<std::size_t>(std::min<std::uint64_t>(space.size(), *body.length - produced_)));
  const auto got = body.source->read(space);
  if (!got || *got > space.size()) return SendStep::failed;
  if (*got == 0) {
    if (body.length) return SendStep::failed;  // the promised length was not reached
    if (chunked_) head_ = "0\r\n\r\n";
    source_ended_ = true;
    return SendStep::done;
  }
  if (chunked_) fmt::format_to(std::back_inserter(head_), "{:x}\r\n", *got);
  head_ += as_text(space.first(*got));
  if (chunked_) head_ += "\r\n";
  body_in_head_ = *got;
  produced_ += *got;
  if (body.length && produced_ == *body.length) source_ended_ = true;
  return SendStep::done;
}

void Connection::response_returned(SendStep step) {
  if (state_ != State::sending_elsewhere) return;
  state_ = State::sending;
  if (cut_) {
    fail(Outcome::Kind::cut);
    return;
  }
  switch (step) {
    case SendStep::waiting: break;
    case SendStep::again: writable_ = true; break;
    case SendStep::done:
      writable_ = true;
      response_sent();
      break;
    case SendStep::gone: fail(Outcome::Kind::client_gone); return;
    case SendStep::failed:
      transport_.abort();  // so that nobody takes the part for the whole
      fail(Outcome::Kind::failed);
      return;
  }
  drive();
}

void Connection::response_sent() {
  end_exchange(Outcome::Kind::complete);
  if (state_ == State::closed) return;  // by a callback
  if (head_.capacity() > kept_head_bytes) head_ = std::string();
  if (!close_after_) {
    if (decoder_.done()) {
      next_request();
    } else {
      state_ = State::draining;
      set_deadline(loop_->now() + core_->options.limits.head_time);
    }
    return;
  }
  if (decoder_.done() && !linger_after_) {
    close();
    return;
  }
  // The peer may still be sending. Closing now would answer that with a reset, which can overtake the response.
  transport_.end_sending();
  state_ = State::lingering;
  readable_ = true;
  set_deadline(loop_->now() + core_->options.limits.linger_time);
}

}  // namespace lazaret::net
