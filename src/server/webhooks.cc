#include "server/webhooks.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/digest.h"
#include "base/hmac.h"
#include "base/json_writer.h"
#include "base/text.h"
#include "base/time.h"
#include "net/http_client.h"
#include "net/url.h"

namespace lazaret::server {
namespace {

constexpr std::array<std::string_view, 7> kinds = {"pushed", "released", "held", "condemned", "takedown", "takedown-undone", "deleted"};

}  // namespace

bool is_webhook_event(std::string_view kind) { return std::find(kinds.begin(), kinds.end(), kind) != kinds.end(); }

std::string cloud_event(const store::Event& event, std::string_view source) {
  const bool image = !event.kind.starts_with("takedown");
  const std::string subject = event.digest.empty() ? event.repository : fmt::format("{}@{}", event.repository, event.digest.str());
  JsonWriter json(0);
  json.begin_object().field("specversion", "1.0").field("id", std::to_string(event.id)).field("source", source);
  json.field("type", fmt::format("lazaret.{}{}", image ? "image." : "", event.kind)).field("time", to_rfc3339(event.at));
  if (!subject.empty()) json.field("subject", escape(subject, 1000));
  json.field("datacontenttype", "application/json").key("data").begin_object();
  json.field("kind", event.kind).field("actor", escape(event.actor, 300));
  if (!event.repository.empty()) json.field("repository", escape(event.repository, 300));
  if (!event.tag.empty()) json.field("tag", escape(event.tag, 300));
  if (!event.digest.empty()) json.field("digest", event.digest.str());
  json.field("detail", escape(event.detail, 2000)).end_object().end_object();
  return json.take();
}

std::string signature_of(std::string_view secret, std::int64_t seconds, std::string_view body) {
  return fmt::format("t={},sha256={}", seconds, to_hex(as_bytes(hmac_sha256(secret, fmt::format("{}.{}", seconds, body)))));
}

Webhooks::Webhooks(std::vector<Webhook> receivers, std::string source, store::MetadataStore& metadata, Log& log, Metrics& metrics, WebhookTiming timing)
    : receivers_(std::move(receivers)),
      source_(std::move(source)),
      metadata_(metadata),
      log_(log),
      timing_(timing),
      counters_{metrics.counter("lazaret_webhooks_delivered_total", "Events that a receiver took."),
                metrics.counter("lazaret_webhooks_failed_total", "Attempts to tell a receiver that failed and are tried again."),
                metrics.counter("lazaret_webhooks_dropped_total", "Events passed over because their receiver failed for too long.")} {
  for (const Webhook& receiver : receivers_) {
    // Of the address alone: a new secret or other kinds do not make it another receiver.
    threads_.emplace_back([this, &receiver, mark = "webhook " + sha256(as_bytes(receiver.url)).hex()] { tell(receiver, mark); });
  }
}

Webhooks::~Webhooks() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
}

bool Webhooks::wait(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, time, [&] { return stopping_.load(); });
  return !stopping_;
}

void Webhooks::tell(const Webhook& receiver, const std::string& mark) {
  std::optional<std::int64_t> told;
  while (!stopping_) {
    std::vector<store::Event> events;
    const auto read = metadata_.read([&](store::Reader& reader) {
      if (!told) told = reader.mark(mark);
      if (told) events = reader.events(*told, 200);
    });
    if (read.ok() && !told) {
      const auto begun = metadata_.write([&](store::Writer& writer) {
        store::EventFilter newest;
        newest.limit = 1;
        const auto last = writer.newest_events(newest);
        writer.set_mark(mark, last.empty() ? 0 : last.front().id);
        return Result<void>();
      });
      if (begun.ok()) continue;
    }
    // When this fails, or the process ends before it, the receiver is told again.
    const auto keep = [&] {
      (void)metadata_
          .write(
              [&](store::Writer& writer) {
                writer.set_mark(mark, *told);
                return Result<void>();
              },
              store::Durability::relaxed)
          .ok();
    };
    for (const store::Event& event : events) {
      const bool wanted = std::find(receiver.events.begin(), receiver.events.end(), event.kind) != receiver.events.end();
      if (wanted && !deliver(receiver, event)) return;
      told = event.id;
      if (wanted) keep();
    }
    if (!events.empty()) {
      keep();
      continue;
    }
    if (!wait(timing_.look_every)) return;
  }
}

bool Webhooks::deliver(const Webhook& receiver, const store::Event& event) {
  net::HttpClient client;
  const std::string body = cloud_event(event, source_);
  const std::int64_t begun = milliseconds_now();
  std::chrono::milliseconds pause = timing_.first_retry;
  for (;;) {
    net::HttpRequest request;
    request.method = "POST";
    request.url = receiver.url;
    request.body = body;
    request.headers = {{"Content-Type", "application/cloudevents+json; charset=utf-8"}, {"Lazaret-Signature", signature_of(receiver.secret, milliseconds_now() / 1000, body)}};
    request.max_body = 64 << 10;
    request.follow_redirects = false;  // what is meant for one host is not sent to another
    request.timeouts = {10, 1, 20};
    request.cancelled = &stopping_;
    if (const auto url = net::parse_url(receiver.url); url && url->scheme == "http") request.insecure_hosts.push_back(fmt::format("{}:{}", url->host, url->port));
    const auto response = client.send(request);
    if (response && response->status / 100 == 2) {
      counters_.delivered.add();
      return true;
    }
    if (stopping_) return false;
    const std::string why = response ? fmt::format("it answered {}", response->status) : response.error().message;
    if (milliseconds_now() - begun >= timing_.give_up.count()) {
      counters_.dropped.add();
      log_.error("webhook dropped").field("url", receiver.url).field("id", event.id).field("kind", event.kind).field("problem", why);
      return true;
    }
    counters_.failed.add();
    log_.warning("webhook failed").field("url", receiver.url).field("id", event.id).field("kind", event.kind).field("problem", why).field("again_in_milliseconds", pause.count());
    if (!wait(pause)) return false;
    pause = std::min(pause * 2, timing_.longest_retry);
  }
}

}  // namespace lazaret::server
