// Models as Hugging Face's tools know them, through the binary: looked into, adapted, translating.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <sstream>

#include "cli/main.h"
#include "e2e/small_classifier.h"
#include "io/safetensors.h"
#include "support/llmctl.h"
#include "support/paths.h"

namespace llmctl::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;
namespace fs = std::filesystem;

std::vector<json> json_lines(const std::string& text) {
  std::vector<json> rows;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) rows.push_back(json::parse(line));
  return rows;
}

template <class T>
std::span<const T> values(const SafetensorsFile& file, const std::string& name) {
  const auto bytes = file.bytes(name);
  return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
}

TEST(Inspect, ShowsModulesWithinModules) {
  Workbench bench;
  const auto tree = bench.run({"inspect", golden("llama"), "--tree"}).out;
  for (const char* part : {"LlamaForCausalLM", "layers", "self_attn", "q_proj", "elements"}) {
    EXPECT_THAT(tree, HasSubstr(part));
  }
  const auto described =
      json::parse(bench.run({"inspect", golden("llama"), "--all", "--stats", "--json"}).out);
  std::int64_t elements = 0;
  bool found = false;
  for (const auto& tensor : described["tensors"]) {
    std::int64_t product = 1;
    for (const std::int64_t size : tensor["shape"]) product *= size;
    elements += product;
    if (tensor["name"] != "model.norm.weight") continue;
    found = true;
    EXPECT_LE(tensor["min"], tensor["mean"]);
    EXPECT_GE(tensor["max"], tensor["mean"]);
    EXPECT_EQ(tensor["not_finite"], 0);
  }
  EXPECT_TRUE(found) << described;
  EXPECT_EQ(elements, described["elements"]);
}

TEST(Inspect, ForwardWritesWhatTheModelComputes) {
  Workbench bench;
  const SafetensorsFile expected(fs::path(golden("llama")) / "expected.safetensors");
  const auto ids = values<std::int64_t>(expected, "input_ids");
  const auto mask = values<std::int64_t>(expected, "attention_mask");
  const std::int64_t length = expected.info("input_ids").shape[1];
  std::string list;
  std::int64_t real = 0;
  for (; real < length && mask[static_cast<std::size_t>(real)] != 0; ++real) {
    list += (real == 0 ? "" : ",") + std::to_string(ids[static_cast<std::size_t>(real)]);
  }
  const auto report = json::parse(
      bench
          .run({"inspect", "forward", "-m", golden("llama"), "--ids", list, "-o",
                "forward.safetensors", "--html", "attention.html", "--json", "--device", "cpu"})
          .out);
  const SafetensorsFile written(bench / "forward.safetensors");
  for (const auto& [name, shape] : report["tensors"].items()) {
    EXPECT_EQ(written.info(name).shape, shape.get<std::vector<std::int64_t>>()) << name;
  }
  const auto hidden = values<float>(written, "hidden_states.1");
  const auto golden_hidden = values<float>(expected, "hidden_states.1");
  ASSERT_GT(hidden.size(), 0u);
  for (std::size_t i = 0; i < hidden.size(); ++i) {
    ASSERT_NEAR(hidden[i], golden_hidden[i], 1e-4) << i;
  }
  // Attention: each query's weights add up to 1, none looks ahead.
  const auto maps = values<float>(written, "attentions.0");
  const auto size = static_cast<std::size_t>(real);
  for (std::size_t row = 0; row < maps.size() / size; ++row) {
    const auto weights = maps.subspan(row * size, size);
    EXPECT_NEAR(std::accumulate(weights.begin(), weights.end(), 0.0), 1, 1e-5);
    for (std::size_t key = row % size + 1; key < size; ++key) EXPECT_EQ(weights[key], 0);
  }
  EXPECT_EQ(written.info("logits").shape[1], real);
  const std::string page = slurp(bench / "attention.html");
  EXPECT_THAT(page, HasSubstr("attentions.0"));
  EXPECT_THAT(page, HasSubstr("<svg"));
  EXPECT_THAT(page, Not(HasSubstr("http")));

  bench.run({"inspect", "forward", "-m", golden("bert_mlm"), "--text", "The [MASK] sat.", "-o",
             "bert.safetensors"});
  EXPECT_TRUE(SafetensorsFile(bench / "bert.safetensors").contains("logits"));
  bench.run({"inspect", "forward", "-m", golden("marian"), "--text", "A house.", "--target", "Ein",
             "-o", "marian.safetensors"});
  EXPECT_TRUE(SafetensorsFile(bench / "marian.safetensors").contains("cross_attentions.1"));

  expect_one_line_error(
      bench.run({"inspect", "forward", "-m", golden("llama"), "-o", "x.safetensors"}, 64),
      {"--text", "--ids"});
  expect_one_line_error(bench.run({"inspect", "forward", "-m", golden("llama"), "--ids", "1,99999",
                                   "-o", "x.safetensors"},
                                  65),
                        {"99999"});
  EXPECT_FALSE(fs::exists(bench / "x.safetensors"));
}

TEST(Inspect, ForwardReplacesItsOwnFileOnly) {
  Workbench bench;
  const auto forward = [&](const std::string& model, const std::string& output, int status,
                           std::vector<std::string> more = {}) {
    std::vector<std::string> words = {"inspect", "forward", "-m", model, "--ids", "1,2", "-o"};
    words.push_back(output);
    words.insert(words.end(), more.begin(), more.end());
    return bench.run(words, status);
  };
  forward(golden("llama"), "f.safetensors", 0);
  const std::string first = slurp(bench / "f.safetensors");
  forward(golden("qwen2"), "f.safetensors", 0);
  EXPECT_NE(slurp(bench / "f.safetensors"), first);

  fs::copy(golden("llama"), bench / "model", fs::copy_options::recursive);
  const std::string weights = slurp(bench / "model/model.safetensors");
  bench.write("text.safetensors", "mine");
  fs::copy(bench / "model/model.safetensors", bench / "other.safetensors");
  for (const char* there : {"text.safetensors", "other.safetensors"}) {
    const std::string before = slurp(bench / there);
    expect_one_line_error(forward("model", there, 73), {there, "exists", "--overwrite"});
    EXPECT_EQ(slurp(bench / there), before);
  }
  forward("model", "text.safetensors", 0, {"--overwrite"});
  // The model's own file not even so, whatever its name.
  fs::create_symlink("model/model.safetensors", bench / "link.safetensors");
  for (const char* own : {"model/model.safetensors", "link.safetensors"}) {
    expect_one_line_error(forward("model", own, 73, {"--overwrite"}), {own, "is an input"});
  }
  EXPECT_EQ(slurp(bench / "model/model.safetensors"), weights);
  ASSERT_EQ(::mkfifo((bench / "fifo.safetensors").c_str(), 0600), 0);
  expect_one_line_error(forward("model", "fifo.safetensors", 73, {"--overwrite"}),
                        {"fifo.safetensors", "no regular file"});
  EXPECT_TRUE(fs::is_fifo(bench / "fifo.safetensors"));
  EXPECT_THAT(bench.run({"inspect", "forward", "--help"}).out,
              HasSubstr("one that this command wrote before"));
}

TEST(Inspect, EmbedsSentences) {
  Workbench bench;
  const std::vector<std::string> texts = {"A dog barks.", "A dog barks.", "股市下跌。"};
  const auto run = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments = {"inspect", "embed", "-m", golden("bert_mlm"), "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    arguments.insert(arguments.end(), texts.begin(), texts.end());
    return json::parse(bench.run(arguments).out);
  };
  const json mean = run({});
  ASSERT_EQ(mean["embeddings"].size(), 3u);
  double length = 0;
  for (const double value : mean["embeddings"][2]) length += value * value;
  EXPECT_NEAR(length, 1, 1e-5);
  EXPECT_NEAR(mean["cosines"][0][1], 1, 1e-6);
  EXPECT_LT(mean["cosines"][0][2], 0.999);
  EXPECT_EQ(mean["cosines"][0][2], mean["cosines"][2][0]);
  EXPECT_NE(run({"--pooling", "cls"})["embeddings"], mean["embeddings"]);
  EXPECT_NE(run({"--raw"})["embeddings"], mean["embeddings"]);
  EXPECT_THAT(bench.run({"inspect", "embed", "-m", golden("bert_mlm"), "one", "two"}).out,
              HasSubstr("1.0000"));
}

TEST(Inspect, TellsWhatDiffers) {
  Workbench bench;
  bench.pretrain("causal", "run", 10);
  const auto between = [&](const std::string& first, const std::string& second) {
    return json::parse(bench.run({"inspect", "diff", first, second, "--json"}).out);
  };
  const std::size_t tensors =
      json::parse(bench.run({"inspect", "run/last", "--json"}).out)["tensors"].size();
  const json same = between("run/last", "run/checkpoints/step-00000010");
  EXPECT_TRUE(same["differences"].empty()) << same;
  EXPECT_EQ(same["equal"], tensors);
  const json changed = between("run/checkpoints/step-00000005", "run/checkpoints/step-00000010");
  EXPECT_EQ(changed["differences"].size() + changed["equal"].get<std::size_t>(), tensors);
  ASSERT_GT(changed["differences"].size(), tensors / 2)
      << "five steps have changed hardly anything";
  EXPECT_GT(changed["differences"][0]["largest"], 0);
  EXPECT_THAT(bench.run({"inspect", "diff", "run/checkpoints/step-00000005", "run"}).out,
              HasSubstr("model."));
  // One number of one tensor.
  fs::copy(bench / "run/last/model.safetensors", bench / "one.safetensors");
  {
    const SafetensorsFile file(bench / "one.safetensors");
    const auto offset =
        file.bytes("model.norm.weight").data() - file.bytes(file.tensors().begin()->first).data();
    std::fstream out(bench / "one.safetensors", std::ios::in | std::ios::out | std::ios::binary);
    const std::string text = slurp(bench / "one.safetensors");
    std::uint64_t header = 0;
    std::memcpy(&header, text.data(), sizeof header);
    const auto first = file.tensors().begin()->second.begin;
    out.seekp(static_cast<std::streamoff>(8 + header + first) + offset);
    const float value = 7;
    out.write(reinterpret_cast<const char*>(&value), sizeof value);
  }
  const json one = between("run/last/model.safetensors", "one.safetensors");
  ASSERT_EQ(one["differences"].size(), 1u) << one;
  EXPECT_EQ(one["differences"][0]["name"], "model.norm.weight");
  EXPECT_EQ(one["equal"], tensors - 1);
  expect_one_line_error(bench.run({"inspect", "diff", "run", "nowhere"}, 66), {"nowhere"});
}

/// The dtypes in a model's file, each once.
/// A copy of the golden Llama whose tokenizer has one token more than the model.
void model_with_added_token(const Workbench& bench, const std::string& content,
                            const std::string& role) {
  fs::copy(golden("llama"), bench / "model", fs::copy_options::recursive);
  const auto edit = [&](const char* file, const auto& change) {
    json value = json::parse(slurp(bench / "model" / file));
    change(value);
    bench.write(std::string("model/") + file, value.dump());
  };
  edit("tokenizer.json", [&](json& tokenizer) {
    json added = tokenizer["added_tokens"].back();
    added["id"] = added["id"].get<int>() + 1;
    added["content"] = content;
    added["special"] = true;
    tokenizer["added_tokens"].push_back(added);
  });
  edit("tokenizer_config.json", [&](json& config) { config[role] = content; });
}

TEST(ModelDirectories, TokensThatTheModelHasNoRowFor) {
  Workbench bench;
  model_with_added_token(bench, "<spare>", "pad_token");
  // Batches of several lengths are padded, though not with that token.
  bench.write("prompts.txt", "The\nThe cat sat on the\n");
  const ProcessResult result =
      bench.run({"generate", "-m", "model", "-f", "prompts.txt", "-n", "2", "--device", "cpu"});
  EXPECT_THAT(result.err, HasSubstr("<spare> (862)"));
  EXPECT_THAT(result.err, HasSubstr("resize"));
  // A text that holds it is refused, on the host.
  expect_one_line_error(bench.run({"inspect", "forward", "-m", "model", "--text", "The <spare> cat",
                                   "-o", "x.safetensors"},
                                  65),
                        {"token 862"});
  // One that stands before every text makes the model useless.
  fs::remove_all(bench / "model");
  model_with_added_token(bench, "<start>", "bos_token");
  expect_one_line_error(bench.run({"generate", "-m", "model", "-p", "The"}, 65),
                        {"<start>", "resize"});
}

TEST(ModelDirectories, ThatCannotBeReadAreMissing) {
  Workbench bench;
  // As unreadable as a directory without permission, to root too.
  fs::create_symlink("around", bench / "around");
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"generate", "-m", "around", "-p", "x"},
        {"inspect", "around"},
        {"export", "-m", "around", "-o", "out"},
        {"inspect", "diff", "around", "around"}}) {
    expect_one_line_error(bench.run(arguments, 66), {"around"});
  }
}

/// The commands that take a model, on one.
std::vector<std::vector<std::string>> commands_on(const std::string& model) {
  return {{"generate", "-m", model, "-p", "x"},
          {"eval", "-m", model, "--data", "en.txt"},
          {"export", "-m", model, "-o", "out"},
          {"inspect", model},
          {"inspect", "forward", "-m", model, "--ids", "1", "-o", "f.safetensors"},
          {"finetune", "-m", model, "-o", "run", "--set", "data.train=pairs.jsonl", "--set",
           "task.type=text_generation", "--set", "train.steps=1"}};
}

TEST(ModelDirectories, WithoutAModelOrFilesInsteadAreMissing) {
  Workbench bench;
  bench.write("pairs.jsonl", R"({"prompt": "a", "answer": "b"})");
  fs::create_directory(bench / "empty");
  fs::copy(golden("llama"), bench / "bare", fs::copy_options::recursive);
  fs::remove(bench / "bare/model.safetensors");
  fs::copy(golden("llama") + "/config.json", bench / "file");
  for (const char* model : {"empty", "bare", "file"}) {
    for (const auto& command : commands_on(model)) {
      SCOPED_TRACE(::testing::PrintToString(command));
      // "inspect" takes files too: of another kind is a question of how it is called.
      const bool kind = std::string(model) == "file" && command.size() == 2;
      expect_one_line_error(bench.run(command, kind ? 64 : 66), {model});
    }
  }
}

TEST(ModelDirectories, ThatMayNotBeReadAreMissing) {
  Workbench bench;
  bench.write("pairs.jsonl", R"({"prompt": "a", "answer": "b"})");
  fs::permissions(bench.path(), fs::perms::all);
  for (const auto& [name, closed] : {std::pair{"directory", ""},
                                     {"config", "config.json"},
                                     {"weights", "model.safetensors"},
                                     {"tokenizer", "tokenizer.json"}}) {
    fs::copy(golden("llama"), bench / name, fs::copy_options::recursive);
    const fs::path place = *closed ? bench / name / closed : bench / name;
    fs::permissions(place, fs::perms::none);
    for (const auto& command : commands_on(name)) {
      SCOPED_TRACE(::testing::PrintToString(command));
      ProcessOptions options;
      options.directory = bench.path();
      options.env["LLMCTL_CACHE"] = (bench / "cache").string();
      std::vector<std::string> words = {"llmctl"};
      words.insert(words.end(), command.begin(), command.end());
      options.body = [words]() mutable {
        if (::geteuid() == 0) (void)!::seteuid(65534);  // root may read anything
        std::vector<char*> pointers;
        for (std::string& word : words) pointers.push_back(word.data());
        pointers.push_back(nullptr);
        return run_command_line(static_cast<int>(words.size()), pointers.data());
      };
      const ProcessResult result = run_process({"llmctl"}, options);
      EXPECT_EQ(result.status, 66) << result.describe();
      expect_one_line_error(result, {name, "Permission denied"});
    }
    fs::permissions(place, fs::perms::all);  // for the one that cleans up
  }
}

/// Names of the tensors that differ between two directories.
std::set<std::string> changed_tensors(const fs::path& a, const fs::path& b) {
  const SafetensorsFile first(a / "model.safetensors"), second(b / "model.safetensors");
  std::set<std::string> names;
  for (const auto& [name, tensor] : second.tensors()) {
    if (!std::ranges::equal(first.bytes(name), second.bytes(name))) names.insert(name);
  }
  return names;
}

TEST(FineTuning, FreezesByPatternAndFromTheTopDown) {
  Workbench bench;
  bench.pretrain("causal", "base", 6);
  bench.write("pairs.jsonl", "{\"prompt\": \"Hello\", \"answer\": \"Hi there.\"}\n");
  const auto tune = [&](const std::string& run, const std::string& optim, int status = 0) {
    bench.write(run + ".json", R"({"run": {"dir": ")" + run + R"("}, "model": {"init_from": "base"},
      "task": {"type": "text_generation"}, "data": {"train": "pairs.jsonl", "sequence_length": 64},
      "train": {"steps": 4, "batch_size": 1}, "checkpoint": {"every": 1, "keep_last": 9},
      "optim": {"lr": 0.01, "weight_decay": 0.1, )" +
                                   optim + "}}");
    return bench.run({"finetune", "-c", run + ".json"}, status);
  };
  const fs::path base = bench / "base/last";
  tune("frozen", R"("freeze": ["*embed*", "*.mlp.*", "lm_head*"])");
  const auto trained = changed_tensors(base, bench / "frozen/last");
  for (const std::string& name : trained) {
    EXPECT_TRUE(name.find("self_attn") != name.npos || name.find("norm") != name.npos) << name;
  }
  EXPECT_GE(trained.size(), 6u);

  // The head and the last norm, then its only block, at last the embeddings.
  tune("thawing", R"("unfreeze_steps": 1)");
  const auto changed = [&](int step) {
    return changed_tensors(base,
                           bench / ("thawing/checkpoints/step-0000000" + std::to_string(step)));
  };
  const std::string embeddings = "model.embed_tokens.weight";
  EXPECT_TRUE(changed(1).contains("model.norm.weight"));
  for (const std::string& name : changed(1)) EXPECT_EQ(name.find("layers."), name.npos) << name;
  EXPECT_GE(changed(2).size(), changed(1).size() + 8);
  EXPECT_FALSE(changed(2).contains(embeddings));
  EXPECT_TRUE(changed(3).contains(embeddings));
  const std::string whole = slurp(bench / "thawing/last/model.safetensors");
  fs::remove_all(bench / "thawing/checkpoints/step-00000004");
  fs::remove_all(bench / "thawing/checkpoints/step-00000003");
  bench.run({"finetune", "-c", "thawing.json"});
  EXPECT_EQ(slurp(bench / "thawing/last/model.safetensors"), whole);

  expect_one_line_error(tune("wrong", R"("freeze": ["bert.*"])", 78),
                        {"optim.freeze[0]", "no parameter matches 'bert.*'", "inspect"});
  EXPECT_FALSE(fs::exists(bench / "wrong"));
  expect_one_line_error(bench.run({"finetune", "-c", "frozen.json", "--set", "model.init_from=5",
                                   "--set", "run.dir=wrong", "--set", "tokenizer.path=base/last"},
                                  78),
                        {"model.init_from", "expected a path, got 5"});

  // What a run began with is not needed to score it.
  fs::remove_all(bench / "base");
  bench.run({"eval", "-m", "frozen", "--data", "pairs.jsonl"});
}

TEST(FineTuning, AHeadOfOtherClassesStartsAfresh) {
  Workbench bench;
  bench.train_tokenizer("masked");
  bench.write("mails.csv", "text,label\nBuy now.,spam\nSee you soon.,ham\n");
  bench.write("moods.csv", "text,label\nLovely food.,good\nA cold room.,bad\n");
  bench.write("mails.json", small_classifier("mails.csv", json::object(), 2, 2).dump());
  bench.run({"finetune", "-c", "mails.json"});
  json config = small_classifier("moods.csv", json::object(), 2, 2);
  config["run"]["dir"] = "moods";
  config["model"] = {{"init_from", "run"}};
  bench.write("moods.json", config.dump());
  const std::string afresh = "classifier.weight, classifier.bias: initialised afresh";
  EXPECT_THAT(bench.run({"finetune", "-c", "moods.json", "--dry-run"}).err, HasSubstr(afresh));
  EXPECT_THAT(bench.run({"finetune", "-c", "moods.json"}).err, HasSubstr(afresh));
  const json saved = json::parse(slurp(bench / "moods/last/config.json"));
  EXPECT_EQ(saved["id2label"]["0"], "bad");
  EXPECT_THAT(
      bench.run({"finetune", "-c", "moods.json", "-o", "again", "--set", "data.train=mails.csv"})
          .err,
      Not(HasSubstr("afresh")));
}

TEST(FineTuning, ATokenizerThatIsNotTheModelsIsTold) {
  Workbench bench;
  bench.pretrain("causal", "base", 2);
  bench.run(
      {"tokenizer", "train", "en.txt", "-o", "other", "--recipe", "causal", "--vocab-size", "600"});
  bench.write("pairs.jsonl", "{\"prompt\": \"Hello\", \"answer\": \"Hi there.\"}\n");
  bench.write("tuned.json", R"({"run": {"dir": "tuned"}, "model": {"init_from": "base"},
    "tokenizer": {"path": "other"}, "task": {"type": "text_generation"},
    "data": {"train": "pairs.jsonl"}, "train": {"steps": 1, "batch_size": 1}})");
  json config = json::parse(slurp(bench / bench.write_config("causal", "more", 1)));
  config["model"] = {{"init_from", "base"}};
  config["tokenizer"]["path"] = "other";
  bench.write("more.json", config.dump());
  for (const auto& [command, file] :
       {std::pair<std::string, std::string>{"finetune", "tuned.json"}, {"pretrain", "more.json"}}) {
    for (const bool dry : {true, false}) {
      SCOPED_TRACE(command + (dry ? " --dry-run" : ""));
      std::vector<std::string> words = {command, "-c", file};
      if (dry) words.push_back("--dry-run");
      const std::string said = bench.run(words).err;
      const std::size_t at = said.find("is not the tokenizer that");
      ASSERT_NE(at, std::string::npos) << said;
      EXPECT_EQ(said.find("is not the tokenizer that", at + 1), std::string::npos) << said;
      const std::string line = said.substr(at, said.find('\n', at) - at);
      EXPECT_THAT(line, HasSubstr("base"));
      EXPECT_THAT(line, HasSubstr(" of 600 ids stand for other tokens"));
      EXPECT_THAT(line, HasSubstr("leave tokenizer.path out"));
    }
    // The same tokens in another place.
    EXPECT_THAT(bench
                    .run({command, "-c", file, "--dry-run", "-o", "same", "--set",
                          "tokenizer.path=tokenizer-causal"})
                    .err,
                Not(HasSubstr("is not the tokenizer that")));
  }
}

TEST(Preferences, AreLearntAgainstTheModelThatTheRunBeganWith) {
  Workbench bench;
  bench.pretrain("causal", "base", 6);
  bench.write("pairs.jsonl",
              "{\"prompt\": \"Hello\", \"chosen\": \"Hi there.\", \"rejected\": \"No.\"}\n"
              "{\"prompt\": \"1加1等于多少？\", \"chosen\": \"2。\", \"rejected\": \"红色。\"}\n");
  const auto tune = [&](const std::string& run, const std::string& more, int status = 0) {
    bench.write(run + ".json", R"({"run": {"dir": ")" + run + R"("}, "model": {"init_from": "base"},
      "task": {"type": "dpo", "beta": 0.5}, "data": {"train": "pairs.jsonl",
      "valid": ["pairs.jsonl"], "sequence_length": 64}, "train": {"steps": 12, "batch_size": 2},
      "eval": {"every": 6}, "checkpoint": {"every": 6, "keep_last": 3},
      "optim": {"lr": 0.02, "weight_decay": 0, "schedule": "constant"})" +
                                   more + "}");
    return bench.run({"finetune", "-c", run + ".json"}, status);
  };
  for (const std::string run : {"whole", "adapter"}) {
    SCOPED_TRACE(run);
    tune(run, run == "adapter" ? R"(, "lora": {"r": 4})" : "");
    const json scores = json::parse(bench.run({"eval", "-m", run, "--json"}).out)["scores"];
    EXPECT_EQ(scores["reward_accuracy"], 100);
    EXPECT_GT(scores["reward_margin"], 0.1);
    EXPECT_LT(scores["loss"], 0.68);  // ln 2 without a preference
    bench.run({"generate", "-m", run, "-p", "Hello", "-n", "4"});
  }
  // Going on from the middle gives the same weights.
  const auto whole = weights_hash(bench / "whole");
  fs::remove_all(bench / "whole/checkpoints/step-00000012");
  bench.run({"finetune", "-c", "whole.json"});
  EXPECT_EQ(weights_hash(bench / "whole"), whole);

  bench.write("wrong.json", R"({"run": {"dir": "wrong"}, "model": {"init_from": "base"},
    "task": {"type": "dpo", "reference": "nowhere"}, "data": {"train": "pairs.jsonl"},
    "train": {"steps": 1, "batch_size": 2}})");
  expect_one_line_error(bench.run({"finetune", "-c", "wrong.json"}, 66), {"nowhere"});

  // Models that do not compare, before anything is written and in a dry run.
  fs::create_directory(bench / "encoder");
  for (const char* file : {"config.json", "model.safetensors"})
    fs::copy(fs::path(golden("bert_mlm")) / file, bench / "encoder");
  for (const auto& entry : fs::directory_iterator(bench / "base/last")) {
    if (entry.path().filename().string().starts_with("tokenizer"))
      fs::copy(entry.path(), bench / "encoder");
  }
  for (const std::string how : {"--dry-run", "--quiet"}) {
    const auto refused = [&](const std::string& reference) {
      return bench.run(
          {"finetune", "-c", "wrong.json", how, "--set", "task.reference=" + reference}, 78);
    };
    expect_one_line_error(refused("encoder"), {"task.reference", "causal models"});
    expect_one_line_error(refused(golden("llama")), {"task.reference", "another tokenizer"});
    EXPECT_FALSE(fs::exists(bench / "wrong"));
  }
  // A new model is planned without memory.
  bench.write("new.json", R"({"run": {"dir": "new"}, "tokenizer": {"path": "base/last"},
    "model": {"model_type": "llama", "hidden_size": 16, "intermediate_size": 32,
      "num_hidden_layers": 1, "num_attention_heads": 2},
    "task": {"type": "dpo", "reference": "base"}, "data": {"train": "pairs.jsonl"},
    "train": {"steps": 1, "batch_size": 2}})");
  bench.run({"finetune", "-c", "new.json", "--dry-run"});
  EXPECT_FALSE(fs::exists(bench / "new"));
  bench.run({"finetune", "-c", "new.json"});
  expect_one_line_error(
      bench.run({"eval", "-m", "base", "--task", "dpo", "--data", "pairs.jsonl"}, 78),
      {"task.reference", "name it"});
}

TEST(Lora, AdaptsResumesAndMerges) {
  Workbench bench;
  bench.pretrain("causal", "base", 6);
  const auto before = weights_hash(bench / "base");
  bench.write(
      "pairs.jsonl",
      "{\"prompt\": \"Hello\", \"answer\": \"Hi there.\"}\n{\"prompt\": \"1加1等于多少？\", "
      "\"answer\": \"2。\"}\n");
  bench.write("adapt.json", R"({
    "run": {"dir": "adapter"}, "model": {"init_from": "base"}, "task": {"type": "text_generation"},
    "lora": {"r": 4, "lora_alpha": 8, "lora_dropout": 0.1, "target_modules": ["q_proj", "v_proj"]},
    "data": {"train": "pairs.jsonl", "valid": ["pairs.jsonl"], "sequence_length": 64},
    "train": {"steps": 8, "batch_size": 2}, "checkpoint": {"every": 4, "keep_last": 3},
    "optim": {"lr": 0.02, "weight_decay": 0}})");
  bench.run({"finetune", "-c", "adapt.json"});
  EXPECT_EQ(weights_hash(bench / "base"), before);
  const fs::path last = bench / "adapter/last";
  const json config = json::parse(slurp(last / "adapter_config.json"));
  EXPECT_EQ(config["peft_type"], "LORA");
  EXPECT_EQ(config["r"], 4);
  EXPECT_FALSE(fs::exists(last / "model.safetensors"));
  const SafetensorsFile weights(last / "adapter_model.safetensors");
  EXPECT_EQ(weights.tensors().size(), 4u);  // a and b of two layers
  EXPECT_EQ(weights.info("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight").shape,
            (std::vector<std::int64_t>{4, 32}));
  EXPECT_THAT(bench.run({"inspect", "adapter"}).out, HasSubstr("lora_A"));

  // Going on from the middle gives the same maps.
  const std::string adapted = slurp(last / "adapter_model.safetensors");
  fs::remove_all(bench / "adapter/checkpoints/step-00000008");
  bench.run({"finetune", "-c", "adapt.json"});
  EXPECT_EQ(slurp(last / "adapter_model.safetensors"), adapted);

  // The adapter and the model that it is merged into give the same text.
  const auto answer = [&](const char* model) {
    return json::parse(
        bench.run({"generate", "-m", model, "-p", "Hello", "--greedy", "-n", "12", "--json"})
            .out)["generated_text"];
  };
  bench.run({"export", "-m", "adapter", "-o", "merged"});
  EXPECT_TRUE(fs::exists(bench / "merged/model.safetensors"));
  EXPECT_FALSE(fs::exists(bench / "merged/adapter_config.json"));
  EXPECT_EQ(answer("merged"), answer("adapter"));
  bench.run({"eval", "-m", "adapter", "--json"});

  // Beside the base's weights, for all prompts or row by row; scales count.
  bench.run({"export", "-m", "base", "-o", "plain"});
  const auto raw = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"generate", "--raw", "--greedy", "-n", "12", "--json"});
    return json::parse(bench.run(more).out);
  };
  const json with = raw({"-m", "plain", "--adapter", "adapter", "-p", "Hello"})["generated_text"],
             without = raw({"-m", "plain", "-p", "Hello"})["generated_text"];
  EXPECT_EQ(with, raw({"-m", "merged", "-p", "Hello"})["generated_text"]);
  EXPECT_NE(with, without);
  // One for all prompts brings the form that it was trained in.
  const auto beside = bench.run({"generate", "-m", "plain", "--adapter", "adapter=1", "-p", "Hello",
                                 "--greedy", "-n", "12", "--json"});
  EXPECT_EQ(json::parse(beside.out)["generated_text"], answer("adapter"));
  EXPECT_THAT(beside.err, HasSubstr("was trained with (--raw: as they are)"));
  EXPECT_NE(answer("adapter"), with);
  bench.write("rows.jsonl", R"({"prompt": "Hello"}
{"prompt": "Hello", "adapter": null}
{"prompt": "Hello", "adapter": ["adapter=0.5", "adapter=0.5"]}
{"prompt": "Hello", "adapter": "adapter=0"}
)");
  const json rows = raw({"-m", "plain", "--adapter", "adapter", "-f", "rows.jsonl"});
  EXPECT_EQ(rows[0]["generated_text"], with);
  EXPECT_EQ(rows[1]["generated_text"], without);
  EXPECT_EQ(rows[2]["generated_text"], with);
  EXPECT_EQ(rows[3]["generated_text"], without);
  bench.write("wrong.jsonl", "{\"prompt\": \"Hello\", \"adapter\": \"nowhere\"}\n");
  expect_one_line_error(bench.run({"generate", "-m", "plain", "-f", "wrong.jsonl"}, 65),
                        {"wrong.jsonl:1: adapter: ", "nowhere"});
  expect_one_line_error(bench.run({"generate", "-m", "plain", "-p", "a", "--adapter", "plain"}, 66),
                        {"is no adapter"});
  expect_one_line_error(
      bench.run({"generate", "-m", "plain", "-p", "a", "--adapter", "adapter=much"}, 78),
      {"adapter=much", "number"});

  expect_one_line_error(bench.run({"finetune", "-c", "adapt.json", "-o", "other", "--set",
                                   R"(lora.target_modules=["nothing"])"},
                                  78),
                        {"lora", "nothing"});
  expect_one_line_error(
      bench.run({"finetune", "-c", "adapt.json", "-o", "other", "-m", "adapter"}, 78),
      {"lora", "llmctl export"});
  EXPECT_FALSE(fs::exists(bench / "other"));
}

TEST(ActivationCheckpointing, ChangesNoNumber) {
  Workbench bench;
  bench.train_tokenizer();
  const auto config = bench.write_config("causal", "plain", 4);
  bench.run({"pretrain", "-c", config, "--set", "model.attention_dropout=0.1"});
  bench.run({"pretrain", "-c", config, "--set", "model.attention_dropout=0.1", "-o", "recomputed",
             "--set", "train.activation_checkpointing=true"});
  EXPECT_EQ(weights_hash(bench / "recomputed"), weights_hash(bench / "plain"));
}

TEST(Marian, TranslatesAFile) {
  Workbench bench;
  std::vector<json> examples =
      json_lines(slurp(fs::path(golden("marian")) / "golden_tokens.jsonl"));
  ASSERT_GE(examples.size(), 4u);
  examples.resize(4);
  std::string lines;
  for (const auto& example : examples) {
    std::string text = example["text"];
    std::replace(text.begin(), text.end(), '\n', ' ');
    lines += text + "\n";
  }
  bench.write("source.txt", lines);
  bench.run({"generate", "-m", golden("marian"), "-f", "source.txt", "-o", "target.jsonl",
             "--device", "cpu", "-n", "12"});
  const auto rows = json_lines(slurp(bench / "target.jsonl"));
  ASSERT_EQ(rows.size(), 4u);
  // Each line as it is translated alone.
  std::istringstream sources(lines);
  for (const auto& row : rows) {
    std::string source;
    std::getline(sources, source);
    EXPECT_EQ(row["prompt"], source);
    EXPECT_EQ(json::parse(bench
                              .run({"generate", "-m", golden("marian"), "-p", source, "--json",
                                    "--device", "cpu", "-n", "12"})
                              .out)["generated_text"],
              row["generated_text"]);
    EXPECT_LE(row["tokens"], 12);
  }
}

/// The program that many begin with: a pretrained model of the Hugging Face hub reads on in plain
/// text, learns labelled questions, is saved, loaded again and used.
class Classic : public ::testing::Test {
 protected:
  Workbench bench;

  std::string config(const std::string& name) const {
    return (source_dir() / "configs" / name).string();
  }
  /// The lines that tell a training loss.
  static std::vector<std::string> losses_of(const std::string& log) {
    std::vector<std::string> out;
    std::istringstream lines(log);
    for (std::string line; std::getline(lines, line);) {
      if (line.find("  loss ") != std::string::npos &&
          line.find("validation") == std::string::npos) {
        out.push_back(line);
      }
    }
    return out;
  }
};

TEST_F(Classic, BertFromAPretrainedModelToFilledMasks) {
  bench.run({"pretrain", "-c", config("pretrain/classic-bert.json"), "-m", golden("bert_mlm"),
             "--set", R"(data.train=["en.txt"])", "--set", "data.sequence_length=64"});
  bench.write("questions.json", R"({"version": "1.1", "data": [{"title": "t", "paragraphs": [
    {"context": "Ada lives in Oakford. Her cat is called Tom.", "qas": [
      {"id": "1", "question": "Where does Ada live?", "answers": [{"text": "Oakford", "answer_start": 13}]},
      {"id": "2", "question": "What is the cat called?", "answers": [{"text": "Tom", "answer_start": 40}]}]}]}]})");
  const auto qa = bench.run(
      {"finetune", "-c", config("finetune/classic-qa.json"), "--set", "data.train=questions.json",
       "--set", R"(data.valid=["questions.json"])", "--set", "data.sequence_length=64"});
  const auto losses = losses_of(qa.err);
  ASSERT_EQ(losses.size(), 3u) << qa.err;
  EXPECT_THAT(losses[0], HasSubstr("epoch 1/3  loss "));
  EXPECT_THAT(losses[2], HasSubstr("epoch 3/3  loss "));
  bench.run({"export", "-m", "runs/classic-bert", "-o", "saved"});
  const json filled = json::parse(
      bench.run({"generate", "-m", "saved", "-p", "The [MASK] was [MASK].", "--json"}).out);
  ASSERT_EQ(filled["masks"].size(), 2u);
  EXPECT_THAT(filled["filled"].get<std::string>(), Not(HasSubstr("[MASK]")));
  const json answer =
      json::parse(bench
                      .run({"generate", "-m", "runs/classic-qa", "--question",
                            "Where does Ada live?", "--context", "Ada lives in Oakford.", "--json"})
                      .out);
  EXPECT_THAT(std::string("Ada lives in Oakford."),
              HasSubstr(answer["prediction"].get<std::string>()));
}

TEST_F(Classic, Gpt2FromAPretrainedModelToText) {
  bench.run({"pretrain", "-c", config("pretrain/classic-gpt2.json"), "-m", golden("gpt2"), "--set",
             R"(data.train=["en.txt"])", "--set", "data.sequence_length=64"});
  bench.write("questions.jsonl",
              "{\"question\": \"Where does Ada live?\", \"answer\": \"In Oakford.\"}\n"
              "{\"question\": \"What is the cat called?\", \"answer\": \"Tom.\"}\n");
  const auto tuned =
      bench.run({"finetune", "-c", config("finetune/classic-answers.json"), "--set",
                 "data.train=questions.jsonl", "--set", R"(data.valid=["questions.jsonl"])",
                 "--set", "data.sequence_length=64"});
  EXPECT_EQ(losses_of(tuned.err).size(), 3u) << tuned.err;
  bench.run({"export", "-m", "runs/classic-answers", "-o", "saved"});
  EXPECT_TRUE(fs::exists(bench / "saved/tokenizer.json"));
  // A model as young as this one may end its text at once.
  const json text =
      json::parse(bench
                      .run({"generate", "-c", config("generate/classic.json"), "-m", "saved",
                            "--set", "generation.min_new_tokens=2", "--json"})
                      .out);
  EXPECT_GT(text["tokens"], 0);
  EXPECT_LE(text["tokens"], 20);
}

}  // namespace
}  // namespace llmctl::test
