#include "runs/training.h"

#include <algorithm>
#include <memory>

#include "base/cpu.h"
#include "base/files.h"
#include "base/log.h"
#include "base/strings.h"
#include "base/terminal.h"
#include "base/world.h"
#include "io/text_source.h"
#include "ops/backend.h"
#include "optim/parameter_plan.h"
#include "runs/assembly.h"
#include "runs/build_facts.h"
#include "runs/learning_curve.h"
#include "runs/resolve.h"
#include "runs/run_directory.h"
#include "runs/self_training.h"
#include "runs/task_assembly.h"
#include "runs/validation_fingerprint.h"
#include "tasks/task.h"
#include "text/tokenizer_json.h"
#include "train/run_lock.h"

namespace llmctl {

namespace {

/// Where the batch size of a run has changed, its rows go on behind those that were dealt.
void place_batches(Batching& batching, const std::vector<ConfigChange>& changes) {
  for (const ConfigChange& change : changes) {
    if (change.key != "train.batch_size") continue;
    batching.rows_before += static_cast<std::uint64_t>(change.step - batching.first_step) *
                            change.from.get<std::uint64_t>();
    batching.first_step = change.step;
  }
}

/// The run's parts that are neither the data's nor the model's.
class TrainingSetup {
 public:
  TrainingSetup(const ConfigNode& root, const TrainingConfig& config, const RunPlan& plan,
                const RunOptions& options)
      : train_(config.train),
        options_(options),
        plan_(plan),
        world_(make_local_world()),
        directory_(config.run.dir) {
    if (train_.micro_batch_size == 0) train_.micro_batch_size = train_.batch_size;
    const auto unit = train_.micro_batch_size * world_->size();
    if (train_.batch_size % unit != 0) {
      root.fail(
          "train.batch_size",
          concat(train_.batch_size, " is no multiple of micro_batch_size × processes = ", unit));
    }
    batching_.seed = static_cast<std::uint64_t>(config.run.seed);
    batching_.batch_size = train_.batch_size;
    batching_.micro_batch_size = train_.micro_batch_size;
    batching_.batch_tokens = train_.batch_tokens;
    batching_.micro_batch_tokens = train_.micro_batch_tokens;
    batching_.rank = world_->rank();
    batching_.world = world_->size();
    place_batches(batching_, plan.record.changes);
    if (batching_.first_step > 0 && train_.epochs) {
      root.fail(
          "train.batch_size",
          "may change only in a run whose length is in steps (train.steps): epochs are counted "
          "in steps of one size");
    }
    // A run keeps the kernels that it was started with, whatever "auto" would choose on this
    // machine.
    const Json chosen = plan.goes_on ? read_environment(directory_, "precision") : Json();
    const bool keep = train_.precision == "auto" && chosen.is_string();
    compute_ = assemble_compute(train_.device, keep ? chosen.get<std::string>() : train_.precision,
                                train_.threads, Purpose::kTraining);
    set_deterministic(train_.deterministic);
  }

  const Compute& compute() const { return compute_; }
  const TrainConfig& train() const { return train_; }
  const std::filesystem::path& directory() const { return directory_; }

  /// Claims the directory; `look` plans once more, now that nobody else can change it.
  void open_directory(const std::function<RunPlan()>& look) {
    make_directories(directory_);
    lock_ = std::make_unique<RunLock>(directory_);
    require(look().same_start(plan_), ErrorCode::kTemporary, directory_.string(),
            ": another process has changed it meanwhile; start again");
    open_run(directory_, plan_, options_.overwrite);
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
    if (plan_.goes_on) tell_other_kernels(environment);
    if (compute_.device.is_cpu() && compute_.dtype == at::kBFloat16 &&
        lacks_bf16_products(cpu_features())) {
      log_warning(
          "train.precision: bf16 is several times slower here than fp32, since this "
          "processor has no instructions for it; fp32 or auto is faster");
    }
    write_environment(directory_, environment);
  }

  LoadedModel load_teacher(const Student& student) const {
    return load_for_use(student.teacher(), compute_);
  }

  /// Lets a teacher say what it thinks of the task's texts.
  void teach(Student& student, LoadedModel teacher, const TaskData& data) const {
    TeachOptions how;
    how.batch_size = train_.micro_batch_size;
    how.sequence_length = data.sequence_length;
    how.context.compute = compute_.between_layers();
    student.learn_from(std::move(teacher.model), *teacher.tokenizer, how);
  }

  /// Runs the loop with precision and device as they were resolved.
  TrainingOutcome run(const TrainingConfig& config, const Task& task, Model& model,
                      const Tokenizer& tokenizer, const std::string& validation) {
    TrainConfig train = train_;
    train.precision = precision_name(compute_.dtype);
    train.device = compute_.device.str();
    const auto source = task.source(batching_);
    task.describe(model.config());
    model.to(compute_.device);
    const auto loss = task.loss(model);
    const auto validator = task.validator(model, train_.micro_batch_size, *world_);
    TrainingRun run{.model = model,
                    .source = *source,
                    .loss = *loss,
                    .validator = validator.get(),
                    .world = *world_,
                    .optim = config.optim,
                    .train = train,
                    .eval = config.eval,
                    .checkpoint = config.checkpoint,
                    .log = config.log,
                    .seed = static_cast<std::uint64_t>(config.run.seed),
                    .directory = directory_,
                    .best_score = task.best_score(),
                    .resume = true,
                    .save_extras =
                        [&](const std::filesystem::path& checkpoint_directory) {
                          tokenizer.save(checkpoint_directory, model.facts().max_positions);
                          if (const auto chat = task.chat_template())
                            replace_chat_template(checkpoint_directory, *chat);
                          if (const auto side = task.truncation_side())
                            replace_truncation_side(checkpoint_directory, *side);
                        },
                    .epoch_offset = epochs_before(*source),
                    .source_changed = source_changed(),
                    .validation = validation,
                    .reduce_gradients = {},
                    .lock = lock_.get()};
    TrainingOutcome outcome = run_training(run);
    set_log_file({});
    return outcome;
  }

 private:
  /// Kernels that this machine chooses otherwise round otherwise: the run goes on, to weights that
  /// are not bit for bit those of the machine that it began on.
  void tell_other_kernels(const Json& now) const {
    std::vector<std::string> others;
    for (const char* name : {"libtorch", "cpu_capability", "fp32_products", "precision"}) {
      const Json then = read_environment(directory_, name);
      if (then.is_null() || then == now.at(name)) continue;
      others.push_back(concat(name, " ", dump_json(now.at(name)), ", before ", dump_json(then)));
    }
    if (!others.empty())
      log_warning("the run goes on with other kernels, whose results differ in the last bits: ",
                  join(others));
  }

  /// What step / steps_per_epoch lacks or has too much where the batch size has changed.
  double epochs_before(const Source& source) const {
    const auto steps = static_cast<double>(std::max<std::int64_t>(source.steps_per_epoch(), 1));
    return static_cast<double>(batching_.rows_before) /
               (steps * static_cast<double>(batching_.batch_size)) -
           static_cast<double>(batching_.first_step) / steps;
  }

  /// Whether the weights of the data change where this part begins.
  bool source_changed() const {
    return std::any_of(
        plan_.record.changes.begin(), plan_.record.changes.end(), [&](const ConfigChange& change) {
          return change.step == plan_.step &&
                 (change.key.starts_with("data.train.") || change.key == "data.temperature");
        });
  }

  TrainConfig train_;
  const RunOptions& options_;
  const RunPlan& plan_;
  std::unique_ptr<World> world_;
  std::filesystem::path directory_;
  Batching batching_;
  Compute compute_;
  std::unique_ptr<RunLock> lock_;
};

/// That the score which decides what is best, and when to stop early, is one that the validations
/// give, and that there are such validations.
void check_best_score(const ConfigNode& root, const TrainingConfig& config, const Task& task,
                      bool validated) {
  const std::vector<ScoreKind> kinds = task.validation_scores();
  const std::string& keep_best = config.checkpoint.keep_best;
  const std::string name = best_score_of(config.checkpoint, task.best_score());
  const ScoreKind* kind = find_kind(kinds, name);
  if (kind == nullptr) {
    std::vector<std::string> known;
    std::string list;
    for (const ScoreKind& one : kinds) {
      known.push_back("valid/" + one.name);
      list += (list.empty() ? "" : ", ") + known.back();
    }
    root.fail("checkpoint.keep_best",
              concat("no validation gives ", keep_best, ", expected one of ", list,
                     did_you_mean(keep_best, known)));
  }
  const bool only_at_end = config.eval.every == 0 && !config.train.epochs;
  const auto require_validation = [&](const char* key, bool asked, bool at_end_will_do) {
    if (!asked) return;
    if (!validated) root.fail(key, "needs validation data (data.valid)");
    if (only_at_end && !(at_end_will_do && config.eval.at_end)) {
      root.fail(key, at_end_will_do ? "nothing is ever validated; set eval.every"
                                    : "validation is only at the end; set eval.every");
    }
  };
  require_validation("checkpoint.keep_best", !keep_best.empty(), true);
  require_validation("train.patience", config.train.patience > 0, false);
}

/// kConfig for patterns of parameters that the model does not have, before data are prepared.
void check_parameter_plan(const OptimConfig& config, const Model& model) {
  std::vector<std::string> names;
  for (const auto& [name, parameter] : model.parameters()) names.push_back(name);
  plan_parameters(config, names, model.decayed());
}

std::string batch_plan(const TrainConfig& train, std::int64_t sequence_length) {
  if (train.batch_tokens == 0) {
    return concat(train.batch_size, " sequences of at most ", sequence_length, " tokens, ",
                  train.batch_size / train.micro_batch_size, " forward passes of ",
                  train.micro_batch_size);
  }
  const std::string passes = train.micro_batch_tokens > 0
                                 ? concat(", forward passes of about ", train.micro_batch_tokens)
                                 : std::string();
  return concat("sequences of at most ", sequence_length, " tokens, as many as have ",
                train.batch_tokens, passes);
}

/// The lines of a dry run that need no data.
std::vector<std::pair<std::string, std::string>> plan_of(const TrainingReport& report,
                                                         const TrainingSetup& setup,
                                                         const Tokenizer& tokenizer,
                                                         std::int64_t sequence_length) {
  const TrainConfig& train = setup.train();
  const auto bytes = static_cast<std::uint64_t>(report.parameters);
  const ModelFacts& facts = report.facts;
  const std::int64_t most =
      train.batch_tokens > 0 ? train.batch_tokens : train.batch_size * sequence_length;
  return {
      {"run directory", report.directory.string()},
      {"model",
       concat(facts.architecture, ", ", format_count(static_cast<double>(report.parameters)),
              " parameters, ", facts.layers, " layers, width ", facts.hidden_size, ", ",
              facts.heads, " heads")},
      {"tokenizer", tokenizer.description()},
      {"length", train.steps ? concat(*train.steps, " steps") : concat(*train.epochs, " epochs")},
      {"batch", batch_plan(train, sequence_length)},
      {"tokens per step", concat("at most ", format_count(static_cast<double>(most)))},
      {"device", concat(setup.compute().device.str(), ", ", precision_name(setup.compute().dtype),
                        ", ", setup.compute().threads, " threads")},
      {"memory", concat(format_bytes(bytes * 16),
                        " for weights, gradients and optimiser, and the activations")},
      {"a checkpoint", format_bytes(bytes * 12)},
  };
}

/// How the directory is met, and what changes there.
std::vector<std::pair<std::string, std::string>> plan_lines(const RunPlan& plan) {
  std::vector<std::pair<std::string, std::string>> lines;
  lines.emplace_back("start", plan.goes_on ? "goes on with the run in it" : "from the beginning");
  for (const std::string& kept : plan.kept) lines.emplace_back("as in the run", kept);
  for (const ConfigChange& change : plan.record.changes) {
    lines.emplace_back(
        concat("from step ", change.step),
        concat(change.key, " ", dump_json(change.to), ", before ", dump_json(change.from)));
  }
  return lines;
}

/// The same with the task's section under one of its two names.
Json resolved_as(const Json& resolved, const std::string& name) {
  Json out = Json::object();
  for (const auto& [key, value] : resolved.items())
    out[key == "task" || key == "objective" ? name : key] = value;
  return out;
}

RunPlan plan_training(JsonDocument& document, const RunOptions& options) {
  const ConfigNode root = root_node(document);
  const TrainingConfig config = read_training_config(root);
  if (config.run.dir.empty())
    root.fail("run.dir", "missing; name the directory that the run shall live in");
  const std::vector<FieldDoc> fields = training_fields(root);
  const auto resolve = [&](const JsonDocument& read) {
    const ConfigNode node = root_node(read);
    Json resolved = resolved_training_config(node, read_training_config(node));
    make_paths_absolute(resolved, fields);
    return resolved_as(resolved, task_section_name(root));
  };
  return plan_run(config.run.dir, document, fields, resolve,
                  {options.overwrite, options.change, config.run.resume != "never"});
}

}  // namespace

TrainingReport train_from_config(const std::string& command, const JsonDocument& given,
                                 const RunOptions& options) {
  if (given.value.contains("self_training") && !given.value.at("self_training").is_null())
    return self_train(command, given, options);
  if (given.value.contains("learning_curve") && !given.value.at("learning_curve").is_null())
    return learning_curve(command, given, options);
  // What the run in the directory says where this document says nothing is added to it.
  JsonDocument document = given;
  const auto look = [&] { return plan_training(document, options); };
  const RunPlan run_plan = look();
  const ConfigNode root = root_node(document);
  const TrainingConfig config = read_training_config(root);
  const AssembledTask assembled = assemble_task(root, config, command);
  const auto& [tokenizer, task, data, head, raw_text] = assembled;
  warn_of_other_tokenizer(root, config.tokenizer, *tokenizer);
  TrainingSetup setup(root, config, run_plan, options);
  // The classes of a task are those of its data; text becomes shards when the run begins.
  if (raw_text) {
    task->check_data(data);
  } else {
    task->read(data);
  }
  const auto seed = static_cast<std::uint64_t>(config.run.seed);
  auto model = assemble_model(root.child("model"), *tokenizer,
                              {head, task->labels(), task->problem_type()}, seed, options.dry_run);
  if (head == HeadKind::kSpan && model->facts().causal) {
    log_warning(
        model->facts().architecture,
        ": a decoder reads from left to right and judges each word of a passage without what "
        "follows; an encoder (bert, roberta) learns to answer from passages better");
  }
  begin_with_vectors(*model, *tokenizer, root, config.tokenizer);
  adapt(*model, root, config.lora, seed);
  check_best_score(root, config, *task, data.holds_out());
  check_parameter_plan(config.optim, *model);
  task->check_model(*model);

  TrainingReport report;
  report.command = command;
  report.kind = task->type();
  report.records = task->training_records();
  report.directory = setup.directory();
  report.facts = model->facts();
  report.parameters = model->parameter_count();
  report.generate_flags = task->generate_flags();
  auto* const student = dynamic_cast<Student*>(task.get());
  std::optional<LoadedModel> teacher;
  if (student != nullptr && !student->teacher().empty()) {
    teacher = setup.load_teacher(*student);
    student->check_teacher(*teacher->model, *teacher->tokenizer, *model);
  }
  if (options.dry_run) {
    report.plan = plan_of(report, setup, *tokenizer, data.sequence_length);
    const auto start = plan_lines(run_plan);
    report.plan.insert(report.plan.begin() + 1, start.begin(), start.end());
    return report;
  }
  setup.open_directory(look);
  if (raw_text) task->read(data);
  if (teacher) setup.teach(*student, std::move(*teacher), data);
  report.outcome =
      setup.run(config, *task, *model, *tokenizer,
                validation_fingerprint(data, *task, root.child(task_section_name(root))));
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
  if (records > 0) json["records"] = records;
  json["steps"] = outcome.steps;
  json["tokens"] = outcome.tokens;
  json["seconds"] = outcome.seconds;
  if (!outcome.scores.empty()) json["scores"] = outcome.scores.values();
  if (!outcome.best_scores.empty()) {
    json["best"] = {{"step", outcome.best_step},
                    {"score", outcome.best_score},
                    {"value", outcome.best},
                    {"scores", outcome.best_scores.values()}};
  }
  if (!outcome.best_directory.empty()) json["best_directory"] = outcome.best_directory.string();
  json["last_directory"] = outcome.last_directory.string();
  if (!self_training.is_null()) json["self_training"] = self_training;
  if (!learning_curve.is_null()) json["learning_curve"] = learning_curve;
  if (!outcome.stopped.empty()) json["stopped"] = outcome.stopped;
  return json;
}

}  // namespace llmctl
