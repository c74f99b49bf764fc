#include "base/metrics.h"

#include <gtest/gtest.h>

#include <thread>

namespace lazaret {
namespace {

TEST(Metrics, AreWrittenAsPrometheusReadsThem) {
  Metrics metrics;
  metrics.counter("requests_total", "Requests.", {{"method", "GET"}, {"status", "200"}}).add(3);
  metrics.counter("requests_total", "Requests.", {{"method", "PUT"}, {"status", "201"}}).add();
  metrics.gauge("open_connections", "Open \\ now,\nall of them.").set(-2);
  metrics.value("bytes", "Free bytes.", false, [] { return 1.5; });
  Histogram& seconds = metrics.histogram("seconds", "How long.", {0.1, 1}, {{"route", "a\"b"}});
  for (const double value : {0.05, 0.1, 0.5, 7.0}) seconds.observe(value);
  EXPECT_EQ(metrics.text(),
            "# HELP bytes Free bytes.\n# TYPE bytes gauge\nbytes 1.5\n"
            "# HELP open_connections Open \\\\ now,\\nall of them.\n# TYPE open_connections gauge\nopen_connections -2\n"
            "# HELP requests_total Requests.\n# TYPE requests_total counter\n"
            "requests_total{method=\"GET\",status=\"200\"} 3\nrequests_total{method=\"PUT\",status=\"201\"} 1\n"
            "# HELP seconds How long.\n# TYPE seconds histogram\n"
            "seconds_bucket{route=\"a\\\"b\",le=\"0.1\"} 2\nseconds_bucket{route=\"a\\\"b\",le=\"1\"} 3\nseconds_bucket{route=\"a\\\"b\",le=\"+Inf\"} 4\n"
            "seconds_sum{route=\"a\\\"b\"} 7.65\nseconds_count{route=\"a\\\"b\"} 4\n");
}

TEST(Metrics, CountFromManyThreads) {
  Metrics metrics;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int k = 0; k < 1000; ++k) {
        metrics.counter("n", "N.").add();
        metrics.histogram("h", "H.", duration_bounds()).observe(0.5);
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(metrics.counter("n", "N.").value(), 4000u);
  EXPECT_EQ(metrics.histogram("h", "H.", duration_bounds()).sum(), 2000.0);
}

}  // namespace
}  // namespace lazaret
