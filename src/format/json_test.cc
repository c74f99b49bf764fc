#include "format/json.h"

#include <gtest/gtest.h>

#include <string>

namespace lazaret::format {
namespace {

bool has(const JsonDocument& document, std::string_view rule) {
  for (const Diagnostic& diagnostic : document.diagnostics) {
    if (diagnostic.rule == rule) return true;
  }
  return false;
}

TEST(Json, ReadsValuesOfEveryKind) {
  const auto document = parse_json(R"({"text":"a\u00e9\ud83d\ude00\n","whole":18446744073709551615,"negative":-3,"part":2.5,"yes":true,"none":null,"list":[1,[2]]})");
  ASSERT_TRUE(document.valid);
  EXPECT_TRUE(document.diagnostics.empty());
  EXPECT_EQ(document.value.text("text"), "a\xc3\xa9\xf0\x9f\x98\x80\n");
  EXPECT_EQ(document.value.find("whole")->as_size(), 18446744073709551615ull);
  EXPECT_FALSE(document.value.find("negative")->as_size());
  EXPECT_EQ(document.value.find("part")->as_number(), 2.5);
  EXPECT_TRUE(*document.value.find("yes")->as_bool());
  EXPECT_TRUE(document.value.find("none")->is_null());
  EXPECT_EQ(document.value.find("list")->as_array()->size(), 2u);
  EXPECT_EQ(document.value.find("absent"), nullptr);
}

// Go takes the last of two equal keys and does not look at their case; others take the first, or match exactly.
TEST(Json, KeysThatReadersTakeForOneAnotherAreTold) {
  const auto twice = parse_json(R"({"layers":[],"layers":[1]})");
  EXPECT_TRUE(has(twice, "anomaly.json-duplicate-key"));
  EXPECT_EQ(twice.value.find("layers")->as_array()->size(), 1u);
  EXPECT_TRUE(has(parse_json(R"({"layers":[],"Layers":[1]})"), "anomaly.json-case-variant-key"));
  EXPECT_TRUE(parse_json(R"({"a":{"b":1},"b":2})").diagnostics.empty());
}

TEST(Json, WhatIsBehindOrMissingIsTold) {
  EXPECT_TRUE(has(parse_json("{} {}"), "anomaly.json-trailing-data"));
  EXPECT_FALSE(parse_json("{").valid);
  EXPECT_FALSE(parse_json("").valid);
  EXPECT_FALSE(parse_json("{\"a\":01}").valid);
  EXPECT_FALSE(parse_json("{\"a\":1,}").valid);
}

TEST(Json, LenientlyAsMinersConfigsAreWritten) {
  JsonOptions options;
  options.lenient = true;
  const auto document = parse_json("// pools\n{ \"pools\": [ { \"url\": \"pool.example:3333\", }, ], # all\n /* x */ \"tls\": true ", options);
  const JsonValue* const pools = document.value.find("pools");
  ASSERT_NE(pools, nullptr);
  EXPECT_EQ(pools->as_array()->front().text("url"), "pool.example:3333");
}

TEST(Json, DepthIsBoundedAndTold) {
  const auto document = parse_json(std::string(100'000, '[') + std::string(100'000, ']'));
  EXPECT_FALSE(document.valid);
  EXPECT_FALSE(document.diagnostics.empty());
  JsonOptions options;
  options.max_depth = 3;
  EXPECT_TRUE(parse_json("[[[1]]]", options).valid);
  EXPECT_FALSE(parse_json("[[[[1]]]]", options).valid);
}

TEST(Json, TruncationAtEveryByteIsNeverValid) {
  const std::string whole = R"({"a":[1,2,{"b":"c\u0041"}],"d":false,"e":-1.5e10})";
  ASSERT_TRUE(parse_json(whole).valid);
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(parse_json(whole.substr(0, size)).valid) << size;
}

}  // namespace
}  // namespace lazaret::format
