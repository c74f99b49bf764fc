#include "registry/token_endpoint.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/base64.h"
#include "net/server_client_test_support.h"
#include "net/url.h"
#include "registry/account_authorizer.h"

namespace lazaret::registry {
namespace {

using net::Answer;

// The token endpoint, and one path that says what the authorizer makes of a request.
class TokenEndpointTest : public testing::Test {
 protected:
  void start(AccountOptions options = {}, const std::string& public_url = "") {
    options.password_cost = 8;
    accounts_ = std::move(*Accounts::open(std::move(*store::open_sqlite_account_store("")), options));
    const Actor admin{"admin", ""};
    ASSERT_TRUE(accounts_->add(admin, "alice", store::Role::publisher, "password of alice").ok());
    ASSERT_TRUE(accounts_->add(admin, "root", store::Role::administrator, "password of root").ok());
    authorizer_ = std::make_unique<AccountAuthorizer>(*accounts_, public_url);
    endpoint_ = std::make_unique<TokenEndpoint>(*accounts_);
    server_ = net::start_server([this](const net::ExchangePtr& exchange) {
      if (exchange->request().path == token_path) return endpoint_->handle(exchange);
      exchange->run([this, exchange] { exchange->respond(try_repository(exchange->request())); });
    });
  }

  // /alice/app?push: 200 with the caller's name when it may.
  net::Response try_repository(const net::Request& request) {
    const auto caller = authorizer_->caller(request);
    const std::string repository = request.path.substr(1);
    const Action action = request.query == "push" ? Action::push : request.query == "delete" ? Action::remove : Action::pull;
    net::Response response;
    if (!caller) {
      response = net::text_response(caller.error().code == ErrorCode::busy ? 429 : 401, caller.error().message);
    } else if (authorizer_->may(*caller, action, repository)) {
      return net::text_response(200, caller->name + (caller->administrator ? " administrator" : ""));
    } else {
      response = net::text_response(caller->anonymous() && caller->token.empty() ? 401 : 403, "no");
    }
    response.add("WWW-Authenticate", authorizer_->challenge(request, {{repository, {Action::pull, action}}}, caller.ok() && !caller->token.empty()));
    return response;
  }

  Answer get(const std::string& target, const std::string& authorization = "") {
    net::RawClient client(server_->port());
    return client.get(target, authorization.empty() ? "" : "Authorization: " + authorization + "\r\n");
  }
  Answer post(const std::vector<std::pair<std::string, std::string>>& fields) {
    net::RawClient client(server_->port());
    const std::string form = net::encode_form(fields);
    client.send(fmt::format("POST /token HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{}", form.size(), form));
    return client.read();
  }
  static std::string basic(const std::string& name, const std::string& password) { return "Basic " + encode_base64(name + ":" + password); }
  static std::string member(const Answer& answer, const std::string& name) {
    const auto at = answer.body.find("\"" + name + "\":");
    if (at == std::string::npos) return "";
    const auto begin = at + name.size() + 3;
    if (answer.body[begin] != '"') return answer.body.substr(begin, answer.body.find_first_of(",}", begin) - begin);
    return answer.body.substr(begin + 1, answer.body.find('"', begin + 1) - begin - 1);
  }
  // What docker does with a challenge.
  Answer exchange_challenge(const Answer& refused, const std::string& authorization) {
    const std::string challenge = refused.headers.at("www-authenticate");
    const auto parameter = [&](const std::string& name) {
      const auto at = challenge.find(name + "=\"");
      return at == std::string::npos ? std::string() : challenge.substr(at + name.size() + 2, challenge.find('"', at + name.size() + 2) - at - name.size() - 2);
    };
    const std::string realm = parameter("realm");
    EXPECT_EQ(realm, "http://localhost/token");
    return get("/token?" + net::encode_form({{"service", parameter("service")}, {"scope", parameter("scope")}}), authorization);
  }

  std::unique_ptr<Accounts> accounts_;
  std::unique_ptr<AccountAuthorizer> authorizer_;
  std::unique_ptr<TokenEndpoint> endpoint_;
  std::unique_ptr<net::Server> server_;
};

TEST_F(TokenEndpointTest, TheChallengeIsExactlyAsClientsTakeItApart) {
  start();
  const Answer refused = get("/alice/app?push");
  EXPECT_EQ(refused.status, 401);
  EXPECT_EQ(refused.headers.at("www-authenticate"), "Bearer realm=\"http://localhost/token\",service=\"lazaret\",scope=\"repository:alice/app:pull,push\"");
  net::Request request;
  request.scheme = "https";
  request.host = "registry.example:5000";
  EXPECT_EQ(authorizer_->challenge(request, {}, false), "Bearer realm=\"https://registry.example:5000/token\",service=\"lazaret\"");
  EXPECT_EQ(authorizer_->challenge(request, {{"", {}}}, false), "Bearer realm=\"https://registry.example:5000/token\",service=\"lazaret\"");
  EXPECT_EQ(authorizer_->challenge(request, {{"a/b", {Action::pull, Action::push}}, {"c/d", {Action::pull}}}, true),
            "Bearer realm=\"https://registry.example:5000/token\",service=\"lazaret\",scope=\"repository:a/b:pull,push repository:c/d:pull\",error=\"insufficient_scope\"");
  EXPECT_EQ(AccountAuthorizer(*accounts_, "https://public.example").challenge(request, {}, false), "Bearer realm=\"https://public.example/token\",service=\"lazaret\"");
}

TEST_F(TokenEndpointTest, AClientFollowsTheChallengeToItsPush) {
  start();
  const Answer refused = get("/alice/app?push");
  const Answer token = exchange_challenge(refused, basic("alice", "password of alice"));
  ASSERT_EQ(token.status, 200) << token.body;
  EXPECT_EQ(token.headers.at("content-type"), "application/json");
  EXPECT_EQ(token.headers.at("cache-control"), "no-store");
  EXPECT_EQ(member(token, "token"), member(token, "access_token"));
  EXPECT_EQ(member(token, "expires_in"), "300");
  EXPECT_EQ(member(token, "issued_at").size(), 20u);
  EXPECT_EQ(member(token, "refresh_token"), "");
  const std::string bearer = "Bearer " + member(token, "token");
  EXPECT_EQ(get("/alice/app?push", bearer).body, "alice");
  EXPECT_EQ(get("/alice/app?delete", bearer).status, 403) << "a token to push does not delete (GHSA-qg67-7m6v-qg25)";
  EXPECT_EQ(get("/alice/other?push", bearer).status, 403);
  EXPECT_NE(get("/alice/other?push", bearer).headers.at("www-authenticate").find("error=\"insufficient_scope\""), std::string::npos);
}

TEST_F(TokenEndpointTest, AMountAsksForTwoScopes) {
  start();
  for (const char* scopes : {"scope=repository%3Aalice%2Fapp%3Apull%2Cpush&scope=repository%3Abob%2Fbase%3Apull", "scope=repository:alice/app:pull,push+repository:bob/base:pull"}) {
    const Answer token = get(std::string("/token?service=lazaret&") + scopes, basic("alice", "password of alice"));
    EXPECT_EQ(member(token, "scope"), "repository:alice/app:pull,push repository:bob/base:pull");
    const std::string bearer = "Bearer " + member(token, "token");
    EXPECT_EQ(get("/alice/app?push", bearer).status, 200);
    EXPECT_EQ(get("/bob/base", bearer).status, 200);
  }
}

TEST_F(TokenEndpointTest, AskingForTooMuchGivesWhatMayBeHad) {
  start();
  const Answer token = get("/token?service=lazaret&scope=repository:bob/app:pull,push,delete", basic("alice", "password of alice"));
  EXPECT_EQ(token.status, 200);
  EXPECT_EQ(member(token, "scope"), "repository:bob/app:pull");
  EXPECT_EQ(get("/bob/app?push", "Bearer " + member(token, "token")).status, 403);
}

TEST_F(TokenEndpointTest, NobodyInParticularMayPullWhereThatIsAllowed) {
  start();
  const Answer token = get("/token?service=lazaret&scope=repository:alice/app:pull,push");
  EXPECT_EQ(member(token, "scope"), "repository:alice/app:pull");
  EXPECT_EQ(get("/alice/app", "Bearer " + member(token, "token")).status, 200);
  net::Request request;
  const std::string authorization = "Authorization: Bearer " + member(token, "token");
  EXPECT_TRUE(authorizer_->ping_needs_credentials(Caller()));
  AccountOptions closed;
  closed.anonymous_pull = false;
  start(closed);
  EXPECT_EQ(get("/token?service=lazaret&scope=repository:alice/app:pull").status, 401);
  EXPECT_EQ(get("/alice/app").status, 401);
  EXPECT_EQ(get("/alice/app", basic("alice", "password of alice")).status, 200);
}

TEST_F(TokenEndpointTest, WrongCredentialsAreRefused) {
  start();
  for (const std::string& authorization : {basic("alice", "wrong password"), basic("nobody", "password of alice"), basic("", "x"), std::string("Basic !!!"), std::string("Basic"),
                                           std::string("Negotiate abc"), std::string("Bearer nothing")}) {
    EXPECT_EQ(get("/token?service=lazaret", authorization).status, 401) << authorization;
    EXPECT_EQ(get("/alice/app", authorization).status, 401) << authorization;
  }
  EXPECT_EQ(get("/token?service=other", basic("alice", "password of alice")).status, 400);
  EXPECT_EQ(get("/token?scope=nonsense", basic("alice", "password of alice")).status, 400);
}

TEST_F(TokenEndpointTest, TooManyFailuresAreAnswered429) {
  AccountOptions options;
  options.failures_of_pair = {0.001, 2};
  start(options);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(get("/token", basic("alice", "guess")).status, 401);
  const Answer slowed = get("/token", basic("alice", "guess"));
  EXPECT_EQ(slowed.status, 429);
  EXPECT_TRUE(slowed.headers.contains("retry-after"));
  EXPECT_EQ(get("/alice/app", basic("alice", "guess")).status, 429);
}

TEST_F(TokenEndpointTest, Oauth2GivesARefreshTokenAndTakesIt) {
  start();
  const Answer first = post({{"grant_type", "password"}, {"username", "alice"}, {"password", "password of alice"}, {"service", "lazaret"}, {"client_id", "test"}, {"access_type", "offline"}});
  ASSERT_EQ(first.status, 200) << first.body;
  const std::string refresh = member(first, "refresh_token");
  EXPECT_TRUE(refresh.starts_with("lzf_"));
  EXPECT_EQ(member(first, "token_type"), "Bearer");
  const Answer second = post({{"grant_type", "refresh_token"}, {"refresh_token", refresh}, {"service", "lazaret"}, {"scope", "repository:alice/app:pull,push repository:bob/x:push"}});
  ASSERT_EQ(second.status, 200) << second.body;
  EXPECT_EQ(member(second, "refresh_token"), refresh) << "the same, not a new one";
  EXPECT_EQ(member(second, "scope"), "repository:alice/app:pull,push");
  EXPECT_EQ(get("/alice/app?push", "Bearer " + member(second, "access_token")).body, "alice");
  EXPECT_EQ(get("/alice/app?push", "Bearer " + refresh).status, 401) << "a refresh token opens nothing itself";
  EXPECT_EQ(post({{"grant_type", "refresh_token"}, {"refresh_token", refresh + "x"}}).status, 401);
  EXPECT_EQ(post({{"grant_type", "password"}, {"username", "alice"}, {"password", "wrong"}}).status, 401);
  EXPECT_EQ(post({{"grant_type", "authorization_code"}}).status, 400);
  EXPECT_EQ(post({{"grant_type", "password"}, {"service", "other"}}).status, 400);
  const Answer offline = get("/token?service=lazaret&offline_token=true", basic("alice", "password of alice"));
  EXPECT_TRUE(member(offline, "refresh_token").starts_with("lzf_"));
}

TEST_F(TokenEndpointTest, RobotsLogInLikeAnybody) {
  start();
  const std::string secret = accounts_->add_robot({"admin", ""}, "alice", "ci", *parse_grants("alice/app:pull,push"), 1)->secret;
  EXPECT_EQ(get("/alice/app?push", basic("alice", secret)).body, "alice");
  EXPECT_EQ(get("/alice/app?push", "Bearer " + secret).body, "alice");
  EXPECT_EQ(get("/alice/other?push", basic("alice", secret)).status, 403);
  const Answer token = get("/token?offline_token=true&scope=repository:alice/app:push,delete&scope=repository:alice/b:push", basic("alice", secret));
  EXPECT_EQ(member(token, "scope"), "repository:alice/app:push");
  EXPECT_EQ(member(token, "refresh_token"), "");
  EXPECT_EQ(get("/alice/app?push", "Bearer " + member(token, "token")).body, "alice");
}

TEST_F(TokenEndpointTest, ALimitedTokenOfAnAdministratorAdministersNothing) {
  start();
  EXPECT_EQ(get("/bob/x?delete", basic("root", "password of root")).body, "root administrator");
  const Answer token = get("/token?scope=repository:bob/x:pull", basic("root", "password of root"));
  EXPECT_EQ(get("/bob/x", "Bearer " + member(token, "token")).body, "root");
  EXPECT_EQ(get("/bob/x?delete", "Bearer " + member(token, "token")).status, 403);
}

TEST_F(TokenEndpointTest, WhatIsKnownIsAnsweredWithoutBlocking) {
  AccountOptions options;
  options.look_every = std::chrono::hours(1);
  start(options);
  net::Request request;
  EXPECT_TRUE(authorizer_->known_caller(request)->anonymous());
  const std::string header = basic("alice", "password of alice");
  request.headers.push_back({"Authorization", header});
  EXPECT_FALSE(authorizer_->known_caller(request)) << "a password that was not proved yet";
  ASSERT_TRUE(authorizer_->caller(request).ok());
  EXPECT_EQ(authorizer_->known_caller(request)->name, "alice");
  const std::string empty = basic("", "");
  request.headers[0].value = empty;
  EXPECT_TRUE(authorizer_->known_caller(request)->anonymous());
}

TEST_F(TokenEndpointTest, AnAccountThatAsksTooOftenIsToldSo) {
  start();
  AccountAuthorizer limited(*accounts_, "", {0.001, 2});
  net::Request request;
  const std::string header = basic("alice", "password of alice"), other = basic("root", "password of root");
  request.headers.push_back({"Authorization", header});
  EXPECT_TRUE(limited.caller(request).ok());
  EXPECT_TRUE(limited.known_caller(request));
  EXPECT_FALSE(limited.known_caller(request));
  EXPECT_EQ(limited.caller(request).error().code, ErrorCode::busy);
  request.headers[0].value = other;
  EXPECT_TRUE(limited.caller(request).ok());
  request.headers.clear();
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(limited.known_caller(request)) << "nobody in particular is limited by address";
}

TEST_F(TokenEndpointTest, OtherMethodsAndLargeFormsAreRefused) {
  start();
  net::RawClient client(server_->port());
  client.send("DELETE /token HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client.read().status, 405);
  EXPECT_EQ(post({{"grant_type", std::string(100'000, 'x')}}).status, 413);
}

}  // namespace
}  // namespace lazaret::registry
