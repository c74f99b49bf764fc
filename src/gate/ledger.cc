#include "gate/ledger.h"

namespace lazaret::gate {
namespace {

constexpr std::size_t most_waiting = 200'000;
constexpr std::size_t batch = 5'000;

}  // namespace

Ledger::Ledger(store::LedgerStore& store) : store_(store), thread_([this] { write_forever(); }) {}

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
