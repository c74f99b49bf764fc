#include "format/file_capabilities.h"

#include <array>

namespace lazaret::format {
namespace {

// In the order of their numbers.
constexpr std::array<std::string_view, 41> names_by_number = {
    "cap_chown",           "cap_dac_override",   "cap_dac_read_search", "cap_fowner",         "cap_fsetid",        "cap_kill",         "cap_setgid",
    "cap_setuid",          "cap_setpcap",        "cap_linux_immutable", "cap_net_bind_service", "cap_net_broadcast", "cap_net_admin",  "cap_net_raw",
    "cap_ipc_lock",        "cap_ipc_owner",      "cap_sys_module",      "cap_sys_rawio",      "cap_sys_chroot",    "cap_sys_ptrace",   "cap_sys_pacct",
    "cap_sys_admin",       "cap_sys_boot",       "cap_sys_nice",        "cap_sys_resource",   "cap_sys_time",      "cap_sys_tty_config", "cap_mknod",
    "cap_lease",           "cap_audit_write",    "cap_audit_control",   "cap_setfcap",        "cap_mac_override",  "cap_mac_admin",    "cap_syslog",
    "cap_wake_alarm",      "cap_block_suspend",  "cap_audit_read",      "cap_perfmon",        "cap_bpf",           "cap_checkpoint_restore"};

}  // namespace

std::vector<std::string> capability_names(std::uint64_t set) {
  std::vector<std::string> result;
  for (unsigned i = 0; i < 64; ++i) {
    if ((set >> i & 1) != 0) result.push_back(i < names_by_number.size() ? std::string(names_by_number[i]) : "cap_" + std::to_string(i));
  }
  return result;
}

FileCapabilities parse_file_capabilities(Bytes value) {
  FileCapabilities capabilities;
  const auto magic = read_le<std::uint32_t>(value, 0);
  if (!magic) return capabilities;
  capabilities.revision = *magic >> 24;
  capabilities.effective = (*magic & 1) != 0;
  const std::size_t words = capabilities.revision == 1 ? 1 : 2;
  const std::size_t size = 4 + words * 8 + (capabilities.revision == 3 ? 4 : 0);
  if (capabilities.revision < 1 || capabilities.revision > 3 || value.size() != size) return capabilities;
  for (std::size_t i = 0; i < words; ++i) {
    capabilities.permitted |= std::uint64_t{*read_le<std::uint32_t>(value, 4 + 8 * i)} << (32 * i);
    capabilities.inheritable |= std::uint64_t{*read_le<std::uint32_t>(value, 8 + 8 * i)} << (32 * i);
  }
  if (capabilities.revision == 3) capabilities.root_id = *read_le<std::uint32_t>(value, 20);
  capabilities.valid = true;
  return capabilities;
}

}  // namespace lazaret::format
