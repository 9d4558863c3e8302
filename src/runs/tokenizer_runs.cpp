#include "runs/tokenizer_runs.h"

#include <iostream>

#include "base/error.h"
#include "base/files.h"
#include "base/output.h"
#include "base/temporaries.h"
#include "base/utf8.h"
#include "io/text_source.h"

namespace llmctl {

TrainingEstimate estimate_training_on_files(const TokenizerTrainConfig& config,
                                            const std::vector<std::string>& inputs) {
  constexpr std::uint64_t kExpansion = 4;
  std::uint64_t bytes = 0;
  const auto files = expand_paths(inputs);
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
                                              const std::vector<std::string>& inputs,
                                              const fs::path& directory, bool overwrite) {
  const auto files = expand_paths(inputs);
  check_tokenizer_directory(directory, overwrite);
  const auto documents = [&](const std::function<bool(std::string_view)>& document) {
    for (const auto& file : files) {
      bool more = true;
      for_each_document(file, DocumentSplit::kBlankLine,
                        [&](std::string_view text) { return more = document(text); });
      if (!more) return;
    }
  };
  std::error_code ignored;
  if (!fs::exists(directory, ignored) || fs::is_empty(directory, ignored)) {
    return train_tokenizer(config, documents, directory);
  }
  // The old one stays until the new one is complete.
  const TemporaryPath fresh(directory.string() + ".new");
  fs::remove_all(fresh.path(), ignored);
  const auto report = train_tokenizer(config, documents, fresh.path());
  replace_directory(fresh.path(), directory);
  return report;
}

void for_each_input_text(const std::string& file,
                         const std::function<void(const std::string&)>& text) {
  const bool jsonl = fs::path(file).extension() == ".jsonl";
  const std::string source = file == "-" ? "standard input" : file;
  const auto take = [&](std::uint64_t number, std::string_view line) {
    if (const auto bad = find_invalid_utf8(line)) {
      fail(ErrorCode::kData, source, ":", number, ": invalid UTF-8 at byte ", *bad, " of the line");
    }
    if (!jsonl) return text(std::string(line));
    if (line.empty()) return;
    const Json record = parse_json(line, concat(source, ":", number));
    require(record.is_object() && record.contains("text") && record["text"].is_string(),
            ErrorCode::kData, source, ":", number, ": expected an object with a member text");
    text(record["text"].get<std::string>());
  };
  if (file == "-") {
    std::string line;
    for (std::uint64_t number = 1; std::getline(std::cin, line); ++number) {
      if (line.ends_with('\r')) line.pop_back();
      take(number, line);
    }
    return;
  }
  for_each_text_line(file, [&](std::uint64_t number, std::string_view line) {
    take(number, line);
    return true;
  });
}

std::vector<std::pair<std::string, TokenizerReport>> inspect_tokenizer_on_files(
    const Tokenizer& tokenizer, const std::vector<std::string>& inputs) {
  std::vector<std::pair<std::string, TokenizerReport>> out;
  for (const auto& file : expand_paths(inputs)) {
    TokenizerInspector inspector(tokenizer);
    for_each_document(file, DocumentSplit::kBlankLine, [&](std::string_view text) {
      inspector.add(text);
      return true;
    });
    out.emplace_back(file.string(), inspector.report());
  }
  return out;
}

}  // namespace llmctl
