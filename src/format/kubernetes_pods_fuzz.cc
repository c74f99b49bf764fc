// Lists of pods: whatever is read, digests are whole and containers have a kind.
#include <cstdlib>

#include "format/kubernetes_pods.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lazaret;
  const format::PodContainers pods = format::read_pods({reinterpret_cast<const char*>(data), size});
  for (const format::PodContainer& container : pods.containers) {
    if (container.kind.empty()) std::abort();
    for (const Digest& digest : {container.asked, container.runs}) {
      if (!digest.empty() && Digest::parse(digest.str()) != digest) std::abort();
    }
  }
  return 0;
}
