// The best continuations of a step among all rows of a beam search: one pass over each row's
// scores, in which what cannot be among them is skipped by whole vectors.
#pragma once

#include <cstddef>
#include <vector>

#include "base/random.h"
#include "infer/row_scores.h"

namespace llmctl {

struct Continuation {
  double score = 0;  ///< of the text with this token
  std::size_t row = 0;
  TokenId id = 0;
  double rank = 0;  ///< what it was chosen by: the score, or that and noise
};

class TopCandidates {
 public:
  /// Begins anew, for at most so many.
  void reset(std::size_t most);
  /// Adds what may follow a row whose text has the score `so_far`.
  void add(std::size_t row, const RowScores& scores, double so_far);
  /// The same with Gumbel noise on each score: the best of all rows are then draws without
  /// replacement from the softmax of the scores (Vieira, 2014; Kool et al., 2019).
  void add_drawn(std::size_t row, const RowScores& scores, double so_far, RandomKey key);
  /// By falling score; equal ones in the order of rows and ids.
  std::vector<Continuation>& sorted();

 private:
  void insert(const Continuation& candidate);
  double limit() const;

  std::size_t most_ = 0;
  std::vector<Continuation> best_;  // by falling rank
};

}  // namespace llmctl
