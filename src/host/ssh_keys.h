// Lines of an authorized_keys file (sshd(8), "AUTHORIZED_KEYS FILE FORMAT").
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lazaret::host {

struct AuthorizedKey {
  std::size_t line = 0;  // counted from 1
  std::string type;      // "ssh-ed25519"
  std::string body;      // base64
  std::string comment, options;  // raw
  std::string fingerprint;       // "SHA256:...", as ssh-keygen -l shows it
};

// Keys whose body says the same type as the line; other lines are no keys to sshd either. At most 10,000.
std::vector<AuthorizedKey> read_authorized_keys(std::string_view text);

// The value of command="..." in a key's options, without its quotes; "" when there is none.
std::string forced_command(std::string_view options);

// What sshd_config names with AuthorizedKeysFile; each may have %h and %u. sshd's default when it names none.
std::vector<std::string> authorized_keys_files(std::string_view sshd_config);

}  // namespace lazaret::host
