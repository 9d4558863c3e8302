// Exact match and F1 of answers as the SQuAD scripts define them (Rajpurkar et al., 2016 and 2018).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace llmctl {

/// Of one answer, each in [0, 1].
struct AnswerScore {
  double exact_match = 0, f1 = 0;
};

/// Lower case, without ASCII punctuation and the articles a, an, the; words separated by one space.
std::string squad_normalize(std::string_view text);

/// Against one reference: equality and the F1 of the bags of words of the normalised texts. Where
/// one of them is empty, F1 is 1 if both are.
AnswerScore squad_score(std::string_view prediction, std::string_view reference);

/// Against several references: the best exact match and the best F1, as the script of SQuAD 1.1 has
/// it. No references means that the question has no answer (SQuAD 2.0): the empty prediction is
/// right then. (The script of 2.0 also leaves out a reference such as "the" that normalises to
/// nothing when another one stays.)
AnswerScore squad_score(std::string_view prediction, std::span<const std::string> references);

/// Where "no answer" should begin (SQuAD 2.0): answers whose `no_answer_score` is above the
/// threshold are replaced by none.
struct NoAnswerThreshold {
  double score = 0;      ///< mean with the threshold, in percent
  double threshold = 0;  ///< largest score at which the answer is kept
};

/// One question for best_no_answer_threshold().
struct ThresholdItem {
  double score = 0;            ///< exact match or F1 of the prediction, in [0, 1]
  double no_answer_score = 0;  ///< the higher, the likelier is "no answer"
  bool has_answer = true;      ///< the references name one
  bool predicted_empty = false;
};

/// The threshold that makes the mean score largest.
NoAnswerThreshold best_no_answer_threshold(std::span<const ThresholdItem> items);

}  // namespace llmctl
