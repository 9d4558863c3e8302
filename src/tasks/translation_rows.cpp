#include "tasks/translation_rows.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/error.h"
#include "base/random.h"
#include "base/strings.h"
#include "base/threads.h"
#include "data/collate.h"
#include "tasks/bucketed_source.h"

namespace llmctl {
namespace {

/// The task's section as the one that makes prompts of a causal model.
TextGenerationConfig prompt_config(const TranslationConfig& config) {
  TextGenerationConfig prompts;
  prompts.prompt_template = config.prompt_template;
  return prompts;
}

Dialogue dialogue_of(const std::string& prompt, const std::string& answer) {
  Dialogue dialogue;
  dialogue.turns.push_back({prompt, answer});
  return dialogue;
}

/// What goes before a decoder's labels: the tokens that it has seen when it predicts them.
std::vector<std::int64_t> shifted_right(std::span<const TokenId> labels, std::int64_t start) {
  std::vector<std::int64_t> ids = {start};
  ids.insert(ids.end(), labels.begin(), labels.end() - 1);
  return ids;
}

/// Each id from `begin` on becomes `unknown` with the probability `share`.
void make_unknown(std::span<std::int64_t> ids, std::size_t begin, double share, TokenId unknown,
                  Random draws) {
  for (std::size_t i = begin; i < ids.size(); ++i)
    if (draws.uniform() < share) ids[i] = unknown;
}

/// In at most `length` tokens; what the tokenizer puts at the end stays.
void shorten(std::vector<TokenId>& ids, std::size_t length) {
  if (ids.size() <= length) return;
  const TokenId last = ids.back();
  ids.resize(length);
  ids.back() = last;
}

}  // namespace

TranslationForm::TranslationForm(const TranslationConfig& config,
                                 std::shared_ptr<const Tokenizer> tokenizer)
    : config_(config), directions_(config.all_directions()), tokenizer_(std::move(tokenizer)) {
  const auto unknown = tokenizer_->special().unk;
  for (const TranslationDirection& direction : directions_) {
    const std::string prefix = config_.prefix_of(direction);
    const std::vector<TokenId> ids = tokenizer_->encode(prefix);
    require(!unknown || std::find(ids.begin(), ids.end(), *unknown) == ids.end(),
            ErrorCode::kConfig, "task.prefix: the tokenizer does not know '", prefix,
            "', with which texts of the direction ", direction.source, "-", direction.target,
            " begin; train it with --set 'languages=[\"", direction.target,
            "\", …]', or choose another prefix");
  }
}

TranslationForm TranslationForm::of_pairs(const TranslationConfig& config,
                                          std::shared_ptr<const Tokenizer> tokenizer,
                                          std::int64_t decoder_start) {
  TranslationForm form(config, std::move(tokenizer));
  require(form.tokenizer_->target().special().eos.has_value(), ErrorCode::kConfig,
          "translation: the tokenizer has no token that ends a text");
  form.decoder_start_ = decoder_start;
  return form;
}

TranslationForm TranslationForm::of_prompts(const TranslationConfig& config,
                                            std::shared_ptr<const Tokenizer> tokenizer,
                                            const Json& described) {
  TranslationForm form(config, std::move(tokenizer));
  form.conversation_.emplace(
      ConversationForm::choose(prompt_config(config), *form.tokenizer_, {{}, described, false}));
  return form;
}

std::string TranslationForm::source_text(const SourceText& source) const {
  return config_.prefix_of(directions_[source.direction]) + source.text;
}

std::vector<TokenId> TranslationForm::source_ids(const SourceText& source) const {
  return tokenizer_->with_special(tokenizer_->encode(source_text(source)));
}

PairRow TranslationForm::pair_row(const TextPair& pair) const {
  PairRow row;
  const std::string prefix = config_.prefix_of(directions_[pair.direction]);
  if (!prefix.empty()) row.prefix = tokenizer_->encode(prefix).size();
  row.source = source_ids({pair.source, pair.direction});
  row.target = tokenizer_->target().encode(pair.target);
  row.target.push_back(*tokenizer_->target().special().eos);
  return row;
}

DialogueRow TranslationForm::dialogue_row(const TextPair& pair, std::size_t length) const {
  return conversation_->row(dialogue_of(source_text({pair.source, pair.direction}), pair.target),
                            length);
}

std::vector<TokenId> TranslationForm::prompt(const SourceText& source) const {
  return conversation_->prompt(dialogue_of(source_text(source), ""),
                               std::numeric_limits<std::size_t>::max());
}

TokenId TranslationForm::pad() const {
  return pad_token(*tokenizer_);
}

TranslationRows::TranslationRows(const TranslationForm& form, const std::vector<TextPair>& pairs,
                                 std::int64_t length, bool cut)
    : form_(form) {
  require(length >= 2, ErrorCode::kConfig, "data.sequence_length: ", length,
          " tokens leave no room for a text and its end; give at least 2");
  const auto most = static_cast<std::size_t>(length);
  std::vector<PairRow> rows(form.encoder_decoder() ? pairs.size() : 0);
  DialogueRows dialogues(form.encoder_decoder() ? 0 : pairs.size());
  std::vector<char> fits(pairs.size(), 1);
  parallel_for(pairs.size(), [&](std::size_t i) {
    if (form.encoder_decoder()) {
      rows[i] = form.pair_row(pairs[i]);
      fits[i] = rows[i].source.size() <= most && rows[i].target.size() <= most;
      shorten(rows[i].source, most);
      shorten(rows[i].target, most);
    } else {
      // One token more than the model sees: the last one is only predicted.
      dialogues[i] = form.dialogue_row(pairs[i], std::numeric_limits<std::size_t>::max());
      fits[i] = dialogues[i].ids.size() <= most + 1;
      if (fits[i] == 0) dialogues[i] = form.dialogue_row(pairs[i], most + 1);
    }
  });
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    if (fits[i] == 0 && !cut) continue;
    kept_.push_back(i);
    if (form.encoder_decoder()) {
      pairs_.push_back(std::move(rows[i]));
    } else {
      dialogues_.push_back(std::move(dialogues[i]));
    }
  }
}

RowLengths TranslationRows::lengths() const {
  if (!form_.encoder_decoder()) return lengths_of(dialogues_);
  RowLengths lengths({}, {});
  for (const PairRow& row : pairs_) {
    lengths.first.push_back(static_cast<std::int32_t>(row.target.size()));
    lengths.second.push_back(static_cast<std::int32_t>(row.source.size()));
  }
  return lengths;
}

Batch TranslationRows::batch(std::span<const std::int64_t> indices, const TokenNoise& noise) const {
  if (!form_.encoder_decoder()) return collate_rows(dialogues_, indices, form_.pad());
  std::vector<TokenRow> sources, targets;
  for (const std::int64_t index : indices) {
    const PairRow& row = pairs_[static_cast<std::size_t>(index)];
    sources.push_back(token_row(row.source, {}));
    TokenRow& target = targets.emplace_back();
    target.ids = shifted_right(row.target, form_.decoder_start());
    target.labels.assign(row.target.begin(), row.target.end());
    const auto draws = [&](const char* purpose) {
      return Random(random_key(noise.seed, purpose, noise.step, static_cast<std::uint64_t>(index)));
    };
    const TokenId unknown = form_.tokenizer()->special().unk.value_or(form_.pad());
    if (noise.source > 0) {
      make_unknown(std::span(sources.back().ids).first(row.source.size() - 1), row.prefix,
                   noise.source, unknown, draws("source noise"));
    }
    if (noise.target > 0) make_unknown(target.ids, 1, noise.target, unknown, draws("target noise"));
  }
  return collate_pairs(sources, targets, form_.pad());
}

HeldOutRows TranslationRows::held_out() const {
  return {lengths().first,
          [this](std::span<const std::int64_t> indices) { return batch(indices); }};
}

std::vector<LabelledPart> TranslationRows::labelled_parts(std::size_t row) const {
  const Tokenizer& tokenizer = *form_.tokenizer();
  if (!form_.encoder_decoder()) {
    const DialogueRow& dialogue = dialogues_[row];
    return {{"", labelled_tokens(tokenizer, dialogue.ids, dialogue.learned)}};
  }
  const PairRow& pair = pairs_[row];
  LabelledPart target{"target", labelled_tokens(tokenizer.target(), pair.target)};
  for (LabelledToken& token : target.tokens) token.learned = true;
  return {{"source", labelled_tokens(tokenizer, pair.source)}, std::move(target)};
}

void TranslationRows::add_to(const std::function<void(const void*, std::size_t)>& digest) const {
  const auto add = [&](const std::vector<TokenId>& ids, std::size_t more) {
    const std::uint64_t head[] = {ids.size(), more};
    digest(head, sizeof head);
    digest(ids.data(), ids.size() * sizeof(TokenId));
  };
  for (const PairRow& row : pairs_) {
    add(row.source, 0);
    add(row.target, 1);
  }
  for (const DialogueRow& row : dialogues_) add(row.ids, learned_count(row));
}

}  // namespace llmctl
