// A model: a body (sequence → hidden states) and a head (hidden rows → outputs), as one Hugging
// Face class has them. B rows, T tokens, N chosen rows of hidden states, D model, V vocabulary.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/fields.h"
#include "data/batch.h"
#include "io/shard_index.h"
#include "models/quantization.h"
#include "nn/context.h"
#include "nn/kv_cache.h"

namespace llmctl {

/// What stands on the body; decides the Hugging Face class ("architectures").
enum class HeadKind {
  kNone,
  kCausalLm,
  kMaskedLm,
  kSeq2SeqLm,  ///< of encoder-decoders
  kSpan,
  kSequenceClassification,
  kTokenClassification
};

/// What the outputs of a sequence classification mean (Hugging Face's "problem_type").
enum class ProblemType {
  kSingleLabel,  ///< one of the classes: softmax
  kMultiLabel,   ///< each class for itself: sigmoid
  kRegression    ///< the outputs are the values themselves
};

/// What users of a model need to know about it, whatever its kind.
struct ModelFacts {
  std::string model_type;    ///< Hugging Face's: "llama", "bert", …
  std::string architecture;  ///< "LlamaForCausalLM", …
  HeadKind head = HeadKind::kNone;
  std::int64_t vocab_size = 0, hidden_size = 0, layers = 0, heads = 0, kv_heads = 0, head_size = 0,
               max_positions = 0;
  std::int64_t labels = 0;                               ///< outputs of a classification head
  ProblemType problem_type = ProblemType::kSingleLabel;  ///< of a sequence classification
  bool mean_pooling = false;       ///< a sequence classification reads the mean of all tokens
  bool causal = false;             ///< decoders, those of encoder-decoders too
  bool encoder_decoder = false;    ///< prompts go to the encoder
  std::int64_t decoder_start = 0;  ///< the id that an encoder-decoder's text begins with
  /// Of encoder-decoders whose two languages have embeddings of their own: the rows of the
  /// encoder's, while vocab_size is what the decoder reads and writes; else 0.
  std::int64_t own_source_vocab_size = 0;

  /// Ids that the model reads; of encoder-decoders the encoder.
  std::int64_t source_vocab_size() const {
    return own_source_vocab_size > 0 ? own_source_vocab_size : vocab_size;
  }
};

/// Reports of loading: names of tensors.
struct LoadReport {
  std::vector<std::string> missing, unexpected, initialized;
};

struct LoraConfig;

class Model {
 public:
  virtual ~Model() = default;

  virtual const ModelFacts& facts() const = 0;
  /// config.json as it will be saved: every key of the file it came from, plus ours.
  virtual const Json& config() const = 0;
  virtual Json& config() = 0;

  /// Of encoder-decoders: the encoder's states [B, S, D], to be context.memory of what follows.
  virtual at::Tensor encode(const Sequence& source, const Context& context) = 0;
  /// Hidden states [B, T, D] after the final norm; of encoder-decoders the decoder's.
  virtual at::Tensor hidden(const Sequence& input, const Context& context) = 0;
  /// The head on chosen rows [N, D] → [N, V] logits, [N, 2] span scores or [N, labels].
  /// Heads that classify sequences take what `pooled` makes of them.
  virtual at::Tensor head(const at::Tensor& rows, const Context& context) = 0;
  /// Sum over the rows of the cross-entropy of labels [N] (all valid), never holding all logits: a
  /// scalar with gradient. With `per_row`, the [N] losses (no gradient). Labels are smoothed as
  /// ops/cross_entropy.h says. Only for LM heads.
  virtual at::Tensor lm_loss(const at::Tensor& rows, const at::Tensor& labels,
                             const Context& context, at::Tensor* per_row = nullptr,
                             double label_smoothing = 0) = 0;
  /// What a classifier of sequences reads of the hidden states [B, T, D] of an input: [B, D], of
  /// encoders that of the first token or the mean of all (config.json's classifier_pooling), of
  /// decoders that of the last one.
  virtual at::Tensor pooled(const at::Tensor& hidden, const Sequence& input) const = 0;

  /// Parameters under their Hugging Face names, in the order in which they are saved; those of
  /// which the file keeps several in one tensor have ".0", ".1", … behind its name.
  virtual std::vector<std::pair<std::string, at::Tensor>> parameters() const = 0;
  /// Values that stand beside parameters() (these themselves, gradients, …) as the file keeps them:
  /// transposed and joined where it does that.
  virtual std::vector<std::pair<std::string, at::Tensor>> in_file_layout(
      const std::vector<at::Tensor>& values) const = 0;
  /// The table of token embeddings [V, D]; of an encoder-decoder with two the decoder's.
  virtual at::Tensor word_embeddings() const = 0;
  /// Beside parameters(): false for those that weight decay spares (biases, norms).
  virtual std::vector<bool> decayed() const = 0;

  /// Freezes the model and puts low-rank maps, zero at first, beside the layers that the
  /// configuration names: parameters() are then these and the layers trained whole, and save()
  /// writes a PEFT adapter directory that names `base`. kConfig at `node` when no layer has such a
  /// name.
  virtual void add_lora(const LoraConfig& config, const ConfigNode& node,
                        const std::filesystem::path& base, std::uint64_t seed) = 0;

  /// Keeps the matrices as integers from now on: for models that are not trained. kData for values
  /// that are not finite, kConfig for a model that is quantised otherwise.
  virtual void quantize(const Quantization& quantization) = 0;
  /// How they are kept, here or by the directory that the model came from; nothing: dense.
  virtual std::optional<Quantization> quantization() const = 0;

  virtual void to(const at::Device& device) = 0;
  virtual at::Device device() const = 0;

  /// A cache without rows, with room for `tokens` to begin with; causal models only. One for what
  /// an encoder read looks the same. Its numbers are bf16 where the matrices are kept in less than
  /// fp32 (their own rounding is larger), else in context.compute.
  virtual std::unique_ptr<KvCache> make_cache(std::int64_t tokens,
                                              const Context& context) const = 0;

  /// Writes config.json, model.safetensors (files of at most `max_shard_bytes` and their index
  /// where it would be larger) and, for causal models, generation_config.json, in `dtype`; without
  /// one each tensor in the dtype of the file that it came from. kData for values beyond a dtype's
  /// range.
  virtual void save(const std::filesystem::path& directory,
                    std::optional<at::ScalarType> dtype = at::kFloat,
                    std::uint64_t max_shard_bytes = kMaxShardBytes) const = 0;
  /// What save() would refuse: kData for values beyond the dtype's range. Writes nothing.
  virtual void check_values(std::optional<at::ScalarType> dtype) const = 0;
  /// Bytes of the weights that save() would write.
  virtual std::uint64_t file_bytes(std::optional<at::ScalarType> dtype) const = 0;
  /// The dtype of the files that the model came from: that of most of its dense values.
  virtual at::ScalarType stored_dtype() const = 0;

  /// Reads back the parameters that save() wrote into `directory`. kMissing, kData.
  virtual void load_weights(const std::filesystem::path& directory) = 0;

  std::int64_t parameter_count() const;
};

/// The directory of the model that somebody calls by this name. kMissing.
using FindModel = std::function<std::filesystem::path(const std::string& name)>;

/// How a model is made; the struct grows, callers name what they set.
struct ModelRequest {
  HeadKind head = HeadKind::kNone;       ///< kNone: what the directory's architecture says
  std::vector<std::string> labels = {};  ///< names for classification heads; empty: the directory's
  std::optional<ProblemType> problem_type = {};  ///< of a sequence classification, likewise
  std::uint64_t seed = 1234;                     ///< of newly initialised tensors
  at::ScalarType dtype = at::kFloat;             ///< of the parameters in memory
  /// For models that are not trained: the dtype of the matrices of linear layers, of the output
  /// matrix and of token embeddings, where it is another one.
  std::optional<at::ScalarType> matrices = {};
  /// Likewise: these matrices stay bf16 where the files have them so.
  bool bf16_as_stored = false;
  /// For models that are not trained: parameters that the file keeps as they are in memory stay in
  /// it, mapped. Nothing may write to them.
  bool mapped = false;
  /// Shapes without memory: a new model that is planned, and never computes.
  bool meta = false;
  /// The low-rank maps of an adapter's directory stay apart, to be trained further, instead of
  /// being merged into the weights.
  bool train_adapter = false;
  /// Finds an adapter's base by what its configuration calls it; by default that is a directory.
  FindModel find_base = {};
};

/// From a `model` section (Hugging Face keys; unknown ones are errors with did-you-mean) with fresh
/// weights. `vocab_size` is the tokenizer's where the section has none. Deterministic in (seed,
/// tensor name).
std::unique_ptr<Model> create_model(const ConfigNode& section, std::int64_t tokenizer_vocab_size,
                                    const ModelRequest& request);

/// From a model directory, or that of a PEFT adapter: its base with the adapter. Keys of
/// `overrides` (a `model` section beside init_from) replace those of config.json where they change
/// no shape. Missing body tensors are kData; a head that the file lacks, or whose classes have
/// other names than those asked for, is initialised and reported.
std::unique_ptr<Model> load_model(const std::filesystem::path& directory,
                                  const ModelRequest& request,
                                  const Json& overrides = Json::object(),
                                  LoadReport* report = nullptr);

/// Model types that can be made, for did-you-mean and the schema.
std::vector<std::string> model_types();
/// JSON Schema of a type's section.
Json model_schema(const std::string& model_type);
std::vector<FieldDoc> describe_model(const std::string& model_type);
/// A `model` section with every default; one with init_from stays as it is. kConfig.
Json resolve_model_section(const ConfigNode& section);

}  // namespace llmctl
