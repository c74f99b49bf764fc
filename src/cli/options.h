// The command line of lazaret: what each command takes, with defaults. Help, completion and the man page are made from the same
// description (options.cc).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/limits.h"

namespace CLI {
class App;
}

namespace lazaret::cli {

// Exit codes of scan and check (contract 3.1).
inline constexpr int exit_below_threshold = 0;
inline constexpr int exit_threshold_reached = 1;
inline constexpr int exit_error = 2;
inline constexpr int exit_incomplete = 3;

struct ScanOptions {
  std::vector<std::string> targets;
  std::string format;            // "" chooses table on a terminal and json elsewhere
  std::string output;            // "" is standard output
  std::string fail_on = "malicious";
  std::vector<std::string> rules;
  std::string ignore_file;
  std::string policy_file;
  std::string bases;             // table of base images; "" is the XDG data folder
  std::string incidents;         // folder of imported incidents; "" is the XDG data folder
  std::string cache_dir;         // "" is the XDG cache folder
  bool no_cache = false;
  std::uint64_t cache_bytes = 2ull << 30;
  unsigned jobs = 0;             // 0: one for each processor
  std::string platform;
  std::string auth_file;
  std::vector<std::string> insecure_hosts;
  bool tls_verify = true;  // false: the registries of the targets are insecure hosts
  bool quiet = false;
  std::string colour = "auto";   // auto, always, never
  Limits limits;
};

// lazaret diff: two targets, and what scan takes.
struct DiffOptions {
  std::string old_target, new_target;
  std::string fail_on = "high";  // risk from which on the exit code is 1: low, medium, high, critical, never
  ScanOptions scan;              // without targets and fail_on
};

// lazaret intel trust-base and list-bases.
struct TrustBaseOptions {
  std::string reference;  // in place of the target's own
  ScanOptions scan;       // without output and threshold
};

// lazaret check: what scan takes, without targets.
struct CheckCommandOptions {
  std::string root = "/";
  std::string docker_root, podman_root, containerd_root;
  std::vector<std::string> incidents;  // files in the form of rules/incidents
  bool deep = false;
  ScanOptions scan;
};

struct RulesOptions {
  std::string format = "table";  // table, json, markdown
  std::string rule;              // only this one, with its documentation
  std::string output_folder;     // markdown as one page for each category, in this folder
  std::vector<std::string> rules;
};

// serve, gc and fsck: the last two work on a data folder that no server uses.
struct ServeOptions {
  std::string config;               // "": defaults
  std::vector<std::string> listen;  // instead of what the configuration says
  std::string data;
  bool content = false;  // fsck: hash everything
};

// How a command reaches a running server (cli/server_client.h).
struct ServerAccess {
  ServeOptions serve;         // config and data: where the server listens, and where the administrator's password is
  std::string server;         // its address; "" is what the configuration makes it listen on
  std::string user = "admin";
  std::string password_file;  // "" is DIR/admin-password
};

// backup and restore.
struct BackupOptions {
  ServeOptions serve;   // config and data
  std::string folder;   // of the backup
  std::string journal;  // restore: another copy of the journal
};

struct DoctorOptions {
  ServeOptions serve;
  bool quiet = false;  // only what is not well
};

// images: what the gate decided.
struct ImagesOptions {
  ServerAccess access;
  std::string repository, state;  // "": all
};

// release, hold and reaudit.
struct DecideOptions {
  ServerAccess access;
  std::string image;   // a digest, repository:tag or repository@digest
  std::string state;   // released, held; "": only audit it again
  std::string reason;
};

// user: accounts and tokens, also while a server uses the data folder.
enum class UserAct : std::uint8_t { list, add, password, token, tokens, revoke, disable, enable, remove, log };

struct UserOptions {
  ServeOptions serve;  // config and data
  UserAct act = UserAct::list;
  std::string name;
  std::string role = "publisher";
  bool password_stdin = false, no_delete = false;
  std::vector<std::string> scopes;  // of a token
  std::string label;
  int days = 90;
  std::int64_t token = 0;  // to revoke
};

// intel import, export, list and remove: known incidents, in the user's folder or, with config or data, in that of a registry.
enum class IncidentAct : std::uint8_t { list, take, give, remove };

struct IncidentOptions {
  ServerAccess access;  // a registry: where it is, or its folder
  IncidentAct act = IncidentAct::list;
  std::string folder;  // "": $XDG_DATA_HOME/lazaret/intel
  std::vector<std::string> files, ids;
  std::string format;  // of import: "", toml, stix, misp, list; of export: toml, stix, list; of list: table, json
  std::string id, title, output;
};

// campaign: on a data folder, or through the server that uses it.
enum class CampaignAct : std::uint8_t { list, show, report, confirm, name, split, merge };

struct CampaignOptions {
  ServerAccess access;
  CampaignAct act = CampaignAct::list;
  std::int64_t id = 0, other = 0;
  std::string name;
  std::vector<std::string> images;  // digests
  std::string format = "table", output;
  bool all = false;
};

// takedown, evidence, exposure, report, reports and pulls (cli/response_options.cc).
enum class ResponseAct : std::uint8_t {
  none, take_down, list_takedowns, undo_takedown, evidence, exposure, pulls, report, list_reports, show_report, confirm_report, reject_report,
};

struct ResponseOptions {
  ServerAccess access;
  ResponseAct act = ResponseAct::none;
  std::string subject, kind, text;  // text: reason or note
  std::int64_t id = 0;
  std::string format = "table", output, by = "account";
  std::string from, until, digest, repository, account;
  std::string pods;  // file; "" for none
  std::string webhook, webhook_key_file;
  std::string mail_server, mail_from, mail_to, mail_user, mail_password_file;
  std::string state, case_act = "none";
  bool anonymous = false;
};

enum class Command : std::uint8_t { none, scan, check, diff, rules, trust_base, list_bases, incidents, campaign, serve, gc, fsck, user, status, images, decide, response, backup, restore, doctor, completion };

struct CommandLine {
  Command command = Command::none;
  ScanOptions scan;
  CheckCommandOptions check;
  DiffOptions diff;
  TrustBaseOptions intel;
  IncidentOptions incidents;
  CampaignOptions campaign;
  RulesOptions rules;
  ServeOptions serve;
  UserOptions user;
  ServerAccess status;
  ResponseOptions response;
  ImagesOptions images;
  DecideOptions decide;
  BackupOptions backup;
  DoctorOptions doctor;
  std::string shell;  // completion: bash, zsh or fish
  // Set when there is nothing to run: help, version or a mistake, with the text to print.
  bool exit = false;
  int exit_code = 0;
  std::string message;
};

// Options of every command that asks a running server.
void add_server(CLI::App& command, ServerAccess& access);

CommandLine parse_command_line(int argc, const char* const* argv);

}  // namespace lazaret::cli
