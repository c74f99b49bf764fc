// A pack of YARA rules with one rule for each feature of the language, and pieces of content that make them true, or nearly.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lazaret::engine {

// (name space, source)
inline const std::vector<std::pair<std::string, std::string>>& yara_pack() {
  static const std::vector<std::pair<std::string, std::string>> pack = {
      {"text.yar", R"yara(
/* text strings: rule words in comments { } " / do not count */
rule ascii_text : tag1 tag2 { meta: author = "somebody" score = 75 sure = true less = -1 strings: $a = "alpha-marker" condition: $a }
rule wide_text { strings: $a = "wide-marker" wide condition: $a }
rule wide_ascii_text { strings: $a = "either-marker" wide ascii condition: $a }
rule ignore_case { strings: $a = "MixedCase-marker" nocase condition: $a }
rule ignore_case_wide { strings: $a = "WideCase-marker" nocase wide condition: $a }
rule full_word { strings: $a = "wholeword" fullword condition: $a }
rule full_word_wide { strings: $a = "wholewide" fullword wide condition: $a }
rule xor_all { strings: $a = "exclusive-or marker" xor condition: $a }
rule xor_range { strings: $a = "ranged-key marker" xor(0x10-0x1f) condition: $a }
rule xor_one { strings: $a = "single-key marker" xor(7) condition: $a }
rule xor_wide { strings: $a = "wide-key marker" xor wide ascii condition: $a }
rule base64_text { strings: $a = "This is encoded text" base64 condition: $a }
rule base64_wide_text { strings: $a = "This is widened text" base64wide condition: $a }
rule base64_both { strings: $a = "Both encodings of it" base64 base64wide condition: $a }
rule base64_of_wide { strings: $a = "Encoded after widening" wide base64 condition: $a }
rule base64_alphabet { strings: $a = "Other alphabet used" base64("!@#$%^&*(){}[].,|ABCDEFGHIJ\x09LMNOPQRSTUVWXYZabcdefghijklmnopqrstu") condition: $a }
rule private_string { strings: $a = "not shown marker" private $b = "shown marker" condition: all of them }
rule anonymous { strings: $ = "first nameless" $ = "second nameless" condition: all of them }
rule escapes { strings: $a = "tab\there \"quoted\" back\\slash\x00\xffend" condition: $a }
rule short_text { strings: $a = "ab" $b = "xyz-short-partner" condition: $a and $b }
rule long_text { strings: $a = "a long text of more than ninety-six bytes, so that only its beginning is looked for and libyara has to say whether the end is there too" condition: $a }
)yara"},
      {"hex.yar", R"yara(
rule hex_fixed { strings: $a = { 4C 5A 52 54 01 02 03 04 } condition: $a }
rule hex_wildcard { strings: $a = { DE AD ?? BE EF 11 22 33 } condition: $a }
rule hex_nibble { strings: $a = { CA FE B? ?A 12 34 56 78 } condition: $a }
rule hex_jump { strings: $a = { 10 20 30 40 [2-4] 50 60 70 80 } condition: $a }
rule hex_open_jump { strings: $a = { 77 66 55 44 [4-] 33 22 11 99 } condition: $a }
rule hex_long_jump { strings: $a = { 91 92 93 94 [100-400] 95 96 97 98 } condition: $a }
rule hex_alternatives { strings: $a = { F1 E2 ( D3 C4 | B5 ?? 96 ) 87 78 69 5A } condition: $a }
rule hex_short_runs { strings: $a = { E8 ?? 8B ?? 83 [1-3] C4 ?? 5D ( C3 | C2 ?? 00 ) 90 } condition: $a }
rule hex_comments { strings: $a = { A1 B1 /* } not the end */ C1 D1 // nor here }
  E1 F1 } condition: $a }
rule hex_tiny { strings: $a = { 4D 5A } condition: $a at 0 and filesize > 60 }
)yara"},
      {"regexp.yar", R"yara(
rule regexp_literal { strings: $a = /regexp-marker/ condition: $a }
rule regexp_class { strings: $a = /class-[0-9a-f]{4}-end/ condition: $a }
rule regexp_choice { strings: $a = /(first|second|third)-choice\.example/ condition: $a }
rule regexp_case { strings: $a = /CaSe-regexp/ nocase condition: $a }
rule regexp_flag { strings: $a = /flag-regexp/i condition: $a }
rule regexp_dot_all { strings: $a = /begin-line.end-line/s condition: $a }
rule regexp_dot { strings: $a = /begin-here.end-here/ condition: $a }
rule regexp_wide { strings: $a = /wide-[a-c]+-regexp/ wide condition: $a }
rule regexp_wide_ascii { strings: $a = /both-[x-z]+-regexp/ wide ascii nocase condition: $a }
rule regexp_word { strings: $a = /\bbounded-word\b/ condition: $a }
rule regexp_full_word { strings: $a = /full[0-9]word/ fullword condition: $a }
rule regexp_repeat { strings: $a = /ab{2,3}c{2}d+e*f?-repeat/ condition: $a }
rule regexp_optional { strings: $a = /https?:\/\/[a-z.]{1,20}\/payload/ condition: $a }
rule regexp_none { strings: $a = /[a-z]{3}\d{3}[A-Z]{3}/ condition: $a }
rule regexp_lazy { strings: $a = /lazy-begin.{1,10}?lazy-end/ condition: $a }
rule regexp_escape { strings: $a = /esc\x2dape\.\*\[x\]\/y\\z/ condition: $a }
rule regexp_empty_branch { strings: $a = /maybe(-this|)-branch/ condition: $a }
rule regexp_start { strings: $a = /^#!\/opt\/started/ condition: $a }
)yara"},
      {"conditions.yar", R"yara(
rule string_counts { strings: $a = "counted-marker" condition: #a > 2 }
rule count_in { strings: $a = "counted-marker" condition: #a in (0..60) == 2 }
rule count_none { strings: $a = "unwanted-marker" $b = "wanted-marker" condition: #a == 0 and $b }
rule at_offset { strings: $a = "placed-marker" condition: $a at 16 }
rule at_end { strings: $a = "final-marker" condition: $a at filesize - 12 }
rule in_range { strings: $a = "ranged-marker" condition: $a in (100..filesize) }
rule string_offset { strings: $a = "offset-marker" condition: @a[1] > 64 and @a[2] > @a[1] }
rule string_length { strings: $a = /length-x+/ condition: !a[1] >= 10 }
rule any_of_them { strings: $a = "one-of-many" $b = "two-of-many" $c = "three-of-many" condition: any of them }
rule two_of_set { strings: $a1 = "one-of-many" $a2 = "two-of-many" $b = "three-of-many" condition: 2 of ($a*, $b) }
rule all_of_set { strings: $a1 = "one-of-many" $a2 = "two-of-many" $b = "three-of-many" condition: all of ($a*) and not $b }
rule none_of_set { strings: $a1 = "one-of-many" $a2 = "two-of-many" $b = "base-of-none" condition: none of ($a*) and $b }
rule percent_of { strings: $a = "one-of-many" $b = "two-of-many" $c = "three-of-many" $d = "four-of-many" condition: 50% of them }
rule of_in_range { strings: $a = "one-of-many" $b = "two-of-many" condition: any of them in (0..64) }
rule computed_of { strings: $a = "one-of-many" $b = "two-of-many" condition: 1 + 1 of them }
rule zero_of { strings: $a = "one-of-many" $b = "two-of-many" condition: 0 of them and filesize < 100 }
rule for_of { strings: $a = "looped-one" $b = "looped-two" condition: for any of them : ( # > 1 ) }
rule for_all_at { strings: $a = "looped-one" $b = "looped-two" condition: for all of them : ( $ in (0..200) ) }
rule for_of_offset { strings: $a = "looped-one" condition: for 1 of ($a) : ( @ > 32 ) }
rule for_in { strings: $a = "iterated-marker" condition: for any i in (1..#a) : ( @a[i] % 2 == 0 ) }
rule for_in_list { strings: $a = "iterated-marker" condition: for all i in (0, 1) : ( $a in (i..filesize) ) }
rule for_nothing { strings: $a = "iterated-marker" condition: for all i in (1..#a) : ( uint8(@a[i]) == 0x69 ) and filesize > 50 }
rule magic { condition: uint32(0) == 0x464c457f }
rule magic_be { condition: uint16be(0) == 0x4d5a and uint8(2) == 0x90 }
rule magic_signed { condition: int16(0) == -2 or int32be(0) < -16777217 }
rule indirect { condition: uint16(0) == 0x5a4d and uint32(uint32(0x3c)) == 0x00004550 }
rule not_magic { strings: $a = "alpha-marker" condition: not uint16(0) == 0x5a4d and $a }
rule sizes { condition: filesize > 2KB and filesize < 3KB }
rule size_arithmetic { condition: (filesize & 0xff) == (filesize % 256) and filesize \ 2 > 100 and filesize << 1 < 900 and -1 < ~0 + 1 }
rule undefined_read { condition: uint32(filesize) == 1 or filesize == 40 }
rule is_defined { condition: defined uint32(400) and filesize < 500 }
rule name_is { condition: filename == "named.bin" }
rule name_ends { condition: filename iendswith ".BIN" and filesize > 10 }
rule name_not { strings: $a = "alpha-marker" condition: $a and not filepath contains "/usr/" and extension != ".bin" }
rule name_matches { condition: filename matches /^nam(ed|ing)\.bin$/i }
rule type_is { strings: $a = "alpha-marker" condition: filetype == "elf" and $a }
rule always { condition: true }
rule never { condition: false }
rule or_and { strings: $a = "one-of-many" $b = "two-of-many" condition: ($a or uint16(0) == 0x5a4d) and ($b or filesize < 64) }
rule float_number { strings: $a = "alpha-marker" condition: $a and filesize * 1.5 > 300.0 }
)yara"},
      {"references.yar", R"yara(
private rule has_shebang { condition: uint16(0) == 0x2123 }
private rule has_marker { strings: $a = "referred-marker" condition: $a }
rule uses_both { condition: has_shebang and has_marker }
rule uses_one { strings: $b = "other-marker" condition: has_marker and $b }
rule uses_not { strings: $b = "other-marker" condition: $b and not has_marker }
rule chain_one { strings: $a = "chain-marker" condition: $a }
rule chain_two { condition: chain_one and filesize > 100 }
rule any_chain { condition: any of (chain_*) }
rule all_chains { condition: all of (chain_one, chain_two) }
)yara"},
      {"globals.yar", R"yara(
global rule small_file { condition: filesize < 1500 }
global private rule has_no_stop { strings: $stop = "stop-marker" condition: not $stop }
rule under_globals { strings: $a = "global-marker" condition: $a }
rule under_globals_always { condition: filesize > 200 }
)yara"},
      {"modules.yar", R"yara(
import "pe"
import "elf"
import "math"
import "hash"
rule pe_sections { condition: pe.number_of_sections >= 0 }
rule pe_import { strings: $a = "alpha-marker" condition: $a or pe.imports("kernel32.dll", "CreateFileA") }
rule pe_constant { condition: uint16(0) == 0x5a4d and pe.MACHINE_AMD64 == 0x8664 }
rule not_pe { strings: $a = "alpha-marker" condition: $a and not pe.is_pe }
rule pe_loop { condition: for any section in pe.sections : ( section.name == ".text" ) }
rule pe_export { condition: pe.exports("DllMain") or (pe.imphash() != "00000000000000000000000000000000" and pe.sections[0].name == ".text") }
rule elf_machine { condition: elf.machine == elf.EM_X86_64 }
rule entropy { strings: $a = "alpha-marker" condition: $a and math.entropy(0, filesize) > 1.0 }
rule digest { condition: filesize < 60 and hash.md5(0, 0) == "d41d8cd98f00b204e9800998ecf8427e" }
)yara"},
  };
  return pack;
}

// What makes strings of the pack match, what nearly does, and what stands at the begin of files of a kind.
inline std::string widened(std::string_view text) {
  std::string wide;
  for (const char c : text) wide += {c, '\0'};
  return wide;
}
inline std::string encrypted(std::string text, unsigned char key) {
  for (char& c : text) c = static_cast<char>(static_cast<unsigned char>(c) ^ key);
  return text;
}

inline std::string in_alphabet(std::string_view text, std::string_view alphabet) {
  std::string encoded;
  unsigned bits = 0, count = 0;
  for (const char c : text) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    for (count += 8; count >= 6; count -= 6) encoded += alphabet[bits >> (count - 6) & 63];
  }
  return encoded;
}

inline const std::vector<std::string>& yara_pieces() {
  using namespace std::string_literals;
  static const std::vector<std::string> pieces = {
      "alpha-marker", "ALPHA-marker", widened("wide-marker"), "wide-marker", "either-marker", widened("either-marker"), "mIXEDcASE-MARKER",
      widened("wIDECASE-marker"), " wholeword ", "awholewordb", " \0"s + widened("wholewide") + " \0"s, widened("awholewideb"),
      encrypted("exclusive-or marker", 0x5a), "exclusive-or marker", encrypted("ranged-key marker", 0x12), encrypted("ranged-key marker", 0x22),
      encrypted("single-key marker", 7), encrypted("single-key marker", 8), encrypted(widened("wide-key marker"), 0x33), encrypted("wide-key marker", 0xff),
      // base64 of "This is encoded text" behind none, one and two bytes
      "VGhpcyBpcyBlbmNvZGVkIHRleHQ=", "eFRoaXMgaXMgZW5jb2RlZCB0ZXh0", "eHhUaGlzIGlzIGVuY29kZWQgdGV4dA==",
      widened("VGhpcyBpcyB3aWRlbmVkIHRleHQ="), widened("eFRoaXMgaXMgd2lkZW5lZCB0ZXh0"), "Qm90aCBlbmNvZGluZ3Mgb2YgaXQ=", widened("eEJvdGggZW5jb2RpbmdzIG9mIGl0"),
      "RQBuAGMAbwBkAGUAZAAgAGEAZgB0AGUAcgAgAHcAaQBkAGUAbgBpAG4AZwA=",
      in_alphabet("xOther alphabet used", "!@#$%^&*(){}[].,|ABCDEFGHIJ\tLMNOPQRSTUVWXYZabcdefghijklmnopqrstu"),
      "not shown marker", "shown marker", "first nameless", "second nameless", "tab\there \"quoted\" back\\slash\x00\xff"s + "end", "ab", "xyz-short-partner",
      "a long text of more than ninety-six bytes, so that only its beginning is looked for and libyara has to say whether the end is there too",
      "a long text of more than ninety-six bytes, so that only its beginning is looked for and libyara has to say no",
      "\x4c\x5a\x52\x54\x01\x02\x03\x04"s, "\xde\xad\x00\xbe\xef\x11\x22\x33"s, "\xde\xad\xbe\xef\x11\x22\x33"s, "\xca\xfe\xb5\x3a\x12\x34\x56\x78"s,
      "\xca\xfe\xc5\x3a\x12\x34\x56\x78"s, "\x10\x20\x30\x40zz\x50\x60\x70\x80"s, "\x10\x20\x30\x40z\x50\x60\x70\x80"s, "\x77\x66\x55\x44"s, "\x33\x22\x11\x99"s,
      "\x91\x92\x93\x94"s, "\x95\x96\x97\x98"s, std::string(120, 'p'), "\xf1\xe2\xd3\xc4\x87\x78\x69\x5a"s, "\xf1\xe2\xb5\x01\x96\x87\x78\x69\x5a"s,
      "\xf1\xe2\xb5\x01\x97\x87\x78\x69\x5a"s, "\xe8\x01\x8b\x02\x83zz\xc4\x03\x5d\xc3\x90"s, "\xe8\x01\x8b\x02\x83z\xc4\x03\x5d\xc2\x04\x00\x90"s,
      "\xe8\x01\x8b\x02\x83z\xc4\x03\x5d\xc1\x90"s, "\xa1\xb1\xc1\xd1\xe1\xf1"s, "regexp-marker", "class-0a9f-end", "class-0a9g-end", "second-choice.example",
      "third-choice-example", "cAsE-REGEXP", "FLAG-regexp", "begin-line\nend-line", "begin-here end-here", "begin-here\nend-here", widened("wide-abc-regexp"),
      "both-xYz-regexp", widened("BOTH-xx-regexp"), " bounded-word ", "unbounded-words", " full7word ", "xfull7wordx", "abbccd-repeat", "abbbccdddeef-repeat",
      "abccd-repeat", "http://host.example/payload", "https://host.example/payload", "abc123XYZ", "abc12XYZ", "lazy-begin 12345 lazy-end", "esc-ape.*[x]/y\\z",
      "maybe-branch", "maybe-this-branch", "counted-marker", "unwanted-marker", "wanted-marker", "placed-marker", "final-marker", "ranged-marker", "offset-marker",
      "length-xxxxx", "one-of-many", "two-of-many", "three-of-many", "four-of-many", "base-of-none", "looped-one", "looped-two", "looped-two looped-one", "iterated-marker",
      // Together what chance alone brings together too seldom.
      "counted-marker counted-marker", "counted-marker counted-marker counted-marker", "\x91\x92\x93\x94"s + std::string(200, 'p') + "\x95\x96\x97\x98"s,
      "\x77\x66\x55\x44zzzzzzzz\x33\x22\x11\x99"s, std::string(70, '.') + "offset-marker offset-marker", "not shown marker shown marker",
      "first nameless second nameless", "ab xyz-short-partner", std::string(100, '.') + "ranged-marker", "one-of-many two-of-many", "looped-one looped-one",
      "referred-marker other-marker", "iterated-marker" + std::string(60, '.'),
      "referred-marker", "other-marker", "chain-marker", "global-marker", "stop-marker",
  };
  return pieces;
}

inline const std::vector<std::string>& yara_headers() {
  using namespace std::string_literals;
  static const std::vector<std::string> headers = [] {
    // The least that libyara takes for a PE file: DOS header, PE header, optional header, one section.
    std::string pe = "MZ\x90" + std::string(57, '\0') + "\x40\0\0\0PE\0\0\x64\x86\1\0"s + std::string(12, '\0') + "\xf0\0\x22\0\x0b\x02"s + std::string(238, '\0') +
                     ".text\0\0\0"s + std::string(72, '\0');
    std::string elf = "\x7f" "ELF\x02\x01\x01"s + std::string(9, '\0') + "\x02\0\x3e\0\x01\0\0\0"s + std::string(40, '\0');
    return std::vector<std::string>{"", "", "", "#!/opt/started\n", "#!/bin/sh\n", pe, "MZ\x90" "rest of it", elf, "\x7f" "ELF", "\xfe\xff", "\xfe\0\0\0"s,
                                    std::string(16, ' ') + "placed-marker"};
  }();
  return headers;
}

}  // namespace lazaret::engine
