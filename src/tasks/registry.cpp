// The list of tasks.
#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "tasks/causal_lm.h"
#include "tasks/dpo.h"
#include "tasks/extractive_qa.h"
#include "tasks/labelled_row.h"
#include "tasks/masked_lm.h"
#include "tasks/sequence_classification.h"
#include "tasks/task.h"
#include "tasks/text_answers.h"
#include "tasks/text_generation.h"
#include "tasks/token_classification.h"
#include "tasks/translation.h"

namespace llmctl {
namespace {

/// All tasks, one line each.
std::vector<TaskKind>& kinds() {
  static std::vector<TaskKind> list{
      task_kind<CausalLmConfig>(HeadKind::kCausalLm, true, make_causal_lm),
      task_kind<MaskedLmConfig>(HeadKind::kMaskedLm, true, make_masked_lm),
      task_kind<ExtractiveQaConfig>(HeadKind::kSpan, false, make_extractive_qa),
      task_kind<SequenceClassificationConfig>(HeadKind::kSequenceClassification, false,
                                              make_sequence_classification),
      task_kind<TokenClassificationConfig>(HeadKind::kTokenClassification, false,
                                           make_token_classification),
      task_kind<TextGenerationConfig>(HeadKind::kCausalLm, false, make_text_generation),
      task_kind<DpoConfig>(HeadKind::kCausalLm, false, make_dpo),
      task_kind<TranslationConfig>({HeadKind::kSeq2SeqLm, HeadKind::kCausalLm}, false,
                                   make_translation),
  };
  return list;
}

std::string expected_types(const std::string& type) {
  return "expected one of " + join(task_types()) + did_you_mean(type, task_types());
}

}  // namespace

void Task::check_baseline(const std::string& name, const TaskData&) const {
  fail(ErrorCode::kUsage, "baseline ", name, ": it compares with causal LMs only, not with ",
       type());
}

std::vector<LabelledRow> Task::labelled_rows(std::size_t, std::size_t) const {
  fail(ErrorCode::kUsage, "the task ", type(), " has no labels of tokens that could be shown");
}

TaskEvaluation Task::score(const std::filesystem::path& predictions,
                           const std::vector<std::filesystem::path>&) const {
  fail(ErrorCode::kUsage, predictions.string(), ": ", type(),
       " has no predictions that could be scored without its model");
}

void register_task(TaskKind kind) {
  require(find_task_kind(kind.type) == nullptr, ErrorCode::kInternal, "the task '", kind.type,
          "' is registered already");
  kinds().push_back(std::move(kind));
}

const std::vector<TaskKind>& task_kinds() {
  return kinds();
}

std::vector<std::string> task_types() {
  std::vector<std::string> types;
  for (const TaskKind& kind : kinds()) types.push_back(kind.type);
  return types;
}

const TaskKind* find_task_kind(const std::string& type) {
  for (const TaskKind& kind : kinds()) {
    if (kind.type == type) return &kind;
  }
  return nullptr;
}

const TaskKind& task_kind_of(const ConfigNode& section) {
  if (!section.value().is_object()) section.fail("", "expected an object with a \"type\"");
  if (!section.has("type")) section.fail("type", "missing, " + expected_types(""));
  const Json& type = section.value().at("type");
  if (!type.is_string())
    section.fail("type", std::string("expected a string, got ") + type.type_name());
  const std::string name = type.get<std::string>();
  const TaskKind* kind = find_task_kind(name);
  if (kind == nullptr) section.fail("type", "unknown task '" + name + "', " + expected_types(name));
  return *kind;
}

std::unique_ptr<Task> make_task(const ConfigNode& section,
                                std::shared_ptr<const Tokenizer> tokenizer) {
  return task_kind_of(section).make(section, std::move(tokenizer));
}

Json described(const Json& config, const std::string& type) {
  const auto found = config.find("task_specific_params");
  if (found == config.end() || !found->is_object()) return nullptr;
  return found->value(type, Json());
}

std::string task_of(const Model& model) {
  const HeadKind head = model.facts().head;
  std::string type;
  for (const TaskKind& kind : kinds()) {
    if (!kind.serves(head)) continue;
    if (!described(model.config(), kind.type).is_null()) return kind.type;
    if (type.empty()) type = kind.type;
  }
  return type;
}

std::unique_ptr<Responder> make_responder(Model& model, std::shared_ptr<const Tokenizer> tokenizer,
                                          const AnswerOptions& options) {
  const std::string type = task_of(model);
  Json section = described(model.config(), type);
  const bool translates = !options.to.empty() || options.document;
  if (model.facts().head == HeadKind::kSeq2SeqLm && !section.is_object() && !translates) {
    auto form = choose_form(model, tokenizer, options);
    return std::make_unique<TextResponder>(model, std::move(tokenizer), std::move(form), options);
  }
  require(!translates || type == TranslationConfig().type, ErrorCode::kUsage,
          options.document ? "--document" : "--to", ": is for models of the task translation; ",
          options.directory.string(), " is one of ", type.empty() ? "no task" : type);
  require(!type.empty(), ErrorCode::kUsage, options.directory.string(), ": a ",
          model.facts().architecture, " gives no answers");
  if (!section.is_object()) section = Json::object();
  section["type"] = type;
  const JsonDocument document{section, {}};
  const ConfigNode node(&document.value, "task_specific_params." + type, &document,
                        ErrorCode::kData);
  return make_task(node, std::move(tokenizer))->responder(model, options);
}

}  // namespace llmctl
