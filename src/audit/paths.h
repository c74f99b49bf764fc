// Paths of archive entries as a container runtime resolves them.
#pragma once

#include <string>
#include <string_view>

namespace lazaret::audit {

// Absolute, without "." and empty parts, ".." resolved and never above the root, no trailing slash: "./usr//bin/../x/" is "/usr/x".
std::string canonical_path(std::string_view raw);
// True when canonical_path() would change nothing.
bool is_canonical_path(std::string_view path);

// True when `raw` has a ".." that leads above the root at any point.
bool path_escapes(std::string_view raw);

// The folder of a canonical path ("/" for "/x" and "/"), and the last part ("" for "/").
std::string_view folder_of(std::string_view path);
std::string_view name_of_path(std::string_view path);

// Distributions moved /bin, /sbin and /lib into /usr, where links stand in their place; package databases may name either place. This gives the
// one under /usr for both.
std::string usr_merged_path(std::string_view path);

// True for the file that holds rpm's packages, in each of its forms (format/rpm_database.h).
bool is_rpm_database(std::string_view path);

// True for places where documentation and examples live ("/usr/share/doc/", "/usr/share/man/", ...).
bool is_documentation_path(std::string_view path);

}  // namespace lazaret::audit
