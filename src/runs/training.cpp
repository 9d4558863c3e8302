#include "runs/training.h"

#include <algorithm>
#include <ctime>
#include <memory>

#include "base/cpu.h"
#include "base/files.h"
#include "base/log.h"
#include "base/terminal.h"
#include "base/world.h"
#include "data/shards.h"
#include "io/text_source.h"
#include "ops/backend.h"
#include "runs/assembly.h"
#include "runs/build_facts.h"
#include "runs/run_directory.h"
#include "tasks/objective.h"
#include "tasks/task.h"
#include "train/run_lock.h"

namespace llmctl {

namespace {

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

/// What pretrain and finetune share: the run's parts that are not the data's.
class TrainingSetup {
 public:
  TrainingSetup(const ConfigNode& root, const RunSection& run, TrainConfig train,
                const RunOptions& options)
      : train_(std::move(train)), options_(options), world_(make_local_world()) {
    if (run.dir.empty())
      root.fail("run.dir", "missing; name the directory that the run shall live in");
    directory_ = run.dir;
    if (train_.micro_batch_size == 0) train_.micro_batch_size = train_.batch_size;
    const auto unit = train_.micro_batch_size * world_->size();
    if (train_.batch_size % unit != 0) {
      root.fail(
          "train.batch_size",
          concat(train_.batch_size, " is no multiple of micro_batch_size × processes = ", unit));
    }
    // A run keeps the kernels that it was started with, whatever "auto" would choose on this
    // machine.
    const Json chosen = read_environment(directory_, "precision");
    const bool keep = train_.precision == "auto" && chosen.is_string() && !options.overwrite;
    compute_ = assemble_compute(train_.device, keep ? chosen.get<std::string>() : train_.precision,
                                train_.threads);
    set_deterministic(train_.deterministic);
  }

  const Compute& compute() const { return compute_; }
  World& world() { return *world_; }
  const TrainConfig& train() const { return train_; }
  const std::filesystem::path& directory() const { return directory_; }

  Batching batching(std::int64_t seed) const {
    Batching batching;
    batching.seed = static_cast<std::uint64_t>(seed);
    batching.batch_size = train_.batch_size;
    batching.micro_batch_size = train_.micro_batch_size;
    batching.rank = world_->rank();
    batching.world = world_->size();
    return batching;
  }

  /// Claims the directory for the resolved configuration.
  void open_directory(const Json& resolved, const std::string& resume) {
    make_directories(directory_);
    lock_ = std::make_unique<RunLock>(directory_);
    prepare_run_directory(directory_, resolved, resume, options_.overwrite);
    set_log_file(directory_ / "log.txt");
    Json environment;
    environment["started"] = utc_now();
    environment["llmctl"] = version_text();
    for (const auto& [name, value] : backend_facts()) environment[name] = value;
    environment["cpu"] = cpu_features().model;
    environment["cpu_features"] = feature_names(cpu_features());
    environment["device"] = compute_.device.str();
    environment["precision"] = precision_name(compute_.dtype);
    environment["threads"] = compute_.threads;
    environment["command"] = options_.command_line;
    write_environment(directory_, environment);
  }

  /// Runs the loop with precision and device as they were resolved.
  TrainingOutcome run(Model& model, const Tokenizer& tokenizer, Source& source, Loss& loss,
                      Validator* validator, const OptimConfig& optim,
                      const EvalScheduleConfig& eval, const CheckpointConfig& checkpoint,
                      const LogConfig& log, std::int64_t seed, const Json& resolved,
                      const std::string& best_score, bool higher_is_better) {
    TrainConfig train = train_;
    train.precision = precision_name(compute_.dtype);
    train.device = compute_.device.str();
    Json essential = resolved;
    for (const char* section : {"log", "eval", "checkpoint", "run"}) essential.erase(section);
    for (const char* key :
         {"device", "threads", "patience", "max_skipped", "activation_checkpointing"})
      essential["train"].erase(key);
    essential["data"].erase("cache");
    TrainingRun run{.model = model,
                    .source = source,
                    .loss = loss,
                    .validator = validator,
                    .world = *world_,
                    .optim = optim,
                    .train = train,
                    .eval = eval,
                    .checkpoint = checkpoint,
                    .log = log,
                    .seed = static_cast<std::uint64_t>(seed),
                    .directory = directory_,
                    .best_score = checkpoint.keep_best.empty() ? best_score : checkpoint.keep_best,
                    .higher_is_better = higher_is_better,
                    .resume = true,
                    .save_extras =
                        [&](const std::filesystem::path& checkpoint_directory) {
                          tokenizer.save(checkpoint_directory, model.facts().max_positions);
                        },
                    .identity = essential,
                    .reduce_gradients = {},
                    .lock = lock_.get()};
    TrainingOutcome outcome = run_training(run);
    set_log_file({});
    return outcome;
  }

 private:
  TrainConfig train_;
  const RunOptions& options_;
  std::unique_ptr<World> world_;
  std::filesystem::path directory_;
  Compute compute_;
  std::unique_ptr<RunLock> lock_;
};

TrainingReport start_report(const char* command, const std::string& kind, const Model& model,
                            const TrainingSetup& setup) {
  TrainingReport report;
  report.command = command;
  report.kind = kind;
  report.directory = setup.directory();
  report.facts = model.facts();
  report.parameters = model.parameter_count();
  return report;
}

/// The lines of a dry run that need no data.
std::vector<std::pair<std::string, std::string>> plan_of(const TrainingReport& report,
                                                         const TrainingSetup& setup,
                                                         const Tokenizer& tokenizer,
                                                         std::int64_t sequence_length) {
  const TrainConfig& train = setup.train();
  const auto bytes = static_cast<std::uint64_t>(report.parameters);
  const ModelFacts& facts = report.facts;
  return {
      {"run directory", report.directory.string()},
      {"model",
       concat(facts.architecture, ", ", format_count(static_cast<double>(report.parameters)),
              " parameters, ", facts.layers, " layers, width ", facts.hidden_size, ", ",
              facts.heads, " heads")},
      {"tokenizer", tokenizer.description()},
      {"length", train.steps ? concat(*train.steps, " steps") : concat(*train.epochs, " epochs")},
      {"batch", concat(train.batch_size, " sequences of at most ", sequence_length, " tokens, ",
                       train.batch_size / train.micro_batch_size, " forward passes of ",
                       train.micro_batch_size)},
      {"tokens per step",
       concat("at most ", format_count(static_cast<double>(train.batch_size * sequence_length)))},
      {"device", concat(setup.compute().device.str(), ", ", precision_name(setup.compute().dtype),
                        ", ", setup.compute().threads, " threads")},
      {"memory", concat(format_bytes(bytes * 16),
                        " for weights, gradients and optimiser, and the activations")},
      {"a checkpoint", format_bytes(bytes * 12)},
  };
}

std::int64_t checked_length(const ConfigNode& root, std::int64_t sequence_length,
                            const ModelFacts& facts, bool clamp) {
  if (sequence_length <= facts.max_positions) return sequence_length;
  if (clamp) return facts.max_positions;
  root.fail("data.sequence_length",
            concat(sequence_length, " is more than the model's ", facts.max_positions,
                   " positions (max_position_embeddings)"));
}

DocumentSplit split_of(const std::string& name) {
  if (name == "line") return DocumentSplit::kLine;
  return name == "file" ? DocumentSplit::kFile : DocumentSplit::kBlankLine;
}

}  // namespace

TrainingReport run_pretrain(const JsonDocument& document, const RunOptions& options) {
  const ConfigNode root = root_node(document);
  PretrainConfig config;
  read_config(root, config);
  const ConfigNode objective_node = required_section(root, "objective", R"({"type": "causal_lm"})");
  const ConfigNode model_node =
      required_section(root, "model", R"({"model_type": "llama", "hidden_size": 256})");
  if (config.data.train.empty()) root.fail("data.train", "missing; name the text to train on");
  HeldOut held_out;
  if (root.child("data").has("valid")) held_out = read_held_out(root.child("data").child("valid"));
  std::vector<std::vector<std::filesystem::path>> files;
  for (const auto& entry : config.data.train) files.push_back(expand_paths({entry.path}));
  if (!held_out.paths.empty()) expand_paths(held_out.paths);

  TrainingSetup setup(root, config.run, config.train, options);
  const auto tokenizer = assemble_tokenizer(root, config.tokenizer);
  const auto objective = make_objective(objective_node, tokenizer);
  auto model = assemble_model(model_node, *tokenizer, objective->head(), {},
                              static_cast<std::uint64_t>(config.run.seed));
  begin_with_vectors(*model, *tokenizer, root, config.tokenizer);
  adapt(*model, root, config.lora, static_cast<std::uint64_t>(config.run.seed));
  checked_length(root, config.data.sequence_length, model->facts(), false);

  TrainingReport report =
      start_report("pretrain", config.objective.value("type", std::string()), *model, setup);
  report.best_score = "valid/loss";
  if (options.dry_run) {
    report.plan = plan_of(report, setup, *tokenizer, config.data.sequence_length);
    return report;
  }
  const Json resolved = config_to_json(config);
  setup.open_directory(resolved, config.run.resume);

  const auto cache = cache_directory(config.data.cache);
  TokenizeOptions tokenize;
  tokenize.split = split_of(config.data.split);
  const auto select = [&](DocumentSelection::Kind for_tail, DocumentSelection::Kind for_hash) {
    TokenizeOptions selected = tokenize;
    if (held_out.tail > 0) selected.selection = {for_tail, held_out.tail};
    if (held_out.hash > 0) selected.selection = {for_hash, held_out.hash};
    return selected;
  };
  std::vector<WeightedShards> corpora;
  std::vector<std::filesystem::path> all_files;
  for (std::size_t i = 0; i < files.size(); ++i) {
    corpora.push_back(
        {tokenize_to_shards(
             files[i], *tokenizer,
             select(DocumentSelection::Kind::kHead, DocumentSelection::Kind::kHashOut), cache),
         config.data.train[i].weight});
    all_files.insert(all_files.end(), files[i].begin(), files[i].end());
  }
  std::shared_ptr<const Shards> valid;
  if (!held_out.paths.empty()) {
    valid = tokenize_to_shards(expand_paths(held_out.paths), *tokenizer, tokenize, cache);
  } else if (held_out.tail > 0 || held_out.hash > 0) {
    valid = tokenize_to_shards(
        all_files, *tokenizer,
        select(DocumentSelection::Kind::kTail, DocumentSelection::Kind::kHashIn), cache);
  }
  const PackingOptions packing{config.data.packing, config.data.sequence_length};
  const auto source = objective->source(corpora, packing, setup.batching(config.run.seed), cache);
  model->to(setup.compute().device);
  const auto loss = objective->loss(*model);
  std::unique_ptr<Validator> validator;
  if (valid) {
    validator = objective->validator(*model, valid, packing, setup.train().micro_batch_size,
                                     setup.world(), config.data.valid_tokens);
  }
  report.outcome =
      setup.run(*model, *tokenizer, *source, *loss, validator.get(), config.optim, config.eval,
                config.checkpoint, config.log, config.run.seed, resolved, report.best_score, false);
  return report;
}

TrainingReport run_finetune(const JsonDocument& document, const RunOptions& options) {
  const ConfigNode root = root_node(document);
  FinetuneConfig config;
  read_config(root, config);
  const ConfigNode task_node = required_section(root, "task", R"({"type": "extractive_qa"})");
  const ConfigNode model_node =
      required_section(root, "model", R"({"init_from": "runs/masked-lm"})");
  if (config.data.train.empty())
    root.fail("data.train", "missing; name the labelled files to train on");
  HeldOut held_out;
  if (root.child("data").has("valid")) held_out = read_held_out(root.child("data").child("valid"));
  TaskFiles files;
  for (const auto& entry : config.data.train) {
    for (const auto& path : expand_paths({entry.path}))
      files.train.emplace_back(path, entry.weight);
  }
  if (!held_out.paths.empty()) files.valid = expand_paths(held_out.paths);
  files.held_out = {held_out.hash, held_out.tail};

  TrainingSetup setup(root, config.run, config.train, options);
  const auto tokenizer = assemble_tokenizer(root, config.tokenizer);
  const auto task = make_task(task_node, tokenizer);
  // The limit of the model is not known before its labels are, and labels come from the data: rows
  // are cut once for the length asked for, so the model's limit is read from its configuration
  // first.
  files.sequence_length = config.data.sequence_length;
  task->read(files);
  auto model = assemble_model(model_node, *tokenizer, task->head(), task->labels(),
                              static_cast<std::uint64_t>(config.run.seed));
  begin_with_vectors(*model, *tokenizer, root, config.tokenizer);
  adapt(*model, root, config.lora, static_cast<std::uint64_t>(config.run.seed));
  const auto length = checked_length(root, config.data.sequence_length, model->facts(), true);
  if (length != files.sequence_length) {
    files.sequence_length = length;
    task->read(files);
  }

  TrainingReport report = start_report("finetune", task->type(), *model, setup);
  report.best_score = task->best_score();
  if (options.dry_run) {
    report.plan = plan_of(report, setup, *tokenizer, length);
    return report;
  }
  const Json resolved = config_to_json(config);
  setup.open_directory(resolved, config.run.resume);
  const auto source = task->source(setup.batching(config.run.seed));
  task->describe(model->config());
  model->to(setup.compute().device);
  const auto loss = task->loss(*model);
  const auto validator = task->validator(*model, setup.train().micro_batch_size, setup.world());
  report.outcome = setup.run(*model, *tokenizer, *source, *loss, validator.get(), config.optim,
                             config.eval, config.checkpoint, config.log, config.run.seed, resolved,
                             report.best_score, task->higher_is_better());
  return report;
}

Json TrainingReport::to_json() const {
  Json json;
  json["command"] = command;
  json["kind"] = kind;
  json["directory"] = directory.string();
  json["model"] = {{"architecture", facts.architecture}, {"parameters", parameters}};
  if (!plan.empty()) {
    Json lines = Json::object();
    for (const auto& [name, value] : plan) lines[name] = value;
    json["plan"] = lines;
    return json;
  }
  json["steps"] = outcome.steps;
  json["tokens"] = outcome.tokens;
  json["seconds"] = outcome.seconds;
  if (!outcome.scores.empty()) json["scores"] = outcome.scores;
  if (!outcome.best_scores.empty()) {
    json["best"] = {{"step", outcome.best_step},
                    {"score", best_score},
                    {"value", outcome.best},
                    {"scores", outcome.best_scores}};
  }
  if (!outcome.best_directory.empty()) json["best_directory"] = outcome.best_directory.string();
  json["last_directory"] = outcome.last_directory.string();
  if (!outcome.stopped.empty()) json["stopped"] = outcome.stopped;
  return json;
}

}  // namespace llmctl
