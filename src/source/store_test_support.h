// Folders and consumers for tests of sources that read from disk.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/blob_stream.h"
#include "format/tar_split.h"
#include "source/tar_writer.h"

namespace lazaret::source {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "lazaret-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string path(const std::string& below = "") const { return (path_ / below).string(); }
  void write(const std::string& below, const std::string& content) const {
    std::filesystem::create_directories((path_ / below).parent_path());
    std::ofstream(path_ / below, std::ios::binary) << content;
  }

 private:
  std::filesystem::path path_;
};

// Keeps what it is given.
class Collector : public BlobConsumer {
 public:
  struct Blob {
    BlobOffer offer;
    std::string bytes, failure;
    bool finished = false;
  };
  std::unique_ptr<BlobWriter> begin(const BlobOffer& offer) override {
    const std::lock_guard lock(mutex_);
    Blob& blob = blobs[offer.key];
    blob.offer = offer;
    return std::make_unique<Writer>(blob);
  }
  std::map<std::string, Blob> blobs;

 private:
  struct Writer : BlobWriter {
    explicit Writer(Blob& blob_in) : blob(blob_in) {}
    bool write(Bytes bytes) override {
      blob.bytes += as_text(bytes);
      return true;
    }
    void finish() override { blob.finished = true; }
    void fail(const Error& why) override { blob.failure = why.message; }
    Blob& blob;
  };
  std::mutex mutex_;
};

inline std::string base64(std::string_view bytes) {
  constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k)
      group = group << 8 | (i + k < bytes.size() ? static_cast<std::uint8_t>(bytes[i + k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k)
      out += i + k <= bytes.size() ? alphabet[group >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

// A layer's tar and its record, as an engine makes the one from the other.
struct RecordedLayer {
  std::string tar, record;

  void add(const std::string& name, const std::string& content, char type = '0',
           const std::string& link = "") {
    TarMember member;
    member.path = name;
    member.type = type;
    member.link_target = link;
    member.size = content.size();
    const std::string header = tar_header(member);
    segment_ += header;
    flush();
    format::Crc64 crc;
    crc.update(as_bytes(content));
    std::string checksum;
    for (int shift = 56; shift >= 0; shift -= 8)
      checksum += static_cast<char>(crc.value() >> shift);
    record += "{\"type\":1,\"name\":\"" + name + "\",\"size\":" + std::to_string(content.size()) +
              ",\"payload\":\"" + base64(checksum) + "\"}\n";
    segment_ = tar_padding(content.size());
    tar += header + content + segment_;
  }
  void end() {
    segment_ += tar_end();
    tar += tar_end();
    flush();
  }

 private:
  void flush() {
    record += "{\"type\":2,\"payload\":\"" + base64(segment_) + "\"}\n";
    segment_.clear();
  }
  std::string segment_;
};

}  // namespace lazaret::source
