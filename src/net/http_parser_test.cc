#include "net/http_parser.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

namespace lazaret::net {
namespace {

const ParserLimits limits;

struct Parsed {
  std::unique_ptr<Request> request = std::make_unique<Request>();
  int refused = 0;  // the status, 0: taken
  std::string reason;
};

Parsed parse(std::string_view text, const ParserLimits& with = limits) {
  Parsed parsed;
  HeadReader reader(with);
  const auto progress = reader.feed(text);
  if (progress == HeadReader::Progress::more) {
    parsed.refused = -1;
    return parsed;
  }
  if (progress == HeadReader::Progress::refused) {
    parsed.refused = reader.refusal().status;
    parsed.reason = reader.refusal().reason;
    return parsed;
  }
  if (const auto refusal = parse_head(reader.take(), with, *parsed.request)) {
    parsed.refused = refusal->status;
    parsed.reason = refusal->reason;
  }
  return parsed;
}

std::string with_fields(std::string_view fields) {
  return fmt::format("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", fields);
}

TEST(HttpParser, ReadsAHead) {
  const Parsed parsed = parse("PUT /v2/a%2Db/manifests/1?x=1&x=%41+b&%6e=v HTTP/1.1\r\nHost: registry.example:5000\r\nAccept: a\r\nX-Empty:\r\naccept:\t b \r\nContent-Length: 12\r\n\r\n");
  ASSERT_EQ(parsed.refused, 0) << parsed.reason;
  const Request& request = *parsed.request;
  EXPECT_EQ(request.method, "PUT");
  EXPECT_EQ(request.target, "/v2/a%2Db/manifests/1?x=1&x=%41+b&%6e=v");
  EXPECT_EQ(request.path, "/v2/a-b/manifests/1");
  EXPECT_EQ(request.query, "x=1&x=%41+b&%6e=v");
  EXPECT_EQ(request.host, "registry.example:5000");
  EXPECT_EQ(request.header("ACCEPT"), "a");
  EXPECT_EQ(request.header("x-empty"), "");
  EXPECT_EQ(request.header("missing"), std::nullopt);
  EXPECT_EQ(request.header_list("Accept"), "a, b");
  EXPECT_EQ(request.content_length, 12u);
  EXPECT_EQ(request.query_values("x"), (std::vector<std::string>{"1", "A b"}));
  EXPECT_EQ(request.query_value("n"), "v");
  EXPECT_EQ(request.query_value("m"), std::nullopt);
  EXPECT_TRUE(request.keep_alive);
}

TEST(HttpParser, EveryPrefixIsIncompleteAndEverySplitTheSame) {
  const std::string text = "\r\nPOST /a HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\nrest";
  for (std::size_t cut = 0; cut < text.size(); ++cut) {
    HeadReader reader(limits);
    std::string_view first = std::string_view(text).substr(0, cut), second = std::string_view(text).substr(cut);
    auto progress = reader.feed(first);
    if (cut < text.size() - 4) {
      ASSERT_EQ(progress, HeadReader::Progress::more) << cut;
      EXPECT_TRUE(first.empty());
      progress = reader.feed(second);
      EXPECT_EQ(second, "rest") << cut;
    }
    ASSERT_EQ(progress, HeadReader::Progress::complete) << cut;
    Request request;
    EXPECT_FALSE(parse_head(reader.take(), limits, request));
    EXPECT_EQ(request.path, "/a");
    EXPECT_TRUE(request.chunked);
  }
  HeadReader reader(limits);
  for (std::size_t i = 0; i < text.size() - 4; ++i) {
    std::string_view one = std::string_view(text).substr(i, 1);
    ASSERT_EQ(reader.feed(one), i + 5 == text.size() ? HeadReader::Progress::complete : HeadReader::Progress::more) << i;
  }
}

// Each of these has been used to smuggle a request past a first server into a second (RFC 9112, 11.2).
TEST(HttpParser, RefusesWhatServersDisagreeAbout) {
  const std::vector<std::pair<std::string, int>> table = {
      {with_fields("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400},
      {with_fields("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 400},
      {with_fields("Content-Length: 5\r\nContent-Length: 6\r\n"), 400},
      {with_fields("Content-Length: 5\r\nContent-Length: 5\r\n"), 400},
      {with_fields("Content-Length: 5, 5\r\n"), 400},
      {with_fields("Content-Length: +5\r\n"), 400},
      {with_fields("Content-Length: -5\r\n"), 400},
      {with_fields("Content-Length: 0x5\r\n"), 400},
      {with_fields("Content-Length: 5 5\r\n"), 400},
      {with_fields("Content-Length: \r\n"), 400},
      {with_fields("Content-Length: 99999999999999999999\r\n"), 400},
      {with_fields("Content-Length : 5\r\n"), 400},
      {with_fields("Content-Length\t: 5\r\n"), 400},
      {with_fields("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400},
      {with_fields("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"), 400},
      {with_fields("Transfer-Encoding: identity\r\n"), 501},
      {with_fields("Transfer-Encoding: gzip, chunked\r\n"), 501},
      {with_fields("Transfer-Encoding: chunked, chunked\r\n"), 501},
      {with_fields("Transfer-Encoding: xchunked\r\n"), 501},
      {with_fields("Transfer-Encoding: \"chunked\"\r\n"), 501},
      {with_fields("Transfer-Encoding: chunked;a=b\r\n"), 501},
      {with_fields("Transfer-Encoding:\r\n"), 501},
      {with_fields("Transfer-Encoding: \x0b" "chunked\r\n"), 400},
      {with_fields("Transfer-Encoding : chunked\r\n"), 400},
      {with_fields(" Transfer-Encoding: chunked\r\n"), 400},
      {with_fields("X: a\r\n b\r\n"), 400},
      {with_fields("X: a\r\n\tTransfer-Encoding: chunked\r\n"), 400},
      {with_fields("X: a\nTransfer-Encoding: chunked\r\n"), 400},
      {with_fields("X: a\rTransfer-Encoding: chunked\r\n"), 400},
      {with_fields("X: a\r\rTransfer-Encoding: chunked\r\n"), 400},
      {with_fields(std::string("X: a\0b\r\n", 8)), 400},
      {with_fields("X\r\n"), 400},
      {with_fields(": x\r\n"), 400},
      {with_fields("X y: z\r\n"), 400},
      {with_fields("X\x80: z\r\n"), 400},
      {with_fields("Host: b\r\n"), 400},
      {with_fields("Expect: 200-maybe\r\n"), 417},
      {"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a/../b\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400},
      {"GET / HTTP/1.1\nHost: a\n\n", 400},
      {"GET /\r\n\r\n", 400},
      {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
      {"GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET / http/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/11\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
      {"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
      {with_fields("Connection: close keep-alive\r\n"), 400},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"G@T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"\x16\x03\x01\x02", 400},
      {"\r\n\r\n\r\nGET / HTTP/1.1\r\n", 400},
      {"\x80", 400},
  };
  for (const auto& [text, status] : table) EXPECT_EQ(parse(text).refused, status) << text;
}

TEST(HttpParser, RefusesTargetsThatTwoReadersTakeApartDifferently) {
  for (const char* target : {"/a/../b", "/a/..", "/..", "/.", "/./a", "/%2e%2e/a", "/a/%2E", "/a%2fb", "/a%2Fb", "/a%5cb", "/a\\b", "/a%00b", "/a%0ab", "/a%7fb",
                             "/a%", "/a%4", "/a%zz", "/a#b", "/a\x01" "b", "/a\xc3\xa4", "a", "*", "ftp://a/b", "http://", "http:///a", "http://a", "http://a?b",
                             "http://u@a/b", "http:/a"})
    EXPECT_EQ(parse(fmt::format("GET {} HTTP/1.1\r\nHost: a\r\n\r\n", target)).refused, 400) << target;
  for (const char* target : {"/", "/...", "/..a", "/a.", "//a", "/a%20b", "/a%3Ab", "/a?b/../c", "/a?x=%2f%00"})
    EXPECT_EQ(parse(fmt::format("GET {} HTTP/1.1\r\nHost: a\r\n\r\n", target)).refused, 0) << target;
  EXPECT_EQ(parse("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n").refused, 501);
  EXPECT_EQ(parse("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").request->path, "*");
}

TEST(HttpParser, AnAbsoluteTargetNamesTheHost) {
  const Parsed parsed = parse("GET HTTP://b.example:80/c?d HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_EQ(parsed.refused, 0) << parsed.reason;
  EXPECT_EQ(parsed.request->host, "b.example:80");
  EXPECT_EQ(parsed.request->target, "/c?d");
  EXPECT_EQ(parsed.request->path, "/c");
  EXPECT_EQ(parsed.request->query, "d");
}

TEST(HttpParser, KeepsConnectionsAsTheVersionSays) {
  EXPECT_TRUE(parse(with_fields("")).request->keep_alive);
  EXPECT_FALSE(parse(with_fields("Connection: upgrade, Close\r\n")).request->keep_alive);
  EXPECT_FALSE(parse("GET / HTTP/1.0\r\n\r\n").request->keep_alive);
  EXPECT_TRUE(parse("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").request->keep_alive);
  EXPECT_TRUE(parse(with_fields("Expect: 100-Continue\r\nContent-Length: 1\r\n")).request->expects_continue);
  EXPECT_FALSE(parse(with_fields("Expect: 100-continue\r\n")).request->expects_continue) << "there is no body to wait for";
}

TEST(HttpParser, HoldsItsLimits) {
  ParserLimits small;
  small.head_bytes = 400;
  small.target_bytes = 100;
  small.header_fields = 5;
  EXPECT_EQ(parse(fmt::format("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", std::string(99, 'a')), small).refused, 0);
  EXPECT_EQ(parse(fmt::format("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", std::string(100, 'a')), small).refused, 414);
  EXPECT_EQ(parse(fmt::format("GET /{}", std::string(300, 'a')), small).refused, 414);
  EXPECT_EQ(parse(with_fields("A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n"), small).refused, 0);
  EXPECT_EQ(parse(with_fields("A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: 5\r\n"), small).refused, 431);
  EXPECT_EQ(parse(with_fields(fmt::format("A: {}\r\n", std::string(300, 'a'))), small).refused, 0);
  EXPECT_EQ(parse(with_fields(fmt::format("A: {}\r\n", std::string(400, 'a'))), small).refused, 431);
  EXPECT_EQ(parse(fmt::format("GET / HTTP/1.1\r\nA: {}", std::string(500, 'a')), small).refused, 431);
}

// What a chunked body decodes to, fed in pieces of `piece` bytes; nothing when malformed, "more" when incomplete.
std::optional<std::string> decode(std::string_view text, std::size_t piece, std::string* rest = nullptr) {
  Request request;
  request.chunked = true;
  BodyDecoder decoder(request, limits);
  std::string body;
  for (std::size_t at = 0; at < text.size(); at += piece) {
    std::string_view input = text.substr(at, piece);
    while (!input.empty()) {
      Bytes content;
      const auto status = decoder.decode(input, content);
      body += as_text(content);
      if (status == BodyDecoder::Status::malformed) return std::nullopt;
      if (status == BodyDecoder::Status::done) {
        if (rest != nullptr) *rest = std::string(input) + std::string(text.substr(std::min(text.size(), at + piece)));
        return body;
      }
    }
  }
  return "more";
}

TEST(BodyDecoder, DecodesChunks) {
  const std::string text = "4\r\nWiki\r\n0a;x=\"y\"\r\npedia in \r\r\n0\r\nTrailer: value\r\nOther:\r\n\r\nGET";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    std::string rest;
    EXPECT_EQ(decode(text, piece, &rest), "Wikipedia in \r") << piece;
    EXPECT_EQ(rest, "GET");
  }
  for (std::size_t cut = 0; cut + 4 < text.size(); ++cut) EXPECT_EQ(decode(text.substr(0, cut), 7), "more") << cut;
}

TEST(BodyDecoder, RefusesChunksThatServersDisagreeAbout) {
  for (const char* text : {"\r\n", "x\r\n", "-1\r\n", "+1\r\n", "0x1\r\n", " 1\r\n", "1 \r\n", "1\n", "1\ra", "1;a\n", "1\r\nab", "1\r\na\n", "1\r\na\ra",
                           "1000000000000000\r\n", "fffffffffffffffff\r\n", "0\r\n\n", "0\r\nno colon\r\n", "0\r\n: x\r\n", "0\r\nA : x\r\n", "0\r\n folded\r\n", "0\r\nContent-Length: 1\r\n", "1;\r\n", "1;a=\r\n", "1;a=\"b\r\n", "1;a\x80\r\n", "0\r\nA: \x01\r\n"})
    EXPECT_EQ(decode(text, 3), std::nullopt) << text;
  EXPECT_EQ(decode("1;" + std::string(300, 'a') + "\r\n", 100), std::nullopt) << "a long extension";
  std::string many;
  for (int i = 0; i < 200; ++i) many += "1;" + std::string(200, 'a') + "\r\nx\r\n";
  EXPECT_EQ(decode(many, 1000), std::nullopt) << "many extensions";
  EXPECT_EQ(decode("0\r\n" + std::string(10'000, 'a'), 1000), std::nullopt) << "an endless trailer";
}

TEST(BodyDecoder, TakesNoMoreThanTheLength) {
  Request request;
  request.content_length = 5;
  BodyDecoder decoder(request, limits);
  std::string_view input = "abc";
  Bytes piece;
  EXPECT_EQ(decoder.decode(input, piece), BodyDecoder::Status::more);
  EXPECT_EQ(decoder.remaining(), 2u);
  input = "deGET";
  EXPECT_EQ(decoder.decode(input, piece), BodyDecoder::Status::done);
  EXPECT_EQ(as_text(piece), "de");
  EXPECT_EQ(input, "GET");
}

TEST(HttpDate, IsReadAsItIsWritten) {
  EXPECT_EQ(http_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777);
  for (const char* text : {"", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT", "Sun, 06 Nou 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 UTC"})
    EXPECT_EQ(parse_http_date(text), std::nullopt) << text;
}

TEST(Form, IsParsedAndLimited) {
  const auto fields = parse_form("grant_type=password&scope=a%3Ab:pull+c&empty=&flag&&x=%zz%4");
  ASSERT_TRUE(fields);
  EXPECT_EQ(*fields, (std::vector<std::pair<std::string, std::string>>{{"grant_type", "password"}, {"scope", "a:b:pull c"}, {"empty", ""}, {"flag", ""}, {"x", "%zz%4"}}));
  EXPECT_FALSE(parse_form("a&b&c", 2));
}

}  // namespace
}  // namespace lazaret::net
