// Rights on repositories, and scopes as clients write them (distribution's token scope grammar).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lazaret::registry {

// Bits. Deleting is a right of its own: who may push may not delete for that.
using Rights = unsigned;
inline constexpr Rights right_pull = 1, right_push = 2, right_delete = 4, right_all = 7;

struct Grant {
  std::string repository;  // "alice/tomcat", or a pattern: "alice/*" for all below, "*" for every one
  Rights rights = 0;

  bool covers(std::string_view name) const;
  bool operator==(const Grant&) const = default;
};

// "repository:alice/tomcat:pull,push repository:bob/x:pull": a list with spaces. Types other than repository (and its deprecated classes) and actions
// that we do not know are left out, as the specification wants it. Nothing for text that is no scope list, or has more than 64 entries.
std::optional<std::vector<Grant>> parse_scopes(std::string_view text);

// The same without its type, as people write it for robots: "alice/*:pull,push bob/x:pull". Stricter: unknown actions and names that can be no
// repository give nothing.
std::optional<std::vector<Grant>> parse_grants(std::string_view text);

std::string scope_text(const std::vector<Grant>& grants);   // of parse_scopes()
std::string grants_text(const std::vector<Grant>& grants);  // of parse_grants()
std::string rights_text(Rights rights);                     // "pull,push"

// A part of a repository name: [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*
bool is_name_part(std::string_view text);

// What an account may be called: a name part of at most 64 letters that no registry, upstream or path of ours could be taken for.
bool is_account_name(std::string_view name);

}  // namespace lazaret::registry
