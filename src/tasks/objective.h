// Self-supervised objectives: how rows of tokens become batches (shift, masking) and what is summed
// as loss.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/world.h"
#include "config/fields.h"
#include "data/batching.h"
#include "data/packing.h"
#include "data/shards.h"
#include "models/model.h"
#include "text/tokenizer.h"
#include "train/interfaces.h"

namespace llmctl {

/// An objective, made from its section ("objective": {"type": …}).
class Objective {
 public:
  virtual ~Objective() = default;
  virtual HeadKind head() const = 0;
  /// What the validator may give; the loss among it.
  virtual std::vector<ScoreKind> validation_scores() const = 0;
  /// Training rows. Order, masks and everything drawn are functions of (batching.seed, step, row).
  /// Plans of rows are kept in `cache`. kData when the corpora give no row.
  virtual std::unique_ptr<Source> source(const std::vector<WeightedShards>& corpora,
                                         const PackingOptions& packing, const Batching& batching,
                                         const std::filesystem::path& cache) const = 0;
  virtual std::unique_ptr<Loss> loss(Model& model) const = 0;
  /// Scores on held-out shards, cut into rows as for training: "loss" (nats per token) and
  /// "perplexity"; causal LMs, when all tokens are scored, "bits_per_byte" (of the documents'
  /// text); masked LMs "masked_accuracy" (masks drawn from a fixed seed). At most `max_tokens`
  /// tokens (0: all), every token scored once.
  virtual std::unique_ptr<Validator> validator(Model& model, std::shared_ptr<const Shards> valid,
                                               const PackingOptions& packing,
                                               std::int64_t batch_size, World& world,
                                               std::int64_t max_tokens) const = 0;
};

/// kConfig with did-you-mean for an unknown type or key, and for a tokenizer that lacks the
/// special tokens that the objective needs.
std::unique_ptr<Objective> make_objective(const ConfigNode& section,
                                          std::shared_ptr<const Tokenizer> tokenizer);
/// The section's part of these checks, without a tokenizer.
void check_objective(const ConfigNode& section);
std::vector<std::string> objective_types();
Json objective_schema(const std::string& type);  ///< kConfig for an unknown type

}  // namespace llmctl
