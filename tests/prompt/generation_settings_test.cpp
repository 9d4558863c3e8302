#include "prompt/generation_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace llmctl::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A model directory's files and what becomes of them.
class Settings : public ::testing::Test {
 protected:
  void file(const std::string& text) { dir.write("generation_config.json", text); }
  GenerationSettings resolve(const std::string& own = "{}") {
    sources.directory = dir.path();
    return resolve_generation(sources, Json::parse(own));
  }
  Error error_of(const std::string& own = "{}") {
    try {
      resolve(own);
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "no error";
    return {ErrorCode::kUsage, ""};
  }

  TempDir dir;
  GenerationSources sources{{}, Json::object(), false, {}};
};

TEST_F(Settings, AreTheUsersOverTheFiles) {
  EXPECT_FALSE(resolve().sampling.do_sample);
  EXPECT_EQ(resolve().batch_size, 16);
  file(R"({"do_sample": true, "top_k": 50, "top_p": 0.9, "temperature": null, "use_cache": true,
           "repetition_penalty": 1.1, "transformers_version": "5"})");
  const GenerationSettings settings =
      resolve(R"({"top_k": 7, "seed": 5, "batch_size": 3, "num_return_sequences": 2})");
  EXPECT_TRUE(settings.sampling.do_sample);
  EXPECT_EQ(settings.sampling.top_k, 7);
  EXPECT_EQ(settings.sampling.top_p, 0.9);
  EXPECT_EQ(settings.sampling.temperature, 1);
  EXPECT_EQ(settings.sampling.repetition_penalty, 1.1);
  EXPECT_EQ(settings.sampling.seed, 5u);
  EXPECT_EQ(settings.batch_size, 3);
  EXPECT_EQ(settings.samples, 2);
  EXPECT_THAT(settings.notes, IsEmpty());
  EXPECT_EQ(settings.keys["top_k"], 7);
  EXPECT_EQ(settings.keys["repetition_penalty"], 1.1);
}

TEST_F(Settings, WithoutADirectoryThereIsNoFile) {
  file("[]");
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(dir.path());
  EXPECT_NO_THROW(resolve_generation(sources, Json::object())) << "not the current directory's";
  std::filesystem::current_path(before);
}

TEST_F(Settings, AskingHowToDrawMeansDrawing) {
  for (const char* key :
       {"temperature", "top_k", "top_p", "min_p", "typical_p", "epsilon_cutoff", "eta_cutoff"}) {
    EXPECT_TRUE(resolve(concat("{\"", key, "\": 1}")).sampling.do_sample) << key;
  }
  EXPECT_FALSE(resolve(R"({"repetition_penalty": 2})").sampling.do_sample);
  EXPECT_FALSE(resolve(R"({"temperature": 0})").sampling.do_sample);
  EXPECT_FALSE(resolve(R"({"temperature": 0, "do_sample": true})").sampling.do_sample);
  EXPECT_FALSE(resolve(R"({"temperature": 0.5, "do_sample": false})").sampling.do_sample);
  // Of the file its word counts.
  file(R"({"temperature": 0.6, "top_p": 0.9})");
  EXPECT_FALSE(resolve().sampling.do_sample);
  EXPECT_EQ(resolve(R"({"do_sample": true})").sampling.temperature, 0.6);
  file(R"({"temperature": 0, "do_sample": true})");
  EXPECT_FALSE(resolve().sampling.do_sample);
  EXPECT_EQ(resolve(R"({"do_sample": true})").sampling.temperature, 1);
}

TEST_F(Settings, IdleOnesNeverStopAModel) {
  for (const char* text :
       {R"({"do_sample": false, "temperature": 1e-06})", R"({"top_p": 0.0})", R"({"top_k": -1})",
        R"({"temperature": -3})", R"({"temperature": 1e9, "top_k": "many"})",
        R"({"min_p": 7, "typical_p": -1, "epsilon_cutoff": 3, "eta_cutoff": -2})"}) {
    file(text);
    const GenerationSettings settings = resolve();
    EXPECT_FALSE(settings.sampling.do_sample) << text;
    EXPECT_EQ(settings.sampling.temperature, 1) << text;
    EXPECT_THAT(settings.notes, IsEmpty()) << text;
  }
}

TEST_F(Settings, ExtremeOnesMeanWhatTheyMeanToTransformers) {
  file(R"({"do_sample": true, "temperature": 1e-06, "top_p": 0.0, "top_k": -1, "typical_p": 1.0,
           "epsilon_cutoff": 0.0, "eta_cutoff": 1.5, "no_repeat_ngram_size": -1})");
  const SamplingOptions options = resolve().sampling;
  EXPECT_EQ(options.temperature, 1e-6);
  EXPECT_EQ(options.top_p, 0);
  EXPECT_EQ(options.top_k, 0);
  EXPECT_EQ(options.typical_p, 1);
  EXPECT_EQ(options.eta_cutoff, 0);
  EXPECT_EQ(options.no_repeat_ngram_size, 0);
}

TEST_F(Settings, WhatIsNotDoneIsNamedInOneLine) {
  file(R"({"num_beams": 4, "early_stopping": true, "length_penalty": 2.0, "no_repeat_ngram_size": 2,
           "num_beam_groups": 1, "dola_layers": "low", "guidance_scale": 1.5, "sequence_bias": [[[45], -0.6]],
           "max_time": null, "penalty_alpha": 0.0, "num_return_sequences": 3, "of_remote_code": 9})");
  const GenerationSettings settings = resolve();
  EXPECT_THAT(settings.notes,
              ElementsAre((dir / "generation_config.json").string() +
                          ": num_return_sequences 3, dola_layers low, guidance_scale 1.5 are not "
                          "done; texts may differ from those of transformers"));
  EXPECT_EQ(settings.sampling.no_repeat_ngram_size, 2);  // this one is
  EXPECT_EQ(settings.samples, 1);
  file(
      R"({"num_beams": 1, "length_penalty": 2, "diversity_penalty": 0.5, "encoder_repetition_penalty": 1,
           "no_repeat_ngram_size": 0, "renormalize_logits": true, "_from_model_config": true,
           "pad_token_id": 0, "bos_token_id": 1, "sequence_bias": [], "token_healing": false})");
  EXPECT_THAT(resolve().notes, IsEmpty());
  file(R"({"guidance_scale": 5})");
  EXPECT_THAT(resolve().notes, ElementsAre(HasSubstr(": guidance_scale 5 is not done;")));
  // A way of drawing is missed only where something is drawn.
  file(R"({"top_h": 0.4})");
  EXPECT_THAT(resolve().notes, IsEmpty());
  EXPECT_THAT(resolve(R"({"do_sample": true})").notes, ElementsAre(HasSubstr("top_h 0.4")));
}

TEST_F(Settings, BeamsAreTheUsersOrTheFiles) {
  file(
      R"({"num_beams": 4, "early_stopping": true, "length_penalty": 0.6, "renormalize_logits": true,
           "diversity_penalty": null, "max_matching_ngram_size": null})");
  const BeamOptions of_file = resolve().sampling.beams;
  EXPECT_EQ(of_file.num_beams, 4);
  EXPECT_EQ(of_file.early_stopping, EarlyStopping::kYes);
  EXPECT_EQ(of_file.length_penalty, 0.6);
  EXPECT_TRUE(of_file.renormalize_logits);
  const GenerationSettings own = resolve(
      R"({"num_beams": 6, "num_beam_groups": 2, "diversity_penalty": 0.5, "early_stopping": "never",
          "num_return_sequences": 3, "force_words_ids": []})");
  EXPECT_EQ(own.samples, 3);
  EXPECT_EQ(own.sampling.beams.num_beams, 6);
  EXPECT_EQ(own.sampling.beams.num_beam_groups, 2);
  EXPECT_EQ(own.sampling.beams.diversity_penalty, 0.5);
  EXPECT_EQ(own.sampling.beams.early_stopping, EarlyStopping::kNever);
  EXPECT_EQ(own.sampling.beams.length_penalty, 0.6);
  EXPECT_THAT(own.notes, IsEmpty());
  // Without beams the file's other settings of them play no part, and the user's are named.
  file(R"({"num_beams": 1, "early_stopping": "sometimes", "length_penalty": 1e9})");
  EXPECT_EQ(resolve().sampling.beams.length_penalty, 1.0);
  EXPECT_THAT(resolve(R"({"length_penalty": 2})").notes,
              ElementsAre("length_penalty has no effect: there is one beam (num_beams)"));
  EXPECT_THAT(resolve(R"({"num_beams": 2, "length_penalty": 2, "early_stopping": false,
                          "prompt_lookup_num_tokens": 4})")
                  .notes,
              ElementsAre("prompt_lookup_num_tokens has no effect: beams take no guesses"));
  const auto words =
      resolve(R"({"force_words_ids": [[5, 6], [[7], [8, 9]]]})").sampling.beams.force_words_ids;
  EXPECT_EQ(words, (std::vector<std::vector<std::vector<TokenId>>>{{{5, 6}}, {{7}, {8, 9}}}));
}

TEST_F(Settings, TheUsersWithoutEffectAreNamed) {
  EXPECT_THAT(resolve(R"({"seed": 3})").notes,
              ElementsAre("seed has no effect: nothing is drawn (do_sample is false)"));
  EXPECT_THAT(resolve(R"({"temperature": 0.7, "top_k": 3, "do_sample": false})").notes,
              ElementsAre(HasSubstr("temperature, top_k have no effect")));
  EXPECT_THAT(resolve(R"({"temperature": 0})").notes, IsEmpty());
  EXPECT_THAT(resolve(R"({"max_new_tokens": 3, "max_length": 9})").notes,
              ElementsAre(HasSubstr("max_length has no effect")));
}

TEST_F(Settings, EosIdsComeFromTheFirstThatNamesAny) {
  EXPECT_THAT(resolve().sampling.eos_token_ids, IsEmpty());
  sources.tokenizer_eos = 5;
  EXPECT_THAT(resolve().sampling.eos_token_ids, ElementsAre(5));
  sources.config = Json::parse(R"({"eos_token_id": null})");
  EXPECT_THAT(resolve().sampling.eos_token_ids, ElementsAre(5));
  sources.config = Json::parse(R"({"eos_token_id": [6, null, 7], "pad_token_id": 6})");
  EXPECT_THAT(resolve().sampling.eos_token_ids, ElementsAre(6, 7));
  file(R"({"pad_token_id": 6})");
  EXPECT_THAT(resolve().sampling.eos_token_ids, ElementsAre(6, 7));
  file(R"({"eos_token_id": [8, null, -1]})");
  EXPECT_THAT(resolve().sampling.eos_token_ids, ElementsAre(8));
  file(R"({"eos_token_id": -1})");
  EXPECT_THAT(resolve().sampling.eos_token_ids, ElementsAre(6, 7));
  file(R"({"eos_token_id": 8})");
  EXPECT_THAT(resolve(R"({"eos_token_id": [9]})").sampling.eos_token_ids, ElementsAre(9));
  EXPECT_THAT(resolve(R"({"eos_token_id": 9})").sampling.eos_token_ids, ElementsAre(9));
  GenerationSettings settings = resolve();
  settings.add_eos(8);
  settings.add_eos(4);
  EXPECT_THAT(settings.sampling.eos_token_ids, ElementsAre(8, 4));
}

TEST_F(Settings, AUsersLengthReplacesTheFiles) {
  file(R"({"max_length": 20, "max_new_tokens": 30, "min_length": 5})");
  EXPECT_EQ(resolve().max_new_tokens, 30);
  EXPECT_EQ(resolve().min_length, 5);
  GenerationSettings settings = resolve(R"({"max_length": 9, "min_new_tokens": 2})");
  EXPECT_EQ(settings.max_length, 9);
  EXPECT_FALSE(settings.max_new_tokens.has_value());
  EXPECT_EQ(settings.min_length, 0);
  EXPECT_EQ(settings.min_new_tokens, 2);
  settings = resolve(R"({"max_new_tokens": 9})");
  EXPECT_FALSE(settings.max_length.has_value());
}

TEST_F(Settings, PenaltiesAndBiases) {
  file(R"({"sequence_bias": [[[4, 5], -0.5], [[6], 1.5]], "encoder_repetition_penalty": 1.25,
           "encoder_no_repeat_ngram_size": 3, "presence_penalty": 0.5, "frequency_penalty": -1,
           "exponential_decay_length_penalty": [12, 1.5], "eos_token_id": 9})");
  const GenerationSettings settings = resolve(
      R"({"logit_bias": {"6": 1, "7": -100}, "stop_token_ids": [9, 3],
          "repetition_penalty": 1.5, "repetition_penalty_scope": "answer"})");
  const SamplingOptions& options = settings.sampling;
  EXPECT_THAT(settings.notes, IsEmpty());
  ASSERT_EQ(options.sequence_bias.size(), 3u);
  EXPECT_THAT(options.sequence_bias[0].ids, ElementsAre(4, 5));
  EXPECT_EQ(options.sequence_bias[0].bias, -0.5f);
  EXPECT_THAT(options.sequence_bias[1].ids, ElementsAre(6));
  EXPECT_EQ(options.sequence_bias[1].bias, 2.5f);
  EXPECT_EQ(options.sequence_bias[2].bias, -100);
  EXPECT_EQ(options.encoder_repetition_penalty, 1.25);
  EXPECT_EQ(options.encoder_no_repeat_ngram_size, 3);
  EXPECT_EQ(options.presence_penalty, 0.5);
  EXPECT_EQ(options.frequency_penalty, -1);
  EXPECT_EQ(options.exponential_decay_length_penalty, (std::pair<std::int64_t, double>(12, 1.5)));
  EXPECT_THAT(options.eos_token_ids, ElementsAre(9, 3));
  EXPECT_TRUE(options.repetition_in_answer);
  EXPECT_THAT(resolve(R"({"stop_strings": "END"})").stop, ElementsAre("END"));
  EXPECT_THAT(error_of(R"({"stop_strings": "a", "stop": ["b"]})").what(),
              HasSubstr("generation.stop_strings: is another name of stop"));
  EXPECT_EQ(settings.keys["logit_bias"], Json({{"6", 1.0}, {"7", -100.0}}));
}

TEST_F(Settings, APromptsOwnGoBeforeTheCommands) {
  const auto merged = [](const char* section, const char* own) {
    return with_own_members(Json::parse(section), Json::parse(own));
  };
  EXPECT_EQ(merged(R"({"top_k": 5, "seed": 1})", R"({"seed": 2})"),
            Json::parse(R"({"top_k": 5, "seed": 2})"));
  EXPECT_EQ(merged(R"({"max_new_tokens": 5})", R"({"max_length": 9})"),
            Json::parse(R"({"max_length": 9})"));
  EXPECT_EQ(merged(R"({"do_sample": false})", R"({"top_p": 0.9})"),
            Json::parse(R"({"top_p": 0.9})"));
  EXPECT_EQ(merged(R"({"temperature": 0})", R"({"top_p": 0.9})"), Json::parse(R"({"top_p": 0.9})"));
  EXPECT_EQ(merged(R"({"temperature": 0.7, "top_k": 3, "seed": 2})", R"({"temperature": 0})"),
            Json::parse(R"({"temperature": 0})"));
  EXPECT_EQ(merged(R"({"temperature": 0.7, "top_k": 3})", R"({"do_sample": false})"),
            Json::parse(R"({"do_sample": false})"));
}

TEST_F(Settings, BiasesOfIdsThatNobodyHasAreRefused) {
  sources.vocab_size = 50;
  EXPECT_THAT(error_of(R"({"logit_bias": {"50": 1}})").what(),
              HasSubstr("generation.logit_bias: holds id 50, the vocabulary has 50"));
  EXPECT_THAT(error_of(R"({"sequence_bias": [[[4, 77], 1]]})").what(), HasSubstr("holds id 77"));
  EXPECT_EQ(resolve(R"({"logit_bias": {"49": 1}})").sampling.sequence_bias.size(), 1u);
}

/// All of transformers 5.24's GenerationConfig: what a user copies is done, idle or refused by
/// name.
TEST(GenerationSection, KnowsEveryKeyOfTransformers) {
  for (const char* const key : {"max_length",
                                "max_new_tokens",
                                "min_length",
                                "min_new_tokens",
                                "early_stopping",
                                "max_time",
                                "stop_strings",
                                "do_sample",
                                "num_beams",
                                "use_mtp",
                                "use_cache",
                                "cache_implementation",
                                "cache_config",
                                "max_cache_len",
                                "temperature",
                                "top_k",
                                "top_p",
                                "min_p",
                                "top_h",
                                "typical_p",
                                "epsilon_cutoff",
                                "eta_cutoff",
                                "repetition_penalty",
                                "encoder_repetition_penalty",
                                "length_penalty",
                                "no_repeat_ngram_size",
                                "bad_words_ids",
                                "renormalize_logits",
                                "forced_bos_token_id",
                                "forced_eos_token_id",
                                "remove_invalid_values",
                                "exponential_decay_length_penalty",
                                "suppress_tokens",
                                "begin_suppress_tokens",
                                "sequence_bias",
                                "token_healing",
                                "guidance_scale",
                                "watermarking_config",
                                "num_return_sequences",
                                "output_attentions",
                                "output_hidden_states",
                                "output_scores",
                                "output_logits",
                                "return_dict_in_generate",
                                "pad_token_id",
                                "bos_token_id",
                                "eos_token_id",
                                "encoder_no_repeat_ngram_size",
                                "decoder_start_token_id",
                                "is_assistant",
                                "num_assistant_tokens",
                                "num_assistant_tokens_schedule",
                                "assistant_confidence_threshold",
                                "prompt_lookup_num_tokens",
                                "max_matching_ngram_size",
                                "assistant_early_exit",
                                "assistant_lookbehind",
                                "target_lookbehind",
                                "assistant_ensemble_weight",
                                "speculation_type",
                                "compile_config",
                                "disable_compile",
                                "continuous_batching_config",
                                "low_memory",
                                "penalty_alpha",
                                "dola_layers",
                                "diversity_penalty",
                                "num_beam_groups",
                                "constraints",
                                "force_words_ids",
                                "prefill_chunk_size",
                                "_from_model_config",
                                "transformers_version"}) {
    // A value that no key takes, so that all that are read are refused; idle ones are passed over.
    const Json section = {{key, "\t"}};
    try {
      read_generation(ConfigNode(&section, "generation", nullptr));
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), ::testing::Not(HasSubstr("unknown"))) << key;
    }
  }
}

/// Directories older than generation_config.json.
TEST_F(Settings, ConfigJsonStandsInForAMissingFile) {
  sources.config = Json::parse(
      R"({"num_beams": 6, "dola_layers": "low", "max_length": 512, "bad_words_ids": [[3]],
                                   "forced_eos_token_id": 0, "eos_token_id": 0})");
  const GenerationSettings settings = resolve();
  EXPECT_EQ(settings.max_length, 512);
  EXPECT_THAT(settings.sampling.bad_words_ids, ElementsAre(ElementsAre(3)));
  EXPECT_THAT(settings.sampling.forced_eos_token_ids, ElementsAre(0));
  EXPECT_THAT(
      settings.notes,
      ElementsAre((dir / "config.json").string() +
                  ": dola_layers low is not done; texts may differ from those of transformers"));
  EXPECT_EQ(settings.sampling.beams.num_beams, 6);
  file("{}");
  EXPECT_FALSE(resolve().max_length.has_value());
  EXPECT_THAT(resolve().notes, IsEmpty());
}

TEST_F(Settings, AnEndIsNoBadWord) {
  file(R"({"bad_words_ids": [[7], [8], [7, 8]], "eos_token_id": 7})");
  EXPECT_THAT(resolve().sampling.bad_words_ids, ElementsAre(ElementsAre(8), ElementsAre(7, 8)));
}

TEST_F(Settings, HaveWhatEncoderDecodersBeginWith) {
  file(R"({"decoder_start_token_id": 250004, "forced_bos_token_id": 9, "stop_strings": "END"})");
  EXPECT_THAT(resolve().notes, ElementsAre(HasSubstr("forced_bos_token_id 9")));
  sources.encoder_decoder = true;
  const GenerationSettings settings = resolve();
  EXPECT_EQ(settings.decoder_start, 250004);
  EXPECT_THAT(settings.sampling.forced_bos_token_ids, ElementsAre(9));
  EXPECT_THAT(settings.stop, ElementsAre("END"));
  EXPECT_THAT(settings.notes, IsEmpty());
  file(R"({"stop_strings": ["a", "", null, "b"]})");
  EXPECT_THAT(resolve().stop, ElementsAre("a", "b"));
}

TEST_F(Settings, TheFilesFaultsAreData) {
  for (const char* text : {R"({"repetition_penalty": "high"})", R"({"eos_token_id": "x"})",
                           R"({"do_sample": true, "top_k": "many"})",
                           R"({"do_sample": true, "temperature": 1e9})", "[]", "{"}) {
    file(text);
    const Error error = error_of();
    EXPECT_EQ(error.code(), ErrorCode::kData) << text;
    EXPECT_THAT(error.what(), HasSubstr("generation_config.json")) << text;
  }
  // The user's value goes before the file's.
  file(R"({"do_sample": true, "temperature": 1e9})");
  EXPECT_EQ(resolve(R"({"temperature": 0.5})").sampling.temperature, 0.5);
}

TEST_F(Settings, TheUsersFaultsAreTheConfigurations) {
  const Error equal = error_of(R"({"num_return_sequences": 3})");
  EXPECT_EQ(equal.code(), ErrorCode::kConfig);
  EXPECT_THAT(equal.what(), HasSubstr("generation.num_return_sequences: 3 texts per prompt would"));
  EXPECT_EQ(resolve(R"({"num_return_sequences": 3, "temperature": 0.5})").samples, 3);
  for (const char* text :
       {R"({"temperature": -1})",
        R"({"temperature": 1e9})",
        R"({"top_p": -0.1})",
        R"({"top_p": 2})",
        R"({"top_k": -1})",
        R"({"max_new_tokens": 0})",
        R"({"max_new_tokens": -3})",
        R"({"num_return_sequences": 1000000000})",
        R"({"repetition_penalty": 0})",
        R"({"stop": [""]})",
        R"({"eos_token_id": [-1]})",
        R"({"eos_token_id": [9999999999]})",
        R"({"bad_words_ids": [[]]})",
        R"({"forced_eos_token_id": [-2]})",
        R"({"too_long": "cut"})",
        R"({"num_beams": 0})",
        R"({"num_beams": 4, "num_beam_groups": 3, "diversity_penalty": 1})",
        R"({"num_beams": 4, "num_beam_groups": 2})",
        R"({"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 1, "top_k": 5})",
        R"({"num_beams": 4, "num_return_sequences": 5})",
        R"({"early_stopping": "sometimes"})",
        R"({"early_stopping": 1})",
        R"({"force_words_ids": [5]})",
        R"({"force_words_ids": [[]]})",
        R"({"force_words_ids": [[[5], []]]})",
        R"({"force_words_ids": [[-5]]})",
        R"({"force_words_ids": [[5]], "do_sample": true})",
        R"({"force_words": ["a"], "num_return_sequences": 2})",
        R"({"force_words": [""]})",
        R"({"max_matching_ngram_size": 0})",
        R"({"guidance_scale": 4})",
        R"({"sequence_bias": [[[], 1]]})",
        R"({"sequence_bias": [[4, 1]]})",
        R"({"sequence_bias": [[[4], "much"]]})",
        R"({"sequence_bias": {"4": 1}})",
        R"({"logit_bias": {"a": 1}})",
        R"({"logit_bias": {"-1": 1}})",
        R"({"logit_bias": {"1": "x"}})",
        R"({"stop_token_ids": [-1]})",
        R"({"exponential_decay_length_penalty": [3]})",
        R"({"presence_penalty": 1000})",
        R"({"exponential_decay_length_penalty": [3.5, 2]})",
        R"({"repetition_penalty_scope": "prompt"})",
        R"({"top_h": 0.4})",
        R"({"temprature": 1})"}) {
    const Error error = error_of(text);
    EXPECT_EQ(error.code(), ErrorCode::kConfig) << text;
    EXPECT_THAT(error.what(), HasSubstr("generation.")) << text;
  }
}

TEST(GenerationSection, TellsThePlace) {
  const auto error_of = [](const std::string& text) -> std::string {
    const JsonDocument document = parse_json_document(text, "c.json");
    try {
      read_generation(ConfigNode(&document.value, "", &document).child("generation"));
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(error_of("{\"generation\": {\n  \"top_p\": 2}}"), HasSubstr("c.json:2:12"));
  EXPECT_THAT(error_of("{\"generation\": {\n  \"dola_layers\": 4}}"),
              ::testing::AllOf(HasSubstr("generation.dola_layers"), HasSubstr("not done"),
                               HasSubstr("c.json:2:18")));
  // What changes nothing may stand there, as in a file that was copied.
  EXPECT_EQ(error_of(R"({"generation": {"num_beams": 1, "use_cache": true, "eos_token_id": 2,
                         "transformers_version": "5", "pad_token_id": 2}})"),
            "");
}

TEST(GenerationSection, LengthsOfARequest) {
  GenerationSettings settings;
  ModelFacts facts;
  facts.max_positions = 100;
  EXPECT_EQ(settings.options(facts, 10, 0).max_new_tokens, 64);
  EXPECT_EQ(settings.options(facts, 60, 0).max_new_tokens, 40);
  settings.max_length = 30;
  settings.min_length = 12;
  EXPECT_EQ(settings.options(facts, 10, 0).max_new_tokens, 20);
  EXPECT_EQ(settings.options(facts, 10, 0).min_new_tokens, 2);
  EXPECT_EQ(settings.options(facts, 20, 0).min_new_tokens, 0);
  settings.max_new_tokens = 500;
  EXPECT_EQ(settings.options(facts, 10, 0).max_new_tokens, 500);
  facts.encoder_decoder = true;
  EXPECT_EQ(GenerationSettings().options(facts, 1, 15).max_new_tokens, 62);
}

}  // namespace
}  // namespace llmctl::test
