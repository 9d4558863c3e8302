// Generation over token ids: batches of rows with a KV cache, sampling, stop tokens. Text stays
// outside (prompt/).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "config/fields.h"
#include "models/model.h"
#include "text/tokenizer.h"

namespace llmctl {

/// Section "generation": the keys of generation_config.json.
struct GenerationConfig {
  std::optional<std::int64_t> max_new_tokens;
  std::optional<std::int64_t> max_length;
  bool do_sample = false;
  double temperature = 1.0;
  std::int64_t top_k = 0;
  double top_p = 1.0;
  double repetition_penalty = 1.0;
  std::int64_t min_new_tokens = 0;
  std::vector<std::int64_t> eos_token_id, forced_eos_token_id;
  std::vector<std::vector<std::int64_t>> bad_words_ids;
  std::vector<std::string> stop;
  std::int64_t num_return_sequences = 1;
  std::int64_t seed = 1234;
  std::int64_t batch_size = 16;

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("max_new_tokens", self.max_new_tokens,
          "Most tokens generated after the prompt; 64 when max_length is not given either, of an "
          "encoder-decoder twice the prompt's and 32.",
          Range<std::int64_t>{1, 10'000'000});
    visit(
        "max_length", self.max_length,
        "Most tokens of prompt and answer together (of an encoder-decoder, of the answer and what "
        "begins it); max_new_tokens goes before it.",
        Range<std::int64_t>{1, 10'000'000});
    visit("do_sample", self.do_sample,
          "Draw from the distribution instead of taking the best token.");
    visit("temperature", self.temperature, "Divides the logits before drawing.",
          Range<double>{1e-4, 100});
    visit("top_k", self.top_k, "Draw among the k best; 0: all.",
          Range<std::int64_t>{0, 10'000'000});
    visit("top_p", self.top_p, "Draw among the fewest tokens whose probabilities reach p.",
          Range<double>{1e-6, 1});
    visit("repetition_penalty", self.repetition_penalty,
          "Above 1 makes tokens already seen less likely (Keskar et al., 2019).",
          Range<double>{0.01, 100});
    visit("min_new_tokens", self.min_new_tokens, "No end before this many tokens.",
          Range<std::int64_t>{0, 10'000'000});
    visit("eos_token_id", self.eos_token_id, "Ids that end a text; empty: the model's.");
    visit("forced_eos_token_id", self.forced_eos_token_id,
          "The last token of a text of the greatest length is one of these; empty: any.");
    visit("bad_words_ids", self.bad_words_ids,
          "Lists of ids that never appear in a text one after the other.");
    visit("stop", self.stop, "Strings that end a text; they are cut off.");
    visit("num_return_sequences", self.num_return_sequences, "Texts per prompt.",
          Range<std::int64_t>{1, 10'000});
    visit("seed", self.seed, "Seed of the draws; each prompt and sample has its own stream.",
          Range<std::int64_t>{0, std::int64_t{1} << 53});
    visit("batch_size", self.batch_size, "Prompts generated together.",
          Range<std::int64_t>{1, 100'000});
  }
  void validate(const ConfigNode& node) const;
};

/// What generation_config.json of a model directory says about the keys above, as a section to
/// merge the user's over; empty without the file. Other keys are left out, a lone eos_token_id
/// becomes a list. kData, naming the file and key.
Json generation_defaults(const std::filesystem::path& model_directory);

enum class FinishReason { kStop, kLength };

struct GenerationRequest {
  std::vector<TokenId> prompt;  ///< at least one token; an encoder-decoder's encoder reads it
  /// Names this row's random draws (index of the prompt, index of the sample).
  std::uint64_t stream = 0;
  std::size_t number = 0;  ///< of the prompt in messages, from 1; 0: its place in the call
};

struct GeneratedTokens {
  std::vector<TokenId> ids;     ///< new tokens; a stop token is not included
  std::vector<float> logprobs;  ///< log-probability of each under the model (before temperature and
                                ///< filters), one per id
  FinishReason reason = FinishReason::kLength;
};

/// Refuses what generate_tokens() would refuse before it begins: kData for a prompt that is empty,
/// holds an id outside the vocabulary, or leaves no room (naming both numbers).
void check_requests(const ModelFacts& facts, const std::vector<GenerationRequest>& requests,
                    const GenerationConfig& config);

/// Sees each new token of a row as it comes, stop tokens excepted; returning true stops that row
/// (stop strings). Row = index of the request.
using TokenCallback = std::function<bool(std::size_t row, TokenId id)>;

/// Generates for all requests, config.batch_size of them at a time, those of like length together;
/// results in the order of the requests. In fp32 a row's greedy text does not depend on its
/// companions, and draws depend on nothing but (seed, stream, position). A row ends with a token of
/// `stop_ids`, when the callback says so, at max_new_tokens (or max_length), or where the model has
/// no further position. `vocab_limit` (the tokenizer's size) makes logits beyond it impossible; 0:
/// none. kData as check_requests(); kInternal when logits are not finite.
std::vector<GeneratedTokens> generate_tokens(Model& model,
                                             const std::vector<GenerationRequest>& requests,
                                             const GenerationConfig& config,
                                             std::span<const std::int64_t> stop_ids,
                                             std::int64_t vocab_limit, const Context& context,
                                             const TokenCallback& on_token = {});

}  // namespace llmctl
