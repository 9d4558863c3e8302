// Configuration of `data prepare`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/fields.h"
#include "corpus/clean_config.h"
#include "io/text_source.h"

namespace llmctl {

/// An element of "input"; a plain string is its path.
struct SourceConfig {
  static constexpr const char* kShorthand = "path";
  std::string path, format = "auto", split = "blank_line", tokenizer;
  std::vector<std::string> fields_of_text;
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("path", self.path, "File, folder or glob; plain or .gz, .bz2, .xz, .zst.", PathKey{});
    visit(
        "format", self.format,
        "text, jsonl, json, csv, tsv, html, mediawiki (.xml dumps), tokens (nanoGPT's and llm.c's "
        ".bin); auto: by content and name.",
        OneOf{{"auto", "text", "jsonl", "json", "csv", "tsv", "html", "mediawiki", "tokens"}});
    visit("split", self.split,
          "Where a document of a text file ends: blank_line (in a file with lines such as "
          "<|endoftext|> at those instead), line or file.",
          OneOf{kDocumentSplits});
    visit("fields", self.fields_of_text,
          "Fields of a record that are its text (a.b: field b of field a), with line ends between; "
          "empty: the first of text, content, sentence, review, … that there is.");
    visit("tokenizer", self.tokenizer, "Tokenizer that decodes a .bin file of tokens.", PathKey{});
  }
};

/// Section "deduplicate".
struct DeduplicateConfig {
  bool exact = true, near = false, paragraphs = false;
  std::int64_t ngram = 2;
  double threshold = 0.35;
  std::int64_t min_paragraph = 80;
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("exact", self.exact, "Drop documents whose text was there before.");
    visit("near", self.near, "Drop documents that are nearly one that was there before (MinHash).");
    visit("ngram", self.ngram,
          "Words in a row that are compared (each Chinese character counts as one).",
          Range<std::int64_t>{1, 20});
    visit("threshold", self.threshold,
          "Least share of common n-grams (Jaccard) of near duplicates; with 2 words in a row 0.35 "
          "is a fifth of the words changed.",
          Range<double>{0.1, 1});
    visit("paragraphs", self.paragraphs, "Take out paragraphs that were there before.");
    visit("min_paragraph", self.min_paragraph, "Shorter paragraphs stay, in characters.",
          Range<std::int64_t>{1, 1'000'000});
  }
};

/// Section "contamination".
struct ContaminationConfig {
  std::vector<std::string> against;
  std::int64_t ngram = 13;
  std::string action = "drop";
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("against", self.against, "Evaluation files whose texts must not be learned.", PathKey{});
    visit("ngram", self.ngram,
          "Words in a row (Chinese: characters) that make an overlap (Brown et al., 2020).",
          Range<std::int64_t>{4, 100});
    visit("action", self.action, "What happens to a document with an overlap.",
          OneOf{{"report", "drop"}});
  }
};

/// Section "split".
struct SplitConfig {
  double valid = 0, test = 0;
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("valid", self.valid, "Share of the documents for validation, by hash of their text.",
          Range<double>{0, 0.5});
    visit("test", self.test, "Share for testing.", Range<double>{0, 0.5});
  }
};

/// Root of `data prepare`.
struct PrepareConfig {
  std::vector<SourceConfig> input;
  std::string output, tokenizer;
  CleanConfig clean;
  DeduplicateConfig deduplicate;
  ContaminationConfig contamination;
  SplitConfig split;
  std::optional<bool> write_text;
  bool write_dropped = false;
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("input", self.input,
          "Sources: paths, or objects with path and how it is read. On the command line "
          "input.fields, "
          "input.split and input.format are those of all.");
    visit("output", self.output, "Directory to make.", PathKey{});
    visit("tokenizer", self.tokenizer,
          "Tokenizer of the shards: a directory or model; empty: text only.", PathKey{});
    visit("clean", self.clean, "Steps of cleaning.");
    visit("deduplicate", self.deduplicate, "What was there before.");
    visit("contamination", self.contamination, "Texts of evaluations.");
    visit("split", self.split, "Held-out documents.");
    visit("write_text", self.write_text,
          "Write the documents as JSONL too; without a tokenizer always.");
    visit("write_dropped", self.write_dropped,
          "Write dropped.jsonl: every document and paragraph that was dropped, and by which rule.");
  }
};

}  // namespace llmctl
