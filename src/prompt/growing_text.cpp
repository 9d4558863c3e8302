#include "prompt/growing_text.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace llmctl {

GrowingText::GrowingText(std::shared_ptr<const Tokenizer> tokenizer, bool continues,
                         const std::vector<std::string>& stop)
    : decoder_(std::move(tokenizer), false, continues), stop_(stop) {
  for (const std::string& text : stop) longest_ = std::max(longest_, text.size());
}

bool GrowingText::push(TokenId id) {
  return append(decoder_.push(id));
}

void GrowingText::finish() {
  if (!done_) append(decoder_.finish());
  done_ = true;
}

std::string GrowingText::take() {
  const std::size_t end = certain();
  std::string piece = text_.substr(taken_, end - taken_);
  taken_ = end;
  return piece;
}

bool GrowingText::append(const std::string& piece) {
  if (done_) return true;
  // A stop string may have begun in what was there before.
  const std::size_t from = text_.size() - std::min(text_.size(), longest_ > 0 ? longest_ - 1 : 0);
  text_ += piece;
  std::size_t first = std::string::npos;
  for (const std::string& stop : stop_) first = std::min(first, text_.find(stop, from));
  if (first == std::string::npos) return false;
  text_.resize(first);
  done_ = true;
  return true;
}

/// Length of the text without a tail that a stop string begins with.
std::size_t GrowingText::certain() const {
  if (done_ || longest_ == 0) return text_.size();
  for (std::size_t n = std::min(longest_ - 1, text_.size() - taken_); n > 0; --n) {
    const std::string_view tail = std::string_view(text_).substr(text_.size() - n);
    for (const std::string& stop : stop_) {
      if (stop.size() > n && stop.starts_with(tail)) return text_.size() - n;
    }
  }
  return text_.size();
}

}  // namespace llmctl
