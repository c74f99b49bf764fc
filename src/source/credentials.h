// Credentials for registries, from the places where docker, podman and skopeo keep them.
//
// In order: the file given by the user, or else $REGISTRY_AUTH_FILE,
// ${XDG_RUNTIME_DIR}/containers/auth.json, and $DOCKER_CONFIG/config.json or ~/.docker/config.json.
// In one file a helper of the registry goes first, then the most specific entry
// ("host/account/repository" before "host"), then the general helper (containers-auth.json(5)).
// Credentials belong to one host and are sent to no other.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "source/reference.h"

namespace lazaret::source {

struct Credentials {
  std::string user, password;
  std::string identity_token;  // an OAuth2 refresh token, in place of a password
  bool empty() const { return user.empty() && password.empty() && identity_token.empty(); }
};

// Empty credentials when there are none. An Error for a file that cannot be understood or a helper
// that fails. A helper that is not done in `helper_time` is ended.
Result<Credentials> find_credentials(
    const ImageName& image, const std::string& auth_file,
    std::chrono::milliseconds helper_time = std::chrono::seconds(30));

// The same from the text of one file; `path` names it in messages.
Result<std::optional<Credentials>> credentials_in(std::string_view text, const std::string& path,
                                                  const ImageName& image,
                                                  std::chrono::milliseconds helper_time);

}  // namespace lazaret::source
