#include "net/url.h"

#include <gtest/gtest.h>

namespace lazaret::net {
namespace {

std::string resolved(const char* base, std::string_view reference) {
  const auto url = resolve_url(*parse_url(base), reference);
  return url ? url->str() : "";
}

TEST(Url, TakesAddressesApart) {
  const auto url = parse_url("HTTPS://Registry.Example:5000/v2/a%20b?x=1&y=2#part");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->scheme, "https");
  EXPECT_EQ(url->host, "registry.example");
  EXPECT_EQ(url->port, 5000);
  EXPECT_EQ(url->path, "/v2/a%20b");
  EXPECT_EQ(url->query, "x=1&y=2");
  EXPECT_EQ(url->str(), "https://registry.example:5000/v2/a%20b?x=1&y=2");
  EXPECT_EQ(parse_url("https://a.example")->str(), "https://a.example/");
  EXPECT_EQ(parse_url("http://a.example:80/")->str(), "http://a.example/");
  EXPECT_EQ(parse_url("https://a.example/x/../y")->path, "/x/../y");
}

TEST(Url, KnowsAddressesOfBothFamilies) {
  EXPECT_EQ(parse_url("https://[2001:DB8::1]:5000/")->host, "[2001:db8::1]");
  EXPECT_EQ(parse_url("https://[2001:db8::1]:5000/")->str(), "https://[2001:db8::1]:5000/");
  EXPECT_EQ(parse_url("https://192.0.2.7/")->host, "192.0.2.7");
  // Another way to write an address must not look like another host.
  EXPECT_EQ(parse_url("https://0xc0000207/")->host, "192.0.2.7");
}

TEST(Url, RefusesWhatTwoReadersCouldReadDifferently) {
  for (const char* text :
       {"", "registry.example", "//registry.example/", "ftp://registry.example/", "https://",
        "https:///v2/", "file:///etc/passwd", "https://user@registry.example/",
        "https://user:secret@registry.example/", "https://good.example\\@evil.example/",
        "https://good.example:99999/", "https://good.example:0/", "https://good.example:/x:y@z/",
        "https://good.example\r\nHost: evil.example/", "https://good example/",
        "https://[2001:db8::1/",
        "https://b\xc3\xbc"
        "cher.example/",
        "https://good%2eexample%00/", "https://good.example%0d%0a/"}) {
    const auto url = parse_url(text);
    // One that is taken must at least be the good host.
    EXPECT_TRUE(!url || url->host == "good.example") << text;
  }
  EXPECT_FALSE(parse_url("https://user@registry.example/"));
  EXPECT_FALSE(parse_url("https://good.example\\@evil.example/"));
  EXPECT_FALSE(parse_url(std::string_view("https://good.example\0.evil.example/", 35)));
}

TEST(Url, ResolvesLocations) {
  const char* base = "https://a.example:5000/v2/x/blobs/1?q=1";
  EXPECT_EQ(resolved(base, "/other"), "https://a.example:5000/other");
  EXPECT_EQ(resolved(base, "2?z=1"), "https://a.example:5000/v2/x/blobs/2?z=1");
  EXPECT_EQ(resolved(base, "?z=1"), "https://a.example:5000/v2/x/blobs/1?z=1");
  EXPECT_EQ(resolved(base, "//b.example/y"), "https://b.example/y");
  EXPECT_EQ(resolved(base, "http://b.example/y#f"), "http://b.example/y");
  EXPECT_EQ(resolved(base, "//user@b.example/y"), "");
  EXPECT_EQ(resolved(base, "gopher://b.example/"), "");
  EXPECT_EQ(resolved(base, "javascript:alert(1)"), "");
  EXPECT_EQ(resolved(base, "https:/b.example"), "");
  EXPECT_EQ(resolved(base, "https:b.example"), "");
  EXPECT_EQ(resolved(base, "///b.example"), "");
  EXPECT_EQ(resolved(base, ""), "https://a.example:5000/v2/x/blobs/1?q=1");
}

TEST(Url, ComparesOrigins) {
  const auto same = [](const char* a, const char* b) {
    return parse_url(a)->same_origin(*parse_url(b));
  };
  EXPECT_TRUE(same("https://a.example/x", "https://A.example:443/y"));
  EXPECT_FALSE(same("https://a.example/", "http://a.example/"));
  EXPECT_FALSE(same("https://a.example/", "https://a.example:444/"));
  EXPECT_FALSE(same("https://a.example/", "https://b.example/"));
  EXPECT_FALSE(same("https://a.example/", "https://a.example./"));
}

TEST(Url, EncodesFormsAndPaths) {
  EXPECT_EQ(encode_form({{"scope", "repository:a/b:pull"}, {"x", "a&b=c d+e%\n"}}),
            "scope=repository:a/b:pull&x=a%26b%3Dc%20d%2Be%25%0A");
  EXPECT_EQ(encode_form({}), "");
  EXPECT_EQ(encode_path("docker.io/library/nginx:1?x#y"), "docker.io/library/nginx:1%3Fx%23y");
}

TEST(Url, ListsInsecureHosts) {
  const auto url = *parse_url("https://Registry.example:5000/");
  EXPECT_TRUE(lists_host({"registry.EXAMPLE"}, url));
  EXPECT_TRUE(lists_host({"other", "registry.example:5000"}, url));
  EXPECT_FALSE(lists_host({"registry.example:5001", "example", "gistry.example", ""}, url));
  EXPECT_TRUE(lists_host({"[::1]:5000"}, *parse_url("http://[::1]:5000/")));
  EXPECT_TRUE(lists_host({"[::1]"}, *parse_url("http://[::1]:5000/")));
  EXPECT_FALSE(lists_host({"::1"}, *parse_url("http://[::1]:5000/")));
}

// Passwords go to the loopback device without TLS, and a name that begins with "127." was taken for it.
TEST(Url, ANameThatBeginsLikeAnAddressIsNotThisMachine) {
  for (const char* host : {"localhost", "127.0.0.1", "127.1.2.3", "[::1]", "::1"}) EXPECT_TRUE(is_loopback_host(host)) << host;
  for (const char* host : {"", "127.example", "127.0.0.1.example", "localhost.example", "198.51.100.7", "[2001:db8::1]", "[", "[]"}) EXPECT_FALSE(is_loopback_host(host)) << host;
}

}  // namespace
}  // namespace lazaret::net
