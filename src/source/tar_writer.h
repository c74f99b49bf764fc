// tar headers for streams that lazaret makes itself: a folder on disk, a layer whose tar form an
// engine threw away.
//
// ustar, with pax records (POSIX.1-2001) for what does not fit: long names, large numbers, extended
// attributes (SCHILY.xattr.*). The output depends on the member alone.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace lazaret::source {

struct TarMember {
  std::string path;  // raw bytes; folders end in '/'
  std::string link_target;
  char type = '0';  // '0' file, '1' hard link, '2' symlink, '3'/'4' device, '5' folder, '6' FIFO
  std::uint32_t mode = 0644, uid = 0, gid = 0;
  std::uint64_t size = 0;  // of content that follows the header; 0 for all but files
  std::int64_t mtime = 0;
  std::uint32_t device_major = 0, device_minor = 0;
  std::vector<std::pair<std::string, std::string>> xattrs;
};

// Header blocks of one member, a multiple of 512 bytes. Content and tar_padding(size) follow.
std::string tar_header(const TarMember& member);
std::string tar_padding(std::uint64_t size);
// The two zero blocks at the end.
std::string tar_end();

}  // namespace lazaret::source
