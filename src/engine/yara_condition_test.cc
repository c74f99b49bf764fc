#include "engine/yara_condition.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>

namespace lazaret::engine {
namespace {

// One rule with the strings $a, $b, $c and $d, behind a rule `other` with the string $x.
class Rule {
 public:
  explicit Rule(const std::string& condition) {
    const YaraSource source = read_yara_source(
        "rule other { strings: $x = \"x-string\" condition: $x }\n"
        "rule r { strings: $a = \"a-string\" $b = \"b-string\" $c = \"c-string\" $d = \"d-string\" condition: " + condition + " }");
    EXPECT_EQ(source.problem, "") << condition;
    conditions_.add("n", source);
    for (std::size_t i = 0; i < conditions_.strings().size(); ++i) conditions_.string(i).prefix = conditions_.string(i).source.value;
  }

  // `present`: letters of the strings that are there.
  bool may_be_true(const std::string& present, const std::string& content = "content", const std::string& name = "", std::uint64_t size = 0) {
    YaraFacts facts;
    facts.content = as_bytes(content);
    facts.file_size = size == 0 ? content.size() : size;
    facts.variables[0] = name;
    return evaluate(facts, present);
  }
  bool may_be_true_in_class(YaraHeader header, bool is_large) {
    return evaluate(class_of(header, is_large), "xabcd");
  }
  // The letters of the strings of which one must be there; "-" for a rule that needs none, "never" for one that is not true.
  std::string needed(std::vector<double> costs = {1, 1, 1, 1, 1}, YaraHeader header = YaraHeader::other) {
    YaraConditions::Needs needs(conditions_, costs);
    needs.begin(class_of(header, false));
    const auto& choice = needs.of(1);
    if (choice.cost == std::numeric_limits<double>::infinity()) return "-";
    std::string letters;
    for (const std::uint32_t string : choice.strings) letters += "xabcd"[string];
    return letters.empty() ? "never" : letters;
  }

 private:
  static YaraFacts class_of(YaraHeader header, bool is_large) {
    YaraFacts facts;
    facts.known = false;
    facts.header = header;
    (is_large ? facts.least_size : facts.most_size) = 1 << 20;
    return facts;
  }
  bool evaluate(const YaraFacts& facts, const std::string& present) {
    std::vector<std::uint8_t> there;
    for (const char letter : std::string("xabcd")) there.push_back(present.find(letter) != std::string::npos ? 1 : 0);
    YaraConditions::Evaluation evaluation(conditions_);
    evaluation.begin(facts, there);
    return evaluation.may_be_true(1);
  }
  YaraConditions conditions_;
};

TEST(YaraCondition, StringsThatAreAbsentDecide) {
  Rule both("$a and $b");
  EXPECT_TRUE(both.may_be_true("ab"));
  EXPECT_FALSE(both.may_be_true("a"));
  Rule either("$a or $b");
  EXPECT_TRUE(either.may_be_true("b"));
  EXPECT_FALSE(either.may_be_true("c"));
  // A string that may be there may also not match.
  EXPECT_TRUE(Rule("not $a").may_be_true("a"));
  EXPECT_TRUE(Rule("not $a").may_be_true(""));
  EXPECT_FALSE(Rule("not ($a or true)").may_be_true(""));
}

TEST(YaraCondition, Sets) {
  EXPECT_TRUE(Rule("2 of them").may_be_true("ad"));
  EXPECT_FALSE(Rule("2 of them").may_be_true("a"));
  EXPECT_FALSE(Rule("all of them").may_be_true("abc"));
  EXPECT_TRUE(Rule("none of them").may_be_true("abcd"));
  EXPECT_FALSE(Rule("75% of them").may_be_true("ab"));
  EXPECT_TRUE(Rule("75% of them").may_be_true("abd"));
  EXPECT_FALSE(Rule("5 of them").may_be_true("abcd"));
  EXPECT_TRUE(Rule("0 of them").may_be_true(""));
  EXPECT_FALSE(Rule("for any of ($a, $b) : ( # > 2 )").may_be_true("c"));
  EXPECT_FALSE(Rule("for any of ($a, $b) : ( $ at 3 )").may_be_true("a", "no"));
  EXPECT_FALSE(Rule("any of (other*)").may_be_true("abcd"));
  EXPECT_TRUE(Rule("any of (other*)").may_be_true("x"));
}

TEST(YaraCondition, CountsAndPlaces) {
  EXPECT_FALSE(Rule("#a > 2").may_be_true("b"));
  EXPECT_TRUE(Rule("#a == 0").may_be_true("b"));
  EXPECT_TRUE(Rule("#a > 2").may_be_true("a"));
  EXPECT_FALSE(Rule("@a[1] < 100").may_be_true(""));
  EXPECT_TRUE(Rule("not @a[1] < 100").may_be_true(""));
  EXPECT_FALSE(Rule("$a at 2").may_be_true("a", "a-string")) << "it begins with other bytes there";
  EXPECT_FALSE(Rule("for any i in (1..#a) : ( $b at i )").may_be_true("a"));
}

TEST(YaraCondition, WhatStandsInTheFile) {
  Rule elf("uint32(0) == 0x464c457f");
  EXPECT_TRUE(elf.may_be_true("", "\x7f" "ELF"));
  EXPECT_FALSE(elf.may_be_true("", "MZ and more"));
  EXPECT_FALSE(elf.may_be_true("", "abc")) << "behind the end";
  EXPECT_TRUE(Rule("uint16be(0) == 0x4d5a and int8(2) == -1").may_be_true("", "MZ\xff"));
  EXPECT_FALSE(Rule("filesize < 3KB").may_be_true("", "content", "", 4000));
  EXPECT_FALSE(Rule("filesize * 2 - 1 == 14").may_be_true(""));
  EXPECT_TRUE(Rule("filesize * 2 - 1 == 13").may_be_true(""));
  EXPECT_TRUE(Rule("uint8(5000) == 1").may_be_true("", "content", "", 10000)) << "not held, so not known";
  EXPECT_TRUE(Rule("1 \\ 0 == 1 or 1 << 70 == 0").may_be_true("")) << "left to libyara";
}

TEST(YaraCondition, NamesOfTheFile) {
  EXPECT_TRUE(Rule("filename == \"x.exe\"").may_be_true("", "c", "x.exe"));
  EXPECT_FALSE(Rule("filename == \"x.exe\"").may_be_true("", "c", "y.exe"));
  EXPECT_TRUE(Rule("filename iendswith \".EXE\"").may_be_true("", "c", "x.exe"));
  EXPECT_FALSE(Rule("filename matches /^marker-[0-9]/i").may_be_true("", "c", "x.exe"));
  EXPECT_TRUE(Rule("filename matches /^marker-[0-9]/i").may_be_true("", "c", "MARKER-1"));
  EXPECT_TRUE(Rule("some_unknown_value == 1").may_be_true(""));
}

TEST(YaraCondition, ClassesOfFiles) {
  Rule program("uint16(0) == 0x5a4d and $a");
  EXPECT_TRUE(program.may_be_true_in_class(YaraHeader::pe, false));
  EXPECT_FALSE(program.may_be_true_in_class(YaraHeader::elf, false));
  EXPECT_FALSE(program.may_be_true_in_class(YaraHeader::other, false));
  EXPECT_FALSE(Rule("not uint16(0) == 0x5a4d").may_be_true_in_class(YaraHeader::pe, false));
  EXPECT_TRUE(Rule("not uint16(0) == 0x5a4d").may_be_true_in_class(YaraHeader::other, false));
  EXPECT_FALSE(Rule("filesize < 100KB").may_be_true_in_class(YaraHeader::other, true));
  EXPECT_TRUE(Rule("100KB > filesize").may_be_true_in_class(YaraHeader::other, false));
  EXPECT_FALSE(Rule("2MB < filesize").may_be_true_in_class(YaraHeader::other, false));
  EXPECT_FALSE(Rule("pe.number_of_sections == 3").may_be_true_in_class(YaraHeader::elf, false));
}

TEST(YaraNeeds, TheCheapestStringsWithoutWhichARuleIsNotTrue) {
  EXPECT_EQ(Rule("$a and $b").needed({1, 5, 1, 1, 1}), "b");
  EXPECT_EQ(Rule("$a and $b").needed({1, 1, 5, 1, 1}), "a");
  EXPECT_EQ(Rule("$a or $b").needed(), "ab");
  EXPECT_EQ(Rule("all of them").needed({1, 4, 3, 2, 5}), "c");
  EXPECT_EQ(Rule("3 of them").needed({1, 4, 3, 2, 5}), "bc");
  EXPECT_EQ(Rule("any of them").needed(), "abcd");
  EXPECT_EQ(Rule("75% of them").needed({1, 4, 3, 2, 5}), "bc");
  EXPECT_EQ(Rule("5 of them").needed(), "never");
  EXPECT_EQ(Rule("none of them").needed(), "-");
  EXPECT_EQ(Rule("not $a").needed(), "-");
  EXPECT_EQ(Rule("0 of them").needed(), "-");
  EXPECT_EQ(Rule("filesize < 10 or $a").needed(), "-");
  EXPECT_EQ(Rule("filesize < 10 and ($a or $b) and 2 of ($b, $c, $d)").needed({1, 9, 1, 1, 9}), "bc");
  EXPECT_EQ(Rule("filesize < 10 and ($a or $b) and 2 of ($c, $d)").needed({1, 1, 1, 1, 9}), "c");
  EXPECT_EQ(Rule("other and $a").needed({1, 2, 1, 1, 1}), "x");
  EXPECT_EQ(Rule("other or $a").needed(), "xa");
}

TEST(YaraNeeds, CountsPlacesAndLoops) {
  EXPECT_EQ(Rule("#a > 2").needed(), "a");
  EXPECT_EQ(Rule("#a + #b > 2").needed(), "ab");
  EXPECT_EQ(Rule("#a == 0").needed(), "-");
  EXPECT_EQ(Rule("#a < 3").needed(), "-");
  EXPECT_EQ(Rule("@a[1] < 100").needed(), "a");
  EXPECT_EQ(Rule("$a in (0..100) and $b at 5").needed({1, 1, 2, 1, 1}), "a");
  EXPECT_EQ(Rule("for any of ($a, $b) : ( # > 1 )").needed(), "ab");
  EXPECT_EQ(Rule("for all of ($a, $b) : ( $ at 1 and $c )").needed({1, 3, 2, 5, 1}), "b");
  EXPECT_EQ(Rule("for any i in (1..3) : ( $a at i )").needed(), "a");
  EXPECT_EQ(Rule("for all i in (1..#a) : ( $a at i )").needed(), "-") << "true where there is nothing to loop over";
}

TEST(YaraNeeds, AClassOfFilesNeedsLess) {
  EXPECT_EQ(Rule("(uint16(0) == 0x5a4d and $a) or $b").needed(), "b");
  EXPECT_EQ(Rule("(uint16(0) == 0x5a4d and $a) or $b").needed({1, 1, 1, 1, 1}, YaraHeader::pe), "ab");
  EXPECT_EQ(Rule("uint16(0) == 0x5a4d and $a").needed(), "never");
}

TEST(YaraNeeds, AStringThatCannotBeLookedForIsNotChosen) {
  const double infinite = std::numeric_limits<double>::infinity();
  EXPECT_EQ(Rule("$a and $b").needed({1, infinite, 9, 1, 1}), "b");
  EXPECT_EQ(Rule("$a or $b").needed({1, infinite, 9, 1, 1}), "-");
  EXPECT_EQ(Rule("2 of ($a, $b, $c)").needed({1, infinite, 9, 1, 1}), "bc");
  EXPECT_EQ(Rule("any of ($a, $b, $c)").needed({1, infinite, 9, 1, 1}), "-");
}

}  // namespace
}  // namespace lazaret::engine
