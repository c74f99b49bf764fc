// Answers of the REST API, lists in pages, and the reading of bodies, so that all resources do these alike.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_writer.h"
#include "base/result.h"
#include "net/http_message.h"
#include "server/api_router.h"

namespace lazaret::server {

// Why a request is refused, for a person and for a program (RFC 9457). Texts may hold what an attacker wrote: they are escaped here.
struct Problem {
  int status = 400;
  std::string title;      // what is wrong, the same for all cases of a kind
  std::string detail;     // where, and why in this case
  std::string advice;     // what to do; "" when the rest says it
  std::string parameter;  // the parameter or member of the body that is wrong; "" when none is
};
net::Response answer(const Problem& problem);
// By its code: invalid 400, unauthorized 403, not_found 404, busy 409, limit 507, the rest 503. What failed on our side is not told to the client but
// written to the log.
net::Response answer(const ApiCall& call, const Error& error);
net::Response answer_json(int status, JsonWriter json);
// 404 for what is not there or may not be seen: one answer for both.
net::Response not_found(std::string_view what);

// A list: {"items":[...],"next":"..."}. `next` is there when more follows, and is the value of `cursor` of the next request; it is opaque.
class ApiPage {
 public:
  // Reads `limit` (1 to 1000, 100) and `cursor` of the query.
  explicit ApiPage(const ApiCall& call);
  // What is wrong with them.
  const std::optional<net::Response>& mistake() const { return mistake_; }

  std::size_t limit() const { return limit_; }
  // Where the page before ended: what was given to answer(), "" for the first page.
  const std::string& after() const { return after_; }
  // Where positions are numbers; 0 for the first page.
  std::int64_t after_number() const { return after_number_; }

  // Where the items are written.
  JsonWriter& json() { return json_; }
  // `next`: the position of the last item, when more follows.
  net::Response answer(const std::optional<std::string>& next);

 private:
  const ApiCall& call_;
  std::optional<net::Response> mistake_;
  std::size_t limit_ = 100;
  std::string after_;
  std::int64_t after_number_ = 0;
  JsonWriter json_{0};
};

// Takes the members of a body. The first mistake is kept; mistake() at the end also finds members that nobody took.
class BodyFields {
 public:
  explicit BodyFields(const format::JsonValue& body) : body_(body) {}

  // Absent: `fallback`; nothing there is a mistake when `required`.
  std::string required_text(std::string_view name, std::size_t most_bytes);
  std::string text(std::string_view name, std::size_t most_bytes, std::string fallback = "");
  bool flag(std::string_view name, bool fallback);
  std::int64_t number(std::string_view name, std::int64_t least, std::int64_t most, std::int64_t fallback);
  std::vector<std::string> texts(std::string_view name, std::size_t most, std::size_t most_bytes);
  bool has(std::string_view name) const { return body_.find(name) != nullptr; }

  void refuse(std::string_view name, std::string_view why);
  std::optional<net::Response> mistake();

 private:
  const format::JsonValue* take(std::string_view name);

  const format::JsonValue& body_;
  std::set<std::string, std::less<>> known_;
  std::optional<Problem> mistake_;
};

}  // namespace lazaret::server
