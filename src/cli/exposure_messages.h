// What those are told who pulled something bad: one message for each account.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/options.h"
#include "format/json.h"

namespace lazaret::cli {

struct ExposureMessage {
  std::string account;
  std::string subject;  // one line
  std::string text;     // for people
  std::string json;     // lazaret.exposure-message/v1
};

// `exposure`: lazaret.exposure/v1. Anonymous pulls have nobody who could be told.
std::vector<ExposureMessage> exposure_messages(const format::JsonValue& exposure);

// By webhook and mail, as the options say. How many were sent; an error names the first that was not, after all were tried.
Result<std::size_t> send_exposure_messages(const std::vector<ExposureMessage>& messages, const ResponseOptions& options);

}  // namespace lazaret::cli
