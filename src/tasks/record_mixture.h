// Which of the training records a run uses, and how often.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/task_data.h"

namespace llmctl {

/// How often each record is visited per epoch: the weight of its file's entry in data.train,
/// tempered by data.temperature over the numbers of records of the entries; fractions are drawn by
/// hash of the record's unit. `files`: index of each record's file among those of data.train;
/// others are visited once. Where there are several entries the log tells what each gives.
std::vector<std::int64_t> visits_of(const TaskData& data,
                                    const std::vector<std::string_view>& units,
                                    const std::vector<std::size_t>& files);

/// Makes `share` (0 to 1) of all visits those of the records from number `first` on: of the two
/// kinds the one that is too few is visited more often, no record less often than before, and some
/// of them once more than others. Where either has no visits nothing changes.
void balance_visits(std::vector<std::int64_t>& visits, std::size_t first, double share);

/// The same as a list of records, each as often as it is visited.
std::vector<std::int64_t> epoch_of(const std::vector<std::int64_t>& visits);

/// Leaves of the records what data.share draws, the same share of each group (empty: of all).
template <class Record, class UnitOf>
void keep_share(const TaskData& data, std::vector<Record>& records,
                const std::vector<std::string>& groups, const UnitOf& unit_of) {
  if (data.share >= 1) return;
  std::vector<std::string_view> units;
  for (const Record& record : records) units.push_back(unit_of(record));
  records = flagged(records, drawn_share(units, groups, data.share), true);
}

}  // namespace llmctl
