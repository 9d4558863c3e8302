// What a Hugging Face directory says of a tokenizer: tokenizer.json, tokenizer_config.json,
// special_tokens_map.json.
#pragma once

#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "config/json.h"
#include "text/sentencepiece_model.h"
#include "text/special_template.h"
#include "text/tokenizer.h"
#include "text/truncate.h"

namespace llmctl {

/// The model as a tokenizer.json that gives the same ids in Hugging Face tokenizers:
/// - bpe: exactly, with merges from the scores; user-defined pieces by a split before the model,
///   which is exact where each piece encodes to itself, as in models that SentencePiece trained;
/// - char: exactly, as a BPE without merges;
/// - unigram: exactly up to segmentations that are equally good, and to the normaliser, whose table
///   that library applies to grapheme clusters;
/// - word: exactly.
/// The space before a text stands only before what begins the text, not after special tokens.
/// Unlike in SentencePiece, names of special tokens in a text are recognised.
Json tokenizer_json(const SentencePieceModel& model, const SpecialTokens& special,
                    const SpecialTemplate& layout);

/// tokenizer_config.json for PreTrainedTokenizerFast. Keys of `config` (the file that the tokenizer
/// was loaded with, or null) that describe something else, such as chat_template, are kept.
/// `model_max_length` 0 leaves that key out.
Json tokenizer_config_json(const Tokenizer& tokenizer, const Json& config,
                           std::int64_t model_max_length);

Json special_tokens_map_json(const Tokenizer& tokenizer);

/// Puts the text of a directory's chat_template.jinja, where there is one, into what
/// tokenizer_config.json says (null: nothing yet), over its own "chat_template".
void keep_chat_template(const std::filesystem::path& directory, Json& config);
/// Writes tokenizer_config.json, and its "chat_template", if it is one text, as chat_template.jinja
/// too: newer programs read that.
void write_tokenizer_config(const std::filesystem::path& directory, const Json& config);

/// Makes `source` the only chat template of a saved tokenizer directory.
void replace_chat_template(const std::filesystem::path& directory, const std::string& source);

/// The tokenizer_config.json that a tokenizer came with, or what stood in its place; null: none.
Json tokenizer_config_of(const Tokenizer& tokenizer);

/// What transformers takes from texts that are too long for this tokenizer: "truncation_side" of
/// tokenizer_config.json, else "direction" of tokenizer.json's "truncation"; nothing where neither
/// says. kData for what is neither left nor right.
std::optional<TruncationSide> stored_truncation_side(const Tokenizer& tokenizer);
/// Makes `side`, which is no middle, that of a saved tokenizer directory.
void replace_truncation_side(const std::filesystem::path& directory, TruncationSide side);

/// "unk_token" and so on, each with its slot in `tokens`.
template <class Tokens>
auto special_token_keys(Tokens& tokens) {
  using Slot = decltype(&tokens.unk);
  return std::array<std::pair<const char*, Slot>, 7>{{{"bos_token", &tokens.bos},
                                                      {"eos_token", &tokens.eos},
                                                      {"unk_token", &tokens.unk},
                                                      {"sep_token", &tokens.sep},
                                                      {"pad_token", &tokens.pad},
                                                      {"cls_token", &tokens.cls},
                                                      {"mask_token", &tokens.mask}}};
}

/// The token that a tokenizer_config.json gives for `key`: a string, or an object with "content";
/// nothing when absent or null. kData, starting with `source`, for anything else.
std::optional<std::string> special_token_name(const Json& config, const char* key,
                                              const std::string& source);

}  // namespace llmctl
