#include "server/api_resources.h"

namespace lazaret::server {

std::vector<std::span<const ApiRoute>> api_resources() {
  return {
      description_routes(),
      exposure_routes(),
      image_routes(),
      status_routes(),
      takedown_routes(),
      user_report_routes(),
  };
}

}  // namespace lazaret::server
