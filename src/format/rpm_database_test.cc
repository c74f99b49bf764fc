#include "format/rpm_database.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "base/digest.h"
#include "base/sqlite.h"
#include "base/text.h"

namespace lazaret::format {
namespace {

void put32(std::string& out, std::uint32_t value, bool big) {
  for (int i = 0; i < 4; ++i) out.push_back(static_cast<char>(value >> (big ? 24 - 8 * i : 8 * i)));
}
void put16(std::string& out, std::uint16_t value, bool big) {
  out.push_back(static_cast<char>(value >> (big ? 8 : 0)));
  out.push_back(static_cast<char>(value >> (big ? 0 : 8)));
}

// A header blob as rpm stores it.
class HeaderWriter {
 public:
  void text(std::uint32_t tag, const std::string& value) { add(tag, 6, 1, value + '\0'); }
  void texts(std::uint32_t tag, const std::vector<std::string>& values) {
    std::string data;
    for (const std::string& value : values) data += value + '\0';
    add(tag, 8, static_cast<std::uint32_t>(values.size()), data);
  }
  void numbers(std::uint32_t tag, const std::vector<std::uint32_t>& values, unsigned size) {
    while (store_.size() % size != 0) store_.push_back('\0');
    std::string data;
    for (const std::uint32_t value : values) size == 2 ? put16(data, static_cast<std::uint16_t>(value), true) : put32(data, value, true);
    add(tag, size == 2 ? 3 : 4, static_cast<std::uint32_t>(values.size()), data);
  }
  std::string blob() const {
    std::string out;
    put32(out, count_, true);
    put32(out, static_cast<std::uint32_t>(store_.size()), true);
    return out + index_ + store_;
  }

 private:
  void add(std::uint32_t tag, std::uint32_t type, std::uint32_t count, const std::string& data) {
    for (const std::uint32_t value : {tag, type, static_cast<std::uint32_t>(store_.size()), count}) put32(index_, value, true);
    store_ += data;
    ++count_;
  }
  std::string index_, store_;
  std::uint32_t count_ = 0;
};

std::string sum(const std::string& text) { return sha256(as_bytes(text)).hex(); }

// `padding` makes the blob longer than a page.
std::string sample_header(const std::string& name, std::size_t padding = 0) {
  HeaderWriter header;
  header.text(1000, name);
  header.text(1001, "1.5");
  header.text(1002, "3.el9");
  header.numbers(1003, {2}, 4);
  header.text(1022, "x86_64");
  header.texts(1117, {"tool", "libtool.so.1", "tool.conf", "folder", "README", "link"});
  header.texts(1118, {"/usr/bin/", "/usr/lib64/", "/etc/"});
  header.numbers(1116, {0, 1, 2, 1, 1, 0}, 4);
  header.numbers(1030, {0100755, 0100644, 0100755, 0040755, 0100644, 0120777}, 2);
  header.numbers(1037, {0, 0, 1, 0, 2, 0}, 4);
  header.texts(1035, {sum("tool"), sum("lib"), sum("conf"), "", sum("doc"), ""});
  header.text(1005, std::string(padding, 'x'));
  return header.blob();
}

std::string expected_text(const std::string& name) { return "P:" + name + "\nV:2:1.5-3.el9\nA:x86_64\nF:usr/bin\nR:tool\nZ:Q2"; }

struct File {
  std::string path, checksum;
  bool operator==(const File&) const = default;
};

std::vector<File> files_of(std::string_view text, std::vector<std::string>* names = nullptr) {
  std::vector<File> files;
  read_apk_installed(text, [&](const ApkPackage& package) {
    if (names != nullptr) names->push_back(package.name + " " + package.version);
    read_apk_files(package.paragraph, [&](const PackagedFile& file) { files.push_back({std::string(file.path), to_hex(as_bytes(file.checksum))}); });
  });
  return files;
}

void expect_two_packages(const std::string& database, const char* form) {
  bool damaged = true;
  const std::string text = rpm_database_as_text(as_bytes(database), &damaged);
  EXPECT_FALSE(damaged) << form;
  EXPECT_TRUE(text.find(expected_text("small")) != std::string::npos) << form << "\n" << text;
  std::vector<std::string> names;
  const auto files = files_of(text, &names);
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names, (std::vector<std::string>{"large 2:1.5-3.el9", "small 2:1.5-3.el9"})) << form;
  ASSERT_EQ(files.size(), 4u) << form;
  EXPECT_EQ(files[0], (File{"/usr/bin/tool", sum("tool")})) << form;
  EXPECT_EQ(files[1], (File{"/usr/lib64/libtool.so.1", sum("lib")})) << form;
}

std::string sqlite_database() {
  const std::string path = testing::TempDir() + "lazaret-rpmdb-" + std::to_string(::getpid());
  std::remove(path.c_str());
  {
    auto database = SqliteDatabase::open(path, 1000);
    EXPECT_TRUE(database.ok());
    EXPECT_TRUE(database->execute("CREATE TABLE Other (x TEXT); CREATE TABLE IF NOT EXISTS 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)").ok());
    for (const std::string& blob : {sample_header("small"), sample_header("large", 30'000)}) {
      auto insert = database->prepare("INSERT INTO Packages (blob) VALUES (?)");
      EXPECT_TRUE(insert.ok());
      EXPECT_TRUE(insert->bind_blob(1, as_bytes(blob)).run().ok());
    }
  }
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  std::remove(path.c_str());
  return bytes.str();
}

std::string ndb_database() {
  std::string file = "RpmP";
  for (const std::uint32_t value : {0u, 1u, 1u, 3u}) put32(file, value, false);
  file.resize(32);
  std::string blobs;
  std::uint32_t number = 0;
  for (const std::string& blob : {sample_header("small"), sample_header("large", 30'000)}) {
    ++number;
    const auto block = static_cast<std::uint32_t>((4096 + blobs.size()) / 16);
    std::string padded = "BlbS";
    for (const std::uint32_t value : {number, 1u, static_cast<std::uint32_t>(blob.size())}) put32(padded, value, false);
    padded += blob;
    padded.resize((padded.size() + 12 + 15) / 16 * 16);
    file += "Slot";
    for (const std::uint32_t value : {number, block, static_cast<std::uint32_t>(padded.size() / 16)}) put32(file, value, false);
    blobs += padded;
  }
  while (file.size() < 4096) file += std::string("Slot") + std::string(12, '\0');
  return file + blobs;
}

std::string berkeley_database(bool big) {
  constexpr std::size_t page_size = 4096;
  const std::string small = sample_header("small"), large = sample_header("large", 30'000);
  const auto page = [&](std::uint32_t number, std::uint32_t next, std::uint16_t entries, std::uint16_t offset, char type) {
    std::string out(8, '\0');
    put32(out, number, big);
    put32(out, 0, big);
    put32(out, next, big);
    put16(out, entries, big);
    put16(out, offset, big);
    out.push_back('\0');
    out.push_back(type);
    return out;
  };
  std::string chain;
  std::uint32_t number = 2;
  for (std::size_t at = 0; at < large.size(); at += page_size - 26) {
    const std::string part = large.substr(at, page_size - 26);
    std::string one = page(number, at + part.size() < large.size() ? number + 1 : 0, 1, static_cast<std::uint16_t>(part.size()), 7) + part;
    one.resize(page_size);
    chain += one;
    ++number;
  }
  std::string meta(8, '\0');
  put32(meta, 0, big);
  put32(meta, 0x00061561, big);
  put32(meta, 9, big);
  put32(meta, page_size, big);
  meta += std::string("\0\x08\0\0", 4);
  put32(meta, 0, big);
  put32(meta, number - 1, big);
  meta.resize(page_size);

  std::string key;
  key.push_back(1);
  put32(key, 1, big);
  std::string off(1, '\3');
  off += std::string(3, '\0');
  put32(off, 2, big);
  put32(off, static_cast<std::uint32_t>(large.size()), big);
  std::string hash(page_size, '\0');
  std::string head = page(1, 0, 4, 0, 13);
  std::size_t end = page_size;
  for (const std::string& item : {key, off, key, std::string(1, '\1') + small}) {
    end -= item.size();
    hash.replace(end, item.size(), item);
    put16(head, static_cast<std::uint16_t>(end), big);
  }
  hash.replace(0, head.size(), head);
  return meta + hash + chain;
}

TEST(RpmHeader, GivesProgramsAndLeavesOutWhatMayChange) {
  RpmPackage package;
  std::vector<std::string> paths;
  ASSERT_TRUE(read_rpm_header(as_bytes(sample_header("tool")), package, [&](const PackagedFile& file) {
    paths.push_back(std::string(file.path) + " " + std::to_string(file.mode) + " " + to_hex(as_bytes(file.checksum)));
  }));
  EXPECT_EQ(package.name, "tool");
  EXPECT_EQ(package.version, "2:1.5-3.el9");
  EXPECT_EQ(package.architecture, "x86_64");
  EXPECT_EQ(paths, (std::vector<std::string>{"/usr/bin/tool 493 " + sum("tool"), "/usr/lib64/libtool.so.1 420 " + sum("lib")}));
}

TEST(RpmDatabase, IsReadInItsThreeForms) {
  expect_two_packages(sqlite_database(), "sqlite");
  expect_two_packages(ndb_database(), "ndb");
  expect_two_packages(berkeley_database(false), "Berkeley DB");
  expect_two_packages(berkeley_database(true), "Berkeley DB, big-endian");
}

TEST(RpmDatabase, OtherBytesAreDamage) {
  bool damaged = false;
  EXPECT_EQ(rpm_database_as_text(as_bytes("no database"), &damaged), "");
  EXPECT_TRUE(damaged);
}

TEST(RpmDatabase, ANewLineInAPathMakesNoPackage) {
  HeaderWriter header;
  header.text(1000, "evil");
  header.text(1001, "1");
  header.text(1002, "1");
  header.texts(1117, {"x\n\nP:forged\nV:1"});
  header.texts(1118, {"/usr/bin/"});
  header.numbers(1116, {0}, 4);
  header.numbers(1030, {0100755}, 2);
  std::string file = ndb_database();
  const std::string blob = header.blob();
  std::string padded = "BlbS";
  for (const std::uint32_t value : {1u, 1u, static_cast<std::uint32_t>(blob.size())}) put32(padded, value, false);
  padded += blob;
  file.replace(4096, padded.size(), padded);
  std::vector<std::string> names;
  files_of(rpm_database_as_text(as_bytes(file), nullptr), &names);
  EXPECT_EQ(std::count(names.begin(), names.end(), "forged 1"), 0);
}

TEST(RpmDatabase, EveryPrefixAndLoopsAreRead) {
  for (const std::string& whole : {sqlite_database(), ndb_database(), berkeley_database(false)}) {
    for (std::size_t size = 0; size < whole.size(); size += size < 4200 ? 1 : 97) {
      bool damaged = false;
      const auto files = files_of(rpm_database_as_text(as_bytes(std::string_view(whole).substr(0, size)), &damaged));
      EXPECT_LE(files.size(), 4u);
    }
  }
  const std::string blob = sample_header("x");
  for (std::size_t size = 0; size < blob.size(); ++size) {
    RpmPackage package;
    EXPECT_FALSE(read_rpm_header(as_bytes(std::string_view(blob).substr(0, size)), package, [](const PackagedFile&) {})) << size;
  }
  // A chain of pages that leads back to its beginning, and a tree whose page is its own child.
  std::string loop = berkeley_database(false);
  for (std::size_t at = 2 * 4096; at < loop.size(); at += 4096) loop.replace(at + 16, 4, std::string("\2\0\0\0", 4));
  bool damaged = false;
  EXPECT_EQ(files_of(rpm_database_as_text(as_bytes(loop), &damaged)).size(), 2u);
  EXPECT_TRUE(damaged);
}

}  // namespace
}  // namespace lazaret::format
