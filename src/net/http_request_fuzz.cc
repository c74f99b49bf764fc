// Requests: the same however they arrive, and read as Boost.Beast reads them wherever we take them at all.
//
// The other direction does not hold, and need not: Beast takes messages (a repeated equal Content-Length, for one) that we refuse.
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstdlib>

#include "net/http_parser.h"
#include "net/range.h"

using namespace lazaret;
using namespace lazaret::net;

namespace {

const ParserLimits limits;

struct Message {
  bool complete = false;
  int refused = 0;
  Request request;
  std::string body;
  bool malformed = false, body_done = false;
  std::size_t left = 0;  // bytes behind it
};

void read(std::string_view text, std::size_t piece, Message& message) {
  HeadReader reader(limits);
  std::size_t at = 0;
  std::string_view input;
  for (;;) {
    if (input.empty()) {
      if (at == text.size()) return;
      input = text.substr(at, piece);
      at += input.size();
    }
    const auto progress = reader.feed(input);
    if (progress == HeadReader::Progress::refused) {
      message.refused = reader.refusal().status;
      return;
    }
    if (progress == HeadReader::Progress::complete) break;
  }
  if (const auto refusal = parse_head(reader.take(), limits, message.request)) {
    message.refused = refusal->status;
    return;
  }
  message.complete = true;
  BodyDecoder decoder(message.request, limits);
  while (!decoder.done()) {
    if (input.empty()) {
      if (at == text.size()) return;
      input = text.substr(at, piece);
      at += input.size();
    }
    Bytes content;
    if (decoder.decode(input, content) == BodyDecoder::Status::malformed) {
      message.malformed = true;
      return;
    }
    message.body += as_text(content);
  }
  message.body_done = true;
  message.left = input.size() + text.size() - at;
}

void compare_with_beast(std::string_view text, const Message& message) {
  namespace http = boost::beast::http;
  while (text.starts_with("\r\n")) text.remove_prefix(2);  // which RFC 9112, 2.2 allows, and Beast does not know
  if (message.request.header("proxy-connection") || message.request.header("upgrade")) return;  // read by Beast alone
  http::request_parser<http::string_body> parser;
  parser.header_limit(1 << 20);
  parser.body_limit(boost::none);
  parser.eager(true);
  boost::beast::error_code error;
  std::size_t used = 0;
  while (used < text.size() && !parser.is_done()) {
    const std::size_t now = parser.put(boost::asio::const_buffer(text.data() + used, text.size() - used), error);
    used += now;
    if (error || now == 0) break;
  }
  if (error && error != http::error::need_more) std::abort();  // Beast refuses what we take
  const auto& theirs = parser.get();
  if (theirs.method_string() != boost::beast::string_view(message.request.method.data(), message.request.method.size())) std::abort();
  if (static_cast<int>(theirs.version()) != 10 + message.request.minor_version) std::abort();
  if (std::distance(theirs.begin(), theirs.end()) != static_cast<std::ptrdiff_t>(message.request.headers.size()) && message.request.chunked == false) std::abort();
  if (parser.chunked() != message.request.chunked) std::abort();
  if (message.body_done != parser.is_done()) std::abort();
  if (theirs.body() != message.body) std::abort();
  if (message.body_done && text.size() - used != message.left) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = as_text({data, size});
  Message whole, pieces;
  read(text, text.size() + 1, whole);
  read(text, 1 + size % 7, pieces);
  if (whole.complete != pieces.complete || whole.refused != pieces.refused || whole.body != pieces.body || whole.malformed != pieces.malformed ||
      whole.body_done != pieces.body_done || whole.left != pieces.left)
    std::abort();
  if (!whole.complete) return 0;
  const Request& request = whole.request;
  if (request.path.find('\0') != std::string::npos || request.path.find('\\') != std::string::npos) std::abort();
  if (request.chunked && request.content_length) std::abort();
  for (const HeaderField& field : request.headers)
    if (field.value.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos) std::abort();
  request.query_values("n");
  Response response;
  answer_with_file(request, FileRegion{nullptr, 0, size}, "\"etag\"", response);
  if (const auto* part = std::get_if<FileRegion>(&response.body))
    if (part->offset > size || part->length > size - part->offset) std::abort();
  if (!whole.malformed) compare_with_beast(text, whole);
  return 0;
}
