// The sections of a configuration that belong to no other folder, and the root configurations of
// the four main commands.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/fields.h"
#include "models/lora.h"
#include "optim/optimizer.h"
#include "prompt/generation_settings.h"
#include "tasks/task_data.h"
#include "tasks/teacher.h"
#include "train/loop.h"

namespace llmctl {

/// Section "run".
struct RunSection {
  std::string dir;
  std::int64_t seed = 1234;
  std::string resume = "auto";
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("dir", self.dir, "The run directory; made when absent.", PathKey{}, Change::kFree);
    visit("seed", self.seed, "Seed of everything drawn: initial weights, order, masks, dropout.",
          Range<std::int64_t>{0, std::int64_t{1} << 53});
    visit("resume", self.resume,
          "auto: go on with the run that the directory holds; never: refuse a directory that holds "
          "one.",
          OneOf{{"auto", "never"}}, Change::kFree);
  }
};

/// Section "tokenizer".
struct TokenizerSection {
  std::string path, vectors;
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit(
        "path", self.path,
        "Tokenizer directory, SentencePiece model, or a run whose tokenizer it is; empty: the one "
        "in model.init_from. Another path to the same content is no change.",
        PathKey{}, Change::kFree);
    visit("vectors", self.vectors,
          "Vectors of its pieces (llmctl data vectors --tokenizer), with which the token embedding "
          "of a new model begins.",
          PathKey{});
  }
};

/// Section "learning_curve" of `finetune`.
struct LearningCurveConfig {
  std::vector<double> shares = {0.01, 0.05, 0.1, 0.25, 1};
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("shares", self.shares,
          "Shares of the labelled records, drawn as data.share draws them, each trained on by "
          "itself.",
          Range<double>{0, 1}, Change::kFree);
  }
};

/// Root of `pretrain` and `finetune`. The task's section may be spelled "objective", too, as is
/// usual where its labels come from raw text.
struct TrainingConfig {
  RunSection run;
  Json model = Json::object();
  std::optional<LoraConfig> lora;
  TokenizerSection tokenizer;
  DataSection data;
  Json task = Json::object();
  OptimConfig optim;
  TrainConfig train;
  EvalScheduleConfig eval;
  CheckpointConfig checkpoint;
  LogConfig log;
  std::optional<SelfTrainingConfig> self_training;
  std::optional<LearningCurveConfig> learning_curve;
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("run", self.run, "The run as a whole.");
    visit(
        "model", self.model,
        "Hugging Face keys of a new model (model_type first), or init_from: a model directory (or "
        "a run's).",
        Kinds{"object"});
    visit("lora", self.lora, "Low-rank adaptation of model.init_from, with PEFT's keys.");
    visit("tokenizer", self.tokenizer, "The tokenizer.");
    visit("data", self.data, "What is learnt from.");
    visit(
        "task", self.task,
        "What is learnt: its type, causal_lm or masked_lm (of raw text; the section may be called "
        "objective) or one of those on labelled files below, and its options.",
        Kinds{"object"});
    visit("optim", self.optim, "Optimiser and learning rate.");
    visit("train", self.train, "Length, batch and device.");
    visit("eval", self.eval, "When to validate.", Change::kFree);
    visit("checkpoint", self.checkpoint, "When to save and what to keep.", Change::kFree);
    visit("log", self.log, "How often to report.", Change::kFree);
    visit("self_training", self.self_training,
          "Classification: rounds in which the best model so far labels texts for the next "
          "training.");
    visit("learning_curve", self.learning_curve,
          "Labelled records: the same training on growing shares of them, and their scores side by "
          "side (--learning-curve).");
  }
};

/// How a document spells the task's section: "objective" or "task".
std::string task_section_name(const ConfigNode& root);
/// Reads the sections of `pretrain` and `finetune`. kConfig.
TrainingConfig read_training_config(const ConfigNode& root);
/// Every key of them with its value, those of the task included.
Json resolved_training_config(const ConfigNode& root, const TrainingConfig& config);

/// Every field of a training configuration with what its document chose in `model` and `task`.
std::vector<FieldDoc> training_fields(const ConfigNode& root);
/// model.init_from, which stands beside the keys of every model type.
FieldDoc init_from_field();

/// Section "compute" of `generate` and `eval`.
struct ComputeSection {
  std::string device = "auto";
  std::string precision = "auto";
  std::string quantize = "none";
  std::int64_t threads = 0;
  bool deterministic = false;
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("device", self.device, "auto, cpu, cuda or cuda:N.");
    visit("precision", self.precision,
          "Matrix products in fp32 or bf16. auto: bf16 on GPUs and processors with AMX, and for "
          "matrices that the model's files keep in bf16.",
          OneOf{{"auto", "fp32", "bf16"}});
    visit(
        "deterministic", self.deterministic,
        "Generated tokens and their log-probabilities are the same to the last bit alone, in any "
        "batch and in any order (on the CPU); no operation whose result may differ between runs.");
    visit(
        "quantize", self.quantize,
        "Keep the model's matrices as integers: int8, or int4 (token embeddings and output matrix "
        "int8).",
        OneOf{{"none", "int8", "int4"}});
    visit("threads", self.threads, "Threads for computing; 0: the cores that this process may use.",
          Range<std::int64_t>{0, 1024});
  }
};

/// Section "model" of `generate` and `eval`.
struct ModelSection {
  std::string init_from;
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("init_from", self.init_from,
          "A model directory, a run directory, or a name in the Hugging Face cache.",
          PathKey{.or_name = true});
  }
};

/// Section "input" of `generate`: exactly one of prompt, file and question.
struct InputSection {
  std::vector<std::string> prompt;
  std::string file;
  std::string question, context;
  std::int64_t sequence_length = 0;
  std::string to;
  bool document = false;
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("prompt", self.prompt,
          "Prompts; for masked models a text with [MASK], for classifiers the text.");
    visit("file", self.file,
          "Prompts of a file: .txt (one a line) or .jsonl (prompt, text, or question and context); "
          "- is standard input. There, and in a file without an ending, the first line tells "
          "which: of .jsonl it is a JSON object.",
          PathKey{});
    visit("question", self.question, "A question to answer from context.");
    visit("context", self.context,
          "The passage that holds the answer; @FILE reads it from a file.");
    visit("sequence_length", self.sequence_length,
          "Longest row in tokens for questions and classification; 0: the model's limit.",
          Range<std::int64_t>{0, 1'000'000});
    visit("to", self.to,
          "Translation: the language to translate to, of a model for several; a record's member "
          "target_language stands in place of it.");
    visit("document", self.document,
          "Translation: each text, and a file as a whole, is translated sentence by sentence; line "
          "breaks stay where they are.");
  }
};

/// Section "chat" of `generate`.
struct ChatSection {
  std::string chat_template, system;
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("template", self.chat_template,
          "Chat template: chatml, llama3, llama2, alpaca, vicuna, zephyr, gemma, plain, or a file; "
          "empty: the model's own.",
          PathKey{.or_name = true});
    visit("system", self.system, "System message before the conversation.");
  }
};

/// Section "output" of `generate` and `eval`.
struct OutputSection {
  std::string file;
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("file", self.file,
          "JSONL (generate) or JSON (eval) file to write; empty: standard output.", PathKey{});
  }
};

/// Root of `generate`.
struct GenerateConfig {
  ModelSection model;
  InputSection input;
  std::vector<std::string> adapter;
  Json generation = Json::object();
  ChatSection chat;
  OutputSection output;
  ComputeSection compute;
  std::int64_t top = 5;
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("model", self.model, "The model.");
    visit("input", self.input, "What to answer.");
    visit("adapter", self.adapter,
          "PEFT adapters beside the model's weights, DIR or DIR=SCALE; several add up. A record's "
          "member adapter (one, a list, or null) stands in place of them.");
    visit("generation", self.generation,
          "Keys of generation_config.json, whose file gives the defaults.", Kinds{"object"});
    visit("chat", self.chat, "Conversations.");
    visit("output", self.output, "Where answers go.");
    visit("compute", self.compute, "Device and precision.");
    visit("top", self.top, "Words shown for each mask.", Range<std::int64_t>{1, 1000});
  }
};

/// Root of `eval`.
struct EvalConfig {
  ModelSection model;
  std::vector<Json> tasks;
  std::vector<std::string> baselines;
  std::map<std::string, double> fail_under;
  OutputSection output;
  std::string page;
  ComputeSection compute;
  std::int64_t batch_size = 32;
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("model", self.model, "The model.");
    visit("tasks", self.tasks,
          "What to score: objects with type, and data (a list of files), or predictions and "
          "references; the task's own options beside them.");
    visit("baselines", self.baselines,
          "Yardsticks on the same tokens: ngram:N, a Kneser-Ney model trained on the run's "
          "training text.");
    visit("fail_under", self.fail_under,
          "Least values: exit 1 when a score is below one (for losses and perplexities: above); "
          "shares are percentages, 0 to 100.");
    visit("output", self.output, "Where the result goes besides the table.");
    visit("page", self.page,
          "HTML page with the scores, the tables behind them (confusion matrix, reliability, worst "
          "errors) and samples; empty: none.",
          PathKey{});
    visit("compute", self.compute, "Device and precision.");
    visit("batch_size", self.batch_size, "Rows per forward pass.", Range<std::int64_t>{1, 100'000});
  }
};

/// Files, then --unset and --set; the document that the sections' nodes point into. The history of
/// a run in run.json is left out.
JsonDocument load_run_document(const std::vector<std::string>& files,
                               const std::vector<std::string>& sets,
                               const std::vector<std::string>& unsets);

/// The last step of load_run_document for a document made otherwise.
JsonDocument finish_run_document(JsonDocument document);

/// The root of a document.
ConfigNode root_node(const JsonDocument& document);

}  // namespace llmctl
