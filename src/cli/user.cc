// lazaret user: accounts and their tokens, on the data folder, also while a server uses it.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cstdio>
#include <ctime>
#include <filesystem>
#include <iostream>

#include "base/random.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/server_configuration.h"
#include "registry/accounts.h"

namespace lazaret::cli {
namespace {

std::string date(std::int64_t milliseconds) {
  if (milliseconds == 0) return "never";
  return fmt::format("{:%Y-%m-%d %H:%M}", fmt::gmtime(static_cast<std::time_t>(milliseconds / 1000)));
}

// The password on standard input, or a new one that is shown.
Result<std::string> password_for(const UserOptions& options, bool& shown) {
  shown = !options.password_stdin;
  if (shown) return to_hex(as_bytes(random_bytes(16)));
  std::string password;
  if (!std::getline(std::cin, password)) return Error{ErrorCode::invalid, "there is no password on standard input"};
  if (password.ends_with('\r')) password.pop_back();
  return password;
}

void show(const std::string& name, const std::string& password, bool shown) {
  if (shown) fmt::print("password of {}: {}\n", name, password);
}

int list(registry::Accounts& accounts) {
  fmt::print("{:<32} {:<14} {:<9} {}\n", "NAME", "ROLE", "STATE", "CREATED");
  for (const store::Account& account : accounts.accounts())
    fmt::print("{:<32} {:<14} {:<9} {}\n", escape(account.name), store::name_of(account.role), account.disabled ? "disabled" : "enabled", date(account.created));
  return 0;
}

int list_tokens(registry::Accounts& accounts, const std::string& name) {
  fmt::print("{:>6} {:<24} {:<8} {:<17} {:<24} {}\n", "ID", "ACCOUNT", "KIND", "EXPIRES", "LABEL", "SCOPE");
  std::unordered_map<std::int64_t, std::string> names;
  for (const store::Account& account : accounts.accounts()) names[account.id] = account.name;
  for (const store::Token& token : accounts.tokens()) {
    if (!name.empty() && names[token.account] != name) continue;
    fmt::print("{:>6} {:<24} {:<8} {:<17} {:<24} {}\n", token.id, escape(names[token.account]), token.kind == store::TokenKind::robot ? "robot" : "refresh", date(token.expires),
               escape(token.label), token.kind == store::TokenKind::robot ? escape(token.scope) : "");
  }
  return 0;
}

int show_log(registry::Accounts& accounts) {
  for (std::int64_t after = 0;;) {
    const auto acts = accounts.store().acts(after, 1000);
    if (!acts) return fail(acts.error().message);
    if (acts->empty()) break;
    for (const store::Act& act : *acts) {
      fmt::print("{} {} {} by {}{} {}\n", date(act.at), act.act, escape(act.subject), escape(act.actor), act.address.empty() ? "" : " from " + escape(act.address), escape(act.detail));
      after = act.id;
    }
  }
  const auto broken = accounts.store().first_broken_act();
  if (!broken) return fail(broken.error().message);
  if (!*broken) return 0;
  fmt::print(stderr, "lazaret: the log of acts was changed: entry {} does not fit the one before it\n", **broken);
  return exit_error;
}

Result<std::string> act(registry::Accounts& accounts, const UserOptions& options) {
  const registry::Actor actor{person(), ""};
  switch (options.act) {
    case UserAct::add: {
      const auto role = store::parse_role(options.role);
      if (!role) return Error{ErrorCode::invalid, "a role is reader, publisher or administrator"};
      bool shown = false;
      const auto password = password_for(options, shown);
      if (!password) return password.error();
      if (const auto added = accounts.add(actor, options.name, *role, *password, !options.no_delete); !added) return added.error();
      show(options.name, *password, shown);
      return fmt::format("{} was added as {}", options.name, options.role);
    }
    case UserAct::password: {
      bool shown = false;
      const auto password = password_for(options, shown);
      if (!password) return password.error();
      if (const auto done = accounts.set_password(actor, options.name, *password); !done) return done.error();
      show(options.name, *password, shown);
      return fmt::format("{} has a new password; its tokens are void", options.name);
    }
    case UserAct::token: {
      std::string scopes;
      for (const std::string& scope : options.scopes) scopes += scope + " ";
      const auto grants = registry::parse_grants(scopes);
      if (!grants) return Error{ErrorCode::invalid, fmt::format("{} is no scope; write NAME:pull,push or NAME/*:pull,push,delete", escape(trim(scopes)))};
      const auto made = accounts.add_robot(actor, options.name, options.label, *grants, options.days);
      if (!made) return made.error();
      fmt::print("{}\n", made->secret);
      return fmt::format("token {} of {} for {} until {}; it is not shown again", made->token.id, options.name, made->token.scope, date(made->token.expires));
    }
    case UserAct::revoke:
      if (const auto done = accounts.revoke(actor, options.token); !done) return done.error();
      return fmt::format("token {} is void", options.token);
    case UserAct::disable:
    case UserAct::enable:
      if (const auto done = accounts.set_disabled(actor, options.name, options.act == UserAct::disable); !done) return done.error();
      return fmt::format("{} is {}", options.name, options.act == UserAct::disable ? "disabled" : "enabled");
    case UserAct::remove:
      if (const auto done = accounts.remove(actor, options.name); !done) return done.error();
      return fmt::format("{} was removed; what it pushed stays", options.name);
    case UserAct::list:
    case UserAct::tokens:
    case UserAct::log: break;
  }
  return std::string();
}

}  // namespace

int run_user(const UserOptions& options) {
  const auto configuration = read_configuration(options.serve);
  if (!configuration) return fail(configuration.error().message);
  std::error_code problem;
  if (std::filesystem::create_directories(configuration->data, problem)) std::filesystem::permissions(configuration->data, std::filesystem::perms::owner_all, problem);
  auto store = store::open_sqlite_account_store(configuration->data + "/accounts.sqlite");
  if (!store) return fail(store.error().message);
  registry::AccountOptions account_options;
  account_options.anonymous_pull = configuration->anonymous_pull;
  auto accounts = registry::Accounts::open(std::move(*store), account_options);
  if (!accounts) return fail(accounts.error().message);
  const auto first = (*accounts)->make_first_administrator(configuration->data + "/admin-password");
  if (!first) return fail(first.error().message);
  if (*first) fmt::print(stderr, "lazaret: the password of the new administrator admin is in {}/admin-password\n", escape(configuration->data));

  if (options.act == UserAct::list) return list(**accounts);
  if (options.act == UserAct::tokens) return list_tokens(**accounts, options.name);
  if (options.act == UserAct::log) return show_log(**accounts);
  const auto done = act(**accounts, options);
  if (!done) return fail(done.error().message);
  fmt::print(stderr, "lazaret: {}\n", escape(*done));
  return 0;
}

}  // namespace lazaret::cli
