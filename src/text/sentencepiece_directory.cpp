// A directory's SentencePiece tokenizer: the model and what the files beside it say.
#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "text/huggingface/huggingface_tokenizer.h"
#include "text/sentencepiece_tokenizer.h"
#include "text/tokenizer_json.h"

namespace llmctl {
namespace {

/// Classes that take the model's ids as they are; others extend them (T5), shift them (XLM-RoBERTa)
/// or change the text first (ALBERT): with a tokenizer.json beside the model, that says how.
constexpr std::array kPlainClasses = {"PreTrainedTokenizerFast", "PreTrainedTokenizer",
                                      "TokenizersBackend", "LlamaTokenizer", "LlamaTokenizerFast"};

std::optional<std::size_t> find_piece(const SentencePieceModel& model, std::string_view text) {
  for (std::size_t i = 0; i < model.pieces.size(); ++i) {
    if (model.pieces[i].text == text) return i;
  }
  return std::nullopt;
}

std::string class_of(const Json& config, const std::string& source) {
  if (!config.is_object() || !config.contains("tokenizer_class")) return "";
  const Json& name = config["tokenizer_class"];
  if (name.is_null()) return "";
  if (!name.is_string()) fail(ErrorCode::kData, source, ": tokenizer_class: expected a string");
  return name.get<std::string>();
}

bool is_plain(const std::string& name) {
  return name.empty() ||
         std::find(kPlainClasses.begin(), kPlainClasses.end(), name) != kPlainClasses.end();
}

[[noreturn]] void refuse_class(const std::string& name, const std::string& source) {
  fail(ErrorCode::kData, source, ": tokenizer_class \"", name,
       "\" is not supported with a SentencePiece model alone, only T5Tokenizer, ",
       join(kPlainClasses), "; a tokenizer.json beside it would say what it does");
}

/// T5's models begin so (Raffel et al., 2020).
bool is_t5(const SentencePieceModel& model, const std::string& class_name) {
  if (class_name == "T5Tokenizer" || class_name == "T5TokenizerFast") return true;
  return class_name.empty() && model.pieces.size() > 3 && model.pieces[0].text == "<pad>" &&
         model.pieces[1].text == "</s>" && model.pieces[2].text == "<unk>";
}

/// The pieces, then <extra_id_99> down to <extra_id_0>; </s> behind every sequence.
std::shared_ptr<const Tokenizer> make_t5(SentencePieceModel model, Json config,
                                         const std::string& source) {
  if (!config.is_object()) config = Json::object();
  const Json extra = config.value("extra_ids", Json(100));
  if (!extra.is_number_unsigned() || extra.get<std::uint64_t>() > 10'000) {
    fail(ErrorCode::kData, source, ": extra_ids of tokenizer_config.json: expected 0 to 10000");
  }
  for (auto i = extra.get<std::int64_t>(); i-- > 0;) {
    model.pieces.push_back(
        {concat("<extra_id_", i, ">"), 0, SentencePieceModel::PieceType::kControl});
  }
  for (const auto& [key, name] :
       {std::pair{"eos_token", "</s>"}, {"unk_token", "<unk>"}, {"pad_token", "<pad>"}}) {
    if (!config.contains(key)) config[key] = name;
  }
  SpecialTokens special;
  special.unk = model.unknown;
  const auto eos = find_piece(model, "</s>");
  if (!eos) fail(ErrorCode::kData, source, ": no piece \"</s>\", which T5Tokenizer needs");
  special.eos = static_cast<TokenId>(*eos);
  TokenizerFiles files;
  files.tokenizer = tokenizer_json(model, special, SpecialTemplate::for_tokens(special));
  files.config = std::move(config);
  files.place = source;
  return std::make_shared<HuggingFaceTokenizer>(std::move(files));
}

/// True where tokenizer.json has tokens beyond the model's.
bool extends(const Json& json, const SentencePieceModel& model) {
  if (!json.is_object()) return false;
  const Json inner = json.value("model", Json());
  if (inner.is_object() && inner.value("vocab", Json()).size() > model.pieces.size()) return true;
  const Json added = json.value("added_tokens", Json());
  return added.is_array() && std::any_of(added.begin(), added.end(), [&](const Json& token) {
           const Json id = token.is_object() ? token.value("id", Json()) : Json();
           return id.is_number_unsigned() && id.get<std::uint64_t>() >= model.pieces.size();
         });
}

/// The token at `id` must be the model's piece.
void check_token(const SentencePieceModel& model, const Json& id, const std::string& text,
                 const std::string& place) {
  if (!id.is_number_integer() || id < 0) fail(ErrorCode::kData, place, ": expected an id");
  const auto index = id.get<std::uint64_t>();
  if (index >= model.pieces.size()) {
    fail(ErrorCode::kData, place, ": \"", text, "\" has the id ", index, ", beyond the model's ",
         model.pieces.size(), " pieces; tokens added to a SentencePiece model are not supported");
  }
  if (model.pieces[index].text != text) {
    fail(ErrorCode::kData, place, ": \"", text, "\" has the id ", index,
         ", which the model gives \"", model.pieces[index].text, "\"");
  }
}

void check_vocabulary(const SentencePieceModel& model, const Json& json,
                      const std::string& source) {
  const auto member = [&](const Json& object, const char* name) -> const Json& {
    if (!object.is_object() || !object.contains(name)) {
      fail(ErrorCode::kData, source, ": missing \"", name, "\"");
    }
    return object[name];
  };
  const Json& vocab = member(member(json, "model"), "vocab");
  const std::string place = source + ": model.vocab";
  if (vocab.size() != model.pieces.size()) {
    fail(ErrorCode::kData, place, ": ", vocab.size(), " tokens, but the model beside it has ",
         model.pieces.size(), " pieces");
  }
  if (vocab.is_object()) {
    for (const auto& [text, id] : vocab.items()) check_token(model, id, text, place);
  } else if (vocab.is_array()) {
    for (std::size_t i = 0; i < vocab.size(); ++i) {
      if (!vocab[i].is_array() || vocab[i].empty() || !vocab[i][0].is_string()) {
        fail(ErrorCode::kData, place, "[", i, "]: expected a token and its score");
      }
      check_token(model, i, vocab[i][0].get<std::string>(), place);
    }
  } else {
    fail(ErrorCode::kData, place, ": expected an object or a list");
  }
  if (!json.contains("added_tokens")) return;
  for (const Json& token : json["added_tokens"]) {
    const Json& content = member(token, "content");
    if (!content.is_string()) {
      fail(ErrorCode::kData, source, ": added_tokens: content: expected a string");
    }
    check_token(model, member(token, "id"), content.get<std::string>(), source + ": added_tokens");
  }
}

/// What add_bos_token and add_eos_token of a LlamaTokenizer ask for, if they are there.
std::optional<SpecialTemplate> layout_of_config(const Json& config, const SentencePieceModel& model,
                                                const std::string& source) {
  if (!config.is_object()) return std::nullopt;
  if (!config.contains("add_bos_token") && !config.contains("add_eos_token")) return std::nullopt;
  const auto token = [&](const char* flag, bool otherwise,
                         const std::string& piece) -> std::optional<TokenId> {
    const Json value = config.value(flag, Json(otherwise));
    if (!value.is_boolean()) fail(ErrorCode::kData, source, ": ", flag, ": expected true or false");
    const auto id = find_piece(model, piece);
    if (!value.get<bool>() || !id) return std::nullopt;
    return static_cast<TokenId>(*id);
  };
  return SpecialTemplate::around(token("add_bos_token", true, model.bos_piece),
                                 token("add_eos_token", false, model.eos_piece));
}

}  // namespace

std::shared_ptr<const Tokenizer> load_sentencepiece_directory(
    const std::filesystem::path& directory, const std::string& model_file) {
  const std::filesystem::path model_path = directory / model_file;
  SentencePieceModel model = load_sentencepiece_model(model_path);

  const std::filesystem::path config_path = directory / "tokenizer_config.json";
  Json config;
  std::optional<SpecialTemplate> layout;
  if (std::filesystem::exists(config_path)) {
    config = load_json(config_path);
    if (!config.is_object()) {
      fail(ErrorCode::kData, config_path.string(), ": expected an object");
    }
  }
  keep_chat_template(directory, config);
  const std::filesystem::path json_path = directory / "tokenizer.json";
  const Json json = std::filesystem::exists(json_path) ? load_json(json_path) : Json();
  const std::string class_name = class_of(config, config_path.string());
  if (json.is_object() && (!is_plain(class_name) || extends(json, model))) {
    return load_huggingface_directory(directory, "tokenizer.json");
  }
  if (json.is_null() && is_t5(model, class_name)) {
    return make_t5(std::move(model), std::move(config), model_path.string());
  }
  if (!is_plain(class_name)) refuse_class(class_name, config_path.string());
  layout = layout_of_config(config, model, config_path.string());
  const std::filesystem::path added_path = directory / "added_tokens.json";
  if (std::filesystem::exists(added_path)) {
    const Json added = load_json(added_path);
    for (const auto& [text, id] : added.items()) {
      check_token(model, id, text, added_path.string());
    }
  }
  if (!json.is_null()) {
    check_vocabulary(model, json, json_path.string());
    const Json post_processor = json.value("post_processor", Json());
    layout = SpecialTemplate::from_json(
        post_processor,
        [&](std::string_view text) -> std::optional<TokenId> {
          const auto id = find_piece(model, text);
          if (!id) return std::nullopt;
          return static_cast<TokenId>(*id);
        },
        json_path.string() + ": post_processor");
  }
  return std::make_shared<SentencePieceTokenizer>(std::move(model), model_path.string(),
                                                  std::move(config), std::move(layout));
}

}  // namespace llmctl
