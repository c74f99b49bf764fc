#include "gate/served_cache.h"

#include <functional>

namespace lazaret::gate {

std::string ServedCache::key_of(std::string_view repository, std::string_view reference) {
  std::string key;
  key.reserve(repository.size() + reference.size() + 1);
  return key.append(repository).append(1, '\0').append(reference);
}

ServedCache::Version ServedCache::version(std::string_view repository) const {
  return {repositories_[std::hash<std::string_view>{}(repository) % counters].load(std::memory_order_seq_cst), store_.load(std::memory_order_seq_cst)};
}

void ServedCache::put(std::string_view repository, std::string_view reference, const Version& version, std::shared_ptr<const Served> served) {
  std::string key = key_of(repository, reference);
  Shard& shard = shards_[std::hash<std::string>{}(key) % shards];
  const std::size_t size = served->bytes->size() + key.size() + 256;
  const std::lock_guard lock(shard.mutex);
  if (shard.bytes + size > shard_bytes) {
    shard.entries.clear();
    shard.bytes = 0;
  }
  const auto [place, is_new] = shard.entries.insert_or_assign(std::move(key), Entry{version, std::move(served)});
  if (is_new) shard.bytes += size;
}

std::shared_ptr<const Served> ServedCache::find(std::string_view repository, std::string_view reference) const {
  const std::string key = key_of(repository, reference);
  const Shard& shard = shards_[std::hash<std::string>{}(key) % shards];
  const std::lock_guard lock(shard.mutex);
  const auto place = shard.entries.find(key);
  if (place == shard.entries.end() || place->second.version != version(repository)) return nullptr;
  return place->second.served;
}

void ServedCache::forget(std::string_view repository) { ++repositories_[std::hash<std::string_view>{}(repository) % counters]; }
void ServedCache::forget_all() { ++store_; }

}  // namespace lazaret::gate
