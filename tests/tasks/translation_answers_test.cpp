// Translations of a user's texts, and where their tokens come from.
#include "tasks/translation_answers.h"

#include <gtest/gtest.h>

#include "models/tiny_models.h"
#include "support/byte_tokenizer.h"
#include "support/expect_error.h"
#include "support/temp_dir.h"
#include "tasks/brief_training.h"
#include "tasks/translation_tokenizer.h"

namespace llmctl {
namespace {

TEST(Translator, RowsOfDocumentsHaveTheirOwnAdaptersAndOneTranslation) {
  const auto tokenizer = std::make_shared<test::ByteTokenizer>(test::ByteTokenizer::Kind::kCausal);
  const auto model = test::tiny_llama(*tokenizer);
  AnswerOptions options;
  options.document = true;
  const auto translator = make_translator(
      *model, TranslationForm::of_prompts(TranslationConfig(), tokenizer, Json()), options);
  const auto refuses = [&](const char* member, const Json& value,
                           const std::vector<std::string>& parts) {
    Json record = {{"text", "One. Two."}};
    record[member] = value;
    std::vector<AnswerInput> rows;
    rows.push_back({record, "rows.jsonl:2"});
    test::expect_error(ErrorCode::kData, parts, [&] { translator->check(rows); });
  };
  refuses("adapter", 7, {"rows.jsonl:2: adapter: expected a directory", "7"});
  refuses("generation", {{"num_return_sequences", 2}, {"temperature", 0.7}},
          {"rows.jsonl:2: generation.num_return_sequences", "one translation"});
}

TEST(Translator, TheMarkOfADirectionIsNoTokenOfTheSource) {
  const test::TempDir work;
  const std::shared_ptr<const Tokenizer> tokenizer = test::translation_tokenizer(work / "t");
  Json section = test::tiny_section("marian");
  section["pad_token_id"] = section["decoder_start_token_id"] = *tokenizer->special().pad;
  section["eos_token_id"] = *tokenizer->special().eos;
  const auto model =
      test::create(section, {.head = HeadKind::kSeq2SeqLm, .labels = {}}, tokenizer->vocab_size());
  TranslationConfig task;
  task.directions = {"en-de", "de-en"};
  AnswerOptions options;
  options.to = "de";
  options.generation = {{"alignments", true}, {"min_new_tokens", 2}, {"max_new_tokens", 4}};
  const auto translator = make_translator(
      *model, TranslationForm::of_pairs(task, tokenizer, model->facts().decoder_start), options);

  // The mark is a token, and the space behind it the first word's.
  std::vector<std::string> pieces;
  for (const TokenId id : tokenizer->encode(">>de<< a house"))
    pieces.push_back(tokenizer->piece(id));
  ASSERT_GT(pieces.size(), 1u);
  ASSERT_EQ(pieces.front(), ">>de<<");
  pieces.erase(pieces.begin());
  std::vector<AnswerInput> inputs;
  inputs.push_back({Json{{"text", "a house"}}, "prompt 1"});
  const Json record = translator->answer(inputs, 0, {}).at(0)->record();
  EXPECT_EQ(record.at("source_tokens").get<std::vector<std::string>>(), pieces);
  ASSERT_FALSE(record.at("alignment").empty());
  for (const Json& link : record.at("alignment")) {
    EXPECT_GE(link.at(0), 0);
    EXPECT_LT(link.at(0), pieces.size());
  }
}

}  // namespace
}  // namespace llmctl
