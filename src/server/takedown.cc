#include "server/takedown.h"

#include <fmt/format.h>

#include <limits>
#include <optional>
#include <vector>

#include "base/text.h"

namespace lazaret::server {
namespace {

constexpr std::size_t most_reason_bytes = 4000;

std::optional<store::Account> account_of(const registry::Accounts& accounts, std::string_view name) {
  for (store::Account& account : accounts.accounts()) {
    if (account.name == name) return std::move(account);
  }
  return std::nullopt;
}

}  // namespace

Result<std::int64_t> take_down(gate::Gate& gate, registry::Accounts& accounts, gate::TakedownJournal& journal, const registry::Actor& actor, const std::string& kind,
                               const std::string& subject, const std::string& reason) {
  if (trim(reason).empty()) return Error{ErrorCode::invalid, "say why: the reason is shown to whoever asks later"};
  if (reason.size() > most_reason_bytes) return Error{ErrorCode::invalid, fmt::format("a reason has at most {} bytes", most_reason_bytes)};
  bool closes_account = false;
  if (kind == "publisher") {
    const auto account = account_of(accounts, subject);
    bool known = account.has_value();
    const auto read = gate.metadata().read([&](store::Reader& reader) { known = known || !reader.manifests_of_publisher(subject).empty(); });
    if (!read) return read.error();
    if (!known) return Error{ErrorCode::not_found, fmt::format("there is no publisher {}: no account has that name, and nothing was pushed under it", subject)};
    if (account && account->role == store::Role::administrator) {
      return Error{ErrorCode::invalid, fmt::format("{} is an administrator: give it another role, or take down its repositories", subject)};
    }
    closes_account = account && !account->disabled;
  }
  const auto act = gate.take_down(kind, subject, actor.name, reason, closes_account);
  if (!act) return act.error();
  if (const auto written = journal.write(gate.metadata(), *act); !written) return written.error();
  if (closes_account) {
    if (const auto closed = accounts.set_disabled(actor, subject, true); !closed) {
      return Error{closed.error().code, fmt::format("{} was taken down by act {}, but its account could not be closed: {}", subject, *act, closed.error().message)};
    }
  }
  if (const auto logged = accounts.log(actor, "takedown", kind + " " + subject, fmt::format("act {}: {}", *act, reason)); !logged) return logged.error();
  return *act;
}

Result<void> undo_takedown(gate::Gate& gate, registry::Accounts& accounts, gate::TakedownJournal& journal, const registry::Actor& actor, std::int64_t act) {
  std::optional<store::Takedown> takedown;
  const auto read = gate.metadata().read([&](store::Reader& reader) { takedown = reader.takedown(act); });
  if (!read) return read.error();
  if (const auto undone = gate.undo_takedown(act, actor.name); !undone) return undone;
  if (const auto written = journal.write(gate.metadata(), act); !written) return written;
  if (takedown && takedown->closes_account && account_of(accounts, takedown->subject)) {
    if (const auto opened = accounts.set_disabled(actor, takedown->subject, false); !opened) return opened;
  }
  return accounts.log(actor, "takedown.undo", takedown ? takedown->kind + " " + takedown->subject : "", fmt::format("act {}", act));
}

Result<void> finish_takedowns(gate::Gate& gate, registry::Accounts& accounts, gate::TakedownJournal& journal) {
  if (const auto restored = journal.restore(gate); !restored) return restored.error();
  std::vector<store::Takedown> standing;
  const auto read = gate.metadata().read([&](store::Reader& reader) {
    for (std::int64_t before = std::numeric_limits<std::int64_t>::max();;) {
      const auto some = reader.takedowns(before, 1000);
      if (some.empty()) return;
      for (const store::Takedown& takedown : some) {
        if (takedown.undone == 0 && takedown.closes_account) standing.push_back(takedown);
      }
      before = some.back().id;
    }
  });
  if (!read) return read.error();
  for (const store::Takedown& takedown : standing) {
    const auto account = account_of(accounts, takedown.subject);
    // An account that was made under the name later is somebody else's decision.
    if (!account || account->disabled || account->created > takedown.at) continue;
    if (const auto closed = accounts.set_disabled({takedown.actor, ""}, takedown.subject, true); !closed) return closed;
  }
  return {};
}

}  // namespace lazaret::server
