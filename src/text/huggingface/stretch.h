// A stretch of text on its way through a tokenizer, and which bytes of the original each of its
// bytes stands for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "llmctl/tokenizer.h"

namespace llmctl {

/// Bytes [begin, end) of a stretch.
struct TextRange {
  std::uint32_t begin = 0, end = 0;
  std::uint32_t size() const { return end - begin; }
  bool operator==(const TextRange&) const = default;
};

/// The text that the steps of a tokenizer see. As long as no step has changed it, it is the
/// caller's; the first change makes it the stretch's own.
class Stretch {
 public:
  /// `begin` is the stretch's place in the whole text, of which it is `first` when nothing comes
  /// before it; `tracked`: original() will be asked.
  Stretch(std::string_view text, std::size_t begin, bool tracked, bool first)
      : text_(text), begin_(begin), tracked_(tracked), first_(first) {}
  /// A part of another one, which must outlive it.
  Stretch(const Stretch& whole, TextRange part);
  Stretch(const Stretch&) = delete;
  Stretch& operator=(const Stretch&) = delete;

  std::string_view text() const { return text_; }
  /// True where byte `at` of text() begins the whole text.
  bool begins_text(std::size_t at) const;
  /// The bytes of the whole text that [begin, end) of text() stands for: whole characters. Of a
  /// tracked stretch.
  ByteSpan original(std::size_t begin, std::size_t end) const;

 private:
  friend class Rewriter;
  std::string_view text_;
  std::string own_;
  std::vector<TextRange>
      origin_;  // of each byte of own_, relative to begin_; once changed and tracked
  std::size_t begin_;
  bool tracked_, first_, changed_ = false;
};

/// Writes a stretch anew, from its beginning to its end.
class Rewriter {
 public:
  explicit Rewriter(Stretch& stretch) : stretch_(stretch) {
    out_.reserve(stretch.text_.size() + stretch.text_.size() / 8 + 16);
  }

  /// Bytes [begin, end) of the old text as they are.
  void copy(std::size_t begin, std::size_t end);
  /// New bytes that stand for the character whose bytes include `at` of the old text.
  void put(std::string_view bytes, std::size_t at);
  void put(char32_t code_point, std::size_t at);
  /// New bytes that stand for nothing of the old text.
  void put_unfounded(std::string_view bytes);
  /// Bytes put so far.
  std::size_t size() const { return out_.size(); }
  /// The old text is replaced by the new.
  void commit();

  /// A character of a new text, as Hugging Face's tokenizers describe changes: 0 replaces a
  /// character of the old text, 1 is put in behind the one before, -n replaces one and takes the n
  /// behind it away.
  struct Change {
    char32_t code_point = 0;
    int change = 0;
  };
  /// Characters from byte `at` of the old text on, by changes; returns the place behind them.
  std::size_t put_changes(const std::vector<Change>& changes, std::size_t at);

 private:
  TextRange origin(std::size_t at) const;

  Stretch& stretch_;
  std::string out_;
  std::vector<TextRange> out_origin_;
};

}  // namespace llmctl
