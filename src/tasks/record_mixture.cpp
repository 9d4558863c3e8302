#include "tasks/record_mixture.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include "base/log.h"
#include "base/strings.h"
#include "data/mixture.h"

namespace llmctl {
namespace {

/// Up to two digits behind the point.
std::string short_number(double value) {
  return dump_json(std::round(value * 100) / 100);
}

}  // namespace

std::vector<std::int64_t> visits_of(const TaskData& data,
                                    const std::vector<std::string_view>& units,
                                    const std::vector<std::size_t>& files) {
  std::vector<std::size_t> entry_of;  // of each file
  std::vector<double> weights;
  for (std::size_t entry = 0; entry < data.train.size(); ++entry) {
    entry_of.insert(entry_of.end(), data.train[entry].files.size(), entry);
    weights.push_back(data.train[entry].weight);
  }
  std::vector<double> sizes(weights.size(), 0);
  for (const std::size_t file : files) {
    if (file < entry_of.size()) ++sizes[entry_of[file]];
  }
  weights = tempered_weights(std::move(weights), sizes, data.temperature);
  std::vector<std::int64_t> visits(units.size(), 1);
  std::vector<std::int64_t> given(weights.size(), 0);
  std::int64_t all = 0;
  for (std::size_t i = 0; i < units.size(); ++i) {
    if (files[i] < entry_of.size()) {
      const std::size_t entry = entry_of[files[i]];
      visits[i] = passes(units[i], weights[entry]);
      given[entry] += visits[i];
    }
    all += visits[i];
  }
  if (weights.size() < 2) return visits;
  for (std::size_t entry = 0; entry < weights.size(); ++entry) {
    std::vector<std::string> names;
    for (const auto& file : data.train[entry].files) names.push_back(file.string());
    if (names.size() > 2) names = {names.front(), "…", names.back()};
    log_info("data.train: ", join(names), ": ", sizes[entry], " records, weight ",
             short_number(weights[entry]), ": ", given[entry], " visits an epoch (",
             std::lround(100 * static_cast<double>(given[entry]) /
                         static_cast<double>(std::max<std::int64_t>(all, 1))),
             " %)");
  }
  return visits;
}

void balance_visits(std::vector<std::int64_t>& visits, std::size_t first, double share) {
  const std::span all(visits);
  const std::span<std::int64_t> before = all.first(first), behind = all.subspan(first);
  const auto sum = [](std::span<const std::int64_t> part) {
    return static_cast<double>(std::accumulate(part.begin(), part.end(), std::int64_t{0}));
  };
  const double there = sum(before), others = sum(behind);
  if (there == 0 || others == 0) return;
  const double factor = others / there * (1 - share) / share;
  const auto pass_more_often = [](std::span<std::int64_t> part, double times) {
    std::int64_t done = 0;
    for (std::int64_t& own : part) {
      const std::int64_t until = done + own;
      own = std::llround(times * static_cast<double>(until)) -
            std::llround(times * static_cast<double>(done));
      done = until;
    }
  };
  if (factor > 1) {
    pass_more_often(before, factor);
  } else {
    pass_more_often(behind, 1 / factor);
  }
}

std::vector<std::int64_t> epoch_of(const std::vector<std::int64_t>& visits) {
  std::vector<std::int64_t> rows;
  for (std::size_t i = 0; i < visits.size(); ++i)
    rows.insert(rows.end(), static_cast<std::size_t>(visits[i]), static_cast<std::int64_t>(i));
  return rows;
}

}  // namespace llmctl
