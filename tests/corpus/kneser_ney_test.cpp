#include "corpus/kneser_ney.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>
#include <set>

#include "base/error.h"
#include "base/random.h"

namespace llmctl {
namespace {

using Tokens = std::vector<std::int64_t>;
constexpr std::int64_t kEnd = 0;

KneserNey train(int order, std::int64_t vocab, const std::vector<Tokens>& documents) {
  KneserNey::Builder builder(order, vocab, kEnd);
  for (const Tokens& document : documents) builder.add(document);
  return builder.build();
}

/// Documents of a text in which each token mostly decides the next one.
std::vector<Tokens> chain(std::size_t documents, std::int64_t vocab, std::uint64_t seed) {
  Random random(random_key(seed, "chain"));
  std::vector<Tokens> out(documents);
  for (Tokens& document : out) {
    std::int64_t token = 1;
    const std::uint64_t length = 3 + random.below(30);
    for (std::uint64_t i = 0; i < length; ++i) {
      token = random.uniform() < 0.7 ? 1 + token * 7 % (vocab - 1)
                                     : 1 + static_cast<std::int64_t>(random.below(vocab - 1));
      document.push_back(token);
    }
    document.push_back(kEnd);
  }
  return out;
}

double mean_loss(const KneserNey& model, const std::vector<Tokens>& documents) {
  TokenLoss sum;
  for (const Tokens& document : documents) {
    const TokenLoss loss = model.loss(document);
    sum.nats += loss.nats;
    sum.tokens += loss.tokens;
  }
  return sum.nats / static_cast<double>(sum.tokens);
}

// Text "1 2 1 3 end" with a vocabulary of 4 and order 2, so few n-grams that the discounts are 0.5,
// 1, 1.5. Bigrams: (end 1) (1 2) (2 1) (1 3) (3 end), once each. Continuation counts: 1 follows
// {end, 2}: 2; 2, 3, end: 1.
TEST(KneserNey, ByHand) {
  const KneserNey model = train(2, 4, {{1, 2, 1, 3, kEnd}});
  EXPECT_EQ(model.sizes(), (std::vector<std::uint64_t>{4, 5}));
  for (const auto& d : model.discounts()) EXPECT_EQ(d, (std::array<double, 3>{0.5, 1.0, 1.5}));
  const double total = 5, leftover = (3 * 0.5 + 1.0) / total;
  const double one = (2 - 1.0) / total + leftover / 4, two = (1 - 0.5) / total + leftover / 4;
  EXPECT_NEAR(model.probability({}, 1), one, 1e-7);
  EXPECT_NEAR(model.probability({}, 2), two, 1e-7);
  // Behind 1 stand 2 and 3, once each.
  const Tokens context = {1};
  EXPECT_NEAR(model.probability(context, 2), 0.5 / 2 + 1.0 / 2 * two, 1e-7);
  EXPECT_NEAR(model.probability(context, 1), 1.0 / 2 * one, 1e-7);
  // A document "1 end": end of the document before it, then 1.
  const Tokens start = {kEnd};
  const double first = model.probability(start, 1);
  EXPECT_NEAR(first, 0.5 + 0.5 * one, 1e-7);
  const Tokens document = {1, kEnd};
  const TokenLoss loss = model.loss(document);
  EXPECT_EQ(loss.tokens, 2u);
  EXPECT_NEAR(loss.nats, -std::log(first) - std::log(0.5 * two), 1e-6);
}

TEST(KneserNey, DiscountsFromCountsOfCounts) {
  // Order 1 over raw counts: six tokens once, three twice, two three times, one four times.
  Tokens document;
  std::int64_t token = 1;
  for (auto [tokens, times] : {std::pair{6, 1}, {3, 2}, {2, 3}, {1, 4}}) {
    for (int i = 0; i < tokens; ++i, ++token) document.insert(document.end(), times, token);
  }
  const KneserNey model = train(1, 20, {document});
  const double y = 6.0 / (6 + 2 * 3);
  EXPECT_NEAR(model.discounts()[0][0], 1 - 2 * y * 3 / 6, 1e-12);
  EXPECT_NEAR(model.discounts()[0][1], 2 - 3 * y * 2 / 3, 1e-12);
  EXPECT_NEAR(model.discounts()[0][2], 3 - 4 * y * 1 / 2, 1e-12);
}

TEST(KneserNey, ProbabilitiesSumToOneBehindAnyContext) {
  const std::int64_t vocab = 23;
  for (int order = 1; order <= 5; ++order) {
    const KneserNey model = train(order, vocab, chain(200, vocab, 1));
    Random random(random_key(2, "contexts", order));
    for (int i = 0; i < 60; ++i) {
      Tokens context(random.below(7));
      for (std::int64_t& token : context) token = static_cast<std::int64_t>(random.below(vocab));
      if (i % 3 == 0) context.insert(context.begin(), kEnd);
      double sum = 0;
      for (std::int64_t token = 0; token < vocab; ++token) {
        const double p = model.probability(context, token);
        EXPECT_GT(p, 0);
        sum += p;
      }
      EXPECT_NEAR(sum, 1, 1e-6) << "order " << order;
    }
  }
}

TEST(KneserNey, LongerContextsHelpOnUnseenText) {
  const std::int64_t vocab = 50;
  const auto text = chain(400, vocab, 3), held_out = chain(50, vocab, 4);
  const double unigram = mean_loss(train(1, vocab, text), held_out);
  const double bigram = mean_loss(train(2, vocab, text), held_out);
  const double fivegram = mean_loss(train(5, vocab, text), held_out);
  EXPECT_LT(bigram, unigram - 0.4);
  EXPECT_LT(fivegram, bigram + 0.2);
  EXPECT_LT(unigram, std::log(vocab) + 0.05);
}

/// The same model from its definition: maps of n-grams, recursion from the longest context down.
class ByDefinition {
 public:
  ByDefinition(std::size_t order, std::int64_t vocab, const std::vector<Tokens>& documents,
               std::span<const std::array<double, 3>> discounts)
      : order_(order), vocab_(vocab), counts_(order + 1), discounts_(discounts) {
    std::vector<std::map<Tokens, std::set<std::int64_t>>> before(order + 1);
    for (Tokens tokens : documents) {
      tokens.insert(tokens.begin(), kEnd);
      for (std::size_t n = 1; n <= order; ++n) {
        for (std::size_t i = n == 1 ? 1 : 0; i + n <= tokens.size(); ++i) {
          const Tokens gram(tokens.begin() + i, tokens.begin() + i + n);
          if (n == order || i == 0) {
            ++counts_[n][gram];
          } else {
            before[n][gram].insert(tokens[i - 1]);
          }
        }
      }
    }
    for (std::size_t n = 1; n <= order; ++n) {
      for (const auto& [gram, tokens] : before[n]) counts_[n][gram] = double(tokens.size());
    }
  }
  double probability(Tokens context, std::int64_t token) const {
    if (context.size() >= order_) context.erase(context.begin(), context.end() - (order_ - 1));
    const std::size_t n = context.size() + 1;
    const double lower = context.empty()
                             ? 1.0 / vocab_
                             : probability(Tokens(context.begin() + 1, context.end()), token);
    double total = 0, freed = 0, kept = 0;
    for (const auto& [gram, count] : counts_[n]) {
      if (!std::equal(context.begin(), context.end(), gram.begin())) continue;
      const double discount = discounts_[n - 1][std::min<int>(count, 3) - 1];
      total += count;
      freed += discount;
      if (gram.back() == token) kept = count - discount;
    }
    return total == 0 ? lower : kept / total + freed / total * lower;
  }

 private:
  std::size_t order_;
  std::int64_t vocab_;
  std::vector<std::map<Tokens, double>> counts_;
  std::span<const std::array<double, 3>> discounts_;
};

TEST(KneserNey, EqualsItsDefinition) {
  const std::int64_t vocab = 40;
  const auto text = chain(150, vocab, 6), held_out = chain(2, vocab, 7);
  for (std::size_t order : {1, 2, 3, 5}) {
    const KneserNey model = train(static_cast<int>(order), vocab, text);
    const ByDefinition reference(order, vocab, text, model.discounts());
    for (const Tokens& document : held_out) {
      double nats = 0;
      Tokens context = {kEnd};
      for (std::int64_t token : document) {
        nats -= std::log(reference.probability(context, token));
        context.push_back(token);
      }
      EXPECT_NEAR(model.loss(document).nats, nats, 1e-4) << "order " << order;
    }
  }
}

TEST(KneserNey, LossIsTheSumOverTheDocument) {
  const auto text = chain(50, 30, 5);
  const KneserNey model = train(3, 30, text);
  const Tokens& document = text[7];
  double nats = 0;
  Tokens context = {kEnd};
  for (std::int64_t token : document) {
    nats -= std::log(model.probability(context, token));
    context.push_back(token);
  }
  EXPECT_NEAR(model.loss(document).nats, nats, 1e-9);
}

TEST(KneserNey, DocumentsDoNotSeeOneAnother) {
  const KneserNey apart = train(3, 10, {{1, 2, kEnd}, {3, 4, kEnd}});
  const KneserNey swapped = train(3, 10, {{3, 4, kEnd}, {1, 2, kEnd}});
  const Tokens document = {1, 2, 3, 4, kEnd};
  EXPECT_EQ(apart.loss(document).nats, swapped.loss(document).nats);
}

TEST(KneserNey, LargeVocabularyNeedsMoreThanTheSortKey) {
  // 18 bits a token: three fit the 64-bit key, order 5 compares four.
  KneserNey::Builder builder(5, 200'000, kEnd);
  Random random(random_key(9, "big"));
  std::vector<Tokens> documents(60);
  for (Tokens& document : documents) {
    for (int i = 0; i < 20; ++i)
      document.push_back(199'990 + static_cast<std::int64_t>(random.below(10)));
    document.push_back(kEnd);
    builder.add(document);
  }
  const KneserNey model = builder.build();
  std::vector<Tokens> small = documents;
  for (Tokens& document : small) {
    for (std::int64_t& token : document) token = token == kEnd ? kEnd : token - 199'989;
  }
  const KneserNey same = train(5, 200'000, small);
  EXPECT_EQ(model.sizes(), same.sizes());
  EXPECT_NEAR(model.loss(documents[0]).nats, same.loss(small[0]).nats, 1e-9);
}

void expect_error(ErrorCode code, const std::string& text, const std::function<void()>& work) {
  try {
    work();
    FAIL() << "no error: " << text;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_THAT(error.what(), testing::HasSubstr(text));
  }
}

TEST(KneserNey, Errors) {
  expect_error(ErrorCode::kUsage, "expected 1 to 16, got 0", [] { KneserNey::Builder(0, 5, 0); });
  expect_error(ErrorCode::kInternal, "start token 5", [] { KneserNey::Builder(2, 5, 5); });
  expect_error(ErrorCode::kData, "token id 7 outside the vocabulary of 5",
               [] { train(2, 5, {{7}}); });
  expect_error(ErrorCode::kData, "no tokens", [] { train(2, 5, {}); });
  expect_error(ErrorCode::kData, "token id -1", [] {
    const Tokens document = {-1};
    (void)train(2, 5, {{1}}).loss(document);
  });
}

}  // namespace
}  // namespace llmctl
