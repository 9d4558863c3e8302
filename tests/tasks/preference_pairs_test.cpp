#include "tasks/preference_pairs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "support/expect_error.h"
#include "support/temp_dir.h"

namespace llmctl {
namespace {

std::vector<PreferencePair> read(const std::string& lines, const PreferenceFields& fields = {}) {
  const test::TempDir dir;
  write_file(dir / "pairs.jsonl", lines);
  BadRows bad(false);
  std::vector<PreferencePair> pairs;
  read_preference_pairs(dir / "pairs.jsonl", 0, fields, bad, pairs);
  bad.settle();
  return pairs;
}

TEST(PreferencePairs, OfTextsMessagesAndWholeConversations) {
  const auto pairs = read(R"({"prompt": "Hello", "chosen": "Hi.", "rejected": "Go away."}
{"prompt": [{"role": "user", "content": "你好"}], "chosen": [{"role": "assistant", "content": "你好。"}], "rejected": [{"role": "assistant", "content": "不。"}]}
{"chosen": [{"role": "user", "content": "A?"}, {"role": "assistant", "content": "B."}], "rejected": [{"role": "user", "content": "A?"}, {"role": "assistant", "content": "C."}]}
{"prompt": [{"role": "system", "content": "Be short."}, {"role": "user", "content": "D?"}], "chosen": "E.", "rejected": "F."}
)");
  ASSERT_EQ(pairs.size(), 4u);
  EXPECT_EQ(pairs[0].chosen.last().prompt, "Hello");
  EXPECT_EQ(pairs[0].chosen.last().answer, "Hi.");
  EXPECT_EQ(pairs[0].rejected.last().answer, "Go away.");
  EXPECT_FALSE(pairs[0].chosen.conversation);
  EXPECT_TRUE(pairs[1].chosen.conversation);
  EXPECT_EQ(pairs[1].rejected.last().answer, "不。");
  EXPECT_EQ(pairs[2].chosen.last().prompt, "A?");
  EXPECT_EQ(pairs[2].rejected.last().answer, "C.");
  EXPECT_EQ(pairs[3].chosen.messages.size(), 3u);
  EXPECT_EQ(pairs[3].rejected.last().answer, "F.");

  PreferenceFields fields;
  fields.prompt = "q";
  fields.chosen = "good";
  fields.rejected = "bad";
  EXPECT_EQ(read("{\"q\": \"1\", \"good\": \"2\", \"bad\": \"3\"}\n", fields).size(), 1u);
}

/// A record of messages: roles and texts one after the other.
Json messages(const std::vector<std::string>& parts) {
  Json list = Json::array();
  for (std::size_t i = 0; i + 1 < parts.size(); i += 2)
    list.push_back({{"role", parts[i]}, {"content", parts[i + 1]}});
  return list;
}

TEST(PreferencePairs, APromptThatConversationsBeginWithStandsOnce) {
  const auto chosen = [](const Json& prompt, const Json& good, const Json& bad) {
    const Json record = {{"prompt", prompt}, {"chosen", good}, {"rejected", bad}};
    const PreferencePair pair = read(dump_json(record) + "\n").at(0);
    EXPECT_EQ(pair.chosen.messages.size(), pair.rejected.messages.size());
    EXPECT_TRUE(pair.chosen.conversation);
    return pair.chosen.messages;
  };
  const Json short_one = messages({"user", "What is X?", "assistant", "Y."});
  EXPECT_EQ(chosen("What is X?", short_one, messages({"user", "What is X?", "assistant", "Z."})),
            short_one);
  const Json long_one = messages({"system", "Be brief.", "user", "Say: what is X?\n", "assistant",
                                  "Y.", "user", "Why?", "assistant", "So."});
  Json other = long_one;
  other.back()["content"] = "No.";
  EXPECT_EQ(chosen("what is X?", long_one, other), long_one);
  const Json greeted = messages({"assistant", "Hello!", "user", "What is X?", "assistant", "Y."});
  other = greeted;
  other.back()["content"] = "No.";
  EXPECT_EQ(chosen("What is X?", greeted, other), greeted);
  // Answers alone, also of several messages.
  EXPECT_EQ(chosen("What is X?", messages({"assistant", "Y."}), messages({"assistant", "Z."})),
            short_one);
  EXPECT_EQ(
      chosen("What is X?", messages({"assistant", "Y.", "user", "Why?", "assistant", "So."}),
             messages({"assistant", "Y.", "user", "Why?", "assistant", "No."})),
      messages({"user", "What is X?", "assistant", "Y.", "user", "Why?", "assistant", "So."}));

  const Json question = messages({"system", "Be brief.", "user", "What is X?"});
  const Json whole = messages({"system", "Be brief.", "user", "What is X?", "assistant", "Y."});
  other = whole;
  other.back()["content"] = "No.";
  EXPECT_EQ(chosen(question, whole, other), whole);
  EXPECT_EQ(chosen(question, short_one, messages({"user", "What is X?", "assistant", "No."})),
            whole);
  EXPECT_EQ(chosen(question, messages({"assistant", "Y."}), messages({"assistant", "No."})), whole);
}

TEST(PreferencePairs, PromptsOfTextsAreComposedAsOfDialogues) {
  const auto chosen = [](Json record, const Json& good = "Y.", const Json& bad = "Z.",
                         const PreferenceFields& fields = {}) {
    record["chosen"] = good;
    record["rejected"] = bad;
    const PreferencePair pair = read(dump_json(record) + "\n", fields).at(0);
    EXPECT_EQ(pair.chosen.turns.front().prompt, pair.rejected.turns.front().prompt);
    return pair.chosen;
  };
  const Json orca = {{"system", "Be brief."}, {"question", "What is X?"}};
  const Json whole = messages({"system", "Be brief.", "user", "What is X?", "assistant", "Y."});
  const Dialogue with_system = chosen(orca);
  EXPECT_TRUE(with_system.conversation);
  EXPECT_EQ(with_system.messages, whole);
  EXPECT_EQ(with_system.last().prompt, "Be brief.\nWhat is X?");
  const Dialogue with_input = chosen({{"instruction", "Translate."}, {"input", "X"}});
  EXPECT_FALSE(with_input.conversation);
  EXPECT_EQ(with_input.last().prompt, "Translate.\nX");
  EXPECT_EQ(with_input.messages, messages({"user", "Translate.\nX", "assistant", "Y."}));
  EXPECT_EQ(
      chosen({{"instruction", "Say X."}, {"input", ""}, {"system", ""}, {"history", Json::array()}})
          .messages,
      messages({"user", "Say X.", "assistant", "Y."}));
  EXPECT_EQ(
      chosen({{"instruction", "And Y?"}, {"history", Json::parse(R"([["X?", "No."]])")}}).messages,
      messages({"user", "X?", "assistant", "No.", "user", "And Y?", "assistant", "Y."}));
  // A field that the configuration names is the whole prompt.
  PreferenceFields named;
  named.prompt = "question";
  EXPECT_EQ(chosen(orca, "Y.", "Z.", named).last().prompt, "What is X?");

  // Answers of messages, alone and with the prompt in them.
  EXPECT_EQ(chosen(orca, messages({"assistant", "Y."}), messages({"assistant", "Z."})).messages,
            whole);
  const Dialogue of_messages = chosen(orca, messages({"user", "What is X?", "assistant", "Y."}),
                                      messages({"user", "What is X?", "assistant", "Z."}));
  EXPECT_EQ(of_messages.messages, whole);
  EXPECT_EQ(of_messages.last().prompt, "Be brief.\nWhat is X?");
  EXPECT_EQ(chosen({{"system", "Be brief."}}, messages({"user", "What is X?", "assistant", "Y."}),
                   messages({"user", "What is X?", "assistant", "Z."}))
                .messages,
            whole);
  EXPECT_EQ(chosen({{"system", "Be long."},
                    {"prompt", messages({"system", "Be brief.", "user", "What is X?"})}})
                .messages,
            whole);
  EXPECT_EQ(chosen({{"instruction", "Translate."}, {"input", "X"}}, messages({"assistant", "Y."}),
                   messages({"assistant", "Z."}))
                .messages,
            with_input.messages);
  const Json told = messages({"user", "Translate.\n\nX", "assistant", "Y."});
  EXPECT_EQ(chosen({{"instruction", "Translate."}, {"input", "X"}}, told,
                   messages({"user", "Translate.\n\nX", "assistant", "Z."}))
                .messages,
            told);
}

TEST(PreferencePairs, WhatIsNoPairIsNamed) {
  const auto refused = [](const std::string& line, const std::vector<std::string>& parts) {
    test::expect_error(ErrorCode::kData, parts, [&] { read(line + "\n"); });
  };
  refused(R"({"prompt": "a", "chosen": "b"})",
          {"pairs.jsonl:1", "no field rejected", "task.rejected_field"});
  refused(R"({"chosen": "a b", "rejected": "a c"})", {"pairs.jsonl:1", "no prompt"});
  refused(R"({"prompt": "a", "chosen": "b", "rejected": "b"})",
          {"chosen and rejected are the same"});
  refused(R"({"prompt": "a", "chosen": "b", "rejected": ""})", {"the answer is empty"});
  refused(R"({"prompt": "a", "chosen": 1, "rejected": "b"})", {"chosen: expected a text"});
  refused(
      R"({"chosen": [{"role": "user", "content": "A"}, {"role": "assistant", "content": "B"}], "rejected": [{"role": "user", "content": "X"}, {"role": "assistant", "content": "C"}]})",
      {"differ before their last message"});
  const auto beside = [&](const Json& prompt, const Json& good) {
    return dump_json(Json{{"prompt", prompt}, {"chosen", good}, {"rejected", "no"}});
  };
  refused(beside("A?", messages({"user", "X?", "assistant", "B"})),
          {"pairs.jsonl:1: chosen", "lacks the prompt"});
  refused(beside("A?", messages({"system", "A?", "assistant", "B"})),
          {"pairs.jsonl:1: chosen", "lacks the prompt"});
  refused(beside(messages({"user", "A?", "assistant", "B", "user", "C?"}), messages({"user", "D"})),
          {"pairs.jsonl:1: chosen: no answer of the assistant"});
}

TEST(PreferencePairs, ChosenRowsStandBeforeRejectedOnes) {
  const auto row = [](std::vector<TokenId> ids, std::vector<bool> learned) {
    return DialogueRow{std::move(ids), std::move(learned)};
  };
  const DialogueRows rows = {row({1, 2, 3}, {false, false, true}),
                             row({1, 2, 4, 5}, {false, false, true, true}),
                             row({6, 7}, {false, true}), row({6, 8}, {false, true})};
  EXPECT_EQ(pair_lengths(rows), (std::vector<std::int32_t>{3, 1}));
  const std::vector<std::int64_t> both = {1, 0};
  const Batch batch = collate_pairs(rows, both, 0);
  ASSERT_EQ(batch.input.rows(), 4);
  EXPECT_EQ(batch.labels[0][0].item<std::int64_t>(), 7);
  EXPECT_EQ(batch.labels[1][1].item<std::int64_t>(), 3);
  EXPECT_EQ(batch.labels[2][0].item<std::int64_t>(), 8);
  EXPECT_EQ(batch.labels[3][1].item<std::int64_t>(), 4);
  EXPECT_EQ(batch.labels[3][2].item<std::int64_t>(), 5);
}

}  // namespace
}  // namespace llmctl
