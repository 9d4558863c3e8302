// The settings of generated texts, resolved once: the user's section over the model directory's
// files, as options of each request for infer/.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/fields.h"
#include "infer/engine.h"
#include "prompt/generation_keys.h"
#include "text/tokenizer.h"

namespace llmctl {

/// Section "generation": the keys of generation_config.json that are done, and our own.
struct GenerationConfig {
  std::optional<std::int64_t> max_new_tokens;
  std::optional<std::int64_t> max_length;
  std::int64_t min_new_tokens = 0;
  std::int64_t min_length = 0;
  bool do_sample = false;
  double temperature = 1.0;
  std::int64_t top_k = 0;
  double top_p = 1.0;
  double min_p = 0.0;
  double typical_p = 1.0;
  double epsilon_cutoff = 0.0, eta_cutoff = 0.0;
  double repetition_penalty = 1.0;
  std::string repetition_penalty_scope = "text";
  double encoder_repetition_penalty = 1.0;
  double presence_penalty = 0.0, frequency_penalty = 0.0;
  std::int64_t no_repeat_ngram_size = 0, encoder_no_repeat_ngram_size = 0;
  Json sequence_bias = Json::array();
  std::map<std::string, double> logit_bias;
  std::vector<double> exponential_decay_length_penalty;
  std::vector<std::int64_t> eos_token_id, stop_token_ids, forced_bos_token_id, forced_eos_token_id;
  std::vector<std::vector<std::int64_t>> bad_words_ids;
  std::vector<std::int64_t> suppress_tokens, begin_suppress_tokens;
  std::optional<std::int64_t> decoder_start_token_id;
  std::vector<std::string> stop;
  std::vector<std::string> choices;
  std::optional<std::string> regex, grammar;
  Json json_schema;
  std::int64_t json_space = 20;
  bool finish_in_time = false;
  std::optional<std::int64_t> logprobs;
  bool alignments = false;
  std::int64_t alignment_layer = -1;
  bool echo = false;
  std::string too_long = "error";
  std::int64_t num_return_sequences = 1;
  std::int64_t num_beams = 1, num_beam_groups = 1;
  double diversity_penalty = 0.0, length_penalty = 1.0;
  Json early_stopping = false;
  bool renormalize_logits = false;
  std::string prefix;
  std::vector<std::string> force_words;
  Json force_words_ids = Json::array();
  std::int64_t prompt_lookup_num_tokens = 0, max_matching_ngram_size = 2;
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
    visit("min_new_tokens", self.min_new_tokens, "No end before this many tokens.",
          Range<std::int64_t>{0, 10'000'000});
    visit("min_length", self.min_length,
          "No end before this many tokens of prompt and answer together.",
          Range<std::int64_t>{0, 10'000'000});
    visit("do_sample", self.do_sample,
          "Draw from the distribution instead of taking the best token; asking for temperature, "
          "top_k, top_p, min_p, typical_p or a cutoff means true.");
    visit("temperature", self.temperature,
          "Divides the logits before drawing; 0: the best token, nothing is drawn.",
          Range<double>{0, 100});
    visit("top_k", self.top_k, "Draw among the k best; 0: all.",
          Range<std::int64_t>{0, 10'000'000});
    visit("top_p", self.top_p,
          "Draw among the fewest tokens whose probabilities reach p; 0: the best alone.",
          Range<double>{0, 1});
    visit("min_p", self.min_p,
          "Draw among the tokens at least p times as likely as the likeliest; 0: all.",
          Range<double>{0, 1});
    visit("typical_p", self.typical_p,
          "Draw among the tokens whose information is nearest to what is expected, as many as "
          "reach p (Meister et al., 2022); 1: all.",
          Range<double>{0, 1});
    visit("epsilon_cutoff", self.epsilon_cutoff,
          "Draw among tokens at least this likely (Hewitt et al., 2022); 0: all.",
          Range<double>{0, 1});
    visit("eta_cutoff", self.eta_cutoff,
          "The same with a limit that falls with the entropy (Hewitt et al., 2022); 0: all.",
          Range<double>{0, 1});
    visit("repetition_penalty", self.repetition_penalty,
          "Above 1 makes tokens already seen less likely (Keskar et al., 2019).",
          Range<double>{0.01, 100});
    visit("repetition_penalty_scope", self.repetition_penalty_scope,
          "Tokens that repetition_penalty is about: those of the text (prompt and answer, as in "
          "transformers) or of the answer alone.",
          OneOf{{"text", "answer"}});
    visit("encoder_repetition_penalty", self.encoder_repetition_penalty,
          "Above 1 makes tokens likelier that an encoder-decoder's source has (without an encoder, "
          "the prompt).",
          Range<double>{0.01, 100});
    visit("presence_penalty", self.presence_penalty,
          "Subtracted from the logit of a token that the answer has already (OpenAI's).",
          Range<double>{-100, 100});
    visit("frequency_penalty", self.frequency_penalty,
          "The same as often as the answer has it (OpenAI's).", Range<double>{-100, 100});
    visit("no_repeat_ngram_size", self.no_repeat_ngram_size,
          "No sequence of this many tokens comes twice; 0: any may.",
          Range<std::int64_t>{0, 10'000'000});
    visit("encoder_no_repeat_ngram_size", self.encoder_no_repeat_ngram_size,
          "No sequence of this many tokens of an encoder-decoder's source (without an encoder, of "
          "the prompt) comes in the answer; 0: any may.",
          Range<std::int64_t>{0, 10'000'000});
    visit("sequence_bias", self.sequence_bias,
          "Pairs [[ids], number]: added to the logit of what would complete the sequence.",
          Kinds{"list of array"});
    visit("logit_bias", self.logit_bias, "Added to the logits of tokens, by their ids.",
          Range<double>{-1e6, 1e6});
    visit("exponential_decay_length_penalty", self.exponential_decay_length_penalty,
          "[start, factor]: after so many new tokens the end becomes likelier with each; empty: "
          "never.");
    visit("eos_token_id", self.eos_token_id, "Ids that end a text; empty: the model's.");
    visit("stop_token_ids", self.stop_token_ids, "Ids that end a text, too.");
    visit("forced_bos_token_id", self.forced_bos_token_id,
          "The first token of an encoder-decoder's text is one of these; empty: any.");
    visit("forced_eos_token_id", self.forced_eos_token_id,
          "The last token of a text of the greatest length is one of these; empty: any.");
    visit("bad_words_ids", self.bad_words_ids,
          "Lists of ids that never appear in a text one after the other.");
    visit("suppress_tokens", self.suppress_tokens, "Ids that never appear in a text.");
    visit("begin_suppress_tokens", self.begin_suppress_tokens, "Ids that begin no text.");
    visit("decoder_start_token_id", self.decoder_start_token_id,
          "Id that an encoder-decoder's text begins with; absent: the model's.",
          Range<std::int64_t>{0, 2'147'483'647});
    visit("stop", self.stop, "Strings that end a text; they are cut off.");
    visit(
        "choices", self.choices,
        "The text is one of these. Of choices, regex, json_schema and grammar one is given; a text "
        "that continues a prompt may have to begin with a space.");
    visit("regex", self.regex, "The text as a whole matches this regular expression.");
    visit("json_schema", self.json_schema,
          "The text is JSON that satisfies this JSON Schema; \"@FILE\" reads it, {} is any JSON.",
          Kinds{"object or string or boolean or null"});
    visit("grammar", self.grammar,
          "The text follows this grammar in llama.cpp's notation (GBNF); \"@FILE\" reads it.");
    visit("json_space", self.json_space,
          "White space between the parts of JSON by json_schema: none, one space, or a line break "
          "and up to so many spaces; 0: none at all.",
          Range<std::int64_t>{0, 1000});
    visit("finish_in_time", self.finish_in_time,
          "Lead a text under choices, regex, json_schema or grammar to its end within "
          "max_new_tokens, where it has one so near; else it is cut there.");
    visit("logprobs", self.logprobs,
          "Log-probabilities in the records, of each token and of so many likeliest ones in its "
          "place; absent: none.",
          Range<std::int64_t>{0, 1000});
    visit(
        "alignments", self.alignments,
        "Of encoder-decoders: for each token of a text the token of its source that the attention "
        "between the two names.");
    visit(
        "alignment_layer", self.alignment_layer,
        "Layer of the decoder whose attention that is, the mean of its heads: from 1, or from -1, "
        "the last one, backwards.",
        Range<std::int64_t>{-4096, 4096});
    visit("echo", self.echo, "The prompt's text before a text that continues it.");
    visit("too_long", self.too_long,
          "What to do with a prompt that leaves the model no room for an answer: error; truncate "
          "keeps its end (of an encoder-decoder its beginning; under a chat template the system "
          "message, the newest turns that fit and at least the end of the last one) and room for "
          "max_new_tokens, at most half; skip leaves it without an answer.",
          OneOf{{"error", "truncate", "skip"}});
    visit("num_return_sequences", self.num_return_sequences,
          "Texts per prompt: samples, or the best of beam search, best first.",
          Range<std::int64_t>{1, 10'000});
    visit("num_beams", self.num_beams,
          "Beam search: so many texts grow side by side, and the one of the best score is the "
          "answer; 1: none.",
          Range<std::int64_t>{1, 1000});
    visit("num_beam_groups", self.num_beam_groups,
          "Groups of beams that avoid one another's tokens (Vijayakumar et al., 2018).",
          Range<std::int64_t>{1, 1000});
    visit("diversity_penalty", self.diversity_penalty,
          "Subtracted from a token's score for each earlier group that takes it in the same step.",
          Range<double>{0, 1000});
    visit("length_penalty", self.length_penalty,
          "The score of a text in beam search is its log-probability over its tokens to this "
          "power: above 0 for longer ones, below for shorter ones.",
          Range<double>{-10, 10});
    visit("early_stopping", self.early_stopping,
          "Beam search ends, true, with as many ended texts as beams; false, when further ones "
          "seem no better; \"never\", when they cannot be.",
          Kinds{"boolean or string"});
    visit("renormalize_logits", self.renormalize_logits,
          "Beam search's log-probabilities add up to one after penalties and filters, too.");
    visit("prefix", self.prefix,
          "What every answer begins with, as it is: its tokens are read, not chosen; empty: "
          "nothing.");
    visit("force_words", self.force_words,
          "Strings that every text contains, by beam search (more beams, better texts).");
    visit("force_words_ids", self.force_words_ids,
          "The same as lists of ids, or lists of such lists of which one suffices.",
          Kinds{"list of array"});
    visit("prompt_lookup_num_tokens", self.prompt_lookup_num_tokens,
          "Tokens guessed per step from what the text has already, so that a step may bring "
          "several; no text changes (not with beams); 0: none.",
          Range<std::int64_t>{0, 1000});
    visit("max_matching_ngram_size", self.max_matching_ngram_size,
          "Tokens at the end of the text that are looked up for guesses, at most.",
          Range<std::int64_t>{1, 1000});
    visit("seed", self.seed, "Seed of the draws; each prompt and sample has its own stream.",
          Range<std::int64_t>{0, std::int64_t{1} << 53});
    visit("batch_size", self.batch_size, "Prompts generated together.",
          Range<std::int64_t>{1, 100'000});
  }
  void validate(const ConfigNode& node) const;
};

/// A user's section: transformers' keys that change nothing are passed over, a lone id is a list
/// of one. kConfig.
GenerationConfig read_generation(const ConfigNode& section);

enum class TooLong { kError, kTruncate, kSkip };

/// Tokens of `length` that a prompt may have before an answer of `answer` tokens: at least half,
/// and 1 or more.
std::int64_t prompt_room(std::int64_t length, std::int64_t answer);

/// What all prompts of a command share.
struct GenerationSettings {
  SamplingOptions sampling;  ///< without the lengths, which depend on the prompt
  std::optional<std::int64_t> max_new_tokens, max_length;
  std::int64_t min_new_tokens = 0, min_length = 0;
  std::optional<TokenId> decoder_start;  ///< instead of the model's
  std::vector<std::string> stop, force_words;
  std::string prefix;
  std::optional<ConstraintSpec> constraint;
  TooLong too_long = TooLong::kError;
  std::optional<std::int64_t> logprobs;
  std::optional<std::int64_t> alignment_layer;  ///< absent: no alignments
  bool echo = false;
  std::int64_t samples = 1;
  std::int64_t batch_size = 16;
  std::vector<std::string> notes;  ///< what the user should know: settings without effect
  Json keys = Json::object();      ///< every key's resolved value, for digests and --dry-run

  /// Tokens that prompt and answer have together at most, with a model of so many positions.
  std::int64_t total_limit(std::int64_t positions) const;
  /// Tokens that a shortened prompt has: what max_new_tokens leaves of total_limit().
  std::int64_t prompt_room(std::int64_t positions) const;
  /// Ends texts at this token too.
  void add_eos(TokenId id);
  /// Compiles the constraint, where there is one, for the tokenizer of the texts, once it is known
  /// what ends them. kData where that cannot be.
  void constrain(std::shared_ptr<const Tokenizer> tokenizer);
  /// Of a request whose decoder begins with `prompt` tokens, `source` being what an encoder reads.
  SamplingOptions options(const ModelFacts& facts, std::int64_t prompt, std::int64_t source) const;
};

/// Where settings come from, besides the user.
struct GenerationSources {
  std::filesystem::path directory;  ///< its generation_config.json, where there is one
  Json config;                      ///< the model's config.json
  bool encoder_decoder = false;
  std::optional<TokenId> tokenizer_eos;  ///< of the tokenizer's target
  std::int64_t vocab_size = 0;           ///< of the tokenizer's target; 0: not known
};

/// The settings of a model's files, read once. kData.
class GenerationFiles {
 public:
  GenerationFiles(GenerationSources sources);
  const GenerationSources& sources() const { return sources_; }
  const std::string& path() const { return path_; }
  const GenerationKeys& keys() const { return keys_; }

 private:
  GenerationSources sources_;
  std::string path_;  // of the file that has them
  GenerationKeys keys_;
};

/// The one place where settings are decided:
///   each key        the user's, else generation_config.json's, else (without such a file)
///                   config.json's, else the default
///   eos ids         those; else config.json's; else the tokenizer's
///   stop ids        end a text beside those, wherever these are from
///   a length        the user's max_new_tokens or max_length replaces both of the files, and the
///                   minima with them where the user gives one
///   do_sample       true where the user gives a setting that only drawing knows; false where the
///                   temperature is 0
/// Settings of a file that play no part are not even checked; what would play one and is not done
/// becomes a note, as does a user's setting without effect. kConfig for the user's faults, kData
/// (naming file and key) for the files'.
GenerationSettings resolve_generation(const GenerationFiles& files, const Json& own);

/// The user's section with a prompt's own members in place of its: where those ask how to draw, how
/// long or not to draw at all, what the section says of that is gone.
Json with_own_members(const Json& section, const Json& members);

}  // namespace llmctl
