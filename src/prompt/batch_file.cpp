#include "prompt/batch_file.h"

#include <cerrno>
#include <cstring>
#include <numeric>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/signals.h"
#include "base/terminal.h"
#include "io/text_source.h"

namespace llmctl {
namespace {

/// Batches per chunk: enough that sorting by length pays, few enough that a kill costs little.
constexpr std::int64_t kBatchesPerChunk = 4;

std::string key_of(const std::vector<Json>& inputs, const std::string& digest, std::size_t chunk) {
  Sha256 hash;
  hash.update(digest);
  hash.update(concat("\n", chunk, "\n"));
  for (const Json& input : inputs) {
    hash.update(dump_json(input));
    hash.update("\n");
  }
  return hash.hex();
}

/// Bytes of the first `most` complete lines, and how many there are.
std::pair<std::uint64_t, std::size_t> complete_lines(const fs::path& path, std::size_t most) {
  const MappedFile file(path);
  const std::string_view text = file.view();
  std::uint64_t bytes = 0;
  std::size_t lines = 0;
  while (lines < most) {
    const std::size_t end = text.find('\n', bytes);
    if (end == text.npos) break;
    const std::string_view line = text.substr(bytes, end - bytes);
    if (!Json::accept(line.begin(), line.end())) break;  // a crash of the whole machine leaves such
    bytes = end + 1;
    ++lines;
  }
  return {bytes, lines};
}

/// How many inputs an earlier call answered; cuts the file behind the last complete chunk.
std::size_t resume_partial(const fs::path& partial, const fs::path& key_file,
                           const std::string& key, std::size_t inputs, std::size_t chunk) {
  if (!fs::exists(partial)) return 0;
  if (complete_lines(partial, 1).second == 0) return 0;
  const bool same = fs::exists(key_file) && read_file(key_file, 4096) == key + "\n";
  require(same, ErrorCode::kCannotCreate, partial.string(),
          ": was begun with other inputs, settings or another model; remove it to start anew");
  std::size_t done = complete_lines(partial, inputs).second;
  if (done < inputs) done -= done % chunk;
  std::error_code error;
  fs::resize_file(partial, complete_lines(partial, done).first, error);
  require(!error, ErrorCode::kCannotCreate, partial.string(), ": ", error.message());
  return done;
}

Json describe(const GeneratedText& text) {
  return {{"generated_text", text.text},
          {"finish_reason", text.finish_reason},
          {"tokens", text.ids.size()},
          {"logprob", std::accumulate(text.logprobs.begin(), text.logprobs.end(), 0.0)}};
}

}  // namespace

std::vector<Json> read_prompts(const fs::path& path) {
  std::vector<Json> prompts;
  const std::string extension = text_extension(path);
  if (extension == ".jsonl" || extension == ".json" || extension == ".csv" || extension == ".tsv") {
    for_each_record(path, [&](std::uint64_t number, const Json& record) {
      const char* key = record.contains("prompt") ? "prompt" : "text";
      require(record.contains(key) && record[key].is_string(), ErrorCode::kData, path.string(), ":",
              number, ": expected a string \"prompt\" (or \"text\")");
      Json prompt = {{"prompt", record[key]}};
      for (const auto& [name, value] : record.items()) {
        if (name != key) prompt[name] = value;
      }
      prompts.push_back(std::move(prompt));
      return true;
    });
  } else {
    for_each_text_line(path, [&](std::uint64_t, std::string_view line) {
      if (line.find_first_not_of(" \t") != line.npos) prompts.push_back({{"prompt", line}});
      return true;
    });
  }
  require(!prompts.empty(), ErrorCode::kData, path.string(), ": holds no prompt");
  return prompts;
}

BatchFileOutcome answer_batch_file(const std::vector<Json>& inputs, const fs::path& output,
                                   const std::string& digest, std::size_t chunk,
                                   const AnswerInputs& answer) {
  const fs::path partial = output.string() + ".partial";
  const fs::path key_file = partial.string() + ".key";
  const std::string key = key_of(inputs, digest, chunk);
  require(!fs::is_directory(output), ErrorCode::kCannotCreate, output.string(),
          ": is a directory, expected a file");
  BatchFileOutcome outcome;
  outcome.resumed = outcome.done = resume_partial(partial, key_file, key, inputs.size(), chunk);
  if (outcome.resumed > 0) {
    log_info("going on with ", partial.string(), ": ", outcome.resumed, " of ", inputs.size(),
             " are there");
  }
  if (outcome.resumed == 0) write_file(key_file, key + "\n");
  AppendFile file(partial);
  Progress progress("generate", inputs.size());
  progress.update(outcome.done);
  while (outcome.done < inputs.size()) {
    if (const int signal = stop_requested()) {
      outcome.exit_status = 128 + signal;
      return outcome;
    }
    const std::span<const Json> some =
        std::span(inputs).subspan(outcome.done, std::min(chunk, inputs.size() - outcome.done));
    std::string lines;
    for (const Json& line : answer(outcome.done, some)) lines += dump_json(line) + "\n";
    require(file.append(lines), ErrorCode::kIo, partial.string(),
            ": writing failed: ", std::strerror(errno), "; ", outcome.done, " of ", inputs.size(),
            " answers are kept, the same command goes on from there");
    outcome.done += some.size();
    progress.update(outcome.done);
  }
  progress.finish();
  file = AppendFile();
  std::error_code error;
  fs::rename(partial, output, error);
  require(!error, ErrorCode::kCannotCreate, output.string(), ": ", error.message());
  fs::remove(key_file, error);
  return outcome;
}

BatchFileOutcome generate_file(Model& model, const std::shared_ptr<const Tokenizer>& tokenizer,
                               const fs::path& input, const fs::path& output,
                               const GenerationConfig& config, const std::string& model_digest,
                               const Context& context) {
  const std::vector<Json> prompts = read_prompts(input);
  std::vector<std::string> texts;
  for (const Json& prompt : prompts) texts.push_back(prompt["prompt"].get<std::string>());
  check_prompts(model, *tokenizer, texts, config);
  const std::string digest = concat(model_digest, "\n", tokenizer->fingerprint(), "\n",
                                    dump_json(config_to_json(config)), "\n", context.compute);
  const auto answer = [&](std::size_t first, std::span<const Json> some) {
    const auto begin = texts.begin() + static_cast<std::ptrdiff_t>(first);
    const std::vector<std::string> own(begin, begin + static_cast<std::ptrdiff_t>(some.size()));
    const auto results = generate_texts(model, tokenizer, own, config, context, {}, first);
    std::vector<Json> lines(some.begin(), some.end());
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (results[i].size() == 1) {
        lines[i].update(describe(results[i][0]));
        continue;
      }
      lines[i]["samples"] = Json::array();
      for (const GeneratedText& sample : results[i])
        lines[i]["samples"].push_back(describe(sample));
    }
    return lines;
  };
  return answer_batch_file(prompts, output, digest,
                           static_cast<std::size_t>(config.batch_size * kBatchesPerChunk), answer);
}

}  // namespace llmctl
