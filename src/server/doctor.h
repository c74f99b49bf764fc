// `lazaret doctor`: whether this machine, this configuration and this data folder are what `lazaret serve` needs, and what to do where they are not.
#pragma once

#include <string>
#include <vector>

#include "server/configuration.h"

namespace lazaret::server {

struct Diagnosis {
  enum class Weight : std::uint8_t { good, warning, failure };
  Weight weight = Weight::good;
  std::string what;    // what was looked at: "data folder"
  std::string found;
  std::string advice;  // "" when all is well
};

// Changes nothing but for a file in the data folder that it removes again. Works beside a running server. May take some seconds: rules are compiled.
std::vector<Diagnosis> diagnose(const Configuration& configuration);

}  // namespace lazaret::server
