// oci:DIR. An OCI layout in a folder: index.json and blobs/<algorithm>/<hex>.
//
// The folder may be an unpacked hostile archive: see local_file.h for how it is read. Every regular
// file in it is looked at, also those that the layout has no word for.

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>

#include "base/text.h"
#include "source/image_layout.h"
#include "source/local_file.h"
#include "source/sources.h"

namespace lazaret::source {
namespace {

constexpr unsigned max_depth = 16;

// Collects the files of a layout folder as members.
class LayoutFolder {
 public:
  LayoutFolder(int folder, const SourceOptions& options)
      : members(options.limits), folder_(folder), options_(options) {}

  Result<void> read() { return read_folder("", 0); }

  ImageMembers members;
  Unaudited unaudited;

 private:
  Result<void> read_folder(const std::string& path, unsigned depth) {
    const auto folder = open_folder_below(folder_, path);
    if (!folder) {
      unaudited.emplace_back(path, folder.error().message);
      return {};
    }
    bool more = false;
    const auto names = list_folder(folder->get(), options_.limits.image_members, more);
    if (!names) {
      unaudited.emplace_back(path, names.error().message);
      return {};
    }
    if (more) unaudited.emplace_back(path, "the folder holds more files than are looked at");
    for (const auto& name : *names) {
      if (is_cancelled(options_)) return cancelled_error();
      const std::string below = path.empty() ? name : path + "/" + name;
      struct stat status {};
      if (fstatat(folder->get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
        unaudited.emplace_back(below, describe_errno(errno));
      } else if (S_ISDIR(status.st_mode)) {
        if (depth >= max_depth) {
          unaudited.emplace_back(below, "the folder lies too deep");
        } else if (const auto read = read_folder(below, depth + 1); !read) {
          return read;
        }
      } else if (S_ISREG(status.st_mode)) {
        read_file(below, static_cast<std::uint64_t>(status.st_size));
      } else {
        unaudited.emplace_back(below, S_ISLNK(status.st_mode)
                                          ? "a symbolic link, which is not followed"
                                          : "not a regular file");
      }
    }
    return {};
  }

  void read_file(const std::string& path, std::uint64_t size) {
    Member member;
    member.path = path;
    member.size = size;
    const auto index = members.add(std::move(member));
    if (!index) {
      if (!overflow_told_)
        unaudited.emplace_back(path, "the layout holds more files than are looked at");
      overflow_told_ = true;
      return;
    }
    if (!members.may_keep(size)) return;
    const auto file = LocalFile::open_below(folder_, path);
    if (!file) return;  // told when its turn as a blob comes
    std::uint8_t head[4096];
    const auto got = file->read_at(0, head);
    if (!got || !begins_like_json(as_text(Bytes(head, *got))).value_or(false)) return;
    auto document = read_whole(*file, options_.limits.config_bytes);
    if (document && is_json_document(*document, options_.limits))
      members.keep(*index, std::move(*document));
  }

  const int folder_;
  const SourceOptions& options_;
  bool overflow_told_ = false;
};

class LayoutSource : public ImageSource {
 public:
  LayoutSource(FileHandle folder, Target target)
      : folder_(std::move(folder)), target_(std::move(target)) {}

  Result<format::ImageDescription> deliver(BlobConsumer& consumer,
                                           const SourceOptions& options) override {
    LayoutFolder layout(folder_.get(), options);
    if (const auto read = layout.read(); !read) return read.error();
    auto reading = read_layout(layout.members, target_, local_reference(target_), options);
    if (!reading)
      return Error{reading.error().code,
                   fmt::format("{}: {}", target_.text, reading.error().message)};

    std::vector<PendingBlob> blobs = document_blobs(layout.members, *reading);
    for (const Member& member : layout.members.all()) {
      if (member.document || reading->excluded.contains(member.key)) continue;
      PendingBlob blob;
      blob.offer = offer_of(member, *reading);
      if (const auto file = LocalFile::open_below(folder_.get(), member.path))
        blob.offer.file_identity = file->identity(0);
      blob.push = [this, &member, &options,
                   identity = blob.offer.file_identity](BlobWriter& writer) -> Result<void> {
        const auto file = LocalFile::open_below(folder_.get(), member.path);
        if (!file) return file.error();
        if (!identity.empty() && file->identity(0) != identity)
          return Error{ErrorCode::io, "the file was replaced while the layout was read"};
        return push_file(*file, 0, file->size(), options, writer);
      };
      blobs.push_back(std::move(blob));
    }
    announce(blobs, options);
    if (const auto delivered = deliver_blobs(blobs, consumer, options); !delivered)
      return delivered.error();
    for (auto& part : layout.unaudited) reading->image.unaudited.push_back(std::move(part));
    return std::move(reading->image);
  }

 private:
  const FileHandle folder_;
  const Target target_;
};

}  // namespace

Result<std::unique_ptr<ImageSource>> open_layout(const Target& target) {
  auto folder = open_folder(target.path);
  if (!folder) return folder.error();
  return std::unique_ptr<ImageSource>(std::make_unique<LayoutSource>(std::move(*folder), target));
}

}  // namespace lazaret::source
