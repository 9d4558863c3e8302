// Interpolated modified Kneser-Ney n-gram model over token ids (Kneser and Ney, 1995; Chen and
// Goodman, 1999): the yardstick for neural language models on the same tokens.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace llmctl {

/// Loss of a text.
struct TokenLoss {
  double nats = 0;  ///< sum of negative log-probabilities
  std::uint64_t tokens = 0;
};

/// Documents are scored as the neural validation scores them: each begins with the start token as
/// context, and every token of it, the one that ends it included, is predicted once from what
/// stands before it in the document.
class KneserNey {
 public:
  /// Takes documents until build().
  class Builder {
   public:
    /// `order` of 1 to 16; ids are in [0, vocab_size). `start` is the token that stands before
    /// every document (the end-of-text or the begin token).
    Builder(int order, std::int64_t vocab_size, std::int64_t start);
    /// Tokens of one document, its end token included and its start token not. kData when an id is
    /// outside the vocabulary.
    void add(std::span<const std::int64_t> document);
    /// kData when there is no token.
    KneserNey build();

   private:
    friend class KneserNey;
    int order_;
    std::uint32_t vocab_size_, start_;
    std::vector<std::uint32_t> tokens_;  // each document behind a start token
    std::vector<std::uint64_t> starts_;  // of the documents in tokens_
  };

  int order() const { return static_cast<int>(levels_.size()) - 1; }
  /// Probability of `token` behind `context`, whose first token is the start token when it reaches
  /// back to the document's beginning; only its last order()-1 tokens matter.
  double probability(std::span<const std::int64_t> context, std::int64_t token) const;
  /// Of one document (as Builder::add takes it).
  TokenLoss loss(std::span<const std::int64_t> document) const;

  /// Discounts of the n-grams of length n seen once, twice and more often: discounts()[n - 1].
  std::span<const std::array<double, 3>> discounts() const {
    return std::span(discounts_).subspan(1);
  }
  /// Number of different n-grams of length n: sizes()[n - 1].
  std::vector<std::uint64_t> sizes() const;

 private:
  /// The n-grams of one length in the order of a trie: those that share their first n-1 tokens
  /// stand together, sorted by the last token.
  struct Level {
    std::vector<std::uint32_t> token;  ///< the last one of each n-gram
    /// Adjusted count: how often the n-gram occurs if it is of the model's order or begins a
    /// document, else how many different tokens stand before it.
    std::vector<std::uint32_t> count;
    std::vector<std::uint32_t> first_child;  ///< into the next level; one more than n-grams
    std::vector<std::uint32_t> total;        ///< sum of the children's counts
    std::vector<float> leftover;             ///< share of their mass that discounting frees
  };
  static constexpr std::uint32_t kNone = 0xFFFF'FFFF;
  /// Indices of the contexts that end at one place, in their levels: [0] the empty one, [n] of n
  /// tokens; kNone where it never occurred.
  using Contexts = std::vector<std::uint32_t>;

  KneserNey() = default;
  void build_levels(const Builder& builder);
  void adjust_counts();
  void estimate();
  /// Index in levels_[level + 1], or kNone.
  std::uint32_t child(std::size_t level, std::uint32_t index, std::uint32_t token) const;
  Contexts start_contexts() const;
  /// Probability of `token`, and the contexts behind it.
  double advance(Contexts& contexts, std::uint32_t token) const;

  std::uint32_t vocab_size_ = 0, start_ = 0;
  std::vector<Level> levels_;  // [n]: n-grams; [0] is the empty one alone
  std::vector<std::array<double, 3>> discounts_;
};

}  // namespace llmctl
