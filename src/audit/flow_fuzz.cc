// Any bytes as the config and the files of an image: the walk ends, within its limits, and what it reports lies in the texts.
//
// The input is cut at zero bytes: the first piece is the entrypoint's text, the second a variable, the rest are files by turns in the places that images start
// things from.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "audit/reach.h"
#include "format/file_kind.h"

using namespace lazaret;
using namespace lazaret::audit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 64 << 10) return 0;
  std::vector<std::string> pieces(1);
  for (std::size_t i = 0; i < size; ++i) {
    if (data[i] == 0) {
      pieces.emplace_back();
    } else {
      pieces.back().push_back(static_cast<char>(data[i]));
    }
  }
  static constexpr std::array<std::string_view, 8> paths = {"/a.sh", "/b", "/etc/cron.d/c", "/etc/crontabs/root", "/etc/systemd/system/d.service", "/etc/supervisord.conf", "/e.py", "/etc/inittab"};
  LayerAudit layer;
  for (std::size_t i = 2; i < pieces.size() && i < 2 + paths.size(); ++i) {
    Entry entry;
    entry.path = paths[i - 2];
    entry.mode = 0755;
    entry.size = pieces[i].size();
    entry.file_type = format::classify(as_bytes(pieces[i]), pieces[i].size(), entry.path);
    layer.kept.push_back({layer.entries.size(), entry.path, pieces[i]});
    layer.entries.append(entry);
  }
  format::ImageConfig config;
  config.entrypoint = {"sh", "-c", pieces[0], "x"};
  config.cmd = {"/a.sh"};
  config.env = {"PATH=/:/bin", "P=" + (pieces.size() > 1 ? pieces[1] : std::string())};
  const RootFileSystem root({&layer});
  std::size_t runs = 0;
  const FlowResult result = follow_image(root, config, [](std::string_view) { return false; }, [&](const FlowRun& run) {
    ++runs;
    for (const format::ShellCommand& command : run.script.commands) {
      if (command.offset > run.content.size() || command.end > run.content.size() || command.line == 0) std::abort();
      if (command.nesting != format::ShellNesting::none && command.outer >= run.script.commands.size()) std::abort();
    }
    if (run.chain.empty()) std::abort();
  });
  if (runs > 8192) std::abort();
  for (const auto& [path, chain] : result.reach) {
    if (!root.find(path)) std::abort();
    if (chain.empty()) std::abort();
  }
  return 0;
}
