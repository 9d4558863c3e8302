#include "tasks/answer.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/error.h"

namespace llmctl {

void AnswerInput::fail(const std::string& message) const {
  llmctl::fail(ErrorCode::kData, place, ": ", message);
}

void Responder::answer_each(std::span<const AnswerInput> inputs, std::size_t first,
                            const AnswerEvents& events, const AnswerGiver& give) {
  const auto batch = static_cast<std::size_t>(group_size());
  for (std::size_t done = 0; done < inputs.size(); done += batch) {
    const auto part = inputs.subspan(done, std::min(batch, inputs.size() - done));
    AnswerList answers = answer(part, first + done, events);
    for (std::size_t i = 0; i < answers.size(); ++i) give(done + i, std::move(answers[i]));
  }
}

std::string format_percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%5.1f %%", 100 * share);
  return text;
}

}  // namespace llmctl
