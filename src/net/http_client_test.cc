#include "net/http_client.h"

#include <gtest/gtest.h>

#include <ctime>

#include "net/http_server_test_support.h"
#include "net/unix_socket_client.h"

namespace lazaret::net {
namespace {

using Speaks = TestServer::Speaks;

TestServer::Handler always(std::string answer) {
  return [answer](const ServerRequest&, const TestServer::Send&) { return answer; };
}

HttpRequest request_to(const std::string& url) {
  HttpRequest request;
  request.url = url;
  request.insecure_hosts = {"127.0.0.1", "127.0.0.2"};
  request.timeouts = {5, 1, 10};
  return request;
}

class HttpClientTest : public ::testing::Test {
  const ScopedVariable lower_{"http_proxy", nullptr}, https_{"https_proxy", nullptr},
      upper_{"HTTPS_PROXY", nullptr}, all_{"ALL_PROXY", nullptr}, all_lower_{"all_proxy", nullptr};

 protected:
  HttpClient client;
};

TEST_F(HttpClientTest, GetsAnswersOverHttpAndTls) {
  for (const Speaks speaks : {Speaks::http, Speaks::https}) {
    TestServer server(always(reply(200, "hello", {{"X-Thing", " a b "}})), speaks);
    auto request = request_to(server.url("/v2/x?y=1"));
    request.headers = {{"Accept", "text/plain"}};
    request.authorization = "Basic abc";
    const auto response = client.send(request);
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(response->body, "hello");
    EXPECT_EQ(response->header("x-thing"), "a b");
    EXPECT_EQ(response->header("missing"), "");
    EXPECT_EQ(response->url, server.url("/v2/x?y=1"));
    const auto requests = server.requests();
    ASSERT_EQ(requests.size(), 1u);
    EXPECT_EQ(requests[0].target, "/v2/x?y=1");
    EXPECT_EQ(requests[0].header("accept"), "text/plain");
    EXPECT_EQ(requests[0].header("authorization"), "Basic abc");
  }
}

TEST_F(HttpClientTest, TrustsNoUnknownCertificate) {
  TestServer server(always(reply(200, "secret")), Speaks::https);
  auto request = request_to(server.url());
  request.authorization = "Basic abc";
  request.insecure_hosts = {"127.0.0.2"};
  const auto response = client.send(request);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::unauthorized) << response.error().message;
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(HttpClientTest, SpeaksPlainHttpWithNamedHostsOnly) {
  TestServer server(always(reply(200)));
  auto request = request_to(server.url());
  request.insecure_hosts = {};
  EXPECT_EQ(client.send(request).error().code, ErrorCode::invalid);
  request.insecure_hosts = {"127.0.0.1:1"};
  EXPECT_EQ(client.send(request).error().code, ErrorCode::invalid);
  request.insecure_hosts = {server.host()};
  EXPECT_TRUE(client.send(request));
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST_F(HttpClientTest, TellsThatAServerSpeaksNoTls) {
  TestServer server(always(reply(200)));
  const auto response = client.send(request_to("https://" + server.host() + "/"));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::unsupported) << response.error().message;
}

TEST_F(HttpClientTest, ALostConnectionIsNotAServerWithoutTls) {
  TestServer server(always(reply(200)), Speaks::https);
  server.drops = 1;
  auto response = client.send(request_to(server.url()));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::network) << response.error().message;
  response = client.send(request_to("https://127.0.0.1:1/"));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::network) << response.error().message;
}

TEST_F(HttpClientTest, ARedirectToAServerWithoutTlsSaysNothingOfTheFirst) {
  TestServer plain(always(reply(200)));
  TestServer server(always(redirect(307, "https://" + plain.host() + "/")), Speaks::https);
  const auto response = client.send(request_to(server.url()));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::network);
}

TEST_F(HttpClientTest, AuthorizationStaysWithItsServer) {
  for (const int status : {301, 302, 303, 307, 308}) {
    TestServer other(always(reply(200, "blob")));
    TestServer server([&](const ServerRequest& asked, const TestServer::Send&) {
      return asked.target == "/1" ? redirect(status, "/2") : redirect(status, other.url("/3"));
    });
    auto request = request_to(server.url("/1"));
    request.authorization = "Bearer secret";
    const auto response = client.send(request);
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->body, "blob");
    EXPECT_EQ(response->url, other.url("/3"));
    EXPECT_EQ(server.requests().size(), 2u);
    for (const auto& asked : server.requests())
      EXPECT_EQ(asked.header("authorization"), "Bearer secret");
    ASSERT_EQ(other.requests().size(), 1u);
    EXPECT_EQ(other.requests()[0].header("authorization"), "");
  }
}

TEST_F(HttpClientTest, AuthorizationDoesNotComeBackThroughAnotherServer) {
  std::string back;
  TestServer other(
      [&](const ServerRequest&, const TestServer::Send&) { return redirect(307, back); });
  TestServer server([&](const ServerRequest& asked, const TestServer::Send&) {
    return asked.target == "/1" ? redirect(307, other.url()) : reply(200);
  });
  back = server.url("/2");
  auto request = request_to(server.url("/1"));
  request.authorization = "Bearer secret";
  ASSERT_TRUE(client.send(request));
  ASSERT_EQ(server.requests().size(), 2u);
  EXPECT_EQ(server.requests()[1].header("authorization"), "");
}

TEST_F(HttpClientTest, TheBodyOfAPostGoesToNoOtherServer) {
  for (const int status : {301, 302, 303, 307, 308}) {
    TestServer other(always(reply(200)));
    TestServer server(always(redirect(status, other.url())));
    auto request = request_to(server.url());
    request.method = "POST";
    request.body = "refresh_token=secret";
    const auto response = client.send(request);
    EXPECT_EQ(static_cast<bool>(response), status < 307) << status;
    ASSERT_EQ(server.requests().size(), 1u);
    EXPECT_EQ(server.requests()[0].body, "refresh_token=secret");
    for (const auto& asked : other.requests()) {
      EXPECT_EQ(asked.method, "GET");
      EXPECT_EQ(asked.body, "");
      EXPECT_EQ(asked.header("content-length"), "");
    }
  }
}

TEST_F(HttpClientTest, APostIsRepeatedAtTheSameServer) {
  TestServer server([](const ServerRequest& asked, const TestServer::Send&) {
    return asked.target == "/1" ? redirect(307, "/2") : reply(200, asked.method + asked.body);
  });
  auto request = request_to(server.url("/1"));
  request.method = "POST";
  request.body = "x=1";
  const auto response = client.send(request);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, "POSTx=1");
}

TEST_F(HttpClientTest, RefusesToLeaveTls) {
  TestServer plain(always(reply(200)));
  TestServer server(always(redirect(307, plain.url())), Speaks::https);
  const auto response = client.send(request_to(server.url()));
  ASSERT_FALSE(response);
  EXPECT_NE(response.error().message.find("from https to http"), std::string::npos);
  EXPECT_TRUE(plain.requests().empty());
}

TEST_F(HttpClientTest, FollowsFiveRedirects) {
  TestServer server([](const ServerRequest& asked, const TestServer::Send&) {
    const int left = std::stoi(asked.target.substr(1));
    return left == 0 ? reply(200, "there") : redirect(302, fmt::format("/{}", left - 1));
  });
  const auto five = client.send(request_to(server.url("/5")));
  ASSERT_TRUE(five) << five.error().message;
  EXPECT_EQ(five->body, "there");
  EXPECT_FALSE(client.send(request_to(server.url("/6"))));
  EXPECT_EQ(server.requests().size(), 12u);
}

TEST_F(HttpClientTest, RefusesRedirectsToWhatIsNoWebAddress) {
  for (const char* location :
       {"file:///etc/passwd", "gopher://127.0.0.1/", "https://u:p@a.example/"}) {
    TestServer server(always(redirect(302, location)));
    const auto response = client.send(request_to(server.url()));
    EXPECT_FALSE(response) << location;
  }
}

// The server counts what it could send: a client that goes on reading would take all of it.
TEST_F(HttpClientTest, ReadsLittleOfARefusal) {
  constexpr std::uint64_t all = 256 << 20;
  for (const bool with_sink : {false, true}) {
    std::atomic<std::uint64_t> sent{0};
    std::atomic<bool> ended{false};
    TestServer server([&](const ServerRequest&, const TestServer::Send& send) {
      send(fmt::format("HTTP/1.1 403 No\r\nContent-Length: {}\r\n\r\n", all));
      const std::string piece(64 << 10, 'x');
      while (sent < all && send(piece)) sent += piece.size();
      ended = true;
      return std::string();
    });
    bool taken = false;
    const auto response = client.send(
        request_to(server.url()),
        with_sink ? BodySink([&](const HttpResponse&, Bytes) { return taken = true; }) : nullptr);
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->status, 403);
    EXPECT_EQ(response->body.size(), 64u << 10);
    EXPECT_FALSE(taken);
    while (!ended) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    EXPECT_LT(sent, all / 4);
  }
}

TEST_F(HttpClientTest, LimitsWhatItCollects) {
  TestServer server(always(reply(200, std::string(1000, 'x'))));
  auto request = request_to(server.url());
  request.max_body = 1000;
  EXPECT_TRUE(client.send(request));
  request.max_body = 999;
  EXPECT_EQ(client.send(request).error().code, ErrorCode::limit);
}

TEST_F(HttpClientTest, LimitsHeaders) {
  TestServer server([](const ServerRequest&, const TestServer::Send& send) {
    send("HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 10000 && send(fmt::format("X-{}: {}\r\n", i, std::string(90, 'x'))); ++i) {
    }
    return std::string("\r\n");
  });
  const auto response = client.send(request_to(server.url()));
  ASSERT_FALSE(response);
}

TEST_F(HttpClientTest, AnAnswerThatEndsEarlyIsAnError) {
  TestServer server(always("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"));
  std::string got;
  const auto response =
      client.send(request_to(server.url()), [&](const HttpResponse& head, Bytes piece) {
        EXPECT_EQ(head.status, 200);
        EXPECT_EQ(head.header("content-length"), "10");
        got += as_text(piece);
        return true;
      });
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::network);
  EXPECT_EQ(got, "half");
}

TEST_F(HttpClientTest, StopsWhenAsked) {
  TestServer server(always(reply(200, std::string(1 << 20, 'x'))));
  auto response =
      client.send(request_to(server.url()), [](const HttpResponse&, Bytes) { return false; });
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::cancelled);

  TestServer silent([](const ServerRequest&, const TestServer::Send&) {
    std::this_thread::sleep_for(std::chrono::seconds(2));
    return reply(200);
  });
  std::atomic<bool> cancelled{true};
  auto request = request_to(silent.url());
  request.cancelled = &cancelled;
  response = client.send(request);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::cancelled);
}

TEST_F(HttpClientTest, NoLineEndsGetIntoHeaders) {
  TestServer server(always(reply(200)));
  auto request = request_to(server.url());
  request.authorization = "Bearer x\r\nX-Evil: 1";
  EXPECT_EQ(client.send(request).error().code, ErrorCode::invalid);
  request.authorization.clear();
  request.headers = {{"X\nY", "z"}};
  EXPECT_EQ(client.send(request).error().code, ErrorCode::invalid);
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(HttpClientTest, UsesTheProxyOfTheEnvironment) {
  TestServer proxy(always(reply(200, "from the proxy")));
  TestServer server(always(reply(200, "direct")));
  auto request = request_to("http://registry.example/v2/");
  request.insecure_hosts.push_back("registry.example");
  {
    const ScopedVariable set("http_proxy", proxy.url().c_str());
    const auto response = client.send(request);
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->body, "from the proxy");
    EXPECT_EQ(proxy.requests().back().target, "http://registry.example/v2/");
    const ScopedVariable without("no_proxy", "127.0.0.1");
    EXPECT_EQ(client.send(request_to(server.url()))->body, "direct");
  }
  {
    // In upper case a web server sets it from a header of a stranger's request (httpoxy).
    const ScopedVariable set("HTTP_PROXY", proxy.url().c_str());
    EXPECT_EQ(client.send(request_to(server.url()))->body, "direct");
  }
  // https goes through a tunnel, and what is meant for the server is not told to the proxy.
  const ScopedVariable set("https_proxy", proxy.url().c_str());
  request.url = "https://registry.example/v2/";
  request.authorization = "Bearer secret";
  EXPECT_FALSE(client.send(request));
  EXPECT_EQ(proxy.requests().back().method, "CONNECT");
  EXPECT_EQ(proxy.requests().back().target, "registry.example:443");
  EXPECT_EQ(proxy.requests().back().header("authorization"), "");
}

TEST_F(HttpClientTest, UnderstandsRetryAfter) {
  const auto seconds = [](std::string value) -> std::int64_t {
    HttpResponse response;
    response.headers = {{"retry-after", std::move(value)}};
    const auto pause = retry_after(response);
    return pause ? pause->count() : -1;
  };
  EXPECT_EQ(seconds("0"), 0);
  EXPECT_EQ(seconds("17"), 17);
  EXPECT_EQ(seconds("99999999999999999999"), 86400);
  EXPECT_EQ(seconds(""), -1);
  EXPECT_EQ(seconds("-1"), -1);
  EXPECT_EQ(seconds("soon"), -1);
  EXPECT_EQ(seconds("Fri, 31 Dec 1999 23:59:59 GMT"), 0);
  const std::time_t later = std::time(nullptr) + 100;
  char date[64];
  std::tm parts{};
  std::strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&later, &parts));
  EXPECT_GE(seconds(date), 98);
  EXPECT_LE(seconds(date), 100);
  EXPECT_FALSE(retry_after({}));
}

TEST(UnixSocketClient, GetsAnswersAndRefusals) {
  const std::string path = ::testing::TempDir() + fmt::format("lazaret-{}.sock", getpid());
  unlink(path.c_str());
  TestServer server(
      [](const ServerRequest& asked, const TestServer::Send&) {
        if (asked.target == "/good") return reply(200, "bytes");
        return asked.target == "/moved" ? redirect(301, "http://127.0.0.1:1/") : reply(404, "none");
      },
      Speaks::http, path);
  std::string got, error_body;
  const auto take = [&](Bytes piece) {
    got += as_text(piece);
    return true;
  };
  EXPECT_EQ(get_over_unix_socket({path, "/good"}, take, error_body).value(), 200);
  EXPECT_EQ(got, "bytes");
  EXPECT_EQ(get_over_unix_socket({path, "/bad"}, take, error_body).value(), 404);
  EXPECT_EQ(error_body, "none");
  EXPECT_EQ(get_over_unix_socket({path, "/moved"}, take, error_body).value(), 301);
  EXPECT_EQ(got, "bytes");
  const auto nobody = get_over_unix_socket({path + "x", "/good"}, take, error_body);
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().code, ErrorCode::network);
  unlink(path.c_str());
}

}  // namespace
}  // namespace lazaret::net
