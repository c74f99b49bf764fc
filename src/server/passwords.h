// Accounts from files: the administrator that a new data folder gets, and a list of names with passwords.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "registry/authorizer.h"

namespace lazaret::server {

// DIR/admin-password, written once and readable by its owner alone, and DIR/passwords where it exists: lines of "name:hex of the sha256 of the password".
// The administrator may do everything, an account what is in its namespace; everybody may pull where `anonymous_pull` says so.
Result<std::unique_ptr<registry::Authorizer>> open_password_files(const std::string& folder, bool anonymous_pull);

}  // namespace lazaret::server
