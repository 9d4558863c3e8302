// The public headers' functions, each a few lines over what the commands use.
#include <utility>

#include "base/log.h"
#include "base/terminal.h"
#include "config/load.h"
#include "llmctl/llmctl.h"
#include "ops/backend.h"
#include "runs/config_catalog.h"
#include "runs/evaluation.h"
#include "runs/generation.h"
#include "runs/model_directory.h"
#include "runs/sections.h"
#include "runs/training.h"

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

TrainingResult train(TrainingReport (*run)(const JsonDocument&, const RunOptions&),
                     const Configuration& configuration, const TrainingOptions& options) {
  TrainingReport report;
  const JsonDocument document = finish_run_document(configuration.impl().document);
  translate_torch_errors([&] { report = run(document, {options.overwrite, options.dry_run, {}}); });
  TrainingResult result;
  result.directory = report.directory;
  result.best = report.outcome.best_directory;
  result.last = report.outcome.last_directory;
  result.steps = report.outcome.steps;
  result.scores = report.outcome.best_scores;
  result.exit_status = report.outcome.exit_status;
  result.json = dump_json(report.to_json(), 2);
  return result;
}

}  // namespace

TrainingResult pretrain(const Configuration& configuration, const TrainingOptions& options) {
  return train(run_pretrain, configuration, options);
}

TrainingResult finetune(const Configuration& configuration, const TrainingOptions& options) {
  return train(run_finetune, configuration, options);
}

EvaluationResult evaluate(const Configuration& configuration) {
  EvaluationReport report;
  const JsonDocument document = finish_run_document(configuration.impl().document);
  translate_torch_errors([&] { report = run_evaluation(document); });
  return {report.flat(), report.missed.empty(), dump_json(report.to_json(), 2)};
}

namespace {

/// The text of an answer, the first one of several samples.
std::string first_text(const Json& answer) {
  const Json& one = answer.contains("samples") ? answer["samples"][0] : answer;
  const Json& text = one["generated_text"];  // null for a prompt left out
  return text.is_string() ? text.get<std::string>() : std::string();
}

}  // namespace

struct Generator::Impl {
  std::string model;
  Compute compute;
  std::string generation = "{}";
  std::unique_ptr<Answerer> answerer;

  /// The answerer with these generation keys.
  Answerer& with(const std::string& keys) {
    if (!answerer) answerer = std::make_unique<Answerer>(model, compute, AnswererOptions());
    if (keys != generation) {
      answerer->configure(parse_json(keys, "generation", {.code = ErrorCode::kConfig}));
      generation = keys;
    }
    return *answerer;
  }

  Json answer(AnswerKind kind, const char* what, const Json& input) {
    require(with(generation).kind() == kind, ErrorCode::kUsage, model,
            ": this kind of model does not ", what);
    Json out;
    translate_torch_errors([&] { out = answerer->answer(std::vector<Json>{input}).front(); });
    return out;
  }
};

Generator::Generator(const std::string& model, const std::string& device)
    : impl_(std::make_unique<Impl>()) {
  impl_->model = model;
  translate_torch_errors([&] {
    impl_->compute = assemble_compute(device, "auto", 0);
    impl_->with("{}");
  });
}
Generator::~Generator() = default;
Generator::Generator(Generator&&) noexcept = default;
Generator& Generator::operator=(Generator&&) noexcept = default;

std::vector<std::string> Generator::generate(const std::vector<std::string>& prompts,
                                             const std::string& generation) {
  std::vector<std::string> texts;
  translate_torch_errors([&] {
    Answerer& answerer = impl_->with(generation);
    require(answerer.kind() == AnswerKind::kText, ErrorCode::kUsage, impl_->model,
            ": this kind of model writes no text");
    std::vector<Json> inputs;
    for (const auto& prompt : prompts) inputs.push_back({{"prompt", prompt}});
    for (const Json& answer : answerer.answer(inputs)) {
      texts.push_back(first_text(answer));
    }
  });
  return texts;
}

std::string Generator::generate(const std::string& prompt, const std::string& generation,
                                const std::function<void(const std::string&)>& on_text) {
  std::string text;
  translate_torch_errors([&] {
    Answerer& answerer = impl_->with(generation);
    require(answerer.kind() == AnswerKind::kText, ErrorCode::kUsage, impl_->model,
            ": this kind of model writes no text");
    const Json input = {{"prompt", prompt}};
    text = first_text(answerer.answer(std::vector<Json>{input}, 0, on_text).front());
  });
  return text;
}

std::string Generator::fill_masks(const std::string& text) {
  return impl_->answer(AnswerKind::kMasks, "fill masks", {{"text", text}})["filled"]
      .get<std::string>();
}

std::string Generator::answer(const std::string& question, const std::string& context) {
  return impl_
      ->answer(AnswerKind::kSpan, "answer questions",
               {{"question", question}, {"context", context}})["answer"]
      .get<std::string>();
}

std::string Generator::classify(const std::string& text) {
  return impl_->answer(AnswerKind::kLabel, "classify", {{"text", text}})["label"]
      .get<std::string>();
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
  require(dtype == "fp32" || dtype == "bf16" || dtype == "fp16", ErrorCode::kUsage, "dtype ", dtype,
          ": expected fp32, bf16 or fp16");
  translate_torch_errors(
      [&] { export_model_directory(model, directory, dtype, kMaxShardBytes, false); });
}

std::string inspect(const std::string& path) {
  return dump_json(inspect_path(path, Listing::kGroups, false).json, 2);
}

}  // namespace llmctl
