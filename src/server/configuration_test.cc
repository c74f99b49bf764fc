#include "server/configuration.h"

#include <gtest/gtest.h>

namespace lazaret::server {
namespace {

TEST(Configuration, EverythingHasADefault) {
  const auto configuration = parse_configuration("", "lazaret.toml");
  ASSERT_TRUE(configuration.ok());
  EXPECT_EQ(configuration->listen, std::vector<std::string>{"127.0.0.1:5000"});
  EXPECT_TRUE(configuration->anonymous_pull);
  EXPECT_TRUE(configuration->gate.enforce);
  EXPECT_EQ(configuration->gate.suspicious, gate::OnDoubt::hold);
  EXPECT_FALSE(configuration->gate.foreign_layers);
}

TEST(Configuration, SettingsAreRead) {
  const auto configuration = parse_configuration(R"(
listen = ["0.0.0.0:443", "unix:/run/lazaret.sock"]
data = "/srv"
public-url = "https://registry.example"
[http]
certificate = "c.pem"
key = "k.pem"
trusted-proxies = ["10.0.0.0/8"]
[access]
anonymous-pull = false
[gate]
mode = "observe"
suspicious = "release"
pull-wait-seconds = 5
blob-hours = 2
[ledger]
record = false
[maintenance]
collect-seconds = 0
)",
                                                 "lazaret.toml");
  ASSERT_TRUE(configuration.ok()) << configuration.error().message;
  EXPECT_EQ(configuration->listen.size(), 2u);
  EXPECT_EQ(configuration->gate.suspicious, gate::OnDoubt::release);
  EXPECT_FALSE(configuration->gate.enforce);
  EXPECT_EQ(configuration->gate.pull_wait, std::chrono::seconds(5));
  EXPECT_EQ(configuration->gate.blob_age, std::chrono::hours(2));
  EXPECT_FALSE(configuration->anonymous_pull);
  EXPECT_FALSE(configuration->record_pulls);
  EXPECT_EQ(configuration->collect_seconds, 0u);
}

TEST(Configuration, MistakesNameTheirLine) {
  const auto message = [](const char* text) {
    const auto configuration = parse_configuration(text, "lazaret.toml");
    return configuration.ok() ? std::string("fine") : configuration.error().message;
  };
  EXPECT_NE(message("\nlisten = 5\n").find("lazaret.toml:2: listen must be a list of texts"), std::string::npos) << message("\nlisten = 5\n");
  EXPECT_NE(message("listn = []\n").find("unknown key listn"), std::string::npos);
  EXPECT_NE(message("[gate]\nsuspicious = \"allow\"\n").find("lazaret.toml:2: gate.suspicious must be \"hold\" or \"release\""), std::string::npos);
  EXPECT_NE(message("[gates]\n").find("unknown table [gates]"), std::string::npos);
  EXPECT_NE(message("[gate]\npull-wait-seconds = -1\n").find("from 0 to"), std::string::npos);
  EXPECT_NE(message("[http]\ncertificate = \"x\"\n").find("belong together"), std::string::npos);
  EXPECT_NE(message("= x").find("lazaret.toml:1"), std::string::npos);
}

}  // namespace
}  // namespace lazaret::server
