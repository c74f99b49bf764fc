// The index of indicators on SQLite: one connection, one transaction at a time (base/sqlite.h says why).
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "base/text.h"
#include "store/indicator_store.h"
#include "store/sqlite_session.h"

namespace lazaret::store {
namespace {

constexpr int schema_version = 1;

// `innocent` of a posting is -1 for known incidents, 0 for nodes that are bad and 1 for others, so that they come in this order.
constexpr const char* schema = R"sql(
CREATE TABLE IF NOT EXISTS about (version INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS node (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, incident INTEGER NOT NULL, bad INTEGER NOT NULL, verdict TEXT NOT NULL,
  score INTEGER NOT NULL, attack TEXT NOT NULL, first_seen INTEGER NOT NULL, judged INTEGER NOT NULL, campaign INTEGER NOT NULL, pinned INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS node_campaign ON node (campaign) WHERE campaign <> 0;
CREATE TABLE IF NOT EXISTS place (node INTEGER NOT NULL, publisher TEXT NOT NULL, repository TEXT NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY (node, publisher, repository)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS place_publisher ON place (publisher);
CREATE TABLE IF NOT EXISTS publisher (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, bad INTEGER NOT NULL DEFAULT 0, nodes INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS indicator (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, value TEXT NOT NULL, publishers INTEGER NOT NULL DEFAULT 0,
  innocent INTEGER NOT NULL DEFAULT 0, UNIQUE (kind, value));
CREATE TABLE IF NOT EXISTS posting (indicator INTEGER NOT NULL, innocent INTEGER NOT NULL, node INTEGER NOT NULL, flagged INTEGER NOT NULL,
  PRIMARY KEY (indicator, innocent, node)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS posting_node ON posting (node);
CREATE TABLE IF NOT EXISTS sighting (indicator INTEGER NOT NULL, publisher INTEGER NOT NULL, nodes INTEGER NOT NULL, innocent INTEGER NOT NULL,
  PRIMARY KEY (indicator, publisher)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS similar (kind TEXT NOT NULL, key INTEGER NOT NULL, indicator INTEGER NOT NULL, PRIMARY KEY (kind, key, indicator)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS link (first INTEGER NOT NULL, second INTEGER NOT NULL, score INTEGER NOT NULL, by_hand INTEGER NOT NULL,
  PRIMARY KEY (first, second)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS link_second ON link (second);
CREATE TABLE IF NOT EXISTS evidence (first INTEGER NOT NULL, second INTEGER NOT NULL, indicator INTEGER NOT NULL, weight INTEGER NOT NULL, note TEXT NOT NULL,
  PRIMARY KEY (first, second, indicator)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS evidence_indicator ON evidence (indicator);
CREATE TABLE IF NOT EXISTS changed (indicator INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS campaign (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, incident TEXT NOT NULL, confirmed INTEGER NOT NULL,
  created INTEGER NOT NULL, merged_into INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS campaign_incident ON campaign (incident) WHERE incident <> '';
CREATE TABLE IF NOT EXISTS apart (first INTEGER NOT NULL, second INTEGER NOT NULL, PRIMARY KEY (first, second)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS apart_second ON apart (second);
CREATE TABLE IF NOT EXISTS act (id INTEGER PRIMARY KEY AUTOINCREMENT, campaign INTEGER NOT NULL, at INTEGER NOT NULL, actor TEXT NOT NULL, act TEXT NOT NULL,
  detail TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS act_campaign ON act (campaign);
)sql";

using Row = SqliteStatement;

Node read_node(const Row& row) {
  return {row.integer(0), std::string(row.text(1)), row.integer(2) != 0, row.integer(3) != 0, std::string(row.text(4)), static_cast<int>(row.integer(5)),
          std::string(row.text(6)), row.integer(7), row.integer(8), row.integer(9), row.integer(10) != 0};
}
IndicatorCounts read_counts(const Row& row) {
  return {row.integer(0), std::string(row.text(1)), std::string(row.text(2)), static_cast<std::uint32_t>(row.integer(3)), static_cast<std::uint32_t>(row.integer(4))};
}
Campaign read_campaign(const Row& row) {
  return {row.integer(0), std::string(row.text(1)), std::string(row.text(2)), row.integer(3) != 0, row.integer(4), row.integer(5), static_cast<std::uint64_t>(row.integer(6))};
}
std::int64_t read_integer(const Row& row) { return row.integer(0); }
std::int64_t number(bool truth) { return truth ? 1 : 0; }
std::int64_t number(std::size_t count) { return static_cast<std::int64_t>(std::min<std::size_t>(count, 1u << 30)); }

#define NODE_COLUMNS "id, name, incident, bad, verdict, score, attack, first_seen, judged, campaign, pinned"
#define CAMPAIGN_COLUMNS "id, name, incident, confirmed, created, merged_into, (SELECT count(*) FROM node WHERE node.campaign = campaign.id AND node.campaign <> 0)"

class Session final : public IndicatorWriter, public SqliteSession {
 public:
  using SqliteSession::SqliteSession;

  // --- nodes
  std::optional<Node> node(std::string_view name) override { return first<Node>("SELECT " NODE_COLUMNS " FROM node WHERE name = ?", read_node, name); }
  std::optional<Node> node(std::int64_t id) override { return first<Node>("SELECT " NODE_COLUMNS " FROM node WHERE id = ?", read_node, id); }
  std::vector<NodePlace> places_of(std::int64_t node) override {
    return all<NodePlace>("SELECT publisher, repository, at FROM place WHERE node = ? ORDER BY at, publisher, repository",
                          [](const Row& row) { return NodePlace{std::string(row.text(0)), std::string(row.text(1)), row.integer(2)}; }, node);
  }
  std::vector<Node> nodes_of_publisher(std::string_view publisher, std::size_t limit) override {
    return all<Node>("SELECT " NODE_COLUMNS " FROM node WHERE id IN (SELECT node FROM place WHERE publisher = ?) ORDER BY bad DESC, id LIMIT ?", read_node, publisher, number(limit));
  }
  std::pair<std::uint64_t, std::uint64_t> publisher_counts(std::string_view publisher) override {
    return first<std::pair<std::uint64_t, std::uint64_t>>(
               "SELECT bad, nodes FROM publisher WHERE name = ?",
               [](const Row& row) { return std::pair(static_cast<std::uint64_t>(row.integer(0)), static_cast<std::uint64_t>(row.integer(1))); }, publisher)
        .value_or(std::pair<std::uint64_t, std::uint64_t>(0, 0));
  }
  std::uint64_t node_count() override { return static_cast<std::uint64_t>(first<std::int64_t>("SELECT count(*) FROM node", read_integer).value_or(0)); }

  std::int64_t put_node(const Node& node) override {
    const auto known = this->node(node.name);
    if (known && known->bad != node.bad) count_publishers(known->id, known->bad, -1);
    run("INSERT INTO node (name, incident, bad, verdict, score, attack, first_seen, judged, campaign, pinned) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET bad = excluded.bad, verdict = excluded.verdict, score = excluded.score, attack = excluded.attack, judged = excluded.judged",
        node.name, number(node.incident), number(node.bad), node.verdict, std::int64_t{node.score}, node.attack, node.first_seen, node.judged, node.campaign, number(node.pinned));
    if (known) {
      if (known->bad != node.bad) count_publishers(known->id, node.bad, 1);
      return known->id;
    }
    return first<std::int64_t>("SELECT last_insert_rowid()", read_integer).value_or(0);
  }
  void set_campaign(std::int64_t node, std::int64_t campaign, bool pinned) override {
    run("UPDATE node SET campaign = ?, pinned = ? WHERE id = ?", campaign, number(pinned), node);
  }
  bool add_place(std::int64_t node, const NodePlace& place) override {
    bool new_publisher = true;
    for (const NodePlace& known : places_of(node)) {
      if (known.publisher == place.publisher && known.repository == place.repository) return false;
      new_publisher &= known.publisher != place.publisher;
    }
    run("INSERT INTO place (node, publisher, repository, at) VALUES (?, ?, ?, ?)", node, place.publisher, place.repository, place.at);
    if (!new_publisher) return true;
    const auto known = this->node(node);
    if (!known) return true;
    const std::int64_t publisher = publisher_id(place.publisher);
    run("UPDATE publisher SET nodes = nodes + 1, bad = bad + ? WHERE id = ?", number(known->bad), publisher);
    for (const auto& [indicator, innocent] : postings_of(node)) sight(indicator, publisher, innocent > 0, 1);
    return true;
  }
  void put_observations(std::int64_t node, const std::vector<Observation>& observations) override {
    forget_postings(node);
    const auto known = this->node(node);
    if (!known) return;
    const std::vector<std::int64_t> publishers = publishers_of(node);
    for (const Observation& observation : observations) {
      run("INSERT INTO indicator (kind, value) VALUES (?, ?) ON CONFLICT DO NOTHING", observation.kind, observation.value);
      const auto id = first<std::int64_t>("SELECT id FROM indicator WHERE kind = ? AND value = ?", read_integer, observation.kind, observation.value);
      if (!id) return;
      run("INSERT INTO posting (indicator, innocent, node, flagged) VALUES (?, ?, ?, ?)", *id, known->incident ? std::int64_t{-1} : number(!known->bad), node, number(observation.flagged));
      for (const std::int64_t publisher : publishers) sight(*id, publisher, !known->bad, 1);
    }
  }
  void put_keys(std::int64_t indicator, std::string_view kind, const std::vector<std::uint32_t>& keys) override {
    for (const std::uint32_t key : keys) run("INSERT OR IGNORE INTO similar (kind, key, indicator) VALUES (?, ?, ?)", kind, std::int64_t{key}, indicator);
  }
  void remove_node(std::int64_t node) override {
    const auto known = this->node(node);
    if (!known) return;
    forget_postings(node);
    count_publishers(node, known->bad, -1);
    for (const Link& link : links_of(node)) remove_link(link.first, link.second);
    run("DELETE FROM place WHERE node = ?", node);
    run("DELETE FROM node WHERE id = ?", node);
  }

  // --- indicators
  std::optional<IndicatorCounts> indicator(std::string_view kind, std::string_view value) override {
    return first<IndicatorCounts>("SELECT id, kind, value, publishers, innocent FROM indicator WHERE kind = ? AND value = ?", read_counts, kind, value);
  }
  std::optional<IndicatorCounts> indicator(std::int64_t id) override {
    return first<IndicatorCounts>("SELECT id, kind, value, publishers, innocent FROM indicator WHERE id = ?", read_counts, id);
  }
  std::vector<IndicatorCounts> indicators(std::string_view kind, std::string_view after_kind, std::string_view after_value, std::size_t limit) override {
    return all<IndicatorCounts>("SELECT id, kind, value, publishers, innocent FROM indicator WHERE (kind, value) > (?2, ?3) AND (?1 = '' OR kind = ?1)"
                                " AND publishers > 0 ORDER BY kind, value LIMIT ?4",
                                read_counts, kind, after_kind, after_value, number(limit));
  }
  std::vector<std::pair<IndicatorCounts, bool>> indicators_of(std::int64_t node) override {
    return all<std::pair<IndicatorCounts, bool>>(
        "SELECT i.id, i.kind, i.value, i.publishers, i.innocent, p.flagged FROM posting p JOIN indicator i ON i.id = p.indicator WHERE p.node = ? ORDER BY i.kind, i.value",
        [](const Row& row) { return std::pair(read_counts(row), row.integer(5) != 0); }, node);
  }
  std::vector<Posting> postings(std::int64_t indicator, bool bad_only, std::size_t limit) override {
    return all<Posting>("SELECT node, innocent, flagged FROM posting WHERE indicator = ? AND innocent <= ? ORDER BY innocent, node LIMIT ?",
                        [](const Row& row) { return Posting{row.integer(0), row.integer(1) < 0, row.integer(1) <= 0, row.integer(2) != 0}; }, indicator, number(!bad_only), number(limit));
  }
  std::vector<IndicatorCounts> with_keys(std::string_view kind, const std::vector<std::uint32_t>& keys, std::size_t limit) override {
    std::map<std::int64_t, unsigned> shared;
    for (const std::uint32_t key : keys) {
      for (const std::int64_t id : all<std::int64_t>("SELECT indicator FROM similar WHERE kind = ? AND key = ? LIMIT 4096", read_integer, kind, std::int64_t{key})) ++shared[id];
    }
    std::vector<std::pair<unsigned, std::int64_t>> ranked;
    for (const auto& [id, count] : shared) ranked.emplace_back(count, id);
    std::sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first != b.first ? a.first > b.first : a.second < b.second; });
    if (ranked.size() > limit) ranked.resize(limit);
    std::vector<IndicatorCounts> found;
    for (const auto& [count, id] : ranked) {
      if (auto counts = indicator(id)) found.push_back(std::move(*counts));
    }
    return found;
  }

  // --- links
  std::vector<Link> links_of(std::int64_t node) override {
    auto links = all<Link>("SELECT first, second, score, by_hand FROM link WHERE first = ?1 UNION SELECT first, second, score, by_hand FROM link WHERE second = ?1 ORDER BY 1, 2", read_link, node);
    for (Link& link : links) add_evidence(link);
    return links;
  }
  std::vector<Link> links_by(std::int64_t indicator, std::size_t limit) override {
    auto links = all<Link>("SELECT l.first, l.second, l.score, l.by_hand FROM evidence e JOIN link l ON l.first = e.first AND l.second = e.second WHERE e.indicator = ? LIMIT ?", read_link,
                           indicator, number(limit));
    for (Link& link : links) add_evidence(link);
    return links;
  }
  void put_link(const Link& link) override {
    run("INSERT OR REPLACE INTO link (first, second, score, by_hand) VALUES (?, ?, ?, ?)", link.first, link.second, std::int64_t{link.score}, number(link.by_hand));
    run("DELETE FROM evidence WHERE first = ? AND second = ?", link.first, link.second);
    for (const Evidence& evidence : link.evidence) {
      run("INSERT OR REPLACE INTO evidence (first, second, indicator, weight, note) VALUES (?, ?, ?, ?, ?)", link.first, link.second, evidence.indicator, std::int64_t{evidence.weight},
          evidence.note);
    }
  }
  void remove_link(std::int64_t first_node, std::int64_t second_node) override {
    run("DELETE FROM link WHERE first = ? AND second = ?", first_node, second_node);
    run("DELETE FROM evidence WHERE first = ? AND second = ?", first_node, second_node);
  }

  // --- campaigns
  std::optional<Campaign> campaign(std::int64_t id) override { return first<Campaign>("SELECT " CAMPAIGN_COLUMNS " FROM campaign WHERE id = ?", read_campaign, id); }
  std::optional<Campaign> campaign_of_incident(std::string_view incident) override {
    return first<Campaign>("SELECT " CAMPAIGN_COLUMNS " FROM campaign WHERE incident = ? AND incident <> ''", read_campaign, incident);
  }
  std::vector<Campaign> campaigns() override { return all<Campaign>("SELECT " CAMPAIGN_COLUMNS " FROM campaign WHERE merged_into = 0 ORDER BY id", read_campaign); }
  std::vector<Node> members(std::int64_t campaign) override {
    return all<Node>("SELECT " NODE_COLUMNS " FROM node WHERE campaign = ?1 AND campaign <> 0 ORDER BY first_seen, id", read_node, campaign);
  }
  std::vector<std::int64_t> kept_apart_from(std::int64_t campaign) override {
    return all<std::int64_t>("SELECT second FROM apart WHERE first = ?1 UNION SELECT first FROM apart WHERE second = ?1 ORDER BY 1", read_integer, campaign);
  }
  std::vector<CampaignAct> acts_of(std::int64_t campaign) override {
    return all<CampaignAct>("SELECT campaign, at, actor, act, detail FROM act WHERE campaign = ? ORDER BY id",
                            [](const Row& row) { return CampaignAct{row.integer(0), row.integer(1), std::string(row.text(2)), std::string(row.text(3)), std::string(row.text(4))}; },
                            campaign);
  }
  std::int64_t add_campaign(const Campaign& campaign) override {
    run("INSERT INTO campaign (name, incident, confirmed, created, merged_into) VALUES (?, ?, ?, ?, 0)", campaign.name, campaign.incident, number(campaign.confirmed), campaign.created);
    return first<std::int64_t>("SELECT last_insert_rowid()", read_integer).value_or(0);
  }
  void update_campaign(const Campaign& campaign) override {
    run("UPDATE campaign SET name = ?, confirmed = ?, merged_into = ? WHERE id = ?", campaign.name, number(campaign.confirmed), campaign.merged_into, campaign.id);
  }
  void keep_apart(std::int64_t first_campaign, std::int64_t second_campaign, bool apart) override {
    const auto [low, high] = std::minmax(first_campaign, second_campaign);
    if (apart) {
      run("INSERT OR IGNORE INTO apart (first, second) VALUES (?, ?)", low, high);
    } else {
      run("DELETE FROM apart WHERE first = ? AND second = ?", low, high);
    }
  }
  void add_act(const CampaignAct& act) override {
    run("INSERT INTO act (campaign, at, actor, act, detail) VALUES (?, ?, ?, ?, ?)", act.campaign, act.at, act.actor, act.act, act.detail);
  }
  std::vector<std::int64_t> changed_indicators(std::size_t limit) override {
    return all<std::int64_t>("SELECT indicator FROM changed ORDER BY indicator LIMIT ?", read_integer, number(limit));
  }
  void clear_changed(std::int64_t indicator) override { run("DELETE FROM changed WHERE indicator = ?", indicator); }

 private:
  static Link read_link(const Row& row) { return {row.integer(0), row.integer(1), static_cast<int>(row.integer(2)), row.integer(3) != 0, {}}; }
  void add_evidence(Link& link) {
    link.evidence = all<Evidence>("SELECT indicator, weight, note FROM evidence WHERE first = ? AND second = ? ORDER BY weight DESC, indicator",
                                  [](const Row& row) { return Evidence{row.integer(0), static_cast<int>(row.integer(1)), std::string(row.text(2))}; }, link.first, link.second);
  }
  std::int64_t publisher_id(const std::string& name) {
    run("INSERT INTO publisher (name) VALUES (?) ON CONFLICT DO NOTHING", name);
    return first<std::int64_t>("SELECT id FROM publisher WHERE name = ?", read_integer, name).value_or(0);
  }
  std::vector<std::int64_t> publishers_of(std::int64_t node) {
    return all<std::int64_t>("SELECT DISTINCT p.id FROM place l JOIN publisher p ON p.name = l.publisher WHERE l.node = ?", read_integer, node);
  }
  void count_publishers(std::int64_t node, bool bad, std::int64_t change) {
    for (const std::int64_t publisher : publishers_of(node)) run("UPDATE publisher SET nodes = nodes + ?1, bad = bad + ?1 * ?2 WHERE id = ?3", change, number(bad), publisher);
  }
  std::vector<std::pair<std::int64_t, std::int64_t>> postings_of(std::int64_t node) {
    return all<std::pair<std::int64_t, std::int64_t>>("SELECT indicator, innocent FROM posting WHERE node = ?", [](const Row& row) { return std::pair(row.integer(0), row.integer(1)); }, node);
  }
  void forget_postings(std::int64_t node) {
    const std::vector<std::int64_t> publishers = publishers_of(node);
    for (const auto& [indicator, innocent] : postings_of(node)) {
      run("DELETE FROM posting WHERE indicator = ? AND innocent = ? AND node = ?", indicator, innocent, node);
      for (const std::int64_t publisher : publishers) sight(indicator, publisher, innocent > 0, -1);
    }
  }
  // One node more or less of a publisher has the indicator.
  void sight(std::int64_t indicator, std::int64_t publisher, bool innocent, std::int64_t change) {
    run("INSERT INTO sighting (indicator, publisher, nodes, innocent) VALUES (?1, ?2, ?3, ?3 * ?4)"
        " ON CONFLICT DO UPDATE SET nodes = nodes + ?3, innocent = innocent + ?3 * ?4",
        indicator, publisher, change, number(innocent));
    const auto now = first<std::pair<std::int64_t, std::int64_t>>("SELECT nodes, innocent FROM sighting WHERE indicator = ? AND publisher = ?",
                                                                  [](const Row& row) { return std::pair(row.integer(0), row.integer(1)); }, indicator, publisher);
    if (!now) return;
    const std::int64_t publishers = change > 0 ? (now->first == 1 ? 1 : 0) : (now->first == 0 ? -1 : 0);
    const std::int64_t innocents = !innocent ? 0 : change > 0 ? (now->second == 1 ? 1 : 0) : (now->second == 0 ? -1 : 0);
    if (now->first == 0) run("DELETE FROM sighting WHERE indicator = ? AND publisher = ?", indicator, publisher);
    if (publishers == 0 && innocents == 0) return;
    run("UPDATE indicator SET publishers = publishers + ?, innocent = innocent + ? WHERE id = ?", publishers, innocents, indicator);
    run("INSERT OR IGNORE INTO changed (indicator) SELECT ?1 WHERE EXISTS (SELECT 1 FROM evidence WHERE indicator = ?1)", indicator);
  }
};

class SqliteIndicatorStore final : public IndicatorStore {
 public:
  explicit SqliteIndicatorStore(SqliteDatabase database) : connection_(std::move(database)) {}

  Result<void> read(const std::function<void(IndicatorReader&)>& work) override {
    const std::lock_guard lock(mutex_);
    return transaction<Session>(connection_, "BEGIN", [&](Session& session) {
      work(session);
      return Result<void>();
    });
  }
  Result<void> write(const std::function<Result<void>(IndicatorWriter&)>& work) override {
    const std::lock_guard lock(mutex_);
    return transaction<Session>(connection_, "BEGIN IMMEDIATE", work);
  }

 private:
  std::mutex mutex_;
  SqliteConnection connection_;
};

}  // namespace

Result<std::unique_ptr<IndicatorStore>> open_sqlite_indicator_store(const std::string& path) {
  auto database = SqliteDatabase::open(path.empty() ? ":memory:" : path, 10'000);
  if (!database) return database.error();
  const auto ready = open_schema(*database, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536", schema, schema_version, "the index of indicators " + path);
  if (!ready) return ready.error();
  return std::unique_ptr<IndicatorStore>(new SqliteIndicatorStore(std::move(*database)));
}

}  // namespace lazaret::store
