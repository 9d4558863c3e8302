// What a tokenizer makes of texts, for `llmctl tokenizer inspect`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/json.h"
#include "text/tokenizer.h"

namespace llmctl {

/// A piece that a tokenizer hardly wants: it takes a place in the vocabulary and teaches little.
struct OddPiece {
  std::string piece, why;
  std::uint64_t uses = 0;
};

/// Why the bytes of a piece are odd: "part of a character", "invisible characters" (control,
/// format, private use, U+FFFD), "letters and digits", "several scripts" (Chinese characters beside
/// letters of an alphabet), "one character repeated" (four times or more, spaces and line ends
/// aside); empty when they are not.
std::string oddity_of(std::string_view bytes);

struct TokenizerReport {
  std::uint64_t texts = 0, bytes = 0, characters = 0, tokens = 0;
  std::uint64_t unknown = 0;         ///< tokens that are the unknown piece
  std::uint64_t byte_tokens = 0;     ///< tokens that spell one byte of a character without a piece
  std::uint64_t distinct = 0;        ///< pieces that occur
  std::vector<std::string> longest;  ///< longest that occur, of the text's main script
  std::uint64_t odd = 0;             ///< odd pieces that occur
  std::vector<OddPiece> odd_pieces;  ///< the most frequent of them

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
  /// With at most `examples` longest and odd pieces.
  TokenizerReport report(std::size_t examples = 10) const;

 private:
  const Tokenizer& tokenizer_;
  TokenizerReport counts_;
  std::vector<std::uint64_t> uses_;  // of each id
};

}  // namespace llmctl
