#include "net/http_parser.h"

#include <algorithm>

#include "base/text.h"

namespace lazaret::net {
namespace {

constexpr auto none = std::string_view::npos;

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

std::string_view trim_blanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// The fields of a Host: what no host name, address or port can hold is refused, so that it cannot
// break out of a URL that is made of it.
bool is_host(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-._~:[]").find(c) != none;
  });
}

// Decodes the path and refuses what a second reader could take apart in another way.
std::optional<Refusal> decode_path(std::string_view raw, std::string& path) {
  path.clear();
  path.reserve(raw.size());
  for (std::size_t i = 0; i < raw.size(); ++i) {
    char c = raw[i];
    if (c == '%') {
      const int high = i + 1 < raw.size() ? hex_value(raw[i + 1]) : -1;
      const int low = i + 2 < raw.size() ? hex_value(raw[i + 2]) : -1;
      if (high < 0 || low < 0) return Refusal{400, "the path has a '%' without two hex digits"};
      c = static_cast<char>(high << 4 | low);
      i += 2;
      if (c == '/') return Refusal{400, "the path has an encoded '/'"};
    }
    if (c == '\\' || is_control(c))
      return Refusal{400, "the path has a backslash or a control character"};
    path.push_back(c);
  }
  for (std::string_view rest = path; !rest.empty();) {
    const auto slash = rest.find('/');
    const std::string_view part = rest.substr(0, slash);
    if (part == "." || part == "..") return Refusal{400, "the path has a '.' or '..' part"};
    rest = slash == none ? "" : rest.substr(slash + 1);
  }
  return std::nullopt;
}

std::optional<Refusal> parse_target(std::string_view target, const ParserLimits& limits,
                                    Request& request, bool& absolute) {
  if (target.size() > limits.target_bytes) return Refusal{414, "the request target is too long"};
  for (const char c : target)
    if (is_control(c) || static_cast<unsigned char>(c) >= 0x80 || c == '#')
      return Refusal{400, "the request target has a byte that does not belong there"};
  if (target == "*") {
    if (request.method != "OPTIONS") return Refusal{400, "only OPTIONS may ask for '*'"};
    request.target = target;
    request.path = "*";
    return std::nullopt;
  }
  if (request.method == "CONNECT") return Refusal{501, "this server is no proxy"};
  if (!target.starts_with('/')) {
    const auto scheme = target.find("://");
    if (scheme == none || (!equals_ignore_case(target.substr(0, scheme), "http") &&
                           !equals_ignore_case(target.substr(0, scheme), "https")))
      return Refusal{400, "the request target is neither a path nor an address"};
    const std::string_view rest = target.substr(scheme + 3);
    const auto end = rest.find_first_of("/?");
    const std::string_view authority = rest.substr(0, end);
    if (authority.empty() || !is_host(authority))
      return Refusal{400, "the request target has no proper host"};
    if (end == none || rest[end] != '/') return Refusal{400, "the request target has no path"};
    absolute = true;
    request.host = authority;
    target = rest.substr(end);
  }
  request.target = target;
  const auto question = target.find('?');
  if (question != none) request.query = target.substr(question + 1);
  return decode_path(target.substr(0, question), request.path);
}

std::optional<Refusal> parse_request_line(std::string_view line, const ParserLimits& limits,
                                          Request& request, bool& absolute) {
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == none || first == last || line.find(' ', first + 1) != last)
    return Refusal{400, "the request line is not 'method target version'"};
  request.method = line.substr(0, first);
  if (request.method.size() > 32 || !is_token(request.method))
    return Refusal{400, "the method is no token"};
  const std::string_view version = line.substr(last + 1);
  if (version.size() != 8 || !version.starts_with("HTTP/") || version[6] != '.' ||
      version[5] < '0' || version[5] > '9' || version[7] < '0' || version[7] > '9')
    return Refusal{400, "the request line ends with no HTTP version"};
  if (version[5] != '1' || version[7] > '1') return Refusal{505, "this server speaks HTTP/1.1"};
  request.minor_version = version[7] == '0' ? 0 : 1;
  return parse_target(line.substr(first + 1, last - first - 1), limits, request, absolute);
}

// What the framing fields of a head say, put together while they are read.
struct Framing {
  bool host = false, length = false, encoding = false, expect = false;
  bool close = false, keep = false;
};

std::optional<Refusal> parse_length(std::string_view value, Request& request) {
  if (value.empty() || value.size() > 18)
    return Refusal{400, "Content-Length is no number that makes sense"};
  std::uint64_t length = 0;
  for (const char c : value) {
    if (c < '0' || c > '9') return Refusal{400, "Content-Length is no number"};
    length = length * 10 + static_cast<std::uint64_t>(c - '0');
  }
  request.content_length = length;
  return std::nullopt;
}

std::optional<Refusal> understand(const HeaderField& field, bool absolute, Request& request,
                                  Framing& framing) {
  const auto is = [&](std::string_view name) { return equals_ignore_case(field.name, name); };
  switch (field.name.size()) {
    case 4:
      if (!is("host")) break;
      if (std::exchange(framing.host, true)) return Refusal{400, "more than one Host"};
      if (!is_host(field.value)) return Refusal{400, "Host is no host"};
      if (!absolute) request.host = field.value;
      break;
    case 6:
      if (!is("expect") || request.minor_version == 0) break;
      if (std::exchange(framing.expect, true) || !equals_ignore_case(field.value, "100-continue"))
        return Refusal{417, "the only expectation that is met is 100-continue"};
      break;
    case 10:
      if (!is("connection")) break;
      for (const std::string_view part : split(field.value, ',')) {
        const std::string_view option = trim_blanks(part);
        if (!option.empty() && !is_token(option)) return Refusal{400, "Connection is no list of tokens"};
        framing.close |= equals_ignore_case(option, "close");
        framing.keep |= equals_ignore_case(option, "keep-alive");
      }
      break;
    case 14:
      if (!is("content-length")) break;
      if (std::exchange(framing.length, true)) return Refusal{400, "more than one Content-Length"};
      return parse_length(field.value, request);
    case 17:
      if (!is("transfer-encoding")) break;
      if (std::exchange(framing.encoding, true))
        return Refusal{400, "more than one Transfer-Encoding"};
      if (!equals_ignore_case(field.value, "chunked"))
        return Refusal{501, "the only Transfer-Encoding that is read is chunked"};
      request.chunked = true;
      break;
    default: break;
  }
  return std::nullopt;
}

// *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] ) (RFC 9112, 7.1.1)
bool is_extension_list(std::string_view text) {
  const auto skip_blanks = [&] {
    while (!text.empty() && (text[0] == ' ' || text[0] == '\t')) text.remove_prefix(1);
  };
  const auto take = [&](char c) {
    if (!text.starts_with(c)) return false;
    text.remove_prefix(1);
    return true;
  };
  const auto take_token = [&] {
    std::size_t size = 0;
    while (size < text.size() && is_token(text.substr(size, 1))) ++size;
    text.remove_prefix(size);
    return size > 0;
  };
  const auto take_quoted = [&] {
    while (!text.empty() && text[0] != '"') {
      take('\\');
      if (text.empty() || (is_control(text[0]) && text[0] != '\t')) return false;
      text.remove_prefix(1);
    }
    return take('"');
  };
  while (!text.empty()) {
    skip_blanks();
    if (!take(';')) return false;
    skip_blanks();
    if (!take_token()) return false;
    const std::string_view before = text;
    skip_blanks();
    if (!take('=')) {
      text = before;
      continue;
    }
    skip_blanks();
    if (take('"') ? !take_quoted() : !take_token()) return false;
  }
  return true;
}

// A field that may come behind a body: what says where messages end or go must not (RFC 9110, 6.5.1).
bool is_trailer_field(std::string_view line) {
  const auto colon = line.find(':');
  const std::string_view name = line.substr(0, colon);
  if (colon == none || !is_token(name)) return false;
  for (const std::string_view framing : {"transfer-encoding", "content-length", "host", "connection", "proxy-connection", "upgrade", "expect", "authorization"})
    if (equals_ignore_case(name, framing)) return false;
  return true;
}

}  // namespace

HeadReader::Progress HeadReader::feed(std::string_view& bytes) {
  const auto refuse = [&](int status, std::string_view reason) {
    refusal_ = {status, reason};
    return Progress::refused;
  };
  if (head_.empty()) {
    // Line ends in front of a request: some old clients send one after a body (RFC 9112, 2.2).
    while (bytes.starts_with("\r\n")) {
      if (++empty_lines_ > 2) return refuse(400, "empty lines where a request should be");
      bytes.remove_prefix(2);
    }
    if (bytes.empty()) return Progress::more;
    if (bytes[0] == '\x16')
      return refuse(400, "this is TLS, and this port speaks plain HTTP: use http:// or a port with TLS");
    if (bytes[0] != '\r' && !is_token(bytes.substr(0, 1)))
      return refuse(400, "this is no HTTP request");
  }
  const std::size_t known = head_.size();
  head_.append(bytes.substr(0, limits_.head_bytes + 1 - std::min(known, limits_.head_bytes)));
  for (std::size_t at = known;;) {
    const auto end = head_.find('\n', at);
    if (end == none) break;
    if (end == 0 || head_[end - 1] != '\r') return refuse(400, "a line ends with LF but no CR");
    if (end - line_begin_ == 1) {
      if (end == 1) {  // CR and LF came in two pieces
        if (++empty_lines_ > 2) return refuse(400, "empty lines where a request should be");
        head_.clear();
        bytes.remove_prefix(end + 1 - known);
        return feed(bytes);
      }
      bytes.remove_prefix(end + 1 - known);
      head_.resize(end + 1);
      return head_.size() > limits_.head_bytes ? refuse(431, "the request's head is too large")
                                               : Progress::complete;
    }
    line_begin_ = at = end + 1;
  }
  // A start line that alone is too long gets its own answer.
  if (line_begin_ == 0 && head_.size() > limits_.target_bytes + 64)
    return refuse(414, "the request target is too long");
  if (head_.size() > limits_.head_bytes) return refuse(431, "the request's head is too large");
  bytes = {};
  return Progress::more;
}

std::string HeadReader::take() {
  std::string head = std::move(head_);
  head_.clear();
  line_begin_ = 0;
  empty_lines_ = 0;
  return head;
}

std::optional<Refusal> parse_head(std::string head, const ParserLimits& limits, Request& request) {
  request.buffer = std::move(head);
  std::string_view rest = request.buffer;
  const auto next_line = [&]() -> std::string_view {
    const auto end = rest.find("\r\n");
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == none ? rest.size() : end + 2);
    return line;
  };

  bool absolute = false;
  const std::string_view request_line = next_line();
  if (const auto refused = parse_request_line(request_line, limits, request, absolute))
    return refused;

  Framing framing;
  request.headers.reserve(12);
  for (std::string_view line = next_line(); !line.empty(); line = next_line()) {
    if (line[0] == ' ' || line[0] == '\t') return Refusal{400, "a header line is folded"};
    const auto colon = line.find(':');
    if (colon == none || !is_token(line.substr(0, colon)))
      return Refusal{400, "a header line has no proper name and colon"};
    const HeaderField field{line.substr(0, colon), trim_blanks(line.substr(colon + 1))};
    for (const char c : field.value)
      if (is_control(c) && c != '\t') return Refusal{400, "a header value has a control character"};
    if (request.headers.size() == limits.header_fields)
      return Refusal{431, "the request has too many header lines"};
    request.headers.push_back(field);
    if (const auto refused = understand(field, absolute, request, framing)) return refused;
  }

  if (request.minor_version >= 1 && !framing.host) return Refusal{400, "Host is missing"};
  if (framing.length && framing.encoding)
    return Refusal{400, "both Content-Length and Transfer-Encoding"};
  if (framing.encoding && request.minor_version == 0)
    return Refusal{400, "Transfer-Encoding in HTTP/1.0"};
  request.keep_alive = request.minor_version >= 1 ? !framing.close : framing.keep && !framing.close;
  request.expects_continue = framing.expect && request.has_body();
  return std::nullopt;
}

BodyDecoder::BodyDecoder(const Request& request, const ParserLimits& limits) : limits_(limits) {
  if (request.chunked) {
    state_ = State::size;
  } else if (request.content_length.value_or(0) > 0) {
    state_ = State::length;
    left_ = *request.content_length;
  }
}

std::optional<std::uint64_t> BodyDecoder::remaining() const {
  if (state_ == State::done) return 0;
  if (state_ == State::length) return left_;
  return std::nullopt;
}

BodyDecoder::Status BodyDecoder::decode(std::string_view& input, Bytes& piece) {
  piece = {};
  if (state_ == State::done) return Status::done;
  if (state_ == State::malformed) return Status::malformed;
  if (state_ != State::length) return chunked(input, piece);
  const std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size()));
  piece = as_bytes(input.substr(0, size));
  input.remove_prefix(size);
  left_ -= size;
  if (left_ > 0) return Status::more;
  state_ = State::done;
  return Status::done;
}

BodyDecoder::Status BodyDecoder::chunked(std::string_view& input, Bytes& piece) {
  while (!input.empty()) {
    if (state_ == State::data) {
      const std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size()));
      piece = as_bytes(input.substr(0, size));
      input.remove_prefix(size);
      left_ -= size;
      if (left_ == 0) state_ = State::data_cr;
      return Status::more;
    }
    const char c = input[0];
    input.remove_prefix(1);
    switch (state_) {
      case State::size:
        if (const int digit = hex_value(c); digit >= 0) {
          if (++digits_ > 15) return fail();
          left_ = left_ << 4 | static_cast<std::uint64_t>(digit);
        } else if (digits_ == 0) {
          return fail();
        } else if (c == '\r') {
          state_ = State::size_end;
        } else if (c == ';') {
          line_ = c;
          state_ = State::extension;
        } else {
          return fail();
        }
        break;
      case State::extension:
        if (c == '\r') {
          if (!is_extension_list(line_)) return fail();
          line_.clear();
          state_ = State::size_end;
        } else if ((is_control(c) && c != '\t') || line_.size() == limits_.chunk_line_bytes || ++extension_bytes_ > limits_.chunk_extension_bytes) {
          return fail();
        } else {
          line_.push_back(c);
        }
        break;
      case State::size_end:
        if (c != '\n') return fail();
        state_ = left_ == 0 ? State::trailer : State::data;
        digits_ = 0;
        break;
      case State::data_cr:
        if (c != '\r') return fail();
        state_ = State::data_lf;
        break;
      case State::data_lf:
        if (c != '\n') return fail();
        state_ = State::size;
        break;
      case State::trailer:
        if (++trailer_bytes_ > limits_.trailer_bytes) return fail();
        if (c == '\r') {
          state_ = State::trailer_end;
        } else if (is_control(c) && c != '\t') {
          return fail();
        } else {
          line_.push_back(c);
        }
        break;
      case State::trailer_end:
        if (c != '\n') return fail();
        if (line_.empty()) {
          state_ = State::done;
          return Status::done;
        }
        if (!is_trailer_field(line_)) return fail();
        line_.clear();  // nothing in a trailer is of use here
        state_ = State::trailer;
        break;
      default: return fail();
    }
  }
  return Status::more;
}

}  // namespace lazaret::net
