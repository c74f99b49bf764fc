// A set of images whose campaigns are known, for measuring how well linking finds them. Used by the unit test (small) and the benchmark (large).
//
// Each campaign has one to four accounts and its own wallets, servers, keys, scripts and payloads, of which every image has some: no two images of a campaign
// need share anything directly, but each shares something rare with one that came before it (a strong indicator, or two of medium weight). Around it is
// what linking must not fall for: bases and package files that everybody has, niche bases that two or three publishers have, popular pools, ports and file
// names, upstream miners that unrelated actors download, names that are alike, and a part of the campaigns' images copied as harmless text.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "intel/campaigns.h"
#include "intel/observations.h"

namespace lazaret::intel::test {

struct GeneratedImage {
  ImageFacts facts;
  int campaign = -1;  // -1: none
};

class GeneratedSet {
 public:
  GeneratedSet(unsigned campaigns, unsigned clean, unsigned seed) : random_(seed) {
    for (unsigned i = 0; i < campaigns; ++i) add_campaign(static_cast<int>(i));
    for (unsigned i = 0; i < campaigns / 2; ++i) add_lone_malware(i);
    for (unsigned i = 0; i < clean; ++i) add_clean(i);
    // Images come in any order.
    std::shuffle(images_.begin(), images_.end(), random_);
  }
  std::vector<GeneratedImage>& images() { return images_; }

 private:
  unsigned number(unsigned below) { return static_cast<unsigned>(random_() % below); }
  bool chance(unsigned percent) { return number(100) < percent; }
  static std::string hash(const std::string& text) { return sha256(as_bytes(text)).hex(); }

  GeneratedImage& image(const std::string& publisher, const std::string& name, bool bad, int campaign) {
    GeneratedImage& made = images_.emplace_back();
    made.campaign = campaign;
    made.facts.digest = sha256(as_bytes(fmt::format("image {}", images_.size())));
    made.facts.places.push_back({publisher, publisher + "/" + name, static_cast<store::Time>(images_.size())});
    made.facts.bad = bad;
    made.facts.verdict = bad ? "malicious" : "clean";
    made.facts.observations.push_back({"image", made.facts.digest.str(), false});
    add_base(made);
    return made;
  }
  // Popular bases, and niche ones that a few publishers share.
  void add_base(GeneratedImage& made) {
    const std::string base = chance(85) ? fmt::format("base {}", number(12)) : fmt::format("niche {}", number(400));
    for (unsigned layer = 0; layer < 1 + base.size() % 3; ++layer) add(made, "layer", "sha256:" + hash(fmt::format("{} {}", base, layer)), false);
    add(made, "build-step", hash("step of " + base), false);
    for (unsigned package = 0; package < 4; ++package) {
      const unsigned which = number(chance(80) ? 60 : 3000);
      add(made, "file-sha256", hash(fmt::format("package {}", which)), false);
      add(made, "build-id", hash(fmt::format("id {}", which)).substr(0, 40), false);
    }
    add(made, "layer", "sha256:" + hash(fmt::format("own layer {}", images_.size())), made.facts.bad && chance(60));
  }
  static void add(GeneratedImage& made, const char* kind, std::string value, bool flagged) { made.facts.observations.push_back({kind, std::move(value), flagged}); }
  std::string popular_name() {
    static const char* names[] = {"nginx", "mysql", "redis", "tomcat", "ubuntu", "alpine", "cron", "data", "web", "app"};
    return fmt::format("{}{}", names[number(10)], chance(50) ? std::to_string(number(20)) : "");
  }
  void noise(GeneratedImage& made) {
    if (chance(40)) add(made, "pool", fmt::format("pool{}.example:3333", number(6)), true);
    if (chance(30)) add(made, "port-file", chance(50) ? "8080/install.sh" : "3000/run.sh", true);
    if (chance(25)) add(made, "miner-file", hash(fmt::format("upstream miner {}", number(8))), true);
    if (chance(15)) add(made, "login", fmt::format("worker{}", number(3)), true);
    if (chance(20)) add(made, "script-shape", hash(fmt::format("copied one-liner {}", number(5))), true);
    if (chance(20)) add(made, "url", fmt::format("github.com/xmrig/releases/{}.tar.gz", number(6)), false);
  }

  void add_campaign(int campaign) {
    struct Fact {
      const char* kind;
      std::string value;
      bool strong;
    };
    std::vector<Fact> facts;
    const auto name = [&](const char* what, unsigned i) { return fmt::format("{} {} of {}", what, i, campaign); };
    for (unsigned i = 0; i < 1 + number(3); ++i) facts.push_back({"wallet", name("wallet", i), true});
    for (unsigned i = 0; i < 1 + number(3); ++i) facts.push_back({"c2", fmt::format("198.51.100.{}:{}", campaign, 4000 + i), true});
    for (unsigned i = 0; i < number(3); ++i) facts.push_back({"url", fmt::format("host{}.example/c{}/x", i, campaign), true});
    if (chance(40)) facts.push_back({"ssh-key", name("key", 0), true});
    for (unsigned i = 0; i < 1 + number(3); ++i) facts.push_back({"file-sha256", hash(name("payload", i)), true});
    facts.push_back({"port-file", fmt::format("{}/logo{}.jpg", 20000 + campaign, campaign), false});
    facts.push_back({"script-shape", hash(name("script", 0)), false});
    facts.push_back({"build-path", fmt::format("/home/user{}/bot", campaign), false});
    const unsigned accounts = 1 + number(4), count = 2 + number(18);
    std::vector<std::size_t> shared;  // facts that an image before has
    for (unsigned i = 0; i < count; ++i) {
      GeneratedImage& made = image(fmt::format("actor{}x{}", campaign, number(accounts)), popular_name(), true, campaign);
      noise(made);
      std::vector<std::size_t> own;
      if (i == 0) {
        own = {number(static_cast<unsigned>(facts.size())), number(static_cast<unsigned>(facts.size())), facts.size() - 3, facts.size() - 2};
      } else if (chance(70)) {
        // Something strong that is known, or a new one beside two of medium weight.
        std::vector<std::size_t> strong;
        for (const std::size_t fact : shared) {
          if (facts[fact].strong) strong.push_back(fact);
        }
        if (!strong.empty()) own.push_back(strong[number(static_cast<unsigned>(strong.size()))]);
      }
      if (own.empty()) own = {facts.size() - 3, facts.size() - 2};
      own.push_back(number(static_cast<unsigned>(facts.size())));
      for (const std::size_t fact : own) {
        add(made, facts[fact].kind, facts[fact].value, true);
        shared.push_back(fact);
      }
      // A later image of its own publisher may hang on this one by the account.
      tidy(made.facts.observations);
    }
  }
  // Convicted, of an actor of its own, with nothing but noise in common with others.
  void add_lone_malware(unsigned i) {
    GeneratedImage& made = image(fmt::format("loner{}", i), popular_name(), true, -1);
    noise(made);
    add(made, "c2", fmt::format("203.0.113.{}:{}", i % 250, 5000 + i), true);
    tidy(made.facts.observations);
  }
  void add_clean(unsigned i) {
    GeneratedImage& made = image(fmt::format("team{}", number(800)), popular_name(), false, -1);
    if (chance(5)) add(made, "wallet", fmt::format("donation {}", number(3)), false);
    if (chance(2)) add(made, "port-file", "8080/install.sh", false);
    if (chance(2)) add(made, "url", fmt::format("github.com/xmrig/releases/{}.tar.gz", number(6)), false);
    (void)i;
    tidy(made.facts.observations);
  }

  std::mt19937 random_;
  std::vector<GeneratedImage> images_;
};

struct Quality {
  double precision = 0, recall = 0;  // over pairs of images that are in one campaign
  std::uint64_t pairs_found = 0, pairs_right = 0, pairs_wanted = 0;
};

// Compares what was found with what is so. `found`: the campaign of each image, 0 for none. An image without campaign that was put into one makes a wrong
// pair with each of its members.
inline Quality measure(const std::vector<GeneratedImage>& images, const std::vector<std::int64_t>& found) {
  std::map<std::pair<std::int64_t, int>, std::uint64_t> cells;
  std::map<std::int64_t, std::uint64_t> by_found;
  std::map<int, std::uint64_t> by_truth;
  for (std::size_t i = 0; i < images.size(); ++i) {
    if (found[i] != 0) ++by_found[found[i]];
    if (images[i].campaign >= 0) ++by_truth[images[i].campaign];
    if (found[i] != 0 && images[i].campaign >= 0) ++cells[{found[i], images[i].campaign}];
  }
  const auto pairs = [](std::uint64_t n) { return n * (n - 1) / 2; };
  Quality quality;
  for (const auto& [id, n] : by_found) quality.pairs_found += pairs(n);
  for (const auto& [id, n] : by_truth) quality.pairs_wanted += pairs(n);
  for (const auto& [cell, n] : cells) quality.pairs_right += pairs(n);
  quality.precision = quality.pairs_found == 0 ? 1 : static_cast<double>(quality.pairs_right) / static_cast<double>(quality.pairs_found);
  quality.recall = quality.pairs_wanted == 0 ? 1 : static_cast<double>(quality.pairs_right) / static_cast<double>(quality.pairs_wanted);
  return quality;
}

}  // namespace lazaret::intel::test
