// How commands reach a running server: its REST API, with the credentials that the command line names.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "cli/options.h"
#include "cli/server_configuration.h"
#include "format/json.h"
#include "net/http_client.h"

namespace lazaret::cli {

// Not thread-safe.
class ServerClient {
 public:
  using Query = std::vector<std::pair<std::string, std::string>>;

  // Finds out where the server is (--server, else what lazaret.toml makes it listen on) and who asks (--user and --password-file, else `admin` with the
  // password in the data folder). Connects to nothing.
  static Result<ServerClient> open(const ServerAccess& access);
  // The same, as nobody.
  static Result<ServerClient> open_anonymous(const ServerAccess& access);

  // `path` below /api/v1, its parts encoded by the caller (net::encode_path). The answer; null where there is none. Refusals are errors in the words
  // of the server: ErrorCode::not_found for 404, unauthorized for 401 and 403, invalid for other mistakes, busy where another try may help.
  Result<format::JsonValue> get(const std::string& path, const Query& query = {});
  // The same as it came.
  Result<std::string> get_text(const std::string& path, const Query& query = {});
  // Writes what is not JSON to a file, which is there only when it is complete. Returns its bytes.
  Result<std::uint64_t> save(const std::string& path, const std::string& file);
  // `body`: a JSON object, "" for none.
  Result<format::JsonValue> send(const std::string& method, const std::string& path, std::string body);
  // The items of a list, page by page, until `visit` returns false or `most` were visited.
  Result<void> each(const std::string& path, const Query& query, const std::function<bool(const format::JsonValue&)>& visit, std::size_t most = SIZE_MAX);

  const std::string& server() const { return server_; }

 private:
  static Result<ServerClient> locate(const ServerAccess& access, const server::Configuration& configuration);
  void prepare(net::HttpRequest& request) const;
  // The body of a 2xx answer; anything else is an error.
  Result<std::string> ask_text(net::HttpRequest request);
  Result<format::JsonValue> ask(net::HttpRequest request);

  std::string server_;  // "http://127.0.0.1:5000"
  std::string unix_socket_, authorization_;
  std::vector<std::string> insecure_hosts_;
  std::unique_ptr<net::HttpClient> http_;
};

}  // namespace lazaret::cli
