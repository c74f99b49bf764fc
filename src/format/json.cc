// The reading itself is Boost.JSON's basic_parser: incremental, no exceptions, depth bounded. The handler builds the value and watches for keys
// that two readers could take for one another.
#include "format/json.h"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <cmath>
#include <unordered_map>

#include "base/text.h"

namespace lazaret::format {
namespace {

constexpr std::size_t diagnostics_limit = 64;

class Builder {
 public:
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);

  explicit Builder(const JsonOptions& options) : options_(&options) {}

  using error_code = boost::json::error_code;
  using string_view = boost::json::string_view;

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code& ec) { return open(JsonValue(JsonValue::Object{}), ec); }
  bool on_object_end(std::size_t, error_code&) {
    check_keys();
    close();
    return true;
  }
  bool on_array_begin(error_code& ec) { return open(JsonValue(JsonValue::Array{}), ec); }
  bool on_array_end(std::size_t, error_code&) {
    close();
    return true;
  }
  bool on_key_part(string_view part, std::size_t, error_code&) {
    text_.append(part.data(), part.size());
    return true;
  }
  bool on_key(string_view part, std::size_t, error_code&) {
    text_.append(part.data(), part.size());
    keys_.back() = std::move(text_);
    text_.clear();
    return true;
  }
  bool on_string_part(string_view part, std::size_t, error_code&) {
    text_.append(part.data(), part.size());
    return true;
  }
  bool on_string(string_view part, std::size_t, error_code& ec) {
    text_.append(part.data(), part.size());
    std::string text = std::move(text_);
    text_.clear();
    return add(JsonValue(std::move(text)), ec);
  }
  bool on_number_part(string_view, error_code&) { return true; }
  bool on_int64(std::int64_t value, string_view, error_code& ec) { return add(JsonValue(value), ec); }
  bool on_uint64(std::uint64_t value, string_view, error_code& ec) { return add(JsonValue(value), ec); }
  bool on_double(double value, string_view, error_code& ec) { return add(JsonValue(value), ec); }
  bool on_bool(bool value, error_code& ec) { return add(JsonValue(value), ec); }
  bool on_null(error_code& ec) { return add(JsonValue(), ec); }
  bool on_comment_part(string_view, error_code&) { return true; }
  bool on_comment(string_view, error_code&) { return true; }

  // What is open when the text ends early is closed, so that what was read is there.
  JsonValue take() {
    while (!open_.empty()) close();
    return std::move(root_);
  }
  std::vector<Diagnostic> diagnostics;

 private:
  bool count(error_code& ec) {
    if (++values_ <= options_->max_values) return true;
    ec = boost::json::error::array_too_large;
    return false;
  }
  bool open(JsonValue value, error_code& ec) {
    if (!count(ec)) return false;
    open_.push_back(std::move(value));
    keys_.emplace_back();
    return true;
  }
  void close() {
    JsonValue value = std::move(open_.back());
    open_.pop_back();
    keys_.pop_back();
    place(std::move(value));
  }
  bool add(JsonValue value, error_code& ec) {
    if (!count(ec)) return false;
    place(std::move(value));
    return true;
  }
  void place(JsonValue value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (auto* array = open_.back().as_array()) {
      array->push_back(std::move(value));
    } else {
      open_.back().as_object()->emplace_back(std::move(keys_.back()), std::move(value));
      keys_.back().clear();
    }
  }

  void check_keys() {
    const auto& members = *open_.back().as_object();
    if (members.size() < 2) return;
    std::unordered_map<std::string, const std::string*> seen;
    for (const auto& [key, value] : members) {
      const auto [known, is_new] = seen.emplace(to_lower(key), &key);
      if (is_new || diagnostics.size() >= diagnostics_limit) continue;
      if (*known->second == key) {
        diagnostics.push_back({"anomaly.json-duplicate-key", "the key \"" + key + "\" stands twice in one object: readers differ in which they take", 0, false, 0});
      } else {
        diagnostics.push_back({"anomaly.json-case-variant-key",
                               "the keys \"" + *known->second + "\" and \"" + key + "\" differ in case only: Go takes them for one", 0, false, 0});
      }
    }
  }

  const JsonOptions* options_;
  std::vector<JsonValue> open_;
  std::vector<std::string> keys_;  // of the member being read, for each open value
  std::string text_;
  std::size_t values_ = 0;
  JsonValue root_;
};

// Comments that begin with '#' become blanks, since the parser only knows // and /* */.
std::string without_hash_comments(std::string_view text) {
  std::string plain(text);
  bool in_string = false;
  for (std::size_t i = 0; i < plain.size(); ++i) {
    if (in_string) {
      if (plain[i] == '\\') {
        ++i;
      } else if (plain[i] == '"') {
        in_string = false;
      }
    } else if (plain[i] == '"') {
      in_string = true;
    } else if (plain[i] == '/' && i + 1 < plain.size() && plain[i + 1] == '/') {
      while (i < plain.size() && plain[i] != '\n') ++i;
    } else if (plain[i] == '#') {
      while (i < plain.size() && plain[i] != '\n') plain[i++] = ' ';
    }
  }
  return plain;
}

}  // namespace

std::optional<std::uint64_t> JsonValue::as_size() const {
  if (const auto* value = std::get_if<std::int64_t>(&data_)) {
    if (*value >= 0) return static_cast<std::uint64_t>(*value);
  }
  if (const auto* value = std::get_if<std::uint64_t>(&data_)) return *value;
  return std::nullopt;
}

std::optional<double> JsonValue::as_number() const {
  if (const auto* value = std::get_if<std::int64_t>(&data_)) return static_cast<double>(*value);
  if (const auto* value = std::get_if<std::uint64_t>(&data_)) return static_cast<double>(*value);
  if (const auto* value = std::get_if<double>(&data_)) return *value;
  return std::nullopt;
}

const JsonValue* JsonValue::find(std::string_view key) const {
  const Object* object = as_object();
  if (object == nullptr) return nullptr;
  const JsonValue* found = nullptr;
  for (const auto& [name, value] : *object) {
    if (name == key) found = &value;
  }
  return found;
}

std::string_view JsonValue::text(std::string_view key) const {
  const JsonValue* member = find(key);
  const std::string* text = member == nullptr ? nullptr : member->as_string();
  return text == nullptr ? std::string_view() : std::string_view(*text);
}

std::uint64_t JsonValue::number(std::string_view key) const {
  const JsonValue* member = find(key);
  return member == nullptr ? 0 : member->as_size().value_or(0);
}

JsonDocument parse_json(std::string_view text, const JsonOptions& options) {
  JsonDocument document;
  if (text.starts_with("\xef\xbb\xbf")) {
    document.diagnostics.push_back({"anomaly.json-byte-order-mark", "the document begins with a byte order mark: some readers refuse it", 0, false, 0});
    text.remove_prefix(3);
  }
  boost::json::parse_options parse_options;
  parse_options.max_depth = options.max_depth;
  parse_options.allow_comments = options.lenient;
  parse_options.allow_trailing_commas = options.lenient;
  parse_options.allow_invalid_utf8 = true;
  std::string plain;
  if (options.lenient) {
    plain = without_hash_comments(text);
    text = plain;
  }
  boost::json::basic_parser<Builder> parser(parse_options, options);
  boost::json::error_code error;
  const std::size_t used = parser.write_some(false, text.data(), text.size(), error);
  Builder& builder = parser.handler();
  document.valid = !error && parser.done();
  document.value = builder.take();
  for (Diagnostic& diagnostic : builder.diagnostics) document.diagnostics.push_back(std::move(diagnostic));
  if (error) {
    const bool depth = error == boost::json::error::too_deep;
    document.diagnostics.push_back({depth ? "anomaly.json-depth" : "anomaly.json-invalid",
                                    depth ? "the document is nested deeper than " + std::to_string(options.max_depth) + " levels" : "the document is no valid JSON: " + error.message(),
                                    used, false, text.size() - std::min(used, text.size())});
  } else if (!parser.done()) {
    document.diagnostics.push_back({"anomaly.json-invalid", "the document ends before its end", text.size(), false, 0});
  } else if (text.substr(std::min(used, text.size())).find_first_not_of(" \t\r\n") != std::string_view::npos) {
    document.diagnostics.push_back({"anomaly.json-trailing-data", "there is something behind the end of the document", used, false, text.size() - used});
  }
  return document;
}

}  // namespace lazaret::format
