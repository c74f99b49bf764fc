#include "server/api_resources.h"

namespace lazaret::server {

std::vector<std::span<const ApiRoute>> api_resources() {
  return {
      description_routes(),
      image_routes(),
      status_routes(),
  };
}

}  // namespace lazaret::server
