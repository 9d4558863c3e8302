#include "corpus/kneser_ney.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/error.h"
#include "base/threads.h"

namespace llmctl {
namespace {

/// Where in the token stream an n-gram begins, and its first tokens as one number that sorts alike.
struct Position {
  std::uint64_t key;
  std::uint32_t begin;
};

/// Tokens of all documents, and for each place how many tokens are left in its document.
class Stream {
 public:
  Stream(const std::vector<std::uint32_t>& tokens, const std::vector<std::uint64_t>& starts,
         std::uint32_t vocab_size, std::size_t order)
      : tokens_(tokens), order_(order) {
    const int bits = std::bit_width(vocab_size);  // ids + 1, and 0 for the end
    packed_ = std::min<std::size_t>(order - 1, 64 / bits);
    bits_ = bits;
    left_.resize(tokens.size());
    for (std::size_t d = 0; d < starts.size(); ++d) {
      const std::uint64_t end = d + 1 < starts.size() ? starts[d + 1] : tokens.size();
      for (std::uint64_t i = starts[d]; i < end; ++i) {
        left_[i] = static_cast<std::uint8_t>(std::min<std::uint64_t>(order, end - i));
      }
    }
  }

  std::size_t length(std::uint32_t begin) const { return left_[begin]; }
  std::uint32_t token(std::uint32_t begin, std::size_t i) const { return tokens_[begin + i]; }

  /// Number of first tokens that two n-grams share.
  std::size_t common(std::uint32_t a, std::uint32_t b) const {
    const std::size_t shorter = std::min(length(a), length(b));
    std::size_t n = 0;
    while (n < shorter && token(a, n) == token(b, n)) ++n;
    return n;
  }

  /// The tokens behind the first one, as far as they fit.
  std::uint64_t key(std::uint32_t begin) const {
    std::uint64_t key = 0;
    for (std::size_t i = 1; i <= packed_; ++i) {
      key = (key << bits_) | (i < left_[begin] ? tokens_[begin + i] + 1 : 0);
    }
    return key;
  }
  bool less(const Position& a, const Position& b) const {
    if (a.key != b.key) return a.key < b.key;
    for (std::size_t i = 1 + packed_; i < order_; ++i) {
      const std::uint64_t x = i < left_[a.begin] ? tokens_[a.begin + i] + std::uint64_t{1} : 0;
      const std::uint64_t y = i < left_[b.begin] ? tokens_[b.begin + i] + std::uint64_t{1} : 0;
      if (x != y) return x < y;
    }
    return false;
  }

 private:
  const std::vector<std::uint32_t>& tokens_;
  std::vector<std::uint8_t> left_;
  std::size_t order_, packed_;
  int bits_;
};

/// All places sorted by the n-gram that begins there.
std::vector<std::uint32_t> sorted_places(const Stream& stream,
                                         const std::vector<std::uint32_t>& tokens,
                                         std::uint32_t vocab_size) {
  std::vector<std::uint32_t> bucket(vocab_size + std::size_t{1});
  for (std::uint32_t token : tokens) ++bucket[token + 1];
  for (std::size_t t = 1; t < bucket.size(); ++t) bucket[t] += bucket[t - 1];
  std::vector<std::uint32_t> places(tokens.size());
  {
    std::vector<std::uint32_t> next(bucket.begin(), bucket.end() - 1);
    for (std::uint32_t i = 0; i < tokens.size(); ++i) places[next[tokens[i]]++] = i;
  }
  parallel_for(vocab_size, [&](std::size_t token) {
    const std::size_t begin = bucket[token], end = bucket[token + 1];
    if (end - begin < 2) return;
    std::vector<Position> positions(end - begin);
    for (std::size_t i = begin; i < end; ++i)
      positions[i - begin] = {stream.key(places[i]), places[i]};
    std::sort(positions.begin(), positions.end(),
              [&](const Position& a, const Position& b) { return stream.less(a, b); });
    for (std::size_t i = begin; i < end; ++i) places[i] = positions[i - begin].begin;
  });
  return places;
}

/// Modified Kneser-Ney discounts from the numbers of n-grams seen 1, 2, 3 and 4 times. Too little
/// or too regular data gives none or senseless ones; those commonly used then are taken.
std::array<double, 3> discounts_from(const std::array<double, 5>& n) {
  const std::array<double, 3> fallback = {0.5, 1.0, 1.5};
  if (n[1] == 0 || n[2] == 0 || n[3] == 0 || n[4] == 0) return fallback;
  const double y = n[1] / (n[1] + 2 * n[2]);
  std::array<double, 3> d;
  for (std::size_t i = 1; i <= 3; ++i) {
    d[i - 1] = static_cast<double>(i) - static_cast<double>(i + 1) * y * n[i + 1] / n[i];
    if (d[i - 1] <= 0 || d[i - 1] > static_cast<double>(i)) return fallback;
  }
  return d;
}

}  // namespace

KneserNey::Builder::Builder(int order, std::int64_t vocab_size, std::int64_t start)
    : order_(order),
      vocab_size_(static_cast<std::uint32_t>(vocab_size)),
      start_(static_cast<std::uint32_t>(start)) {
  require(order >= 1 && order <= 16, ErrorCode::kUsage, "n-gram order: expected 1 to 16, got ",
          order);
  require(
      vocab_size >= 1 && vocab_size < (std::int64_t{1} << 31) && start >= 0 && start < vocab_size,
      ErrorCode::kInternal, "n-gram model: vocabulary of ", vocab_size, ", start token ", start);
}

void KneserNey::Builder::add(std::span<const std::int64_t> document) {
  require(tokens_.size() + document.size() < kNone - 1, ErrorCode::kData,
          "n-gram model: more than 4 billion tokens; train it on a part of the text");
  starts_.push_back(tokens_.size());
  tokens_.push_back(start_);
  for (std::int64_t token : document) {
    require(token >= 0 && token < vocab_size_, ErrorCode::kData, "n-gram model: token id ", token,
            " outside the vocabulary of ", vocab_size_);
    tokens_.push_back(static_cast<std::uint32_t>(token));
  }
}

KneserNey KneserNey::Builder::build() {
  require(tokens_.size() > starts_.size(), ErrorCode::kData, "n-gram model: no tokens to train on");
  KneserNey model;
  model.vocab_size_ = vocab_size_;
  model.start_ = start_;
  model.build_levels(*this);
  tokens_ = {};
  starts_ = {};
  model.adjust_counts();
  model.estimate();
  return model;
}

void KneserNey::build_levels(const Builder& builder) {
  const auto& tokens = builder.tokens_;
  const std::size_t order = static_cast<std::size_t>(builder.order_);
  const Stream stream(tokens, builder.starts_, vocab_size_, order);
  const std::vector<std::uint32_t> places = sorted_places(stream, tokens, vocab_size_);
  // How many tokens each n-gram shares with the one sorted before it: the rest are new entries.
  std::vector<std::uint8_t> common(places.size());
  std::vector<std::size_t> sizes(order + 2);
  for (std::size_t i = 0; i < places.size(); ++i) {
    const std::size_t length = stream.length(places[i]);
    if (i > 0) common[i] = static_cast<std::uint8_t>(stream.common(places[i - 1], places[i]));
    for (std::size_t n = common[i] + std::size_t{1}; n <= length; ++n) ++sizes[n];
  }
  levels_.resize(order + 1);
  levels_[0].token = levels_[0].first_child = {0};
  for (std::size_t n = 1; n <= order; ++n) {
    levels_[n].token.reserve(sizes[n]);
    levels_[n].count.reserve(sizes[n]);
    if (n < order) levels_[n].first_child.reserve(sizes[n] + 1);
  }
  for (std::size_t i = 0; i < places.size(); ++i) {
    const std::size_t length = stream.length(places[i]);
    for (std::size_t n = common[i] + std::size_t{1}; n <= length; ++n) {
      Level& level = levels_[n];
      level.token.push_back(stream.token(places[i], n - 1));
      level.count.push_back(0);
      if (n < order) {
        level.first_child.push_back(static_cast<std::uint32_t>(levels_[n + 1].token.size()));
      }
    }
    for (std::size_t n = 1; n <= length; ++n) ++levels_[n].count.back();
  }
  for (std::size_t n = 0; n < order; ++n) {
    levels_[n].first_child.push_back(static_cast<std::uint32_t>(levels_[n + 1].token.size()));
  }
  // Start tokens are never predicted.
  const std::uint32_t start = child(0, 0, start_);
  if (start != kNone) levels_[1].count[start] -= static_cast<std::uint32_t>(builder.starts_.size());
}

void KneserNey::adjust_counts() {
  const std::size_t order = levels_.size() - 1;
  // The n-grams of one length that begin a document: nothing stands before them.
  std::uint32_t first = child(0, 0, start_), last = first == kNone ? first : first + 1;
  std::vector<std::uint32_t> suffix(levels_[1].token.size(),
                                    0);  // of each n-gram, in the level below
  for (std::size_t n = 1; n < order; ++n) {
    Level& level = levels_[n];
    const Level& longer = levels_[n + 1];
    const bool single =
        n == 1;  // the start token alone is no exception: what counts is what precedes it
    for (std::uint32_t i = 0; i < level.count.size(); ++i) {
      if (single || i < first || i >= last) level.count[i] = 0;
    }
    std::vector<std::uint32_t> longer_suffix(longer.token.size());
    for (std::uint32_t i = 0; i < level.token.size(); ++i) {
      for (std::uint32_t j = level.first_child[i]; j < level.first_child[i + 1]; ++j) {
        const std::uint32_t s = child(n - 1, suffix[i], longer.token[j]);
        longer_suffix[j] = s;
        if (single || s < first || s >= last) ++level.count[s];
      }
    }
    suffix = std::move(longer_suffix);
    if (first != kNone) {
      first = level.first_child[first];
      last = level.first_child[last];
    }
  }
}

void KneserNey::estimate() {
  const std::size_t order = levels_.size() - 1;
  discounts_.resize(order + 1);
  for (std::size_t n = 1; n <= order; ++n) {
    const Level& level = levels_[n];
    std::array<double, 5> seen{};
    for (std::uint32_t count : level.count) {
      if (count >= 1 && count <= 4) ++seen[count];
    }
    discounts_[n] = discounts_from(seen);
    Level& contexts = levels_[n - 1];
    const std::size_t size = contexts.first_child.size() - 1;
    contexts.total.resize(size);
    contexts.leftover.resize(size);
    for (std::size_t i = 0; i < size; ++i) {
      double total = 0, freed = 0;
      for (std::uint32_t j = contexts.first_child[i]; j < contexts.first_child[i + 1]; ++j) {
        const std::uint32_t count = level.count[j];
        total += count;
        if (count > 0) freed += discounts_[n][std::min(count, 3u) - 1];
      }
      contexts.total[i] = static_cast<std::uint32_t>(total);
      contexts.leftover[i] = total > 0 ? static_cast<float>(freed / total) : 1.0f;
    }
  }
}

std::uint32_t KneserNey::child(std::size_t level, std::uint32_t index, std::uint32_t token) const {
  const auto& tokens = levels_[level + 1].token;
  const auto begin = tokens.begin() + levels_[level].first_child[index];
  const auto end = tokens.begin() + levels_[level].first_child[index + 1];
  const auto found = std::lower_bound(begin, end, token);
  return found == end || *found != token ? kNone
                                         : static_cast<std::uint32_t>(found - tokens.begin());
}

KneserNey::Contexts KneserNey::start_contexts() const {
  Contexts contexts(levels_.size() - 1, kNone);
  contexts[0] = 0;
  if (contexts.size() > 1) contexts[1] = child(0, 0, start_);
  return contexts;
}

double KneserNey::advance(Contexts& contexts, std::uint32_t token) const {
  double probability = 1.0 / vocab_size_;
  std::uint32_t shorter =
      0;  // becomes contexts[n]: the context of n tokens that ends with this one
  for (std::size_t n = 0; n < contexts.size(); ++n) {
    const std::uint32_t context = contexts[n];
    std::uint32_t next = kNone;
    if (context != kNone) {
      next = child(n, context, token);
      const Level& level = levels_[n];
      if (level.total[context] > 0) {
        const std::uint32_t count = next == kNone ? 0 : levels_[n + 1].count[next];
        const double kept = count == 0 ? 0.0 : count - discounts_[n + 1][std::min(count, 3u) - 1];
        probability = kept / level.total[context] + level.leftover[context] * probability;
      }
    }
    contexts[n] = shorter;
    shorter = next;
  }
  return probability;
}

double KneserNey::probability(std::span<const std::int64_t> context, std::int64_t token) const {
  Contexts contexts(levels_.size() - 1, kNone);
  contexts[0] = 0;
  for (std::int64_t before : context) advance(contexts, static_cast<std::uint32_t>(before));
  return advance(contexts, static_cast<std::uint32_t>(token));
}

TokenLoss KneserNey::loss(std::span<const std::int64_t> document) const {
  Contexts contexts = start_contexts();
  TokenLoss loss{0, document.size()};
  for (std::int64_t token : document) {
    require(token >= 0 && token < vocab_size_, ErrorCode::kData, "n-gram model: token id ", token,
            " outside the vocabulary of ", vocab_size_);
    loss.nats -= std::log(advance(contexts, static_cast<std::uint32_t>(token)));
  }
  return loss;
}

std::vector<std::uint64_t> KneserNey::sizes() const {
  std::vector<std::uint64_t> sizes;
  for (std::size_t n = 1; n < levels_.size(); ++n) sizes.push_back(levels_[n].token.size());
  return sizes;
}

}  // namespace llmctl
