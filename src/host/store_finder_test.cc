#include "host/store_finder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "source/store_test_support.h"

namespace lazaret::host {
namespace {

using source::TemporaryFolder;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

std::vector<std::string> found(const TemporaryFolder& folder, StorePlaces* places = nullptr) {
  const auto root = HostRoot::open(folder.path());
  auto stores = find_stores(*root, {});
  std::vector<std::string> names;
  for (const StorePlace& place : stores->stores) names.push_back(std::string(name_of(place.engine)) + " " + place.path);
  if (places != nullptr) *places = std::move(*stores);
  return names;
}

TEST(StoreFinder, UsualPlacesAndSettingsAndHomes) {
  const TemporaryFolder folder;
  folder.write("etc/docker/daemon.json", "{\"data-root\":\"/srv/docker\"}");
  folder.write("etc/containers/storage.conf", "[storage]\ndriver=\"overlay\"\ngraphroot=\"/srv/pods\"\n[storage.options]\nadditionalimagestores=[\"/srv/more\"]\n");
  folder.write("etc/containerd/config.toml", "root = \"/srv/ctd\"\n");
  folder.write("etc/passwd", "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/bash\nbroken\nnobody:x:65534:65534::/:/bin/false\n");
  folder.write("srv/docker/containers/x", "");
  folder.write("var/lib/docker/containers/x", "");
  folder.write("srv/pods/x", "");
  folder.write("srv/more/x", "");
  folder.write("home/alice/.local/share/containers/storage/x", "");
  folder.write("srv/ctd/io.containerd.metadata.v1.bolt/meta.db", "");
  folder.write("var/lib/containerd/other", "");
  std::filesystem::create_directories(folder.path("var/lib/containers"));
  std::filesystem::create_symlink("/srv/pods", folder.path("var/lib/containers/storage"));
  EXPECT_THAT(found(folder), ElementsAre("docker /srv/docker", "docker /var/lib/docker", "podman /srv/pods", "podman /srv/more", "podman /home/alice/.local/share/containers/storage", "containerd /srv/ctd"));
}

TEST(StoreFinder, NothingAndBrokenSettings) {
  const TemporaryFolder folder;
  EXPECT_THAT(found(folder), IsEmpty());
  folder.write("etc/containers/storage.conf", "[storage\n");
  folder.write("etc/containerd/config.toml", "root = \n");
  StorePlaces places;
  EXPECT_THAT(found(folder, &places), IsEmpty());
  EXPECT_THAT(places.unread, SizeIs(2));
}

TEST(StoreFinder, AUsersLinkDoesNotLeadOutOfTheRoot) {
  const TemporaryFolder folder, outside;
  outside.write("storage/x", "");
  folder.write("etc/passwd", "eve:x:1:1::/home/eve:/bin/sh\n");
  std::filesystem::create_directories(folder.path("home/eve/.local/share"));
  std::filesystem::create_symlink(outside.path(), folder.path("home/eve/.local/share/containers"));
  EXPECT_THAT(found(folder), IsEmpty());
}

TEST(StoreFinder, AFolderThatTheUserNamedMustBeThere) {
  const TemporaryFolder folder;
  const auto root = HostRoot::open(folder.path());
  EXPECT_EQ(find_stores(*root, {folder.path("none"), "", ""}).error().code, ErrorCode::not_found);
}

}  // namespace
}  // namespace lazaret::host
