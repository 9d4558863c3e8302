// Vectors of words by fastText (Bojanowski et al., 2017): skip-gram and CBOW (Mikolov et al.,
// 2013).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/fields.h"
#include "corpus/prepare_config.h"
#include "text/tokenizer.h"

namespace llmctl {

/// How vectors are trained.
struct VectorsConfig {
  std::string model = "skipgram";
  std::int64_t dim = 100, epochs = 5, window = 5, min_count = 5, negatives = 5;
  double lr = 0.05;
  std::int64_t min_ngram = 0, max_ngram = 0, seed = 1234;
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("model", self.model, "What is predicted: skipgram, a word's neighbours; cbow, the word.",
          OneOf{{"skipgram", "cbow"}});
    visit("dim", self.dim, "Numbers of a vector.", Range<std::int64_t>{1, 10'000});
    visit("epochs", self.epochs, "Passes over the text.", Range<std::int64_t>{1, 1000});
    visit("window", self.window, "Words on each side that count as neighbours.",
          Range<std::int64_t>{1, 100});
    visit("min_count", self.min_count, "Rarer words get no vector.",
          Range<std::int64_t>{1, 1'000'000});
    visit("negatives", self.negatives, "Words that are not there for each that is.",
          Range<std::int64_t>{1, 100});
    visit("lr", self.lr, "Learning rate at the beginning.", Range<double>{1e-6, 10});
    visit("min_ngram", self.min_ngram, "Least characters of the parts of words; 0: words only.",
          Range<std::int64_t>{0, 20});
    visit("max_ngram", self.max_ngram, "Most characters of the parts of words.",
          Range<std::int64_t>{0, 20});
    visit("seed", self.seed, "Seed; one thread gives the same vectors again.",
          Range<std::int64_t>{0, 1 << 30});
  }
};

/// Words and their vectors.
class WordVectors {
 public:
  WordVectors(std::vector<std::string> words, std::vector<float> values, std::size_t dim);
  /// From word2vec's text format: a line "COUNT DIM", then a word and its numbers on each line.
  /// kMissing, kData.
  static WordVectors load(const std::filesystem::path& path);
  void save(const std::filesystem::path& path) const;  ///< in the same format, atomically

  std::size_t size() const { return words_.size(); }
  std::size_t dim() const { return dim_; }
  const std::string& word(std::size_t i) const { return words_[i]; }
  const float* vector(std::size_t i) const { return values_.data() + i * dim_; }

  using Neighbours = std::vector<std::pair<std::string, double>>;
  /// The words whose vectors have the greatest cosine with the word's, best first. kData for a word
  /// without a vector.
  Neighbours nearest(std::string_view word, std::size_t count) const;
  /// a is to b as c is to …: the words nearest to b - a + c, these three left out.
  Neighbours analogy(std::string_view a, std::string_view b, std::string_view c,
                     std::size_t count) const;

 private:
  std::size_t find(std::string_view word) const;
  Neighbours nearest(const std::vector<float>& target, const std::vector<std::size_t>& without,
                     std::size_t count) const;

  std::vector<std::string> words_;
  std::vector<float> values_, norms_;  // norms: 1 / length, 0 for the zero vector
  std::size_t dim_;
};

/// Trains on the documents of the sources: on their words in lower case (Chinese ones by
/// ChineseWords), or on a tokenizer's pieces. kConfig, naming the package, in a build without
/// fastText; kData when no word is frequent enough.
WordVectors train_word_vectors(const std::vector<SourceConfig>& sources,
                               const VectorsConfig& config, const Tokenizer* tokenizer,
                               const std::filesystem::path& scratch);

}  // namespace llmctl
