// What a detector says: rules (the documentation of a kind of finding), findings and indicators.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lazaret::detect {

// Report contract, "Categories". name_of() gives the spelling of the report.
enum class Category : std::uint8_t {
  known_bad,
  miner,
  reverse_shell,
  bind_shell,
  webshell,
  dropper,
  persistence,
  container_escape,
  credential_theft,
  rootkit,
  obfuscation,
  integrity,
  hidden_content,
  impersonation,
  proxy_abuse,
  exposed_secret,
  anomaly,
};
enum class Severity : std::uint8_t { info, low, medium, high, critical };
enum class Confidence : std::uint8_t { low, medium, high };

std::string_view name_of(Category category);  // "reverse-shell"
std::string_view name_of(Severity severity);  // "critical"
std::string_view name_of(Confidence confidence);
std::optional<Category> parse_category(std::string_view name);
std::optional<Severity> parse_severity(std::string_view name);

// One kind of finding, with everything a person needs to judge it. All text is constant and lives
// as long as the process.
struct Rule {
  std::string_view id;  // "<category>.<what>", e.g. "reverse-shell.bash-dev-tcp"
  Category category;
  Severity severity;       // a finding may lower or raise it
  Confidence confidence;   // how sure the rule is when nothing else is known
  std::string_view title;  // one line: "Bash reverse shell over /dev/tcp"
  std::string_view
      explanation;  // one or two sentences: why it matters, what innocent thing looks like it
  std::string_view remediation;  // what to do
  std::array<std::string_view, 4>
      attack{};  // MITRE ATT&CK technique ids (v18.1); unused entries empty
  // What would change the judgement, one sentence: "It would be harmless if ...". Empty: that of the category (category_support.h).
  std::string_view doubt{};
};

// Something that ties images together. Types (lower-case, stable): wallet.monero,
// wallet.cryptonote, wallet.bitcoin, wallet.ethereum, pool, c2, url, domain, ssh-key, file-sha256,
// layer, login, email.
struct Indicator {
  std::string type;
  std::string value;
  bool validated = false;  // a checksum or structure was checked, not just a shape

  bool operator==(const Indicator&) const = default;
};

// One finding inside one file. The audit adds layer, path, nesting and context.
struct FileFinding {
  const Rule* rule = nullptr;
  std::uint64_t offset = 0;  // in FileView::content
  std::string
      evidence;  // the telling bytes, raw (escaped where shown); a line, at most about 400 bytes
  std::vector<std::string> chain;  // decoding or flow steps inside the file: {"base64", "bash"}
  std::vector<Indicator> indicators;
  std::optional<Severity> severity;      // when other than the rule's
  std::optional<Confidence> confidence;  // when other than the rule's
};

}  // namespace lazaret::detect
