#include "source/credentials.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <vector>

#include "base/text.h"
#include "codec/text_encoding.h"
#include "format/json.h"

extern char** environ;

namespace lazaret::source {
namespace {

constexpr std::string_view hub_key = "https://index.docker.io/v1/";
constexpr int helper_seconds = 30;
constexpr std::size_t helper_bytes = 1 << 20;

// Keys under which a host's credentials may stand, most specific first.
std::vector<std::string> keys_of(const ImageName& image) {
  std::vector<std::string> keys;
  std::string path = image.name();
  for (;;) {
    keys.push_back(path);
    const auto slash = path.rfind('/');
    if (slash == std::string::npos) break;
    path.resize(slash);
  }
  if (image.host == "docker.io") {
    for (const std::string_view key : {hub_key, std::string_view("index.docker.io"), std::string_view("registry-1.docker.io")}) keys.emplace_back(key);
  }
  return keys;
}

// "https://host/v1/" and "host" name the same registry.
std::string bare(std::string_view key) {
  if (key.starts_with("https://")) key.remove_prefix(8);
  if (key.starts_with("http://")) key.remove_prefix(7);
  for (const std::string_view suffix : {"/v1/", "/v2/", "/v1", "/v2", "/"}) {
    if (key.ends_with(suffix)) {
      key.remove_suffix(suffix.size());
      break;
    }
  }
  return std::string(key);
}

// Runs docker-credential-<name> get, the server on its standard input, no shell in between.
Result<std::string> run_helper(const std::string& name, const std::string& server) {
  if (name.empty() || name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != std::string::npos) {
    return Error{ErrorCode::invalid, fmt::format("\"{}\" is no name of a credential helper", name)};
  }
  const std::string program = "docker-credential-" + name;
  int in[2], out[2];
  if (pipe2(in, O_CLOEXEC) != 0) return Error{ErrorCode::io, "cannot make a pipe"};
  if (pipe2(out, O_CLOEXEC) != 0) {
    close(in[0]);
    close(in[1]);
    return Error{ErrorCode::io, "cannot make a pipe"};
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  std::string program_argument = program, get = "get";
  char* const arguments[] = {program_argument.data(), get.data(), nullptr};
  pid_t child = 0;
  const int code = posix_spawnp(&child, program.c_str(), &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(in[0]);
  close(out[1]);
  if (code != 0) {
    close(in[1]);
    close(out[0]);
    return Error{ErrorCode::not_found, fmt::format("the credential helper {} cannot be started: install it, or remove it from the configuration", program)};
  }
  const std::string line = server + "\n";
  (void)!write(in[1], line.data(), line.size());
  close(in[1]);
  std::string text;
  bool timed_out = false;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(helper_seconds);
  for (char buffer[4096];;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()).count();
    pollfd wait{out[0], POLLIN, 0};
    const int ready = left <= 0 ? 0 : poll(&wait, 1, static_cast<int>(left));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) {
      timed_out = true;
      kill(child, SIGKILL);
      break;
    }
    const ssize_t size = read(out[0], buffer, sizeof buffer);
    if (size <= 0) break;
    text.append(buffer, static_cast<std::size_t>(size));
    if (text.size() > helper_bytes) break;
  }
  close(out[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (timed_out) return Error{ErrorCode::busy, fmt::format("the credential helper {} did not answer within {} seconds", program, helper_seconds)};
  if (status != 0) {
    // "credentials not found in native keychain" is the helpers' way of saying none.
    if (text.find("not found") != std::string::npos) return std::string();
    return Error{ErrorCode::unauthorized, fmt::format("the credential helper {} failed: {}", program, std::string(trim(text)).substr(0, 200))};
  }
  return text;
}

Result<Credentials> ask_helper(const std::string& name, const std::string& server) {
  const auto answer = run_helper(name, server);
  if (!answer) return answer.error();
  Credentials credentials;
  if (answer->empty()) return credentials;
  const auto document = format::parse_json(*answer);
  const std::string user(document.value.text("Username")), secret(document.value.text("Secret"));
  if (user == "<token>") {
    credentials.identity_token = secret;
  } else {
    credentials.user = user;
    credentials.password = secret;
  }
  return credentials;
}

Result<std::optional<Credentials>> read_file(const std::string& path, const ImageName& image, bool must_exist) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    if (must_exist) return Error{ErrorCode::not_found, fmt::format("cannot read the credentials file {}", path)};
    return std::optional<Credentials>();
  }
  std::ostringstream text;
  text << file.rdbuf();
  const auto document = format::parse_json(text.str());
  if (!document.valid || document.value.as_object() == nullptr) return Error{ErrorCode::invalid, fmt::format("{}: is no JSON object", path)};

  const auto keys = keys_of(image);
  const format::JsonValue* helpers = document.value.find("credHelpers");
  const format::JsonValue* auths = document.value.find("auths");
  for (const std::string& key : keys) {
    if (helpers != nullptr && !helpers->text(key).empty()) {
      auto asked = ask_helper(std::string(helpers->text(key)), key);
      if (!asked) return asked.error();
      if (!asked->empty()) return std::optional<Credentials>(std::move(*asked));
    }
    if (auths == nullptr || auths->as_object() == nullptr) continue;
    for (const auto& [name, entry] : *auths->as_object()) {
      if (name != key && bare(name) != bare(key)) continue;
      Credentials credentials;
      credentials.identity_token = entry.text("identitytoken");
      credentials.user = entry.text("username");
      credentials.password = entry.text("password");
      if (const auto decoded = codec::decode_base64(entry.text("auth"))) {
        const auto colon = decoded->find(':');
        if (colon == std::string::npos) return Error{ErrorCode::invalid, fmt::format("{}: the auth of {} is not the base64 of user:password", path, name)};
        credentials.user = decoded->substr(0, colon);
        credentials.password = decoded->substr(colon + 1);
      }
      if (!credentials.empty()) return std::optional<Credentials>(std::move(credentials));
    }
  }
  if (const std::string_view store = document.value.text("credsStore"); !store.empty()) {
    auto asked = ask_helper(std::string(store), image.host == "docker.io" ? std::string(hub_key) : image.host);
    if (!asked) return asked.error();
    if (!asked->empty()) return std::optional<Credentials>(std::move(*asked));
  }
  return std::optional<Credentials>();
}

}  // namespace

Result<Credentials> find_credentials(const ImageName& image, const std::string& auth_file) {
  std::vector<std::pair<std::string, bool>> files;
  const auto from_environment = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  if (!auth_file.empty()) {
    files.emplace_back(auth_file, true);
  } else {
    if (const std::string path = from_environment("REGISTRY_AUTH_FILE"); !path.empty()) files.emplace_back(path, true);
    if (const std::string folder = from_environment("XDG_RUNTIME_DIR"); !folder.empty()) files.emplace_back(folder + "/containers/auth.json", false);
    if (const std::string folder = from_environment("DOCKER_CONFIG"); !folder.empty()) {
      files.emplace_back(folder + "/config.json", false);
    } else if (const std::string home = from_environment("HOME"); !home.empty()) {
      files.emplace_back(home + "/.docker/config.json", false);
    }
  }
  for (const auto& [path, must_exist] : files) {
    auto found = read_file(path, image, must_exist);
    if (!found) return found.error();
    if (found->has_value()) return std::move(**found);
  }
  return Credentials();
}

}  // namespace lazaret::source
