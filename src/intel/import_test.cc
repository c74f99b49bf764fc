#include "intel/import.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "intel/entry_check.h"
#include "intel/stix_pattern.h"

namespace lazaret::intel {
namespace {

const std::string hash_a(64, 'a'), hash_b(64, 'b');

Import read(std::string_view text, ImportOptions options = {}) {
  if (options.source.empty()) options.source = "feed.txt";
  auto import = read_import(text, options);
  EXPECT_TRUE(import.ok()) << (import.ok() ? "" : import.error().message);
  return import.ok() ? *import : Import();
}
std::vector<std::string> taken(const Import& import) {
  std::vector<std::string> list;
  for (const ImportedEntry& entry : import.entries) list.push_back(entry.type + " " + entry.value);
  return list;
}
bool refused(const Import& import, std::string_view entry, std::string_view why) {
  return std::any_of(import.refused.begin(), import.refused.end(),
                     [&](const RefusedEntry& one) { return one.entry.find(entry) != std::string::npos && one.why.find(why) != std::string::npos; });
}

// What is written is what the rules read, with the same digest-relevant content.
void expect_readable(const Import& import) {
  const std::vector<detect::DataFile> files = {{"incidents/" + import.id + ".toml", to_toml(import), true}};
  const auto data = detect::parse_incident_data(files);
  ASSERT_TRUE(data.ok()) << data.error().message << "\n" << to_toml(import);
  EXPECT_EQ(data->publishers.size() + data->images.size() + data->indicators.size(), import.entries.size());
  EXPECT_TRUE(data->incidents.front()->imported);
}

TEST(Import, ListsOfAnything) {
  const Import import = read("# feed\n" + hash_a + "  payload.bin\n0.0.0.0 evil.example\nhxxp://bad[.]example/run.sh\n192.0.2.7:4444\nsha256:" + hash_b +
                             "\r\n10.1.2.3\ngithub.com\nd41d8cd98f00b204e9800998ecf8427e\nwhat is this\n" + hash_a + "\n");
  EXPECT_EQ(taken(import), (std::vector<std::string>{"c2 192.0.2.7:4444", "domain evil.example", "file-sha256 " + hash_a, "image sha256:" + hash_b, "url http://bad.example/run.sh"}));
  EXPECT_EQ(import.refused_count, 4u);
  EXPECT_TRUE(refused(import, "10.1.2.3", "private"));
  EXPECT_TRUE(refused(import, "github.com", "everybody"));
  EXPECT_TRUE(refused(import, "d41d8", "SHA-256"));
  EXPECT_TRUE(refused(import, "line 10", "no digest"));
  EXPECT_EQ(import.id, "feed-txt");
  expect_readable(import);
  const std::string text = describe(import);
  EXPECT_NE(text.find("5 taken"), std::string::npos);
  EXPECT_NE(text.find("4 not taken"), std::string::npos);
}

TEST(Import, WhatWouldMatchEverywhereIsRefused) {
  const std::string empty_file = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  for (const std::string& bad : {empty_file, std::string("127.0.0.1:80"), std::string("pool.minexmr.com"), std::string("a.b"), std::string("https://github.com/"), std::string("224.0.0.1")}) {
    EXPECT_FALSE(read_import(bad, {}).ok()) << bad;
  }
  EXPECT_EQ(taken(read("https://raw.githubusercontent.com/eve/x/main/run.sh")).size(), 1u) << "a whole URL says whose it is";
}

TEST(Import, StixBundles) {
  const Import import = read(R"({"type":"bundle","id":"bundle--1","objects":[
    {"type":"campaign","id":"campaign--1","name":"Spider \"x\"","first_seen":"2019-05-01T00:00:00Z"},
    {"type":"attack-pattern","id":"attack-pattern--1","name":"x","external_references":[{"source_name":"mitre-attack","external_id":"T1496.001"}]},
    {"type":"indicator","id":"indicator--1","name":"payload","pattern_type":"stix","valid_from":"2019-06-01T00:00:00Z","pattern":"[file:hashes.'SHA-256' = ')" + hash_a + R"(']"},
    {"type":"indicator","id":"indicator--2","pattern_type":"stix","valid_from":"2019-06-01T00:00:00Z","pattern":"[domain-name:value = 'evil.example' OR ipv4-addr:value IN ('192.0.2.9/32', '192.0.2.10')] OR [url:value='http://evil.example/x']"},
    {"type":"indicator","id":"indicator--3","pattern_type":"stix","valid_from":"2019-06-01T00:00:00Z","pattern":"[domain-name:value = 'a.example' AND url:value = 'http://a.example/x']"},
    {"type":"indicator","id":"indicator--4","pattern_type":"yara","valid_from":"2019-06-01T00:00:00Z","pattern":"rule x {}"},
    {"type":"indicator","id":"indicator--5","revoked":true,"pattern_type":"stix","valid_from":"2019-06-01T00:00:00Z","pattern":"[domain-name:value = 'old.example']"},
    {"type":"indicator","id":"indicator--6","valid_until":"2019-07-01T00:00:00Z","pattern_type":"stix","valid_from":"2019-06-01T00:00:00Z","pattern":"[domain-name:value = 'late.example']"},
    {"type":"indicator","id":"indicator--7","pattern_type":"stix","valid_from":"2019-06-01T00:00:00Z","pattern":"[process:name = 'x']"},
    {"type":"domain-name","id":"domain-name--1","value":"seen.example"}]})",
                             {.format = ImportFormat::detect, .id = "", .title = "", .source = "bundle.json", .now = 1'600'000'000'000});
  EXPECT_EQ(taken(import), (std::vector<std::string>{"c2 192.0.2.10", "c2 192.0.2.9", "domain evil.example", "file-sha256 " + hash_a, "url http://evil.example/x"}));
  EXPECT_EQ(import.title, "Spider \"x\"");
  EXPECT_EQ(import.first_seen, "2019-05-01");
  EXPECT_EQ(import.attack, std::vector<std::string>{"T1496.001"});
  for (const auto& [id, why] : {std::pair("indicator--3", "at once"), std::pair("indicator--4", "yara"), std::pair("indicator--5", "revoked"), std::pair("indicator--6", "valid"),
                                std::pair("indicator--7", "property"), std::pair("domain-name--1", "observation")}) {
    EXPECT_TRUE(refused(import, id, why)) << id;
  }
  expect_readable(import);
}

TEST(Import, MispEvents) {
  const Import import = read(R"({"response":[{"Event":{"info":"Miner wave","date":"2021-02-03","Attribute":[
    {"type":"sha256","value":")" + hash_a + R"(","to_ids":true,"comment":"dropper"},
    {"type":"filename|sha256","value":"x|)" + hash_b + R"(","to_ids":true},
    {"type":"ip-dst|port","value":"192.0.2.1|8220","to_ids":true},
    {"type":"domain","value":"context.example","to_ids":false},
    {"type":"md5","value":"d41d8cd98f00b204e9800998ecf8427e","to_ids":true},
    {"type":"xmr","value":"4notawallet","to_ids":true}],
    "Object":[{"name":"url","Attribute":[{"type":"url","value":"http://c2.example/gate","to_ids":true}]}]}}]})");
  EXPECT_EQ(taken(import), (std::vector<std::string>{"c2 192.0.2.1:8220", "file-sha256 " + hash_a, "file-sha256 " + hash_b, "url http://c2.example/gate"}));
  EXPECT_EQ(import.title, "Miner wave");
  EXPECT_EQ(import.first_seen, "2021-02-03");
  EXPECT_TRUE(refused(import, "context.example", "to_ids"));
  EXPECT_TRUE(refused(import, "4notawallet", "checksum"));
  expect_readable(import);
}

TEST(Import, OwnFormGoesRound) {
  const std::string text = "id = \"x-2020\"\ntitle = \"X\"\nfirst_seen = \"2020-01\"\nlast_seen = \"2020-05\"\nattack = [\"T1496.001\"]\n\n[[timeline]]\nwhen = \"2020-01\"\nwhat = \"first image\"\nsource = "
                           "\"a report\"\n\n[[publisher]]\naccount = \"docker.io/eve\"\nconfidence = \"high\"\nsource = \"a report\"\n\n[[image]]\nrepository = "
                           "\"docker.io/eve/x\"\nconfidence = \"medium\"\nsource = \"a report\"\n\n[[indicator]]\ntype = \"c2\"\nvalue = \"192.0.2.1:8220\"\nconfidence = \"high\"\nsource = \"a "
                           "report\"\nnote = \"say \\\"hi\\\"\"\n";
  const Import import = read(text);
  EXPECT_EQ(import.id, "x-2020");
  EXPECT_EQ(import.entries.size(), 3u);
  ASSERT_EQ(import.timeline.size(), 1u);
  expect_readable(import);
  const Import again = read(to_toml(import));
  EXPECT_EQ(to_toml(again), to_toml(import));
  EXPECT_FALSE(read_import("id = \"x\"\n[[indicator]]\ntype = \"c2\"\n", {}).ok()) << "an entry without value";
}

TEST(Import, NothingUsableIsAnErrorThatSaysWhy) {
  const auto nothing = read_import("10.0.0.1\n", {});
  ASSERT_FALSE(nothing.ok());
  EXPECT_NE(nothing.error().message.find("private"), std::string::npos);
  EXPECT_FALSE(read_import("", {}).ok());
  EXPECT_FALSE(read_import("{", {}).ok());
  EXPECT_FALSE(read_import("{\"objects\": 3}", {}).ok());
  EXPECT_FALSE(read_import("[]", {}).ok());
  EXPECT_FALSE(read_import(std::string(import_bytes + 1, ' '), {}).ok());
}

TEST(Import, TextOfOthersStaysText) {
  const Import import = read("http://evil.example/x", {.format = ImportFormat::detect, .id = "", .title = "a\"\n[[image]]\\ \x1b[2J\xff", .source = "../../etc/passwd\n", .now = 0});
  EXPECT_TRUE(is_incident_id(import.id)) << import.id;
  expect_readable(import);
}

TEST(Import, ManyValuesInContentAreCut) {
  std::string list;
  for (int i = 0; i < 4100; ++i) list += "host" + std::to_string(i) + ".evil.example\n";
  const Import import = read(list);
  EXPECT_EQ(import.entries.size(), detect::imported_patterns_limit);
  EXPECT_EQ(import.refused_count, 100u);
  expect_readable(import);
}

TEST(StixPattern, EveryPrefixIsReadOrRefused) {
  const std::string pattern = R"([file:hashes.'SHA-256' = 'a\'b'] OR [url:value IN ('x','y') OR a:b = 'c'])";
  const auto values = read_stix_pattern(pattern);
  ASSERT_TRUE(values.ok());
  ASSERT_EQ(values->size(), 4u);
  EXPECT_EQ(values->front().path, "file:hashes.SHA-256");
  EXPECT_EQ(values->front().value, "a'b");
  for (std::size_t size = 0; size < pattern.size(); ++size) (void)read_stix_pattern(std::string_view(pattern).substr(0, size)).ok();
  for (const char* other : {"[a:b != 'c']", "[a:b = 'c'] FOLLOWEDBY [d:e = 'f']", "[a:b = 'c'] WITHIN 5 SECONDS", "[NOT a:b = 'c']", "[a:b LIKE 'c']", "[a:b = 3]", "a:b = 'c'", ""}) {
    EXPECT_FALSE(read_stix_pattern(other).ok()) << other;
  }
}

TEST(EntryCheck, WordsOfLists) {
  EXPECT_EQ(type_of_word("192.0.2.1"), "c2");
  EXPECT_EQ(type_of_word("2001:db8::1"), "c2");
  EXPECT_EQ(type_of_word("evil.example:8220"), "c2");
  EXPECT_EQ(type_of_word("Evil.example"), "domain");
  EXPECT_EQ(type_of_word("1.2.3"), "");
  EXPECT_EQ(type_of_word("hello"), "");
  EXPECT_EQ(refang("hxxps://a[.]b(.)c[:]80/x"), "https://a.b.c:80/x");
}

}  // namespace
}  // namespace lazaret::intel
