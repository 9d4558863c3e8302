// Where the special tokens of a sequence stand: what tokenizer.json calls TemplateProcessing.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/json.h"
#include "text/tokenizer.h"

namespace llmctl {

/// A layout for one sequence (A) and one for a pair (A, B).
struct SpecialTemplate {
  struct Item {
    enum class Kind { kSpecial, kFirst, kSecond } kind = Kind::kFirst;
    TokenId id = 0;    ///< of a special token
    TokenId type = 0;  ///< token type of the item's tokens
    bool operator==(const Item&) const = default;
  };
  std::vector<Item> single, pair;

  /// [CLS] A [SEP] (B [SEP]) where there are cls and sep, else BOS A (B), else A EOS (B EOS), else
  /// A (B); B's tokens have type 1.
  static SpecialTemplate for_tokens(const SpecialTokens& special);
  /// A between the tokens that are given; a pair is the two in a row, the second of type 1.
  static SpecialTemplate around(std::optional<TokenId> before, std::optional<TokenId> after);

  std::vector<TokenId> apply(std::span<const TokenId> a, const std::vector<TokenId>* b,
                             std::vector<TokenId>* types) const;

  /// As tokenizer.json's "post_processor"; `piece` names an id.
  Json to_json(const std::function<std::string(TokenId)>& piece) const;
  /// [CLS] A [SEP] (B [SEP]), of type 1 behind the first [SEP].
  static SpecialTemplate bert(TokenId cls, TokenId sep);
  /// <s> A </s> (</s> B </s>), all of type 0.
  static SpecialTemplate roberta(TokenId cls, TokenId sep);

  /// From "post_processor" (null: no special tokens): TemplateProcessing, BertProcessing,
  /// RobertaProcessing, ByteLevel (which moves offsets only), and a Sequence with one of the
  /// former. kData, starting with `source`, for another type or a token that `find` does not know.
  static SpecialTemplate from_json(
      const Json& json, const std::function<std::optional<TokenId>(std::string_view)>& find,
      const std::string& source);
};

}  // namespace llmctl
