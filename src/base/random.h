// Random bytes for secrets, from the system.
#pragma once

#include <string>

namespace lazaret {

// `count` bytes that nobody can guess. The system's generator cannot fail once it was seeded; should it, the process ends rather than
// go on with a secret that is none.
std::string random_bytes(std::size_t count);

}  // namespace lazaret
