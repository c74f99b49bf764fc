#include "engine/saved_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace lazaret::engine {
namespace {

class SavedFile : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& bytes) const { std::ofstream(file_, std::ios::binary) << bytes; }
  std::string read() const {
    std::ifstream in(file_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  const std::string folder_ = testing::TempDir() + "saved_file_test." + std::to_string(::getpid());
  const std::string file_ = folder_ + "/kept";
};

TEST_F(SavedFile, GivesBackWhatWasSaved) {
  const std::string bytes("some\0bytes\xff", 11);
  save_file(file_, bytes);
  EXPECT_EQ(load_file(file_), bytes);
  save_file(file_, "");
  EXPECT_EQ(load_file(file_), "");
  // Nothing half-written stays beside it.
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(SavedFile, ADamagedFileIsNone) {
  EXPECT_EQ(load_file(file_), std::nullopt);
  save_file(file_, "content");
  const std::string whole = read();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    write(whole.substr(0, size));
    EXPECT_EQ(load_file(file_), std::nullopt) << size;
  }
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    write(damaged);
    EXPECT_EQ(load_file(file_), std::nullopt) << at;
  }
}

TEST_F(SavedFile, AFolderThatIsNotThereIsNoError) {
  save_file(folder_ + "/absent/kept", "content");
  EXPECT_EQ(load_file(folder_ + "/absent/kept"), std::nullopt);
}

}  // namespace
}  // namespace lazaret::engine
