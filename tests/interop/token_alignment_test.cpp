// Words, sub-words and labels beside those of transformers' example for token classification.
#include <gtest/gtest.h>

#include "data/collate.h"
#include "interop/peers.h"
#include "support/paths.h"
#include "support/python.h"
#include "support/temp_dir.h"
#include "tasks/tag_rows.h"

namespace llmctl {
namespace {

std::vector<TaggedText> bundled_texts() {
  TaggedTexts all;
  BadRows bad(false);
  for (const char* name : {"en-valid.conll", "en-train.conll", "zh-valid.jsonl"})
    read_tagged_texts(test::source_dir() / "data/entities" / name, 0, {}, bad, all);
  bad.settle();
  return std::move(all.texts);
}

TEST(TokenAlignmentInterop, LabelsAreThoseOfTheExample) {
  LLMCTL_NEEDS_TRANSFORMERS();
  const std::vector<TaggedText> texts = bundled_texts();
  for (const char* name : {"wordpiece_uncased", "wordpiece_cased_zh"}) {
    SCOPED_TRACE(name);
    const auto directory = test::source_dir() / "tests/parity/tokenizers" / name;
    const auto tokenizer = load_tokenizer(directory);
    const TagRows rows(texts, *tokenizer, {512, 64});
    ASSERT_EQ(rows.rows().size(), texts.size());
    std::string cases;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      ASSERT_EQ(rows.units(i).spans, texts[i].words) << texts[i].text;
      // Any numbers tell which word a label is of.
      std::vector<std::vector<std::int64_t>> labels(texts.size());
      std::vector<std::string> words;
      for (const ByteSpan& word : texts[i].words) {
        labels[i].push_back(static_cast<std::int64_t>(words.size() % 7));
        words.push_back(texts[i].text.substr(word.begin, word.end - word.begin));
      }
      const Batch batch = rows.batch(std::vector{static_cast<std::int64_t>(i)}, labels);
      const auto numbers = [](const at::Tensor& tensor) {
        const auto* values = tensor.const_data_ptr<std::int64_t>();
        return std::vector<std::int64_t>(values, values + tensor.numel());
      };
      cases += dump_json(Json{{"words", words},
                              {"tags", labels[i]},
                              {"ids", numbers(batch.input.ids)},
                              {"labels", numbers(batch.labels)}}) +
               "\n";
    }
    const test::TempDir scratch;
    const test::ProcessResult result = test::run_python(
        "token_alignment_peer.py", {directory, scratch.write("cases.jsonl", cases).string()});
    EXPECT_EQ(result.status, 0) << result.describe();
    EXPECT_EQ(result.out, std::to_string(texts.size()) + "\n");
  }
}

}  // namespace
}  // namespace llmctl
