// Sources of rules: the reader, the literals and the evaluation must take anything. Where libyara compiles the source too, a file made of the input must give
// the same matches with and without the prefilter.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "engine/yara.h"
#include "engine/yara_prefilter.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lazaret;
  using namespace lazaret::engine;
  const std::string text(as_text({data, size}));
  const auto split = text.find('\0');
  const std::string source = text.substr(0, split);
  const std::string content = split == std::string::npos ? source : text.substr(split + 1);

  const YaraSource read = read_yara_source(source);
  if (read.problem.empty()) {
    const YaraPrefilter prefilter({{"n", read}}, "");
    YaraPrefilter::Pass pass(prefilter);
    pass.begin(as_bytes(content), content.size());
    pass.feed(as_bytes(content));
    YaraFacts facts;
    facts.content = as_bytes(content);
    facts.file_size = content.size();
    pass.finish(facts);
  }
  const auto rules = YaraRules::compile({{"n", source}}), plain = YaraRules::compile({{"n", source}}, {"", false});
  if (rules.ok() != plain.ok()) std::abort();
  if (!rules) return 0;
  const YaraResult with = (*rules)->scan(as_bytes(content), {}, 5), without = (*plain)->scan(as_bytes(content), {}, 5);
  if (!with.incomplete.empty() || !without.incomplete.empty()) return 0;
  if (with.matches.size() != without.matches.size()) std::abort();
  for (std::size_t i = 0; i < with.matches.size(); ++i) {
    if (with.matches[i].rule != without.matches[i].rule || with.matches[i].offset != without.matches[i].offset) std::abort();
  }
  return 0;
}
