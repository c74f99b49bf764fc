// lazaret backup, restore and doctor.
#include <fmt/format.h>

#include <cstdio>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/server_configuration.h"
#include "server/backup.h"
#include "server/doctor.h"

namespace lazaret::cli {

int run_backup(const BackupOptions& options) {
  const auto configuration = read_configuration(options.serve);
  if (!configuration) return fail(configuration.error().message);
  const auto done = server::back_up(configuration->data, options.folder);
  if (!done) return fail(done.error().message);
  fmt::print("{} blobs, {}; {} of them new\n", done->blobs, format_bytes(done->bytes), done->copied);
  return 0;
}

int run_restore(const BackupOptions& options) {
  const auto configuration = read_configuration(options.serve);
  if (!configuration) return fail(configuration.error().message);
  const auto done = server::restore(options.folder, configuration->data, options.journal);
  if (!done) return fail(done.error().message);
  fmt::print("{} blobs, {}\n", done->blobs, format_bytes(done->bytes));
  if (done->takedowns + done->undone + done->condemned != 0) {
    fmt::print("since the backup: {} takedowns, {} undone; {} images are not given out any more\n", done->takedowns, done->undone, done->condemned);
  }
  if (!done->kept.empty()) fmt::print("what was there before is in {}\n", escape(done->kept));
  return 0;
}

int run_doctor(const DoctorOptions& options) {
  const auto configuration = read_configuration(options.serve);
  if (!configuration) return fail(configuration.error().message);
  bool failed = false;
  for (const server::Diagnosis& diagnosis : server::diagnose(*configuration)) {
    const bool good = diagnosis.weight == server::Diagnosis::Weight::good;
    failed = failed || diagnosis.weight == server::Diagnosis::Weight::failure;
    if (good && options.quiet) continue;
    fmt::print("{:<8} {:<16} {}\n", good ? "ok" : diagnosis.weight == server::Diagnosis::Weight::warning ? "warning" : "FAILS", diagnosis.what, escape(diagnosis.found));
    if (!diagnosis.advice.empty()) fmt::print("{:<8} {:<16} {}\n", "", "", escape(diagnosis.advice));
  }
  return failed ? 1 : 0;
}

}  // namespace lazaret::cli
