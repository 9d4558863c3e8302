#include "text/stream.h"

#include <utility>

#include "base/utf8.h"

namespace llmctl {

StreamDecoder::StreamDecoder(std::shared_ptr<const Tokenizer> tokenizer, bool keep_special,
                             bool continues)
    : tokenizer_(std::move(tokenizer)), keep_special_(keep_special), continues_(continues) {
  state_.at_start = !continues;
}

std::string StreamDecoder::push(TokenId id) {
  pending_ += tokenizer_->decode_next(id, state_, keep_special_);
  const std::size_t complete = complete_utf8_prefix(pending_);
  std::string text = replace_invalid_utf8(std::string_view(pending_).substr(0, complete));
  pending_.erase(0, complete);
  return text;
}

std::string StreamDecoder::finish() {
  state_ = DecodeState{.at_start = !continues_};
  return replace_invalid_utf8(std::exchange(pending_, ""));
}

}  // namespace llmctl
