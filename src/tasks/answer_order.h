// Texts that grow side by side, shown one after another.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "prompt/generate.h"
#include "tasks/answer.h"

namespace llmctl {

/// Passes the pieces of the first answer that is not complete on and holds those of later ones back
/// until it is their turn.
class AnswerOrder {
 public:
  /// `trims`: white space around an answer is not part of it.
  AnswerOrder(TextStream out, bool trims) : out_(std::move(out)), trims_(trims) {}

  /// The next answer in order, which begins with `text`.
  void add(std::size_t input, std::size_t sample, std::string text);
  /// After all answers are added.
  void push(const TextPiece& piece);

 private:
  struct Growing {
    std::size_t input, sample;
    std::string text;  // not passed on yet
    bool begun = false, last = false;
  };
  void pass_on(Growing& answer);

  TextStream out_;
  bool trims_;
  std::vector<Growing> answers_;
  std::vector<std::size_t> first_;  // by input: its first answer
  std::size_t turn_ = 0;
};

}  // namespace llmctl
