#include "models/gguf_file.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <array>
#include <limits>
#include <unordered_set>
#include <utility>

#include "base/error.h"
#include "models/gguf_layout.h"

namespace llmctl {

at::Tensor gguf_values(const std::shared_ptr<const GgufFile>& file, const std::string& name) {
  const GgufTensor& tensor = file->tensors().at(name);
  const GgmlTypeInfo& info = *find_ggml_type(tensor.type);
  require(info.readable, ErrorCode::kData, file->path(), ": tensor '", name, "' is of type ",
          info.name,
          ", which is not read, only F32, F16, BF16, Q8_0 and Q4_0; get a file of one of "
          "these");
  const auto bytes = file->bytes(tensor);
  const auto type = static_cast<GgmlType>(tensor.type);
  if (info.block_values == 1) {
    // from_blob asks for mutable bytes; nobody writes to what it returns.
    void* const data = const_cast<std::byte*>(bytes.data());
    return at::from_blob(
        data, tensor.shape, [file](void*) {},
        at::TensorOptions().dtype(type == GgmlType::kF32   ? at::kFloat
                                  : type == GgmlType::kF16 ? at::kHalf
                                                           : at::kBFloat16));
  }
  at::Tensor values = at::empty(tensor.shape, at::kFloat);
  decode_ggml(type, bytes.data(), static_cast<std::size_t>(values.numel()),
              values.mutable_data_ptr<float>());
  return values;
}

std::map<std::string, at::Tensor> tensors_of_gguf(const std::shared_ptr<const GgufFile>& file) {
  const Json config = config_of_gguf(*file);
  const auto type = config["model_type"].get<std::string>();
  std::map<std::string, at::Tensor> tensors;
  for (const auto& [name, info] : file->tensors()) {
    if (name == kRopeFactors) continue;  // the configuration says it
    const auto place = place_of_gguf(type, name);
    at::Tensor values = gguf_values(file, name);
    if (!place) {
      tensors.emplace(name, std::move(values));
      continue;
    }
    if (place->transposed) {
      require(values.dim() == 2, ErrorCode::kData, file->path(), ": tensor '", name, "' has ",
              values.dim(), " dimensions, expected 2");
      values = values.t();
    }
    if (place->rows != GgufPlace::Rows::kSame) {
      const bool query = place->rows == GgufPlace::Rows::kQuery;
      const auto heads =
          config[query ? "num_attention_heads" : "num_key_value_heads"].get<std::int64_t>();
      require(heads > 0 && values.dim() > 0 && values.size(0) % (2 * heads) == 0, ErrorCode::kData,
              file->path(), ": tensor '", name, "' has rows that are no pairs of ", heads,
              " heads");
      values = halved_rows(values, heads);
    }
    tensors.emplace(place->name, std::move(values));
  }
  return tensors;
}

namespace {

constexpr char kTokenizer[] = "tokenizer.ggml.";

/// Keys of the special tokens' ids, each with its slot.
template <class Tokens>
auto special_keys(Tokens& tokens) {
  using Slot = decltype(&tokens.unk);
  return std::array<std::pair<const char*, Slot>, 7>{{{"bos_token_id", &tokens.bos},
                                                      {"eos_token_id", &tokens.eos},
                                                      {"unknown_token_id", &tokens.unk},
                                                      {"seperator_token_id", &tokens.sep},
                                                      {"padding_token_id", &tokens.pad},
                                                      {"cls_token_id", &tokens.cls},
                                                      {"mask_token_id", &tokens.mask}}};
}

/// llama.cpp's ids where a file has none; those of gpt2 are never meant.
void put_default_ids(GgmlVocabulary& vocabulary) {
  SpecialTokens& special = vocabulary.special;
  const auto put = [&](std::optional<TokenId>& slot, TokenId id) {
    if (!slot && static_cast<std::size_t>(id) < vocabulary.tokens.size()) slot = id;
  };
  if (vocabulary.model == "llama") {
    put(special.bos, 1);
    put(special.eos, 2);
    put(special.unk, 0);
  } else if (vocabulary.model == "t5") {
    put(special.eos, 1);
    put(special.unk, 2);
    put(special.pad, 0);
  }
}

GgmlVocabulary vocabulary_of(const GgufFile& file) {
  const auto key = [](const char* name) { return kTokenizer + std::string(name); };
  GgmlVocabulary out;
  const auto model = file.string(key("model"));
  if (!model) file.fail_missing(key("model"));
  out.model = *model;
  out.pre = file.string(key("pre")).value_or("");
  out.tokens = file.strings(key("tokens"));
  out.merges = file.strings(key("merges"));
  for (const double score : file.numbers(key("scores"))) {
    out.scores.push_back(static_cast<float>(score));
  }
  for (const std::int64_t type : file.integers(key("token_type"))) {
    // What is beyond the types is refused by the tokenizer.
    out.types.push_back(static_cast<std::int32_t>(std::clamp<std::int64_t>(type, -1, 99)));
  }
  for (const auto& [name, slot] : special_keys(out.special)) {
    const auto id = file.integer(key(name));
    if (!id) continue;
    require(*id >= 0 && *id <= std::numeric_limits<TokenId>::max(), ErrorCode::kData, file.path(),
            ": key '", key(name), "': ", *id, " is no token's id");
    *slot = static_cast<TokenId>(*id);
  }
  put_default_ids(out);
  const auto flag = [&](const char* name) -> std::optional<bool> {
    const auto value = file.integer(key(name));
    return value ? std::optional(*value != 0) : std::nullopt;
  };
  out.add_bos = flag("add_bos_token");
  out.add_eos = flag("add_eos_token");
  out.add_space_prefix = flag("add_space_prefix");
  out.remove_extra_whitespaces = flag("remove_extra_whitespaces").value_or(false);
  for (const std::int64_t byte : file.integers(key("precompiled_charsmap"))) {
    out.charsmap += static_cast<char>(byte);
  }
  out.chat_template = file.string("tokenizer.chat_template").value_or("");
  return out;
}

}  // namespace

std::shared_ptr<const Tokenizer> tokenizer_of_gguf(const std::filesystem::path& path) {
  return make_tokenizer(vocabulary_of(GgufFile(path)), path.string());
}

namespace {

/// Tokens for the rows that the tokenizer has none for.
void fill_up(GgmlVocabulary& vocabulary, std::size_t rows) {
  constexpr float kLeast = -10000;
  const std::unordered_set<std::string> known(vocabulary.tokens.begin(), vocabulary.tokens.end());
  while (vocabulary.tokens.size() < rows) {
    std::string name = concat("[PAD", vocabulary.tokens.size(), "]");
    while (known.contains(name)) name += ']';
    vocabulary.tokens.push_back(std::move(name));
    if (!vocabulary.scores.empty()) vocabulary.scores.push_back(kLeast);
    vocabulary.types.push_back(GgmlVocabulary::kUnused);
  }
}

}  // namespace

GgufMetadata vocabulary_metadata(GgmlVocabulary vocabulary, std::int64_t rows,
                                 const std::vector<TokenId>& ends,
                                 std::vector<std::string>& notes) {
  const auto size = static_cast<std::int64_t>(vocabulary.tokens.size());
  require(size <= rows, ErrorCode::kData, "the model cannot be written as GGUF: it has ", rows,
          " embeddings, its tokenizer ", size, " tokens");
  fill_up(vocabulary, static_cast<std::size_t>(rows));

  std::vector<TokenId> stops;
  if (vocabulary.special.eos) stops.push_back(*vocabulary.special.eos);
  for (const TokenId id : ends) {
    if (std::find(stops.begin(), stops.end(), id) == stops.end()) stops.push_back(id);
  }
  require(
      !stops.empty(), ErrorCode::kData,
      "the model cannot be written as GGUF: neither it nor its tokenizer names a token that ends "
      "a text, and llama.cpp would take one for it; set eos_token_id in generation_config.json");
  vocabulary.special.eos = stops.front();

  GgufMetadata out;
  const auto put = [&](const char* key, GgufValue value) {
    out.emplace_back(kTokenizer + std::string(key), std::move(value));
  };
  const auto widened = [](const auto& list, auto zero) {
    return std::vector<decltype(zero)>(list.begin(), list.end());
  };
  put("model", GgufValue::string(vocabulary.model));
  put("pre", GgufValue::string(vocabulary.pre.empty() ? "default" : vocabulary.pre));
  put("tokens", {GgufType::kString, vocabulary.tokens});
  if (!vocabulary.scores.empty()) {
    put("scores", {GgufType::kF32, widened(vocabulary.scores, double{})});
  }
  put("token_type", {GgufType::kI32, widened(vocabulary.types, std::int64_t{})});
  if (vocabulary.model == "gpt2") put("merges", {GgufType::kString, vocabulary.merges});
  for (const auto& [key, id] : special_keys(vocabulary.special)) {
    if (*id) put(key, GgufValue::u32(**id));
  }
  constexpr std::array kFurtherEnds = {"eot_token_id", "eom_token_id"};
  for (std::size_t i = 1; i < stops.size(); ++i) {
    if (i <= kFurtherEnds.size()) {
      put(kFurtherEnds[i - 1], GgufValue::u32(stops[i]));
    } else {
      notes.push_back(concat("GGUF has no key for a further token that ends a text, ", stops[i],
                             ": llama.cpp does not stop there"));
    }
  }
  put("add_bos_token", GgufValue::boolean(vocabulary.add_bos.value_or(false)));
  put("add_eos_token", GgufValue::boolean(vocabulary.add_eos.value_or(false)));
  if (vocabulary.add_space_prefix) {
    put("add_space_prefix", GgufValue::boolean(*vocabulary.add_space_prefix));
    put("remove_extra_whitespaces", GgufValue::boolean(vocabulary.remove_extra_whitespaces));
  }
  if (!vocabulary.charsmap.empty()) {
    std::vector<std::int64_t> bytes;
    for (const char c : vocabulary.charsmap) bytes.push_back(static_cast<unsigned char>(c));
    put("precompiled_charsmap", {GgufType::kU8, std::move(bytes)});
  }
  if (!vocabulary.chat_template.empty()) {
    out.emplace_back("tokenizer.chat_template", GgufValue::string(vocabulary.chat_template));
  }
  return out;
}

}  // namespace llmctl
