#include "cli/output.h"

#include <fmt/format.h>
#include <pwd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/text.h"
#include "cli/options.h"

namespace lazaret::cli {

int fail(std::string_view message) {
  fmt::print(stderr, "lazaret: {}\n", escape(message));
  return exit_error;
}

std::string person() {
  const passwd* user = getpwuid(getuid());
  return fmt::format("{} on the command line", user != nullptr ? escape(user->pw_name) : std::to_string(getuid()));
}

Result<std::string> read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{ErrorCode::not_found, fmt::format("cannot read {}: check that the file exists and may be read", path)};
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::size_t terminal_width() {
  // As other programs do: the variable, where it is exported, counts more than the terminal.
  if (const char* columns = std::getenv("COLUMNS")) {
    if (const int number = std::atoi(columns); number >= 40 && number <= 1000) return static_cast<std::size_t>(number);
  }
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40) return size.ws_col;
  return 100;
}

bool write_output(const std::string& path, std::string_view text) {
  if (path.empty()) {
    const bool ok = std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
    if (!ok) fail("cannot write to standard output");
    return ok;
  }
  // A file appears whole or not at all. A device or pipe (/dev/null, /dev/stdout) is written to: another file must not take its place.
  struct stat status{};
  const bool in_place = ::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode);
  const std::string partial = in_place ? path : path + ".partial";
  {
    std::ofstream file(partial, std::ios::binary | std::ios::trunc);
    file << text;
    file.flush();
    if (!file) {
      fail(fmt::format("cannot write {}: check the folder and the free space", partial));
      if (!in_place) ::unlink(partial.c_str());
      return false;
    }
  }
  if (in_place) return true;
  if (std::rename(partial.c_str(), path.c_str()) != 0) {
    fail(fmt::format("cannot write {}", path));
    ::unlink(partial.c_str());
    return false;
  }
  return true;
}

}  // namespace lazaret::cli
