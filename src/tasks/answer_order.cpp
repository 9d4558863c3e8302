#include "tasks/answer_order.h"

#include <string_view>
#include <utility>

#include "text/unicode.h"

namespace llmctl {

void AnswerOrder::add(std::size_t input, std::size_t sample, std::string text) {
  if (first_.size() <= input) first_.resize(input + 1, answers_.size());
  answers_.push_back({input, sample, std::move(text)});
}

void AnswerOrder::push(const TextPiece& piece) {
  const std::size_t at = first_[piece.prompt] + piece.sample;
  answers_[at].text += piece.text;
  answers_[at].last = piece.last;
  if (at != turn_) return;
  pass_on(answers_[at]);
  while (answers_[turn_].last && ++turn_ < answers_.size()) pass_on(answers_[turn_]);
}

void AnswerOrder::pass_on(Growing& answer) {
  std::string text = std::exchange(answer.text, {});
  if (trims_) {
    const std::string_view inner = trim(text);
    const std::size_t begin = inner.empty() ? 0 : text.find(inner);
    const std::size_t end = begin + inner.size();
    // White space behind may turn out to be between two words.
    if (!answer.last) answer.text = text.substr(end);
    text = text.substr(0, end).substr(answer.begun || end == 0 ? 0 : begin);
  }
  answer.begun = answer.begun || !text.empty();
  if (!text.empty() || answer.last)
    out_({answer.input, answer.sample, std::move(text), answer.last});
}

}  // namespace llmctl
