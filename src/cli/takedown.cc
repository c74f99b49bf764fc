// lazaret takedown, evidence, report and reports: acts on images, asked of a running server.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "base/json_writer.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/response.h"
#include "cli/output.h"
#include "cli/server_client.h"

namespace lazaret::cli {
namespace {

using format::JsonValue;

// "4 months", for the clock of a case.
std::string duration(std::uint64_t seconds) {
  if (seconds < 2 * 3600) return fmt::format("{} minutes", seconds / 60);
  if (seconds < 2 * 86'400) return fmt::format("{} hours", seconds / 3600);
  if (seconds < 60 * 86'400) return fmt::format("{} days", seconds / 86'400);
  return fmt::format("{} months", seconds / (30 * 86'400));
}

int take_down(ServerClient& client, const ResponseOptions& options) {
  JsonWriter body(0);
  body.begin_object().field("kind", options.kind).field("subject", options.subject).field("reason", options.text).end_object();
  const auto act = client.send("POST", "/takedowns", body.take());
  if (!act) return fail(act.error().message);
  fmt::print("act {}: {} {} is taken down: {} images, {} blobs and {} files cannot come back\n", act->number("id"), escape(options.kind), escape(options.subject), act->number("images"),
             act->number("blobs"), act->number("files"));
  const JsonValue* const closed = act->find("closes_account");
  if (closed != nullptr && closed->as_bool() != nullptr && *closed->as_bool()) fmt::print("the account {} is closed\n", escape(options.subject));
  fmt::print("who pulled them: lazaret exposure --kind takedown {0}; for investigators: lazaret evidence {0} -o FILE\n", act->number("id"));
  return 0;
}

int list_takedowns(ServerClient& client) {
  fmt::print("{:>5} {:<21} {:<11} {:<40} {:>7} {:<16} {}\n", "ID", "AT", "KIND", "SUBJECT", "IMAGES", "BY", "REASON");
  const auto done = client.each("/takedowns", {}, [](const JsonValue& act) {
    fmt::print("{:>5} {:<21} {:<11} {:<40} {:>7} {:<16} {}{}\n", act.number("id"), escape(act.text("at")), escape(act.text("kind")), escape(act.text("subject")), act.number("images"),
               escape(act.text("actor")), escape(act.text("reason"), 200), act.text("undone").empty() ? "" : fmt::format(" (undone {})", escape(act.text("undone"))));
    return true;
  });
  return done ? 0 : fail(done.error().message);
}

int undo(ServerClient& client, std::int64_t id) {
  const auto act = client.send("POST", fmt::format("/takedowns/{}/undo", id), "");
  if (!act) return fail(act.error().message);
  fmt::print("act {} is undone: {} {} is as it was\n", id, escape(act->text("kind")), escape(act->text("subject")));
  return 0;
}

int evidence(ServerClient& client, const ResponseOptions& options) {
  const auto saved = client.save(fmt::format("/takedowns/{}/evidence", options.id), options.output);
  if (!saved) return fail(saved.error().message);
  fmt::print("{} in {}\nto verify it: tar -xf it, sha256sum -c SHA256SUMS, and\n"
             "  openssl pkeyutl -verify -pubin -inkey public-key.pem -rawin -in SHA256SUMS -sigfile SHA256SUMS.sig\n",
             format_bytes(*saved), escape(options.output));
  return 0;
}

int report(ServerClient& client, const ResponseOptions& options) {
  JsonWriter body(0);
  body.begin_object().field("image", options.subject).field("reason", options.text).end_object();
  const auto made = client.send("POST", "/user-reports", body.take());
  if (!made) return fail(made.error().message);
  fmt::print("case {}: {} is reported ({} so far); it stays open until somebody decides\n", made->number("id"), escape(made->text("digest")), made->number("reports"));
  return 0;
}

int list_reports(ServerClient& client, const std::string& state) {
  fmt::print("{:>5} {:<10} {:<12} {:>7} {:<21} {}\n", "ID", "STATE", "OPEN FOR", "REPORTS", "SINCE", "IMAGE");
  ServerClient::Query query;
  if (!state.empty()) query.emplace_back("state", state);
  const auto done = client.each("/user-reports", query, [](const JsonValue& one) {
    fmt::print("{:>5} {:<10} {:<12} {:>7} {:<21} {}\n", one.number("id"), escape(one.text("state")), duration(one.number("open_seconds")), one.number("reports"), escape(one.text("opened")),
               escape(one.text("digest")));
    return true;
  });
  return done ? 0 : fail(done.error().message);
}

int show_report(const JsonValue& one) {
  fmt::print("case {}: {} ({}), {} reports since {}, {} for {}\n", one.number("id"), escape(one.text("digest")), escape(one.text("state")), one.number("reports"),
             escape(one.text("opened")), one.text("state") == "open" ? "open" : "was open", duration(one.number("open_seconds")));
  if (!one.text("closed_by").empty()) fmt::print("closed by {}: {}\n", escape(one.text("closed_by")), escape(one.text("note")));
  const JsonValue* const texts = one.find("texts");
  if (texts == nullptr || texts->as_array() == nullptr) return 0;
  for (const JsonValue& text : *texts->as_array()) {
    fmt::print("{} {} as {}{}{}: {}\n", escape(text.text("at")), text.text("reporter").empty() ? "somebody" : escape(text.text("reporter")), escape(text.text("repository")),
               text.text("tag").empty() ? "" : ":", escape(text.text("tag")), escape(text.text("reason")));
  }
  return 0;
}

int decide(ServerClient& client, const ResponseOptions& options, bool confirmed) {
  JsonWriter body(0);
  body.begin_object().field("state", confirmed ? "confirmed" : "rejected").field("act", confirmed ? options.case_act : "none").field("note", options.text).end_object();
  const auto done = client.send("POST", fmt::format("/user-reports/{}/decision", options.id), body.take());
  return done ? show_report(*done) : fail(done.error().message);
}

}  // namespace

int run_response(const ResponseOptions& options) {
  auto client = options.anonymous ? ServerClient::open_anonymous(options.access) : ServerClient::open(options.access);
  if (!client) return fail(client.error().message);
  switch (options.act) {
    case ResponseAct::take_down: return take_down(*client, options);
    case ResponseAct::list_takedowns: return list_takedowns(*client);
    case ResponseAct::undo_takedown: return undo(*client, options.id);
    case ResponseAct::evidence: return evidence(*client, options);
    case ResponseAct::report: return report(*client, options);
    case ResponseAct::list_reports: return list_reports(*client, options.state);
    case ResponseAct::show_report: {
      const auto one = client->get(fmt::format("/user-reports/{}", options.id));
      return one ? show_report(*one) : fail(one.error().message);
    }
    case ResponseAct::confirm_report: return decide(*client, options, true);
    case ResponseAct::reject_report: return decide(*client, options, false);
    case ResponseAct::exposure: return show_exposure(*client, options);
    case ResponseAct::pulls: return export_pulls(*client, options);
    case ResponseAct::none: break;
  }
  return exit_error;
}

}  // namespace lazaret::cli
