#include "registry/uploads.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <cassert>
#include <vector>

#include "base/text.h"

namespace lazaret::registry {
namespace {

// A UUID of version 4 (RFC 9562, 5.4).
std::string make_id() {
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t got = ::getrandom(bytes.data() + done, bytes.size() - done, 0);
    if (got > 0) done += static_cast<std::size_t>(got);
  }
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);
  const std::string hex = to_hex(bytes);
  return hex.substr(0, 8) + "-" + hex.substr(8, 4) + "-" + hex.substr(12, 4) + "-" + hex.substr(16, 4) + "-" + hex.substr(20);
}

}  // namespace

struct UploadLease::Session {
  store::Upload record;
  std::shared_ptr<store::BlobUpload> file;
  Hasher sha256{HashAlgorithm::sha256};
  std::optional<Hasher> sha512;
  std::shared_ptr<gate::UploadAudit> audit;
  bool over = false;
  bool busy = false;  // guarded by the owner's mutex
};

UploadLease::~UploadLease() { owner_.give_back(session_); }

const std::string& UploadLease::id() const { return session_->record.id; }
std::uint64_t UploadLease::size() const { return session_->file->size(); }

Result<void> UploadLease::append(Bytes bytes) {
  if (const auto done = session_->file->append(bytes); !done) return done;
  session_->sha256.update(bytes);
  if (session_->sha512) session_->sha512->update(bytes);
  session_->audit->grown();
  return {};
}

std::optional<gate::Refusal> UploadLease::finish(const Digest& name) {
  Session& session = *session_;
  // The hashers start anew when they are asked; a refused digest must leave the session usable.
  const auto again = [&]() -> Result<void> {
    std::vector<std::uint8_t> buffer(1 << 20);
    for (std::uint64_t offset = 0; offset < session.file->size();) {
      const auto got = session.file->read(offset, buffer);
      if (!got) return got.error();
      if (*got == 0) return Error{ErrorCode::corrupt, "the upload lost bytes"};
      session.sha256.update({buffer.data(), *got});
      if (session.sha512) session.sha512->update({buffer.data(), *got});
      offset += *got;
    }
    return {};
  };
  if (name.algorithm() == HashAlgorithm::sha512 && !session.sha512) {
    session.sha256.finish();
    session.sha512.emplace(HashAlgorithm::sha512);
    if (const auto done = again(); !done) return gate::Refusal::failed(done.error());
  }
  const Digest sha256 = session.sha256.finish();
  const Digest computed = name.algorithm() == HashAlgorithm::sha512 ? session.sha512->finish() : sha256;
  if (computed != name) {
    if (name.algorithm() != HashAlgorithm::sha512 && session.sha512) session.sha512->finish();
    if (const auto done = again(); !done) return gate::Refusal::failed(done.error());
    return gate::Refusal{gate::Refusal::Code::digest_invalid, "the digest does not fit the bytes that were uploaded", {}};
  }
  session.audit->complete(sha256);
  auto refusal = owner_.gate_.finish_upload(session.record.repository, session.record.publisher, session.record.id, *session.file, sha256, name);
  if (refusal && refusal->code == gate::Refusal::Code::denied) {
    cancel();
  } else if (refusal) {
    (void)again().ok();
  } else {
    session.over = true;
  }
  return refusal;
}

void UploadLease::cancel() {
  if (session_->over) return;
  session_->over = true;
  session_->audit->abandon();
  // What stays behind after a failure here is collected.
  (void)owner_.gate_.blobs().remove_upload(session_->record.id).ok();
  (void)owner_.gate_.metadata()
      .write(
          [&](store::Writer& writer) {
            writer.remove_upload(session_->record.id);
            return Result<void>();
          },
          store::Durability::relaxed)
      .ok();
}

Uploads::Uploads(gate::Gate& gate) : gate_(gate) {}
Uploads::~Uploads() = default;

Result<std::shared_ptr<UploadLease>> Uploads::begin(const std::string& repository, const std::string& publisher, HashAlgorithm algorithm) {
  auto session = std::make_shared<UploadLease::Session>();
  const store::Time now = gate_.now();
  session->record = {make_id(), repository, publisher, algorithm, now, now};
  auto file = gate_.blobs().create_upload(session->record.id);
  if (!file) return file.error();
  session->file = std::move(*file);
  if (algorithm == HashAlgorithm::sha512) session->sha512.emplace(HashAlgorithm::sha512);
  session->audit = gate_.blob_audits().follow(session->file);
  session->busy = true;
  const auto written = gate_.metadata().write(
      [&](store::Writer& writer) {
        writer.put_upload(session->record);
        return Result<void>();
      },
      store::Durability::relaxed);
  if (!written) {
    (void)gate_.blobs().remove_upload(session->record.id).ok();
    return written.error();
  }
  const std::lock_guard lock(mutex_);
  sessions_.emplace(session->record.id, session);
  return std::shared_ptr<UploadLease>(new UploadLease(*this, session));
}

Result<std::shared_ptr<UploadLease>> Uploads::resume(const std::string& id, const std::string& repository, const std::string& publisher) {
  const Error unknown{ErrorCode::not_found, "there is no such upload"};
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = sessions_.find(id); known != sessions_.end()) {
      UploadLease::Session& session = *known->second;
      // To anybody else it does not exist.
      if (session.record.repository != repository || session.record.publisher != publisher || session.over) return unknown;
      if (session.busy) return Error{ErrorCode::busy, "another request writes to this upload"};
      session.busy = true;
      return std::shared_ptr<UploadLease>(new UploadLease(*this, known->second));
    }
  }
  std::optional<store::Upload> record;
  const auto read = gate_.metadata().read([&](store::Reader& reader) { record = reader.upload(id); });
  if (!read) return read.error();
  if (!record || record->repository != repository || record->publisher != publisher) return unknown;
  auto file = gate_.blobs().open_upload(id);
  if (!file) return file.error().code == ErrorCode::not_found ? unknown : file.error();
  auto session = std::make_shared<UploadLease::Session>();
  session->record = *record;
  session->file = std::move(*file);
  if (record->algorithm == HashAlgorithm::sha512) session->sha512.emplace(HashAlgorithm::sha512);
  std::vector<std::uint8_t> buffer(1 << 20);
  for (std::uint64_t offset = 0; offset < session->file->size();) {
    const auto got = session->file->read(offset, buffer);
    if (!got) return got.error();
    if (*got == 0) break;
    session->sha256.update({buffer.data(), *got});
    if (session->sha512) session->sha512->update({buffer.data(), *got});
    offset += *got;
  }
  session->audit = gate_.blob_audits().follow(session->file);
  session->busy = true;
  const std::lock_guard lock(mutex_);
  // Two requests may have come at once; the first has it.
  if (!sessions_.emplace(id, session).second) return Error{ErrorCode::busy, "another request writes to this upload"};
  return std::shared_ptr<UploadLease>(new UploadLease(*this, session));
}

void Uploads::give_back(const std::shared_ptr<UploadLease::Session>& session) {
  session->record.touched = gate_.now();
  const std::lock_guard lock(mutex_);
  session->busy = false;
  if (session->over) sessions_.erase(session->record.id);
}

void Uploads::forget_idle(store::Time before) {
  std::vector<std::shared_ptr<UploadLease::Session>> idle;
  {
    const std::lock_guard lock(mutex_);
    for (auto place = sessions_.begin(); place != sessions_.end();) {
      if (place->second->busy || place->second->record.touched >= before) {
        ++place;
        continue;
      }
      idle.push_back(place->second);
      place = sessions_.erase(place);
    }
  }
  for (const auto& session : idle) {
    session->audit->abandon();
    (void)gate_.metadata()
        .write(
            [&](store::Writer& writer) {
              writer.put_upload(session->record);
              return Result<void>();
            },
            store::Durability::relaxed)
        .ok();
  }
}

bool Uploads::open(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  return sessions_.contains(id);
}

std::size_t Uploads::count() const {
  const std::lock_guard lock(mutex_);
  return sessions_.size();
}

}  // namespace lazaret::registry
