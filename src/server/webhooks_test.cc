#include "server/webhooks.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>

#include "base/file_descriptor.h"
#include "base/hmac.h"
#include "base/text.h"
#include "net/http_server.h"

namespace lazaret::server {
namespace {

using namespace std::chrono_literals;

// A receiver that answers what it is told to and keeps what it got.
class Receiver {
 public:
  struct Message {
    std::string body, signature, type;
  };

  Receiver() {
    net::ServerOptions options;
    options.listen = {"127.0.0.1:0"};
    server_ = std::move(*net::Server::start(std::move(options), [this](const net::ExchangePtr& exchange) {
      exchange->read_body(1 << 20, [this, exchange](std::string body) {
        const net::Request& request = exchange->request();
        net::Response response;
        {
          const std::lock_guard lock(mutex_);
          ++asked_;
          response.status = 204;
          if (!answers_.empty()) {
            response.status = answers_.front();
            answers_.pop_front();
          }
          if (response.status == 204) messages_.push_back({body, std::string(request.header("Lazaret-Signature").value_or("")), std::string(request.header("Content-Type").value_or(""))});
          changed_.notify_all();
        }
        if (response.status == 307) response.add("Location", "http://127.0.0.1:1/elsewhere");
        exchange->respond(std::move(response));
      });
    }));
  }

  std::string url() const { return "http://" + server_->addresses().front() + "/hook"; }
  void answer(std::deque<int> statuses) {
    const std::lock_guard lock(mutex_);
    answers_ = std::move(statuses);
  }
  std::vector<Message> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, 30s, [&] { return messages_.size() >= count; });
    return messages_;
  }
  std::size_t asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<int> answers_;
  std::vector<Message> messages_;
  std::size_t asked_ = 0;
  std::unique_ptr<net::Server> server_;
};

class WebhooksTest : public testing::Test {
 protected:
  void happens(const std::string& kind, const std::string& detail = "") {
    const auto done = metadata_->write([&](store::Writer& writer) {
      writer.add_event({0, 1'500'000'000'000, kind, "", "alice/app", "1", *Digest::parse("sha256:" + std::string(64, 'a')), detail});
      return Result<void>();
    });
    ASSERT_TRUE(done.ok());
  }
  std::unique_ptr<Webhooks> start() {
    WebhookTiming timing;
    timing.first_retry = 5ms;
    timing.longest_retry = 20ms;
    timing.look_every = 5ms;
    timing.give_up = give_up_;
    Webhook webhook;
    webhook.url = receiver_.url();
    webhook.secret = "a secret of the test";
    auto webhooks = std::make_unique<Webhooks>(std::vector{webhook}, "urn:lazaret", *metadata_, log_, metrics_, timing);
    // Told of what comes from now on.
    for (int i = 0; i < 2000 && !begun(); ++i) std::this_thread::sleep_for(5ms);
    EXPECT_TRUE(begun());
    return webhooks;
  }
  bool begun() { return mark().has_value(); }
  std::optional<std::int64_t> mark() {
    std::optional<std::int64_t> mark;
    EXPECT_TRUE(metadata_->read([&](store::Reader& reader) { mark = reader.mark("webhook " + sha256(as_bytes(receiver_.url())).hex()); }).ok());
    return mark;
  }

  std::chrono::milliseconds give_up_{3'600'000};
  Receiver receiver_;
  std::unique_ptr<store::MetadataStore> metadata_ = std::move(*store::open_sqlite_metadata_store(""));
  FileDescriptor nowhere_{::open("/dev/null", O_WRONLY | O_CLOEXEC)};
  Log log_{nowhere_.get()};
  Metrics metrics_;
};

TEST_F(WebhooksTest, WhatHappensIsToldInItsOrderAndSigned) {
  happens("condemned", "before anybody listened");
  const auto webhooks = start();
  happens("pushed");
  happens("held", "a \x1b[31m finding");
  happens("released");
  const auto messages = receiver_.wait_for(2);
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_NE(messages[0].body.find(R"("type":"lazaret.image.held")"), std::string::npos) << messages[0].body;
  EXPECT_NE(messages[0].body.find(R"("specversion":"1.0","id":"3","source":"urn:lazaret")"), std::string::npos) << messages[0].body;
  EXPECT_EQ(messages[0].body.find('\x1b'), std::string::npos);
  EXPECT_NE(messages[1].body.find(R"("type":"lazaret.image.released")"), std::string::npos);
  EXPECT_TRUE(messages[0].type.starts_with("application/cloudevents+json"));
  const std::string& signature = messages[0].signature;
  const auto comma = signature.find(",sha256=");
  ASSERT_TRUE(signature.starts_with("t=") && comma != std::string::npos) << signature;
  EXPECT_EQ(signature.substr(comma + 8), to_hex(as_bytes(hmac_sha256("a secret of the test", signature.substr(2, comma - 2) + "." + messages[0].body))));
}

TEST_F(WebhooksTest, AReceiverThatFailsIsTriedAgainAndNothingIsPassedOver) {
  receiver_.answer({500, 503, 404});
  const auto webhooks = start();
  happens("held", "first");
  happens("condemned", "second");
  const auto messages = receiver_.wait_for(2);
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_NE(messages[0].body.find("first"), std::string::npos);
  EXPECT_NE(messages[1].body.find("second"), std::string::npos);
  EXPECT_EQ(receiver_.asked(), 5u);
}

TEST_F(WebhooksTest, ARedirectIsAFailureAndNotFollowed) {
  receiver_.answer({307, 307});
  const auto webhooks = start();
  happens("held");
  EXPECT_EQ(receiver_.wait_for(1).size(), 1u);
  EXPECT_EQ(receiver_.asked(), 3u);
}

TEST_F(WebhooksTest, ARestartGoesOnWhereTheLastOneEnded) {
  auto webhooks = start();
  happens("held", "first");
  ASSERT_EQ(receiver_.wait_for(1).size(), 1u);
  // An end between an answer and the mark tells the same again; here it comes after both.
  for (int i = 0; i < 2000 && mark().value_or(0) < 1; ++i) std::this_thread::sleep_for(5ms);
  webhooks.reset();
  happens("released", "while nobody told");
  webhooks = start();
  const auto messages = receiver_.wait_for(2);
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_NE(messages[1].body.find("while nobody told"), std::string::npos);
}

TEST_F(WebhooksTest, WhatFailsForTooLongIsPassedOverAndCounted) {
  give_up_ = 0ms;
  receiver_.answer({500});
  const auto webhooks = start();
  happens("held", "first");
  happens("held", "second");
  const auto messages = receiver_.wait_for(1);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_NE(messages[0].body.find("second"), std::string::npos);
  EXPECT_NE(metrics_.text().find("lazaret_webhooks_dropped_total 1\n"), std::string::npos) << metrics_.text();
}

TEST_F(WebhooksTest, ItEndsWhileAReceiverFails) {
  receiver_.answer(std::deque<int>(10'000, 500));
  auto webhooks = start();
  happens("held");
  for (int i = 0; i < 2000 && receiver_.asked() == 0; ++i) std::this_thread::sleep_for(5ms);
  webhooks.reset();
  EXPECT_GT(receiver_.asked(), 0u);
}

}  // namespace
}  // namespace lazaret::server
