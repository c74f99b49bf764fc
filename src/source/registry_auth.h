// How a registry asks who we are, and what it is told.
//
// A registry answers 401 with a challenge: "Basic", or "Bearer" with the address of a token server
// (the realm), which gives a short-lived token for one repository, to strangers too
// (registry-auth-token.md; registry-auth-oauth.md for identity tokens; RFC 9110, section 11.6.1).
//
// The realm is chosen by whoever answered. A registry, or somebody in between, that names a server
// of its own would have passwords sent there (CVE-2026-33540 and its kin), so credentials go to a
// realm only when it belongs to the registry's own domain; every other realm is asked anonymously.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/http_client.h"
#include "net/url.h"
#include "source/credentials.h"
#include "source/reference.h"

namespace lazaret::source {

// One challenge of a WWW-Authenticate header.
struct Challenge {
  std::string scheme;  // lower case: "bearer", "basic", ...
  std::string realm, service, scope;
};
// All challenges of one header, which may hold several; at most 16. Never fails: what makes no
// sense is passed over.
std::vector<Challenge> parse_challenges(std::string_view header);

// Whether credentials for `registry_host` may be sent to a token server at `realm_host` (without
// ports): the same host, one under the same registrable domain, or Docker Hub's known one.
bool realm_is_trusted(std::string_view registry_host, std::string_view realm_host);

// The Authorization header for one repository of one registry. Thread-safe.
class RegistryAuth {
 public:
  // Sends a request to a token server, with retries.
  using Send = std::function<Result<net::HttpResponse>(const net::HttpRequest&)>;

  RegistryAuth(ImageName image, Credentials credentials, std::vector<std::string> insecure_hosts)
      : image_(std::move(image)),
        credentials_(std::move(credentials)),
        insecure_hosts_(std::move(insecure_hosts)) {}

  // The header's value; "" before anybody asked and when a token has expired.
  std::string header();

  // Does what the registry asks with a 401 to a request that carried `used`. Afterwards header()
  // has what to try next. ErrorCode::unauthorized when there is nothing to try.
  Result<void> answer(const net::Url& registry, const net::HttpResponse& refusal,
                      const std::string& used, const Send& send);

 private:
  Result<void> get_token(const net::Url& registry, const Challenge& challenge, const Send& send);
  std::string login_hint() const;

  const ImageName image_;
  const Credentials credentials_;
  const std::vector<std::string> insecure_hosts_;

  std::mutex mutex_;
  std::string header_;
  std::chrono::steady_clock::time_point expires_ = std::chrono::steady_clock::time_point::max();
};

}  // namespace lazaret::source
