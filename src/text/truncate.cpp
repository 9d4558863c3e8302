#include "text/truncate.h"

#include <algorithm>

#include "base/error.h"

namespace llmctl {

Truncation truncation_of(const std::string& name) {
  if (name == "longest_first") return Truncation::kLongestFirst;
  if (name == "only_first") return Truncation::kOnlyFirst;
  if (name == "only_second") return Truncation::kOnlySecond;
  fail(ErrorCode::kUsage, "truncation '", name,
       "', expected longest_first, only_first or only_second");
}

const std::vector<std::string>& truncation_side_names() {
  static const std::vector<std::string> names = {"right", "left", "middle"};
  return names;
}

const std::string& truncation_side_name(TruncationSide side) {
  return truncation_side_names()[static_cast<std::size_t>(side)];
}

TruncationSide truncation_side_of(const std::string& name) {
  const auto& names = truncation_side_names();
  const auto found = std::find(names.begin(), names.end(), name);
  require(found != names.end(), ErrorCode::kConfig, "truncation side '", name,
          "', expected right, left or middle");
  return static_cast<TruncationSide>(found - names.begin());
}

void truncate(std::vector<TokenId>& ids, std::size_t room, TruncationSide side) {
  if (ids.size() <= room) return;
  std::size_t begin = room;
  if (side == TruncationSide::kLeft) begin = 0;
  if (side == TruncationSide::kMiddle) begin = room / 4;
  const auto from = ids.begin() + static_cast<std::ptrdiff_t>(begin);
  ids.erase(from, from + static_cast<std::ptrdiff_t>(ids.size() - room));
}

void truncate_pair(std::vector<TokenId>& first, std::vector<TokenId>& second, std::size_t room,
                   Truncation how, TruncationSide side) {
  if (first.size() + second.size() <= room) return;
  if (how == Truncation::kLongestFirst) {
    auto& shorter = first.size() > second.size() ? second : first;
    auto& longer = first.size() > second.size() ? first : second;
    truncate(shorter, room / 2, side);
    truncate(longer, room - shorter.size(), side);
    return;
  }
  auto& cut = how == Truncation::kOnlyFirst ? first : second;
  const auto& whole = how == Truncation::kOnlyFirst ? second : first;
  if (whole.size() >= room) {
    fail(ErrorCode::kData, "the ", how == Truncation::kOnlyFirst ? "second" : "first", " text of ",
         whole.size(), " tokens leaves no room for the other in ", room);
  }
  truncate(cut, room - whole.size(), side);
}

}  // namespace llmctl
