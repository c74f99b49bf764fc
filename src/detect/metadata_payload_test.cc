#include <gtest/gtest.h>

#include "detect/detector_test_support.h"

namespace lazaret::detect {

extern const Detector metadata_payload_detector;

namespace {

std::vector<std::string> of(const std::string& content, Origin origin, unsigned nesting = 1) {
  // The audit takes whatever metadata decodes to as a script, but keeps what its bytes are.
  const format::FileType type = format::classify(as_bytes(content), content.size(), "");
  std::vector<std::string> ids;
  class Collector : public FileReport {
   public:
    explicit Collector(std::vector<std::string>& list) : ids_(list) {}
    void add(FileFinding finding) override { ids_.emplace_back(finding.rule->id); }
    void add_indicator(Indicator, std::uint64_t) override {}
    void add_derived(std::string, std::string, std::uint64_t) override {}

   private:
    std::vector<std::string>& ids_;
  } collector(ids);
  FileView view;
  view.path = "annotation.x";
  view.content = as_bytes(content);
  view.file_size = content.size();
  view.type = type;
  view.origin = origin;
  view.nesting = nesting;
  metadata_payload_detector.inspect(view, collector);
  return ids;
}
const std::vector<std::string> found{"hidden-content.payload-in-metadata"}, none;

TEST(MetadataPayload, ProgramsScriptsAndArchives) {
  EXPECT_EQ(of("#!/bin/sh\nid\n", Origin::metadata), found);
  EXPECT_EQ(of("#!/bin/sh\nid\n", Origin::environment), found);
  EXPECT_EQ(of(std::string("\x7f" "ELF\2\1\1", 7) + std::string(64, '\0'), Origin::metadata), found);
  EXPECT_EQ(of(std::string("\x1f\x8b\x08\0\0\0\0\0\0\3", 10) + "xxxxxxxxxx", Origin::metadata), found);
}

TEST(MetadataPayload, OtherThings) {
  EXPECT_EQ(of("#!/bin/sh\nid\n", Origin::metadata, 0), none) << "not encoded: shown as it is";
  EXPECT_EQ(of("#!/bin/sh\nid\n", Origin::file), none);
  EXPECT_EQ(of("{\"critical\": {\"type\": \"signature\"}}", Origin::metadata), none);
  EXPECT_EQ(of("just a sentence that somebody encoded\n", Origin::metadata), none);
}

}  // namespace
}  // namespace lazaret::detect
