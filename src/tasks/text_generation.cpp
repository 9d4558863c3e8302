#include "tasks/text_generation.h"

#include <c10/core/GradMode.h>

#include <algorithm>
#include <limits>
#include <map>

#include "base/hash.h"
#include "base/log.h"
#include "base/threads.h"
#include "data/collate.h"
#include "metrics/answers.h"
#include "metrics/perplexity.h"
#include "prompt/generate.h"
#include "tasks/bucketed_source.h"
#include "tasks/dialogues.h"
#include "tasks/lm_loss.h"
#include "tasks/records.h"
#include "text/unicode.h"

namespace llmctl {
namespace {

std::vector<bool> held_out_dialogues(const std::vector<Dialogue>& dialogues, HeldOutShare share) {
  std::vector<std::string_view> units;
  for (const Dialogue& dialogue : dialogues) units.push_back(dialogue.turns.front().prompt);
  return held_out(units, share);
}

constexpr std::size_t kSamples = 4;
constexpr const char* kDefaultTemplate = "{prompt}\n";

using Rows = std::vector<DialogueRow>;

/// Positions of a row that predict a learned token.
std::size_t learned_count(const DialogueRow& row) {
  return static_cast<std::size_t>(std::count(row.learned.begin() + 1, row.learned.end(), true));
}

/// The batch of some rows: input is all but the last token, labels [B, T] the learned ones among
/// all but the first.
Batch collate_rows(const Rows& rows, std::span<const std::int64_t> indices, TokenId pad) {
  std::vector<TokenRow> some;
  for (std::int64_t index : indices) {
    const DialogueRow& row = rows[static_cast<std::size_t>(index)];
    TokenRow& out = some.emplace_back(token_row(std::span(row.ids).first(row.ids.size() - 1), {}));
    for (std::size_t t = 1; t < row.ids.size(); ++t) {
      out.labels.push_back(row.learned[t] ? row.ids[t] : kIgnoreLabel);
    }
  }
  return collate(some, pad);
}

std::vector<std::int32_t> lengths_of(const Rows& rows) {
  std::vector<std::int32_t> lengths;
  for (const DialogueRow& row : rows)
    lengths.push_back(static_cast<std::int32_t>(row.ids.size()) - 1);
  return lengths;
}

/// Sum of the answers' loss and number of their tokens over the rows of this rank.
std::array<double, 2> total_loss(Model& model, const Rows& rows, TokenId pad,
                                 std::int64_t batch_size, const Context& context,
                                 const World& world) {
  const c10::NoGradGuard no_grad;
  const std::unique_ptr<Loss> loss = make_lm_loss(model);
  std::array<double, 2> total{};
  const std::vector<std::int32_t> lengths = lengths_of(rows);
  std::int64_t number = 0;
  for (const auto& indices : batches_by_length(lengths, batch_size)) {
    if (number++ % world.size() != world.rank()) continue;
    const Batch batch = to_device(collate_rows(rows, indices, pad), model.device());
    const LossTerm term = loss->terms(batch, context).front();
    total[0] += term.sum.item<double>();
    total[1] += term.count;
  }
  return total;
}

class TextGeneration : public Task {
 public:
  TextGeneration(const TextGenerationConfig& config, std::shared_ptr<const Tokenizer> tokenizer)
      : config_(config), tokenizer_(std::move(tokenizer)) {}

  const std::string& type() const override { return config_.type; }
  HeadKind head() const override { return HeadKind::kCausalLm; }
  std::string best_score() const override { return "valid/loss"; }
  bool higher_is_better() const override { return false; }
  void describe(Json& config) const override;

  void read(const TaskFiles& files) override;
  std::unique_ptr<Source> source(const Batching& batching) const override;
  std::unique_ptr<Loss> loss(Model& model) const override { return make_lm_loss(model); }
  std::unique_ptr<Validator> validator(Model& model, std::int64_t batch_size,
                                       World& world) const override;
  TaskEvaluation evaluate(Model& model, const std::vector<std::filesystem::path>& files,
                          const PredictOptions& options) const override;
  TaskEvaluation score(const std::filesystem::path& predictions,
                       const std::vector<std::filesystem::path>& references) const override;
  std::vector<Json> answer(Model& model, const std::vector<Json>& inputs,
                           const PredictOptions& options) const override;

 private:
  friend class GenerationValidator;

  DialogueEncoder encoder(const Model* model) const;
  Rows encode(const std::vector<Dialogue>& dialogues, const DialogueEncoder& encoder,
              std::int64_t sequence_length) const;
  /// Answers the last prompts of some dialogues: [i][s] is sample s of dialogue i.
  std::vector<std::vector<GeneratedText>> generate(Model& model,
                                                   const std::vector<const Dialogue*>& dialogues,
                                                   const PredictOptions& options) const;
  std::vector<Dialogue> read_references(const std::vector<std::filesystem::path>& files) const;
  TokenId pad() const { return pad_token(*tokenizer_); }

  TextGenerationConfig config_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::vector<Dialogue> valid_;
  Rows train_rows_, valid_rows_;
  std::vector<std::int64_t> rows_;  // dialogues of one epoch
  std::int64_t sequence_length_ = 0;
};

void TextGeneration::describe(Json& config) const {
  config["task_specific_params"][config_.type]["template"] =
      config_.prompt_template.value_or(kDefaultTemplate);
}

DialogueEncoder TextGeneration::encoder(const Model* model) const {
  std::string prompt_template = kDefaultTemplate;
  if (config_.prompt_template) {
    prompt_template = *config_.prompt_template;
  } else if (model) {
    const Json::json_pointer place("/task_specific_params/" + config_.type + "/template");
    const Json& config = model->config();
    if (config.contains(place) && config.at(place).is_string())
      prompt_template = config.at(place).get<std::string>();
  }
  return {*tokenizer_, prompt_template};
}

Rows TextGeneration::encode(const std::vector<Dialogue>& dialogues, const DialogueEncoder& encoder,
                            std::int64_t sequence_length) const {
  require(sequence_length >= 4, ErrorCode::kConfig, "data.sequence_length: ", sequence_length,
          " tokens leave no room for a prompt and its answer; give at least 4");
  Rows rows(dialogues.size());
  // One token more than the model sees: the last one is only predicted.
  parallel_for(dialogues.size(), [&](std::size_t i) {
    rows[i] = encoder.row(dialogues[i], static_cast<std::size_t>(sequence_length) + 1);
  });
  return rows;
}

void TextGeneration::read(const TaskFiles& files) {
  sequence_length_ = files.sequence_length;
  std::vector<Dialogue> train;
  for (std::size_t i = 0; i < files.train.size(); ++i)
    read_dialogues(files.train[i].first, i, config_, train);
  require(!train.empty(), ErrorCode::kData,
          files.train.empty() ? "data.train" : files.train[0].first.string(),
          ": no prompt to train on");
  valid_.clear();
  for (std::size_t i = 0; i < files.valid.size(); ++i)
    read_dialogues(files.valid[i], i, config_, valid_);
  if (files.valid.empty()) {
    const std::vector<bool> out = held_out_dialogues(train, files.held_out);
    valid_ = flagged(train, out, true);
    train = flagged(train, out, false);
  }
  const DialogueEncoder rows_of = encoder(nullptr);
  train_rows_ = encode(train, rows_of, files.sequence_length);
  valid_rows_ = encode(valid_, rows_of, files.sequence_length);
  rows_.clear();
  for (std::size_t i = 0; i < train.size(); ++i) {
    const std::int64_t times =
        passes(train[i].turns.front().prompt, files.train[train[i].file].second);
    rows_.insert(rows_.end(), static_cast<std::size_t>(times), static_cast<std::int64_t>(i));
  }
  const auto longest = static_cast<std::size_t>(files.sequence_length) + 1;
  const auto full =
      std::count_if(train_rows_.begin(), train_rows_.end(),
                    [&](const DialogueRow& row) { return row.ids.size() == longest; });
  log_info("text generation: ", train.size(), " prompts to train on, ", valid_.size(), " held out");
  if (full > 0)
    log_info("text generation: ", full,
             " rows reach data.sequence_length; what is longer loses its beginning");
}

std::unique_ptr<Source> TextGeneration::source(const Batching& batching) const {
  Sha256 digest;
  for (const DialogueRow& row : train_rows_) {
    const std::uint64_t head[] = {row.ids.size(), learned_count(row)};
    digest.update(head, sizeof head);
    digest.update(row.ids.data(), row.ids.size() * sizeof(TokenId));
  }
  digest.update(rows_.data(), rows_.size() * sizeof rows_[0]);
  return std::make_unique<BucketedSource>(
      rows_, lengths_of(train_rows_), batching,
      [this](std::span<const std::int64_t> rows) { return collate_rows(train_rows_, rows, pad()); },
      digest.hex());
}

std::vector<std::vector<GeneratedText>> TextGeneration::generate(
    Model& model, const std::vector<const Dialogue*>& dialogues,
    const PredictOptions& options) const {
  GenerationSettings settings = options.generation.value_or(GenerationSettings());
  settings.batch_size = options.batch_size;
  if (!settings.max_new_tokens && !settings.max_length) {
    settings.max_new_tokens = config_.max_new_tokens;
  }
  const DialogueEncoder rows_of = encoder(&model);
  settings.add_eos(rows_of.end());
  // Where prompts are cut, the answer has room, like in the rows of training.
  const std::int64_t length = model_length(model, options.sequence_length);
  const std::int64_t answer =
      std::min(settings.max_new_tokens.value_or(config_.max_new_tokens), length / 2);
  const bool cut = !options.generation || settings.too_long == TooLong::kTruncate;
  const std::size_t most =
      cut ? static_cast<std::size_t>(length - answer) : std::numeric_limits<std::size_t>::max();
  std::vector<EncodedPrompt> prompts;
  for (const Dialogue* dialogue : dialogues) {
    EncodedPrompt& prompt = prompts.emplace_back();
    prompt.ids = rows_of.prompt(*dialogue, most);
    prompt.place = concat("prompt ", options.first + prompts.size());
  }
  std::vector<std::vector<GeneratedText>> texts =
      generate_texts(model, tokenizer_, prompts, settings, options.context, {}, options.first);
  for (std::vector<GeneratedText>& samples : texts) {
    for (GeneratedText& text : samples) text.text = std::string(trim(text.text));
  }
  return texts;
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
    std::array<double, 2> loss =
        total_loss(model_, task_.valid_rows_, task_.pad(), batch_size_, context, world_);
    world_.sum(loss);
    ValidationResult result;
    result.scores = {{"loss", loss[0] / loss[1]}, {"perplexity", perplexity(loss[0], loss[1])}};
    const std::size_t count =
        std::min(task_.valid_.size(), static_cast<std::size_t>(task_.config_.validation_samples));
    if (count == 0) return result;
    std::vector<const Dialogue*> chosen;
    for (std::size_t i = static_cast<std::size_t>(world_.rank()); i < count;
         i += static_cast<std::size_t>(world_.size())) {
      chosen.push_back(&task_.valid_[i * task_.valid_.size() / count]);
    }
    PredictOptions options;
    options.sequence_length = task_.sequence_length_;
    options.batch_size = batch_size_;
    options.context = context;
    const auto answers = task_.generate(model_, chosen, options);
    AnswerTotals totals(parse_answer_metric(task_.config_.metric));
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      const Turn& turn = chosen[i]->last();
      const std::string& text = answers[i].front().text;
      totals.add(text, std::vector{turn.answer}, turn.prompt);
      if (result.samples.size() < kSamples) result.samples.push_back(sample_line(*chosen[i], text));
    }
    world_.sum(totals.numbers());
    result.scores.merge(totals.percentages());
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
    const std::vector<std::filesystem::path>& files) const {
  std::vector<Dialogue> dialogues;
  for (std::size_t i = 0; i < files.size(); ++i) read_dialogues(files[i], i, config_, dialogues);
  require(!dialogues.empty(), ErrorCode::kData,
          files.empty() ? "text generation" : files[0].string(), ": no prompts");
  return dialogues;
}

TaskEvaluation TextGeneration::evaluate(Model& model,
                                        const std::vector<std::filesystem::path>& files,
                                        const PredictOptions& options) const {
  std::vector<Dialogue> dialogues = read_references(files);
  if (options.part) {
    dialogues = flagged(dialogues, held_out_dialogues(dialogues, options.part), true);
  }
  const std::int64_t length = model_length(model, options.sequence_length);
  const Rows rows = encode(dialogues, encoder(&model), length);
  const std::array<double, 2> loss =
      total_loss(model, rows, pad(), options.batch_size, options.context, *make_local_world());
  std::vector<const Dialogue*> all;
  for (const Dialogue& dialogue : dialogues) all.push_back(&dialogue);
  const auto answers = generate(model, all, options);
  TaskEvaluation evaluation;
  AnswerTotals totals(parse_answer_metric(config_.metric));
  evaluation.predictions = Json::array();
  for (std::size_t i = 0; i < dialogues.size(); ++i) {
    const Turn& turn = dialogues[i].last();
    const std::string& text = answers[i].front().text;
    totals.add(text, std::vector{turn.answer}, turn.prompt);
    evaluation.predictions.push_back(
        {{"id", dialogues[i].id}, {"prompt", turn.prompt}, {"answer", text}});
    if (i < kSamples) evaluation.samples.push_back(sample_line(dialogues[i], text));
  }
  evaluation.scores = totals.scores();
  evaluation.scores["loss"] = loss[0] / loss[1];
  evaluation.scores["perplexity"] = perplexity(loss[0], loss[1]);
  return evaluation;
}

TaskEvaluation TextGeneration::score(const std::filesystem::path& predictions,
                                     const std::vector<std::filesystem::path>& references) const {
  const std::vector<Dialogue> dialogues = read_references(references);
  std::map<std::string, std::string> given;
  TaskEvaluation evaluation;
  evaluation.predictions = Json::array();
  for_each_labelled_record(predictions, [&](const Record& record) {
    const auto field = find_field(record, std::nullopt,
                                  {"answer", "prediction", "generated_text", "text", "output"});
    if (!field) record.fail("no field 'answer' (it has " + record.fields() + ")");
    const std::string id = record.has("id") ? record.text("id") : std::to_string(given.size());
    if (!given.emplace(id, record.text(*field)).second) record.fail("id '" + id + "' occurs twice");
    evaluation.predictions.push_back(record.value);
  });
  AnswerTotals totals(parse_answer_metric(config_.metric));
  for (const Dialogue& dialogue : dialogues) {
    const std::string id =
        dialogue.id.is_string() ? dialogue.id.get<std::string>() : dump_json(dialogue.id);
    const auto found = given.find(id);
    require(found != given.end(), ErrorCode::kData, predictions.string(),
            ": no prediction for id '", id, "' of ", references[dialogue.file].string());
    totals.add(found->second, std::vector{dialogue.last().answer}, dialogue.last().prompt);
  }
  evaluation.scores = totals.scores();
  return evaluation;
}

std::vector<Json> TextGeneration::answer(Model& model, const std::vector<Json>& inputs,
                                         const PredictOptions& options) const {
  std::vector<Dialogue> dialogues;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    dialogues.push_back(read_prompt_input(inputs[i], i + 1, config_));
  std::vector<const Dialogue*> all;
  for (const Dialogue& dialogue : dialogues) all.push_back(&dialogue);
  const auto generated = generate(model, all, options);
  std::vector<Json> answers = inputs;
  for (std::size_t i = 0; i < inputs.size(); ++i) answers[i].update(samples_json(generated[i]));
  return answers;
}

}  // namespace

std::unique_ptr<Task> make_text_generation(const TextGenerationConfig& config,
                                           std::shared_ptr<const Tokenizer> tokenizer) {
  return std::make_unique<TextGeneration>(config, std::move(tokenizer));
}

}  // namespace llmctl
