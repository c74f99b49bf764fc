#include <fmt/format.h>

#include "base/time.h"
#include "report/campaign_report.h"
#include "report/html_text.h"

namespace lazaret::report {
namespace {

std::string when(store::Time at) { return at == 0 ? "" : to_rfc3339(at).substr(0, 16); }

void heads(std::string& out, std::initializer_list<std::string_view> names) {
  out += "<table><tr>";
  for (const std::string_view name : names) out += fmt::format("<th>{}</th>", name);
  out += "</tr>\n";
}
// Cells are text; those that are markup already are made of html_plain().
void row(std::string& out, std::initializer_list<std::string> cells) {
  out += "<tr>";
  for (const std::string& cell : cells) out += fmt::format("<td>{}</td>", html_plain(cell, 600));
  out += "</tr>\n";
}

}  // namespace

std::string campaign_html(const intel::Story& story) {
  const std::string title = html_plain(story.title, 200);
  std::string out = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width\"><title>Incident report: {}</title><style>{}</style></head><body>\n<h1>Incident report: {}</h1>\n",
      title, html_style, title);
  out += fmt::format("<p>{} images of {} accounts, pulled {} times by {} accounts and {} addresses.{}</p>\n", story.images.size(), story.accounts.size(), story.pulls, story.identities, story.addresses,
                     story.campaign.confirmed ? " The campaign was confirmed by hand." : "");
  for (const intel::StoryIncident& incident : story.incidents) {
    out += fmt::format("<p>Known incident: {} <span class=\"dim\">({}, {}{})</span></p>\n", html_plain(incident.title), html_plain(incident.id), html_plain(incident.first_seen),
                       incident.last_seen.empty() ? "" : " to " + html_plain(incident.last_seen));
  }
  out += "<dl>\n";
  for (const auto& [name, at] : {std::pair("first upload", story.first_upload), std::pair("first pull", story.first_pull), std::pair("first verdict", story.first_verdict),
                                 std::pair("first report", story.first_report), std::pair("takedown", story.first_takedown), std::pair("last pull", story.last_pull)}) {
    if (at != 0) out += fmt::format("<dt>{}</dt><dd>{}</dd>\n", name, when(at));
  }
  out += "</dl>\n<h2>What to do</h2>\n<ol>\n";
  for (const std::string& advice : story.advice) out += "<li>" + html_plain(advice) + "</li>\n";
  out += "</ol>\n<h2>Images</h2>\n";
  for (const intel::StoryImage& image : story.images) {
    std::string places;
    for (const store::NodePlace& place : image.places) places += (places.empty() ? "" : ", ") + place.repository;
    out += fmt::format("<article><h3><span class=\"badge {}\">{}</span> {}</h3>\n<dl><dt>digest</dt><dd>{}</dd><dt>state</dt><dd>{}</dd><dt>first upload</dt><dd>{}</dd><dt>pulls</dt><dd>{}</dd>",
                       html_plain(image.verdict), html_plain(image.verdict), html_plain(places), html_plain(image.digest), image.taken_down ? "taken down" : html_plain(image.state), when(image.first_seen),
                       image.pulls);
    for (const std::string& found : image.titles) out += fmt::format("<dt>found</dt><dd>{}</dd>", html_plain(found));
    if (!image.why.empty()) out += fmt::format("<dt>linked</dt><dd>{}</dd>", html_plain(image.why));
    out += "</dl></article>\n";
  }
  out += "<h2>Accounts</h2>\n";
  heads(out, {"account", "images", "convicted", "pulls", "first upload", "taken down"});
  for (const intel::StoryAccount& account : story.accounts) {
    row(out, {account.name, std::to_string(account.images), std::to_string(account.bad), std::to_string(account.pulls), when(account.first_seen), account.taken_down ? "yes" : "no"});
  }
  out += "</table>\n";
  if (!story.attack.empty()) out += fmt::format("<h2>Techniques (MITRE ATT&amp;CK)</h2>\n<p>{}</p>\n", html_plain(fmt::format("{}", fmt::join(story.attack, ", "))));
  out += "<h2>Indicators</h2>\n";
  heads(out, {"type", "value", "images", "accounts"});
  for (const intel::StoryIndicator& indicator : story.indicators) row(out, {indicator.title, indicator.value, std::to_string(indicator.images), std::to_string(indicator.accounts)});
  out += "</table>\n";
  if (!story.wallets.empty()) {
    out += "<h2>Wallets</h2>\n";
    heads(out, {"wallet", "images", "accounts", "earned", "source"});
    for (const intel::StoryIndicator& wallet : story.wallets) {
      row(out, {wallet.value, std::to_string(wallet.images), std::to_string(wallet.accounts), wallet.earned.empty() ? "" : wallet.earned + " by " + wallet.earned_at, wallet.source});
    }
    out += "</table>\n";
  }
  out += "<h2>Timeline</h2>\n";
  heads(out, {"when", "what", "source"});
  for (const intel::StoryMoment& moment : story.timeline) row(out, {moment.when, moment.what, moment.source});
  return out + "</table>\n</body></html>\n";
}

}  // namespace lazaret::report
