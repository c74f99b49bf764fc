#include "net/mail.h"

#include <gtest/gtest.h>

namespace lazaret::net {
namespace {

TEST(Mail, AnAddressIsAnAddressAndNothingMore) {
  for (const std::string good : {"a@b", "first.last+tag@mail.example"}) EXPECT_TRUE(is_mail_address(good)) << good;
  for (const std::string bad : {"", "@", "a@", "@b", "a", "a@b@c", "a b@c", "a@b\r\nBcc: x@y", "<a@b>", "a@b,c@d", "a@b;c", "\"a\"@b"}) EXPECT_FALSE(is_mail_address(bad)) << bad;
}

TEST(Mail, NothingIsSentThatSaysMoreThanItShould) {
  const MailServer server{"smtp://127.0.0.1:1", "", ""};
  EXPECT_EQ(send_mail(server, {"a@b", "c@d\r\nRCPT TO:<x@y>", "s", "t"}).error().code, ErrorCode::invalid);
  EXPECT_EQ(send_mail(server, {"a@b", "c@d", "s\r\nBcc: x@y", "t"}).error().code, ErrorCode::invalid);
  EXPECT_EQ(send_mail({"http://127.0.0.1", "", ""}, {"a@b", "c@d", "s", "t"}).error().code, ErrorCode::invalid);
  EXPECT_EQ(send_mail({"file:///etc/passwd", "", ""}, {"a@b", "c@d", "s", "t"}).error().code, ErrorCode::invalid);
  EXPECT_EQ(send_mail(server, {"a@b", "c@d", "s", "t"}).error().code, ErrorCode::network) << "nobody listens there";
}

}  // namespace
}  // namespace lazaret::net
