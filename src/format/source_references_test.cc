#include <gtest/gtest.h>

#include "format/source_references.h"

namespace lazaret::format {
namespace {

std::vector<std::string> paths(std::string_view text, Language language) {
  std::vector<std::string> result;
  for (const SourceReference& reference : source_references(text, language)) result.push_back((reference.is_module ? "module " : "") + reference.path);
  return result;
}

TEST(SourceReferences, ImportsOfPython) {
  EXPECT_EQ(paths("import os, app.helper as h\nfrom .lib.tool import x\nif 1:\n  import late\nimportant = 1\n", Language::python),
            (std::vector<std::string>{"module os", "module app/helper", "module lib/tool", "module late"}));
}

TEST(SourceReferences, LiteralsThatNameFiles) {
  EXPECT_EQ(paths("os.system('sh /opt/r.sh &'); open(\"data.txt\"); call(['./x', \"run.py\"])", Language::python), (std::vector<std::string>{"/opt/r.sh", "./x", "run.py"}));
  EXPECT_EQ(paths("const a = require('./lib/a'); import b from 'pkg/sub';", Language::node), (std::vector<std::string>{"./lib/a", "pkg/sub"}));
  EXPECT_EQ(paths("include __DIR__ . '/inc/a.php';", Language::php), (std::vector<std::string>{"/inc/a.php"}));
  EXPECT_EQ(paths("require_relative 'why'\nrequire 'json'", Language::ruby), (std::vector<std::string>{"why"}));
}

TEST(SourceReferences, AddressesAndBrokenTextGiveNothing) {
  EXPECT_TRUE(paths("x = 'https://host.example/a.b' + 'don\n", Language::python).empty());
  for (const char* text : {"'", "\"\\", "import ", "from", "'/", "`"}) source_references(text, Language::python);
}

TEST(SourceReferences, StopsAtTheLimit) {
  std::string text;
  for (int i = 0; i < 10'000; ++i) text += "'/a/b' ";
  EXPECT_EQ(source_references(text, Language::node, 64).size(), 64u);
}

}  // namespace
}  // namespace lazaret::format
