#include <gtest/gtest.h>

#include "detect/detector_test_support.h"

namespace lazaret::detect {

extern const Detector packed_code_detector;

namespace {

using Ids = std::vector<std::string>;

test::Outcome look(std::string path, std::string content) { return test::inspect(packed_code_detector, {.path = std::move(path), .content = std::move(content)}); }
const std::string blob(200, 'A');
const Ids decoded{"obfuscation.runs-decoded-text"}, none{};

TEST(PackedCode, RunsWhatItDecodes) {
  for (const std::string& code : {"exec(base64.b64decode('" + blob + "'))", "exec(zlib.decompress(base64.b64decode(b'" + blob + "')))", "exec(marshal.loads(zlib.decompress(b'" + blob + "')))",
                                  "eval(compile(base64.b64decode('" + blob + "'), 'x', 'exec'))", "exec(bytes.fromhex('" + blob + "').decode())"}) {
    const auto outcome = look("/a.py", "#!/usr/bin/python3\nimport base64\n" + code + "\n");
    ASSERT_EQ(outcome.rules(), decoded) << code;
    EXPECT_EQ(test::severity_of(outcome.findings[0]), Severity::medium);
  }
  EXPECT_EQ(look("/a.php", "<?php eval(gzinflate(base64_decode('" + blob + "'))); ?>").rules(), decoded);
  EXPECT_EQ(look("/a.js", "#!/usr/bin/env node\neval(atob('" + blob + "'))\n").rules(), decoded);
  EXPECT_EQ(look("/a.js", "#!/usr/bin/env node\nnew Function(Buffer.from('" + blob + "', 'base64').toString())()\n").rules(), decoded);
  EXPECT_EQ(look("/a.rb", "#!/usr/bin/ruby\neval(Base64.decode64('" + blob + "'))\n").rules(), decoded);
}

TEST(PackedCode, JavaScript) {
  EXPECT_EQ(look("/a.js", "#!/usr/bin/env node\neval(function(p,a,c,k,e,d){return p}('" + blob + "',1,1,''.split('|'),0,{}))\n").rules(), Ids{"obfuscation.packed-javascript"});
  std::string renamed = "#!/usr/bin/env node\n";
  for (int i = 0; i < 20; ++i) renamed += "var _0x" + std::to_string(1000 + i) + "=1;function _0xab" + std::to_string(10 + i) + "(){}\n";
  EXPECT_EQ(look("/a.js", renamed).rules(), Ids{"obfuscation.renamed-javascript"});
  std::string numbers;
  for (int i = 0; i < 60; ++i) numbers += "118,";
  EXPECT_EQ(look("/a.js", "#!/usr/bin/env node\neval(String.fromCharCode(" + numbers + "97));\n").rules(), Ids{"obfuscation.character-codes"});
}

TEST(PackedCode, Innocent) {
  for (const std::string& code : {"data = base64.b64decode('" + blob + "')", "# exec(base64.b64decode('" + blob + "'))", std::string("print('exec(base64.b64decode(x))')"), "cursor.exec(base64.b64decode('" + blob + "'))",
                                  std::string("exec(open('setup.py').read())")})
    EXPECT_EQ(look("/a.py", "#!/usr/bin/python3\n" + code + "\n").rules(), none) << code;
  EXPECT_EQ(look("/a.js", "#!/usr/bin/env node\nconst a = String.fromCharCode(65,66); const m = /x/.exec(atob(b));\n").rules(), none);
  EXPECT_EQ(look("/a.php", "<?php $a = base64_decode($b); eval('return 1;'); ?>").rules(), none);
}

}  // namespace
}  // namespace lazaret::detect
