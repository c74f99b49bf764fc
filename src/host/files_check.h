// The files that control the host: what starts by itself, who may log in, what is loaded into every program, and programs where none should be.
//
// They are read into one layer and judged as an image's files are (audit/image_auditor.h), with the host's package databases beside them; so a crontab line is followed into the script it
// starts, and an unmodified file of a package weighs nothing. What only a host has (keys of its administrators, attributes of its file system) is judged here.
#pragma once

#include <string>
#include <vector>

#include "host/check.h"
#include "host/host_root.h"

namespace lazaret::host {

// Adds one subject for all files when something was found. An Error only when cancelled.
Result<void> check_files(const HostRoot& root, const CheckMachine& machine, CheckReport& report);

}  // namespace lazaret::host
