#include "engine/yara_rule_list.h"

#include <cstdint>
#include <utility>

namespace lazaret::engine {
namespace {

// Numbers are four bytes, the lowest first; a text is its size and its bytes.
void put_number(std::string& to, std::size_t value) {
  for (unsigned shift = 0; shift < 32; shift += 8) to += static_cast<char>(value >> shift & 0xff);
}
void put_text(std::string& to, std::string_view text) {
  put_number(to, text.size());
  to += text;
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(as_bytes(bytes)) {}
  std::uint32_t number() {
    const auto value = read_le<std::uint32_t>(bytes_, position_);
    if (!value) failed_ = true;
    position_ += sizeof(std::uint32_t);
    return value.value_or(0);
  }
  std::string text() {
    const std::uint32_t size = number();
    const auto found = slice(bytes_, position_, size);
    if (!found) failed_ = true;
    position_ += size;
    return std::string(as_text(found.value_or(Bytes())));
  }
  bool failed() const { return failed_; }
  bool at_end() const { return position_ == bytes_.size(); }

 private:
  Bytes bytes_;
  std::uint64_t position_ = 0;
  bool failed_ = false;
};

}  // namespace

std::vector<YaraRule> list_rules(YR_RULES* compiled) {
  std::vector<YaraRule> rules;
  YR_RULE* rule = nullptr;
  yr_rules_foreach(compiled, rule) {
    YaraRule known;
    known.name = rule->identifier;
    known.namespace_name = rule->ns->name;
    known.is_private = RULE_IS_PRIVATE(rule) != 0;
    const char* tag = nullptr;
    yr_rule_tags_foreach(rule, tag) { known.tags.emplace_back(tag); }
    YR_META* meta = nullptr;
    yr_rule_metas_foreach(rule, meta) {
      known.metadata.emplace_back(meta->identifier, meta->type == META_TYPE_STRING    ? std::string(meta->string)
                                                    : meta->type == META_TYPE_BOOLEAN ? (meta->integer != 0 ? "true" : "false")
                                                                                      : std::to_string(meta->integer));
    }
    rules.push_back(std::move(known));
  }
  return rules;
}

std::string write_rule_list(const std::vector<YaraRule>& rules) {
  std::string bytes;
  put_number(bytes, rules.size());
  for (const YaraRule& rule : rules) {
    put_text(bytes, rule.name);
    put_text(bytes, rule.namespace_name);
    put_number(bytes, rule.is_private ? 1 : 0);
    put_number(bytes, rule.tags.size());
    for (const std::string& tag : rule.tags) put_text(bytes, tag);
    put_number(bytes, rule.metadata.size());
    for (const auto& [name, value] : rule.metadata) {
      put_text(bytes, name);
      put_text(bytes, value);
    }
  }
  return bytes;
}

std::optional<std::vector<YaraRule>> read_rule_list(std::string_view bytes) {
  Reader reader(bytes);
  std::vector<YaraRule> rules;
  for (std::uint32_t left = reader.number(); left > 0 && !reader.failed(); --left) {
    YaraRule rule;
    rule.name = reader.text();
    rule.namespace_name = reader.text();
    rule.is_private = reader.number() != 0;
    for (std::uint32_t tags = reader.number(); tags > 0 && !reader.failed(); --tags) rule.tags.push_back(reader.text());
    for (std::uint32_t metadata = reader.number(); metadata > 0 && !reader.failed(); --metadata) {
      std::string name = reader.text();
      rule.metadata.emplace_back(std::move(name), reader.text());
    }
    rules.push_back(std::move(rule));
  }
  if (reader.failed() || !reader.at_end()) return std::nullopt;
  return rules;
}

}  // namespace lazaret::engine
