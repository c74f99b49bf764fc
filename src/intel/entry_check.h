// Whether an indicator from outside can be used, and in which form.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "intel/import.h"

namespace lazaret::intel {

// Brings the value into the form in which it is compared ("hxxp://a[.]example" becomes what it stands for). Returns why it cannot be used.
std::optional<std::string> check_entry(ImportedEntry& entry);

// What kind of indicator a bare word of a list is: digest, address, domain, URL or wallet; "" for none.
std::string type_of_word(std::string_view word);

// Undoes the usual spellings that keep a client from following a link.
std::string refang(std::string_view text);

}  // namespace lazaret::intel
