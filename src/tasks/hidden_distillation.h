// Learning from a teacher's hidden states: TinyBERT (Jiao et al., 2020), DistilBERT (Sanh et al.,
// 2019). B rows, T tokens, D width of the model, E of the teacher.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/model.h"
#include "tasks/teacher.h"

namespace llmctl {

/// Why the teacher's hidden states are not of the tokens that a model with the tokenizer `own`
/// reads in rows of at most `longest` tokens; empty: they are.
std::string hidden_mismatch(const Model& teacher, const Tokenizer& tokenizer, const Tokenizer& own,
                            std::int64_t longest);

/// Pairs (layer, teacher's layer) as the section has them, 0 being the embeddings; by default each
/// of the model's layers with the teacher's at the same share of its depth. kConfig where a layer
/// is not there or the depths have no such shares.
std::vector<std::pair<std::int64_t, std::int64_t>> layer_pairs(const DistillationConfig& config,
                                                               const Model& model,
                                                               const Model& teacher);

class HiddenDistillation {
 public:
  /// What the model's forward pass tapped: "hidden_states.I".
  using States = std::map<std::string, at::Tensor>;

  /// With the section's layer_pairs() and maps [E, D] where the widths differ.
  HiddenDistillation(std::shared_ptr<Model> teacher, const Model& student,
                     const DistillationConfig& config);

  /// The maps, under names of their own.
  std::vector<std::pair<std::string, at::Tensor>> parameters() const;
  double weight() const { return weight_; }

  /// The distance of a batch, summed over tokens that are no padding, the mean over the pairs of
  /// layers. The teacher reads the batch.
  at::Tensor sum(const States& states, const Sequence& input, const Context& context);

 private:
  struct Pair {
    std::string student, teacher;  ///< names of hidden states
    at::Tensor map;                ///< [E, D]; undefined: as wide
  };

  std::shared_ptr<Model> teacher_;
  std::vector<Pair> pairs_;
  bool cosine_;
  double weight_;
};

}  // namespace llmctl
