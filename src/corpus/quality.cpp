#include "corpus/quality.h"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>

#include "base/hash.h"
#include "base/utf8.h"
#include "text/characters.h"
#include "text/unicode.h"

namespace llmctl {
namespace {

constexpr double kCharactersPerChineseWord = 1.6;

bool is_bullet(char32_t c) {
  return c == '*' || c == '-' || c == 0x2022 || c == 0x25CF || c == 0x25AA || c == 0xB7 ||
         c == 0x2023;
}

/// Calls line(text) for each line that is not blank.
template <class Use>
void for_each_line_of(std::string_view text, const Use& use) {
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = trim(text.substr(begin, end - begin));
    if (!line.empty()) use(line);
    begin = end + 1;
  }
}

/// Words for n-grams: runs of letters and digits, each ideograph by itself.
struct Word {
  std::uint64_t hash;
  std::uint32_t length;  // in characters
};
std::vector<Word> words_of(std::string_view text) {
  std::vector<Word> words;
  std::size_t begin = 0;
  std::uint32_t length = 0;
  const auto close = [&](std::size_t end) {
    if (length > 0) words.push_back({hash64(text.substr(begin, end - begin)), length});
    length = 0;
  };
  for (std::size_t at = 0; at < text.size();) {
    const auto [c, size] = character_at(text, at);
    if (is_cjk(c)) {
      close(at);
      words.push_back({c, 1});
    } else if (is_word_character(c)) {
      if (length == 0) begin = at;
      ++length;
    } else {
      close(at);
    }
    at += size;
  }
  close(text.size());
  return words;
}

std::uint64_t hash_of(const Word* first, std::size_t count) {
  std::uint64_t hash = count;
  for (std::size_t i = 0; i < count; ++i) hash = mix64(hash ^ first[i].hash);
  return hash;
}

}  // namespace

TextMeasures measure_text(std::string_view text) {
  TextMeasures result;
  double spaced = 0, alphabetic = 0, characters = 0;
  std::uint64_t ideographs = 0, letters = 0, symbols = 0;
  static constexpr std::array<std::string_view, 8> kStopWords = {"the", "be",   "to",   "of",
                                                                 "and", "that", "have", "with"};
  bool in_word = false, has_letter = false;
  std::size_t word_begin = 0;
  std::uint64_t word_length = 0;
  const auto close = [&](std::size_t end) {
    if (!in_word) return;
    in_word = false;
    if (word_length == 0) return;
    ++spaced;
    characters += static_cast<double>(word_length);
    alphabetic += has_letter;
    std::string_view word = text.substr(word_begin, end - word_begin);
    while (!word.empty() && is_ascii_punctuation(static_cast<unsigned char>(word.back()))) {
      word.remove_suffix(1);
    }
    if (word.size() < 2 || word.size() > 4) return;
    std::string low(word);
    for (char& c : low) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 32) : c;
    result.stop_words += std::find(kStopWords.begin(), kStopWords.end(), low) != kStopWords.end();
  };
  for (std::size_t at = 0; at < text.size();) {
    const auto [c, size] = character_at(text, at);
    if (c == '#' || c == 0x2026 || text.substr(at).starts_with("...")) ++symbols;
    if (is_white_space(c)) {
      close(at);
    } else {
      if (!in_word) {
        in_word = true;
        has_letter = false;
        word_begin = at;
        word_length = 0;
      }
      const bool letter = class_of(c) == CharacterClass::kLetter;
      if (is_cjk(c)) {
        ++ideographs;
      } else {
        ++word_length;
        has_letter = has_letter || letter;
        letters += letter;
      }
    }
    at += size;
  }
  close(text.size());
  const double chinese = static_cast<double>(ideographs) / kCharactersPerChineseWord;
  result.words = spaced + chinese;
  result.mean_word_length = spaced > 0 ? characters / spaced : 0;
  result.alphabetic_ratio = result.words > 0 ? (alphabetic + chinese) / result.words : 0;
  result.symbol_ratio = result.words > 0 ? static_cast<double>(symbols) / result.words : 0;
  result.mostly_latin = ideographs * 4 < letters;
  double lines = 0, bullets = 0, ellipses = 0;
  for_each_line_of(text, [&](std::string_view line) {
    ++lines;
    bullets += is_bullet(character_at(line, 0).code_point);
    ellipses += line.ends_with("...") || line.ends_with("\u2026");
  });
  result.bullet_lines = lines > 0 ? bullets / lines : 0;
  result.ellipsis_lines = lines > 0 ? ellipses / lines : 0;
  return result;
}

Repetition measure_repetition(std::string_view text) {
  Repetition result;
  double lines = 0, duplicates = 0, characters = 0, duplicate_characters = 0;
  std::unordered_set<std::uint64_t> seen;
  for_each_line_of(text, [&](std::string_view line) {
    ++lines;
    const auto length = static_cast<double>(line.size());
    characters += length;
    if (seen.insert(hash64(line)).second) return;
    ++duplicates;
    duplicate_characters += length;
  });
  if (lines > 0) {
    result.duplicate_lines = duplicates / lines;
    result.duplicate_line_characters = duplicate_characters / characters;
  }
  const std::vector<Word> words = words_of(text);
  double all = 0;
  for (const Word& word : words) all += word.length;
  if (all == 0) return result;
  std::unordered_map<std::uint64_t, std::pair<std::uint32_t, std::uint32_t>> pairs;
  for (std::size_t i = 0; i + 2 <= words.size(); ++i) {
    auto& [count, length] = pairs[hash_of(&words[i], 2)];
    ++count;
    length = words[i].length + words[i + 1].length;
  }
  for (const auto& [hash, pair] : pairs) {
    if (pair.first < 2) continue;
    result.top_ngram =
        std::max(result.top_ngram, static_cast<double>(pair.first) * pair.second / all);
  }
  constexpr std::size_t kRun = 5;
  std::unordered_set<std::uint64_t> runs;
  double repeated = 0;
  std::size_t counted = 0;  // words up to here are counted already
  for (std::size_t i = 0; i + kRun <= words.size(); ++i) {
    if (runs.insert(hash_of(&words[i], kRun)).second) continue;
    for (std::size_t w = std::max(i, counted); w < i + kRun; ++w) repeated += words[w].length;
    counted = i + kRun;
  }
  result.duplicate_ngrams = repeated / all;
  return result;
}

QualityRules::QualityRules(const QualityConfig& config) : config_(config) {
  if (config_.gopher) {
    const auto given = [](auto& value, auto otherwise) {
      if (!value) value = otherwise;
    };
    given(config_.min_words, 50);
    given(config_.max_words, 100'000);
    given(config_.min_mean_word_length, 3.0);
    given(config_.max_mean_word_length, 10.0);
    given(config_.max_symbol_ratio, 0.1);
    given(config_.min_alphabetic_ratio, 0.8);
    given(config_.max_bullet_lines, 0.9);
    given(config_.max_ellipsis_lines, 0.3);
    given(config_.min_stop_words, 2);
    given(config_.max_duplicate_lines, 0.3);
    given(config_.max_duplicate_line_characters, 0.2);
    given(config_.max_top_ngram, 0.2);
    given(config_.max_duplicate_ngrams, 0.15);
  }
  const QualityConfig& c = config_;
  if (c.min_words || c.max_words) names_.emplace_back("words");
  if (c.min_mean_word_length || c.max_mean_word_length) names_.emplace_back("mean_word_length");
  if (c.max_symbol_ratio) names_.emplace_back("symbols");
  if (c.min_alphabetic_ratio) names_.emplace_back("alphabetic");
  if (c.max_bullet_lines || c.max_ellipsis_lines) names_.emplace_back("lines");
  if (c.min_stop_words) names_.emplace_back("stop_words");
  if (c.max_duplicate_lines || c.max_duplicate_line_characters || c.max_top_ngram ||
      c.max_duplicate_ngrams) {
    names_.emplace_back("repetition");
  }
  if (c.no_lorem_ipsum) names_.emplace_back("lorem_ipsum");
  if (c.no_curly_brackets) names_.emplace_back("curly_brackets");
}

bool QualityRules::keeps(std::size_t rule, std::string_view text) const {
  const std::string& name = names_[rule];
  const QualityConfig& c = config_;
  if (name == "lorem_ipsum") return to_lower(text).find("lorem ipsum") == std::string::npos;
  if (name == "curly_brackets") return text.find_first_of("{}") == text.npos;
  if (name == "repetition") {
    const Repetition r = measure_repetition(text);
    return !(c.max_duplicate_lines && r.duplicate_lines > *c.max_duplicate_lines) &&
           !(c.max_duplicate_line_characters &&
             r.duplicate_line_characters > *c.max_duplicate_line_characters) &&
           !(c.max_top_ngram && r.top_ngram > *c.max_top_ngram) &&
           !(c.max_duplicate_ngrams && r.duplicate_ngrams > *c.max_duplicate_ngrams);
  }
  const TextMeasures m = measure_text(text);
  if (name == "words") {
    return m.words >= static_cast<double>(c.min_words.value_or(0)) &&
           m.words <= static_cast<double>(c.max_words.value_or(INT64_MAX));
  }
  if (name == "mean_word_length") {
    if (!m.mostly_latin) return true;
    return m.mean_word_length >= c.min_mean_word_length.value_or(0) &&
           m.mean_word_length <= c.max_mean_word_length.value_or(1e9);
  }
  if (name == "symbols") return m.symbol_ratio <= *c.max_symbol_ratio;
  if (name == "alphabetic") return m.alphabetic_ratio >= *c.min_alphabetic_ratio;
  if (name == "lines") {
    return m.bullet_lines <= c.max_bullet_lines.value_or(1) &&
           m.ellipsis_lines <= c.max_ellipsis_lines.value_or(1);
  }
  return !m.mostly_latin || m.stop_words >= static_cast<std::uint64_t>(*c.min_stop_words);
}

}  // namespace llmctl
