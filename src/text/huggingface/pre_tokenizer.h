// Pre-tokenizers of tokenizer.json: how a text is cut before the model sees it.
#pragma once

#include <memory>
#include <vector>

#include "text/huggingface/json_access.h"
#include "text/huggingface/stretch.h"

namespace llmctl {

/// A stretch and the parts into which it has been cut; what is in no part is dropped.
struct CutText {
  explicit CutText(Stretch& text) : stretch(text) {
    if (!text.text().empty()) parts.push_back({0, static_cast<std::uint32_t>(text.text().size())});
  }
  Stretch& stretch;
  std::vector<TextRange> parts;  // in order, none empty
  std::vector<TextRange> spare;  // for the next step's parts
};

/// Thread-safe.
class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  virtual void apply(CutText& text) const = 0;
  /// True where its last step hands bytes, spelled as GPT-2 does, to the model.
  virtual bool is_byte_level() const { return false; }
};

/// From "pre_tokenizer" (null: null). BertPreTokenizer, ByteLevel (last), CharDelimiterSplit,
/// Digits, Metaspace, Punctuation, Sequence, Split, Whitespace, WhitespaceSplit; kData for another
/// type, by its name. ByteLevel leaves the bytes as they are: the model matches bytes instead of
/// the characters that spell them.
std::unique_ptr<PreTokenizer> make_pre_tokenizer(const JsonAccess& json);

}  // namespace llmctl
