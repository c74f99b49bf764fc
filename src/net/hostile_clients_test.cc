// Clients that mean harm, over real sockets.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "net/server_client_test_support.h"

namespace lazaret::net {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

void answer_path(const ExchangePtr& exchange) {
  exchange->respond(text_response(200, exchange->request().path));
}

// Tells what became of bodies.
struct Log {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<BodyFailure> failures;
  std::size_t bytes = 0;
  void wait_for(std::size_t count) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return failures.size() >= count; });
  }
};

class LoggedBody final : public BodyReceiver {
 public:
  LoggedBody(ExchangePtr exchange, Log& log) : exchange_(std::move(exchange)), log_(log) {}
  bool receive(Bytes bytes) override {
    const std::lock_guard lock(log_.mutex);
    log_.bytes += bytes.size();
    return true;
  }
  void finish() override { exchange_->respond(text_response(201, "done")); }
  void fail(BodyFailure reason) override {
    const std::lock_guard lock(log_.mutex);
    log_.failures.push_back(reason);
    log_.changed.notify_all();
  }

 private:
  const ExchangePtr exchange_;
  Log& log_;
};

ServerOptions impatient() {
  ServerOptions options;
  options.limits.head_time = 150ms;
  options.limits.idle_time = 150ms;
  options.limits.stall_time = 150ms;
  options.limits.rate_grace = 150ms;
  options.limits.linger_time = 150ms;
  return options;
}

TEST(HostileClient, WhoSendsItsHeadByteByByteIsAnswered408) {
  const auto server = start_server(answer_path, impatient());
  RawClient client(server->port());
  const std::string head = "GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ";
  client.send(head);
  std::atomic<bool> over = false;
  std::thread slow([&] {
    while (!over && client.send("x")) std::this_thread::sleep_for(10ms);
  });
  const Answer answer = client.read();
  over = true;
  slow.join();
  EXPECT_EQ(answer.status, 408);
  EXPECT_EQ(answer.headers.at("connection"), "close");
}

TEST(HostileClient, WhoConnectsAndSaysNothingIsClosed) {
  const auto server = start_server(answer_path, impatient());
  RawClient silent(server->port()), after_one(server->port());
  EXPECT_EQ(after_one.get("/1").body, "/1");
  EXPECT_EQ(silent.rest(), "");
  EXPECT_EQ(after_one.rest(), "");
}

TEST(HostileClient, WhoStopsInTheMiddleOfABodyIsAnswered408) {
  Log log;
  const auto server = start_server([&](const ExchangePtr& exchange) { exchange->receive(std::make_shared<LoggedBody>(exchange, log), 1000); }, impatient());
  RawClient client(server->port());
  client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345");
  const Answer answer = client.read();
  EXPECT_EQ(answer.status, 408);
  log.wait_for(1);
  EXPECT_EQ(log.failures, std::vector{BodyFailure::too_slow});
}

TEST(HostileClient, WhoDripsABodyBelowTheMinimumRateIsCutOff) {
  Log log;
  ServerOptions options = impatient();
  options.limits.stall_time = 10s;
  options.limits.minimum_rate = 1 << 20;
  const auto server = start_server([&](const ExchangePtr& exchange) { exchange->receive(std::make_shared<LoggedBody>(exchange, log), 1 << 30); }, options);
  RawClient client(server->port());
  client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
  std::thread drip([&] {
    while (client.send("x")) std::this_thread::sleep_for(5ms);
  });
  log.wait_for(1);
  EXPECT_EQ(log.failures, std::vector{BodyFailure::too_slow});
  EXPECT_EQ(client.read().status, 408);
  client.end_sending();
  drip.join();
}

TEST(HostileClient, WhoDoesNotReadItsDownloadIsCutOff) {
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<Outcome> outcome;
  auto file = std::make_shared<FileDescriptor>(memfd_create("large", MFD_CLOEXEC));
  ASSERT_EQ(ftruncate(file->get(), 1 << 30), 0);
  const auto server = start_server(
      [&](const ExchangePtr& exchange) {
        exchange->on_end([&](const Outcome& how) {
          const std::lock_guard lock(mutex);
          outcome = how;
          changed.notify_all();
        });
        Response response;
        response.body = FileRegion{file, 0, 1 << 30};
        exchange->respond(std::move(response));
      },
      impatient());
  RawClient client(server->port());
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return outcome.has_value(); });
  EXPECT_EQ(outcome->kind, Outcome::Kind::client_gone);
  EXPECT_LT(outcome->body_bytes, 1u << 30);
}

TEST(HostileClient, HeadersWithoutEndAreAnswered431) {
  const auto server = start_server(answer_path);
  RawClient client(server->port());
  std::thread sender([&] {
    client.send("GET / HTTP/1.1\r\nHost: a\r\n");
    for (int i = 0; i < 100'000; ++i)
      if (!client.send(fmt::format("X-{}: {}\r\n", i, std::string(100, 'x')))) break;
  });
  EXPECT_EQ(client.read().status, 431);
  sender.join();
  EXPECT_EQ(RawClient(server->port()).get("/").status, 200);
}

TEST(HostileClient, ABodyLargerThanItsLimitIsNotReadToItsEnd) {
  Log log;
  const auto server = start_server([&](const ExchangePtr& exchange) { exchange->receive(std::make_shared<LoggedBody>(exchange, log), 1 << 20); });
  RawClient client(server->port());
  client.send("PATCH / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  std::thread sender([&] {
    const std::string chunk = fmt::format("{:x}\r\n{}\r\n", 1 << 16, std::string(1 << 16, 'x'));
    for (int i = 0; i < 10'000 && client.send(chunk); ++i) {
    }
  });
  EXPECT_EQ(client.read().status, 413);
  sender.join();
  log.wait_for(1);
  EXPECT_EQ(log.failures, std::vector{BodyFailure::too_large});
  EXPECT_LE(log.bytes, 1u << 20);
}

TEST(HostileClient, WhoLeavesInTheMiddleOfABodyIsNoticed) {
  Log log;
  const auto server = start_server([&](const ExchangePtr& exchange) { exchange->receive(std::make_shared<LoggedBody>(exchange, log), 1 << 20); });
  for (const bool chunked : {false, true}) {
    RawClient client(server->port());
    client.send(fmt::format("PUT / HTTP/1.1\r\nHost: a\r\n{}\r\n\r\n5\r\nhello\r\n", chunked ? "Transfer-Encoding: chunked" : "Content-Length: 100"));
    client.close();
    log.wait_for(chunked ? 2 : 1);
  }
  EXPECT_EQ(log.failures, (std::vector{BodyFailure::client_gone, BodyFailure::client_gone}));
}

TEST(HostileClient, MalformedChunksAreAnswered400AndTheRestIsNoRequest) {
  Log log;
  std::atomic<int> requests = 0;
  const auto server = start_server([&](const ExchangePtr& exchange) {
    ++requests;
    exchange->receive(std::make_shared<LoggedBody>(exchange, log), 1 << 20);
  });
  RawClient client(server->port());
  client.send("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
  const std::string text = client.rest();
  EXPECT_TRUE(text.starts_with("HTTP/1.1 400")) << text;
  EXPECT_EQ(text.find("HTTP/1.1", 8), text.npos) << text;
  EXPECT_EQ(requests, 1);
}

// After each of these the connection must end with one refusal, whatever follows.
TEST(HostileClient, NothingIsSmuggledBehindARequestThatIsRefused) {
  std::mutex mutex;
  std::vector<std::string> seen;
  const auto server = start_server([&](const ExchangePtr& exchange) {
    {
      const std::lock_guard lock(mutex);
      seen.push_back(exchange->request().path);
    }
    answer_path(exchange);
  });
  const std::string inner = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
  for (const std::string& fields : {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"s, "Content-Length: 0\r\nContent-Length: 40\r\n"s, "Transfer-Encoding : chunked\r\n"s,
                                    "Transfer-Encoding: chunked\r\n Content-Length: 4\r\n"s, "Content-Length: 0\n"s, "X: y\rContent-Length: 40\r\n"s, "Transfer-Encoding: identity\r\n"s}) {
    RawClient client(server->port());
    client.send("POST /outer HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n0\r\n\r\n" + inner + inner);
    const std::string text = client.rest();
    EXPECT_TRUE(text.starts_with("HTTP/1.1 400") || text.starts_with("HTTP/1.1 501")) << fields << text;
    EXPECT_EQ(text.find("HTTP/1.1 200"), text.npos) << fields;
  }
  EXPECT_TRUE(seen.empty());
  // A body nobody wanted is skipped to its end, no further and no less.
  RawClient client(server->port());
  client.send(fmt::format("POST /outer HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{}GET /next HTTP/1.1\r\nHost: a\r\n\r\n", inner.size(), inner));
  EXPECT_EQ(client.read().body, "/outer");
  EXPECT_EQ(client.read().body, "/next");
  // One whose end is not known ends the connection.
  RawClient chunked(server->port());
  chunked.send("POST /outer HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner);
  EXPECT_EQ(chunked.read().body, "/outer");
  EXPECT_EQ(chunked.rest(), "");
}

TEST(HostileClient, PipelinedGarbageEndsTheConnectionBehindTheGoodAnswers) {
  const auto server = start_server(answer_path);
  RawClient client(server->port());
  client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n\x01\x02\x03 garbage\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client.read().body, "/1");
  EXPECT_EQ(client.read().body, "/2");
  EXPECT_EQ(client.read().status, 400);
  EXPECT_EQ(client.rest(), "");
}

TEST(HostileClient, AHeadOfOneMillionPiecesIsOneHead) {
  const auto server = start_server(answer_path);
  RawClient client(server->port());
  for (const char c : std::string_view("GET /pieces HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n")) ASSERT_TRUE(client.send({&c, 1}));
  EXPECT_EQ(client.read().body, "/pieces");
}

TEST(HostileClient, ResponseHeadersCannotBeSplit) {
  const auto server = start_server([](const ExchangePtr& exchange) {
    Response response;
    response.add("Location", *exchange->request().query_value("to"));
    exchange->respond(std::move(response));
  });
  RawClient client(server->port());
  const Answer answer = client.get("/?to=a%0d%0aSet-Cookie:%20x%0d%0a%0d%0a<html>");
  EXPECT_EQ(answer.headers.at("location"), "a  Set-Cookie: x    <html>");
  EXPECT_FALSE(answer.headers.contains("set-cookie"));
}

TEST(HostileClient, OneAddressGetsItsShareOfConnections) {
  ServerOptions options;
  options.limits.connections_per_client = 5;
  const auto server = start_server(answer_path, options);
  std::vector<RawClient> clients;
  for (int i = 0; i < 5; ++i) {
    clients.emplace_back(server->port());
    EXPECT_EQ(clients.back().get("/").status, 200);
  }
  EXPECT_EQ(RawClient(server->port()).rest(), "");
  EXPECT_GE(server->statistics().refused_connections, 1u);
  clients.clear();
  while (server->statistics().connections > 0) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(RawClient(server->port()).get("/").status, 200);
}

TEST(HostileClient, BeyondTheConnectionsOfTheServerNewOnesWaitTheirTurn) {
  ServerOptions options;
  options.limits.connections = 3;
  const auto server = start_server(answer_path, options);
  std::vector<RawClient> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back(server->port());
    EXPECT_EQ(clients.back().get("/").status, 200);
  }
  RawClient fourth(server->port());
  fourth.send("GET /4 HTTP/1.1\r\nHost: a\r\n\r\n");
  clients.pop_back();
  EXPECT_EQ(fourth.read().body, "/4");
}

TEST(HostileClient, MoreJobsThanMayWaitAreAnswered503) {
  std::mutex mutex;
  std::condition_variable changed;
  bool open = false;
  ServerOptions options;
  options.workers = 1;
  options.limits.queued_jobs = 2;
  const auto server = start_server(
      [&](const ExchangePtr& exchange) {
        exchange->run([&, exchange] {
          std::unique_lock lock(mutex);
          changed.wait(lock, [&] { return open; });
          answer_path(exchange);
        });
      },
      options);
  std::vector<RawClient> clients;
  for (int i = 0; i < 10; ++i) {
    clients.emplace_back(server->port());
    clients.back().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  }
  const Answer last = clients.back().read();
  EXPECT_EQ(last.status, 503);
  EXPECT_EQ(last.headers.at("retry-after"), "1");
  {
    const std::lock_guard lock(mutex);
    open = true;
    changed.notify_all();
  }
  EXPECT_EQ(clients.front().read().status, 200);
}

TEST(HostileClient, TenThousandIdleConnectionsDoNotKeepOthersOut) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  // Both ends are ours.
  const std::size_t count = std::min<std::size_t>(10'000, files.rlim_cur > 300 ? (files.rlim_cur - 200) / 2 : 50);
  ServerOptions options;
  options.limits.connections = options.limits.connections_per_client = 20'000;
  const auto server = start_server(answer_path, options);
  std::vector<RawClient> clients;
  clients.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    clients.emplace_back(server->port());
    ASSERT_TRUE(clients.back().connected()) << i;
    if (i % 3 == 0) clients.back().send("GET / HTTP/1.1\r\nHos");  // some in the middle of a head
  }
  RawClient one_more(server->port());
  EXPECT_EQ(one_more.get("/served").body, "/served");
  EXPECT_GE(server->statistics().connections, count);
  for (std::size_t i = 0; i < count; i += 3) ASSERT_TRUE(clients[i].send("t: a\r\n\r\n"));
  for (std::size_t i = 0; i < count; i += 3) ASSERT_EQ(clients[i].read().body, "/") << i;
  RecordProperty("connections", static_cast<int>(count));
}

TEST(HostileClient, OnlyTrustedProxiesSayWhoTheClientIs) {
  const auto handler = [](const ExchangePtr& exchange) { exchange->respond(text_response(200, exchange->request().client + " " + exchange->request().scheme)); };
  const std::string fields = "X-Forwarded-For: 203.0.113.9, 198.51.100.1, 10.0.0.5\r\nX-Forwarded-Proto: https\r\n";
  const auto plain = start_server(handler);
  EXPECT_EQ(RawClient(plain->port()).get("/", fields).body, "127.0.0.1 http");
  ServerOptions options;
  options.trusted_proxies = {"127.0.0.0/8", "10.0.0.0/8"};
  const auto behind = start_server(handler, options);
  EXPECT_EQ(RawClient(behind->port()).get("/", fields).body, "198.51.100.1 https");
  EXPECT_EQ(RawClient(behind->port()).get("/", "X-Forwarded-For: garbage\r\n").body, "127.0.0.1 http");
}

}  // namespace
}  // namespace lazaret::net
