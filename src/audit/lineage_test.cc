#include "audit/lineage.h"

#include <gtest/gtest.h>

namespace lazaret::audit {
namespace {

Digest layer(const char* name) { return sha256(as_bytes(std::string_view(name))); }

TEST(ChainIds, AreThoseOfTheSpecification) {
  // image-spec config.md: ChainID(L0) = DiffID(L0); ChainID(L0|..|Ln) = Digest(ChainID(L0|..|Ln-1) + " " + DiffID(Ln))
  const auto chain = chain_ids({layer("a"), layer("b"), layer("c")});
  ASSERT_EQ(chain.size(), 3u);
  EXPECT_EQ(chain[0], layer("a"));
  EXPECT_EQ(chain[1], sha256(as_bytes(layer("a").str() + " " + layer("b").str())));
  EXPECT_EQ(chain[2], sha256(as_bytes(chain[1].str() + " " + layer("c").str())));
  EXPECT_TRUE(chain_ids({}).empty());
}

TEST(BaseTable, FindsTheLongestKnownPrefix) {
  BaseTable table;
  table.add_image({layer("a"), layer("b")}, "debian:12", "");
  EXPECT_EQ(table.find({layer("a"), layer("b"), layer("x")}).base.layers, 2u);
  EXPECT_EQ(table.find({layer("a"), layer("x"), layer("b")}).base.layers, 1u);
  EXPECT_EQ(table.find({layer("b"), layer("a")}).base.layers, 0u) << "the order counts";
  EXPECT_EQ(table.find({}).base.layers, 0u);
}

TEST(BaseTable, AWholeImageGoesBeforeAPartOfALargerOne) {
  const std::vector<Digest> debian = {layer("a")}, app = {layer("a"), layer("b")};
  BaseTable one, other;
  one.add_image(debian, "debian:12", "");
  one.add_image(app, "app:1", "");
  other.add_image(app, "app:1", "");
  other.add_image(debian, "debian:12", "");
  EXPECT_EQ(one.text(), other.text()) << "the order of trusting makes no difference";
  EXPECT_EQ(one.find(debian).base.reference, "debian:12");
  EXPECT_EQ(one.find(app).base.reference, "app:1");
  EXPECT_EQ(one.add_image(app, "app:1", ""), 0u);
}

TEST(BaseTable, IsTheSameAfterWritingAndReading) {
  BaseTable table;
  table.add_image({layer("a"), layer("b")}, "registry.example/team/base:1", layer("manifest").str());
  table.add_image({layer("c")}, "a name with spaces", "");
  const auto read = BaseTable::parse(table.text(), "bases");
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->entries(), table.entries());
  EXPECT_EQ(read->digest(), table.digest());
  EXPECT_NE(table.digest(), BaseTable().digest());
}

TEST(BaseTable, MistakesAreNamedWithTheirLine) {
  const std::string head = "# lazaret bases v1\n", id = layer("a").str();
  for (const std::string& text : {std::string(), std::string("x\n"), head + id + "\n", head + "sha256:xx 1/1 - r\n", head + id + " 2/1 - r\n", head + id + " 0/1 - r\n", head + id + " 1/99999 - r\n",
                                  head + id + " 1 - r\n", head + id + " 1/1 y r\n", head + id + " 1/1 - \n", head + id + " 1/1 - r\n" + id + " 1/1 - s\n"}) {
    const auto read = BaseTable::parse(text, "bases");
    ASSERT_FALSE(read.ok()) << text;
    EXPECT_TRUE(read.error().message.starts_with("bases:")) << read.error().message;
  }
}

}  // namespace
}  // namespace lazaret::audit
