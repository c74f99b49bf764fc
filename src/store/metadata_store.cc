#include "store/metadata_store.h"

#include <array>

namespace lazaret::store {
namespace {

constexpr std::array<std::string_view, 4> states = {"pending", "released", "held", "condemned"};
constexpr std::array<std::string_view, 4> tombstone_kinds = {"manifest", "blob", "diff_id", "files"};

}  // namespace

std::string_view name_of(State state) { return states[static_cast<std::size_t>(state)]; }

std::optional<State> parse_state(std::string_view name) {
  for (std::size_t i = 0; i < states.size(); ++i) {
    if (states[i] == name) return static_cast<State>(i);
  }
  return std::nullopt;
}

std::string_view name_of(TombstoneKind kind) { return tombstone_kinds[static_cast<std::size_t>(kind)]; }

std::string_view name_of(CaseState state) {
  switch (state) {
    case CaseState::open: return "open";
    case CaseState::confirmed: return "confirmed";
    case CaseState::rejected: return "rejected";
  }
  return "";
}

std::optional<CaseState> parse_case_state(std::string_view name) {
  for (const CaseState state : {CaseState::open, CaseState::confirmed, CaseState::rejected}) {
    if (name == name_of(state)) return state;
  }
  return std::nullopt;
}

}  // namespace lazaret::store
