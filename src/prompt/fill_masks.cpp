#include "prompt/fill_masks.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/full.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/topk.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <numeric>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/signals.h"
#include "base/utf8.h"
#include "models/inputs.h"
#include "ops/backend.h"

namespace llmctl {
namespace {

constexpr std::string_view kMask = "[MASK]";

struct MaskedText {
  std::vector<TokenId> ids, types;
  std::vector<std::int64_t> masks;  // positions in ids
};

/// The text with every general "[MASK]" spelled as the tokenizer's own mask token.
std::string with_own_mask(std::string text, const std::string& own_mask) {
  if (own_mask == kMask) return text;
  for (std::size_t at = 0; (at = text.find(kMask, at)) != text.npos; at += own_mask.size()) {
    text.replace(at, kMask.size(), own_mask);
  }
  return text;
}

MaskedText encode_text(const Tokenizer& tokenizer, const std::string& text,
                       const std::string& place) {
  if (const auto offset = find_invalid_utf8(text)) {
    fail(ErrorCode::kData, place, ": byte ", *offset, " is not UTF-8");
  }
  const TokenId mask = *tokenizer.special().mask;
  const std::vector<TokenId> ids =
      tokenizer.encode_with_special_pieces(with_own_mask(text, tokenizer.piece(mask)), {&mask, 1})
          .ids;
  require(std::find(ids.begin(), ids.end(), mask) != ids.end(), ErrorCode::kData, place,
          ": no mask to fill, expected ", kMask, " in the text");
  MaskedText result;
  result.ids = tokenizer.with_special(ids, nullptr, &result.types);
  for (std::size_t i = 0; i < result.ids.size(); ++i) {
    if (result.ids[i] == mask) result.masks.push_back(static_cast<std::int64_t>(i));
  }
  return result;
}

/// Rows of the texts, right-padded.
Sequence make_input(const std::vector<const MaskedText*>& texts, TokenId pad) {
  std::size_t longest = 0;
  for (const MaskedText* text : texts) longest = std::max(longest, text->ids.size());
  const auto rows = static_cast<std::int64_t>(texts.size());
  const auto length = static_cast<std::int64_t>(longest);
  Sequence input;
  input.ids = at::full({rows, length}, pad, at::kLong);
  input.token_types = at::zeros({rows, length}, at::kLong);
  input.documents = at::full({rows, length}, -1, at::kLong);
  for (std::int64_t b = 0; b < rows; ++b) {
    const MaskedText& text = *texts[static_cast<std::size_t>(b)];
    for (std::size_t t = 0; t < text.ids.size(); ++t) {
      const std::int64_t at = b * length + static_cast<std::int64_t>(t);
      input.ids.mutable_data_ptr<std::int64_t>()[at] = text.ids[t];
      input.token_types.mutable_data_ptr<std::int64_t>()[at] = text.types[t];
      input.documents.mutable_data_ptr<std::int64_t>()[at] = 0;
    }
  }
  return input;
}

std::string display_word(const Tokenizer& tokenizer, TokenId id) {
  std::string word = tokenizer.token_bytes(id);
  if (word.starts_with(' ')) word.erase(0, 1);
  return word.empty() || find_invalid_utf8(word) ? tokenizer.piece(id) : word;
}

/// The best words of one mask, from the probabilities [V] of its position.
std::vector<MaskChoice> best_words(const Tokenizer& tokenizer, const at::Tensor& probabilities,
                                   std::int64_t top) {
  const std::int64_t size = std::min(probabilities.size(0), tokenizer.vocab_size());
  std::int64_t specials = 0;
  for (std::int64_t id = 0; id < size; ++id) {
    specials += tokenizer.is_special(static_cast<TokenId>(id)) ? 1 : 0;
  }
  const auto [values, ids] =
      at::topk(probabilities.narrow(0, 0, size), std::min(top + specials, size));
  std::vector<MaskChoice> choices;
  for (std::int64_t i = 0; i < ids.size(0) && std::ssize(choices) < top; ++i) {
    const auto id = static_cast<TokenId>(ids.const_data_ptr<std::int64_t>()[i]);
    if (tokenizer.is_special(id)) continue;
    choices.push_back({display_word(tokenizer, id), id, values.const_data_ptr<float>()[i]});
  }
  return choices;
}

/// Probabilities [N, V] at the masks of the texts, on the CPU.
at::Tensor mask_probabilities(Model& model, const std::vector<const MaskedText*>& texts,
                              TokenId pad, const Context& context) {
  const Sequence input = make_input(texts, pad);
  std::vector<std::int64_t> rows;
  for (std::size_t b = 0; b < texts.size(); ++b) {
    for (const std::int64_t position : texts[b]->masks) {
      rows.push_back(static_cast<std::int64_t>(b) * input.length() + position);
    }
  }
  const Sequence moved = to_model(input, model);
  at::Tensor hidden = model.hidden(moved, context);
  hidden = hidden.reshape({-1, hidden.size(-1)});  // [B, T, D] → [B·T, D], then the masks' rows
  hidden = hidden.index_select(0, at::tensor(rows, at::kLong).to(hidden.device()));
  return at::softmax(model.head(hidden, context).to(at::kFloat), -1).cpu();
}

std::vector<MaskedText> encode_texts(const Model& model, const Tokenizer& tokenizer,
                                     const std::vector<std::string>& texts,
                                     const std::vector<std::string>& places) {
  require(model.facts().head == HeadKind::kMaskedLm, ErrorCode::kData, model.facts().architecture,
          " fills no masks, expected a masked language model");
  require(tokenizer.special().mask.has_value(), ErrorCode::kData,
          "the tokenizer has no mask token");
  std::vector<MaskedText> masked;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::string place = i < places.size() ? places[i] : concat("text ", i + 1);
    masked.push_back(encode_text(tokenizer, texts[i], place));
    const auto length = static_cast<std::int64_t>(masked.back().ids.size());
    require(length <= model.facts().max_positions, ErrorCode::kData, place, ": the text has ",
            length, " tokens, the model takes ", model.facts().max_positions, "; shorten it");
  }
  return masked;
}

}  // namespace

void check_masks(const Model& model, const Tokenizer& tokenizer,
                 const std::vector<std::string>& texts, const std::vector<std::string>& places) {
  encode_texts(model, tokenizer, texts, places);
}

std::vector<FilledMasks> fill_masks(Model& model, const std::shared_ptr<const Tokenizer>& tokenizer,
                                    const std::vector<std::string>& texts,
                                    const MaskOptions& options,
                                    const std::vector<std::string>& places) {
  const std::vector<MaskedText> masked = encode_texts(model, *tokenizer, texts, places);
  std::vector<std::size_t> order(texts.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return masked[a].ids.size() > masked[b].ids.size();
  });

  std::vector<FilledMasks> results(texts.size());
  const auto batch = static_cast<std::size_t>(std::max<std::int64_t>(options.batch_size, 1));
  translate_torch_errors([&] {
    const at::NoGradGuard no_grad;
    for (std::size_t begin = 0; begin < order.size(); begin += batch) {
      stop_if_asked();
      const std::size_t end = std::min(begin + batch, order.size());
      std::vector<const MaskedText*> rows;
      for (std::size_t i = begin; i < end; ++i) rows.push_back(&masked[order[i]]);
      const at::Tensor probabilities =
          mask_probabilities(model, rows, tokenizer->special().pad.value_or(0), options.context);
      std::int64_t next = 0;
      for (std::size_t i = begin; i < end; ++i) {
        FilledMasks& result = results[order[i]];
        std::vector<TokenId> ids = masked[order[i]].ids;
        for (const std::int64_t position : masked[order[i]].masks) {
          result.choices.push_back(best_words(*tokenizer, probabilities[next++], options.top));
          if (!result.choices.back().empty()) {
            ids[static_cast<std::size_t>(position)] = result.choices.back().front().id;
          }
        }
        result.filled = tokenizer->decode(ids);
      }
    }
  });
  return results;
}

}  // namespace llmctl
