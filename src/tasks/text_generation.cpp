#include "tasks/text_generation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/hash.h"
#include "base/log.h"
#include "base/strings.h"
#include "base/threads.h"
#include "metrics/answers.h"
#include "metrics/perplexity.h"
#include "metrics/translation.h"
#include "prompt/generate.h"
#include "tasks/bucketed_source.h"
#include "tasks/conversation_form.h"
#include "tasks/dialogue_rows.h"
#include "tasks/dialogues.h"
#include "tasks/held_out_loss.h"
#include "tasks/labelled_row.h"
#include "tasks/lm_loss.h"
#include "tasks/predictions.h"
#include "tasks/record_mixture.h"
#include "tasks/record_names.h"
#include "tasks/records.h"
#include "tasks/text_answers.h"
#include "text/unicode.h"

namespace llmctl {
namespace {

std::vector<bool> held_out_dialogues(const std::vector<Dialogue>& dialogues, HeldOutShare share) {
  std::vector<std::string_view> units;
  for (const Dialogue& dialogue : dialogues) units.push_back(dialogue.turns.front().prompt);
  return held_out(units, share);
}

/// By all that is said in them.
std::vector<std::uint64_t> keys_of(const std::vector<Dialogue>& dialogues) {
  std::vector<std::uint64_t> keys;
  for (const Dialogue& dialogue : dialogues) keys.push_back(record_key(parts_of(dialogue)));
  return keys;
}

constexpr std::size_t kSamples = 4;

HeldOutRows held_out_rows(const DialogueRows& rows, TokenId pad) {
  return {lengths_of(rows), [&rows, pad](std::span<const std::int64_t> indices) {
            return collate_rows(rows, indices, pad);
          }};
}

/// Prompts in the form that the model's fine-tuning gave them.
class TrainedForm : public PromptForm {
 public:
  TrainedForm(const TextGenerationConfig& config, ConversationForm form, const std::string& system)
      : config_(config), form_(std::move(form)), system_(system) {}

  EncodedPrompt encode(const AnswerInput& input) const override {
    return {form_.prompt(dialogue_of(input), std::numeric_limits<std::size_t>::max()), false,
            input.place};
  }
  FittedPrompt fit(const AnswerInput& input, std::size_t length) const override {
    return fitted_prompt(form_.fit(dialogue_of(input), length), input, length);
  }
  bool holds_conversations() const override { return true; }
  std::optional<TokenId> end_token() const override { return form_.end_token(); }
  std::string end_text() const override { return form_.end_text(); }
  bool trims() const override { return true; }
  Json settings() const override {
    return {{"template", form_.chat_template()}, {"system", system_}};
  }

 private:
  Dialogue dialogue_of(const AnswerInput& input) const {
    Dialogue dialogue = read_prompt_input(input, config_);
    if (!system_.empty()) add_system_message(dialogue, system_);
    return dialogue;
  }

  TextGenerationConfig config_;
  ConversationForm form_;
  std::string system_;
};

class TextGeneration : public Task {
 public:
  TextGeneration(const TextGenerationConfig& config, std::shared_ptr<const Tokenizer> tokenizer)
      : config_(config), tokenizer_(std::move(tokenizer)) {}

  const std::string& type() const override { return config_.type; }
  HeadKind head() const override { return HeadKind::kCausalLm; }
  std::vector<ScoreKind> validation_scores() const override { return score_kinds(false); }
  std::vector<ScoreKind> evaluation_scores() const override {
    std::vector<ScoreKind> kinds = score_kinds(true);
    if (!config_.bleu_tokenizer) return kinds;
    for (ScoreKind& kind : TranslationTotals::kinds()) kinds.push_back(std::move(kind));
    return kinds;
  }
  std::string best_score() const override { return kLossName; }
  void describe(Json& config) const override;
  std::optional<std::string> chat_template() const override {
    return form_ ? std::optional(form_->chat_template()) : std::nullopt;
  }

  void read(const TaskData& data) override;
  std::unique_ptr<Source> source(const Batching& batching) const override;
  std::size_t training_records() const override { return train_rows_.size(); }
  std::vector<LabelledRow> labelled_rows(std::size_t first, std::size_t count) const override;
  std::unique_ptr<Loss> loss(Model& model) const override { return make_lm_loss(model); }
  std::unique_ptr<Validator> validator(Model& model, std::int64_t batch_size,
                                       World& world) const override;
  TaskEvaluation evaluate(Model& model, const TaskData& data,
                          const EvaluateOptions& options) const override;
  TaskEvaluation score(const std::filesystem::path& predictions,
                       const std::vector<std::filesystem::path>& references) const override;
  std::unique_ptr<Responder> responder(Model& model, const AnswerOptions& options) const override;

 private:
  friend class GenerationValidator;

  static std::vector<ScoreKind> score_kinds(bool with_totals) {
    std::vector<ScoreKind> kinds = {loss_kind(kLossName), perplexity_kind("perplexity")};
    for (ScoreKind& kind : AnswerTotals::kinds(with_totals)) kinds.push_back(std::move(kind));
    return kinds;
  }

  /// The form of a model that is asked or scored.
  ConversationForm form_of(const Model& model, const std::filesystem::path& directory,
                           bool conversations) const;
  static DialogueRows encode(const std::vector<Dialogue>& dialogues, const ConversationForm& form,
                             std::int64_t sequence_length);
  /// Puts the rows of an epoch side by side, where that is asked for.
  void pack(std::int64_t length);
  /// Answers the last prompts of some dialogues.
  std::vector<GeneratedText> generate(Model& model, const ConversationForm& form,
                                      const std::vector<const Dialogue*>& dialogues,
                                      std::int64_t sequence_length,
                                      const EvaluateOptions& options) const;
  std::vector<Dialogue> read_references(const std::vector<std::filesystem::path>& files,
                                        BadRows& bad) const;
  /// Scores of the answers as translations, where they are asked for.
  void add_translation_scores(const std::vector<std::string>& answers,
                              const std::vector<Dialogue>& dialogues,
                              TaskEvaluation& evaluation) const;
  TokenId pad() const { return pad_token(*tokenizer_); }

  TextGenerationConfig config_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::vector<Dialogue> valid_;
  DialogueRows train_rows_, valid_rows_;
  std::vector<std::int64_t> rows_;   // dialogues of one epoch
  RowPacks packs_;                   // the same side by side, if they are packed
  std::vector<std::string> places_;  // of the dialogues, if asked for
  std::int64_t sequence_length_ = 0;
  std::optional<ConversationForm> form_;  // of the training
};

void TextGeneration::describe(Json& config) const {
  if (!form_) return;
  Json& own = config["task_specific_params"][config_.type] = form_->described();
  // Records that are to be answered have their prompts where those learnt from had them.
  if (config_.prompt_field) own["prompt_field"] = *config_.prompt_field;
  if (config_.input_field) own["input_field"] = *config_.input_field;
  if (config_.messages_field) own["messages_field"] = *config_.messages_field;
}

bool any_conversation(const std::vector<Dialogue>& dialogues) {
  return std::any_of(dialogues.begin(), dialogues.end(),
                     [](const Dialogue& dialogue) { return dialogue.conversation; });
}

ConversationForm TextGeneration::form_of(const Model& model, const std::filesystem::path& directory,
                                         bool conversations) const {
  const Json::json_pointer place("/task_specific_params/" + config_.type);
  const Json& config = model.config();
  const Json described = config.contains(place) ? config.at(place) : Json();
  return ConversationForm::choose(config_, *tokenizer_, {directory, described, conversations});
}

DialogueRows TextGeneration::encode(const std::vector<Dialogue>& dialogues,
                                    const ConversationForm& form, std::int64_t sequence_length) {
  require(sequence_length >= 4, ErrorCode::kConfig, "data.sequence_length: ", sequence_length,
          " tokens leave no room for a prompt and its answer; give at least 4");
  DialogueRows rows(dialogues.size());
  // One token more than the model sees: the last one is only predicted.
  parallel_for(dialogues.size(), [&](std::size_t i) {
    rows[i] = form.row(dialogues[i], static_cast<std::size_t>(sequence_length) + 1);
  });
  return rows;
}

/// What becomes of prompts with more than `room` tokens; empty where there is none.
std::string long_prompts_note(const std::vector<Dialogue>& dialogues, const ConversationForm& form,
                              std::int64_t room) {
  const auto count = std::count_if(dialogues.begin(), dialogues.end(), [&](const auto& dialogue) {
    return std::ssize(form.prompt(dialogue, std::numeric_limits<std::size_t>::max())) > room;
  });
  if (count == 0) return "";
  return concat("text generation: ", count, " of ", dialogues.size(), " prompts have more than ",
                room,
                " tokens; for answers that are scored their beginning is left out (lower "
                "task.max_new_tokens or raise the sequence length)");
}

void TextGeneration::read(const TaskData& files) {
  sequence_length_ = files.sequence_length;
  const std::vector<std::filesystem::path> train_files = files.train_files();
  std::vector<Dialogue> train;
  BadRows bad(files.skip_bad);
  for (std::size_t i = 0; i < train_files.size(); ++i)
    read_dialogues(train_files[i], i, config_, bad, train);
  valid_.clear();
  for (std::size_t i = 0; i < files.valid.size(); ++i)
    read_dialogues(files.valid[i], i, config_, bad, valid_);
  bad.settle();
  require(!train.empty(), ErrorCode::kData,
          train_files.empty() ? "data.train" : train_files[0].string(), ": no prompt to train on");
  if (files.valid.empty()) {
    const std::vector<bool> out = held_out_dialogues(train, files.held_out);
    valid_ = flagged(train, out, true);
    train = flagged(train, out, false);
  }
  const auto unit_of = [](const Dialogue& dialogue) {
    return std::string_view(dialogue.turns.front().prompt);
  };
  keep_share(files, train, {}, unit_of);
  warn_of_learnt("text generation", "conversations", keys_of(valid_), keys_of(train));
  const FormSources sources{files.directory, files.initial_settings(config_.type),
                            any_conversation(train), files.initial_model};
  form_.emplace(ConversationForm::choose(config_, *tokenizer_, sources));
  ConversationForm::tell_kept("text generation", config_, sources, files.initial_model);
  train_rows_ = encode(train, *form_, files.sequence_length);
  valid_rows_ = encode(valid_, *form_, files.sequence_length);
  std::vector<std::string_view> units;
  std::vector<std::size_t> from;
  places_.clear();
  for (const Dialogue& dialogue : train) {
    units.push_back(unit_of(dialogue));
    from.push_back(dialogue.file);
    if (files.keep_places) places_.push_back(dialogue.place);
  }
  std::vector<std::int64_t> visits = visits_of(files, units, from);
  std::size_t unlearned = 0;
  for (std::size_t i = 0; i < train.size(); ++i) {
    if (learned_count(train_rows_[i]) > 0) continue;
    visits[i] = 0;
    ++unlearned;
  }
  rows_ = epoch_of(visits);
  require(unlearned < train.size(), ErrorCode::kConfig, "task.roles_to_train: no record has a ",
          join(config_.roles_to_train, " or "), " message, so that nothing would be learned");
  if (unlearned > 0)
    log_warning("text generation: ", unlearned, " of ", train.size(), " records have no ",
                join(config_.roles_to_train, " or "),
                " message (task.roles_to_train) and are left out");
  pack(files.sequence_length);
  if (config_.validation_samples > 0) {
    const std::string note = long_prompts_note(
        valid_, *form_, prompt_room(files.sequence_length, config_.max_new_tokens));
    if (!note.empty()) log_warning(note);
  }
  log_info("text generation: ", train.size(), " prompts to train on, ", valid_.size(), " held out");
  const std::string note = full_rows_note(train_rows_, files.sequence_length);
  if (!note.empty()) log_info("text generation: ", note);
}

void TextGeneration::pack(std::int64_t length) {
  packs_.clear();
  if (!config_.packing) return;
  const std::vector<std::int32_t> lengths = lengths_of(train_rows_);
  packs_ = pack_rows(rows_, lengths, length);
  double tokens = 0;
  for (const std::int64_t row : rows_) tokens += lengths[static_cast<std::size_t>(row)];
  const double room = static_cast<double>(packs_.size()) * static_cast<double>(length);
  log_info("text generation: ", rows_.size(), " conversations packed into ", packs_.size(),
           " rows of ", length, " tokens, ", std::lround(100 * tokens / room), " % full");
}

std::vector<LabelledRow> TextGeneration::labelled_rows(std::size_t first, std::size_t count) const {
  std::vector<LabelledRow> rows;
  for (std::size_t i = first; i < places_.size() && rows.size() < count; ++i) {
    rows.push_back(
        {places_[i],
         {{"", labelled_tokens(*tokenizer_, train_rows_[i].ids, train_rows_[i].learned)}}});
  }
  return rows;
}

std::unique_ptr<Source> TextGeneration::source(const Batching& batching) const {
  Sha256 digest, content;
  const auto add = [&](const void* data, std::size_t size) {
    digest.update(data, size);
    content.update(data, size);
  };
  for (const DialogueRow& row : train_rows_) {
    const std::uint64_t head[] = {row.ids.size(), learned_count(row)};
    add(head, sizeof head);
    add(row.ids.data(), row.ids.size() * sizeof(TokenId));
  }
  digest.update(rows_.data(), rows_.size() * sizeof rows_[0]);
  const std::vector<std::int32_t> lengths = lengths_of(train_rows_);
  if (config_.packing) {
    for (const std::vector<std::int64_t>& pack : packs_) {
      const std::uint64_t size = pack.size();
      digest.update(&size, sizeof size);
      digest.update(pack.data(), pack.size() * sizeof pack[0]);
    }
    std::vector<std::int64_t> all(packs_.size());
    std::iota(all.begin(), all.end(), 0);
    return std::make_unique<BucketedSource>(
        std::move(all), lengths_of(packs_, lengths), batching,
        [this](std::span<const std::int64_t> packs, std::int64_t) {
          return collate_packs(train_rows_, packs_, packs, pad());
        },
        BucketedSource::Fingerprints{digest.hex(), content.hex()});
  }
  return std::make_unique<BucketedSource>(
      rows_, lengths, batching,
      [this](std::span<const std::int64_t> rows, std::int64_t) {
        return collate_rows(train_rows_, rows, pad());
      },
      BucketedSource::Fingerprints{digest.hex(), content.hex()});
}

std::vector<GeneratedText> TextGeneration::generate(Model& model, const ConversationForm& form,
                                                    const std::vector<const Dialogue*>& dialogues,
                                                    std::int64_t sequence_length,
                                                    const EvaluateOptions& options) const {
  // Prompts are cut so that the answer has room, like rows in training.
  const std::int64_t length = model_length(model, sequence_length);
  const auto room = static_cast<std::size_t>(prompt_room(length, config_.max_new_tokens));
  std::vector<EncodedPrompt> prompts;
  for (const Dialogue* dialogue : dialogues) {
    EncodedPrompt& prompt = prompts.emplace_back();
    prompt.ids = form.prompt(*dialogue, room);
    prompt.continues = false;
  }
  GenerationSettings generation;
  generation.max_new_tokens = config_.max_new_tokens;
  generation.batch_size = options.batch_size;
  if (const auto end = form.end_token()) generation.add_eos(*end);
  if (const std::string end = form.end_text(); !end.empty()) generation.stop.push_back(end);
  std::vector<GeneratedText> out;
  Engine engine(model, engine_options(generation, *tokenizer_), options.context);
  for (auto& samples : generate_texts(engine, model.facts(), tokenizer_, prompts, generation)) {
    out.push_back(std::move(samples.front()));
    out.back().text = trim(out.back().text);
  }
  return out;
}

std::string sample_line(const Dialogue& dialogue, const std::string& answer) {
  return concat(dialogue.last().prompt, " → ", answer, "   [", dialogue.last().answer, "]");
}

class GenerationValidator : public Validator {
 public:
  GenerationValidator(const TextGeneration& task, Model& model, std::int64_t batch_size,
                      World& world)
      : task_(task), model_(model), batch_size_(batch_size), world_(world) {}

  ValidationResult validate(const Context& context) override {
    std::array<double, 2> loss = held_out_loss(
        model_, held_out_rows(task_.valid_rows_, task_.pad()), batch_size_, context, world_);
    world_.sum(loss);
    ValidationResult result;
    result.scores = loss_and_perplexity(loss[0], loss[1]);
    const std::size_t count =
        std::min(task_.valid_.size(), static_cast<std::size_t>(task_.config_.validation_samples));
    if (count == 0) return result;
    std::vector<const Dialogue*> chosen;
    for (std::size_t i = static_cast<std::size_t>(world_.rank()); i < count;
         i += static_cast<std::size_t>(world_.size())) {
      chosen.push_back(&task_.valid_[i * task_.valid_.size() / count]);
    }
    const auto answers = task_.generate(model_, *task_.form_, chosen, task_.sequence_length_,
                                        {batch_size_, context, {}});
    AnswerTotals totals(parse_answer_metric(task_.config_.metric));
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      const Turn& turn = chosen[i]->last();
      totals.add(answers[i].text, std::vector{turn.answer}, turn.prompt);
      if (result.samples.size() < kSamples)
        result.samples.push_back(sample_line(*chosen[i], answers[i].text));
    }
    world_.sum(totals.numbers());
    result.scores.add(totals.percentages());
    return result;
  }

 private:
  const TextGeneration& task_;
  Model& model_;
  std::int64_t batch_size_;
  World& world_;
};

std::unique_ptr<Validator> TextGeneration::validator(Model& model, std::int64_t batch_size,
                                                     World& world) const {
  if (valid_.empty()) return nullptr;
  return std::make_unique<GenerationValidator>(*this, model, batch_size, world);
}

std::vector<Dialogue> TextGeneration::read_references(
    const std::vector<std::filesystem::path>& files, BadRows& bad) const {
  std::vector<Dialogue> dialogues;
  for (std::size_t i = 0; i < files.size(); ++i)
    read_dialogues(files[i], i, config_, bad, dialogues);
  bad.settle();
  require(!dialogues.empty(), ErrorCode::kData,
          files.empty() ? "text generation" : files[0].string(), ": no prompts");
  return dialogues;
}

TaskEvaluation TextGeneration::evaluate(Model& model, const TaskData& data,
                                        const EvaluateOptions& options) const {
  BadRows bad(data.skip_bad);
  std::vector<Dialogue> dialogues = read_references(data.scored_files(), bad);
  if (data.valid.empty())
    dialogues = flagged(dialogues, held_out_dialogues(dialogues, data.held_out), true);
  require_scored(data, dialogues.size());
  const std::int64_t length = model_length(model, data.sequence_length);
  const ConversationForm form = form_of(model, data.directory, any_conversation(dialogues));
  const DialogueRows rows = encode(dialogues, form, length);
  const std::string long_prompts =
      long_prompts_note(dialogues, form, prompt_room(length, config_.max_new_tokens));
  const std::array<double, 2> loss = held_out_loss(
      model, held_out_rows(rows, pad()), options.batch_size, options.context, *make_local_world());
  std::vector<const Dialogue*> all;
  for (const Dialogue& dialogue : dialogues) all.push_back(&dialogue);
  const std::vector<GeneratedText> answers = generate(model, form, all, length, options);
  TaskEvaluation evaluation;
  for (const std::string& note : {full_rows_note(rows, length), long_prompts})
    if (!note.empty()) evaluation.notes.push_back(note);
  AnswerTotals totals(parse_answer_metric(config_.metric));
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < dialogues.size(); ++i) {
    const Turn& turn = dialogues[i].last();
    totals.add(answers[i].text, std::vector{turn.answer}, turn.prompt);
    texts.push_back(answers[i].text);
    evaluation.predictions.push_back(
        {{"id", dialogues[i].id}, {"prompt", turn.prompt}, {kGeneratedText, answers[i].text}});
    if (i < kSamples) evaluation.samples.push_back(sample_line(dialogues[i], answers[i].text));
  }
  evaluation.scores = totals.scores();
  evaluation.scores.add(loss_and_perplexity(loss[0], loss[1]));
  add_translation_scores(texts, dialogues, evaluation);
  return evaluation;
}

void TextGeneration::add_translation_scores(const std::vector<std::string>& answers,
                                            const std::vector<Dialogue>& dialogues,
                                            TaskEvaluation& evaluation) const {
  if (!config_.bleu_tokenizer) return;
  std::vector<std::string> all;
  std::vector<std::vector<std::string>> references;
  for (const Dialogue& dialogue : dialogues) {
    all.push_back(dialogue.last().answer);
    references.push_back({dialogue.last().answer});
  }
  TranslationScoreOptions options;
  options.tokenizer = *config_.bleu_tokenizer == "auto"
                          ? choose_bleu_tokenizer("", all).tokenizer
                          : parse_bleu_tokenizer(*config_.bleu_tokenizer);
  TranslationTotals totals(options);
  totals.add(answers, references);
  evaluation.scores.add(totals.scores());
  evaluation.signatures = totals.signatures();
}

TaskEvaluation TextGeneration::score(const std::filesystem::path& predictions,
                                     const std::vector<std::filesystem::path>& references) const {
  BadRows bad(false);  // every reference stands for a prediction
  const std::vector<Dialogue> dialogues = read_references(references, bad);
  std::vector<ReferenceInput> inputs;
  for (const Dialogue& dialogue : dialogues)
    inputs.push_back({id_text(dialogue.id), {dialogue.last().prompt}, dialogue.place});
  const auto read = [&](const AnswerInput& input) {
    try {
      return std::vector{read_prompt_input(input, config_).last().prompt};
    } catch (const Error&) {
      // Perhaps a conversation that ends with its answer, as the references do.
      std::vector<std::string> used;
      const Record record{input.place, input.record};
      return std::vector{read_dialogue(record, config_, used).last().prompt};
    }
  };
  const std::vector<Prediction> given =
      match_predictions(read_predictions(predictions), inputs, predictions, read);
  TaskEvaluation evaluation;
  AnswerTotals totals(parse_answer_metric(config_.metric));
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < dialogues.size(); ++i) {
    const Turn& turn = dialogues[i].last();
    texts.push_back(given[i].text());
    totals.add(texts.back(), std::vector{turn.answer}, turn.prompt);
    evaluation.predictions.push_back({{"id", dialogues[i].id}, {kGeneratedText, given[i].value}});
  }
  evaluation.scores = totals.scores();
  add_translation_scores(texts, dialogues, evaluation);
  return evaluation;
}

std::unique_ptr<Responder> TextGeneration::responder(Model& model,
                                                     const AnswerOptions& options) const {
  const bool own = options.raw || !options.chat_template.empty();
  if (own) {
    return std::make_unique<TextResponder>(model, tokenizer_,
                                           choose_form(model, tokenizer_, options), options);
  }
  auto form = std::make_unique<TrainedForm>(
      config_, form_of(model, options.directory, options.chat), options.system);
  return std::make_unique<TextResponder>(model, tokenizer_, std::move(form), options);
}

}  // namespace

std::unique_ptr<Task> make_text_generation(const TextGenerationConfig& config,
                                           std::shared_ptr<const Tokenizer> tokenizer) {
  return std::make_unique<TextGeneration>(config, std::move(tokenizer));
}

}  // namespace llmctl
