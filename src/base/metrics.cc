#include "base/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cmath>

namespace lazaret {
namespace {

[[maybe_unused]] bool is_name(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

// Label values and help texts escape these three; help texts show quotes as they are.
std::string escaped(std::string_view text, bool quotes) {
  std::string result;
  for (const char c : text) {
    if (c == '\\') {
      result += "\\\\";
    } else if (c == '\n') {
      result += "\\n";
    } else if (c == '"' && quotes) {
      result += "\\\"";
    } else {
      result += c;
    }
  }
  return result;
}

std::string write_labels(const Labels& labels) {
  std::string text;
  for (const auto& [name, value] : labels) {
    assert(is_name(name));
    if (!text.empty()) text += ',';
    text += fmt::format("{}=\"{}\"", name, escaped(value, true));
  }
  return text;
}

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

void line(std::string& out, std::string_view name, std::string_view labels, std::string_view value) {
  out += name;
  if (!labels.empty()) out += fmt::format("{{{}}}", labels);
  out += fmt::format(" {}\n", value);
}

}  // namespace

Histogram::Histogram(std::vector<double> bounds) : bounds_(std::move(bounds)), buckets_(bounds_.size() + 1) {
  assert(std::is_sorted(bounds_.begin(), bounds_.end()));
}

void Histogram::observe(double value) {
  const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  buckets_[static_cast<std::size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
  double sum = sum_.load(std::memory_order_relaxed);
  while (!sum_.compare_exchange_weak(sum, sum + value, std::memory_order_relaxed)) {
  }
}

std::vector<double> duration_bounds() {
  return {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100};
}

Metrics::Metric& Metrics::find(const std::string& name, const std::string& help, Kind kind, const Labels& labels) {
  assert(is_name(name));
  Family& family = families_.try_emplace(name, Family{kind, help, {}}).first->second;
  assert(family.kind == kind && family.help == help);
  return family.metrics[write_labels(labels)];
}

Counter& Metrics::counter(const std::string& name, const std::string& help, const Labels& labels) {
  const std::lock_guard lock(mutex_);
  Metric& metric = find(name, help, Kind::counter, labels);
  if (!metric.counter) metric.counter = std::make_unique<Counter>();
  return *metric.counter;
}

Gauge& Metrics::gauge(const std::string& name, const std::string& help, const Labels& labels) {
  const std::lock_guard lock(mutex_);
  Metric& metric = find(name, help, Kind::gauge, labels);
  if (!metric.gauge) metric.gauge = std::make_unique<Gauge>();
  return *metric.gauge;
}

Histogram& Metrics::histogram(const std::string& name, const std::string& help, const std::vector<double>& bounds, const Labels& labels) {
  const std::lock_guard lock(mutex_);
  Metric& metric = find(name, help, Kind::histogram, labels);
  if (!metric.histogram) metric.histogram = std::make_unique<Histogram>(bounds);
  return *metric.histogram;
}

void Metrics::value(const std::string& name, const std::string& help, bool counts, std::function<double()> read, const Labels& labels) {
  const std::lock_guard lock(mutex_);
  find(name, help, counts ? Kind::counter : Kind::gauge, labels).read = std::move(read);
}

std::string Metrics::text() const {
  static constexpr std::string_view kinds[] = {"counter", "gauge", "histogram"};
  std::string out;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, family] : families_) {
    out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, escaped(family.help, false), name, kinds[static_cast<int>(family.kind)]);
    for (const auto& [labels, metric] : family.metrics) {
      if (metric.read) line(out, name, labels, number(metric.read()));
      if (metric.counter) line(out, name, labels, std::to_string(metric.counter->value()));
      if (metric.gauge) line(out, name, labels, std::to_string(metric.gauge->value()));
      if (!metric.histogram) continue;
      const Histogram& histogram = *metric.histogram;
      const std::string before = labels.empty() ? "" : labels + ",";
      std::uint64_t sum = 0;
      for (std::size_t i = 0; i <= histogram.bounds().size(); ++i) {
        sum += histogram.count(i);
        const std::string bound = i == histogram.bounds().size() ? "+Inf" : number(histogram.bounds()[i]);
        line(out, name + "_bucket", fmt::format("{}le=\"{}\"", before, bound), std::to_string(sum));
      }
      line(out, name + "_sum", labels, number(histogram.sum()));
      line(out, name + "_count", labels, std::to_string(sum));
    }
  }
  return out;
}

}  // namespace lazaret
