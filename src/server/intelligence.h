// The index of indicators of a data folder, the incidents that were imported there, and the campaigns.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "gate/gate.h"
#include "intel/campaigns.h"
#include "intel/import.h"
#include "store/indicator_store.h"

namespace lazaret::server {

// Thread-safe.
class Intelligence {
 public:
  using Clock = std::function<store::Time()>;
  // `data`: the folder of everything the registry keeps.
  static Result<std::unique_ptr<Intelligence>> open(const std::string& data, Clock clock);

  intel::Campaigns& campaigns() { return campaigns_; }
  store::IndicatorStore& store() { return *store_; }

  // Known incidents as campaigns. Images that they list, or that share with them what nobody has by chance, are held and judged again. Returns how many
  // were held. Before requests come.
  Result<std::size_t> learn_incidents(gate::Gate& gate);

  struct Imported {
    intel::Import import;
    std::vector<std::string> matched;  // images that are here
    std::size_t held = 0;              // of them, that were released until now
  };
  // Keeps the incident for the next start, when it becomes part of the ruleset and everything is judged again; links and holds what it matches at once.
  Result<Imported> take(std::string_view text, const intel::ImportOptions& options, gate::Gate& gate);
  // Withdraws an imported incident at the next start. False: there is none of this id.
  Result<bool> withdraw(const std::string& id);

 private:
  Intelligence(std::string folder, std::unique_ptr<store::IndicatorStore> store, Clock clock)
      : folder_(std::move(folder)), store_(std::move(store)), campaigns_(*store_, std::move(clock)) {}
  Result<std::size_t> learn(const detect::IncidentData& data, gate::Gate& gate, std::vector<std::string>* matched);

  const std::string folder_;
  const std::unique_ptr<store::IndicatorStore> store_;
  intel::Campaigns campaigns_;
};

// Where a data folder keeps imported incidents, and its index.
std::string incident_folder_of(const std::string& data);
std::string indicator_file_of(const std::string& data);

}  // namespace lazaret::server
