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

void truncate_pair(std::vector<TokenId>& first, std::vector<TokenId>& second, std::size_t room,
                   Truncation how) {
  if (first.size() + second.size() <= room) return;
  if (how == Truncation::kLongestFirst) {
    auto& shorter = first.size() > second.size() ? second : first;
    auto& longer = first.size() > second.size() ? first : second;
    shorter.resize(std::min(shorter.size(), room / 2));
    longer.resize(room - shorter.size());
    return;
  }
  auto& cut = how == Truncation::kOnlyFirst ? first : second;
  const auto& whole = how == Truncation::kOnlyFirst ? second : first;
  if (whole.size() >= room) {
    fail(ErrorCode::kData, "the ", how == Truncation::kOnlyFirst ? "second" : "first", " text of ",
         whole.size(), " tokens leaves no room for the other in ", room);
  }
  cut.resize(room - whole.size());
}

}  // namespace llmctl
