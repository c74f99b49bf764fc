#include <fmt/format.h>

#include "base/time.h"
#include "report/campaign_report.h"
#include "report/markdown_text.h"

namespace lazaret::report {
namespace {

std::string when(store::Time at) { return at == 0 ? "" : to_rfc3339(at).substr(0, 16); }

// In a table a bar ends the cell; markdown_plain() escapes it.
std::string cell(std::string_view text) { return markdown_plain(text, 300); }

}  // namespace

std::string campaign_markdown(const intel::Story& story) {
  std::string text = fmt::format("# Incident report: {}\n\n", cell(story.title));
  text += fmt::format("{} image{} of {} account{}, pulled {} times by {} accounts and {} addresses.{}\n\n", story.images.size(), story.images.size() == 1 ? "" : "s", story.accounts.size(),
                      story.accounts.size() == 1 ? "" : "s", story.pulls, story.identities, story.addresses, story.campaign.confirmed ? " The campaign was confirmed by hand." : "");
  for (const intel::StoryIncident& incident : story.incidents) {
    text += fmt::format("Known incident: {} ({}, {}{}).\n\n", cell(incident.title), cell(incident.id), cell(incident.first_seen), incident.last_seen.empty() ? "" : " to " + cell(incident.last_seen));
  }
  text += "| | |\n|---|---|\n";
  for (const auto& [name, at] : {std::pair("first upload", story.first_upload), std::pair("first pull", story.first_pull), std::pair("first verdict", story.first_verdict),
                                 std::pair("first report by a user", story.first_report), std::pair("takedown", story.first_takedown), std::pair("last pull", story.last_pull)}) {
    if (at != 0) text += fmt::format("| {} | {} |\n", name, when(at));
  }
  text += "\n## What to do\n\n";
  for (const std::string& advice : story.advice) text += "1. " + advice + "\n";
  text += "\n## Images\n\n| image | digest | verdict | state | first upload | pulls | found |\n|---|---|---|---|---|---|---|\n";
  for (const intel::StoryImage& image : story.images) {
    std::string places, titles;
    for (const store::NodePlace& place : image.places) places += (places.empty() ? "" : ", ") + cell(place.repository);
    for (const std::string& title : image.titles) titles += (titles.empty() ? "" : "; ") + cell(title);
    text += fmt::format("| {} | {} | {} | {} | {} | {} | {} |\n", places, cell(image.digest.substr(0, 19)), image.verdict, image.taken_down ? "taken down" : image.state, when(image.first_seen), image.pulls,
                        titles);
  }
  text += "\n## Why they belong together\n\n";
  for (const intel::StoryImage& image : story.images) {
    if (!image.why.empty()) text += fmt::format("- {} {}\n", cell(image.places.empty() ? image.digest : image.places.front().repository), markdown_plain(image.why, 600));
  }
  text += "\n## Accounts\n\n| account | images | convicted | pulls | first upload | taken down |\n|---|---|---|---|---|---|\n";
  for (const intel::StoryAccount& account : story.accounts) {
    text += fmt::format("| {} | {} | {} | {} | {} | {} |\n", cell(account.name), account.images, account.bad, account.pulls, when(account.first_seen), account.taken_down ? "yes" : "no");
  }
  if (!story.attack.empty()) {
    text += "\n## Techniques (MITRE ATT&CK)\n\n";
    for (const std::string& technique : story.attack) text += "- " + cell(technique) + "\n";
  }
  text += "\n## Indicators\n\n| type | value | images | accounts |\n|---|---|---|---|\n";
  for (const intel::StoryIndicator& indicator : story.indicators) {
    text += fmt::format("| {} | {} | {} | {} |\n", indicator.title, cell(indicator.value), indicator.images, indicator.accounts);
  }
  if (!story.wallets.empty()) {
    text += "\n## Wallets\n\n| wallet | images | accounts | earned | source |\n|---|---|---|---|---|\n";
    for (const intel::StoryIndicator& wallet : story.wallets) {
      text += fmt::format("| {} | {} | {} | {} | {} |\n", cell(wallet.value), wallet.images, wallet.accounts, wallet.earned.empty() ? "" : cell(wallet.earned + " by " + wallet.earned_at),
                          cell(wallet.source));
    }
  }
  text += "\n## Timeline\n\n| when | what | source |\n|---|---|---|\n";
  for (const intel::StoryMoment& moment : story.timeline) text += fmt::format("| {} | {} | {} |\n", cell(moment.when), cell(moment.what), cell(moment.source));
  return text;
}

}  // namespace lazaret::report
