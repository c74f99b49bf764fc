#include "server/pull_text.h"

#include "base/time.h"

namespace lazaret::server {

void write_pull(JsonWriter& json, const store::Pull& pull) {
  json.begin_object().field("at", to_rfc3339(pull.at)).field("last", to_rfc3339(pull.last == 0 ? pull.at : pull.last)).field("count", pull.count);
  json.field("identity", pull.identity).field("address", pull.address).field("agent", pull.agent).field("repository", pull.repository).field("tag", pull.tag);
  json.field("digest", pull.digest.str()).field("kind", pull.manifest ? "manifest" : "blob").field("status", pull.status).field("bytes", pull.bytes);
  json.field("complete", pull.complete).field("missing", pull.missing).field("state", pull.state).field("verdict", pull.verdict).field("ruleset", pull.ruleset);
  json.end_object();
}

std::string to_json_line(const store::Pull& pull) {
  JsonWriter json(0);
  write_pull(json, pull);
  return json.take() + "\n";
}

}  // namespace lazaret::server
