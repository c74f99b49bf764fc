// One request on its way through the registry. For the files of src/registry alone.
#pragma once

#include "registry/answers.h"
#include "registry/registry.h"

namespace lazaret::registry {

struct Registry::Call {
  net::ExchangePtr exchange;
  Route route;
  Caller caller;

  const net::Request& request() const { return exchange->request(); }
  bool is(std::string_view method) const { return request().method == method; }
  bool reading() const { return is("GET") || is("HEAD"); }
  void respond(net::Response response) { exchange->respond(std::move(response)); }
};

}  // namespace lazaret::registry
