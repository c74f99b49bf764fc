#include "server/evidence.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <set>
#include <vector>

#include "base/digest.h"
#include "base/json_writer.h"
#include "base/text.h"
#include "base/time.h"
#include "server/pull_text.h"
#include "source/tar_writer.h"

namespace lazaret::server {
namespace {

Error trouble(std::string_view what) { return Error{ErrorCode::io, fmt::format("cannot {}: {}", what, std::strerror(errno))}; }

// The key that signs archives.
class SigningKey {
 public:
  static Result<SigningKey> open(const std::string& path) {
    SigningKey key;
    if (std::FILE* const file = std::fopen(path.c_str(), "re")) {
      key.key_.reset(PEM_read_PrivateKey(file, nullptr, nullptr, nullptr));
      std::fclose(file);
      if (key.key_ == nullptr) return Error{ErrorCode::corrupt, fmt::format("{} is no private key: restore it from a backup", path)};
      return key;
    }
    if (errno != ENOENT) return trouble("read " + path);
    key.key_.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    if (key.key_ == nullptr) return Error{ErrorCode::io, "cannot make a key"};
    // Whole under its name or not at all.
    const std::string unfinished = path + ".new";
    const int descriptor = ::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (descriptor < 0) return trouble("make " + path);
    std::FILE* const file = ::fdopen(descriptor, "w");
    const bool written = PEM_write_PrivateKey(file, key.key_.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1 && std::fflush(file) == 0 && ::fsync(descriptor) == 0;
    std::fclose(file);
    if (!written || ::rename(unfinished.c_str(), path.c_str()) != 0) return trouble("write " + path);
    return key;
  }

  std::string public_pem() const {
    BIO* const memory = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(memory, key_.get());
    char* text = nullptr;
    const long size = BIO_get_mem_data(memory, &text);
    std::string pem(text, static_cast<std::size_t>(size));
    BIO_free(memory);
    return pem;
  }

  Result<std::string> sign(std::string_view text) const {
    EVP_MD_CTX* const context = EVP_MD_CTX_new();
    std::string signature(64, '\0');
    std::size_t size = signature.size();
    const bool signed_it = EVP_DigestSignInit(context, nullptr, nullptr, nullptr, key_.get()) == 1 &&
                           EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()), &size, as_bytes(text).data(), text.size()) == 1;
    EVP_MD_CTX_free(context);
    if (!signed_it) return Error{ErrorCode::io, "cannot sign"};
    signature.resize(size);
    return signature;
  }

 private:
  struct Free {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  };
  std::unique_ptr<EVP_PKEY, Free> key_;
};

// A tar in a file without a name, with the digest of each member.
class Archive {
 public:
  static Result<Archive> create(const std::string& folder) {
    Archive archive;
    std::string path = folder + "/evidence-XXXXXX";
    archive.file_ = std::make_shared<FileDescriptor>(::mkostemp(path.data(), O_CLOEXEC));
    if (!*archive.file_) return trouble("make a file in " + folder);
    ::unlink(path.c_str());
    return archive;
  }

  Result<void> add(const std::string& name, std::string_view content) {
    if (const auto begun = begin(name); !begun) return begun;
    if (const auto put = append(as_bytes(content)); !put) return put;
    return end();
  }
  // The size comes into the header with end(), when it is known.
  Result<void> begin(const std::string& name) {
    name_ = name;
    header_at_ = size_;
    member_bytes_ = 0;
    return write(as_bytes(header()));
  }
  Result<void> append(Bytes bytes) {
    hasher_.update(bytes);
    member_bytes_ += bytes.size();
    return write(bytes);
  }
  Result<void> end() {
    const std::string known = header();
    if (known.size() != 512) return Error{ErrorCode::limit, fmt::format("{} is too large for the archive", name_)};
    if (::pwrite(file_->get(), known.data(), known.size(), static_cast<off_t>(header_at_)) != static_cast<ssize_t>(known.size())) return trouble("write the archive");
    sums_ += fmt::format("{}  {}\n", hasher_.finish().hex(), name_);
    return write(as_bytes(source::tar_padding(member_bytes_)));
  }
  Result<EvidenceFile> finish(const SigningKey& key) {
    const std::string sums = sums_;
    const auto signature = key.sign(sums);
    if (!signature) return signature.error();
    for (const auto& [name, content] : {std::pair<std::string, std::string>("SHA256SUMS", sums), {"SHA256SUMS.sig", *signature}, {"public-key.pem", key.public_pem()}}) {
      if (const auto added = add(name, content); !added) return added.error();
    }
    if (const auto ended = write(as_bytes(source::tar_end())); !ended) return ended.error();
    return EvidenceFile{file_, size_};
  }

 private:
  std::string header() const {
    source::TarMember member;
    member.path = name_;
    member.mode = 0444;
    member.size = member_bytes_;
    return source::tar_header(member);
  }
  Result<void> write(Bytes bytes) {
    while (!bytes.empty()) {
      const ssize_t put = ::write(file_->get(), bytes.data(), bytes.size());
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) return Error{errno == ENOSPC ? ErrorCode::limit : ErrorCode::io, fmt::format("cannot write the archive: {}", std::strerror(errno))};
      bytes = bytes.subspan(static_cast<std::size_t>(put));
      size_ += static_cast<std::uint64_t>(put);
    }
    return {};
  }

  std::shared_ptr<FileDescriptor> file_;
  std::uint64_t size_ = 0, header_at_ = 0, member_bytes_ = 0;
  std::string name_, sums_;
  Hasher hasher_;
};

struct Collected {
  store::Takedown takedown;
  std::vector<store::Manifest> manifests;
  std::vector<std::pair<Digest, std::string>> bytes, reports;
  std::vector<Digest> blobs;
  std::vector<store::FileTombstone> files;
  std::vector<std::pair<store::UserCase, std::vector<store::UserReport>>> cases;
};

std::string describe(const Collected& found, store::Time now) {
  JsonWriter json;
  json.begin_object().field("schema", "lazaret.evidence/v1").field("made", to_rfc3339(now)).key("takedown").begin_object();
  const store::Takedown& act = found.takedown;
  json.field("id", act.id).field("kind", act.kind).field("subject", act.subject).field("actor", act.actor).field("reason", act.reason).field("at", to_rfc3339(act.at));
  if (act.undone != 0) json.field("undone", to_rfc3339(act.undone));
  json.end_object().key("manifests").begin_array();
  for (const store::Manifest& manifest : found.manifests) {
    json.begin_object().field("digest", manifest.digest.str()).field("media_type", manifest.media_type).field("state", store::name_of(manifest.state));
    json.field("first_pushed", to_rfc3339(manifest.created)).end_object();
  }
  json.end_array().key("blobs").begin_array();
  for (const Digest& blob : found.blobs) json.value(blob.str());
  json.end_array().key("files").begin_array();
  for (const store::FileTombstone& file : found.files) {
    json.begin_object().field("sha256_begins", to_hex(file.content)).field("path", file.path).field("convicts", file.condemns).end_object();
  }
  json.end_array().end_object();
  return json.take() + "\n";
}

std::string reports_of_users(const Collected& found) {
  std::string lines;
  for (const auto& [of, reports] : found.cases) {
    for (const store::UserReport& report : reports) {
      JsonWriter json(0);
      json.begin_object().field("case", of.id).field("image", of.digest.str()).field("state", store::name_of(of.state)).field("at", to_rfc3339(report.at));
      json.field("reporter", report.reporter).field("address", report.address).field("repository", report.repository).field("tag", report.tag).field("reason", report.reason);
      lines += json.end_object().take() + "\n";
    }
  }
  return lines;
}

}  // namespace

Result<EvidenceFile> write_evidence(gate::Gate& gate, gate::Ledger& ledger, std::int64_t act, const std::string& folder) {
  Collected found;
  bool known = false;
  const auto read = gate.metadata().read([&](store::Reader& reader) {
    const auto takedown = reader.takedown(act);
    if (!takedown) return;
    known = true;
    found.takedown = *takedown;
    found.blobs = reader.blobs_condemned_by(act);
    found.files = reader.file_tombstones_of(act);
    std::set<std::int64_t> cases;
    const auto all_cases = reader.user_cases(std::nullopt, 0, 1'000'000);
    for (const Digest& digest : reader.manifests_hidden_by(act)) {
      if (const auto manifest = reader.manifest(digest)) found.manifests.push_back(*manifest);
      if (auto bytes = reader.manifest_bytes(digest)) found.bytes.emplace_back(digest, std::move(*bytes));
      if (auto verdict = reader.verdict(digest, ""); verdict && !verdict->report.empty()) found.reports.emplace_back(digest, std::move(verdict->report));
      for (const store::UserCase& one : all_cases) {
        if (one.digest == digest && cases.insert(one.id).second) found.cases.emplace_back(one, reader.user_reports(one.id));
      }
    }
  });
  if (!read) return read.error();
  if (!known) return Error{ErrorCode::not_found, fmt::format("there is no takedown {}", act)};
  auto key = SigningKey::open(folder + "/evidence-key.pem");
  if (!key) return key.error();
  auto archive = Archive::create(folder);
  if (!archive) return archive.error();

  if (const auto added = archive->add("takedown.json", describe(found, gate.now())); !added) return added.error();
  for (const auto& [digest, bytes] : found.bytes) {
    if (const auto added = archive->add(fmt::format("manifests/{}.json", digest.hex()), bytes); !added) return added.error();
  }
  for (const auto& [digest, report] : found.reports) {
    if (const auto added = archive->add(fmt::format("reports/{}.json", digest.hex()), report); !added) return added.error();
  }
  std::vector<std::uint8_t> buffer(1 << 20);
  for (const Digest& digest : found.blobs) {
    const auto blob = gate.blobs().open(digest);
    if (!blob) continue;  // a tombstone outlives the bytes
    if (const auto begun = archive->begin("blobs/" + digest.hex()); !begun) return begun.error();
    for (std::uint64_t offset = 0; offset < blob->size;) {
      const auto got = blob->read(offset, buffer);
      if (!got) return got.error();
      if (*got == 0) return Error{ErrorCode::corrupt, fmt::format("the blob {} is shorter than it was", digest.str())};
      if (const auto put = archive->append({buffer.data(), *got}); !put) return put.error();
      offset += *got;
    }
    if (const auto ended = archive->end(); !ended) return ended.error();
  }
  ledger.flush();
  if (const auto begun = archive->begin("ledger.jsonl"); !begun) return begun.error();
  std::vector<Digest> digests = found.blobs;
  for (const store::Manifest& manifest : found.manifests) digests.push_back(manifest.digest);
  for (const Digest& digest : digests) {
    store::PullFilter filter;
    filter.digest = digest;
    for (;;) {
      const auto pulls = ledger.store().find(filter);
      if (!pulls) return pulls.error();
      if (pulls->empty()) break;
      std::string lines;
      for (const store::Pull& pull : *pulls) lines += to_json_line(pull);
      if (const auto put = archive->append(as_bytes(lines)); !put) return put.error();
      filter.after = pulls->back().id;
    }
  }
  if (const auto ended = archive->end(); !ended) return ended.error();
  if (const auto added = archive->add("user-reports.jsonl", reports_of_users(found)); !added) return added.error();
  return archive->finish(*key);
}

}  // namespace lazaret::server
