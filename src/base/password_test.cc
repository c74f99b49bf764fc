#include "base/password.h"

#include <gtest/gtest.h>

namespace lazaret {
namespace {

TEST(Password, FitsItsRecordAndNoOther) {
  const auto record = make_password_record("correct horse");
  ASSERT_TRUE(record.ok());
  EXPECT_TRUE(record->starts_with("scrypt$15$8$1$")) << *record;
  EXPECT_TRUE(password_fits("correct horse", *record));
  EXPECT_FALSE(password_fits("correct hors", *record));
  EXPECT_FALSE(password_fits("", *record));
  EXPECT_NE(*make_password_record("correct horse"), *record) << "each has its own salt";
  EXPECT_FALSE(password_fits("", make_unfitting_password_record()));
}

// RFC 7914, section 12.
TEST(Password, KnowsTheVectorOfTheRfc) {
  EXPECT_TRUE(password_fits("pleaseletmein", "scrypt$14$8$1$U29kaXVtQ2hsb3JpZGU=$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofI="));
  EXPECT_FALSE(password_fits("pleaseletmeIn", "scrypt$14$8$1$U29kaXVtQ2hsb3JpZGU=$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofI="));
}

TEST(Password, RecordsThatAreMalformedOrTooDearFitNothing) {
  const std::string salt = "AAAAAAAAAAAAAAAAAAAAAA==", hash = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
  for (const std::string& record : {std::string(), std::string("plain"), "scrypt$15$8$1$" + salt, "scrypt$63$8$1$" + salt + "$" + hash, "scrypt$15$99$1$" + salt + "$" + hash,
                                    "scrypt$15$8$0$" + salt + "$" + hash, "scrypt$-1$8$1$" + salt + "$" + hash, "scrypt$15$8$1$!$" + hash, "scrypt$15$8$1$" + salt + "$AAAA"})
    EXPECT_FALSE(password_fits("", record)) << record;
}

}  // namespace
}  // namespace lazaret
