// Diagnostics of one file, so that a million broken members do not make a million of them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/diagnostic.h"

namespace lazaret::format {

class DiagnosticList {
 public:
  static constexpr std::uint64_t max_of_a_rule = 64;

  void add(std::string_view rule, std::string message, std::uint64_t offset, bool unaudited = false,
           std::uint64_t bytes = 0) {
    if (++counts_[std::string(rule)] > max_of_a_rule) return;
    list_.push_back({std::string(rule), std::move(message), offset, unaudited, bytes});
  }

  // All of them, with one for each rule that was met more often than is listed.
  std::vector<Diagnostic> take() {
    for (const auto& [rule, count] : counts_) {
      if (count > max_of_a_rule)
        list_.push_back({rule, "The same " + std::to_string(count - max_of_a_rule) + " more times.",
                         0, false, 0});
    }
    counts_.clear();
    return std::move(list_);
  }

 private:
  std::map<std::string, std::uint64_t> counts_;
  std::vector<Diagnostic> list_;
};

}  // namespace lazaret::format
