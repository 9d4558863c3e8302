#include "tasks/dpo.h"

#include <c10/core/GradMode.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/signals.h"
#include "base/strings.h"
#include "models/inputs.h"
#include "tasks/bucketed_source.h"
#include "tasks/conversation_form.h"
#include "tasks/dpo_loss.h"
#include "tasks/labelled_row.h"
#include "tasks/preference_pairs.h"
#include "tasks/record_mixture.h"

namespace llmctl {
namespace {

constexpr const char* kRewardAccuracy = "reward_accuracy";
constexpr const char* kRewardMargin = "reward_margin";

using Pairs = std::vector<PreferencePair>;

/// The section of text_generation that asks for the same form of prompts.
TextGenerationConfig form_config(const DpoConfig& config) {
  TextGenerationConfig form;
  form.prompt_template = config.prompt_template;
  form.chat_template = config.chat_template;
  form.conversations = config.conversations;
  return form;
}

/// What the config.json of a model says of the form that it was trained in; null for others.
Json described_form(const Json& config) {
  const Json::json_pointer place("/task_specific_params/" + TextGenerationConfig().type);
  return config.contains(place) ? config.at(place) : Json();
}

std::string_view prompt_of_pair(const PreferencePair& pair) {
  return pair.chosen.turns.front().prompt;
}

std::vector<std::uint64_t> keys_of(const Pairs& pairs) {
  std::vector<std::uint64_t> keys;
  for (const PreferencePair& pair : pairs) {
    std::vector<std::string_view> parts = parts_of(pair.chosen), rejected = parts_of(pair.rejected);
    parts.insert(parts.end(), rejected.begin(), rejected.end());
    keys.push_back(record_key(parts));
  }
  return keys;
}

/// By their prompts: all pairs of a prompt are on one side.
std::vector<bool> held_out_pairs(const Pairs& pairs, HeldOutShare share) {
  std::vector<std::string_view> units;
  for (const PreferencePair& pair : pairs) units.push_back(prompt_of_pair(pair));
  return held_out(units, share);
}

class Dpo : public Task {
 public:
  Dpo(const DpoConfig& config, std::shared_ptr<const Tokenizer> tokenizer)
      : config_(config), tokenizer_(std::move(tokenizer)) {
    rule_.type = config.loss_type;
    rule_.beta = config.beta;
    rule_.label_smoothing = config.label_smoothing;
  }

  const std::string& type() const override { return config_.type; }
  HeadKind head() const override { return HeadKind::kCausalLm; }
  std::vector<ScoreKind> validation_scores() const override {
    return {loss_kind(kLossName),
            percent_kind(kRewardAccuracy),
            {kRewardMargin, Direction::kHigher, Scale::kUnbounded}};
  }
  std::vector<ScoreKind> evaluation_scores() const override { return validation_scores(); }
  std::string best_score() const override { return kLossName; }
  /// The model answers as one that was taught to answer prompts.
  void describe(Json& config) const override {
    if (form_) config["task_specific_params"][TextGenerationConfig().type] = form_->described();
  }
  std::optional<std::string> chat_template() const override {
    return form_ ? std::optional(form_->chat_template()) : std::nullopt;
  }

  void check_data(const TaskData& data) const override { reference_of(data); }
  void check_model(const Model& model) const override { load_reference(model, reference_); }
  void read(const TaskData& data) override;
  std::unique_ptr<Source> source(const Batching& batching) const override;
  std::size_t training_records() const override { return train_rows_.size() / 2; }
  std::vector<LabelledRow> labelled_rows(std::size_t first, std::size_t count) const override;
  std::unique_ptr<Loss> loss(Model& model) const override {
    return make_dpo_loss(model, reference_for(model, reference_), rule_);
  }
  std::unique_ptr<Validator> validator(Model& model, std::int64_t batch_size,
                                       World& world) const override;
  TaskEvaluation evaluate(Model& model, const TaskData& data,
                          const EvaluateOptions& options) const override;
  std::unique_ptr<Responder> responder(Model& model, const AnswerOptions& options) const override {
    return make_text_generation(form_config(config_), tokenizer_)->responder(model, options);
  }

 private:
  friend class PairValidator;

  /// The model that preferences are measured against, and the keys that stand in the place of its
  /// own configuration's.
  struct Reference {
    std::filesystem::path directory;
    Json overrides = Json::object();
  };
  Reference reference_of(const TaskData& data) const;
  /// Loads it once; kConfig where it does not compare with the model, which may have no memory yet.
  void load_reference(const Model& model, const Reference& reference) const;
  /// The same, where the model is.
  std::shared_ptr<Model> reference_for(const Model& model, const Reference& reference) const;
  /// Scores of the pairs of this rank, summed over all ranks.
  Scores scores(Model& model, Model& reference, const DialogueRows& rows, std::int64_t batch_size,
                const Context& context, World& world) const;
  /// `start`: the directory of a start model, which `described` is of.
  static FormSources form_sources(const std::filesystem::path& directory, const Json& described,
                                  const Pairs& pairs, const std::filesystem::path& start = {}) {
    const bool conversations = std::any_of(
        pairs.begin(), pairs.end(), [](const auto& pair) { return pair.chosen.conversation; });
    return {directory, described, conversations, start};
  }
  ConversationForm form_from(const FormSources& sources) const {
    return ConversationForm::choose(form_config(config_), *tokenizer_, sources);
  }
  Pairs read_files(const std::vector<std::filesystem::path>& files, BadRows& bad) const {
    Pairs pairs;
    for (std::size_t i = 0; i < files.size(); ++i) {
      read_preference_pairs(files[i], i,
                            {config_.prompt_field, config_.chosen_field, config_.rejected_field},
                            bad, pairs);
    }
    return pairs;
  }
  TokenId pad() const { return pad_token(*tokenizer_); }

  DpoConfig config_;
  DpoRule rule_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  Reference reference_;
  mutable std::shared_ptr<Model> loaded_;  // the reference, for training and its validations
  DialogueRows train_rows_, valid_rows_;   // two of each pair
  std::vector<std::int64_t> epoch_;        // pairs of one epoch
  std::optional<ConversationForm> form_;   // of the training
  std::vector<std::string> places_;        // of the pairs, if asked for
};

Dpo::Reference Dpo::reference_of(const TaskData& data) const {
  const std::string& name = config_.reference.empty() ? data.initial_model : config_.reference;
  require(!name.empty(), ErrorCode::kConfig,
          "task.reference: preferences are measured against a model that stays as it is; name it "
          "here, or a model to begin with in model.init_from");
  const auto directory = data.find_model ? data.find_model(name) : std::filesystem::path(name);
  if (!config_.reference.empty() && data.tokenizer_of) {
    require(data.tokenizer_of(directory)->fingerprint() == tokenizer_->fingerprint(),
            ErrorCode::kConfig, "task.reference: ", config_.reference,
            " has another tokenizer, so that its probabilities are of other tokens; name a model "
            "with the trained one's tokenizer");
  }
  // The model as it is begun with is the one with what the training puts in its configuration.
  return {directory, config_.reference.empty() ? data.initial_overrides : Json::object()};
}

/// What tells that a directory holds other weights than before: a checkpoint's hashes, else names
/// and sizes.
std::string weights_id(const std::filesystem::path& directory) {
  if (std::filesystem::exists(directory / "manifest.json"))
    return read_file(directory / "manifest.json");
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().extension() == ".safetensors" || entry.path().extension() == ".bin")
      files.push_back(concat(entry.path().filename().string(), " ", entry.file_size()));
  }
  std::sort(files.begin(), files.end());
  return join(files);
}

void Dpo::load_reference(const Model& model, const Reference& wanted) const {
  if (loaded_) return;
  ModelRequest request;
  request.mapped = true;
  std::shared_ptr<Model> reference = load_model(wanted.directory, request, wanted.overrides);
  const ModelFacts &own = model.facts(), &other = reference->facts();
  require(other.head == HeadKind::kCausalLm && other.vocab_size == own.vocab_size,
          ErrorCode::kConfig, "task.reference: ", wanted.directory.string(), " (",
          other.architecture, ", ", other.vocab_size, " tokens) does not compare with the model (",
          own.architecture, ", ", own.vocab_size,
          " tokens); both must be causal models of one tokenizer");
  for (const auto& [name, parameter] : reference->parameters()) {
    at::Tensor(parameter).set_requires_grad(false);
  }
  loaded_ = std::move(reference);
}

std::shared_ptr<Model> Dpo::reference_for(const Model& model, const Reference& reference) const {
  load_reference(model, reference);
  loaded_->to(model.device());
  return loaded_;
}

void Dpo::read(const TaskData& files) {
  reference_ = reference_of(files);
  require(files.sequence_length >= 4, ErrorCode::kConfig,
          "data.sequence_length: ", files.sequence_length,
          " tokens leave no room for a prompt and its answer");
  const std::vector<std::filesystem::path> train_files = files.train_files();
  BadRows bad(files.skip_bad);
  Pairs train = read_files(train_files, bad), valid = read_files(files.valid, bad);
  bad.settle();
  require(!train.empty(), ErrorCode::kData,
          train_files.empty() ? "data.train" : train_files[0].string(), ": no pair to train on");
  if (files.valid.empty() && files.held_out) {
    const std::vector<bool> out = held_out_pairs(train, files.held_out);
    valid = flagged(train, out, true);
    train = flagged(train, out, false);
  }
  keep_share(files, train, {}, prompt_of_pair);
  warn_of_learnt("dpo", "pairs", keys_of(valid), keys_of(train));
  const FormSources sources =
      form_sources(files.directory, files.initial_settings(TextGenerationConfig().type), train,
                   files.initial_model);
  form_.emplace(form_from(sources));
  ConversationForm::tell_kept("dpo", form_config(config_), sources, files.initial_model);
  // One token more than the model sees: the last one is only predicted.
  const auto length = static_cast<std::size_t>(files.sequence_length) + 1;
  train_rows_ = encode_pairs(train, *form_, length);
  valid_rows_ = encode_pairs(valid, *form_, length);
  std::vector<std::string_view> units;
  std::vector<std::size_t> from;
  places_.clear();
  for (const PreferencePair& pair : train) {
    units.push_back(prompt_of_pair(pair));
    from.push_back(pair.chosen.file);
    if (files.keep_places) places_.push_back(pair.chosen.place);
  }
  epoch_ = epoch_of(visits_of(files, units, from));
  log_info("dpo: ", train.size(), " pairs to train on, ", valid.size(),
           " held out; the reference is ", reference_.directory.string());
  const std::string note = full_rows_note(train_rows_, files.sequence_length);
  if (!note.empty()) log_info("dpo: ", note);
}

std::unique_ptr<Source> Dpo::source(const Batching& batching) const {
  Sha256 digest, content;
  for (const DialogueRow& row : train_rows_) {
    const std::uint64_t head[] = {row.ids.size(), learned_count(row)};
    for (Sha256* one : {&digest, &content}) {
      one->update(head, sizeof head);
      one->update(row.ids.data(), row.ids.size() * sizeof(TokenId));
    }
  }
  digest.update(epoch_.data(), epoch_.size() * sizeof epoch_[0]);
  const std::string reference = weights_id(reference_.directory);
  digest.update(reference.data(), reference.size());
  return std::make_unique<BucketedSource>(
      epoch_, pair_lengths(train_rows_), batching,
      [this](std::span<const std::int64_t> pairs, std::int64_t) {
        return collate_pairs(train_rows_, pairs, pad());
      },
      BucketedSource::Fingerprints{digest.hex(), content.hex()});
}

std::vector<LabelledRow> Dpo::labelled_rows(std::size_t first, std::size_t count) const {
  const auto part = [&](const char* name, const DialogueRow& row) {
    return LabelledPart{name, labelled_tokens(*tokenizer_, row.ids, row.learned)};
  };
  std::vector<LabelledRow> rows;
  for (std::size_t i = first; i < places_.size() && rows.size() < count; ++i) {
    rows.push_back(
        {places_[i],
         {part("chosen", train_rows_[2 * i]), part("rejected", train_rows_[2 * i + 1])}});
  }
  return rows;
}

Scores Dpo::scores(Model& model, Model& reference, const DialogueRows& rows,
                   std::int64_t batch_size, const Context& context, World& world) const {
  const c10::AutoGradMode no_grad(false);
  std::array<double, 4> sums{};  // loss, right, margin, pairs
  std::int64_t number = 0;
  for (const auto& pairs : batches_by_length(pair_lengths(rows), batch_size)) {
    stop_if_asked();
    if (number++ % world.size() != world.rank()) continue;
    const Batch batch = to_model(collate_pairs(rows, pairs, pad()), model);
    const PairTotals totals = pair_totals(rule_, pair_log_probabilities(model, batch, context),
                                          pair_log_probabilities(reference, batch, context));
    sums[0] += totals.loss;
    sums[1] += totals.right;
    sums[2] += totals.margin;
    sums[3] += static_cast<double>(pairs.size());
  }
  world.sum(sums);
  const double count = std::max(sums[3], 1.0);
  Scores scores;
  scores.add(loss_score(kLossName, sums[0] / count, sums[3]));
  scores.add(percent_score(kRewardAccuracy, sums[1] / count, sums[3]));
  scores.add({{kRewardMargin, Direction::kHigher, Scale::kUnbounded}, sums[2] / count, sums[3]});
  return scores;
}

class PairValidator : public Validator {
 public:
  PairValidator(const Dpo& task, Model& model, std::int64_t batch_size, World& world)
      : task_(task), model_(model), batch_size_(batch_size), world_(world) {}

  ValidationResult validate(const Context& context) override {
    const auto reference = task_.reference_for(model_, task_.reference_);
    ValidationResult result;
    result.scores =
        task_.scores(model_, *reference, task_.valid_rows_, batch_size_, context, world_);
    return result;
  }

 private:
  const Dpo& task_;
  Model& model_;
  std::int64_t batch_size_;
  World& world_;
};

std::unique_ptr<Validator> Dpo::validator(Model& model, std::int64_t batch_size,
                                          World& world) const {
  if (valid_rows_.empty()) return nullptr;
  return std::make_unique<PairValidator>(*this, model, batch_size, world);
}

TaskEvaluation Dpo::evaluate(Model& model, const TaskData& data,
                             const EvaluateOptions& options) const {
  BadRows bad(data.skip_bad);
  Pairs pairs = read_files(data.scored_files(), bad);
  bad.settle();
  if (data.valid.empty() && data.held_out) {
    pairs = flagged(pairs, held_out_pairs(pairs, data.held_out), true);
  }
  require_scored(data, pairs.size());
  const auto reference = reference_for(model, reference_of(data));
  const ConversationForm form =
      form_from(form_sources(data.directory, described_form(model.config()), pairs));
  const std::int64_t length = model_length(model, data.sequence_length);
  const DialogueRows rows = encode_pairs(pairs, form, static_cast<std::size_t>(length) + 1);
  TaskEvaluation evaluation;
  evaluation.scores =
      scores(model, *reference, rows, options.batch_size, options.context, *make_local_world());
  const std::string note = full_rows_note(rows, length);
  if (!note.empty()) evaluation.notes.push_back(note);
  return evaluation;
}

}  // namespace

void DpoConfig::validate(const ConfigNode& node) const {
  form_config(*this).validate(node);
  if (label_smoothing > 0 && loss_type != "sigmoid") {
    node.fail("label_smoothing", "has no effect with loss_type " + loss_type);
  }
}

std::unique_ptr<Task> make_dpo(const DpoConfig& config,
                               std::shared_ptr<const Tokenizer> tokenizer) {
  return std::make_unique<Dpo>(config, std::move(tokenizer));
}

}  // namespace llmctl
