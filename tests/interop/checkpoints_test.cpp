// Every checkpoint loads with Hugging Face's classes, and gives there what it gives here.
#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "models/model.h"
#include "nn/tensor_file.h"
#include "support/llmctl.h"
#include "support/paths.h"
#include "support/python.h"
#include "text/tokenizer.h"

namespace llmctl::test {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

const std::vector<std::string> kTexts = {
    "我今天去了公园，看到了很多美丽的花朵。",
    "Once upon a time there was a small fox.",
    "Ada 12 说：“你好😀”！",
    "x",
};

json python_says(const ProcessResult& result) {
  EXPECT_EQ(result.status, 0) << result.describe();
  return json::parse(result.out);
}

/// Texts of different lengths in one batch, right-padded; 0 stands in the padding.
struct PaddedTexts {
  Sequence input;
  at::Tensor mask;
};

PaddedTexts pad(const Tokenizer& tokenizer, std::int64_t max_length) {
  std::vector<std::vector<TokenId>> rows;
  std::int64_t length = 0;
  for (const auto& text : kTexts) {
    rows.push_back(tokenizer.with_special(tokenizer.encode(text)));
    rows.back().resize(std::min<std::size_t>(rows.back().size(), max_length));
    length = std::max<std::int64_t>(length, rows.back().size());
  }
  const auto count = static_cast<std::int64_t>(rows.size());
  PaddedTexts padded;
  padded.input.ids = at::zeros({count, length}, at::kLong);
  padded.input.token_types = at::zeros({count, length}, at::kLong);
  padded.input.documents = at::full({count, length}, -1, at::kLong);
  padded.mask = at::zeros({count, length}, at::kLong);
  for (std::int64_t row = 0; row < count; ++row) {
    const auto& ids = rows[static_cast<std::size_t>(row)];
    for (std::int64_t t = 0; t < static_cast<std::int64_t>(ids.size()); ++t) {
      padded.input.ids[row][t] = static_cast<std::int64_t>(ids[static_cast<std::size_t>(t)]);
      padded.input.documents[row][t] = 0;
      padded.mask[row][t] = 1;
    }
  }
  return padded;
}

/// Outputs of the model under transformers' names.
std::vector<std::pair<std::string, at::Tensor>> outputs(Model& model, const Sequence& input) {
  const c10::AutoGradMode no_grad(false);
  const Context context;
  const at::Tensor hidden = model.hidden(input, context);
  const auto rows = input.rows(), length = input.length();
  if (model.facts().head == HeadKind::kSequenceClassification) {
    const at::Tensor row = at::arange(rows, at::kLong);
    return {{"logits", model.head(hidden.index({row, model.pooled_position(input)}), context)}};
  }
  const at::Tensor all = model.head(hidden.reshape({rows * length, hidden.size(2)}), context);
  const at::Tensor shaped = all.reshape({rows, length, all.size(1)});
  if (model.facts().head == HeadKind::kSpan) {
    return {{"start_logits", shaped.select(2, 0)}, {"end_logits", shaped.select(2, 1)}};
  }
  return {{"logits", shaped}};
}

void expect_same_logits(const fs::path& directory, const std::string& auto_class,
                        const std::string& class_name) {
  SCOPED_TRACE(class_name);
  const auto model = load_model(directory, {});
  EXPECT_EQ(model->facts().architecture, class_name);
  const auto padded = pad(*load_tokenizer(directory), model->facts().max_positions);
  TempDir scratch;
  std::vector<std::pair<std::string, at::Tensor>> file = {{"input_ids", padded.input.ids},
                                                          {"attention_mask", padded.mask}};
  if (!model->facts().causal) file.emplace_back("token_type_ids", padded.input.token_types);
  for (auto& output : outputs(*model, padded.input)) file.push_back(std::move(output));
  write_tensors(scratch / "ours.safetensors", file);

  const json said = python_says(
      run_python("compare.py", {"logits", auto_class, directory, scratch / "ours.safetensors"}));
  EXPECT_EQ(said["class"], class_name);
  for (const auto& [name, difference] : said["differences"].items()) {
    EXPECT_LE(difference.get<double>(), 1e-4) << name;
  }
  EXPECT_GE(said["differences"].size(), 1U);
  EXPECT_TRUE(said["missing"].empty()) << said;
  EXPECT_TRUE(said["unexpected"].empty()) << said;
}

void expect_same_ids(const fs::path& directory) {
  SCOPED_TRACE(directory.string());
  const auto tokenizer = load_tokenizer(directory);
  json rows = json::array();
  for (const auto& text : kTexts) {
    const auto ids = tokenizer->encode(text);
    rows.push_back({{"text", text},
                    {"ids", ids},
                    {"ids_with_special", tokenizer->with_special(ids)},
                    {"decoded", tokenizer->decode(ids)}});
  }
  TempDir scratch;
  const auto file = scratch.write("ids.json", rows.dump());
  const json said = python_says(run_python("compare.py", {"ids", directory, file}));
  EXPECT_EQ(said["compared"], kTexts.size());
  EXPECT_EQ(said["wrong_count"], 0) << said.dump(1);
}

TEST(Checkpoints, CausalModelsLoadWithAutoModel) {
  LLMCTL_NEEDS_TRANSFORMERS();
  Workbench bench;
  bench.pretrain("causal", "run", 6);
  expect_same_logits(fs::canonical(bench / "run/last"), "AutoModelForCausalLM", "LlamaForCausalLM");
  expect_same_ids(fs::canonical(bench / "run/last"));
}

TEST(Checkpoints, MaskedModelsAndTheirTasksLoadWithAutoModel) {
  LLMCTL_NEEDS_TRANSFORMERS();
  Workbench bench;
  bench.pretrain("masked", "run", 6);
  expect_same_logits(fs::canonical(bench / "run/last"), "AutoModelForMaskedLM", "BertForMaskedLM");
  expect_same_ids(fs::canonical(bench / "run/last"));

  bench.write("qa-train.json", R"({"version": "1.1", "data": [{"title": "t", "paragraphs": [
    {"context": "Ada lives in Oakford.", "qas": [{"id": "1", "question": "Where does Ada live?",
     "answers": [{"text": "Oakford", "answer_start": 13}]}]}]}]})");
  bench.write("qa.json", R"({"run": {"dir": "qa"}, "model": {"init_from": "run"},
    "task": {"type": "extractive_qa"}, "train": {"steps": 2, "batch_size": 1},
    "data": {"train": "qa-train.json", "valid": ["qa-train.json"], "sequence_length": 64}})");
  bench.run({"finetune", "-c", "qa.json"});
  expect_same_logits(fs::canonical(bench / "qa/last"), "AutoModelForQuestionAnswering",
                     "BertForQuestionAnswering");

  bench.write("classes.csv", "label,text\ngood,The food was good.\nbad,It was cold.\n");
  bench.write("classes.json", R"({"run": {"dir": "classes"}, "model": {"init_from": "run"},
    "task": {"type": "sequence_classification"}, "train": {"steps": 2, "batch_size": 2},
    "data": {"train": "classes.csv", "valid": ["classes.csv"], "sequence_length": 64}})");
  bench.run({"finetune", "-c", "classes.json"});
  expect_same_logits(fs::canonical(bench / "classes/last"), "AutoModelForSequenceClassification",
                     "BertForSequenceClassification");
  expect_same_ids(fs::canonical(bench / "classes/last"));
}

}  // namespace
}  // namespace llmctl::test
