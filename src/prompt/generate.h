// Text in, text out over infer/: continuations with stop strings and streaming.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "infer/engine.h"
#include "prompt/generation_settings.h"
#include "text/tokenizer.h"

namespace llmctl {

/// A token with its log-probability, as people read it: its text, or where that is no whole
/// character its piece ("<0xE6>").
struct TokenText {
  std::string text;
  TokenId id = 0;
  float logprob = 0;
};

/// A token of an answer, and the likeliest ones in its place, best first.
struct ChosenToken {
  TokenText token;
  std::vector<TokenText> likeliest;
};

/// Where a translation's tokens come from.
struct TextAlignment {
  std::vector<std::string> source, target;  ///< pieces of the tokenizer
  std::vector<std::int64_t> places;         ///< for each of `target` its place in `source`
};

struct GeneratedText {
  std::string text;  ///< the continuation, stop string cut off
  std::vector<TokenId> ids;
  bool with_logprobs = false;              ///< settings.logprobs asks for them
  std::vector<ChosenToken> logprobs;       ///< one per id, where asked for
  std::optional<TextAlignment> alignment;  ///< where settings.alignment_layer asks for it
  std::optional<double> score;             ///< of beam search
  std::string finish_reason;      ///< "stop", "length", or "skipped" (a prompt that was too long)
  std::string note;               ///< of one skipped, why
  bool shortened = false;         ///< its prompt was too long
  bool out_of_positions = false;  ///< the model had no position for the tokens asked for
};

/// What `generate --json` says of it: generated_text (null for one skipped, with a "note"),
/// finish_reason, tokens (how many); score, of beam search; where asked for, logprob (the sum of
/// theirs) and logprobs (a list of {token, id, logprob, top_logprobs}), and alignment (a list of
/// [source, target] places in the lists source_tokens and target_tokens).
Json generated_json(const GeneratedText& text);

/// Of all samples of a prompt: the only one's members, or a list "samples" of them.
Json samples_json(const std::vector<GeneratedText>& samples);

/// What stands before an answer.
struct EncodedPrompt {
  std::vector<TokenId> ids;
  bool continues = true;  ///< the answer reads on from a text: a space before its first word stays
  std::string place;      ///< in messages: "prompt 3", "prompts.jsonl:3"; empty: by its number
  std::size_t opening = 0, closing = 0;  ///< ids at the beginning and end that shortening keeps
  std::vector<AdapterChoice> adapters = {};
  /// Of this prompt alone; null: those of all. Their batch_size plays no part.
  std::shared_ptr<const GenerationSettings> settings = nullptr;

  const GenerationSettings& settings_or(const GenerationSettings& all) const {
    return settings ? *settings : all;
  }
};

/// The text behind what begins one. kData, naming the prompt by its place, for what is not UTF-8,
/// and for an empty one without a token that begins a text.
EncodedPrompt encode_prompt(const Tokenizer& tokenizer, const std::string& prompt,
                            const std::string& place);

/// The text as an encoder reads it, with all that the tokenizer puts around a text. kData likewise.
EncodedPrompt encode_source(const Tokenizer& tokenizer, const std::string& text,
                            const std::string& place);

/// Refuses (kData) a model that is not causal, prompts that no model takes and, unless
/// settings.too_long says otherwise, those that leave no room for an answer: the first one's place,
/// its size, and how many more there are. Before any work is done.
void check_prompts(const ModelFacts& facts, const std::vector<EncodedPrompt>& prompts,
                   const GenerationSettings& settings);

/// Why the prompt leaves no room for an answer, "has 300 tokens, the model takes 128 with the
/// answer"; empty when it does.
std::string too_long_reason(const ModelFacts& facts, const EncodedPrompt& prompt,
                            const GenerationSettings& settings);

/// Shortens a prompt to what leaves room for max_new_tokens, at most half of what the model takes:
/// its end stays, behind its opening; of an encoder-decoder's its beginning, before its closing
/// (and all that the encoder takes).
void shorten(const ModelFacts& facts, EncodedPrompt& prompt, const GenerationSettings& settings);

/// The prompt and its settings as the engine takes them.
GenerationRequest make_request(const ModelFacts& facts, const EncodedPrompt& prompt,
                               const GenerationSettings& settings);

/// A text grows, in complete characters.
struct TextPiece {
  std::size_t prompt = 0, sample = 0;
  std::string text;
  bool last = false;  ///< the text is complete; comes once for each
};
using TextCallback = std::function<void(const TextPiece&)>;

/// Where prompts stand, and who follows their answers.
struct TextProgress {
  TextCallback on_text = {};
  /// With each token: how many answers are complete, and tokens written in all.
  std::function<void(std::size_t answers, std::size_t tokens)> on_token = {};
  /// The index of the first prompt, for draws (each prompt of a file has its own, however the file
  /// is cut) and messages.
  std::size_t first_prompt = 0;
};

/// Continues prompts with a causal model, or answers them with an encoder-decoder (in the
/// tokenizer's target vocabulary), as many at a time as the engine has room for. A text ends with
/// an eos token, at a stop string wherever it falls in the tokens, or by length.
class TextGenerator {
 public:
  /// What is named here outlives it. The engine keeps what it knows for the next one.
  TextGenerator(Engine& engine, const ModelFacts& facts,
                const std::shared_ptr<const Tokenizer>& tokenizer,
                const GenerationSettings& settings, TextProgress progress = {});
  ~TextGenerator();  ///< cancels what is not done
  TextGenerator(const TextGenerator&) = delete;
  TextGenerator& operator=(const TextGenerator&) = delete;

  /// Queues the next prompt, which check_prompts() has let pass: the first one is number 0.
  void submit(EncodedPrompt prompt);
  /// Whether nothing is queued, under way or to be handed out.
  bool idle() const { return done_.empty() && works_.empty(); }
  /// Prompts that wait until there is room.
  std::size_t waiting() const { return engine_.waiting(); }
  /// The samples of a prompt, by its number; of beam search the best texts, best first, fewer than
  /// asked for where no more are possible.
  using Done = std::pair<std::size_t, std::vector<GeneratedText>>;
  /// One forward pass, and the prompts that it completed.
  std::vector<Done> step();

 private:
  struct Work;
  ChooserEvents events_of(Work& work);
  void tell_guesses() const;
  void give(Work& work, std::size_t sample, bool last);
  std::vector<GeneratedText> finish(Work& work, std::vector<GeneratedTokens>& answers) const;
  TextAlignment alignment_of(const Work& work, const GeneratedTokens& answer) const;

  Engine& engine_;
  const ModelFacts& facts_;
  const std::shared_ptr<const Tokenizer> source_, target_;
  const GenerationSettings& settings_;
  const TextProgress progress_;
  const EngineCounts before_;
  std::map<Engine::Id, std::unique_ptr<Work>> works_;
  std::vector<Done> done_;  // without having begun: what is too long
  std::size_t submitted_ = 0, complete_ = 0, written_ = 0;
};

/// All prompts: result[i][s] is sample s of prompt i. kData as check_prompts().
std::vector<std::vector<GeneratedText>> generate_texts(
    Engine& engine, const ModelFacts& facts, const std::shared_ptr<const Tokenizer>& tokenizer,
    const std::vector<EncodedPrompt>& prompts, const GenerationSettings& settings,
    const TextProgress& progress = {});
/// What an engine for these settings is told.
EngineOptions engine_options(const GenerationSettings& settings, const Tokenizer& tokenizer);
/// The same for prompts as texts, by an engine of its own.
std::vector<std::vector<GeneratedText>> generate_texts(
    Model& model, const std::shared_ptr<const Tokenizer>& tokenizer,
    const std::vector<std::string>& prompts, const GenerationSettings& settings,
    const Context& context, const TextProgress& progress = {});

}  // namespace llmctl
