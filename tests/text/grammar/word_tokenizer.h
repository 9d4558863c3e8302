// A tokenizer whose tokens are given texts.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "support/byte_tokenizer.h"

namespace llmctl::test {

/// Ids are the texts in their order; </s> follows.
class WordTokenizer : public ByteTokenizer {
 public:
  explicit WordTokenizer(std::vector<std::string> words)
      : ByteTokenizer(Kind::kPlain), words_(std::move(words)) {
    special_.eos = static_cast<TokenId>(words_.size());
  }
  std::int64_t vocab_size() const override { return static_cast<std::int64_t>(words_.size()) + 1; }
  std::string piece(TokenId id) const override {
    return id == end() ? "</s>" : words_[static_cast<std::size_t>(id)];
  }
  bool is_special(TokenId id) const override { return id == end(); }
  const SpecialTokens& special() const override { return special_; }
  TokenId end() const { return static_cast<TokenId>(words_.size()); }

 private:
  std::vector<std::string> words_;
  SpecialTokens special_;
};

/// Every byte, then these.
inline std::vector<std::string> bytes_and(const std::vector<std::string>& words) {
  std::vector<std::string> all;
  for (int byte = 0; byte < 256; ++byte) all.emplace_back(1, static_cast<char>(byte));
  all.insert(all.end(), words.begin(), words.end());
  return all;
}

}  // namespace llmctl::test
