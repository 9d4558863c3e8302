// Questions with their passages and answers in plain text, as people write them down.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "tasks/bad_rows.h"

namespace llmctl {

/// A question of a passage.
struct QaTextQuestion {
  std::string question;
  std::vector<std::string> answers;  ///< empty: the passage does not answer it
  std::string place;                 ///< "FILE:LINE"
};

struct QaTextPassage {
  std::string context, place;
  std::vector<QaTextQuestion> questions;
};

/// The passages of a text file:
///
///   Ada lives in Oakford, where she      lines up to the first question, blank ones between them
///   keeps bees.                          too, are a passage
///
///   Q: What does Ada keep?               a question ("Question:", "问:", "问题:")
///   A: bees                              an answer ("Answer:", "答:", "答案:"), several times for
///   Q: Where was she born?               several references; "A:" alone where the passage does
///   A:                                   not answer the question
///
///   C: Bob …                             the next passage, behind a blank line; "C:" ("Context:",
///                                        "文:", "原文:", "段落:") may mark its beginning
///
/// The colon may be a Chinese one. Noted in `bad`: questions without a passage or without a line of
/// answers, answers without a question, lines that follow a question or an answer at once, lines
/// that are no UTF-8. kMissing.
void for_each_qa_passage(const std::filesystem::path& file,
                         const std::function<void(QaTextPassage&)>& passage, BadRows& bad);

}  // namespace llmctl
