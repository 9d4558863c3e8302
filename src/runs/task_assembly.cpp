#include "runs/task_assembly.h"

#include <optional>

#include "base/error.h"
#include "base/log.h"
#include "models/adapter.h"
#include "runs/assembly.h"
#include "runs/resolve.h"
#include "tasks/teacher.h"

namespace llmctl {
namespace {

/// Tokens of a row: as asked for, at most what the model takes. Rows of raw text that shall be
/// longer than that are an error, since their number would change without a word.
std::int64_t row_length(const ConfigNode& root, const TaskData& data, const DataSection& section,
                        bool raw_text, std::int64_t positions) {
  if (data.sequence_length <= positions) return data.sequence_length;
  if (raw_text && section.sequence_length) {
    root.fail("data.sequence_length", concat(data.sequence_length, " is more than the model's ",
                                             positions, " positions (max_position_embeddings)"));
  }
  if (section.sequence_length) {
    log_warning("data.sequence_length: ", data.sequence_length, " is more than the model's ",
                positions, " positions; rows have at most these");
  }
  return positions;
}

/// What trainings have left in a model's configuration of how it is asked; null: nothing.
Json initial_params(const std::filesystem::path& model) {
  const Json config = read_adapted_config(model, resolve_model_directory).value;
  return config.is_object() ? config.value("task_specific_params", Json()) : Json();
}

}  // namespace

AssembledTask assemble_task(const ConfigNode& root, const TrainingConfig& config,
                            const std::string& command) {
  const std::string task_name = task_section_name(root);
  const bool pretrains = command == "pretrain";
  const ConfigNode task_node =
      required_section(root, root.has(task_name) || !pretrains ? task_name : "objective",
                       pretrains ? R"({"type": "causal_lm"})" : R"({"type": "extractive_qa"})");
  const ConfigNode model_node = required_section(
      root, "model",
      pretrains ? R"({"model_type": "llama", "hidden_size": 256})" : R"({"init_from": "DIR"})");
  if (config.data.train.empty()) root.fail("data.train", "missing; name what is to be learnt from");
  const TaskKind& kind = task_kind_of(task_node);
  TaskData data =
      find_task_data(root.child("data"), config.data, kind.raw_text,
                     kind.raw_text ? cache_directory(config.data.cache) : std::filesystem::path());
  const auto tokenizer = assemble_tokenizer(root, config.tokenizer);
  auto task = make_task(task_node, tokenizer);
  if (!data.train_only.empty() && dynamic_cast<const Teacher*>(task.get()) == nullptr)
    root.fail("data.train_only", concat("is for sequence_classification, not for ", task->type()));
  if (kind.raw_text && config.train.batch_tokens > 0) {
    root.fail("train.batch_tokens",
              "is for labelled records; rows of raw text have data.sequence_length tokens each: "
              "use batch_size");
  }
  const HeadKind head = choose_head(model_node, kind.heads);
  const std::optional<ModelFacts> planned = planned_facts(model_node, *tokenizer, head);
  if (planned) {
    data.sequence_length =
        row_length(root, data, config.data, kind.raw_text, planned->max_positions);
    if (planned->encoder_decoder) data.decoder_start = planned->decoder_start;
  }
  data.directory = tokenizer_directory(root, config.tokenizer);
  const std::filesystem::path initial = initial_directory(root);
  if (!initial.empty()) data.generation_directory = config_directory(initial);
  data.initial_model = initial.string();
  if (!initial.empty()) {
    data.initial_overrides = overrides_of(model_node);
    data.initial_params = initial_params(initial);
  }
  data.find_model = resolve_model_directory;
  data.tokenizer_of = load_tokenizer_of;
  return {tokenizer, std::move(task), std::move(data), head, kind.raw_text};
}

}  // namespace llmctl
