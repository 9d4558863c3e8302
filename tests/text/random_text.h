// Texts that are hard on tokenizers.
#pragma once

#include <string>
#include <vector>

#include "base/random.h"
#include "base/utf8.h"

namespace llmctl::test {

/// Valid UTF-8 of every kind, without U+2581: it stands for a space in SentencePiece.
inline std::string random_text(Random& random, std::size_t pieces) {
  static const std::vector<std::string> kCommon = {
      " ",      "  ",     "\n",     "\t",       "\r\n",
      "the ",   "park",   "我今天", "去了公园", "，",
      "。",     "12345",  "é",      "😀",        "👨‍👩‍👧",
      "<s>",    "</s>",   "[MASK]", "<0x0A>",   "\u2585",
      "\uFEFF", "\u3000", "e\u0301"};
  std::string text;
  for (std::size_t i = 0; i < pieces; ++i) {
    if (random.below(2) == 0) {
      text += kCommon[random.below(kCommon.size())];
      continue;
    }
    char32_t c = 0;
    switch (random.below(5)) {
      case 0:
        c = static_cast<char32_t>(random.below(0x80));
        break;
      case 1:
        c = static_cast<char32_t>(0x80 + random.below(0x700));
        break;
      case 2:
        c = static_cast<char32_t>(0x4E00 + random.below(0x5000));
        break;
      case 3:
        c = static_cast<char32_t>(0x10000 + random.below(0x100000));
        break;
      default:
        c = static_cast<char32_t>(random.below(0xD800));
    }
    if (c != 0x2581) append_utf8(text, c);
  }
  return text;
}

}  // namespace llmctl::test
