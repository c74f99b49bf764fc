// The OCI distribution API (distribution-spec 1.1 and what its main branch adds) over the gate.
//
// What runs where: handle() is called on an event loop and must not block. A manifest that is in memory, asked for by a caller who is known already, is
// answered there; everything else runs on worker threads. A request for a pending image is suspended: it is a function in a list until the verdict
// comes or its time is over.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "gate/gate.h"
#include "gate/ledger.h"
#include "net/http_server.h"
#include "registry/authorizer.h"
#include "registry/name.h"
#include "registry/uploads.h"

namespace lazaret::registry {

struct RegistryOptions {
  // Told why each push or pull is refused: invalid, missing-blob, wrong-digest, condemned-or-taken-down, not-released or failed. May be empty.
  std::function<void(std::string_view reason)> refused;
  Limits limits;
  std::uint64_t blob_bytes = 64ull << 30;  // of one upload
  std::size_t page = 10'000;               // tags or repositories of one answer, whatever is asked for
  // What stands before paths in links for people, "" to take it from the request: "https://registry.example".
  std::string public_url;
};

class Registry {
 public:
  // All must outlive it.
  Registry(gate::Gate& gate, gate::Ledger& ledger, Authorizer& authorizer, RegistryOptions options);
  ~Registry();

  // For paths under /v2/. Called on a loop; answers, now or later.
  void handle(const net::ExchangePtr& exchange);
  // What is to be done from time to time.
  void tidy();
  Uploads& uploads() { return uploads_; }
  // Cuts downloads of what may not be seen any more.
  void recheck_transfers();

 private:
  class Upload;
  struct Call;  // one request with its route and caller
  using CallPtr = std::shared_ptr<Call>;

  void dispatch(const CallPtr& call);
  bool allowed(const CallPtr& call, Action action, const std::vector<Scope>& more = {});
  void refuse_caller(const CallPtr& call, const Error& error);

  void ping(const CallPtr& call);
  void get_manifest(const CallPtr& call);
  void answer_manifest(const CallPtr& call, const gate::Served& served);
  void wait_for_manifest(const CallPtr& call, const Digest& digest);
  void get_blob(const CallPtr& call);
  void list_tags(const CallPtr& call);
  void list_repositories(const CallPtr& call);
  void list_referrers(const CallPtr& call);

  void put_manifest(const CallPtr& call);
  void settle_push(const CallPtr& call, const gate::PushResult& pushed, const Digest& name, const std::vector<std::string>& tags, bool may_wait);
  void start_upload(const CallPtr& call);
  void continue_upload(const CallPtr& call);
  void upload_status(const CallPtr& call);
  void cancel_upload(const CallPtr& call);
  void remove(const CallPtr& call);
  void receive_upload(const CallPtr& call, std::shared_ptr<UploadLease> lease, std::optional<Digest> finish_as, bool one_request);
  net::Response finish_upload(const CallPtr& call, UploadLease& lease, const Digest& name, bool one_request);
  static net::Response no_lease(const Error& why);
  net::Response refusal(const CallPtr& call, const gate::Refusal& refusal) const;
  net::Response denial(const CallPtr& call, const Digest& digest, const std::string& why) const;
  static net::Response unavailable(const Error& error);
  // Adds who asked, and when.
  void record_pull(const CallPtr& call, store::Pull pull);

  gate::Gate& gate_;
  gate::Ledger& ledger_;
  Authorizer& authorizer_;
  const RegistryOptions options_;
  Uploads uploads_;

  struct Transfer {
    std::string repository;
    Digest digest;
    gate::Viewer viewer;
    std::weak_ptr<net::Exchange> exchange;
  };
  std::mutex transfers_mutex_;
  std::uint64_t next_transfer_ = 1;
  std::map<std::uint64_t, Transfer> transfers_;
};

}  // namespace lazaret::registry
