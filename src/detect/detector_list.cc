// The list of detectors, made by CMake from the files of this folder: no registration at start-up,
// no order of static objects.
#include <algorithm>

#include "detect/detector.h"

namespace lazaret::detect {

#define DETECTOR(name) extern const Detector name;
#include "detector_list.inc"
#undef DETECTOR

const std::vector<const Detector*>& all_detectors() {
  static const std::vector<const Detector*> detectors = [] {
    std::vector<const Detector*> list = {
#define DETECTOR(name) &name,
#include "detector_list.inc"
#undef DETECTOR
    };
    std::sort(list.begin(), list.end(),
              [](const Detector* a, const Detector* b) { return a->name < b->name; });
    return list;
  }();
  return detectors;
}

}  // namespace lazaret::detect
