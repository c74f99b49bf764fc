#include "server/passwords.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <sys/random.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "base/digest.h"
#include "base/file_descriptor.h"
#include "base/text.h"

namespace lazaret::server {
namespace {

using registry::Action;
using registry::Caller;

std::optional<std::string> decode_base64(std::string_view text) {
  std::string bytes;
  std::uint32_t bits = 0;
  int count = 0;
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  for (const char c : text) {
    const int value = c >= 'A' && c <= 'Z' ? c - 'A' : c >= 'a' && c <= 'z' ? c - 'a' + 26 : c >= '0' && c <= '9' ? c - '0' + 52 : c == '+' ? 62 : c == '/' ? 63 : -1;
    if (value < 0) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    if (++count % 4 != 1) bytes.push_back(static_cast<char>(bits >> (count % 4 == 2 ? 4 : count % 4 == 3 ? 2 : 0)));
  }
  return bytes;
}

class PasswordFiles final : public registry::Authorizer {
 public:
  PasswordFiles(std::map<std::string, Digest, std::less<>> accounts, bool anonymous_pull) : accounts_(std::move(accounts)), anonymous_pull_(anonymous_pull) {}

  std::optional<Caller> known_caller(const net::Request& request) override {
    auto who = caller(request);
    if (!who) return std::nullopt;
    return std::move(*who);
  }
  Result<Caller> caller(const net::Request& request) override {
    const auto header = request.header("Authorization");
    if (!header) return Caller{};
    const Error wrong{ErrorCode::unauthorized, "the name or the password is wrong"};
    if (header->size() < 6 || !equals_ignore_case(header->substr(0, 6), "basic ")) return wrong;
    const auto pair = decode_base64(trim(header->substr(6)));
    const std::size_t colon = pair ? pair->find(':') : std::string::npos;
    if (colon == std::string::npos) return wrong;
    const std::string name = pair->substr(0, colon), password = pair->substr(colon + 1);
    // Clients that have no credentials answer a challenge like this.
    if (name.empty() && password.empty()) return Caller{};
    const Digest given = sha256(as_bytes(password));
    const auto account = accounts_.find(name);
    const Digest& expected = account == accounts_.end() ? nobody_ : account->second;
    if (CRYPTO_memcmp(given.bytes().data(), expected.bytes().data(), given.bytes().size()) != 0 || account == accounts_.end()) return wrong;
    return Caller{name, name == "admin", ""};
  }
  bool may(const Caller& caller, Action action, std::string_view repository) override {
    if (caller.administrator) return true;
    if (action == Action::pull && (anonymous_pull_ || !caller.anonymous())) return true;
    return !caller.anonymous() && repository.substr(0, repository.find('/')) == caller.name && repository.size() > caller.name.size();
  }
  bool ping_needs_credentials(const Caller& caller) override { return caller.anonymous(); }
  std::string challenge(const net::Request&, const std::vector<registry::Scope>&, bool) override { return "Basic realm=\"lazaret\""; }

 private:
  const std::map<std::string, Digest, std::less<>> accounts_;
  const bool anonymous_pull_;
  const Digest nobody_ = sha256(as_bytes("no account has this"));
};

Result<std::string> administrator_password(const std::string& path) {
  if (std::ifstream file(path); file) {
    std::string password;
    std::getline(file, password);
    if (!password.empty()) return password;
  }
  std::array<std::uint8_t, 24> random{};
  if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size())) return Error{ErrorCode::io, "the system gives no random bytes"};
  const std::string password = to_hex(random);
  const std::string line = password + "\n";
  const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file || ::write(file.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size()) || ::fsync(file.get()) != 0) {
    return Error{ErrorCode::io, "cannot write " + path};
  }
  return password;
}

}  // namespace

Result<std::unique_ptr<registry::Authorizer>> open_password_files(const std::string& folder, bool anonymous_pull) {
  const auto password = administrator_password(folder + "/admin-password");
  if (!password) return password.error();
  std::map<std::string, Digest, std::less<>> accounts;
  accounts.emplace("admin", sha256(as_bytes(*password)));
  std::ifstream file(folder + "/passwords");
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (trim(line).empty() || line.front() == '#') continue;
    const std::size_t colon = line.find(':');
    const auto digest = colon == std::string::npos ? std::nullopt : Digest::parse("sha256:" + std::string(trim(std::string_view(line).substr(colon + 1))));
    if (!digest) return Error{ErrorCode::invalid, fmt::format("{}/passwords:{}: a line is name:sha256 of the password in hex", folder, number)};
    accounts.emplace(line.substr(0, colon), *digest);
  }
  return std::unique_ptr<registry::Authorizer>(new PasswordFiles(std::move(accounts), anonymous_pull));
}

}  // namespace lazaret::server
