#include "gate/ledger.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/hmac.h"
#include "base/text.h"

namespace lazaret::gate {
namespace {

constexpr std::size_t most_waiting = 200'000;
constexpr std::size_t batch = 5'000;
constexpr std::size_t crowd = 100;

// But for time and bytes. An entry of an early end stands for itself.
bool is_equal(const store::Pull& a, const store::Pull& b) {
  return a.complete && b.complete && a.digest == b.digest && a.status == b.status && a.manifest == b.manifest && a.repository == b.repository && a.tag == b.tag &&
         a.address == b.address && a.identity == b.identity && a.agent == b.agent && a.state == b.state && a.verdict == b.verdict && a.ruleset == b.ruleset;
}

// The digits of an address: IPv4 as four bytes, IPv6 as sixteen; empty for what is none (a Unix socket).
std::string address_bytes(std::string_view text) {
  std::uint8_t bytes[16];
  const std::string address(text);
  if (::inet_pton(AF_INET, address.c_str(), bytes) == 1) return {reinterpret_cast<const char*>(bytes), 4};
  if (::inet_pton(AF_INET6, address.c_str(), bytes) == 1) return {reinterpret_cast<const char*>(bytes), 16};
  return {};
}

}  // namespace

std::string network_of(std::string_view address) {
  if (address.starts_with('~')) return std::string(address.substr(0, address.find('.')));
  const std::string bytes = address_bytes(address);
  const auto byte = [&](std::size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(bytes[i])); };
  if (bytes.size() == 4) return fmt::format("{}.{}.{}.0/24", byte(0), byte(1), byte(2));
  if (bytes.empty()) return std::string(address);
  std::string network = bytes.substr(0, 6) + std::string(10, '\0');
  char text[INET6_ADDRSTRLEN];
  return std::string(::inet_ntop(AF_INET6, network.data(), text, sizeof text)) + "/48";
}

std::string hashed_address(std::string_view key, std::string_view address) {
  const auto digits = [&](const std::string& text) { return to_hex(as_bytes(hmac_sha256(key, text)).first(8)); };
  return fmt::format("~{}.{}", digits("network " + network_of(address)), digits("address " + std::string(address)));
}

Ledger::Ledger(store::LedgerStore& store, std::string address_key) : store_(store), address_key_(std::move(address_key)), thread_([this] { write_forever(); }) {}

Ledger::~Ledger() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  thread_.join();
}

void Ledger::record(store::Pull pull) {
  if (!enabled_) return;
  const std::lock_guard lock(mutex_);
  // Under load one client asks for one thing many times between two writings: the entry counts them, and costs what one does.
  if (pulls_.size() >= crowd && is_equal(pulls_.back(), pull)) {
    store::Pull& known = pulls_.back();
    known.last = std::max(known.last == 0 ? known.at : known.last, pull.at);
    known.bytes += pull.bytes;
    known.count += pull.count;
    return;
  }
  pulls_.push_back(std::move(pull));
  ++given_;
  if (pulls_.size() >= batch) wake_.notify_all();
}

bool Ledger::full() const {
  const std::lock_guard lock(mutex_);
  return pulls_.size() >= most_waiting;
}

std::uint64_t Ledger::waiting() const {
  const std::lock_guard lock(mutex_);
  return pulls_.size();
}

void Ledger::flush() {
  std::unique_lock lock(mutex_);
  const std::uint64_t until = given_;
  hurry_ = true;
  wake_.notify_all();
  written_.wait(lock, [&] { return done_ >= until || !hurry_; });
}

void Ledger::write_forever() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait_for(lock, window, [this] { return stopping_ || hurry_ || pulls_.size() >= batch; });
    if (pulls_.empty()) {
      hurry_ = false;
      written_.notify_all();
      if (stopping_) return;
      continue;
    }
    std::vector<store::Pull> some = std::move(pulls_);
    pulls_.clear();
    lock.unlock();
    // Here and not where requests are answered, since it takes longer than the rest.
    if (!address_key_.empty()) {
      for (store::Pull& pull : some) {
        if (!pull.address.starts_with('~')) pull.address = hashed_address(address_key_, pull.address);
      }
    }
    const bool written = store_.append(some).ok();
    lock.lock();
    if (written) {
      done_ += some.size();
      if (pulls_.empty()) hurry_ = false;
    } else {
      // Back to the front; tried again after a while.
      some.insert(some.end(), std::make_move_iterator(pulls_.begin()), std::make_move_iterator(pulls_.end()));
      pulls_ = std::move(some);
      hurry_ = false;
    }
    written_.notify_all();
    if (!written && stopping_) return;
    if (!written) wake_.wait_for(lock, window, [this] { return stopping_; });
  }
}

}  // namespace lazaret::gate
