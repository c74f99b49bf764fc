// Writes JSON as it goes, without building a tree: reports, logs, API answers.
//
// The output is always valid UTF-8 and valid JSON. Bytes that are not UTF-8 are written as the six characters \\xHH (an escaped backslash and
// the hex digits), so that nothing of an attacker's name is lost and nothing breaks the reader.
#pragma once

#include <concepts>
#include <utility>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lazaret {

// Appends `text` as a JSON string with its quotes.
void append_json_string(std::string& out, std::string_view text);

class JsonWriter {
 public:
  // `indent` 0 writes everything on one line.
  explicit JsonWriter(unsigned indent = 2) : indent_(indent) {}

  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }
  // The name of the next value; inside objects only.
  JsonWriter& key(std::string_view name);

  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(bool truth);
  template <std::integral T>
  JsonWriter& value(T number) {
    before_value();
    out_ += std::to_string(number);
    return *this;
  }
  // Strings in one array on one line.
  JsonWriter& strings(const std::vector<std::string>& texts);

  template <typename T>
  JsonWriter& field(std::string_view name, const T& content) {
    return key(name).value(content);
  }

  std::string take() { return std::move(out_); }

 private:
  JsonWriter& open(char bracket);
  JsonWriter& close(char bracket);
  void before_value();
  void new_line();

  const unsigned indent_;
  std::string out_;
  std::vector<bool> has_items_;
  bool after_key_ = false;
};

}  // namespace lazaret
