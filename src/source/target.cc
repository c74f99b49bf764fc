// How a target is named on the command line, and which source it becomes.

#include <fmt/core.h>
#include <sys/stat.h>

#include <array>
#include <filesystem>

#include "base/text.h"
#include "codec/decoder.h"
#include "format/tar.h"
#include "source/local_file.h"
#include "source/reference.h"
#include "source/source.h"

namespace lazaret::source {
namespace {

struct TransportName {
  std::string_view name;
  Transport transport;
};

constexpr std::array<TransportName, 8> transports = {{
    {"docker-archive", Transport::docker_archive},
    {"oci", Transport::oci},
    {"oci-archive", Transport::oci_archive},
    {"docker", Transport::registry},
    {"docker-daemon", Transport::docker_daemon},
    {"containers-storage", Transport::containers_storage},
    {"containerd", Transport::containerd},
    {"rootfs", Transport::rootfs},
}};

// Transports of skopeo that hold images too, and what to do instead.
constexpr std::array<std::pair<std::string_view, std::string_view>, 6> other_transports = {{
    {"dir", "copy it first: skopeo copy dir:... oci:FOLDER"},
    {"sif", "copy it first: skopeo copy sif:... oci:FOLDER"},
    {"ostree", "check it out and use rootfs:FOLDER"},
    {"atomic", "use docker://REFERENCE"},
    {"tarball", "unpack it and use rootfs:FOLDER"},
    {"registry", "use docker://REFERENCE"},
}};

Error usage(std::string_view text, std::string_view why) {
  return {ErrorCode::invalid, fmt::format("{}: {}", text, why)};
}

// FILE[:ref]: the path ends at the first colon, as for skopeo.
Result<Target> parse_path_target(Target target, std::string_view rest, bool with_reference) {
  const auto colon = with_reference ? rest.find(':') : std::string_view::npos;
  target.path = rest.substr(0, colon);
  if (colon != std::string_view::npos) {
    target.reference = rest.substr(colon + 1);
    if (target.reference.empty())
      return usage(target.text, "nothing follows the last \":\"; name an image or leave it away");
  }
  if (target.path.empty())
    return usage(target.text,
                 fmt::format("name a file or folder, as in {}:PATH", name_of(target.transport)));
  return target;
}

// What a file holds, by its first bytes decoded.
Result<Target> sniff_file(Target target) {
  auto file = LocalFile::open(target.path);
  if (!file) return file.error();
  target.transport = Transport::docker_archive;
  target.any_archive = true;
  if (!file->seekable()) return target;  // a pipe cannot be looked at twice

  std::vector<std::uint8_t> raw(1 << 20);
  const auto got = file->read_at(0, raw);
  if (!got) return got.error();
  Bytes head(raw.data(), *got);
  std::array<std::uint8_t, 1024> decoded{};
  const auto encoding = codec::sniff(head);
  if (encoding != codec::Encoding::plain) {
    const Limits limits;
    const auto decoder = codec::make_decoder(
        encoding,
        {.bytes_out = 1 << 20, .ratio = 0, .ratio_grace = 0, .window = limits.decoder_window},
        nullptr);
    const std::size_t size = decoder->decode(head, decoded);
    head = Bytes(decoded.data(), size);
  }
  if (!format::looks_like_tar(head))
    return usage(target.text,
                 "is not an image archive: neither a tar file nor a compressed one. Make one with "
                 "\"docker save\" or \"skopeo copy\", or unpack it and use rootfs:FOLDER");
  return target;
}

Result<Target> parse_bare(std::string_view text) {
  Target target;
  target.text = text;
  target.path = text;
  if (text == "-") {
    target.transport = Transport::docker_archive;
    target.any_archive = true;
    return target;
  }
  struct stat status {};
  if (stat(target.path.c_str(), &status) == 0) {
    if (!S_ISDIR(status.st_mode)) return sniff_file(std::move(target));
    std::error_code ignored;
    const bool layout =
        std::filesystem::exists(std::filesystem::path(target.path) / "oci-layout", ignored);
    target.transport = layout ? Transport::oci : Transport::rootfs;
    return target;
  }
  if (text.starts_with('/') || text.starts_with("./") || text.starts_with("../"))
    return Error{ErrorCode::not_found, fmt::format("{}: there is no such file or folder", text)};
  const auto name = parse_image_name(text);
  if (!name)
    return Error{
        ErrorCode::invalid,
        fmt::format("{}; there is no file or folder of that name either", name.error().message)};
  target.path.clear();
  target.transport = Transport::registry;
  target.reference = text;
  return target;
}

}  // namespace

std::string_view name_of(Transport transport) {
  for (const auto& known : transports) {
    if (known.transport == transport) return known.name;
  }
  return {};
}

Result<Target> parse_target(std::string_view text) {
  if (text.empty()) return Error{ErrorCode::invalid, "the target is empty: name an image"};
  const auto colon = text.find(':');
  const std::string_view prefix = text.substr(0, colon);
  if (colon == std::string_view::npos) return parse_bare(text);
  const std::string_view rest = text.substr(colon + 1);

  for (const auto& [name, advice] : other_transports) {
    if (prefix == name && (rest.starts_with('/') || rest.starts_with('.')))
      return Error{ErrorCode::unsupported,
                   fmt::format("{}: the transport {} is not read; {}", text, name, advice)};
  }
  for (const auto& known : transports) {
    if (prefix != known.name) continue;
    Target target;
    target.transport = known.transport;
    target.text = text;
    switch (known.transport) {
      case Transport::docker_archive:
      case Transport::oci:
      case Transport::oci_archive:
        return parse_path_target(std::move(target), rest, true);
      case Transport::rootfs:
        return parse_path_target(std::move(target), rest, false);
      case Transport::registry:
        // "docker:latest" is the image docker of Docker Hub.
        if (!rest.starts_with("//")) return parse_bare(text);
        target.reference = rest.substr(2);
        break;
      case Transport::docker_daemon:
        target.reference = rest;
        if (Digest::parse(rest)) return target;  // an image ID
        break;
      case Transport::containers_storage:
      case Transport::containerd:
        // Image IDs and store specifiers are told apart by looking into the store.
        target.reference = rest;
        if (rest.empty())
          return usage(text, fmt::format("name an image, as in {}:nginx:latest", known.name));
        return target;
    }
    const auto name = parse_image_name(target.reference);
    if (!name) return usage(text, name.error().message);
    return target;
  }
  return parse_bare(text);
}

}  // namespace lazaret::source
