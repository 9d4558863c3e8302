// A directory's SentencePiece tokenizer: the model and what the files beside it say.
#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/files.h"
#include "text/sentencepiece_tokenizer.h"

namespace llmctl {
namespace {

/// Classes that take the model's ids as they are; others shift or extend them (T5, XLM-RoBERTa) or
/// change the text first (ALBERT).
constexpr std::array kPlainClasses = {"PreTrainedTokenizerFast", "PreTrainedTokenizer",
                                      "TokenizersBackend", "LlamaTokenizer", "LlamaTokenizerFast"};

void check_class(const Json& config, const std::string& source) {
  if (!config.contains("tokenizer_class") || config["tokenizer_class"].is_null()) return;
  const Json& name = config["tokenizer_class"];
  if (!name.is_string()) fail(ErrorCode::kData, source, ": tokenizer_class: expected a string");
  if (std::find(kPlainClasses.begin(), kPlainClasses.end(), name.get<std::string>()) !=
      kPlainClasses.end()) {
    return;
  }
  std::string known;
  for (const char* plain : kPlainClasses) known += concat(known.empty() ? "" : ", ", plain);
  fail(ErrorCode::kData, source, ": tokenizer_class \"", name.get<std::string>(),
       "\" is not supported with a SentencePiece model, only ", known);
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

std::optional<std::size_t> find_piece(const SentencePieceModel& model, std::string_view text) {
  for (std::size_t i = 0; i < model.pieces.size(); ++i) {
    if (model.pieces[i].text == text) return i;
  }
  return std::nullopt;
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
    check_class(config, config_path.string());
    layout = layout_of_config(config, model, config_path.string());
  }
  const std::filesystem::path added_path = directory / "added_tokens.json";
  if (std::filesystem::exists(added_path)) {
    const Json added = load_json(added_path);
    for (const auto& [text, id] : added.items()) {
      check_token(model, id, text, added_path.string());
    }
  }
  const std::filesystem::path json_path = directory / "tokenizer.json";
  if (std::filesystem::exists(json_path)) {
    const Json json = load_json(json_path);
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
