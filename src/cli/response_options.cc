#include "cli/response_options.h"

#include <CLI/CLI.hpp>

namespace lazaret::cli {
namespace {

void add_takedown(CLI::App& app, ResponseOptions& options) {
  CLI::App* takedown = app.add_subcommand("takedown", "take everything of a publisher, a repository or one image away, or undo that");
  takedown->require_subcommand(1);
  takedown->fallthrough();
  takedown->footer("Example: lazaret takedown publisher docker123321 --reason 'miners, see case 7'\nWhat it does: docs/incident-response.md.");
  const auto act = [&](const std::string& name, const std::string& description, ResponseAct what) {
    CLI::App* command = takedown->add_subcommand(name, description);
    command->callback([&options, what] { options.act = what; });
    add_server(*command, options.access);
    return command;
  };
  for (const auto& [kind, description, subject] : {std::tuple("publisher", "an account and everything it pushed; its logins and tokens are void", "NAME"),
                                                   {"repository", "one repository", "NAME"},
                                                   {"image", "one image", "REPOSITORY@sha256:..."}}) {
    CLI::App* command = act(kind, description, ResponseAct::take_down);
    command->callback([&options, name = std::string(kind)] {
      options.act = ResponseAct::take_down;
      options.kind = name;
    });
    command->add_option("name", options.subject, "what is taken down")->type_name(subject)->required();
    command->add_option("--reason", options.text, "why; shown to whoever looks into it later")->type_name("TEXT")->required();
  }
  act("list", "show all acts, newest first", ResponseAct::list_takedowns);
  act("undo", "give back exactly what an act took away", ResponseAct::undo_takedown)->add_option("id", options.id, "number of the act")->type_name("ID")->required();

  CLI::App* evidence = app.add_subcommand("evidence", "save what is known of a takedown as a signed archive for an investigator");
  evidence->callback([&options] { options.act = ResponseAct::evidence; });
  evidence->add_option("id", options.id, "number of the takedown")->type_name("ID")->required();
  evidence->add_option("-o,--output", options.output, "the archive (tar)")->type_name("FILE")->required();
  add_server(*evidence, options.access);
  evidence->footer("Example: lazaret evidence 3 -o takedown-3.tar");
}

void add_exposure(CLI::App& app, ResponseOptions& options) {
  CLI::App* exposure = app.add_subcommand("exposure", "who pulled an image, a repository's or a publisher's images, and where they still run");
  exposure->callback([&options] { options.act = ResponseAct::exposure; });
  exposure->add_option("subject", options.subject, "REPOSITORY:TAG, REPOSITORY@sha256:..., sha256:..., a repository, a publisher, or the number of a takedown")->type_name("SUBJECT")->required();
  exposure->add_option("--kind", options.kind, "image, repository, publisher or takedown, where a name could be several")->check(CLI::IsMember({"image", "repository", "publisher", "takedown"}));
  exposure->add_option("--from", options.from, "only pulls from then on (RFC 3339)")->type_name("TIME");
  exposure->add_option("--by", options.by, "table and CSV: account, network or agent")->check(CLI::IsMember({"account", "network", "agent"}))->capture_default_str();
  exposure->add_option("-f,--format", options.format, "table, csv or json")->check(CLI::IsMember({"table", "csv", "json"}))->capture_default_str();
  exposure->add_option("-o,--output", options.output, "write it to this file")->type_name("FILE");
  exposure->add_option("--pods", options.pods, "output of `kubectl get pods -A -o json`, - for standard input: which pods still run it")->type_name("FILE");
  exposure->add_option("--notify", options.webhook, "send a message for each account to this address (POST, JSON)")->type_name("URL");
  exposure->add_option("--notify-key", options.webhook_key_file, "file with the key that signs these messages (X-Lazaret-Signature)")->type_name("FILE");
  exposure->add_option("--mail-server", options.mail_server, "send a mail for each account through it: smtp://HOST:PORT or smtps://HOST:PORT")->type_name("URL");
  exposure->add_option("--mail-from", options.mail_from, "address of the sender")->type_name("ADDRESS");
  exposure->add_option("--mail-to", options.mail_to, "address of an account, with {account} in place of its name")->type_name("ADDRESS");
  exposure->add_option("--mail-user", options.mail_user, "account at the mail server")->type_name("NAME");
  exposure->add_option("--mail-password-file", options.mail_password_file, "its password")->type_name("FILE");
  add_server(*exposure, options.access);
  exposure->footer("Exit codes: 0 done, 1 pods run it, 2 it could not be found out or a message could not be sent.\n\n"
                   "Examples:\n  lazaret exposure docker123321\n  lazaret exposure alice/tomcat:latest --format csv -o exposure.csv\n"
                   "  kubectl get pods -A -o json | lazaret exposure docker123321 --pods -");

  CLI::App* pulls = app.add_subcommand("pulls", "export the ledger: who was given what, and when");
  pulls->callback([&options] { options.act = ResponseAct::pulls; });
  pulls->add_option("-f,--format", options.format, "csv or jsonl")->check(CLI::IsMember({"csv", "jsonl"}));
  pulls->add_option("-o,--output", options.output, "write it to this file")->type_name("FILE");
  pulls->add_option("--digest", options.digest, "only of this manifest or blob")->type_name("DIGEST");
  pulls->add_option("--repository", options.repository, "only from this repository")->type_name("NAME");
  pulls->add_option("--account", options.account, "only by this account")->type_name("NAME");
  pulls->add_option("--from", options.from, "from then on (RFC 3339)")->type_name("TIME");
  pulls->add_option("--until", options.until, "before then")->type_name("TIME");
  add_server(*pulls, options.access);
  pulls->footer("Example: lazaret pulls --format csv --from 2018-05-01 -o pulls.csv");
}

void add_reports(CLI::App& app, ResponseOptions& options) {
  CLI::App* report = app.add_subcommand("report", "report an image to those who run the registry");
  report->callback([&options] { options.act = ResponseAct::report; });
  report->add_option("image", options.subject, "REPOSITORY:TAG or REPOSITORY@sha256:...")->type_name("IMAGE")->required();
  report->add_option("--reason", options.text, "what is wrong with it")->type_name("TEXT")->required();
  report->add_flag("--anonymous", options.anonymous, "without an account");
  add_server(*report, options.access);
  report->footer("Example: lazaret report alice/tomcat:latest --reason 'mines Monero' --anonymous --server https://registry.example");

  CLI::App* reports = app.add_subcommand("reports", "what users reported, and how long it has been open");
  reports->require_subcommand(1);
  reports->fallthrough();
  reports->footer("Example: lazaret reports confirm 7 --act condemn --note 'miner found'");
  const auto act = [&](const char* name, const char* description, ResponseAct what, bool one) {
    CLI::App* command = reports->add_subcommand(name, description);
    command->callback([&options, what] { options.act = what; });
    if (one) command->add_option("id", options.id, "number of the case")->type_name("ID")->required();
    add_server(*command, options.access);
    return command;
  };
  act("list", "show cases, longest open first", ResponseAct::list_reports, false)
      ->add_option("--state", options.state, "open, confirmed or rejected (all)")
      ->check(CLI::IsMember({"open", "confirmed", "rejected"}));
  act("show", "show one case with what was written", ResponseAct::show_report, true);
  CLI::App* confirm = act("confirm", "say that a report is right", ResponseAct::confirm_report, true);
  confirm->add_option("--act", options.case_act, "what becomes of the image: none, hold or condemn")->check(CLI::IsMember({"none", "hold", "condemn"}))->capture_default_str();
  CLI::App* reject = act("reject", "say that a report is wrong", ResponseAct::reject_report, true);
  for (CLI::App* command : {confirm, reject}) command->add_option("--note", options.text, "why")->type_name("TEXT");
}

}  // namespace

void add_response_commands(CLI::App& app, ResponseOptions& options) {
  add_takedown(app, options);
  add_exposure(app, options);
  add_reports(app, options);
}

}  // namespace lazaret::cli
