// What makes one of our bodies and heads a Hugging Face model type: its configuration keys ↔ our
// switches, its tensor names ↔ our parameters. Adapters hold no state and touch no tensor.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "config/fields.h"
#include "models/decoder.h"
#include "models/encoder.h"
#include "models/encoder_decoder.h"
#include "models/heads.h"
#include "models/model.h"
#include "models/tensor_layout.h"

namespace llmctl {

/// How fresh matrices are drawn, all from normal distributions.
enum class Initialization {
  kNormal,          ///< deviation initializer_range
  kScaledResidual,  ///< and 1/√(2 layers) of it where a block adds to its input (Radford et al.,
                    ///< 2019)
  kT5               ///< by the width of what each matrix reads, times initializer_range (Raffel et
                    ///< al., 2020)
};

/// A tensor that files may hold under a second name too.
struct TensorCopy {
  std::string name, original;  ///< both as in files
  /// Where the two differ, it is this one that Hugging Face's class computes with; else such files
  /// are refused.
  bool counts = false;
};

/// A model as its configuration describes it, in our terms.
struct ModelPlan {
  ModelFacts facts;
  std::variant<DecoderConfig, EncoderConfig, EncoderDecoderConfig> body;
  std::optional<LmHeadConfig> lm;  ///< at most one of lm and classifier
  std::optional<ClassifierConfig> classifier;
  std::vector<TensorRule> tensors;  ///< in the order of saving
  std::string prefix;               ///< of the body's tensors, as in "bert."
  std::vector<std::string>
      ignored;  ///< parts of names of buffers in files, which are computed here
  std::vector<TensorCopy> copies;
  std::string output_matrix;  ///< of a language model, as its files call it when they have it
  Initialization initialization = Initialization::kNormal;
  double initializer_range = 0.02;
  bool sinusoidal_positions = false;  ///< a new table of positions starts as sinusoids
};

/// A Hugging Face class of a model type.
struct HeadClass {
  HeadKind head;
  std::string name;
  /// Beginnings of the names of tensors that only this class has and we have no use for: a
  /// directory of the class keeps them.
  std::vector<std::string> carried = {};
};

class Adapter {
 public:
  virtual ~Adapter() = default;
  virtual const std::string& model_type() const = 0;
  /// The classes that can be made, the natural one first; several names may share a head.
  virtual const std::vector<HeadClass>& classes() const = 0;
  /// config.json for a user's `model` section: unknown keys are errors; sizes that are left out are
  /// chosen. kConfig.
  virtual Json complete(const ConfigNode& section, std::int64_t tokenizer_vocab_size) const = 0;
  /// Reads a whole config.json (of a directory, or from complete()). Unknown keys are passed over;
  /// what changes the mathematics and is not supported is an error of the node's code.
  virtual ModelPlan plan(const ConfigNode& config, HeadKind head, std::int64_t labels) const = 0;
  /// Writes into a config.json whether the output matrix is the embedding table, and nothing else
  /// is computed otherwise.
  virtual void set_tied(Json& config, bool tied) const = 0;
  /// Checks keys that are to replace those of a directory's config.json: known, well-formed, and
  /// without influence on shapes or on what trained weights mean, unless the value is the same.
  virtual void check_overrides(const ConfigNode& overrides, const Json& config) const = 0;
  /// A user's `model` section with every default; the vocabulary may be left out.
  virtual Json resolve(const ConfigNode& section) const = 0;
  virtual Json schema() const = 0;
  virtual std::vector<FieldDoc> describe() const = 0;
};

/// Puts the keys of `overrides` (a `model` section beside init_from) in the place of a directory's
/// config.json's, and gives those that changed it. kConfig for keys that may not.
Json override_config(Json& config, const ConfigNode& overrides, const Adapter& adapter);

/// config.json of a model directory, or of a PEFT adapter that of its base with what the adapter
/// keeps of its own beside its weights. kMissing, kData.
JsonDocument read_adapted_config(const std::filesystem::path& directory,
                                 const FindModel& find_base);

/// All model types.
const std::vector<const Adapter*>& adapters();
const Adapter* find_adapter(const std::string& model_type);

const Adapter& llama_adapter();
const Adapter& qwen2_adapter();
const Adapter& qwen3_adapter();
const Adapter& gpt2_adapter();
const Adapter& bert_adapter();
const Adapter& roberta_adapter();
const Adapter& marian_adapter();
const Adapter& t5_adapter();

}  // namespace llmctl
