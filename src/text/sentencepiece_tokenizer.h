// A Tokenizer that applies a SentencePiece model (Kudo and Richardson, 2018). The ids are those of
// the library's current version; earlier ones differ where two segmentations are equally good. Only
// in word models each unknown word is one token, as in tokenizer.json, where the library makes one
// of all unknown words in a row.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "config/json.h"
#include "text/segmenter.h"
#include "text/sentencepiece_model.h"
#include "text/sentencepiece_normalizer.h"
#include "text/special_template.h"
#include "text/tokenizer.h"

namespace llmctl {

/// Offsets, of the text as it was given, survive normalisation. What decode() cannot give back:
/// U+2581, which is the model's spelling of a space; what normalisation or an unknown piece lost.
class SentencePieceTokenizer : public Tokenizer {
 public:
  /// `source` names the model in errors. `config` is the tokenizer_config.json beside it (null:
  /// none): it names special tokens, and what else it holds is written again by save(). Without
  /// `layout` the special tokens decide.
  explicit SentencePieceTokenizer(SentencePieceModel model, const std::string& source,
                                  Json config = nullptr,
                                  std::optional<SpecialTemplate> layout = std::nullopt);
  SentencePieceTokenizer(const SentencePieceTokenizer&) = delete;  // its parts refer to model_
  SentencePieceTokenizer& operator=(const SentencePieceTokenizer&) = delete;

  std::int64_t vocab_size() const override {
    return static_cast<std::int64_t>(model_.pieces.size());
  }
  std::vector<TokenId> encode(std::string_view text) const override {
    return encode_text(text, true, false).ids;
  }
  Encoding encode_with_offsets(std::string_view text) const override {
    return encode_text(text, true, true);
  }
  std::string decode(std::span<const TokenId> ids, bool keep_special = false) const override;
  std::string token_bytes(TokenId id) const override;
  std::string decode_next(TokenId id, DecodeState& state, bool keep_special) const override;
  std::string piece(TokenId id) const override { return at(id).text; }
  std::optional<TokenId> find(std::string_view piece) const override;
  bool is_special(TokenId id) const override;
  bool is_byte(TokenId id) const override {
    return at(id).type == SentencePieceModel::PieceType::kByte;
  }
  const SpecialTokens& special() const override { return special_; }
  bool begins_word(TokenId id) const override;
  std::vector<TokenId> with_special(std::span<const TokenId> a,
                                    const std::vector<TokenId>* pair = nullptr,
                                    std::vector<TokenId>* types = nullptr) const override;
  void save(const std::filesystem::path& directory, std::int64_t model_max_length) const override;
  std::string fingerprint() const override;
  std::string description() const override;

  const SentencePieceModel& model() const { return model_; }
  const SpecialTemplate& layout() const { return layout_; }
  /// The tokenizer_config.json that it was loaded with; null: none.
  const Json& config() const { return config_; }

 protected:
  Encoding encode_part(std::string_view text, bool first) const override {
    return encode_text(text, first, true);
  }

 private:
  const SentencePieceModel::Piece& at(TokenId id) const;  // kData when out of range
  Encoding encode_text(std::string_view text, bool first, bool with_offsets) const;
  void find_special_tokens(const std::string& source);

  SentencePieceModel model_;
  Json config_;
  std::unordered_map<std::string_view, TokenId> ids_;  // of the pieces in model_
  SpecialTokens special_;
  SpecialTemplate layout_;
  SentencePieceNormalizer normalizer_;
  std::unique_ptr<Segmenter> segmenter_;
  std::array<TokenId, 256> byte_ids_;  // with byte fallback
};

/// The tokenizer of a directory whose model is `model_file`: with its tokenizer_config.json and
/// tokenizer.json, which must agree with the model. kData when they do not, or when the
/// directory's tokenizer class changes the model's ids.
std::shared_ptr<const Tokenizer> load_sentencepiece_directory(
    const std::filesystem::path& directory, const std::string& model_file);

}  // namespace llmctl
