#include "source/credentials.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <thread>
#include <vector>

#include "base/text.h"
#include "codec/text_encoding.h"
#include "format/json.h"

extern char** environ;

namespace lazaret::source {
namespace {

constexpr std::string_view hub_key = "https://index.docker.io/v1/";
constexpr std::size_t file_bytes = 16 << 20;
constexpr std::size_t helper_bytes = 1 << 20;

// Names of the registry itself: Docker Hub has several.
std::vector<std::string> registry_names(const std::string& host) {
  if (host == "docker.io") return {"docker.io", "index.docker.io", "registry-1.docker.io"};
  return {host};
}

// Keys that name the repository or an account above it, most specific first
// (containers-auth.json(5)).
std::vector<std::string> namespace_keys(const ImageName& image) {
  std::vector<std::string> keys;
  std::string path = image.name();
  for (auto slash = path.rfind('/'); slash != std::string::npos; slash = path.rfind('/')) {
    keys.push_back(path);
    path.resize(slash);
  }
  return keys;
}

// The host of a key that names a whole registry: "host", or as Docker once wrote it,
// "https://host/v1/". Nothing for keys of namespaces.
std::string_view host_of_key(std::string_view key) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (!key.starts_with(scheme)) continue;
    key.remove_prefix(scheme.size());
    return key.substr(0, key.find('/'));
  }
  for (const std::string_view suffix : {"/v1/", "/v2/", "/"}) {
    if (!key.ends_with(suffix)) continue;
    key.remove_suffix(suffix.size());
    break;
  }
  return key.find('/') == std::string_view::npos ? key : std::string_view();
}

bool names_registry(std::string_view key, const std::string& host) {
  const std::string_view named = host_of_key(key);
  const auto names = registry_names(host);
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& name) { return equals_ignore_case(name, named); });
}

bool is_helper_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

struct Pipe {
  int read_end = -1, write_end = -1;
  Pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return;
    read_end = ends[0];
    write_end = ends[1];
  }
  ~Pipe() {
    close_end(read_end);
    close_end(write_end);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  bool ok() const { return read_end >= 0; }
  static void close_end(int& end) {
    if (end >= 0) close(end);
    end = -1;
  }
};

// Starts a program of the PATH with default signals, no shell in between. 0 when it cannot be.
pid_t start(const std::string& program, int in, int out) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in, 0);
  posix_spawn_file_actions_adddup2(&actions, out, 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, defaults;
  sigemptyset(&none);
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::string name = program, verb = "get";
  char* const arguments[] = {name.data(), verb.data(), nullptr};
  pid_t child = 0;
  const int code = posix_spawnp(&child, program.c_str(), &actions, &attributes, arguments, environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return code == 0 ? child : 0;
}

// What docker-credential-<name> says of a server: its JSON, "" when it knows none.
Result<std::string> run_helper(const std::string& name, const std::string& server,
                               std::chrono::milliseconds time_limit) {
  if (!is_helper_name(name))
    return Error{ErrorCode::invalid, fmt::format("\"{}\" is no name of a credential helper", name)};
  const std::string program = "docker-credential-" + name;
  const std::string line = server + "\n";
  Pipe in, out;
  // The line fits into the pipe and is there before the helper: one that ends without reading it
  // cannot raise SIGPIPE here.
  if (line.size() > PIPE_BUF)
    return Error{ErrorCode::invalid, "the name of the registry is too long"};
  if (!in.ok() || !out.ok() ||
      write(in.write_end, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
    return Error{ErrorCode::io, "cannot make a pipe"};
  Pipe::close_end(in.write_end);
  const pid_t child = start(program, in.read_end, out.write_end);
  Pipe::close_end(in.read_end);
  Pipe::close_end(out.write_end);
  if (child == 0)
    return Error{ErrorCode::not_found,
                 fmt::format("the credential helper {} cannot be started: install it, or remove "
                             "it from the configuration",
                             program)};

  const auto end = std::chrono::steady_clock::now() + time_limit;
  const auto left = [&] {
    const auto rest = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    return static_cast<int>(std::max<std::int64_t>(0, rest.count()));
  };
  std::string text;
  bool ended = false;
  while (!ended && text.size() <= helper_bytes && left() > 0) {
    pollfd wait{out.read_end, POLLIN, 0};
    if (poll(&wait, 1, left()) <= 0) continue;
    char buffer[4096];
    const ssize_t size = read(out.read_end, buffer, sizeof buffer);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) ended = true;
    if (size > 0) text.append(buffer, static_cast<std::size_t>(size));
  }
  // It may close its output and go on.
  int status = 0;
  pid_t reaped = 0;
  while (ended && (reaped = waitpid(child, &status, WNOHANG)) == 0 && left() > 0)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  if (reaped == 0) {
    kill(child, SIGKILL);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (text.size() > helper_bytes)
      return Error{ErrorCode::limit, fmt::format("the credential helper {} says more than {}",
                                                 program, format_bytes(helper_bytes))};
    return Error{ErrorCode::busy,
                 fmt::format("the credential helper {} did not answer within {} ms", program,
                             time_limit.count())};
  }
  if (status == 0) return text;
  // "credentials not found in native keychain" is the helpers' way of saying none.
  if (text.find("not found") != std::string::npos) return std::string();
  // What looks like an answer may hold the secret.
  const std::string said(text.find('{') == std::string::npos ? trim(text) : std::string_view());
  return Error{ErrorCode::unauthorized,
               fmt::format("the credential helper {} failed: {}", program, said.substr(0, 200))};
}

Result<Credentials> ask_helper(const std::string& name, const std::string& host,
                               std::chrono::milliseconds time_limit) {
  // Docker stores what is for its Hub under an address of the past, podman under the host.
  std::vector<std::string> servers = {host};
  if (host == "docker.io") servers.insert(servers.begin(), std::string(hub_key));
  for (const std::string& server : servers) {
    const auto answer = run_helper(name, server, time_limit);
    if (!answer) return answer.error();
    if (answer->empty()) continue;
    const auto document = format::parse_json(*answer);
    if (!document.valid || document.value.as_object() == nullptr)
      return Error{ErrorCode::unauthorized,
                   fmt::format("the credential helper docker-credential-{} says something that is "
                               "no JSON object",
                               name)};
    Credentials credentials;
    const std::string user(document.value.text("Username")), secret(document.value.text("Secret"));
    if (user == "<token>") {
      credentials.identity_token = secret;
    } else {
      credentials.user = user;
      credentials.password = secret;
    }
    if (!credentials.empty()) return credentials;
  }
  return Credentials();
}

// What an entry of "auths" holds. A user's name ends at the first colon (RFC 7617).
Result<Credentials> read_entry(const format::JsonValue& entry, const std::string& where) {
  Credentials credentials;
  credentials.identity_token = entry.text("identitytoken");
  credentials.user = entry.text("username");
  credentials.password = entry.text("password");
  const std::string_view auth = entry.text("auth");
  if (auth.empty()) return credentials;
  const auto decoded = codec::decode_base64(auth);
  const auto colon = decoded ? decoded->find(':') : std::string::npos;
  if (colon == std::string::npos)
    return Error{ErrorCode::invalid, fmt::format("{} is not the base64 of user:password", where)};
  credentials.user = decoded->substr(0, colon);
  credentials.password = decoded->substr(colon + 1);
  // Old versions of Docker padded with zeros.
  credentials.password.erase(credentials.password.find_last_not_of('\0') + 1);
  return credentials;
}

Result<std::optional<Credentials>> read_file(const std::string& path, const ImageName& image,
                                             bool must_exist,
                                             std::chrono::milliseconds time_limit) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    if (must_exist)
      return Error{ErrorCode::not_found, fmt::format("cannot read the credentials file {}", path)};
    return std::optional<Credentials>();
  }
  std::string text(file_bytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > file_bytes)
    return Error{ErrorCode::limit,
                 fmt::format("{}: is larger than {}", path, format_bytes(file_bytes))};
  return credentials_in(text, path, image, time_limit);
}

}  // namespace

Result<std::optional<Credentials>> credentials_in(std::string_view text, const std::string& path,
                                                  const ImageName& image,
                                                  std::chrono::milliseconds helper_time) {
  const auto document = format::parse_json(text);
  if (!document.valid || document.value.as_object() == nullptr)
    return Error{ErrorCode::invalid, fmt::format("{}: is no JSON object", path)};
  static const format::JsonValue::Object nothing;
  const auto members_of = [&](std::string_view key) -> const format::JsonValue::Object& {
    const auto* value = document.value.find(key);
    return value != nullptr && value->as_object() != nullptr ? *value->as_object() : nothing;
  };

  // A helper of the registry, as for podman and docker, goes before what is written down.
  for (const auto& [key, helper] : members_of("credHelpers")) {
    if (helper.as_string() == nullptr || !names_registry(key, image.host)) continue;
    auto asked = ask_helper(*helper.as_string(), image.host, helper_time);
    if (!asked) return asked.error();
    if (!asked->empty()) return std::optional<Credentials>(std::move(*asked));
  }
  const auto& auths = members_of("auths");
  const auto take = [&](const auto& wanted) -> Result<std::optional<Credentials>> {
    for (const auto& [key, entry] : auths) {
      if (!wanted(key)) continue;
      auto read = read_entry(entry, fmt::format("{}: the auth of {}", path, key));
      if (!read) return read.error();
      if (!read->empty()) return std::optional<Credentials>(std::move(*read));
    }
    return std::optional<Credentials>();
  };
  for (const std::string& wanted : namespace_keys(image)) {
    auto found = take([&](const std::string& key) { return key == wanted; });
    if (!found || found->has_value()) return found;
  }
  auto exact = take([&](const std::string& key) { return key == image.host; });
  if (!exact || exact->has_value()) return exact;
  auto found = take([&](const std::string& key) { return names_registry(key, image.host); });
  if (!found || found->has_value()) return found;
  if (const std::string store(document.value.text("credsStore")); !store.empty()) {
    auto asked = ask_helper(store, image.host, helper_time);
    if (!asked) return asked.error();
    if (!asked->empty()) return std::optional<Credentials>(std::move(*asked));
  }
  return std::optional<Credentials>();
}

Result<Credentials> find_credentials(const ImageName& image, const std::string& auth_file,
                                     std::chrono::milliseconds helper_time) {
  std::vector<std::pair<std::string, bool>> files;
  const auto from_environment = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  if (!auth_file.empty()) {
    files.emplace_back(auth_file, true);
  } else {
    if (const std::string path = from_environment("REGISTRY_AUTH_FILE"); !path.empty())
      files.emplace_back(path, true);
    // Where no session manager made a folder, podman uses one of the system.
    const std::string folder = from_environment("XDG_RUNTIME_DIR");
    files.emplace_back(folder.empty() ? fmt::format("/run/containers/{}/auth.json", getuid())
                                      : folder + "/containers/auth.json",
                       false);
    if (const std::string docker = from_environment("DOCKER_CONFIG"); !docker.empty()) {
      files.emplace_back(docker + "/config.json", false);
    } else if (const std::string home = from_environment("HOME"); !home.empty()) {
      files.emplace_back(home + "/.docker/config.json", false);
    }
  }
  for (const auto& [path, must_exist] : files) {
    auto found = read_file(path, image, must_exist, helper_time);
    if (!found) return found.error();
    if (found->has_value()) return std::move(**found);
  }
  return Credentials();
}

}  // namespace lazaret::source
