#include "text/train.h"

#include <gmock/gmock.h>

#include <set>

#include "base/error.h"
#include "base/files.h"
#include "base/random.h"
#include "support/temp_dir.h"
#include "text/random_text.h"
#include "text/sentencepiece_tokenizer.h"
#include "text/trained_tokenizer.h"
#include "text/training_sample.h"

namespace llmctl {
namespace {

using test::reader_of;
using test::sample_documents;
using testing::ElementsAre;
using testing::HasSubstr;
using Type = SentencePieceModel::PieceType;

struct Trained {
  std::shared_ptr<const SentencePieceTokenizer> tokenizer;
  TokenizerTrainReport report;
  std::string model_bytes, json_bytes;
};

Trained train(const TokenizerTrainConfig& config, const std::vector<std::string>& documents) {
  const test::TempDir directory;
  Trained result;
  result.report = train_tokenizer(config, reader_of(documents), directory / "t");
  result.tokenizer =
      std::dynamic_pointer_cast<const SentencePieceTokenizer>(load_tokenizer(directory / "t"));
  result.model_bytes = read_file(directory / "t/tokenizer.model");
  result.json_bytes = read_file(directory / "t/tokenizer.json");
  return result;
}

TokenizerTrainConfig small(const std::string& type = "bpe") {
  TokenizerTrainConfig config;
  config.model_type = type;
  config.vocab_size = 1500;
  return config;
}

std::string error_of(ErrorCode code, const TokenizerTrainConfig& config,
                     const std::vector<std::string>& documents) {
  const test::TempDir directory;
  try {
    train_tokenizer(config, reader_of(documents), directory / "t");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_FALSE(std::filesystem::exists(directory / "t"));
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

TEST(CutDocument, AtTheBestPlace) {
  const auto cut = [](std::string_view text, std::size_t limit) {
    std::vector<std::string> chunks;
    std::string all;
    cut_document(text, limit, [&](std::string_view chunk, bool first) {
      EXPECT_EQ(first, chunks.empty());
      EXPECT_LE(chunk.size(), limit);
      EXPECT_FALSE(chunk.empty());
      chunks.emplace_back(chunk);
      all += chunk;
    });
    EXPECT_EQ(all, text);
    return chunks;
  };
  EXPECT_THAT(cut("", 10), ElementsAre());
  EXPECT_THAT(cut("short", 10), ElementsAre("short"));
  EXPECT_THAT(cut("one\ntwo. xy\nz", 12), ElementsAre("one\ntwo. xy\n", "z"));
  EXPECT_THAT(cut("One. Two. Three", 12), ElementsAre("One. Two.", " Three"));
  EXPECT_THAT(cut("我。你！他是", 12), ElementsAre("我。你！", "他是"));
  EXPECT_THAT(cut("3.14 of them all", 9), ElementsAre("3.14 of", " them all"));
  EXPECT_THAT(cut("我今天去了", 7), ElementsAre("我今", "天去", "了"));
  EXPECT_THAT(cut("aaaaaaaaaa", 4), ElementsAre("aaaa", "aaaa", "aa"));
  EXPECT_THAT(cut("          ", 4), ElementsAre("   ", "   ", "    "));
}

TEST(TrainingSample, KeepsEverythingWithinTheBudget) {
  TrainingSample sample(1, 1000);
  for (const char* text : {"c", "a", "b"}) sample.add(text);
  EXPECT_EQ(sample.bytes(), 3u);
  EXPECT_THAT(sample.take(), ElementsAre("c", "a", "b"));
  EXPECT_TRUE(sample.take().empty());
}

TEST(TrainingSample, IsBoundedUniformAndReproducible) {
  const auto sample_of = [](std::uint64_t seed) {
    TrainingSample sample(seed, 10000);
    for (int i = 0; i < 2000; ++i) {
      sample.add(std::to_string(10000 + i) + std::string(95, 'x'));
      EXPECT_LE(sample.bytes(), 10000u);
    }
    EXPECT_EQ(sample.bytes(), 10000u);
    return sample.take();
  };
  const auto first = sample_of(1);
  EXPECT_EQ(first.size(), 100u);
  EXPECT_EQ(sample_of(1), first);
  EXPECT_NE(sample_of(2), first);
  EXPECT_TRUE(std::is_sorted(first.begin(), first.end()));
  // From everywhere: the mean of the numbers within four standard errors.
  double sum = 0;
  for (const std::string& text : first) sum += std::stod(text.substr(0, 5));
  EXPECT_NEAR(sum / 100, 11000, 4 * 2000 / std::sqrt(12.0 * 100));
}

TEST(TrainTokenizer, CausalRecipe) {
  const Trained trained = train(small(), sample_documents());
  const SentencePieceModel& model = trained.tokenizer->model();
  EXPECT_EQ(trained.report.pieces, 1500);
  EXPECT_EQ(model.pieces.size(), 1500u);
  EXPECT_EQ(trained.report.documents, sample_documents().size());
  EXPECT_GT(trained.report.bytes, 100000u);
  EXPECT_GT(trained.report.seconds, 0);
  EXPECT_EQ(model.pieces[0].text, "<unk>");
  EXPECT_EQ(model.pieces[1].text, "<s>");
  EXPECT_EQ(model.pieces[2].text, "</s>");
  EXPECT_EQ(model.pieces[3].text, "<0x00>");
  EXPECT_EQ(model.kind, SentencePieceModel::Kind::kBpe);
  EXPECT_TRUE(model.byte_fallback);
  EXPECT_TRUE(model.add_dummy_prefix);
  EXPECT_FALSE(model.remove_extra_whitespaces);
  EXPECT_TRUE(model.charsmap_bytes.empty());
  const SpecialTokens& special = trained.tokenizer->special();
  EXPECT_EQ(special.unk, 0);
  EXPECT_EQ(special.bos, 1);
  EXPECT_EQ(special.eos, 2);
  EXPECT_FALSE(special.pad || special.cls || special.sep || special.mask);
  for (const auto& piece : model.pieces) {  // split_digits, and no piece spans a line
    if (piece.type != Type::kNormal) continue;
    EXPECT_TRUE(piece.text.size() == 1 ||
                piece.text.find_first_of("0123456789") == std::string::npos)
        << piece.text;
    EXPECT_EQ(piece.text.find_first_of("\n\t\r"), std::string::npos);
  }
}

TEST(TrainTokenizer, MaskedRecipe) {
  TokenizerTrainConfig config = small();
  config.recipe = "masked";
  const Trained trained = train(config, sample_documents());
  const char* names[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  for (TokenId id = 0; id < 5; ++id) EXPECT_EQ(trained.tokenizer->piece(id), names[id]);
  const SpecialTokens& special = trained.tokenizer->special();
  EXPECT_EQ(special.pad, 0);
  EXPECT_EQ(special.unk, 1);
  EXPECT_EQ(special.cls, 2);
  EXPECT_EQ(special.sep, 3);
  EXPECT_EQ(special.mask, 4);
  EXPECT_FALSE(special.bos || special.eos);
  EXPECT_THAT(trained.tokenizer->with_special(std::vector<TokenId>{9}), ElementsAre(2, 9, 3));
  EXPECT_FALSE(trained.tokenizer->find("<s>").has_value());
}

TEST(TrainTokenizer, SameInputSameBytes) {
  const std::vector<std::string> documents(sample_documents().begin(),
                                           sample_documents().begin() + 60);
  for (const char* type : {"bpe", "unigram", "char", "word"}) {
    TokenizerTrainConfig config = small(type);
    config.hard_vocab_limit = false;
    const Trained first = train(config, documents);
    const Trained second = train(config, documents);
    EXPECT_EQ(first.model_bytes, second.model_bytes) << type;
    EXPECT_EQ(first.json_bytes, second.json_bytes) << type;
    EXPECT_EQ(first.tokenizer->fingerprint(), second.tokenizer->fingerprint());
  }
  TokenizerTrainConfig sampled = small();
  sampled.sample_bytes = 60000;
  const Trained part = train(sampled, sample_documents());
  EXPECT_LE(part.report.sampled_bytes, 60000u);
  EXPECT_GT(part.report.sampled_bytes, 55000u);
  EXPECT_EQ(train(sampled, sample_documents()).model_bytes, part.model_bytes);
  sampled.seed = 5;
  EXPECT_NE(train(sampled, sample_documents()).model_bytes, part.model_bytes);
}

TEST(TrainTokenizer, ThreadsDoNotChangeABpeModel) {
  TokenizerTrainConfig config = small();
  const Trained one = train(config, sample_documents());
  config.threads = 4;
  EXPECT_EQ(train(config, sample_documents()).tokenizer->fingerprint(),
            one.tokenizer->fingerprint());
}

TEST(TrainTokenizer, CharactersAreExactlyThoseOfTheText) {
  const std::vector<std::string> documents = {"First Citizen:\nBefore we proceed, hear me.",
                                              "\tTab & \"quotes\", $3\n\n▅ too"};
  const Trained trained = train(small("char"), documents);
  std::set<char32_t> alphabet;
  for (const std::string& text : documents) {
    for (const char32_t c : code_points(text)) alphabet.insert(c);
  }
  EXPECT_EQ(trained.tokenizer->vocab_size(), static_cast<std::int64_t>(alphabet.size()) + 3);
  for (const std::string& text : documents) {
    const auto ids = trained.tokenizer->encode(text);
    EXPECT_EQ(ids.size(), count_code_points(text));  // one token per character, no prefix
    EXPECT_EQ(trained.tokenizer->decode(ids), text);
  }
  EXPECT_TRUE(trained.tokenizer->find("\n").has_value());
  EXPECT_FALSE(trained.tokenizer->model().byte_fallback);
}

TEST(TrainTokenizer, TheTextIsLearntAsItIsEncoded) {
  // "Zebra" begins every line and never follows a space: only the form without it is a piece.
  std::vector<std::string> documents;
  for (int i = 0; i < 200; ++i) documents.push_back("x\nZebra\nZebra\nZebra");
  TokenizerTrainConfig config = small();
  config.hard_vocab_limit = false;
  const Trained trained = train(config, documents);
  EXPECT_TRUE(trained.tokenizer->find("Zebra").has_value());
  EXPECT_FALSE(trained.tokenizer->find("\u2581Zebra").has_value());
}

TEST(TrainTokenizer, LongLinesAreCutNotDropped) {
  std::string line;
  for (int i = 0; i < 3000; ++i) line += "我们去了公园。";
  std::string unbroken(20000, 'q');
  TokenizerTrainConfig config = small();
  config.hard_vocab_limit = false;
  const Trained trained = train(config, {line, unbroken});
  EXPECT_EQ(trained.report.bytes, line.size() + unbroken.size());
  EXPECT_TRUE(trained.tokenizer->find("我们去了公园").has_value());
  EXPECT_TRUE(trained.tokenizer->find("q").has_value());
}

TEST(TrainTokenizer, WithoutByteFallbackLineBreaksArePieces) {
  TokenizerTrainConfig config = small();
  config.byte_fallback = false;
  config.hard_vocab_limit = false;
  const std::vector<std::string> documents = {"one two\none\ttwo\r\nthree ▅ four",
                                              "one two three four five"};
  for (const char* type : {"bpe", "unigram"}) {
    config.model_type = type;
    const Trained trained = train(config, documents);
    for (const char* text : {"\n", "\t", "\r", "▅"}) {
      EXPECT_TRUE(trained.tokenizer->find(text).has_value()) << type;
    }
    for (const std::string& text : documents) {
      EXPECT_EQ(trained.tokenizer->decode(trained.tokenizer->encode(text)), text) << type;
    }
  }
}

TEST(TrainTokenizer, ChatSymbolsAreSpecialTokensThatTextNeverMakes) {
  TokenizerTrainConfig config = small();
  config.chat_symbols = {"<|im_start|>", "<|im_end|>", "<a,b>"};
  for (const char* recipe : {"causal", "masked"}) {
    config.recipe = recipe;
    const Trained trained = train(config, sample_documents());
    const Tokenizer& tokenizer = *trained.tokenizer;
    for (const std::string& symbol : config.chat_symbols) {
      const auto id = tokenizer.find(symbol);
      ASSERT_TRUE(id.has_value()) << symbol;
      EXPECT_TRUE(tokenizer.is_special(*id));
      const std::string text = "the " + symbol + "park";
      EXPECT_THAT(tokenizer.encode(text), testing::Not(testing::Contains(*id)));
      EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
      EXPECT_THAT(tokenizer.encode_with_special_pieces(text).ids, testing::Contains(*id));
    }
    EXPECT_EQ(tokenizer.find(config.recipe == "masked" ? "[MASK]" : "</s>"),
              config.recipe == "masked" ? 4 : 2);
  }
  config.user_symbols = {"<|im_end|>"};
  EXPECT_THAT(error_of(ErrorCode::kConfig, config, sample_documents()),
              HasSubstr("chat_symbols[1]: occurs twice"));
}

TEST(TrainTokenizer, TheEstimateGrowsWithTextAndVocabularyUpToTheSample) {
  TokenizerTrainConfig config;
  config.sample_bytes = 10'000'000;
  const auto small = estimate_training(config, 1'000'000);
  EXPECT_EQ(small.bytes, 1'000'000u);
  EXPECT_EQ(small.sample_bytes, 1'000'000u);
  const auto large = estimate_training(config, 1'000'000'000);
  EXPECT_EQ(large.sample_bytes, 10'000'000u);
  EXPECT_GT(large.memory, small.memory);
  EXPECT_GT(large.seconds, small.seconds);
  EXPECT_EQ(estimate_training(config, 100'000'000).memory, large.memory);
  config.vocab_size *= 4;
  EXPECT_GT(estimate_training(config, 1'000'000).seconds, small.seconds);
}

TEST(TrainTokenizer, UserSymbolsAreAlwaysOnePiece) {
  TokenizerTrainConfig config = small();
  config.user_symbols = {"<|user|>", "a,b", "say \"hi\""};
  config.user_symbols[2] = "\"hi\"";
  for (const char* type : {"bpe", "unigram", "char"}) {
    config.model_type = type;
    const Trained trained = train(config, sample_documents());
    for (const std::string& symbol : config.user_symbols) {
      const auto id = trained.tokenizer->find(symbol);
      ASSERT_TRUE(id.has_value()) << symbol;
      const std::string text = "the " + symbol + "park";
      EXPECT_THAT(trained.tokenizer->encode(text), testing::Contains(*id));
      EXPECT_EQ(trained.tokenizer->decode(trained.tokenizer->encode(text)), text);
    }
  }
  const auto refusal = [&](std::vector<std::string> symbols) {
    config.user_symbols = std::move(symbols);
    return error_of(ErrorCode::kConfig, config, sample_documents());
  };
  EXPECT_THAT(refusal({"ok", ""}), HasSubstr("user_symbols[1]: expected 1 to 1000 bytes"));
  EXPECT_THAT(refusal({"a b"}), HasSubstr("user_symbols[0]: contains a space"));
  EXPECT_THAT(refusal({"x", "x"}), HasSubstr("user_symbols[1]: occurs twice"));
  EXPECT_THAT(refusal({"<s>"}), HasSubstr("or is a special token"));
  EXPECT_THAT(refusal({"<0x0A>"}), HasSubstr("the name of a byte piece"));
  EXPECT_THAT(refusal({"\xFF"}), HasSubstr("not valid UTF-8"));
  EXPECT_THAT(refusal({std::string("\0", 1)}), HasSubstr("contains NUL"));
}

TEST(TrainTokenizer, VocabularyTooSmallNamesTheSmallest) {
  for (const char* type : {"bpe", "unigram", "char"}) {
    TokenizerTrainConfig config = small(type);
    config.vocab_size = 20;
    const std::string message = error_of(ErrorCode::kConfig, config, sample_documents());
    EXPECT_THAT(message, HasSubstr("vocab_size: 20 is too small"));
    config.vocab_size = std::stoi(message.substr(message.find("take ") + 5));
    EXPECT_EQ(train(config, sample_documents()).report.pieces, config.vocab_size) << type;
    --config.vocab_size;
    EXPECT_THAT(error_of(ErrorCode::kConfig, config, sample_documents()), HasSubstr("too small"));
  }
}

TEST(TrainTokenizer, VocabularyTooLargeNamesTheLargest) {
  const std::vector<std::string> documents = {"the cat sat on the mat", "the dog sat on the cat"};
  for (const char* type : {"bpe", "unigram", "word"}) {
    TokenizerTrainConfig config = small(type);
    const std::string message = error_of(ErrorCode::kConfig, config, documents);
    EXPECT_THAT(message, HasSubstr("vocab_size: 1500 is more than this text gives"));
    config.vocab_size = std::stoi(message.substr(message.find("which is ") + 9));
    EXPECT_EQ(train(config, documents).report.pieces, config.vocab_size) << type;
    const std::int64_t largest = config.vocab_size;
    config.vocab_size = 1500;
    config.hard_vocab_limit = false;
    EXPECT_EQ(train(config, documents).report.pieces, largest) << type;
  }
}

TEST(TrainTokenizer, OtherErrors) {
  // Without a check of ours SentencePiece would end the process on some of these.
  for (const char* type : {"bpe", "unigram", "char", "word"}) {
    for (const std::vector<std::string>& documents :
         {std::vector<std::string>{}, {""}, {"\t\t", "\n"}, {std::string("\0", 1)}}) {
      if (type == std::string("char") && documents.size() == 2) continue;  // "\n" is text there
      EXPECT_THAT(error_of(ErrorCode::kData, small(type), documents),
                  HasSubstr("no text to train"));
    }
  }
  EXPECT_EQ(error_of(ErrorCode::kData, small(), {"good", "b\xFF"}),
            "document 2 is not valid UTF-8 at byte 1");
  TokenizerTrainConfig words = small("word");
  words.byte_fallback = true;
  EXPECT_THAT(error_of(ErrorCode::kConfig, words, {"a"}), HasSubstr("byte_fallback: not possible"));

  const test::TempDir directory;
  directory.write("full/file", "x");
  bool read = false;
  try {
    train_tokenizer(
        small(), [&](const auto&) { read = true; }, directory / "full");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kCannotCreate);
    EXPECT_THAT(error.what(), HasSubstr("not an empty directory"));
  }
  EXPECT_FALSE(read);  // found out before the work
}

TEST(TrainTokenizer, NormalizationRules) {
  TokenizerTrainConfig config = small();
  config.normalization = "nmt_nfkc";
  const Trained trained = train(config, sample_documents());
  EXPECT_EQ(trained.tokenizer->model().normalizer_name, "nmt_nfkc");
  EXPECT_EQ(trained.tokenizer->decode(trained.tokenizer->encode("你好，Ｗorld！\nx")),
            "你好,World! x");
}

TEST(TokenizerTrainConfig, ReadsAndDescribes) {
  const JsonDocument document = parse_json_document(
      R"({"recipe": "masked", "character_coverage": 0.98, "byte_fallback": null, "user_symbols": ["x"]})",
      "c.json");
  TokenizerTrainConfig config;
  config.byte_fallback = true;
  read_config(ConfigNode(&document.value, "", &document), config);
  EXPECT_EQ(config.recipe, "masked");
  EXPECT_EQ(config.character_coverage, 0.98);
  EXPECT_EQ(config.byte_fallback, std::nullopt);
  EXPECT_THAT(config.user_symbols, ElementsAre("x"));
  const JsonDocument bad = parse_json_document(R"({"character_coverage": 1.5})", "c.json");
  EXPECT_THROW(read_config(ConfigNode(&bad.value, "", &bad), config), Error);
  for (const FieldDoc& doc : describe_config<TokenizerTrainConfig>())
    EXPECT_FALSE(doc.help.empty());
}

}  // namespace
}  // namespace llmctl
