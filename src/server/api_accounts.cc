// Accounts and tokens: what `lazaret user` does, over the network. Each act is written to the log of acts.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/random.h"
#include "base/text.h"
#include "base/time.h"
#include "registry/grant.h"
#include "server/api_answer.h"
#include "server/api_resources.h"

namespace lazaret::server {
namespace {

constexpr std::size_t most_password_bytes = 1024;

std::optional<store::Account> find(const ApiCall& call, std::string_view name) {
  for (store::Account& account : call.services.accounts.accounts()) {
    if (account.name == name) return std::move(account);
  }
  return std::nullopt;
}

void write_account(JsonWriter& json, const store::Account& account) {
  json.begin_object().field("name", account.name).field("role", store::name_of(account.role)).field("may_delete", account.may_delete);
  json.field("disabled", account.disabled).field("created", to_rfc3339(account.created)).end_object();
}

net::Response answer_account(ApiCall& call, int status, const std::string& name) {
  const auto account = find(call, name);
  if (!account) return not_found("such account");
  JsonWriter json(0);
  write_account(json, *account);
  return answer_json(status, std::move(json));
}

net::Response me(ApiCall& call) {
  const auto account = find(call, call.caller.name);
  if (!account) return not_found("such account");
  JsonWriter json(0);
  json.begin_object().field("name", account->name).field("role", store::name_of(account->role)).field("may_delete", account->may_delete);
  json.field("limited", !call.caller.token.empty()).end_object();
  return answer_json(200, std::move(json));
}

net::Response list_accounts(ApiCall& call) {
  ApiPage page(call);
  if (page.mistake()) return *page.mistake();
  std::optional<std::string> next;
  std::string last;
  std::size_t written = 0;
  for (const store::Account& account : call.services.accounts.accounts()) {
    if (account.name <= page.after()) continue;
    if (written++ == page.limit()) {
      next = last;
      break;
    }
    write_account(page.json(), account);
    last = account.name;
  }
  return page.answer(next);
}

net::Response add_account(ApiCall& call) {
  BodyFields fields(call.body);
  const std::string name = fields.required_text("name", 64);
  const std::string role_name = fields.text("role", 20, "publisher");
  std::string password = fields.text("password", most_password_bytes);
  const bool may_delete = fields.flag("may_delete", true);
  const auto role = store::parse_role(role_name);
  if (!role) fields.refuse("role", "must be reader, publisher or administrator");
  if (auto mistake = fields.mistake()) return std::move(*mistake);
  const bool made = password.empty();
  if (made) password = to_hex(as_bytes(random_bytes(16)));
  const auto added = call.services.accounts.add(call.actor(), name, *role, password, may_delete);
  if (!added) return answer(call, added.error());
  JsonWriter json(0);
  json.begin_object().key("account");
  write_account(json, *added);
  // Shown once; one that the caller chose is known to it.
  if (made) json.field("password", password);
  json.end_object();
  net::Response response = answer_json(201, std::move(json));
  response.add("Location", fmt::format("{}/accounts/{}", api_base, name));
  return response;
}

net::Response show_account(ApiCall& call) {
  const std::string& name = call.parameter("name");
  if (!call.caller.administrator && call.caller.name != name) return not_found("such account");
  return answer_account(call, 200, name);
}

net::Response change_account(ApiCall& call) {
  const std::string& name = call.parameter("name");
  const auto account = find(call, name);
  if (!account) return not_found("such account");
  BodyFields fields(call.body);
  const auto role = store::parse_role(fields.text("role", 20, std::string(store::name_of(account->role))));
  const bool may_delete = fields.flag("may_delete", account->may_delete), disabled = fields.flag("disabled", account->disabled);
  if (!role) fields.refuse("role", "must be reader, publisher or administrator");
  if (auto mistake = fields.mistake()) return std::move(*mistake);
  if (*role != account->role || may_delete != account->may_delete) {
    if (const auto done = call.services.accounts.set_role(call.actor(), name, *role, may_delete); !done) return answer(call, done.error());
  }
  if (disabled != account->disabled) {
    if (const auto done = call.services.accounts.set_disabled(call.actor(), name, disabled); !done) return answer(call, done.error());
  }
  return answer_account(call, 200, name);
}

net::Response remove_account(ApiCall& call) {
  if (const auto done = call.services.accounts.remove(call.actor(), call.parameter("name")); !done) return answer(call, done.error());
  net::Response response;
  response.status = 204;
  return response;
}

// Of the caller's own account with its present password, whatever its role: who sits down at an open session must not take the account over.
net::Response set_password(ApiCall& call) {
  const std::string& name = call.parameter("name");
  const bool own = call.caller.name == name;
  if (!own && !call.caller.administrator) return not_found("such account");
  BodyFields fields(call.body);
  const std::string password = fields.required_text("password", most_password_bytes);
  const std::string current = fields.text("current_password", most_password_bytes);
  if (own && current.empty()) fields.refuse("current_password", "is missing: it is needed to change one's own password");
  if (auto mistake = fields.mistake()) return std::move(*mistake);
  if (own) {
    const auto proved = call.services.accounts.log_in(name, current, call.request().client);
    if (!proved && proved.error().code == ErrorCode::busy) {
      net::Response response = answer({429, "Too many requests", proved.error().message, "", ""});
      response.add("Retry-After", "10");
      return response;
    }
    // A robot's secret is no password.
    if (!proved || proved->grants) return answer({403, "Not allowed", "the present password is wrong", "", "current_password"});
  }
  if (const auto done = call.services.accounts.set_password(call.actor(), name, password); !done) return answer(call, done.error());
  net::Response response;
  response.status = 204;
  return response;
}

// --- tokens

void write_token(JsonWriter& json, const store::Token& token, const std::string& account, const std::string& secret = "") {
  json.begin_object().field("id", token.id).field("account", account).field("kind", token.kind == store::TokenKind::robot ? "robot" : "refresh").field("label", token.label);
  if (token.kind == store::TokenKind::robot) json.field("scope", token.scope);
  json.field("created", to_rfc3339(token.created));
  if (token.expires != 0) json.field("expires", to_rfc3339(token.expires));
  if (!secret.empty()) json.field("secret", secret);
  json.end_object();
}

std::map<std::int64_t, std::string> account_names(const ApiCall& call) {
  std::map<std::int64_t, std::string> names;
  for (const store::Account& account : call.services.accounts.accounts()) names.emplace(account.id, account.name);
  return names;
}

net::Response list_tokens(ApiCall& call) {
  ApiPage page(call);
  if (page.mistake()) return *page.mistake();
  const std::string wanted = call.caller.administrator ? call.query("account").value_or("") : call.caller.name;
  if (const auto asked = call.query("account"); asked && !call.caller.administrator && *asked != call.caller.name) return page.answer(std::nullopt);
  const auto names = account_names(call);
  std::optional<std::string> next;
  std::int64_t last = 0;
  std::size_t written = 0;
  for (const store::Token& token : call.services.accounts.tokens()) {
    const auto name = names.find(token.account);
    if (token.id <= page.after_number() || name == names.end() || (!wanted.empty() && name->second != wanted)) continue;
    if (written++ == page.limit()) {
      next = std::to_string(last);
      break;
    }
    write_token(page.json(), token, name->second);
    last = token.id;
  }
  return page.answer(next);
}

net::Response add_token(ApiCall& call) {
  BodyFields fields(call.body);
  const std::string account = fields.text("account", 64, call.caller.name);
  const std::string label = fields.text("label", 128), scope = fields.required_text("scope", 8192);
  const auto days = fields.number("days", 1, 366, 90);
  const auto grants = registry::parse_grants(scope);
  if (!grants) fields.refuse("scope", "is none: write NAME:pull,push or NAME/*:pull,push,delete");
  if (auto mistake = fields.mistake()) return std::move(*mistake);
  if (account != call.caller.name && !call.caller.administrator) return answer({403, "Not allowed", "tokens of other accounts are made by administrators", "", "account"});
  const auto made = call.services.accounts.add_robot(call.actor(), account, label, *grants, static_cast<int>(days));
  if (!made) return answer(call, made.error());
  JsonWriter json(0);
  write_token(json, made->token, account, made->secret);
  return answer_json(201, std::move(json));
}

net::Response remove_token(ApiCall& call) {
  const std::string& text = call.parameter("id");
  std::int64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  const auto names = account_names(call);
  const auto tokens = call.services.accounts.tokens();
  const auto token = std::find_if(tokens.begin(), tokens.end(), [&](const store::Token& one) { return one.id == id; });
  if (error != std::errc() || end != text.data() + text.size() || token == tokens.end()) return not_found("such token");
  const auto name = names.find(token->account);
  if (!call.caller.administrator && (name == names.end() || name->second != call.caller.name)) return not_found("such token");
  if (const auto done = call.services.accounts.revoke(call.actor(), id); !done) return answer(call, done.error());
  net::Response response;
  response.status = 204;
  return response;
}

constexpr ApiRoute list[] = {
    {"GET", "/me", ApiAccess::account, me, {200, 404}},
    {"GET", "/accounts", ApiAccess::administrator, list_accounts, {200}, {}, true},
    {"POST", "/accounts", ApiAccess::administrator, add_account, {201, 409}, {}, false, 8192},
    {"GET", "/accounts/{name}", ApiAccess::person, show_account, {200, 404}},
    {"PATCH", "/accounts/{name}", ApiAccess::administrator, change_account, {200, 404}, {}, false, 8192},
    {"DELETE", "/accounts/{name}", ApiAccess::administrator, remove_account, {204, 404}},
    {"PUT", "/accounts/{name}/password", ApiAccess::person, set_password, {204, 404}, {}, false, 8192},
    {"GET", "/tokens", ApiAccess::person, list_tokens, {200}, {"account"}, true},
    {"POST", "/tokens", ApiAccess::person, add_token, {201, 404}, {}, false, 16384},
    {"DELETE", "/tokens/{id}", ApiAccess::person, remove_token, {204, 404}},
};

}  // namespace

std::span<const ApiRoute> account_routes() { return list; }

}  // namespace lazaret::server
