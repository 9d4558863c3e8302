#include "metrics/chrf.h"

#include <vector>

#include "base/error.h"
#include "base/utf8.h"
#include "metrics/ngrams.h"
#include "metrics/translation_words.h"

namespace llmctl {
namespace {

constexpr double kBetaSquared = 4;

bool chrf_sign(char c) {
  return std::string_view("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~").find(c) != std::string_view::npos;
}

/// Words with the sign at their end, or else at their beginning, apart.
void add_words(std::string_view word, std::vector<std::string_view>& words) {
  if (count_code_points(word) == 1) {
    words.push_back(word);
  } else if (chrf_sign(word.back())) {
    words.push_back(word.substr(0, word.size() - 1));
    words.push_back(word.substr(word.size() - 1));
  } else if (chrf_sign(word.front())) {
    words.push_back(word.substr(0, 1));
    words.push_back(word.substr(1));
  } else {
    words.push_back(word);
  }
}

/// Fills the orders [first, first + count) of each reference's counts; sequence 0 is the
/// translation.
void count_orders(NgramWalk walk, std::size_t first, std::size_t count,
                  std::vector<ChrfCounts>& references) {
  std::vector<std::uint32_t> own, other;
  for (std::size_t n = 0; n < count; ++n) {
    if (n > 0) walk.lengthen();
    walk.count(0, own);
    for (std::size_t r = 0; r < references.size(); ++r) {
      walk.count(r + 1, other);
      ChrfCounts::Order& order = references[r].orders[first + n];
      order.reference = static_cast<double>(walk.ngrams(r + 1).size());
      order.translation = order.reference > 0 ? static_cast<double>(walk.ngrams(0).size()) : 0.0;
      order.shared = shared_ngrams(own, other);
    }
  }
}

const ChrfCounts& best_of(const std::vector<ChrfCounts>& references, bool words) {
  const ChrfCounts* best = nullptr;
  double best_score = -1;
  for (const ChrfCounts& counts : references) {
    const double score = chrf_score(counts, words);
    if (score > best_score) {
      best = &counts;
      best_score = score;
    }
  }
  return *best;
}

}  // namespace

double chrf_score(const ChrfCounts& counts, bool words) {
  double precision = 0, recall = 0, orders = 0;
  const std::size_t last = words ? ChrfCounts::kOrders : ChrfCounts::kCharacters;
  for (std::size_t n = 0; n < last; ++n) {
    const ChrfCounts::Order& order = counts.orders[n];
    if (order.translation == 0 || order.reference == 0) continue;
    precision += order.shared / order.translation;
    recall += order.shared / order.reference;
    orders += 1;
  }
  if (orders == 0 || precision + recall == 0) return 0;
  precision /= orders;
  recall /= orders;
  return 100 * ((1 + kBetaSquared) * precision * recall / (kBetaSquared * precision + recall));
}

SentenceChrf chrf_counts(std::string_view translation, std::span<const std::string> references) {
  require(!references.empty(), ErrorCode::kInternal, "chrF needs a reference");
  std::vector<Units> characters;
  std::vector<std::vector<std::string_view>> words;
  std::size_t word_count = 0;
  const auto add = [&](std::string_view text) {
    Units& units = characters.emplace_back();
    std::vector<std::string_view>& own = words.emplace_back();
    for (const std::string_view word : split_words(text)) {
      for (std::size_t at = 0; at < word.size();) units.push_back(next_code_point(word, at));
      add_words(word, own);
    }
    word_count += own.size();
  };
  add(translation);
  for (const std::string& reference : references) add(reference);

  Numbering<std::string_view> numbers;
  numbers.clear(word_count);
  std::vector<Units> word_units(words.size());
  for (std::size_t s = 0; s < words.size(); ++s)
    for (const std::string_view word : words[s]) word_units[s].push_back(numbers(word));

  std::vector<ChrfCounts> counts(references.size());
  count_orders(NgramWalk(std::move(characters)), 0, ChrfCounts::kCharacters, counts);
  count_orders(NgramWalk(std::move(word_units)), ChrfCounts::kCharacters, ChrfCounts::kWords,
               counts);
  return {best_of(counts, false), best_of(counts, true)};
}

}  // namespace llmctl
