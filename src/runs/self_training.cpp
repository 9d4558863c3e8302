#include "runs/self_training.h"

#include <optional>

#include "base/files.h"
#include "base/log.h"
#include "base/strings.h"
#include "io/text_source.h"
#include "runs/assembly.h"
#include "runs/staged_run.h"
#include "tasks/task.h"
#include "tasks/teacher.h"

namespace llmctl {
namespace {

class SelfTraining {
 public:
  SelfTraining(std::string command, const JsonDocument& document, const RunOptions& options)
      : command_(std::move(command)),
        document_(document),
        options_(options),
        config_(read_training_config(root_node(document_))),
        section_(*config_.self_training),
        directory_(config_.run.dir),
        run_(directory_, "self_training", "self-training") {}

  TrainingReport run() {
    check();
    if (options_.dry_run) return plan();
    open();
    TrainingReport best;
    for (std::int64_t round = 0; round <= section_.rounds; ++round) {
      if (round > 0 && !taught(round)) break;
      TrainingReport report = train(round);
      if (report.outcome.exit_status != 0) return finished(std::move(report));
      if (!keep(round, report, best)) break;
    }
    run_.write_state();
    return finished(std::move(best));
  }

 private:
  /// What the trainings would refuse too late, or not at all.
  void check() const {
    const ConfigNode root = root_node(document_);
    if (config_.run.dir.empty())
      root.fail("run.dir", "missing; name the directory that the run shall live in");
    if (config_.data.valid.paths.empty() && !config_.data.valid.share()) {
      root.fail("self_training",
                "needs validation data (data.valid), which decides whether a round helps");
    }
    const ConfigNode task = required_section(root, task_section_name(root), "");
    const auto made = make_task(task, assemble_tokenizer(root, config_.tokenizer));
    if (dynamic_cast<const Teacher*>(made.get()) == nullptr)
      root.fail("self_training", concat("is for sequence_classification, not for ", made->type()));
    if (made->problem_type() == ProblemType::kRegression)
      root.fail("self_training", "numbers (problem_type regression) have no probabilities");
    expand_paths(section_.unlabelled);
  }

  TrainingReport plan() {
    TrainingReport report = train(0);
    report.directory = directory_;
    report.plan.emplace_back("then", concat("at most ", section_.rounds, " rounds with texts of ",
                                            join(section_.unlabelled), " labelled by the model"));
    return report;
  }

  void open() {
    run_.open(document_, options_);
    config_ = read_training_config(root_node(document_));
    section_ = *config_.self_training;
    make_directories(directory_ / "taught");
    if (!run_.state().contains("rounds")) run_.state() = {{"rounds", Json::array()}};
  }

  std::filesystem::path taught_file(std::int64_t round) const {
    return directory_ / "taught" / concat(round, ".jsonl");
  }

  TrainingReport train(std::int64_t round) const {
    JsonDocument document = document_;
    document.value.erase("self_training");
    document.value["run"]["dir"] = (directory_ / "rounds" / std::to_string(round)).string();
    if (round > 0) {
      Json files = config_.data.train_only;
      files.push_back(taught_file(round).string());
      document.value["data"]["train_only"] = std::move(files);
      log_info("self-training, round ", round);
    }
    RunOptions options = options_;
    options.overwrite = false;
    return train_from_config(command_, document, options);
  }

  /// Writes what a round learns from, where it is not there yet; false where nothing is sure
  /// enough.
  bool taught(std::int64_t round) {
    const std::filesystem::path file = taught_file(round);
    Json& facts = facts_of(round);
    if (std::filesystem::exists(file) && facts.contains("taught")) return facts["taught"] > 0;
    const Compute compute = assemble_compute(config_.train.device, config_.train.precision,
                                             config_.train.threads, Purpose::kTraining);
    const LoadedModel teacher = load_for_use((directory_ / "best").string(), compute);
    const ConfigNode root = root_node(document_);
    const auto task = make_task(root.child(task_section_name(root)), teacher.tokenizer);
    TeachOptions how;
    how.batch_size = config_.train.micro_batch_size > 0 ? config_.train.micro_batch_size
                                                        : config_.train.batch_size;
    how.sequence_length = config_.data.sequence_length.value_or(default_sequence_length(false));
    how.skip_bad = config_.data.skip_bad;
    how.context.compute = compute.between_layers();
    const TaughtRecords taught = dynamic_cast<const Teacher&>(*task).teach(
        *teacher.model, expand_paths(section_.unlabelled), section_, how);
    std::string lines;
    for (const Json& record : taught.records) lines += dump_json(record) + "\n";
    write_file(file, lines);
    facts["seen"] = taught.seen;
    facts["taught"] = taught.records.size();
    facts["counts"] = taught.counts;
    run_.write_state();
    std::vector<std::string> counts;
    for (const auto& [label, count] : taught.counts) counts.push_back(concat(label, " ", count));
    log_info("self-training, round ", round, ": ", taught.records.size(), " of ", taught.seen,
             " texts are sure enough (", join(counts), ")");
    if (!taught.records.empty()) return true;
    run_.state()["stopped"] = "no text was sure enough";
    return false;
  }

  /// Records a round's scores; false where it is the last one. `best` becomes its report where it
  /// is better than any before.
  bool keep(std::int64_t round, TrainingReport& report, TrainingReport& best) {
    const TrainingOutcome& outcome = report.outcome;
    Json& facts = facts_of(round);
    facts["directory"] = concat("rounds/", round);
    facts["score"] = outcome.best_score;
    facts["scores"] = outcome.best_scores.to_json();
    const std::string name = outcome.best_score.starts_with("valid/") ? outcome.best_score.substr(6)
                                                                      : outcome.best_score;
    run_.point("last", outcome.last_directory);
    const bool better =
        round == 0 || compare(outcome.best_scores, best_scores_, name) == Standing::kBetter;
    if (better) {
      best_scores_ = outcome.best_scores;
      run_.state()["best_round"] = round;
      run_.point("best",
                 outcome.best_directory.empty() ? outcome.last_directory : outcome.best_directory);
      worse_ = 0;
      best = std::move(report);
    } else {
      ++worse_;
    }
    if (worse_ >= section_.patience) {
      run_.state()["stopped"] =
          concat("no better score in ", worse_, worse_ == 1 ? " round" : " rounds");
    } else if (round == section_.rounds) {
      run_.state()["stopped"] = "all rounds are done";
    }
    run_.write_state();
    return worse_ < section_.patience;
  }

  Json& facts_of(std::int64_t round) {
    Json& rounds = run_.state()["rounds"];
    while (rounds.size() <= static_cast<std::size_t>(round))
      rounds.push_back({{"round", rounds.size()}});
    return rounds[static_cast<std::size_t>(round)];
  }

  TrainingReport finished(TrainingReport report) {
    report.directory = directory_;
    report.self_training = run_.state();
    return report;
  }

  std::string command_;
  JsonDocument document_;
  const RunOptions& options_;
  TrainingConfig config_;
  SelfTrainingConfig section_;
  std::filesystem::path directory_;
  StagedRun run_;
  Scores best_scores_;
  std::int64_t worse_ = 0;  // rounds since the best
};

}  // namespace

TrainingReport self_train(const std::string& command, const JsonDocument& document,
                          const RunOptions& options) {
  return SelfTraining(command, document, options).run();
}

}  // namespace llmctl
