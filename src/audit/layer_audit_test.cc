// The form in which audits of layers are cached: whatever stands in a cache, reading it never crashes and never gives what was not written.
#include "audit/layer_audit.h"

#include <gtest/gtest.h>

#include "audit/serial.h"

namespace lazaret::audit {
namespace {

LayerAudit sample() {
  LayerAudit audit;
  for (unsigned i = 0; i < 40; ++i) {
    Entry entry;
    entry.path = "/usr/share/x/" + std::to_string(i);
    entry.size = i;
    entry.mode = 0755;
    entry.content = content_digest(sha256(as_bytes(entry.path)));
    audit.entries.append(entry);
  }
  audit.diff_id = sha256(as_bytes("diff"));
  audit.blob_digest = sha256(as_bytes("blob"));
  audit.blob_size = 1234567;
  audit.decoded_size = 1ull << 40;
  audit.encoding = "gzip";
  audit.is_tar = true;
  audit.bytes = 99;
  audit.files = 40;
  LayerFinding finding;
  finding.rule = "reverse-shell.dev-tcp";
  finding.severity = detect::Severity::critical;
  finding.confidence = detect::Confidence::high;
  finding.entry = 7;
  finding.path = "/usr/share/x/7";
  finding.nested = {"a.tar", "b"};
  finding.offset = 5;
  finding.line = 2;
  finding.evidence = std::string("bash\0\xff", 6);
  finding.chain = {"base64"};
  finding.indicators = {{"c2", "203.0.113.7:4444", true}};
  audit.findings.push_back(finding);
  finding.entry = LayerFinding::no_entry;
  finding.path.clear();
  audit.findings.push_back(finding);
  audit.indicators = {{{"url", "http://203.0.113.9/", false}, "/usr/share/x/1"}};
  audit.incomplete = {{"/usr/share/x/2", 3, "encrypted"}};
  audit.kept = {{3, "/usr/share/x/3", "#!/bin/sh\n"}};
  return audit;
}

TEST(LayerAuditForm, GivesBackEverything) {
  const LayerAudit audit = sample();
  const std::string saved = audit.save();
  const auto loaded = LayerAudit::load(as_bytes(saved));
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->save(), saved);
  EXPECT_EQ(loaded->blob_digest, audit.blob_digest);
  EXPECT_EQ(loaded->diff_id, audit.diff_id);
  EXPECT_EQ(loaded->decoded_size, audit.decoded_size);
  EXPECT_EQ(loaded->encoding, "gzip");
  EXPECT_TRUE(loaded->is_tar);
  ASSERT_EQ(loaded->findings.size(), 2u);
  EXPECT_EQ(loaded->findings[0].evidence, audit.findings[0].evidence);
  EXPECT_EQ(loaded->findings[0].nested, audit.findings[0].nested);
  EXPECT_EQ(loaded->findings[0].indicators, audit.findings[0].indicators);
  EXPECT_EQ(loaded->findings[1].entry, LayerFinding::no_entry);
  EXPECT_EQ(loaded->kept[0].text, "#!/bin/sh\n");
  EXPECT_EQ(loaded->incomplete[0].reason, "encrypted");
  EXPECT_EQ(loaded->entries.at(39).content, audit.entries.at(39).content);
}

TEST(LayerAuditForm, NoPrefixIsAnAudit) {
  const std::string saved = sample().save();
  for (std::size_t size = 0; size < saved.size(); ++size) EXPECT_FALSE(LayerAudit::load(as_bytes(std::string_view(saved).substr(0, size)))) << size;
  EXPECT_FALSE(LayerAudit::load(as_bytes(saved + "x")));
}

TEST(LayerAuditForm, AFlippedBitIsRefusedOrHarmless) {
  const std::string saved = sample().save();
  for (std::size_t at = 0; at < saved.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      std::string damaged = saved;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      const auto loaded = LayerAudit::load(as_bytes(damaged));
      if (!loaded) continue;
      // What the merge relies on.
      for (const LayerFinding& finding : loaded->findings) {
        if (finding.entry != LayerFinding::no_entry) (void)loaded->entries.at(finding.entry);
        EXPECT_LE(finding.severity, detect::Severity::critical);
        EXPECT_LE(finding.confidence, detect::Confidence::high);
      }
      for (const KeptFile& file : loaded->kept) (void)loaded->entries.at(file.entry);
      EntryTable::Cursor cursor(loaded->entries);
      for (Entry entry; cursor.next(entry);) {
      }
    }
  }
}

TEST(LayerAuditForm, ACountOfBillionsAsksForNoMemory) {
  SerialWriter writer;
  writer.number(1ull << 62);
  const std::string bytes = writer.take();
  SerialReader reader(as_bytes(bytes));
  EXPECT_EQ(reader.count(), 0u);
  EXPECT_FALSE(reader.ok());
}

TEST(Serial, NumbersOfEverySize) {
  SerialWriter writer;
  std::vector<std::uint64_t> numbers;
  for (unsigned shift = 0; shift < 64; ++shift) {
    numbers.push_back(1ull << shift);
    numbers.push_back((1ull << shift) - 1);
  }
  numbers.push_back(~0ull);
  for (const std::uint64_t number : numbers) writer.number(number);
  const std::string bytes = writer.take();
  SerialReader reader(as_bytes(bytes));
  for (const std::uint64_t number : numbers) EXPECT_EQ(reader.number(), number);
  EXPECT_TRUE(reader.ok() && reader.at_end());
  EXPECT_EQ(reader.number(), 0u);
  EXPECT_FALSE(reader.ok());
}

TEST(Serial, ANumberThatNeverEndsIsAMistake) {
  const std::string bytes(20, '\xff');
  SerialReader reader(as_bytes(bytes));
  EXPECT_EQ(reader.number(), 0u);
  EXPECT_FALSE(reader.ok());
}

}  // namespace
}  // namespace lazaret::audit
