// A takedown with everything that belongs to it: what the gate hides, and the account of the publisher.
//
// The gate's act is one transaction, after which nothing of the publisher leaves and nothing from it is taken. Its account is closed after that: passwords,
// robots and tokens are void as long as it is. The act remembers that it closed the account, so that a crash in between is made good at the next start, and
// undoing opens it again only when the act had closed it.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "gate/gate.h"
#include "gate/takedown_journal.h"
#include "registry/accounts.h"

namespace lazaret::server {

// `kind`: publisher, repository or image. Returns the number of the act. ErrorCode::not_found: there is no such thing; busy: it was taken down already;
// invalid: no reason is given, or it is an administrator's account.
Result<std::int64_t> take_down(gate::Gate& gate, registry::Accounts& accounts, gate::TakedownJournal& journal, const registry::Actor& actor, const std::string& kind,
                               const std::string& subject, const std::string& reason);
Result<void> undo_takedown(gate::Gate& gate, registry::Accounts& accounts, gate::TakedownJournal& journal, const registry::Actor& actor, std::int64_t act);
// Does again what an older backup of the database has forgotten, and closes the accounts of publishers that were taken down when a crash came before it.
Result<void> finish_takedowns(gate::Gate& gate, registry::Accounts& accounts, gate::TakedownJournal& journal);

}  // namespace lazaret::server
