// Counters, gauges and histograms, and Prometheus' text format for them (exposition format 0.0.4).
//
// Families are made once, at start-up; a label set is looked up once by who counts, and counting is then one atomic addition. Label values come from
// fixed sets of ours, never from requests: each set lives for ever.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lazaret {

class Counter {
 public:
  void add(std::uint64_t amount = 1) { value_.fetch_add(amount, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

class Gauge {
 public:
  void set(std::int64_t value) { value_.store(value, std::memory_order_relaxed); }
  void add(std::int64_t amount) { value_.fetch_add(amount, std::memory_order_relaxed); }
  std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

// Observations by size. Bounds are upper ends, inclusive, in rising order.
class Histogram {
 public:
  explicit Histogram(std::vector<double> bounds);
  void observe(double value);
  const std::vector<double>& bounds() const { return bounds_; }
  std::uint64_t count(std::size_t bucket) const { return buckets_[bucket].load(std::memory_order_relaxed); }  // not summed up; the last is +Inf
  double sum() const { return sum_.load(std::memory_order_relaxed); }

 private:
  const std::vector<double> bounds_;
  std::vector<std::atomic<std::uint64_t>> buckets_;
  std::atomic<double> sum_{0};
};

// 1 ms to 100 s.
std::vector<double> duration_bounds();

using Labels = std::vector<std::pair<std::string, std::string>>;

// Thread-safe. What it gives out lives as long as it does.
class Metrics {
 public:
  // The metric of a family with these labels; made when it is new. A name belongs to one kind and one help text.
  Counter& counter(const std::string& name, const std::string& help, const Labels& labels = {});
  Gauge& gauge(const std::string& name, const std::string& help, const Labels& labels = {});
  Histogram& histogram(const std::string& name, const std::string& help, const std::vector<double>& bounds, const Labels& labels = {});
  // A value that somebody else keeps, asked for when the metrics are read. `counts`: it only grows.
  void value(const std::string& name, const std::string& help, bool counts, std::function<double()> read, const Labels& labels = {});

  // Everything, sorted by name. Content type: text/plain; version=0.0.4.
  std::string text() const;

 private:
  enum class Kind { counter, gauge, histogram };
  struct Metric {
    std::unique_ptr<Counter> counter;
    std::unique_ptr<Gauge> gauge;
    std::unique_ptr<Histogram> histogram;
    std::function<double()> read;
  };
  struct Family {
    Kind kind = Kind::counter;
    std::string help;
    std::map<std::string, Metric> metrics;  // by their labels, written out
  };
  Metric& find(const std::string& name, const std::string& help, Kind kind, const Labels& labels);

  mutable std::mutex mutex_;
  std::map<std::string, Family> families_;
};

}  // namespace lazaret
