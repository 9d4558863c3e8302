// Text in, text out over infer/: continuations with stop strings and streaming.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "infer/engine.h"
#include "text/tokenizer.h"

namespace llmctl {

struct GeneratedText {
  std::string text;  ///< the continuation, stop string cut off
  std::vector<TokenId> ids;
  std::vector<float> logprobs;
  std::string finish_reason;  ///< "stop" or "length"
};

/// What `generate --json` says of it: generated_text, finish_reason, tokens (how many) and logprob
/// (the sum of theirs).
Json generated_json(const GeneratedText& text);

/// What stands before an answer.
struct EncodedPrompt {
  std::vector<TokenId> ids;
  bool continues = true;  ///< the answer reads on from a text: a space before its first word stays
};

/// The text behind what begins one. kData, naming the prompt by its number from 1, for what is not
/// UTF-8, and for an empty one without a token that begins a text.
EncodedPrompt encode_prompt(const Tokenizer& tokenizer, const std::string& prompt,
                            std::size_t number);

/// The text as an encoder reads it, with all that the tokenizer puts around a text. kData likewise.
EncodedPrompt encode_source(const Tokenizer& tokenizer, const std::string& text,
                            std::size_t number);

/// Sees the text of a row (prompt · num_return_sequences + sample) as it grows, in complete
/// characters.
using TextCallback = std::function<void(std::size_t row, const std::string& piece)>;

/// Continues prompts with a causal model, or answers them with an encoder-decoder (in the
/// tokenizer's target vocabulary): result[i][s] is sample s of prompt i. A text ends with a
/// token of config.eos_token_id (empty: those of the model's config.json, else the tokenizer's), at
/// a string of config.stop wherever it falls in the tokens, or by length. `first_prompt` is the
/// index of the first prompt, for draws (each prompt of a file has its own, however the file is
/// cut) and messages. kData as check_prompts().
std::vector<std::vector<GeneratedText>> generate_texts(
    Model& model, const std::shared_ptr<const Tokenizer>& tokenizer,
    const std::vector<EncodedPrompt>& prompts, const GenerationConfig& config,
    const Context& context, const TextCallback& on_text = {}, std::size_t first_prompt = 0);
/// The same for prompts as texts.
std::vector<std::vector<GeneratedText>> generate_texts(
    Model& model, const std::shared_ptr<const Tokenizer>& tokenizer,
    const std::vector<std::string>& prompts, const GenerationConfig& config, const Context& context,
    const TextCallback& on_text = {}, std::size_t first_prompt = 0);

/// Refuses (kData) a model that is not causal and prompts that are too long, before any work is
/// done.
void check_prompts(const Model& model, const std::vector<EncodedPrompt>& prompts,
                   const GenerationConfig& config);

/// Ids that end a text: those of the configuration, else the model's, else the tokenizer's.
std::vector<std::int64_t> stop_ids_of(const GenerationConfig& config, const Model& model,
                                      const Tokenizer& tokenizer);

}  // namespace llmctl
