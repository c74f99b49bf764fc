#include "source/unpacked_layer.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <utility>

#include "base/text.h"
#include "codec/decoder.h"
#include "format/tar_split.h"
#include "source/folder_tar.h"
#include "source/image_members.h"

namespace lazaret::source {
namespace {

using format::TarSplitEntry;

constexpr std::size_t piece_bytes = 1 << 20;
constexpr unsigned max_depth = 256;  // of folders, each of which takes a file descriptor

// Calls `take` for every entry of the record. "" or why it cannot be read to its end.
std::string read_record(const LocalFile& file, const SourceOptions& options,
                        const format::TarSplitReader::Take& take) {
  format::TarSplitReader reader(options.limits, take);
  std::vector<std::uint8_t> raw(64 * 1024), text(256 * 1024);
  std::unique_ptr<codec::Decoder> decoder;
  for (std::uint64_t offset = 0;;) {
    const auto got = file.read_at(offset, raw);
    if (!got) return got.error().message;
    offset += *got;
    Bytes in(raw.data(), *got);
    if (!decoder)
      decoder = codec::make_decoder(codec::sniff(in),
                                    {options.limits.layer_bytes, options.limits.ratio,
                                     options.limits.ratio_grace, options.limits.decoder_window},
                                    nullptr);
    while (true) {
      const std::size_t size = decoder->decode(in, text);
      if (!reader.feed(Bytes(text.data(), size))) return reader.problem();
      if (size < text.size()) break;
    }
    if (*got < raw.size()) break;
  }
  decoder->end_of_input();
  reader.finish();
  if (!reader.problem().empty()) return reader.problem();
  for (const Diagnostic& found : decoder->diagnostics()) {
    if (found.unaudited) return "the record of its tar form: " + found.message;
  }
  return "";
}

// A regular file at a path of the record, as the engine found it when it unpacked: links are
// followed, but inside of the folder, as for a process whose root it is.
struct RecordedFile {
  FileHandle file;
  struct stat status {};
  bool through_link = false;
};
Result<RecordedFile> open_recorded(int folder, const std::string& name) {
  if (name.find('\0') != std::string::npos)
    return Error{ErrorCode::io, "is not the name of a file"};
  RecordedFile result;
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
  long fd = -1;
  // EAGAIN: a rename somewhere on the machine came between.
  for (unsigned attempt = 0; fd < 0 && attempt < 100; ++attempt) {
    fd = syscall(SYS_openat2, folder, name.c_str(), &how, sizeof how);
    if (fd >= 0 || errno == EINTR || errno == EAGAIN) continue;
    if (errno != ELOOP || result.through_link) break;
    result.through_link = true;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  }
  result.file = FileHandle(static_cast<int>(fd));
  if (fd < 0) {
    const int error = errno;
    if (error != ENOSYS && error != EPERM)
      return Error{ErrorCode::io, "cannot be opened: " + describe_errno(error)};
    // An old kernel, or a filter of system calls.
    auto file = LocalFile::open_below(folder, clean_path(name));
    if (!file) return file.error();
    result.file = FileHandle(file->release());
  }
  if (fstat(result.file.get(), &result.status) != 0 || !S_ISREG(result.status.st_mode))
    return Error{ErrorCode::corrupt, "is no longer a file"};
  return result;
}

// 128 bits of a hash that nobody can make collide: the names of three million files in 48 MB.
using NameHash = std::array<std::uint64_t, 2>;
NameHash hash_of(std::string_view path) {
  const Digest digest = sha256(as_bytes(path));
  return {*read_le<std::uint64_t>(digest.bytes(), 0), *read_le<std::uint64_t>(digest.bytes(), 8)};
}

class Rebuild {
 public:
  Rebuild(const UnpackedLayer& layer, const SourceOptions& options, BlobBuffer& out)
      : layer_(layer), options_(options), out_(out) {}

  // Compares record and folder, without reading contents. "" or what does not fit.
  std::string compare() {
    std::string problem;
    const std::string unread =
        read_record(*layer_.tar_split, options_, [&](const TarSplitEntry& entry) {
          if (is_cancelled(options_)) return false;
          if (!entry.is_file) return true;
          names_.push_back(hash_of(clean_path(entry.name)));
          if (entry.size > 0) problem = compare_file(entry);
          return problem.empty();
        });
    if (!problem.empty()) return problem;
    if (!unread.empty()) return unread;
    if (!layer_.overlay || is_cancelled(options_)) return "";
    std::sort(names_.begin(), names_.end());
    std::sort(files_.begin(), files_.end());
    return find_stranger(layer_.folder.get(), "", 0);
  }

  // Writes the layer. "" or what did not fit after all.
  std::string write() {
    std::string changed;
    const std::string unread =
        read_record(*layer_.tar_split, options_, [&](const TarSplitEntry& entry) {
          if (is_cancelled(options_)) return false;
          if (!entry.is_file) return out_.write(entry.segment);
          if (entry.size == 0) return true;
          if (std::string problem = write_file(entry); !problem.empty() && changed.empty())
            changed = std::move(problem);
          return out_.write(std::string_view());
        });
    return changed.empty() ? unread : changed;
  }

 private:
  static std::string about(const std::string& name, std::string_view what) {
    return fmt::format("\"{}\" {}", escape(name, 200), what);
  }

  std::string compare_file(const TarSplitEntry& entry) {
    const auto file = open_recorded(layer_.folder.get(), entry.name);
    if (!file) return about(entry.name, file.error().message);
    const struct stat& status = file->status;
    if (static_cast<std::uint64_t>(status.st_size) != entry.size)
      return about(entry.name,
                   fmt::format("has {} bytes; the layer brought {}", status.st_size, entry.size));
    if (file->through_link) files_.emplace_back(status.st_dev, status.st_ino);
    return "";
  }

  // A file in the folder that the layer did not bring: containers would get it all the same. What
  // has no content adds none, and may be a marker of the engine's.
  std::string find_stranger(int folder, const std::string& path, unsigned depth) {
    if (depth > max_depth) return about(path, "lies too deep");
    bool more = false;
    const auto listed = list_folder(folder, options_.limits.layer_entries, more);
    if (!listed) return about(path, "cannot be listed: " + listed.error().message);
    for (const std::string& name : *listed) {
      if (is_cancelled(options_)) return "";
      const std::string below = path.empty() ? name : path + "/" + name;
      struct stat status {};
      if (fstatat(folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) != 0)
        return about(below, describe_errno(errno));
      if (S_ISDIR(status.st_mode)) {
        const FileHandle inside(
            openat(folder, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!inside.valid()) return about(below, "cannot be listed: " + describe_errno(errno));
        std::string found = find_stranger(inside.get(), below, depth + 1);
        if (!found.empty()) return found;
        continue;
      }
      const bool has_content =
          S_ISLNK(status.st_mode) || (S_ISREG(status.st_mode) && status.st_size > 0);
      if (!has_content || std::binary_search(names_.begin(), names_.end(), hash_of(below)))
        continue;
      // The layer may have written it under another name, through a link of its own.
      if (status.st_nlink == 1 &&
          std::binary_search(files_.begin(), files_.end(), std::pair(status.st_dev, status.st_ino)))
        continue;
      return about(below, "was not brought by the layer");
    }
    return "";
  }

  // Exactly entry.size bytes.
  std::string write_file(const TarSplitEntry& entry) {
    const auto file = open_recorded(layer_.folder.get(), entry.name);
    std::uint64_t done = 0;
    format::Crc64 checksum;
    std::string problem;
    if (!file) {
      problem = about(entry.name, file.error().message);
    } else {
      if (buffer_.empty()) buffer_.resize(piece_bytes);
      while (done < entry.size) {
        if (is_cancelled(options_)) return "";
        const auto wanted =
            static_cast<std::size_t>(std::min<std::uint64_t>(piece_bytes, entry.size - done));
        const ssize_t got = ::read(file->file.get(), buffer_.data(), wanted);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
          problem = about(entry.name, got < 0 ? "cannot be read: " + describe_errno(errno)
                                              : "became shorter while it was read");
          break;
        }
        const Bytes bytes(buffer_.data(), static_cast<std::size_t>(got));
        checksum.update(bytes);
        if (!out_.write(bytes)) return "";
        done += bytes.size();
      }
      if (problem.empty() && checksum.value() != entry.crc64)
        problem = about(entry.name, "has another content than the layer brought");
    }
    out_.write_zeros(entry.size - done);
    return problem;
  }

  const UnpackedLayer& layer_;
  const SourceOptions& options_;
  BlobBuffer& out_;
  std::vector<NameHash> names_;                 // of all that the record has
  std::vector<std::pair<dev_t, ino_t>> files_;  // found through a link, as they are in the folder
  std::vector<std::uint8_t> buffer_;
};

}  // namespace

Result<LayerOutcome> write_unpacked_layer(const UnpackedLayer& layer, const SourceOptions& options,
                                          BlobWriter& writer) {
  LayerOutcome outcome;
  BlobBuffer out(writer);
  if (layer.tar_split) {
    Rebuild rebuild(layer, options, out);
    outcome.changed = rebuild.compare();
    if (is_cancelled(options)) return cancelled_error();
    if (outcome.changed.empty()) {
      outcome.changed = rebuild.write();
      if (is_cancelled(options)) return cancelled_error();
      out.flush();
      outcome.exact = outcome.changed.empty();
      return outcome;
    }
  }
  FolderTarOptions folder_options;
  folder_options.overlay = layer.overlay;
  const auto written =
      write_folder_tar(layer.folder.get(), folder_options, options, out, outcome.unaudited);
  if (!written) return written.error();
  return outcome;
}

void tell_outcome(const std::string& layer, LayerOutcome& outcome,
                  format::ImageDescription& description) {
  for (auto& [path, why] : outcome.unaudited)
    description.unaudited.emplace_back(fmt::format("{}: /{}", layer, path), std::move(why));
  outcome.unaudited.clear();
  if (outcome.exact) return;
  if (outcome.changed.empty()) {
    description.diagnostics.push_back(
        {"anomaly.layer-rebuilt",
         fmt::format("The store has the layer {} only as a folder.", layer), 0, false, 0});
  } else {
    description.unaudited.emplace_back(
        layer, fmt::format("the store does not have the layer as it was pulled: {}. What the store "
                           "has was audited",
                           outcome.changed));
  }
}

}  // namespace lazaret::source
