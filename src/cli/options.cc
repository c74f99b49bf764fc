#include "cli/options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <map>
#include <sstream>

#include "audit/ruleset.h"
#include "cli/response_options.h"

namespace lazaret::cli {
namespace {

// One line for each limit: the option's name comes from the member's.
struct LimitOption {
  const char* name;
  std::uint64_t Limits::*member;
  const char* help;
};
constexpr LimitOption limit_options[] = {
    {"--limit-layer-bytes", &Limits::layer_bytes, "decoded bytes of one layer"},
    {"--limit-layer-entries", &Limits::layer_entries, "entries of one layer"},
    {"--limit-nested-bytes", &Limits::nested_bytes, "decoded bytes of what is nested in one file"},
    {"--limit-nested-entries", &Limits::nested_entries, "members of one nested archive"},
    {"--limit-nesting-depth", &Limits::nesting_depth, "archives inside archives, encodings inside encodings"},
    {"--limit-ratio", &Limits::ratio, "decoded bytes for each encoded byte of a layer"},
    {"--limit-nested-ratio", &Limits::nested_ratio, "the same for nested archives"},
    {"--limit-decoder-window", &Limits::decoder_window, "memory that a zstd or xz stream may ask for"},
    {"--limit-whole-file-bytes", &Limits::whole_file_bytes, "files up to this size are looked at whole, larger ones in windows"},
    {"--limit-yara-file-bytes", &Limits::yara_file_bytes, "largest file given to YARA rules"},
    {"--limit-yara-seconds", &Limits::yara_seconds, "seconds for YARA rules on one file"},
    {"--limit-encoded-text-bytes", &Limits::encoded_text_bytes, "decoded base64 and hex of one file"},
    {"--limit-findings", &Limits::findings, "findings of one image"},
    {"--limit-manifests", &Limits::manifests, "manifests of one index"},
    {"--limit-layers", &Limits::layers, "layers of one manifest"},
    {"--limit-store-document-bytes", &Limits::store_document_bytes, "the list of images or layers of Podman's store"},
    {"--limit-store-database-bytes", &Limits::store_database_bytes, "containerd's database, which is held in memory"},
    {"--limit-buffer-bytes", &Limits::buffer_bytes, "memory for file contents"},
};

constexpr const char* target_help = R"(Targets:
  docker-archive:FILE[:REF]    docker save, plain or compressed
  oci:DIR[:REF]                OCI layout folder
  oci-archive:FILE[:REF]       the same as a tar
  docker://REF                 image in a registry
  docker-daemon:REF            image of the local Docker daemon
  containers-storage:[[DRIVER@ROOT]]REF  Podman's store on disk, this user's or the one at ROOT
  containerd:[[ROOT]][NAMESPACE/]REF     containerd's folder on disk
  rootfs:DIR                   a root file system
  A path that exists is looked at; anything else is a reference to a registry.
)";

// What every command takes that audits something, wherever it comes from.
void add_audit_machine(CLI::App& app, ScanOptions& options) {
  app.add_option("--rules", options.rules, "YARA rules: a file or a folder (may be given again)")->type_name("PATH")->allow_extra_args(false);
  app.add_option("--ignore-file", options.ignore_file, "findings to leave out, each with a reason (docs/ignore-file.md)")->type_name("FILE");
  app.add_option("--bases", options.bases, "table of known base images (default: $XDG_DATA_HOME/lazaret/bases; lazaret intel)")->type_name("FILE");
  app.add_option("--incidents", options.incidents, "folder of imported incidents (default: $XDG_DATA_HOME/lazaret/intel; lazaret intel import)")->type_name("DIR");
  app.add_option("--policy", options.policy_file, "policy file in place of the default (docs/policy.md)")->type_name("FILE");
  app.add_option("--cache-dir", options.cache_dir, "where audits of layers are kept (default: $XDG_CACHE_HOME/lazaret)")->type_name("DIR");
  app.add_flag("--no-cache", options.no_cache, "neither use nor fill the cache");
  app.add_option("--cache-size", options.cache_bytes, "largest size of the cache, in bytes")->type_name("BYTES")->capture_default_str();
  app.add_option("-j,--jobs", options.jobs, "threads (default: one for each processor)")->type_name("N")->check(CLI::Range(1u, 256u));
  app.add_flag("-q,--quiet", options.quiet, "no progress; of the table only the verdict");
  app.add_option("--color,--colour", options.colour, "auto, always or never")->check(CLI::IsMember({"auto", "always", "never"}))->capture_default_str();
  for (const LimitOption& limit : limit_options) {
    app.add_option(limit.name, options.limits.*limit.member, limit.help)
        ->type_name("N")
        ->check(CLI::PositiveNumber)
        ->capture_default_str()
        ->group("Limits (what lies beyond makes the audit incomplete)");
  }
}

// What every command that audits images takes.
void add_audit(CLI::App& app, ScanOptions& options) {
  app.add_option("--platform", options.platform, "only this platform of an index, such as linux/arm64 (default: all)")->type_name("OS/ARCH");
  app.add_option("--authfile", options.auth_file, "credentials in the form of ~/.docker/config.json")->type_name("FILE");
  app.add_option("--insecure-registry", options.insecure_hosts, "host that may be reached by http or without a valid certificate (may be given again)")
      ->type_name("HOST")
      ->allow_extra_args(false);
  app.add_option("--tls-verify", options.tls_verify, "false: the same for the hosts of the targets")->type_name("BOOL")->capture_default_str();
  add_audit_machine(app, options);
}

void add_scan(CLI::App& app, ScanOptions& options) {
  app.add_option("target", options.targets, "images to audit (see below)")->required()->type_name("TARGET...");
  app.add_option("-f,--format", options.format, "table, json, sarif, markdown or html (default: table on a terminal, else json)")
      ->check(CLI::IsMember({"table", "json", "sarif", "markdown", "html"}))
      ->type_name("FORMAT");
  app.add_option("-o,--output", options.output, "write the report to this file")->type_name("FILE");
  app.add_option("--fail-on", options.fail_on, "verdict from which on the exit code is 1: suspicious, malicious or never")
      ->check(CLI::IsMember({"suspicious", "malicious", "never"}))
      ->capture_default_str()
      ->type_name("VERDICT");
  add_audit(app, options);
  app.footer(target_help + std::string(R"(
Exit codes: 0 below the threshold, 1 threshold reached, 2 usage or input error, 3 audit incomplete.

Examples:
  lazaret scan nginx:latest
  lazaret scan --format sarif -o out.sarif docker-archive:image.tar
  docker save app | lazaret scan docker-archive:-
  lazaret scan 'containers-storage:[overlay@/mnt/var/lib/containers/storage]app'
  lazaret scan 'containerd:[/mnt/var/lib/containerd]k8s.io/app')"));
}

void add_check(CLI::App& app, CheckCommandOptions& options) {
  app.add_option("--root", options.root, "root file system to look at, such as a mounted disk")->type_name("DIR")->capture_default_str();
  app.add_flag("--deep", options.deep, "audit every image, and what containers wrote");
  app.add_option("--docker-root", options.docker_root, "Docker's folder (default: what daemon.json says, /var/lib/docker)")->type_name("DIR");
  app.add_option("--podman-root", options.podman_root, "store of Podman or CRI-O (default: what storage.conf says, /var/lib/containers/storage, every user's)")->type_name("DIR");
  app.add_option("--containerd-root", options.containerd_root, "containerd's folder (default: what config.toml says, /var/lib/containerd, those of k3s, RKE2, MicroK8s)")->type_name("DIR");
  app.add_option("--incident-file", options.incidents, "known incidents besides the built-in ones, in the form of rules/incidents (may be given again)")->type_name("FILE")->allow_extra_args(false);
  app.add_option("-f,--format", options.scan.format, "table or json (default: table on a terminal, else json)")->check(CLI::IsMember({"table", "json"}))->type_name("FORMAT");
  app.add_option("-o,--output", options.scan.output, "write the report to this file")->type_name("FILE");
  app.add_option("--fail-on", options.scan.fail_on, "verdict from which on the exit code is 1: suspicious, malicious or never")
      ->check(CLI::IsMember({"suspicious", "malicious", "never"}))
      ->capture_default_str()
      ->type_name("VERDICT");
  add_audit_machine(app, options.scan);
  app.footer(R"(Looks through the stores of Docker, Podman, CRI-O and containerd, the files that control the host, and its processes. Reads only. Run it as root: what it may not
read makes the check incomplete. docs/check.md says what it looks at.

Exit codes: 0 below the threshold, 1 threshold reached, 2 usage or input error, 3 not everything could be looked at.

Examples:
  lazaret check
  lazaret check --deep --format json -o host.json
  lazaret check --root /mnt/disk)");
}

void add_diff(CLI::App& app, DiffOptions& options) {
  app.add_option("old", options.old_target, "the image as it was")->required()->type_name("OLD");
  app.add_option("new", options.new_target, "the image as it is now")->required()->type_name("NEW");
  app.add_option("-f,--format", options.scan.format, "table, json or markdown (default: table on a terminal, else json)")
      ->check(CLI::IsMember({"table", "json", "markdown"}))
      ->type_name("FORMAT");
  app.add_option("-o,--output", options.scan.output, "write the result to this file")->type_name("FILE");
  app.add_option("--fail-on", options.fail_on, "risk from which on the exit code is 1: low, medium, high, critical or never")
      ->check(CLI::IsMember({"low", "medium", "high", "critical", "never"}))
      ->capture_default_str()
      ->type_name("RISK");
  add_audit(app, options.scan);
  app.footer(target_help + std::string(R"(
Exit codes: 0 below the threshold, 1 threshold reached, 2 usage or input error, 3 audit incomplete.

Examples:
  lazaret diff registry.example/app:1.4 registry.example/app:1.5
  lazaret diff --format markdown -o diff.md oci:before oci:after
  lazaret diff docker://app@sha256:... docker-daemon:app:latest)"));
}

// The data folder that a command works on.
void add_data(CLI::App& command, ServeOptions& options) {
  command.add_option("--config", options.config, "lazaret.toml")->type_name("FILE");
  command.add_option("--data", options.data, "folder of everything the registry keeps (/var/lib/lazaret)")->type_name("DIR");
}

void add_user(CLI::App& user, UserOptions& options) {
  add_data(user, options.serve);
  user.require_subcommand(1);
  user.fallthrough();
  user.footer("Example: lazaret user add alice --data /srv/registry\nChanges reach a running server within a second; each is written to a log (lazaret user log).");
  const auto act = [&](const char* name, const char* description, UserAct what, bool needs_name) {
    CLI::App* command = user.add_subcommand(name, description);
    command->callback([&options, what] { options.act = what; });
    if (needs_name) command->add_option("name", options.name, "the account")->type_name("NAME")->required();
    return command;
  };
  act("list", "show all accounts", UserAct::list, false);
  CLI::App* add = act("add", "make an account; its name is the first part of its repositories", UserAct::add, true);
  add->add_option("--role", options.role, "reader, publisher or administrator")->check(CLI::IsMember({"reader", "publisher", "administrator"}))->capture_default_str();
  add->add_flag("--no-delete", options.no_delete, "it may push but not delete");
  CLI::App* password = act("passwd", "give an account a new password; its tokens become void", UserAct::password, true);
  for (CLI::App* command : {add, password}) command->add_flag("--password-stdin", options.password_stdin, "read the password from standard input; without this one is made and shown");
  CLI::App* token = act("token", "make a token for a robot of an account, and show it once", UserAct::token, true);
  token->add_option("--scope", options.scopes, "what it may: alice/*:pull,push or alice/app:pull,push,delete; may be given again")->type_name("SCOPE")->required()->allow_extra_args(false);
  token->add_option("--days", options.days, "how long it lives, 1 to 366")->capture_default_str();
  token->add_option("--label", options.label, "what it is for")->type_name("TEXT");
  act("tokens", "show tokens, all or those of one account", UserAct::tokens, false)->add_option("name", options.name, "the account")->type_name("NAME");
  act("revoke", "make a token void", UserAct::revoke, false)->add_option("id", options.token, "its number in `lazaret user tokens`")->type_name("ID")->required();
  act("disable", "let an account do nothing", UserAct::disable, true);
  act("enable", "undo that", UserAct::enable, true);
  act("remove", "remove an account and its tokens", UserAct::remove, true);
  act("log", "show every administrative act, and prove that none was changed", UserAct::log, false);
}

// Known incidents of the user or of a registry.
void add_incidents(CLI::App& intel, IncidentOptions& options) {
  const auto act = [&](const char* name, const char* description, IncidentAct what) {
    CLI::App* command = intel.add_subcommand(name, description);
    command->callback([&options, what] { options.act = what; });
    command->add_option("--incidents", options.folder, "folder of imported incidents (default: $XDG_DATA_HOME/lazaret/intel)")->type_name("DIR");
    command->add_option("--config", options.access.serve.config, "lazaret.toml: the incidents of this registry")->type_name("FILE");
    command->add_option("--data", options.access.serve.data, "data folder of a registry: its incidents")->type_name("DIR");
    return command;
  };
  CLI::App* take = act("import", "take over indicators of others", IncidentAct::take);
  take->add_option("file", options.files, "incident files of lazaret, STIX 2.1 bundles, MISP events (JSON), lists of digests, hosts and URLs")->required()->type_name("FILE...");
  take->add_option("-f,--format", options.format, "toml, stix, misp or list (default: by content)")->check(CLI::IsMember({"toml", "stix", "misp", "list"}))->type_name("FORMAT");
  take->add_option("--id", options.id, "name of the incident (default: made of the file's)")->type_name("ID");
  take->add_option("--title", options.title, "its title (default: what the file says)")->type_name("TEXT");
  take->add_option("--server", options.access.server, "a running server: it links and holds at once what matches (with --data, the one that uses the folder)")->type_name("URL");
  take->add_option("--user", options.access.user, "account that asks")->capture_default_str()->type_name("NAME");
  take->add_option("--password-file", options.access.password_file, "file whose first line is its password or token (default: DIR/admin-password)")->type_name("FILE");
  take->footer("Example: lazaret intel import --id team-feed feed.json\nAn incident of the same name is replaced. A registry takes it into account at its next start: everything is judged again,\nand what matches is held at once.");
  CLI::App* give = act("export", "print known incidents for others", IncidentAct::give);
  give->add_option("id", options.ids, "incidents (lazaret intel list)")->required()->type_name("ID...");
  give->add_option("-f,--format", options.format, "toml (default), stix or list")->check(CLI::IsMember({"toml", "stix", "list"}))->type_name("FORMAT");
  give->footer("Example: lazaret intel export --format stix docker123321-2018 > bundle.json");
  CLI::App* list = act("list", "show known incidents, built in and imported", IncidentAct::list);
  list->add_option("-f,--format", options.format, "table (default) or json")->check(CLI::IsMember({"table", "json"}))->type_name("FORMAT");
  list->footer("Example: lazaret intel list");
  for (CLI::App* command : {give, list}) command->add_option("-o,--output", options.output, "write to this file")->type_name("FILE");
  CLI::App* remove = act("remove", "withdraw imported incidents", IncidentAct::remove);
  remove->add_option("id", options.ids, "incidents that were imported")->required()->type_name("ID...");
  remove->footer("Example: lazaret intel remove team-feed");
}

void add_campaign(CLI::App& campaign, CampaignOptions& options) {
  add_server(campaign, options.access);
  campaign.require_subcommand(1);
  campaign.fallthrough();
  campaign.footer("Example: lazaret campaign report 3 --format html -o incident.html --data /srv/registry\nOn a data folder that no server uses, or through the server that does.");
  const auto act = [&](const char* name, const char* description, CampaignAct what) {
    CLI::App* command = campaign.add_subcommand(name, description);
    command->callback([&options, what] { options.act = what; });
    if (what != CampaignAct::list) command->add_option("id", options.id, "number of the campaign (lazaret campaign list)")->type_name("ID")->required();
    return command;
  };
  CLI::App* list = act("list", "show campaigns", CampaignAct::list);
  list->add_flag("--all", options.all, "known incidents that nothing here belongs to as well");
  list->add_option("-f,--format", options.format, "table or json")->check(CLI::IsMember({"table", "json"}))->capture_default_str()->type_name("FORMAT");
  CLI::App* show = act("show", "show images, accounts, indicators and links of one campaign", CampaignAct::show);
  CLI::App* report = act("report", "write the incident report", CampaignAct::report);
  for (CLI::App* command : {show, report}) {
    command->add_option("-f,--format", options.format, "table, json, markdown, html or stix")->check(CLI::IsMember({"table", "json", "markdown", "html", "stix"}))->capture_default_str()->type_name("FORMAT");
  }
  for (CLI::App* command : {list, show, report}) command->add_option("-o,--output", options.output, "write to this file")->type_name("FILE");
  act("confirm", "say that a campaign is one: its images stay in it", CampaignAct::confirm);
  act("name", "give a campaign a name", CampaignAct::name)->add_option("name", options.name, "the name")->type_name("NAME")->required();
  act("split", "make a campaign of its own of some images", CampaignAct::split)->add_option("image", options.images, "digests of images of the campaign")->type_name("DIGEST...")->required();
  act("merge", "make one campaign part of another", CampaignAct::merge)->add_option("other", options.other, "the campaign that becomes part of it")->type_name("ID")->required();
}

std::string completion_words(const CLI::App& app) {
  std::string words;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) words += command->get_name() + " ";
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) words += "--" + name + " ";
  }
  return words;
}

}  // namespace

void add_server(CLI::App& command, ServerAccess& access) {
  command.add_option("--server", access.server, "address of the server, like https://registry.example (default: where lazaret.toml makes it listen)")->type_name("URL");
  command.add_option("--user", access.user, "account that asks")->capture_default_str()->type_name("NAME");
  command.add_option("--password-file", access.password_file, "file whose first line is its password or token (default: DIR/admin-password)")->type_name("FILE");
  add_data(command, access.serve);
}

CommandLine parse_command_line(int argc, const char* const* argv) {
  CommandLine line;
  CLI::App app{"lazaret looks inside container images and says, with evidence, whether they are safe.", "lazaret"};
  app.set_version_flag("--version", "lazaret " + std::string(audit::engine_version()));
  app.require_subcommand(1);
  app.footer("Example: lazaret scan nginx:latest\n`lazaret COMMAND --help` explains a command.");

  CLI::App* scan = app.add_subcommand("scan", "audit images");
  add_scan(*scan, line.scan);

  CLI::App* check = app.add_subcommand("check", "look for bad images and what they left on this host");
  add_check(*check, line.check);

  CLI::App* diff = app.add_subcommand("diff", "say what an update of an image brought, and what is risky in it");
  add_diff(*diff, line.diff);

  CLI::App* rules = app.add_subcommand("rules", "list detectors and rules with their documentation");
  rules->add_option("rule", line.rules.rule, "only this rule or detector, in full")->type_name("ID");
  rules->add_option("-f,--format", line.rules.format, "table, json or markdown")->check(CLI::IsMember({"table", "json", "markdown"}))->capture_default_str();
  rules->add_option("--output-folder", line.rules.output_folder, "with --format markdown: an index and one page for each category, in this folder")->type_name("DIR");
  rules->add_option("--rules", line.rules.rules, "also list these YARA rules")->type_name("PATH")->allow_extra_args(false);
  rules->footer("Example: lazaret rules reverse-shell.bash-dev-tcp");

  CLI::App* intel = app.add_subcommand("intel", "what lazaret knows besides its rules: known incidents, and base images that you trust");
  intel->require_subcommand(1);
  intel->footer("Example: lazaret intel trust-base debian:12\nThe table and what it is good for: docs/packages.md. Incidents: docs/incidents.md.");
  add_incidents(*intel, line.incidents);
  CLI::App* trust_base = intel->add_subcommand("trust-base", "add images to the table of known bases");
  trust_base->add_option("target", line.intel.scan.targets, "images you trust, as scan takes them")->required()->type_name("TARGET...");
  trust_base->add_option("--reference", line.intel.reference, "what reports shall call the base (default: the target)")->type_name("NAME");
  add_audit(*trust_base, line.intel.scan);
  trust_base->footer("Example: lazaret intel trust-base debian:12 docker-archive:company-base.tar");
  CLI::App* list_bases = intel->add_subcommand("list-bases", "print the table of known bases");
  list_bases->add_option("--bases", line.intel.scan.bases, "the table (default: $XDG_DATA_HOME/lazaret/bases)")->type_name("FILE");
  list_bases->footer("Example: lazaret intel list-bases --bases team-bases");

  CLI::App* serve = app.add_subcommand("serve", "a registry that audits before it lists");
  CLI::App* gc = app.add_subcommand("gc", "collect what nothing refers to (a server does this by itself)");
  CLI::App* fsck = app.add_subcommand("fsck", "look whether records and files of a data folder agree");
  for (CLI::App* command : {serve, gc, fsck}) add_data(*command, line.serve);
  serve->add_option("--listen", line.serve.listen, "ADDRESS:PORT or unix:PATH; may be given again (127.0.0.1:5000)")->type_name("ADDRESS")->allow_extra_args(false);
  fsck->add_flag("--content", line.serve.content, "also hash every blob");
  serve->footer("Example: lazaret serve --data /srv/registry --listen 0.0.0.0:5000\nA new data folder gets an administrator \"admin\" with the password in DIR/admin-password.");
  gc->footer("Example: lazaret gc --data /srv/registry");
  fsck->footer("Example: lazaret fsck --data /srv/registry --content");

  CLI::App* user = app.add_subcommand("user", "accounts of the registry and their tokens");
  add_user(*user, line.user);

  CLI::App* status = app.add_subcommand("status", "what a running server is doing");
  add_server(*status, line.status);
  status->footer("Example: lazaret status --server https://registry.example --password-file admin-password");

  CLI::App* campaign = app.add_subcommand("campaign", "images that belong together, and incident reports");
  add_campaign(*campaign, line.campaign);

  add_response_commands(app, line.response);
  CLI::App* images = app.add_subcommand("images", "list the images of a running server with their states");
  images->add_option("repository", line.images.repository, "only of this repository")->type_name("REPOSITORY");
  images->add_option("--state", line.images.state, "only in this state: pending, released, held or condemned")
      ->check(CLI::IsMember({"pending", "released", "held", "condemned"}))
      ->type_name("STATE");
  add_server(*images, line.images.access);
  images->footer("Example: lazaret images --state held");
  const auto add_decision = [&](const char* name, const char* description, const char* state) {
    CLI::App* command = app.add_subcommand(name, description);
    command->add_option("image", line.decide.image, "REPOSITORY:TAG, REPOSITORY@DIGEST or DIGEST")->type_name("IMAGE")->required();
    if (*state != '\0') command->add_option("--reason", line.decide.reason, "why; it is kept")->type_name("TEXT")->required();
    add_server(*command, line.decide.access);
    command->callback([&line, state] {
      line.command = Command::decide;
      line.decide.state = state;
    });
    return command;
  };
  add_decision("release", "let everybody see an image, whatever its verdict", "released")->footer("Example: lazaret release alice/scanner:2 --reason \"its samples are tests\"");
  add_decision("hold", "keep an image from everybody until somebody releases it", "held")->footer("Example: lazaret hold alice/app:1 --reason \"under review\"");
  add_decision("reaudit", "audit an image again; its state stays until that has ended", "")->footer("Example: lazaret reaudit alice/app:1");

  CLI::App* backup = app.add_subcommand("backup", "copy a data folder into a folder, also while a server uses it");
  CLI::App* restore = app.add_subcommand("restore", "bring a backup back; what was condemned since stays condemned");
  for (CLI::App* command : {backup, restore}) {
    command->add_option("folder", line.backup.folder, "folder of the backup")->type_name("DIR")->required();
    add_data(*command, line.backup.serve);
  }
  restore->add_option("--journal", line.backup.journal, "another copy of condemned.journal to go by, where the data folder was lost")->type_name("FILE");
  backup->footer("Example: lazaret backup /srv/backup --data /srv/registry");
  restore->footer("Example: lazaret restore /srv/backup --data /srv/registry\nThe server must not run. docs/backup.md has more.");
  CLI::App* doctor = app.add_subcommand("doctor", "look whether machine, configuration and data folder are what serve needs");
  add_data(*doctor, line.doctor.serve);
  doctor->add_flag("-q,--quiet", line.doctor.quiet, "print only what is not well");
  doctor->footer("Exit codes: 0 nothing fails, 1 something does, 2 the configuration cannot be read.\nExample: lazaret doctor --config /etc/lazaret/lazaret.toml");

  CLI::App* completion = app.add_subcommand("completion", "print shell completion");
  completion->add_option("shell", line.shell, "bash, zsh or fish")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
  completion->footer("Example: lazaret completion bash > /etc/bash_completion.d/lazaret");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out, problem;
    const int code = app.exit(error, out, problem);
    line.exit = true;
    line.exit_code = code == 0 ? 0 : exit_error;
    line.message = out.str() + problem.str();
    return line;
  }
  if (scan->parsed()) line.command = Command::scan;
  if (check->parsed()) line.command = Command::check;
  if (diff->parsed()) line.command = Command::diff;
  if (rules->parsed()) line.command = Command::rules;
  if (trust_base->parsed()) line.command = Command::trust_base;
  if (list_bases->parsed()) line.command = Command::list_bases;
  if (intel->parsed() && !trust_base->parsed() && !list_bases->parsed()) line.command = Command::incidents;
  if (campaign->parsed()) line.command = Command::campaign;
  if (serve->parsed()) line.command = Command::serve;
  if (gc->parsed()) line.command = Command::gc;
  if (fsck->parsed()) line.command = Command::fsck;
  if (user->parsed()) line.command = Command::user;
  if (status->parsed()) line.command = Command::status;
  if (images->parsed()) line.command = Command::images;
  if (line.response.act != ResponseAct::none) line.command = Command::response;
  if (backup->parsed()) line.command = Command::backup;
  if (restore->parsed()) line.command = Command::restore;
  if (doctor->parsed()) line.command = Command::doctor;
  if (completion->parsed()) {
    line.command = Command::completion;
    std::string commands, cases;
    for (const CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) {
      commands += (commands.empty() ? "" : " ") + command->get_name();
      if (command != completion) cases += fmt::format("    {}) words=\"{}\" ;;\n", command->get_name(), completion_words(*command));
    }
    if (line.shell == "fish") {
      line.message = "complete -c lazaret -n __fish_use_subcommand -f -a '" + commands + "'\n";
      for (const CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) {
        for (const CLI::Option* option : command->get_options()) {
          for (const std::string& name : option->get_lnames()) {
            line.message += fmt::format("complete -c lazaret -n '__fish_seen_subcommand_from {}' -l {} -d '{}'\n", command->get_name(), name, option->get_description());
          }
        }
      }
    } else {
      line.message = fmt::format(
          "{}_lazaret() {{\n  local current=\"${{COMP_WORDS[COMP_CWORD]}}\" words=\"{}\"\n"
          "  case \"${{COMP_WORDS[1]}}\" in\n{}    completion) words=\"bash zsh fish\" ;;\n  esac\n"
          "  [ \"$COMP_CWORD\" -eq 1 ] && words=\"{}\"\n  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n}}\ncomplete -o default -F _lazaret lazaret\n",
          line.shell == "zsh" ? "autoload -U +X bashcompinit && bashcompinit\n" : "", commands, cases, commands);
    }
  }
  return line;
}

}  // namespace lazaret::cli
