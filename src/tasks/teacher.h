// Tasks whose models can label texts for another training: self-training (Yarowsky, 1995; Lee,
// "Pseudo-Label", 2013).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/fields.h"
#include "models/model.h"
#include "text/tokenizer.h"

namespace llmctl {

/// Section "self_training" of `finetune`.
struct SelfTrainingConfig {
  std::vector<std::string> unlabelled;
  double threshold = 0.9;
  std::map<std::string, double> thresholds;
  std::int64_t rounds = 5, patience = 1, most_per_class = 0;
  double weight = 1;

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("unlabelled", self.unlabelled,
          "Files of texts without labels (labels in them are not read): .jsonl, .json, .csv, .tsv, "
          "or plain text, a text a line.",
          OneOrMore{}, PathKey{});
    visit("threshold", self.threshold,
          "A text is learnt from when the best model so far gives its label at least this "
          "(calibrated) probability.",
          Range<double>{0, 1});
    visit("thresholds", self.thresholds, "The same for single classes, by name.",
          Range<double>{0, 1});
    visit("most_per_class", self.most_per_class,
          "Take at most so many texts of each class, the surest ones; 0: all.",
          Range<std::int64_t>{0, 1'000'000'000});
    visit("weight", self.weight,
          "What such a text counts in the loss beside a labelled one, times its probability.",
          Range<double>{0, 1000});
    visit("rounds", self.rounds, "Most trainings after the first one.",
          Range<std::int64_t>{1, 1000});
    visit("patience", self.patience,
          "Stop after so many rounds in a row without a better validation score.",
          Range<std::int64_t>{1, 1000});
  }
  void validate(const ConfigNode& node) const {
    if (unlabelled.empty()) node.fail("unlabelled", "missing; name files of texts without labels");
  }
};

/// How texts are labelled.
struct TeachOptions {
  std::int64_t batch_size = 32;
  std::int64_t sequence_length = 384;
  bool skip_bad = false;
  Context context;
};

/// Records as the task reads them, with a label, its probability as their confidence, and a weight.
struct TaughtRecords {
  std::vector<Json> records;
  std::map<std::string, std::int64_t> counts;  ///< of each label
  std::size_t seen = 0;                        ///< texts without labels
};

class Teacher {
 public:
  virtual ~Teacher() = default;
  /// Labels the texts that the model is sure of. kConfig for thresholds of unknown classes and for
  /// a problem without probabilities; kData for bad rows.
  virtual TaughtRecords teach(Model& model, const std::vector<std::filesystem::path>& files,
                              const SelfTrainingConfig& section,
                              const TeachOptions& options) const = 0;
};

/// Section "distillation" of a task: learning from the outputs of a larger model (Hinton et al.,
/// "Distilling the Knowledge in a Neural Network", 2015).
struct DistillationConfig {
  std::string teacher;
  double temperature = 2, weight = 0.5;
  double hidden_weight = 0;
  std::string hidden_loss = "mse";
  std::vector<std::vector<std::int64_t>> hidden_layers;

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("teacher", self.teacher,
          "A model trained for the same classes: a model, checkpoint or run directory; its "
          "tokenizer may be another one.",
          PathKey{.or_name = true});
    visit("temperature", self.temperature,
          "Both models' logits are divided by it for the soft targets; their loss counts its "
          "square times.",
          Range<double>{0.01, 100});
    visit("weight", self.weight, "Share of the soft targets in the loss; the labels have the rest.",
          Range<double>{0, 1});
    visit("hidden_weight", self.hidden_weight,
          "What the distance between the two models' hidden states counts in the loss beside the "
          "rest (Jiao et al., 2020, TinyBERT); the teacher then needs the same tokenizer and reads "
          "every batch. Where it is wider, learnt maps stand between. 0: nothing.",
          Range<double>{0, 1000});
    visit("hidden_loss", self.hidden_loss,
          "That distance: mse, the mean square over the states' numbers, or cosine, one less their "
          "cosine (Sanh et al., 2019, DistilBERT).",
          OneOf{{"mse", "cosine"}});
    visit(
        "hidden_layers", self.hidden_layers,
        "Which of them: pairs [layer, teacher's layer] from 0, the embeddings; empty: all layers, "
        "each with the teacher's at the same share of its depth.");
  }
  void validate(const ConfigNode& node) const {
    if (teacher.empty()) node.fail("teacher", "missing; name a model directory");
    if (!hidden_layers.empty() && hidden_weight == 0)
      node.fail("hidden_layers", "are learnt with hidden_weight, which is 0");
    for (const auto& pair : hidden_layers) {
      if (pair.size() != 2)
        node.fail("hidden_layers",
                  concat("expected pairs [layer, teacher's layer], got a list of ", pair.size()));
    }
  }
};

/// A task whose model can learn from another one's outputs.
class Student {
 public:
  virtual ~Student() = default;
  /// What the section calls the teacher; empty: it has none.
  virtual std::string teacher() const = 0;
  /// Refuses (kConfig) a teacher of other classes or of another problem for what was read and the
  /// model to be trained; with hidden states one with another tokenizer, too few positions or
  /// layers that have no partner.
  virtual void check_teacher(const Model& teacher, const Tokenizer& tokenizer,
                             const Model& model) const = 0;
  /// Keeps the outputs of a teacher that was checked for what was read, and where hidden states are
  /// learnt the teacher itself.
  virtual void learn_from(std::shared_ptr<Model> teacher, const Tokenizer& tokenizer,
                          const TeachOptions& options) = 0;
};

}  // namespace llmctl
