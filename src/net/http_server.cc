#include "net/http_server.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <condition_variable>
#include <thread>
#include <unordered_map>

#include "net/connection.h"
#include "net/event_loop.h"
#include "net/server_core.h"

namespace lazaret::net {
namespace {

constexpr std::chrono::milliseconds certificate_interval{5'000};
constexpr std::chrono::milliseconds accept_pause{100};  // when descriptors or connections have run out

// One loop with its thread, its connections, and its share of what the listeners accept.
class ServerLoop {
 public:
  ServerLoop(std::shared_ptr<ServerCore> core, const std::vector<Listener>& listeners)
      : core_(std::move(core)), loop_(std::make_shared<EventLoop>()) {
    for (const Listener& listener : listeners)
      acceptors_.push_back(std::make_unique<Acceptor>(*this, listener.socket.get(), listener.port != 0));
  }
  ~ServerLoop() { join(); }
  ServerLoop(const ServerLoop&) = delete;
  ServerLoop& operator=(const ServerLoop&) = delete;

  EventLoop& loop() { return *loop_; }

  void start() {
    loop_->post([this] { resume(); });
    thread_ = std::thread([this] { loop_->run(); });
  }
  // Accepts no more, and closes what is idle.
  void begin_to_stop() {
    loop_->post([this] {
      pause();
      stopped_ = true;
      for (const auto& connection : all()) connection->close_if_idle();
      note_empty();
    });
  }
  void cut_all() {
    loop_->post([this] {
      for (const auto& connection : all()) connection->cut_all();
    });
  }
  // Whether no connection is left, after begin_to_stop().
  bool wait_until_empty(std::chrono::steady_clock::time_point until) {
    std::unique_lock lock(mutex_);
    return changed_.wait_until(lock, until, [&] { return empty_; });
  }
  void wait_until_empty() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return empty_; });
  }
  void join() {
    if (!thread_.joinable()) return;
    loop_->quit();
    thread_.join();
  }

 private:
  struct Acceptor final : EventLoop::Watcher {
    Acceptor(ServerLoop& server_loop, int listener, bool is_tcp) : home(server_loop), socket(listener), tcp(is_tcp) {}
    void on_events(std::uint32_t) override { home.accept_from(*this); }
    ServerLoop& home;
    const int socket;
    const bool tcp;
  };

  std::vector<std::shared_ptr<Connection>> all() const {
    std::vector<std::shared_ptr<Connection>> list;
    list.reserve(connections_.size());
    for (const auto& [key, connection] : connections_) list.push_back(connection);
    return list;
  }

  void resume() {
    if (stopped_ || accepting_) return;
    accepting_ = true;
    // Of several loops that wait for one listener, one is woken.
    for (const auto& acceptor : acceptors_) loop_->watch(acceptor->socket, EPOLLIN | EPOLLEXCLUSIVE, acceptor.get());
  }
  void pause() {
    if (!accepting_) return;
    accepting_ = false;
    for (const auto& acceptor : acceptors_) loop_->unwatch(acceptor->socket);
  }
  void pause_for_a_while() {
    pause();
    loop_->after(accept_pause, [this] { resume(); });
  }

  void accept_from(const Acceptor& acceptor) {
    if (!accepting_) return;
    for (int i = 0; i < 64; ++i) {  // then others get their turn
      if (core_->connections.load() >= core_->options.limits.connections) {
        pause_for_a_while();
        return;
      }
      sockaddr_storage address{};
      socklen_t size = sizeof address;
      FileDescriptor socket(accept4(acceptor.socket, reinterpret_cast<sockaddr*>(&address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!socket) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) pause_for_a_while();
        if (errno == ECONNABORTED || errno == EINTR) continue;
        return;
      }
      core_->accepted.fetch_add(1, std::memory_order_relaxed);
      const auto ip = IpAddress::of(address);
      std::string peer = ip ? ip->str() : "unix";
      if (!core_->clients.enter(client_key(peer))) {
        core_->refused_connections.fetch_add(1, std::memory_order_relaxed);
        continue;
      }
      if (acceptor.tcp) {
        const int on = 1;
        setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        setsockopt(socket.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
      }
      core_->connections.fetch_add(1);
      const auto connection = std::make_shared<Connection>(loop_, core_, std::move(socket), std::move(peer), acceptor.tcp,
                                                           [this](Connection& closed) {
                                                             connections_.erase(&closed);
                                                             note_empty();
                                                           });
      connections_.emplace(connection.get(), connection);
      connection->start();
    }
  }

  void note_empty() {
    if (!stopped_ || !connections_.empty()) return;
    const std::lock_guard lock(mutex_);
    empty_ = true;
    changed_.notify_all();
  }

  const std::shared_ptr<ServerCore> core_;
  const std::shared_ptr<EventLoop> loop_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  std::unordered_map<Connection*, std::shared_ptr<Connection>> connections_;
  bool accepting_ = false, stopped_ = false;
  std::thread thread_;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool empty_ = false;
};

class ServerImpl final : public Server {
 public:
  ServerImpl(std::shared_ptr<ServerCore> core, std::vector<Listener> listeners) : core_(std::move(core)), listeners_(std::move(listeners)) {
    for (unsigned i = 0; i < std::max(core_->options.loops, 1u); ++i)
      loops_.push_back(std::make_unique<ServerLoop>(core_, listeners_));
  }
  ~ServerImpl() override { stop(std::chrono::milliseconds(0)); }

  bool ok() const {
    for (const auto& loop : loops_)
      if (!loop->loop().ok()) return false;
    return true;
  }

  void begin() {
    for (const auto& loop : loops_) loop->start();
    if (core_->tls) look_at_certificate();
  }

  std::vector<std::string> addresses() const override {
    std::vector<std::string> list;
    for (const Listener& listener : listeners_) list.push_back(listener.address);
    return list;
  }
  std::uint16_t port() const override {
    for (const Listener& listener : listeners_)
      if (listener.port != 0) return listener.port;
    return 0;
  }

  void stop(std::chrono::milliseconds drain) override {
    const std::lock_guard lock(stop_mutex_);
    if (stopped_) return;
    stopped_ = true;
    core_->stopping = true;
    const auto until = std::chrono::steady_clock::now() + drain;
    for (const auto& loop : loops_) loop->begin_to_stop();
    // From here on the kernel refuses new clients, so that they can go elsewhere.
    for (const Listener& listener : listeners_) shutdown(listener.socket.get(), SHUT_RDWR);
    for (const auto& loop : loops_) loop->wait_until_empty(until);
    for (const auto& loop : loops_) loop->cut_all();
    for (const auto& loop : loops_) loop->wait_until_empty();
    core_->threads.close();
    for (const auto& loop : loops_) loop->join();
    for (Listener& listener : listeners_) {
      listener.socket.close();
      if (!listener.unix_path.empty()) unlink(listener.unix_path.c_str());
    }
  }

  Result<void> reload_tls() override {
    if (!core_->tls) return {};
    return core_->tls->reload();
  }

  void after(std::chrono::milliseconds delay, std::function<void()> job) override {
    loops_.front()->loop().after(delay, std::move(job));
  }

  ServerStatistics statistics() const override {
    ServerStatistics statistics;
    statistics.connections = core_->connections;
    statistics.accepted = core_->accepted;
    statistics.refused_connections = core_->refused_connections;
    statistics.requests = core_->requests;
    statistics.refused_requests = core_->refused_requests;
    statistics.bytes_received = core_->bytes_received;
    statistics.bytes_sent = core_->bytes_sent;
    statistics.handshake_failures = core_->handshake_failures;
    return statistics;
  }

 private:
  void look_at_certificate() {
    after(certificate_interval, [this, core = core_] {
      // Two stat() calls; the files are read on a worker. One that is wrong is reported by reload_tls().
      core->threads.work([core] { static_cast<void>(core->tls->reload_if_changed().ok()); });
      look_at_certificate();
    });
  }

  const std::shared_ptr<ServerCore> core_;
  std::vector<Listener> listeners_;
  std::vector<std::unique_ptr<ServerLoop>> loops_;
  std::mutex stop_mutex_;
  bool stopped_ = false;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, Handler handler) {
  if (options.listen.empty()) return Error{ErrorCode::invalid, "the server has no address to listen on"};
  auto trusted = NetworkSet::parse(options.trusted_proxies);
  if (!trusted) return trusted.error();
  std::unique_ptr<TlsContext> tls;
  if (options.tls) {
    auto loaded = TlsContext::load(options.tls->certificate, options.tls->key);
    if (!loaded) return loaded.error();
    tls = std::move(loaded).value();
  }
  std::vector<Listener> listeners;
  for (const std::string& address : options.listen) {
    auto listener = listen_on(address);
    if (!listener) return listener.error();
    listeners.push_back(std::move(listener).value());
  }

  // A peer that is gone raises SIGPIPE in the thread that writes (sendfile and OpenSSL have no flag against it); the threads
  // made here inherit that it is blocked.
  sigset_t pipe, before;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, &before);
  auto core = std::make_shared<ServerCore>(std::move(options), std::move(handler));
  core->trusted_proxies = std::move(trusted).value();
  core->tls = std::move(tls);
  auto server = std::make_unique<ServerImpl>(core, std::move(listeners));
  const bool ok = server->ok();
  if (ok) server->begin();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (!ok) return Error{ErrorCode::io, "the kernel gives no epoll; the limit of open files is too low"};
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace lazaret::net
