// Repositories that want to be taken for another: names that look like those of official images and of well-known publishers, labels that claim a vendor.
//
// On Docker Hub the publisher is the first part of the name, and "library" (or none) stands for the official images. A personal account with an image named nginx is normal; an account named
// "1ibrary", an image named "ngimx", or 2018's "tomcat11" and "mysql2" are what people type or read by mistake. Names are given freely, so that a finding here is a reason to look.
#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <toml++/toml.h>
#include <vector>

#include "base/embedded.h"
#include "base/text.h"
#include "detect/detector.h"

namespace lazaret {
std::span<const EmbeddedFile> embedded_names();  // made by cmake/Embed.cmake
}

namespace lazaret::detect {
namespace {

constexpr Rule rules[] = {
    {"impersonation.publisher-name", Category::impersonation, Severity::high, Confidence::medium, "Publisher's name looks like a well-known one",
     "The account differs from the official or a well-known one by letters that are easy to mistake.", "Use the image of the account whose name you mean.", {"T1036.005", "T1608.001"}},
    {"impersonation.repository-name", Category::impersonation, Severity::medium, Confidence::low, "Image's name looks like an official image's",
     "The name differs from an official image's by letters that are easy to mistake or a word such as \"official\". Other projects may have such names by chance.", "Use the official image, or make sure whose image this is.",
     {"T1036.005"}},
    {"impersonation.numbered-name", Category::impersonation, Severity::low, Confidence::low, "Official image's name with a number",
     "Names such as mysql2 and tomcat11 under a personal account are how the images of 2018 were spread; versions are tags, not names. Many people number their own images so.",
     "Make sure whose image this is.", {"T1036.005"}},
    {"impersonation.claimed-vendor", Category::impersonation, Severity::info, Confidence::low, "Label claims a well-known vendor",
     "A label says that the image comes from a vendor whose account it was not found under. Labels are inherited from base images, and anybody can write them.", "Nothing, when the base image is the vendor's.", {"T1036.005"}},
};
enum { publisher_name, repository_name, numbered_name, claimed_vendor };

struct Names {
  std::vector<std::string> images, publishers;
};

const Names& names() {
  static const Names known = [] {
    Names read;
    for (const EmbeddedFile& file : embedded_names()) {
      const toml::table table = toml::parse(file.content(), std::string(file.name));
      for (const auto& [key, list] : {std::pair<const char*, std::vector<std::string>*>{"images", &read.images}, {"publishers", &read.publishers}}) {
        if (const toml::array* array = table[key].as_array()) {
          for (const toml::node& node : *array) list->push_back(node.value<std::string>().value());
        }
      }
    }
    return read;
  }();
  return known;
}

// What is left of a name when letters that look alike are made equal and separators are dropped.
std::string skeleton(std::string_view name) {
  std::string result;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char next = i + 1 < name.size() ? name[i + 1] : '\0';
    switch (name[i]) {
      case 'r':
        if (next == 'n') {
          result += 'm';
          ++i;
        } else {
          result += 'r';
        }
        break;
      case 'v':
        if (next == 'v') {
          result += 'w';
          ++i;
        } else {
          result += 'v';
        }
        break;
      case '1':
      case 'i': result += 'l'; break;
      case '0': result += 'o'; break;
      case '5': result += 's'; break;
      case '3': result += 'e'; break;
      case '-':
      case '_':
      case '.': break;
      default: result += name[i];
    }
  }
  return result;
}

// One letter more, less, other, or two neighbours exchanged (optimal string alignment distance of one).
bool is_one_slip(std::string_view a, std::string_view b) {
  if (a.size() > b.size()) std::swap(a, b);
  if (a == b || b.size() - a.size() > 1) return false;
  std::size_t head = 0;
  while (head < a.size() && a[head] == b[head]) ++head;
  if (a.size() < b.size()) return a.substr(head) == b.substr(head + 1);
  if (a.substr(head + 1) == b.substr(head + 1)) return true;
  return head + 1 < a.size() && a[head] == b[head + 1] && a[head + 1] == b[head] && a.substr(head + 2) == b.substr(head + 2);
}

bool looks_like(std::string_view name, std::string_view known) { return name != known && (skeleton(name) == skeleton(known) || (known.size() >= 5 && is_one_slip(name, known))); }

struct Reference {
  std::string registry, account, image;
};
std::optional<Reference> read_reference(std::string_view text) {
  text = text.substr(0, text.find('@'));
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  Reference reference{std::string(text.substr(0, slash)), "", ""};
  std::string_view path = text.substr(slash + 1);
  if (reference.registry.find_first_of(".:") == std::string::npos && reference.registry != "localhost") return std::nullopt;  // no registry: a folder or file
  const auto last = path.rfind('/');
  const auto colon = path.find(':', last == std::string_view::npos ? 0 : last);
  path = path.substr(0, colon);
  if (last == std::string_view::npos) {
    reference.image = path;
  } else {
    reference.account = path.substr(0, path.find('/'));
    reference.image = path.substr(last + 1);
  }
  return reference;
}

bool is_known(const std::vector<std::string>& list, std::string_view name) { return std::find(list.begin(), list.end(), name) != list.end(); }

void add(std::vector<ImageFinding>& findings, int rule, std::string path, std::string evidence) {
  ImageFinding finding;
  finding.rule = &rules[rule];
  finding.path = std::move(path);
  finding.evidence = std::move(evidence);
  findings.push_back(std::move(finding));
}

void judge_name(const Reference& reference, const std::string& shown, std::vector<ImageFinding>& findings) {
  const auto& [images, publishers] = names();
  if (reference.account == "library" || is_known(publishers, reference.account)) return;
  if (!reference.account.empty()) {
    if (looks_like(reference.account, "library")) return add(findings, publisher_name, "", shown + ": the account looks like \"library\", which stands for the official images");
    for (const std::string& publisher : publishers) {
      if (looks_like(reference.account, publisher)) return add(findings, publisher_name, "", shown + ": the account looks like \"" + publisher + "\"");
    }
  }
  if (is_known(images, reference.image)) return;
  for (const std::string& image : images) {
    if (reference.image.size() > image.size() + 2) {
      for (const std::string_view word : {"official", "original", "genuine", "verified", "trusted"}) {
        if (skeleton(reference.image) == skeleton(image + std::string(word)) || skeleton(reference.image) == skeleton(std::string(word) + image))
          return add(findings, repository_name, "", shown + ": \"" + image + "\" with the word \"" + std::string(word) + "\"");
      }
    }
    if (reference.image.starts_with(image) && reference.image.size() > image.size() && reference.image.size() <= image.size() + 3 &&
        reference.image.find_first_not_of("0123456789", image.size()) == std::string::npos)
      return add(findings, numbered_name, "", shown + ": \"" + image + "\" with a number");
  }
  for (const std::string& image : images) {
    if (image.size() >= 4 && looks_like(reference.image, image)) return add(findings, repository_name, "", shown + ": the name looks like \"" + image + "\"");
  }
}

bool is_vendor_label(std::string_view name) {
  for (const std::string_view label : {"org.opencontainers.image.vendor", "org.opencontainers.image.url", "org.opencontainers.image.source", "org.opencontainers.image.authors", "org.label-schema.vendor",
                                       "vendor", "maintainer"}) {
    if (name == label) return true;
  }
  return false;
}

void judge_labels(const ImageView& image, std::string_view account, std::vector<ImageFinding>& findings) {
  if (account == "library" || is_known(names().publishers, account)) return;
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 10> claims = {{{"docker-library", "Docker"}, {"docker inc", "Docker"}, {"docker official", "Docker"}, {"canonical", "Canonical"},
                                                                                              {"google llc", "Google"}, {"google, inc", "Google"}, {"microsoft corp", "Microsoft"}, {"red hat, inc", "Red Hat"},
                                                                                              {"nginx docker maintainers", "nginx"}, {"amazon web services", "Amazon"}}};
  const auto look = [&](const std::vector<std::pair<std::string, std::string>>& list, const std::string& prefix) {
    for (const auto& [name, value] : list) {
      if (!is_vendor_label(name)) continue;
      for (const auto& [claim, vendor] : claims) {
        if (!contains_ignore_case(value, claim)) continue;
        add(findings, claimed_vendor, prefix + name, name + " = " + value.substr(0, 200) + " (" + std::string(vendor) + ")");
        break;
      }
    }
  };
  look(image.manifest().config.labels, "config.Labels.");
  look(image.manifest().annotations, "annotation.");
}

void inspect_image(const ImageView& image, std::vector<ImageFinding>& findings) {
  const auto reference = read_reference(image.reference());
  if (reference) judge_name(*reference, image.reference(), findings);
  judge_labels(image, reference ? std::string_view(reference->account) : std::string_view(), findings);
}

}  // namespace

extern const Detector impersonated_repository_detector;
const Detector impersonated_repository_detector = {.name = "impersonated-repository",
                                                   .summary = "Finds repository names and labels that pretend to be official images or well-known publishers.",
                                                   .rules = rules,
                                                   .patterns = {},
                                                   .kinds = {},
                                                   .trigger = Trigger::on_hit,
                                                   .inspect = nullptr,
                                                   .inspect_image = inspect_image};

}  // namespace lazaret::detect
