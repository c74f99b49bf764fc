// Mail by SMTP (RFC 5321, RFC 5322), through libcurl.
#pragma once

#include <string>

#include "base/result.h"

namespace lazaret::net {

struct MailServer {
  std::string url;             // "smtp://mail.example:587" or "smtps://mail.example:465"
  std::string user, password;  // "" for servers that ask for none
};

struct Mail {
  std::string from, to;  // bare addresses
  std::string subject;   // UTF-8, one line
  std::string text;      // UTF-8
};

// Whether this is an address and nothing more: one '@', and no character that could begin another header or another recipient.
bool is_mail_address(std::string_view text);

// TLS is used or nothing is sent, but for a server on this machine, to which text may go as it is. Errors: invalid (an address or the URL is none),
// unauthorized (login or certificate), network.
Result<void> send_mail(const MailServer& server, const Mail& mail);

}  // namespace lazaret::net
