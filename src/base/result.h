// What a call that touches the world (disk, database, network, a user's input) gives back: a value
// or an Error.
//
// Three kinds of trouble are kept apart in lazaret. Hostile bytes are not errors: parsers return
// what they read plus diagnostics. The world fails: Result. Our own bug: assert.
#pragma once

#include <cassert>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace lazaret {

enum class ErrorCode {
  invalid,       // the request, option or input makes no sense; the message says what to do
  not_found,     // it does not exist
  unauthorized,  // credentials are missing, wrong or too narrow
  unsupported,   // a form we know of but do not read
  corrupt,       // bytes are not what their name, digest or length says
  limit,         // a limit of ours was reached
  io,            // the disk or another local resource failed
  network,       // the peer or the way to it failed
  busy,          // try again later
  cancelled,     // the caller asked to stop
};

// What went wrong, for a person: what, where, and what to do. May hold attacker text; escape it
// where it is shown.
struct Error {
  ErrorCode code = ErrorCode::invalid;
  std::string message;
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // The value; a bug in the caller when ok() is false.
  T& value() & {
    assert(ok());
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    assert(ok());
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    assert(ok());
    return std::move(*std::get_if<0>(&state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  // The error; a bug in the caller when ok() is true.
  const Error& error() const {
    assert(!ok());
    return *std::get_if<1>(&state_);
  }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const {
    assert(!ok());
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

}  // namespace lazaret
