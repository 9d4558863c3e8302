#include "runs/starters.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/strings.h"
#include "config/fields.h"
#include "models/model.h"
#include "runs/config_catalog.h"
#include "tasks/task.h"

namespace llmctl {

namespace {

/// The section "model" of a small new model, for the types that can be trained.
const std::map<std::string, std::string>& new_models() {
  static const std::string decoder =
      R"("hidden_size": 256, "intermediate_size": 688, "num_hidden_layers": 4,
            "num_attention_heads": 4, "num_key_value_heads": 4, "max_position_embeddings": 256,
            "tie_word_embeddings": true)";
  static const std::string encoder =
      R"("hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 4,
            "num_attention_heads": 4, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0,
            )";
  static const std::map<std::string, std::string> sections = {
      {"llama", decoder},
      {"qwen2", decoder},
      {"qwen3", decoder},
      {"gpt2",
       R"("n_embd": 256, "n_layer": 4, "n_head": 4, "n_positions": 256,
            "embd_pdrop": 0.0, "attn_pdrop": 0.0, "resid_pdrop": 0.0)"},
      {"bert", encoder + R"("max_position_embeddings": 256)"},
      // Positions of RoBERTa begin behind the id of padding.
      {"roberta", encoder + R"("max_position_embeddings": 258)"}};
  return sections;
}

bool is_encoder(const std::string& model_type) {
  return model_type == "bert" || model_type == "roberta";
}

std::string pretrain_starter(const std::string& kind) {
  const std::string type = kind.empty() || kind == "causal_lm" ? "llama"
                           : kind == "masked_lm"               ? "bert"
                                                               : kind;
  const bool masked = is_encoder(type);
  const std::string name = masked ? "my-encoder" : "my-model";
  const std::string tokenizer = masked ? "runs/my-masked-tokenizer" : "runs/my-tokenizer";
  return concat(R"(// llmctl pretrain -c FILE       every key: llmctl config keys pretrain
{
  "run": {"dir": "runs/)",
                name, R"(", "seed": 1234},
  // Hugging Face's keys; or {"init_from": "DIR"} to go on with a model that exists.
  "model": {"model_type": ")",
                type, "\", ", new_models().at(type), R"(},
  // Made by: llmctl tokenizer train data/corpus/*.txt -o )",
                tokenizer, masked ? " --recipe masked" : "", R"( --vocab-size 4000
  "tokenizer": {"path": ")",
                tokenizer, R"("},
  "data": {"train": ["data/corpus/*.txt"], "valid": {"hash": 0.02}, "sequence_length": 256},
  "task": {"type": ")",
                masked ? "masked_lm" : "causal_lm", R"("},
  "optim": {"lr": 1e-3, "warmup_steps": 50},
  "train": {"steps": 500, "batch_size": 16},
  "eval": {"every": 100},
  "checkpoint": {"every": 250}
}
)");
}

/// What is bundled for a task of labelled files, and what learns it.
struct LabelledTask {
  std::string init_from, run, train, valid;
  std::string options = "";  // further keys of the task, each behind a comma
};

const std::map<std::string, LabelledTask>& labelled_tasks() {
  static const std::map<std::string, LabelledTask> tasks = {
      {"text_generation",
       {"my-model", "my-answers", "data/instructions/train.jsonl",
        "data/instructions/valid.jsonl"}},
      {"dpo",
       {"my-model", "my-preferences", "data/instructions/preferences-train.jsonl",
        "data/instructions/preferences-valid.jsonl"}},
      {"extractive_qa", {"my-encoder", "my-qa", "data/qa/*-train.json", "data/qa/*-valid.json"}},
      {"sequence_classification",
       {"my-encoder", "my-classifier", "data/classification/sentiment-train.jsonl",
        "data/classification/sentiment-valid.jsonl"}},
      {"token_classification",
       {"my-encoder", "my-entities", "data/entities/*-train.*", "data/entities/*-valid.*"}},
      {"translation",
       {"my-model", "my-translator", "data/translation/en-zh-train.tsv",
        "data/translation/en-zh-valid.tsv", R"(, "source": "en", "target": "zh")"}}};
  return tasks;
}

std::string finetune_starter(const std::string& kind) {
  const std::string type = kind.empty() ? "text_generation" : kind;
  const LabelledTask& task = labelled_tasks().at(type);
  return concat(R"(// llmctl finetune -c FILE       every key: llmctl config keys finetune
{
  "run": {"dir": "runs/)",
                task.run, R"(", "seed": 1234},
  // A model directory, a checkpoint or a run directory; this one is made by: llmctl config init pretrain )",
                task.init_from == "my-encoder" ? "bert" : "llama", R"(
  "model": {"init_from": "runs/)",
                task.init_from, R"("},
  "data": {"train": [")",
                task.train, R"("], "valid": [")", task.valid, R"("], "sequence_length": 256},
  "task": {"type": ")",
                type, "\"", task.options, R"(},
  "optim": {"lr": 5e-4, "warmup_steps": 50, "schedule": "linear"},
  "train": {"epochs": 3, "batch_size": 32}
}
)");
}

std::string eval_starter(const std::string& kind) {
  const std::string type = kind.empty() ? "text_generation" : kind;
  std::string run, data, bound;
  if (const auto found = labelled_tasks().find(type); found != labelled_tasks().end()) {
    run = found->second.run;
    data = found->second.valid;
    bound = type == "sequence_classification" ? R"("accuracy": 50)"
            : type == "dpo"                   ? R"("reward_accuracy": 60)"
            : type == "token_classification"  ? R"("f1": 50)"
            : type == "translation"           ? R"("bleu": 10)"
                                              : R"("exact_match": 50)";
  } else {
    run = type == "masked_lm" ? "my-encoder" : "my-model";
    data = "data/corpus/en.txt";
    bound = R"("loss": 5)";
  }
  return concat(R"(// llmctl eval -c FILE       every key: llmctl config keys eval
{
  "model": {"init_from": "runs/)",
                run, R"("},
  "tasks": [{"type": ")",
                type, R"(", "data": [")", data, R"("]}],
  // Exit 1 when a score is worse; shares are percentages, 0 to 100.
  "fail_under": {)",
                bound, R"(}
}
)");
}

const std::map<std::string, std::string>& other_starters() {
  static const std::map<std::string, std::string> texts = {
      {"generate", R"(// llmctl generate -c FILE       every key: llmctl config keys generate
{
  "model": {"init_from": "runs/my-model"},
  "input": {"file": "data/prompts.txt"},
  "generation": {"max_new_tokens": 60, "do_sample": true, "temperature": 0.8, "top_p": 0.95, "seed": 1},
  "output": {"file": "runs/answers.jsonl"}
}
)"},
      {"prepare", R"(// llmctl data prepare -c FILE       every key: llmctl config keys prepare
{
  "input": ["data/corpus/*.txt"],
  "output": "runs/prepared",
  // Made by: llmctl tokenizer train data/corpus/*.txt -o runs/my-tokenizer --vocab-size 4000
  "tokenizer": "runs/my-tokenizer",
  "clean": {"unicode": "nfc", "min_characters": 20},
  "deduplicate": {"exact": true, "near": true},
  "split": {"valid": 0.01}
}
)"},
      {"tokenizer",
       R"(// llmctl tokenizer train FILE... -o DIR -c FILE       every key: llmctl config keys tokenizer
{
  "recipe": "causal",
  "model_type": "bpe",
  "vocab_size": 4000,
  // Special tokens of chat templates, and strings that are never split.
  "chat_symbols": ["<|im_start|>", "<|im_end|>"],
  "user_symbols": []
}
)"},
      {"vectors",
       R"(// llmctl data vectors FILE... -o vectors.txt -c FILE       every key: llmctl config keys vectors
{"model": "skipgram", "dim": 100, "epochs": 5, "min_count": 5}
)"}};
  return texts;
}

}  // namespace

std::vector<std::string> starter_kinds(const std::string& command) {
  std::vector<std::string> kinds;
  if (command == "pretrain") {
    for (const auto& [type, section] : new_models()) kinds.push_back(type);
    for (const TaskKind& task : task_kinds())
      if (task.raw_text) kinds.push_back(task.type);
  } else if (command == "finetune") {
    for (const auto& [type, task] : labelled_tasks()) kinds.push_back(type);
  } else if (command == "eval") {
    kinds = task_types();
  }
  return kinds;
}

std::string starter_config(const std::string& command, const std::string& kind) {
  const std::string chosen = config_command(command, JsonDocument{});
  if (!kind.empty()) {
    const std::vector<std::string> kinds = starter_kinds(chosen);
    require(!kinds.empty(), ErrorCode::kUsage, chosen,
            " has one configuration to start from, got '", kind, "'");
    if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) {
      const std::vector<std::string> types = model_types(), tasks = task_types();
      if (chosen == "pretrain" && std::find(types.begin(), types.end(), kind) != types.end())
        fail(ErrorCode::kUsage, kind,
             ": encoder-decoders generate only, their training is not there yet; expected one of ",
             join(kinds));
      if (std::find(tasks.begin(), tasks.end(), kind) != tasks.end())
        fail(ErrorCode::kUsage, kind, " is a task of ",
             chosen == "pretrain" ? "finetune" : "pretrain", ": llmctl config init ",
             chosen == "pretrain" ? "finetune " : "pretrain ", kind);
      fail(ErrorCode::kUsage, "'", kind, "': expected one of ", join(kinds),
           did_you_mean(kind, kinds));
    }
  }
  if (chosen == "pretrain") return pretrain_starter(kind);
  if (chosen == "finetune") return finetune_starter(kind);
  if (chosen == "eval") return eval_starter(kind);
  return other_starters().at(chosen);
}

}  // namespace llmctl
