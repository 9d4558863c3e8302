#include "io/batch_file.h"

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/in_order.h"
#include "base/log.h"
#include "base/output.h"
#include "base/signals.h"
#include "base/terminal.h"

namespace llmctl {
namespace {

std::string key_of(const std::vector<Json>& inputs, const std::string& digest, std::size_t group) {
  Sha256 hash;
  hash.update(digest);
  hash.update(concat("\n", group, "\n"));
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

/// What OUTPUT.key holds of a finished job: its key and the digest of what it wrote.
std::string finished_mark(const std::string& key, const fs::path& output) {
  Sha256 hash;
  for_each_chunk(output, [&](std::string_view bytes) {
    hash.update(bytes);
    return true;
  });
  return concat(key, "\n", hash.hex(), "\n");
}

/// The files of a job beside its output, and what it is known by.
struct JobFiles {
  fs::path target, finished, partial, key_file;
  std::string key;

  JobFiles(const std::vector<Json>& inputs, const fs::path& output, const std::string& digest,
           std::size_t group) {
    // A link stays one: its target is written.
    std::error_code error;
    target = fs::is_symlink(output, error) ? fs::weakly_canonical(output) : output;
    finished = target.string() + ".key";
    partial = target.string() + ".partial";
    key_file = partial.string() + ".key";
    key = key_of(inputs, digest, group);
  }

  bool is_finished() const {
    return fs::is_regular_file(target) && fs::file_size(target) > 0 && fs::exists(finished) &&
           read_file(finished, 4096) == finished_mark(key, target);
  }

  /// Whether an earlier call answered something; kCannotCreate where that was another job.
  bool is_begun() const {
    if (!fs::exists(partial) || complete_lines(partial, 1).second == 0) return false;
    const bool same = fs::exists(key_file) && read_file(key_file, 4096) == key + "\n";
    require(same, ErrorCode::kCannotCreate, partial.string(),
            ": was begun with other inputs, settings or another model; remove it to start anew");
    return true;
  }

  /// How many inputs an earlier call answered; cuts the file behind the last complete group.
  std::size_t resume(std::size_t inputs, std::size_t group) const {
    if (!is_begun()) return 0;
    std::size_t done = complete_lines(partial, inputs).second;
    if (done < inputs) done -= done % group;
    std::error_code error;
    fs::resize_file(partial, complete_lines(partial, done).first, error);
    require(!error, ErrorCode::kCannotCreate, partial.string(), ": ", error.message());
    return done;
  }
};

/// Answers until all are there or a signal asks for a stop.
void answer_all(const std::vector<Json>& inputs, const AnswerInputs& answer,
                const std::function<void(const std::string&)>& write, BatchFileOutcome& outcome) {
  Progress progress("generate", inputs.size());
  progress.update(outcome.done);
  const GracefulStop graceful;
  InOrder<Json> in_order(outcome.done, [&](std::size_t, const Json& line) {
    write(dump_json(line) + "\n");
    ++outcome.done;
  });
  try {
    stop_if_asked();
    answer(outcome.done, std::span(inputs).subspan(outcome.done), progress,
           [&](std::size_t index, Json line) { in_order.give(index, std::move(line)); });
    progress.finish();
  } catch (const Interrupted& interrupted) {
    outcome.exit_status = 128 + interrupted.signal();
  }
}

}  // namespace

void check_batch_file(const std::vector<Json>& inputs, const fs::path& output,
                      const std::string& digest, std::size_t group, bool overwrite) {
  if (is_standard_output(output) || is_special_file(output)) return;
  const JobFiles files(inputs, output, digest, group);
  if (!overwrite && files.is_finished()) return;
  check_output_file(output, overwrite);
  if (!overwrite) files.is_begun();
}

BatchFileOutcome answer_batch_file(const std::vector<Json>& inputs, const fs::path& output,
                                   const std::string& digest, std::size_t group,
                                   const AnswerInputs& answer, bool overwrite) {
  BatchFileOutcome outcome;
  if (is_standard_output(output)) {
    answer_all(inputs, answer, write_stdout, outcome);
    return outcome;
  }
  if (is_special_file(output)) {
    AtomicFile file(output);
    const auto write = [&](const std::string& lines) {
      file.write(lines);
      file.flush();
    };
    answer_all(inputs, answer, write, outcome);
    return outcome;
  }
  const JobFiles files(inputs, output, digest, group);
  const auto& [target, finished, partial, key_file, key] = files;
  if (!overwrite && files.is_finished()) {
    log_info(output, ": is finished; all ", inputs.size(), " answers are there");
    outcome.resumed = outcome.done = inputs.size();
    return outcome;
  }
  check_output_file(output, overwrite);
  std::error_code error;
  if (overwrite) {
    fs::remove(partial, error);
    fs::remove(key_file, error);
  }
  outcome.resumed = outcome.done = files.resume(inputs.size(), group);
  if (outcome.resumed > 0) {
    log_info("going on with ", partial.string(), ": ", outcome.resumed, " of ", inputs.size(),
             " are there");
  }
  if (outcome.resumed == 0) write_file(key_file, key + "\n");
  AppendFile file(partial);
  const auto write = [&](const std::string& lines) {
    require(file.append(lines), ErrorCode::kIo, files.partial.string(),
            ": writing failed: ", std::strerror(errno), "; ", outcome.done, " of ", inputs.size(),
            " answers are kept, the same command goes on from there");
  };
  answer_all(inputs, answer, write, outcome);
  require(file.sync(), ErrorCode::kIo, partial.string(),
          ": writing failed: ", std::strerror(errno));
  if (outcome.exit_status != 0) return outcome;
  file = AppendFile();
  // The mark first: it fits the file only once that has its name.
  write_file(finished, finished_mark(key, partial));
  rename_synced(partial, target);
  fs::remove(key_file, error);
  return outcome;
}

}  // namespace llmctl
