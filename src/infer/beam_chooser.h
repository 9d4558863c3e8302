// Beam search as Hugging Face transformers 5 defines it; with groups (diverse beam search) as
// transformers 4 did; with mandatory words by dynamic beam allocation (Post and Vilar, 2018).
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "infer/chooser.h"
#include "infer/mandatory_words.h"
#include "infer/row_scores.h"
#include "infer/top_candidates.h"

namespace llmctl {

class BeamChooser : public Chooser {
 public:
  BeamChooser(const GenerationRequest& request, std::int64_t positions, ChooserEvents events);

  void choose(std::span<const RowLogits> rows) override;
  const Step& advance() override;
  std::vector<GeneratedTokens> results() override { return std::move(results_); }
  /// Never one: what a single beam was fed last need not be the answer, as it is of other lone
  /// rows.
  std::size_t most_rows() const override {
    return static_cast<std::size_t>(std::max<std::int64_t>(beams().num_beams, 2));
  }

 private:
  struct Hypothesis {
    std::vector<TokenId> ids;  // prompt and answer
    double score = 0;
    MandatoryWords::State words;
    std::vector<float> logprobs;
    std::vector<std::vector<TokenLogprob>> top;
  };
  /// How a continuation ends its text: by an eos token, by the events' word, by its length.
  enum class End { kNone, kEos, kComplete, kLength };
  struct Finished {
    Hypothesis text;
    double score = 0;  // after the length penalty
    End end = End::kNone;
    bool has_words = true;  // all mandatory ones
  };
  /// Beams that compete with one another.
  struct Group {
    std::vector<Hypothesis> running, next;  // exchanged at each step
    std::vector<std::size_t> parents;       // the rows that those running now come from
    std::vector<Finished> finished;         // best first, at most as many as beams
    bool done = false;
  };

  const BeamOptions& beams() const { return options_.beams; }
  std::size_t group_size() const;
  std::span<const TokenId> answer(const Hypothesis& text) const;

  void choose_group(Group& group, std::span<const RowLogits> rows, std::size_t first);
  void find_continuations(const Group& group, std::span<const RowLogits> rows);
  void add_mandatory(const Hypothesis& text, std::size_t row, const RowScores& scores);
  void order_by_words(const Group& group);
  End end_of(const Hypothesis& text, TokenId id) const;
  void extend(Group& group, std::span<const RowLogits> rows);
  void grow(const Hypothesis& parent, const Continuation& by, std::span<const RowLogits> rows,
            Hypothesis& text) const;
  void finish(Group& group, Hypothesis text, End end) const;
  bool is_done(const Group& group, double best, std::int64_t length) const;
  void report();
  GeneratedTokens result_of(Finished& finished) const;
  void tell(std::size_t sample);

  const GenerationRequest request_;
  const SamplingOptions options_;  // max_new_tokens at most what the positions allow
  const ChooserEvents events_;
  const MandatoryWords words_;
  RowScorer scorer_;
  std::vector<Group> groups_;
  std::vector<GeneratedTokens> results_;
  Step step_;
  bool first_ = true;  // the coming step has one row, with which all groups begin

  // Of the step at work, kept so that nothing is allocated.
  TopCandidates top_;
  std::vector<Continuation> continuations_, picked_;
  std::vector<std::size_t> places_;  // with mandatory words: among those that lack as much of them
  std::vector<double> norms_;        // of each row of the group
  std::vector<TokenId> taken_;       // by earlier groups
  std::vector<TokenId> wanted_;
};

}  // namespace llmctl
