// lazaret: a quarantine station for container images.
#include <fmt/format.h>
#include <malloc.h>

#include <csignal>
#include <cstdio>

#include "cli/commands.h"
#include "cli/options.h"

int main(int argc, char** argv) {
  using namespace lazaret::cli;
  // A reader of our output that goes away is an error of a write, not a signal.
  std::signal(SIGPIPE, SIG_IGN);
  // Buffers of files come and go on many threads: few arenas and an early return to the system keep the peak down.
  mallopt(M_ARENA_MAX, 2);
  mallopt(M_MMAP_THRESHOLD, 256 << 10);
  mallopt(M_TRIM_THRESHOLD, 8 << 20);

  const CommandLine line = parse_command_line(argc, argv);
  if (line.exit) {
    fmt::print(line.exit_code == 0 ? stdout : stderr, "{}", line.message);
    return line.exit_code;
  }
  switch (line.command) {
    case Command::scan: return run_scan(line.scan);
    case Command::check: return run_check(line.check);
    case Command::diff: return run_diff(line.diff);
    case Command::rules: return run_rules(line.rules);
    case Command::trust_base: return run_trust_base(line.intel);
    case Command::list_bases: return run_list_bases(line.intel);
    case Command::incidents: return run_incidents(line.incidents);
    case Command::campaign: return run_campaign(line.campaign);
    case Command::serve: return run_serve(line.serve);
    case Command::gc: return run_gc(line.serve);
    case Command::fsck: return run_fsck(line.serve);
    case Command::user: return run_user(line.user);
    case Command::response: return run_response(line.response);
    case Command::images: return run_images(line.images);
    case Command::decide: return run_decide(line.decide);
    case Command::backup: return run_backup(line.backup);
    case Command::restore: return run_restore(line.backup);
    case Command::doctor: return run_doctor(line.doctor);
    case Command::status: return run_status(line.status);
    case Command::completion: fmt::print("{}", line.message); return 0;
    case Command::none: break;
  }
  return exit_error;
}
