// The WWW-Authenticate header of a hostile registry.
#include <cstdlib>

#include "base/bytes.h"
#include "source/registry_auth.h"

using namespace lazaret;
using namespace lazaret::source;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto challenges = parse_challenges(as_text({data, size}));
  if (challenges.size() > 16) std::abort();
  std::size_t bytes = 0;
  for (const Challenge& challenge : challenges) {
    bytes += challenge.scheme.size() + challenge.realm.size() + challenge.service.size() +
             challenge.scope.size();
    if (challenge.scheme.empty()) std::abort();
    // Relatives of a registry are below its own domain.
    const auto url = net::parse_url(challenge.realm);
    if (!url) continue;
    if (!realm_is_trusted(url->host, url->host)) std::abort();
    const bool trusted = realm_is_trusted("registry.example", url->host);
    if (trusted && url->host != "registry.example" && !url->host.ends_with(".registry.example"))
      std::abort();
    realm_is_trusted(url->host, "a.b.co.uk");
  }
  if (bytes > size) std::abort();
  return 0;
}
