#include "tasks/text_rows.h"

#include <c10/core/GradMode.h>

#include <algorithm>
#include <atomic>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "base/signals.h"
#include "base/threads.h"
#include "data/collate.h"
#include "models/inputs.h"
#include "tasks/bucketed_source.h"
#include "tasks/classification_loss.h"
#include "tasks/qa_features.h"
#include "tasks/shortened.h"

namespace llmctl {

std::vector<std::int32_t> TextRows::lengths() const {
  std::vector<std::int32_t> out;
  for (const auto& row : ids) out.push_back(static_cast<std::int32_t>(row.size()));
  return out;
}

Batch TextRows::batch(std::span<const std::int64_t> rows, TokenId pad) const {
  std::vector<TokenRow> some;
  for (std::int64_t row : rows) {
    some.push_back(
        token_row(ids[static_cast<std::size_t>(row)], types[static_cast<std::size_t>(row)]));
  }
  return collate(some, pad);
}

Batch TextRows::batch_of_all(TokenId pad) const {
  std::vector<std::int64_t> all(ids.size());
  std::iota(all.begin(), all.end(), std::int64_t{0});
  return batch(all, pad);
}

TextRows TextRows::noisy(std::span<const std::int64_t> rows, const Tokenizer& tokenizer,
                         const WordNoise& noise) const {
  TextRows changed;
  for (const std::int64_t row : rows) {
    const auto at = static_cast<std::size_t>(row);
    const Random draws(
        random_key(noise.seed, "word noise", noise.step, static_cast<std::uint64_t>(row)));
    NoisyRow one = with_word_noise({ids[at], types[at]}, noise, tokenizer, draws);
    changed.ids.push_back(std::move(one.ids));
    changed.types.push_back(std::move(one.types));
  }
  return changed;
}

TextRows tokenize_texts(const std::vector<LabelledText>& texts, const Tokenizer& tokenizer,
                        const RowLength& length) {
  const PairLayout layout(tokenizer);
  const std::size_t single = tokenizer.with_special({}).size();
  const auto room = static_cast<std::size_t>(length.sequence_length);
  require(room > std::max(layout.special() + 1, single), ErrorCode::kConfig,
          "data.sequence_length: ", length.sequence_length,
          " tokens leave no room for a text; give at least ",
          std::max(layout.special() + 1, single) + 1);
  TextRows rows;
  rows.ids.resize(texts.size());
  rows.types.resize(texts.size());
  std::atomic<std::size_t> shortened = 0;
  parallel_for(texts.size(), [&](std::size_t i) {
    std::vector<TokenId> first = tokenizer.encode(texts[i].text), second;
    if (texts[i].pair) second = tokenizer.encode(*texts[i].pair);
    const std::size_t most = room - (texts[i].pair ? layout.special() : single);
    shortened += first.size() + second.size() > most;
    truncate_pair(first, second, most, Truncation::kLongestFirst, length.side);
    rows.ids[i] = tokenizer.with_special(first, texts[i].pair ? &second : nullptr, &rows.types[i]);
  });
  rows.shortened = shortened;
  return rows;
}

std::string shortened_note(std::size_t shortened, std::size_t texts, const RowLength& length) {
  const char* part = "end";
  if (length.side == TruncationSide::kLeft) part = "beginning";
  if (length.side == TruncationSide::kMiddle) part = "middle";
  return shortened_note({shortened, texts, length.sequence_length}, "text", part,
                        "task.truncation_side");
}

std::vector<std::vector<float>> predict_logits(Model& model, const TextRows& rows,
                                               const PredictRows& how, const World& world) {
  const c10::NoGradGuard no_grad;
  std::vector<std::int64_t> mine;
  std::vector<std::int32_t> lengths;
  for (std::size_t i = static_cast<std::size_t>(world.rank()); i < rows.ids.size();
       i += static_cast<std::size_t>(world.size())) {
    mine.push_back(static_cast<std::int64_t>(i));
    lengths.push_back(static_cast<std::int32_t>(rows.ids[i].size()));
  }
  std::vector<std::vector<float>> predicted(rows.ids.size());
  for (std::vector<std::int64_t> some : batches_by_length(lengths, how.batch_size)) {
    stop_if_asked();
    for (std::int64_t& row : some) row = mine[static_cast<std::size_t>(row)];
    const Batch batch = to_model(rows.batch(some, how.pad), model);
    // [B, labels]
    const at::Tensor logits = class_logits(model, batch.input, how.context).cpu().contiguous();
    const float* data = logits.const_data_ptr<float>();
    for (std::size_t r = 0; r < some.size(); ++r) {
      const float* row = data + static_cast<std::ptrdiff_t>(r) * logits.size(1);
      predicted[static_cast<std::size_t>(some[r])].assign(row, row + logits.size(1));
    }
  }
  return predicted;
}

std::vector<std::vector<float>> predict_all_logits(Model& model, const TextRows& rows,
                                                   const PredictRows& how, World& world) {
  std::vector<std::vector<float>> logits = predict_logits(model, rows, how, world);
  if (world.size() == 1) return logits;
  const auto width = static_cast<std::size_t>(model.facts().labels);
  std::vector<double> flat(logits.size() * width);
  for (std::size_t i = 0; i < logits.size(); ++i) {
    std::copy(logits[i].begin(), logits[i].end(),
              flat.begin() + static_cast<std::ptrdiff_t>(i * width));
  }
  world.sum(flat);
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const auto begin = flat.begin() + static_cast<std::ptrdiff_t>(i * width);
    logits[i].assign(begin, begin + static_cast<std::ptrdiff_t>(width));
  }
  return logits;
}

}  // namespace llmctl
