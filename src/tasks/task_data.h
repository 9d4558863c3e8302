// Section "data" of a run: what a task learns from and is validated on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/fields.h"
#include "data/mixture.h"
#include "io/text_source.h"
#include "tasks/records.h"
#include "text/tokenizer.h"

namespace llmctl {

/// One entry of data.train; a plain string is its path.
struct DataEntry {
  static constexpr const char* kShorthand = "path";
  std::string path;
  double weight = 1.0;
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("path", self.path, "File, folder or glob.", PathKey{});
    visit("weight", self.weight, "Passes per epoch: 1 once, 0.5 every second document by hash.",
          Range<double>{0, 1000}, Change::kOnRequest);
  }
};

/// data.valid: files, which may be written alone, or a share of the training data.
struct HeldOut {
  static constexpr const char* kShorthand = "paths";
  std::vector<std::string> paths;
  double tail = 0, hash = 0, stratified = 0;
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("paths", self.paths, "Files, folders or globs.", OneOrMore{}, PathKey{});
    visit("tail", self.tail, "Share: the last part of each text, or of the records.",
          Range<double>{0, 1});
    visit("hash", self.hash, "Share: documents or records by hash.", Range<double>{0, 1});
    visit("stratified", self.stratified,
          "Share of each class (of several labels: of each set of them; of values: of each tenth), "
          "by hash.",
          Range<double>{0, 1});
  }
  /// At most one of the four; shares between 0 and 1.
  void validate(const ConfigNode& node) const;
  HeldOutShare share() const { return {hash, tail, stratified}; }
};

/// Section "data". Tasks that learn from raw text have more keys than those that learn from
/// labelled records.
struct DataSection {
  std::vector<DataEntry> train;
  HeldOut valid;
  std::optional<std::int64_t> sequence_length;
  std::string split = "blank_line", format = "auto";
  std::vector<std::string> fields_of_text;
  std::string packing = "best_fit";
  std::int64_t valid_tokens = 0;
  std::string cache;
  bool skip_bad = false;
  std::vector<std::string> train_only;
  double temperature = 1, share = 1;
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("train", self.train,
          "What is learnt from: paths, or objects with path and weight. Raw text (text, .jsonl, "
          ".json, .csv, .tsv, .html, .xml of MediaWiki, plain or compressed, or a directory of "
          "shards) for language models, files in the task's format for the others.",
          OneOrMore{}, Change::kFree);
    visit("valid", self.valid,
          "What is held out: a list of paths, {\"tail\": 0.1} (the last tenth of each text, of the "
          "records), {\"hash\": 0.01} (documents or records by hash) or {\"stratified\": 0.1} "
          "(a tenth of each class).",
          Change::kFree);
    visit("sequence_length", self.sequence_length,
          "Most tokens of a row; absent: 512 of raw text, 384 of labelled records, or the model's "
          "limit where that is less.",
          Range<std::int64_t>{2, 1'000'000});
    visit(
        "split", self.split,
        "Raw text: where a document of a text file ends: blank_line (in a file with lines such as "
        "<|endoftext|> at those instead), line or file.",
        OneOf{kDocumentSplits});
    visit("format", self.format,
          "Raw text: text, jsonl, json, csv, tsv, html or mediawiki; auto: by content and name.",
          OneOf{{"auto", "text", "jsonl", "json", "csv", "tsv", "html", "mediawiki"}});
    visit("fields", self.fields_of_text,
          "Raw text: fields of a record that are its text (a.b: field b of field a); empty: the "
          "first of text, content, sentence, review, … that there is.");
    visit("packing", self.packing,
          "Raw text: best_fit (whole documents side by side, unseen by each other), concat (one "
          "stream, cut anywhere) or pad (one document per row).",
          OneOf{{"best_fit", "concat", "pad"}});
    visit("valid_tokens", self.valid_tokens,
          "Raw text: validate on at most this many tokens; 0: all.",
          Range<std::int64_t>{0, std::int64_t{1} << 40}, Change::kFree);
    visit("cache", self.cache,
          "Raw text: where it is kept once tokenized; empty: $LLMCTL_CACHE, else "
          "$XDG_CACHE_HOME/llmctl, else ~/.cache/llmctl.",
          PathKey{}, Change::kFree);
    visit("skip_bad", self.skip_bad,
          "Labelled records: leave bad rows out (a missing field, an unknown label, an empty text, "
          "no UTF-8, …), listed and counted; otherwise they stop the run.",
          Change::kFree);
    visit("train_only", self.train_only,
          "Labelled records of classification: files that are learnt from beside those of train, "
          "and of which a share in valid holds nothing out (weak labels).",
          OneOrMore{}, PathKey{}, Change::kFree);
    visit("temperature", self.temperature,
          "Of several entries in train: their parts of an epoch are raised to 1 / temperature, "
          "which brings small ones up to large ones; 1: as their sizes and weights say.",
          Range<double>{1, 1000}, Change::kOnRequest);
    visit("share", self.share,
          "Labelled records: train on this share of them, of each class alike, always the same "
          "ones; what is held out stays whole.",
          Range<double>{0, 1});
  }
};

/// A file, or a text's files, and how often it is passed per epoch.
struct WeightedFiles {
  std::vector<std::filesystem::path> files;
  double weight = 1.0;
};

/// The section with its files found: what Task::read() and Task::evaluate() take.
struct TaskData {
  std::vector<WeightedFiles> train;          ///< one for each entry of data.train
  std::vector<std::filesystem::path> valid;  ///< scored; where empty, `held_out` of train is
  HeldOutShare held_out;
  std::int64_t sequence_length = 512;
  std::filesystem::path directory;  ///< of the model, else of its tokenizer: its chat template
  /// Of the model that is scored or begun from, of an adapter its base's: its
  /// generation_config.json; empty: a new model.
  std::filesystem::path generation_directory = {};
  std::vector<std::filesystem::path> train_only;  ///< learnt from, never held out
  bool skip_bad = false;     ///< of labelled records: what BadRows is made with
  bool keep_places = false;  ///< for Task::labelled_rows(): remember where records stand
  double temperature = 1;    ///< of the entries of train
  double share = 1;          ///< of labelled records, learnt from
  /// What find_model calls the model that a training began with; empty: a new one.
  std::string initial_model = {};
  /// The keys of section "model" that stand in the place of that model's own.
  Json initial_overrides = Json::object();
  /// The task_specific_params of that model's config.json (of an adapter's metadata), by type of
  /// task: what trainings have left there of how the model reads; null: nothing.
  Json initial_params = nullptr;
  /// The directory of the model that somebody calls so; absent: that of this path.
  std::function<std::filesystem::path(const std::string&)> find_model = {};
  /// The tokenizer of a model's directory, for tasks that compare a second model's with their own.
  std::function<std::shared_ptr<const Tokenizer>(const std::filesystem::path&)> tokenizer_of = {};
  /// Of an encoder-decoder that is trained: the id that its targets begin with.
  std::optional<std::int64_t> decoder_start;
  PackingOptions packing() const { return {packing_name, sequence_length}; }

  // Of raw text.
  DocumentSplit split = DocumentSplit::kBlankLine;
  std::string format = "auto";
  std::vector<std::string> fields_of_text;
  std::string packing_name = "best_fit";
  std::int64_t valid_tokens = 0;  ///< scored at most; 0: all
  std::filesystem::path cache;    ///< directory of tokenized text

  /// All files of train.
  std::vector<std::filesystem::path> train_files() const;
  /// The files that are scored: valid, else those of train, of which held_out is taken.
  std::vector<std::filesystem::path> scored_files() const;
  /// Those of one type, an object.
  Json initial_settings(const std::string& type) const;
  bool holds_out() const { return !valid.empty() || held_out; }
};

/// Refuses (kData) scores of nothing: `records` of the scored files are there, or held out.
void require_scored(const TaskData& data, std::size_t records);

/// What `sequence_length` is where nobody says.
std::int64_t default_sequence_length(bool raw_text);

/// Finds the files of a section (kMissing), with `sequence_length` as asked for. kConfig for keys
/// of raw text in the section of a task on labelled records. `cache` is the directory that an empty
/// data.cache stands for.
TaskData find_task_data(const ConfigNode& node, const DataSection& section, bool raw_text,
                        const std::filesystem::path& cache);

/// Every key that the section has for such a task, with its value.
Json resolved_data(const DataSection& section, bool raw_text);

}  // namespace llmctl
