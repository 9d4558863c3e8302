// Greedy decoding and sampling: every sample is a row of its own, with or without guesses from its
// own text.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "base/random.h"
#include "infer/chooser.h"

namespace llmctl {

class SamplingChooser : public Chooser {
 public:
  SamplingChooser(const GenerationRequest& request, std::int64_t positions, ChooserEvents events);

  std::optional<std::vector<DeviceChoice>> choices() const override;
  void choose(std::span<const RowLogits> rows) override;
  const Step& advance() override;
  std::vector<GeneratedTokens> results() override { return std::move(results_); }
  std::size_t most_rows() const override { return results_.size(); }

 private:
  struct Sample {
    std::vector<TokenId> seen;   // prompt and answer
    std::vector<TokenId> draft;  // fed behind them in the coming step
    // What choose() decided: tokens to add, one for each position up to the first wrong guess.
    std::vector<TokenId> chosen;
    std::vector<float> logprobs;
    std::vector<std::vector<TokenLogprob>> top;
  };

  void choose_row(std::size_t sample, const RowLogits& row);
  TokenId choose_token(std::size_t sample, const RowLogits& row, std::size_t position);
  bool take(std::size_t sample);
  std::int64_t new_tokens(const Sample& sample) const;
  RandomKey draw_key(std::size_t sample, std::size_t length) const;
  [[noreturn]] void fail_not_finite(const Sample& sample) const;

  const GenerationRequest request_;
  const SamplingOptions options_;  // max_new_tokens at most what the positions allow
  const ChooserEvents events_;
  std::vector<Sample> samples_;
  std::vector<GeneratedTokens> results_;
  std::vector<std::size_t> rows_;  // the sample of each row of the coming step
  bool first_ = true;              // which has one row, all samples' prompt
  Step step_;
};

}  // namespace llmctl
