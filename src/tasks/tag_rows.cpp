#include "tasks/tag_rows.h"

#include <ATen/ops/log_softmax.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/signals.h"
#include "base/threads.h"
#include "data/collate.h"
#include "models/inputs.h"
#include "tasks/bucketed_source.h"
#include "tasks/lm_loss.h"

namespace llmctl {
namespace {

/// Special tokens that a tokenizer puts before a text.
std::size_t special_before(const Tokenizer& tokenizer) {
  for (TokenId id = 0; id < tokenizer.vocab_size(); ++id) {
    if (tokenizer.is_special(id)) continue;
    const std::vector<TokenId> row = tokenizer.with_special(std::vector<TokenId>{id});
    return static_cast<std::size_t>(std::find(row.begin(), row.end(), id) - row.begin());
  }
  fail(ErrorCode::kData, "tokenizer: no ordinary token");
}

}  // namespace

TextUnits align_words(std::span<const ByteSpan> words, std::span<const ByteSpan> tokens) {
  TextUnits units;
  std::size_t token = 0;
  for (const ByteSpan& word : words) {
    // Tokens of nothing stand for a part of a character that another token has.
    while (token < tokens.size() &&
           (tokens[token].begin == tokens[token].end || tokens[token].end <= word.begin))
      ++token;
    if (token == tokens.size()) break;
    if (tokens[token].begin >= word.end) continue;
    if (!units.tokens.empty() && units.tokens.back() == token) {
      units.spans.back().end = word.end;
    } else {
      units.tokens.push_back(token);
      units.spans.push_back(word);
    }
  }
  return units;
}

UnitEntities entities_in_units(std::span<const Entity> entities, const TextUnits& units) {
  UnitEntities found;
  std::size_t unit = 0;
  const auto& spans = units.spans;
  for (const Entity& entity : entities) {
    while (unit < spans.size() && spans[unit].end <= entity.begin) ++unit;
    const std::size_t first = unit;
    while (unit < spans.size() && spans[unit].begin < entity.end) ++unit;
    if (unit == first) continue;
    found.exact += spans[first].begin == entity.begin && spans[unit - 1].end == entity.end ? 1 : 0;
    found.entities.push_back({entity.type, first, unit});
  }
  return found;
}

TagRows::TagRows(const std::vector<TaggedText>& texts, const Tokenizer& tokenizer,
                 const TagRowOptions& options)
    : tokenizer_(tokenizer),
      before_(special_before(tokenizer)),
      special_(tokenizer.with_special({}).size()),
      tokens_(texts.size()),
      units_(texts.size()) {
  const auto length = static_cast<std::size_t>(options.sequence_length);
  require(length > special_, ErrorCode::kConfig, "data.sequence_length: ", length,
          " tokens leave no room for a word; give at least ", special_ + 1);
  parallel_for(texts.size(), [&](std::size_t i) {
    Encoding encoding = tokenizer.encode_with_offsets(texts[i].text);
    units_[i] = align_words(texts[i].words, encoding.offsets);
    tokens_[i] = std::move(encoding.ids);
  });
  const std::size_t room = length - special_;
  const std::size_t shared = std::min(static_cast<std::size_t>(options.stride), room / 2);
  for (std::size_t i = 0; i < texts.size(); ++i) add_rows(i, room, shared);
}

void TagRows::add_rows(std::size_t text, std::size_t room, std::size_t shared) {
  const std::vector<std::size_t>& tokens = units_[text].tokens;
  std::size_t unit = 0;
  for (std::size_t begin = 0;; begin += room - shared) {
    TagRow row{text, begin, std::min(room, tokens_[text].size() - begin), unit, unit};
    const bool last = begin + row.count >= tokens_[text].size();
    // What two windows share is divided in its middle.
    const std::size_t end = last ? tokens_[text].size() : begin + row.count - shared / 2;
    while (unit < tokens.size() && tokens[unit] < end) ++unit;
    row.last = unit;
    if (row.last > row.first) rows_.push_back(row);
    if (last) break;
  }
}

std::vector<std::int32_t> TagRows::lengths() const {
  std::vector<std::int32_t> lengths;
  for (const TagRow& row : rows_)
    lengths.push_back(static_cast<std::int32_t>(row.count + special_));
  return lengths;
}

std::vector<TokenId> TagRows::ids(const TagRow& row, std::vector<TokenId>* types) const {
  return tokenizer_.with_special(std::span(tokens_[row.text]).subspan(row.begin, row.count),
                                 nullptr, types);
}

Batch TagRows::batch(std::span<const std::int64_t> rows,
                     const std::vector<std::vector<std::int64_t>>& labels) const {
  std::vector<TokenRow> some;
  for (const std::int64_t index : rows) {
    const TagRow& row = rows_[static_cast<std::size_t>(index)];
    std::vector<TokenId> types;
    const std::vector<TokenId> tokens = ids(row, &types);
    TokenRow& made = some.emplace_back(token_row(tokens, types));
    made.labels.assign(tokens.size(), kIgnoreLabel);
    for (std::size_t unit = row.first; unit < row.last; ++unit)
      made.labels[position(row, unit)] = labels[row.text][unit];
  }
  return collate(some, pad_token(tokenizer_));
}

std::vector<std::pair<std::string, double>> TagLoss::counts(const Batch& batch) const {
  return {{kLossName, static_cast<double>(batch.extras.at(kLabelRows).numel())}};
}

std::vector<LossTerm> TagLoss::terms(const Batch& batch, const Context& context) {
  const LabelledRows rows = labelled_rows(model_, batch, context);  // [N, D], [N]
  const auto count = static_cast<double>(rows.labels.numel());
  // Without a label the sum is zero, but still a function of the parameters.
  if (count == 0) return {{kLossName, rows.hidden.sum(), 0, 1.0, {}}};
  // [N, D] → [N, labels] → [N, 1]
  const at::Tensor chosen = at::log_softmax(model_.head(rows.hidden, context).to(at::kFloat), -1)
                                .gather(-1, rows.labels.unsqueeze(-1));
  return {{kLossName, -chosen.sum(), count, 1.0, {}}};
}

double TagLoss::tokens(const Batch& batch) const {
  return real_tokens(batch.input);
}

TagPredictions predict_tags(Model& model, const TagRows& rows,
                            const std::vector<std::vector<std::int64_t>>& labels,
                            std::int64_t batch_size, const Context& context, const World& world) {
  const c10::NoGradGuard no_grad;
  TagPredictions predictions;
  predictions.texts.resize(rows.texts());
  std::vector<std::int64_t> mine;
  std::vector<std::int32_t> lengths;
  const std::vector<std::int32_t> all_lengths = rows.lengths();
  for (std::size_t r = 0; r < rows.rows().size(); ++r) {
    const std::size_t text = rows.rows()[r].text;
    if (text % static_cast<std::size_t>(world.size()) != static_cast<std::size_t>(world.rank()))
      continue;
    predictions.texts[text].resize(rows.units(text).spans.size());
    mine.push_back(static_cast<std::int64_t>(r));
    lengths.push_back(all_lengths[r]);
  }
  for (std::vector<std::int64_t> some : batches_by_length(lengths, batch_size)) {
    stop_if_asked();
    for (std::int64_t& row : some) row = mine[static_cast<std::size_t>(row)];
    const Batch batch = to_model(rows.batch(some, labels), model);
    const at::Tensor hidden = model.hidden(batch.input, context);
    // [B, T, D] → [B·T, D] → [B·T, labels]
    const at::Tensor logs =
        at::log_softmax(model.head(hidden.reshape({-1, hidden.size(2)}), context).to(at::kFloat),
                        -1)
            .cpu()
            .contiguous();
    const auto classes = static_cast<std::size_t>(logs.size(1));
    const float* const values = logs.const_data_ptr<float>();
    for (std::size_t b = 0; b < some.size(); ++b) {
      const TagRow& row = rows.rows()[static_cast<std::size_t>(some[b])];
      for (std::size_t unit = row.first; unit < row.last; ++unit) {
        const std::size_t at =
            b * static_cast<std::size_t>(hidden.size(1)) + rows.position(row, unit);
        const float* const own = values + at * classes;
        const float* const best = std::max_element(own, own + classes);
        predictions.texts[row.text][unit] = {static_cast<std::size_t>(best - own), std::exp(*best)};
        const std::int64_t label = labels[row.text][unit];
        if (label == kIgnoreLabel) continue;
        predictions.loss -= own[label];
        predictions.labelled += 1;
      }
    }
  }
  return predictions;
}

std::vector<PredictedEntity> predicted_entities(const std::vector<UnitTag>& tags,
                                                const TextUnits& units,
                                                std::span<const std::string> names) {
  std::vector<std::string> words;
  for (const UnitTag& tag : tags) words.push_back(names[tag.label]);
  std::vector<PredictedEntity> found;
  for (const Entity& entity : entities_of(words)) {
    double sum = 0;
    for (std::size_t unit = entity.begin; unit < entity.end; ++unit) sum += tags[unit].probability;
    found.push_back(
        {{entity.type, units.spans[entity.begin].begin, units.spans[entity.end - 1].end},
         sum / static_cast<double>(entity.end - entity.begin)});
  }
  return found;
}

}  // namespace llmctl
