// Reads HTTP/1.1 messages from bytes; does no I/O (RFC 9112).
//
// Strict on purpose. Where the RFC lets a recipient be lenient (a bare LF, white space before a
// colon, folded lines, repeated lengths), two servers in a row come to different opinions about where
// a request ends, and one can be smuggled inside another. Here every such message is refused and its
// connection ended.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "net/http_message.h"

namespace lazaret::net {

struct ParserLimits {
  std::size_t head_bytes = 64 << 10;
  std::size_t target_bytes = 8 << 10;
  std::size_t header_fields = 100;
  std::size_t chunk_line_bytes = 256;
  std::size_t chunk_extension_bytes = 16 << 10;  // of a whole body
  std::size_t trailer_bytes = 8 << 10;
};

// A message that is not taken: the status to answer and why, for a person. The connection cannot go on.
struct Refusal {
  int status = 400;
  std::string_view reason;  // of static storage
};

// Puts the head of one request together out of pieces, looking at each byte once.
class HeadReader {
 public:
  explicit HeadReader(const ParserLimits& limits) : limits_(limits) {}

  enum class Progress { more, complete, refused };
  // Takes bytes off the front of `bytes`, up to the end of the head.
  Progress feed(std::string_view& bytes);
  const Refusal& refusal() const { return refusal_; }
  // Whether something of a head is there (a line end in front of a request is not).
  bool begun() const { return !head_.empty(); }
  // The whole head after `complete`; the reader is as new then.
  std::string take();

 private:
  const ParserLimits& limits_;
  std::string head_;
  Refusal refusal_;
  std::size_t line_begin_ = 0;
  unsigned empty_lines_ = 0;
};

// Reads a complete head (from HeadReader) into `request`, which keeps it as its buffer.
std::optional<Refusal> parse_head(std::string head, const ParserLimits& limits, Request& request);

// Takes the framing off a body: what Content-Length or Transfer-Encoding say of it (RFC 9112, 6 and 7).
class BodyDecoder {
 public:
  BodyDecoder() = default;  // no body
  BodyDecoder(const Request& request, const ParserLimits& limits);

  enum class Status { more, done, malformed };
  // Takes bytes off the front of `input` and gives content in `piece` (a view into it, maybe empty).
  // To be called again until `input` is empty or the status is not `more`.
  Status decode(std::string_view& input, Bytes& piece);
  bool done() const { return state_ == State::done; }
  // Content still to come, where the length is known.
  std::optional<std::uint64_t> remaining() const;

 private:
  enum class State {
    length, size, extension, size_end, data, data_cr, data_lf, trailer, trailer_end, done, malformed
  };
  Status chunked(std::string_view& input, Bytes& piece);
  Status fail() {
    state_ = State::malformed;
    return Status::malformed;
  }

  State state_ = State::done;
  std::uint64_t left_ = 0;  // of the body, or of the chunk
  std::size_t digits_ = 0;
  std::size_t extension_bytes_ = 0, trailer_bytes_ = 0;
  std::string line_;  // of extensions or the trailer
  ParserLimits limits_;
};

}  // namespace lazaret::net
