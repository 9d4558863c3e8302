#include "text/ggml_vocabulary.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/utf8.h"
#include "text/huggingface/huggingface_tokenizer.h"
#include "text/huggingface/split_rules.h"
#include "text/sentencepiece_tokenizer.h"

namespace llmctl {
namespace {

using Kind = SentencePieceModel::Kind;
using PieceType = SentencePieceModel::PieceType;
using Rule = GgmlPreTokenizer::Rule;

/// The first of a rule is the one that is written.
constexpr std::array kPreTokenizers = {GgmlPreTokenizer{"gpt-2", Rule::kGpt2},
                                       GgmlPreTokenizer{"phi-2", Rule::kGpt2},
                                       GgmlPreTokenizer{"mpt", Rule::kGpt2},
                                       GgmlPreTokenizer{"olmo", Rule::kGpt2},
                                       GgmlPreTokenizer{"exaone4", Rule::kGpt2},
                                       GgmlPreTokenizer{"llama-bpe", Rule::kLlama3, true, true},
                                       GgmlPreTokenizer{"llama3", Rule::kLlama3, true, true},
                                       GgmlPreTokenizer{"llama-v3", Rule::kLlama3, true, true},
                                       GgmlPreTokenizer{"falcon3", Rule::kLlama3, true, true},
                                       GgmlPreTokenizer{"pixtral", Rule::kLlama3, true, true},
                                       GgmlPreTokenizer{"dbrx", Rule::kLlama3},
                                       GgmlPreTokenizer{"smaug-bpe", Rule::kLlama3},
                                       GgmlPreTokenizer{"qwen2", Rule::kQwen2},
                                       GgmlPreTokenizer{"deepseek-r1-qwen", Rule::kQwen2},
                                       GgmlPreTokenizer{"stablelm2", Rule::kQwen2},
                                       GgmlPreTokenizer{"megrez", Rule::kQwen2},
                                       GgmlPreTokenizer{"smollm", Rule::kDigits},
                                       GgmlPreTokenizer{"starcoder", Rule::kDigits},
                                       GgmlPreTokenizer{"refact", Rule::kDigits},
                                       GgmlPreTokenizer{"command-r", Rule::kDigits},
                                       GgmlPreTokenizer{"codeshell", Rule::kDigits},
                                       GgmlPreTokenizer{"default", Rule::kDefault}};

template <class... Parts>
[[noreturn]] void refuse(const Parts&... parts) {
  fail(ErrorCode::kData, "the tokenizer cannot be written as GGUF: ", parts...);
}

/// add_bos and add_eos from what stands around a text.
void put_layout(const SpecialTemplate& layout, GgmlVocabulary& out) {
  using Item = SpecialTemplate::Item;
  const auto& items = layout.single;
  const auto text = std::find_if(items.begin(), items.end(),
                                 [](const Item& item) { return item.kind == Item::Kind::kFirst; });
  const auto before = text - items.begin(), behind = items.end() - text - 1;
  const bool known = text != items.end() && before <= 1 && behind <= 1 &&
                     (before == 0 || out.special.bos == items.front().id) &&
                     (behind == 0 || out.special.eos == items.back().id);
  if (!known) {
    refuse("it puts other special tokens around a text than its beginning and end of a sequence");
  }
  out.add_bos = before == 1;
  out.add_eos = behind == 1;
}

bool is_single_character(std::string_view text) {
  std::size_t end = 0;
  next_code_point(text, end);
  return end == text.size();
}

/// A user-defined piece of one character that is in no other piece is what that character becomes,
/// of whatever type it is. llama.cpp would cut the text at one that is user-defined, and take what
/// follows for the beginning of a text.
bool stands_alone(const SentencePieceModel& model, std::size_t index) {
  const std::string& text = model.pieces[index].text;
  // Of a normal piece the normaliser may leave nothing.
  if (!is_single_character(text) || model.charsmap.longest_match(text)) return false;
  for (std::size_t i = 0; i < model.pieces.size(); ++i) {
    const auto& piece = model.pieces[i];
    const bool matched = piece.type == PieceType::kNormal || piece.type == PieceType::kUser ||
                         piece.type == PieceType::kUnused;
    if (i != index && matched && piece.text.find(text) != std::string::npos) return false;
  }
  return true;
}

GgmlVocabulary of_sentencepiece(const SentencePieceTokenizer& tokenizer,
                                std::vector<std::string>& notes) {
  const SentencePieceModel& model = tokenizer.model();
  const bool bpe = model.kind == Kind::kBpe;
  if (!bpe && model.kind != Kind::kUnigram) {
    refuse("llama.cpp has no SentencePiece models of type ", kind_name(model.kind),
           "; train one of type bpe");
  }
  GgmlVocabulary out;
  out.model = bpe ? "llama" : "t5";
  if (bpe && !model.byte_fallback) {
    refuse(
        "llama.cpp needs byte pieces in a model of type bpe, for characters without a piece; "
        "train it with byte_fallback");
  }
  if (!bpe && model.byte_fallback) {
    refuse(
        "llama.cpp makes unknown tokens of characters without a piece in a model of type "
        "unigram, where this one spells their bytes; train it without byte_fallback, or of type "
        "bpe");
  }
  if (bpe && !model.charsmap_bytes.empty()) {
    refuse("it normalises texts (", model.normalizer_name,
           "), which llama.cpp does not do in models of type bpe");
  }
  if (bpe && model.remove_extra_whitespaces) {
    refuse("it removes extra white space, which llama.cpp does not do in models of type bpe");
  }
  out.add_space_prefix = model.add_dummy_prefix;
  out.remove_extra_whitespaces = model.remove_extra_whitespaces;
  if (!bpe) out.charsmap = model.charsmap_bytes;
  float highest = 0;
  bool any = false;
  for (const auto& piece : model.pieces) {
    if (piece.type != PieceType::kNormal) continue;
    highest = any ? std::max(highest, piece.score) : piece.score;
    any = true;
  }
  for (std::size_t i = 0; i < model.pieces.size(); ++i) {
    const auto& piece = model.pieces[i];
    PieceType type = piece.type;
    float score = piece.score;
    if (type == PieceType::kUser && stands_alone(model, i)) {
      type = PieceType::kNormal;
      score = highest;  // the lowest one counts for unknown characters
    } else if (type == PieceType::kUser && (model.add_dummy_prefix || !bpe)) {
      refuse("llama.cpp takes what stands behind the user-defined piece ", dump_json(piece.text),
             " for the beginning of a text; train without user_symbols, or with add_dummy_prefix "
             "false");
    }
    out.tokens.push_back(piece.text);
    out.scores.push_back(score);
    out.types.push_back(static_cast<std::int32_t>(type));
  }
  out.special = tokenizer.special();
  put_layout(tokenizer.layout(), out);
  const bool chat = tokenizer.config().is_object() && tokenizer.config().contains("chat_template");
  if (chat && model.add_dummy_prefix) {
    notes.emplace_back(
        "llama.cpp puts a space before the text behind each special token of a chat, as it does at "
        "the beginning of a text; models trained here see none there");
  }
  return out;
}

/// A member of an object, or null.
const Json& member(const Json& json, const char* key) {
  static const Json kNull;
  if (!json.is_object()) return kNull;
  const auto found = json.find(key);
  return found == json.end() ? kNull : *found;
}

bool is_plain_byte_level(const Json& step, bool use_regex) {
  return member(step, "type") == "ByteLevel" && step.value("add_prefix_space", true) == false &&
         step.value("use_regex", true) == use_regex;
}

/// The rule of a tokenizer.json's pre_tokenizer.
std::optional<Rule> rule_of(const Json& pre) {
  if (is_plain_byte_level(pre, true)) return Rule::kGpt2;
  const Json& steps = member(pre, "pretokenizers");
  if (member(pre, "type") != "Sequence" || !steps.is_array() || steps.size() != 2) {
    return std::nullopt;
  }
  const Json& first = steps[0];
  if (member(first, "type") == "Digits" && member(first, "individual_digits") == true &&
      is_plain_byte_level(steps[1], true)) {
    return Rule::kDigits;
  }
  const Json& regex = member(member(first, "pattern"), "Regex");
  if (member(first, "type") != "Split" || !regex.is_string() ||
      member(first, "behavior") != "Isolated" || member(first, "invert") == true ||
      !is_plain_byte_level(steps[1], false)) {
    return std::nullopt;
  }
  const auto rule = split_rule_of(regex.get_ref<const std::string&>());
  if (!rule) return std::nullopt;
  return *rule == SplitRule::kGpt2     ? Rule::kGpt2
         : *rule == SplitRule::kLlama3 ? Rule::kLlama3
                                       : Rule::kQwen2;
}

/// What cuts the text, as llama.cpp calls it.
std::string pre_of(const Json& json, bool ignore_merges) {
  const auto rule = rule_of(member(json, "pre_tokenizer"));
  if (!rule) {
    refuse(
        "llama.cpp has no name for its pre_tokenizer, expected the one of GPT-2, Llama 3, Qwen "
        "2 or SmolLM");
  }
  for (const GgmlPreTokenizer& pre : kPreTokenizers) {
    if (pre.rule == *rule && pre.ignore_merges == ignore_merges) return pre.name;
  }
  refuse("llama.cpp has no such pre_tokenizer with ignore_merges");
}

void check_normalizer(const Json& normalizer, std::vector<std::string>& notes) {
  if (normalizer.is_null()) return;
  if (member(normalizer, "type") != "NFC") {
    refuse("llama.cpp does not do its normalizer ", member(normalizer, "type").dump());
  }
  notes.emplace_back(
      "the tokenizer normalises texts to Unicode's NFC, which llama.cpp does not do: texts that "
      "are "
      "not in NFC (rare) become other tokens there");
}

GgmlVocabulary of_huggingface(const HuggingFaceTokenizer& tokenizer,
                              std::vector<std::string>& notes) {
  const Json& json = tokenizer.files().tokenizer;
  const Json& model = member(json, "model");
  if (!tokenizer.is_byte_level()) {
    const bool fallback = member(model, "byte_fallback") == true;
    refuse("llama.cpp's decoders have no ", tokenizer.description(), " tokenizers",
           fallback ? "; put the SentencePiece model that it was made of (tokenizer.model) beside "
                      "tokenizer.json"
                    : "");
  }
  check_normalizer(member(json, "normalizer"), notes);
  GgmlVocabulary out;
  out.model = "gpt2";
  out.pre = pre_of(json, member(model, "ignore_merges") == true);
  const auto size = static_cast<std::size_t>(tokenizer.vocab_size());
  out.types.assign(size, GgmlVocabulary::kNormal);
  for (std::size_t i = 0; i < size; ++i) {
    std::string name = tokenizer.piece(static_cast<TokenId>(i));
    if (name.empty()) {
      name = concat("[PAD", i, "]");
      out.types[i] = GgmlVocabulary::kUnused;
    }
    out.tokens.push_back(std::move(name));
  }
  for (const AddedToken& token : tokenizer.added_tokens()) {
    out.types[static_cast<std::size_t>(token.id)] =
        token.special ? GgmlVocabulary::kControl : GgmlVocabulary::kUserDefined;
    if (!token.special && (token.single_word || token.lstrip || token.rstrip)) {
      refuse("llama.cpp has no single_word, lstrip or rstrip, which its token ",
             dump_json(token.content), " asks for");
    }
  }
  for (const Json& merge : member(model, "merges")) {
    out.merges.push_back(
        merge.is_string() ? merge.get<std::string>()
                          : concat(merge[0].get<std::string>(), " ", merge[1].get<std::string>()));
  }
  out.special = tokenizer.special();
  put_layout(tokenizer.layout(), out);
  return out;
}

}  // namespace

const GgmlPreTokenizer* find_ggml_pre_tokenizer(std::string_view name) {
  const auto found = std::find_if(kPreTokenizers.begin(), kPreTokenizers.end(),
                                  [&](const GgmlPreTokenizer& pre) { return pre.name == name; });
  return found == kPreTokenizers.end() ? nullptr : &*found;
}

GgmlVocabulary ggml_vocabulary(const Tokenizer& tokenizer, std::vector<std::string>& notes) {
  if (const auto* pieces = dynamic_cast<const SentencePieceTokenizer*>(&tokenizer)) {
    return of_sentencepiece(*pieces, notes);
  }
  if (const auto* tokens = dynamic_cast<const HuggingFaceTokenizer*>(&tokenizer)) {
    return of_huggingface(*tokens, notes);
  }
  refuse("llama.cpp has no ", tokenizer.description(), " tokenizers");
}

}  // namespace llmctl
