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

}  // namespace lazaret::store
