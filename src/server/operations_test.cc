#include "server/operations.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "net/server_client_test_support.h"

namespace lazaret::server {
namespace {

class OperationsTest : public testing::Test {
 protected:
  OperationsTest() { EXPECT_EQ(pipe2(pipe_, O_CLOEXEC | O_NONBLOCK), 0); }
  ~OperationsTest() override {
    server_.reset();
    close(pipe_[0]);
    close(pipe_[1]);
  }
  void start(const Configuration& configuration) {
    log_ = std::make_unique<Log>(pipe_[1]);
    operations_ = std::make_unique<Operations>(configuration, *log_);
    server_ = net::start_server([this](const net::ExchangePtr& exchange) {
      if (!operations_->admit(exchange)) return;
      if (exchange->request().path == "/metrics") return void(exchange->respond(operations_->metrics_page()));
      exchange->respond(net::text_response(exchange->request().path == "/v2/a/manifests/none" ? 404 : 200, "12345"));
    });
    operations_->watch(*server_);
  }
  std::string logged() const {
    std::string text(1 << 16, '\0');
    const ssize_t got = read(pipe_[0], text.data(), text.size());
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
  }

  int pipe_[2];
  std::unique_ptr<Log> log_;
  std::unique_ptr<Operations> operations_;
  std::unique_ptr<net::Server> server_;
};

TEST_F(OperationsTest, RequestsAreCountedByWhatTheyAreFor) {
  start({});
  net::RawClient client(server_->port());
  for (const char* path : {"/v2/a/manifests/1", "/v2/a/manifests/blobs/manifests/1", "/v2/a/manifests/none", "/v2/a/blobs/sha256:0", "/v2/a/blobs/uploads/7", "/v2/a/blobs/uploads/",
                           "/v2/a/tags/list", "/v2/_catalog", "/token", "/", "/v2/"})
    client.get(path);
  const net::Answer page = client.get("/metrics");
  EXPECT_EQ(page.headers.at("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  for (const char* line : {"lazaret_requests_total{route=\"manifest\",status=\"2xx\"} 2\n", "lazaret_requests_total{route=\"manifest\",status=\"4xx\"} 1\n",
                           "lazaret_requests_total{route=\"blob\",status=\"2xx\"} 1\n", "lazaret_requests_total{route=\"upload\",status=\"2xx\"} 2\n",
                           "lazaret_requests_total{route=\"list\",status=\"2xx\"} 2\n", "lazaret_requests_total{route=\"token\",status=\"2xx\"} 1\n",
                           "lazaret_requests_total{route=\"other\",status=\"2xx\"} 2\n", "lazaret_sent_bytes_total{route=\"manifest\"} 15\n", "lazaret_connections 1\n",
                           "lazaret_request_seconds_count{route=\"manifest\"} 3\n"})
    EXPECT_NE(page.body.find(line), std::string::npos) << line << page.body;
  EXPECT_EQ(logged(), "") << "requests are logged only where that is wanted";
}

TEST_F(OperationsTest, TheLogOfRequestsIsOneObjectALine) {
  Configuration configuration;
  configuration.log_requests = true;
  start(configuration);
  net::RawClient client(server_->port());
  client.get("/v2/a%22b/manifests/none", "User-Agent: x\"\xe2\x80\xae\r\n");
  client.get("/metrics");
  const std::string text = logged();
  EXPECT_NE(text.find("\"event\":\"request\",\"method\":\"GET\",\"path\":\"/v2/a\\\"b/manifests/none\",\"status\":200,\"outcome\":\"complete\",\"sent\":5"), std::string::npos) << text;
  EXPECT_NE(text.find("\"client\":\"127.0.0.1\""), std::string::npos) << text;
  EXPECT_EQ(text.find("\xe2\x80\xae"), std::string::npos);
}

TEST_F(OperationsTest, AnAddressThatAsksTooOftenIsAnswered429ButHealthIsNot) {
  Configuration configuration;
  configuration.requests_of_address = 1;
  start(configuration);
  net::RawClient client(server_->port());
  net::Answer answer;
  for (int i = 0; i < 30 && answer.status != 429; ++i) answer = client.get("/v2/");
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer.headers.at("retry-after"), "1");
  EXPECT_NE(answer.body.find("TOOMANYREQUESTS"), std::string::npos);
  EXPECT_EQ(client.get("/healthz").status, 200);
}

}  // namespace
}  // namespace lazaret::server
