#include "base/time.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace lazaret {
namespace {

using namespace std::chrono;

constexpr std::int64_t first = -62'167'219'200'000;  // 0000-01-01
constexpr std::int64_t last = 253'402'300'799'000;   // 9999-12-31T23:59:59

// Takes text apart from its front. Once something did not fit, nothing fits any more.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  int number(std::size_t digits) {
    if (text_.size() < digits) return fail();
    int value = 0;
    for (const char c : text_.substr(0, digits)) {
      if (c < '0' || c > '9') return fail();
      value = value * 10 + (c - '0');
    }
    text_.remove_prefix(digits);
    return value;
  }
  // One of the characters, which is left out.
  char any_of(std::string_view characters) {
    if (text_.empty() || characters.find(text_.front()) == std::string_view::npos)
      return static_cast<char>(fail());
    const char c = text_.front();
    text_.remove_prefix(1);
    return c;
  }
  bool at(char c) const { return !text_.empty() && text_.front() == c; }
  bool at_digit() const { return !text_.empty() && text_.front() >= '0' && text_.front() <= '9'; }
  bool at_end() const { return text_.empty(); }
  bool good() const { return good_; }

 private:
  int fail() {
    good_ = false;
    text_ = {};
    return 0;
  }
  std::string_view text_;
  bool good_ = true;
};

}  // namespace

std::int64_t milliseconds_now() {
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

std::string to_rfc3339(std::int64_t value) {
  const sys_time<milliseconds> time{milliseconds(std::clamp(value, first, last))};
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(floor<seconds>(time - day));
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

std::optional<std::int64_t> parse_rfc3339(std::string_view text) {
  Scanner scanner(text);
  const int year = scanner.number(4);
  scanner.any_of("-");
  const int month = scanner.number(2);
  scanner.any_of("-");
  const int day = scanner.number(2);
  const year_month_day date{std::chrono::year(year),
                            std::chrono::month(static_cast<unsigned>(month)),
                            std::chrono::day(static_cast<unsigned>(day))};
  if (!scanner.good() || !date.ok()) return std::nullopt;
  const std::int64_t midnight =
      duration_cast<milliseconds>(sys_days(date).time_since_epoch()).count();
  if (scanner.at_end()) return midnight;
  scanner.any_of("Tt ");
  const int hour = scanner.number(2);
  scanner.any_of(":");
  const int minute = scanner.number(2);
  scanner.any_of(":");
  const int second = scanner.number(2);
  int fraction = 0;
  if (scanner.at('.')) {
    scanner.any_of(".");
    if (!scanner.at_digit()) return std::nullopt;
    for (int unit = 100; scanner.at_digit(); unit /= 10) fraction += scanner.number(1) * unit;
  }
  const char zone = scanner.any_of("Zz+-");
  int offset = 0;
  if (zone == '+' || zone == '-') {
    const int hours = scanner.number(2);
    scanner.any_of(":");
    const int minutes = scanner.number(2);
    if (hours > 23 || minutes > 59) return std::nullopt;
    offset = (hours * 60 + minutes) * (zone == '+' ? 1 : -1);
  }
  // Second 60 is a leap second, which takes the place of the next one.
  if (!scanner.good() || !scanner.at_end() || hour > 23 || minute > 59 || second > 60)
    return std::nullopt;
  return midnight + ((hour * 60ll + minute - offset) * 60 + second) * 1000 + fraction;
}

}  // namespace lazaret
