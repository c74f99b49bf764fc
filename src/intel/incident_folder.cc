#include "intel/incident_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/file_descriptor.h"
#include "base/text.h"
#include "intel/import.h"

namespace lazaret::intel {
namespace {

constexpr std::uint64_t folder_bytes = 256u << 20;

}  // namespace

Result<std::vector<detect::DataFile>> read_incident_folder(const std::string& folder) {
  std::vector<detect::DataFile> files;
  std::error_code error;
  if (folder.empty() || !std::filesystem::is_directory(folder, error)) return files;
  std::uint64_t bytes = 0;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (!name.ends_with(".toml") || !is_incident_id(name.substr(0, name.size() - 5))) continue;
    std::ifstream file(entry->path(), std::ios::binary);
    std::ostringstream text;
    if (!file || !(text << file.rdbuf())) return Error{ErrorCode::io, fmt::format("cannot read {}", entry->path().string())};
    bytes += static_cast<std::uint64_t>(text.tellp());
    if (bytes > folder_bytes) return Error{ErrorCode::limit, fmt::format("{} holds more than {}", folder, format_bytes(folder_bytes))};
    files.push_back({"incidents/" + name, text.str(), true});
  }
  if (error) return Error{ErrorCode::io, fmt::format("cannot read the folder {}: {}", folder, error.message())};
  std::sort(files.begin(), files.end(), [](const detect::DataFile& a, const detect::DataFile& b) { return a.name < b.name; });
  return files;
}

Result<void> write_incident(const std::string& folder, const std::string& id, const std::string& text) {
  if (!is_incident_id(id)) return Error{ErrorCode::invalid, fmt::format("{} is no id of an incident: lower-case letters, digits, '-' and '.'", id)};
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return Error{ErrorCode::io, fmt::format("cannot make the folder {}: {}", folder, error.message())};
  const std::string path = folder + "/" + id + ".toml", temporary = path + ".new";
  {
    const FileDescriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    std::size_t done = 0;
    while (file && done < text.size()) {
      const ssize_t put = ::write(file.get(), text.data() + done, text.size() - done);
      if (put <= 0) break;
      done += static_cast<std::size_t>(put);
    }
    if (!file || done != text.size() || ::fsync(file.get()) != 0) return Error{ErrorCode::io, fmt::format("cannot write {}: check the room on the disk and the rights", temporary)};
  }
  std::filesystem::rename(temporary, path, error);
  if (error) return Error{ErrorCode::io, fmt::format("cannot write {}: {}", path, error.message())};
  return {};
}

Result<bool> remove_incident(const std::string& folder, const std::string& id) {
  if (!is_incident_id(id)) return false;
  std::error_code error;
  const bool gone = std::filesystem::remove(folder + "/" + id + ".toml", error);
  if (error) return Error{ErrorCode::io, fmt::format("cannot remove {}/{}.toml: {}", folder, id, error.message())};
  return gone;
}

}  // namespace lazaret::intel
