#include "audit/layer_names.h"

#include <gtest/gtest.h>

namespace lazaret::audit {
namespace {

struct Name {
  std::string raw;
  format::TarType type = format::TarType::file;
  std::uint64_t size = 0;
};

// The rules that a layer with these names gives, in order.
std::vector<std::string> rules_of(std::initializer_list<Name> names) {
  LayerNames layer;
  EntryTable table;
  for (const Name& name : names) {
    format::TarEntry raw;
    raw.path = name.raw;
    raw.type = name.type;
    raw.size = name.size;
    Entry entry;
    entry.type = name.type;
    entry.path = "/";
    // As canonical_path() does, for the names of this test.
    std::vector<std::string> parts;
    for (std::size_t begin = 0; begin <= name.raw.size();) {
      const std::size_t end = std::min(name.raw.find('/', begin), name.raw.size());
      const std::string part = name.raw.substr(begin, end - begin);
      if (part == "..") parts.pop_back();
      else if (!part.empty() && part != ".") parts.push_back(part);
      begin = end + 1;
    }
    entry.path.clear();
    for (const std::string& part : parts) entry.path += "/" + part;
    if (entry.path.empty()) entry.path = "/";
    layer.add(raw, entry.path, table.size());
    table.append(entry);
  }
  std::vector<std::string> rules;
  for (const NameProblem& problem : layer.finish(table)) rules.push_back(problem.diagnostic.rule);
  return rules;
}
using Ids = std::vector<std::string>;
constexpr auto folder = format::TarType::directory;

TEST(MarkerKind, NamesOfMarkers) {
  EXPECT_EQ(marker_kind("a.wh.b"), MarkerKind::none);
  EXPECT_EQ(marker_kind(".wh.a"), MarkerKind::whiteout);
  EXPECT_EQ(marker_kind(".wh..a"), MarkerKind::whiteout) << "removes the hidden file .a";
  EXPECT_EQ(marker_kind(".wh..wh..opq"), MarkerKind::opaque);
  EXPECT_EQ(marker_kind(".wh..wh..opqX"), MarkerKind::malformed);
  EXPECT_EQ(marker_kind(".wh..wh.plnk"), MarkerKind::aufs);
  for (const char* name : {".wh.", ".wh..", ".wh..."}) EXPECT_EQ(marker_kind(name), MarkerKind::folder) << name;
}

TEST(LayerNames, Markers) {
  EXPECT_EQ(rules_of({{"etc/.wh.passwd"}, {"var/.wh..wh..opq"}, {".wh..wh.aufs"}}), Ids{});
  EXPECT_EQ(rules_of({{"etc/.wh.passwd", format::TarType::file, 5}}), Ids{"hidden-content.whiteout-with-content"});
  EXPECT_EQ(rules_of({{"etc/.wh."}}), Ids{"hidden-content.folder-whiteout"});
  EXPECT_EQ(rules_of({{".wh.."}}), Ids{"hidden-content.folder-whiteout"});
  EXPECT_EQ(rules_of({{"etc/.wh..wh..opqX"}}), Ids{"hidden-content.malformed-whiteout"});
  EXPECT_EQ(rules_of({{"etc/.wh.x", format::TarType::symlink}}), Ids{"hidden-content.malformed-whiteout"});
  EXPECT_EQ(rules_of({{"etc/.wh.x/", folder}, {"etc/.wh.x/run.sh", format::TarType::file, 9}}), (Ids{"hidden-content.malformed-whiteout", "hidden-content.content-below-marker"}));
  EXPECT_EQ(rules_of({{"etc/a"}, {"etc/.wh.a"}}), Ids{"hidden-content.whiteout-of-own-entry"});
}

TEST(LayerNames, PathsThatStandTwice) {
  EXPECT_EQ(rules_of({{"a/", folder}, {"a/b"}, {"a/", folder}}), Ids{}) << "folders stand twice in many layers";
  EXPECT_EQ(rules_of({{"a/b"}, {"a/c"}, {"a/b"}}), Ids{"anomaly.tar-duplicate-entry"});
  for (const char* other : {"./a/b", "a//b", "/a/b", "a/./b", "x/../a/b"}) EXPECT_EQ(rules_of({{"a/b"}, {other}}), Ids{"anomaly.tar-path-collision"}) << other;
  EXPECT_EQ(rules_of({{"./a/", folder}, {"./a/b"}, {"./c"}}), Ids{}) << "one style throughout";
}

TEST(LayerNames, EntriesBelowFilesAndLinks) {
  EXPECT_EQ(rules_of({{"a", format::TarType::symlink}, {"a/b"}}), Ids{"anomaly.tar-entry-below-file"});
  EXPECT_EQ(rules_of({{"a"}, {"a/b/c"}}), Ids{"anomaly.tar-entry-below-file"});
  EXPECT_EQ(rules_of({{"a"}, {"ab/c"}, {"b/a/c"}}), Ids{});
}

TEST(LayerNames, AFewOfAKindAreEnough) {
  LayerNames layer;
  EntryTable table;
  for (int i = 0; i < 10000; ++i) {
    format::TarEntry raw;
    raw.path = "x";
    Entry entry;
    entry.path = "/x";
    layer.add(raw, entry.path, table.size());
    table.append(entry);
  }
  EXPECT_LE(layer.finish(table).size(), 16u);
}

}  // namespace
}  // namespace lazaret::audit
