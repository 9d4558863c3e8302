#include "runs/self_test.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/tensor.h>
#include <unistd.h>

#include <cmath>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "base/random.h"
#include "models/model.h"
#include "optim/optimizer.h"
#include "text/tokenizer.h"
#include "text/train.h"

namespace llmctl {

void self_test_products(const at::Device& device, at::ScalarType dtype) {
  constexpr std::int64_t kRows = 3, kInner = 40, kColumns = 5;
  Random random(random_key(1, "self test"));
  std::vector<float> a(kRows * kInner), b(kColumns * kInner);
  for (float& value : a) value = static_cast<float>(random.normal());
  for (float& value : b) value = static_cast<float>(random.normal());
  const auto x = at::tensor(a).reshape({kRows, kInner}).to(device, dtype);
  const auto w = at::tensor(b).reshape({kColumns, kInner}).to(device, dtype);
  const auto product = at::linear(x, w).to(at::kCPU, at::kFloat).contiguous();
  const double tolerance = dtype == at::kFloat ? 1e-4 : 0.3;
  for (std::int64_t i = 0; i < kRows; ++i) {
    for (std::int64_t j = 0; j < kColumns; ++j) {
      double expected = 0;
      for (std::int64_t k = 0; k < kInner; ++k)
        expected += double{a[i * kInner + k]} * b[j * kInner + k];
      const double got = product.data_ptr<float>()[i * kColumns + j];
      require(std::abs(got - expected) < tolerance, ErrorCode::kInternal, "element ", i, ", ", j,
              " is ", got, " instead of ", expected);
    }
  }
}

void self_test_tokenizer() {
  const fs::path directory = fs::temp_directory_path() / concat("llmctl-doctor-", ::getpid());
  TokenizerTrainConfig config;
  config.vocab_size = 300;
  const std::string text = "the cat sat on the mat and the dog sat on the log";
  const auto cleanup = [&] {
    std::error_code ignored;
    fs::remove_all(directory, ignored);
  };
  try {
    train_tokenizer(
        config, [&](const std::function<bool(std::string_view)>& document) { document(text); },
        directory);
    const auto tokenizer = load_tokenizer(directory);
    const std::string back = tokenizer->decode(tokenizer->encode("the dog 狗 sat"));
    require(back == "the dog 狗 sat", ErrorCode::kInternal, "decoded to '", back, "'");
  } catch (...) {
    cleanup();
    throw;
  }
  cleanup();
}

void self_test_training(const at::Device& device) {
  JsonDocument document;
  document.value = Json::parse(
      R"({"model_type": "llama", "vocab_size": 16, "hidden_size": 16, "intermediate_size": 32,
    "num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 16})");
  ModelRequest request;
  request.head = HeadKind::kCausalLm;
  auto model = create_model(ConfigNode(&document.value, "model", &document), 16, request);
  model->to(device);
  const auto parameters = model->parameters();
  OptimConfig optim;
  optim.lr = 1e-2;
  const auto optimizer = make_optimizer(
      optim, parameters, std::vector<ParameterPlan>(parameters.size(), {.decay = false}));
  Sequence input;
  input.ids = at::arange(8).reshape({1, 8}).to(device);
  const auto labels = at::arange(1, 9).to(device);
  double first = 0, last = 0;
  for (int step = 0; step < 20; ++step) {
    Context context;
    context.train = true;
    const auto hidden = model->hidden(input, context);
    const auto loss = model->lm_loss(hidden.reshape({8, -1}), labels, context);
    loss.backward();
    optimizer->step(optim.lr, 8.0);
    for (const auto& [name, tensor] : parameters) tensor.mutable_grad() = at::Tensor();
    last = loss.item<double>();
    if (step == 0) first = last;
  }
  require(std::isfinite(last) && last < 0.8 * first, ErrorCode::kInternal, "the loss went from ",
          first, " to ", last);
}

}  // namespace llmctl
