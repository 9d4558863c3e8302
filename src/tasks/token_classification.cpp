#include "tasks/token_classification.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/strings.h"
#include "models/labels.h"
#include "tasks/bucketed_source.h"
#include "tasks/labelled_row.h"
#include "tasks/predictions.h"
#include "tasks/record_mixture.h"
#include "tasks/record_names.h"
#include "tasks/records.h"
#include "tasks/span_errors.h"
#include "tasks/spans_responder.h"
#include "tasks/tag_rows.h"
#include "tasks/tagged_texts.h"
#include "text/chinese_words.h"

namespace llmctl {
namespace {

constexpr std::size_t kSamples = 4;
using Labels = std::vector<std::vector<std::int64_t>>;  // [text][unit]

std::string_view part_of(std::string_view text, const Entity& entity) {
  return text.substr(entity.begin, entity.end - entity.begin);
}

/// "Ann (PER), Oakford (LOC)", or the words of a segmentation.
std::string spans_line(std::string_view text, std::span<const Entity> entities) {
  std::vector<std::string> parts;
  bool typed = false;
  for (const Entity& entity : entities) {
    typed = typed || entity.type != kUntyped;
    parts.push_back(entity.type == kUntyped
                        ? std::string(part_of(text, entity))
                        : concat(part_of(text, entity), " (", entity.type, ")"));
  }
  if (parts.empty()) return "nothing";
  return join(parts, typed ? ", " : " ");
}

std::string sample_line(const TaggedText& text, std::span<const Entity> predicted) {
  return concat(text.text, " → ", spans_line(text.text, predicted), "   [",
                spans_line(text.text, text.entities), "]");
}

std::vector<Entity> entities_alone(std::span<const PredictedEntity> predicted) {
  std::vector<Entity> entities;
  for (const PredictedEntity& one : predicted) entities.push_back(one.entity);
  return entities;
}

/// Tags in the letters B, I, E, S and O; others as they are.
std::vector<std::string> normal_tags(std::span<const std::string> names) {
  std::vector<std::string> tags;
  for (const std::string& name : names) tags.push_back(normal_tag(name).value_or(name));
  return tags;
}

/// The types that some tags have.
std::vector<std::string> types_of_tags(std::span<const std::string> tags) {
  std::set<std::string> types;
  for (const std::string& tag : tags)
    for (const Entity& entity : entities_of(std::vector{tag})) types.insert(entity.type);
  return {types.begin(), types.end()};
}

class TokenClassification : public Task {
 public:
  TokenClassification(const TokenClassificationConfig& config,
                      std::shared_ptr<const Tokenizer> tokenizer)
      : config_(config), tokenizer_(std::move(tokenizer)) {}

  const std::string& type() const override { return config_.type; }
  void describe(Json& config) const override {
    // What an earlier training of the model left there is not of this one.
    Json& own = config["task_specific_params"][config_.type] = {{"stride", config_.stride}};
    // Records that are to be answered have their texts where those learnt from had them.
    if (config_.text_field) own["text_field"] = *config_.text_field;
  }
  HeadKind head() const override { return HeadKind::kTokenClassification; }
  std::vector<std::string> labels() const override { return names_; }
  std::vector<ScoreKind> validation_scores() const override {
    std::vector<ScoreKind> kinds = EntityTotals::kinds(false);
    kinds.push_back(loss_kind(kLossName));
    return kinds;
  }
  std::vector<ScoreKind> evaluation_scores() const override { return EntityTotals::kinds(true); }
  std::string baseline_rule() const override {
    return config_.format == "segmented" ? "ICU words" : "";
  }
  std::string best_score() const override { return "f1"; }

  void read(const TaskData& data) override;
  std::unique_ptr<Source> source(const Batching& batching) const override;
  std::size_t training_records() const override { return train_.size(); }
  std::vector<LabelledRow> labelled_rows(std::size_t first, std::size_t count) const override;
  std::unique_ptr<Loss> loss(Model& model) const override {
    return std::make_unique<TagLoss>(model);
  }
  std::unique_ptr<Validator> validator(Model& model, std::int64_t batch_size,
                                       World& world) const override;
  TaskEvaluation evaluate(Model& model, const TaskData& data,
                          const EvaluateOptions& options) const override;
  TaskEvaluation score(const std::filesystem::path& predictions,
                       const std::vector<std::filesystem::path>& references) const override;
  std::unique_ptr<Responder> responder(Model& model, const AnswerOptions& options) const override;

 private:
  TaggedTexts read_files(const std::vector<std::filesystem::path>& files, BadRows& bad) const;
  std::vector<TaggedText> read_references(const std::vector<std::filesystem::path>& files,
                                          bool skip_bad) const;
  TagRows rows_of(const std::vector<TaggedText>& texts, std::int64_t sequence_length) const {
    return {texts, *tokenizer_, {sequence_length, config_.stride}};
  }
  /// Ids of the units' tags; kIgnoreLabel for tags without one.
  Labels labels_of(const std::vector<TaggedText>& texts, const TagRows& rows) const;
  void name_tags(const TaggedTexts& train);
  /// Takes texts out whose labels are none of those that the configuration names.
  void drop_unknown_labels(std::vector<TaggedText>& texts, BadRows& bad) const;
  void add_baseline(const std::vector<TaggedText>& texts, TaskEvaluation& evaluation) const;

  TokenClassificationConfig config_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  TagScheme scheme_ = TagScheme::kBio;
  std::vector<std::string> names_;
  std::vector<TaggedText> train_, valid_;
  std::unique_ptr<TagRows> train_rows_, valid_rows_;
  Labels train_labels_, valid_labels_;
  std::vector<std::int64_t> rows_;  // windows of one epoch
};

TaggedTexts TokenClassification::read_files(const std::vector<std::filesystem::path>& files,
                                            BadRows& bad) const {
  TaggedTexts all;
  for (std::size_t i = 0; i < files.size(); ++i) read_tagged_texts(files[i], i, config_, bad, all);
  return all;
}

std::vector<TaggedText> TokenClassification::read_references(
    const std::vector<std::filesystem::path>& files, bool skip_bad) const {
  BadRows bad(skip_bad);
  std::vector<TaggedText> texts = read_files(files, bad).texts;
  bad.settle();
  require(!texts.empty(), ErrorCode::kData,
          files.empty() ? "token classification" : files[0].string(), ": no texts");
  return texts;
}

void TokenClassification::name_tags(const TaggedTexts& train) {
  const std::vector<std::string> tags = normal_tags(config_.labels);
  for (auto tag = tags.begin(); tag != tags.end(); ++tag) {
    require(std::find(tags.begin(), tag, *tag) == tag, ErrorCode::kConfig, "task.labels: '", *tag,
            "' stands twice");
  }
  const bool labelled_bioes =
      std::any_of(config_.labels.begin(), config_.labels.end(), [](const std::string& label) {
        const auto tag = normal_tag(label);
        return tag && (tag->front() == 'E' || tag->front() == 'S');
      });
  const bool as_data = config_.labels.empty() ? train.bioes : labelled_bioes;
  const bool bioes = config_.scheme == "bioes" || (config_.scheme == "auto" && as_data);
  scheme_ = bioes ? TagScheme::kBioes : TagScheme::kBio;
  std::set<std::string> types;
  bool outside = false;
  for (const TaggedText& text : train.texts) {
    std::size_t inside = 0;
    for (const Entity& entity : text.entities) {
      types.insert(entity.type);
      for (const ByteSpan& word : text.words)
        inside += word.begin >= entity.begin && word.end <= entity.end ? 1 : 0;
    }
    outside = outside || inside < text.words.size();
  }
  require(!types.empty(), ErrorCode::kData, "data.train: no text has a labelled span");
  names_ = config_.labels.empty()
               ? tags_of_types(std::vector(types.begin(), types.end()), scheme_, outside)
               : config_.labels;
}

void TokenClassification::drop_unknown_labels(std::vector<TaggedText>& texts, BadRows& bad) const {
  if (config_.labels.empty()) return;
  std::set<std::string> known;
  for (const std::string& type : types_of_tags(normal_tags(config_.labels))) known.insert(type);
  std::erase_if(texts, [&](const TaggedText& text) {
    for (const Entity& entity : text.entities) {
      if (known.contains(entity.type)) continue;
      bad.add(concat(text.place, ": unknown label '", entity.type, "', task.labels has ",
                     join(known), did_you_mean(entity.type, {known.begin(), known.end()})));
      return true;
    }
    return false;
  });
}

Labels TokenClassification::labels_of(const std::vector<TaggedText>& texts,
                                      const TagRows& rows) const {
  Labels labels(texts.size());
  std::set<std::string> unknown;
  std::size_t entities = 0, exact = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const UnitEntities own = entities_in_units(texts[i].entities, rows.units(i));
    entities += texts[i].entities.size();
    exact += own.exact;
    for (const std::string& tag : tags_of(own.entities, rows.units(i).spans.size(), scheme_)) {
      const auto found = std::find_if(names_.begin(), names_.end(), [&](const std::string& name) {
        return normal_tag(name) == tag;
      });
      if (found == names_.end()) unknown.insert(tag);
      labels[i].push_back(found == names_.end() ? kIgnoreLabel : found - names_.begin());
    }
  }
  if (exact < entities) {
    log_warning("token classification: ", entities - exact, " of ", entities,
                " spans begin or end inside a token, and are learnt as the tokens that they touch");
  }
  if (!unknown.empty()) {
    log_warning("token classification: the tags ", join(unknown),
                " are none that the model learns (", join(names_), "); they count as missed");
  }
  return labels;
}

std::vector<bool> held_out_texts(const std::vector<TaggedText>& texts, HeldOutShare share) {
  std::vector<std::string_view> units;
  for (const TaggedText& text : texts) units.push_back(text.text);
  return held_out(units, share);
}

std::vector<std::uint64_t> keys_of(const std::vector<TaggedText>& texts) {
  std::vector<std::uint64_t> keys;
  for (const TaggedText& text : texts) keys.push_back(record_key({text.text}));
  return keys;
}

/// Of each text the types of its spans, as a name of a group.
std::vector<std::string> type_groups(const std::vector<TaggedText>& texts) {
  std::vector<std::string> groups;
  for (const TaggedText& text : texts) {
    std::set<std::string> types;
    for (const Entity& entity : text.entities) types.insert(entity.type);
    groups.push_back(join(types));
  }
  return groups;
}

void TokenClassification::read(const TaskData& files) {
  const std::vector<std::filesystem::path> train_files = files.train_files();
  BadRows bad(files.skip_bad);
  TaggedTexts train = read_files(train_files, bad), valid = read_files(files.valid, bad);
  check_reading(config_, {&train, &valid});
  drop_unknown_labels(train.texts, bad);
  drop_unknown_labels(valid.texts, bad);
  bad.settle();
  if (files.valid.empty()) {
    const std::vector<bool> out = held_out_texts(train.texts, files.held_out);
    valid.texts = flagged(train.texts, out, true);
    train.texts = flagged(train.texts, out, false);
  }
  require(!train.texts.empty(), ErrorCode::kData,
          train_files.empty() ? "data.train" : train_files[0].string(), ": no text to train on");
  name_tags(train);
  keep_share(files, train.texts, type_groups(train.texts),
             [](const TaggedText& text) { return std::string_view(text.text); });
  warn_of_learnt("token classification", "texts", keys_of(valid.texts), keys_of(train.texts));
  train_ = std::move(train.texts);
  valid_ = std::move(valid.texts);
  train_rows_ = std::make_unique<TagRows>(rows_of(train_, files.sequence_length));
  valid_rows_ = std::make_unique<TagRows>(rows_of(valid_, files.sequence_length));
  train_labels_ = labels_of(train_, *train_rows_);
  valid_labels_ = labels_of(valid_, *valid_rows_);
  std::vector<std::string_view> units;
  std::vector<std::size_t> from;
  for (const TaggedText& text : train_) {
    units.push_back(text.text);
    from.push_back(text.file);
  }
  const std::vector<std::int64_t> visits = visits_of(files, units, from);
  rows_.clear();
  for (std::size_t r = 0; r < train_rows_->rows().size(); ++r) {
    rows_.insert(rows_.end(), static_cast<std::size_t>(visits[train_rows_->rows()[r].text]),
                 static_cast<std::int64_t>(r));
  }
  log_info("token classification: ", train_.size(), " texts in ", train_rows_->rows().size(),
           " windows to train on, ", valid_.size(), " held out, ", names_.size(), " tags in ",
           tag_scheme_name(scheme_));
}

std::unique_ptr<Source> TokenClassification::source(const Batching& batching) const {
  Sha256 digest, content;
  const auto add = [&](const void* data, std::size_t size) {
    digest.update(data, size);
    content.update(data, size);
  };
  for (const TagRow& row : train_rows_->rows()) {
    const std::vector<TokenId> ids = train_rows_->ids(row, nullptr);
    const std::uint64_t head[] = {ids.size(), row.first, row.last};
    add(head, sizeof head);
    add(ids.data(), ids.size() * sizeof(TokenId));
    const auto& labels = train_labels_[row.text];
    add(labels.data() + row.first, (row.last - row.first) * sizeof labels[0]);
  }
  digest.update(rows_.data(), rows_.size() * sizeof rows_[0]);
  return std::make_unique<BucketedSource>(
      rows_, train_rows_->lengths(), batching,
      [this](std::span<const std::int64_t> rows, std::int64_t) {
        return train_rows_->batch(rows, train_labels_);
      },
      BucketedSource::Fingerprints{digest.hex(), content.hex()});
}

std::vector<LabelledRow> TokenClassification::labelled_rows(std::size_t first,
                                                            std::size_t count) const {
  std::vector<LabelledRow> rows;
  for (std::size_t r = first; r < train_rows_->rows().size() && rows.size() < count; ++r) {
    const TagRow& row = train_rows_->rows()[r];
    LabelledPart part{"", labelled_tokens(*tokenizer_, train_rows_->ids(row, nullptr))};
    const std::vector<ByteSpan> words =
        character_offsets(train_[row.text].text, train_rows_->units(row.text).spans);
    for (std::size_t unit = row.first; unit < row.last; ++unit) {
      const std::int64_t label = train_labels_[row.text][unit];
      if (label == kIgnoreLabel) continue;
      LabelledToken& token = part.tokens[train_rows_->position(row, unit)];
      token.learned = true;
      token.tag = names_[static_cast<std::size_t>(label)];
      token.span = words[unit];
    }
    rows.push_back({train_[row.text].place, {std::move(part)}});
  }
  return rows;
}

/// Held-out texts with their windows, the ids of their tags, and the names of all tags.
struct HeldOutTags {
  const std::vector<TaggedText>& texts;
  const TagRows& rows;
  const Labels& labels;
  const std::vector<std::string>& names;
};

class TagValidator : public Validator {
 public:
  TagValidator(Model& model, const HeldOutTags& held, std::int64_t batch_size, World& world)
      : model_(model), held_(held), batch_size_(batch_size), world_(world) {
    // Every process counts the same types, in the same order.
    std::set<std::string> types;
    tags_ = normal_tags(held.names);
    for (const std::string& type : types_of_tags(tags_)) types.insert(type);
    for (const TaggedText& text : held.texts)
      for (const Entity& entity : text.entities) types.insert(entity.type);
    types_.assign(types.begin(), types.end());
  }

  ValidationResult validate(const Context& context) override {
    const TagPredictions predictions =
        predict_tags(model_, held_.rows, held_.labels, batch_size_, context, world_);
    EntityTotals totals(types_);
    ValidationResult result;
    for (std::size_t i = static_cast<std::size_t>(world_.rank()); i < held_.texts.size();
         i += static_cast<std::size_t>(world_.size())) {
      const std::vector<Entity> predicted =
          entities_alone(predicted_entities(predictions.texts[i], held_.rows.units(i), tags_));
      totals.add(held_.texts[i].entities, predicted);
      if (result.samples.size() < kSamples)
        result.samples.push_back(sample_line(held_.texts[i], predicted));
    }
    double loss[] = {predictions.loss, predictions.labelled};
    world_.sum(totals.numbers());
    world_.sum(loss);
    result.scores = totals.scores(false);
    result.scores.add(loss_score(kLossName, loss[0] / std::max(loss[1], 1.0), loss[1]));
    return result;
  }

 private:
  Model& model_;
  const HeldOutTags held_;
  std::int64_t batch_size_;
  World& world_;
  std::vector<std::string> tags_, types_;
};

std::unique_ptr<Validator> TokenClassification::validator(Model& model, std::int64_t batch_size,
                                                          World& world) const {
  if (valid_.empty()) return nullptr;
  const HeldOutTags held = {valid_, *valid_rows_, valid_labels_, names_};
  return std::make_unique<TagValidator>(model, held, batch_size, world);
}

/// The words that ICU's dictionary cuts, beside those of a segmentation.
void TokenClassification::add_baseline(const std::vector<TaggedText>& texts,
                                       TaskEvaluation& evaluation) const {
  if (baseline_rule().empty()) return;
  EntityTotals totals;
  try {
    const ChineseWords words;
    for (const TaggedText& text : texts) {
      std::vector<Entity> cut;
      for (const ByteSpan& word : words.split(text.text))
        cut.push_back({kUntyped, word.begin, word.end});
      totals.add(text.entities, cut);
    }
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kConfig) throw;
    evaluation.notes.push_back(concat("no scores of ", baseline_rule(), ": ", error.what()));
    return;
  }
  evaluation.baselines.push_back({baseline_rule(), totals.scores(true)});
}

/// Notes types of the data that the model cannot find.
void note_unknown_types(const std::vector<TaggedText>& texts, std::span<const std::string> tags,
                        TaskEvaluation& evaluation) {
  const std::vector<std::string> known = types_of_tags(tags);
  std::set<std::string> unknown;
  for (const TaggedText& text : texts) {
    for (const Entity& entity : text.entities)
      if (std::find(known.begin(), known.end(), entity.type) == known.end())
        unknown.insert(entity.type);
  }
  if (unknown.empty()) return;
  evaluation.notes.push_back(concat("token classification: the data has spans of ", join(unknown),
                                    ", which the model does not know (", join(known),
                                    "); they count as missed"));
}

TaskEvaluation TokenClassification::evaluate(Model& model, const TaskData& data,
                                             const EvaluateOptions& options) const {
  std::vector<TaggedText> texts = read_references(data.scored_files(), data.skip_bad);
  if (data.valid.empty()) texts = flagged(texts, held_out_texts(texts, data.held_out), true);
  require_scored(data, texts.size());
  const TagRows rows = rows_of(texts, model_length(model, data.sequence_length));
  const auto predicted = predict_entities(model, rows, options.batch_size, options.context);
  TaskEvaluation evaluation;
  EntityTotals totals;
  SpanErrors errors;
  const std::size_t every = std::max<std::size_t>(1, texts.size() / kSamples);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::vector<Entity> entities = entities_alone(predicted[i]);
    totals.add(texts[i].entities, entities);
    errors.add(texts[i].entities, entities);
    evaluation.predictions.push_back(
        {{"id", texts[i].id},
         {kPrediction, spans_json(labelled_spans(texts[i].text, predicted[i]))}});
    if (i % every == 0 && evaluation.samples.size() < kSamples)
      evaluation.samples.push_back(sample_line(texts[i], entities));
  }
  evaluation.scores = totals.scores(true);
  evaluation.tables.push_back(errors.table());
  note_unknown_types(texts, model_tags(model), evaluation);
  add_baseline(texts, evaluation);
  return evaluation;
}

/// What a record of a predictions file says of a text: spans, or a tag for each word.
std::vector<Entity> given_entities(const Prediction& prediction, const TaggedText& text) {
  const Json& value = prediction.value;
  const bool tags = value.is_array() && !value.empty() && value.front().is_string();
  try {
    if (!tags) return read_spans(value, text.text, false);
    TagSequence sequence;
    for (const Json& tag : value) {
      const auto normal = tag.is_string() ? normal_tag(tag.get<std::string>()) : std::nullopt;
      require(normal.has_value(), ErrorCode::kData, "no tag: ", dump_json(tag));
      sequence.push_back(*normal);
    }
    require(sequence.size() == text.words.size(), ErrorCode::kData, sequence.size(),
            " tags for a text of ", text.words.size(), " words");
    std::vector<Entity> entities;
    for (const Entity& entity : entities_of(sequence)) {
      entities.push_back(
          {entity.type, text.words[entity.begin].begin, text.words[entity.end - 1].end});
    }
    return entities;
  } catch (const Error& error) {
    fail(error.code(), prediction.place, ": ", error.what());
  }
}

TaskEvaluation TokenClassification::score(
    const std::filesystem::path& predictions,
    const std::vector<std::filesystem::path>& references) const {
  const std::vector<TaggedText> texts = read_references(references, false);
  std::vector<ReferenceInput> inputs;
  for (const TaggedText& text : texts)
    inputs.push_back({id_text(text.id), {text.text}, text.place});
  const auto read = [&](const AnswerInput& input) {
    return std::vector{read_tagged_input(input, config_).text};
  };
  const std::vector<Prediction> given =
      match_predictions(read_predictions(predictions), inputs, predictions, read);
  TaskEvaluation evaluation;
  EntityTotals totals;
  SpanErrors errors;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::vector<Entity> entities = given_entities(given[i], texts[i]);
    totals.add(texts[i].entities, entities);
    errors.add(texts[i].entities, entities);
    evaluation.predictions.push_back({{"id", texts[i].id}, {kPrediction, given[i].value}});
  }
  evaluation.scores = totals.scores(true);
  evaluation.tables.push_back(errors.table());
  add_baseline(texts, evaluation);
  return evaluation;
}

std::unique_ptr<Responder> TokenClassification::responder(Model& model,
                                                          const AnswerOptions& options) const {
  return make_spans_responder(config_, tokenizer_, model, options);
}

}  // namespace

std::unique_ptr<Task> make_token_classification(const TokenClassificationConfig& config,
                                                std::shared_ptr<const Tokenizer> tokenizer) {
  return std::make_unique<TokenClassification>(config, std::move(tokenizer));
}

}  // namespace llmctl
