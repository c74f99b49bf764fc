// rootfs:DIR. An unpacked root file system as an image of one layer.

#include <fmt/core.h>

#include "source/folder_tar.h"
#include "source/local_file.h"
#include "source/sources.h"

namespace lazaret::source {
namespace {

class RootFolderSource : public ImageSource {
 public:
  RootFolderSource(FileHandle folder, std::string reference)
      : folder_(std::move(folder)), reference_(std::move(reference)) {}

  Result<format::ImageDescription> deliver(BlobConsumer& consumer,
                                           const SourceOptions& options) override {
    format::ImageDescription image;
    image.reference = reference_;
    format::ManifestDescription manifest;
    manifest.layers.push_back({"rootfs", {}});
    image.manifests.push_back(std::move(manifest));

    BlobOffer offer;
    offer.key = "rootfs";
    const auto writer = consumer.begin(offer);
    if (!writer) return image;
    BlobBuffer out(*writer);
    const auto written = write_folder_tar(folder_.get(), {}, options, out, image.unaudited);
    if (!written) {
      writer->fail(written.error());
      return written.error();
    }
    writer->finish();
    return image;
  }

 private:
  const FileHandle folder_;
  const std::string reference_;
};

}  // namespace

Result<std::unique_ptr<ImageSource>> open_root_folder(const Target& target) {
  auto folder = open_folder(target.path);
  if (!folder) return folder.error();
  return std::unique_ptr<ImageSource>(
      std::make_unique<RootFolderSource>(std::move(*folder), local_reference(target)));
}

}  // namespace lazaret::source
