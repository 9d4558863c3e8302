#include "tasks/translation.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/signals.h"
#include "base/strings.h"
#include "metrics/perplexity.h"
#include "tasks/bucketed_source.h"
#include "tasks/lm_loss.h"
#include "tasks/parallel_files.h"
#include "tasks/parallel_texts.h"
#include "tasks/predictions.h"
#include "tasks/r_drop.h"
#include "tasks/record_mixture.h"
#include "tasks/record_names.h"
#include "tasks/records.h"
#include "tasks/translation_answers.h"
#include "tasks/translation_rows.h"
#include "tasks/translation_scores.h"

namespace llmctl {
namespace {

constexpr std::size_t kSamples = 4;

/// A pair is the same in both directions.
std::vector<std::uint64_t> keys_of(const std::vector<TextPair>& pairs) {
  std::vector<std::uint64_t> keys;
  for (const TextPair& pair : pairs) {
    const auto [one, other] = std::minmax<std::string_view>({pair.source, pair.target});
    keys.push_back(record_key({one, other}));
  }
  return keys;
}

/// Drawn once for each record: else a pair that is held out would be learnt the other way round.
std::vector<bool> held_out_pairs(const std::vector<TextPair>& pairs,
                                 const std::vector<TranslationDirection>& directions,
                                 HeldOutShare share) {
  std::vector<std::string_view> units;  // of the records
  std::vector<std::size_t> record_of;   // index into them of each pair
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const TextPair& pair = pairs[i];
    if (i == 0 || pair.record != pairs[i - 1].record) {
      // A record of the reverse direction alone is drawn by the same text.
      const TranslationDirection& own = directions[pair.direction];
      const auto end = directions.begin() + static_cast<std::ptrdiff_t>(pair.direction);
      const bool reverse =
          std::find(directions.begin(), end, TranslationDirection{own.target, own.source}) != end;
      units.push_back(reverse ? pair.target : pair.source);
    }
    record_of.push_back(units.size() - 1);
  }
  const std::vector<bool> records = held_out(units, share);
  std::vector<bool> out;
  for (const std::size_t record : record_of) out.push_back(records[record]);
  return out;
}

/// The pairs that validations translate, in the order of the files: of each direction ones at even
/// distances, as many as its share of `count`, at least one where `count` allows.
std::vector<const TextPair*> sample_of(const std::vector<TextPair>& pairs, std::size_t directions,
                                       std::int64_t count) {
  std::vector<std::vector<std::size_t>> places(directions);
  for (std::size_t i = 0; i < pairs.size(); ++i) places[pairs[i].direction].push_back(i);
  std::vector<std::size_t> shares(directions);
  // The next one is of a direction that has none, else of the one that has the least for its size.
  const auto is_before = [&](std::size_t one, std::size_t other) {
    if ((shares[one] == 0) != (shares[other] == 0)) return shares[one] == 0;
    return places[one].size() * (shares[other] + 1) > places[other].size() * (shares[one] + 1);
  };
  for (auto left = std::min(pairs.size(), static_cast<std::size_t>(count)); left > 0; --left) {
    std::optional<std::size_t> next;
    for (std::size_t d = 0; d < directions; ++d)
      if (shares[d] < places[d].size() && (!next || is_before(d, *next))) next = d;
    ++shares[*next];
  }
  std::vector<std::size_t> chosen;
  for (std::size_t d = 0; d < directions; ++d) {
    for (std::size_t i = 0; i < shares[d]; ++i)
      chosen.push_back(places[d][i * places[d].size() / shares[d]]);
  }
  std::sort(chosen.begin(), chosen.end());
  std::vector<const TextPair*> sample;
  for (const std::size_t place : chosen) sample.push_back(&pairs[place]);
  return sample;
}

/// Tells of several directions what each is learnt from. One without pairs is no error: the model
/// may know it already and only be scored in it.
void tell_directions(const std::vector<TranslationDirection>& directions,
                     const std::vector<TextPair>& train, const std::vector<TextPair>& valid) {
  if (directions.size() == 1) return;
  for (std::size_t d = 0; d < directions.size(); ++d) {
    const auto of_it = [&](const TextPair& pair) { return pair.direction == d; };
    const auto learnt = std::count_if(train.begin(), train.end(), of_it),
               held_out = std::count_if(valid.begin(), valid.end(), of_it);
    const std::string name = concat(directions[d].source, "-", directions[d].target);
    log_info("translation: ", name, ": ", learnt, " pairs to train on, ", held_out, " held out");
    if (learnt == 0) {
      log_warning("task.directions: no pair to train on is of the direction ", name,
                  "; name only directions that the data have, or check the languages of their "
                  "records");
    }
  }
}

/// Replaces every NAME in braces.
void fill_in(std::string& text, const std::string& name, const std::string& value) {
  const std::string mark = "{" + name + "}";
  for (std::size_t at = 0; (at = text.find(mark, at)) != text.npos; at += value.size())
    text.replace(at, mark.size(), value);
}

TranslationDirection parse_direction(const std::string& text) {
  const std::size_t arrow = text.find('>'), dash = text.find('-');
  const std::size_t at = arrow != text.npos ? arrow : dash;
  const bool whole = at != text.npos && at > 0 && at + 1 < text.size() &&
                     (arrow != text.npos || text.find('-', at + 1) == text.npos);
  return whole ? TranslationDirection{text.substr(0, at), text.substr(at + 1)}
               : TranslationDirection{};
}

/// What a trained model's config.json says of the task; null where it says nothing.
Json described_by(const Json& config, const std::string& type) {
  const Json::json_pointer place("/task_specific_params/" + type);
  return config.contains(place) ? config.at(place) : Json();
}

/// The same as a section.
TranslationConfig described_section(const Json& described) {
  TranslationConfig known;
  if (!described.is_object()) return known;
  const JsonDocument document{described, {}};
  read_config(
      ConfigNode(&document.value, "task_specific_params.translation", &document, ErrorCode::kData),
      known, {"type"});
  return known;
}

/// The section, with what it leaves open as the model's configuration says it.
TranslationConfig completed(TranslationConfig config, const Json& described) {
  if (!described.is_object()) return config;
  const TranslationConfig known = described_section(described);
  if (config.source.empty() && config.target.empty() && config.directions.empty()) {
    config.source = known.source;
    config.target = known.target;
    config.directions = known.directions;
  }
  // Also where one of several directions is scored, texts begin as those that the model learned.
  if (!config.prefix) config.prefix = known.prefix_template();
  if (!config.prompt_template) config.prompt_template = known.prompt_template;
  return config;
}

/// What a run held out of its training files, in the directions of `config`. It was drawn over all
/// the directions that the model learned (`known`), of which these may be some.
std::vector<TextPair> held_out_of_run(const TaskData& data, const TranslationConfig& config,
                                      const TranslationConfig& known, BadRows& bad) {
  const std::vector<TranslationDirection> scored = config.all_directions(),
                                          learned = known.all_directions();
  TranslationConfig run = config;
  const auto among = [](const TranslationDirection& one,
                        const std::vector<TranslationDirection>& all) {
    return std::find(all.begin(), all.end(), one) - all.begin();
  };
  if (std::all_of(scored.begin(), scored.end(),
                  [&](const auto& one) { return among(one, learned) < std::ssize(learned); })) {
    run.source = known.source;
    run.target = known.target;
    run.directions = known.directions;
  }
  const std::vector<TranslationDirection> directions = run.all_directions();
  const std::vector<TextPair> pairs = read_pairs(data.train_files(), run, bad);
  std::vector<TextPair> kept;
  for (TextPair& pair : flagged(pairs, held_out_pairs(pairs, directions, data.held_out), true)) {
    const auto direction = among(directions[pair.direction], scored);
    if (direction == std::ssize(scored)) continue;
    pair.direction = static_cast<std::size_t>(direction);
    kept.push_back(std::move(pair));
  }
  return kept;
}

class Translation : public Task {
 public:
  Translation(const TranslationConfig& config, std::shared_ptr<const Tokenizer> tokenizer)
      : config_(config), tokenizer_(std::move(tokenizer)) {}

  const std::string& type() const override { return config_.type; }
  HeadKind head() const override { return HeadKind::kSeq2SeqLm; }
  std::vector<ScoreKind> validation_scores() const override {
    return score_kinds(config_.validation_samples > 0, sample_);
  }
  std::vector<ScoreKind> evaluation_scores() const override { return score_kinds(true, {}); }
  std::string best_score() const override {
    return config_.validation_samples > 0 ? "bleu" : kLossName;
  }
  void describe(Json& config) const override;

  std::vector<std::filesystem::path> files_with(const std::filesystem::path& file) const override;
  void read(const TaskData& data) override;
  std::unique_ptr<Source> source(const Batching& batching) const override;
  std::size_t training_records() const override { return train_rows_ ? train_rows_->size() : 0; }
  std::vector<LabelledRow> labelled_rows(std::size_t first, std::size_t count) const override;
  std::unique_ptr<Loss> loss(Model& model) const override {
    return config_.r_drop > 0 ? make_r_drop_loss(model, config_.r_drop, config_.label_smoothing)
                              : make_lm_loss(model, config_.label_smoothing);
  }
  std::unique_ptr<Validator> validator(Model& model, std::int64_t batch_size,
                                       World& world) const override;
  TaskEvaluation evaluate(Model& model, const TaskData& data,
                          const EvaluateOptions& options) const override;
  TaskEvaluation score(const std::filesystem::path& predictions,
                       const std::vector<std::filesystem::path>& references) const override;
  std::unique_ptr<Responder> responder(Model& model, const AnswerOptions& options) const override;

 private:
  friend class TranslationValidator;

  /// `pairs` are those that are translated; empty: of any direction.
  std::vector<ScoreKind> score_kinds(bool translates,
                                     const std::vector<const TextPair*>& pairs) const {
    std::vector<ScoreKind> kinds = {loss_kind(kLossName), perplexity_kind("perplexity")};
    if (!translates) return kinds;
    for (ScoreKind& kind : TranslationScores::kinds(config_, pairs))
      kinds.push_back(std::move(kind));
    return kinds;
  }
  /// Source texts stand as those that the start model learned from, where the section says nothing.
  void keep_form(const TaskData& data);
  /// The form of a model that is asked or scored.
  static TranslationForm form_of(const Model& model, const TranslationConfig& config,
                                 const std::shared_ptr<const Tokenizer>& tokenizer);

  TranslationConfig config_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::filesystem::path generation_directory_;  // of the model that was begun from
  std::vector<TextPair> valid_;
  std::vector<const TextPair*> sample_;  // of those, what validations translate
  std::optional<TranslationForm> form_;  // of the training
  std::optional<TranslationRows> train_rows_, valid_rows_;
  std::vector<std::int64_t> rows_;   // pairs of one epoch
  std::vector<std::string> places_;  // of the rows, if asked for
};

void Translation::describe(Json& config) const {
  Json& all = config["task_specific_params"];
  if (!all.is_object()) all = Json::object();
  all.erase("text_generation");  // of what the model was before
  Json& own = all[config_.type] = Json::object();
  if (!config_.source.empty()) own["source"] = config_.source;
  if (!config_.target.empty()) own["target"] = config_.target;
  if (!config_.directions.empty()) own["directions"] = config_.directions;
  if (config_.prefix) own["prefix"] = *config_.prefix;
  // Records that are to be translated have their texts where those learnt from had them.
  if (config_.source_field) own["source_field"] = *config_.source_field;
  if (config_.target_field) own["target_field"] = *config_.target_field;
  if (form_ && form_->conversation()) own.update(form_->conversation()->described());
}

void Translation::keep_form(const TaskData& data) {
  const Json described = data.initial_settings(config_.type);
  if (described.empty()) return;
  const TranslationConfig known = described_section(described);
  const std::string prefix = known.prefix_template();
  // Several directions need a mark that tells them apart.
  const bool fits =
      config_.all_directions().size() == 1 || prefix.find("{target}") != std::string::npos;
  if (!config_.prefix && fits && prefix != config_.prefix_template()) {
    config_.prefix = prefix;
    log_info("translation: source texts stand behind ", dump_json(prefix), ", as those that ",
             data.initial_model, " learned from (task.prefix names another)");
  }
  if (!config_.prompt_template && known.prompt_template && !data.decoder_start) {
    config_.prompt_template = known.prompt_template;
    log_info("translation: prompts are in the form that ", data.initial_model,
             " was trained with, ", dump_json(*known.prompt_template),
             " (task.template names another)");
  }
}

std::vector<std::filesystem::path> Translation::files_with(
    const std::filesystem::path& file) const {
  std::vector<std::filesystem::path> files = {file};
  for (const FileCouple& couple : couples_of(file, config_.all_directions()))
    if (std::filesystem::exists(couple.other.path)) files.push_back(couple.other.path);
  return files;
}

void Translation::read(const TaskData& files) {
  generation_directory_ = files.generation_directory;
  keep_form(files);
  form_.emplace(files.decoder_start
                    ? TranslationForm::of_pairs(config_, tokenizer_, *files.decoder_start)
                    : TranslationForm::of_prompts(config_, tokenizer_, Json()));
  require(form_->encoder_decoder() || (config_.source_noise == 0 && config_.target_noise == 0),
          ErrorCode::kConfig, "task.", config_.source_noise > 0 ? "source_noise" : "target_noise",
          ": is for encoder-decoders; the model is a causal one");
  BadRows bad(files.skip_bad);
  const std::vector<std::filesystem::path> train_files = files.train_files();
  std::vector<TextPair> train = read_pairs(train_files, config_, bad);
  valid_ = read_pairs(files.valid, config_, bad);
  bad.settle();
  require(!train.empty(), ErrorCode::kData,
          train_files.empty() ? "data.train" : train_files[0].string(), ": no pair to train on");
  if (files.valid.empty()) {
    const std::vector<bool> out = held_out_pairs(train, config_.all_directions(), files.held_out);
    valid_ = flagged(train, out, true);
    train = flagged(train, out, false);
  }
  sample_ = sample_of(valid_, config_.all_directions().size(), config_.validation_samples);
  std::vector<std::string> directions;
  for (const TextPair& pair : train) directions.push_back(std::to_string(pair.direction));
  keep_share(files, train, directions,
             [](const TextPair& pair) { return std::string_view(pair.source); });
  warn_of_learnt("translation", "pairs", keys_of(valid_), keys_of(train));
  train_rows_.emplace(*form_, train, files.sequence_length, false);
  valid_rows_.emplace(*form_, valid_, files.sequence_length, true);
  std::vector<std::string_view> units;
  std::vector<std::size_t> from;
  places_.clear();
  for (const std::size_t kept : train_rows_->kept()) {
    units.push_back(train[kept].source);
    from.push_back(train[kept].file);
    if (files.keep_places) places_.push_back(train[kept].place);
  }
  rows_ = epoch_of(visits_of(files, units, from));
  log_info("translation: ", train.size(), " pairs to train on, ", valid_.size(), " held out");
  tell_directions(config_.all_directions(), train, valid_);
  if (!sample_.empty()) {
    for (const std::string& note : TranslationScores(config_, sample_).tokenizer_notes())
      log_info("validation: ", note);
  }
  if (const std::size_t long_ones = train.size() - train_rows_->size(); long_ones > 0) {
    log_info("translation: ", long_ones, " pairs have more than data.sequence_length (",
             files.sequence_length, ") tokens and are left out of training");
  }
  require(!rows_.empty(), ErrorCode::kData, train_files[0].string(),
          ": every pair has more than data.sequence_length (", files.sequence_length, ") tokens");
}

std::unique_ptr<Source> Translation::source(const Batching& batching) const {
  Sha256 digest, content;
  train_rows_->add_to([&](const void* data, std::size_t size) {
    digest.update(data, size);
    content.update(data, size);
  });
  digest.update(rows_.data(), rows_.size() * sizeof rows_[0]);
  return std::make_unique<BucketedSource>(
      rows_, train_rows_->lengths(), batching,
      [this, seed = batching.seed](std::span<const std::int64_t> rows, std::int64_t step) {
        return train_rows_->batch(rows, {config_.source_noise, config_.target_noise, seed,
                                         static_cast<std::uint64_t>(step)});
      },
      BucketedSource::Fingerprints{digest.hex(), content.hex()});
}

std::vector<LabelledRow> Translation::labelled_rows(std::size_t first, std::size_t count) const {
  std::vector<LabelledRow> rows;
  for (std::size_t i = first; i < places_.size() && rows.size() < count; ++i)
    rows.push_back({places_[i], train_rows_->labelled_parts(i)});
  return rows;
}

TranslationForm Translation::form_of(const Model& model, const TranslationConfig& config,
                                     const std::shared_ptr<const Tokenizer>& tokenizer) {
  if (model.facts().encoder_decoder)
    return TranslationForm::of_pairs(config, tokenizer, model.facts().decoder_start);
  return TranslationForm::of_prompts(config, tokenizer, described_by(model.config(), config.type));
}

std::string sample_line(const TextPair& pair, const std::string& translation) {
  return concat(pair.source, " → ", translation, "   [", pair.target, "]");
}

class TranslationValidator : public Validator {
 public:
  TranslationValidator(const Translation& task, Model& model, std::int64_t batch_size, World& world)
      : task_(task), model_(model), batch_size_(batch_size), world_(world) {}

  ValidationResult validate(const Context& context) override {
    std::array<double, 2> loss =
        held_out_loss(model_, task_.valid_rows_->held_out(), batch_size_, context, world_);
    world_.sum(loss);
    ValidationResult result;
    result.scores = loss_and_perplexity(loss[0], loss[1]);
    if (task_.sample_.empty()) return result;
    std::vector<const TextPair*> own;
    for (std::size_t i = 0; i < task_.sample_.size(); ++i) {
      const auto rank = static_cast<std::int64_t>(i) % world_.size();
      if (rank == world_.rank()) own.push_back(task_.sample_[i]);
    }
    const auto translations =
        translate(model_, *task_.form_, own, {batch_size_, context, task_.generation_directory_});
    TranslationScores scores(task_.config_, task_.sample_);
    for (std::size_t i = 0; i < own.size(); ++i) {
      scores.add(own[i]->direction, translations[i].text, {own[i]->target});
      if (result.samples.size() < kSamples)
        result.samples.push_back(sample_line(*own[i], translations[i].text));
    }
    scores.sum(world_);
    result.scores.add(scores.scores());
    return result;
  }

 private:
  const Translation& task_;
  Model& model_;
  std::int64_t batch_size_;
  World& world_;
};

std::unique_ptr<Validator> Translation::validator(Model& model, std::int64_t batch_size,
                                                  World& world) const {
  if (valid_.empty()) return nullptr;
  return std::make_unique<TranslationValidator>(*this, model, batch_size, world);
}

TaskEvaluation Translation::evaluate(Model& model, const TaskData& data,
                                     const EvaluateOptions& options) const {
  const Json described = described_by(model.config(), config_.type);
  const TranslationConfig config = completed(config_, described);
  BadRows bad(data.skip_bad);
  const std::vector<TextPair> pairs =
      data.valid.empty() ? held_out_of_run(data, config, described_section(described), bad)
                         : read_pairs(data.valid, config, bad);
  bad.settle();
  require_scored(data, pairs.size());
  const TranslationForm form = form_of(model, config, tokenizer_);
  const TranslationRows rows(form, pairs, model_length(model, data.sequence_length), true);
  const std::array<double, 2> loss = held_out_loss(model, rows.held_out(), options.batch_size,
                                                   options.context, *make_local_world());
  std::vector<const TextPair*> all;
  for (const TextPair& pair : pairs) all.push_back(&pair);
  const auto translations =
      translate(model, form, all, {options.batch_size, options.context, data.generation_directory});
  TaskEvaluation evaluation;
  TranslationScores scores(config, all);
  std::size_t shortened = 0;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const TextPair& pair = pairs[i];
    scores.add(pair.direction, translations[i].text, {pair.target});
    shortened += translations[i].shortened;
    evaluation.predictions.push_back(
        {{"id", pair.id}, {"source", pair.source}, {kGeneratedText, translations[i].text}});
    if (i < kSamples) evaluation.samples.push_back(sample_line(pair, translations[i].text));
  }
  evaluation.scores = scores.scores();
  evaluation.scores.add(loss_and_perplexity(loss[0], loss[1]));
  evaluation.signatures = scores.signatures();
  if (shortened > 0) {
    evaluation.notes.push_back(concat(shortened, " of ", pairs.size(),
                                      " source texts are longer than the model takes and were "
                                      "translated without their end"));
  }
  return evaluation;
}

TaskEvaluation Translation::score(const std::filesystem::path& predictions,
                                  const std::vector<std::filesystem::path>& references) const {
  return score_translations(config_, predictions, references);
}

std::unique_ptr<Responder> Translation::responder(Model& model,
                                                  const AnswerOptions& options) const {
  const TranslationConfig config = completed(config_, described_by(model.config(), config_.type));
  return make_translator(model, form_of(model, config, tokenizer_), options);
}

}  // namespace

void TranslationConfig::validate(const ConfigNode& node) const {
  if (ter_asian_support && !ter_normalized && !ter_no_punct) {
    node.fail("ter_asian_support",
              "has no effect by itself; give ter_normalized or ter_no_punct, too");
  }
  if (!directions.empty() && !(source.empty() && target.empty()))
    node.fail("directions", "source and target are given too; give one direction or several");
  for (std::size_t i = 0; i < directions.size(); ++i) {
    if (parse_direction(directions[i]).source.empty()) {
      node.fail("directions", concat("expected languages such as \"en-de\", got \"", directions[i],
                                     "\" (with a dash in a name \"en>zh-Hans\")"));
    }
    if (std::count(directions.begin(), directions.end(), directions[i]) > 1)
      node.fail("directions", concat("'", directions[i], "' stands there twice"));
  }
  if (source.empty() != target.empty())
    node.fail(source.empty() ? "source" : "target", "missing; name both languages");
  if (!source.empty() && source == target)
    node.fail("target", concat("is the language '", source, "' that is translated"));
  if (prompt_template && prompt_template->find("{prompt}") == std::string::npos)
    node.fail("template", "has no {prompt}, where the source text goes");
  if (directions.size() > 1 && prefix && prefix->find("{target}") == std::string::npos)
    node.fail("prefix", "has no {target}: nothing would tell the directions apart");
}

std::vector<TranslationDirection> TranslationConfig::all_directions() const {
  if (directions.empty()) return {{source, target}};
  std::vector<TranslationDirection> all;
  for (const std::string& text : directions) all.push_back(parse_direction(text));
  return all;
}

std::string TranslationConfig::prefix_template() const {
  return prefix.value_or(directions.size() > 1 ? ">>{target}<< " : "");
}

std::string TranslationConfig::prefix_of(const TranslationDirection& direction) const {
  std::string text = prefix_template();
  fill_in(text, "source", direction.source);
  fill_in(text, "target", direction.target);
  return text;
}

std::unique_ptr<Task> make_translation(const TranslationConfig& config,
                                       std::shared_ptr<const Tokenizer> tokenizer) {
  return std::make_unique<Translation>(config, std::move(tokenizer));
}

}  // namespace llmctl
