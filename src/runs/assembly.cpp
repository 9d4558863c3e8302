#include "runs/assembly.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <numeric>

#include "base/files.h"
#include "base/log.h"
#include "base/threads.h"
#include "corpus/word_vectors.h"
#include "models/adapter.h"
#include "models/gguf_file.h"
#include "nn/attention.h"
#include "ops/backend.h"
#include "runs/resolve.h"
#include "text/tokenizer_location.h"

namespace llmctl {

ConfigNode required_section(const ConfigNode& root, const std::string& name,
                            const std::string& example) {
  if (!root.has(name)) root.fail(name, "the section is missing; it holds, for example, " + example);
  ConfigNode section = root.child(name);
  if (!section.value().is_object()) section.fail("", "expected an object, for example " + example);
  return section;
}

namespace {

std::filesystem::path named_directory(const ConfigNode& node) {
  if (!node.value().is_string()) node.fail("", "expected a path, got " + dump_json(node.value()));
  return resolve_model_directory(node.value().get<std::string>());
}

}  // namespace

std::filesystem::path initial_directory(const ConfigNode& root) {
  if (!root.has("model") || !root.child("model").has("init_from")) return {};
  return named_directory(root.child("model").child("init_from"));
}

namespace {

/// Whether the tokenizer numbers what is translated to in a vocabulary of its own.
bool has_own_target_vocabulary(const Tokenizer& tokenizer) {
  const Tokenizer& target = tokenizer.target();
  if (&target == &tokenizer) return false;
  if (target.vocab_size() != tokenizer.vocab_size()) return true;
  for (TokenId id = 0; id < tokenizer.vocab_size(); ++id) {
    if (target.piece(id) != tokenizer.piece(id)) return true;
  }
  return false;
}

/// Whether the model has a row for every token of the tokenizer. Tokens added behind the model's,
/// which texts seldom hold, are named in a warning, and texts with them refused when they come. An
/// error of `code`, with the remedy, for other tokens, and for those that the tokenizer puts into
/// every text.
void check_vocabulary(std::int64_t rows, const Tokenizer& tokenizer, const std::string& name,
                      ErrorCode code) {
  constexpr std::int64_t kMostAdded = 16;
  const std::int64_t tokens = tokenizer.vocab_size();
  if (tokens <= rows) return;
  const char* const remedy =
      "resize the model's embeddings (transformers' resize_token_embeddings), or take the tokens "
      "out of the tokenizer's files";
  std::string names;
  for (std::int64_t id = rows; id < std::min(tokens, rows + kMostAdded); ++id) {
    names +=
        concat(names.empty() ? "" : ", ", tokenizer.piece(static_cast<TokenId>(id)), " (", id, ")");
  }
  bool added = tokens - rows <= kMostAdded;
  for (std::int64_t id = rows; added && id < tokens; ++id) {
    added = tokenizer.is_special(static_cast<TokenId>(id));
  }
  require(added, code, name, ": the model has ", rows, " tokens, its tokenizer ", tokens,
          ", among them ", names, "; use the tokenizer that the model was trained with, or ",
          remedy);
  const SpecialTokens& special = tokenizer.special();
  for (const auto& id : {special.bos, special.eos, special.cls, special.sep, special.mask}) {
    require(!id || *id < rows, code, name, ": the model has ", rows,
            " tokens and no embedding of its tokenizer's ", id ? tokenizer.piece(*id) : "", "; ",
            remedy);
  }
  log_warning(name, ": the model has ", rows, " tokens and no embedding of its tokenizer's ", names,
              ": texts that hold one are refused; ", remedy);
}

/// The same for what the model reads and what it writes.
void check_vocabularies(const Model& model, const Tokenizer& tokenizer, const std::string& name,
                        ErrorCode code) {
  const ModelFacts& facts = model.facts();
  const bool apart = has_own_target_vocabulary(tokenizer);
  require(
      !apart || facts.own_source_vocab_size > 0, code, name,
      ": the tokenizer has a vocabulary of its own for the target language, the model one table "
      "of embeddings; train the tokenizer without separate_vocabs, or a marian with "
      "share_encoder_decoder_embeddings false");
  check_vocabulary(facts.source_vocab_size(), tokenizer, name, code);
  if (facts.own_source_vocab_size > 0)
    check_vocabulary(facts.vocab_size, tokenizer.target(), name, code);
}

}  // namespace

std::shared_ptr<const Tokenizer> assemble_tokenizer(const ConfigNode& root,
                                                    const TokenizerSection& section) {
  if (!section.path.empty()) return load_tokenizer_of(section.path);
  const auto directory = initial_directory(root);
  if (directory.empty()) {
    root.fail("tokenizer.path",
              "missing; train one with llmctl tokenizer train and name its directory");
  }
  return load_tokenizer_of(directory);
}

namespace {

/// The tokenizer beside a model's weights; null where there is none that can be read.
std::shared_ptr<const Tokenizer> own_tokenizer(const fs::path& model) {
  try {
    return load_tokenizer_of(model);
  } catch (const Error&) {
    return nullptr;
  }
}

/// How many ids stand for other tokens in `other`, of those that stand for one in both.
std::int64_t other_tokens(const Tokenizer& tokenizer, const Tokenizer& other) {
  const std::int64_t shared = std::min(tokenizer.vocab_size(), other.vocab_size());
  std::int64_t count = 0;
  for (TokenId id = 0; id < shared; ++id) {
    const std::string piece = tokenizer.piece(id), known = other.piece(id);
    if (!piece.empty() && !known.empty() && piece != known) ++count;
  }
  return count;
}

}  // namespace

void warn_of_other_tokenizer(const ConfigNode& root, const TokenizerSection& section,
                             const Tokenizer& tokenizer) {
  const fs::path model = initial_directory(root);
  if (section.path.empty() || model.empty()) return;
  const auto own = own_tokenizer(model);
  if (!own) return;
  std::int64_t tokens = tokenizer.vocab_size(), others = other_tokens(tokenizer, *own);
  if (has_own_target_vocabulary(tokenizer)) {
    tokens += tokenizer.target().vocab_size();
    others += other_tokens(tokenizer.target(), own->target());
  }
  if (others == 0) return;
  log_warning("tokenizer.path: ", section.path, " is not the tokenizer that ", model.string(),
              " (model.init_from) was trained with: ", others, " of ", tokens,
              " ids stand for other tokens; leave tokenizer.path out to use the model's own");
}

std::filesystem::path tokenizer_directory(const ConfigNode& root, const TokenizerSection& section) {
  if (section.path.empty()) return initial_directory(root);
  return fs::is_directory(section.path) ? tokenizer_location(section.path) : fs::path();
}

namespace {

/// The section of a new encoder-decoder with the tokenizer's ids where it has none of its own: by
/// default its targets begin with the one of padding. Other types get them when they are made.
Json with_special_ids(const ConfigNode& section, const Tokenizer& tokenizer) {
  Json filled = section.value();
  const Json& type = section.child("model_type").value();
  const Adapter* adapter = type.is_string() ? find_adapter(type.get<std::string>()) : nullptr;
  if (adapter == nullptr || adapter->classes().front().head != HeadKind::kSeq2SeqLm) return filled;
  const SpecialTokens& special = tokenizer.special();
  if (!special.pad && !section.has("pad_token_id")) {
    section.fail("pad_token_id",
                 "missing, and the tokenizer has no token of padding, with which an "
                 "encoder-decoder's targets begin; make one by llmctl tokenizer train --recipe "
                 "translation, or name an id of its that is in no text");
  }
  const auto fill = [&](const char* key, const std::optional<TokenId>& id) {
    if (id && !section.has(key)) filled[key] = *id;
  };
  fill("bos_token_id", special.bos);
  fill("eos_token_id", special.eos);
  fill("pad_token_id", special.pad);
  if (type == "marian" && has_own_target_vocabulary(tokenizer)) {
    if (!section.has("share_encoder_decoder_embeddings"))
      filled["share_encoder_decoder_embeddings"] = false;
    if (filled["share_encoder_decoder_embeddings"] == false && !section.has("decoder_vocab_size"))
      filled["decoder_vocab_size"] = tokenizer.target().vocab_size();
  }
  return filled;
}

}  // namespace

Json overrides_of(const ConfigNode& section) {
  Json overrides = section.value();
  overrides.erase("init_from");
  return overrides;
}

std::unique_ptr<Model> assemble_model(const ConfigNode& section, const Tokenizer& tokenizer,
                                      const ModelHead& head, std::uint64_t seed, bool plan_only) {
  ModelRequest request;
  request.head = head.kind;
  request.labels = head.labels;
  request.problem_type = head.problem_type;
  request.seed = seed;
  request.train_adapter = true;
  request.find_base = resolve_model_directory;
  request.meta = plan_only;
  std::unique_ptr<Model> model;
  if (section.has("init_from")) {
    const auto directory = named_directory(section.child("init_from"));
    model = load_model(directory, request, overrides_of(section));
    if (const auto quantization = model->quantization()) {
      section.fail(
          "init_from",
          concat("the weights of ", directory.string(), " are quantised (",
                 quantization_name(*quantization),
                 ") and cannot be trained; start from the model that they were made from"));
    }
  } else {
    const Json filled = with_special_ids(section, tokenizer);
    model = create_model(section.with_value(&filled), tokenizer.vocab_size(), request);
    Json& config = model->config();
    const auto fill = [&](const char* key, const std::optional<TokenId>& id) {
      if (id && !section.has(key)) config[key] = *id;
    };
    const SpecialTokens& special = tokenizer.special();
    fill("bos_token_id", special.bos);
    fill("eos_token_id", special.eos);
    fill("pad_token_id", special.pad);
  }
  check_vocabularies(*model, tokenizer, "model.vocab_size", ErrorCode::kConfig);
  return model;
}

namespace {

/// The type of a configuration's model; null where it is not known.
const Adapter* adapter_of(const ConfigNode& config) {
  const Json& type = config.child("model_type").value();
  return type.is_string() ? find_adapter(type.get<std::string>()) : nullptr;
}

/// config.json of the model that model.init_from names.
JsonDocument initial_config(const ConfigNode& section) {
  return read_adapted_config(named_directory(section.child("init_from")), resolve_model_directory);
}

}  // namespace

HeadKind choose_head(const ConfigNode& section, const std::vector<HeadKind>& heads) {
  const Adapter* adapter = nullptr;
  if (section.has("init_from")) {
    const JsonDocument document = initial_config(section);
    adapter = adapter_of(ConfigNode(&document.value, "", &document, ErrorCode::kData));
  } else {
    adapter = adapter_of(section);
  }
  if (adapter == nullptr) return heads.front();
  const auto& classes = adapter->classes();
  const auto has = [&](HeadKind head) {
    return std::any_of(classes.begin(), classes.end(),
                       [&](const HeadClass& one) { return one.head == head; });
  };
  const auto found = std::find_if(heads.begin(), heads.end(), has);
  return found != heads.end() ? *found : heads.front();
}

std::optional<ModelFacts> planned_facts(const ConfigNode& section, const Tokenizer& tokenizer,
                                        HeadKind head) {
  if (!section.has("init_from")) {
    const Adapter* adapter = adapter_of(section);
    if (adapter == nullptr) return std::nullopt;
    const Json filled = with_special_ids(section, tokenizer);
    const Json config = adapter->complete(section.with_value(&filled), tokenizer.vocab_size());
    return adapter->plan(section.with_value(&config), head, 2).facts;
  }
  JsonDocument document = initial_config(section);
  const ConfigNode config(&document.value, "", &document, ErrorCode::kData);
  const Adapter* adapter = adapter_of(config);
  if (adapter == nullptr) return std::nullopt;
  const Json overrides = overrides_of(section);
  if (!overrides.empty()) override_config(document.value, section.with_value(&overrides), *adapter);
  return adapter->plan(config, head, 2).facts;
}

void begin_with_vectors(Model& model, const Tokenizer& tokenizer, const ConfigNode& root,
                        const TokenizerSection& section) {
  if (section.vectors.empty()) return;
  if (root.child("model").has("init_from")) {
    root.fail("tokenizer.vectors",
              "the model of model.init_from has trained embeddings; leave one of the two keys out");
  }
  if (model.facts().own_source_vocab_size > 0) {
    root.fail("tokenizer.vectors",
              "the model has two tables of embeddings; vectors are for models with one");
  }
  const WordVectors vectors = WordVectors::load(section.vectors);
  at::Tensor table = model.word_embeddings();
  const auto width = static_cast<std::size_t>(table.size(1));
  if (vectors.dim() != width) {
    root.fail("tokenizer.vectors",
              concat(section.vectors, " has vectors of ", vectors.dim(),
                     " numbers, the model embeddings of ", width,
                     "; train them with llmctl data vectors --set dim=", width));
  }
  if (table.is_meta()) return;
  struct Place {
    std::size_t row, vector;
  };
  std::vector<Place> places;
  double squares = 0, fresh_squares = 0;
  float* rows = table.mutable_data_ptr<float>();
  const auto length2 = [&](const float* values) {
    return std::inner_product(values, values + width, values, 0.0);
  };
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    const auto id = tokenizer.find(vectors.word(i));
    if (!id) continue;
    const auto row = static_cast<std::size_t>(*id);
    places.push_back({row, i});
    squares += length2(vectors.vector(i));
    fresh_squares += length2(rows + row * width);
  }
  require(squares > 0, ErrorCode::kData, section.vectors,
          ": none of its words is a piece of the tokenizer; train the vectors with llmctl data "
          "vectors --tokenizer DIR");
  const auto scale = static_cast<float>(std::sqrt(fresh_squares / squares));
  for (const auto& [row, vector] : places) {
    const float* values = vectors.vector(vector);
    std::transform(values, values + width, rows + row * width,
                   [scale](float value) { return value * scale; });
  }
  log_info("token embedding: ", places.size(), " of ", tokenizer.vocab_size(),
           " pieces begin with vectors of ", section.vectors);
}

void adapt(Model& model, const ConfigNode& root, const std::optional<LoraConfig>& lora,
           std::uint64_t seed) {
  if (!lora) return;
  const fs::path base = initial_directory(root);
  if (base.empty()) {
    root.fail("lora", "a new model has nothing to adapt; name a trained one in model.init_from");
  }
  if (is_adapter_directory(base)) {
    root.fail("lora", concat(base.string(),
                             " is an adapter already; export it (llmctl export) and "
                             "adapt the result, or leave lora out"));
  }
  model.add_lora(*lora, root.child("lora"), fs::absolute(base).lexically_normal(), seed);
}

std::shared_ptr<const Tokenizer> load_tokenizer_of(const fs::path& path) {
  const fs::path directory = tokenizer_location(path);
  if (is_gguf_file(directory)) return tokenizer_of_gguf(directory);
  const auto has = [&](const char* name) { return fs::exists(directory / name); };
  const bool own = !is_adapter_directory(directory) || has("tokenizer_config.json") ||
                   has("tokenizer.json") || has("tokenizer.model");
  return load_tokenizer(own ? directory : base_directory(directory));
}

Compute assemble_compute(const std::string& device, const std::string& precision,
                         std::int64_t threads, Purpose purpose) {
  Compute compute;
  compute.threads = threads > 0 ? static_cast<int>(threads) : thread_count();
  initialize_backend(compute.threads);
  compute.device = parse_device(device);
  compute.dtype = resolve_precision(precision, compute.device, purpose);
  return compute;
}

Compute assemble_compute(const ComputeSection& section) {
  set_deterministic(section.deterministic);
  Compute compute =
      assemble_compute(section.device, section.precision, section.threads, Purpose::kAnswers);
  compute.deterministic = section.deterministic;
  // On the CPU nothing else need change: what passes between layers is fp32 beside them, too.
  compute.bf16_as_stored = section.precision == "auto" && compute.device.is_cpu();
  compute.quantize = section.quantize;
  return compute;
}

const char* precision_name(at::ScalarType dtype) {
  return dtype == at::kBFloat16 ? "bf16" : "fp32";
}

std::filesystem::path cache_directory(const std::string& configured) {
  if (!configured.empty()) return configured;
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value ? value : "");
  };
  if (const auto own = variable("LLMCTL_CACHE"); !own.empty()) return own;
  if (const auto xdg = variable("XDG_CACHE_HOME"); !xdg.empty())
    return std::filesystem::path(xdg) / "llmctl";
  if (const auto home = variable("HOME"); !home.empty())
    return std::filesystem::path(home) / ".cache" / "llmctl";
  fail(ErrorCode::kConfig,
       "no place for tokenized text: set data.cache or the variable LLMCTL_CACHE");
}

at::ScalarType Compute::between_layers() const {
  return attention_dtype(dtype, device);
}

std::unique_ptr<Model> load_model_for_use(const fs::path& directory, const Compute& compute) {
  ModelRequest request;
  request.mapped = compute.device.is_cpu();
  request.find_base = resolve_model_directory;
  const std::optional<Quantization> quantization = parse_quantization(compute.quantize);
  if (!quantization) {
    if (compute.dtype != at::kFloat) request.matrices = compute.dtype;
    request.bf16_as_stored = compute.bf16_as_stored;
  }
  auto model = load_model(directory, request);
  if (quantization) model->quantize(*quantization);
  model->to(compute.device);
  return model;
}

LoadedModel load_for_use(const std::string& init_from, const Compute& compute) {
  require(!init_from.empty(), ErrorCode::kUsage,
          "no model given: use -m DIR or the key model.init_from");
  LoadedModel loaded;
  loaded.directory = resolve_model_directory(init_from);
  loaded.tokenizer = load_tokenizer_of(loaded.directory);
  loaded.model = load_model_for_use(loaded.directory, compute);
  check_vocabularies(*loaded.model, *loaded.tokenizer, loaded.directory.string(), ErrorCode::kData);
  return loaded;
}

}  // namespace llmctl
