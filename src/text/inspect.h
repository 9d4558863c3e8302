// What a tokenizer makes of texts, for `llmctl tokenizer inspect`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/json.h"
#include "text/tokenizer.h"

namespace llmctl {

struct TokenizerReport {
  std::uint64_t texts = 0, bytes = 0, characters = 0, tokens = 0;
  std::uint64_t unknown = 0;         ///< tokens that are the unknown piece
  std::uint64_t byte_tokens = 0;     ///< tokens that spell one byte of a character without a piece
  std::uint64_t distinct = 0;        ///< pieces that occur
  std::vector<std::string> longest;  ///< longest pieces that occur, in characters

  double bytes_per_token() const;
  double characters_per_token() const;
  double unknown_rate() const;  ///< of the tokens
  double byte_rate() const;     ///< of the tokens
  Json to_json() const;
};

/// Counts over texts given one by one.
class TokenizerInspector {
 public:
  explicit TokenizerInspector(const Tokenizer& tokenizer);
  void add(std::string_view text);  ///< kData for invalid UTF-8
  TokenizerReport report(std::size_t longest = 10) const;

 private:
  const Tokenizer& tokenizer_;
  TokenizerReport counts_;
  std::vector<std::uint64_t> uses_;  // of each id
};

}  // namespace llmctl
