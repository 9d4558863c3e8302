// BLEU, chrF and TER of translations, of each direction with the tokenizer of its target language.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/world.h"
#include "metrics/translation.h"
#include "tasks/parallel_texts.h"
#include "tasks/task.h"
#include "tasks/translation.h"

namespace llmctl {

/// With several directions each score stands for the mean over the directions, and each direction
/// has its own: "bleu" and "en-de.bleu".
class TranslationScores {
 public:
  /// `pairs` are all that will be scored, on whatever rank.
  TranslationScores(const TranslationConfig& config, const std::vector<const TextPair*>& pairs);

  void add(std::size_t direction, const std::string& translation,
           const std::vector<std::string>& references);
  /// Over all ranks.
  void sum(World& world);
  Scores scores() const;
  /// Which tokenizer was taken and why, of each direction with pairs.
  std::vector<std::string> tokenizer_notes() const;
  /// The same, and sacreBLEU's signatures.
  std::vector<std::string> signatures() const;
  /// What scores of these pairs hold; of none: what those of any pairs may.
  static std::vector<ScoreKind> kinds(const TranslationConfig& config,
                                      const std::vector<const TextPair*>& pairs = {});

 private:
  struct Part {
    std::string before() const { return name.empty() ? "" : name + ": "; }
    std::string name;  // "en-de"
    TranslationTotals totals;
    std::string note;
    bool any = false;
  };
  std::vector<Part> parts_;
};

/// Scores a file of predictions: records with generated_text, or a text with a translation a line,
/// against references: parallel files, or texts with a translation a line, which are then each
/// other's alternatives (of several texts a blank line is none). kData where their numbers differ,
/// and for a translation without a reference.
TaskEvaluation score_translations(const TranslationConfig& config,
                                  const std::filesystem::path& predictions,
                                  const std::vector<std::filesystem::path>& references);

}  // namespace llmctl
