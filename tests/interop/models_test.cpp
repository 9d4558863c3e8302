// Model directories of every type and head as transformers reads them.
#include <ATen/ops/randint.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "interop/peers.h"
#include "models/model.h"
#include "support/python.h"
#include "support/temp_dir.h"

namespace llmctl {
namespace {

Json section_of(const std::string& type) {
  Json section = {{"model_type", type},       {"vocab_size", 97},
                  {"hidden_size", 48},        {"num_hidden_layers", 3},
                  {"num_attention_heads", 6}, {"max_position_embeddings", 40},
                  {"initializer_range", 0.4}, {"pad_token_id", 0}};
  if (type == "llama") {
    section["num_key_value_heads"] = 3;
    section["rope_theta"] = 500.0;
  }
  return section;
}

/// Writes a directory with a fresh model, an input and what the model makes of it.
void write_case(const std::filesystem::path& directory, const Json& section, HeadKind head) {
  ModelRequest request;
  request.head = head;
  request.labels = {"one", "two", "three"};
  const auto model = create_model(ConfigNode(&section, "model", nullptr), 97, request);
  model->save(directory);
  Sequence input;
  input.ids = at::randint(1, 97, {3, 17}, at::kLong);
  input.token_types = at::zeros_like(input.ids);
  input.token_types.narrow(1, 6, 5).fill_(model->facts().causal ? 0 : 1);
  input.documents = at::zeros_like(input.ids);
  for (const auto& [row, length] : {std::pair{1, 9}, {2, 2}}) {
    input.documents[row].narrow(0, length, 17 - length).fill_(-1);
    input.ids[row].narrow(0, length, 17 - length).zero_();
  }
  test::write_expected(directory, *model, input);
}

TEST(ModelInterop, TransformersComputesTheSame) {
  LLMCTL_NEEDS_TRANSFORMERS();
  const test::TempDir work;
  std::vector<std::string> directories;
  const auto add = [&](const std::string& name, const Json& section, HeadKind head) {
    write_case(work / name, section, head);
    directories.push_back((work / name).string());
  };
  const std::vector<HeadKind> others = {HeadKind::kSpan, HeadKind::kSequenceClassification,
                                        HeadKind::kTokenClassification};
  for (const auto& type : model_types()) {
    const Json section = section_of(type);
    add(type + "-lm", section, type == "bert" ? HeadKind::kMaskedLm : HeadKind::kCausalLm);
    for (HeadKind head : others) {
      add(type + "-" + std::to_string(static_cast<int>(head)), section, head);
    }
  }
  Json tied = section_of("llama");
  tied["tie_word_embeddings"] = tied["attention_bias"] = tied["mlp_bias"] = true;
  tied["rope_scaling"] = {{"rope_type", "llama3"},
                          {"factor", 8.0},
                          {"low_freq_factor", 1.0},
                          {"high_freq_factor", 4.0},
                          {"original_max_position_embeddings", 16}};
  add("llama-tied", tied, HeadKind::kCausalLm);
  const test::ProcessResult result = test::run_python("load_models.py", directories);
  EXPECT_EQ(result.status, 0) << result.out << result.err;
}

}  // namespace
}  // namespace llmctl
