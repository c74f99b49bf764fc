#include <gtest/gtest.h>

#include "detect/code_text_support.h"
#include "detect/detector_test_support.h"

namespace lazaret::detect {

extern const Detector webshell_detector;
extern const Detector webshell_in_media_detector;

namespace {

using Ids = std::vector<std::string>;

Ids page(std::string path, std::string content) { return test::inspect(webshell_detector, {.path = std::move(path), .content = std::move(content)}).rules(); }
Ids php(const std::string& code) { return page("/var/www/html/a.php", "<?php\n" + code + "\n?>\n"); }
const Ids runs{"webshell.run-request"}, part{"webshell.request-in-command"}, hidden{"webshell.hidden-function"}, none{};

TEST(Webshell, PhpRunsTheRequest) {
  for (const char* code : {"@eval($_POST['x']);", "eval(base64_decode($_REQUEST[\"c\"]));", "system($_GET['cmd']);", "assert($_POST[x]);", "echo shell_exec($_GET[0]);", "passthru(stripslashes($_COOKIE['a']));",
                           "echo `$_GET[c]`;", "eval(file_get_contents('php://input'));", "@preg_replace('/.*/e', $_POST['x'], '');", "eval(gzinflate(base64_decode(str_rot13($_POST['z']))));",
                           "system($_SERVER['HTTP_X_CMD']);", "eval(isset($_POST['a']) ? $_POST['a'] : '');", "if (1) { eval /* hi */ ($_POST['a']); }"}) {
    EXPECT_EQ(php(code), runs) << code;
  }
}

TEST(Webshell, PhpHidesTheFunction) {
  for (const char* code : {"$_GET['f']($_GET['x']);", "$f = 'ass' . 'ert'; $f($_POST['x']);", "$a = str_rot13('nffreg'); $a($_POST['x']);", "$f = $_GET['f']; $f($_POST['x']);",
                           "array_map('assert', $_POST);", "array_map($_GET['f'], array($_GET['x']));", "$k = base64_decode('c3lzdGVt'); $k($_REQUEST['c']);",
                           "$c = $_POST['x']; $f = strrev('metsys'); $f($c);"}) {
    EXPECT_EQ(php(code), hidden) << code;
  }
}

TEST(Webshell, PhpThroughVariablesAndText) {
  EXPECT_EQ(php("$c = $_POST['x'];\nif ($c) {\n  eval($c);\n}"), runs);
  EXPECT_EQ(php("$host = $_GET['h'];\necho shell_exec('ping -c 3 ' . $host);"), part);
  EXPECT_EQ(php("system(\"ls $_GET[dir]\");"), part);
  EXPECT_EQ(php("include $_GET['page'];"), part);
  EXPECT_EQ(php("file_put_contents($_GET['f'], base64_decode($_POST['c']));"), Ids{"webshell.write-request"});
}

TEST(Webshell, PhpInAPicture) {
  const auto outcome = test::inspect(webshell_in_media_detector, {.path = "/var/www/up/a.gif", .content = "GIF89a\1\1\1\1<?php eval($_POST['x']); ?>"});
  ASSERT_EQ(outcome.derived.size(), 1u);
  EXPECT_EQ(page("/var/www/up/a.gif", outcome.derived[0].content), runs);
  EXPECT_TRUE(test::inspect(webshell_in_media_detector, {.path = "/a.gif", .content = "GIF89a\1\1\1\1<?xpacket begin"}).derived.empty());
  EXPECT_EQ(page("/var/www/up/a.html", "<html>\n<?= system($_GET['c']) ?>\n</html>"), runs);
}

TEST(Webshell, InnocentPhp) {
  for (const char* code : {"$page = isset($_GET['page']) ? (int) $_GET['page'] : 1;", "exec('convert ' . escapeshellarg($_POST['file']));", "$id = intval($_GET['id']); exec(\"job $id\");",
                           "// eval($_POST['x']);", "/* system($_GET['cmd']) */ $a = $_GET['a'];", "# eval($_POST['x'])", "$rules = ['eval($_POST', 'system($_GET[cmd])'];",
                           "$db->exec($_POST['sql']);", "usort($_POST['rows'], 'compare');", "$rows = array_map('trim', $_POST);", "assert($_GET['a'] !== null);", "assert(is_string($_POST['x']));",
                           "call_user_func($callback, $_POST['value']);", "call_user_func('save', $_POST);", "$x = $_GET['x']; $this->exec($x);", "$name = md5($_POST['p']); exec('id ' . $name);",
                           "if (preg_match('/^[a-z]+$/', $_GET['c'])) { echo 1; }", "echo htmlspecialchars($_GET['q']);", "preg_replace('/the/', $_GET['x'], $y);", "$f = 'strtolower'; $f($_POST['x']);",
                           "eval('return 1;'); $a = $_GET['a'];", "file_put_contents('/tmp/log', $_POST['line']);"}) {
    EXPECT_EQ(php(code), none) << code;
  }
}

TEST(Webshell, ServerPages) {
  EXPECT_EQ(page("/a.jsp", "<%@page import=\"java.io.*\"%><% Process p = Runtime.getRuntime().exec(request.getParameter(\"cmd\")); %>"), runs);
  EXPECT_EQ(page("/a.jsp", "<% String c = request.getParameter(\"c\"); new ProcessBuilder(\"sh\", \"-c\", c).start(); %>"), part);
  EXPECT_EQ(page("/a.jsp", "<%!class U extends ClassLoader{public Class g(byte[] b){return super.defineClass(b,0,b.length);}}%><%new U().g(c.doFinal(d(request.getReader().readLine()))).newInstance();%>"),
            Ids{"webshell.load-class"});
  EXPECT_EQ(page("/a.aspx", "<%@ Page Language=\"Jscript\"%><%eval(Request.Item[\"x\"],\"unsafe\");%>"), runs);
  EXPECT_EQ(page("/a.asp", "<%eval request(\"x\")%>"), runs);
  EXPECT_EQ(page("/a.asp", "<%execute(request(\"x\"))%>"), runs);
  EXPECT_EQ(page("/a.jsp", "<% String c = request.getParameter(\"c\"); out.print(c); // exec(c)\n %>"), none);
  EXPECT_EQ(page("/a.aspx", "<% Label1.Text = Request[\"q\"]; %>"), none);
}

TEST(Webshell, OtherLanguages) {
  EXPECT_EQ(page("/a.py", "#!/usr/bin/python3\nimport os\nfrom flask import request\nos.system(request.args.get('cmd'))\n"), runs);
  EXPECT_EQ(page("/a.py", "#!/usr/bin/python3\nc = request.form['cmd']\nout = subprocess.check_output(c, shell=True)\n"), part);
  EXPECT_EQ(page("/a.py", "#!/usr/bin/python3\nform = cgi.FieldStorage()\nos.system(form.getvalue('cmd'))\n"), runs);
  EXPECT_EQ(page("/a.py", "#!/usr/bin/python3\nout = io.StringIO()\nexec(out.getvalue(), names)\n"), none) << "a buffer, no form";
  EXPECT_EQ(page("/a.py", "#!/usr/bin/python3\nx = form.getvalue('x')\ny = function(x)\n"), none);
  EXPECT_EQ(page("/a.cgi", "#!/usr/bin/perl\nuse CGI ':standard';\nsystem(param('cmd'));\n"), runs);
  EXPECT_EQ(page("/a.js", "#!/usr/bin/env node\nconst {exec} = require('child_process');\napp.get('/', (req, res) => { exec(req.query.cmd, f) })\n"), runs);
  EXPECT_EQ(page("/a.js", "#!/usr/bin/env node\napp.get('/', (req, res) => { const m = pattern.exec(req.query.name); })\n"), none);
  EXPECT_EQ(page("/a.py", "#!/usr/bin/python3\nq = request.args.get('q')\ncursor.execute('select 1', (q,))\nos.system('true')\n"), none);
}

TEST(Webshell, EveryPrefixIsRead) {
  const std::string text = "<?php $f = 'ass' . \"ert\"; /* x */ $f($_POST['x']); system(\"ls $_GET[d]\"); include($_COOKIE[a]); `$_GET[c]`; ?>";
  for (std::size_t size = 0; size <= text.size(); ++size) page("/a.php", text.substr(0, size));
}

TEST(CodeText, CommentsAndStringsAreBlank) {
  EXPECT_EQ(mask_code("<?php a('b'); // c\nd(\"e $f g\"); ?>h", CodeStyle::php).find('h'), std::string::npos);
  const std::string code = mask_code("<?php a('b'); // c\nd(\"e $f g\"); ?>h", CodeStyle::php);
  EXPECT_EQ(code.find('c'), std::string::npos);
  EXPECT_EQ(code.find('b'), std::string::npos);
  EXPECT_NE(code.find("$f"), std::string::npos);
  EXPECT_EQ(mask_code("x # y\nz", CodeStyle::hash), "x    \nz");
}

}  // namespace
}  // namespace lazaret::detect
