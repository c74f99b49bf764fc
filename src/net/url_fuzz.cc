// Addresses, alone and as the Location of an answer: what is taken is read the same way again.
#include <cstdlib>

#include "base/bytes.h"
#include "net/url.h"

using namespace lazaret;
using namespace lazaret::net;

namespace {

void check(const std::optional<Url>& url) {
  if (!url) return;
  if (url->scheme != "http" && url->scheme != "https") std::abort();
  if (url->host.empty() || url->host.find_first_of("@/\\ ") != std::string::npos) std::abort();
  const auto again = parse_url(url->str());
  if (!again || !again->same_origin(*url) || again->str() != url->str()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = as_text({data, size});
  const auto end = text.find('\n');
  const auto url = parse_url(text.substr(0, end));
  check(url);
  static const Url home = *parse_url("https://registry.example:5000/v2/a/blobs/b?c=d");
  if (end != std::string_view::npos) check(resolve_url(url ? *url : home, text.substr(end + 1)));
  return 0;
}
