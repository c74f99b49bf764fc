#include "base/json_writer.h"

#include <fmt/format.h>

#include "base/text.h"

namespace lazaret {

void append_json_string(std::string& out, std::string_view text) {
  out.push_back('"');
  while (!text.empty()) {
    // A run of plain characters at once; the check for UTF-8 is made on whole characters.
    const auto c = static_cast<std::uint8_t>(text[0]);
    if (c >= 0x80) {
      std::size_t size = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
      if (size <= text.size() && is_utf8(text.substr(0, size))) {
        out += text.substr(0, size);
      } else {
        size = 1;
        out += fmt::format("\\\\x{:02x}", c);
      }
      text.remove_prefix(size);
      continue;
    }
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (c < 0x20 || c == 0x7f) {
          out += fmt::format("\\u{:04x}", c);
        } else {
          out.push_back(static_cast<char>(c));
        }
    }
    text.remove_prefix(1);
  }
  out.push_back('"');
}

void JsonWriter::new_line() {
  if (indent_ == 0) return;
  out_.push_back('\n');
  out_.append(indent_ * has_items_.size(), ' ');
}

void JsonWriter::before_value() {
  if (after_key_) {
    after_key_ = false;
    return;
  }
  if (has_items_.empty()) return;
  if (has_items_.back()) out_.push_back(',');
  has_items_.back() = true;
  new_line();
}

JsonWriter& JsonWriter::open(char bracket) {
  before_value();
  out_.push_back(bracket);
  has_items_.push_back(false);
  return *this;
}

JsonWriter& JsonWriter::close(char bracket) {
  const bool had_items = has_items_.back();
  has_items_.pop_back();
  if (had_items) new_line();
  out_.push_back(bracket);
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  before_value();
  append_json_string(out_, name);
  out_ += indent_ == 0 ? ":" : ": ";
  after_key_ = true;
  return *this;
}

JsonWriter& JsonWriter::value(std::string_view text) {
  before_value();
  append_json_string(out_, text);
  return *this;
}

JsonWriter& JsonWriter::value(bool truth) {
  before_value();
  out_ += truth ? "true" : "false";
  return *this;
}

JsonWriter& JsonWriter::strings(const std::vector<std::string>& texts) {
  before_value();
  out_.push_back('[');
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (i > 0) out_ += ", ";
    append_json_string(out_, texts[i]);
  }
  out_.push_back(']');
  return *this;
}

}  // namespace lazaret
