// Tokenizers from what llama.cpp's files say of them.
#include <algorithm>
#include <cstring>
#include <unordered_set>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "text/ggml_vocabulary.h"
#include "text/huggingface/huggingface_tokenizer.h"
#include "text/huggingface/split_rules.h"
#include "text/sentencepiece_tokenizer.h"
#include "text/tokenizer_json.h"

namespace llmctl {
namespace {

using Rule = GgmlPreTokenizer::Rule;

/// A message of protocol buffers, field by field.
class WireWriter {
 public:
  void varint(std::uint32_t field, std::uint64_t value) {
    key(field, 0);
    put(value);
  }
  void bytes(std::uint32_t field, std::string_view value) {
    key(field, 2);
    put(value.size());
    text_ += value;
  }
  void number(std::uint32_t field, float value) {
    key(field, 5);
    text_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  const std::string& text() const { return text_; }

 private:
  void key(std::uint32_t field, unsigned type) { put(std::uint64_t{field} << 3 | type); }
  void put(std::uint64_t value) {
    for (; value > 127; value >>= 7) text_ += static_cast<char>(value | 128);
    text_ += static_cast<char>(value);
  }
  std::string text_;
};

/// tokenizer_config.json, as far as the file says what it would.
Json config_of(const GgmlVocabulary& vocabulary) {
  Json config = Json::object();
  for (const auto& [key, id] : special_token_keys(vocabulary.special)) {
    if (*id) config[key] = vocabulary.tokens[static_cast<std::size_t>(**id)];
  }
  if (!vocabulary.chat_template.empty()) config["chat_template"] = vocabulary.chat_template;
  return config;
}

SpecialTemplate layout_of(const GgmlVocabulary& vocabulary, bool add_bos, bool add_eos) {
  const auto token = [](bool add, std::optional<TokenId> id) {
    return add ? id : std::optional<TokenId>();
  };
  return SpecialTemplate::around(
      token(vocabulary.add_bos.value_or(add_bos), vocabulary.special.bos),
      token(vocabulary.add_eos.value_or(add_eos), vocabulary.special.eos));
}

/// As a .model file, whose reader checks the rest.
std::string sentencepiece_bytes(const GgmlVocabulary& vocabulary) {
  const auto count = vocabulary.tokens.size();
  bool bytes = false;
  WireWriter file;
  for (std::size_t i = 0; i < count; ++i) {
    std::int32_t type = vocabulary.types.empty() ? GgmlVocabulary::kNormal : vocabulary.types[i];
    if (type == GgmlVocabulary::kUndefined) type = GgmlVocabulary::kNormal;
    bytes = bytes || type == GgmlVocabulary::kByte;
    WireWriter piece;
    piece.bytes(1, vocabulary.tokens[i]);
    piece.number(2, vocabulary.scores[i]);
    piece.varint(3, static_cast<std::uint64_t>(type));
    file.bytes(1, piece.text());
  }
  WireWriter trainer;
  const bool unigram = vocabulary.model == "t5";
  trainer.varint(3, static_cast<std::uint64_t>(unigram ? SentencePieceModel::Kind::kUnigram
                                                       : SentencePieceModel::Kind::kBpe));
  trainer.varint(4, count);
  trainer.varint(35, bytes);
  struct Special {
    std::uint32_t id_field, piece_field;
    std::optional<TokenId> id;
  };
  const SpecialTokens& special = vocabulary.special;
  for (const Special& each : {Special{40, 45, special.unk}, Special{41, 46, special.bos},
                              Special{42, 47, special.eos}, Special{43, 48, special.pad}}) {
    // A negative number, in 64 bits, says that there is none.
    trainer.varint(each.id_field, static_cast<std::uint64_t>(std::int64_t{each.id.value_or(-1)}));
    if (each.id) {
      trainer.bytes(each.piece_field, vocabulary.tokens[static_cast<std::size_t>(*each.id)]);
    }
  }
  file.bytes(2, trainer.text());
  WireWriter normalizer;
  normalizer.bytes(1, vocabulary.charsmap.empty() ? "identity" : "user_defined");
  if (!vocabulary.charsmap.empty()) normalizer.bytes(2, vocabulary.charsmap);
  normalizer.varint(3, vocabulary.add_space_prefix.value_or(true));
  normalizer.varint(4, vocabulary.remove_extra_whitespaces);
  normalizer.varint(5, 1);
  file.bytes(3, normalizer.text());
  return file.text();
}

Json split(const std::string& regex) {
  return {{"type", "Split"},
          {"pattern", {{"Regex", regex}}},
          {"behavior", "Isolated"},
          {"invert", false}};
}

Json byte_level(bool use_regex) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", false},
          {"trim_offsets", true},
          {"use_regex", use_regex}};
}

Json pre_tokenizer_json(Rule rule) {
  Json steps = Json::array();
  switch (rule) {
    case Rule::kGpt2:
      return byte_level(true);
    case Rule::kDigits:
      steps = {{{"type", "Digits"}, {"individual_digits", true}}, byte_level(true)};
      break;
    case Rule::kLlama3:
      steps = {split(kLlama3Expression), byte_level(false)};
      break;
    case Rule::kQwen2:
      steps = {split(kQwen2Expression), byte_level(false)};
      break;
    case Rule::kDefault:
      steps = {split(R"([\p{P}\$\+<=>\^~\|]+)"), split(kGpt2Expression), split(R"(\p{N}+)"),
               split("[0-9][0-9][0-9]"), byte_level(false)};
      break;
  }
  return {{"type", "Sequence"}, {"pretokenizers", std::move(steps)}};
}

std::string pre_names() {
  return "gpt-2, llama-bpe, qwen2, smollm, dbrx, default";
}

Json tokenizer_json_of(const GgmlVocabulary& vocabulary, const GgmlPreTokenizer& pre) {
  Json vocab = Json::object();
  Json added = Json::array();
  auto& members = vocab.get_ref<Json::object_t&>();
  members.reserve(vocabulary.tokens.size());
  for (std::size_t i = 0; i < vocabulary.tokens.size(); ++i) {
    const std::string& token = vocabulary.tokens[i];
    const std::int32_t type =
        vocabulary.types.empty() ? GgmlVocabulary::kNormal : vocabulary.types[i];
    if (type == GgmlVocabulary::kUnused || token.empty()) continue;  // fills up the embeddings
    // The tokens are known to be unique: no search for each.
    members.emplace_back(token, Json(i));
    if (type != GgmlVocabulary::kControl && type != GgmlVocabulary::kUserDefined) continue;
    added.push_back({{"id", i},
                     {"content", token},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", type == GgmlVocabulary::kControl}});
  }
  const SpecialTemplate layout = layout_of(vocabulary, pre.add_bos, false);
  Json post =
      layout.to_json([&](TokenId id) { return vocabulary.tokens[static_cast<std::size_t>(id)]; });
  // Qwen's tokenizers normalise, which a GGUF file does not say.
  Json normalizer = pre.rule == Rule::kQwen2 ? Json{{"type", "NFC"}} : Json();
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", std::move(added)},
          {"normalizer", std::move(normalizer)},
          {"pre_tokenizer", pre_tokenizer_json(pre.rule)},
          {"post_processor", std::move(post)},
          {"decoder", byte_level(true)},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", nullptr},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", false},
            {"byte_fallback", false},
            {"ignore_merges", pre.ignore_merges},
            {"vocab", std::move(vocab)},
            {"merges", vocabulary.merges}}}};
}

/// What all kinds need before their parts are looked up by id.
void check(const GgmlVocabulary& vocabulary, const std::string& source) {
  const auto place = [&](const char* key) {
    return concat(source, ": tokenizer.ggml.", key, ": ");
  };
  const std::size_t count = vocabulary.tokens.size();
  require(count > 0, ErrorCode::kData, place("tokens"), "missing or empty");
  std::unordered_set<std::string_view> seen;
  seen.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string& token = vocabulary.tokens[i];
    require(!find_invalid_utf8(token), ErrorCode::kData, place("tokens"), "token ", i,
            " is not UTF-8");
    require(token.empty() || seen.insert(token).second, ErrorCode::kData, place("tokens"), "\"",
            token, "\" is there twice");
  }
  require(vocabulary.types.empty() || vocabulary.types.size() == count, ErrorCode::kData,
          place("token_type"), vocabulary.types.size(), " types of ", count, " tokens");
  for (const std::int32_t type : vocabulary.types) {
    require(type >= 0 && type <= GgmlVocabulary::kByte, ErrorCode::kData, place("token_type"),
            "unknown type ", type);
  }
  for (const auto& [key, id] : special_token_keys(vocabulary.special)) {
    require(!*id || (**id >= 0 && static_cast<std::size_t>(**id) < count), ErrorCode::kData, source,
            ": the id ", id->value_or(0), " of ", key, " is beyond the ", count, " tokens");
  }
}

}  // namespace

std::shared_ptr<const Tokenizer> make_tokenizer(const GgmlVocabulary& vocabulary,
                                                const std::string& source) {
  check(vocabulary, source);
  if (vocabulary.model == "llama" || vocabulary.model == "t5") {
    require(vocabulary.scores.size() == vocabulary.tokens.size(), ErrorCode::kData, source,
            ": tokenizer.ggml.scores: ", vocabulary.scores.size(), " scores of ",
            vocabulary.tokens.size(), " tokens");
    const bool unigram = vocabulary.model == "t5";
    SpecialTemplate layout = layout_of(vocabulary, !unigram, unigram);
    return std::make_shared<SentencePieceTokenizer>(
        parse_sentencepiece_model(sentencepiece_bytes(vocabulary), source), source,
        config_of(vocabulary), std::move(layout));
  }
  require(vocabulary.model == "gpt2", ErrorCode::kData, source, ": tokenizer.ggml.model \"",
          vocabulary.model, "\" is not supported, expected llama, t5 or gpt2");
  const GgmlPreTokenizer* const pre =
      find_ggml_pre_tokenizer(vocabulary.pre.empty() ? "default" : vocabulary.pre);
  require(pre != nullptr, ErrorCode::kData, source, ": tokenizer.ggml.pre \"", vocabulary.pre,
          "\" is not supported, expected ", pre_names());
  return std::make_shared<HuggingFaceTokenizer>(
      TokenizerFiles{tokenizer_json_of(vocabulary, *pre), config_of(vocabulary), source});
}

}  // namespace llmctl
