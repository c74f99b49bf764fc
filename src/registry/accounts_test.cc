#include "registry/accounts.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace lazaret::registry {
namespace {

const Actor admin{"admin", "203.0.113.1"};
constexpr const char* address = "203.0.113.7";

struct World {
  explicit World(AccountOptions options = {}, std::unique_ptr<store::AccountStore> store = nullptr) {
    options.password_cost = 8;
    if (!store) store = std::move(*store::open_sqlite_account_store(""));
    accounts = std::move(*Accounts::open(std::move(store), options, [this] { return now; }));
  }
  std::int64_t now = 1'700'000'000'000;
  std::unique_ptr<Accounts> accounts;
};

TEST(Grant, ScopesAreReadAsTheSpecificationWritesThem) {
  EXPECT_EQ(parse_scopes("repository:alice/tomcat:pull,push"), (std::vector<Grant>{{"alice/tomcat", right_pull | right_push}}));
  EXPECT_EQ(parse_scopes("repository:a/b:pull repository:c:push,delete  repository:a/b:push"), (std::vector<Grant>{{"a/b", right_pull | right_push}, {"c", right_push | right_delete}}));
  EXPECT_EQ(parse_scopes("repository(plugin):a:*"), (std::vector<Grant>{{"a", right_all}}));
  EXPECT_EQ(parse_scopes(""), std::vector<Grant>());
  EXPECT_EQ(parse_scopes("repository:a:"), (std::vector<Grant>{{"a", 0}}));
  // What is none of ours is left out.
  EXPECT_EQ(parse_scopes("registry:catalog:* repository:a:admin,pull"), (std::vector<Grant>{{"*", right_pull}, {"a", right_pull}}))
      << "the catalog is what may be pulled";
  EXPECT_EQ(parse_scopes("repository:Alice/../b:pull repository:a|b:pull repository:*:pull repository:alice/*:push"), std::vector<Grant>());
  for (const char* text : {"x", "repository:a", "pull push"}) EXPECT_EQ(parse_scopes(text), std::nullopt) << text;
  std::string many;
  for (int i = 0; i < 100; ++i) many += "repository:a" + std::to_string(i) + ":pull ";
  EXPECT_EQ(parse_scopes(many), std::nullopt);
}

TEST(Grant, PatternsCoverWhatIsBelowThem) {
  const auto grants = *parse_grants("alice/*:pull,push bob/x:pull *:pull");
  EXPECT_EQ(grants_text(grants), "alice/*:pull,push bob/x:pull *:pull");
  EXPECT_TRUE(grants[0].covers("alice/x"));
  EXPECT_TRUE(grants[0].covers("alice/x/y"));
  EXPECT_FALSE(grants[0].covers("alice"));
  EXPECT_FALSE(grants[0].covers("alice2/x"));
  EXPECT_FALSE(grants[0].covers("alicex"));
  EXPECT_FALSE(grants[1].covers("bob/xy"));
  EXPECT_TRUE(grants[2].covers("anything/at/all"));
  for (const char* text : {"", "alice", "alice/*", "alice/*:", "alice/*:pul", "al*ce:pull", "*/x:pull", "Alice:pull", "a//b:pull", "alice/**:pull"}) EXPECT_EQ(parse_grants(text), std::nullopt) << text;
}

TEST(Grant, NamesThatCouldBeTakenForSomethingElseAreNoAccounts) {
  for (const char* name : {"alice", "a", "a-b", "a--b", "a_b", "a__b", "0", "team1"}) EXPECT_TRUE(is_account_name(name)) << name;
  for (const char* name : {"", "Alice", "docker.io", "localhost", "library", "-a", "a-", "a___b", "a-_b", "a/b", "a b", "\xc3\xa4", "a\n", "v2", "_catalog"}) EXPECT_FALSE(is_account_name(name)) << name;
  EXPECT_FALSE(is_account_name(std::string(65, 'a')));
}

TEST(Accounts, TheFirstAdministratorGetsAPasswordThatIsWrittenOnceForItsOwner) {
  char folder[] = "/tmp/lazaret-admin-XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  const std::string path = std::string(folder) + "/admin-password";
  World world;
  EXPECT_TRUE(*world.accounts->make_first_administrator(path));
  EXPECT_FALSE(*world.accounts->make_first_administrator(path));
  struct stat file {};
  ASSERT_EQ(stat(path.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0600u);
  std::string password;
  std::getline(std::ifstream(path), password);
  EXPECT_EQ(password.size(), 32u);
  const auto who = world.accounts->log_in("admin", password, address);
  ASSERT_TRUE(who.ok()) << who.error().message;
  EXPECT_EQ(who->role, store::Role::administrator);
  EXPECT_EQ(world.accounts->rights(*who, "anybody/x"), right_all);
  std::filesystem::remove_all(folder);
}

TEST(Accounts, APublisherOwnsItsNamespaceAndNothingElse) {
  World world;
  ASSERT_TRUE(world.accounts->add(admin, "alice", store::Role::publisher, "password of alice").ok());
  ASSERT_TRUE(world.accounts->add(admin, "carol", store::Role::publisher, "password of carol", false).ok());
  ASSERT_TRUE(world.accounts->add(admin, "reader", store::Role::reader, "password of reader").ok());
  const Identity alice = *world.accounts->log_in("alice", "password of alice", address);
  EXPECT_EQ(world.accounts->rights(alice, "alice/tomcat"), right_all);
  EXPECT_EQ(world.accounts->rights(alice, "alice/a/b"), right_all);
  for (const char* other : {"alice", "alice2/x", "bob/alice", "ali/ce", "alice-x/y"}) EXPECT_EQ(world.accounts->rights(alice, other), right_pull) << other;
  EXPECT_EQ(world.accounts->rights(*world.accounts->log_in("carol", "password of carol", address), "carol/x"), right_pull | right_push);
  EXPECT_EQ(world.accounts->rights(*world.accounts->log_in("reader", "password of reader", address), "reader/x"), right_pull);
  EXPECT_EQ(world.accounts->rights(Identity(), "alice/tomcat"), right_pull);
  AccountOptions closed;
  closed.anonymous_pull = false;
  EXPECT_EQ(World(closed).accounts->rights(Identity(), "alice/tomcat"), 0u);
  EXPECT_FALSE(world.accounts->add(admin, "alice", store::Role::publisher, "password of alice").ok());
  EXPECT_FALSE(world.accounts->add(admin, "Bad Name", store::Role::publisher, "password of alice").ok());
  EXPECT_FALSE(world.accounts->add(admin, "bob", store::Role::publisher, "short").ok());
}

TEST(Accounts, WrongPasswordsAreRefusedInOneVoiceAndThenSlowedDown) {
  AccountOptions options;
  options.failures_of_pair = {0.001, 3};
  World world(options);
  ASSERT_TRUE(world.accounts->add(admin, "alice", store::Role::publisher, "password of alice").ok());
  const auto wrong = world.accounts->log_in("alice", "password of alicf", address);
  const auto nobody = world.accounts->log_in("nobody", "password of alicf", address);
  ASSERT_FALSE(wrong.ok());
  ASSERT_FALSE(nobody.ok());
  EXPECT_EQ(wrong.error().message, nobody.error().message) << "names cannot be found out";
  EXPECT_EQ(wrong.error().code, ErrorCode::unauthorized);
  EXPECT_FALSE(world.accounts->log_in("alice", "", address).ok());
  EXPECT_FALSE(world.accounts->log_in("alice", "guess", address).ok());
  EXPECT_EQ(world.accounts->log_in("alice", "password of alice", address).error().code, ErrorCode::busy);
  EXPECT_TRUE(world.accounts->log_in("alice", "password of alice", "198.51.100.9").ok()) << "elsewhere she gets in";
  EXPECT_TRUE(world.accounts->log_in("alice", "password of alice", address).ok()) << "what is proved needs no hash";
}

TEST(Accounts, AProvedPasswordIsKnownUntilItChanges) {
  World world;
  ASSERT_TRUE(world.accounts->add(admin, "alice", store::Role::publisher, "password of alice").ok());
  EXPECT_FALSE(world.accounts->known_log_in("alice", "password of alice"));
  ASSERT_TRUE(world.accounts->log_in("alice", "password of alice", address).ok());
  EXPECT_TRUE(world.accounts->known_log_in("alice", "password of alice"));
  EXPECT_FALSE(world.accounts->known_log_in("alice", "password of alicf"));
  ASSERT_TRUE(world.accounts->set_password(admin, "alice", "another password").ok());
  EXPECT_FALSE(world.accounts->known_log_in("alice", "password of alice"));
  EXPECT_FALSE(world.accounts->log_in("alice", "password of alice", address).ok());
  ASSERT_TRUE(world.accounts->log_in("alice", "another password", address).ok());
  ASSERT_TRUE(world.accounts->set_disabled(admin, "alice", true).ok());
  EXPECT_FALSE(world.accounts->known_log_in("alice", "another password"));
  EXPECT_FALSE(world.accounts->log_in("alice", "another password", address).ok());
}

TEST(Accounts, RobotsAreLimitedByScopeAndTimeAndTheirAccount) {
  World world;
  ASSERT_TRUE(world.accounts->add(admin, "alice", store::Role::publisher, "password of alice").ok());
  const auto robot = world.accounts->add_robot(admin, "alice", "ci", *parse_grants("alice/app:pull,push bob/*:push"), 30);
  ASSERT_TRUE(robot.ok());
  EXPECT_EQ(world.accounts->tokens().at(0).hash.find(robot->secret), std::string::npos);
  const auto who = world.accounts->log_in("alice", robot->secret, address);
  ASSERT_TRUE(who.ok());
  EXPECT_EQ(world.accounts->rights(*who, "alice/app"), right_pull | right_push);
  EXPECT_EQ(world.accounts->rights(*who, "alice/other"), 0u);
  EXPECT_EQ(world.accounts->rights(*who, "bob/x"), 0u) << "no robot may more than its account";
  EXPECT_FALSE(world.accounts->log_in("bob", robot->secret, address).ok()) << "another name";
  EXPECT_TRUE(world.accounts->by_bearer(robot->secret).ok());
  EXPECT_FALSE(world.accounts->by_bearer(robot->secret + "x").ok());
  EXPECT_FALSE(world.accounts->by_refresh_token(robot->secret, "lazaret").ok()) << "one kind is not another";
  world.now += 29ll * 86'400'000;
  EXPECT_TRUE(world.accounts->by_bearer(robot->secret).ok());
  const auto access = world.accounts->issue(*who, *parse_scopes("repository:alice/app:pull"));
  world.now += 86'400'000 + 1;
  EXPECT_FALSE(world.accounts->by_bearer(robot->secret).ok());
  for (const int days : {0, -1, 367}) EXPECT_FALSE(world.accounts->add_robot(admin, "alice", "", *parse_grants("alice/*:pull"), days).ok());
}

TEST(Accounts, AccessTokensHoldWhatWasAskedForAndMayBeDone) {
  World world;
  ASSERT_TRUE(world.accounts->add(admin, "alice", store::Role::publisher, "password of alice").ok());
  const Identity alice = *world.accounts->log_in("alice", "password of alice", address);
  const auto access = world.accounts->issue(alice, *parse_scopes("repository:alice/a:pull,push repository:bob/b:pull,push repository:bob/c:push"));
  EXPECT_EQ(scope_text(access.grants), "repository:alice/a:pull,push repository:bob/b:pull");
  const auto who = world.accounts->by_bearer(access.token);
  ASSERT_TRUE(who.ok());
  EXPECT_EQ(who->name, "alice");
  EXPECT_EQ(world.accounts->rights(*who, "alice/a"), right_pull | right_push) << "not delete, which was not asked for";
  EXPECT_EQ(world.accounts->rights(*who, "alice/z"), 0u);
  EXPECT_EQ(world.accounts->rights(*who, "bob/b"), right_pull);
  const auto nobody = world.accounts->by_bearer(world.accounts->issue(Identity(), *parse_scopes("repository:alice/a:pull,push")).token);
  ASSERT_TRUE(nobody.ok());
  EXPECT_EQ(nobody->account, 0);
  EXPECT_EQ(world.accounts->rights(*nobody, "alice/a"), right_pull);

  // No byte of it may be another.
  for (std::size_t i = 0; i < access.token.size(); ++i) {
    std::string forged = access.token;
    forged[i] = forged[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(world.accounts->by_bearer(forged).ok()) << i;
  }
  for (const char* text : {"", ".", "lza_", "lza_.", "lzr_", "lza_MXww.00"}) EXPECT_FALSE(world.accounts->by_bearer(text).ok()) << text;
  EXPECT_FALSE(World().accounts->by_bearer(access.token).ok()) << "another server's";

  world.now += 299'000;
  EXPECT_TRUE(world.accounts->by_bearer(access.token).ok());
  world.now += 2'000;
  EXPECT_FALSE(world.accounts->by_bearer(access.token).ok());
}

TEST(Accounts, TokensDieWithWhatTheyCameFrom) {
  World world;
  ASSERT_TRUE(world.accounts->add(admin, "alice", store::Role::publisher, "password of alice").ok());
  const auto wanted = *parse_scopes("repository:alice/a:pull,push");
  const Identity alice = *world.accounts->log_in("alice", "password of alice", address);
  const std::string refresh = *world.accounts->issue_refresh_token(alice, "lazaret");
  EXPECT_FALSE(world.accounts->by_refresh_token(refresh, "another service").ok());
  const auto by_refresh = world.accounts->by_refresh_token(refresh, "lazaret");
  ASSERT_TRUE(by_refresh.ok());
  EXPECT_FALSE(world.accounts->issue_refresh_token(*by_refresh, "lazaret").ok()) << "tokens do not beget tokens";
  const std::string access = world.accounts->issue(alice, wanted).token, child = world.accounts->issue(*by_refresh, wanted).token;
  EXPECT_TRUE(world.accounts->by_bearer(child).ok());
  ASSERT_TRUE(world.accounts->revoke(admin, by_refresh->token).ok());
  EXPECT_FALSE(world.accounts->by_bearer(child).ok());
  EXPECT_FALSE(world.accounts->by_refresh_token(refresh, "lazaret").ok());
  EXPECT_TRUE(world.accounts->by_bearer(access).ok());
  ASSERT_TRUE(world.accounts->set_password(admin, "alice", "another password").ok());
  EXPECT_FALSE(world.accounts->by_bearer(access).ok());
}

// Harbor #22900: a project made again under an old name, and tokens of the old one still open it.
TEST(Accounts, R30TokensOfARemovedAccountDoNotFitItsSuccessor) {
  World world;
  ASSERT_TRUE(world.accounts->add(admin, "alice", store::Role::publisher, "password of alice").ok());
  const Identity alice = *world.accounts->log_in("alice", "password of alice", address);
  const std::string refresh = *world.accounts->issue_refresh_token(alice, "lazaret");
  const std::string robot = world.accounts->add_robot(admin, "alice", "", *parse_grants("alice/*:push"), 1)->secret;
  const std::string access = world.accounts->issue(alice, *parse_scopes("repository:alice/a:push")).token;
  ASSERT_TRUE(world.accounts->remove(admin, "alice").ok());
  ASSERT_TRUE(world.accounts->add(admin, "alice", store::Role::publisher, "password of alice").ok());
  EXPECT_FALSE(world.accounts->known_log_in("alice", "password of alice"));
  EXPECT_FALSE(world.accounts->by_bearer(access).ok());
  EXPECT_FALSE(world.accounts->by_bearer(robot).ok());
  EXPECT_FALSE(world.accounts->by_refresh_token(refresh, "lazaret").ok());
}

TEST(Accounts, RefreshTokensOfOneAccountDoNotPileUp) {
  AccountOptions options;
  options.refresh_tokens = 3;
  World world(options);
  ASSERT_TRUE(world.accounts->add(admin, "alice", store::Role::publisher, "password of alice").ok());
  const Identity alice = *world.accounts->log_in("alice", "password of alice", address);
  const std::string first = *world.accounts->issue_refresh_token(alice, "lazaret");
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(world.accounts->issue_refresh_token(alice, "lazaret").ok());
  EXPECT_EQ(world.accounts->tokens().size(), 3u);
  EXPECT_FALSE(world.accounts->by_refresh_token(first, "lazaret").ok());
}

TEST(Accounts, ChangesOfTheCommandLineReachARunningServer) {
  char folder[] = "/tmp/lazaret-shared-XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  const std::string path = std::string(folder) + "/accounts.sqlite";
  AccountOptions options;
  options.look_every = std::chrono::milliseconds(0);
  World server(options, std::move(*store::open_sqlite_account_store(path))), tool(options, std::move(*store::open_sqlite_account_store(path)));
  ASSERT_TRUE(tool.accounts->add(admin, "alice", store::Role::publisher, "password of alice").ok());
  const auto alice = server.accounts->log_in("alice", "password of alice", address);
  ASSERT_TRUE(alice.ok());
  const std::string access = server.accounts->issue(*alice, *parse_scopes("repository:alice/a:push")).token;
  ASSERT_TRUE(tool.accounts->remove(admin, "alice").ok());
  ASSERT_TRUE(tool.accounts->accounts().empty());
  ASSERT_TRUE(server.accounts->look().ok());
  EXPECT_FALSE(server.accounts->by_bearer(access).ok());
  EXPECT_FALSE(server.accounts->log_in("alice", "password of alice", address).ok());
  std::filesystem::remove_all(folder);
}

TEST(Accounts, EveryActIsInTheLog) {
  World world;
  ASSERT_TRUE(world.accounts->add(admin, "root", store::Role::administrator, "password of root").ok());
  ASSERT_TRUE(world.accounts->add(admin, "alice", store::Role::publisher, "password of alice").ok());
  const auto robot = world.accounts->add_robot(admin, "alice", "ci", *parse_grants("alice/*:push"), 7);
  ASSERT_TRUE(world.accounts->revoke(admin, robot->token.id).ok());
  ASSERT_TRUE(world.accounts->set_password(admin, "alice", "another password").ok());
  ASSERT_TRUE(world.accounts->remove(admin, "alice").ok());
  EXPECT_FALSE(world.accounts->remove(admin, "root").ok()) << "somebody must be left";
  std::vector<std::string> acts;
  const auto log = world.accounts->store().acts(0, 100);
  ASSERT_TRUE(log.ok());
  for (const store::Act& act : *log) {
    acts.push_back(act.act + " " + act.subject);
    EXPECT_EQ(act.actor, "admin");
    EXPECT_EQ(act.address, "203.0.113.1");
    EXPECT_EQ(act.detail.find("password of"), std::string::npos);
    EXPECT_EQ(act.detail.find(robot->secret), std::string::npos);
  }
  EXPECT_EQ(acts, (std::vector<std::string>{"account.add root", "account.add alice", "token.add alice", "token.revoke " + std::to_string(robot->token.id), "account.password alice",
                                            "account.remove alice"}));
  EXPECT_EQ(*world.accounts->store().first_broken_act(), std::nullopt);
}

}  // namespace
}  // namespace lazaret::registry
