// Differential test: what GNU tar makes of a folder, in every form it knows, is read back as the
// same names and bytes; what GNU tar lists of a hand-made archive is what the reader finds in it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "format/tar_test_support.h"

namespace lazaret::format {
namespace {

using testing::IsEmpty;

class GnuTar : public testing::Test {
 protected:
  void SetUp() override {
    if (output("tar --version 2>/dev/null").find("GNU tar") == std::string::npos)
      GTEST_SKIP() << "GNU tar is not installed";
    char name[] = "/tmp/lazaret-tar-test-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
  }
  void TearDown() override {
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }

  static std::string output(const std::string& command) {
    std::string result;
    std::FILE* pipe = popen(command.c_str(), "r");
    if (pipe == nullptr) return result;
    char buffer[4096];
    for (std::size_t size; (size = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;)
      result.append(buffer, size);
    pclose(pipe);
    return result;
  }
  static std::string content_of(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::stringstream content;
    content << file.rdbuf();
    return content.str();
  }
  void write(const std::string& name, const std::string& content) {
    const auto path = folder_ / "tree" / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << content;
    files_[name] = content;
  }
  // Runs of data far apart, so that the file system and tar keep it sparse.
  void write_sparse(const std::string& name, int runs) {
    const auto path = folder_ / "tree" / name;
    write(name, "");
    std::string& content = files_[name];
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    for (int i = 0; i < runs; ++i) {
      const auto at = static_cast<std::size_t>(i) * 65536 + 8192;
      const std::string run = "run " + std::to_string(i);
      content.resize(at, '\0');
      content += run;
      file.seekp(static_cast<std::streamoff>(at));
      file << run;
    }
    content.resize(content.size() + 100000, '\0');
    file.close();
    std::filesystem::resize_file(path, content.size());
  }
  TarRecorder make_and_read(const std::string& options) {
    const std::string archive = (folder_ / "archive.tar").string();
    output("cd '" + (folder_ / "tree").string() + "' && tar " + options + " -cf '" + archive +
           "' * 2>&1");
    return read_tar(content_of(archive), {}, 10000);
  }

  std::filesystem::path folder_;
  std::map<std::string, std::string> files_;
};

TEST_F(GnuTar, ArchivesOfEachFormatAreReadAsTheyWereWritten) {
  write("a", "hello");
  write("empty", "");
  write("big", std::string(100000, 'b'));
  write("block", std::string(512, 'b'));
  write("caf\xc3\xa9", "utf-8");
  const std::string short_deep(60, 'd');
  write(short_deep + "/" + std::string(80, 'f'), "prefix");
  for (const std::string format : {"v7", "ustar", "oldgnu", "gnu", "posix"}) {
    if (format == "oldgnu") {
      write(std::string(90, 'e') + "/" + std::string(200, 'g') + "/file", "long");
      std::filesystem::create_symlink(std::string(150, 't'), folder_ / "tree" / "link");
    }
    const TarRecorder result = make_and_read("--format=" + format);
    EXPECT_TRUE(result.in_order);
    EXPECT_TRUE(is_balanced(result.account));
    EXPECT_THAT(result.rules(), IsEmpty()) << format;
    EXPECT_THAT(result.sides, IsEmpty()) << format;
    std::map<std::string, std::string> found;
    for (const TarRecord& record : result.entries) {
      if (record.entry.type == TarType::file) found[record.entry.path] = record.content;
      if (record.entry.type == TarType::symlink) {
        EXPECT_EQ(record.entry.link_target, std::string(150, 't')) << format;
      }
    }
    auto expected = files_;
    // Names over 99 bytes do not fit v7 and are left out.
    if (format == "v7") expected.erase(short_deep + "/" + std::string(80, 'f'));
    EXPECT_EQ(found, expected) << format;
  }
}

TEST_F(GnuTar, SparseFilesOfEachFormatAreReadAsTheyWereWritten) {
  write_sparse("few", 3);
  write_sparse("many", 100);
  write_sparse("long-" + std::string(120, 'n'), 5);
  for (const std::string options :
       {"--format=gnu -S", "--format=oldgnu -S", "--format=posix -S --sparse-version=0.0",
        "--format=posix -S --sparse-version=0.1", "--format=posix -S --sparse-version=1.0"}) {
    const TarRecorder result = make_and_read(options);
    EXPECT_THAT(result.rules(), IsEmpty()) << options;
    EXPECT_THAT(result.sides, IsEmpty()) << options;
    EXPECT_TRUE(is_balanced(result.account));
    ASSERT_EQ(result.entries.size(), files_.size()) << options;
    for (const TarRecord& record : result.entries) {
      EXPECT_TRUE(record.entry.sparse) << options << " " << record.entry.path;
      EXPECT_LT(record.stored, record.size);
      ASSERT_EQ(record.size, files_[record.entry.path].size()) << options;
      // The recorder leaves out holes over 1 MiB; there are none.
      EXPECT_TRUE(record.content == files_[record.entry.path]) << options;
    }
  }
}

TEST_F(GnuTar, ListsTheSameMembersOfHandMadeArchives) {
  const std::string long_name = "long/" + std::string(200, 'n');
  const std::string archives[] = {
      tar_member("a", "x") + TarBlock("b", '1', 0).link("a").str() + tar_end_marker,
      pax_header(pax_record("path", long_name)) + tar_member(long_name.substr(0, 100), "abc") +
          tar_member("b", "x") + tar_end_marker,
      gnu_long(long_name) + TarBlock(long_name.substr(0, 100), '0', 3).gnu().str() +
          tar_padded("abc") + tar_member("b", "x") + tar_end_marker,
      TarBlock("name").set(345, "some/folder").str() + tar_end_marker,
      TarBlock("a", '1', 700).link("x").str() + tar_member("b", "x") + tar_end_marker,
      pax_header(pax_record("path", "harmless") + pax_record("path", "evil")) +
          tar_member("a", "") + tar_end_marker,
      pax_header(pax_record("comment", "x\n" + pax_record("path", "evil"))) + tar_member("a", "") +
          tar_end_marker,
      tar_member("a", "") + tar_end_marker + tar_member("hidden", "") + tar_end_marker,
  };
  for (const std::string& archive : archives) {
    const std::string path = (folder_ / "made.tar").string();
    std::ofstream(path, std::ios::binary) << archive;
    std::string names;
    for (const std::string& name : read_tar(archive).paths()) names += name + "\n";
    EXPECT_EQ(output("tar -tf '" + path + "' 2>/dev/null"), names);
  }
}

}  // namespace
}  // namespace lazaret::format
