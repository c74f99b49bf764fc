#include "registry/accounts.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "base/base64.h"
#include "base/bytes.h"
#include "base/digest.h"
#include "base/file_descriptor.h"
#include "base/hmac.h"
#include "base/random.h"
#include "base/text.h"
#include "base/time.h"
#include "net/address.h"

namespace lazaret::registry {
namespace {

// What our secrets begin with, so that scanners of leaked secrets can know them, and one kind is never taken for another.
constexpr std::string_view robot_prefix = "lzr_", refresh_prefix = "lzf_", access_prefix = "lza_";
constexpr std::size_t most_proved = 10'000;
constexpr std::size_t most_password_bytes = 1024;
constexpr std::size_t least_password_bytes = 8;

std::string hash_of(std::string_view secret) {
  return sha256(as_bytes(secret)).hex();
}

std::string url_base64(std::string_view bytes) {
  std::string text = encode_base64(bytes);
  while (text.ends_with('=')) text.pop_back();
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Error wrong_credentials() {
  return {ErrorCode::unauthorized, "the name, the password or the token is wrong, or it has expired"};
}

Error too_many_failures(std::chrono::seconds wait) {
  return {ErrorCode::busy, fmt::format("too many logins failed; try again in {} seconds", wait.count())};
}

Result<void> check_password(std::string_view password) {
  if (password.size() < least_password_bytes || password.size() > most_password_bytes)
    return Error{ErrorCode::invalid, fmt::format("a password has {} to {} bytes", least_password_bytes, most_password_bytes)};
  return {};
}

bool in_namespace(std::string_view repository, std::string_view name) {
  return repository.size() > name.size() + 1 && repository.starts_with(name) && repository[name.size()] == '/';
}

// Written under another name first, so that the file is whole whenever it is there.
Result<void> write_secret_file(const std::string& path, const std::string& text) {
  const std::string draft = path + ".new";
  const auto failed = [&] { return Error{ErrorCode::io, fmt::format("cannot write {}: check that the folder may be written and the disk is not full", escape(path))}; };
  unlink(draft.c_str());
  const FileDescriptor file(::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) || ::fsync(file.get()) != 0) return failed();
  if (std::rename(draft.c_str(), path.c_str()) != 0) return failed();
  return {};
}

}  // namespace

const store::Account* Accounts::Snapshot::account(std::int64_t id) const {
  const auto name = names.find(id);
  return name == names.end() ? nullptr : &by_name.at(name->second);
}

Accounts::Accounts(std::unique_ptr<store::AccountStore> store, AccountOptions options, Now now)
    : store_(std::move(store)),
      options_(std::move(options)),
      now_(now ? std::move(now) : milliseconds_now),
      memory_key_(random_bytes(32)),
      unfitting_record_(make_unfitting_password_record(options_.password_cost)),
      failures_of_pair_(options_.failures_of_pair),
      failures_of_address_(options_.failures_of_address),
      failures_of_account_(options_.failures_of_account) {}

Result<std::unique_ptr<Accounts>> Accounts::open(std::unique_ptr<store::AccountStore> store, AccountOptions options, Now now) {
  std::unique_ptr<Accounts> accounts(new Accounts(std::move(store), std::move(options), std::move(now)));
  auto key = accounts->store_->secret();
  if (!key) return key.error();
  accounts->signing_key_ = std::move(*key);
  if (auto loaded = accounts->load(); !loaded) return loaded.error();
  return accounts;
}

std::shared_ptr<const Accounts::Snapshot> Accounts::snapshot() const {
  const std::lock_guard lock(mutex_);
  return snapshot_;
}

Result<void> Accounts::load() {
  auto fresh = std::make_shared<Snapshot>();
  // The number first: what changes while the rest is read is read again the next time.
  const auto version = store_->version();
  if (!version) return version.error();
  auto accounts = store_->accounts();
  if (!accounts) return accounts.error();
  auto tokens = store_->tokens();
  if (!tokens) return tokens.error();
  fresh->version = *version;
  for (auto& account : *accounts) {
    fresh->names.emplace(account.id, account.name);
    fresh->by_name.emplace(account.name, std::move(account));
  }
  for (auto& token : *tokens) {
    fresh->hashes.emplace(token.id, token.hash);
    fresh->by_hash.emplace(token.hash, std::move(token));
  }
  const std::lock_guard lock(mutex_);
  looked_ = std::chrono::steady_clock::now();
  if (snapshot_ && snapshot_->version > fresh->version) return {};
  snapshot_ = std::move(fresh);
  return {};
}

bool Accounts::looked() const {
  const std::lock_guard lock(mutex_);
  return std::chrono::steady_clock::now() - looked_ < options_.look_every;
}

Result<void> Accounts::look() {
  if (looked()) return {};
  const auto version = store_->version();
  if (!version) return version.error();
  {
    const std::lock_guard lock(mutex_);
    if (snapshot_->version == *version) {
      looked_ = std::chrono::steady_clock::now();
      return {};
    }
  }
  return load();
}

Result<bool> Accounts::make_first_administrator(const std::string& password_file) {
  if (!snapshot()->by_name.empty()) return false;
  const std::string password = url_base64(random_bytes(24));
  // The file first: an account whose password nobody knows could not be entered, a file without account is replaced at the next start.
  if (auto written = write_secret_file(password_file, password + "\n"); !written) return written.error();
  auto added = add({"lazaret", ""}, "admin", store::Role::administrator, password);
  if (!added) return added.error();
  return true;
}

// --- who is it

Identity Accounts::identity_of(const store::Account& account) {
  Identity identity;
  identity.account = account.id;
  identity.name = account.name;
  identity.role = account.role;
  identity.may_delete = account.may_delete || account.role == store::Role::administrator;
  identity.generation = account.generation;
  return identity;
}

const store::Token* Accounts::live_token(const Snapshot& known, std::string_view secret, store::TokenKind kind) const {
  const auto found = known.by_hash.find(hash_of(secret));
  if (found == known.by_hash.end()) return nullptr;
  const store::Token& token = found->second;
  if (token.kind != kind || (token.expires != 0 && token.expires <= now_())) return nullptr;
  const store::Account* account = known.account(token.account);
  if (account == nullptr || account->disabled || account->generation != token.generation) return nullptr;
  return &token;
}

std::optional<Identity> Accounts::by_robot(const Snapshot& known, std::string_view secret) const {
  const store::Token* token = live_token(known, secret, store::TokenKind::robot);
  if (token == nullptr) return std::nullopt;
  Identity identity = identity_of(*known.account(token->account));
  identity.token = token->id;
  identity.grants = parse_grants(token->scope).value_or(std::vector<Grant>());
  return identity;
}

std::string Accounts::key_of(std::string_view name, std::string_view password) const {
  return hmac_sha256(memory_key_, fmt::format("{}:{}{}", name.size(), name, password));
}

std::optional<Identity> Accounts::known_log_in(std::string_view name, std::string_view password) {
  const auto known = snapshot();
  if (password.starts_with(robot_prefix)) {
    auto identity = by_robot(*known, password);
    if (identity && identity->name != name) identity.reset();
    return identity;
  }
  const auto account = known->by_name.find(std::string(name));
  if (account == known->by_name.end() || account->second.disabled) return std::nullopt;
  const std::string key = key_of(name, password);
  const std::lock_guard lock(mutex_);
  const auto found = proved_.find(key);
  if (found == proved_.end()) return std::nullopt;
  const Proved& proved = found->second;
  if (proved.account != account->second.id || proved.generation != account->second.generation || proved.until < std::chrono::steady_clock::now()) {
    proved_.erase(found);
    return std::nullopt;
  }
  return identity_of(account->second);
}

// Hashes need much memory: a few at a time, others wait, and when too many do, it is said.
bool Accounts::prove(const store::Account* account, std::string_view password, bool& busy) {
  {
    std::unique_lock lock(hashing_mutex_);
    if (hashes_waiting_ >= options_.hashes_waiting) {
      busy = true;
      return false;
    }
    ++hashes_waiting_;
    hashing_changed_.wait(lock, [&] { return hashing_ < options_.hashes_at_once; });
    --hashes_waiting_;
    ++hashing_;
  }
  const bool enters = account != nullptr && !account->disabled && !account->password.empty();
  // An account that does not exist takes as long as one that does.
  const bool fits = password_fits(password, enters ? account->password : unfitting_record_);
  const std::lock_guard lock(hashing_mutex_);
  --hashing_;
  hashing_changed_.notify_one();
  return fits && enters;
}

Result<Identity> Accounts::log_in(std::string_view name, std::string_view password, std::string_view address) {
  if (auto looked = look(); !looked) return looked.error();
  if (auto identity = known_log_in(name, password)) return std::move(*identity);
  if (password.starts_with(robot_prefix) || password.size() > most_password_bytes || name.size() > 255) {
    // Robots' secrets cannot be guessed; a flood of wrong ones is still counted.
    const std::string client = net::client_key(address);
    if (const auto wait = failures_of_address_.take(client)) return too_many_failures(*wait);
    return wrong_credentials();
  }
  const std::string client = net::client_key(address);
  const std::string pair = fmt::format("{} {}", client, name);
  for (const auto& wait : {failures_of_address_.look(client), failures_of_account_.look(std::string(name)), failures_of_pair_.take(pair)})
    if (wait) return too_many_failures(*wait);

  const auto known = snapshot();
  const auto found = known->by_name.find(std::string(name));
  const store::Account* account = found == known->by_name.end() ? nullptr : &found->second;
  bool busy = false;
  if (!prove(account, password, busy)) {
    if (busy) return Error{ErrorCode::busy, "too many log in at this moment; try again in 5 seconds"};
    failures_of_address_.take(client);
    failures_of_account_.take(std::string(name));
    return wrong_credentials();
  }
  failures_of_pair_.forgive(pair);
  const auto now = std::chrono::steady_clock::now();
  const std::lock_guard lock(mutex_);
  if (proved_.size() >= most_proved) std::erase_if(proved_, [&](const auto& entry) { return entry.second.until < now; });
  if (proved_.size() < most_proved) proved_[key_of(name, password)] = {account->id, account->generation, now + options_.password_memory};
  return identity_of(*account);
}

Result<Identity> Accounts::by_bearer(std::string_view token) {
  const auto known = snapshot();
  if (token.starts_with(robot_prefix)) {
    if (auto identity = by_robot(*known, token)) return std::move(*identity);
    return wrong_credentials();
  }
  const auto dot = token.rfind('.');
  if (!token.starts_with(access_prefix) || dot == std::string_view::npos || token.size() > 16'384) return wrong_credentials();
  const std::string_view encoded = token.substr(access_prefix.size(), dot - access_prefix.size());
  const std::string expected = sign(encoded);
  const std::string_view given = token.substr(dot + 1);
  if (given.size() != expected.size() || CRYPTO_memcmp(given.data(), expected.data(), given.size()) != 0) return wrong_credentials();
  const auto payload = decode_base64(encoded);
  if (!payload) return wrong_credentials();
  const auto fields = split(*payload, '|');
  if (fields.size() != 6 || fields[0] != "1") return wrong_credentials();
  const auto account_id = number(fields[1]), generation = number(fields[2]), token_id = number(fields[3]), expires = number(fields[4]);
  auto grants = parse_scopes(fields[5]);
  if (!account_id || !generation || !token_id || !expires || !grants || *expires <= now_()) return wrong_credentials();
  Identity identity;
  if (*account_id != 0) {
    const store::Account* account = known->account(*account_id);
    if (account == nullptr || account->disabled || account->generation != *generation) return wrong_credentials();
    bool robot = false;
    // What a token gave birth to dies with it.
    if (*token_id != 0) {
      const auto hash = known->hashes.find(*token_id);
      if (hash == known->hashes.end()) return wrong_credentials();
      const store::Token& parent = known->by_hash.at(hash->second);
      if (parent.expires != 0 && parent.expires <= now_()) return wrong_credentials();
      robot = parent.kind == store::TokenKind::robot;
    }
    identity = identity_of(*account);
    identity.token = *token_id;
    identity.asked_for_less = !robot;
  }
  identity.grants = std::move(*grants);
  return identity;
}

Result<Identity> Accounts::by_refresh_token(std::string_view secret, std::string_view service) {
  if (auto looked = look(); !looked) return looked.error();
  const auto known = snapshot();
  const store::Token* token = secret.starts_with(refresh_prefix) ? live_token(*known, secret, store::TokenKind::refresh) : nullptr;
  if (token == nullptr || token->scope != service) return wrong_credentials();
  Identity identity = identity_of(*known->account(token->account));
  identity.token = token->id;
  return identity;
}

// --- what may they do

std::optional<Identity> Accounts::identity(std::string_view name) const {
  const auto known = snapshot();
  const auto found = known->by_name.find(std::string(name));
  if (found == known->by_name.end() || found->second.disabled) return std::nullopt;
  return identity_of(found->second);
}

Rights Accounts::rights(const Identity& identity, std::string_view repository) const {
  Rights rights = 0;
  if (identity.account == 0) {
    rights = options_.anonymous_pull ? right_pull : 0;
  } else if (identity.role == store::Role::administrator) {
    rights = right_all;
  } else {
    rights = right_pull;
    if (identity.role == store::Role::publisher && in_namespace(repository, identity.name)) rights |= right_push | (identity.may_delete ? right_delete : 0);
  }
  if (!identity.grants) return rights;
  Rights granted = 0;
  for (const Grant& grant : *identity.grants)
    if (grant.covers(repository)) granted |= grant.rights;
  return rights & granted;
}

std::string Accounts::sign(std::string_view text) const {
  return to_hex(as_bytes(hmac_sha256(signing_key_, text)));
}

Accounts::AccessToken Accounts::issue(const Identity& identity, const std::vector<Grant>& wanted) const {
  AccessToken access;
  for (const Grant& grant : wanted)
    if (const Rights allowed = grant.rights & rights(identity, grant.repository)) access.grants.push_back({grant.repository, allowed});
  access.issued = now_();
  access.lifetime = options_.access_lifetime;
  const std::string encoded =
      url_base64(fmt::format("1|{}|{}|{}|{}|{}", identity.account, identity.generation, identity.token,
                             access.issued + std::chrono::milliseconds(access.lifetime).count(), scope_text(access.grants)));
  access.token = fmt::format("{}{}.{}", access_prefix, encoded, sign(encoded));
  return access;
}

Result<std::string> Accounts::issue_refresh_token(const Identity& identity, std::string_view service) {
  if (identity.account == 0 || identity.token != 0) return Error{ErrorCode::invalid, "only a password gives a refresh token"};
  const auto known = snapshot();
  std::vector<std::int64_t> mine;
  for (const auto& [hash, token] : known->by_hash)
    if (token.account == identity.account && token.kind == store::TokenKind::refresh) mine.push_back(token.id);
  std::sort(mine.begin(), mine.end());
  for (std::size_t i = 0; i + options_.refresh_tokens <= mine.size(); ++i)
    if (auto removed = store_->remove_token(mine[i]); !removed) return removed.error();
  const std::string secret = std::string(refresh_prefix) + url_base64(random_bytes(32));
  store::Token token;
  token.account = identity.account;
  token.kind = store::TokenKind::refresh;
  token.hash = hash_of(secret);
  token.scope = service;
  token.generation = identity.generation;
  token.created = now_();
  if (auto added = store_->add_token(token); !added) return added.error();
  if (auto loaded = load(); !loaded) return loaded.error();
  return secret;
}

// --- administration

Result<store::Account> Accounts::find(std::string_view name) const {
  const auto known = snapshot();
  const auto found = known->by_name.find(std::string(name));
  if (found == known->by_name.end()) return Error{ErrorCode::not_found, fmt::format("there is no account {}", escape(name))};
  return found->second;
}

Result<void> Accounts::log(const Actor& actor, std::string_view act, std::string_view subject, std::string_view detail) {
  return store_->log({0, now_(), actor.name, actor.address, std::string(act), std::string(subject), std::string(detail), ""});
}

Result<store::Account> Accounts::add(const Actor& actor, const std::string& name, store::Role role, std::string_view password, bool may_delete) {
  if (!is_account_name(name))
    return Error{ErrorCode::invalid, fmt::format("{} can be no account: a name has 1 to 64 of a-z, 0-9, and single '-' or '_' between them, as it is the first part "
                                                 "of repository names", escape(name))};
  store::Account account;
  account.name = name;
  account.role = role;
  account.may_delete = may_delete;
  account.created = now_();
  if (!password.empty()) {
    if (auto good = check_password(password); !good) return good.error();
    auto record = make_password_record(password, options_.password_cost);
    if (!record) return record.error();
    account.password = std::move(*record);
  }
  auto added = store_->add(account);
  if (!added) return added.error();
  if (auto logged = log(actor, "account.add", name, name_of(role)); !logged) return logged.error();
  if (auto loaded = load(); !loaded) return loaded.error();
  return added;
}

Result<void> Accounts::set_password(const Actor& actor, std::string_view name, std::string_view password) {
  if (auto good = check_password(password); !good) return good.error();
  auto account = find(name);
  if (!account) return account.error();
  auto record = make_password_record(password, options_.password_cost);
  if (!record) return record.error();
  account->password = std::move(*record);
  ++account->generation;
  if (auto updated = store_->update(*account); !updated) return updated.error();
  if (auto logged = log(actor, "account.password", name, ""); !logged) return logged.error();
  return load();
}

Result<void> Accounts::check_not_last_administrator(const store::Account& account) const {
  const auto all = accounts();
  const auto administrators = std::count_if(all.begin(), all.end(), [](const store::Account& one) { return one.role == store::Role::administrator && !one.disabled; });
  if (account.role != store::Role::administrator || account.disabled || administrators > 1) return {};
  return Error{ErrorCode::invalid, fmt::format("{} is the last administrator; add another one first", escape(account.name))};
}

Result<void> Accounts::set_role(const Actor& actor, std::string_view name, store::Role role, bool may_delete) {
  auto account = find(name);
  if (!account) return account.error();
  if (role != store::Role::administrator) {
    if (const auto other = check_not_last_administrator(*account); !other) return other.error();
  }
  account->role = role;
  account->may_delete = may_delete;
  if (auto updated = store_->update(*account); !updated) return updated.error();
  if (auto logged = log(actor, "account.role", name, fmt::format("{}{}", name_of(role), may_delete ? "" : ", may not delete")); !logged) return logged.error();
  return load();
}

Result<void> Accounts::set_disabled(const Actor& actor, std::string_view name, bool disabled) {
  auto account = find(name);
  if (!account) return account.error();
  if (disabled) {
    if (const auto other = check_not_last_administrator(*account); !other) return other.error();
  }
  account->disabled = disabled;
  if (auto updated = store_->update(*account); !updated) return updated.error();
  if (auto logged = log(actor, disabled ? "account.disable" : "account.enable", name, ""); !logged) return logged.error();
  return load();
}

Result<void> Accounts::remove(const Actor& actor, std::string_view name) {
  const auto account = find(name);
  if (!account) return account.error();
  if (const auto other = check_not_last_administrator(*account); !other) return other.error();
  if (auto removed = store_->remove(account->id); !removed) return removed.error();
  if (auto logged = log(actor, "account.remove", name, ""); !logged) return logged.error();
  return load();
}

Result<NewToken> Accounts::add_robot(const Actor& actor, std::string_view name, std::string_view label, const std::vector<Grant>& grants, int days) {
  if (days < 1 || days > 366) return Error{ErrorCode::invalid, "a token lives 1 to 366 days"};
  if (grants.empty()) return Error{ErrorCode::invalid, "a token needs a scope, such as alice/*:pull,push"};
  if (label.size() > 128) return Error{ErrorCode::invalid, "the label of a token has at most 128 bytes"};
  const auto account = find(name);
  if (!account) return account.error();
  NewToken made;
  made.secret = std::string(robot_prefix) + url_base64(random_bytes(32));
  made.token.account = account->id;
  made.token.kind = store::TokenKind::robot;
  made.token.label = label;
  made.token.hash = hash_of(made.secret);
  made.token.scope = grants_text(grants);
  made.token.generation = account->generation;
  made.token.created = now_();
  made.token.expires = made.token.created + std::int64_t{days} * 86'400'000;
  auto added = store_->add_token(made.token);
  if (!added) return added.error();
  made.token = std::move(*added);
  if (auto logged = log(actor, "token.add", name, fmt::format("{} {} {} days", made.token.id, made.token.scope, days)); !logged) return logged.error();
  if (auto loaded = load(); !loaded) return loaded.error();
  return made;
}

Result<void> Accounts::revoke(const Actor& actor, std::int64_t token) {
  const auto known = snapshot();
  if (!known->hashes.contains(token)) return Error{ErrorCode::not_found, fmt::format("there is no token {}", token)};
  if (auto removed = store_->remove_token(token); !removed) return removed.error();
  if (auto logged = log(actor, "token.revoke", std::to_string(token), ""); !logged) return logged.error();
  return load();
}

std::vector<store::Account> Accounts::accounts() const {
  const auto known = snapshot();
  std::vector<store::Account> list;
  for (const auto& [name, account] : known->by_name) list.push_back(account);
  std::sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return list;
}

std::vector<store::Token> Accounts::tokens() const {
  const auto known = snapshot();
  std::vector<store::Token> list;
  for (const auto& [hash, token] : known->by_hash) list.push_back(token);
  std::sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return list;
}

}  // namespace lazaret::registry
