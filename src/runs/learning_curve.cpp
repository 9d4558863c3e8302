#include "runs/learning_curve.h"

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "base/strings.h"
#include "runs/staged_run.h"

namespace llmctl {
namespace {

class LearningCurve {
 public:
  LearningCurve(std::string command, const JsonDocument& document, const RunOptions& options)
      : command_(std::move(command)),
        document_(document),
        options_(options),
        config_(read_training_config(root_node(document_))),
        shares_(sorted(config_.learning_curve->shares)),
        run_(config_.run.dir, "learning_curve", "learning curve") {}

  TrainingReport run() {
    check();
    if (options_.dry_run) {
      TrainingReport report = train(shares_.back());
      report.directory = run_.directory();
      report.plan.emplace_back("learning curve",
                               "the same with shares of the labels of " + join(names()));
      return report;
    }
    run_.open(document_, options_);
    config_ = read_training_config(root_node(document_));
    shares_ = sorted(config_.learning_curve->shares);
    run_.state()["shares"] = Json::array();
    TrainingReport report;
    for (const double share : shares_) {
      log_info("learning curve: a share of ", dump_json(share));
      report = train(share);
      if (report.outcome.exit_status != 0) break;
      keep(share, report.outcome, report.records);
    }
    report.directory = run_.directory();
    report.learning_curve = run_.state();
    return report;
  }

 private:
  static std::vector<double> sorted(std::vector<double> shares) {
    std::sort(shares.begin(), shares.end());
    return shares;
  }

  void check() const {
    const ConfigNode root = root_node(document_);
    if (config_.run.dir.empty())
      root.fail("run.dir", "missing; name the directory that the run shall live in");
    if (config_.data.valid.paths.empty() && !config_.data.valid.share())
      root.fail("learning_curve", "needs validation data (data.valid), whose scores it compares");
    if (config_.data.share < 1) root.fail("data.share", "is chosen by learning_curve.shares here");
    if (config_.self_training)
      root.fail("self_training", "and a learning curve exclude each other");
    for (std::size_t i = 0; i < shares_.size(); ++i) {
      const bool twice = i > 0 && shares_[i] == shares_[i - 1];
      if (shares_[i] > 0 && !twice) continue;
      root.child("learning_curve")
          .fail("shares", concat(dump_json(shares_[i]),
                                 twice ? " stands there twice" : " is no share above 0"));
    }
    if (shares_.empty()) root.child("learning_curve").fail("shares", "names no share");
  }

  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const double share : shares_) names.push_back(dump_json(share));
    return names;
  }

  TrainingReport train(double share) const {
    JsonDocument document = document_;
    document.value.erase("learning_curve");
    document.value["run"]["dir"] = (run_.directory() / "shares" / dump_json(share)).string();
    document.value["data"]["share"] = share;
    RunOptions options = options_;
    options.overwrite = false;
    return train_from_config(command_, document, options);
  }

  void keep(double share, const TrainingOutcome& outcome, std::size_t records) {
    const Scores& scores = outcome.best_scores.empty() ? outcome.scores : outcome.best_scores;
    run_.state()["shares"].push_back({{"share", share},
                                      {"records", records},
                                      {"directory", "shares/" + dump_json(share)},
                                      {"steps", outcome.steps},
                                      {"best_step", outcome.best_step},
                                      {"score", outcome.best_score},
                                      {"scores", scores.to_json()}});
    run_.point("last", outcome.last_directory);
    run_.point("best",
               outcome.best_directory.empty() ? outcome.last_directory : outcome.best_directory);
    run_.write_state();
  }

  std::string command_;
  JsonDocument document_;
  const RunOptions& options_;
  TrainingConfig config_;
  std::vector<double> shares_;  // the smallest first
  StagedRun run_;
};

}  // namespace

TrainingReport learning_curve(const std::string& command, const JsonDocument& document,
                              const RunOptions& options) {
  return LearningCurve(command, document, options).run();
}

}  // namespace llmctl
