#include "engine/yara_syntax.h"

#include <gtest/gtest.h>

#include "engine/yara_pack_test_support.h"

namespace lazaret::engine {
namespace {

using Kind = YaraExpression::Kind;
using Quantifier = YaraExpression::Quantifier;

// A condition, written with all of its brackets.
std::string shown(const YaraExpression& e) {
  const auto child = [&](std::size_t i) { return i < e.children.size() ? shown(e.children[i]) : std::string("?"); };
  const auto joined = [&](const std::string& word) {
    std::string all = "(";
    for (std::size_t i = 0; i < e.children.size(); ++i) all += (i > 0 ? " " + word + " " : "") + child(i);
    return all + ")";
  };
  std::string names;
  for (const std::string& name : e.names) names += (names.empty() ? "" : ",") + name;
  const std::string quantifier = e.quantifier == Quantifier::any ? "any" : e.quantifier == Quantifier::all ? "all" : e.quantifier == Quantifier::none ? "none"
                                 : e.quantifier == Quantifier::percent ? child(0) + "%" : child(0);
  switch (e.kind) {
    case Kind::unknown: return "unknown";
    case Kind::boolean: return e.value != 0 ? "true" : "false";
    case Kind::integer: return std::to_string(e.value);
    case Kind::text: return "\"" + e.text + "\"";
    case Kind::regexp: return "/" + e.text + "/" + (e.value != 0 ? "i" : "");
    case Kind::file_size: return "filesize";
    case Kind::read: return e.text + "(" + child(0) + ")";
    case Kind::identifier: return e.text;
    case Kind::module_value: return e.text;
    case Kind::string: return e.text + (e.bounded ? " in " + child(0) + ".." + child(1) : e.children.empty() ? "" : " at " + child(0));
    case Kind::string_count: return "#" + e.text + (e.bounded ? " in " + child(0) + ".." + child(1) : "");
    case Kind::string_place: return "@" + e.text;
    case Kind::negative: return "-" + child(0);
    case Kind::complement: return "~" + child(0);
    case Kind::arithmetic:
    case Kind::compare:
    case Kind::text_compare: return joined(e.text);
    case Kind::logical_and: return joined("and");
    case Kind::logical_or: return joined("or");
    case Kind::logical_not: return "not " + child(0);
    case Kind::defined: return "defined " + child(0);
    case Kind::of: return quantifier + " of {" + names + "}" + (e.bounded ? " bounded" : "");
    case Kind::for_of: return "for " + quantifier + " of {" + names + "} : " + shown(e.children.back());
    case Kind::for_in: return "for " + quantifier + " " + names + " in : " + shown(e.children.back());
  }
  return "?";
}

std::string condition(const std::string& text) {
  const YaraSource source = read_yara_source("rule r { strings: $a = \"a\" $b = \"b\" condition: " + text + " }");
  return source.problem.empty() && source.rules.size() == 1 ? shown(source.rules[0].condition) : "problem: " + source.problem;
}

TEST(YaraSyntax, PrecedenceIsThatOfLibyara) {
  EXPECT_EQ(condition("$a or $b and not $a or true"), "($a or ($b and not $a) or true)");
  EXPECT_EQ(condition("1 + 2 * 3 == 7 and filesize < 3KB"), "(((1 + (2 * 3)) == 7) and (filesize < 3072))");
  EXPECT_EQ(condition("1 | 2 ^ 3 & 4 << 5 - 6"), "(1 | (2 ^ (3 & (4 << (5 - 6)))))");
  EXPECT_EQ(condition("8 - 4 - 2 == 16 \\ 4 \\ 2"), "(((8 - 4) - 2) == ((16 \\ 4) \\ 2))");
  EXPECT_EQ(condition("-1 < ~0 + 1"), "(-1 < (~0 + 1))");
  EXPECT_EQ(condition("not defined uint8(0) == 1"), "not defined (uint8(0) == 1)");
  EXPECT_EQ(condition("1 < 2 == true"), "((1 < 2) == true)");
}

TEST(YaraSyntax, StringsAndSets) {
  EXPECT_EQ(condition("$a at 0x10 and $b in (1..filesize) and #a in (0..60) == 2 and @a[2] > !b"),
            "($a at 16 and $b in 1..filesize and (#$a in 0..60 == 2) and (@$a > @$b))");
  EXPECT_EQ(condition("2 of ($a*, $b) and any of them and all of ($a) and none of ($b)"), "(2 of {$a*,$b} and any of {$*} and all of {$a} and none of {$b})");
  EXPECT_EQ(condition("50% of them and 7 % 2 of them"), "(50% of {$*} and (7 % 2) of {$*})");
  EXPECT_EQ(condition("any of them in (0..64) and 1 + 1 of (r1, r2*)"), "(any of {$*} bounded and (1 + 1) of {r1,r2*})");
}

TEST(YaraSyntax, Loops) {
  EXPECT_EQ(condition("for all of ($a*) : ( $ at 0 and # > 1 )"), "for all of {$a*} : ($ at 0 and (#$ > 1))");
  EXPECT_EQ(condition("for 2 i in (1..#a) : ( @a[i] < 10 )"), "for 2 i in : (@$a < 10)");
  EXPECT_EQ(condition("for any k, v in pe.version_info : ( k == \"x\" )"), "for any k,v in : (k == \"x\")");
  EXPECT_EQ(condition("for any s in pe.sections : ( s.name == \".text\" )"), "for any s in : (s.name == \".text\")");
}

TEST(YaraSyntax, WordsAndModules) {
  EXPECT_EQ(condition("pe.sections[pe.number_of_sections - 1].name contains \"x\" and hash.md5(0, filesize) == \"y\""), "((pe.sections.name contains \"x\") and (hash.md5 == \"y\"))");
  EXPECT_EQ(condition("filename matches /a.b/i or other_rule"), "((filename matches /a.b/i) or other_rule)");
  EXPECT_EQ(condition("uint32be(uint16(2)) == 1 and entrypoint == 0 and 1.5 > 1"), "((uint32be(uint16(2)) == 1) and (unknown == 0) and (unknown > 1))");
}

TEST(YaraSyntax, StringsHaveTheirModifiers) {
  const YaraSource source = read_yara_source(R"(import "pe" private global rule r : tag { meta: a = "b" c = -1 strings:
    $a = "x\x00" wide ascii nocase fullword private $b = { 4D ?? } $c = /a\/b/is wide $d = "k" xor(0x10-32) $e = "k" xor $f = "k" base64 base64wide $g = "k" xor(5)
    condition: other and any of (more*) })");
  ASSERT_EQ(source.problem, "");
  EXPECT_EQ(source.imports, (std::vector<std::string>{"pe"}));
  ASSERT_EQ(source.rules.size(), 1u);
  const YaraRuleSource& rule = source.rules[0];
  EXPECT_TRUE(rule.is_private && rule.is_global);
  EXPECT_EQ(rule.mentioned, (std::vector<std::string>{"more*", "other"}));
  ASSERT_EQ(rule.strings.size(), 7u);
  EXPECT_EQ(rule.strings[0].value, std::string("x\0", 2));
  EXPECT_TRUE(rule.strings[0].wide && rule.strings[0].ascii && rule.strings[0].ignore_case && rule.strings[0].full_word);
  EXPECT_EQ(rule.strings[1].kind, YaraString::Kind::hex);
  EXPECT_TRUE(rule.strings[1].ascii);
  EXPECT_TRUE(rule.strings[2].kind == YaraString::Kind::regexp && rule.strings[2].ignore_case && rule.strings[2].dot_all && rule.strings[2].wide && !rule.strings[2].ascii);
  EXPECT_EQ(std::pair(rule.strings[3].key_min, rule.strings[3].key_max), std::pair(16u, 32u));
  EXPECT_EQ(std::pair(rule.strings[4].key_min, rule.strings[4].key_max), std::pair(0u, 255u));
  EXPECT_TRUE(rule.strings[5].base64 && rule.strings[5].base64_wide);
  EXPECT_EQ(std::pair(rule.strings[6].key_min, rule.strings[6].key_max), std::pair(5u, 5u));
}

TEST(YaraSyntax, ARuleIsKnownByWhereItStands) {
  const std::string text = "/* x */ rule a { condition: true } private rule b { condition: a }";
  const YaraSource source = read_yara_source(text);
  ASSERT_EQ(source.rules.size(), 2u);
  EXPECT_EQ(text.substr(source.rules[0].begin, source.rules[0].end - source.rules[0].begin), "rule a { condition: true }");
  EXPECT_EQ(text.substr(source.rules[1].begin, source.rules[1].end - source.rules[1].begin), "private rule b { condition: a }");
}

TEST(YaraSyntax, WhatIsNotUnderstoodIsSaid) {
  EXPECT_EQ(read_yara_source("rule a {\n condition:\n true with }").problem.substr(0, 7), "line 3:");
  for (const char* text : {"include \"x\"", "rule", "rule a { strings: $a condition: $a }", "rule a { condition: ( true }", "rule a { condition: }", "rule a { meta: x condition: true }",
                           "rule a { strings: $a = \"k\" xor(300) condition: $a }", "rule a { strings: $a = \"k\" base64(\"short\") condition: $a }"}) {
    EXPECT_NE(read_yara_source(text).problem, "") << text;
  }
  EXPECT_NE(condition(std::string(1000, '(') + "true" + std::string(1000, ')')).find("nested"), std::string::npos);
  EXPECT_NE(condition(std::string(3000, '-') + "1").find("nested"), std::string::npos);
}

TEST(YaraSyntax, EveryBeginningOfThePackIsRead) {
  for (const auto& [name, text] : yara_pack()) {
    EXPECT_EQ(read_yara_source(text).problem, "") << name;
    for (std::size_t size = 0; size < text.size(); size += 7) read_yara_source(std::string_view(text).substr(0, size));
  }
}

}  // namespace
}  // namespace lazaret::engine
