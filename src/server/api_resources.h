// The resources of the REST API: one file each, which defines its list of routes. A new one is a line here and a line in api_resources.cc.
#pragma once

#include <span>

#include "server/api_router.h"

namespace lazaret::server {

std::span<const ApiRoute> account_routes();
std::span<const ApiRoute> campaign_routes();
std::span<const ApiRoute> description_routes();
std::span<const ApiRoute> exposure_routes();
std::span<const ApiRoute> event_routes();
std::span<const ApiRoute> image_routes();
std::span<const ApiRoute> indicator_routes();
std::span<const ApiRoute> repository_routes();
std::span<const ApiRoute> status_routes();
std::span<const ApiRoute> takedown_routes();
std::span<const ApiRoute> user_report_routes();

// All of them.
std::vector<std::span<const ApiRoute>> api_resources();

}  // namespace lazaret::server
