// Bytes of characters without a token of their own.
#pragma once

#include <array>
#include <cstdio>
#include <string_view>
#include <vector>

#include "text/huggingface/vocabulary.h"
#include "text/segmenter.h"

namespace llmctl {

/// The tokens "<0x00>" to "<0xFF>".
class ByteFallback {
 public:
  ByteFallback() { ids_.fill(-1); }
  explicit ByteFallback(const Vocabulary& vocabulary) {
    for (unsigned byte = 0; byte < 256; ++byte) {
      char name[8];
      std::snprintf(name, sizeof name, "<0x%02X>", byte);
      ids_[byte] = vocabulary.find(name);
    }
  }

  /// Appends a token for each byte of the segment; false, and nothing, when one is missing.
  bool put(std::string_view text, const Segment& segment, std::vector<Segment>& out) const {
    const std::size_t before = out.size();
    for (std::size_t i = segment.begin; i < segment.end; ++i) {
      const TokenId id = ids_[static_cast<unsigned char>(text[i])];
      if (id < 0) {
        out.resize(before);
        return false;
      }
      out.push_back({i, i + 1, id});
    }
    return true;
  }

 private:
  std::array<TokenId, 256> ids_;
};

}  // namespace llmctl
