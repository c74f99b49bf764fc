// tar-split: what containers/storage and Docker keep of a layer's tar form after unpacking it.
//
// One JSON value a line (github.com/vbatts/tar-split, tar/storage/entry.go). Type 2 is bytes of the
// archive as they were: headers, padding, what follows the end. Type 1 stands for the content of a
// file, which is in the unpacked folder: its name, size and CRC-64. All together, in this order,
// are the exact bytes of the layer, so that its diff_id can be proved again.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/limits.h"

namespace lazaret::format {

struct TarSplitEntry {
  bool is_file = false;
  std::string name;                    // of files, raw bytes as the archive had them
  std::uint64_t size = 0;              // of a file's content; of a segment
  std::optional<std::uint64_t> crc64;  // of a file's content
  std::string segment;                 // bytes of the archive
};

// Reads the decompressed text as it comes. Lines must not be longer than limits.tar_split_line.
class TarSplitReader {
 public:
  // `take` returns false to read no further.
  using Take = std::function<bool(const TarSplitEntry&)>;
  TarSplitReader(const Limits& limits, Take take) : limits_(limits), take_(std::move(take)) {}

  // False once nothing more is wanted: because of a mistake, or because `take` said so.
  bool feed(Bytes bytes);
  bool finish();

  // Why the text cannot be followed any further, a sentence without a full stop; "" when it can.
  const std::string& problem() const { return problem_; }

 private:
  bool line(std::string_view text);
  bool fail(std::string_view why);

  const Limits& limits_;
  const Take take_;
  std::string pending_;
  std::string problem_;
  bool stopped_ = false;
  std::uint64_t lines_ = 0, entries_ = 0;
};

// CRC-64 of ISO 3309 as Go's hash/crc64 computes it (reflected, all ones before and after).
class Crc64 {
 public:
  void update(Bytes bytes);
  std::uint64_t value() const { return ~state_; }

 private:
  std::uint64_t state_ = ~std::uint64_t{0};
};

}  // namespace lazaret::format
