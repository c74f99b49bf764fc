#include "source/registry_client.h"

#include <gtest/gtest.h>

#include "codec/text_encoding.h"
#include "net/http_server_test_support.h"

namespace lazaret::source {
namespace {

using net::redirect;
using net::reply;
using net::ServerRequest;
using net::TestServer;
using Send = TestServer::Send;
using Speaks = TestServer::Speaks;
using std::chrono::milliseconds;

class Collector : public BlobWriter {
 public:
  bool write(Bytes bytes) override {
    got += as_text(bytes);
    return got.size() < wanted;
  }
  void finish() override {}
  void fail(const Error&) override {}

  std::string got;
  std::size_t wanted = SIZE_MAX;
};

std::string content_of(std::size_t size) {
  std::string content;
  for (std::size_t i = 0; i < size; ++i) content += static_cast<char>(i * 2654435761u >> 13);
  return content;
}

std::size_t range_of(const ServerRequest& request) {
  const std::string range = request.header("range");
  return range.starts_with("bytes=") ? std::stoul(range.substr(6)) : 0;
}

std::string partial(const std::string& content, std::size_t from) {
  return reply(
      206, content.substr(from),
      {{"Content-Range", fmt::format("bytes {}-{}/{}", from, content.size() - 1, content.size())}});
}

// An answer that promises `content` and breaks after `size` bytes.
std::string broken(const std::string& content, std::size_t from, std::size_t size) {
  const std::string whole = from == 0 ? reply(200, content) : partial(content, from);
  return whole.substr(0, whole.find("\r\n\r\n") + 4 + size);
}

class RegistryClientTest : public ::testing::Test {
  const net::ScopedVariable lower_{"http_proxy", nullptr}, https_{"https_proxy", nullptr},
      upper_{"HTTPS_PROXY", nullptr}, all_{"ALL_PROXY", nullptr}, all_lower_{"all_proxy", nullptr};

 protected:
  RegistryClient& connect(const TestServer& peer, Credentials credentials = {}, int tries = 4) {
    options.insecure_hosts.push_back(peer.host());
    client = std::make_unique<RegistryClient>(
        parse_image_name(peer.host() + "/a/b:1").value(), options, std::move(credentials),
        RetryPolicy{tries, milliseconds(1), milliseconds(1500)});
    return *client;
  }
  Result<void> stream(std::uint64_t size) {
    format::Descriptor descriptor;
    descriptor.digest = hash(HashAlgorithm::sha256, as_bytes("x"));
    descriptor.size = size;
    return client->stream_blob(descriptor, blob);
  }
  // Streams a blob of this size from what the handler makes of it.
  Result<void> stream_from(TestServer::Handler handler, std::uint64_t size) {
    server = std::make_unique<TestServer>(std::move(handler), Speaks::https);
    connect(*server);
    return stream(size);
  }

  SourceOptions options;
  Collector blob;
  std::unique_ptr<TestServer> server;
  std::unique_ptr<RegistryClient> client;
};

TEST_F(RegistryClientTest, GetsAManifestWithAToken) {
  TestServer tokens(
      [](const ServerRequest&, const Send&) { return reply(200, R"({"token":"T"})"); },
      Speaks::https);
  options.insecure_hosts.push_back(tokens.host());
  TestServer registry(
      [&](const ServerRequest& asked, const Send&) {
        if (asked.header("authorization") != "Bearer T")
          return reply(
              401, "",
              {{"WWW-Authenticate", fmt::format("Bearer realm=\"{}\"", tokens.url("/t"))}});
        return reply(200, "{}", {{"Content-Type", "application/x; charset=utf-8"}});
      },
      Speaks::https);
  const auto document = connect(registry, {"u", "p", ""}).manifest("1", 1000);
  ASSERT_TRUE(document) << document.error().message;
  EXPECT_EQ(document->body, "{}");
  EXPECT_EQ(document->media_type, "application/x");
  EXPECT_EQ(registry.requests().back().target, "/v2/a/b/manifests/1");
  ASSERT_EQ(tokens.requests().size(), 1u);
  EXPECT_EQ(tokens.requests()[0].header("authorization"), "Basic " + codec::encode_base64("u:p"));
  // The token serves the next request.
  ASSERT_TRUE(client->small_blob(hash(HashAlgorithm::sha256, as_bytes("x")), 100));
  EXPECT_EQ(tokens.requests().size(), 1u);
}

TEST_F(RegistryClientTest, SaysNothingToAStrangersTokenServer) {
  for (const Credentials& credentials :
       {Credentials{"u", "p", ""}, Credentials{"", "", "refresh"}}) {
    TestServer tokens(
        [](const ServerRequest&, const Send&) { return reply(200, R"({"token":"T"})"); },
        Speaks::https, "127.0.0.2");
    options.insecure_hosts.push_back(tokens.host());
    TestServer registry(
        [&](const ServerRequest& asked, const Send&) {
          if (asked.header("authorization") != "Bearer T")
            return reply(
                401, "",
                {{"WWW-Authenticate", fmt::format("Bearer realm=\"{}\"", tokens.url("/t"))}});
          return reply(200, "{}");
        },
        Speaks::https);
    ASSERT_TRUE(connect(registry, credentials).manifest("1", 1000));
    ASSERT_EQ(tokens.requests().size(), 1u);
    EXPECT_EQ(tokens.requests()[0].method, "GET");
    EXPECT_EQ(tokens.requests()[0].header("authorization"), "");
    EXPECT_EQ(tokens.requests()[0].body, "");
    EXPECT_EQ(tokens.requests()[0].target.find("refresh"), std::string::npos);
  }
}

TEST_F(RegistryClientTest, ARefreshTokenIsNotRedirected) {
  for (const int status : {302, 307}) {
    TestServer thief(
        [](const ServerRequest&, const Send&) { return reply(200, R"({"token":"T"})"); },
        Speaks::https);
    options.insecure_hosts.push_back(thief.host());
    TestServer registry(
        [&](const ServerRequest& asked, const Send&) {
          if (asked.target.starts_with("/t")) return redirect(status, thief.url("/t"));
          return reply(401, "",
                       {{"WWW-Authenticate",
                         fmt::format("Bearer realm=\"https://{}/t\"", asked.header("host"))}});
        },
        Speaks::https);
    EXPECT_FALSE(connect(registry, {"", "", "refresh"}).manifest("1", 1000));
    for (const auto& asked : thief.requests()) {
      EXPECT_EQ(asked.body, "");
      EXPECT_EQ(asked.target.find("refresh"), std::string::npos);
    }
  }
}

TEST_F(RegistryClientTest, ATokenStaysWithTheRegistry) {
  TestServer storage([](const ServerRequest&, const Send&) { return reply(200, "blob"); },
                     Speaks::https);
  options.insecure_hosts.push_back(storage.host());
  TestServer registry(
      [&](const ServerRequest& asked, const Send&) {
        if (asked.header("authorization").empty())
          return reply(401, "", {{"WWW-Authenticate", "Basic realm=x"}});
        return redirect(307, storage.url("/b"));
      },
      Speaks::https);
  connect(registry, {"u", "p", ""});
  ASSERT_TRUE(stream(4));
  EXPECT_EQ(blob.got, "blob");
  EXPECT_EQ(storage.requests().at(0).header("authorization"), "");
}

TEST_F(RegistryClientTest, ARefusalOfTheStorageIsNoQuestionToUs) {
  TestServer storage(
      [](const ServerRequest&, const Send&) {
        return reply(401, "", {{"WWW-Authenticate", "Basic realm=x"}});
      },
      Speaks::https);
  options.insecure_hosts.push_back(storage.host());
  TestServer registry(
      [&](const ServerRequest&, const Send&) { return redirect(307, storage.url("/b")); },
      Speaks::https);
  connect(registry, {"u", "p", ""});
  EXPECT_EQ(stream(4).error().code, ErrorCode::unauthorized);
  for (const auto& asked : storage.requests()) EXPECT_EQ(asked.header("authorization"), "");
  for (const auto& asked : registry.requests()) EXPECT_EQ(asked.header("authorization"), "");
}

TEST_F(RegistryClientTest, PlainHttpWhereThePortSpeaksNoTls) {
  TestServer registry([](const ServerRequest& asked, const Send&) {
    if (asked.header("authorization").empty())
      return reply(401, "", {{"WWW-Authenticate", "Basic realm=x"}});
    return reply(200, "{}");
  });
  const auto document = connect(registry, {"u", "p", ""}).manifest("1", 100);
  ASSERT_TRUE(document) << document.error().message;
  // What is decided stays so.
  ASSERT_TRUE(client->manifest("1", 100));
  EXPECT_EQ(registry.requests().size(), 3u);
  EXPECT_EQ(registry.requests()[0].header("authorization"), "");
}

TEST_F(RegistryClientTest, NoPlainHttpWithHostsThatAreNotListed) {
  TestServer registry([](const ServerRequest&, const Send&) { return reply(200, "{}"); });
  RegistryClient strict(parse_image_name(registry.host() + "/a/b:1").value(), options,
                        {"u", "p", ""}, {2, milliseconds(1), milliseconds(1)});
  EXPECT_FALSE(strict.manifest("1", 100));
  EXPECT_TRUE(registry.requests().empty());
}

// The port speaks TLS, but its first connections are lost. One that then tried http would be heard.
TEST_F(RegistryClientTest, AHiccupDoesNotEndTls) {
  TestServer registry(
      [&](const ServerRequest& asked, const Send&) {
        if (asked.header("authorization").empty())
          return reply(401, "", {{"WWW-Authenticate", "Basic realm=x"}});
        return reply(200, "{}");
      },
      Speaks::https);
  registry.drops = 2;
  const auto document = connect(registry, {"u", "p", ""}).manifest("1", 100);
  ASSERT_TRUE(document) << document.error().message;
  EXPECT_EQ(registry.requests().size(), 2u);
  registry.drops = 2;
  ASSERT_TRUE(client->manifest("1", 100));
  // All connections lost: an error, and still no http.
  registry.drops = 1000;
  EXPECT_EQ(client->manifest("1", 100).error().code, ErrorCode::network);
  registry.drops = 0;
}

// A registry that was reached over TLS, in whose place something else answers later.
TEST_F(RegistryClientTest, TlsOnceIsTlsForEver) {
  auto registry = std::make_unique<TestServer>(
      [](const ServerRequest& asked, const Send&) {
        if (asked.header("authorization").empty())
          return reply(401, "", {{"WWW-Authenticate", "Basic realm=x"}});
        return reply(200, "{}");
      },
      Speaks::https);
  ASSERT_TRUE(connect(*registry, {"u", "p", ""}).manifest("1", 100));
  const std::uint16_t port = registry->port();
  registry.reset();
  TestServer thief([](const ServerRequest&, const Send&) { return reply(200, "{}"); }, Speaks::http,
                   "127.0.0.1", port);
  ASSERT_EQ(thief.port(), port);
  EXPECT_FALSE(client->manifest("1", 100));
  EXPECT_TRUE(thief.requests().empty());
}

TEST_F(RegistryClientTest, TriesAgainWhenAskedTo) {
  for (const int status : {429, 500, 502, 503}) {
    std::atomic<int> count{0};
    TestServer registry(
        [&](const ServerRequest&, const Send&) {
          return ++count < 3 ? reply(status, "", {{"Retry-After", "0"}}) : reply(200, "{}");
        },
        Speaks::https);
    EXPECT_TRUE(connect(registry).manifest("1", 100)) << status;
    EXPECT_EQ(count, 3);
  }
}

TEST_F(RegistryClientTest, WaitsAsLongAsAsked) {
  std::atomic<int> count{0};
  TestServer registry(
      [&](const ServerRequest&, const Send&) {
        return ++count < 2 ? reply(429, "", {{"Retry-After", "1"}}) : reply(200, "{}");
      },
      Speaks::https);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(connect(registry).manifest("1", 100));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(900));
}

TEST_F(RegistryClientTest, GivesUp) {
  TestServer registry([&](const ServerRequest&, const Send&) { return reply(503); }, Speaks::https);
  EXPECT_EQ(connect(registry).manifest("1", 100).error().code, ErrorCode::network);
  EXPECT_EQ(registry.requests().size(), 4u);
  EXPECT_FALSE(stream(10));
  EXPECT_EQ(registry.requests().size(), 8u);
  // Longer than anybody wants to wait.
  TestServer busy(
      [&](const ServerRequest&, const Send&) {
        return reply(429, "", {{"Retry-After", "3600"}});
      },
      Speaks::https);
  const auto document = connect(busy).manifest("1", 100);
  ASSERT_FALSE(document);
  EXPECT_EQ(document.error().code, ErrorCode::busy);
  EXPECT_NE(document.error().message.find("3600"), std::string::npos);
  EXPECT_EQ(busy.requests().size(), 1u);
}

TEST_F(RegistryClientTest, TheTokenServerMayBeBusyToo) {
  std::atomic<int> asked_for_tokens{0};
  TestServer registry(
      [&](const ServerRequest& asked, const Send&) {
        if (asked.target.starts_with("/t"))
          return ++asked_for_tokens < 3 ? reply(503, "", {{"Retry-After", "0"}})
                                        : reply(200, R"({"token":"T"})");
        if (asked.header("authorization").empty())
          return reply(401, "",
                       {{"WWW-Authenticate",
                         fmt::format("Bearer realm=\"https://{}/t\"", asked.header("host"))}});
        return reply(200, "{}");
      },
      Speaks::https);
  EXPECT_TRUE(connect(registry).manifest("1", 100));
  EXPECT_EQ(asked_for_tokens, 3);
}

TEST_F(RegistryClientTest, ARefusalEndsAfterOneToken) {
  TestServer registry(
      [&](const ServerRequest& asked, const Send&) {
        if (asked.target.starts_with("/t")) return reply(200, R"({"token":"T"})");
        return reply(401, R"({"errors":[{"code":"DENIED","message":"no"}]})",
                     {{"WWW-Authenticate",
                       fmt::format("Bearer realm=\"https://{}/t\"", asked.header("host"))}});
      },
      Speaks::https);
  const auto document = connect(registry).manifest("1", 100);
  ASSERT_FALSE(document);
  EXPECT_EQ(document.error().code, ErrorCode::unauthorized);
  EXPECT_NE(document.error().message.find("DENIED no"), std::string::npos);
  EXPECT_EQ(registry.requests().size(), 3u);
}

TEST_F(RegistryClientTest, SaysWhatIsNotThere) {
  TestServer registry([](const ServerRequest&, const Send&) { return reply(404, "nothing"); },
                      Speaks::https);
  EXPECT_EQ(connect(registry).manifest("1", 100).error().code, ErrorCode::not_found);
}

TEST_F(RegistryClientTest, ResumesWhereItBroke) {
  const std::string content = content_of(3 << 20);
  std::atomic<int> count{0};
  ASSERT_TRUE(stream_from(
      [&](const ServerRequest& asked, const Send&) {
        const std::size_t from = range_of(asked);
        return ++count <= 3 ? broken(content, from, 700000) : partial(content, from);
      },
      content.size()));
  EXPECT_EQ(blob.got, content);
  EXPECT_EQ(count, 4);
  const auto requests = server->requests();
  EXPECT_EQ(requests[0].header("range"), "");
  for (int i = 1; i < 4; ++i) EXPECT_GT(range_of(requests[static_cast<std::size_t>(i)]), 0u);
}

TEST_F(RegistryClientTest, AServerThatDoesNotKnowRange) {
  const std::string content = content_of(1 << 20);
  std::atomic<int> count{0};
  ASSERT_TRUE(stream_from(
      [&](const ServerRequest&, const Send&) {
        return ++count <= 2 ? broken(content, 0, 500000u * static_cast<unsigned>(count))
                            : reply(200, content);
      },
      content.size()));
  EXPECT_EQ(blob.got, content);
}

TEST_F(RegistryClientTest, ARangeAtTheWrongPlace) {
  const std::string content = content_of(100000);
  // Once more without Range, then.
  ASSERT_TRUE(stream_from(
      [&](const ServerRequest& asked, const Send&) {
        static std::atomic<int> count{0};
        if (++count == 1) return broken(content, 0, 40000);
        return range_of(asked) > 0 ? partial(content, 10) : reply(200, content);
      },
      content.size()));
  EXPECT_EQ(blob.got, content);

  blob.got.clear();
  const auto stubborn = stream_from(
      [&](const ServerRequest& asked, const Send&) {
        static std::atomic<int> count{0};
        (void)asked;
        return ++count == 1 ? broken(content, 0, 40000) : partial(content, 10);
      },
      content.size());
  ASSERT_FALSE(stubborn);
  EXPECT_EQ(stubborn.error().code, ErrorCode::corrupt);
  EXPECT_EQ(blob.got, content.substr(0, blob.got.size()));

  blob.got.clear();
  const auto unasked = stream_from(
      [&](const ServerRequest&, const Send&) { return partial(content, 5); }, content.size());
  ASSERT_FALSE(unasked);
  EXPECT_EQ(unasked.error().code, ErrorCode::corrupt);
  EXPECT_EQ(blob.got, "");
  EXPECT_FALSE(stream_from([&](const ServerRequest&, const Send&) { return reply(206, content); },
                           content.size()));
  EXPECT_EQ(blob.got, "");
}

TEST_F(RegistryClientTest, TooMuch) {
  const std::string content = content_of(100000);
  const auto got =
      stream_from([&](const ServerRequest&, const Send&) { return reply(200, content); }, 99999);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, ErrorCode::corrupt);
  EXPECT_LE(blob.got.size(), 99999u);
  EXPECT_EQ(server->requests().size(), 1u);
}

TEST_F(RegistryClientTest, TooLittle) {
  const std::string content = content_of(1000);
  for (const int then : {200, 206, 416}) {
    blob.got.clear();
    const auto got = stream_from(
        [&](const ServerRequest& asked, const Send&) {
          if (range_of(asked) == 0 || then == 200) return reply(200, content);
          return then == 416 ? reply(416)
                             : reply(206, "", {{"Content-Range", "bytes 1000-1000/1000"}});
        },
        2000);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, ErrorCode::corrupt) << got.error().message;
    EXPECT_EQ(blob.got, content);
    EXPECT_EQ(server->requests().size(), 2u);
  }
}

TEST_F(RegistryClientTest, ADownloadThatStandsStillIsGivenUp) {
  const std::string content = content_of(1000);
  EXPECT_FALSE(stream_from(
      [&](const ServerRequest& asked, const Send&) { return broken(content, range_of(asked), 1); },
      content.size()));
  EXPECT_EQ(server->requests().size(), 4u);
  EXPECT_EQ(blob.got, content.substr(0, 4));
}

TEST_F(RegistryClientTest, BlobsOfUnknownSize) {
  ASSERT_TRUE(
      stream_from([](const ServerRequest&, const Send&) { return reply(200, "bytes"); }, 0));
  EXPECT_EQ(blob.got, "bytes");
  blob.got.clear();
  ASSERT_TRUE(stream_from([](const ServerRequest&, const Send&) { return reply(200); }, 0));
  EXPECT_EQ(blob.got, "");
}

TEST_F(RegistryClientTest, StopsWhenNoMoreIsWanted) {
  blob.wanted = 10;
  const std::string content = content_of(1 << 20);
  EXPECT_TRUE(stream_from([&](const ServerRequest&, const Send&) { return reply(200, content); },
                          content.size()));
  EXPECT_EQ(server->requests().size(), 1u);
}

TEST_F(RegistryClientTest, StopsWhenCancelled) {
  std::atomic<bool> cancelled{true};
  options.cancelled = &cancelled;
  EXPECT_EQ(
      stream_from([](const ServerRequest&, const Send&) { return reply(503); }, 5).error().code,
      ErrorCode::cancelled);
}

TEST_F(RegistryClientTest, ServesManyThreads) {
  const std::string content = content_of(200000);
  std::atomic<int> tokens{0}, blobs{0};
  TestServer registry(
      [&](const ServerRequest& asked, const Send&) {
        if (asked.target.starts_with("/t"))
          return reply(200, fmt::format(R"({{"token":"T{}"}})", ++tokens));
        if (asked.header("authorization").empty())
          return reply(401, "",
                       {{"WWW-Authenticate",
                         fmt::format("Bearer realm=\"https://{}/t\"", asked.header("host"))}});
        const std::size_t from = range_of(asked);
        if (from > 0) return partial(content, from);
        return ++blobs % 2 == 0 ? broken(content, 0, 100000) : reply(200, content);
      },
      Speaks::https);
  connect(registry);
  std::vector<std::thread> threads;
  std::array<Collector, 8> taken;
  for (Collector& mine : taken) {
    threads.emplace_back([&] {
      format::Descriptor descriptor;
      descriptor.digest = hash(HashAlgorithm::sha256, as_bytes("x"));
      descriptor.size = content.size();
      EXPECT_TRUE(client->stream_blob(descriptor, mine));
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Collector& mine : taken) EXPECT_EQ(mine.got, content);
  // Who waited for another's token takes it.
  EXPECT_EQ(tokens, 1);
}

}  // namespace
}  // namespace lazaret::source
