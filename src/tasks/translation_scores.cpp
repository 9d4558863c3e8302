#include "tasks/translation_scores.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/white_space.h"
#include "io/text_format.h"
#include "io/text_source.h"
#include "tasks/bad_rows.h"
#include "tasks/predictions.h"
#include "tasks/record_names.h"

namespace llmctl {
namespace {

constexpr std::size_t kSamples = 4;

std::string name_of(const TranslationDirection& direction) {
  return direction.source + "-" + direction.target;
}

/// BLEU's tokenizer: the task's, or by the target language and, where that is not known, the
/// references.
ChosenBleuTokenizer tokenizer_of(const TranslationConfig& config, const std::string& language,
                                 const std::vector<std::string>& references) {
  if (config.bleu_tokenizer != "auto")
    return {parse_bleu_tokenizer(config.bleu_tokenizer), "task.bleu_tokenizer"};
  return choose_bleu_tokenizer(language, references);
}

std::string tokenizer_note(const ChosenBleuTokenizer& chosen) {
  return concat("BLEU's tokenizer is ", bleu_tokenizer_name(chosen.tokenizer), " (", chosen.why,
                ")");
}

/// A translation a line; in a file of references or translations each counts, so the first bad one
/// is an error.
std::vector<std::string> read_lines(const std::filesystem::path& file) {
  std::vector<std::string> lines;
  for_each_text_line(file, [&](std::uint64_t, std::string_view line) {
    lines.emplace_back(line);
    return true;
  });
  return lines;
}

void require_equal(std::size_t predictions, const std::filesystem::path& file,
                   std::size_t references, const std::filesystem::path& other) {
  require(predictions == references, ErrorCode::kData, file, ": ", predictions,
          " translations, but ", other.string(), " has ", references, " references");
}

}  // namespace

TranslationScores::TranslationScores(const TranslationConfig& config,
                                     const std::vector<const TextPair*>& pairs) {
  const std::vector<TranslationDirection> directions = config.all_directions();
  for (std::size_t d = 0; d < directions.size(); ++d) {
    std::vector<std::string> references;
    for (const TextPair* pair : pairs)
      if (pair->direction == d) references.push_back(pair->target);
    const ChosenBleuTokenizer chosen = tokenizer_of(config, directions[d].target, references);
    parts_.push_back({directions.size() > 1 ? name_of(directions[d]) : "",
                      TranslationTotals({.tokenizer = chosen.tokenizer, .ter = config.ter()}),
                      tokenizer_note(chosen), !references.empty()});
  }
}

void TranslationScores::add(std::size_t direction, const std::string& translation,
                            const std::vector<std::string>& references) {
  parts_[direction].totals.add(translation, references);
}

void TranslationScores::sum(World& world) {
  for (Part& part : parts_) world.sum(part.totals.numbers());
}

Scores TranslationScores::scores() const {
  Scores all, each;
  double directions = 0;
  for (const Part& part : parts_) {
    if (!part.any) continue;
    ++directions;
    for (Score score : part.totals.scores()) {
      const Score* before = all.find(score.kind.name);
      Score sum = score;
      if (before != nullptr) {
        sum.value += before->value;
        sum.count += before->count;
      }
      all.add(sum);
      if (part.name.empty()) continue;
      score.kind.name.insert(0, part.name + ".");
      each.add(score);
    }
  }
  Scores means;
  for (Score score : all) {
    score.value /= directions;
    means.add(score);
  }
  means.add(each);
  return means;
}

std::vector<std::string> TranslationScores::tokenizer_notes() const {
  std::vector<std::string> notes;
  for (const Part& part : parts_)
    if (part.any) notes.push_back(part.before() + part.note);
  return notes;
}

std::vector<std::string> TranslationScores::signatures() const {
  std::vector<std::string> signatures;
  for (const Part& part : parts_) {
    if (!part.any) continue;
    signatures.push_back(part.before() + part.note);
    for (const std::string& signature : part.totals.signatures())
      signatures.push_back(part.before() + signature);
  }
  return signatures;
}

std::vector<ScoreKind> TranslationScores::kinds(const TranslationConfig& config,
                                                const std::vector<const TextPair*>& pairs) {
  std::vector<ScoreKind> kinds = TranslationTotals::kinds();
  const std::vector<TranslationDirection> directions = config.all_directions();
  if (directions.size() == 1) return kinds;
  for (std::size_t d = 0; d < directions.size(); ++d) {
    const bool any =
        pairs.empty() || std::any_of(pairs.begin(), pairs.end(),
                                     [&](const TextPair* pair) { return pair->direction == d; });
    if (!any) continue;
    for (ScoreKind kind : TranslationTotals::kinds()) {
      kind.name.insert(0, name_of(directions[d]) + ".");
      kinds.push_back(std::move(kind));
    }
  }
  return kinds;
}

namespace {

/// Translations with the alternatives of their references, in one direction.
struct Scored {
  std::vector<std::string> translations;
  std::vector<std::vector<std::string>> references;
};

TaskEvaluation score_texts(const TranslationConfig& config, Scored scored) {
  std::vector<std::string> first;
  for (const auto& alternatives : scored.references) first.push_back(alternatives.front());
  const ChosenBleuTokenizer chosen =
      tokenizer_of(config, config.all_directions().front().target, first);
  TranslationTotals totals({.tokenizer = chosen.tokenizer, .ter = config.ter()});
  totals.add(scored.translations, scored.references);
  TaskEvaluation evaluation;
  evaluation.scores = totals.scores();
  evaluation.signatures = totals.signatures();
  evaluation.signatures.insert(evaluation.signatures.begin(), tokenizer_note(chosen));
  for (std::size_t i = 0; i < scored.translations.size(); ++i) {
    evaluation.predictions.push_back({{"id", i}, {kGeneratedText, scored.translations[i]}});
    if (i < kSamples)
      evaluation.samples.push_back(concat(scored.translations[i], "   [", first[i], "]"));
  }
  return evaluation;
}

std::vector<std::string> translations_of(const std::filesystem::path& file) {
  if (text_format(file) == "text") return read_lines(file);
  std::vector<std::string> texts;
  for (const Prediction& prediction : read_predictions(file)) texts.push_back(prediction.text());
  return texts;
}

bool are_plain_texts(const std::vector<std::filesystem::path>& files) {
  return std::all_of(files.begin(), files.end(), [](const std::filesystem::path& file) {
    return text_extension(file) != ".tmx" && text_format(file) == "text";
  });
}

}  // namespace

TaskEvaluation score_translations(const TranslationConfig& config,
                                  const std::filesystem::path& predictions,
                                  const std::vector<std::filesystem::path>& references) {
  if (are_plain_texts(references)) {
    Scored scored{translations_of(predictions), {}};
    scored.references.resize(scored.translations.size());
    for (const std::filesystem::path& file : references) {
      std::vector<std::string> lines = read_lines(file);
      require_equal(scored.translations.size(), predictions, lines.size(), file);
      // As in sacreBLEU a sentence may have fewer alternatives than others, but not none.
      for (std::size_t i = 0; i < lines.size(); ++i)
        if (!is_blank(lines[i])) scored.references[i].push_back(std::move(lines[i]));
    }
    require(!scored.translations.empty(), ErrorCode::kData, predictions, ": holds no translation");
    for (std::size_t i = 0; i < scored.references.size(); ++i) {
      require(!scored.references[i].empty(), ErrorCode::kData, references.front(), ":", i + 1,
              ": the reference is empty", references.size() > 1 ? " in all files" : "",
              "; leave the line out, in ", predictions.string(), ", too");
    }
    return score_texts(config, std::move(scored));
  }
  BadRows bad(false);  // every reference stands for a prediction
  const std::vector<TextPair> pairs = read_pairs(references, config, bad);
  bad.settle();
  std::vector<std::string> texts;
  if (text_format(predictions) == "text") {
    texts = read_lines(predictions);
    require_equal(texts.size(), predictions, pairs.size(), references.front());
  } else {
    std::vector<ReferenceInput> inputs;
    for (const TextPair& pair : pairs)
      inputs.push_back({id_text(pair.id), {pair.source}, pair.place});
    const auto read = [&](const AnswerInput& input) {
      return std::vector{read_source(input, config).text};
    };
    for (const Prediction& given :
         match_predictions(read_predictions(predictions), inputs, predictions, read))
      texts.push_back(given.text());
  }
  std::vector<const TextPair*> all;
  for (const TextPair& pair : pairs) all.push_back(&pair);
  TranslationScores scores(config, all);
  TaskEvaluation evaluation;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    scores.add(pairs[i].direction, texts[i], {pairs[i].target});
    evaluation.predictions.push_back({{"id", pairs[i].id}, {kGeneratedText, texts[i]}});
    if (i < kSamples) evaluation.samples.push_back(concat(texts[i], "   [", pairs[i].target, "]"));
  }
  evaluation.scores = scores.scores();
  evaluation.signatures = scores.signatures();
  return evaluation;
}

}  // namespace llmctl
