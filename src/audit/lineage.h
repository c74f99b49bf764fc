// Which base image an image stands on, told by its layers and never by its history, labels or name.
//
// A chain ID (image-spec, config.md, "Layer ChainID") is a digest over the diff_ids of the lowest layers in their order: two images with the same
// chain ID have the same files that far. The table holds the chain IDs of images that somebody trusts, each with the reference it had then;
// `lazaret intel trust-base` writes it. The form of the file, a line an entry, sorted:
//
//   # lazaret bases v1
//   <chain id> <layers of the chain>/<layers of the image> <digest of the manifest, or -> <reference>
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "base/result.h"

namespace lazaret::audit {

// Chain ID of the first 1, 2, ... layers.
std::vector<Digest> chain_ids(const std::vector<Digest>& diff_ids);

struct KnownBase {
  std::size_t layers = 0, of = 0;  // the chain has the lowest `layers` of the `of` layers of the image
  std::string digest;              // of the manifest; "" when the image had none
  std::string reference;

  bool operator==(const KnownBase&) const = default;
};

class BaseTable {
 public:
  // An error names the line and what is wrong there.
  static Result<BaseTable> parse(std::string_view text, std::string_view file_name);
  std::string text() const;

  // Adds every prefix of the image. An entry of a whole image goes before one of a part of a larger image, so that debian stays debian when something
  // built on it is trusted too; otherwise the reference that comes first in the order of bytes stays. Returns how many entries are new or changed.
  std::size_t add_image(const std::vector<Digest>& diff_ids, const std::string& reference, const std::string& manifest_digest);

  struct Match {
    std::string chain_id;
    KnownBase base;
  };
  // The longest prefix of these layers that the table has; `layers` is 0 when it has none.
  Match find(const std::vector<Digest>& diff_ids) const;

  const std::map<std::string, KnownBase>& entries() const { return entries_; }  // by chain ID
  // Over the content; "" when empty.
  std::string digest() const;

 private:
  std::map<std::string, KnownBase> entries_;
};

}  // namespace lazaret::audit
