// Every checkpoint loads with Hugging Face's classes, and gives there what it gives here.
#include <ATen/core/Tensor.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "interop/peers.h"
#include "models/model.h"
#include "support/llmctl.h"
#include "support/paths.h"
#include "support/python.h"
#include "text/tokenizer.h"

namespace llmctl::test {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kTexts = {
    "我今天去了公园，看到了很多美丽的花朵。",
    "Once upon a time there was a small fox.",
    "Ada 12 说：“你好😀”！",
    "x",
};

/// The texts in one batch, right-padded; 0 stands in the padding.
Sequence pad(const Tokenizer& tokenizer, std::int64_t max_length) {
  std::vector<std::vector<TokenId>> rows;
  std::int64_t length = 0;
  for (const auto& text : kTexts) {
    rows.push_back(tokenizer.with_special(tokenizer.encode(text)));
    rows.back().resize(std::min<std::size_t>(rows.back().size(), max_length));
    length = std::max<std::int64_t>(length, rows.back().size());
  }
  const auto count = static_cast<std::int64_t>(rows.size());
  Sequence padded;
  padded.ids = at::zeros({count, length}, at::kLong);
  padded.token_types = at::zeros({count, length}, at::kLong);
  padded.documents = at::full({count, length}, -1, at::kLong);
  for (std::int64_t row = 0; row < count; ++row) {
    const auto& ids = rows[static_cast<std::size_t>(row)];
    for (std::int64_t t = 0; t < static_cast<std::int64_t>(ids.size()); ++t) {
      padded.ids[row][t] = static_cast<std::int64_t>(ids[static_cast<std::size_t>(t)]);
      padded.documents[row][t] = 0;
    }
  }
  return padded;
}

/// The checkpoint's class, logits and ids in transformers are those here.
void expect_same(const fs::path& checkpoint, const std::string& class_name) {
  SCOPED_TRACE(class_name);
  const fs::path directory = fs::canonical(checkpoint);
  const auto model = load_model(directory, {});
  EXPECT_EQ(model->facts().architecture, class_name);
  const auto tokenizer = load_tokenizer(directory);
  write_expected(directory, *model, pad(*tokenizer, model->facts().max_positions));
  const ProcessResult outputs = run_python("load_models.py", {directory});
  EXPECT_EQ(outputs.status, 0) << outputs.describe();
  TempDir scratch;
  const ProcessResult ids =
      run_python("tokenizer_peers.py",
                 {directory, scratch.write("cases.jsonl", tokenizer_cases(*tokenizer, kTexts))});
  EXPECT_EQ(ids.status, 0) << ids.describe();
}

TEST(Checkpoints, CausalModelsLoadWithAutoModel) {
  LLMCTL_NEEDS_TRANSFORMERS();
  Workbench bench;
  bench.pretrain("causal", "run", 6);
  expect_same(bench / "run/last", "LlamaForCausalLM");
}

TEST(Checkpoints, MaskedModelsAndTheirTasksLoadWithAutoModel) {
  LLMCTL_NEEDS_TRANSFORMERS();
  Workbench bench;
  bench.pretrain("masked", "run", 6);
  expect_same(bench / "run/last", "BertForMaskedLM");

  bench.write("qa-train.json", R"({"version": "1.1", "data": [{"title": "t", "paragraphs": [
    {"context": "Ada lives in Oakford.", "qas": [{"id": "1", "question": "Where does Ada live?",
     "answers": [{"text": "Oakford", "answer_start": 13}]}]}]}]})");
  bench.write("qa.json", R"({"run": {"dir": "qa"}, "model": {"init_from": "run"},
    "task": {"type": "extractive_qa"}, "train": {"steps": 2, "batch_size": 1},
    "data": {"train": "qa-train.json", "valid": ["qa-train.json"], "sequence_length": 64}})");
  bench.run({"finetune", "-c", "qa.json"});
  expect_same(bench / "qa/last", "BertForQuestionAnswering");

  bench.write("classes.csv", "label,text\ngood,The food was good.\nbad,It was cold.\n");
  bench.write("classes.json", R"({"run": {"dir": "classes"}, "model": {"init_from": "run"},
    "task": {"type": "sequence_classification"}, "train": {"steps": 2, "batch_size": 2},
    "data": {"train": "classes.csv", "valid": ["classes.csv"], "sequence_length": 64}})");
  bench.run({"finetune", "-c", "classes.json"});
  expect_same(bench / "classes/last", "BertForSequenceClassification");

  bench.write("names.conll", "Ada B-PER\nlives O\nin O\nOakford B-LOC\n. O\n");
  bench.write("names.json", R"({"run": {"dir": "names"}, "model": {"init_from": "run"},
    "task": {"type": "token_classification"}, "train": {"steps": 2, "batch_size": 1},
    "data": {"train": "names.conll", "valid": ["names.conll"], "sequence_length": 64}})");
  bench.run({"finetune", "-c", "names.json"});
  expect_same(bench / "names/last", "BertForTokenClassification");
}

}  // namespace
}  // namespace llmctl::test
