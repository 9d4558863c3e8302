// What question answering reaches by matching words, without any learning: the yardstick beside a
// model's scores.
#pragma once

#include <string>
#include <string_view>

namespace llmctl {

/// Takes the sentence of the passage that shares the most words (Chinese: characters) with the
/// question, rarer ones counting more, and answers with the longest run in it, free of punctuation,
/// that the question does not hold. "" for a passage without words.
std::string overlap_answer(std::string_view question, std::string_view passage);

}  // namespace llmctl
