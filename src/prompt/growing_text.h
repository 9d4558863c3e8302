// The text of one answer as its tokens arrive: ends at stop strings, shows nothing that may still
// become one.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "text/stream.h"

namespace llmctl {

class GrowingText {
 public:
  /// `continues`: the answer follows a text, so that its first word keeps the space before it.
  /// `stop` outlives the object; its strings are not empty.
  GrowingText(std::shared_ptr<const Tokenizer> tokenizer, bool continues,
              const std::vector<std::string>& stop);

  /// True when a stop string is complete: the text ends before it, further tokens are not wanted.
  bool push(TokenId id);
  /// No further tokens: what was held back belongs to the text after all.
  void finish();

  const std::string& text() const { return text_; }
  /// What of the text is certain and has not been given out yet.
  std::string take();

 private:
  bool append(const std::string& piece);
  std::size_t certain() const;

  StreamDecoder decoder_;
  const std::vector<std::string>& stop_;
  std::size_t longest_ = 0;  // stop string
  std::string text_;
  std::size_t taken_ = 0;
  bool done_ = false;
};

}  // namespace llmctl
