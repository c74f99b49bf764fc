#include "cli/exposure_messages.h"

#include <fmt/format.h>

#include <optional>

#include "base/hmac.h"
#include "base/json_writer.h"
#include "base/text.h"
#include "cli/output.h"
#include "net/http_client.h"
#include "net/mail.h"
#include "net/url.h"

namespace lazaret::cli {
namespace {

using format::JsonValue;

std::vector<std::string> texts(const JsonValue& value, std::string_view key) {
  std::vector<std::string> all;
  const JsonValue* const found = value.find(key);
  if (found == nullptr || found->as_array() == nullptr) return all;
  for (const JsonValue& one : *found->as_array()) {
    if (one.as_string() != nullptr) all.push_back(*one.as_string());
  }
  return all;
}

std::string text_for(const JsonValue& exposure, const JsonValue& group, const std::vector<std::string>& images) {
  std::string text = fmt::format("The account {} pulled images that are known to be bad now", escape(group.text("account")));
  const JsonValue* const act = exposure.find("takedown");
  text += act != nullptr ? fmt::format(" (taken down {}).\n\n", escape(act->text("at"))) : ".\n\n";
  for (const std::string& image : images) text += "  " + escape(image) + "\n";
  text += fmt::format("\n{} pulls and {} downloads of layers, the first {}, the last {}, {} in all.\n", group.number("pulls"), group.number("downloads"), escape(group.text("first")),
                      escape(group.text("last")), format_bytes(group.number("bytes")));
  text +=
      "\nWhat to do: find where these images run and stop them (lazaret exposure --pods for Kubernetes, lazaret check on a host). Images of this kind leave cron jobs,\n"
      "SSH keys and processes behind: a host that ran one is to be installed anew, and what it knew (passwords, tokens, keys) is to be changed.\n";
  return text;
}

}  // namespace

std::vector<ExposureMessage> exposure_messages(const JsonValue& exposure) {
  std::vector<ExposureMessage> messages;
  const JsonValue* const accounts = exposure.find("accounts");
  if (accounts == nullptr || accounts->as_array() == nullptr) return messages;
  for (const JsonValue& group : *accounts->as_array()) {
    ExposureMessage message;
    message.account = group.text("account");
    if (message.account.empty()) continue;
    const std::vector<std::string> images = texts(group, "images");
    message.subject = fmt::format("{} pulled images that are known to be bad", escape(message.account));
    message.text = text_for(exposure, group, images);
    JsonWriter json(0);
    json.begin_object().field("schema", "lazaret.exposure-message/v1").field("account", message.account).field("subject", exposure.text("subject")).field("kind", exposure.text("kind"));
    if (const JsonValue* const act = exposure.find("takedown")) json.field("taken_down", act->text("at"));
    json.field("pulls", group.number("pulls")).field("downloads", group.number("downloads")).field("bytes", group.number("bytes")).field("late", group.number("late"));
    json.field("first", group.text("first")).field("last", group.text("last")).key("images").strings(images).field("text", message.text).end_object();
    message.json = json.take();
    messages.push_back(std::move(message));
  }
  return messages;
}

Result<std::size_t> send_exposure_messages(const std::vector<ExposureMessage>& messages, const ResponseOptions& options) {
  std::string key;
  if (!options.webhook_key_file.empty()) {
    auto text = read_text(options.webhook_key_file);
    if (!text) return text.error();
    key = trim(*text);
  }
  net::MailServer mail_server{options.mail_server, options.mail_user, ""};
  if (!options.mail_server.empty() && (options.mail_from.empty() || options.mail_to.empty())) return Error{ErrorCode::invalid, "--mail-server needs --mail-from and --mail-to"};
  if (!options.mail_password_file.empty()) {
    auto text = read_text(options.mail_password_file);
    if (!text) return text.error();
    mail_server.password = trim(*text);
  }
  net::HttpClient http;
  std::size_t sent = 0;
  std::optional<Error> first;
  const auto failed = [&](const ExposureMessage& message, const Error& error) {
    if (!first) first = Error{error.code, fmt::format("{} could not be told: {}", message.account, error.message)};
  };
  for (const ExposureMessage& message : messages) {
    if (!options.webhook.empty()) {
      net::HttpRequest request;
      request.method = "POST";
      request.url = options.webhook;
      request.follow_redirects = false;
      request.headers.emplace_back("Content-Type", "application/json");
      if (!key.empty()) request.headers.emplace_back("X-Lazaret-Signature", "sha256=" + to_hex(as_bytes(hmac_sha256(key, message.json))));
      request.body = message.json;
      // On this machine nobody stands between.
      if (const auto url = net::parse_url(options.webhook); url && net::is_loopback_host(url->host)) request.insecure_hosts.push_back(fmt::format("{}:{}", url->host, url->port));
      const auto answer = http.send(request);
      if (!answer) {
        failed(message, answer.error());
      } else if (answer->status / 100 != 2) {
        failed(message, {ErrorCode::network, fmt::format("{} answered {}", options.webhook, answer->status)});
      } else {
        ++sent;
      }
    }
    if (!options.mail_server.empty()) {
      std::string to = options.mail_to;
      if (const auto place = to.find("{account}"); place != std::string::npos) to.replace(place, 9, message.account);
      const auto done = net::send_mail(mail_server, {options.mail_from, to, message.subject, message.text});
      if (done) {
        ++sent;
      } else {
        failed(message, done.error());
      }
    }
  }
  if (first) return *first;
  return sent;
}

}  // namespace lazaret::cli
