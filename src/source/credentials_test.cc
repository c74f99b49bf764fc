#include "source/credentials.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "codec/text_encoding.h"
#include "net/http_server_test_support.h"

namespace lazaret::source {
namespace {

using net::ScopedVariable;
using std::chrono::milliseconds;

std::string found(const std::string& text, const char* image,
                  milliseconds time = std::chrono::seconds(20)) {
  const auto result = credentials_in(text, "f", parse_image_name(image).value(), time);
  if (!result) return "error: " + result.error().message;
  if (!result->has_value()) return "none";
  const Credentials& found = **result;
  return found.identity_token.empty() ? found.user + ":" + found.password
                                      : "token " + found.identity_token;
}

std::string entry(const std::string& key, const std::string& user_password) {
  return fmt::format(R"("{}":{{"auth":"{}"}})", key, codec::encode_base64(user_password));
}
std::string auths(const std::vector<std::string>& entries) {
  std::string text;
  for (const std::string& item : entries) text += (text.empty() ? "" : ",") + item;
  return R"({"auths":{)" + text + "}}";
}

TEST(Base64, EncodesWhatItDecodes) {
  EXPECT_EQ(codec::encode_base64(""), "");
  EXPECT_EQ(codec::encode_base64("f"), "Zg==");
  EXPECT_EQ(codec::encode_base64("fo"), "Zm8=");
  EXPECT_EQ(codec::encode_base64("foo"), "Zm9v");
  EXPECT_EQ(codec::encode_base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(codec::encode_base64("\xff\xfe\xfd"), "//79");
  EXPECT_EQ(codec::decode_base64(codec::encode_base64("user:p\xc3\xa4ss")), "user:p\xc3\xa4ss");
}

TEST(Credentials, OfTheHostOnly) {
  const std::string text =
      auths({entry("registry.example", "a:1"), entry("registry.example:5000", "b:2")});
  EXPECT_EQ(found(text, "registry.example/x"), "a:1");
  EXPECT_EQ(found(text, "registry.example:5000/x"), "b:2");
  EXPECT_EQ(found(text, "registry.example:5001/x"), "none");
  EXPECT_EQ(found(text, "other.registry.example/x"), "none");
  EXPECT_EQ(found(text, "example/x"), "none");
  EXPECT_EQ(found(text, "nginx"), "none");
}

TEST(Credentials, TheMostSpecificEntry) {
  const std::string text =
      auths({entry("r.example", "host:1"), entry("r.example/team", "team:2"),
             entry("r.example/team/app", "app:3"), entry("r.example/team/v1", "v1:4")});
  EXPECT_EQ(found(text, "r.example/team/app"), "app:3");
  EXPECT_EQ(found(text, "r.example/team/app/part"), "app:3");
  EXPECT_EQ(found(text, "r.example/team/other"), "team:2");
  EXPECT_EQ(found(text, "r.example/team/v1"), "v1:4");
  EXPECT_EQ(found(text, "r.example/team2/app"), "host:1");
  EXPECT_EQ(found(auths({entry("r.example/team", "team:2")}), "r.example/other"), "none");
  EXPECT_EQ(found(auths({entry("r.example/team/v1", "v1:4")}), "r.example/team"), "none");
}

TEST(Credentials, DockerHubUnderAllItsNames) {
  for (const char* key :
       {"https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io",
        "https://index.docker.io/v1/access-token", "https://registry-1.docker.io/v2/"}) {
    EXPECT_EQ(found(auths({entry(key, "u:p")}), "nginx"), "u:p") << key;
    EXPECT_EQ(found(auths({entry(key, "u:p")}), "index.docker.io/a/b"), "u:p") << key;
    EXPECT_EQ(found(auths({entry(key, "u:p")}), "r.example/a"), "none") << key;
  }
  EXPECT_EQ(
      found(auths({entry("docker.io/library/nginx", "n:1"), entry("docker.io", "d:2")}), "nginx"),
      "n:1");
  EXPECT_EQ(
      found(auths({entry("https://index.docker.io/v1/", "old:1"), entry("docker.io", "new:2")}),
            "nginx"),
      "new:2");
}

TEST(Credentials, AddressesAsKeys) {
  EXPECT_EQ(found(auths({entry("https://r.example:5000/v2/", "u:p")}), "r.example:5000/x"), "u:p");
  EXPECT_EQ(found(auths({entry("http://r.example", "u:p")}), "r.example/x"), "u:p");
  EXPECT_EQ(found(auths({entry("r.example/v1/", "u:p")}), "r.example/x"), "u:p");
  EXPECT_EQ(found(auths({entry("https://evil.example/r.example", "u:p")}), "r.example/x"), "none");
  EXPECT_EQ(found(auths({entry("[::1]:5000", "u:p")}), "[::1]:5000/x"), "u:p");
}

TEST(Credentials, FormsOfAnEntry) {
  EXPECT_EQ(found(R"({"auths":{"r.example":{"username":"u","password":"p"}}})", "r.example/x"),
            "u:p");
  EXPECT_EQ(
      found(R"({"auths":{"r.example":{"auth":"dXNlcjo=","identitytoken":"T"}}})", "r.example/x"),
      "token T");
  EXPECT_EQ(found(auths({entry("r.example", "u:p:q")}), "r.example/x"), "u:p:q");
  EXPECT_EQ(found(auths({entry("r.example", std::string("u:p\0\0", 5))}), "r.example/x"), "u:p");
  EXPECT_EQ(found(R"({"auths":{"r.example":{}}})", "r.example/x"), "none");
  EXPECT_EQ(found(R"({"auths":{"r.example":7}})", "r.example/x"), "none");
  for (const char* text :
       {"{}", R"({"auths":[]})", R"({"auths":null,"credHelpers":7,"credsStore":[]})"})
    EXPECT_EQ(found(text, "r.example/x"), "none") << text;
  for (const char* text : {"", "[]", "{\"auths\":", R"({"auths":{"r.example":{"auth":"!!"}}})",
                           R"({"auths":{"r.example":{"auth":"bm9jb2xvbg=="}}})"})
    EXPECT_TRUE(found(text, "r.example/x").starts_with("error: ")) << text;
}

class CredentialHelper : public ::testing::Test {
 protected:
  CredentialHelper() {
    std::filesystem::create_directories(folder_);
    path_.emplace("PATH", (folder_ + ":" + getenv("PATH")).c_str());
  }
  ~CredentialHelper() override {
    path_.reset();
    std::filesystem::remove_all(folder_);
  }
  void helper(const std::string& script) {
    const std::string file = folder_ + "/docker-credential-test";
    std::ofstream(file) << "#!/bin/sh\n" << script << "\n";
    chmod(file.c_str(), 0700);
  }
  std::string ask(const char* image = "r.example/x", milliseconds time = std::chrono::seconds(20)) {
    return found(R"({"credsStore":"test"})", image, time);
  }

  const std::string folder_ = ::testing::TempDir() + fmt::format("lazaret-helpers-{}", getpid());
  std::optional<ScopedVariable> path_;
};

TEST_F(CredentialHelper, IsToldTheServer) {
  helper(
      R"(read server; test "$1" = get && echo '{"ServerURL":"x","Username":"'$server'","Secret":"s"}')");
  EXPECT_EQ(ask(), "r.example:s");
  EXPECT_EQ(ask("r.example:5000/x"), "r.example:5000:s");
  EXPECT_EQ(ask("nginx"), "https://index.docker.io/v1/:s");
  EXPECT_EQ(found(R"({"credHelpers":{"r.example":"test"}})", "r.example/x"), "r.example:s");
  EXPECT_EQ(found(R"({"credHelpers":{"other.example":"test"}})", "r.example/x"), "none");
  EXPECT_EQ(found(R"({"credHelpers":{"docker.io":"test"}})", "nginx"),
            "https://index.docker.io/v1/:s");
}

TEST_F(CredentialHelper, GivesTokensAndNothing) {
  helper(R"(echo '{"Username":"<token>","Secret":"T"}')");
  EXPECT_EQ(ask(), "token T");
  helper("echo credentials not found in native keychain; exit 1");
  EXPECT_EQ(ask(), "none");
  EXPECT_EQ(ask("nginx"), "none");
  helper("exit 0");
  EXPECT_EQ(ask(), "none");
}

TEST_F(CredentialHelper, DockerHubUnderItsOtherName) {
  helper(
      R"(read s; test "$s" = docker.io || { echo credentials not found; exit 1; }; echo '{"Username":"u","Secret":"s"}')");
  EXPECT_EQ(ask("nginx"), "u:s");
}

TEST_F(CredentialHelper, EndsWithoutReading) {
  helper("exec <&-; exit 3");
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(ask().starts_with("error: "));
  helper("exec <&-; kill -9 $$");
  EXPECT_TRUE(ask().starts_with("error: "));
}

TEST_F(CredentialHelper, Hangs) {
  helper("exec sleep 60");
  EXPECT_NE(ask("r.example/x", milliseconds(200)).find("did not answer"), std::string::npos);
  helper("exec >&-; exec sleep 60");
  EXPECT_NE(ask("r.example/x", milliseconds(200)).find("did not answer"), std::string::npos);
  // A child of its own keeps the output open.
  helper("sleep 5 & echo half; exit 0");
  EXPECT_NE(ask("r.example/x", milliseconds(200)).find("did not answer"), std::string::npos);
}

TEST_F(CredentialHelper, SaysNonsenseOrTooMuch) {
  helper("echo 'no JSON'");
  EXPECT_TRUE(ask().starts_with("error: "));
  helper("echo '[1]'");
  EXPECT_TRUE(ask().starts_with("error: "));
  helper("exec yes");
  EXPECT_NE(ask().find("says more than"), std::string::npos);
  helper("head -c 3000000 /dev/zero");
  EXPECT_NE(ask().find("says more than"), std::string::npos);
}

TEST_F(CredentialHelper, DoesNotHaveItsSecretInAnError) {
  helper(R"(echo '{"Username":"u","Secret":"hidden"}'; exit 1)");
  const std::string error = ask();
  EXPECT_TRUE(error.starts_with("error: "));
  EXPECT_EQ(error.find("hidden"), std::string::npos);
}

TEST_F(CredentialHelper, NamesThatAreNoNames) {
  helper("touch " + folder_ + "/ran");
  for (const std::string name : {"../test", "x/../../docker-credential-test", "/bin/sh", "test;id",
                                 "te st", "$(id)", "test\\u0000", "te\\nst"}) {
    EXPECT_NE(found(R"({"credsStore":")" + name + "\"}", "r.example/x").find("is no name"),
              std::string::npos)
        << name;
    EXPECT_NE(
        found(R"({"credHelpers":{"r.example":")" + name + "\"}}", "r.example/x").find("is no name"),
        std::string::npos)
        << name;
  }
  EXPECT_NE(
      found(R"({"credsStore":")" + std::string(65, 'a') + "\"}", "r.example/x").find("is no name"),
      std::string::npos);
  EXPECT_NE(found(R"({"credsStore":"absent"})", "r.example/x").find("cannot be started"),
            std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/ran"));
}

TEST(FindCredentials, LooksAtTheUsualPlacesInOrder) {
  namespace fs = std::filesystem;
  const std::string root = ::testing::TempDir() + fmt::format("lazaret-config-{}", getpid());
  const auto write = [&](const std::string& name, const std::string& user) {
    fs::create_directories(fs::path(root + name).parent_path());
    std::ofstream(root + name) << auths({entry("r.example", user + ":x")});
  };
  const ScopedVariable home("HOME", (root + "/home").c_str()), config("DOCKER_CONFIG", nullptr),
      run("XDG_RUNTIME_DIR", (root + "/run").c_str()), file("REGISTRY_AUTH_FILE", nullptr);
  const auto image = parse_image_name("r.example/x").value();
  const auto user = [&](const std::string& auth_file = "") {
    const auto result = find_credentials(image, auth_file);
    return result ? result->user : "error";
  };
  EXPECT_EQ(user(), "");
  write("/home/.docker/config.json", "home");
  EXPECT_EQ(user(), "home");
  write("/docker/config.json", "docker");
  {
    const ScopedVariable other("DOCKER_CONFIG", (root + "/docker").c_str());
    EXPECT_EQ(user(), "docker");
  }
  write("/run/containers/auth.json", "run");
  EXPECT_EQ(user(), "run");
  write("/env.json", "env");
  {
    const ScopedVariable other("REGISTRY_AUTH_FILE", (root + "/env.json").c_str());
    EXPECT_EQ(user(), "env");
  }
  {
    const ScopedVariable other("REGISTRY_AUTH_FILE", (root + "/missing.json").c_str());
    EXPECT_EQ(user(), "error");
  }
  write("/given.json", "given");
  EXPECT_EQ(user(root + "/given.json"), "given");
  EXPECT_EQ(user(root + "/missing.json"), "error");
  std::ofstream(root + "/run/containers/auth.json") << "{";
  EXPECT_EQ(user(), "error");
  fs::remove_all(root);
}

}  // namespace
}  // namespace lazaret::source
