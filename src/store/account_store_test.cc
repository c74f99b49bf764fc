#include "store/account_store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

#include "base/sqlite.h"

namespace lazaret::store {
namespace {

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/lazaret-accounts-XXXXXX";
    path_ = mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string file() const { return path_ + "/accounts.sqlite"; }

 private:
  std::string path_;
};

Account account(const std::string& name, Role role = Role::publisher) {
  Account made;
  made.name = name;
  made.role = role;
  made.password = "record";
  made.created = 5;
  return made;
}

TEST(AccountStore, KeepsAccountsAndTheirTokens) {
  auto store = *open_sqlite_account_store("");
  const Account alice = *store->add(account("alice"));
  EXPECT_GT(alice.id, 0);
  const auto twice = store->add(account("alice"));
  ASSERT_FALSE(twice.ok());
  EXPECT_EQ(twice.error().code, ErrorCode::busy);
  Account changed = alice;
  changed.role = Role::administrator;
  changed.disabled = true;
  changed.may_delete = false;
  changed.generation = 3;
  ASSERT_TRUE(store->update(changed).ok());
  const auto list = *store->accounts();
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0].role, Role::administrator);
  EXPECT_TRUE(list[0].disabled);
  EXPECT_FALSE(list[0].may_delete);
  EXPECT_EQ(list[0].generation, 3);
  Token token;
  token.account = alice.id;
  token.hash = "aa";
  token.scope = "alice/*:pull";
  token.expires = 9;
  token = *store->add_token(token);
  EXPECT_EQ(store->tokens()->at(0).scope, "alice/*:pull");
  ASSERT_TRUE(store->remove(alice.id).ok());
  EXPECT_TRUE(store->accounts()->empty());
  EXPECT_TRUE(store->tokens()->empty()) << "tokens go with their account";
  EXPECT_GT(store->add(account("alice"))->id, alice.id) << "a new account of an old name is another account";
}

TEST(AccountStore, IsSeenByASecondProcessAndByNobodyElse) {
  const Folder folder;
  auto first = *open_sqlite_account_store(folder.file());
  auto second = *open_sqlite_account_store(folder.file());
  struct stat file {};
  ASSERT_EQ(stat(folder.file().c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0600u);
  const auto before = *second->version();
  ASSERT_TRUE(first->add(account("alice")).ok());
  EXPECT_NE(*second->version(), before);
  EXPECT_EQ(second->accounts()->size(), 1u);
  EXPECT_EQ(*first->secret(), *second->secret());
  EXPECT_EQ(first->secret()->size(), 64u);
}

TEST(AccountStore, TheLogOfActsCannotBeChangedUnnoticed) {
  const Folder folder;
  {
    auto store = *open_sqlite_account_store(folder.file());
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(store->log({0, i, "admin", "203.0.113.5", "account.add", "alice", "a\nb", ""}).ok());
    EXPECT_EQ(*store->first_broken_act(), std::nullopt);
    const auto acts = *store->acts(2, 10);
    ASSERT_EQ(acts.size(), 2u);
    EXPECT_EQ(acts[0].at, 2);
    EXPECT_EQ(acts[0].detail, "a\nb");
    EXPECT_NE(acts[0].chain, acts[1].chain);
  }
  auto database = *SqliteDatabase::open(folder.file(), 1000);
  EXPECT_FALSE(database.execute("UPDATE act SET actor = 'nobody'").ok());
  EXPECT_FALSE(database.execute("DELETE FROM act").ok());
  // Whoever can take the triggers away still cannot make the chain fit.
  ASSERT_TRUE(database.execute("DROP TRIGGER act_stays; DROP TRIGGER act_remains; UPDATE act SET actor = 'nobody' WHERE id = 3").ok());
  EXPECT_EQ(*(*open_sqlite_account_store(folder.file()))->first_broken_act(), 3);
  ASSERT_TRUE(database.execute("DROP TRIGGER act_remains; DELETE FROM act WHERE id = 2").ok());
  EXPECT_EQ(*(*open_sqlite_account_store(folder.file()))->first_broken_act(), 2);
}

TEST(AccountStore, RolesHaveNames) {
  for (const Role role : {Role::reader, Role::publisher, Role::administrator}) EXPECT_EQ(parse_role(name_of(role)), role);
  EXPECT_EQ(parse_role("root"), std::nullopt);
}

}  // namespace
}  // namespace lazaret::store
