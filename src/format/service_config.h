// The commands that cron, systemd, supervisord and init start, as their configuration files name
// them.
//
// Sources: crontab(5) of Vixie cron and busybox, systemd.service(5), supervisord's configuration
// manual, inittab(5). The input is hostile: what makes no sense is skipped, work is linear in the
// text, and positions are those of the text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lazaret::format {

struct ServiceCommand {
  std::string text;                                           // as a shell would be given it
  std::uint64_t offset = 0;                                   // of the command in the file
  std::vector<std::pair<std::string, std::string>> variables;  // that the file sets for it
  std::string folder;                                         // working directory, "" when not set
};

// A table of cron. `has_user`: the sixth field names a user (/etc/crontab, /etc/cron.d); a line that
// forgets it is read all the same. Text behind % is the command's input.
std::vector<ServiceCommand> cron_commands(std::string_view text, bool has_user);

// ExecStart= and its kin of a unit.
std::vector<ServiceCommand> unit_commands(std::string_view text);

// command= of [program:x] and [eventlistener:x]. `includes`: what files= of [include] names.
std::vector<ServiceCommand> supervisor_commands(std::string_view text,
                                                std::vector<std::string>* includes);

// The fourth field of each line of /etc/inittab.
std::vector<ServiceCommand> inittab_commands(std::string_view text);

}  // namespace lazaret::format
