#include "text/huggingface/classic_files.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "text/huggingface/json_access.h"
#include "text/huggingface/split_rules.h"
#include "text/special_template.h"
#include "text/tokenizer_json.h"

namespace llmctl {
namespace {

std::string tokenizer_class(const std::filesystem::path& directory, const Json& config) {
  if (!config.is_object() || !config.contains("tokenizer_class")) return "";
  const Json& name = config["tokenizer_class"];
  if (name.is_null()) return "";
  if (!name.is_string()) {
    fail(ErrorCode::kData, directory / "tokenizer_config.json",
         ": tokenizer_class: expected a string");
  }
  std::string text = name.get<std::string>();
  if (text.ends_with("Fast")) text.resize(text.size() - 4);
  return text == "PreTrainedTokenizer" || text == "TokenizersBackend" ? "" : text;
}

template <std::size_t n>
void check_class(const std::filesystem::path& directory, const std::string& name,
                 const std::array<const char*, n>& known, const char* file) {
  if (name.empty() || std::find(known.begin(), known.end(), name) != known.end()) return;
  fail(ErrorCode::kData, directory / "tokenizer_config.json", ": tokenizer_class \"", name,
       "\" is not supported with ", file, " alone, only ", join(known),
       "; a tokenizer.json beside it would say what it does");
}

/// The special tokens, found in the vocabulary, as "added_tokens", and those that the files add.
class AddedList {
 public:
  AddedList(const std::filesystem::path& directory, const Json& config, const Json& vocab)
      : directory_(directory), config_(config) {
    for (const auto& [name, id] : vocab.items()) ids_.emplace(name, id.get<std::int64_t>());
  }

  std::optional<std::int64_t> id(const std::string& name) const {
    const auto found = ids_.find(name);
    return found == ids_.end() ? std::nullopt : std::optional(found->second);
  }

  /// The token that the configuration, or `otherwise`, gives for a key; its id, if it has one.
  std::optional<std::int64_t> special(const char* key, const std::string& otherwise) {
    const std::string source = (directory_ / "tokenizer_config.json").string();
    std::string name = otherwise;
    bool lstrip = false;
    if (config_.is_object() && config_.contains(key)) {
      const auto given = special_token_name(config_, key, source);
      if (!given) return std::nullopt;
      name = *given;
      lstrip = config_[key].is_object() && config_[key].value("lstrip", Json(false)) == true;
    }
    const auto known = id(name);
    if (known) put(name, *known, {.special = true, .lstrip = lstrip});
    return known;
  }

  void read_files() {
    if (config_.is_object() && config_.contains("added_tokens_decoder")) {
      const JsonAccess list(config_["added_tokens_decoder"],
                            (directory_ / "tokenizer_config.json").string(),
                            "added_tokens_decoder");
      if (!list.json().is_object()) list.fail("expected an object");
      for (const auto& [id, entry] : list.json().items()) {
        const JsonAccess token = list[id.c_str()];
        const bool digits =
            !id.empty() && id.size() < 9 && id.find_first_not_of("0123456789") == id.npos;
        if (!digits) token.fail("expected an id");
        put(token["content"].string(), std::stoll(id),
            {.special = token.boolean_or("special", false),
             .lstrip = token.boolean_or("lstrip", false),
             .rstrip = token.boolean_or("rstrip", false),
             .single_word = token.boolean_or("single_word", false),
             .normalized = token.boolean_or("normalized", false)});
      }
    }
    const std::filesystem::path path = directory_ / "added_tokens.json";
    if (!std::filesystem::exists(path)) return;
    const Json added = load_json(path);
    if (!added.is_object()) fail(ErrorCode::kData, path, ": expected an object");
    for (const auto& [name, id] : added.items()) {
      if (!id.is_number_unsigned())
        fail(ErrorCode::kData, path, ": \"", name, "\": expected an id");
      put(name, id.get<std::int64_t>(), {});
    }
  }

  Json take() {
    std::stable_sort(tokens_.begin(), tokens_.end(), [](const Json& a, const Json& b) {
      return a["id"].get<std::int64_t>() < b["id"].get<std::int64_t>();
    });
    return tokens_;
  }

 private:
  struct Flags {
    bool special = false, lstrip = false, rstrip = false, single_word = false, normalized = false;
  };

  void put(const std::string& name, std::int64_t id, const Flags& flags) {
    for (const Json& token : tokens_) {
      if (token["content"] == name) return;  // what was said first holds
    }
    tokens_.push_back({{"id", id},
                       {"content", name},
                       {"single_word", flags.single_word},
                       {"lstrip", flags.lstrip},
                       {"rstrip", flags.rstrip},
                       {"normalized", flags.normalized},
                       {"special", flags.special}});
    ids_.emplace(name, id);
  }

  const std::filesystem::path& directory_;
  const Json& config_;
  std::unordered_map<std::string, std::int64_t> ids_;
  Json tokens_ = Json::array();
};

constexpr std::array kWordPieceClasses = {"BertTokenizer",      "DistilBertTokenizer",
                                          "ElectraTokenizer",   "MobileBertTokenizer",
                                          "RetriBertTokenizer", "SqueezeBertTokenizer"};
constexpr std::array kByteLevelClasses = {"GPT2Tokenizer", "RobertaTokenizer", "BartTokenizer",
                                          "LongformerTokenizer", "Qwen2Tokenizer"};

/// Lines of a merges file, as pairs.
Json read_merges_file(const std::filesystem::path& path) {
  Json merges = Json::array();
  for_each_line(path, [&](std::uint64_t number, std::string_view line) {
    if (line.empty() || line.starts_with("#version")) return true;
    const std::size_t space = line.find(' ');
    if (space == line.npos || space == 0 || space + 1 == line.size()) {
      fail(ErrorCode::kData, path, ":", number, ": expected two tokens with a space between them");
    }
    merges.push_back({std::string(line.substr(0, space)), std::string(line.substr(space + 1))});
    return true;
  });
  return merges;
}

Json assembled(Json added, Json normalizer, Json pre_tokenizer, Json post_processor, Json decoder,
               Json model) {
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", std::move(added)},
          {"normalizer", std::move(normalizer)},
          {"pre_tokenizer", std::move(pre_tokenizer)},
          {"post_processor", std::move(post_processor)},
          {"decoder", std::move(decoder)},
          {"model", std::move(model)}};
}

Json byte_level(bool prefix, bool regex) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", prefix},
          {"trim_offsets", true},
          {"use_regex", regex}};
}

}  // namespace

Json wordpiece_tokenizer_json(const std::filesystem::path& directory, const Json& config) {
  check_class(directory, tokenizer_class(directory, config), kWordPieceClasses, "vocab.txt");
  const std::filesystem::path path = directory / "vocab.txt";
  std::vector<std::string> names;
  for_each_line(path, [&](std::uint64_t, std::string_view line) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    names.emplace_back(line);
    return true;
  });
  // Of a token that stands on two lines the last counts; the other's id is nobody's.
  std::unordered_map<std::string_view, std::size_t> last;
  for (std::size_t i = 0; i < names.size(); ++i) last[names[i]] = i;
  Json vocab = Json::object();
  auto& members = vocab.get_ref<Json::object_t&>();
  for (std::size_t i = 0; i < names.size(); ++i) {
    // operator[] would look through all of them.
    if (!names[i].empty() && last[names[i]] == i) members.emplace_back(names[i], Json(i));
  }
  if (vocab.empty()) fail(ErrorCode::kData, path, ": no tokens, expected one on each line");

  const Json nothing = Json::object();
  const JsonAccess options(config.is_object() ? config : nothing,
                           (directory / "tokenizer_config.json").string());
  const bool lower = options.boolean_or("do_lower_case", true);
  AddedList added(directory, config, vocab);
  added.special("pad_token", "[PAD]");
  const auto unk = added.special("unk_token", "[UNK]");
  const auto cls = added.special("cls_token", "[CLS]");
  const auto sep = added.special("sep_token", "[SEP]");
  added.special("mask_token", "[MASK]");
  added.read_files();
  if (!unk) fail(ErrorCode::kData, path, ": the unknown token is not in it");
  const auto name_of = [&](const char* key, const char* otherwise) {
    return config.is_object() && config.contains(key)
               ? special_token_name(config, key, options.place()).value_or(otherwise)
               : otherwise;
  };
  Json post;
  if (cls && sep) {
    const SpecialTemplate layout =
        SpecialTemplate::bert(static_cast<TokenId>(*cls), static_cast<TokenId>(*sep));
    post = layout.to_json([&](TokenId id) {
      return id == *cls ? name_of("cls_token", "[CLS]") : name_of("sep_token", "[SEP]");
    });
  }
  return assembled(
      added.take(),
      {{"type", "BertNormalizer"},
       {"clean_text", true},
       {"handle_chinese_chars", options.boolean_or("tokenize_chinese_chars", true)},
       {"strip_accents",
        options.has("strip_accents") ? Json(options["strip_accents"].boolean()) : Json()},
       {"lowercase", lower}},
      {{"type", "BertPreTokenizer"}}, std::move(post),
      {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}},
      {{"type", "WordPiece"},
       {"unk_token", name_of("unk_token", "[UNK]")},
       {"continuing_subword_prefix", "##"},
       {"max_input_chars_per_word", 100},
       {"vocab", std::move(vocab)}});
}

Json byte_level_tokenizer_json(const std::filesystem::path& directory, const Json& config) {
  std::string kind = tokenizer_class(directory, config);
  check_class(directory, kind, kByteLevelClasses, "vocab.json and merges.txt");
  Json vocab = load_json(directory / "vocab.json");
  if (!vocab.is_object()) fail(ErrorCode::kData, directory / "vocab.json", ": expected an object");
  for (const auto& [name, id] : vocab.items()) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() > (1u << 24)) {
      fail(ErrorCode::kData, directory / "vocab.json", ": \"", name, "\": expected an id");
    }
  }
  AddedList added(directory, config, vocab);
  if (kind.empty() && added.id("<s>") && added.id("</s>") && added.id("<mask>")) {
    kind = "RobertaTokenizer";
  }
  const Json nothing = Json::object();
  const JsonAccess options(config.is_object() ? config : nothing,
                           (directory / "tokenizer_config.json").string());
  const bool prefix = options.boolean_or("add_prefix_space", false);
  const bool qwen = kind == "Qwen2Tokenizer";
  const bool roberta = !qwen && !kind.empty() && kind != "GPT2Tokenizer";
  added.read_files();
  Json post = byte_level(true, true);
  post["trim_offsets"] = false;
  if (roberta) {
    const auto cls = added.special("cls_token", "<s>"), sep = added.special("sep_token", "</s>");
    for (const auto& [key, name] : {std::pair{"bos_token", "<s>"},
                                    {"eos_token", "</s>"},
                                    {"unk_token", "<unk>"},
                                    {"pad_token", "<pad>"},
                                    {"mask_token", "<mask>"}}) {
      added.special(key, name);
    }
    if (!cls || !sep) {
      fail(ErrorCode::kData, directory / "vocab.json", ": cls_token or sep_token is not in it");
    }
    const auto name_of = [&](const char* key, const char* otherwise) {
      return options.has(key) ? *special_token_name(config, key, options.place()) : otherwise;
    };
    post = {{"type", "RobertaProcessing"},
            {"sep", {name_of("sep_token", "</s>"), *sep}},
            {"cls", {name_of("cls_token", "<s>"), *cls}},
            {"trim_offsets", options.boolean_or("trim_offsets", true)},
            {"add_prefix_space", prefix}};
  } else {
    for (const char* key : {"bos_token", "eos_token", "unk_token", "pad_token"}) {
      added.special(key, "<|endoftext|>");
    }
  }
  Json pre = byte_level(prefix, true);
  if (qwen) {
    const Json split = {{"type", "Split"},
                        {"pattern", {{"Regex", kQwen2Expression}}},
                        {"behavior", "Isolated"},
                        {"invert", false}};
    pre = {{"type", "Sequence"}, {"pretokenizers", Json::array({split, byte_level(false, false)})}};
  }
  return assembled(added.take(), qwen ? Json{{"type", "NFC"}} : Json(), std::move(pre),
                   std::move(post), byte_level(true, true),
                   {{"type", "BPE"},
                    {"dropout", nullptr},
                    {"unk_token", nullptr},
                    {"continuing_subword_prefix", ""},
                    {"end_of_word_suffix", ""},
                    {"fuse_unk", false},
                    {"byte_fallback", false},
                    {"ignore_merges", false},
                    {"vocab", std::move(vocab)},
                    {"merges", read_merges_file(directory / "merges.txt")}});
}

bool write_classic_files(const std::filesystem::path& directory, const Json& config,
                         const Json& tokenizer) {
  const std::string name = tokenizer_class(directory, config);
  const auto among = [&](const auto& names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  const Json& model = tokenizer["model"];
  if (among(kWordPieceClasses) && model.value("type", Json()) == "WordPiece") {
    std::vector<std::string> lines(model["vocab"].size());
    for (const auto& [token, id] : model["vocab"].items()) {
      const auto line = id.get<std::size_t>();
      if (line >= lines.size()) return false;  // ids with gaps are no lines of a file
      lines[line] = token;
    }
    std::string text;
    for (const std::string& line : lines) text += line + "\n";
    write_file(directory / "vocab.txt", text);
    return true;
  }
  if (among(kByteLevelClasses) && model.value("type", Json()) == "BPE") {
    std::string merges = "#version: 0.2\n";
    for (const Json& merge : model["merges"]) {
      merges += merge.is_string() ? merge.get<std::string>()
                                  : merge[0].get<std::string>() + " " + merge[1].get<std::string>();
      merges += "\n";
    }
    write_file(directory / "vocab.json", dump_json(model["vocab"]) + "\n");
    write_file(directory / "merges.txt", merges);
    return true;
  }
  return false;
}

}  // namespace llmctl
