// Credentials for registries, from the places where docker, podman and skopeo keep them.
//
// In order: the file given by the user, $REGISTRY_AUTH_FILE, ${XDG_RUNTIME_DIR}/containers/auth.json, $DOCKER_CONFIG/config.json, ~/.docker/config.json (containers-auth.json(5)).
// The most specific entry wins ("host/account/repository" before "host"). Credentials belong to one host and are sent to no other.
#pragma once

#include <string>

#include "base/result.h"
#include "source/reference.h"

namespace lazaret::source {

struct Credentials {
  std::string user, password;
  std::string identity_token;  // an OAuth2 refresh token, in place of a password
  bool empty() const { return user.empty() && password.empty() && identity_token.empty(); }
};

// Empty credentials when there are none. An Error for a file that cannot be understood or a helper that fails.
Result<Credentials> find_credentials(const ImageName& image, const std::string& auth_file);

}  // namespace lazaret::source
