// Labels of words and of spans in texts: named entities, Chinese words.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tasks/labelled_spans.h"
#include "tasks/task.h"

namespace llmctl {

/// Section "task" of type token_classification.
struct TokenClassificationConfig {
  std::string type = "token_classification";
  std::string format = "auto", scheme = "auto";
  std::optional<std::string> text_field, tokens_field, tags_field, spans_field;
  std::int64_t word_column = 1, tag_column = 0;
  std::vector<std::string> labels;
  std::int64_t stride = 64;

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("type", self.type, "The task.", OneOf{{"token_classification"}});
    visit("format", self.format,
          "conll (a word and its tag a line, a blank line between sentences), records (JSON Lines "
          "or JSON with spans or with tokens and tags) or segmented (words between blanks, a "
          "sentence a line: word segmentation); auto: records or conll by content and name.",
          OneOf{{"auto", "conll", "records", "segmented"}});
    visit("scheme", self.scheme,
          "Tags that the model learns: bio (B-, I-) or bioes (B-, I-, E-, S-); auto: as the "
          "training data has them, bioes for segmented text, else bio.",
          OneOf{{"auto", "bio", "bioes"}});
    visit("text_field", self.text_field,
          "Records: field of the text; absent: text, sentence, content, … as the file has it.");
    visit("tokens_field", self.tokens_field,
          "Records: field of the list of words; absent: tokens or words.");
    visit("tags_field", self.tags_field,
          "Records: field of the words' tags; absent: tags, ner_tags or labels.");
    visit(
        "spans_field", self.spans_field,
        "Records: field of the text's spans, each {\"start\", \"end\", \"label\"} or [start, end, "
        "label] in code points; absent: entities, spans or labels.");
    visit("word_column", self.word_column, "CoNLL: column of the word, from 1.",
          Range<std::int64_t>{1, 1000});
    visit("tag_column", self.tag_column, "CoNLL: column of the tag, from 1; 0: the last.",
          Range<std::int64_t>{0, 1000});
    visit("labels", self.labels,
          "Names of the tags in the order of their ids; empty: O, then those of each type of the "
          "training data, sorted.");
    visit("stride", self.stride,
          "Tokens that neighbouring windows of a long text share; a word is labelled where it has "
          "most around it.",
          Range<std::int64_t>{0, 100'000});
  }
};

std::unique_ptr<Task> make_token_classification(const TokenClassificationConfig& config,
                                                std::shared_ptr<const Tokenizer> tokenizer);

}  // namespace llmctl
