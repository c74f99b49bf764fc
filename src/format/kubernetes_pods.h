// Containers of pods as `kubectl get pods -A -o json` (core/v1 PodList) or `... get pod NAME -o json` (Pod) prints them.
//
// What a pod asks for and what runs are two things: spec names an image, often by a tag that has moved since, and status.containerStatuses[].imageID says
// which one the kubelet pulled, in the words of its runtime: "docker-pullable://repository@sha256:...", "repository@sha256:...", or the digest of the config
// alone ("docker://sha256:...", "sha256:...") where the image came without a registry.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.h"
#include "base/digest.h"

namespace lazaret::format {

struct PodContainer {
  std::string name_space, pod, node;
  std::string container;
  std::string kind;     // "container", "init" or "ephemeral"
  std::string image;    // as the pod asks for it
  Digest asked;         // the digest in `image`; empty when it has none
  Digest runs;          // the digest in imageID; empty when nothing was pulled yet
  bool running = false; // now
};

struct PodContainers {
  bool valid = false;  // it is JSON with pods in it
  std::vector<PodContainer> containers;
  std::vector<Diagnostic> diagnostics;
};

PodContainers read_pods(std::string_view json);

}  // namespace lazaret::format
