#include "corpus/stats.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <mutex>
#include <unordered_map>

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/terminal.h"
#include "base/threads.h"
#include "base/utf8.h"
#include "corpus/duplicates.h"
#include "corpus/language.h"
#include "corpus/readers.h"
#include "corpus/shingles.h"
#include "io/shards.h"
#include "report/html_page.h"
#include "text/characters.h"
#include "text/unicode.h"

namespace llmctl {
namespace {

constexpr std::size_t kBatchBytes = std::size_t{4} << 20;
constexpr std::size_t kMaxWords = 1'000'000;

using Counts = std::unordered_map<std::string, std::uint64_t>;

LengthSummary summarise(std::vector<std::uint32_t> lengths) {
  LengthSummary summary;
  if (lengths.empty()) return summary;
  std::sort(lengths.begin(), lengths.end());
  const auto at = [&](double share) {
    return lengths[static_cast<std::size_t>(share * static_cast<double>(lengths.size() - 1))];
  };
  summary.least = lengths.front();
  summary.median = at(0.5);
  summary.p90 = at(0.9);
  summary.p99 = at(0.99);
  summary.most = lengths.back();
  double sum = 0;
  for (const std::uint32_t length : lengths) {
    sum += length;
    const auto octave = static_cast<std::size_t>(std::bit_width(std::max(length, 1u)) - 1);
    if (summary.octaves.size() <= octave) summary.octaves.resize(octave + 1);
    ++summary.octaves[octave];
  }
  summary.mean = sum / static_cast<double>(lengths.size());
  return summary;
}

std::vector<std::pair<std::string, std::uint64_t>> most_frequent(const Counts& counts,
                                                                 std::size_t number) {
  std::vector<std::pair<std::string, std::uint64_t>> all(counts.begin(), counts.end());
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  all.resize(std::min(all.size(), number));
  return all;
}

/// The most frequent of ids, by their names where there is a tokenizer.
std::vector<std::pair<std::string, std::uint64_t>> most_frequent(
    const std::vector<std::uint64_t>& uses, const Tokenizer* tokenizer, std::size_t number) {
  std::vector<std::size_t> order;
  for (std::size_t id = 0; id < uses.size(); ++id) {
    if (uses[id] > 0) order.push_back(id);
  }
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return uses[a] != uses[b] ? uses[a] > uses[b] : a < b;
  });
  order.resize(std::min(order.size(), number));
  std::vector<std::pair<std::string, std::uint64_t>> result;
  for (const std::size_t id : order) {
    result.emplace_back(tokenizer ? tokenizer->piece(static_cast<TokenId>(id)) : std::to_string(id),
                        uses[id]);
  }
  return result;
}

void count_words(std::string_view text, Counts& counts) {
  std::string word;
  const auto close = [&] {
    if (!word.empty()) ++counts[word];
    word.clear();
  };
  for (std::size_t at = 0; at < text.size();) {
    const auto [c, length] = character_at(text, at);
    at += length;
    if (is_cjk(c)) {
      close();
      append_utf8(word, c);
      close();
    } else if (is_word_character(c)) {
      append_utf8(word, to_lower(c));
    } else {
      close();
    }
  }
  close();
}

bool knows_languages() {
#ifdef LLMCTL_WITH_CLD2
  return true;
#else
  return false;
#endif
}

/// Finds documents that were there before; adds up in the order of the documents.
class DuplicateCounter {
 public:
  explicit DuplicateCounter(bool near) {
    if (!near) return;
    path_ = std::filesystem::temp_directory_path() / concat("llmctl-signatures-", getpid());
    file_ = std::make_unique<AtomicFile>(path_);
  }
  DuplicateCounter(const DuplicateCounter&) = delete;
  DuplicateCounter& operator=(const DuplicateCounter&) = delete;
  ~DuplicateCounter() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove(path_, ignored);
  }

  bool wants_signatures() const { return file_ != nullptr; }
  static Signature signature(std::span<const std::uint64_t> words) {
    return signature_of(
        shingles_of_words(words, static_cast<std::size_t>(DeduplicateConfig{}.ngram)));
  }

  void add(std::uint64_t key, const Signature* signature) {
    keys_.push_back(key);
    if (signature) file_->write(signature, sizeof *signature);
  }

  void finish(CorpusStats& stats) {
    std::vector<bool> repeated = repeated_keys(keys_);
    const auto count = [&] {
      return static_cast<std::uint64_t>(std::count(repeated.begin(), repeated.end(), true));
    };
    stats.duplicates = count();
    if (!file_) return;
    file_->commit();
    stats.near_duplicates = 0;
    if (keys_.empty()) return;
    const MappedFile mapped(path_);
    mark_near_duplicates({reinterpret_cast<const Signature*>(mapped.data()), keys_.size()},
                         DeduplicateConfig{}.threshold, repeated);
    stats.near_duplicates = count() - stats.duplicates;
  }

 private:
  std::vector<std::uint64_t> keys_;
  std::filesystem::path path_;
  std::unique_ptr<AtomicFile> file_;  // signatures
};

/// Numbers of one document.
struct Measured {
  std::uint32_t characters = 0;
  std::uint64_t key = 0;
  Signature signature;
  std::string language;
  std::vector<TokenId> ids;
  Counts words;
};

class Collector {
 public:
  Collector(const std::shared_ptr<const Tokenizer>& tokenizer, const StatsOptions& options)
      : tokenizer_(tokenizer), frequent_(options.frequent), duplicates_(options.near_duplicates) {
    if (tokenizer_) uses_.resize(static_cast<std::size_t>(tokenizer_->vocab_size()));
  }

  void add(std::string_view text) {
    batch_.emplace_back(text);
    batch_bytes_ += text.size();
    if (batch_bytes_ >= kBatchBytes) flush();
  }

  CorpusStats finish() {
    flush();
    duplicates_.finish(stats_);
    stats_.length_unit = tokenizer_ ? "tokens" : "characters";
    stats_.lengths = summarise(std::move(lengths_));
    stats_.frequent = tokenizer_ ? most_frequent(uses_, tokenizer_.get(), frequent_)
                                 : most_frequent(words_, frequent_);
    return std::move(stats_);
  }

 private:
  void flush() {
    std::vector<Measured> measured(batch_.size());
    parallel_for(batch_.size(), [&](std::size_t i) {
      const std::string& text = batch_[i];
      measured[i].characters = static_cast<std::uint32_t>(count_code_points(text));
      measured[i].key = hash64(text);
      if (duplicates_.wants_signatures()) {
        measured[i].signature = DuplicateCounter::signature(word_hashes(text));
      }
      if (knows_languages()) measured[i].language = identify_language(text).code;
      if (tokenizer_) {
        measured[i].ids = tokenizer_->encode(text);
      } else {
        count_words(text, measured[i].words);
      }
    });
    for (std::size_t i = 0; i < batch_.size(); ++i) {
      ++stats_.documents;
      stats_.bytes += batch_[i].size();
      stats_.characters += measured[i].characters;
      duplicates_.add(measured[i].key,
                      duplicates_.wants_signatures() ? &measured[i].signature : nullptr);
      if (!measured[i].language.empty()) ++stats_.languages[measured[i].language];
      if (tokenizer_) {
        stats_.tokens = stats_.tokens.value_or(0) + measured[i].ids.size();
        for (const TokenId id : measured[i].ids) ++uses_[static_cast<std::size_t>(id)];
        lengths_.push_back(static_cast<std::uint32_t>(measured[i].ids.size()));
      } else {
        lengths_.push_back(measured[i].characters);
        for (const auto& [word, count] : measured[i].words) words_[word] += count;
      }
    }
    // Of too many kinds the rare ones go: they are none of the most frequent.
    for (std::uint64_t rare = 1; words_.size() > kMaxWords; rare *= 2) {
      std::erase_if(words_, [&](const auto& word) { return word.second <= rare; });
    }
    batch_.clear();
    batch_bytes_ = 0;
  }

  std::shared_ptr<const Tokenizer> tokenizer_;
  std::size_t frequent_;
  CorpusStats stats_;
  std::vector<std::string> batch_;
  std::size_t batch_bytes_ = 0;
  std::vector<std::uint64_t> uses_;
  DuplicateCounter duplicates_;
  std::vector<std::uint32_t> lengths_;
  Counts words_;
};

}  // namespace

Json CorpusStats::to_json() const {
  Json frequent_json = Json::array();
  for (const auto& [name, count] : frequent)
    frequent_json.push_back({{"token", name}, {"count", count}});
  Json languages_json = Json::object();
  for (const auto& [code, count] : languages) languages_json[code] = count;
  return {{"documents", documents},
          {"bytes", bytes},
          {"characters", characters},
          {"tokens", tokens ? Json(*tokens) : Json()},
          {"duplicates", duplicates},
          {"near_duplicates", near_duplicates ? Json(*near_duplicates) : Json()},
          {"lengths",
           {{"unit", length_unit},
            {"min", lengths.least},
            {"mean", lengths.mean},
            {"median", lengths.median},
            {"p90", lengths.p90},
            {"p99", lengths.p99},
            {"max", lengths.most},
            {"octaves", lengths.octaves}}},
          {"languages", std::move(languages_json)},
          {"most_frequent", std::move(frequent_json)}};
}

namespace {

/// The text of a document of shards, without its end.
std::string text_of(std::span<const std::int64_t> ids, const Shards& shards,
                    const Tokenizer& tokenizer) {
  std::vector<TokenId> tokens(ids.begin(), ids.end());
  if (!tokens.empty() && shards.end_token() == tokens.back()) tokens.pop_back();
  return tokenizer.decode(tokens);
}

}  // namespace

CorpusStats corpus_stats(const std::vector<SourceConfig>& sources,
                         const std::shared_ptr<const Tokenizer>& tokenizer,
                         const StatsOptions& options) {
  Collector collector(tokenizer, options);
  const std::vector<SourceFile> files = source_files(sources);
  std::uint64_t total = 0, done = 0;
  for (const SourceFile& file : files) total += std::filesystem::file_size(file.path);
  Progress progress("reading", total);
  ReadingNotes notes;
  for (const SourceFile& file : files) {
    std::uint64_t here = 0;
    for_each_source_document(
        file,
        [&](const SourceDocument& document) {
          collector.add(document.text);
          here += document.text.size();
          progress.update(std::min(done + here, total));
          return true;
        },
        &notes);
    done += std::filesystem::file_size(file.path);
  }
  progress.finish();
  notes.log();
  return collector.finish();
}

CorpusStats shard_stats(const std::filesystem::path& directory,
                        const std::shared_ptr<const Tokenizer>& tokenizer,
                        const StatsOptions& options) {
  const Shards shards(directory);
  require(!tokenizer || tokenizer->vocab_size() == shards.vocab_size(), ErrorCode::kData, directory,
          ": made with another tokenizer, of ", shards.vocab_size(), " tokens");
  require(!options.near_duplicates || tokenizer, ErrorCode::kUsage, directory,
          ": near duplicates are found by words; name the shards' tokenizer with --tokenizer DIR");
  CorpusStats stats;
  stats.documents = shards.documents();
  stats.bytes = shards.text_bytes();
  stats.tokens = shards.tokens();
  stats.length_unit = "tokens";
  DuplicateCounter duplicates(options.near_duplicates);
  std::vector<std::uint64_t> uses(static_cast<std::size_t>(shards.vocab_size()));
  std::vector<std::uint32_t> lengths;
  std::vector<std::int64_t> ids;
  for (std::uint64_t i = 0; i < shards.documents(); ++i) {
    ids.resize(shards.document_start(i + 1) - shards.document_start(i));
    shards.read(shards.document_start(i), ids);
    for (const std::int64_t id : ids) ++uses[static_cast<std::size_t>(id)];
    lengths.push_back(static_cast<std::uint32_t>(ids.size()));
    Signature signature;
    if (duplicates.wants_signatures()) {
      signature = DuplicateCounter::signature(word_hashes(text_of(ids, shards, *tokenizer)));
    }
    duplicates.add(hash64({reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof(ids[0])}),
                   duplicates.wants_signatures() ? &signature : nullptr);
  }
  duplicates.finish(stats);
  stats.lengths = summarise(std::move(lengths));
  stats.frequent = most_frequent(uses, tokenizer.get(), options.frequent);
  return stats;
}

std::string language_name(const std::string& code) {
  return code == "un" ? "unknown" : code;
}

std::string stats_page(const std::string& title, const CorpusStats& stats,
                       const std::vector<std::pair<std::string, std::string>>& about) {
  HtmlPage page(title);
  std::vector<std::pair<std::string, std::string>> facts = {
      {"documents", format_whole(stats.documents)}, {"text", format_bytes(stats.bytes)}};
  if (stats.tokens) facts.emplace_back("tokens", format_whole(*stats.tokens));
  facts.emplace_back("exact duplicates of an earlier document", format_whole(stats.duplicates));
  if (stats.near_duplicates) {
    facts.emplace_back("near duplicates of an earlier document",
                       format_whole(*stats.near_duplicates));
  }
  page.facts(facts);
  page.heading("Length of documents in " + stats.length_unit);
  std::vector<Bar> bars;
  for (std::size_t i = 0; i < stats.lengths.octaves.size(); ++i) {
    const std::uint64_t from = std::uint64_t{1} << i;
    bars.push_back({concat(from, " to ", 2 * from - 1),
                    static_cast<double>(stats.lengths.octaves[i]),
                    format_whole(stats.lengths.octaves[i])});
  }
  page.bars("Documents by length", bars);
  page.facts({{"median", format_whole(stats.lengths.median)},
              {"90 % are at most", format_whole(stats.lengths.p90)},
              {"99 % are at most", format_whole(stats.lengths.p99)},
              {"longest", format_whole(stats.lengths.most)}});
  if (!stats.languages.empty()) {
    page.heading("Languages");
    bars.clear();
    for (const auto& [code, count] : stats.languages) {
      bars.push_back({language_name(code), static_cast<double>(count), format_whole(count)});
    }
    std::stable_sort(bars.begin(), bars.end(),
                     [](const Bar& a, const Bar& b) { return a.value > b.value; });
    bars.resize(std::min<std::size_t>(bars.size(), 20));
    page.bars("Documents by language", bars);
  }
  page.heading(stats.tokens ? "Most frequent tokens" : "Most frequent words");
  bars.clear();
  for (const auto& [name, count] : stats.frequent) {
    bars.push_back({name, static_cast<double>(count), format_whole(count)});
  }
  page.bars("How often they occur", bars);
  if (!about.empty()) {
    page.heading("How this page was made");
    page.facts(about);
  }
  return page.text();
}

}  // namespace llmctl
