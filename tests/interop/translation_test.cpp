// Translations of a model that was trained here, by transformers with the tokenizer beside it.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "support/llmctl.h"
#include "support/paths.h"
#include "support/python.h"

namespace llmctl::test {
namespace {

using nlohmann::json;

/// Trains on the bundled pairs and compares what both programs make of others, greedily and by
/// beam search.
void compare(Workbench& bench, const std::string& model,
             const std::vector<std::string>& tokenizer) {
  const std::string pairs = (source_dir() / "data/translation/en-zh-train.tsv").string();
  std::vector<std::string> command = {"tokenizer",
                                      "train",
                                      pairs,
                                      "-o",
                                      "pieces",
                                      "--recipe",
                                      "translation",
                                      "--vocab-size",
                                      "900",
                                      "--set",
                                      "hard_vocab_limit=false"};
  command.insert(command.end(), tokenizer.begin(), tokenizer.end());
  bench.run(command);
  bench.write("c.json", R"({"run": {"dir": "run"}, "model": )" + model + R"(,
    "tokenizer": {"path": "pieces"}, "data": {"train": ")" +
                            pairs + R"(", "valid": {"tail": 0.01}},
    "task": {"type": "translation", "source": "en", "target": "zh", "validation_samples": 0},
    "optim": {"lr": 0.003, "warmup_steps": 10}, "train": {"steps": 60, "batch_tokens": 800}})");
  bench.run({"finetune", "-c", "c.json"});
  bench.write("texts.txt",
              "David is a doctor.\nHow much is this green key?\nPaul met Anna at the river.\n"
              "Ω and ☃ are unknown!\n");
  for (const std::string beams : {"1", "4"}) {
    SCOPED_TRACE(beams);
    const ProcessResult theirs = run_python(
        "translate_texts.py",
        {(bench.path() / "run/last").string(), (bench.path() / "texts.txt").string(), beams});
    ASSERT_EQ(theirs.status, 0) << theirs.out << theirs.err;
    const json wanted = json::parse(theirs.out);
    const json ours = json::parse(bench
                                      .run({"generate", "-m", "run", "-f", "texts.txt", "--beams",
                                            beams, "--max-new-tokens", "40", "--json"})
                                      .out);
    ASSERT_EQ(ours.size(), wanted.size());
    for (std::size_t i = 0; i < ours.size(); ++i)
      EXPECT_EQ(ours[i]["generated_text"], wanted[i]["text"]) << wanted[i].dump();
  }
}

TEST(TranslationInterop, MarianWithOneModelOfPieces) {
  LLMCTL_NEEDS_TRANSFORMERS();
  Workbench bench;
  compare(bench,
          R"({"model_type": "marian", "d_model": 64, "encoder_layers": 2, "decoder_layers": 2,
    "encoder_attention_heads": 4, "decoder_attention_heads": 4, "encoder_ffn_dim": 128,
    "decoder_ffn_dim": 128, "max_position_embeddings": 128, "scale_embedding": true})",
          {"--fields", "en,zh"});
}

TEST(TranslationInterop, MarianWithAVocabularyForEachLanguage) {
  LLMCTL_NEEDS_TRANSFORMERS();
  for (const std::string tied : {"true", "false"}) {
    Workbench bench;
    compare(
        bench,
        R"({"model_type": "marian", "d_model": 64, "encoder_layers": 2, "decoder_layers": 2,
    "encoder_attention_heads": 4, "decoder_attention_heads": 4, "encoder_ffn_dim": 128,
    "decoder_ffn_dim": 128, "max_position_embeddings": 128, "scale_embedding": true,
    "tie_word_embeddings": )" +
            tied + "}",
        {"--fields", "en", "--target", (source_dir() / "data/translation/en-zh-train.tsv").string(),
         "--target-fields", "zh", "--set", "separate_vocabs=true"});
  }
}

TEST(TranslationInterop, T5WithAModelOfPiecesForEachLanguage) {
  LLMCTL_NEEDS_TRANSFORMERS();
  Workbench bench;
  compare(bench, R"({"model_type": "t5", "d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 2,
    "num_heads": 4})",
          {"--fields", "en", "--target",
           (source_dir() / "data/translation/en-zh-train.tsv").string(), "--target-fields", "zh"});
}

}  // namespace
}  // namespace llmctl::test
