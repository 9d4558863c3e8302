// Tokenizer directories of ours in the libraries that other people load them with: the same ids.
#include <gmock/gmock.h>

#include <filesystem>

#include "base/random.h"
#include "config/json.h"
#include "interop/peers.h"
#include "support/parity_dir.h"
#include "support/paths.h"
#include "support/python.h"
#include "support/temp_dir.h"
#include "text/random_text.h"
#include "text/tokenizer.h"
#include "text/train.h"

namespace llmctl {
namespace {

const std::vector<std::string>& corpus() {
  static const std::vector<std::string> kDocuments = [] {
    std::vector<std::string> documents;
    for (const char* name : {"en.txt", "zh.txt"}) {
      const std::string text = test::slurp(test::source_dir() / "data/corpus" / name);
      for (std::size_t begin = 0, end; (end = text.find("\n\n", begin)) != text.npos;
           begin = end + 2) {
        documents.push_back(text.substr(begin, end - begin));
      }
    }
    return documents;
  }();
  return kDocuments;
}

/// A thousand texts: documents of both languages, what is hard by design, random mixtures.
std::vector<std::string> texts() {
  std::vector<std::string> texts = {"",
                                    " ",
                                    "  ",
                                    "\n",
                                    " \n ",
                                    "\t\tx",
                                    "a",
                                    "我",
                                    "The [MASK] sat in the [MASK] .",
                                    "[MASK]我今天去了[MASK]。",
                                    "[CLS] a [SEP] b",
                                    "<s>x</s> y",
                                    "</s>",
                                    "<unk>",
                                    "[UNK] [PAD]",
                                    "<0x0A>",
                                    "a<0x41>b",
                                    "<|user|>hello<|end|>",
                                    "$x$x",
                                    "👨‍👩‍👧",
                                    "e\u0301",
                                    "\u2581a\u2581",
                                    "▅▅",
                                    "  both  ",
                                    "x\n\n\n  y",
                                    std::string(300, 'a'),
                                    std::string(90, ' '),
                                    "3.14159, 1234567890",
                                    "def f(x):\n    return x + 1\n",
                                    "\uFEFFtext",
                                    "a\u00a0b\u3000c"};
  Random random(random_key(29, "interop"));
  while (texts.size() < 500) texts.push_back(corpus()[random.below(corpus().size())]);
  while (texts.size() < 1000) texts.push_back(test::random_text(random, 1 + random.below(30)));
  return texts;
}

struct Case {
  const char *recipe, *type;
  std::int64_t vocab_size;
  std::vector<std::string> user_symbols = {}, chat_symbols = {};
  const char* normalization = "identity";
};

class TokenizerInterop : public testing::TestWithParam<Case> {};

TEST_P(TokenizerInterop, SameIdsOnAThousandTexts) {
  LLMCTL_NEEDS_TRANSFORMERS();
  const test::TempDir directory;
  TokenizerTrainConfig config;
  config.recipe = GetParam().recipe;
  config.model_type = GetParam().type;
  config.vocab_size = GetParam().vocab_size;
  config.user_symbols = GetParam().user_symbols;
  config.chat_symbols = GetParam().chat_symbols;
  config.normalization = GetParam().normalization;
  train_tokenizer(
      config,
      [](const std::function<bool(std::string_view)>& document) {
        for (const std::string& text : corpus()) document(text);
      },
      directory / "t");
  // As in a model's directory, where the model's type could choose another class.
  directory.write("t/config.json", config.recipe == "masked" ? R"({"model_type": "bert"})"
                                                             : R"({"model_type": "llama"})");

  const auto tokenizer = load_tokenizer(directory / "t");
  const std::string cases = test::tokenizer_cases(*tokenizer, texts());
  std::vector<std::string> arguments = {(directory / "t").string(),
                                        directory.write("cases.jsonl", cases).string()};
  if (config.model_type == "word") arguments.push_back("--merged-unknown");
  // Other normalisations: sentencepiece agrees on every text; where AutoTokenizer does not, it and
  // sentencepiece differ, and the texts are listed.
  const bool identity = config.normalization == "identity";
  if (!identity) arguments.push_back("--list-autotokenizer");
  const test::ProcessResult result = test::run_python("tokenizer_peers.py", arguments);
  ASSERT_EQ(result.status, 0) << result.describe();
  const std::string line = result.out.substr(result.out.rfind('{', result.out.find("\"texts\"")));
  const Json summary = parse_json(line, "tokenizer_peers.py");
  EXPECT_EQ(summary["texts"], 1000);
  if (!identity) std::cout << result.out;
  const SpecialTokens& special = tokenizer->special();
  EXPECT_EQ(summary["special"]["unk_token"], *special.unk);
  if (config.recipe == "masked") {
    EXPECT_EQ(summary["special"]["mask_token"], *special.mask);
    EXPECT_EQ(summary["special"]["pad_token"], *special.pad);
  } else {
    EXPECT_EQ(summary["special"]["bos_token"], *special.bos);
    EXPECT_EQ(summary["special"]["eos_token"], *special.eos);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, TokenizerInterop,
    testing::Values(Case{"causal", "bpe", 8000, {}}, Case{"masked", "bpe", 8000, {}},
                    Case{"causal", "unigram", 4000, {}}, Case{"masked", "unigram", 4000, {}},
                    Case{"causal", "char", 8000, {}}, Case{"causal", "word", 4000, {}},
                    Case{"causal", "bpe", 4000, {"<|user|>", "<|end|>", "the", "$x"}},
                    Case{"causal", "bpe", 4000, {}, {"<|im_start|>", "<|im_end|>"}},
                    Case{"causal", "bpe", 4000, {}, {}, "nfkc"},
                    Case{"causal", "unigram", 4000, {}, {}, "nmt_nfkc"},
                    Case{"masked", "unigram", 3000, {}, {}, "nfkc_cf"},
                    Case{"masked", "bpe", 4000, {}, {}, "nmt_nfkc_cf"}),
    [](const testing::TestParamInfo<Case>& entry) {
      return std::string(entry.param.recipe) + "_" + entry.param.type +
             (entry.param.user_symbols.empty() ? "" : "_symbols") +
             (entry.param.chat_symbols.empty() ? "" : "_chat") +
             (entry.param.normalization == std::string("identity")
                  ? ""
                  : std::string("_") + entry.param.normalization);
    });

/// Tokenizers of the Hugging Face kinds, saved by llmctl.
TEST(HuggingFaceInterop, SameIdsOnAThousandTexts) {
  LLMCTL_NEEDS_TRANSFORMERS();
  std::size_t cases = 0;
  for (const auto& directory : test::parity_cases("tokenizers")) {
    if (std::filesystem::exists(directory / "tokenizer.model")) continue;
    SCOPED_TRACE(directory.filename().string());
    ++cases;
    const test::TempDir saved;
    load_tokenizer(directory)->save(saved.path(), 0);
    const auto tokenizer = load_tokenizer(saved.path());
    std::string lines;
    for (const std::string& text : texts()) {
      const Encoding encoding = tokenizer->encode_with_special_pieces(text);
      Json offsets = Json::array();
      for (const ByteSpan span : character_offsets(text, encoding.offsets)) {
        offsets.push_back({span.begin, span.end});
      }
      lines += dump_json({{"text", text},
                          {"recognised", encoding.ids},
                          {"offsets", std::move(offsets)},
                          {"with_special", tokenizer->with_special(encoding.ids)},
                          {"decoded", tokenizer->decode(encoding.ids, true)}}) +
               "\n";
    }
    const test::TempDir work;
    const test::ProcessResult result = test::run_python(
        "huggingface_peers.py", {saved.path().string(), work.write("cases.jsonl", lines).string()});
    EXPECT_EQ(result.status, 0) << result.describe();
    EXPECT_NE(result.out.find("\"texts\": 1000"), std::string::npos) << result.out;
  }
  EXPECT_GT(cases, 0u);
}

}  // namespace
}  // namespace llmctl
