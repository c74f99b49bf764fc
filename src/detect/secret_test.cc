#include <gtest/gtest.h>

#include "base/base64.h"
#include "detect/detector_test_support.h"
#include "detect/secret_support.h"

namespace lazaret::detect {

extern const Detector secret_private_key_detector;
extern const Detector secret_cloud_key_detector;
extern const Detector secret_token_detector;
extern const Detector secret_config_file_detector;
extern const Detector secret_environment_detector;

namespace {

using test::inspect;
using Ids = std::vector<std::string>;

Ids rules_of(const Detector& detector, std::string path, std::string content, Origin origin = Origin::file) {
  const auto outcome = inspect(detector, {.path = std::move(path), .content = std::move(content), .origin = origin});
  return outcome.rules();
}

// Made for this test and used nowhere.
const std::string pkcs8 = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAabUtrhMBLX0RYrSsyLVo4GR4RnZKQKYEy4bnCr1hjJ\n-----END PRIVATE KEY-----\n";
std::string pem(const std::string& label, const std::string& bytes, const std::string& headers = "") {
  return "-----BEGIN " + label + "-----\n" + headers + encode_base64(bytes) + "\n-----END " + label + "-----\n";
}
std::string noise(std::size_t size, unsigned seed = 7) {
  std::string bytes;
  for (std::size_t i = 0; i < size; ++i) {
    seed = seed * 1664525u + 1013904223u;
    bytes.push_back(static_cast<char>(seed >> 24));
  }
  return bytes;
}
std::string letters(std::size_t size, unsigned seed = 7) {
  std::string text;
  for (const char c : noise(size, seed)) text.push_back("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"[static_cast<std::uint8_t>(c) % 62]);
  return text;
}
// Never as one piece, so that nobody's scanner takes the test for a leak.
const std::string github = "ghp" + std::string("_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ") + "0mLq17";
const std::string aws_id = "AKIA" + std::string("QXZ7RLMPTW5V3GKN"), aws_secret = letters(40, 5);

TEST(SecretPrivateKey, FormsOfKeys) {
  EXPECT_EQ(rules_of(secret_private_key_detector, "/root/.ssh/id", pkcs8), Ids{"exposed-secret.private-key"});
  const std::string openssh("openssh-key-v1\0\0\0\0\4none\0\0\0\4none", 31);
  EXPECT_EQ(rules_of(secret_private_key_detector, "/k", pem("OPENSSH PRIVATE KEY", openssh + noise(200))), Ids{"exposed-secret.private-key"});
  const std::string locked("openssh-key-v1\0\0\0\0\12aes256-ctr\0\0\0\6bcrypt", 39);
  EXPECT_EQ(rules_of(secret_private_key_detector, "/k", pem("OPENSSH PRIVATE KEY", locked + noise(200))), Ids{"exposed-secret.private-key-encrypted"});
  EXPECT_EQ(rules_of(secret_private_key_detector, "/k", pem("ENCRYPTED PRIVATE KEY", "\x30\x70" + noise(112))), Ids{"exposed-secret.private-key-encrypted"});
  EXPECT_EQ(rules_of(secret_private_key_detector, "/k", pem("RSA PRIVATE KEY", noise(300), "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0011\n\n")), Ids{"exposed-secret.private-key-encrypted"});
  EXPECT_EQ(rules_of(secret_private_key_detector, "/k.ppk",
                     "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nComment: x\nPublic-Lines: 1\nAAAA\nPrivate-Lines: 1\n" + encode_base64(noise(36)) + "\nPrivate-MAC: 00\n"),
            Ids{"exposed-secret.private-key"});
}

TEST(SecretPrivateKey, InsideOtherFiles) {
  std::string escaped;
  for (const char c : pkcs8) escaped += c == '\n' ? std::string("\\n") : std::string(1, c);
  EXPECT_EQ(rules_of(secret_private_key_detector, "/app/a.json", "{\"private_key\": \"" + escaped + "\"}"), Ids{"exposed-secret.private-key"});
  EXPECT_EQ(rules_of(secret_private_key_detector, "/app/run.sh", "#!/bin/sh\ncat > k <<X\n" + pkcs8 + "X\n"), Ids{"exposed-secret.private-key"});
  EXPECT_EQ(rules_of(secret_private_key_detector, "/a.bin", std::string("\0\1\2", 3) + pkcs8), Ids{"exposed-secret.private-key"});
}

TEST(SecretPrivateKey, HeadingsAreNoKeys) {
  EXPECT_EQ(rules_of(secret_private_key_detector, "/a.py", "if line == '-----BEGIN RSA PRIVATE KEY-----':\n  pass\nif line == '-----END RSA PRIVATE KEY-----':\n"), Ids{});
  EXPECT_EQ(rules_of(secret_private_key_detector, "/a", "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC...\n-----END PRIVATE KEY-----\n"), Ids{});
  EXPECT_EQ(rules_of(secret_private_key_detector, "/a", pem("RSA PRIVATE KEY", noise(300))), Ids{}) << "no DER";
  EXPECT_EQ(rules_of(secret_private_key_detector, "/a", pem("PUBLIC KEY", "\x30\x20" + noise(32))), Ids{});
}

TEST(SecretPrivateKey, EvidenceHoldsNoKey) {
  const auto outcome = inspect(secret_private_key_detector, {.path = "/k", .content = pkcs8});
  EXPECT_EQ(outcome.findings.at(0).evidence.find("MC4CAQ"), std::string::npos);
  const auto made = inspect(secret_private_key_detector, {.path = "/etc/ssl/private/ssl-cert-snakeoil.key", .content = pkcs8});
  EXPECT_EQ(test::severity_of(made.findings.at(0)), Severity::low);
  const auto test_key = inspect(secret_private_key_detector, {.path = "/usr/lib/x/tests/k.pem", .content = pkcs8});
  EXPECT_EQ(test::severity_of(test_key.findings.at(0)), Severity::low);
}

TEST(SecretPrivateKey, EveryPrefixIsRead) {
  for (std::size_t size = 0; size < pkcs8.size() - 1; ++size) EXPECT_EQ(rules_of(secret_private_key_detector, "/k", pkcs8.substr(0, size)), Ids{}) << size;
}

TEST(SecretCloudKey, AwsPairs) {
  const std::string file = "[default]\naws_access_key_id = " + aws_id + "\naws_secret_access_key = " + aws_secret + "\n";
  const auto outcome = inspect(secret_cloud_key_detector, {.path = "/root/.aws/credentials", .content = file});
  EXPECT_EQ(outcome.rules(), Ids{"exposed-secret.aws-key"});
  EXPECT_EQ(outcome.findings.at(0).evidence.find(aws_secret), std::string::npos);
  EXPECT_EQ(outcome.findings.at(0).evidence.find(aws_id), std::string::npos);
  EXPECT_EQ(rules_of(secret_cloud_key_detector, "/a", "key " + aws_id + "\n"), Ids{"exposed-secret.aws-key-id"});
  EXPECT_EQ(rules_of(secret_cloud_key_detector, "/a", "AWS_SECRET_ACCESS_KEY=" + aws_secret + "\n"), Ids{"exposed-secret.aws-key"});
}

TEST(SecretCloudKey, InnocentAws) {
  EXPECT_EQ(rules_of(secret_cloud_key_detector, "/a", "AKIAIOSFODNN7EXAMPLE wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n"), Ids{});
  EXPECT_EQ(rules_of(secret_cloud_key_detector, "/a", "AKIAXXXXXXXXXXXXXXXX\n"), Ids{});
  EXPECT_EQ(rules_of(secret_cloud_key_detector, "/a", aws_id + " da39a3ee5e6b4b0d3255bfef95601890afd80709\n"), Ids{"exposed-secret.aws-key-id"}) << "a commit is no secret";
  EXPECT_EQ(rules_of(secret_cloud_key_detector, "/a", "x" + aws_id + "\n"), Ids{});
}

TEST(SecretCloudKey, GoogleAndAzure) {
  std::string escaped;
  for (const char c : pkcs8) escaped += c == '\n' ? std::string("\\n") : std::string(1, c);
  EXPECT_EQ(rules_of(secret_cloud_key_detector, "/sa.json", "{\"type\": \"service_account\", \"private_key_id\": \"0f\", \"private_key\": \"" + escaped + "\", \"client_email\": \"a@b.example\"}"),
            Ids{"exposed-secret.gcp-service-account"});
  EXPECT_EQ(rules_of(secret_cloud_key_detector, "/a.py", "d[\"private_key_id\"], d[\"type\"] == \"service_account\", d[\"private_key\"]\n"), Ids{});
  EXPECT_EQ(rules_of(secret_cloud_key_detector, "/a", "AccountName=a;AccountKey=" + encode_base64(noise(64)) + ";"), Ids{"exposed-secret.azure-storage-key"});
  EXPECT_EQ(rules_of(secret_cloud_key_detector, "/a", "AccountKey=<your key>;AccountKey=" + encode_base64("short")), Ids{});
  EXPECT_EQ(rules_of(secret_cloud_key_detector, "/a", "https://a.invalid/c?sv=2022-11-02&se=2030-01-01&sp=r&sig=" + letters(43) + "%3D"), Ids{"exposed-secret.azure-sas"});
}

TEST(SecretToken, ChecksumsDecide) {
  const auto outcome = inspect(secret_token_detector, {.path = "/a", .content = "token: " + github + "\n"});
  ASSERT_EQ(outcome.rules(), Ids{"exposed-secret.token"});
  EXPECT_EQ(outcome.findings[0].confidence, Confidence::high);
  EXPECT_EQ(outcome.findings[0].evidence.find(github), std::string::npos);
  std::string wrong = github;
  wrong[10] = wrong[10] == 'a' ? 'b' : 'a';
  EXPECT_EQ(rules_of(secret_token_detector, "/a", wrong), Ids{});
  EXPECT_EQ(rules_of(secret_token_detector, "/a", "npm" + github.substr(3)), Ids{"exposed-secret.token"});
  EXPECT_EQ(rules_of(secret_token_detector, "/a", "a" + github), Ids{});
  EXPECT_EQ(rules_of(secret_token_detector, "/a", github + "aa"), Ids{});
}

TEST(SecretToken, FormsWithoutChecksum) {
  for (const std::string& token : {"glpat" + std::string("-") + letters(20), "pypi-AgEIcHlwaS5vcmc" + letters(120), "xoxb" + std::string("-123456789012-123456789012-") + letters(24),
                                   "sk_live" + std::string("_") + letters(24), "sk-proj-" + letters(30) + "T3Blbk" + "FJ" + letters(30, 9), "sk-ant-api03-" + letters(90),
                                   "dckr_pat" + std::string("_") + letters(27), "SG." + letters(22) + "." + letters(43, 3), "github" + std::string("_pat_") + letters(22) + "_" + letters(59, 2)}) {
    EXPECT_EQ(rules_of(secret_token_detector, "/a", "x = '" + token + "'\n"), Ids{"exposed-secret.token"}) << token;
  }
  EXPECT_EQ(rules_of(secret_token_detector, "/a", "https://api.telegram.org/bot123456789:AA" + letters(33) + "/sendMessage"), Ids{"exposed-secret.token"});
  for (const char* innocent : {"glpat-xxxxxxxxxxxxxxxxxxxx", "glpat-your-token-goes-here", "sk_live_", "npm_config_registry_of_this_machine_here", "xoxb-not-a-real-token", "hf_hub_download",
                               "sk_live_aaaaaaaaaaaaaaaaaaaaaaaa", "https://api.telegram.org/bot<token>/getMe"})
    EXPECT_EQ(rules_of(secret_token_detector, "/a", std::string(innocent) + "\n"), Ids{}) << innocent;
}

std::string jwt(const std::string& payload) {
  const auto part = [](std::string_view text) {
    std::string encoded = encode_base64(text);
    while (encoded.ends_with('=')) encoded.pop_back();
    for (char& c : encoded) c = c == '+' ? '-' : c == '/' ? '_' : c;
    return encoded;
  };
  return part(R"({"alg":"RS256","kid":"k1"})") + "." + part(payload) + "." + letters(86);
}

TEST(SecretToken, JsonWebTokens) {
  EXPECT_EQ(rules_of(secret_token_detector, "/a", jwt(R"({"iss":"kubernetes/serviceaccount","sub":"system:serviceaccount:default:x"})")), Ids{"exposed-secret.kubernetes-token"});
  EXPECT_EQ(rules_of(secret_token_detector, "/a", jwt(R"({"iss":"https://id.invalid","sub":"u1"})")), Ids{"exposed-secret.jwt"});
  EXPECT_EQ(rules_of(secret_token_detector, "/a", jwt(R"({"sub":"1234567890","name":"John Doe","iat":1516239022})")), Ids{}) << "everybody's example";
  EXPECT_EQ(rules_of(secret_token_detector, "/a", "eyJhbGciOiJSUzI1NiJ9"), Ids{});
}

TEST(SecretConfigFile, RegistryLogins) {
  const std::string auth = encode_base64("alice:Tr0ub4dor&3");
  const auto outcome = inspect(secret_config_file_detector, {.path = "/root/.docker/config.json", .content = "{\"auths\": {\"registry.example\": {\"auth\": \"" + auth + "\"}}}"});
  ASSERT_EQ(outcome.rules(), Ids{"exposed-secret.registry-login"});
  EXPECT_EQ(outcome.findings[0].evidence.find("Tr0ub4dor"), std::string::npos);
  EXPECT_EQ(outcome.findings[0].evidence.find(auth), std::string::npos);
  EXPECT_EQ(rules_of(secret_config_file_detector, "/c", "{\"auths\": {}}"), Ids{});
  EXPECT_EQ(rules_of(secret_config_file_detector, "/c", "{\"auths\": {\"registry.example\": {}}, \"credsStore\": \"pass\"}"), Ids{});
  EXPECT_EQ(rules_of(secret_config_file_detector, "/c", "{\"auths\": {\"registry.example\": {\"auth\": \"" + encode_base64("user:password") + "\"}}}"), Ids{});
}

TEST(SecretConfigFile, Kubeconfigs) {
  EXPECT_EQ(rules_of(secret_config_file_detector, "/root/.kube/config", "apiVersion: v1\nkind: Config\nusers:\n- user:\n    client-key-data: " + encode_base64(pkcs8) + "\n"), Ids{"exposed-secret.kubeconfig"});
  EXPECT_EQ(rules_of(secret_config_file_detector, "/k", "current-context: a\nusers:\n- name: a\n  user:\n    token: " + letters(40) + "\n"), Ids{"exposed-secret.kubeconfig"});
  EXPECT_EQ(rules_of(secret_config_file_detector, "/k", "current-context: a\nusers:\n- name: a\n  user:\n    token: <token>\n"), Ids{});
  EXPECT_EQ(rules_of(secret_config_file_detector, "/k", "client-key-data: REDACTED\n"), Ids{});
}

TEST(SecretConfigFile, LoginFiles) {
  EXPECT_EQ(rules_of(secret_config_file_detector, "/root/.netrc", "machine git.example login alice password Tr0ub4dor&3\n"), Ids{"exposed-secret.login-file"});
  EXPECT_EQ(rules_of(secret_config_file_detector, "/root/.netrc", "machine git.example\n  login alice\n  password Tr0ub4dor&3\n"), Ids{"exposed-secret.login-file"});
  EXPECT_EQ(rules_of(secret_config_file_detector, "/run.sh", "#!/bin/sh\necho machine git.example login alice password Tr0ub4dor3 > ~/.netrc\n"), Ids{"exposed-secret.login-file"});
  EXPECT_EQ(rules_of(secret_config_file_detector, "/usr/share/man/man5/netrc.5", "Passwords\nmachine git.example login alice password Tr0ub4dor3\n"), Ids{}) << "a manual";
  EXPECT_EQ(rules_of(secret_config_file_detector, "/root/.pgpass", "db.invalid:5432:*:app:Tr0ub4dor&3\n"), Ids{"exposed-secret.login-file"});
  EXPECT_EQ(rules_of(secret_config_file_detector, "/root/.npmrc", "//registry.invalid/:_authToken=" + letters(32) + "\n"), Ids{"exposed-secret.login-file"});
  EXPECT_EQ(rules_of(secret_config_file_detector, "/root/.npmrc", "//registry.invalid/:_authToken=${NPM_TOKEN}\n"), Ids{});
  EXPECT_EQ(rules_of(secret_config_file_detector, "/root/.git-credentials", "https://alice:" + letters(20) + "@git.invalid\n"), Ids{"exposed-secret.login-file"});
  EXPECT_EQ(rules_of(secret_config_file_detector, "/root/.git-credentials", "https://git.invalid/a:b\n"), Ids{});
}

TEST(SecretConfigFile, SettingsAndAccounts) {
  EXPECT_EQ(rules_of(secret_config_file_detector, "/var/www/wp-config.php", "<?php\ndefine( 'DB_PASSWORD', 'Tr0ub4dor&3' );\n"), Ids{"exposed-secret.application-password"});
  EXPECT_EQ(rules_of(secret_config_file_detector, "/var/www/wp-config-sample.php", "<?php\ndefine( 'DB_PASSWORD', 'password_here' );\n"), Ids{});
  EXPECT_EQ(rules_of(secret_config_file_detector, "/app/.env", "DEBUG=1\nSTRIPE_SECRET=" + letters(24) + "\n"), Ids{"exposed-secret.application-password"});
  EXPECT_EQ(rules_of(secret_config_file_detector, "/app/.env", "APP_SECRET=changeme\nAPI_TOKEN=\nTOKEN_FILE=/run/x\n"), Ids{});
  EXPECT_EQ(rules_of(secret_config_file_detector, "/etc/app.yaml", "db: postgres://app:" + letters(16) + "@db.internal/app\n"), Ids{"exposed-secret.application-password"});
  EXPECT_EQ(rules_of(secret_config_file_detector, "/etc/app.yaml", "db: postgres://user:password@localhost/app\n"), Ids{});
  EXPECT_EQ(rules_of(secret_config_file_detector, "/etc/shadow", "root:$6$abcdefgh$" + letters(86) + ":19000:0:99999:7:::\n"), Ids{"exposed-secret.password-hash"});
  EXPECT_EQ(rules_of(secret_config_file_detector, "/etc/shadow", "root:::0:99999:7:::\n"), Ids{"exposed-secret.empty-password"});
  EXPECT_EQ(rules_of(secret_config_file_detector, "/etc/shadow", "root:*:19000:0:99999:7:::\ndaemon:!:19000:0:99999:7:::\n"), Ids{});
}

Ids variable(std::string name, std::string value) {
  const format::FileType as_audited{format::FileKind::script, format::Language::none};
  return inspect(secret_environment_detector, {.path = "config.Env." + name, .content = std::move(value), .origin = Origin::environment, .type = as_audited}).rules();
}
Ids step(std::string created_by) { return rules_of(secret_environment_detector, "history[1]", std::move(created_by), Origin::history); }

TEST(SecretEnvironment, Variables) {
  EXPECT_EQ(variable("DB_PASSWORD", "Tr0ub4dor&3"), Ids{"exposed-secret.environment"});
  EXPECT_EQ(variable("GITHUB_TOKEN", letters(40)), Ids{"exposed-secret.environment"});
  EXPECT_EQ(variable("POSTGRES_PASSWORD", "postgres"), Ids{"exposed-secret.default-password"});
  EXPECT_EQ(variable("DATABASE_URL", "postgres://app:Tr0ub4dor&3@db.internal/app"), Ids{"exposed-secret.url-password"});
}

TEST(SecretEnvironment, InnocentVariables) {
  const std::pair<const char*, const char*> innocent[] = {
      {"MYSQL_ALLOW_EMPTY_PASSWORD", "yes"}, {"DB_PASSWORD_FILE", "/run/secrets/db"}, {"DB_PASSWORD", "changeme"}, {"TOKEN_TTL", "3600"}, {"API_TOKEN", "${API_TOKEN}"},
      {"GPG_KEY", "E3FF2839C048B25C084DEBE9B26995E310250568"}, {"PATH", "/usr/bin:/bin"}, {"PYTHON_SHA256", "8d3ed8ec5c88c1c95f5e558612a725450d2452813ddad5e58fdb1a53b1209b78"},
      {"PASSWORD_HASH", "argon2id"}, {"ACCESS_TOKEN", ""}, {"TOKENIZERS_PARALLELISM", "false"}, {"SECRET_KEY_BASE", "dummy"}, {"SSH_KEY_PASSWORD", "/run/x"}, {"URL", "https://a.invalid:443/x@y"}};
  for (const auto& [name, value] : innocent) EXPECT_EQ(variable(name, value), Ids{}) << name;
}

TEST(SecretEnvironment, BuildHistory) {
  EXPECT_EQ(step("RUN |2 NPM_SECRET=" + letters(20) + " VERSION=1 /bin/sh -c npm ci # buildkit"), Ids{"exposed-secret.build-history"});
  EXPECT_EQ(step("ENV DB_PASSWORD=Tr0ub4dor&3"), Ids{"exposed-secret.build-history"});
  EXPECT_EQ(step("/bin/sh -c #(nop)  ENV DB_PASSWORD=Tr0ub4dor&3"), Ids{"exposed-secret.build-history"});
  EXPECT_EQ(step("/bin/sh -c #(nop)  ARG DB_PASSWORD=Tr0ub4dor&3"), Ids{"exposed-secret.build-history"});
  EXPECT_EQ(step("ENV A=1 DB_PASSWORD=\"Tr0ub 4dor3\" B=2"), Ids{}) << "a phrase is no password";
  EXPECT_EQ(step("RUN /bin/sh -c git clone https://alice:" + letters(20) + "@git.invalid/a # buildkit"), Ids{"exposed-secret.url-password"});
  EXPECT_EQ(step("/bin/sh -c echo password=$PASSWORD"), Ids{});
  EXPECT_EQ(step("/bin/sh -c #(nop)  CMD [\"bash\"]"), Ids{});
}

TEST(Redaction, ShowsBeginningAndEndOnly) {
  EXPECT_EQ(redact("abc"), "[3 characters]");
  EXPECT_EQ(redact("abcdefghijklmnopqrst"), "abcd...st [20 characters]");
  const std::string step = "RUN |1 NPM_TOKEN=" + letters(36) + " /bin/sh -c curl https://a:Tr0ub4dor3@b.invalid -H " + github;
  const std::string shown = redact_secrets(step);
  EXPECT_EQ(shown.find(letters(36)), std::string::npos);
  EXPECT_EQ(shown.find("Tr0ub4dor3"), std::string::npos);
  EXPECT_EQ(shown.find(github), std::string::npos);
  EXPECT_NE(shown.find("/bin/sh -c curl https://a:"), std::string::npos);
  EXPECT_EQ(redact_secrets("/bin/sh -c #(nop) ADD file:0123456789abcdef in / "), "/bin/sh -c #(nop) ADD file:0123456789abcdef in / ");
}

}  // namespace
}  // namespace lazaret::detect
