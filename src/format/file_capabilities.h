// File capabilities: the value of the extended attribute security.capability (struct vfs_cap_data, linux/capability.h), by which a program gets a part of root's
// power when it is started.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace lazaret::format {

// Of a set in which bit n is capability n: "cap_net_raw"; "cap_63" for what has no name.
std::vector<std::string> capability_names(std::uint64_t set);

struct FileCapabilities {
  bool valid = false;
  unsigned revision = 0;    // 1, 2 or 3
  bool effective = false;   // in force from the start, not only when the program asks
  std::uint64_t permitted = 0, inheritable = 0;  // bit n: capability n
  std::uint32_t root_id = 0;                     // revision 3: user namespace in which they hold

  bool has(unsigned capability) const { return (permitted >> capability & 1) != 0; }
  std::vector<std::string> names() const { return capability_names(permitted); }
};

FileCapabilities parse_file_capabilities(Bytes value);

}  // namespace lazaret::format
