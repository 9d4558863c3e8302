// Translation through the program: tokenizer, training, scores, translations.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "support/llmctl.h"
#include "support/paths.h"

namespace llmctl::test {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
namespace fs = std::filesystem;

/// Sentences of a language game: each word has one translation and keeps its place.
class Translation : public Workbench {
 public:
  Translation() {
    const std::vector<std::pair<std::string, std::string>> words = {
        {"one", "eins"},  {"two", "zwei"},  {"red", "rot"},    {"dog", "hund"},
        {"cat", "katze"}, {"sun", "sonne"}, {"sees", "sieht"}, {"old", "alt"}};
    std::string english, german;
    for (std::size_t i = 0; i < 300; ++i) {
      const std::size_t number = 5 * i % 512;
      const std::size_t chosen[] = {number % 8, number / 8 % 8, number / 64};
      for (const std::size_t word : chosen) {
        english += words[word].first + " ";
        german += words[word].second + " ";
      }
      english.back() = '.';
      german.back() = '.';
      english += "\n";
      german += "\n";
    }
    write("train.en", english);
    write("train.de", german);
    write("valid.tsv", "en\tde\none red dog.\teins rot hund.\nold cat sees.\talt katze sieht.\n");
  }

  void train_pieces(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> command = {"tokenizer",    "train",
                                        "train.en",     "train.de",
                                        "-o",           "pieces",
                                        "--recipe",     "translation",
                                        "--set",        "byte_fallback=false",
                                        "--set",        "hard_vocab_limit=false",
                                        "--vocab-size", "60"};
    command.insert(command.end(), more.begin(), more.end());
    run(command);
  }

  std::string config(const std::string& run, const std::string& task, int steps) const {
    write(run + ".json", R"({"run": {"dir": ")" + run + R"(", "seed": 3},
      "model": {"model_type": "marian", "d_model": 48, "encoder_layers": 1, "decoder_layers": 1,
        "encoder_attention_heads": 4, "decoder_attention_heads": 4, "encoder_ffn_dim": 96,
        "decoder_ffn_dim": 96, "max_position_embeddings": 64, "scale_embedding": true, "dropout": 0.0},
      "tokenizer": {"path": "pieces"},
      "data": {"train": "train.en", "valid": "valid.tsv", "sequence_length": 32},
      "task": {"type": "translation", )" +
                             task + R"(},
      "optim": {"lr": 0.005, "warmup_steps": 10, "schedule": "linear", "weight_decay": 0.0},
      "train": {"steps": )" + std::to_string(steps) +
                             R"(, "batch_tokens": 300, "threads": 1},
      "eval": {"every": 250}})");
    return run + ".json";
  }
};

TEST(Translate, LearnsAndTranslatesLinesAndDocuments) {
  Translation bench;
  bench.train_pieces();
  const std::string config =
      bench.config("run", R"("source": "en", "target": "de", "label_smoothing": 0.1)", 500);
  const json report = json::parse(bench.run({"finetune", "-c", config, "--json"}).out);
  EXPECT_GT(report["scores"]["bleu"], 99) << report.dump(2);
  EXPECT_EQ(report["best"]["score"], "valid/bleu");
  const std::string log = slurp(bench / "run" / "log.txt");
  EXPECT_THAT(log, HasSubstr("one red dog. → eins rot hund."));

  // Lines, and beams with their scores.
  EXPECT_EQ(bench.run({"generate", "-m", "run", "-p", "two old dog."}).out, "zwei alt hund.\n");
  const json best = json::parse(bench
                                    .run({"generate", "-m", "run", "-p", "two old dog.", "--beams",
                                          "3", "--samples", "2", "--json"})
                                    .out);
  ASSERT_EQ(best["samples"].size(), 2u);
  EXPECT_EQ(best["samples"][0]["generated_text"], "zwei alt hund.");
  EXPECT_GT(best["samples"][0]["score"], best["samples"][1]["score"]);

  // Where each token comes from: behind the text, and in its record.
  const std::string aligned =
      bench.run({"generate", "-m", "run", "-p", "two old dog.", "--alignments"}).out;
  EXPECT_THAT(aligned, MatchesRegex("zwei alt hund\\.\t[0-9]+-0( [0-9]+-[0-9]+)+\n"));
  const json record = json::parse(bench
                                      .run({"generate", "-m", "run", "-p", "two old dog.", "--json",
                                            "--set", "generation.alignments=true", "--beams", "2"})
                                      .out);
  const std::size_t pieces = record["target_tokens"].size();
  EXPECT_EQ(record["tokens"], pieces);
  ASSERT_EQ(record["alignment"].size(), pieces);
  for (std::size_t t = 0; t < pieces; ++t) {
    EXPECT_EQ(record["alignment"][t][1], t);
    EXPECT_LT(record["alignment"][t][0], record["source_tokens"].size());
  }
  EXPECT_EQ(record["source_tokens"][0], "\u2581two");
  bench.write("two.txt", "one red dog.\nold cat sees.\n");
  EXPECT_THAT(bench.run({"generate", "-m", "run", "-f", "two.txt", "--alignments"}).out,
              MatchesRegex("eins rot hund\\.\t[-0-9 ]+\nalt katze sieht\\.\t[-0-9 ]+\n"));
  expect_one_line_error(
      bench.run({"generate", "-m", "run", "-p", "one", "--alignments", "--stream"}, 64),
      {"--stream", "--alignments"});
  expect_one_line_error(bench.run({"generate", "-m", "run", "-p", "one", "--alignments", "--set",
                                   "generation.alignment_layer=2"},
                                  78),
                        {"alignment_layer", "1 to 1"});

  // A document keeps its lines.
  bench.write("text.txt", "one red dog! One cat.\n\n  old cat sees.\n");
  const json document = json::parse(
      bench.run({"generate", "-m", "run", "-f", "text.txt", "--document", "--json"}).out);
  EXPECT_EQ(document["sentences"].size(), 3u);
  EXPECT_EQ(document["sentences"][2]["source"], "old cat sees.");
  const std::string whole = document["generated_text"];
  EXPECT_THAT(whole, HasSubstr("\n\n  alt katze sieht."));
  EXPECT_EQ(bench.run({"generate", "-m", "run", "-f", "text.txt", "--document"}).out, whole + "\n");
  expect_one_line_error(bench.run({"generate", "-m", "run", "-p", "one", "--to", "fr"}, 64),
                        {"--to fr", "de"});
  expect_one_line_error(bench.run({"generate", "-m", "run", "-p", "one", "--document", "--samples",
                                   "2", "--beams", "2"},
                                  64),
                        {"--document", "--samples"});

  // Scores of the model on files, of its predictions, of plain texts.
  const ProcessResult eval = bench.run(
      {"eval", "-m", "run", "--data", "valid.tsv", "--save-predictions", "p.jsonl", "--json"});
  // How they were computed is information, no warning.
  EXPECT_THAT(eval.err, HasSubstr("BLEU nrefs:1|case:mixed|eff:no|tok:13a"));
  EXPECT_THAT(eval.err, Not(HasSubstr("warning")));
  const json scores = json::parse(eval.out);
  EXPECT_THAT(scores["notes"].dump(), HasSubstr("TER nrefs:1|case:lc|tok:tercom"));
  const json& mine = scores["results"][0]["scores"];
  EXPECT_GT(mine["bleu"], 99) << scores.dump(2);
  EXPECT_GT(mine["chrf"], 99);
  EXPECT_LT(mine["ter"], 1);
  const json again = json::parse(
      bench
          .run({"eval", "--task", "translation", "--predictions", "p.jsonl", "--references",
                "valid.tsv", "--set", "tasks.0.source=en", "--set", "tasks.0.target=de", "--json"})
          .out);
  EXPECT_EQ(again["results"][0]["scores"]["bleu"], mine["bleu"]);
  bench.write("hyp.txt", "eins rot hund.\nalt katze sieht.\n");
  bench.write("ref.txt", "eins rot hund.\nalt hund sieht.\n");
  bench.write("ref2.txt", "x\nalt katze sieht.\n");
  const auto plain = [&](std::vector<std::string> references) {
    std::vector<std::string> command = {"eval",          "--task",  "translation",
                                        "--predictions", "hyp.txt", "--references"};
    command.insert(command.end(), references.begin(), references.end());
    command.push_back("--json");
    return json::parse(bench.run(command).out)["results"][0]["scores"]["bleu"].get<double>();
  };
  EXPECT_LT(plain({"ref.txt"}), 90);
  EXPECT_GT(plain({"ref.txt", "ref2.txt"}), 99);
  bench.write("short.txt", "eins\n");
  expect_one_line_error(bench.run({"eval", "--task", "translation", "--predictions", "hyp.txt",
                                   "--references", "short.txt"},
                                  65),
                        {"hyp.txt", "2 translations", "short.txt", "1 references"});
  // Records that tell their sources are not scored beside others.
  bench.write("ref.jsonl",
              "{\"source\": \"one dog\", \"target\": \"ein hund\"}\n"
              "{\"source\": \"a cat\", \"target\": \"eine katze\"}\n");
  bench.write("moved.jsonl",
              "{\"text\": \"a cat\", \"generated_text\": \"eine katze\"}\n"
              "{\"text\": \"one dog\", \"generated_text\": \"ein hund\"}\n");
  expect_one_line_error(bench.run({"eval", "--task", "translation", "--predictions", "moved.jsonl",
                                   "--references", "ref.jsonl"},
                                  65),
                        {"moved.jsonl:1: 'a cat' is not the input of reference 1", "ids"});
}

TEST(Translate, SeveralDirectionsInOneModel) {
  Translation bench;
  bench.train_pieces({"--set", R"(languages=["de", "en"])"});
  const std::string config =
      bench.config("run", R"("directions": ["en-de", "de-en"], "label_smoothing": 0.1)", 900);
  const json report = json::parse(bench.run({"finetune", "-c", config, "--json"}).out);
  EXPECT_GT(report["scores"]["bleu"], 95) << report.dump(2);
  EXPECT_GT(report["scores"]["de-en.bleu"], 90);
  EXPECT_EQ(bench.run({"generate", "-m", "run", "--to", "de", "-p", "two old dog."}).out,
            "zwei alt hund.\n");
  EXPECT_EQ(bench.run({"generate", "-m", "run", "-p", ">>en<< zwei alt hund."}).out,
            "two old dog.\n");
  expect_one_line_error(bench.run({"generate", "-m", "run", "-p", "two old dog."}, 65),
                        {"prompt 1", "--to"});
  // The run's own task has source and target as empty texts: no direction beside the others.
  const json scores = json::parse(bench.run({"eval", "-m", "run", "--json"}).out);
  EXPECT_EQ(scores["results"][0]["scores"]["de-en.bleu"], report["scores"]["de-en.bleu"]);
  // One direction alone is read behind its mark, too.
  const json one = json::parse(bench
                                   .run({"eval", "-m", "run", "--task", "translation", "--set",
                                         R"(tasks.0.directions=["de-en"])", "--json"})
                                   .out);
  EXPECT_EQ(one["results"][0]["scores"]["bleu"], report["scores"]["de-en.bleu"]);
  expect_one_line_error(
      bench.run({"finetune", "-c", config, "--set", "task.target=de", "--dry-run"}, 78),
      {"task.directions", "source and target"});
  // A tokenizer without the marks is refused.
  bench.train_pieces({"--overwrite"});
  expect_one_line_error(bench.run({"finetune", "-c", config, "--set", "run.dir=other"}, 78),
                        {"task.prefix", ">>de<<", "languages"});
}

TEST(Translate, AVocabularyAndEmbeddingsForEachLanguage) {
  Translation bench;
  bench.run({"tokenizer", "train", "train.en", "--target", "train.de", "-o", "pieces", "--recipe",
             "translation", "--set", "byte_fallback=false", "--set", "hard_vocab_limit=false",
             "--set", "separate_vocabs=true", "--vocab-size", "60"});
  const std::string config =
      bench.config("run", R"("source": "en", "target": "de", "label_smoothing": 0.1)", 500);
  const json report = json::parse(bench.run({"finetune", "-c", config, "--json"}).out);
  EXPECT_GT(report["scores"]["bleu"], 99) << report.dump(2);
  const json model = json::parse(slurp(bench / "run" / "last" / "config.json"));
  EXPECT_EQ(model["share_encoder_decoder_embeddings"], false);
  EXPECT_EQ(json::parse(slurp(bench / "run" / "last" / "target_vocab.json")).size(),
            model["decoder_vocab_size"]);
  for (const std::string beams : {"1", "3"}) {
    EXPECT_EQ(bench.run({"generate", "-m", "run", "-p", "two old dog.", "--beams", beams}).out,
              "zwei alt hund.\n");
  }
  bench.run({"generate", "-m", "run", "-p", "two old dog.", "--quantize", "int8"});
  bench.run({"export", "-m", "run", "-o", "bf16", "--dtype", "bf16"});
  EXPECT_EQ(bench.run({"generate", "-m", "bf16", "-p", "two old dog."}).out, "zwei alt hund.\n");
  // A model with one table has no rows for a second vocabulary.
  expect_one_line_error(
      bench.run({"finetune", "-c", config, "--set", "run.dir=x", "--set",
                 "model.share_encoder_decoder_embeddings=true"},
                78),
      {"model.vocab_size", "separate_vocabs", "share_encoder_decoder_embeddings"});
  expect_one_line_error(
      bench.run(
          {"finetune", "-c", config, "--set", "run.dir=x", "--set",
           R"(model={"model_type": "t5", "d_model": 48, "d_kv": 12, "d_ff": 96, "num_layers": 1,
                   "num_heads": 4})"},
          78),
      {"model.vocab_size", "separate_vocabs"});
}

TEST(Translate, CausalModelsAndT5) {
  Translation bench;
  bench.train_pieces();
  const std::string config = bench.config("run", R"("source": "en", "target": "de")", 500);
  const json t5 = json::parse(
      bench
          .run(
              {"finetune", "-c", config, "--set", "run.dir=t5", "--set",
               R"(model={"model_type": "t5", "d_model": 48, "d_kv": 12, "d_ff": 96, "num_layers": 1,
                   "num_heads": 4, "dropout_rate": 0.0})",
               "--json"})
          .out);
  EXPECT_GT(t5["scores"]["bleu"], 95) << t5.dump(2);
  EXPECT_EQ(bench.run({"generate", "-m", "t5", "-p", "two old dog."}).out, "zwei alt hund.\n");
  bench.run({"tokenizer", "train", "train.en", "train.de", "-o", "words", "--split", "line",
             "--set", "byte_fallback=false", "--set", "hard_vocab_limit=false", "--vocab-size",
             "60"});
  const json causal = json::parse(
      bench
          .run({"finetune", "-c", config, "--set", "run.dir=llama", "--set", "tokenizer.path=words",
                "--set",
                R"(model={"model_type": "llama", "hidden_size": 64, "intermediate_size": 128,
                   "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 64})",
                "--set", "train.steps=400", "--json"})
          .out);
  EXPECT_GT(causal["scores"]["bleu"], 60) << causal.dump(2);
  EXPECT_THAT(bench.run({"generate", "-m", "llama", "-p", "one red dog."}).out, HasSubstr("hund"));
}

TEST(Translate, AnAdapterIsScoredWithItsBasesGenerationSettings) {
  Translation bench;
  bench.train_pieces();
  const std::string config = bench.config("run", R"("source": "en", "target": "de")", 2);
  bench.run({"finetune", "-c", config});
  bench.run({"export", "-m", "run", "-o", "base"});
  bench.run({"finetune", "-c", config, "--set", "run.dir=adapter", "--set",
             R"(model={"init_from": "base"})", "--set",
             R"(lora={"r": 4, "target_modules": ["q_proj", "v_proj"]})"});
  bench.run({"eval", "-m", "adapter", "--data", "valid.tsv"});
  bench.write("base/generation_config.json", "[]");
  expect_one_line_error(bench.run({"eval", "-m", "adapter", "--data", "valid.tsv"}, 65),
                        {"base/generation_config.json", "expected an object"});
}

TEST(Translate, RefusesWhatCannotBe) {
  Translation bench;
  bench.train_pieces();
  const std::string config = bench.config("run", R"("source": "en", "target": "de")", 5);
  bench.write("train.de", "eins\n");
  expect_one_line_error(bench.run({"finetune", "-c", config}, 65),
                        {"train.en:2", "train.de has only 1 lines"});
  expect_one_line_error(bench.run({"finetune", "-c", config, "--set", "data.train=train.fr"}, 66),
                        {"train.fr"});
  expect_one_line_error(
      bench.run({"finetune", "-c", config, "--skip-bad", "--set", "train.batch_tokens=4"}, 78),
      {"train.batch_tokens", "4"});
  bench.pretrain("causal", "causal", 2);
  expect_one_line_error(
      bench.run(
          {"finetune", "-c", config, "--skip-bad", "--set", "tokenizer.path=tokenizer-causal"}, 78),
      {"pad_token_id", "--recipe translation"});
  expect_one_line_error(bench.run({"pretrain", "-c", "causal.json", "--set", "run.dir=x", "--set",
                                   "train.batch_tokens=100", "--unset", "train.batch_size"},
                                  78),
                        {"train.batch_tokens", "labelled"});
  expect_one_line_error(
      bench.run({"finetune", "-c", config, "--skip-bad", "--set", "tokenizer.path=tokenizer-causal",
                 "--set", "task.source_noise=0.1", "--set",
                 R"(model={"model_type": "llama", "hidden_size": 16, "intermediate_size": 16,
                    "num_hidden_layers": 1, "num_attention_heads": 2})"},
                78),
      {"task.source_noise", "encoder-decoder"});
  expect_one_line_error(bench.run({"generate", "-m", "causal", "-p", "a", "--alignments"}, 78),
                        {"generation.alignments", "no encoder"});
  expect_one_line_error(bench.run({"generate", "-m", "causal", "-p", "a", "--document"}, 64),
                        {"--document", "translation"});
}

}  // namespace
}  // namespace llmctl::test
