// Requests and responses of the HTTP server, as values (RFC 9110).
//
// A request has a head only: its body comes through a BodyReceiver (net/http_server.h). The body of
// a response is one of several kinds, so that a blob goes from the page cache to the socket without
// passing through the program.
#pragma once

#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/file_descriptor.h"
#include "base/result.h"

namespace lazaret::net {

struct HeaderField {
  std::string_view name;   // as sent; compare without regard to case
  std::string_view value;  // without white space at its ends
};

// The head of a request that kept every rule of RFC 9112. Its views point into itself: it is moved
// about by pointer, never copied.
class Request {
 public:
  Request() = default;
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  std::string_view method;  // a token, in its case
  std::string_view target;  // as sent, in origin form (the path and query of an absolute form)
  std::string path;         // percent-decoded; no NUL, no control character, no "." or ".." part, no
                            // encoded '/' or '\', so that two readers cannot disagree about its parts
  std::string_view query;   // as sent, without '?'
  std::string_view host;    // of the Host field (or the absolute form), with its port
  std::vector<HeaderField> headers;
  std::optional<std::uint64_t> content_length;  // nothing: chunked, or no body
  bool chunked = false;
  bool expects_continue = false;
  bool keep_alive = true;
  int minor_version = 1;  // of HTTP/1

  // Where it came from. `client` is the address for limits, logs and the ledger: the peer's, or what
  // a trusted proxy says in X-Forwarded-For. `scheme` is what the client sees.
  std::string client;
  std::string peer;
  std::string scheme = "http";  // or "https"
  bool tls = false;             // of this connection

  bool has_body() const { return chunked || content_length.value_or(0) > 0; }
  // The first field of that name (any case).
  std::optional<std::string_view> header(std::string_view name) const;
  // All fields of that name, joined by ", " (RFC 9110, 5.3).
  std::string header_list(std::string_view name) const;
  // Decoded values of a parameter of the query ('+' is a space), in order; bad escapes stay as they are.
  std::vector<std::string> query_values(std::string_view name) const;
  std::optional<std::string> query_value(std::string_view name) const;  // the first

  std::string buffer;  // what the views point into
};

// Parameters of a query or a form: names and values, decoded. At most `limit` of them; more gives nothing.
std::optional<std::vector<std::pair<std::string, std::string>>> parse_form(std::string_view text,
                                                                           std::size_t limit = 64);

// A part of a file. Sent by sendfile(2) where the connection allows it. The file may be unlinked
// meanwhile, but must not be truncated.
struct FileRegion {
  std::shared_ptr<const FileDescriptor> file;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

// Makes a body as it is sent. Called on worker threads, one call at a time.
class BodySource {
 public:
  virtual ~BodySource() = default;
  // Fills the front of `space` and says how much; 0 is the end. An error ends the connection so that
  // the client sees that the body is cut short. May block.
  virtual Result<std::size_t> read(std::span<std::uint8_t> space) = 0;
};
struct GeneratedBody {
  std::shared_ptr<BodySource> source;
  std::optional<std::uint64_t> length;  // nothing: chunked
};

// The answer to a HEAD whose body is not at hand.
struct LengthOnly {
  std::uint64_t length = 0;
};

using ResponseBody = std::variant<std::monostate, std::string, std::shared_ptr<const std::string>,
                                  FileRegion, GeneratedBody, LengthOnly>;

// The server adds Date, Content-Length or Transfer-Encoding, and Connection; handlers do not. Bytes of values
// that must not stand there (CR, LF, NUL, other controls) are sent as spaces. To a
// HEAD request a handler answers as to GET: the body is left away by the server.
struct Response {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  ResponseBody body;
  bool close = false;  // end the connection afterwards

  // Appends a field.
  Response& add(std::string_view name, std::string_view value);
};

Response text_response(int status, std::string text, std::string_view type = "text/plain; charset=utf-8");

std::string_view reason_phrase(int status);
bool is_token(std::string_view text);  // RFC 9110, 5.6.2

// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7).
std::string http_date(std::time_t time);
std::optional<std::time_t> parse_http_date(std::string_view text);

}  // namespace lazaret::net
