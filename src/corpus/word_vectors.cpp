#include "corpus/word_vectors.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <unordered_set>

#include "base/error.h"
#include "base/files.h"
#include "base/temporaries.h"
#include "base/terminal.h"
#include "base/threads.h"
#include "base/utf8.h"
#include "corpus/readers.h"
#include "text/characters.h"
#include "text/chinese_words.h"
#include "text/unicode.h"

#ifdef LLMCTL_WITH_FASTTEXT
#include <fasttext/args.h>
#include <fasttext/fasttext.h>
#endif

namespace llmctl {

#ifdef LLMCTL_WITH_FASTTEXT
namespace {

/// The document's words with spaces between, on one line.
std::string line_of(std::string_view text, const Tokenizer* tokenizer, const ChineseWords* words) {
  std::string line;
  const auto put = [&](std::string_view word) {
    if (!line.empty()) line += ' ';
    line += word;
  };
  if (tokenizer) {
    for (const TokenId id : tokenizer->encode(text)) put(tokenizer->piece(id));
    return line;
  }
  for (const ByteSpan span : words->split(text)) {
    const std::string_view word = text.substr(span.begin, span.end - span.begin);
    if (is_word_character(character_at(word, 0).code_point)) put(to_lower(word));
  }
  return line;
}

/// fastText reads a file: the text as it wants it, removed again at the end.
class TrainingText {
 public:
  TrainingText(const std::vector<SourceConfig>& sources, const Tokenizer* tokenizer,
               const std::filesystem::path& path)
      : path_(path) {
    std::unique_ptr<const ChineseWords> words;
    if (!tokenizer) words = std::make_unique<const ChineseWords>();
    AtomicFile file(path);
    std::vector<std::string> batch;
    std::size_t bytes = 0;
    const auto flush = [&] {
      parallel_for(batch.size(),
                   [&](std::size_t i) { batch[i] = line_of(batch[i], tokenizer, words.get()); });
      for (const std::string& line : batch) file.write(line + "\n");
      batch.clear();
      bytes = 0;
    };
    ReadingNotes notes;
    for (const SourceFile& source : source_files(sources)) {
      for_each_source_document(
          source,
          [&](const SourceDocument& document) {
            batch.emplace_back(document.text);
            bytes += document.text.size();
            if (bytes > (4u << 20)) flush();
            return true;
          },
          &notes);
    }
    flush();
    notes.log();
    file.commit();
  }

 private:
  TemporaryPath path_;
};

fasttext::Args arguments_of(const VectorsConfig& config, const std::filesystem::path& text) {
  fasttext::Args args;
  args.input = text.string();
  args.model = config.model == "cbow" ? fasttext::model_name::cbow : fasttext::model_name::sg;
  args.loss = fasttext::loss_name::ns;
  args.dim = static_cast<int>(config.dim);
  args.epoch = static_cast<int>(config.epochs);
  args.ws = static_cast<int>(config.window);
  args.minCount = static_cast<int>(config.min_count);
  args.neg = static_cast<int>(config.negatives);
  args.lr = config.lr;
  args.minn = static_cast<int>(config.min_ngram);
  args.maxn = static_cast<int>(config.max_ngram);
  args.seed = static_cast<int>(config.seed);
  args.thread = thread_count();
  // Hashed parts of words take memory even where there are none.
  if (config.max_ngram == 0) args.bucket = 0;
  args.verbose = 0;
  return args;
}

}  // namespace

WordVectors train_word_vectors(const std::vector<SourceConfig>& sources,
                               const VectorsConfig& config, const Tokenizer* tokenizer,
                               const std::filesystem::path& scratch) {
  const TrainingText text(sources, tokenizer, scratch);
  fasttext::FastText model;
  Progress progress("training vectors", 1000);
  try {
    model.train(arguments_of(config, scratch),
                [&](float done, float loss, double, double, std::int64_t) {
                  progress.update(static_cast<std::uint64_t>(std::clamp(done, 0.0f, 1.0f) * 1000),
                                  loss < 0 ? std::string() : concat("loss ", loss));
                });
  } catch (const std::invalid_argument& error) {
    fail(ErrorCode::kData, "vectors: ", error.what(), " (min_count)");
  }
  progress.finish();
  const auto dictionary = model.getDictionary();
  std::vector<std::string> words;
  std::vector<float> values;
  fasttext::Vector vector(config.dim);
  for (std::int32_t i = 0; i < dictionary->nwords(); ++i) {
    const std::string word = dictionary->getWord(i);
    if (word == "</s>") continue;  // fastText's own end of line
    model.getWordVector(vector, word);
    words.push_back(word);
    for (std::int64_t d = 0; d < config.dim; ++d) values.push_back(vector[d]);
  }
  require(!words.empty(), ErrorCode::kData, "vectors: no word occurs ", config.min_count,
          " times (min_count)");
  return WordVectors(std::move(words), std::move(values), static_cast<std::size_t>(config.dim));
}
#else
WordVectors train_word_vectors(const std::vector<SourceConfig>&, const VectorsConfig&,
                               const Tokenizer*, const std::filesystem::path&) {
  fail(ErrorCode::kConfig,
       "this build cannot train vectors; install libfasttext-dev and build again");
}
#endif

WordVectors::WordVectors(std::vector<std::string> words, std::vector<float> values, std::size_t dim)
    : words_(std::move(words)), values_(std::move(values)), dim_(dim) {
  norms_.reserve(words_.size());
  for (std::size_t i = 0; i < words_.size(); ++i) {
    double square = 0;
    for (std::size_t d = 0; d < dim_; ++d)
      square += static_cast<double>(vector(i)[d]) * vector(i)[d];
    norms_.push_back(square > 0 ? static_cast<float>(1 / std::sqrt(square)) : 0);
  }
}

WordVectors WordVectors::load(const std::filesystem::path& path) {
  std::vector<std::string> words;
  std::vector<float> values;
  std::unordered_set<std::string> seen;
  std::size_t count = 0, dim = 0;
  for_each_line(path, [&](std::uint64_t number, std::string_view line) {
    const auto refuse = [&](const char* what) {
      fail(ErrorCode::kData, path, ":", number, ": ", what);
    };
    const auto next = [&](auto& value) {
      while (line.starts_with(' ')) line.remove_prefix(1);
      const auto [end, failure] = std::from_chars(line.data(), line.data() + line.size(), value);
      if (failure != std::errc()) refuse("expected a number");
      line.remove_prefix(static_cast<std::size_t>(end - line.data()));
    };
    if (number == 1) {
      next(count);
      next(dim);
      if (count == 0 || dim == 0 || count > 100'000'000 || dim > 100'000) {
        refuse("expected the number of words and of their dimensions");
      }
      return true;
    }
    const std::size_t space = line.find(' ');
    if (space == 0 || space == line.npos) refuse("expected a word and its numbers");
    if (find_invalid_utf8(line.substr(0, space))) refuse("not UTF-8");
    words.emplace_back(line.substr(0, space));
    if (!seen.insert(words.back()).second) refuse("the word occurs twice");
    line.remove_prefix(space);
    for (std::size_t d = 0; d < dim; ++d) {
      float value = 0;
      next(value);
      if (!std::isfinite(value)) refuse("a number that is not finite");
      values.push_back(value);
    }
    if (line.find_first_not_of(' ') != line.npos) refuse("more numbers than the first line says");
    return true;
  });
  require(dim > 0 && words.size() == count, ErrorCode::kData, path, ": the first line says ", count,
          " words, there are ", words.size());
  return WordVectors(std::move(words), std::move(values), dim);
}

void WordVectors::save(const std::filesystem::path& path) const {
  AtomicFile file(path);
  file.write(concat(size(), " ", dim_, "\n"));
  std::string line;
  for (std::size_t i = 0; i < size(); ++i) {
    line = words_[i];
    for (std::size_t d = 0; d < dim_; ++d) {
      char number[32];
      const auto end = std::to_chars(number, number + sizeof number, vector(i)[d]).ptr;
      line += ' ';
      line.append(number, end);
    }
    file.write(line + "\n");
  }
  file.commit();
}

std::size_t WordVectors::find(std::string_view word) const {
  const auto found = std::find(words_.begin(), words_.end(), word);
  require(found != words_.end(), ErrorCode::kData, "'", word, "' has no vector");
  return static_cast<std::size_t>(found - words_.begin());
}

WordVectors::Neighbours WordVectors::nearest(const std::vector<float>& target,
                                             const std::vector<std::size_t>& without,
                                             std::size_t count) const {
  std::vector<std::pair<double, std::size_t>> scores;
  double square = 0;
  for (const float value : target) square += static_cast<double>(value) * value;
  const double length = std::sqrt(square);
  for (std::size_t i = 0; i < size(); ++i) {
    if (std::find(without.begin(), without.end(), i) != without.end()) continue;
    double product = 0;
    for (std::size_t d = 0; d < dim_; ++d) product += static_cast<double>(target[d]) * vector(i)[d];
    scores.emplace_back(length > 0 ? product * norms_[i] / length : 0, i);
  }
  count = std::min(count, scores.size());
  std::partial_sort(scores.begin(), scores.begin() + static_cast<std::ptrdiff_t>(count),
                    scores.end(), [](const auto& a, const auto& b) {
                      return a.first != b.first ? a.first > b.first : a.second < b.second;
                    });
  Neighbours result;
  for (std::size_t i = 0; i < count; ++i)
    result.emplace_back(words_[scores[i].second], scores[i].first);
  return result;
}

WordVectors::Neighbours WordVectors::nearest(std::string_view word, std::size_t count) const {
  const std::size_t at = find(word);
  return nearest(std::vector<float>(vector(at), vector(at) + dim_), {at}, count);
}

WordVectors::Neighbours WordVectors::analogy(std::string_view a, std::string_view b,
                                             std::string_view c, std::size_t count) const {
  const std::size_t i = find(a), j = find(b), k = find(c);
  std::vector<float> target(dim_);
  for (std::size_t d = 0; d < dim_; ++d) {
    target[d] = norms_[j] * vector(j)[d] - norms_[i] * vector(i)[d] + norms_[k] * vector(k)[d];
  }
  return nearest(target, {i, j, k}, count);
}

}  // namespace llmctl
