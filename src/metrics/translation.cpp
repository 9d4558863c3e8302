#include "metrics/translation.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/threads.h"
#include "base/utf8.h"
#include "metrics/bleu.h"
#include "metrics/chrf.h"
#include "metrics/ter.h"

namespace llmctl {
namespace {

constexpr const char* kVersion = "2.6.0";  // of sacreBLEU, whose rules these are

// Where the counts of each metric stand among the numbers.
constexpr std::size_t kBleu = 0, kBleuNumbers = 2 + 2 * BleuCounts::kOrders;
constexpr std::size_t kChrf = kBleu + kBleuNumbers, kChrfNumbers = 3 * ChrfCounts::kOrders;
constexpr std::size_t kChrfWords = kChrf + kChrfNumbers;
constexpr std::size_t kTer = kChrfWords + kChrfNumbers;
constexpr std::size_t kSentences = kTer + 2;
constexpr std::size_t kNumbers = kSentences + 1;

void put(const BleuCounts& counts, double* numbers) {
  *numbers++ += counts.length;
  *numbers++ += counts.reference_length;
  for (const double value : counts.correct) *numbers++ += value;
  for (const double value : counts.total) *numbers++ += value;
}

BleuCounts bleu_from(const double* numbers) {
  BleuCounts counts;
  counts.length = *numbers++;
  counts.reference_length = *numbers++;
  for (double& value : counts.correct) value = *numbers++;
  for (double& value : counts.total) value = *numbers++;
  return counts;
}

void put(const ChrfCounts& counts, double* numbers) {
  for (const ChrfCounts::Order& order : counts.orders) {
    *numbers++ += order.translation;
    *numbers++ += order.reference;
    *numbers++ += order.shared;
  }
}

ChrfCounts chrf_from(const double* numbers) {
  ChrfCounts counts;
  for (ChrfCounts::Order& order : counts.orders) {
    order.translation = *numbers++;
    order.reference = *numbers++;
    order.shared = *numbers++;
  }
  return counts;
}

std::vector<std::vector<std::string_view>> words_of(const std::vector<std::string>& texts) {
  std::vector<std::vector<std::string_view>> words;
  for (const std::string& text : texts) words.push_back(split_words(text));
  return words;
}

/// BLEU's counts of one sentence.
BleuCounts sentence_counts(const std::string& translation, std::span<const std::string> references,
                           const TranslationScoreOptions& options) {
  const auto separated = [&](const std::string& text) {
    return separate_words(options.lowercase ? python_lower(text) : text, options.tokenizer);
  };
  std::vector<std::string> texts = {separated(translation)};
  for (const std::string& reference : references) texts.push_back(separated(reference));
  const auto words = words_of(texts);
  return bleu_counts(words[0], std::span(words).subspan(1));
}

TerCounts sentence_edits(const std::string& translation, std::span<const std::string> references,
                         const TerOptions& options) {
  std::vector<std::string> texts = {ter_text(translation, options)};
  for (const std::string& reference : references) texts.push_back(ter_text(reference, options));
  const auto words = words_of(texts);
  return ter_counts(words[0], std::span(words).subspan(1));
}

SentenceChrf sentence_characters(const std::string& translation,
                                 std::span<const std::string> references, bool lowercase) {
  if (!lowercase) return chrf_counts(translation, references);
  std::vector<std::string> lower;
  for (const std::string& reference : references) lower.push_back(python_lower(reference));
  return chrf_counts(python_lower(translation), lower);
}

void add_sentence(const std::string& translation, std::span<const std::string> references,
                  const TranslationScoreOptions& options, double* numbers) {
  require(!references.empty(), ErrorCode::kInternal, "a translation without a reference");
  put(sentence_counts(translation, references, options), numbers + kBleu);
  const SentenceChrf chrf = sentence_characters(translation, references, options.lowercase);
  put(chrf.characters, numbers + kChrf);
  put(chrf.words, numbers + kChrfWords);
  const TerCounts edits = sentence_edits(translation, references, options.ter);
  numbers[kTer] += edits.edits;
  numbers[kTer + 1] += edits.reference_length;
  numbers[kSentences] += 1;
}

/// The language of a tag, without region and script: "zh" of "zh-CN".
std::string_view language_of(std::string_view tag) {
  return tag.substr(0, tag.find_first_of("-_"));
}

/// Whether a tag is a code of a language, perhaps with script and region: "de", "zho_Hans",
/// "es-419". Files call a side "tgt" or "trg", whatever its language.
bool is_code(std::string_view tag) {
  if (tag == "tgt" || tag == "trg") return false;
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  std::string_view part = language_of(tag);
  if (part.size() < 2 || part.size() > 3 || !std::all_of(part.begin(), part.end(), is_letter))
    return false;
  while (part.size() < tag.size()) {
    tag.remove_prefix(part.size() + 1);
    part = language_of(tag);
    if (part.size() < 2 || part.size() > 4 || !std::all_of(part.begin(), part.end(), [&](char c) {
          return is_letter(c) || is_digit(c);
        })) {
      return false;
    }
  }
  return true;
}

}  // namespace

ChosenBleuTokenizer choose_bleu_tokenizer(std::string_view language,
                                          std::span<const std::string> references) {
  // Codes, and what corpora call the languages else.
  constexpr std::array kChinese = {"zh",  "zho", "chi",     "cmn",      "yue",      "cn",
                                   "zhs", "zht", "chinese", "mandarin", "cantonese"};
  constexpr std::array kByCharacter = {"ja", "jpn", "jp", "japanese", "ko", "kor", "korean"};
  const std::string name = python_lower(language_of(language));
  const auto among = [&](const auto& names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  const std::string named = concat("target language ", language);
  if (among(kChinese)) return {BleuTokenizer::kZh, named};
  if (among(kByCharacter)) return {BleuTokenizer::kChar, named};
  if (is_code(language)) return {BleuTokenizer::k13a, named};
  // Kana beside ideographs: Japanese.
  std::size_t ideographs = 0, syllables = 0, others = 0;
  for (const std::string& reference : references) {
    for (std::size_t at = 0; at < reference.size();) {
      const char32_t c = next_code_point(reference, at);
      if (is_cjk(c)) {
        ++ideographs;
      } else if ((c >= 0x3041 && c <= 0x30FF) || (c >= 0xAC00 && c <= 0xD7A3)) {
        ++syllables;
      } else if (c > 0x20 && c < 0x2000) {
        ++others;
      }
    }
  }
  if (ideographs + syllables <= others) return {BleuTokenizer::k13a, "most references' script"};
  // A name in katakana does not make a Chinese text Japanese.
  return {syllables * 10 > ideographs ? BleuTokenizer::kChar : BleuTokenizer::kZh,
          "most references' script"};
}

TranslationTotals::TranslationTotals(const TranslationScoreOptions& options)
    : options_(options), numbers_(kNumbers) {}

void TranslationTotals::add(const std::string& translation,
                            std::span<const std::string> references) {
  add_sentence(translation, references, options_, numbers_.data());
  fewest_ = std::min(fewest_, references.size());
  most_ = std::max(most_, references.size());
}

void TranslationTotals::add(std::span<const std::string> translations,
                            std::span<const std::vector<std::string>> references) {
  require(translations.size() == references.size(), ErrorCode::kInternal, translations.size(),
          " translations and ", references.size(), " lists of references");
  // Blocks of one size on any number of threads, added up in order: the same sums always.
  constexpr std::size_t kBlock = 64;
  const std::size_t blocks = (translations.size() + kBlock - 1) / kBlock;
  std::vector<std::array<double, kNumbers>> sums(blocks);
  parallel_for(blocks, [&](std::size_t block) {
    const std::size_t end = std::min(translations.size(), (block + 1) * kBlock);
    for (std::size_t i = block * kBlock; i < end; ++i)
      add_sentence(translations[i], references[i], options_, sums[block].data());
  });
  for (const auto& sum : sums)
    for (std::size_t i = 0; i < kNumbers; ++i) numbers_[i] += sum[i];
  for (const auto& list : references) {
    fewest_ = std::min(fewest_, list.size());
    most_ = std::max(most_, list.size());
  }
}

std::vector<ScoreKind> TranslationTotals::kinds() {
  return {percent_kind("bleu"), percent_kind("chrf"), percent_kind("chrf++"),
          ScoreKind{"ter", Direction::kLower, Scale::kNonNegative}};
}

Scores TranslationTotals::scores() const {
  const double* numbers = numbers_.data();
  const double values[] = {bleu_score(bleu_from(numbers + kBleu)).score,
                           chrf_score(chrf_from(numbers + kChrf), false),
                           chrf_score(chrf_from(numbers + kChrfWords), true),
                           ter_score({numbers[kTer], numbers[kTer + 1]})};
  Scores scores;
  const std::vector<ScoreKind> all = kinds();
  for (std::size_t i = 0; i < all.size(); ++i) {
    // The mean of logarithms of 100 comes out a little above it.
    const double most = all[i].scale == Scale::kPercent ? 100.0 : values[i];
    scores.add({all[i], std::min(values[i], most), numbers[kSentences]});
  }
  return scores;
}

std::vector<std::string> TranslationTotals::signatures() const {
  const std::string references = fewest_ == most_ ? std::to_string(most_) : "var";
  const auto yes = [](bool set) { return set ? "yes" : "no"; };
  const char* letters = options_.lowercase ? "lc" : "mixed";
  const auto chrf = [&](int words) {
    return concat("nrefs:", references, "|case:", letters, "|eff:yes|nc:6|nw:", words,
                  "|space:no|version:", kVersion);
  };
  return {concat("BLEU nrefs:", references, "|case:", letters, "|eff:no|tok:",
                 bleu_tokenizer_name(options_.tokenizer), "|smooth:exp|version:", kVersion),
          "chrF2 " + chrf(0), "chrF2++ " + chrf(2),
          concat("TER nrefs:", references, "|case:", options_.ter.case_sensitive ? "mixed" : "lc",
                 "|tok:tercom|norm:", yes(options_.ter.normalized),
                 "|punct:", yes(!options_.ter.no_punct), "|asian:", yes(options_.ter.asian_support),
                 "|version:", kVersion)};
}

double sentence_bleu(const std::string& translation, std::span<const std::string> references,
                     const TranslationScoreOptions& options) {
  return bleu_score(sentence_counts(translation, references, options), true).score;
}

}  // namespace llmctl
