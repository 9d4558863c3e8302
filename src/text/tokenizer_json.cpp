#include "text/tokenizer_json.h"

#include <algorithm>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "base/files.h"
#include "base/strings.h"
#include "base/utf8.h"
#include "text/base64.h"
#include "text/huggingface/huggingface_tokenizer.h"
#include "text/regex.h"
#include "text/sentencepiece_tokenizer.h"
#include "text/space_mark.h"
#include "text/unicode.h"

namespace llmctl {
namespace {

using Kind = SentencePieceModel::Kind;
using PieceType = SentencePieceModel::PieceType;

constexpr const char* kChatTemplateFile = "chat_template.jinja";

Json replace(Json pattern, std::string_view content) {
  return {{"type", "Replace"}, {"pattern", std::move(pattern)}, {"content", content}};
}

Json metaspace(std::string_view replacement, std::string_view prepend, bool split) {
  return {{"type", "Metaspace"},
          {"replacement", replacement},
          {"prepend_scheme", prepend},
          {"split", split}};
}

/// Cuts what fits the regular expression out of the text.
Json isolate(const std::string& regex) {
  return {{"type", "Split"},
          {"pattern", {{"Regex", regex}}},
          {"behavior", "Isolated"},
          {"invert", false}};
}

/// null, the one component, or a Sequence under the key that the components' kind has.
Json sequence(const char* key, Json components) {
  if (components.empty()) return nullptr;
  if (components.size() == 1) return components[0];
  return {{"type", "Sequence"}, {key, std::move(components)}};
}

class Writer {
 public:
  Writer(const SentencePieceModel& model, const SpecialTokens& special)
      : model_(model), special_(special) {
    for (std::size_t i = 0; i < model.pieces.size(); ++i) {
      if (model.pieces[i].type == PieceType::kUser && !is_added(i)) {
        user_.push_back(model.pieces[i].text);
      }
    }
    // A regular expression takes the first alternative that fits, SentencePiece the longest.
    std::stable_sort(user_.begin(), user_.end(),
                     [](std::string_view a, std::string_view b) { return a.size() > b.size(); });
  }

  Json normalizer() const {
    Json list = Json::array();
    if (!model_.charsmap_bytes.empty()) {
      list.push_back({{"type", "Precompiled"},
                      {"precompiled_charsmap", encode_base64(model_.charsmap_bytes)}});
    }
    if (model_.remove_extra_whitespaces) {
      list.push_back(replace({{"Regex", "^ +| +$"}}, ""));
      list.push_back(replace({{"Regex", " {2,}"}}, " "));
    }
    list.push_back(replace({{"String", " "}}, kSpaceMark));
    return sequence("normalizers", std::move(list));
  }

  Json pre_tokenizer() const {
    Json list = Json::array();
    if (model_.add_dummy_prefix) {
      // Metaspace puts its sign before the first part of a text unless it is there already. With a
      // real space as the sign, which the normaliser has left none of, it always does; the second
      // turns it into the piece's spelling.
      list.push_back(metaspace(" ", "first", false));
      list.push_back(metaspace(kSpaceMark, "never", false));
    }
    if (!user_.empty()) {
      std::string pattern;
      for (const std::string_view symbol : user_) {
        if (!pattern.empty()) pattern += '|';
        pattern += escape_regex(symbol);
      }
      list.push_back(isolate(pattern));
    }
    if (model_.byte_fallback && (model_.kind == Kind::kUnigram || ignore_merges())) {
      // There a text that spells the name of a byte piece would be taken for it.
      list.push_back(isolate("<(?=0x[0-9A-F]{2}>)"));
    }
    if (model_.kind == Kind::kWord) list.push_back(metaspace(kSpaceMark, "never", true));
    return sequence("pretokenizers", std::move(list));
  }

  Json decoder() const {
    Json list = Json::array({replace({{"String", kSpaceMark}}, " ")});
    if (model_.byte_fallback) list.push_back({{"type", "ByteFallback"}});
    list.push_back({{"type", "Fuse"}});
    if (model_.add_dummy_prefix) {
      list.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
    }
    return sequence("decoders", std::move(list));
  }

  Json added_tokens() const {
    Json list = Json::array();
    for (std::size_t i = 0; i < model_.pieces.size(); ++i) {
      if (!is_added(i)) continue;
      list.push_back({{"id", i},
                      {"content", model_.pieces[i].text},
                      {"single_word", false},
                      {"lstrip", special_.mask == static_cast<TokenId>(i)},
                      {"rstrip", false},
                      {"normalized", false},
                      {"special", true}});
    }
    return list;
  }

  Json model() const {
    switch (model_.kind) {
      case Kind::kUnigram:
        return unigram();
      case Kind::kWord:
        return {{"type", "WordLevel"}, {"vocab", vocabulary()}, {"unk_token", unknown()}};
      case Kind::kBpe:
      case Kind::kChar:
        break;
    }
    return {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", unknown()},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", true},
            {"byte_fallback", model_.byte_fallback},
            {"ignore_merges", ignore_merges()},
            {"vocab", vocabulary()},
            {"merges", model_.kind == Kind::kBpe ? merges() : Json::array()}};
  }

 private:
  const std::string& unknown() const {
    return model_.pieces[static_cast<std::size_t>(model_.unknown)].text;
  }

  /// Whether a part of the text that is a piece is looked up whole: no merges lead to a
  /// user-defined piece of several characters.
  bool ignore_merges() const {
    return std::any_of(user_.begin(), user_.end(),
                       [](std::string_view text) { return count_code_points(text) > 1; });
  }

  /// Control pieces, the unknown one and whatever serves as a special token.
  bool is_added(std::size_t i) const {
    const PieceType type = model_.pieces[i].type;
    if (type == PieceType::kControl || type == PieceType::kUnknown) return true;
    const auto keys = special_token_keys(special_);
    return std::any_of(keys.begin(), keys.end(),
                       [&](const auto& entry) { return *entry.second == static_cast<TokenId>(i); });
  }

  Json vocabulary() const {
    Json vocab = Json::object();
    auto& object = vocab.get_ref<Json::object_t&>();
    object.reserve(model_.pieces.size());
    // The pieces are known to be unique: no search for each.
    for (std::size_t i = 0; i < model_.pieces.size(); ++i) {
      object.Container::emplace_back(model_.pieces[i].text, i);
    }
    return vocab;
  }

  /// Every way to put a piece together from two, the best pieces first: SentencePiece merges the
  /// pair whose piece has the highest score.
  Json merges() const {
    std::unordered_map<std::string_view, std::size_t> normal;
    for (std::size_t i = 0; i < model_.pieces.size(); ++i) {
      if (model_.pieces[i].type == PieceType::kNormal) normal.emplace(model_.pieces[i].text, i);
    }
    struct Merge {
      float score;
      std::size_t left, right;
    };
    std::vector<Merge> all;
    for (const auto& piece : model_.pieces) {
      if (piece.type != PieceType::kNormal) continue;
      const std::string_view text = piece.text;
      for (std::size_t cut = 0; next_code_point(text, cut), cut < text.size();) {
        const auto left = normal.find(text.substr(0, cut));
        if (left == normal.end()) continue;
        const auto right = normal.find(text.substr(cut));
        if (right != normal.end()) all.push_back({piece.score, left->second, right->second});
      }
    }
    std::sort(all.begin(), all.end(), [](const Merge& a, const Merge& b) {
      return std::tie(b.score, a.left, a.right) < std::tie(a.score, b.left, b.right);
    });
    Json list = Json::array();
    for (const Merge& merge : all) {
      list.push_back(model_.pieces[merge.left].text + " " + model_.pieces[merge.right].text);
    }
    return list;
  }

  Json unigram() const {
    Json vocab = Json::array();
    for (const auto& piece : model_.pieces) vocab.push_back({piece.text, piece.score});
    return {{"type", "Unigram"},
            {"unk_id", model_.unknown},
            {"vocab", std::move(vocab)},
            {"byte_fallback", model_.byte_fallback}};
  }

  const SentencePieceModel& model_;
  const SpecialTokens& special_;
  std::vector<std::string_view> user_;
};

}  // namespace

Json tokenizer_json(const SentencePieceModel& model, const SpecialTokens& special,
                    const SpecialTemplate& layout) {
  const Writer writer(model, special);
  const auto piece = [&](TokenId id) { return model.pieces[static_cast<std::size_t>(id)].text; };
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", writer.added_tokens()},
          {"normalizer", writer.normalizer()},
          {"pre_tokenizer", writer.pre_tokenizer()},
          {"post_processor", layout.to_json(piece)},
          {"decoder", writer.decoder()},
          {"model", writer.model()}};
}

Json tokenizer_config_json(const Tokenizer& tokenizer, const Json& config,
                           std::int64_t model_max_length) {
  Json result = {{"tokenizer_class", "PreTrainedTokenizerFast"}};
  const SpecialTokens& special = tokenizer.special();
  for (const auto& [key, id] : special_token_keys(special)) {
    if (*id) result[key] = tokenizer.piece(**id);
  }
  if (model_max_length > 0) result["model_max_length"] = model_max_length;
  const auto kept = [&](const char* key, Json otherwise) {
    result[key] = config.is_object() && config.contains(key) ? config[key] : std::move(otherwise);
  };
  kept("clean_up_tokenization_spaces", false);
  kept("padding_side", "right");
  kept("model_input_names", special.cls ? Json{"input_ids", "token_type_ids", "attention_mask"}
                                        : Json{"input_ids", "attention_mask"});
  if (!config.is_object()) return result;
  // What tokenizer.json now says itself.
  const std::vector<std::string> ours = {"added_tokens_decoder", "add_bos_token", "add_eos_token",
                                         "add_prefix_space",     "legacy",        "sp_model_kwargs",
                                         "tokenizer_file",       "name_or_path",  "auto_map",
                                         "model_max_length",     "backend"};
  for (const auto& [key, value] : config.items()) {
    if (result.contains(key) || std::find(ours.begin(), ours.end(), key) != ours.end()) continue;
    result[key] = value;
  }
  return result;
}

Json special_tokens_map_json(const Tokenizer& tokenizer) {
  Json result = Json::object();
  const SpecialTokens& special = tokenizer.special();
  for (const auto& [key, id] : special_token_keys(special)) {
    if (*id) result[key] = tokenizer.piece(**id);
  }
  return result;
}

void keep_chat_template(const std::filesystem::path& directory, Json& config) {
  const std::filesystem::path path = directory / kChatTemplateFile;
  if (!std::filesystem::exists(path)) return;
  if (!config.is_object()) config = Json::object();
  config["chat_template"] = read_file(path, 1u << 20);
}

void write_tokenizer_config(const std::filesystem::path& directory, const Json& config) {
  write_file(directory / "tokenizer_config.json", dump_json(config, 2) + "\n");
  if (config.contains("chat_template") && config["chat_template"].is_string()) {
    write_file(directory / kChatTemplateFile, config["chat_template"].get<std::string>());
  }
}

namespace {

void set_in_tokenizer_config(const std::filesystem::path& directory, const char* key,
                             const std::string& value) {
  const std::filesystem::path path = directory / "tokenizer_config.json";
  Json config = std::filesystem::exists(path) ? load_json(path) : Json(Json::object());
  config[key] = value;
  write_tokenizer_config(directory, config);
}

}  // namespace

void replace_chat_template(const std::filesystem::path& directory, const std::string& source) {
  std::filesystem::remove_all(directory / "additional_chat_templates");
  set_in_tokenizer_config(directory, "chat_template", source);
}

Json tokenizer_config_of(const Tokenizer& tokenizer) {
  if (const auto* pieces = dynamic_cast<const SentencePieceTokenizer*>(&tokenizer)) {
    return pieces->config();
  }
  const auto* tokens = dynamic_cast<const HuggingFaceTokenizer*>(&tokenizer);
  return tokens ? tokens->files().config : Json();
}

std::optional<TruncationSide> stored_truncation_side(const Tokenizer& tokenizer) {
  Json side;
  std::string place;
  const Json config = tokenizer_config_of(tokenizer);
  if (config.is_object() && config.contains("truncation_side")) {
    side = config["truncation_side"];
    place = "tokenizer_config.json: truncation_side";
  } else if (const auto* tokens = dynamic_cast<const HuggingFaceTokenizer*>(&tokenizer)) {
    const Json::json_pointer direction("/truncation/direction");
    const Json& files = tokens->files().tokenizer;
    if (files.contains(direction)) side = files[direction];
    place = "tokenizer.json: truncation.direction";
  }
  if (side.is_null()) return std::nullopt;
  const std::string name = side.is_string() ? to_lower(side.get<std::string>()) : "";
  require(name == "left" || name == "right", ErrorCode::kData, place,
          ": expected left or right, got ", dump_json(side));
  return truncation_side_of(name);
}

void replace_truncation_side(const std::filesystem::path& directory, TruncationSide side) {
  set_in_tokenizer_config(directory, "truncation_side", truncation_side_name(side));
}

std::optional<std::string> special_token_name(const Json& config, const char* key,
                                              const std::string& source) {
  if (!config.contains(key) || config[key].is_null()) return std::nullopt;
  const Json& value = config[key];
  if (value.is_string()) return value.get<std::string>();
  if (value.is_object() && value.contains("content") && value["content"].is_string()) {
    return value["content"].get<std::string>();
  }
  fail(ErrorCode::kData, source, ": ", key, ": expected a string or an object with \"content\"");
}

}  // namespace llmctl
