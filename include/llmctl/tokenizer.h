// One interface for every kind of tokenizer: text to ids and back, offsets, special tokens.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace llmctl {

using TokenId = std::int32_t;

/// [begin, end) in bytes of the encoded text.
struct ByteSpan {
  std::size_t begin = 0, end = 0;
  bool operator==(const ByteSpan&) const = default;
};

struct Encoding {
  std::vector<TokenId> ids;
  /// One per id. Of the tokens that are bytes of one character, in SentencePiece models the last
  /// has the character's span and the others are empty; in Hugging Face's tokenizers each has it.
  std::vector<ByteSpan> offsets;
};

/// Ids of the special tokens that a tokenizer has.
struct SpecialTokens {
  std::optional<TokenId> unk, bos, eos, pad, cls, sep, mask;
};

/// What decoding carries from one token to the next.
struct DecodeState {
  bool at_start =
      true;  ///< nothing of the text is there yet: a space of the tokenizer's own is dropped
};

/// Thread-safe once built.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  virtual std::int64_t vocab_size() const = 0;
  /// Ids without special tokens. The text must be valid UTF-8 (kData otherwise, naming the byte).
  virtual std::vector<TokenId> encode(std::string_view text) const = 0;
  virtual Encoding encode_with_offsets(std::string_view text) const = 0;
  /// encode() of each text, on several threads.
  std::vector<std::vector<TokenId>> encode_batch(std::span<const std::string> texts) const;
  /// As encode_with_offsets, but the names of special tokens in the text ("[MASK]", "</s>") become
  /// their ids, and white space before the mask token is dropped ("the [MASK] sat" and "the[MASK]
  /// sat" are the same), as AutoTokenizer does. For text that the caller vouches for: encode()
  /// takes such names as ordinary text, so that no user's text can bring in special tokens. `only`,
  /// where not empty, names the ids that are recognised.
  virtual Encoding encode_with_special_pieces(std::string_view text,
                                              std::span<const TokenId> only = {}) const;
  /// The same for a text of which parts came from somebody else: `data` has '\1' for each of their
  /// bytes (empty: none), and a name that has such a byte stays text.
  virtual Encoding encode_marked(std::string_view text, std::string_view data) const;
  /// The text of the ids; special tokens are left out unless `keep_special`. Ids outside the
  /// vocabulary are kData.
  virtual std::string decode(std::span<const TokenId> ids, bool keep_special = false) const = 0;
  /// The bytes that one token adds to a text when it is not the first ("▁the" → " the"; a byte
  /// piece → its byte; a special token → its name when kept). For streaming: append, and show what
  /// complete_utf8_prefix allows.
  virtual std::string token_bytes(TokenId id) const = 0;
  /// The bytes that the token adds to what was decoded before: decode() and StreamDecoder are the
  /// concatenation of these. Special tokens add nothing unless `keep_special`.
  virtual std::string decode_next(TokenId id, DecodeState& state, bool keep_special) const;
  virtual std::string piece(TokenId id) const = 0;  ///< as the vocabulary spells it
  virtual std::optional<TokenId> find(std::string_view piece) const = 0;
  virtual bool is_special(TokenId id) const = 0;
  /// All of them.
  std::vector<TokenId> special_ids() const;
  /// True for tokens that stand for one byte of a character without a token of its own.
  virtual bool is_byte(TokenId) const { return false; }
  virtual const SpecialTokens& special() const = 0;

  /// True where the token begins a new word (a leading "▁", no "##", …): for whole-word masking and
  /// reports.
  virtual bool begins_word(TokenId id) const = 0;

  /// The sequence with the special tokens that models of its kind expect: [CLS] A [SEP], or BOS A.
  /// With a pair: [CLS] A [SEP] B [SEP]; where there is no such rule the two follow each other.
  /// `types` (may be null) gets 0 for the tokens of the first part and 1 for those of the second.
  virtual std::vector<TokenId> with_special(std::span<const TokenId> a,
                                            const std::vector<TokenId>* pair = nullptr,
                                            std::vector<TokenId>* types = nullptr) const = 0;

  /// Writes the files that a Hugging Face directory needs for AutoTokenizer to give the same ids:
  /// tokenizer.json, tokenizer_config.json, special_tokens_map.json, and the model in its own
  /// format beside them. `model_max_length` 0: no limit is known.
  virtual void save(const std::filesystem::path& directory,
                    std::int64_t model_max_length) const = 0;

  /// The tokenizer of a translation's target, where that is another one (Marian); else this one.
  virtual const Tokenizer& target() const { return *this; }

  /// SHA-256 over what decides the ids; names caches and is compared on resume.
  virtual std::string fingerprint() const = 0;
  /// "SentencePiece bpe, 8000 pieces, byte fallback".
  virtual std::string description() const = 0;

 protected:
  /// encode_with_offsets of a part of a text; what stands at its beginning (`first`) may get a
  /// prefix that the others do not.
  virtual Encoding encode_part(std::string_view text, bool first) const;

 private:
  Encoding encode_names(std::string_view text, std::string_view data,
                        std::span<const TokenId> only) const;
};

/// Offsets in bytes of a text (at the beginnings of characters, in any order) as offsets in
/// characters: Unicode code points, which Python, SQuAD and Hugging Face count.
std::vector<ByteSpan> character_offsets(std::string_view text, std::span<const ByteSpan> offsets);

/// From a directory or a file. The first of these that a directory has decides: a SentencePiece
/// model (tokenizer.model, spiece.model, sentencepiece.bpe.model, with what tokenizer_config.json
/// and tokenizer.json say of the special tokens), Marian's source.spm (with target.spm and
/// vocab.json), tokenizer.json, vocab.txt (WordPiece), vocab.json
/// with merges.txt (byte-level BPE). A file is a SentencePiece .model or a tokenizer.json. A run's
/// directory stands for its best, else last, checkpoint.
/// kMissing; kData for what is malformed, contradictory or of a kind that is not supported, naming
/// it.
std::shared_ptr<const Tokenizer> load_tokenizer(const std::filesystem::path& path);

}  // namespace llmctl
