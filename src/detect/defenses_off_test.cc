#include <gtest/gtest.h>

#include "detect/detector_test_support.h"

namespace lazaret::detect {

extern const Detector defenses_off_detector;

namespace {

std::optional<FileFinding> look(std::string text) {
  const auto outcome = test::inspect(defenses_off_detector, {.path = "/x.sh", .content = "#!/bin/bash\n" + std::move(text) + "\n"});
  if (outcome.findings.empty()) return std::nullopt;
  return outcome.findings.front();
}

TEST(DefensesOff, ManyKindsInOneScriptAreAnIntruders) {
  const auto found = look(
      "setenforce 0\niptables -F\nufw disable\nsystemctl stop aliyun.service\npkill -9 AliYunDun\nunset HISTFILE\nchattr -i /etc/crontab\n"
      "ps aux | grep -v grep | grep xmrig | awk '{print $2}' | xargs -I % kill -9 %\nmv /usr/bin/curl /usr/bin/url\n");
  ASSERT_TRUE(found);
  EXPECT_EQ(test::severity_of(*found), Severity::critical);
  EXPECT_NE(found->evidence.find("removes security agents"), std::string::npos);
}

TEST(DefensesOff, EachKindCounts) {
  for (const char* text : {"iptables -F", "ufw disable", "systemctl stop firewalld", "setenforce 0", "echo SELINUX=disabled > /etc/selinux/config", "service auditd stop", "rm -rf /usr/local/aegis",
                           "history -c", "export HISTFILE=/dev/null", "rm -f ~/.bash_history", "echo > /var/log/wtmp", "chattr +i /etc/ld.so.preload", "chattr -R -ia /root/.ssh", "pkill -f kinsing",
                           "ps aux | grep stratum | awk '{print $2}' | xargs kill -9", "mv /bin/ps /bin/ps.original", "iptables -A INPUT -p tcp --dport 2375 -j DROP"}) {
    // Two others, so that the third makes the difference.
    const std::string base = std::string(text).find("chattr") != std::string::npos || std::string(text).find("mv ") != std::string::npos ? "setenforce 0\nhistory -c\n" : "chattr +i /x\nmv /bin/top /x\n";
    const auto found = look(base + text);
    ASSERT_TRUE(found) << text;
    EXPECT_EQ(test::severity_of(*found), Severity::high) << text << ": " << found->evidence;
  }
}

TEST(DefensesOff, OneHonestActIsNothing) {
  for (const char* text : {"iptables -F; iptables -A INPUT -i eth0 -j ACCEPT", "chattr +i /etc/resolv.conf", "rm -rf /var/log/*.log /var/lib/apt/lists/*", "systemctl disable apt-daily.timer", "killall nginx",
                           "ps aux | grep nginx | xargs kill", "ufw allow 80", "mv /usr/bin/foo /usr/bin/bar", "unset HISTFILE", "echo chattr +i setenforce 0 iptables -F"}) {
    EXPECT_FALSE(look(text)) << text;
  }
}

TEST(DefensesOff, HidingItDoesNotHelp) {
  const auto found = look("s=0; set''enforce $s; c=hist; ${c}ory -c; eval \"$(echo Y2hhdHRyICtpIC94 | base64 -d)\"; I=ptables; i$I -F");
  ASSERT_TRUE(found);
  EXPECT_EQ(test::severity_of(*found), Severity::high) << found->evidence;
}

}  // namespace
}  // namespace lazaret::detect
