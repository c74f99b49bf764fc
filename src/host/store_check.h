// The images and containers of the stores: known bad, standing on something that is, run with the host in their hands.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "host/check.h"
#include "host/inventory.h"

namespace lazaret::host {

class StoreCheck {
 public:
  StoreCheck(const CheckOptions& options, const CheckMachine& machine, CheckReport& report) : options_(options), machine_(machine), report_(report) {}

  // Adds a subject for each image and container of the store. An Error only when cancelled, or when a store that the user named is none.
  Result<void> look_at(StorePlace place);

  // After all stores: what images say about each other, and about their containers.
  void relate();

 private:
  // What tells whether one image stands on another.
  struct ImageFacts {
    std::size_t subject = 0;
    std::set<Digest> configs;
    struct Lineage {
      std::vector<Digest> diff_ids;
      std::vector<std::string> history;
    };
    std::vector<Lineage> lineages;  // of each manifest
  };
  struct ContainerFacts {
    std::size_t subject = 0;
    std::string image_name, image_id;
  };

  Result<void> look_at_image(const StorePlace& place, const StoredImage& image);
  Result<void> look_at_container(const StorePlace& place, const StoredContainer& container);
  void find_known(const StoredImage& image, const format::ImageDescription& description, Subject& subject);
  void find_known_name(const std::string& name, Subject& subject);
  void judge_settings(const ContainerSettings& settings, Subject& subject);
  Result<void> audit(const std::function<Result<format::ImageDescription>(BlobConsumer&, const source::SourceOptions&)>& deliver, Subject& subject, format::ImageDescription* description);
  bool is_bad(const Subject& subject) const;

  const CheckOptions& options_;
  const CheckMachine& machine_;
  CheckReport& report_;
  std::vector<ImageFacts> images_;
  std::vector<ContainerFacts> containers_;
  std::set<std::string> docker_containers_;  // containerd knows them too, in its namespace "moby"
};

}  // namespace lazaret::host
