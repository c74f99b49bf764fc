#include "net/range.h"

#include <gtest/gtest.h>

#include "net/http_parser.h"

namespace lazaret::net {
namespace {

using Kind = RangeResult::Kind;

void expect_part(std::string_view value, std::uint64_t size, std::uint64_t offset, std::uint64_t length) {
  const auto result = parse_range(value, size);
  EXPECT_EQ(result.kind, Kind::part) << value;
  EXPECT_EQ(result.range.offset, offset) << value;
  EXPECT_EQ(result.range.length, length) << value;
}

TEST(Range, OneRangeOfEachForm) {
  expect_part("bytes=0-9", 100, 0, 10);
  expect_part("bytes=10-", 100, 10, 90);
  expect_part("bytes=-5", 100, 95, 5);
  expect_part("bytes=-500", 100, 0, 100);
  expect_part("bytes=90-1000", 100, 90, 10);
  expect_part("BYTES = 0-0", 1, 0, 1);
  EXPECT_EQ(content_range({90, 10}, 100), "bytes 90-99/100");
}

TEST(Range, BeyondTheEndIsUnsatisfiable) {
  for (const char* value : {"bytes=100-", "bytes=100-200", "bytes=-0", "bytes=100-,200-300"}) EXPECT_EQ(parse_range(value, 100).kind, Kind::unsatisfiable) << value;
  EXPECT_EQ(parse_range("bytes=0-", 0).kind, Kind::unsatisfiable);
  EXPECT_EQ(parse_range("bytes=-1", 0).kind, Kind::unsatisfiable);
  EXPECT_EQ(unsatisfied_range(7), "bytes */7");
}

TEST(Range, WhatIsMalformedCountsAsNone) {
  for (const char* value : {"", "bytes", "bytes=", "bytes=,", "bytes=5", "bytes=9-5", "bytes=a-b", "bytes=1-2-3", "bytes=--1", "lines=0-9", "bytes=0x1-2",
                            "bytes=99999999999999999999-", "bytes=0-9,x"})
    EXPECT_EQ(parse_range(value, 100).kind, Kind::whole) << value;
}

TEST(Range, SeveralThatAreOneAreOneAndAStormIsNone) {
  expect_part("bytes=10-19, 0-9", 100, 0, 20);
  expect_part("bytes=0-50,40-60,-1000", 100, 0, 100);
  EXPECT_EQ(parse_range("bytes=0-9,20-29", 100).kind, Kind::whole);
  std::string storm = "bytes=0-";
  for (int i = 0; i < 1000; ++i) storm += ",0-" + std::to_string(i);
  EXPECT_EQ(parse_range(storm, 100'000).kind, Kind::whole);
  expect_part("bytes=0-9223372036854775806", UINT64_MAX, 0, 9223372036854775807);
}

std::unique_ptr<Request> request(const std::string& fields, const std::string& method = "GET") {
  auto made = std::make_unique<Request>();
  const ParserLimits limits;
  EXPECT_FALSE(parse_head(method + " / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n", limits, *made));
  return made;
}

TEST(ConditionalRequest, EntityTagsWithAndWithoutQuotes) {
  const std::string etag = "\"sha256:aa\"";
  EXPECT_TRUE(if_none_match(*request("If-None-Match: \"sha256:aa\"\r\n"), etag));
  EXPECT_TRUE(if_none_match(*request("If-None-Match: \"x\", W/\"sha256:aa\"\r\n"), etag));
  EXPECT_TRUE(if_none_match(*request("If-None-Match: \"x\"\r\nIf-None-Match: sha256:aa\r\n"), etag));
  EXPECT_TRUE(if_none_match(*request("If-None-Match: *\r\n"), etag));
  EXPECT_FALSE(if_none_match(*request("If-None-Match: \"sha256:bb\"\r\n"), etag));
  EXPECT_FALSE(if_none_match(*request(""), etag));
  EXPECT_TRUE(if_match_fails(*request("If-Match: W/\"sha256:aa\"\r\n"), etag));
  EXPECT_FALSE(if_match_fails(*request("If-Match: \"sha256:aa\"\r\n"), etag));
  EXPECT_FALSE(if_match_fails(*request(""), etag));
}

TEST(ConditionalRequest, AFileIsAnsweredAsAsked) {
  const FileRegion file{std::make_shared<FileDescriptor>(), 1000, 100};
  const auto answer = [&](const std::string& fields, const std::string& method = "GET") {
    Response response;
    answer_with_file(*request(fields, method), file, "\"e\"", response);
    return response;
  };
  EXPECT_EQ(answer("").status, 200);
  const Response part = answer("Range: bytes=10-19\r\n");
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(std::get<FileRegion>(part.body).offset, 1010u);
  EXPECT_EQ(std::get<FileRegion>(part.body).length, 10u);
  EXPECT_EQ(answer("Range: bytes=10-19\r\n", "HEAD").status, 200);
  EXPECT_EQ(answer("Range: bytes=10-19\r\nIf-Range: \"e\"\r\n").status, 206);
  EXPECT_EQ(answer("Range: bytes=10-19\r\nIf-Range: \"other\"\r\n").status, 200);
  EXPECT_EQ(answer("Range: bytes=100-\r\n").status, 416);
  EXPECT_EQ(answer("Range: bytes=0-1\r\nIf-None-Match: \"e\"\r\n").status, 304);
  EXPECT_EQ(answer("If-Match: \"f\"\r\n").status, 412);
}

}  // namespace
}  // namespace lazaret::net
