#include "net/http_server.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <fmt/format.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

#include "net/server_client_test_support.h"

namespace lazaret::net {
namespace {

using namespace std::chrono_literals;

std::shared_ptr<const FileDescriptor> file_of(std::string_view content) {
  auto file = std::make_shared<FileDescriptor>(memfd_create("body", MFD_CLOEXEC));
  for (std::size_t at = 0; at < content.size();) {
    const auto written = write(file->get(), content.data() + at, content.size() - at);
    if (written <= 0) std::abort();
    at += static_cast<std::size_t>(written);
  }
  return file;
}

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  std::uint32_t state = 1;
  for (char& c : text) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  return text;
}

// Something one thread waits for and another announces.
class Notice {
 public:
  void give() {
    const std::lock_guard lock(mutex_);
    given_ = true;
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return given_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool given_ = false;
};

class Pieces final : public BodySource {
 public:
  explicit Pieces(std::vector<std::string> pieces, bool fails = false) : pieces_(std::move(pieces)), fails_(fails) {}
  Result<std::size_t> read(std::span<std::uint8_t> space) override {
    if (next_ == pieces_.size()) {
      if (fails_) return Error{ErrorCode::io, "the disk is gone"};
      return std::size_t{0};
    }
    const std::string& piece = pieces_[next_++];
    std::copy(piece.begin(), piece.end(), space.begin());
    return piece.size();
  }

 private:
  const std::vector<std::string> pieces_;
  const bool fails_;
  std::size_t next_ = 0;
};

void echo(const ExchangePtr& exchange) {
  const Request& request = exchange->request();
  Response response = text_response(200, fmt::format("{} {} {}", request.method, request.path, request.query));
  exchange->respond(std::move(response));
}

TEST(HttpServer, AnswersFromMemoryOverOneConnection) {
  const auto server = start_server(echo);
  RawClient client(server->port());
  for (int i = 0; i < 3; ++i) {
    const Answer answer = client.get("/v2/a%3ab?x=%20y");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, "GET /v2/a:b x=%20y");
    EXPECT_EQ(answer.headers.at("content-type"), "text/plain; charset=utf-8");
    EXPECT_TRUE(answer.headers.contains("date"));
    EXPECT_FALSE(answer.headers.contains("connection"));
  }
  EXPECT_EQ(server->statistics().accepted, 1u);
  EXPECT_EQ(server->statistics().requests, 3u);
}

TEST(HttpServer, AnswersPipelinedRequestsInOrder) {
  const auto server = start_server([](const ExchangePtr& exchange) {
    if (exchange->request().path == "/slow") {
      exchange->run([exchange] { echo(exchange); });
    } else {
      echo(exchange);
    }
  });
  RawClient client(server->port());
  std::string text;
  for (int i = 0; i < 300; ++i) text += fmt::format("GET {}{} HTTP/1.1\r\nHost: a\r\n\r\n", i % 3 == 0 ? "/slow?" : "/fast?", i);
  client.send(text);
  for (int i = 0; i < 300; ++i) EXPECT_EQ(client.read().body, fmt::format("GET {} {}", i % 3 == 0 ? "/slow" : "/fast", i));
}

TEST(HttpServer, HeadHasTheLengthButNotTheBody) {
  const auto server = start_server([](const ExchangePtr& exchange) {
    Response response;
    if (exchange->request().path == "/file") response.body = FileRegion{file_of("0123456789"), 2, 5};
    if (exchange->request().path == "/length") response.body = LengthOnly{77};
    if (exchange->request().path == "/text") response.body = "four";
    exchange->respond(std::move(response));
  });
  RawClient client(server->port());
  for (const auto& [target, length] : {std::pair{"/file", "5"}, {"/length", "77"}, {"/text", "4"}, {"/none", "0"}}) {
    client.send(fmt::format("HEAD {} HTTP/1.1\r\nHost: a\r\n\r\n", target));
    const Answer answer = client.read(true);
    EXPECT_EQ(answer.headers.at("content-length"), length) << target;
  }
  EXPECT_EQ(client.get("/file").body, "23456");
}

TEST(HttpServer, SendsFilesMemoryAndGeneratedBodies) {
  const std::string large = pattern(20 << 20);
  const auto file = file_of(large);
  const auto shared = std::make_shared<const std::string>(large);
  const auto server = start_server([&](const ExchangePtr& exchange) {
    const std::string& path = exchange->request().path;
    Response response;
    if (path == "/file") response.body = FileRegion{file, 0, large.size()};
    if (path == "/shared") response.body = shared;
    if (path == "/chunked") response.body = GeneratedBody{std::make_shared<Pieces>(std::vector<std::string>{"ab", std::string(60000, 'x'), "c"}), {}};
    if (path == "/known") response.body = GeneratedBody{std::make_shared<Pieces>(std::vector<std::string>{"ab", "cd"}), 4};
    exchange->respond(std::move(response));
  });
  RawClient client(server->port());
  EXPECT_TRUE(client.get("/file").body == large);
  EXPECT_TRUE(client.get("/shared").body == large);
  EXPECT_EQ(client.get("/chunked").body, "ab" + std::string(60000, 'x') + "c");
  EXPECT_EQ(client.get("/known").body, "abcd");
  client.send("GET /chunked HTTP/1.0\r\n\r\n");
  const Answer old = client.read();
  EXPECT_EQ(old.body.size(), 60003u);
  EXPECT_FALSE(old.headers.contains("transfer-encoding"));
}

TEST(HttpServer, ABodyThatFailsHalfwayIsNotTakenForWhole) {
  Notice ended;
  Outcome outcome;
  const auto server = start_server([&](const ExchangePtr& exchange) {
    exchange->on_end([&](const Outcome& how) {
      outcome = how;
      ended.give();
    });
    Response response;
    response.body = GeneratedBody{std::make_shared<Pieces>(std::vector<std::string>{"ab"}, true), {}};
    exchange->respond(std::move(response));
  });
  RawClient client(server->port());
  EXPECT_FALSE(client.get("/").complete);
  ended.wait();
  EXPECT_EQ(outcome.kind, Outcome::Kind::failed);
}

class Counter final : public BodyReceiver {
 public:
  explicit Counter(ExchangePtr exchange, std::size_t stop_at = SIZE_MAX) : exchange_(std::move(exchange)), stop_at_(stop_at) {}
  bool receive(Bytes bytes) override {
    body_.append(as_text(bytes));
    if (body_.size() < stop_at_) return true;
    exchange_->respond(text_response(422, "enough"));
    return false;
  }
  void finish() override { exchange_->respond(text_response(201, fmt::format("{}", std::hash<std::string>()(body_)))); }
  void fail(BodyFailure reason) override {
    if (reason == BodyFailure::too_large) exchange_->respond(text_response(413, "my words"));
  }

 private:
  const ExchangePtr exchange_;
  const std::size_t stop_at_;
  std::string body_;
};

TEST(HttpServer, ReceivesBodiesOfBothFramings) {
  const auto server = start_server([](const ExchangePtr& exchange) { exchange->receive(std::make_shared<Counter>(exchange), 64 << 20); });
  const std::string large = pattern(12 << 20);
  const std::string hash = fmt::format("{}", std::hash<std::string>()(large));
  RawClient client(server->port());
  for (int round = 0; round < 2; ++round) {
    client.send(fmt::format("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", large.size()));
    client.send(large);
    EXPECT_EQ(client.read().body, hash);
    std::string chunked = "PATCH / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (std::size_t at = 0, size = 1; at < large.size(); at += size, size = size * 7 % 100'003 + 1) {
      const std::string_view piece = std::string_view(large).substr(at, size);
      chunked += fmt::format("{:X};name=value\r\n", piece.size());
      chunked += piece;
      chunked += "\r\n";
    }
    // With a trailer, and the next request right behind it.
    chunked += "0\r\nDigest: x\r\n\r\nPOST / HTTP/1.1\r\nHost: a\r\n\r\n";
    client.send(chunked);
    EXPECT_EQ(client.read().body, hash);
    EXPECT_EQ(client.read().status, 201);
  }
}

TEST(HttpServer, TellsAClientThatAsksToContinueOnlyWhenTheBodyIsWanted) {
  const auto server = start_server([](const ExchangePtr& exchange) {
    if (exchange->request().path == "/no") {
      exchange->respond(text_response(401, "who are you"));
    } else {
      exchange->receive(std::make_shared<Counter>(exchange), 10);
    }
  });
  RawClient yes(server->port());
  yes.send("PUT /yes HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  std::string interim(25, '\0');
  ASSERT_EQ(recv(yes.descriptor(), interim.data(), interim.size(), MSG_WAITALL), 25);
  EXPECT_EQ(interim, "HTTP/1.1 100 Continue\r\n\r\n");
  yes.send("abc");
  EXPECT_EQ(yes.read().status, 201);
  RawClient no(server->port());
  no.send("PUT /no HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  const std::string text = no.rest();
  EXPECT_TRUE(text.starts_with("HTTP/1.1 401")) << text;
  EXPECT_NE(text.find("Connection: close"), text.npos);
  RawClient large(server->port());
  large.send("PUT /yes HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_TRUE(large.rest().starts_with("HTTP/1.1 413")) << text;
}

TEST(HttpServer, RefusesBodiesBeyondTheLimitInTheHandlersWords) {
  const auto server = start_server([](const ExchangePtr& exchange) { exchange->receive(std::make_shared<Counter>(exchange), 10); });
  RawClient declared(server->port());
  declared.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
  Answer answer = declared.read();
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer.body, "my words");
  RawClient chunked(server->port());
  chunked.send("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n8\r\n12345678\r\n");
  answer = chunked.read();
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer.headers.at("connection"), "close");
  EXPECT_EQ(chunked.rest(), "");
}

TEST(HttpServer, AnAnswerInTheMiddleOfABodyReachesTheClient) {
  const auto server = start_server([](const ExchangePtr& exchange) { exchange->receive(std::make_shared<Counter>(exchange, 1000), UINT64_MAX); });
  RawClient client(server->port());
  client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
  std::thread sender([&] { client.send(std::string(4 << 20, 'x')); });
  const Answer answer = client.read();
  sender.join();
  EXPECT_EQ(answer.status, 422);
  EXPECT_EQ(answer.body, "enough");
}

TEST(HttpServer, SmallBodiesNobodyWantedDoNotEndTheConnection) {
  const auto server = start_server(echo);
  RawClient client(server->port());
  client.send("POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(client.read().body, "POST /1 ");
  client.send("12345");
  EXPECT_EQ(client.get("/2").body, "GET /2 ");
}

TEST(HttpServer, SuspendedRequestsHoldNoThreadAndAreAnsweredFromAnother) {
  std::mutex mutex;
  std::vector<ExchangePtr> waiting;
  Notice all;
  constexpr std::size_t count = 200;
  ServerOptions options;
  options.workers = 1;
  const auto server = start_server(
      [&](const ExchangePtr& exchange) {
        const std::lock_guard lock(mutex);
        waiting.push_back(exchange);
        if (waiting.size() == count) all.give();
      },
      options);
  std::vector<RawClient> clients;
  for (std::size_t i = 0; i < count; ++i) {
    clients.emplace_back(server->port());
    clients.back().send(fmt::format("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", i));
  }
  all.wait();
  for (const ExchangePtr& exchange : waiting) {
    EXPECT_TRUE(exchange->respond(text_response(200, exchange->request().path)));
    EXPECT_FALSE(exchange->respond(text_response(500, "twice")));
  }
  for (std::size_t i = 0; i < count; ++i) EXPECT_EQ(clients[i].read().body, fmt::format("/{}", i));
}

TEST(HttpServer, ADeadlineAnswersWhatNobodyElseDid) {
  std::vector<ExchangePtr> kept;
  const auto server = start_server([&](const ExchangePtr& exchange) {
    kept.push_back(exchange);
    exchange->set_deadline(1h, [exchange = exchange.get()] { exchange->respond(text_response(500, "the earlier deadline")); });
    exchange->set_deadline(20ms, [exchange = exchange.get()] { exchange->respond(text_response(503, "still pending")); });
  });
  RawClient client(server->port());
  EXPECT_EQ(client.get("/").body, "still pending");
}

TEST(HttpServer, ARequestThatEverybodyDropsIsAnswered500) {
  const auto server = start_server([](const ExchangePtr& exchange) {
    if (exchange->request().path == "/later") exchange->run([exchange] {});
    if (exchange->request().path == "/throws") throw std::runtime_error("a fault");
    if (exchange->request().path == "/throws-later") exchange->run([exchange] { throw std::runtime_error("a fault"); });
  });
  RawClient client(server->port());
  for (const char* target : {"/now", "/later", "/throws", "/throws-later"}) EXPECT_EQ(client.get(target).status, 500) << target;
}

TEST(HttpServer, ASuspendedRequestLearnsThatItsClientIsGone) {
  Notice asked, gone;
  ExchangePtr kept;
  Outcome outcome;
  const auto server = start_server([&](const ExchangePtr& exchange) {
    kept = exchange;
    exchange->on_end([&](const Outcome& how) {
      outcome = how;
      gone.give();
    });
    asked.give();
  });
  RawClient client(server->port());
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  asked.wait();
  EXPECT_FALSE(kept->cancelled());
  client.close();
  gone.wait();
  EXPECT_TRUE(kept->cancelled());
  EXPECT_EQ(outcome.kind, Outcome::Kind::client_gone);
  EXPECT_EQ(outcome.status, 0);
  EXPECT_FALSE(kept->respond(text_response(200, "too late")));
  bool told = false;
  kept->on_end([&](const Outcome&) { told = true; });
  EXPECT_TRUE(told);
}

TEST(HttpServer, CutEndsARunningDownload) {
  const std::string large = pattern(64 << 20);
  const auto file = file_of(large);
  std::mutex mutex;
  ExchangePtr kept;
  Notice ended;
  Outcome outcome;
  const auto server = start_server([&](const ExchangePtr& exchange) {
    {
      const std::lock_guard lock(mutex);
      kept = exchange;
    }
    exchange->on_end([&](const Outcome& how) {
      outcome = how;
      ended.give();
    });
    Response response;
    response.body = FileRegion{file, 0, large.size()};
    exchange->respond(std::move(response));
  });
  RawClient client(server->port());
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(client.fill());
  {
    const std::lock_guard lock(mutex);
    kept->cut();
    EXPECT_TRUE(kept->cancelled());
  }
  ended.wait();
  EXPECT_EQ(outcome.kind, Outcome::Kind::cut);
  EXPECT_EQ(outcome.status, 200);
  EXPECT_LT(outcome.body_bytes, large.size());
  EXPECT_LT(client.rest().size(), large.size());
}

TEST(HttpServer, StopLetsARunningUploadFinish) {
  Notice begun;
  class Slow final : public BodyReceiver {
   public:
    Slow(ExchangePtr exchange, Notice& notice) : exchange_(std::move(exchange)), notice_(notice) {}
    bool receive(Bytes bytes) override {
      size_ += bytes.size();
      notice_.give();
      return true;
    }
    void finish() override { exchange_->respond(text_response(201, std::to_string(size_))); }
    void fail(BodyFailure) override {}

   private:
    const ExchangePtr exchange_;
    Notice& notice_;
    std::size_t size_ = 0;
  };
  const auto server = start_server([&](const ExchangePtr& exchange) { exchange->receive(std::make_shared<Slow>(exchange, begun), UINT64_MAX); });
  RawClient uploader(server->port()), idle(server->port());
  uploader.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n1234");
  begun.wait();
  std::thread stopper([&] { server->stop(60s); });
  EXPECT_EQ(idle.rest(), "");  // closed at once
  uploader.send("5678");
  const Answer answer = uploader.read();
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(answer.body, "8");
  EXPECT_EQ(answer.headers.at("connection"), "close");
  stopper.join();
  EXPECT_FALSE(RawClient(server->port()).connected());
}

TEST(HttpServer, StopCutsWhatDoesNotEnd) {
  std::vector<ExchangePtr> kept;
  Notice asked;
  auto server = start_server([&](const ExchangePtr& exchange) {
    kept.push_back(exchange);
    asked.give();
  });
  RawClient client(server->port());
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  asked.wait();
  server->stop(10ms);
  EXPECT_EQ(client.rest(), "");
  server.reset();
  kept.front()->respond(text_response(200, "to nobody"));  // an exchange may outlive its server
}

}  // namespace
}  // namespace lazaret::net
