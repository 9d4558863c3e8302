#include "runs/tokenizer_runs.h"

#include <iostream>

#include "base/error.h"
#include "base/files.h"
#include "base/output.h"
#include "base/temporaries.h"
#include "base/utf8.h"
#include "corpus/readers.h"
#include "io/text_format.h"
#include "io/text_source.h"

namespace llmctl {

TrainingEstimate estimate_training_on_files(const TokenizerTrainConfig& config,
                                            const InputOptions& inputs) {
  constexpr std::uint64_t kExpansion = 4;
  std::uint64_t bytes = 0;
  const auto files = expand_paths(inputs.inputs);
  for (const auto& file : files) {
    std::error_code ignored;
    const std::uintmax_t size = fs::is_regular_file(file, ignored) ? fs::file_size(file) : 0;
    const bool compressed = text_extension(file) != file.extension();
    bytes += size * (compressed ? kExpansion : 1);
  }
  TrainingEstimate estimate = estimate_training(config, bytes);
  estimate.files = files.size();
  return estimate;
}

void check_tokenizer_directory(const fs::path& directory, bool overwrite) {
  std::error_code ignored;
  if (overwrite && fs::exists(directory / "tokenizer_config.json", ignored)) return;
  check_output_directory(directory, overwrite ? "it is no tokenizer's directory, choose another one"
                                              : "choose another directory or use --overwrite");
}

TokenizerTrainReport train_tokenizer_on_files(const TokenizerTrainConfig& config,
                                              const InputOptions& inputs, const fs::path& directory,
                                              bool overwrite, const InputOptions& targets) {
  check_tokenizer_directory(directory, overwrite);
  if (overwrite) {
    std::vector<fs::path> files;
    for (const InputOptions& some : {inputs, targets}) {
      if (some.inputs.empty()) continue;
      for (const SourceFile& file : source_files(sources_of(some))) files.push_back(file.path);
    }
    check_replaced_directory(directory, files);
  }
  const auto documents_of = [&](InputOptions texts) {
    // What is translated is a line, which begins as a text does.
    if (texts.split.empty() && config.recipe == "translation") texts.split = "line";
    return [files =
                source_files(sources_of(texts))](const std::function<bool(std::string_view)>& use) {
      ReadingNotes notes;
      bool more = true;
      for (const SourceFile& file : files) {
        for_each_source_document(
            file, [&](const SourceDocument& document) { return more = use(document.text); },
            &notes);
        if (!more) break;
      }
      notes.log();
    };
  };
  return train_tokenizer(config, documents_of(inputs), directory, overwrite,
                         targets.inputs.empty() ? DocumentReader() : documents_of(targets));
}

void for_each_input_text(const std::string& file,
                         const std::function<void(const std::string&)>& text) {
  if (file != "-") {
    const std::string format = text_format(file);
    if (format != "text") {
      SourceConfig how;
      how.path = file;
      how.format = format;
      ReadingNotes notes;
      for_each_source_document(
          {file, how},
          [&](const SourceDocument& document) {
            text(std::string(document.text));
            return true;
          },
          &notes);
      return notes.log();
    }
    return for_each_text_line(file, [&](std::uint64_t, std::string_view line) {
      text(std::string(line));
      return true;
    });
  }
  std::string line;
  for (std::uint64_t number = 1; std::getline(std::cin, line); ++number) {
    if (line.ends_with('\r')) line.pop_back();
    if (const auto bad = find_invalid_utf8(line)) {
      fail(ErrorCode::kData, "standard input:", number, ": invalid UTF-8 at byte ", *bad,
           " of the line");
    }
    text(line);
  }
}

std::vector<std::pair<std::string, TokenizerReport>> inspect_tokenizer_on_files(
    const Tokenizer& tokenizer, const InputOptions& inputs) {
  std::vector<std::pair<std::string, TokenizerReport>> out;
  ReadingNotes notes;
  for (const SourceFile& file : source_files(sources_of(inputs))) {
    TokenizerInspector inspector(tokenizer);
    for_each_source_document(
        file,
        [&](const SourceDocument& document) {
          inspector.add(document.text);
          return true;
        },
        &notes);
    out.emplace_back(file.path.string(), inspector.report());
  }
  notes.log();
  return out;
}

}  // namespace llmctl
