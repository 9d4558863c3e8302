// Windows, offsets and labels of questions beside those that transformers' example makes.
#include <gtest/gtest.h>

#include <algorithm>

#include "config/json.h"
#include "support/paths.h"
#include "tasks/qa_features.h"

namespace llmctl::test {
namespace {

TEST(QaFeaturesParity, RowsAreThoseOfTransformersExample) {
  // Of this project's own goldens, whose tokenizers they name.
  const std::filesystem::path goldens = source_dir() / "tests/parity";
  QaData data;
  BadRows bad(false);
  read_qa_file(goldens / "questions/questions.json", bad, data);
  bad.settle();
  EXPECT_EQ(data.moved, 0u);
  const Json golden = load_json(goldens / "questions/features.json");
  std::size_t windows = 0;
  for (const Json& wanted : golden["cases"]) {
    SCOPED_TRACE(wanted["tokenizer"].get<std::string>());
    const auto tokenizer =
        load_tokenizer(goldens / "tokenizers" / wanted["tokenizer"].get<std::string>());
    const QaFeatures features(data, *tokenizer, {wanted["sequence_length"], wanted["stride"], 64});
    const Json& rows = wanted["rows"];
    ASSERT_EQ(features.windows().size(), rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const QaWindow& window = features.windows()[i];
      const QaItem& item = data.items[window.item];
      SCOPED_TRACE(item.id);
      EXPECT_EQ(rows[i]["id"], item.id);
      std::vector<TokenId> types;
      EXPECT_EQ(Json(features.row(window, &types)), rows[i]["ids"]);
      EXPECT_EQ(std::find(types.begin(), types.end(), 1) - types.begin(), rows[i]["second"]);
      EXPECT_EQ(window.start, rows[i]["start"]);
      EXPECT_EQ(window.end, rows[i]["end"]);
      const std::string& context = data.contexts[item.context];
      const std::vector<ByteSpan> spans = character_offsets(context, features.offsets(window));
      Json bounds = Json::array();
      for (const ByteSpan& span : spans) {
        bounds.push_back(span.begin);
        bounds.push_back(span.end);
      }
      EXPECT_EQ(bounds, rows[i]["spans"]);
      if (window.start == 0) continue;
      // The answer is found back.
      const ByteSpan found = features.text_span(window, window.start, window.end);
      EXPECT_EQ(context.substr(found.begin, found.end - found.begin), item.answers.front());
      ++windows;
    }
  }
  EXPECT_GT(windows, 40u);
}

}  // namespace
}  // namespace llmctl::test
