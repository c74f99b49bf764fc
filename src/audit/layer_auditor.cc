#include "audit/layer_auditor.h"

#include <algorithm>
#include <cassert>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "audit/file_assembler.h"
#include "audit/file_auditor.h"
#include "audit/layer_hashes.h"
#include "audit/layer_names.h"
#include "audit/paths.h"
#include "audit/unpack.h"
#include "base/hash_each.h"
#include "codec/decoder.h"
#include "format/tar.h"

namespace lazaret::audit {
namespace {

using format::FileKind;

constexpr std::size_t chunk_bytes = AuditMachine::chunk_bytes;
// Files of one job for a worker: enough to make handing it over cheap, few enough to spread the work.
constexpr std::size_t batch_bytes = 1 << 20;
constexpr std::size_t batch_files = 256;
constexpr std::size_t diagnostics_of_a_kind = 16;
// Large files whose md5 is made at once (hash_each.h), and how long they wait for others when no bytes come.
constexpr std::size_t group_files = 8, group_bytes = 48 << 20;
constexpr std::chrono::milliseconds group_wait{100};

// Decoded bytes. The buffer goes back to the pool when the last file in it has been audited.
struct Chunk {
  explicit Chunk(BufferPool::User& pool_in) : pool(pool_in), bytes(pool.take()) {}
  ~Chunk() { pool.give(std::move(bytes)); }
  Chunk(const Chunk&) = delete;
  Chunk& operator=(const Chunk&) = delete;

  Bytes view() const { return {bytes.get(), size}; }

  BufferPool::User& pool;
  BufferPool::Buffer bytes;
  std::size_t size = 0;
};

// Something for a worker to audit, with what keeps its bytes alive.
struct Task {
  FileInput file;
  std::shared_ptr<const void> owner;
  std::string side_content;  // what it is, when it is not a file
  std::vector<std::uint8_t> side_bytes;
};

}  // namespace

class LayerAuditor::Impl final : private format::TarHandler {
 public:
  Impl(std::shared_ptr<const Ruleset> ruleset, AuditMachine& machine, BlobOffer offer, Done done)
      : ruleset_(std::move(ruleset)),
        machine_(machine),
        limits_(machine.limits),
        offer_(std::move(offer)),
        done_(std::move(done)),
        chunk_buffers_(machine.chunks),
        chunks_(64),
        assembler_(limits_.whole_file_bytes, limits_.file_window_bytes, limits_.file_window_overlap, FileMemory{&machine.buffers, &machine.arena},
                   [this](FileContent content) { take(std::move(content)); }),
        tar_(limits_, *this) {
    assembler_.before_waiting([this] { submit_all(); });
    assembler_.when_copied([this](Bytes bytes) { hashes_.add_to_file(bytes); });
    // The first files need them; until then nothing else keeps the workers busy.
    machine_.workers.submit([ruleset = ruleset_] { ruleset->patterns_for(FileKind::text); });
    machine_.workers.submit([ruleset = ruleset_] { ruleset->patterns_for(FileKind::elf); });
    splitter_ = std::thread([this] { split(); });
  }

  ~Impl() override {
    if (!ended_) end("the blob ended early");
  }

  bool write(Bytes bytes) {
    blob_hasher_.update(bytes);
    audit_.blob_size += bytes.size();
    if (decoder_ == nullptr) {
      // The first bytes decide how the blob is encoded; they may come one by one.
      head_.insert(head_.end(), bytes.begin(), bytes.end());
      if (head_.size() < 8) return true;
      start_decoder();
      const std::vector<std::uint8_t> head = std::move(head_);
      decode(head);
      return true;
    }
    decode(bytes);
    return true;
  }

  // `failure`: why the blob is not complete, "" when it is.
  void end(std::string failure) {
    assert(!ended_);
    ended_ = true;
    if (decoder_ == nullptr) {
      start_decoder();
      const std::vector<std::uint8_t> head = std::move(head_);
      decode(head);
    }
    decode({});
    decoder_->end_of_input();
    flush_chunk();
    flush(stream_side_);
    chunks_.close();
    splitter_.join();
    wait_for_workers();
    machine_.arena.trim_idle();

    audit_.blob_digest = blob_hasher_.finish();
    audit_.diff_id = hashes_.finish_layer();
    collect(std::move(failure));
    done_(std::move(audit_));
  }

 private:
  // --- on the caller's thread -----------------------------------------------------------------------------------------------
  void start_decoder() {
    const codec::Encoding encoding = codec::sniff(head_);
    audit_.encoding = codec::name_of(encoding);
    decoder_ = codec::make_decoder(encoding, {limits_.layer_bytes, limits_.ratio, limits_.ratio_grace, limits_.decoder_window},
                                   &stream_side_content_);
  }

  void decode(Bytes bytes) {
    for (;;) {
      if (chunk_ == nullptr) chunk_ = std::make_shared<Chunk>(chunk_buffers_);
      const std::size_t room = chunk_bytes - chunk_->size;
      const std::size_t written = decoder_->decode(bytes, {chunk_->bytes.get() + chunk_->size, room});
      chunk_->size += written;
      machine_.decoded_bytes += written;
      if (chunk_->size == chunk_bytes) flush_chunk();
      if (written < room && bytes.empty()) return;
    }
  }

  void flush_chunk() {
    if (chunk_ != nullptr && chunk_->size > 0) chunks_.push(std::move(chunk_));
    chunk_.reset();
  }

  struct SideItem {
    std::string what;
    std::uint64_t offset = 0;
    std::vector<std::uint8_t> bytes;
  };
  // Content of the encoded stream that is not content of the layer.
  class StreamSide final : public codec::SideContent {
   public:
    explicit StreamSide(Impl& impl) : impl_(impl) {}
    void side_bytes(std::string_view what, std::uint64_t offset, Bytes piece, bool first) override {
      impl_.add_side(impl_.stream_side_, what, offset, piece, first);
    }

   private:
    Impl& impl_;
  };

  void add_side(SideItem& item, std::string_view what, std::uint64_t offset, Bytes piece, bool first) {
    if (first || item.what != what) flush(item);
    if (item.bytes.empty()) {
      item.what = what;
      item.offset = offset;
    }
    while (!piece.empty()) {
      const std::size_t part = std::min(piece.size(), chunk_bytes - item.bytes.size());
      item.bytes.insert(item.bytes.end(), piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(part));
      piece = piece.subspan(part);
      if (item.bytes.size() == chunk_bytes) flush(item);
    }
  }
  void flush(SideItem& item) {
    if (item.bytes.empty()) return;
    const std::uint64_t next = item.offset + item.bytes.size();
    if (&item == &tar_side_) {
      Task task;
      task.side_content = item.what;
      task.file.content_offset = item.offset;
      task.side_bytes = std::move(item.bytes);
      add(std::move(task));
    } else {
      // Rare and small: audited on the spot, in the order of the stream.
      FileAuditor(*ruleset_, limits_, stream_outcome_).audit_side_content(item.what, item.offset, item.bytes);
    }
    item.bytes.clear();
    item.offset = next;
  }

  // --- on the splitter's thread ---------------------------------------------------------------------------------------------
  void split() {
    bool decided = false;
    for (;;) {
      // Files that wait for others hold memory that another layer may need.
      if (!group_.empty() && !chunks_.ready_within(group_wait)) submit_group();
      auto chunk = chunks_.pop();
      if (!chunk) break;
      const Bytes bytes = (*chunk)->view();
      hashes_.begin_chunk(bytes);
      audit_.decoded_size += bytes.size();
      if (!decided) {
        decided = true;
        audit_.is_tar = format::looks_like_tar(bytes);
        if (!audit_.is_tar) begin_single_file();
      }
      current_ = *chunk;
      if (audit_.is_tar) {
        tar_.feed(bytes);
      } else {
        assembler_.add(bytes, current_);
      }
      hash_pending();
      hashes_.end_chunk();
      current_.reset();
      // Files that wait in a batch keep their chunk: without this, a layer whose every chunk has one small file among folders would hold all
      // chunks there are and wait for the next.
      chunk->reset();
      submit_batch();
    }
    if (audit_.is_tar) {
      tar_.finish();
      flush(tar_side_);
      for (const NameProblem& problem : names_.finish(audit_.entries)) {
        FileAuditor(*ruleset_, limits_, tar_outcome_).add_diagnostic(problem.diagnostic, problem.entry, problem.path);
      }
    } else {
      if (!decided) begin_single_file();
      assembler_.end();
      end_stream();
    }
    submit_all();
  }

  // A blob that is not a tar (a chart, an attestation, anything) is audited as one file.
  void begin_single_file() {
    tar_entry_ = {};
    tar_entry_.size = ~0ull;
    path_ = "/";
    entry_number_ = LayerFinding::no_entry;
    assembler_.begin(~0ull);
  }

  void entry(const format::TarEntry& entry) override {
    tar_entry_ = entry;
    path_ = canonical_path(entry.path);
    digest_hints_.see(path_);
    if (path_escapes(entry.path)) {
      note({"anomaly.tar-path-escape", "the entry \"" + entry.path + "\" names a path outside of the root", entry.header_offset, false, 0});
    }
    has_content_ = entry.type == format::TarType::file || entry.size > 0;
    entry_number_ = audit_.entries.size();
    names_.add(entry, path_, entry_number_);
    content_slot_ = audit_.entries.next_content();
    if (has_content_) {
      ++machine_.files;
      assembler_.begin(entry.size);
    }
  }
  void data(Bytes piece) override { assembler_.add(piece, current_); }
  void hole(std::uint64_t size) override { assembler_.add_zeros(size); }
  void entry_end() override {
    type_ = {};
    if (has_content_) assembler_.end();
    end_stream();
    Entry entry;
    entry.path = path_;
    entry.link_target = tar_entry_.link_target;
    entry.type = tar_entry_.type;
    entry.mode = tar_entry_.mode;
    entry.uid = tar_entry_.uid;
    entry.gid = tar_entry_.gid;
    entry.size = tar_entry_.size;
    for (const auto& [name, value] : tar_entry_.xattrs) {
      if (name == "security.capability") entry.capabilities = value;
    }
    entry.file_type = type_;
    audit_.entries.append(entry);
  }
  void side_bytes(std::string_view what, std::uint64_t offset, Bytes piece, bool first) override {
    add_side(tar_side_, what, offset, piece, first);
  }
  void diagnostic(Diagnostic diagnostic) override { note(std::move(diagnostic)); }

  // A broken or hostile tar can give a diagnostic for each of millions of entries; a few of a kind say as much.
  void note(Diagnostic diagnostic) {
    if (++notes_[diagnostic.rule] > diagnostics_of_a_kind) return;
    FileAuditor(*ruleset_, limits_, tar_outcome_).add_diagnostic(diagnostic, LayerFinding::no_entry, "");
  }

  void take(FileContent content) {
    if (content.first) type_ = format::classify(clamp(content.bytes, 0, 4096), std::max<std::uint64_t>(tar_entry_.size == ~0ull ? content.bytes.size() : tar_entry_.size, content.bytes.size()), path_);
    const bool whole = content.first && content.last;
    if (content.bytes.empty() && whole) {
      type_.kind = FileKind::empty;
      return;
    }
    Task task;
    task.owner = std::move(content.owner);
    task.file.entry = entry_number_;
    task.file.path = path_;
    task.file.content = content.bytes;
    task.file.content_offset = content.offset;
    task.file.file_size = whole ? content.bytes.size() : std::max<std::uint64_t>(tar_entry_.size == ~0ull ? 0 : tar_entry_.size, content.offset + content.bytes.size() + (content.last ? 0 : 1));
    task.file.first = content.first;
    task.file.last = content.last;
    task.file.type = type_;
    task.file.mode = tar_entry_.mode & 07777;
    task.file.uid = tar_entry_.uid;
    task.file.gid = tar_entry_.gid;
    if (content.first) yara_windows_ = whole ? nullptr : open_yara_windows(*ruleset_, path_, type_.kind, content.bytes);
    task.file.yara_windows = yara_windows_;
    if (content.last && yara_windows_ != nullptr) large_files_.push_back({path_, task.file.file_size, std::move(yara_windows_)});
    if (content.first) decide_digests();
    if (whole) {
      task.file.content_digest = content_slot_;
      task.file.md5_wanted = md5_wanted_;
      task.file.sha1_wanted = sha1_wanted_;
      if (content.copied) {
        task.file.sha256 = hashes_.finish_file();
        if (md5_wanted_) return add_to_group(std::move(task));
      }
    } else {
      if (content.first) {
        begin_large_file(task.file);
        large_fed_ = 0;
      }
      // Windows overlap; the hash and the stream get every byte once.
      const std::uint64_t end = content.offset + content.bytes.size();
      const Bytes fresh = content.bytes.last(static_cast<std::size_t>(end - large_fed_));
      if (md5_wanted_) large_md5_.update(fresh);
      if (sha1_wanted_) large_sha1_.update(fresh);
      if (stream_ != nullptr) stream_->feed(fresh);
      large_fed_ = end;
      if (content.last) {
        const Digest digest = hashes_.finish_file();
        if (content_slot_ != nullptr) *content_slot_ = content_digest(digest);
        if (md5_wanted_ || sha1_wanted_) {
          FileDigest& known = audit_.digests.emplace_back();
          known.entry = entry_number_;
          if (md5_wanted_) known.set(large_md5_.finish());
          if (sha1_wanted_) known.set(large_sha1_.finish());
        }
      }
    }
    add(std::move(task));
  }

  void decide_digests() {
    md5_wanted_ = sha1_wanted_ = false;
    if (entry_number_ == LayerFinding::no_entry || !wants_digests(path_, type_, tar_entry_.mode)) return;
    if (digests_wanted_++ >= file_digests_limit) return;
    md5_wanted_ = digest_hints_.want_md5();
    sha1_wanted_ = digest_hints_.want_sha1();
  }

  // A file too large to be held whole, whose content is a compressed stream or a tar, is unpacked on this thread as its bytes go by.
  void begin_large_file(const FileInput& file) {
    if (!is_container(file.type.kind) && !is_closed_container(file.type.kind)) return;
    if (!is_stream_container(file.type.kind)) {
      FileAuditor(*ruleset_, limits_, tar_outcome_)
          .add_diagnostic({"anomaly.container-too-large",
                           "the archive is larger than " + std::to_string(limits_.whole_file_bytes) +
                               " bytes (--limit-whole-file-bytes) and was only looked at from outside",
                           0, true, file.file_size},
                          file.entry, file.path);
      return;
    }
    submit_batch();
    batches_.push_back({});
    large_auditor_ = std::make_unique<FileAuditor>(*ruleset_, limits_, batches_.back().outcome);
    stream_ = large_auditor_->open_stream(file);
  }
  void end_stream() {
    if (stream_ == nullptr) return;
    stream_->finish();
    stream_.reset();
    large_auditor_.reset();
  }

  // --- batches of files for the workers --------------------------------------------------------------------------------------
  struct Batch {
    std::vector<Task> tasks;
    FileOutcome outcome;
  };

  void add(Task task) {
    pending_bytes_ += task.file.content.size() + task.side_bytes.size();
    pending_.push_back(std::move(task));
    if (pending_bytes_ >= batch_bytes || pending_.size() >= batch_files) submit_batch();
  }

  // The hashes of files that lie in the chunk at hand: while it is, they cost little (layer_hashes.h).
  void hash_pending() {
    for (Task& task : pending_) {
      const bool whole = task.side_content.empty() && task.file.content.size() == task.file.file_size;
      if (whole && task.file.sha256.empty()) task.file.sha256 = hashes_.hash_file(task.file.content);
    }
  }

  // All at once is faster than each when it is looked at (hash_each.h).
  static void make_md5(std::span<Task* const> tasks) {
    std::vector<Bytes> contents;
    for (const Task* task : tasks) contents.push_back(task->file.content);
    std::vector<Digest> digests(contents.size());
    hash_each(HashAlgorithm::md5, contents, digests);
    for (std::size_t i = 0; i < tasks.size(); ++i) tasks[i]->file.md5 = digests[i];
  }

  void submit_batch() {
    if (pending_.empty()) return;
    hash_pending();
    Batch& batch = batches_.emplace_back();  // a deque: references stay valid
    batch.tasks = std::move(pending_);
    pending_.clear();
    pending_bytes_ = 0;
    started(1);
    machine_.workers.submit([this, &batch] {
      std::vector<Task*> wanted;
      for (Task& task : batch.tasks) {
        if (task.file.md5_wanted) wanted.push_back(&task);
      }
      make_md5(wanted);
      run(batch);
    });
  }

  // A large file of which the md5 is wanted waits for others like it. It is a batch by itself, so that the results stay in the order of the files.
  void add_to_group(Task task) {
    submit_batch();
    group_bytes_ += task.file.content.size();
    Batch& batch = batches_.emplace_back();
    batch.tasks.push_back(std::move(task));
    group_.push_back(&batch);
    if (group_.size() >= group_files || group_bytes_ >= group_bytes) submit_group();
  }

  void submit_group() {
    if (group_.empty()) return;
    started(group_.size());
    machine_.workers.submit([this, group = std::move(group_)] {
      std::vector<Task*> tasks;
      for (Batch* batch : group) tasks.push_back(&batch->tasks.front());
      make_md5(tasks);
      for (Batch* batch : std::span(group).subspan(1)) machine_.workers.submit([this, batch] { run(*batch); });
      run(*group.front());
    });
    group_.clear();
    group_bytes_ = 0;
  }

  void submit_all() {
    submit_batch();
    submit_group();
  }

  // --- on the workers' threads -----------------------------------------------------------------------------------------------
  void run(Batch& batch) {
    FileAuditor auditor(*ruleset_, limits_, batch.outcome);
    for (Task& task : batch.tasks) {
      if (task.side_content.empty()) {
        auditor.audit(task.file);
      } else {
        auditor.audit_side_content(task.side_content, task.file.content_offset, task.side_bytes);
      }
      task = {};  // gives the memory back as soon as possible
    }
    std::vector<Task>().swap(batch.tasks);
    const std::lock_guard lock(mutex_);
    --running_;
    idle_.notify_all();
  }

  void started(std::size_t batches) {
    const std::lock_guard lock(mutex_);
    running_ += batches;
  }
  void wait_for_workers() {
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] { return running_ == 0; });
  }

  // --- the end ----------------------------------------------------------------------------------------------------------------
  void collect(std::string failure) {
    FileOutcome last;
    FileAuditor auditor(*ruleset_, limits_, last);
    for (const Diagnostic& diagnostic : decoder_->diagnostics()) auditor.add_diagnostic(diagnostic, LayerFinding::no_entry, "");
    if (!failure.empty()) {
      audit_.ended_early = true;
      last.incomplete.push_back({"", 0, std::move(failure)});
    }
    append(std::move(last));
    append(std::move(stream_outcome_));
    append(std::move(tar_outcome_));
    for (Batch& batch : batches_) append(std::move(batch.outcome));
    batches_.clear();
    for (const LargeFile& file : large_files_) {
      if (file.yara->may_match(file.size)) audit_.incomplete.push_back({file.path, file.size, std::string(too_large_for_yara)});
    }
    if (digests_wanted_ > file_digests_limit) {
      audit_.incomplete.push_back({"", 0, "more than " + std::to_string(file_digests_limit) + " programs in one layer: the rest was not compared with packages"});
    }
    // Those of large files were made on the way.
    std::sort(audit_.digests.begin(), audit_.digests.end(), [](const FileDigest& a, const FileDigest& b) { return a.entry < b.entry; });
    audit_.bytes = audit_.decoded_size;
  }

  void append(FileOutcome outcome) {
    const auto move_all = [](auto& from, auto& to) {
      to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
    };
    move_all(outcome.findings, audit_.findings);
    move_all(outcome.indicators, audit_.indicators);
    move_all(outcome.incomplete, audit_.incomplete);
    move_all(outcome.kept, audit_.kept);
    move_all(outcome.digests, audit_.digests);
    if (outcome.traits.size() > traits_limit - audit_.traits.size()) outcome.traits.resize(traits_limit - audit_.traits.size());
    move_all(outcome.traits, audit_.traits);
    audit_.files += outcome.files;
  }

  const std::shared_ptr<const Ruleset> ruleset_;
  AuditMachine& machine_;
  const Limits& limits_;
  const BlobOffer offer_;
  const Done done_;

  BufferPool::User chunk_buffers_;  // outlives all chunks
  LayerAudit audit_;
  bool ended_ = false;

  // caller
  Hasher blob_hasher_;
  std::vector<std::uint8_t> head_;
  std::unique_ptr<codec::Decoder> decoder_;
  std::shared_ptr<Chunk> chunk_;
  SideItem stream_side_;
  StreamSide stream_side_content_{*this};
  FileOutcome stream_outcome_;
  BoundedQueue<std::shared_ptr<Chunk>> chunks_;

  // splitter
  LayerHashes hashes_;
  std::shared_ptr<const Chunk> current_;
  FileAssembler assembler_;
  format::TarReader tar_;
  format::TarEntry tar_entry_;
  LayerNames names_;
  std::string path_;
  std::uint64_t entry_number_ = LayerFinding::no_entry;
  bool has_content_ = false;
  format::FileType type_;
  DigestHints digest_hints_;
  bool md5_wanted_ = false, sha1_wanted_ = false;  // of the file at hand
  std::size_t digests_wanted_ = 0;
  Hasher large_md5_{HashAlgorithm::md5}, large_sha1_{HashAlgorithm::sha1};
  SideItem tar_side_;
  FileOutcome tar_outcome_;
  std::unique_ptr<FileAuditor> large_auditor_;
  std::unique_ptr<FileAuditor::Stream> stream_;
  std::uint64_t large_fed_ = 0;
  ContentDigest* content_slot_ = nullptr;  // of the current entry
  struct LargeFile {
    std::string path;
    std::uint64_t size;
    std::shared_ptr<engine::YaraWindows> yara;
  };
  std::shared_ptr<engine::YaraWindows> yara_windows_;  // of the file at hand
  std::vector<LargeFile> large_files_;                 // those that YARA rules have not seen as a whole
  std::map<std::string, std::size_t, std::less<>> notes_;
  std::vector<Task> pending_;
  std::size_t pending_bytes_ = 0;
  std::vector<Batch*> group_;
  std::size_t group_bytes_ = 0;

  // workers
  std::deque<Batch> batches_;
  std::mutex mutex_;
  std::condition_variable idle_;
  std::size_t running_ = 0;

  std::thread splitter_;  // last: started when everything above is there
};

LayerAuditor::LayerAuditor(std::shared_ptr<const Ruleset> ruleset, AuditMachine& machine, BlobOffer offer, Done done)
    : impl_(std::make_unique<Impl>(std::move(ruleset), machine, std::move(offer), std::move(done))) {}
LayerAuditor::~LayerAuditor() = default;
bool LayerAuditor::write(Bytes bytes) { return impl_->write(bytes); }
void LayerAuditor::finish() { impl_->end(""); }
void LayerAuditor::fail(const Error& why) { impl_->end(why.message.empty() ? "the blob could not be read to its end" : why.message); }

}  // namespace lazaret::audit
