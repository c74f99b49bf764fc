// What people report of images, and how long nobody has answered.
//
// Reports of one image are one case, whoever sent them and under which name, until somebody decides it. The clock of a case runs from its first report.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "gate/gate.h"

namespace lazaret::gate {

struct NewUserReport {
  std::string repository, reference;  // a tag or digest, as the reporter knows it
  std::string reason;
  std::string reporter, address;      // reporter "": not logged in
};

// The case that the report belongs to. ErrorCode::not_found: the viewer cannot see such an image; invalid: no reason.
Result<store::UserCase> report_image(Gate& gate, const NewUserReport& report, const Viewer& viewer);

enum class CaseAct : std::uint8_t { none, hold, condemn };

// Closes a case: confirmed or rejected. `act` is done to the image in the same breath; rejected cases have none. ErrorCode::busy: it is closed already.
Result<void> close_case(Gate& gate, std::int64_t id, bool confirmed, CaseAct act, const std::string& actor, const std::string& note);

}  // namespace lazaret::gate
