// Tokenizers as llama.cpp's files describe them: the keys "tokenizer.ggml.…" of GGUF
// (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), whatever file they stand in.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace llmctl {

struct GgmlVocabulary {
  /// "tokenizer.ggml.token_type", with its numbers.
  enum Type : std::int32_t {
    kUndefined = 0,
    kNormal = 1,
    kUnknown = 2,
    kControl = 3,
    kUserDefined = 4,
    kUnused = 5,
    kByte = 6
  };

  /// "llama": pieces merged by score (SentencePiece's bpe); "t5": the likeliest pieces
  /// (SentencePiece's unigram); "gpt2": bytes merged by a list (byte-level BPE).
  std::string model;
  std::string pre;  ///< of gpt2: how a text is cut before
  std::vector<std::string> tokens;
  std::vector<float> scores;        ///< of llama and t5
  std::vector<std::int32_t> types;  ///< empty: all normal
  std::vector<std::string> merges;  ///< of gpt2: "a b"
  SpecialTokens special;
  std::optional<bool> add_bos, add_eos;  ///< absent: as the model's kind has it
  std::optional<bool> add_space_prefix;  ///< true for llama and t5
  bool remove_extra_whitespaces = false;
  std::string charsmap;       ///< of t5: SentencePiece's normaliser
  std::string chat_template;  ///< may be empty
};

/// Describes a tokenizer so that llama.cpp gives the same ids; `notes` gets what it does not do the
/// same way with texts that are out of the ordinary. kData, naming the reason, for one that it
/// cannot follow: WordPiece, words or characters, normalisation, bytes that it has no tokens for, …
GgmlVocabulary ggml_vocabulary(const Tokenizer& tokenizer, std::vector<std::string>& notes);

/// The tokenizer that is so described; `source` names the file in errors. kData for kinds and
/// cuts ("pre") that are not supported and for contradictions.
std::shared_ptr<const Tokenizer> make_tokenizer(const GgmlVocabulary& vocabulary,
                                                const std::string& source);

/// What "pre" means.
struct GgmlPreTokenizer {
  const char* name;
  enum class Rule { kGpt2, kLlama3, kQwen2, kDigits, kDefault } rule;
  bool ignore_merges = false;
  bool add_bos = false;  ///< where the file does not say
};
const GgmlPreTokenizer* find_ggml_pre_tokenizer(std::string_view name);

}  // namespace llmctl
