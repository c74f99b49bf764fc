#include "server/api_resources.h"

namespace lazaret::server {

std::vector<std::span<const ApiRoute>> api_resources() {
  return {
      account_routes(),
      campaign_routes(),
      description_routes(),
      exposure_routes(),
      event_routes(),
      image_routes(),
      indicator_routes(),
      repository_routes(),
      status_routes(),
      takedown_routes(),
      user_report_routes(),
  };
}

}  // namespace lazaret::server
