// Words that an answer must have, as sequences of token ids.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "text/tokenizer.h"

namespace llmctl {

/// A list of words, each a list of alternatives of which one suffices.
class MandatoryWords {
 public:
  explicit MandatoryWords(std::vector<std::vector<std::vector<TokenId>>> words);

  /// What an answer has of them.
  struct State {
    std::vector<char> met;     ///< of each word, whether it is there
    std::int64_t missing = 0;  ///< tokens that bring all the rest, the begun word's end first
  };

  bool none() const { return words_.empty(); }
  State begin() const;
  /// The state after the last token of `answer`, from the one before.
  void accept(std::span<const TokenId> answer, State& state) const;
  /// Adds the ids that begin a missing word or go on with a begun one.
  void next(std::span<const TokenId> answer, const State& state, std::vector<TokenId>& ids) const;

 private:
  std::vector<std::vector<std::vector<TokenId>>> words_;
  std::vector<std::int64_t> shortest_;  // of each word's alternatives
};

}  // namespace llmctl
