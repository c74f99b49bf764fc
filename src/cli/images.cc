// lazaret images, release, hold and reaudit: what the gate of a running server decided, and decisions by hand.
#include <fmt/format.h>

#include <cstdio>

#include "base/digest.h"
#include "base/json_writer.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/server_client.h"
#include "net/url.h"

namespace lazaret::cli {
namespace {

// Where an image is, in one word for people.
std::string place_of(const format::JsonValue& image) {
  const format::JsonValue* places = image.find("repositories");
  const format::JsonValue::Array* list = places != nullptr ? places->as_array() : nullptr;
  if (list == nullptr || list->empty()) return "";
  std::string text(list->front().text("repository"));
  const format::JsonValue* tags = list->front().find("tags");
  if (tags != nullptr && tags->as_array() != nullptr && !tags->as_array()->empty()) {
    if (const std::string* tag = tags->as_array()->front().as_string()) text += ":" + *tag;
  }
  if (list->size() > 1) text += fmt::format(" and {} more", list->size() - 1);
  return text;
}

// A digest, or a reference that the server resolves.
Result<std::string> digest_of(ServerClient& client, const std::string& image) {
  if (const auto digest = Digest::parse(image)) return digest->str();
  const auto found = client.get("/resolve", {{"reference", image}});
  if (!found) return found.error();
  return std::string(found->text("digest"));
}

}  // namespace

int run_images(const ImagesOptions& options) {
  auto client = ServerClient::open(options.access);
  if (!client) return fail(client.error().message);
  ServerClient::Query query;
  if (!options.repository.empty()) query.emplace_back("repository", options.repository);
  if (!options.state.empty()) query.emplace_back("state", options.state);
  bool first = true;
  const auto done = client->each("/images", query, [&](const format::JsonValue& image) {
    if (first) fmt::print("{:<10} {:<71} {:<20} {:<40} {}\n", "STATE", "DIGEST", "CREATED", "IMAGE", "WHY");
    fmt::print("{:<10} {:<71} {:<20} {:<40} {}\n", escape(image.text("state")), escape(image.text("digest")), escape(image.text("created")), escape(place_of(image)),
               escape(image.text("why"), 200));
    first = false;
    return true;
  });
  return done ? 0 : fail(done.error().message);
}

int run_decide(const DecideOptions& options) {
  auto client = ServerClient::open(options.access);
  if (!client) return fail(client.error().message);
  const auto digest = digest_of(*client, options.image);
  if (!digest) return fail(digest.error().message);
  if (options.state.empty()) {
    const auto queued = client->send("POST", "/images/" + net::encode_path(*digest) + "/audit", "");
    if (!queued) return fail(queued.error().message);
    fmt::print("{} is audited again\n", *digest);
    return 0;
  }
  JsonWriter body(0);
  body.begin_object().field("state", options.state).field("reason", options.reason).end_object();
  const auto image = client->send("POST", "/images/" + net::encode_path(*digest) + "/decision", body.take());
  if (!image) return fail(image.error().message);
  fmt::print("{} {} is {}\n", escape(place_of(*image)), *digest, escape(image->text("state")));
  return 0;
}

}  // namespace lazaret::cli
