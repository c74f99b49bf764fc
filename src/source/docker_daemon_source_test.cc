// docker-daemon: against an engine that is a small server on a socket.
#include <gtest/gtest.h>

#include <map>

#include "net/http_server_test_support.h"
#include "source/source.h"
#include "source/tar_writer.h"

namespace lazaret::source {
namespace {

using net::reply;
using net::ServerRequest;
using net::TestServer;

class Recorder : public BlobConsumer {
 public:
  std::unique_ptr<BlobWriter> begin(const BlobOffer& offer) override {
    return std::make_unique<Writer>(*this, offer.key);
  }
  std::map<std::string, std::string> blobs;
  int failed = 0;

 private:
  struct Writer : BlobWriter {
    Writer(Recorder& owner, std::string name) : recorder(owner), key(std::move(name)) {}
    bool write(Bytes bytes) override {
      recorder.blobs[key] += as_text(bytes);
      return true;
    }
    void finish() override {}
    void fail(const Error&) override { ++recorder.failed; }
    Recorder& recorder;
    const std::string key;
  };
};

std::string member(const std::string& path, const std::string& content) {
  TarMember item;
  item.path = path;
  item.size = content.size();
  return tar_header(item) + content + tar_padding(content.size());
}

class DockerDaemonTest : public ::testing::Test {
 protected:
  Result<format::ImageDescription> scan(const TestServer::Handler& handler,
                                        const std::string& name = "r.example/app:1") {
    unlink(path.c_str());
    TestServer engine(
        [&](const ServerRequest& asked, const TestServer::Send& send) {
          target = asked.target;
          return handler(asked, send);
        },
        TestServer::Speaks::http, path);
    auto result = deliver(name);
    unlink(path.c_str());
    return result;
  }
  Result<format::ImageDescription> deliver(const std::string& name) {
    const net::ScopedVariable host("DOCKER_HOST", ("unix://" + path).c_str());
    const auto parsed = parse_target("docker-daemon:" + name);
    if (!parsed) return parsed.error();
    const auto source = open_source(*parsed);
    if (!source) return source.error();
    return (*source)->deliver(consumer, options);
  }

  const std::string layer = std::string(5000, 'x');
  const std::string archive =
      member("abc/layer.tar", layer) +
      member("c.json", R"({"os":"linux","architecture":"amd64"})") +
      member("manifest.json",
             R"([{"Config":"c.json","RepoTags":["r.example/app:1"],"Layers":["abc/layer.tar"]}])") +
      tar_end();
  const std::string path = ::testing::TempDir() + fmt::format("lazaret-engine-{}.sock", getpid());
  std::string target;
  SourceOptions options;
  Recorder consumer;
};

TEST_F(DockerDaemonTest, SavesAnImage) {
  const auto image =
      scan([&](const ServerRequest&, const TestServer::Send&) { return reply(200, archive); });
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ(target, "/images/r.example/app:1/get");
  EXPECT_EQ(image->reference, "r.example/app:1");
  ASSERT_EQ(image->manifests.size(), 1u);
  EXPECT_EQ(image->manifests[0].platform, "linux/amd64");
  EXPECT_EQ(consumer.blobs["abc/layer.tar"], layer);
  EXPECT_TRUE(image->unaudited.empty());
}

TEST_F(DockerDaemonTest, ByImageId) {
  const std::string id = "sha256:" + std::string(64, 'a');
  ASSERT_TRUE(
      scan([&](const ServerRequest&, const TestServer::Send&) { return reply(200, archive); }, id));
  EXPECT_EQ(target, "/images/" + id + "/get");
}

TEST_F(DockerDaemonTest, AnImageThatIsNotThere) {
  const auto image = scan(
      [&](const ServerRequest&, const TestServer::Send&) { return reply(404, "no such image"); });
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().code, ErrorCode::not_found);
}

// Also answers that are no errors, but no image either.
TEST_F(DockerDaemonTest, Refusals) {
  for (const int status : {204, 301, 403, 500}) {
    const auto image = scan([&](const ServerRequest&, const TestServer::Send&) {
      return reply(status, status == 204 ? "" : "why");
    });
    ASSERT_FALSE(image) << status;
    EXPECT_EQ(image.error().code, ErrorCode::io) << status;
    EXPECT_NE(image.error().message.find(std::to_string(status)), std::string::npos);
  }
}

TEST_F(DockerDaemonTest, AnAnswerThatBreaksOff) {
  const std::string whole = reply(200, archive);
  const auto early = scan([&](const ServerRequest&, const TestServer::Send&) {
    return whole.substr(0, whole.find("\r\n\r\n") + 4 + 2000);
  });
  EXPECT_FALSE(early);
  EXPECT_EQ(consumer.failed, 1);
  // All of the image was there already, and something may have followed.
  const auto late = scan([&](const ServerRequest&, const TestServer::Send&) {
    return whole.substr(0, whole.size() - 600);
  });
  ASSERT_TRUE(late) << late.error().message;
  EXPECT_FALSE(late->unaudited.empty());
}

TEST_F(DockerDaemonTest, Nonsense) {
  for (const std::string body : {"", "hello", "{}"})
    EXPECT_FALSE(
        scan([&](const ServerRequest&, const TestServer::Send&) { return reply(200, body); }));
}

TEST_F(DockerDaemonTest, NoEngine) {
  const auto image = deliver("app:1");
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().code, ErrorCode::network);
  EXPECT_NE(image.error().message.find("DOCKER_HOST"), std::string::npos);
  const net::ScopedVariable host("DOCKER_HOST", "tcp://192.0.2.7:2375");
  EXPECT_EQ(open_source(*parse_target("docker-daemon:app:1")).error().code, ErrorCode::unsupported);
}

TEST_F(DockerDaemonTest, StopsWhenCancelled) {
  std::atomic<bool> cancelled{true};
  options.cancelled = &cancelled;
  EXPECT_EQ(scan([&](const ServerRequest&, const TestServer::Send&) { return reply(200, archive); })
                .error()
                .code,
            ErrorCode::cancelled);
}

}  // namespace
}  // namespace lazaret::source
