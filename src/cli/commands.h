// The commands of lazaret. Each takes its options, prints, and returns the exit code.
#pragma once

#include "cli/options.h"

namespace lazaret::cli {

int run_scan(const ScanOptions& options);
int run_check(const CheckCommandOptions& options);
int run_diff(const DiffOptions& options);
int run_rules(const RulesOptions& options);
int run_trust_base(const TrustBaseOptions& options);
int run_list_bases(const TrustBaseOptions& options);
int run_incidents(const IncidentOptions& options);
int run_campaign(const CampaignOptions& options);
int run_serve(const ServeOptions& options);
int run_gc(const ServeOptions& options);
int run_fsck(const ServeOptions& options);
int run_user(const UserOptions& options);
int run_status(const ServerAccess& access);
int run_response(const ResponseOptions& options);
int run_images(const ImagesOptions& options);
int run_decide(const DecideOptions& options);
int run_backup(const BackupOptions& options);
int run_restore(const BackupOptions& options);
int run_doctor(const DoctorOptions& options);

}  // namespace lazaret::cli
