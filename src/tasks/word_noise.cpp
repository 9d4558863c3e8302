#include "tasks/word_noise.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"
#include "data/masking.h"

namespace llmctl {
namespace {

constexpr std::array kNames = {"mask", "drop", "swap"};

/// Tokens [begin, end) of a word, and which part of the row it stands in.
struct Word {
  std::size_t begin = 0, end = 0, part = 0;
};

std::vector<Word> words_of(const std::vector<TokenId>& ids, const Tokenizer& tokenizer) {
  std::vector<Word> words;
  std::size_t part = 0;
  bool apart = true, alone = true;  // behind a special token; behind what no token continues
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (tokenizer.is_special(ids[i])) {
      part += apart ? 0 : 1;
      apart = alone = true;
      continue;
    }
    const bool ideographs = all_ideographs(tokenizer, ids[i]);
    if (alone || ideographs || tokenizer.begins_word(ids[i])) words.push_back({i, i, part});
    words.back().end = i + 1;
    alone = ideographs;
    apart = false;
  }
  return words;
}

class Noise {
 public:
  explicit Noise(const NoisyRow& row) : row_(row) {}
  /// Tokens of the row up to `end` as they are, then those of a word.
  void keep_until(std::size_t end) {
    for (; next_ < end; ++next_) take(next_);
  }
  void skip_until(std::size_t end) { next_ = end; }
  void take(std::size_t at) {
    noisy_.ids.push_back(row_.ids[at]);
    if (!row_.types.empty()) noisy_.types.push_back(row_.types[at]);
  }
  NoisyRow finish() {
    keep_until(row_.ids.size());
    return std::move(noisy_);
  }

 private:
  const NoisyRow& row_;
  NoisyRow noisy_;
  std::size_t next_ = 0;
};

}  // namespace

std::vector<std::string> word_noise_names() {
  return {kNames.begin(), kNames.end()};
}

WordNoiseKind parse_word_noise(const std::string& name) {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  require(found != kNames.end(), ErrorCode::kInternal, "no noise of words ", name);
  return static_cast<WordNoiseKind>(found - kNames.begin());
}

bool can_noise(WordNoiseKind kind, const Tokenizer& tokenizer) {
  const SpecialTokens& special = tokenizer.special();
  return kind != WordNoiseKind::kMask || special.mask || special.unk;
}

NoisyRow with_word_noise(const NoisyRow& row, const WordNoise& how, const Tokenizer& tokenizer,
                         Random draws) {
  const std::vector<Word> words = words_of(row.ids, tokenizer);
  std::vector<bool> chosen;
  for (std::size_t w = 0; w < words.size(); ++w) chosen.push_back(draws.uniform() < how.share);
  if (how.kind == WordNoiseKind::kMask) {
    const SpecialTokens& special = tokenizer.special();
    const TokenId masked = special.mask ? *special.mask : special.unk.value();
    NoisyRow noisy = row;
    for (std::size_t w = 0; w < words.size(); ++w) {
      for (std::size_t i = words[w].begin; chosen[w] && i < words[w].end; ++i)
        noisy.ids[i] = masked;
    }
    return noisy;
  }
  Noise noise(row);
  if (how.kind == WordNoiseKind::kDrop) {
    // A text without words says nothing.
    if (std::find(chosen.begin(), chosen.end(), false) == chosen.end() && !words.empty())
      chosen[std::min(words.size() - 1, static_cast<std::size_t>(
                                            draws.uniform() * static_cast<double>(words.size())))] =
          false;
    for (std::size_t w = 0; w < words.size(); ++w) {
      noise.keep_until(words[w].begin);
      if (chosen[w]) noise.skip_until(words[w].end);
    }
    return noise.finish();
  }
  for (std::size_t w = 0; w + 1 < words.size(); ++w) {
    const Word &word = words[w], &next = words[w + 1];
    if (!chosen[w] || word.part != next.part) continue;
    noise.keep_until(word.begin);
    for (std::size_t i = next.begin; i < next.end; ++i) noise.take(i);
    for (std::size_t i = word.begin; i < word.end; ++i) noise.take(i);
    noise.skip_until(next.end);
    ++w;  // it has moved already
  }
  return noise.finish();
}

}  // namespace llmctl
