// JSON, read strictly and with its ambiguities reported.
//
// Two programs that read one document differently are how a harmless manifest for the scanner becomes a harmful one for the engine: Go takes the
// last of two equal keys and matches keys whatever their case, others take the first and match exactly. What differs is a diagnostic.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/diagnostic.h"

namespace lazaret::format {

class JsonValue {
 public:
  using Array = std::vector<JsonValue>;
  using Object = std::vector<std::pair<std::string, JsonValue>>;  // in the order of the document, equal keys kept

  JsonValue() = default;  // null
  explicit JsonValue(bool value) : data_(value) {}
  explicit JsonValue(std::int64_t value) : data_(value) {}
  explicit JsonValue(std::uint64_t value) : data_(value) {}
  explicit JsonValue(double value) : data_(value) {}
  explicit JsonValue(std::string value) : data_(std::move(value)) {}
  explicit JsonValue(Array value) : data_(std::move(value)) {}
  explicit JsonValue(Object value) : data_(std::move(value)) {}

  bool is_null() const { return data_.index() == 0; }
  bool is_number() const { return data_.index() >= 2 && data_.index() <= 4; }
  const bool* as_bool() const { return std::get_if<bool>(&data_); }
  const std::string* as_string() const { return std::get_if<std::string>(&data_); }
  const Array* as_array() const { return std::get_if<Array>(&data_); }
  const Object* as_object() const { return std::get_if<Object>(&data_); }
  Array* as_array() { return std::get_if<Array>(&data_); }
  Object* as_object() { return std::get_if<Object>(&data_); }
  // A whole number that is not negative.
  std::optional<std::uint64_t> as_size() const;
  std::optional<double> as_number() const;

  // The member with this key; the last one, as Go takes it, when there are several. Null when there is none or this is no object.
  const JsonValue* find(std::string_view key) const;
  // The text of a member, "" when it is absent or no text.
  std::string_view text(std::string_view key) const;
  // The whole number of a member, 0 when it is absent or none.
  std::uint64_t number(std::string_view key) const;

 private:
  std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string, Array, Object> data_;
};

struct JsonOptions {
  std::size_t max_depth = 64;
  std::size_t max_values = 4'000'000;
  // Comments (//, #, /* */), trailing commas and a missing end are accepted: miners' configs have them.
  bool lenient = false;
};

struct JsonDocument {
  bool valid = false;  // a whole value was read; when not, `value` holds what was read before the mistake
  JsonValue value;
  // anomaly.json-invalid, anomaly.json-duplicate-key, anomaly.json-case-variant-key, anomaly.json-trailing-data, anomaly.json-depth, ...
  std::vector<Diagnostic> diagnostics;
};

JsonDocument parse_json(std::string_view text, const JsonOptions& options = {});

}  // namespace lazaret::format
