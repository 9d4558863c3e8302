// A Tokenizer that does what a tokenizer.json of Hugging Face says: the ids, offsets and texts of
// their tokenizers library.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/json.h"
#include "text/huggingface/added_tokens.h"
#include "text/huggingface/decoder.h"
#include "text/huggingface/model.h"
#include "text/huggingface/normalizer.h"
#include "text/huggingface/pre_tokenizer.h"
#include "text/huggingface/vocabulary.h"
#include "text/special_template.h"
#include "text/tokenizer.h"

namespace llmctl {

/// What a directory holds of a tokenizer.
struct TokenizerFiles {
  Json tokenizer;     ///< tokenizer.json, or what the older files amount to
  Json config;        ///< tokenizer_config.json; null: none
  std::string place;  ///< of `tokenizer` in errors
};

/// Added tokens that are not special are found in every text; special ones only by
/// encode_with_special_pieces, whatever "lstrip" says of those that encode() meets. Offsets are
/// those of whole characters: every byte of a character that has several tokens points to all of
/// it. An id of the vocabulary's range that no token has decodes to nothing.
class HuggingFaceTokenizer : public Tokenizer {
 public:
  /// kData, naming file and member, for what is malformed or not supported.
  explicit HuggingFaceTokenizer(TokenizerFiles files);
  HuggingFaceTokenizer(const HuggingFaceTokenizer&) = delete;
  HuggingFaceTokenizer& operator=(const HuggingFaceTokenizer&) = delete;

  std::int64_t vocab_size() const override { return vocabulary_.size(); }
  std::vector<TokenId> encode(std::string_view text) const override;
  Encoding encode_with_offsets(std::string_view text) const override;
  Encoding encode_with_special_pieces(std::string_view text,
                                      std::span<const TokenId> only = {}) const override;
  Encoding encode_marked(std::string_view text, std::string_view data) const override;
  std::string decode(std::span<const TokenId> ids, bool keep_special = false) const override;
  std::string token_bytes(TokenId id) const override;
  std::string decode_next(TokenId id, DecodeState& state, bool keep_special) const override;
  std::string piece(TokenId id) const override { return at(id); }
  std::optional<TokenId> find(std::string_view piece) const override;
  bool is_special(TokenId id) const override;
  bool is_byte(TokenId id) const override;
  const SpecialTokens& special() const override { return special_; }
  bool begins_word(TokenId id) const override;
  std::vector<TokenId> with_special(std::span<const TokenId> a,
                                    const std::vector<TokenId>* pair = nullptr,
                                    std::vector<TokenId>* types = nullptr) const override;
  void save(const std::filesystem::path& directory, std::int64_t model_max_length) const override;
  std::string fingerprint() const override;
  std::string description() const override;

  const TokenizerFiles& files() const { return files_; }
  const std::vector<AddedToken>& added_tokens() const { return added_; }
  const SpecialTemplate& layout() const { return layout_; }
  bool is_byte_level() const { return byte_level_; }

 private:
  /// Which added tokens a text is searched for: in the text itself, then in what the normaliser
  /// made of it.
  struct Matchers {
    AddedTokenMatcher raw, normalized;
  };
  struct Sink;

  const std::string& at(TokenId id) const;  // kData when out of range
  Matchers make_matchers(const std::function<bool(const AddedToken&)>& taken) const;
  void find_special_tokens(const JsonAccess& json);
  void read_post_processor(const JsonAccess& json);
  Encoding encode_text(std::string_view text, const Matchers& matchers, bool with_offsets,
                       std::string_view data = "") const;
  void encode_stretch(std::string_view text, std::size_t begin, const Matchers& matchers,
                      Sink& sink) const;
  void encode_cut(CutText& text, Sink& sink) const;
  void put_part(const Stretch& stretch, TextRange part, Sink& sink) const;

  TokenizerFiles files_;
  Vocabulary vocabulary_;
  std::vector<AddedToken> added_;
  std::unique_ptr<Normalizer> normalizer_;
  std::unique_ptr<PreTokenizer> pre_tokenizer_;
  SubwordModel model_;
  std::unique_ptr<Decoder> decoder_;
  SpecialTemplate layout_;
  SpecialTokens special_;
  std::vector<bool> is_special_;
  Matchers plain_, all_;
  std::uint32_t owner_;  // in the word cache
  bool byte_level_ = false, trims_offsets_ = false, keeps_first_space_ = false;
};

/// The tokenizer of a directory: tokenizer.json; or vocab.txt; or vocab.json and merges.txt, for
/// both of which tokenizer_config.json says what the file does not.
std::shared_ptr<const Tokenizer> load_huggingface_directory(const std::filesystem::path& directory,
                                                            const std::string& file);
/// The tokenizer of a tokenizer.json by itself.
std::shared_ptr<const Tokenizer> load_huggingface_file(const std::filesystem::path& path);

}  // namespace llmctl
