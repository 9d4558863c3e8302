#include "infer/prompt_lookup.h"

#include <algorithm>

namespace llmctl {

void look_up_draft(std::span<const TokenId> text, std::int64_t max_ngram, std::int64_t most,
                   std::vector<TokenId>& draft) {
  draft.clear();
  if (most <= 0) return;
  for (std::int64_t n = std::min(max_ngram, std::ssize(text) - 1); n > 0; --n) {
    const std::span<const TokenId> last = text.last(static_cast<std::size_t>(n));
    // The earlier place may overlap the end, but not be the end itself.
    const auto found = std::search(text.begin(), text.end() - 1, last.begin(), last.end());
    if (found == text.end() - 1) continue;
    const auto next = found + n;
    draft.assign(next, next + std::min<std::ptrdiff_t>(most, text.end() - next));
    return;
  }
}

}  // namespace llmctl
