// A whole run in miniature: a bigram table learns from rows drawn by step, so that a thousand steps
// take a second.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/rand.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/random.h"
#include "base/terminal.h"
#include "base/world.h"
#include "ops/backend.h"
#include "support/fake_model.h"
#include "support/temp_dir.h"
#include "train/checkpoint.h"
#include "train/loop.h"

namespace llmctl::test {

constexpr std::int64_t kToyVocab = 12;

/// These tests save hundreds of checkpoints, each with its fsyncs: in memory where there is room.
inline const bool kInMemory = [] {
  return std::getenv("TMPDIR") == nullptr && access("/dev/shm", W_OK) == 0 &&
         setenv("TMPDIR", "/dev/shm", 1) == 0;
}();

/// Rows [rows, 8] in which id + 1 mostly follows id; labels are the next ids. Dealt into
/// micro-batches of a rank.
class ToySource : public Source {
 public:
  std::int64_t rows = 8, micro = 8, epoch_steps = 10;
  int rank = 0, world = 1;
  std::string name = "toy";
  std::int64_t broken_step = -1;  ///< batches() throws there

  std::int64_t steps_per_epoch() const override { return epoch_steps; }
  std::string fingerprint() const override { return name; }
  std::vector<Batch> batches(std::int64_t step) const override {
    require(step != broken_step, ErrorCode::kData, "row of step ", step, " is broken");
    std::vector<Batch> out;
    for (std::int64_t row = rank * micro; row < rows; row += micro * world) {
      out.push_back(make_batch(step, row, micro));
    }
    return out;
  }
  static Batch make_batch(std::int64_t step, std::int64_t first, std::int64_t count) {
    constexpr std::int64_t kLength = 8;
    Batch batch;
    batch.input.ids = at::empty({count, kLength}, at::kLong);
    batch.labels = at::empty({count, kLength}, at::kLong);
    for (std::int64_t r = 0; r < count; ++r) {
      Random random(random_key(7, "toy", static_cast<std::uint64_t>(step),
                               static_cast<std::uint64_t>(first + r)));
      std::int64_t id = static_cast<std::int64_t>(random.below(kToyVocab));
      for (std::int64_t t = 0; t < kLength; ++t) {
        batch.input.ids.mutable_data_ptr<std::int64_t>()[r * kLength + t] = id;
        id = random.uniform() < 0.8 ? (id + 1) % kToyVocab
                                    : static_cast<std::int64_t>(random.below(kToyVocab));
        // Rows differ in how many of their labels count.
        const bool ignored = t >= kLength - (first + r) % 3;
        batch.labels.mutable_data_ptr<std::int64_t>()[r * kLength + t] =
            ignored ? kIgnoreLabel : id;
      }
    }
    return batch;
  }
};

/// Cross-entropy of the labels that count; with `noise`, the logits are scaled by a draw from
/// dropout_seed, as dropout would.
class ToyLoss : public Loss {
 public:
  explicit ToyLoss(Model& model) : model_(model) {}
  bool noise = false;
  std::int64_t forwards = 0;
  std::map<std::int64_t, double> factor_of_forward;  ///< multiplies the loss (NaN, 1e30, …)
  std::map<std::int64_t, int> signal_at_forward;     ///< raised there
  std::vector<std::uint64_t> seeds;

  std::vector<std::pair<std::string, double>> counts(const Batch& batch) const override {
    return {{"loss", batch.labels.ne(kIgnoreLabel).sum().item<double>()}};
  }
  double tokens(const Batch& batch) const override {
    return static_cast<double>(batch.input.ids.numel());
  }
  std::vector<LossTerm> terms(const Batch& batch, const Context& context) override {
    ++forwards;
    seeds.push_back(context.dropout_seed);
    if (const auto it = signal_at_forward.find(forwards); it != signal_at_forward.end()) {
      ::raise(it->second);
    }
    const at::Tensor labels = batch.labels.reshape({-1});
    const at::Tensor chosen = labels.ne(kIgnoreLabel).nonzero().squeeze(-1);
    at::Tensor rows = model_.hidden(batch.input, context)
                          .reshape({-1, model_.facts().hidden_size})
                          .index_select(0, chosen);
    if (noise && context.train) {
      seed_generator(model_.device(), context.dropout_seed);
      rows = rows.mul(at::rand(rows.sizes(), rows.options()).add(0.5));
    }
    const at::Tensor own = labels.index_select(0, chosen);
    at::Tensor sum = model_.lm_loss(rows, own, context);
    if (const auto it = factor_of_forward.find(forwards); it != factor_of_forward.end()) {
      sum = sum.mul(it->second);
    }
    const double right = rows.argmax(-1).eq(own).sum().item<double>();
    return {{"loss", sum, static_cast<double>(own.size(0)), 1.0, {{"accuracy", right}}}};
  }

 private:
  Model& model_;
};

/// The loss on rows that training never sees; or scores given beforehand, by number of the call.
class ToyValidator : public Validator {
 public:
  explicit ToyValidator(Model& model) : model_(model), loss_(model) {}
  std::vector<double> script;   ///< of the calls, as "loss"
  std::vector<Scores> scripts;  ///< of the calls, whole
  std::int64_t calls = 0;
  bool fits = false;  ///< leaves a number in the model's config.json, as a tuned margin

  ValidationResult validate(const Context& context) override {
    EXPECT_FALSE(context.train);
    EXPECT_FALSE(c10::GradMode::is_enabled());
    ++calls;
    if (calls <= std::ssize(script))
      return {{loss_score("loss", script[static_cast<std::size_t>(calls - 1)], 1)}, {}};
    if (calls <= std::ssize(scripts)) return {scripts[static_cast<std::size_t>(calls - 1)], {}};
    const Batch batch = to_device(ToySource::make_batch(1 << 20, 0, 16), model_.device());
    const auto terms = loss_.terms(batch, context);
    const double rows = terms[0].count;
    if (fits)
      model_.config()["task_specific_params"]["toy"]["margin"] = terms[0].sum.item<double>();
    return {{percent_score("accuracy", terms[0].extras.at("accuracy") / rows, rows),
             loss_score("loss", terms[0].sum.item<double>() / rows, rows)},
            {"a sample\x1b[31m"}};
  }

 private:
  Model& model_;
  ToyLoss loss_;
};

/// Everything that a TrainingRun refers to; change the members, then run().
struct ToyRun {
  ToyRun() {
    model.to(test_device());
    optim.lr = 0.05;
    optim.warmup_steps = 2;
    train.steps = 12;
    train.batch_size = 8;
    train.precision = "fp32";
    checkpoint.every = 4;
    log.every = 3;
  }
  FakeModel model{kToyVocab};
  ToySource source;
  ToyLoss loss{model};
  ToyValidator validator{model};
  std::unique_ptr<World> world = make_local_world();
  OptimConfig optim;
  TrainConfig train;
  EvalScheduleConfig eval;
  CheckpointConfig checkpoint;
  LogConfig log;
  bool validate = false, resume = true, source_changed = false;
  std::string validation;
  std::function<void(const std::filesystem::path&)> save_extras;
  std::function<void(const NamedTensors&)> reduce_gradients;

  TrainingOutcome run(const std::filesystem::path& directory) {
    TrainingRun run{.model = model,
                    .source = source,
                    .loss = loss,
                    .validator = validate ? &validator : nullptr,
                    .world = *world,
                    .optim = optim,
                    .train = train,
                    .eval = eval,
                    .checkpoint = checkpoint,
                    .log = log,
                    .directory = directory,
                    .resume = resume,
                    .save_extras = save_extras,
                    .source_changed = source_changed,
                    .validation = validation,
                    .reduce_gradients = reduce_gradients};
    return run_training(run);
  }

  static at::Device test_device() {
    const char* device = std::getenv("LLMCTL_TEST_DEVICE");
    return at::Device(device ? device : "cpu");
  }
};

/// A directory for runs that say nothing.
class QuietRuns : public ::testing::Test {
 protected:
  void SetUp() override {
    set_quiet(true);
    set_log_level(LogLevel::kOff);
  }
  TempDir dir;
  std::filesystem::path run_dir() const { return dir / "run"; }
};

/// Lines of RUN/metrics.jsonl.
inline std::vector<Json> records(const std::filesystem::path& run) {
  std::vector<Json> out;
  const std::string text = slurp(run / "metrics.jsonl");
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    out.push_back(parse_json(text.substr(begin, end - begin), "metrics.jsonl"));
    begin = end + 1;
  }
  return out;
}

/// records() without what a clock decides.
inline std::vector<Json> timeless_records(const std::filesystem::path& run) {
  std::vector<Json> out = records(run);
  for (Json& record : out) {
    for (const char* key : {"time", "seconds", "tokens_per_second"}) record.erase(key);
  }
  return out;
}

}  // namespace llmctl::test
