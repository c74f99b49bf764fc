// What an image runs, followed from where it starts: config, cron, init, profile.
//
// A text that is run (a command of the config, a script, a job) is parsed with what is known at that moment: the image's environment, the arguments that it is
// given, the variables of whoever started it, the files that it reads. Each file that it starts is followed in turn, with the chain that led there. So a
// payload in a variable of the image, or one that is put together by three scripts, is seen by the detectors as the commands that would run.
//
// Nothing is executed. Every branch of a script is taken; where a value differs by branch the script is read a second time as it runs when no condition
// holds. Work is bounded for each text, for what follows from one start, and in the whole, however scripts call each other; what was left out is said.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "audit/root_file_system.h"
#include "format/image.h"
#include "format/shell.h"

namespace lazaret::audit {

// Paths that are started, each with the chain that leads there ("config.Entrypoint", "/run.sh:4"). Paths are those of the files themselves, symlinks
// resolved.
using Reach = std::map<std::string, std::vector<std::string>, std::less<>>;

// One reading of a text that the image runs.
struct FlowRun {
  std::string path;     // of the file, or of the config ("config.Entrypoint")
  std::string content;  // the whole file; offsets of `script` are in it
  format::ShellScript script;
  std::vector<std::string> chain;                   // what led here
  std::optional<RootFileSystem::Found> file;  // nothing for texts of the config
};

// A file that is fetched by one script and started by another: its bytes are not in the image.
struct FlowOutside {
  std::string path, url;             // where it is started from, and where it came from
  std::string starter;               // path of the text that starts it
  std::uint64_t line = 0;            // in it
  bool checked = false;  // against a checksum or signature
  std::vector<std::string> chain;
};

class Flow {
 public:
  using Visit = std::function<void(const FlowRun&)>;

  // All must outlive it. `visit` may be empty.
  Flow(const RootFileSystem& root, const format::ImageConfig& config, Visit visit);

  // A command of the config; words from `own_words` on come from Cmd.
  void start_command(const std::string& path, const std::string& text, std::size_t own_words);
  // A command that a file of the image names: a job of cron, a unit.
  void start_job(const std::string& path, std::string_view content, const std::string& text, std::uint64_t offset,
                 const std::vector<std::pair<std::string, std::string>>& variables, const std::string& folder, const std::vector<std::string>& chain);
  // A file that runs by itself.
  void start_file(const std::string& path, const std::vector<std::string>& chain);
  // A file that is only loaded or read by what runs.
  void mark(const std::string& path, const std::vector<std::string>& chain) { reach(path, chain); }

  Reach take_reach() { return std::move(reach_); }
  const std::vector<FlowOutside>& outside() const { return outside_; }
  // Texts that run and could not be read to the end, with the reason.
  const std::map<std::string, std::string>& unread() const { return unread_; }
  // True when a limit ended the walk.
  bool cut() const { return cut_; }

 private:
  struct Step {
    std::string path;  // "" for a text of the config
    std::string shown;  // path of findings
    std::string content, text;
    std::uint64_t offset = 0;  // of `text` in `content`
    std::vector<std::pair<std::string, format::ShellValue>> variables;
    std::optional<std::vector<format::ShellValue>> arguments;
    std::string name, folder;
    std::vector<std::string> chain;
    std::vector<std::string> origin;  // how the text came to be, behind its place in the file
    bool is_command = false;          // a command that the file names, not the file itself
    std::optional<RootFileSystem::Found> file;
    std::size_t own_words = static_cast<std::size_t>(-1);
    std::vector<std::size_t> line_ends;

    std::uint64_t line_of(std::uint64_t at) const;
  };
  using Values = std::vector<std::pair<std::string, format::ShellValue>>;

  // Follows what was put into the queue, and what comes of it, within the work of one start.
  void drain();
  void run(Step& step);
  format::ShellScript read(Step& step, bool keep_values);
  void follow(const Step& step, const format::ShellCommand& command, const format::ShellMoment& moment);
  void follow_program(const Step& step, const format::ShellCommand& command, const format::ShellMoment& moment, std::size_t program,
                      const std::vector<std::string>& chain);
  void follow_interpreter(const Step& step, const format::ShellCommand& command, const format::ShellMoment& moment, std::size_t program,
                          const std::vector<std::string>& chain);
  void follow_folder(const std::string& folder, const format::ShellCommand& command, const format::ShellMoment& moment, const std::vector<std::string>& chain);
  void follow_source(const Step& step);
  void follow_services(const std::string& program, const format::ShellCommand& command, const format::ShellMoment& moment, std::size_t at, const std::vector<std::string>& chain);
  void note_fetch(const Step& step, const format::ShellCommand& command, const format::ShellMoment& moment);
  // Starts the file at `path`, a pattern standing for every file that fits. False when there is none.
  bool start(const std::string& path, const Values& variables, std::optional<std::vector<format::ShellValue>> arguments, const std::string& folder,
             const std::vector<std::string>& chain, const std::string& starter = "", std::uint64_t line = 0);
  std::optional<std::string> reach(const std::string& path, const std::vector<std::string>& chain);
  std::optional<std::string> look_up(std::string_view name, std::string_view search_path) const;
  std::optional<std::string> text_of(std::string_view path) const;
  void enqueue(Step step);

  const RootFileSystem& root_;
  const Visit visit_;
  std::string working_dir_, search_path_;
  Values environment_;
  std::deque<Step> queue_;
  std::map<std::string, unsigned> runs_;        // by path
  std::set<std::string> seen_;                   // what ran with which arguments and variables
  std::map<std::string, format::ShellValue, std::less<>> written_;  // files that scripts wrote, by path
  struct Fetch {
    std::string url, by;  // by which text
    bool checked = false;
  };
  std::map<std::string, Fetch, std::less<>> fetched_;  // files that scripts fetch, and folders (with a slash at the end) into which they do
  std::vector<FlowOutside> outside_;
  std::map<std::string, std::string> unread_;
  Reach reach_;
  std::uint64_t work_, image_work_;  // left for what follows from this start, and for all further ones
  std::size_t steps_ = 0;
  bool cut_ = false;
};

}  // namespace lazaret::audit
