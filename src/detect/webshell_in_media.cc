// PHP behind the bytes of a picture, sound or document: pages that get past upload forms, and run when the server can be made to include them.
//
// What is found is read again as the page that it is. Two bytes of PHP's opening mark are not rare in compressed data; five are.
#include <algorithm>
#include <string>

#include "detect/detector.h"

namespace lazaret::detect {
namespace {

constexpr engine::Pattern patterns[] = {engine::literal("<?php"), engine::literal("<?=$_"), engine::literal("<?=`$_")};

void inspect(const FileView& file, FileReport& report) {
  constexpr std::size_t longest = 64 << 10, pages = 8;
  const std::string_view text = file.text();
  std::size_t done = 0, count = 0;
  for (const engine::PatternHit& hit : file.hits) {
    const std::size_t begin = std::min<std::size_t>(hit.end, text.size()) - std::min<std::size_t>(hit.end, patterns[hit.pattern].text.size());
    if (begin < done || count++ == pages) continue;
    const std::string_view page = text.substr(begin, longest);
    done = begin + page.size();
    report.add_derived(std::string(page), "PHP inside of " + std::string(format::name_of(file.type.kind)), begin);
  }
}

}  // namespace

extern const Detector webshell_in_media_detector;
const Detector webshell_in_media_detector = {.name = "webshell-in-media",
                                             .summary = "Reads PHP that stands inside of pictures, sounds and documents as the page that it is.",
                                             .rules = {},
                                             .patterns = patterns,
                                             .kinds = {format::FileKind::data, format::FileKind::image, format::FileKind::audio_video, format::FileKind::pdf},
                                             .trigger = Trigger::on_hit,
                                             .inspect = inspect};

}  // namespace lazaret::detect
