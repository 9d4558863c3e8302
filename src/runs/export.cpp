#include "runs/export.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/files.h"
#include "base/log.h"
#include "base/output.h"
#include "models/average.h"
#include "models/gguf_export.h"
#include "models/lora.h"
#include "models/model.h"
#include "runs/assembly.h"
#include "runs/resolve.h"
#include "text/template/chat_template.h"
#include "train/checkpoint.h"

namespace llmctl {

namespace {

/// Weights and what training leaves beside a model: made anew or left behind.
bool belongs_to_weights_or_training(const std::string& name) {
  for (const char* end : {".index.json", "trainer_state.json", "trainer.json", "manifest.json",
                          "run.json", "environment.json", "_results.json", "config.json"}) {
    // tokenizer_config.json and generation_config.json are written by then.
    if (name.ends_with(end)) return true;
  }
  return false;
}

/// Copies what else people keep with a model, unless it is there already; without `description`
/// not what describes it (the base of an adapter is another model).
void copy_companions(const fs::path& from, const fs::path& to, bool description) {
  constexpr std::uintmax_t kLargest = std::uintmax_t{64} << 20;
  for (const auto& entry : fs::directory_iterator(from)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_directory()) {
      // Each is a folder of small files: further chat templates, the pooling of sentence
      // embeddings.
      if (name != "additional_chat_templates" && name != "1_Pooling") continue;
      fs::copy(entry.path(), to / name,
               fs::copy_options::recursive | fs::copy_options::skip_existing);
      continue;
    }
    if (!entry.is_regular_file() || entry.file_size() > kLargest) continue;
    const std::string ending = entry.path().extension().string();
    const bool document = name.starts_with("README") || name.starts_with("LICEN") ||
                          name.starts_with("NOTICE") || ending == ".md";
    const bool data = ending == ".json" || ending == ".jinja" || name == "vocab.txt" ||
                      name == "merges.txt" || ending == ".model" || ending == ".spm" ||
                      ending == ".tiktoken";
    if (document ? !description && !name.starts_with("LICEN")
                 : !data || belongs_to_weights_or_training(name)) {
      continue;
    }
    fs::copy_file(entry.path(), to / name, fs::copy_options::skip_existing);
  }
}

bool is_gguf(const ExportOptions& options) {
  return !options.gguf.empty();
}

/// The place of the result: its name, and what is there.
void check_place_of(const ExportOptions& options) {
  const fs::path& directory = options.directory;
  if (is_gguf(options)) {
    require(options.dtype.empty(), ErrorCode::kUsage, "--dtype and --gguf: name one of the two");
    return;
  }
  // The ways others name files of models.
  for (const char* file : {".gguf", ".safetensors", ".bin", ".pt", ".pth", ".onnx", ".zip"}) {
    require(directory.extension() != file, ErrorCode::kUsage, directory,
            ": export writes a directory, in Hugging Face's format; name one without ", file,
            std::string(file) == ".gguf" ? ", or use --gguf f16" : "");
  }
  std::error_code ignored;
  if (!options.overwrite || !fs::exists(directory / "config.json", ignored)) {
    check_output_directory(directory, options.overwrite
                                          ? "it is no model's directory, choose another one"
                                          : "choose another directory or use --overwrite");
  }
}

/// Weights are read from their files while the copy is written, and a run is more than a copy.
void check_replaced(const ExportOptions& options, const fs::path& source) {
  const fs::path& directory = options.directory;
  std::vector<fs::path> inputs = {source};
  if (is_adapter_directory(source)) inputs.push_back(base_directory(source));
  if (is_gguf(options)) return check_output_file(directory, options.overwrite, inputs);
  std::error_code ignored;
  for (const fs::path& input : inputs) {
    require(!fs::equivalent(directory, input, ignored), ErrorCode::kCannotCreate, directory,
            ": is the model that is exported; choose another directory");
  }
  check_replaced_directory(directory, inputs);
  require(!fs::exists(directory / "run.json", ignored), ErrorCode::kCannotCreate, directory,
          ": is a run, which export does not replace; choose another directory");
}

/// Makes a directory in Hugging Face's format.
void write_directory(const ExportOptions& options, const Model& model, const Tokenizer& tokenizer,
                     ExportReport& report) {
  std::optional<at::ScalarType> type;
  if (!options.dtype.empty()) {
    type = options.dtype == "bf16"   ? at::kBFloat16
           : options.dtype == "fp16" ? at::kHalf
                                     : at::kFloat;
  }
  const at::ScalarType most = type.value_or(model.stored_dtype());
  report.dtype = most == at::kBFloat16 ? "bf16" : most == at::kHalf ? "fp16" : "fp32";
  if (const auto quantization = model.quantization()) {
    report.dtype = quantization_name(*quantization);
    report.notes.push_back(concat(
        "the matrices are ", report.dtype,
        " integers of llmctl's (config.json: quant_method "
        "\"llmctl\"), which transformers does not read: load the model that they were made from "
        "there (",
        options.model, ")"));
  }
  report.bytes = model.file_bytes(type);
  if (options.dry_run) return model.check_values(type);
  // A link stays one: its target is written.
  const fs::path target =
      fs::is_symlink(report.directory) ? fs::weakly_canonical(report.directory) : report.directory;
  if (target.has_parent_path()) make_directories(target.parent_path());
  AtomicDirectory output(target);
  model.save(output.path(), type, options.max_shard_bytes);
  tokenizer.save(output.path(), model.facts().max_positions);
  if (fs::is_directory(report.source)) copy_companions(report.source, output.path(), true);
  if (is_adapter_directory(report.source)) {
    const fs::path base = base_directory(report.source);
    if (fs::is_directory(base)) copy_companions(base, output.path(), false);
  }
  if (const fs::path card = output.path() / "README.md";
      !report.notes.empty() && fs::exists(card)) {
    write_file(card,
               concat(read_file(card), "\n## Quantised weights\n\n", report.notes.front(), "\n"));
  }
  output.commit(options.overwrite);
}

/// The tokens that end a text, as the model's files say.
std::vector<TokenId> end_tokens(const Model& model, const fs::path& directory) {
  const fs::path path = directory / "generation_config.json";
  Json ids = model.config().value("eos_token_id", Json());
  if (fs::exists(path)) {
    const Json generation = load_json(path);
    if (generation.is_object() && generation.contains("eos_token_id")) {
      ids = generation["eos_token_id"];
    }
  }
  if (!ids.is_array()) ids = Json::array({ids});
  std::vector<TokenId> ends;
  for (const Json& id : ids) {
    const bool known = id.is_number_integer() && id >= 0 && id < model.facts().vocab_size;
    if (known) ends.push_back(id.get<TokenId>());
  }
  return ends;
}

/// Makes a GGUF file.
void write_gguf_file(const ExportOptions& options, const Model& model, const Tokenizer& tokenizer,
                     ExportReport& report) {
  GgufOptions gguf;
  gguf.type = *ggml_type_named(options.gguf);
  // A checkpoint is called by its run.
  gguf.name = fs::weakly_canonical(fs::absolute(options.model)).stem().string();
  gguf.ends = end_tokens(model, config_directory(report.source));
  gguf.dry_run = options.dry_run;
  const auto chat = ChatTemplate::of_directory(report.source, tokenizer);
  if (!options.dry_run && report.directory.has_parent_path()) {
    make_directories(report.directory.parent_path());
  }
  const GgufSummary summary = write_gguf_model(report.directory, model, tokenizer,
                                               chat ? chat->source() : std::string(), gguf);
  report.dtype = options.gguf;
  report.bytes = summary.bytes;
  report.notes = summary.notes;
  for (const auto& [type, count] : summary.types) {
    report.gguf += concat(report.gguf.empty() ? "" : ", ", count, " ", type);
  }
}

/// A checkpoint of a run, with what its validation said of it.
struct Candidate {
  std::int64_t step;
  fs::path directory;
  TrainerState state;
  Scores scores;  // of the best: what it is compared by

  /// A checkpoint may be of a step without a validation.
  bool validated() const { return state.validated_step == step; }
};

/// The checkpoints whose scores compare with those of the newest that was validated: what is scored
/// may have changed when the run was resumed.
struct Comparable {
  std::vector<Candidate> checkpoints;
  std::string decides;   // the score that they are compared by
  std::string left_out;  // how many others have scores, and why they do not count; empty: none
};

Comparable comparable_checkpoints(std::vector<Candidate> all) {
  const auto newest =
      std::find_if(all.rbegin(), all.rend(), [](const Candidate& one) { return one.validated(); });
  if (newest == all.rend()) return {};
  const std::string validation = newest->state.validation, name = newest->directory.filename();
  Comparable result;
  result.decides = newest->state.best_score;
  // A best one that a resumed run scored anew has these scores in the checkpoints after it alone.
  std::map<std::int64_t, Scores> scores;
  for (const Candidate& one : all) {
    if (one.state.validation != validation) continue;
    if (one.state.best_step > 0)
      scores[one.state.best_step] = Scores::from_json(one.state.best_scores);
    if (one.validated()) scores[one.step] = Scores::from_json(one.state.scores);
  }
  std::size_t others = 0;
  for (Candidate& one : all) {
    if (!one.validated()) continue;
    // Of checkpoints of older versions it is not known what scored them: these are never scored
    // anew.
    const bool known = validation.empty() == one.state.validation.empty();
    if (const auto found = scores.find(one.step); known && found != scores.end()) {
      one.scores = found->second;
      result.checkpoints.push_back(std::move(one));
    } else {
      ++others;
    }
  }
  if (others > 0) {
    result.left_out = concat(others, others == 1 ? " more is" : " more are",
                             " left out, not scored on the same held-out data and in the same way "
                             "as ",
                             name, " (data.valid, or a key of the task, has changed)");
  }
  return result;
}

}  // namespace

std::vector<fs::path> checkpoints_to_average(const ExportOptions& options) {
  if (options.average == 0) return {};
  const fs::path run = expand_home(options.model);
  std::error_code ignored;
  require(fs::exists(run / "run.json", ignored), ErrorCode::kUsage, "--average: ", options.model,
          " is no run directory, whose checkpoints could be averaged");
  std::vector<Candidate> candidates;
  for (const auto& [step, directory] : list_checkpoints(run))
    candidates.push_back({step, directory, read_trainer_state(directory), {}});
  const bool best = options.average_of == "best";
  Comparable comparable;
  if (best) {
    comparable = comparable_checkpoints(std::move(candidates));
    candidates = std::move(comparable.checkpoints);
  }
  const auto wanted = static_cast<std::size_t>(options.average);
  const std::string& left_out = comparable.left_out;
  require(candidates.size() >= wanted, ErrorCode::kUsage, "--average: ", options.model, " has ",
          candidates.size(), best ? " checkpoints with scores" : " checkpoints", ", not ", wanted,
          left_out.empty() ? "" : " (" + left_out + ")",
          "; a run keeps checkpoint.keep_last of them, made every checkpoint.every steps");
  if (best) {
    if (!left_out.empty()) {
      log_warning("--average-of best: ", options.model, " has ", candidates.size(),
                  " checkpoints whose scores compare; ", left_out);
    }
    std::stable_sort(candidates.begin(), candidates.end(),
                     [&](const Candidate& a, const Candidate& b) {
                       return compare(a.scores, b.scores, comparable.decides) == Standing::kBetter;
                     });
    candidates.resize(wanted);
    std::sort(candidates.begin(), candidates.end(),
              [](const Candidate& a, const Candidate& b) { return a.step < b.step; });
  }
  std::vector<fs::path> chosen;
  for (auto it = candidates.end() - static_cast<std::ptrdiff_t>(wanted); it != candidates.end();
       ++it) {
    chosen.push_back(it->directory);
  }
  return chosen;
}

const std::vector<std::string>& gguf_type_names() {
  static const std::vector<std::string> kNames = {"f32", "f16", "bf16", "q8_0", "q4_0"};
  return kNames;
}

ExportReport run_export(const ExportOptions& options) {
  check_place_of(options);
  require(options.average != 1, ErrorCode::kUsage,
          "--average: expected 2 checkpoints or more; leave it out to export one");
  ExportReport report;
  const std::vector<fs::path> averaged = checkpoints_to_average(options);
  report.source = averaged.empty() ? resolve_model_directory(options.model) : averaged.back();
  for (const fs::path& checkpoint : averaged)
    report.averaged.push_back(checkpoint.filename().string());
  report.directory = options.directory;
  check_replaced(options, report.source);
  const auto tokenizer = load_tokenizer_of(report.source);
  ModelRequest request;
  request.find_base = resolve_model_directory;
  request.mapped = averaged.empty();
  const auto loaded = load_model(report.source, request);
  if (!averaged.empty()) average_weights(*loaded, averaged);
  if (!options.quantize.empty()) loaded->quantize(*parse_quantization(options.quantize));
  require(!is_gguf(options) || !loaded->quantization(), ErrorCode::kData, options.model,
          ": quantised weights do not become a GGUF file; export the model that they were made "
          "from, or leave --quantize out");
  report.architecture = loaded->facts().architecture;
  report.parameters = loaded->parameter_count();
  const auto write = is_gguf(options) ? write_gguf_file : write_directory;
  write(options, *loaded, *tokenizer, report);
  return report;
}

Json ExportReport::to_json() const {
  Json json = {{"from", source.string()},
               {gguf.empty() ? "directory" : "file", directory.string()},
               {"architecture", architecture},
               {"parameters", parameters},
               {"dtype", dtype},
               {"bytes", bytes}};
  if (!averaged.empty()) json["averaged"] = averaged;
  if (!gguf.empty()) json["tensors"] = gguf;
  if (!gguf.empty() || !notes.empty()) json["notes"] = notes;
  return json;
}

}  // namespace llmctl
