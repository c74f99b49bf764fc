// Words of malware that detectors search for, stored masked: stored as they are, this program would
// be what its own detectors and everybody else's scanners look for.
#pragma once

#include <array>
#include <cstddef>
#include <string>

namespace lazaret::detect {

class MaskedText {
 public:
  // Evaluated by the compiler only, so that the text itself never gets into the program.
  consteval MaskedText(const char* text) {
    while (text[size_] != '\0') {
      bytes_[size_] = static_cast<char>(text[size_] ^ mask);
      ++size_;
    }
  }
  std::string text() const {
    std::string result(bytes_.data(), size_);
    for (char& c : result) c = static_cast<char>(c ^ mask);
    return result;
  }

 private:
  static constexpr char mask = 0x2a;
  std::array<char, 48> bytes_{};  // too long a text does not compile
  std::size_t size_ = 0;
};

}  // namespace lazaret::detect
