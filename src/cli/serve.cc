// lazaret serve, gc and fsck.
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/server_configuration.h"
#include "server/server.h"

namespace lazaret::cli {
Result<server::Configuration> read_configuration(const ServeOptions& options) {
  server::Configuration configuration;
  if (!options.config.empty()) {
    const auto text = read_text(options.config);
    if (!text) return text.error();
    auto parsed = server::parse_configuration(*text, options.config);
    if (!parsed) return parsed.error();
    configuration = std::move(*parsed);
  }
  if (!options.listen.empty()) configuration.listen = options.listen;
  if (!options.data.empty()) configuration.data = options.data;
  return configuration;
}

int run_serve(const ServeOptions& options) {
  const auto configuration = read_configuration(options);
  if (!configuration) return fail(configuration.error().message);
  // Taken by sigwait below; threads inherit the mask.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  auto server = server::Server::start(*configuration);
  if (!server) return fail(server.error().message);
  for (const std::string& address : (*server)->addresses()) fmt::print(stderr, "lazaret: listening on {}\n", address);
  for (;;) {
    int number = 0;
    if (sigwait(&signals, &number) != 0) continue;
    if (number == SIGHUP) {
      if (const auto reloaded = (*server)->reload(); !reloaded) fmt::print(stderr, "lazaret: warning: {}\n", escape(reloaded.error().message));
      continue;
    }
    fmt::print(stderr, "lazaret: stopping\n");
    // A second signal ends at once.
    pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
    (*server)->stop();
    return 0;
  }
}

int run_gc(const ServeOptions& options) {
  const auto configuration = read_configuration(options);
  if (!configuration) return fail(configuration.error().message);
  const auto text = server::collect_offline(*configuration);
  if (!text) return fail(text.error().message);
  fmt::print("{}", *text);
  return 0;
}

int run_fsck(const ServeOptions& options) {
  const auto configuration = read_configuration(options);
  if (!configuration) return fail(configuration.error().message);
  const auto result = server::fsck_offline(*configuration, options.content);
  if (!result) return fail(result.error().message);
  fmt::print("{}", result->text);
  return result->sound ? 0 : 1;
}

}  // namespace lazaret::cli
