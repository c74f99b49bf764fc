// What all connections of one server share.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <unordered_map>

#include "base/threads.h"
#include "net/address.h"
#include "net/http_parser.h"
#include "net/http_server.h"
#include "net/tls_context.h"

namespace lazaret::net {

// How many connections each client has. Thread-safe.
class ClientTable {
 public:
  explicit ClientTable(std::uint64_t most) : most_(most) {}
  // False when the client has all it may have.
  bool enter(const std::string& key) {
    const std::lock_guard lock(mutex_);
    std::uint64_t& count = counts_[key];
    if (count >= most_) return false;
    ++count;
    return true;
  }
  void leave(const std::string& key) {
    const std::lock_guard lock(mutex_);
    const auto found = counts_.find(key);
    if (found != counts_.end() && --found->second == 0) counts_.erase(found);
  }

 private:
  const std::uint64_t most_;
  std::mutex mutex_;
  std::unordered_map<std::string, std::uint64_t> counts_;
};

// Threads for what may block. Jobs are refused once close() was called.
class ServerThreads {
 public:
  ServerThreads(unsigned workers, unsigned senders)
      : workers_(std::make_unique<WorkerPool>(workers)), senders_(std::make_unique<WorkerPool>(senders)) {}

  bool work(std::function<void()> job) { return submit(workers_, works_waiting_, std::move(job)); }
  bool send(std::function<void()> job) { return submit(senders_, sends_waiting_, std::move(job)); }
  // Jobs of work() and of send() that no thread has taken up.
  std::uint64_t works_waiting() const { return works_waiting_.load(std::memory_order_relaxed); }
  std::uint64_t sends_waiting() const { return sends_waiting_.load(std::memory_order_relaxed); }
  // work(), unless `most` jobs wait already.
  bool work_bounded(std::function<void()> job, std::uint64_t most) {
    if (waiting_.fetch_add(1) >= most) {
      waiting_.fetch_sub(1);
      return false;
    }
    const bool taken = work([this, job = std::move(job)] {
      waiting_.fetch_sub(1);
      job();
    });
    if (!taken) waiting_.fetch_sub(1);
    return taken;
  }
  std::uint64_t waiting() const { return waiting_.load(); }
  // Runs what is queued and joins.
  void close() {
    std::unique_ptr<WorkerPool> workers, senders;
    {
      const std::unique_lock lock(mutex_);
      workers.swap(workers_);
      senders.swap(senders_);
    }
  }

 private:
  bool submit(std::unique_ptr<WorkerPool>& pool, std::atomic<std::uint64_t>& waiting, std::function<void()> job) {
    const std::shared_lock lock(mutex_);
    if (!pool) return false;
    waiting.fetch_add(1, std::memory_order_relaxed);
    pool->submit([&waiting, job = std::move(job)] {
      waiting.fetch_sub(1, std::memory_order_relaxed);
      job();
    });
    return true;
  }

  std::shared_mutex mutex_;
  std::unique_ptr<WorkerPool> workers_, senders_;
  std::atomic<std::uint64_t> waiting_{0}, works_waiting_{0}, sends_waiting_{0};
};

struct ServerCore {
  ServerCore(ServerOptions server_options, Handler server_handler)
      : options(std::move(server_options)),
        handler(std::move(server_handler)),
        clients(options.limits.connections_per_client),
        threads(options.workers, options.senders) {
    parser_limits.head_bytes = options.limits.head_bytes;
    parser_limits.target_bytes = options.limits.target_bytes;
    parser_limits.header_fields = options.limits.header_fields;
    parser_limits.chunk_line_bytes = options.limits.chunk_line_bytes;
    parser_limits.trailer_bytes = options.limits.trailer_bytes;
  }

  // The answer to what the server itself refuses.
  Response refusal(int status, std::string_view reason) const {
    if (options.refusal) return options.refusal(status, reason);
    return text_response(status, std::string(reason) + "\n");
  }

  const ServerOptions options;
  const Handler handler;
  ParserLimits parser_limits;
  NetworkSet trusted_proxies;
  std::unique_ptr<TlsContext> tls;  // null: plain
  ClientTable clients;
  ServerThreads threads;
  std::atomic<bool> stopping{false};

  std::atomic<std::uint64_t> connections{0}, accepted{0}, refused_connections{0}, requests{0}, refused_requests{0},
      bytes_received{0}, bytes_sent{0}, handshake_failures{0};
};

}  // namespace lazaret::net
