// docker-daemon:REF. The engine is asked to `save` the image, and what it sends is read as it
// comes.

#include <fmt/core.h>

#include <cstdlib>

#include "net/unix_socket_client.h"
#include "net/url.h"
#include "source/archive_stream.h"
#include "source/image_layout.h"
#include "source/reference.h"
#include "source/sources.h"

namespace lazaret::source {
namespace {

constexpr std::string_view default_socket = "/var/run/docker.sock";

Result<std::string> find_socket() {
  const char* host = std::getenv("DOCKER_HOST");
  if (host == nullptr || *host == '\0') return std::string(default_socket);
  const std::string_view text = host;
  constexpr std::string_view scheme = "unix://";
  if (!text.starts_with(scheme))
    return Error{
        ErrorCode::unsupported,
        fmt::format("DOCKER_HOST is {}: only unix:// sockets are read. Run \"docker save\" "
                    "there and scan the archive",
                    text)};
  return std::string(text.substr(scheme.size()));
}

class DockerDaemonSource : public ImageSource {
 public:
  DockerDaemonSource(std::string socket, Target target)
      : socket_(std::move(socket)), target_(std::move(target)) {}

  Result<format::ImageDescription> deliver(BlobConsumer& consumer,
                                           const SourceOptions& options) override {
    ArchiveStream::Settings settings;
    settings.consumer = &consumer;
    ArchiveStream stream(std::move(settings), options);
    std::string body;
    const auto status = net::get_over_unix_socket(
        {socket_, "/images/" + net::encode_path(target_.reference) + "/get", options.cancelled},
        [&](Bytes bytes) {
          stream.feed(bytes);
          return !is_cancelled(options);
        },
        body);
    if (is_cancelled(options)) return cancelled_error();
    if (!status && !stream.any_member()) {
      if (status.error().code != ErrorCode::network) return status.error();
      return Error{ErrorCode::network,
                   fmt::format("the Docker engine cannot be reached: {}. Is it running, and may "
                               "this user use its socket? Set DOCKER_HOST for another one",
                               status.error().message)};
    }
    if (status && *status != 200) return refusal(*status, body);
    stream.finish(status ? nullptr : &status.error());

    // The engine sends only what was asked for; all of it belongs to the image.
    Target everything = target_;
    everything.reference.clear();
    return finish_archive(stream, everything, reference(), consumer, options);
  }

 private:
  std::string reference() const {
    const auto name = parse_image_name(target_.reference);
    return Digest::parse(target_.reference) || !name ? target_.reference : name->str();
  }

  Error refusal(long status, const std::string& body) const {
    if (status == 404)
      return {ErrorCode::not_found,
              fmt::format("the Docker engine has no image {}: pull it first, or use docker://{}",
                          target_.reference, target_.reference)};
    return {ErrorCode::io, fmt::format("the Docker engine answered with status {}: {}", status,
                                       body.substr(0, 500))};
  }

  const std::string socket_;
  const Target target_;
};

}  // namespace

Result<std::unique_ptr<ImageSource>> open_docker_daemon(const Target& target) {
  auto socket = find_socket();
  if (!socket) return socket.error();
  return std::unique_ptr<ImageSource>(
      std::make_unique<DockerDaemonSource>(std::move(*socket), target));
}

}  // namespace lazaret::source
