// The public headers' functions, each a few lines over what the commands use.
#include <utility>

#include "base/log.h"
#include "base/strings.h"
#include "base/terminal.h"
#include "config/load.h"
#include "llmctl/llmctl.h"
#include "metrics/entities.h"
#include "ops/backend.h"
#include "runs/config_catalog.h"
#include "runs/evaluation.h"
#include "runs/export.h"
#include "runs/generation.h"
#include "runs/inspect.h"
#include "runs/sections.h"
#include "runs/training.h"
#include "tasks/class_decision.h"
#include "tasks/extractive_qa.h"
#include "tasks/masked_lm.h"
#include "tasks/text_answers.h"
#include "tasks/token_classification.h"

namespace llmctl {

struct Configuration::Impl {
  JsonDocument document;
};

Configuration::Configuration() : impl_(std::make_unique<Impl>()) {
  impl_->document.value = Json::object();
}
Configuration::~Configuration() = default;
Configuration::Configuration(const Configuration& other)
    : impl_(std::make_unique<Impl>(*other.impl_)) {}
Configuration& Configuration::operator=(const Configuration& other) {
  if (this != &other) *impl_ = *other.impl_;
  return *this;
}

Configuration& Configuration::merge_file(const std::filesystem::path& path) {
  merge_config(impl_->document, load_config_file(path));
  return *this;
}

Configuration& Configuration::merge_json(const std::string& text) {
  JsonLimits limits;
  limits.comments = true;
  limits.code = ErrorCode::kConfig;
  merge_config(impl_->document, parse_json_document(text, "configuration", limits));
  return *this;
}

Configuration& Configuration::set(const std::string& key, const std::string& value) {
  set_config_value(impl_->document, key + "=" + value);
  return *this;
}

std::string Configuration::resolved(const std::string& command) const {
  return dump_json(resolved_config(command, finish_run_document(impl_->document)), 2);
}

std::string configuration_schema(const std::string& command) {
  return dump_json(config_schema_of(command), 2);
}

namespace {

TrainingResult train(const char* command, const Configuration& configuration,
                     const TrainingOptions& options) {
  TrainingReport report;
  const JsonDocument document = finish_run_document(configuration.impl().document);
  translate_torch_errors([&] {
    RunOptions run;
    run.overwrite = options.overwrite;
    run.change = options.change;
    run.dry_run = options.dry_run;
    report = train_from_config(command, document, run);
  });
  TrainingResult result;
  result.directory = report.directory;
  result.best = report.outcome.best_directory;
  result.last = report.outcome.last_directory;
  result.steps = report.outcome.steps;
  for (const Score& score : report.outcome.best_scores)
    result.scores[score.kind.name] = score.value;
  result.exit_status = report.outcome.exit_status;
  result.json = dump_json(report.to_json(), 2);
  return result;
}

}  // namespace

TrainingResult pretrain(const Configuration& configuration, const TrainingOptions& options) {
  return train("pretrain", configuration, options);
}

TrainingResult finetune(const Configuration& configuration, const TrainingOptions& options) {
  return train("finetune", configuration, options);
}

EvaluationResult evaluate(const Configuration& configuration) {
  EvaluationReport report;
  const JsonDocument document = finish_run_document(configuration.impl().document);
  translate_torch_errors([&] { report = run_evaluation(document); });
  EvaluationResult result{{}, report.missed.empty(), dump_json(report.to_json(), 2)};
  for (const Score& score : report.flat()) result.scores[score.kind.name] = score.value;
  return result;
}

struct Generator::Impl {
  GenerateConfig config;
  AnsweringModel answering;
  std::string generation = "{}";

  /// Settings of generated text for the next answers; the model stays.
  void use(const std::string& keys) {
    if (keys == generation) return;
    config.generation = parse_json(keys, "generation", {.code = ErrorCode::kConfig});
    answering.responder =
        make_responder(*answering.loaded.model, answering.loaded.tokenizer,
                       answer_options(config, {}, answering.loaded, answering.compute));
    generation = keys;
  }

  AnswerList answer(const std::vector<AnswerInput>& inputs, const TextStream& on_text = {}) {
    AnswerList answers;
    translate_torch_errors([&] { answers = answering.responder->answer(inputs, 0, {on_text}); });
    return answers;
  }

  /// The one answer to an input, of the kind that the caller expects.
  template <class Kind>
  std::unique_ptr<Answer> answer_as(const Json& record, const char* what,
                                    const TextStream& on_text = {}) {
    AnswerList answers = answer({{record, "input"}}, on_text);
    require(dynamic_cast<const Kind*>(answers.front().get()) != nullptr, ErrorCode::kUsage,
            config.model.init_from, ": this kind of model does not ", what);
    return std::move(answers.front());
  }
};

namespace {

template <class Kind>
const Kind& as(const std::unique_ptr<Answer>& answer) {
  return dynamic_cast<const Kind&>(*answer);
}

}  // namespace

Generator::Generator(const std::string& model, const std::string& device)
    : impl_(std::make_unique<Impl>()) {
  impl_->config.model.init_from = model;
  impl_->config.compute.device = device;
  translate_torch_errors([&] { impl_->answering = load_answering(impl_->config, {}); });
}
Generator::~Generator() = default;
Generator::Generator(Generator&&) noexcept = default;
Generator& Generator::operator=(Generator&&) noexcept = default;

std::vector<std::string> Generator::generate(const std::vector<std::string>& prompts,
                                             const std::string& generation) {
  impl_->use(generation);
  std::vector<AnswerInput> inputs;
  for (const std::string& prompt : prompts)
    inputs.push_back({{{"prompt", prompt}}, concat("prompt ", inputs.size() + 1)});
  std::vector<std::string> texts;
  for (const auto& answer : impl_->answer(inputs)) {
    const auto* text = dynamic_cast<const TextAnswer*>(answer.get());
    require(text != nullptr, ErrorCode::kUsage, impl_->config.model.init_from,
            ": this kind of model writes no text");
    texts.push_back(text->samples().front().text);
  }
  return texts;
}

std::string Generator::generate(const std::string& prompt, const std::string& generation,
                                const std::function<void(const std::string&)>& on_text) {
  impl_->use(generation);
  TextStream stream;
  if (on_text) stream = [&](const AnswerPiece& piece) { on_text(piece.text); };
  const auto answer = impl_->answer_as<TextAnswer>({{"prompt", prompt}}, "write text", stream);
  return as<TextAnswer>(answer).samples().front().text;
}

std::string Generator::fill_masks(const std::string& text) {
  return as<MaskAnswer>(impl_->answer_as<MaskAnswer>({{"text", text}}, "fill masks"))
      .filled()
      .filled;
}

PassageAnswer Generator::answer(const std::string& question, const std::string& context) {
  const Json record = {{"question", question}, {"context", context}};
  const auto answered = impl_->answer_as<QaAnswer>(record, "answer questions");
  const auto& answer = as<QaAnswer>(answered);
  return {answer.span().text, answer.span().probability, answer.begin(), answer.end()};
}

Classification Generator::classify(const std::string& text) {
  const auto answered = impl_->answer_as<ClassAnswer>({{"text", text}}, "classify");
  const auto& answer = as<ClassAnswer>(answered);
  Classification result;
  result.label = join(answer.chosen());
  for (std::size_t c = 0; c < answer.names().size(); ++c)
    result.scores.emplace_back(answer.names()[c], answer.values()[c]);
  return result;
}

std::vector<TextSpan> Generator::find_spans(const std::string& text) {
  const auto answered = impl_->answer_as<SpansAnswer>({{"text", text}}, "find spans");
  std::vector<TextSpan> spans;
  for (const LabelledSpan& span : as<SpansAnswer>(answered).spans()) {
    spans.push_back({span.text, span.type == kUntyped ? "" : span.type, span.probability,
                     span.begin, span.end});
  }
  return spans;
}

void set_verbosity(Verbosity verbosity) {
  switch (verbosity) {
    case Verbosity::kSilent:
      set_log_level(LogLevel::kOff);
      break;
    case Verbosity::kErrors:
      set_log_level(LogLevel::kError);
      break;
    case Verbosity::kWarnings:
      set_log_level(LogLevel::kWarning);
      break;
    case Verbosity::kNormal:
      set_log_level(LogLevel::kInfo);
      break;
    case Verbosity::kDetailed:
      set_log_level(LogLevel::kDebug);
      break;
  }
  set_quiet(verbosity < Verbosity::kNormal);
}

void export_model(const std::string& model, const std::filesystem::path& directory,
                  const std::string& dtype) {
  require(dtype.empty() || dtype == "fp32" || dtype == "bf16" || dtype == "fp16", ErrorCode::kUsage,
          "dtype ", dtype, ": expected fp32, bf16 or fp16");
  ExportOptions options;
  options.model = model;
  options.directory = directory;
  options.dtype = dtype;
  translate_torch_errors([&] { run_export(options); });
}

std::string inspect(const std::string& path) {
  std::string text;
  translate_torch_errors(
      [&] { text = dump_json(inspect_path(path, Listing::kGroups, false).json, 2); });
  return text;
}

}  // namespace llmctl
