#include "gate/user_reports.h"

#include <fmt/format.h>

#include "base/text.h"

namespace lazaret::gate {

using store::Reader;
using store::Writer;

namespace {

constexpr std::size_t most_reason_bytes = 4000;

}  // namespace

Result<store::UserCase> report_image(Gate& gate, const NewUserReport& report, const Viewer& viewer) {
  if (trim(report.reason).empty()) return Error{ErrorCode::invalid, "say what is wrong with the image"};
  if (report.reason.size() > most_reason_bytes) return Error{ErrorCode::invalid, fmt::format("a reason has at most {} bytes", most_reason_bytes)};
  const auto resolved = gate.resolve(report.repository, report.reference, viewer);
  if (!resolved) return resolved.error();
  // What the reporter cannot see does not exist for it; what is refused to insiders they know of.
  if (resolved->kind != Resolution::Kind::found && resolved->kind != Resolution::Kind::refused) return Error{ErrorCode::not_found, "there is no such image"};
  if (resolved->digest.empty()) return Error{ErrorCode::not_found, "there is no such image"};
  store::UserCase opened;
  const auto done = gate.metadata().write([&](Writer& writer) -> Result<void> {
    const store::Time at = gate.now();
    const std::string tag = Digest::parse(report.reference) ? "" : report.reference;
    const std::int64_t id = writer.open_case(resolved->digest, at);
    writer.add_user_report({id, at, report.reporter, report.address, report.repository, tag, std::string(trim(report.reason))});
    writer.add_event({0, at, "reported", report.reporter, report.repository, tag, resolved->digest, std::string(trim(report.reason))});
    const auto stored = writer.user_case(id);
    if (!stored) return Error{ErrorCode::io, "the report could not be stored"};
    opened = *stored;
    return {};
  });
  if (!done) return done.error();
  return opened;
}

Result<void> close_case(Gate& gate, std::int64_t id, bool confirmed, CaseAct act, const std::string& actor, const std::string& note) {
  if (!confirmed && act != CaseAct::none) return Error{ErrorCode::invalid, "a rejected report is no reason to hold or condemn the image"};
  std::optional<store::UserCase> known;
  const auto read = gate.metadata().read([&](Reader& reader) { known = reader.user_case(id); });
  if (!read) return read.error();
  if (!known) return Error{ErrorCode::not_found, fmt::format("there is no reported case {}", id)};
  if (known->state != store::CaseState::open) return Error{ErrorCode::busy, fmt::format("the case {} was closed by {}", id, known->closed_by)};
  // The image first: a case that is closed has been acted upon.
  if (act != CaseAct::none) {
    const std::string why = note.empty() ? fmt::format("reported by users (case {})", id) : note;
    const auto decided = gate.decide(known->digest, act == CaseAct::hold ? store::State::held : store::State::condemned, actor, why);
    if (!decided) return decided.error();
  }
  return gate.metadata().write([&](Writer& writer) -> Result<void> {
    const auto still = writer.user_case(id);
    if (!still || still->state != store::CaseState::open) return Error{ErrorCode::busy, fmt::format("the case {} is closed", id)};
    writer.close_case(id, confirmed ? store::CaseState::confirmed : store::CaseState::rejected, gate.now(), actor, note);
    writer.add_event({0, gate.now(), confirmed ? "report-confirmed" : "report-rejected", actor, "", "", known->digest, note});
    return {};
  });
}

}  // namespace lazaret::gate
