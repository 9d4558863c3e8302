#include "infer/mandatory_words.h"

#include <algorithm>
#include <utility>

namespace llmctl {
namespace {

bool ends_with(std::span<const TokenId> text, std::span<const TokenId> word) {
  return word.size() <= text.size() &&
         std::equal(word.begin(), word.end(), text.last(word.size()).begin());
}

/// How many of the word's first tokens, but not all, the text ends with.
std::size_t begun(std::span<const TokenId> text, std::span<const TokenId> word) {
  std::size_t size = word.size() - 1;
  while (size > 0 && !ends_with(text, word.first(size))) --size;
  return size;
}

}  // namespace

MandatoryWords::MandatoryWords(std::vector<std::vector<std::vector<TokenId>>> words)
    : words_(std::move(words)) {
  for (const auto& alternatives : words_) {
    std::size_t shortest = alternatives.front().size();
    for (const auto& word : alternatives) shortest = std::min(shortest, word.size());
    shortest_.push_back(static_cast<std::int64_t>(shortest));
  }
}

MandatoryWords::State MandatoryWords::begin() const {
  State state;
  state.met.assign(words_.size(), 0);
  for (const std::int64_t size : shortest_) state.missing += size;
  return state;
}

void MandatoryWords::accept(std::span<const TokenId> answer, State& state) const {
  // Only one word can be in the making: the one whose beginning spares most.
  std::int64_t all = 0, spared = 0;
  for (std::size_t w = 0; w < words_.size(); ++w) {
    if (state.met[w]) continue;
    std::int64_t own = 0;
    for (const auto& word : words_[w]) {
      if (ends_with(answer, word)) state.met[w] = 1;
      const std::int64_t left = std::ssize(word) - static_cast<std::int64_t>(begun(answer, word));
      own = std::max(own, shortest_[w] - left);
    }
    if (state.met[w]) continue;
    all += shortest_[w];
    spared = std::max(spared, own);
  }
  state.missing = all - spared;
}

void MandatoryWords::next(std::span<const TokenId> answer, const State& state,
                          std::vector<TokenId>& ids) const {
  for (std::size_t w = 0; w < words_.size(); ++w) {
    if (state.met[w]) continue;
    for (const auto& word : words_[w]) {
      ids.push_back(word.front());
      const std::size_t done = begun(answer, word);
      if (done > 0) ids.push_back(word[done]);
    }
  }
}

}  // namespace llmctl
