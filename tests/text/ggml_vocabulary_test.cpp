#include "text/ggml_vocabulary.h"

#include <gtest/gtest.h>

#include "base/files.h"
#include "config/json.h"
#include "support/expect_error.h"
#include "support/parity_dir.h"
#include "text/huggingface/huggingface_tokenizer.h"
#include "text/random_text.h"
#include "text/sentencepiece_tokenizer.h"
#include "text/template/chat_template.h"
#include "trained_tokenizer.h"

namespace llmctl {
namespace {

using test::expect_error;
using test::TempDir;

GgmlVocabulary described(const Tokenizer& tokenizer) {
  std::vector<std::string> notes;
  return ggml_vocabulary(tokenizer, notes);
}

std::shared_ptr<const Tokenizer> trained(TokenizerTrainConfig config) {
  const TempDir directory;
  config.vocab_size = config.vocab_size == 8000 ? 1800 : config.vocab_size;
  config.hard_vocab_limit = false;
  train_tokenizer(config, test::reader_of(test::sample_documents()), directory / "tokenizer");
  return load_tokenizer(directory / "tokenizer");
}

std::vector<std::string> texts() {
  std::vector<std::string> texts = {"",
                                    " ",
                                    "  two",
                                    "a\n\tb",
                                    "你好，世界",
                                    "e\u0301 \u00e9",
                                    "👨‍👩‍👧",
                                    "x</s>y",
                                    "1234.5",
                                    "def f(x):\n    return x"};
  Random random(random_key(11, "ggml"));
  for (int i = 0; i < 60; ++i) texts.push_back(test::random_text(random, 1 + random.below(30)));
  return texts;
}

void expect_same_ids(const Tokenizer& got, const Tokenizer& wanted) {
  ASSERT_EQ(got.vocab_size(), wanted.vocab_size());
  for (const std::string& text : texts()) {
    const auto ids = wanted.encode(text);
    EXPECT_EQ(got.encode(text), ids) << text;
    EXPECT_EQ(got.with_special(ids), wanted.with_special(ids)) << text;
    EXPECT_EQ(got.decode(ids), wanted.decode(ids)) << text;
  }
  EXPECT_EQ(got.special_ids(), wanted.special_ids());
  EXPECT_EQ(got.special().eos, wanted.special().eos);
}

TEST(GgmlVocabulary, SentencePieceComesBack) {
  for (const bool prefix : {true, false}) {
    TokenizerTrainConfig config;
    config.add_dummy_prefix = prefix;
    config.chat_symbols = {"<|im_start|>", "<|im_end|>"};
    const auto tokenizer = trained(config);
    const GgmlVocabulary vocabulary = described(*tokenizer);
    EXPECT_EQ(vocabulary.model, "llama");
    EXPECT_EQ(vocabulary.add_space_prefix, prefix);
    EXPECT_EQ(vocabulary.add_bos, true);
    EXPECT_EQ(vocabulary.types[0], GgmlVocabulary::kUnknown);
    EXPECT_EQ(vocabulary.types[1], GgmlVocabulary::kControl);
    expect_same_ids(*make_tokenizer(vocabulary, "m.gguf"), *tokenizer);
  }
  TokenizerTrainConfig config;
  config.model_type = "unigram";
  config.byte_fallback = false;
  const auto tokenizer = trained(config);
  const GgmlVocabulary vocabulary = described(*tokenizer);
  EXPECT_EQ(vocabulary.model, "t5");
  expect_same_ids(*make_tokenizer(vocabulary, "m.gguf"), *tokenizer);
}

TEST(GgmlVocabulary, ANormaliserComesBack) {
  LLMCTL_NEEDS_PARITY("tokenizers/spm_unigram");
  const auto tokenizer = std::make_shared<SentencePieceTokenizer>(
      load_sentencepiece_model(test::parity_dir() / "tokenizers/spm_unigram/tokenizer.model"), "t");
  const GgmlVocabulary vocabulary = described(*tokenizer);
  EXPECT_EQ(vocabulary.model, "t5");
  EXPECT_FALSE(vocabulary.charsmap.empty());
  expect_same_ids(*make_tokenizer(vocabulary, "m.gguf"), *tokenizer);
}

TEST(GgmlVocabulary, ASavedCopyIsTheSameTokenizer) {
  const auto tokenizer = make_tokenizer(described(*trained({})), "m.gguf");
  const TempDir directory;
  tokenizer->save(directory.path(), 0);
  expect_same_ids(*load_tokenizer(directory.path()), *tokenizer);
}

TEST(GgmlVocabulary, ByteLevelComesBack) {
  const std::pair<const char*, const char*> cases[] = {
      {"bytebpe_gpt2", "gpt-2"}, {"bytebpe_llama3", "llama-bpe"}, {"bytebpe_qwen2", "qwen2"}};
  for (const auto& [name, pre] : cases) {
    SCOPED_TRACE(name);
    const auto directory = test::parity_dir() / "tokenizers" / name;
    if (!std::filesystem::exists(directory)) continue;
    const auto tokenizer = load_tokenizer(directory);
    std::vector<std::string> notes;
    const GgmlVocabulary vocabulary = ggml_vocabulary(*tokenizer, notes);
    EXPECT_EQ(vocabulary.model, "gpt2");
    EXPECT_EQ(vocabulary.pre, pre);
    EXPECT_EQ(notes.size(), std::string(pre) == "qwen2" ? 1U : 0U);
    expect_same_ids(*make_tokenizer(vocabulary, "m.gguf"), *tokenizer);
  }
}

TEST(GgmlVocabulary, UnusedTokensAreNone) {
  const auto tokenizer = load_tokenizer(test::parity_dir() / "models/gpt2");
  GgmlVocabulary vocabulary = described(*tokenizer);
  vocabulary.tokens.emplace_back("[PAD801]");
  vocabulary.types.push_back(GgmlVocabulary::kUnused);
  const auto again = make_tokenizer(vocabulary, "m.gguf");
  EXPECT_EQ(again->vocab_size(), tokenizer->vocab_size());
  EXPECT_EQ(again->find("[PAD801]"), std::nullopt);
}

TEST(GgmlVocabulary, TheChatTemplateComesAlong) {
  GgmlVocabulary vocabulary = described(*trained({}));
  vocabulary.chat_template = "{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}";
  const auto tokenizer = make_tokenizer(vocabulary, "m.gguf");
  const TempDir directory;
  const auto file = directory.write("m.gguf", "GGUF");
  const auto chat = ChatTemplate::of_directory(file, *tokenizer);
  ASSERT_TRUE(chat.has_value());
  ChatRequest request;
  request.messages = {{{"role", "user"}, {"content", "hi"}}};
  EXPECT_EQ(chat->render(request).text, "<s>hi");
  vocabulary.chat_template.clear();
  EXPECT_FALSE(ChatTemplate::of_directory(file, *make_tokenizer(vocabulary, "m.gguf")));
}

TEST(GgmlVocabulary, WhatLlamaCppCannotFollowIsRefused) {
  const auto refused = [](const Tokenizer& tokenizer, std::vector<std::string> parts) {
    parts.emplace_back("cannot be written as GGUF");
    expect_error(ErrorCode::kData, parts, [&] { described(tokenizer); });
  };
  TokenizerTrainConfig config;
  config.model_type = "char";
  config.vocab_size = 3000;
  refused(*trained(config), {"type char"});
  config = {};
  config.byte_fallback = false;
  refused(*trained(config), {"byte pieces"});
  config = {};
  config.normalization = "nfkc";
  refused(*trained(config), {"normalises", "nfkc"});
  config = {};
  config.user_symbols = {"==>"};
  refused(*trained(config), {"\"==>\"", "user-defined"});
  config.add_dummy_prefix = false;
  EXPECT_EQ(described(*trained(config)).model, "llama");
  config = {};
  config.model_type = "unigram";
  refused(*trained(config), {"unigram", "byte_fallback"});
  config.byte_fallback = false;
  config.normalization = "nmt_nfkc";
  refused(*trained(config), {"user-defined piece \"\\n\""});
  refused(*load_tokenizer(test::parity_dir() / "tokenizers/wordpiece_uncased"), {"WordPiece"});
}

/// A tokenizer.json of bytes, with one change.
std::shared_ptr<const Tokenizer> changed(const std::function<void(Json&)>& change) {
  Json json = load_json(test::parity_dir() / "models/gpt2/tokenizer.json");
  change(json);
  return std::make_shared<HuggingFaceTokenizer>(TokenizerFiles{json, nullptr, "tokenizer.json"});
}

TEST(GgmlVocabulary, PreTokenizersAreKnownByWhatTheyDo) {
  const auto pre = [](const std::function<void(Json&)>& change) {
    return described(*changed(change)).pre;
  };
  EXPECT_EQ(pre([](Json& json) {
              json["pre_tokenizer"] = {
                  {"type", "Sequence"},
                  {"pretokenizers",
                   {{{"type", "Digits"}, {"individual_digits", true}}, json["pre_tokenizer"]}}};
            }),
            "smollm");
  expect_error(ErrorCode::kData, {"pre_tokenizer"},
               [&] { pre([](Json& json) { json["pre_tokenizer"]["add_prefix_space"] = true; }); });
  expect_error(ErrorCode::kData, {"ignore_merges"},
               [&] { pre([](Json& json) { json["model"]["ignore_merges"] = true; }); });
  expect_error(ErrorCode::kData, {"normalizer", "Lowercase"}, [&] {
    pre([](Json& json) { json["normalizer"] = {{"type", "Lowercase"}}; });
  });
  expect_error(ErrorCode::kData, {"lstrip", "<|x|>"}, [&] {
    pre([](Json& json) {
      json["added_tokens"].push_back({{"id", 801},
                                      {"content", "<|x|>"},
                                      {"single_word", false},
                                      {"lstrip", true},
                                      {"rstrip", false},
                                      {"normalized", false},
                                      {"special", false}});
    });
  });
}

TEST(GgmlVocabulary, FaultsOfAFileAreNamed) {
  const GgmlVocabulary good = described(*trained({}));
  const auto refused = [&](const std::function<void(GgmlVocabulary&)>& change,
                           std::vector<std::string> parts) {
    GgmlVocabulary bad = good;
    change(bad);
    parts.emplace_back("m.gguf");
    expect_error(ErrorCode::kData, parts, [&] { make_tokenizer(bad, "m.gguf"); });
  };
  refused([](auto& v) { v.model = "bert"; }, {"tokenizer.ggml.model", "bert", "expected llama"});
  refused([](auto& v) { v.tokens.clear(); }, {"tokens", "missing"});
  refused([](auto& v) { v.tokens[5] = v.tokens[6]; }, {"tokens", "twice"});
  refused([](auto& v) { v.tokens[5] = "\xff"; }, {"token 5", "UTF-8"});
  refused([](auto& v) { v.scores.pop_back(); }, {"scores"});
  refused([](auto& v) { v.types.pop_back(); }, {"token_type"});
  refused([](auto& v) { v.types[3] = 7; }, {"token_type", "7"});
  refused([](auto& v) { v.special.eos = 1'000'000; }, {"eos_token", "1000000"});
  refused([](auto& v) { v.types[0] = GgmlVocabulary::kNormal; }, {"unknown piece"});
  refused([](auto& v) { v.model = "gpt2", v.pre = "poro-chat"; }, {"poro-chat", "llama-bpe"});
}

}  // namespace
}  // namespace llmctl
