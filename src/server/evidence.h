// Evidence of a takedown for whoever investigates it: a tar archive that says by itself whether it was changed.
//
//   takedown.json        the act, with what it hid and condemned
//   manifests/HEX.json   exact bytes        reports/HEX.json    what the audit said
//   blobs/HEX            layers and configs that the act condemned
//   ledger.jsonl         who pulled any of it, from the first pull to now
//   user-reports.jsonl   what users had reported
//   SHA256SUMS           of all of these (sha256sum -c)
//   SHA256SUMS.sig, public-key.pem: an Ed25519 signature of it by the key in the data folder
//   (openssl pkeyutl -verify -pubin -inkey public-key.pem -rawin -in SHA256SUMS -sigfile SHA256SUMS.sig)
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/file_descriptor.h"
#include "base/result.h"
#include "gate/gate.h"
#include "gate/ledger.h"

namespace lazaret::server {

struct EvidenceFile {
  std::shared_ptr<const FileDescriptor> file;  // has no name any more
  std::uint64_t size = 0;
};

// `folder`: where the archive is put together and the key lies (evidence-key.pem, made when there is none). ErrorCode::not_found: there is no such act.
Result<EvidenceFile> write_evidence(gate::Gate& gate, gate::Ledger& ledger, std::int64_t act, const std::string& folder);

}  // namespace lazaret::server
