// Scores of translations, with sacreBLEU 2.6's digits: BLEU, chrF, chrF++ and TER of a corpus, and
// the signatures that say how they were computed.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/score.h"
#include "metrics/translation_words.h"

namespace llmctl {

struct TranslationScoreOptions {
  BleuTokenizer tokenizer = BleuTokenizer::k13a;  ///< of BLEU; the other scores have none to choose
  bool lowercase = false;                         ///< BLEU and chrF of the texts in small letters
  TerOptions ter = {};
};

/// BLEU's tokenizer for a target language ("zh", "zh-CN", "Chinese", "de_DE", "eng_Latn"): zh for
/// Chinese, char for Japanese and Korean (sacreBLEU takes MeCab, which is not part of this
/// program), else 13a. Where it is not known (empty, or no code: "German"), by the script of most
/// of the references.
struct ChosenBleuTokenizer {
  BleuTokenizer tokenizer = BleuTokenizer::k13a;
  std::string why;  ///< "target language zh"
};
ChosenBleuTokenizer choose_bleu_tokenizer(std::string_view language,
                                          std::span<const std::string> references);

/// Sums over sentences; as plain numbers, so that several processes can add theirs. Texts are valid
/// UTF-8.
class TranslationTotals {
 public:
  explicit TranslationTotals(const TranslationScoreOptions& options = {});

  /// One translation with its references (one at least, else kInternal).
  void add(const std::string& translation, std::span<const std::string> references);
  /// Many, on several threads; references[i] belong to translations[i].
  void add(std::span<const std::string> translations,
           std::span<const std::vector<std::string>> references);

  /// bleu, chrf, chrf++ (0 to 100) and ter (0 and more, lower is better).
  Scores scores() const;
  /// What scores() gives.
  static std::vector<ScoreKind> kinds();
  /// sacreBLEU's signatures of them, a line each: "BLEU nrefs:1|case:mixed|eff:no|tok:13a|…". The
  /// numbers of references are those of this process's sentences.
  std::vector<std::string> signatures() const;

  std::span<double> numbers() { return numbers_; }  ///< to be summed over processes

 private:
  TranslationScoreOptions options_;
  std::vector<double> numbers_;
  std::size_t fewest_ = std::numeric_limits<std::size_t>::max(), most_ = 0;  ///< references
};

/// BLEU of one translation with effective order, as sacreBLEU's sentence_bleu; 0 to 100.
double sentence_bleu(const std::string& translation, std::span<const std::string> references,
                     const TranslationScoreOptions& options = {});

}  // namespace llmctl
