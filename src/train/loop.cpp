#include "train/loop.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>

#include "base/error.h"
#include "base/fault.h"
#include "base/files.h"
#include "base/log.h"
#include "base/signals.h"
#include "base/terminal.h"
#include "ops/backend.h"
#include "optim/average.h"
#include "optim/kept_values.h"
#include "optim/parameter_plan.h"
#include "train/checkpoint.h"
#include "train/meters.h"
#include "train/prefetch.h"
#include "train/step.h"

namespace llmctl {
namespace {

constexpr int kMostSaveFailures = 3;

class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// A mean loss; "-" where there was nothing to take it of.
std::string shown_loss(const LossMeter& meter) {
  if (std::isnan(meter.loss())) return "-";
  char text[64];
  std::snprintf(text, sizeof text, "%.4f", meter.loss());
  return text;
}

std::string short_number(double value) {
  char text[64];
  std::snprintf(text, sizeof text, "%.3g", value);
  return text;
}

std::string format_rate(double tokens_per_second) {
  return format_count(tokens_per_second) + " tokens/s";
}

class Trainer {
 public:
  explicit Trainer(const TrainingRun& run);
  TrainingOutcome train();

 private:
  void choose_parameters();
  std::int64_t steps_of_run() const;
  void start();
  void resume();
  bool other_scores() const;
  void resume_best();
  void score_best_anew();
  void forget_best();
  void advance(const std::vector<Batch>& batches);
  void record_step(const StepResult& result, double lr);
  void skip(const StepResult& result);
  void settle();
  bool validation_due() const;
  ValidationResult scores_now();
  bool validate();
  void save(bool last);
  int signal_on_any_rank();
  TrainingOutcome outcome();

  double epoch() const {
    return static_cast<double>(state_.step) / static_cast<double>(steps_per_epoch_) +
           run_.epoch_offset;
  }
  double seconds() const { return seconds_before_ + clock_.seconds(); }
  /// "  ETA 3 min 05 s" of a run that no progress line on a terminal tells it of.
  std::string time_left() const {
    if (is_terminal(STDERR_FILENO) || state_.step == total_) return "";
    const double each = clock_.seconds() / static_cast<double>(state_.step - first_step_);
    return "  ETA " + format_duration(each * static_cast<double>(total_ - state_.step));
  }

  const TrainingRun& run_;
  World& world_;
  const bool main_;
  const std::int64_t steps_per_epoch_, total_;
  NamedTensors parameters_;
  std::vector<ParameterPlan> plans_;  // of each parameter
  std::unique_ptr<Optimizer> optimizer_;
  std::string best_key_;  // one of the validator's scores
  at::ScalarType compute_ = at::kFloat;

  std::unique_ptr<RunLock> lock_;
  TrainerState state_;
  LossMeter window_, epoch_meter_;
  MetricsFile metrics_;
  Stopwatch clock_;
  double seconds_before_ = 0;
  std::int64_t saved_step_ = 0, first_step_ = 0;  // first_step_: where this process went on
  Json described_;                                // the model's config.json as the task has it
  /// best, best_step and best_scores before the last validation changed them.
  std::tuple<std::optional<double>, std::int64_t, Json> before_best_{std::nullopt, 0,
                                                                     Json::object()};
  int save_failures_ = 0, signal_ = 0, exit_status_ = 0;
  std::string stopped_, progress_;
};

Trainer::Trainer(const TrainingRun& run)
    : run_(run),
      world_(run.world),
      main_(run.world.is_main()),
      steps_per_epoch_(std::max<std::int64_t>(run.source.steps_per_epoch(), 1)),
      total_(steps_of_run()) {
  choose_parameters();
  optimizer_ = make_optimizer(run.optim, parameters_, plans_);
  if (const NamedTensors own = run.loss.parameters(); !own.empty())
    optimizer_ = with_values(std::move(optimizer_), own);

  best_key_ = best_score_of(run.checkpoint, run.best_score);
  require(run.train.patience == 0 || run.validator, ErrorCode::kConfig,
          "train.patience: early stop needs validation data (data.valid)");
  const std::int64_t rows =
      run.train.micro_batch_size > 0 ? run.train.micro_batch_size * world_.size() : world_.size();
  require(run.train.batch_tokens > 0 || run.train.batch_size % rows == 0, ErrorCode::kConfig,
          "train.batch_size: ", run.train.batch_size,
          " is not micro_batch_size × accumulation × processes, expected a ", "multiple of ", rows);
}

/// Those that are trained, now or later; the others lose their gradient.
void Trainer::choose_parameters() {
  const std::vector<bool> decayed = run_.model.decayed();
  const auto all = run_.model.parameters();
  std::vector<std::string> names;
  for (const auto& [name, parameter] : all) names.push_back(name);
  const std::vector<ParameterPlan> plans = plan_parameters(run_.optim, names, decayed);
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!all[i].second.requires_grad()) continue;  // an adapter's base
    if (plans[i].frozen) {
      at::Tensor(all[i].second).set_requires_grad(false);
      continue;
    }
    parameters_.push_back(all[i]);
    plans_.push_back(plans[i]);
  }
  for (const auto& parameter : run_.loss.parameters()) {
    parameters_.push_back(parameter);
    plans_.push_back({.decay = true});
  }
}

std::int64_t Trainer::steps_of_run() const {
  require(run_.train.steps.has_value() != run_.train.epochs.has_value(), ErrorCode::kConfig,
          "train: expected exactly one of steps and epochs");
  return run_.train.steps ? *run_.train.steps : *run_.train.epochs * steps_per_epoch_;
}

void Trainer::start() {
  set_deterministic(run_.train.deterministic);
  described_ = run_.model.config();
  on_main(world_, [this] {
    make_directories(run_.directory / "checkpoints");
    if (!run_.lock) lock_ = std::make_unique<RunLock>(run_.directory);
  });
  if (run_.resume) {
    resume();
  } else {
    require(list_checkpoints(run_.directory).empty(), ErrorCode::kCannotCreate,
            run_.directory.string(), ": holds checkpoints already; resume the run, or remove them");
  }
  compute_ = resolve_precision(run_.train.precision == "auto" && !state_.precision.empty()
                                   ? state_.precision
                                   : run_.train.precision,
                               run_.model.device(), Purpose::kTraining);
  state_.precision = compute_ == at::kBFloat16 ? "bf16" : "fp32";
  state_.source_fingerprint = run_.source.fingerprint();
  state_.source_content = run_.source.content();
  const bool scores_anew = other_scores();
  if (run_.validator != nullptr) state_.validation = run_.validation;
  state_.best_score = best_key_;
  seconds_before_ = state_.seconds;
  saved_step_ = state_.step;
  on_main(world_, [this] {
    discard_checkpoints_after(run_.directory, state_.step);
    link_checkpoints(run_.directory, state_.step, state_.best_step);
    metrics_ = MetricsFile(run_.directory, state_.step);
  });
  if (scores_anew) score_best_anew();
}

/// Whether the scores so far are of other data than those to come, or of another kind.
bool Trainer::other_scores() const {
  return run_.validator != nullptr && !state_.validation.empty() && !run_.validation.empty() &&
         state_.validation != run_.validation;
}

void Trainer::resume() {
  double step = -1;
  on_main(world_, [&] {
    if (const auto found = find_good_checkpoint(run_.directory)) {
      step = static_cast<double>(read_trainer_state(*found).step);
    } else {
      const auto damaged = list_checkpoints(run_.directory);
      require(damaged.empty(), ErrorCode::kData, (run_.directory / "checkpoints").string(),
              ": none of ", damaged.size(),
              " checkpoints is whole; restore one, or start anew with --overwrite");
    }
  });
  world_.broadcast({&step, 1});
  if (step < 0) return;
  const fs::path checkpoint = checkpoint_directory(run_.directory, static_cast<std::int64_t>(step));
  const TrainerState saved = read_trainer_state(checkpoint);
  const bool same = run_.source_changed ? saved.source_content.empty() ||
                                              saved.source_content == run_.source.content()
                                        : saved.source_fingerprint == run_.source.fingerprint();
  require(
      same, ErrorCode::kConfig, "the run in ", run_.directory.string(),
      " was made with other training data, or with another tokenizer (the content of "
      "data.train or tokenizer.path has changed, or data.valid holds out other texts of what is "
      "learnt from); restore it, go on with its model as a new run "
      "(-m ",
      run_.directory.string(), " -o NEW), or start anew with --overwrite");
  load_checkpoint(checkpoint, run_.model, *optimizer_, state_);
  resume_best();
  window_.restore(state_.meters.value("window", LossMeter().state()));
  epoch_meter_.restore(state_.meters.value("epoch", LossMeter().state()));
  if (main_) log_info("going on from ", checkpoint.string(), " (step ", state_.step, ")");
}

/// The best so far by the score that decides now, which may have changed.
void Trainer::resume_best() {
  if (state_.best_step > 0 && !fs::exists(checkpoint_directory(run_.directory, state_.best_step))) {
    if (main_) {
      log_warning("the best checkpoint, of step ", state_.best_step,
                  ", is gone; the best is looked for anew");
    }
    forget_best();
  }
  const bool changed = !state_.best_score.empty() && state_.best_score != best_key_;
  if (changed) {
    if (main_) log_info("checkpoint.keep_best is now ", kValidPrefix, best_key_);
    state_.bad_validations = 0;
  }
  if (other_scores()) return;  // the best is scored anew
  if (changed) {
    // Of the checkpoints that are certainly there the better one: the best so far, and this one.
    const Scores here = Scores::from_json(state_.scores);
    if (state_.validated_step == state_.step &&
        compare(here, Scores::from_json(state_.best_scores), best_key_) != Standing::kWorse) {
      state_.best_step = state_.step;
      state_.best_scores = state_.scores;
    }
  }
  const Scores best = Scores::from_json(state_.best_scores);
  const Score* score = best.find(best_key_);
  if (score != nullptr && std::isfinite(score->value)) {
    state_.best = score->value;
  } else {
    forget_best();
  }
}

/// The best so far by what is scored now.
void Trainer::score_best_anew() {
  const std::int64_t best_step = state_.best_step;
  forget_best();
  state_.bad_validations = 0;
  state_.validated_step = 0;
  if (main_) {
    log_info("what validation scores has changed (data.valid, or a key of the task); ",
             best_step > 0 ? concat("the best so far, of step ", best_step, ", is scored anew")
                           : std::string("earlier scores do not count"));
  }
  // Where the run stands it is validated, if validation is due there.
  if (best_step == 0 || (best_step == state_.step && validation_due())) return;
  const Json config = run_.model.config();
  run_.model.load_weights(checkpoint_directory(run_.directory, best_step));
  const ValidationResult result = scores_now();
  state_.best = result.scores.find(best_key_)->value;
  state_.best_step = best_step;
  state_.best_scores = result.scores.to_json();
  // Back to where the run stands.
  run_.model.config() = config;
  const TrainerState state = state_;
  load_checkpoint(checkpoint_directory(run_.directory, state_.step), run_.model, *optimizer_,
                  state_);
  state_ = state;
}

void Trainer::forget_best() {
  state_.best.reset();
  state_.best_step = 0;
  state_.best_scores = Json::object();
}

TrainingOutcome Trainer::train() {
  const GracefulStop graceful;  // the step is finished and saved
  start();
  if (main_ && state_.step == total_) log_info("all ", total_, " steps are done already");
  Prefetcher batches(run_.source, state_.step, total_, run_.model.device().is_cuda());
  std::unique_ptr<Progress> progress;
  if (main_) {
    // Elsewhere than on a terminal the lines of the steps tell how far it is.
    constexpr double kNever = 1e18;
    progress = std::make_unique<Progress>("train", static_cast<std::uint64_t>(total_), kNever);
    progress->update(static_cast<std::uint64_t>(state_.step));
  }
  first_step_ = state_.step;
  for (settle(); stopped_.empty() && state_.step < total_; settle()) {
    advance(batches.next());
    if (progress) progress->update(static_cast<std::uint64_t>(state_.step), progress_);
    fault_point("step");
    signal_ = signal_on_any_rank();
  }
  if (progress) progress->finish();
  return outcome();
}

/// One step: the update and its records.
void Trainer::advance(const std::vector<Batch>& batches) {
  const Stopwatch clock;
  const double lr = learning_rate(run_.optim, state_.step, total_);
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    parameters_[i].second.set_requires_grad(state_.step >= plans_[i].first_step);
  }
  const StepResult result = compute_gradients(run_, parameters_, compute_, state_.step, batches);
  if (result.finite) {
    const double clip = run_.optim.clip_norm;
    // As torch.nn.utils.clip_grad_norm_ scales, folded into the update's own pass.
    const double divisor = clip > 0 ? std::max(1.0, (result.gradient_norm + 1e-6) / clip) : 1.0;
    optimizer_->step(lr, divisor);
  }
  for (auto& [name, parameter] : parameters_) parameter.mutable_grad().reset();
  ++state_.step;
  state_.tokens += result.tokens;
  const double seconds = clock.seconds();
  for (LossMeter* meter : {&window_, &epoch_meter_}) {
    if (result.finite) {
      meter->add(result.terms, result.tokens, seconds);
    } else {
      meter->add_skipped(result.tokens, seconds);
    }
  }
  if (!result.finite) {
    skip(result);
  } else {
    state_.skipped_in_row = 0;
  }
  progress_ = concat("loss ", shown_loss(window_), "  ", format_rate(window_.tokens_per_second()));
  record_step(result, lr);
}

void Trainer::skip(const StepResult& result) {
  ++state_.skipped;
  ++state_.skipped_in_row;
  const std::string what =
      concat("loss ", total_loss(result.terms), ", gradient norm ", result.gradient_norm);
  if (main_) {
    log_warning("step ", state_.step, ": ", what, "; its update is left out (",
                state_.skipped_in_row, " in a row)");
  }
  if (state_.skipped_in_row < run_.train.max_skipped) return;
  const std::string newest =
      saved_step_ > 0 ? checkpoint_directory(run_.directory, saved_step_).string() : "none";
  fail(ErrorCode::kInternal, "steps ", state_.step - state_.skipped_in_row + 1, " to ", state_.step,
       " gave no finite loss and gradient (last: ", what, "); the newest checkpoint is ", newest,
       "; lower optim.lr, lengthen optim.warmup_steps or look at the data of these steps");
}

void Trainer::record_step(const StepResult& result, double lr) {
  const bool epoch_ends = state_.step % steps_per_epoch_ == 0 || state_.step == total_;
  const bool due = state_.step % run_.log.every == 0;
  if (due || state_.step == total_) {
    Json record = {{"step", state_.step}, {"epoch", epoch()}, {"split", "train"}};
    window_.describe(record);
    record["lr"] = lr;
    record["grad_norm"] = result.gradient_norm;
    record["tokens"] = state_.tokens;
    record["tokens_per_second"] = window_.tokens_per_second();
    record["seconds"] = seconds();
    // The last step of a run in epochs gets the epoch's line.
    if (main_ && (due || !run_.train.epochs)) {
      log_info("step ", state_.step, "/", total_, "  loss ", shown_loss(window_), "  lr ",
               short_number(lr), "  grad norm ", short_number(result.gradient_norm), "  ",
               format_rate(window_.tokens_per_second()), time_left());
    }
    metrics_.write(record);
    window_.reset();
  }
  if (run_.train.epochs && epoch_ends) {
    Json record = {{"step", state_.step}, {"epoch", epoch()}, {"split", "epoch"}};
    epoch_meter_.describe(record);
    record["tokens"] = state_.tokens;
    record["tokens_per_second"] = epoch_meter_.tokens_per_second();
    record["seconds"] = seconds();
    if (main_) {
      log_info("epoch ", state_.step / steps_per_epoch_, "/", *run_.train.epochs, "  loss ",
               shown_loss(epoch_meter_), "  ", format_rate(epoch_meter_.tokens_per_second()));
    }
    metrics_.write(record);
    epoch_meter_.reset();
  }
}

/// What follows a step: validation, checkpoint, the decision to stop. On a resumed run it makes up
/// for what a signal cut off.
void Trainer::settle() {
  if (state_.step == 0) return;
  bool better = false, validated = false;
  if (signal_ == 0 && validation_due()) {
    try {
      better = validate();
      validated = true;
    } catch (const Interrupted& interrupted) {
      signal_ = interrupted.signal();  // the resumed run validates
    }
  }
  if (signal_ != 0) {
    stopped_ = signal_ == SIGINT ? "SIGINT" : "SIGTERM";
    exit_status_ = 128 + signal_;
  } else if (run_.train.patience > 0 && state_.bad_validations >= run_.train.patience &&
             state_.step < total_) {
    stopped_ = "early stop";
    if (main_) {
      log_info("stopping early at step ", state_.step, ": ", state_.bad_validations,
               " validations in a row without a better score");
    }
  }
  const bool last = !stopped_.empty() || state_.step == total_;
  const bool due = run_.checkpoint.every > 0 && state_.step % run_.checkpoint.every == 0;
  // A checkpoint that was saved without its validation is saved anew with what that has fitted.
  const bool saved = state_.step == saved_step_;
  if (saved ? validated : better || last || due) save(last);
}

bool Trainer::validation_due() const {
  if (!run_.validator || state_.validated_step == state_.step) return false;
  if (state_.step == total_ && run_.eval.at_end) return true;
  if (run_.eval.every > 0) return state_.step % run_.eval.every == 0;
  return run_.train.epochs && state_.step % steps_per_epoch_ == 0;
}

/// The scores of the model as it is. kConfig where the one that decides is not among them.
ValidationResult Trainer::scores_now() {
  Context context;
  context.compute = compute_;
  const at::NoGradGuard no_grad;
  ValidationResult result = run_.validator->validate(context);
  const Score* score = result.scores.find(best_key_);
  if (score == nullptr || score->kind.better == Direction::kNone) {
    std::string names;
    for (const Score& known : result.scores) names += concat(" ", kValidPrefix, known.kind.name);
    fail(ErrorCode::kConfig,
         "checkpoint.keep_best: ", score ? "nothing is better or worse in " : "no score ",
         kValidPrefix, best_key_, ", this run's scores are", names);
  }
  return result;
}

/// True when the score is the best so far, or as good as that.
bool Trainer::validate() {
  const Stopwatch clock;
  ValidationResult result;
  {
    const AveragedWeights average(*optimizer_);
    result = scores_now();
  }
  const Score* score = result.scores.find(best_key_);
  double standing =
      static_cast<double>(compare(result.scores, Scores::from_json(state_.best_scores), best_key_));
  world_.broadcast({&standing, 1});
  const auto result_standing = static_cast<Standing>(static_cast<int>(standing));
  const bool better = result_standing != Standing::kWorse;
  state_.validated_step = state_.step;
  state_.scores = result.scores.to_json();
  if (better) {
    before_best_ = {state_.best, state_.best_step, state_.best_scores};
    state_.best = score->value;
    state_.best_step = state_.step;
    state_.best_scores = state_.scores;
  }
  // What is merely equal is kept, and is no progress.
  state_.bad_validations = result_standing == Standing::kBetter ? 0 : state_.bad_validations + 1;
  if (!main_) return better;
  Json record = {{"step", state_.step}, {"epoch", epoch()}, {"split", "valid"}};
  std::string line;
  record.update(result.scores.values());
  for (const Score& one : result.scores) line += "  " + one.kind.name + " " + format_score(one);
  record["seconds"] = seconds();
  metrics_.write(record);
  log_info("step ", state_.step, "/", total_, "  validation:", line, better ? "  (best)" : "", "  ",
           format_duration(clock.seconds()));
  if (!result.samples.empty()) log_info("  samples: input → answer   [expected]");
  for (std::string sample : result.samples) {
    for (std::size_t at = 0; (at = sample.find('\n', at)) != sample.npos;)
      sample.replace(at, 1, "\\n");
    log_info("  ", escape_control(sample));
  }
  return better;
}

/// `last`: nothing follows that could make up for a failure.
void Trainer::save(bool last) {
  state_.seconds = seconds();
  state_.meters = {{"window", window_.state()}, {"epoch", epoch_meter_.state()}};
  state_.answering = fitted_answering(run_.model.config(), described_);
  double failed = 0;
  std::string reason;
  if (main_) {
    try {
      const AveragedWeights average(*optimizer_);
      save_checkpoint(run_.directory, run_.model, *optimizer_, state_, run_.save_extras);
      link_checkpoints(run_.directory, state_.step, state_.best_step);
      prune_checkpoints(run_.directory, run_.checkpoint.keep_last);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kIo && error.code() != ErrorCode::kCannotCreate) throw;
      reason = error.what();
    } catch (const fs::filesystem_error& error) {
      reason = error.what();
    }
    failed = reason.empty() ? 0 : 1;
  }
  world_.broadcast({&failed, 1});
  if (failed == 0) {
    saved_step_ = state_.step;
    save_failures_ = 0;
    return;
  }
  ++save_failures_;
  if (state_.best_step == state_.step) {
    // `best` can only be a checkpoint that is there.
    std::tie(state_.best, state_.best_step, state_.best_scores) = before_best_;
  }
  const bool give_up = last || save_failures_ >= kMostSaveFailures;
  if (main_) {
    const std::string text =
        concat("the checkpoint of step ", state_.step, " could not be saved: ", reason, " (",
               save_failures_, " in a row)");
    if (give_up) {
      log_error(text, "; the run ends here");
    } else {
      log_warning(text, "; the run goes on");
    }
  }
  if (!give_up) return;
  exit_status_ = static_cast<int>(ErrorCode::kIo);
  if (stopped_.empty()) stopped_ = "disk full";
}

int Trainer::signal_on_any_rank() {
  double signal = stop_requested();
  world_.max({&signal, 1});
  return static_cast<int>(signal);
}

TrainingOutcome Trainer::outcome() {
  TrainingOutcome outcome;
  outcome.steps = state_.step;
  outcome.skipped = state_.skipped;
  outcome.best_step = state_.best_step;
  outcome.best = state_.best.value_or(0);
  outcome.best_score = kValidPrefix + best_key_;
  outcome.scores = Scores::from_json(state_.scores);
  outcome.best_scores = Scores::from_json(state_.best_scores);
  outcome.seconds = seconds();
  outcome.tokens = state_.tokens;
  outcome.stopped = stopped_;
  outcome.exit_status = exit_status_;
  outcome.best_directory = linked_checkpoint(run_.directory, "best").value_or(fs::path());
  if (saved_step_ > 0) outcome.last_directory = checkpoint_directory(run_.directory, saved_step_);
  return outcome;
}

}  // namespace

TrainingOutcome run_training(const TrainingRun& run) {
  TrainingOutcome outcome;
  translate_torch_errors([&] { outcome = Trainer(run).train(); });
  return outcome;
}

}  // namespace llmctl
