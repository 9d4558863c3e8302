// Tokenizers of Marian's translation models: two SentencePiece models, one vocabulary or two.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "text/huggingface/vocabulary.h"
#include "text/sentencepiece_tokenizer.h"
#include "text/tokenizer.h"

namespace llmctl {

/// source.spm cuts a text to translate, target.spm its translation; vocab.json numbers the pieces
/// of both, or of sources alone where target_vocab.json numbers those of translations
/// ("separate_vocabs" in tokenizer_config.json). A text may begin with the language to translate to
/// (">>deu<<"), which is one token. The rules of Moses for punctuation, which some of the models
/// were trained behind, are not applied.
class MarianTokenizer : public Tokenizer {
 public:
  /// The pieces of one side, or of both.
  struct Names {
    Vocabulary vocabulary;
    SpecialTokens special;
    std::string bytes;  ///< of its file
  };
  /// What both directions share.
  struct Files {
    Names names;
    std::unique_ptr<Names> target_names;  ///< null: those of sources
    Json config;                          ///< tokenizer_config.json; null: none
    std::unique_ptr<SentencePieceTokenizer> source, target;
  };

  MarianTokenizer(std::shared_ptr<const Files> files, bool is_target);

  std::int64_t vocab_size() const override { return names_.vocabulary.size(); }
  std::vector<TokenId> encode(std::string_view text) const override {
    return encode_with_offsets(text).ids;
  }
  Encoding encode_with_offsets(std::string_view text) const override;
  std::string decode(std::span<const TokenId> ids, bool keep_special = false) const override;
  std::string token_bytes(TokenId id) const override;
  std::string decode_next(TokenId id, DecodeState& state, bool keep_special) const override;
  std::string piece(TokenId id) const override { return at(id); }
  std::optional<TokenId> find(std::string_view piece) const override;
  bool is_special(TokenId id) const override;
  bool is_byte(TokenId id) const override;
  const SpecialTokens& special() const override { return names_.special; }
  bool begins_word(TokenId id) const override;
  std::vector<TokenId> with_special(std::span<const TokenId> a,
                                    const std::vector<TokenId>* pair = nullptr,
                                    std::vector<TokenId>* types = nullptr) const override;
  void save(const std::filesystem::path& directory, std::int64_t model_max_length) const override;
  const Tokenizer& target() const override { return target_ ? *target_ : *this; }
  std::string fingerprint() const override;
  std::string description() const override;

 private:
  const std::string& at(TokenId id) const;  // kData when out of range

  std::shared_ptr<const Files> files_;
  const SentencePieceTokenizer& pieces_;
  const Names& names_;
  std::unique_ptr<MarianTokenizer> target_;  // of a source tokenizer
  SpecialTemplate layout_;
};

/// Of two SentencePiece models (perhaps the same one twice), in a vocabulary of their pieces as
/// Marian's are: </s> 0, <unk> 1, the marks ">>de<<" of `languages`, the pieces of both models,
/// <pad>. With `separate` vocabularies, of which each begins with </s>, <unk> and <pad>: a model's
/// one id of padding is the same in both.
std::shared_ptr<const Tokenizer> make_marian_tokenizer(const SentencePieceModel& source,
                                                       const SentencePieceModel& target,
                                                       const std::vector<std::string>& languages,
                                                       bool separate = false);

/// From source.spm, target.spm, vocab.json and perhaps target_vocab.json; kMissing, kData.
std::shared_ptr<const Tokenizer> load_marian_directory(const std::filesystem::path& directory,
                                                       const std::string& file);

}  // namespace llmctl
