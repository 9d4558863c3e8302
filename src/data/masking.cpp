#include "data/masking.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/utf8.h"
#include "data/batch.h"

namespace llmctl {

bool all_ideographs(const Tokenizer& tokenizer, TokenId id) {
  const std::string bytes = tokenizer.token_bytes(id);
  if (find_invalid_utf8(bytes)) return false;
  bool found = false;
  for (std::size_t at = 0; at < bytes.size();) {
    const char32_t point = next_code_point(bytes, at);
    if (point == U' ') continue;
    if (!is_cjk(point)) return false;
    found = true;
  }
  return found;
}

std::vector<std::vector<std::size_t>> groups_of_words(std::span<const ByteSpan> tokens,
                                                      std::span<const ByteSpan> words) {
  std::vector<std::vector<std::size_t>> groups;
  std::size_t word = 0;
  bool open = false;  // does the last group belong to this word?
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    while (word < words.size() && words[word].end <= tokens[i].begin) {
      ++word;
      open = false;
    }
    const bool inside = word < words.size() && words[word].begin <= tokens[i].begin;
    if (!inside || !open) groups.emplace_back();
    groups.back().push_back(i);
    open = inside;
  }
  return groups;
}

Masker::Masker(const Tokenizer& tokenizer, const MaskingOptions& options) : options_(options) {
  require(tokenizer.special().mask.has_value(), ErrorCode::kConfig, "the tokenizer (",
          tokenizer.description(),
          ") has no mask token; train one with: llmctl tokenizer train --recipe masked");
  mask_ = *tokenizer.special().mask;
  kinds_.resize(static_cast<std::size_t>(tokenizer.vocab_size()));
  for (std::size_t i = 0; i < kinds_.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    kinds_[i] = tokenizer.is_special(id)        ? Kind::kSpecial
                : all_ideographs(tokenizer, id) ? Kind::kIdeographs
                : tokenizer.begins_word(id)     ? Kind::kBegins
                                                : Kind::kContinues;
    if (options_.chinese_words && kinds_[i] == Kind::kIdeographs) {
      ideographs_.emplace(id, tokenizer.token_bytes(id));
    }
  }
}

Masker::Kind Masker::kind(std::int64_t id) const {
  require(id >= 0 && static_cast<std::size_t>(id) < kinds_.size(), ErrorCode::kData, "token ", id,
          " is not in the tokenizer's vocabulary of ", kinds_.size());
  return kinds_[static_cast<std::size_t>(id)];
}

std::vector<std::vector<std::size_t>> Masker::word_groups(std::span<const std::int64_t> ids) const {
  std::vector<std::vector<std::size_t>> groups;
  bool open = false;  // may the next token join the last group?
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const Kind kind = this->kind(ids[i]);
    if (options_.chinese_words && kind == Kind::kIdeographs) {
      std::size_t end = i + 1;
      while (end < ids.size() && this->kind(ids[end]) == Kind::kIdeographs) ++end;
      for (auto& group : chinese_groups(ids, i, end)) groups.push_back(std::move(group));
      i = end - 1;
      open = false;
      continue;
    }
    if (kind != Kind::kSpecial) {
      if (!open || kind != Kind::kContinues) groups.emplace_back();
      groups.back().push_back(i);
    }
    open = kind == Kind::kBegins || kind == Kind::kContinues;
  }
  return groups;
}

std::vector<std::vector<std::size_t>> Masker::chinese_groups(std::span<const std::int64_t> ids,
                                                             std::size_t begin,
                                                             std::size_t end) const {
  std::string text;
  std::vector<ByteSpan> tokens;
  for (std::size_t i = begin; i < end; ++i) {
    std::string_view token = ideographs_.at(ids[i]);
    if (token.starts_with(' ')) {  // SentencePiece's mark: no word goes across it
      text += ' ';
      token.remove_prefix(1);
    }
    tokens.push_back({text.size(), text.size() + token.size()});
    text += token;
  }
  auto groups = groups_of_words(tokens, options_.chinese_words(text));
  for (auto& group : groups) {
    for (std::size_t& position : group) position += begin;
  }
  return groups;
}

std::vector<std::size_t> Masker::choose_tokens(Random& random,
                                               std::span<const std::int64_t> ids) const {
  std::vector<std::size_t> chosen, candidates;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (kind(ids[i]) == Kind::kSpecial) continue;
    candidates.push_back(i);
    if (random.uniform() < options_.probability) chosen.push_back(i);
  }
  if (chosen.empty() && !candidates.empty()) {
    chosen.push_back(candidates[random.below(candidates.size())]);
  }
  return chosen;
}

std::vector<std::size_t> Masker::choose_words(Random& random,
                                              std::span<const std::int64_t> ids) const {
  std::vector<std::vector<std::size_t>> groups = word_groups(ids);
  std::size_t candidates = 0;
  for (const auto& group : groups) candidates += group.size();
  const auto limit = static_cast<std::size_t>(
      std::max<long long>(1, std::llround(options_.probability * static_cast<double>(candidates))));
  std::vector<std::size_t> chosen;
  for (std::size_t i = 0; i < groups.size() && chosen.size() < limit; ++i) {
    std::swap(groups[i], groups[i + random.below(groups.size() - i)]);
    if (chosen.size() + groups[i].size() <= limit) {
      chosen.insert(chosen.end(), groups[i].begin(), groups[i].end());
    }
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

std::size_t Masker::apply(RandomKey key, std::span<std::int64_t> ids,
                          std::span<std::int64_t> labels) const {
  Random random(key);
  const std::vector<std::size_t> chosen =
      options_.whole_word ? choose_words(random, ids) : choose_tokens(random, ids);
  std::fill(labels.begin(), labels.end(), kIgnoreLabel);
  for (const std::size_t i : chosen) {
    labels[i] = ids[i];
    const double draw = random.uniform();
    if (draw < options_.mask_share) {
      ids[i] = mask_;
    } else if (draw < options_.mask_share + options_.random_share) {
      ids[i] = static_cast<std::int64_t>(random.below(kinds_.size()));
    }
  }
  return chosen.size();
}

}  // namespace llmctl
