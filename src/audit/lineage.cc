#include "audit/lineage.h"

#include <fmt/format.h>

#include <charconv>
#include <tuple>

#include "base/text.h"

namespace lazaret::audit {
namespace {

constexpr std::string_view first_line = "# lazaret bases v1";
constexpr std::size_t layers_limit = 1024;

bool read_number(std::string_view text, std::size_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

// What is better known of a chain comes first.
auto rank(const KnownBase& base) { return std::tuple(base.layers != base.of, base.of, std::string_view(base.reference), std::string_view(base.digest)); }

}  // namespace

std::vector<Digest> chain_ids(const std::vector<Digest>& diff_ids) {
  std::vector<Digest> chain;
  for (const Digest& diff_id : diff_ids) {
    chain.push_back(chain.empty() ? diff_id : sha256(as_bytes(chain.back().str() + " " + diff_id.str())));
  }
  return chain;
}

Result<BaseTable> BaseTable::parse(std::string_view text, std::string_view file_name) {
  BaseTable table;
  std::size_t number = 0;
  const auto problem = [&](std::string_view what) {
    return Error{ErrorCode::invalid, fmt::format("{}:{}: {} (lazaret intel trust-base writes this file)", file_name, number, what)};
  };
  for (std::string_view line : split(text, '\n')) {
    ++number;
    line = trim(line);
    if (number == 1) {
      if (line != first_line) return problem(fmt::format("the first line must be \"{}\"", first_line));
      continue;
    }
    if (line.empty() || line.starts_with('#')) continue;
    std::vector<std::string_view> parts;
    for (std::size_t i = 0; i < 3; ++i) {
      const std::size_t space = line.find(' ');
      if (space == std::string_view::npos) return problem("a line has a chain ID, layers/layers of the image, a manifest digest or -, and a reference");
      parts.push_back(line.substr(0, space));
      line = trim(line.substr(space));
    }
    KnownBase base;
    base.reference = line;
    const std::size_t slash = parts[1].find('/');
    if (!Digest::parse(parts[0])) return problem("the chain ID is not of the form sha256:<64 hex digits>");
    if (slash == std::string_view::npos || !read_number(parts[1].substr(0, slash), base.layers) || !read_number(parts[1].substr(slash + 1), base.of) || base.layers == 0 ||
        base.layers > base.of || base.of > layers_limit) {
      return problem("the numbers of layers are not of the form 1/3");
    }
    if (parts[2] != "-") {
      if (!Digest::parse(parts[2])) return problem("the manifest digest is not of the form sha256:<64 hex digits>");
      base.digest = parts[2];
    }
    if (base.reference.empty()) return problem("the reference is missing");
    if (!table.entries_.emplace(std::string(parts[0]), std::move(base)).second) return problem("this chain ID stands in the file twice");
  }
  return table;
}

std::string BaseTable::text() const {
  std::string text = std::string(first_line) + "\n";
  for (const auto& [chain_id, base] : entries_) {
    text += fmt::format("{} {}/{} {} {}\n", chain_id, base.layers, base.of, base.digest.empty() ? "-" : base.digest, base.reference);
  }
  return text;
}

std::size_t BaseTable::add_image(const std::vector<Digest>& diff_ids, const std::string& reference, const std::string& manifest_digest) {
  const std::vector<Digest> chain = chain_ids(diff_ids);
  std::size_t changed = 0;
  for (std::size_t i = 0; i < chain.size(); ++i) {
    const KnownBase base{i + 1, chain.size(), manifest_digest, reference};
    const auto [known, is_new] = entries_.emplace(chain[i].str(), base);
    if (!is_new && rank(base) < rank(known->second)) {
      known->second = base;
      ++changed;
    }
    changed += is_new;
  }
  return changed;
}

BaseTable::Match BaseTable::find(const std::vector<Digest>& diff_ids) const {
  const std::vector<Digest> chain = chain_ids(diff_ids);
  for (std::size_t i = chain.size(); i-- > 0;) {
    const auto known = entries_.find(chain[i].str());
    if (known != entries_.end() && known->second.layers == i + 1) return {known->first, known->second};
  }
  return {};
}

std::string BaseTable::digest() const { return entries_.empty() ? "" : sha256(as_bytes(text())).str(); }

}  // namespace lazaret::audit
