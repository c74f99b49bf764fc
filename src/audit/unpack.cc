#include "audit/unpack.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "base/hash_each.h"
#include "codec/decoder.h"
#include "format/archives.h"
#include "format/tar.h"
#include "format/zip.h"

namespace lazaret::audit {
namespace {

using format::FileKind;

constexpr std::size_t side_piece = 1 << 20;
constexpr std::size_t decode_piece = 64 << 10;
constexpr std::size_t hashed_together = 512 << 10;

codec::Encoding encoding_of(FileKind kind) {
  switch (kind) {
    case FileKind::gzip: return codec::Encoding::gzip;
    case FileKind::zstd: return codec::Encoding::zstd;
    case FileKind::xz: return codec::Encoding::xz;
    case FileKind::lzma: return codec::Encoding::lzma;
    case FileKind::bzip2: return codec::Encoding::bzip2;
    default: return codec::Encoding::plain;
  }
}

// Puts the pieces of side content together, up to side_piece at a time.
class SideCollector {
 public:
  explicit SideCollector(UnpackHandler& handler) : handler_(handler) {}
  void add(std::string_view what, std::uint64_t offset, Bytes piece, bool first) {
    if (first || what != what_) {
      flush();
      what_ = what;
      offset_ = offset;
    }
    while (!piece.empty()) {
      const std::size_t part = std::min(piece.size(), side_piece - bytes_.size());
      bytes_.insert(bytes_.end(), piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(part));
      piece = piece.subspan(part);
      if (bytes_.size() == side_piece) flush();
    }
  }
  void flush() {
    if (!bytes_.empty()) handler_.side_content(what_, offset_, bytes_);
    offset_ += bytes_.size();
    bytes_.clear();
  }

 private:
  UnpackHandler& handler_;
  std::string what_;
  std::uint64_t offset_ = 0;
  std::vector<std::uint8_t> bytes_;
};

// Delivers the members of a tar.
class TarUnpacker final : public StreamUnpacker, private format::TarHandler {
 public:
  TarUnpacker(const UnpackLimits& limits, UnpackHandler& handler)
      : handler_(handler),
        nested_limits_(with_nested_entries(*limits.limits)),
        side_(handler),
        assembler_(limits.whole_file, limits.limits->file_window_bytes, limits.limits->file_window_overlap, FileMemory{},
                   [this](const FileContent& content) { handler_.member(entry_.path, entry_.mode, entry_.size, content); }),
        reader_(nested_limits_, *this) {}

  void feed(Bytes bytes) override { reader_.feed(bytes); }
  void finish() override {
    reader_.finish();
    side_.flush();
  }

 private:
  static Limits with_nested_entries(Limits limits) {
    limits.layer_entries = limits.nested_entries;
    return limits;
  }

  void entry(const format::TarEntry& entry) override {
    entry_ = entry;
    if (entry.type == format::TarType::file || entry.size > 0) assembler_.begin(entry.size);
  }
  void data(Bytes piece) override { assembler_.add(piece, nullptr); }
  void hole(std::uint64_t size) override { assembler_.add_zeros(size); }
  void entry_end() override {
    if (entry_.type == format::TarType::file || entry_.size > 0) assembler_.end();
  }
  void side_bytes(std::string_view what, std::uint64_t offset, Bytes piece, bool first) override {
    side_.add(what, offset, piece, first);
  }
  void diagnostic(Diagnostic diagnostic) override { handler_.diagnostic(diagnostic); }

  UnpackHandler& handler_;
  const Limits nested_limits_;
  format::TarEntry entry_;
  SideCollector side_;
  FileAssembler assembler_;
  format::TarReader reader_;
};

// Delivers a stream of unknown content as one member.
class SingleFile final : public StreamUnpacker {
 public:
  SingleFile(std::string name, const UnpackLimits& limits, UnpackHandler& handler)
      : assembler_(limits.whole_file, limits.limits->file_window_bytes, limits.limits->file_window_overlap, FileMemory{},
                   [this, &handler](const FileContent& content) {
                     const std::uint64_t size = content.first && content.last ? content.bytes.size() : ~0ull;
                     handler.member(name_, 0, size, content);
                   }),
        name_(std::move(name)) {
    assembler_.begin(~0ull);
  }
  void feed(Bytes bytes) override { assembler_.add(bytes, nullptr); }
  void finish() override { assembler_.end(); }

 private:
  FileAssembler assembler_;
  const std::string name_;
};

// Delivers the members of an ar as they stream by: static libraries may have hundreds of MiB.
class ArUnpacker final : public StreamUnpacker, private format::ArHandler {
 public:
  ArUnpacker(const UnpackLimits& limits, UnpackHandler& handler)
      : handler_(handler),
        side_(handler),
        assembler_(limits.whole_file, limits.limits->file_window_bytes, limits.limits->file_window_overlap, FileMemory{},
                   [this](const FileContent& content) { handler_.member(path_, mode_, size_, content); }),
        reader_(*limits.limits, *this) {}

  void feed(Bytes bytes) override { reader_.feed(bytes); }
  void finish() override {
    reader_.finish();
    side_.flush();
  }

 private:
  void member(std::string_view path, std::uint32_t mode, std::uint64_t size) override {
    path_ = path;
    mode_ = mode;
    size_ = size;
    begun_ = false;
  }
  void data(std::uint64_t, Bytes piece) override {
    if (!begun_) assembler_.begin(size_);
    begun_ = true;
    assembler_.add(piece, nullptr);
  }
  void member_end() override {
    if (begun_) assembler_.end();
  }
  void gap(std::uint64_t offset, Bytes piece, bool first) override {
    if (first) whole_ = offset == 0;
    // Nothing but the magic is an archive's: the content was audited as it is, and would be unpacked as the same archive for ever.
    if (!whole_) side_.add("archive-gap", offset, piece, first);
  }
  void diagnostic(Diagnostic diagnostic) override { handler_.diagnostic(diagnostic); }

  UnpackHandler& handler_;
  std::string path_;
  std::uint32_t mode_ = 0;
  std::uint64_t size_ = 0;
  bool begun_ = false, whole_ = false;
  SideCollector side_;
  FileAssembler assembler_;
  format::ArReader reader_;
};

std::string name_without_extension(std::string_view name) {
  const auto slash = name.rfind('/');
  if (slash != std::string_view::npos) name.remove_prefix(slash + 1);
  const auto dot = name.rfind('.');
  if (dot != std::string_view::npos && dot > 0) {
    const std::string_view extension = name.substr(dot + 1);
    if (extension == "tgz" || extension == "txz" || extension == "tbz2" || extension == "tzst") {
      return std::string(name.substr(0, dot)) + ".tar";
    }
    for (const std::string_view known : {"gz", "z", "zst", "xz", "lzma", "bz2"}) {
      if (extension == known) return std::string(name.substr(0, dot));
    }
  }
  return "content";
}

// Decodes, then looks at the first block: a tar is unpacked further, anything else is one file.
class CompressedUnpacker final : public StreamUnpacker, private codec::SideContent {
 public:
  CompressedUnpacker(codec::Encoding encoding, std::string_view name, const UnpackLimits& limits, UnpackHandler& handler)
      : limits_(limits), handler_(handler), name_(name_without_extension(name)), side_(handler), buffer_(decode_piece) {
    decoder_ = codec::make_decoder(
        encoding, {limits.bytes_out, limits.ratio, limits.ratio_grace, limits.limits->decoder_window}, this);
  }

  void feed(Bytes bytes) override {
    for (;;) {
      const std::size_t room = buffer_.size() - filled_;
      const std::size_t written = decoder_->decode(bytes, std::span(buffer_).subspan(filled_));
      filled_ += written;
      if (filled_ == buffer_.size()) deliver();
      if (written < room && bytes.empty()) return;
    }
  }

  void finish() override {
    feed({});
    decoder_->end_of_input();
    deliver();
    if (inner_ != nullptr) inner_->finish();
    side_.flush();
    for (const Diagnostic& diagnostic : decoder_->diagnostics()) handler_.diagnostic(diagnostic);
  }

 private:
  void deliver() {
    const Bytes bytes(buffer_.data(), filled_);
    if (inner_ == nullptr) {
      if (format::looks_like_tar(bytes)) {
        inner_ = std::make_unique<TarUnpacker>(limits_, handler_);
      } else {
        inner_ = std::make_unique<SingleFile>(name_, limits_, handler_);
      }
    }
    inner_->feed(bytes);
    filled_ = 0;
  }
  void side_bytes(std::string_view what, std::uint64_t offset, Bytes piece, bool first) override {
    side_.add(what, offset, piece, first);
  }

  const UnpackLimits limits_;
  UnpackHandler& handler_;
  const std::string name_;
  SideCollector side_;
  std::vector<std::uint8_t> buffer_;
  std::size_t filled_ = 0;
  std::unique_ptr<codec::Decoder> decoder_;
  std::unique_ptr<StreamUnpacker> inner_;
};

// One member of a zip: decoded if need be, delivered as one file.
class ZipMember final : private codec::SideContent {
 public:
  ZipMember(const format::ZipEntry& entry, UnpackLimits& limits, UnpackHandler& handler)
      : entry_(entry), limits_(limits), handler_(handler) {}

  void deliver() {
    if (entry_.encrypted) {
      handler_.diagnostic({"obfuscation.encrypted-archive", "the zip member is encrypted and cannot be looked at",
                           entry_.header_offset, true, entry_.data.size()});
      return;
    }
    if (entry_.method == 0) {
      deliver_windows(entry_.data);
      return;
    }
    const codec::DecoderLimits decoder_limits{limits_.bytes_out, limits_.ratio, limits_.ratio_grace,
                                              limits_.limits->decoder_window};
    std::unique_ptr<codec::Decoder> decoder;
    if (entry_.method == 8) {
      decoder = codec::make_raw_deflate_decoder(decoder_limits, this);
    } else if (entry_.method == 12) {
      decoder = codec::make_decoder(codec::Encoding::bzip2, decoder_limits, this);
    } else if (entry_.method == 93) {
      decoder = codec::make_decoder(codec::Encoding::zstd, decoder_limits, this);
    } else if (entry_.method == 95) {
      decoder = codec::make_decoder(codec::Encoding::xz, decoder_limits, this);
    } else {
      handler_.diagnostic({"anomaly.zip-method", "the zip member is compressed by method " + std::to_string(entry_.method) +
                                                     ", which lazaret does not read",
                           entry_.header_offset, true, entry_.data.size()});
      return;
    }
    FileAssembler assembler(limits_.whole_file, limits_.limits->file_window_bytes, limits_.limits->file_window_overlap,
                            FileMemory{}, [this](const FileContent& content) {
                              const std::uint64_t size = content.first && content.last ? content.bytes.size() : ~0ull;
                              handler_.member(entry_.path, entry_.mode, size, content);
                            });
    assembler.begin(~0ull);
    std::vector<std::uint8_t> buffer(std::min<std::size_t>(decode_piece, std::max<std::size_t>(entry_.size, 512)));
    Bytes in = entry_.data;
    for (;;) {
      const std::size_t written = decoder->decode(in, buffer);
      assembler.add(Bytes(buffer.data(), written), nullptr);
      if (written < buffer.size() && in.empty()) break;
    }
    decoder->end_of_input();
    assembler.end();
    limits_.bytes_out -= std::min(limits_.bytes_out, decoder->bytes_out());
    for (const Diagnostic& diagnostic : decoder->diagnostics()) handler_.diagnostic(diagnostic);
  }

 private:
  void deliver_windows(Bytes data) {
    limits_.bytes_out -= std::min<std::uint64_t>(limits_.bytes_out, data.size());
    handler_.member(entry_.path, entry_.mode, data.size(), {data, 0, true, true, nullptr, false, {}});
  }
  void side_bytes(std::string_view what, std::uint64_t offset, Bytes piece, bool) override {
    handler_.side_content(what, entry_.header_offset + offset, piece);
  }

  const format::ZipEntry& entry_;
  UnpackLimits& limits_;  // the bytes of all members count together
  UnpackHandler& handler_;
};

void unpack_zip(Bytes content, UnpackLimits limits, UnpackHandler& handler) {
  const format::ZipFile zip = format::parse_zip(content, *limits.limits);
  const std::uint64_t whole = limits.bytes_out;
  // The ratio of a zip is that of all its members to the whole file.
  const auto by_ratio = checked_mul(content.size(), limits.ratio);
  if (by_ratio && *by_ratio < whole) limits.bytes_out = std::max(*by_ratio, limits.ratio_grace);
  limits.ratio = 0;
  for (const Diagnostic& diagnostic : zip.diagnostics) handler.diagnostic(diagnostic);
  for (const format::ZipEntry& entry : zip.entries) {
    if (entry.is_directory && entry.data.empty()) continue;
    if (limits.bytes_out == 0) {
      handler.diagnostic({"anomaly.compression-bomb", "the zip's members hold more bytes than the limit allows", entry.header_offset,
                          true, entry.data.size()});
      break;
    }
    ZipMember(entry, limits, handler).deliver();
  }
  if (!zip.gaps.empty()) {
    std::uint64_t bytes = 0;
    for (const auto& gap : zip.gaps) bytes += gap.size;
    handler.diagnostic({"hidden-content.zip-gap", "the zip has " + std::to_string(bytes) + " bytes that belong to no member", zip.gaps.front().offset, false, 0});
  }
  for (const auto& gap : zip.gaps) {
    for (std::uint64_t offset = 0; offset < gap.size; offset += side_piece) {
      handler.side_content("zip-gap", gap.offset + offset,
                           clamp(content, gap.offset + offset, std::min<std::uint64_t>(side_piece, gap.size - offset)));
    }
  }
  if (!zip.comment.empty()) handler.side_content("zip-comment", 0, as_bytes(zip.comment));
}

void deliver_archive(const format::Archive& archive, Bytes content, UnpackHandler& handler) {
  for (const Diagnostic& diagnostic : archive.diagnostics) handler.diagnostic(diagnostic);
  // Some members at a time are hashed at once (hash_each.h), few enough that their bytes are still in the cache when they are looked at.
  std::vector<const format::ArchiveMember*> group;
  std::vector<Bytes> contents;
  std::size_t bytes = 0;
  const auto deliver_group = [&] {
    std::vector<Digest> digests(contents.size());
    hash_each(HashAlgorithm::sha256, contents, digests);
    for (std::size_t i = 0; i < group.size(); ++i) {
      handler.member(group[i]->path, group[i]->mode, contents[i].size(), {contents[i], 0, true, true, nullptr, false, digests[i]});
    }
    group.clear();
    contents.clear();
    bytes = 0;
  };
  for (const format::ArchiveMember& member : archive.members) {
    if (member.data.empty()) continue;
    group.push_back(&member);
    contents.push_back(member.data);
    bytes += member.data.size();
    if (bytes >= hashed_together || group.size() >= 256) deliver_group();
  }
  deliver_group();
  for (const auto& [offset, size] : archive.gaps) {
    // Nothing but the magic is an archive's: the content was audited as it is, and would be unpacked as the same archive for ever.
    if (size == content.size()) continue;
    for (std::uint64_t done = 0; done < size; done += side_piece) {
      handler.side_content("archive-gap", offset + done, clamp(content, offset + done, std::min<std::uint64_t>(side_piece, size - done)));
    }
  }
}

}  // namespace

bool is_stream_container(FileKind kind) {
  return kind == FileKind::tar || kind == FileKind::ar || encoding_of(kind) != codec::Encoding::plain;
}

bool is_container(FileKind kind) {
  return is_stream_container(kind) || kind == FileKind::zip || kind == FileKind::cpio || kind == FileKind::rpm;
}

bool is_closed_container(FileKind kind) {
  return kind == FileKind::seven_zip || kind == FileKind::rar || kind == FileKind::cab || kind == FileKind::iso ||
         kind == FileKind::squashfs;
}

std::unique_ptr<StreamUnpacker> open_unpacker(FileKind kind, std::string_view name, const UnpackLimits& limits,
                                              UnpackHandler& handler) {
  if (kind == FileKind::tar) return std::make_unique<TarUnpacker>(limits, handler);
  if (kind == FileKind::ar) return std::make_unique<ArUnpacker>(limits, handler);
  return std::make_unique<CompressedUnpacker>(encoding_of(kind), name, limits, handler);
}

bool unpack(FileKind kind, std::string_view name, Bytes content, const UnpackLimits& limits, UnpackHandler& handler) {
  // An ar that is held whole needs no copies of its members.
  if (is_stream_container(kind) && kind != FileKind::ar) {
    const auto unpacker = open_unpacker(kind, name, limits, handler);
    unpacker->feed(content);
    unpacker->finish();
    return true;
  }
  switch (kind) {
    case FileKind::zip: unpack_zip(content, limits, handler); return true;
    case FileKind::ar: deliver_archive(format::parse_ar(content, *limits.limits), content, handler); return true;
    case FileKind::cpio: deliver_archive(format::parse_cpio(content, *limits.limits), content, handler); return true;
    case FileKind::rpm: deliver_archive(format::parse_rpm(content, *limits.limits).contents, content, handler); return true;
    default: return false;
  }
}

}  // namespace lazaret::audit
