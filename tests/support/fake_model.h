// A model small enough to reason about: a table of bigram logits, so that every loss can be worked
// out by hand. B rows, T tokens, N chosen rows, V vocabulary.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <algorithm>

#include "base/error.h"
#include "base/files.h"
#include "io/safetensors.h"
#include "models/model.h"
#include "models/tensor_file.h"
#include "nn/kv_cache.h"

namespace llmctl::test {

/// hidden() gives row `id` of the table [V, W] for each token, head() passes it on: the logits of a
/// token depend on that token alone. W is V, or as many outputs as a head of classes or spans has.
/// The table starts at zero (everything equally likely) and can be trained.
class FakeModel : public Model {
 public:
  explicit FakeModel(std::int64_t vocab_size, HeadKind head = HeadKind::kCausalLm,
                     std::int64_t width = 0)
      : width_(width > 0 ? width : vocab_size) {
    facts_.model_type = "fake";
    facts_.architecture = "FakeModel";
    facts_.head = head;
    facts_.vocab_size = vocab_size;
    facts_.hidden_size = width_;
    if (head == HeadKind::kSequenceClassification) facts_.labels = width_;
    facts_.layers = facts_.heads = facts_.kv_heads = facts_.head_size = 1;
    facts_.max_positions = 1 << 20;
    facts_.causal = head == HeadKind::kCausalLm;
    config_ = Json{{"model_type", "fake"}, {"vocab_size", vocab_size}};
    table_ = at::zeros({vocab_size, width_}, at::kFloat);
    table_.set_requires_grad(true);
  }

  void set_problem_type(ProblemType type) { facts_.problem_type = type; }
  /// The logits that each token gives [V, W].
  at::Tensor& table() { return table_; }
  /// Forward passes so far, and the largest [B, T] among them.
  std::int64_t forwards() const { return forwards_; }
  std::int64_t most_tokens() const { return most_tokens_; }

  const ModelFacts& facts() const override { return facts_; }
  const Json& config() const override { return config_; }
  Json& config() override { return config_; }

  at::Tensor encode(const Sequence&, const Context&) override { return {}; }
  at::Tensor hidden(const Sequence& input, const Context&) override {
    ++forwards_;
    most_tokens_ = std::max(most_tokens_, input.ids.numel());
    return at::index_select(table_, 0, input.ids.reshape({-1}))
        .reshape({input.rows(), input.length(), width_});
  }
  at::Tensor head(const at::Tensor& rows, const Context&) override { return rows; }
  at::Tensor lm_loss(const at::Tensor& rows, const at::Tensor& labels, const Context&,
                     at::Tensor* per_row = nullptr, double label_smoothing = 0) override {
    require(label_smoothing == 0, ErrorCode::kInternal, "the fake model smooths no labels");
    const at::Tensor losses =
        -at::log_softmax(rows, -1).gather(-1, labels.unsqueeze(-1)).squeeze(-1);
    if (per_row) *per_row = losses.detach();
    return losses.sum();
  }
  at::Tensor pooled(const at::Tensor& hidden, const Sequence&) const override {
    return hidden.select(1, 0);
  }

  std::vector<std::pair<std::string, at::Tensor>> parameters() const override {
    return {{"table.weight", table_}};
  }
  std::vector<std::pair<std::string, at::Tensor>> in_file_layout(
      const std::vector<at::Tensor>& values) const override {
    return {{"table.weight", values.front()}};
  }
  at::Tensor word_embeddings() const override { return table_; }
  std::vector<bool> decayed() const override { return {true}; }
  void add_lora(const LoraConfig&, const ConfigNode&, const std::filesystem::path&,
                std::uint64_t) override {
    fail(ErrorCode::kInternal, "the fake model has no layers to adapt");
  }
  at::ScalarType stored_dtype() const override { return at::kFloat; }
  void quantize(const Quantization&) override {
    fail(ErrorCode::kInternal, "the fake model has no matrices to quantise");
  }
  std::optional<Quantization> quantization() const override { return std::nullopt; }
  std::uint64_t file_bytes(std::optional<at::ScalarType>) const override { return table_.nbytes(); }

  void to(const at::Device& device) override {
    const c10::AutoGradMode no_grad(false);
    table_ = table_.to(device);
    table_.set_requires_grad(true);
  }
  at::Device device() const override { return table_.device(); }

  std::unique_ptr<KvCache> make_cache(std::int64_t, const Context&) const override {
    fail(ErrorCode::kInternal, "the fake model has no cache");
  }

  void save(const std::filesystem::path& directory, std::optional<at::ScalarType>,
            std::uint64_t) const override {
    const at::Tensor table = table_.detach().cpu().contiguous();
    write_safetensors(directory / "model.safetensors",
                      {{"table.weight", DType::kF32, table.sizes().vec(), table.const_data_ptr()}});
    write_file(directory / "config.json", dump_json(config_, 2) + "\n");
  }

  void check_values(std::optional<at::ScalarType>) const override {}

  void load_weights(const std::filesystem::path& directory) override {
    const auto file = std::make_shared<const SafetensorsFile>(directory / "model.safetensors");
    const TensorInfo& info = file->info("table.weight");
    require(table_.sizes() == c10::IntArrayRef(info.shape), ErrorCode::kData, file->path().string(),
            ": table.weight is ", at::IntArrayRef(info.shape), ", expected ", table_.sizes());
    const c10::AutoGradMode no_grad(false);
    table_.copy_(map_tensor(info, file->bytes("table.weight"), file));
  }

 private:
  std::int64_t width_;
  ModelFacts facts_;
  Json config_;
  at::Tensor table_;
  std::int64_t forwards_ = 0, most_tokens_ = 0;
};

}  // namespace llmctl::test
