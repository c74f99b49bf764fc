// Which files of a root are looked at: those that control the host, what they start, programs in folders for temporary files, and the databases of packages.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "host/host_root.h"
#include "host/store_finder.h"

namespace lazaret::host {

class FileSelection {
 public:
  FileSelection(const HostRoot& root, const std::vector<Account>& accounts);

  // A file, and every link on the way to it. Links lead to places inside of the root.
  void add(std::string_view path);
  // Everything below a folder.
  void add_folder(std::string_view path);
  // The absolute paths that stand in a text, as far as files of the root have them.
  void add_named_in(std::string_view text);

  // Whether an entry of the root is looked at (a folder: entered). `path` is absolute; `mode` and `size` as of stat(2). Counts what it takes of folders for temporary files.
  bool takes(std::string_view path, std::uint32_t mode, std::uint64_t size);
  // Files in folders for temporary files that were left out because there are too many.
  std::uint64_t left_out() const { return left_out_; }
  // Whether folders for temporary files are entered; they are not at first.
  void enter_temporary(bool enter) { enters_temporary_ = enter; }

 private:
  bool takes_temporary(std::string_view below, std::uint32_t mode, std::uint64_t size);

  const HostRoot& root_;
  std::set<std::string, std::less<>> files_, folders_;  // absolute, canonical; folders without a slash at the end
  std::set<std::string, std::less<>> asked_;            // paths that were looked up already
  bool enters_temporary_ = false;
  std::uint64_t temporary_files_ = 0, temporary_bytes_ = 0, left_out_ = 0;
};

}  // namespace lazaret::host
