#include "server/api_answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/base64.h"
#include "base/digest.h"
#include "base/text.h"

namespace lazaret::server {
namespace {

constexpr std::size_t most_items = 1000;

template <typename T>
std::optional<T> number_of(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// A cursor belongs to one list: taken to another it is a mistake and not a wrong page.
std::string mark_of(const ApiCall& call) { return sha256(as_bytes(call.route.path)).hex().substr(0, 8); }

std::string encode_cursor(const ApiCall& call, std::string_view position) {
  std::string text = encode_base64(mark_of(call) + std::string(position));
  while (text.ends_with('=')) text.pop_back();
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

std::optional<std::string> decode_cursor(const ApiCall& call, std::string_view cursor) {
  const auto text = decode_base64(cursor);
  const std::string mark = mark_of(call);
  if (!text || !text->starts_with(mark) || !is_utf8(*text)) return std::nullopt;
  return text->substr(mark.size());
}

}  // namespace

net::Response answer(const Problem& problem) {
  JsonWriter json(0);
  json.begin_object().field("type", "about:blank").field("title", escape(problem.title, 300)).field("status", problem.status);
  json.field("detail", escape(problem.detail, 2000));
  if (!problem.advice.empty()) json.field("advice", escape(problem.advice, 1000));
  if (!problem.parameter.empty()) json.field("parameter", escape(problem.parameter, 300));
  json.end_object();
  net::Response response;
  response.status = problem.status;
  response.add("Content-Type", "application/problem+json");
  response.add("Cache-Control", "no-store");
  response.body = json.take() + "\n";
  return response;
}

net::Response answer(const ApiCall& call, const Error& error) {
  switch (error.code) {
    case ErrorCode::invalid: return answer({400, "The request cannot be done", error.message, "", ""});
    case ErrorCode::unauthorized: return answer({403, "Not allowed", error.message, "", ""});
    case ErrorCode::not_found: return answer({404, "Not found", error.message, "", ""});
    case ErrorCode::busy: return answer({409, "In conflict with what is there", error.message, "", ""});
    case ErrorCode::limit: return answer({507, "No room left", "the server has no room left for this", "Make room on the disk of the server and try again.", ""});
    default: break;
  }
  call.services.log.error("api").field("path", call.request().path).field("problem", error.message);
  net::Response response = answer({503, "Not possible now", "the server could not do this", "Try again; the server's log says why it failed.", ""});
  response.add("Retry-After", "5");
  return response;
}

net::Response answer_json(int status, JsonWriter json) {
  net::Response response;
  response.status = status;
  response.add("Content-Type", "application/json");
  response.add("Cache-Control", "no-store");
  response.body = json.take() + "\n";
  return response;
}

net::Response not_found(std::string_view what) {
  return answer({404, "Not found", fmt::format("there is no {}, or you may not see it", what), "Log in as somebody who may see it, or list what is there.", ""});
}

// --- pages

ApiPage::ApiPage(const ApiCall& call) : call_(call) {
  if (const auto text = call.query("limit")) {
    const auto value = number_of<std::size_t>(*text);
    if (!value || *value == 0 || *value > most_items) {
      mistake_ = server::answer({400, "A parameter is wrong", fmt::format("limit is {}", *text), fmt::format("Give a number from 1 to {}.", most_items), "limit"});
      return;
    }
    limit_ = *value;
  }
  if (const auto text = call.query("cursor")) {
    auto position = decode_cursor(call, *text);
    if (!position) {
      mistake_ = server::answer({400, "A parameter is wrong", "cursor is none that this list gave out", "Take it from `next` of an answer of the same list.", "cursor"});
      return;
    }
    after_ = std::move(*position);
    after_number_ = number_of<std::int64_t>(after_).value_or(0);
  }
  json_.begin_object().key("items").begin_array();
}

net::Response ApiPage::answer(const std::optional<std::string>& next) {
  json_.end_array();
  if (next) json_.field("next", encode_cursor(call_, *next));
  json_.end_object();
  return answer_json(200, std::move(json_));
}

// --- bodies

void BodyFields::refuse(std::string_view name, std::string_view why) {
  if (!mistake_) mistake_ = Problem{400, "A member of the body is wrong", fmt::format("{} {}", name, why), "", std::string(name)};
}

const format::JsonValue* BodyFields::take(std::string_view name) {
  known_.emplace(name);
  return body_.find(name);
}

std::string BodyFields::required_text(std::string_view name, std::size_t most_bytes) {
  std::string value = text(name, most_bytes);
  if (trim(value).empty()) refuse(name, "is missing or empty");
  return value;
}

std::string BodyFields::text(std::string_view name, std::size_t most_bytes, std::string fallback) {
  const format::JsonValue* value = take(name);
  if (value == nullptr) return fallback;
  const std::string* text = value->as_string();
  if (text == nullptr) {
    refuse(name, "must be a text");
  } else if (text->size() > most_bytes) {
    refuse(name, fmt::format("has more than {} bytes", most_bytes));
  }
  return text == nullptr ? fallback : *text;
}

bool BodyFields::flag(std::string_view name, bool fallback) {
  const format::JsonValue* value = take(name);
  if (value == nullptr) return fallback;
  const bool* const truth = value->as_bool();
  if (truth == nullptr) refuse(name, "must be true or false");
  return truth == nullptr ? fallback : *truth;
}

std::int64_t BodyFields::number(std::string_view name, std::int64_t least, std::int64_t most, std::int64_t fallback) {
  const format::JsonValue* value = take(name);
  if (value == nullptr) return fallback;
  const auto number = value->as_size();
  if (!number || *number > static_cast<std::uint64_t>(INT64_MAX) || static_cast<std::int64_t>(*number) < least || static_cast<std::int64_t>(*number) > most) {
    refuse(name, fmt::format("must be a whole number from {} to {}", least, most));
    return fallback;
  }
  return static_cast<std::int64_t>(*number);
}

std::vector<std::string> BodyFields::texts(std::string_view name, std::size_t most, std::size_t most_bytes) {
  std::vector<std::string> texts;
  const format::JsonValue* value = take(name);
  if (value == nullptr) return texts;
  const format::JsonValue::Array* list = value->as_array();
  if (list == nullptr || list->size() > most) {
    refuse(name, fmt::format("must be a list of at most {} texts", most));
    return texts;
  }
  for (const format::JsonValue& item : *list) {
    const std::string* text = item.as_string();
    if (text == nullptr || text->size() > most_bytes) {
      refuse(name, fmt::format("must hold texts of at most {} bytes", most_bytes));
      return {};
    }
    texts.push_back(*text);
  }
  return texts;
}

std::optional<net::Response> BodyFields::mistake() {
  if (const format::JsonValue::Object* object = body_.as_object()) {
    for (const auto& [name, value] : *object) {
      if (known_.contains(name)) continue;
      std::string all;
      for (const std::string& one : known_) all += (all.empty() ? "" : ", ") + one;
      refuse(name, fmt::format("is not known here; known are: {}", all));
    }
  }
  if (!mistake_) return std::nullopt;
  return answer(*mistake_);
}

}  // namespace lazaret::server
