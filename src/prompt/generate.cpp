#include "prompt/generate.h"

#include <numeric>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "prompt/growing_text.h"

namespace llmctl {
namespace {

/// One request per sample of each prompt.
std::vector<GenerationRequest> make_requests(const Model& model,
                                             const std::vector<EncodedPrompt>& prompts,
                                             std::size_t samples, std::size_t first_prompt) {
  require(model.facts().causal, ErrorCode::kData, model.facts().architecture,
          " continues no text; give it a text with [MASK], or a task's input");
  std::vector<GenerationRequest> requests;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const std::size_t index = first_prompt + i;
    for (std::size_t s = 0; s < samples; ++s) {
      requests.push_back({prompts[i].ids, index * samples + s, index + 1});
    }
  }
  return requests;
}

}  // namespace

std::vector<std::int64_t> stop_ids_of(const GenerationConfig& config, const Model& model,
                                      const Tokenizer& tokenizer) {
  if (!config.eos_token_id.empty()) return config.eos_token_id;
  std::vector<std::int64_t> ids;
  if (model.config().contains("eos_token_id")) {
    const Json& eos = model.config()["eos_token_id"];
    if (eos.is_number_integer()) ids.push_back(eos.get<std::int64_t>());
    for (const Json& id : eos) {
      if (eos.is_array() && id.is_number_integer()) ids.push_back(id.get<std::int64_t>());
    }
  }
  if (ids.empty() && tokenizer.special().eos) ids.push_back(*tokenizer.special().eos);
  return ids;
}

namespace {

void require_utf8(const std::string& prompt, std::size_t number) {
  if (const auto offset = find_invalid_utf8(prompt)) {
    fail(ErrorCode::kData, "prompt ", number, ": byte ", *offset, " is not UTF-8");
  }
}

}  // namespace

EncodedPrompt encode_source(const Tokenizer& tokenizer, const std::string& text,
                            std::size_t number) {
  require_utf8(text, number);
  std::vector<TokenId> ids = tokenizer.with_special(tokenizer.encode(text));
  require(!ids.empty(), ErrorCode::kData, "prompt ", number, " is empty");
  return {std::move(ids), false};
}

Json generated_json(const GeneratedText& text) {
  return {{"generated_text", text.text},
          {"finish_reason", text.finish_reason},
          {"tokens", text.ids.size()},
          {"logprob", std::accumulate(text.logprobs.begin(), text.logprobs.end(), 0.0)}};
}

EncodedPrompt encode_prompt(const Tokenizer& tokenizer, const std::string& prompt,
                            std::size_t number) {
  require_utf8(prompt, number);
  std::vector<TokenId> ids = tokenizer.encode(prompt);
  const std::size_t own = ids.size();
  ids = tokenizer.with_special(ids);
  // What the tokenizer would put behind a complete text ([SEP], </s>) is the model's to write.
  const SpecialTokens& special = tokenizer.special();
  while (ids.size() > own && (ids.back() == special.sep || ids.back() == special.eos)) {
    ids.pop_back();
  }
  require(!ids.empty(), ErrorCode::kData, "prompt ", number,
          " is empty, and the tokenizer has no token that begins a text");
  return {std::move(ids), !prompt.empty()};
}

void check_prompts(const Model& model, const std::vector<EncodedPrompt>& prompts,
                   const GenerationConfig& config) {
  check_requests(model.facts(), make_requests(model, prompts, 1, 0), config);
}

std::vector<std::vector<GeneratedText>> generate_texts(
    Model& model, const std::shared_ptr<const Tokenizer>& tokenizer,
    const std::vector<std::string>& prompts, const GenerationConfig& config, const Context& context,
    const TextCallback& on_text, std::size_t first_prompt) {
  std::vector<EncodedPrompt> encoded;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const std::size_t number = first_prompt + i + 1;
    encoded.push_back(model.facts().encoder_decoder
                          ? encode_source(*tokenizer, prompts[i], number)
                          : encode_prompt(*tokenizer, prompts[i], number));
  }
  return generate_texts(model, tokenizer, encoded, config, context, on_text, first_prompt);
}

std::vector<std::vector<GeneratedText>> generate_texts(
    Model& model, const std::shared_ptr<const Tokenizer>& tokenizer,
    const std::vector<EncodedPrompt>& prompts, const GenerationConfig& config,
    const Context& context, const TextCallback& on_text, std::size_t first_prompt) {
  // What the model writes may be in other words than what it reads.
  const std::shared_ptr<const Tokenizer> target(tokenizer, &tokenizer->target());
  const std::vector<std::int64_t> stop_ids = stop_ids_of(config, model, *target);
  const auto samples = static_cast<std::size_t>(config.num_return_sequences);

  const std::vector<GenerationRequest> requests =
      make_requests(model, prompts, samples, first_prompt);
  std::vector<GrowingText> texts;
  for (const EncodedPrompt& prompt : prompts) {
    for (std::size_t s = 0; s < samples; ++s) {
      texts.emplace_back(target, prompt.continues, config.stop);
    }
  }

  const auto show = [&](std::size_t row) {
    if (!on_text) return;
    if (const std::string piece = texts[row].take(); !piece.empty()) on_text(row, piece);
  };
  const auto on_token = [&](std::size_t row, TokenId id) {
    const bool done = texts[row].push(id);
    show(row);
    return done;
  };
  std::vector<GeneratedTokens> tokens =
      generate_tokens(model, requests, config, stop_ids, target->vocab_size(), context, on_token);

  std::vector<std::vector<GeneratedText>> results(prompts.size());
  for (std::size_t row = 0; row < tokens.size(); ++row) {
    texts[row].finish();
    show(row);
    results[row / samples].push_back(
        {texts[row].text(), std::move(tokens[row].ids), std::move(tokens[row].logprobs),
         tokens[row].reason == FinishReason::kStop ? "stop" : "length"});
  }
  return results;
}

}  // namespace llmctl
