// Training of SentencePiece models (Kudo and Richardson, 2018) from text.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/fields.h"

namespace llmctl {

/// The configuration and the flags of `llmctl tokenizer train`.
struct TokenizerTrainConfig {
  std::string recipe = "causal";  ///< which special tokens, at which ids
  std::string model_type = "bpe";
  std::int64_t vocab_size = 8000;
  bool hard_vocab_limit = true;
  std::optional<double> character_coverage;
  std::optional<bool> byte_fallback;
  bool split_digits = true;
  std::optional<bool> split_cjk;
  std::string normalization = "identity";
  std::optional<bool> add_dummy_prefix;
  std::vector<std::string> user_symbols;
  std::vector<std::string> chat_symbols, languages;
  bool separate_vocabs = false;
  std::int64_t sample_bytes = 20'000'000;  ///< reservoir sample beyond this
  std::int64_t seed = 1234;
  std::int64_t threads = 1;  ///< unigram results depend on it

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("recipe", self.recipe,
          "causal: <unk> 0, <s> 1, </s> 2; masked: [PAD] 0, [UNK] 1, [CLS] 2, [SEP] 3, [MASK] 4; "
          "translation: Marian's source.spm, target.spm and vocab.json, </s> 0, <unk> 1, <pad> "
          "last, of one model for both languages or (--target) of one for each.",
          OneOf{{"causal", "masked", "translation"}});
    visit("model_type", self.model_type, "Kind of segmentation.",
          OneOf{{"bpe", "unigram", "char", "word"}});
    visit("vocab_size", self.vocab_size, "Number of pieces, special and byte pieces included.",
          Range<std::int64_t>{8, 1'000'000});
    visit("hard_vocab_limit", self.hard_vocab_limit,
          "Fail when the text gives fewer pieces than vocab_size; false takes what there is.");
    visit("character_coverage", self.character_coverage,
          "Share of the characters of the text that get a piece of their own; 0.9995, for char 1.",
          Range<double>{0.98, 1.0});
    visit("byte_fallback", self.byte_fallback,
          "Spell unknown characters as bytes instead of <unk>; true for bpe and unigram.");
    visit("split_digits", self.split_digits, "One piece per digit.");
    visit(
        "split_cjk", self.split_cjk,
        "One piece per Chinese character, so that any span of a text ends between pieces; absent: "
        "with the recipe masked.");
    visit("normalization", self.normalization,
          "SentencePiece's normalisation rule; identity changes nothing.",
          OneOf{{"identity", "nfkc", "nmt_nfkc", "nfkc_cf", "nmt_nfkc_cf"}});
    visit("add_dummy_prefix", self.add_dummy_prefix,
          "Treat the first word like the others by a space before it; true, for char false.");
    visit("user_symbols", self.user_symbols, "Strings that are always one piece.");
    visit(
        "chat_symbols", self.chat_symbols,
        "Special tokens besides the recipe's, such as <|im_start|>: a piece of their own that only "
        "chat templates make, never text.");
    visit("languages", self.languages,
          "Recipe translation: target languages of a model for several, whose marks \">>de<<\" are "
          "tokens.");
    visit("separate_vocabs", self.separate_vocabs,
          "Recipe translation with --target: a vocabulary for each language, whose embeddings the "
          "model does not share, instead of one of both.");
    visit("sample_bytes", self.sample_bytes, "Train on a random sample of at most this many bytes.",
          Range<std::int64_t>{1000, std::int64_t{1} << 40});
    visit("seed", self.seed, "Seed of the sample.", Range<std::int64_t>{0, std::int64_t{1} << 53});
    visit("threads", self.threads, "Threads of the trainer; unigram models depend on it.",
          Range<std::int64_t>{1, 128});
  }
};

/// What training will take at most, roughly, on a machine of today; texts differ.
struct TrainingEstimate {
  std::uint64_t files = 0, bytes = 0;  ///< to read
  std::uint64_t sample_bytes = 0;      ///< to train on
  double seconds = 0;
  std::uint64_t memory = 0;  ///< peak, bytes
};

/// For `bytes` of text. From runs on Chinese and English with SentencePiece 0.1.97: time grows with
/// the merges of bpe, and with the text; memory is a multiple of the sample.
TrainingEstimate estimate_training(const TokenizerTrainConfig& config, std::uint64_t bytes);

struct TokenizerTrainReport {
  std::int64_t pieces = 0;
  std::uint64_t documents = 0, bytes = 0;  ///< read
  std::uint64_t sampled_bytes = 0;         ///< trained on
  double seconds = 0;
};

/// Calls its argument with each document of a corpus until that returns false.
using DocumentReader = std::function<void(const std::function<bool(std::string_view)>&)>;

/// Trains on documents and writes a tokenizer directory (Tokenizer::save) that appears whole or not
/// at all; the same documents and configuration give the same bytes. The text is learnt as it will
/// be encoded: only what begins a document gets the dummy prefix, no piece spans a line break.
/// Long documents are cut at line or sentence ends, nothing is dropped. With model_type char, line
/// breaks are characters like any other; without byte fallback (but for word, which glues them to
/// their neighbours) they and tabs get pieces of their own. kConfig: a vocabulary too small for the
/// alphabet or larger than the text gives, naming the size that works. kData: invalid UTF-8, no
/// text. kCannotCreate: something is in `directory` and no `overwrite` replaces it.
/// With the recipe translation `targets`, where there is one, reads the texts of the target
/// language, which then has a model of its own; other recipes take none (kConfig).
TokenizerTrainReport train_tokenizer(const TokenizerTrainConfig& config,
                                     const DocumentReader& documents,
                                     const std::filesystem::path& directory, bool overwrite = false,
                                     const DocumentReader& targets = {});

}  // namespace llmctl
