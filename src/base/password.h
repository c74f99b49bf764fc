// Passwords as records that can be stored: scrypt (RFC 7914) by OpenSSL.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace lazaret {

// The cost as the logarithm of scrypt's N: 15 takes 32 MiB and some 50 ms. Callers bound how many run at a time.
inline constexpr unsigned password_cost = 15;

// "scrypt$<log2 N>$<r>$<p>$<salt>$<hash>", salt and hash in base64.
Result<std::string> make_password_record(std::string_view password, unsigned cost = password_cost);

// Whether the password is that of the record, in a time that does not depend on where they differ. A record that is malformed, or asks
// for more than four times today's cost, fits no password.
bool password_fits(std::string_view password, std::string_view record);

// A record that no password fits, to spend the same time on accounts that do not exist.
std::string make_unfitting_password_record(unsigned cost = password_cost);

}  // namespace lazaret
