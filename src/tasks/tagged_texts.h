// Texts with labelled spans as users bring them: CoNLL files, records with spans or with tokens and
// tags, segmented lines.
#pragma once

#include <cstddef>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/json.h"
#include "metrics/entities.h"
#include "tasks/answer.h"
#include "tasks/bad_rows.h"
#include "tasks/entity_tags.h"
#include "tasks/token_classification.h"
#include "text/tokenizer.h"

namespace llmctl {

struct TaggedText {
  Json id;  ///< the record's "id", else its number from 0 over all files
  std::string text;
  std::vector<ByteSpan> words;   ///< what carries a label each, from left to right
  std::vector<Entity> entities;  ///< in bytes of the text, from left to right, not overlapping
  bool from_words = false;       ///< the text was put together from a list of words
  std::size_t file = 0;          ///< index of its file
  std::string place;             ///< "FILE:LINE" where it begins
};

/// What some files hold.
struct TaggedTexts {
  std::vector<TaggedText> texts;
  bool bioes = false;  ///< some file's tags have E or S, or its words are a segmentation
  // What the files hold: lines with columns, records with tokens, records with spans.
  bool columns = false, tokens = false, spans = false;
};

/// Appends the sentences or records of file number `index`. Noted in `bad`: tags that are none or
/// cannot follow one another, unequal numbers of columns or of words and tags, spans that overlap,
/// are empty or leave the text, invalid UTF-8. kData for files that are no such text at all;
/// kConfig for tags that are numbers and have no names.
void read_tagged_texts(const std::filesystem::path& file, std::size_t index,
                       const TokenClassificationConfig& config, BadRows& bad, TaggedTexts& out);

/// Refuses (kConfig) keys of the section that say how a kind of file is read of which there was
/// none in all that was read.
void check_reading(const TokenClassificationConfig& config,
                   std::initializer_list<const TaggedTexts*> read);

/// The text, or the words, of a single input ({"text": …} or {"tokens": […]}), without labels.
TaggedText read_tagged_input(const AnswerInput& input, const TokenClassificationConfig& config);

/// The words of a text that nobody has cut: runs of letters, digits and marks, with the hyphens in
/// them and the points and commas between digits; Chinese characters, kana, and signs one by one.
std::vector<ByteSpan> words_of_text(std::string_view text);

/// Spans of a prediction or a record, {"start", "end", "label"} or [start, end, label] in code
/// points of the text: in bytes, sorted, without white space at their ends. `need_label` false: a
/// span without one is of a segmentation. kData (without a place) for what is no list of spans, and
/// for spans that are outside of the text, empty or overlap.
std::vector<Entity> read_spans(const Json& spans, std::string_view text, bool need_label);

}  // namespace llmctl
