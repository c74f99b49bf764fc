// ar: "!<arch>\n", then members one behind the other, each a header of 60 bytes of text and content
// padded to an even offset (ar(5); GNU binutils, include/aout/ar.h; deb(5)):
//
//   0 name[16]  16 mtime[12]  28 uid[6]  34 gid[6]  40 mode[8] octal  48 size[10] decimal  58 "`\n"
//
// Long names: GNU keeps them in a member "//", one on a line, and names members "/<offset>"; BSD
// puts the name in front of the content and names the member "#1/<length>". GNU ends short names
// with '/'. In a .deb the order and the names of members matter, and tools differ in which of two
// members of the same name they take.
#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <string_view>
#include <unordered_set>

#include "format/archives.h"
#include "format/diagnostic_list.h"

namespace lazaret::format {
namespace {

constexpr std::string_view magic = "!<arch>\n";
constexpr std::string_view thin_magic = "!<thin>\n";
constexpr std::uint64_t header_size = 60;

// Digits with spaces behind them; all spaces are 0.
std::optional<std::uint64_t> read_number(std::string_view field, unsigned base) {
  std::uint64_t value = 0;
  field = field.substr(0, field.find_last_not_of(' ') + 1);
  for (const char c : field) {
    if (c < '0' || c >= static_cast<char>('0' + base)) return std::nullopt;
    value = value * base + static_cast<std::uint64_t>(c - '0');  // 12 digits at most
  }
  return value;
}

std::string_view without_spaces(std::string_view field) {
  return field.substr(0, field.find_last_not_of(' ') + 1);
}

// Names beyond are not found: no tool writes so many.
constexpr std::size_t names_limit = 16 << 20;

}  // namespace

class ArReader::Impl {
 public:
  Impl(const Limits& limits, ArHandler& handler) : limits_(limits), handler_(handler) {}

  void feed(Bytes bytes) {
    while (!bytes.empty()) {
      std::size_t used = bytes.size();
      switch (state_) {
        case State::magic: used = fill(bytes, magic.size()); break;
        case State::header: used = fill(bytes, header_size); break;
        case State::name: used = read_name(bytes); break;
        case State::data: used = read_data(bytes); break;
        case State::padding: used = read_padding(bytes); break;
        case State::rest: add_gap(bytes); break;
      }
      position_ += used;
      bytes = bytes.subspan(used);
      step();
    }
  }

  void finish() {
    switch (state_) {
      case State::magic: malformed("The archive does not begin like one."); break;
      case State::header:
        if (!buffer_.empty()) malformed("The archive ends within a header.");
        break;
      case State::name:
        // The name is longer than what is there of the member.
        member_.path = field_;
        diagnostics_.add("anomaly.ar-malformed", "A long name is longer than its member.", data_);
        begin_member();
        add_data(data_, as_bytes(name_));
        end_truncated();
        break;
      case State::data: end_truncated(); break;
      case State::padding:
      case State::rest: break;
    }
    if (state_ == State::rest && !rest_rule_.empty()) diagnostics_.add(rest_rule_, rest_message_, rest_, true, position_ - rest_);
    for (Diagnostic& diagnostic : diagnostics_.take()) handler_.diagnostic(std::move(diagnostic));
  }

 private:
  enum class State : std::uint8_t { magic, header, name, data, padding, rest };

  // Into the buffer, up to `size` bytes there.
  std::size_t fill(Bytes bytes, std::size_t size) {
    const std::size_t part = std::min(bytes.size(), size - buffer_.size());
    buffer_ += as_text(bytes.first(part));
    return part;
  }

  // What follows from the bytes so far.
  void step() {
    if (state_ == State::magic && buffer_.size() == magic.size()) {
      if (buffer_ == thin_magic) {
        diagnostics_.add("anomaly.ar-thin", "A thin archive holds names of files and not the files themselves.", 0, true);
        return begin_rest("", "");
      }
      if (buffer_ != magic) return malformed("The archive does not begin like one.");
      buffer_.clear();
      state_ = State::header;
    } else if (state_ == State::header && buffer_.size() == header_size) {
      read_header();
    }
    if (state_ == State::name && name_left_ == 0) end_name();
    if (state_ == State::data && left_ == 0) {
      handler_.member_end();
      buffer_.clear();
      state_ = position_ % 2 == 0 ? State::header : State::padding;
    }
  }

  void read_header() {
    const std::string_view text = buffer_;
    const auto size = read_number(text.substr(48, 10), 10);
    if (!text.ends_with("`\n") || !size) return malformed("A header is malformed.");
    if (count_ >= limits_.nested_entries) {
      return begin_rest("anomaly.ar-too-many-entries", fmt::format("The archive has more than {} members.", limits_.nested_entries));
    }
    ++count_;
    header_ = position_ - header_size;
    data_ = position_;
    left_ = *size;
    member_ = {};
    member_.mode = static_cast<std::uint32_t>(read_number(text.substr(40, 8), 8).value_or(0)) & 07777;
    field_ = without_spaces(text.substr(0, 16));
    is_table_ = field_ == "//";
    if (field_.starts_with("#1/")) {
      const auto name_size = read_number(std::string_view(field_).substr(3), 10);
      if (name_size && *name_size <= left_) {
        state_ = State::name;
        name_left_ = *name_size;
        left_ -= *name_size;
        name_.clear();
        name_size_ = 0;
        name_ended_ = in_slack_ = false;
        return;
      }
      member_.path = field_;
      diagnostics_.add("anomaly.ar-malformed", "A long name is longer than its member.", data_);
    } else {
      resolve_name(field_);
    }
    begin_member();
  }

  // BSD's name in front of the content, filled up with zeros.
  std::size_t read_name(Bytes bytes) {
    const Bytes part = bytes.first(static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), name_left_)));
    name_left_ -= part.size();
    std::string_view text = as_text(part);
    if (!name_ended_) {
      const std::size_t end = std::min(text.find('\0'), text.size());
      name_ended_ = end < text.size();
      name_size_ += end;
      const std::size_t room = static_cast<std::size_t>(limits_.path_bytes) - std::min<std::size_t>(name_.size(), static_cast<std::size_t>(limits_.path_bytes));
      name_ += text.substr(0, std::min(end, room));
      text.remove_prefix(end);
    }
    if (name_ended_) {
      const std::size_t slack = in_slack_ ? 0 : std::min(text.find_first_not_of('\0'), text.size());
      text.remove_prefix(slack);
      if (!text.empty()) {
        handler_.gap(position_ + part.size() - text.size(), as_bytes(text), !in_slack_);
        in_slack_ = true;
      }
    }
    return part.size();
  }
  void end_name() {
    member_.path = name_;
    if (name_size_ > name_.size()) report_long_name(name_size_);
    data_ = position_;
    begin_member();
  }

  void resolve_name(std::string_view field) {
    if (field == "//") {
      names_.clear();
      member_.path = field;
    } else if (field.size() > 1 && field[0] == '/' && field[1] >= '0' && field[1] <= '9') {
      const auto offset = read_number(field.substr(1), 10);
      if (!offset || *offset >= names_.size()) {
        member_.path = field;
        diagnostics_.add("anomaly.ar-malformed", "A member's name is not in the table of names.", data_);
        return;
      }
      std::string_view name = std::string_view(names_).substr(static_cast<std::size_t>(*offset));
      name = name.substr(0, name.find_first_of(std::string_view("\n\0", 2)));
      if (name.ends_with('/')) name.remove_suffix(1);
      // Many members can name one long line of the table, so that a cut is needed.
      if (name.size() > limits_.path_bytes) report_long_name(name.size());
      member_.path = name.substr(0, static_cast<std::size_t>(limits_.path_bytes));
    } else {
      if (field.size() > 1 && field.ends_with('/') && field[0] != '/') field.remove_suffix(1);
      member_.path = field;
    }
  }
  void report_long_name(std::uint64_t size) { diagnostics_.add("anomaly.ar-long-path", fmt::format("A name of {} bytes is cut.", size), data_); }

  void begin_member() {
    if (!seen_.insert(std::hash<std::string>()(member_.path)).second) {
      diagnostics_.add("anomaly.ar-duplicate-name",
                       fmt::format("Two members are named \"{}\"; readers differ in which counts.", std::string_view(member_.path).substr(0, 200)), data_);
    }
    handler_.member(member_.path, member_.mode, left_);
    state_ = State::data;
  }
  std::size_t read_data(Bytes bytes) {
    const Bytes part = bytes.first(static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), left_)));
    left_ -= part.size();
    add_data(position_, part);
    return part.size();
  }
  void add_data(std::uint64_t offset, Bytes piece) {
    if (is_table_) names_ += as_text(piece.first(std::min(piece.size(), names_limit - names_.size())));
    if (!piece.empty()) handler_.data(offset, piece);
  }
  void end_truncated() {
    const std::uint64_t missing = left_ + name_left_;
    if (missing > 0) diagnostics_.add("anomaly.ar-truncated", "The archive ends within a member.", header_, true, missing);
    handler_.member_end();
    state_ = State::header;
  }
  std::size_t read_padding(Bytes bytes) {
    if (bytes[0] != '\n' && bytes[0] != 0) handler_.gap(position_, bytes.first(1), true);
    state_ = State::header;
    return 1;
  }

  void malformed(std::string message) { begin_rest("anomaly.ar-malformed", std::move(message)); }
  // All from the begin of what is in the buffer belongs to no member.
  void begin_rest(std::string_view rule, std::string message) {
    rest_rule_ = rule;
    rest_message_ = std::move(message);
    rest_ = position_ - buffer_.size();
    state_ = State::rest;
    if (!buffer_.empty()) handler_.gap(rest_, as_bytes(buffer_), true);
    rest_begun_ = !buffer_.empty();
  }
  void add_gap(Bytes piece) {
    handler_.gap(position_, piece, !rest_begun_);
    rest_begun_ = true;
  }

  const Limits& limits_;
  ArHandler& handler_;
  State state_ = State::magic;
  std::uint64_t position_ = 0;  // of the next byte; step() and finish() see that of the last one's end
  std::string buffer_;          // of the magic or a header
  std::uint64_t count_ = 0, header_ = 0, data_ = 0, left_ = 0;  // of the member at hand; `left_` of its content
  std::string field_;           // its name as the header has it
  ArchiveMember member_;
  bool is_table_ = false;
  std::string name_, names_;    // BSD's name as far as it was read; GNU's table
  std::uint64_t name_left_ = 0, name_size_ = 0;
  bool name_ended_ = false, in_slack_ = false;
  std::unordered_set<std::size_t> seen_;  // hashes of names
  std::string rest_rule_, rest_message_;
  std::uint64_t rest_ = 0;
  bool rest_begun_ = false;
  DiagnosticList diagnostics_;
};

ArReader::ArReader(const Limits& limits, ArHandler& handler) : impl_(std::make_unique<Impl>(limits, handler)) {}
ArReader::~ArReader() = default;
void ArReader::feed(Bytes bytes) { impl_->feed(bytes); }
void ArReader::finish() { impl_->finish(); }

namespace {

class Collector final : public ArHandler {
 public:
  explicit Collector(Bytes content) : content_(content) {}
  Archive take() { return std::move(archive_); }

  void member(std::string_view path, std::uint32_t mode, std::uint64_t) override {
    ArchiveMember& member = archive_.members.emplace_back();
    member.path = path;
    member.mode = mode;
  }
  void data(std::uint64_t offset, Bytes piece) override {
    Bytes& data = archive_.members.back().data;
    data = data.empty() ? clamp(content_, offset, piece.size()) : Bytes(data.data(), data.size() + piece.size());
  }
  void member_end() override {}
  void gap(std::uint64_t offset, Bytes piece, bool first) override {
    if (first) archive_.gaps.emplace_back(offset, 0);
    archive_.gaps.back().second += piece.size();
  }
  void diagnostic(Diagnostic diagnostic) override { archive_.diagnostics.push_back(std::move(diagnostic)); }

 private:
  const Bytes content_;
  Archive archive_;
};

}  // namespace

Archive parse_ar(Bytes content, const Limits& limits) {
  Collector collector(content);
  ArReader reader(limits, collector);
  reader.feed(content);
  reader.finish();
  return collector.take();
}

}  // namespace lazaret::format
