// Putting a run together from its configuration: tokenizer, model, device, files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/model.h"
#include "ops/backend.h"
#include "runs/sections.h"
#include "text/tokenizer.h"

namespace llmctl {

/// A section that must be there. kConfig otherwise, saying what it holds.
ConfigNode required_section(const ConfigNode& root, const std::string& name,
                            const std::string& example);

/// The tokenizer named by the configuration, else the one of model.init_from. kConfig when there is
/// neither.
std::shared_ptr<const Tokenizer> assemble_tokenizer(const ConfigNode& root,
                                                    const TokenizerSection& section);

/// Warns where tokenizer.path has named this tokenizer and its ids stand for other tokens than
/// those of model.init_from, whose embeddings they choose.
void warn_of_other_tokenizer(const ConfigNode& root, const TokenizerSection& section,
                             const Tokenizer& tokenizer);

/// Where that tokenizer's files are, its chat template among them; empty for a single file.
std::filesystem::path tokenizer_directory(const ConfigNode& root, const TokenizerSection& section);

/// What a task wants on a model's body.
struct ModelHead {
  HeadKind kind = HeadKind::kNone;
  std::vector<std::string> labels = {};          ///< names of the classes, of classification heads
  std::optional<ProblemType> problem_type = {};  ///< of a sequence classification
};

/// The model of section "model": new from Hugging Face keys, or init_from a directory with
/// overrides. The tokenizer's special ids fill config keys that the section leaves open; a
/// vocabulary smaller than the tokenizer's is kConfig. `plan_only`: a new model gets shapes and no
/// memory.
std::unique_ptr<Model> assemble_model(const ConfigNode& section, const Tokenizer& tokenizer,
                                      const ModelHead& head, std::uint64_t seed,
                                      bool plan_only = false);

/// The first of `heads` that the type of the model of section "model" has; where none fits, or the
/// type is not known, the first: making the model says what is wrong.
HeadKind choose_head(const ConfigNode& section, const std::vector<HeadKind>& heads);

/// Facts of the model that section "model" describes, without making it: what a task needs before
/// the names of its classes are known. Nothing where the type is not known: making the model says
/// what is wrong. kConfig, kData.
std::optional<ModelFacts> planned_facts(const ConfigNode& section, const Tokenizer& tokenizer,
                                        HeadKind head);

/// Puts the vectors of tokenizer.vectors, where the section names a file, into the model's token
/// embedding: all of them scaled so that they spread as the fresh rows do, whose place they take;
/// pieces without a vector keep theirs. kConfig for a model that is not new or of another hidden
/// size; kMissing, kData.
void begin_with_vectors(Model& model, const Tokenizer& tokenizer, const ConfigNode& root,
                        const TokenizerSection& section);

/// Trains low-rank maps instead of the weights where the section "lora" is there. kConfig for a
/// model that is new.
void adapt(Model& model, const ConfigNode& root, const std::optional<LoraConfig>& lora,
           std::uint64_t seed);

/// model.init_from as a directory, or an empty path when the configuration has none. kConfig,
/// kMissing.
std::filesystem::path initial_directory(const ConfigNode& root);
/// The keys beside init_from in a section "model".
Json overrides_of(const ConfigNode& section);

/// The tokenizer of a model directory, run or GGUF file, or any that load_tokenizer() knows; an
/// adapter's may be its base's.
std::shared_ptr<const Tokenizer> load_tokenizer_of(const std::filesystem::path& path);

/// Device, dtype of matrix products and threads of a command.
struct Compute {
  at::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;
  int threads = 1;
  bool deterministic = false;
  /// A model's matrices stay bf16 where its files have them so, whatever `dtype` is.
  bool bf16_as_stored = false;
  /// Of a model's matrices: "int8" or "int4"; "none": as its files have them.
  std::string quantize = "none";

  /// Context::compute of a model from load_for_use(). On the CPU its matrices are in `dtype`
  /// themselves, and what passes between layers is fp32, except where attention gains by bf16.
  at::ScalarType between_layers() const;
};
/// Resolves and applies them (threads, allocator, determinism). kConfig.
Compute assemble_compute(const std::string& device, const std::string& precision,
                         std::int64_t threads, Purpose purpose);
Compute assemble_compute(const ComputeSection& section);

const char* precision_name(at::ScalarType dtype);  ///< "fp32" or "bf16"

/// Where tokenized text is cached: `configured`, else $LLMCTL_CACHE, else $XDG_CACHE_HOME/llmctl,
/// else ~/.cache/llmctl.
std::filesystem::path cache_directory(const std::string& configured);

/// The model of a directory for commands that only use it: its weights in the form that `compute`
/// asks for, on its device.
std::unique_ptr<Model> load_model_for_use(const std::filesystem::path& directory,
                                          const Compute& compute);

/// A model directory with its tokenizer, likewise.
struct LoadedModel {
  std::filesystem::path directory;
  std::unique_ptr<Model> model;
  std::shared_ptr<const Tokenizer> tokenizer;
};
LoadedModel load_for_use(const std::string& init_from, const Compute& compute);

}  // namespace llmctl
