#include "source/registry_auth.h"

#include <gtest/gtest.h>

#include "codec/text_encoding.h"
#include "net/http_server_test_support.h"

namespace lazaret::source {
namespace {

using net::reply;
using net::TestServer;

TEST(ParseChallenges, ReadsWhatRegistriesSend) {
  const auto list = parse_challenges(
      R"(Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/nginx:pull,push")");
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0].scheme, "bearer");
  EXPECT_EQ(list[0].realm, "https://auth.docker.io/token");
  EXPECT_EQ(list[0].service, "registry.docker.io");
  EXPECT_EQ(list[0].scope, "repository:library/nginx:pull,push");
}

TEST(ParseChallenges, ReadsSeveral) {
  const auto list = parse_challenges(
      R"(Negotiate, BASIC realm="a, \"b\"" , Bearer  realm = https://x.example/t , error="x")");
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(list[0].scheme, "negotiate");
  EXPECT_EQ(list[1].scheme, "basic");
  EXPECT_EQ(list[1].realm, "a, \"b\"");
  EXPECT_EQ(list[2].scheme, "bearer");
  EXPECT_EQ(list[2].realm, "https://x.example/t");
}

TEST(ParseChallenges, SurvivesNonsense) {
  for (const char* text : {"", " , ,", "=", "\"", "Bearer realm=\"", "Bearer realm=\"\\", "a=b",
                           "\"x\" y=", "Bearer =,=,=\"\"\"\"", "Bearer\"x\"y"})
    EXPECT_LE(parse_challenges(text).size(), 3u) << text;
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "Basic realm=\"x\", ";
  EXPECT_EQ(parse_challenges(many).size(), 16u);
  // The first of two realms counts.
  EXPECT_EQ(parse_challenges(R"(Bearer realm="a", realm="b")")[0].realm, "a");
}

TEST(RealmIsTrusted, TheSameHostAndItsDomain) {
  EXPECT_TRUE(realm_is_trusted("registry.example.com", "registry.example.com"));
  EXPECT_TRUE(realm_is_trusted("Registry.Example.com", "auth.example.COM"));
  EXPECT_TRUE(realm_is_trusted("registry.gitlab.com", "gitlab.com"));
  EXPECT_TRUE(realm_is_trusted("r.example.co.uk", "auth.example.co.uk"));
  EXPECT_TRUE(realm_is_trusted("localhost", "localhost"));
  EXPECT_FALSE(realm_is_trusted("registry.example.com", "auth.example.org"));
  EXPECT_FALSE(realm_is_trusted("registry.example.com", "example.com.evil.org"));
  EXPECT_FALSE(realm_is_trusted("registry.example.com", "evilexample.com"));
  EXPECT_FALSE(realm_is_trusted("", ""));
}

TEST(RealmIsTrusted, DockerHub) {
  EXPECT_TRUE(realm_is_trusted("registry-1.docker.io", "auth.docker.io"));
  EXPECT_TRUE(realm_is_trusted("docker.io", "auth.docker.io"));
  EXPECT_FALSE(realm_is_trusted("registry-1.docker.io", "evil.docker.io"));
  EXPECT_FALSE(realm_is_trusted("registry.example", "auth.docker.io"));
}

TEST(RealmIsTrusted, AddressesAreRelatedToNobody) {
  EXPECT_TRUE(realm_is_trusted("192.0.2.7", "192.0.2.7"));
  EXPECT_FALSE(realm_is_trusted("192.0.2.7", "198.51.2.7"));
  EXPECT_FALSE(realm_is_trusted("10.0.2.7", "11.1.2.7"));
  EXPECT_TRUE(realm_is_trusted("[2001:db8::1]", "[2001:DB8::1]"));
  EXPECT_FALSE(realm_is_trusted("[2001:db8::1]", "[2001:db8::2]"));
  EXPECT_FALSE(realm_is_trusted("[::ffff:192.0.2.7]", "[::fffe:192.0.2.7]"));
  EXPECT_FALSE(realm_is_trusted("192.0.2.7", "x.2.7"));
}

TEST(RealmIsTrusted, StrangersUnderOneSuffix) {
  EXPECT_FALSE(realm_is_trusted("a.com", "b.com"));
  EXPECT_FALSE(realm_is_trusted("com", "b.com"));
  EXPECT_FALSE(realm_is_trusted("a.co.uk", "b.co.uk"));
  EXPECT_FALSE(realm_is_trusted("x.a.co.uk", "x.b.co.uk"));
  EXPECT_FALSE(realm_is_trusted("a.asso.fr", "b.asso.fr"));
  EXPECT_FALSE(realm_is_trusted("a.tokyo.jp", "b.tokyo.jp"));
  EXPECT_FALSE(realm_is_trusted("a.azurecr.io", "b.azurecr.io"));
  EXPECT_FALSE(realm_is_trusted("azurecr.io", "b.azurecr.io"));
  EXPECT_FALSE(realm_is_trusted("1.dkr.ecr.us-east-1.amazonaws.com", "x.s3.amazonaws.com"));
  EXPECT_FALSE(realm_is_trusted("a.github.io", "b.github.io"));
  EXPECT_FALSE(realm_is_trusted("a.com.", "b.com."));
  EXPECT_FALSE(realm_is_trusted("a..com", "b..com"));
}

// Answers a refusal and tells what the token server was asked.
class RegistryAuthTest : public ::testing::Test {
 protected:
  Result<void> answer(Credentials credentials, const std::string& challenge,
                      const std::string& registry = "https://registry.example.com/v2/") {
    auth = std::make_unique<RegistryAuth>(parse_image_name("registry.example.com/a/b").value(),
                                          std::move(credentials), insecure);
    return again(challenge, registry, "");
  }
  Result<void> again(const std::string& challenge, const std::string& registry,
                     const std::string& used) {
    net::HttpResponse refusal;
    refusal.status = 401;
    refusal.url = registry;
    refusal.headers = {{"www-authenticate", challenge}};
    return auth->answer(*net::parse_url(registry), refusal, used,
                        [this](const net::HttpRequest& request) -> Result<net::HttpResponse> {
                          sent.push_back(request);
                          net::HttpResponse response;
                          response.status = status;
                          response.body = token;
                          return response;
                        });
  }
  static Credentials password() { return {"user", "pass", ""}; }
  static Credentials refresh() { return {"", "", "secret-token"}; }

  std::vector<std::string> insecure;
  std::unique_ptr<RegistryAuth> auth;
  std::vector<net::HttpRequest> sent;
  long status = 200;
  std::string token = R"({"token":"T","expires_in":300})";
};

TEST_F(RegistryAuthTest, GetsATokenForAPassword) {
  ASSERT_TRUE(answer(password(), R"(Bearer realm="https://auth.example.com/t?x=1",service="s v")"));
  EXPECT_EQ(auth->header(), "Bearer T");
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].url, "https://auth.example.com/t?x=1&service=s%20v&scope=repository:a/b:pull");
  EXPECT_EQ(sent[0].authorization, "Basic " + codec::encode_base64("user:pass"));
}

TEST_F(RegistryAuthTest, PostsARefreshToken) {
  ASSERT_TRUE(answer(refresh(), R"(Bearer realm="https://auth.example.com/t",service="s")"));
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].method, "POST");
  EXPECT_EQ(sent[0].url, "https://auth.example.com/t");
  EXPECT_EQ(sent[0].authorization, "");
  EXPECT_NE(sent[0].body.find("refresh_token=secret-token"), std::string::npos);
  EXPECT_NE(sent[0].body.find("scope=repository:a/b:pull"), std::string::npos);
}

TEST_F(RegistryAuthTest, AsksStrangersAnonymously) {
  for (const Credentials& credentials : {password(), refresh()}) {
    sent.clear();
    ASSERT_TRUE(answer(credentials, R"(Bearer realm="https://evil.org/t",service="s")"));
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].method, "GET");
    EXPECT_EQ(sent[0].authorization, "");
    EXPECT_EQ(sent[0].body, "");
    EXPECT_EQ(sent[0].url.find("secret"), std::string::npos);
  }
  status = 401;
  const auto refused = answer(password(), R"(Bearer realm="https://evil.org/t")");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::unauthorized);
  EXPECT_NE(refused.error().message.find("were not sent"), std::string::npos);
}

TEST_F(RegistryAuthTest, NoTokenServerWithoutTls) {
  EXPECT_FALSE(answer(password(), R"(Bearer realm="http://auth.example.com/t")"));
  // Not even of an insecure registry that itself speaks TLS.
  insecure = {"registry.example.com", "auth.example.com"};
  EXPECT_FALSE(answer(password(), R"(Bearer realm="http://registry.example.com/t")"));
  EXPECT_FALSE(answer(password(), R"(Bearer realm="http://other.example.com/t")",
                      "http://registry.example.com/v2/"));
  EXPECT_TRUE(sent.empty());
  EXPECT_TRUE(answer(password(), R"(Bearer realm="http://registry.example.com:5001/t")",
                     "http://registry.example.com/v2/"));
}

TEST_F(RegistryAuthTest, RealmsThatAreNoAddress) {
  for (const char* realm : {"x", "file:///etc/passwd", "https://user@registry.example.com/",
                            "https://registry.example.com\\\\@evil.org/"}) {
    EXPECT_FALSE(answer(password(), fmt::format("Bearer realm=\"{}\"", realm))) << realm;
  }
  EXPECT_TRUE(sent.empty());
}

TEST_F(RegistryAuthTest, AsksForNoMoreThanToRead) {
  ASSERT_TRUE(
      answer({}, R"(Bearer realm="https://auth.example.com/t",scope="repository:a/b:pull,push")"));
  EXPECT_EQ(sent.back().url, "https://auth.example.com/t?scope=repository:a/b:pull");
  ASSERT_TRUE(
      answer({}, R"(Bearer realm="https://auth.example.com/t",scope="registry:catalog:*")"));
  EXPECT_EQ(sent.back().url, "https://auth.example.com/t?scope=repository:a/b:pull");
  ASSERT_TRUE(
      answer({}, R"(Bearer realm="https://auth.example.com/t",scope="repository:p/a/b:pull")"));
  EXPECT_EQ(sent.back().url, "https://auth.example.com/t?scope=repository:p/a/b:pull");
}

TEST_F(RegistryAuthTest, Basic) {
  ASSERT_TRUE(answer(password(), "Basic realm=x"));
  EXPECT_EQ(auth->header(), "Basic dXNlcjpwYXNz");
  const auto again_refused =
      again("Basic realm=x", "https://registry.example.com/v2/", auth->header());
  ASSERT_FALSE(again_refused);
  EXPECT_EQ(again_refused.error().code, ErrorCode::unauthorized);
  EXPECT_EQ(answer({}, "Basic realm=x").error().code, ErrorCode::unauthorized);
  EXPECT_EQ(answer(refresh(), "Basic realm=x").error().code, ErrorCode::unauthorized);
  // A token reveals less.
  ASSERT_TRUE(answer(password(), R"(Basic realm=x, Bearer realm="https://auth.example.com/t")"));
  EXPECT_EQ(auth->header(), "Bearer T");
  EXPECT_EQ(answer(password(), "Negotiate").error().code, ErrorCode::unsupported);
  EXPECT_EQ(answer(password(), "").error().code, ErrorCode::unsupported);
}

TEST_F(RegistryAuthTest, TokensThatAreNone) {
  for (const char* body : {"", "{}", "[]", R"({"token":""})", R"({"token":7})",
                           R"({"token":"a\r\nX: b"})", R"({"token":"a b"})"}) {
    token = body;
    const auto answered = answer({}, R"(Bearer realm="https://auth.example.com/t")");
    EXPECT_FALSE(answered) << body;
    EXPECT_EQ(auth->header(), "");
  }
  token = R"({"access_token":"A","expires_in":-5})";
  ASSERT_TRUE(answer({}, R"(Bearer realm="https://auth.example.com/t")"));
  EXPECT_EQ(auth->header(), "Bearer A");
}

TEST_F(RegistryAuthTest, ToldOnlyToTheRegistryItself) {
  auth = std::make_unique<RegistryAuth>(parse_image_name("registry.example.com/a/b").value(),
                                        password(), insecure);
  net::HttpResponse refusal;
  refusal.status = 401;
  refusal.url = "https://storage.example.com/blob";
  refusal.headers = {{"www-authenticate", "Basic realm=x"}};
  EXPECT_FALSE(auth->answer(*net::parse_url("https://registry.example.com/v2/"), refusal, "",
                            [](const net::HttpRequest&) { return net::HttpResponse(); }));
  EXPECT_EQ(auth->header(), "");
}

}  // namespace
}  // namespace lazaret::source
