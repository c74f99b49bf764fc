// lazaret status: what a running server is doing.
#include <fmt/format.h>

#include <cstdio>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/server_client.h"

namespace lazaret::cli {

int run_status(const ServerAccess& access) {
  auto client = ServerClient::open(access);
  if (!client) return fail(client.error().message);
  const auto status = client->get("/status");
  if (!status) return fail(status.error().message);
  const auto number = [&](const format::JsonValue* value) { return value != nullptr ? value->as_size().value_or(0) : 0; };
  fmt::print("{:<24} {}\n", "version", escape(status->text("version")));
  if (const format::JsonValue* images = status->find("images"); images != nullptr && images->as_object() != nullptr) {
    for (const auto& [state, count] : *images->as_object()) fmt::print("{:<24} {}\n", "images " + escape(state), number(&count));
  }
  fmt::print("{:<24} {}\n", "audits under way", number(status->find("audit_queue")));
  fmt::print("{:<24} {}\n", "requests that wait", number(status->find("waiting_requests")));
  fmt::print("{:<24} {}\n", "pulls not yet written", number(status->find("ledger_waiting")));
  return 0;
}

}  // namespace lazaret::cli
