#include "runs/evaluation.h"

#include <algorithm>
#include <optional>

#include "base/log.h"
#include "base/output.h"
#include "base/terminal.h"
#include "io/text_source.h"
#include "runs/assembly.h"
#include "runs/evaluation_page.h"
#include "runs/resolve.h"
#include "runs/run_directory.h"
#include "runs/sections.h"
#include "tasks/extractive_qa.h"
#include "tasks/predictions.h"
#include "tasks/record_names.h"
#include "tasks/task.h"
#include "tasks/translation.h"

namespace llmctl {

namespace {

/// Keys that every entry of `tasks` may have; the rest are the task's own options.
struct EntryConfig {
  std::string type, name;
  std::vector<std::string> data;
  std::string predictions;
  std::vector<std::string> references;
  std::string save_predictions, save_nbest, save_null_odds;
  std::int64_t sequence_length = 0;
  bool skip_bad = false;
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("type", self.type, "The task's type; empty: what the model was made for.");
    visit("name", self.name, "Name of the scores; empty: the type.");
    visit("data", self.data,
          "Raw text (language models) or labelled files; empty: the run's own held-out data.",
          PathKey{});
    visit("predictions", self.predictions, "Predictions file to score instead of a model.",
          PathKey{});
    visit("references", self.references, "Labelled files for it.", PathKey{});
    visit("save_predictions", self.save_predictions,
          "Where the model's predictions go: .jsonl, a record a line, else JSON.", PathKey{});
    visit("save_nbest", self.save_nbest,
          "Question answering: where the n best answers to each question go, with probabilities "
          "and logits: {\"id\": [{\"text\", \"probability\", \"start_logit\", "
          "\"end_logit\"}, …]}, as transformers' nbest_predictions.json.",
          PathKey{});
    visit(
        "save_null_odds", self.save_null_odds,
        "Question answering: where the probability that there is no answer goes for each question, "
        "{\"id\": 0.2}, as SQuAD 2.0's script reads it (--na-prob-file).",
        PathKey{});
    visit("sequence_length", self.sequence_length,
          "Longest row in tokens; 0: the run's, else the model's limit.",
          Range<std::int64_t>{0, 1'000'000});
    visit(
        "skip_bad", self.skip_bad,
        "Labelled files: leave bad rows out, listed and counted; otherwise they stop the command.");
  }
};

/// Further keys of entries whose task learns from raw text; what is absent is as in the run.
struct TextEntryConfig {
  std::vector<std::string> train;
  std::optional<std::string> split, packing;
  std::int64_t max_tokens = 0;
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("train", self.train, "Text that n-gram baselines are trained on; empty: the run's.",
          PathKey{});
    visit("split", self.split,
          "Where a document of a text file ends; absent: as in the run, else blank_line.",
          OneOf{{"blank_line", "line", "file"}});
    visit("packing", self.packing, "As in pretraining; absent: as in the run, else best_fit.",
          OneOf{{"best_fit", "concat", "pad"}});
    visit("max_tokens", self.max_tokens, "Score at most this many tokens; 0: all.",
          Range<std::int64_t>{0, std::int64_t{1} << 40});
  }
};

template <class Config>
std::vector<std::string> keys_of() {
  std::vector<std::string> keys;
  const Json schema = config_schema<Config>();
  for (const auto& [key, value] : schema.at("properties").items()) keys.push_back(key);
  return keys;
}

/// The members of an entry that are (or are not) among `keys`, with their places.
Json members(const Json& entry, const std::vector<std::string>& keys, bool among) {
  Json out = Json::object();
  for (const auto& [key, value] : entry.items()) {
    if ((std::find(keys.begin(), keys.end(), key) != keys.end()) == among) out[key] = value;
  }
  return out;
}

/// A baseline's rule as names of scores have it: "word_overlap".
std::string rule_name(std::string rule) {
  std::replace(rule.begin(), rule.end(), ' ', '_');
  return rule;
}

std::string describe(const std::vector<std::filesystem::path>& files) {
  if (files.size() == 1) return files.front().string();
  return concat(files.front().string(), " and ", files.size() - 1, " more");
}

/// A model's own configuration: what its run learnt from and how.
std::filesystem::path run_directory_of(const std::string& text,
                                       const std::filesystem::path& checkpoint) {
  std::error_code ignored;
  if (std::filesystem::exists(std::filesystem::path(text) / "run.json", ignored)) return text;
  return std::filesystem::weakly_canonical(checkpoint, ignored).parent_path().parent_path();
}

class Evaluation {
 public:
  Evaluation(const JsonDocument& document, bool dry_run, bool overwrite)
      : document_(document), root_(root_node(document)), dry_run_(dry_run), overwrite_(overwrite) {
    read_config(root_, config_);
    require(!config_.model.init_from.empty() || !config_.tasks.empty(), ErrorCode::kUsage,
            "nothing to score: use -m DIR, or --task with --predictions and --references");
  }

  EvaluationReport run() {
    if (config_.tasks.empty()) {
      config_.tasks.push_back(Json::object());
      synthetic_ = true;
    }
    // What a dry run finds is found before the first score is computed.
    planning_ = true;
    run_entries();
    check_bounds();
    note_idle_settings();
    if (!config_.output.file.empty()) outputs_.push_back(config_.output.file);
    if (!config_.page.empty()) outputs_.push_back(config_.page);
    for (const auto& file : outputs_) check_output_file(file, overwrite_, inputs_);
    report_.model = loaded_ ? loaded_->directory.string() : std::string();
    if (dry_run_) return std::move(report_);
    planning_ = false;
    report_.entries.clear();
    run_entries();
    apply_bounds();
    if (!config_.output.file.empty())
      write_output(config_.output.file, dump_json(report_.to_json(), 2) + "\n");
    if (!config_.page.empty()) write_output(config_.page, evaluation_page(report_));
    return std::move(report_);
  }

 private:
  void run_entries() {
    for (std::size_t i = 0; i < config_.tasks.size(); ++i) {
      run_entry(synthetic_ ? ConfigNode(&config_.tasks[i], "tasks.0", &document_)
                           : root_.child("tasks").child(i));
    }
  }

  void run_entry(const ConfigNode& node) {
    if (!node.value().is_object())
      node.fail("", "expected an object with type and data, got " + dump_json(node.value()));
    static const auto common_keys = keys_of<EntryConfig>();
    EntryConfig common;
    const Json common_json = members(node.value(), common_keys, true);
    read_config(ConfigNode(&common_json, node.path(), &document_), common);
    Json own = members(node.value(), common_keys, false);

    EvaluationEntry entry;
    const bool from_file = !common.predictions.empty();
    if (!from_file && !common.references.empty())
      node.fail("references", "predictions are missing; a model is scored on data (--data FILE)");
    if (from_file && common.references.empty())
      node.fail("references", "missing; predictions are scored against labelled files");
    if (from_file && common.type.empty())
      node.fail("type", "missing; name the task of the predictions");
    if (common.type.empty()) common.type = default_type();
    entry.type = common.type;
    entry.name = common.name.empty() ? common.type : common.name;

    const Json named = {{"type", common.type}};
    const TaskKind& kind = task_kind_of(ConfigNode(&named, node.path(), &document_));
    static const auto text_keys = keys_of<TextEntryConfig>();
    TextEntryConfig text;
    if (kind.raw_text) {
      const Json text_json = members(own, text_keys, true);
      read_config(ConfigNode(&text_json, node.path(), &document_), text);
      own = members(own, text_keys, false);
    }
    std::vector<std::string> known = common_keys;
    if (kind.raw_text) known.insert(known.end(), text_keys.begin(), text_keys.end());
    const Json task_schema = kind.schema();
    for (const auto& [key, value] : task_schema.at("properties").items()) known.push_back(key);
    for (const auto& [key, value] : own.items()) {
      if (std::find(known.begin(), known.end(), key) == known.end())
        node.fail(key, "unknown key of the task " + kind.type + did_you_mean(key, known));
    }
    // Before the task asks for what a tokenizer of other models lacks.
    require(from_file || kind.serves(loaded().model->facts().head), ErrorCode::kUsage, "a ",
            from_file ? "" : loaded().model->facts().architecture, " cannot do ", kind.type);
    // What the model was trained with comes first, the entry's own options over it.
    Json section = from_file ? named : trained_section(common.type);
    for (const auto& [key, value] : own.items()) section[key] = value;
    const auto task = make_task(ConfigNode(&section, node.path(), &document_),
                                from_file ? nullptr : loaded().tokenizer);
    if (from_file) {
      score_file(*task, common, entry);
    } else {
      score_model(*task, common, text, entry);
    }
    report_.entries.push_back(std::move(entry));
  }

  LoadedModel& loaded() {
    if (!loaded_) {
      compute_ = assemble_compute(config_.compute);
      loaded_ = load_for_use(config_.model.init_from, compute_);
      run_config_ = read_run_config(run_directory_of(config_.model.init_from, loaded_->directory));
    }
    return *loaded_;
  }

  /// The run's section of the task: "task" or "objective"; null where there is no run.
  const Json* run_task() {
    loaded();
    for (const char* name : {"task", "objective"}) {
      if (run_config_.is_object() && run_config_.contains(name)) return &run_config_[name];
    }
    return nullptr;
  }

  /// The options of the task that the model was trained with: its run's, or of a copied or exported
  /// model those that its config.json keeps.
  Json trained_section(const std::string& type) {
    const Json* section = run_task();
    if (section != nullptr && section->value("type", std::string()) == type) return *section;
    // Translation completes its section itself, in which source and target stand for directions.
    Json kept =
        type == TranslationConfig().type ? Json() : described(loaded().model->config(), type);
    if (!kept.is_object()) kept = Json::object();
    kept["type"] = type;
    return kept;
  }

  std::string default_type() {
    if (const Json* section = run_task()) return section->value("type", std::string());
    const std::string type = task_of(*loaded().model);
    require(!type.empty(), ErrorCode::kUsage, loaded().directory.string(), ": a ",
            loaded().model->facts().architecture, " has no task of its own; name one with --task");
    return type;
  }

  /// What is scored: the entry's files, else what the run held out, with the run's way of cutting
  /// where the entry has none of its own.
  TaskData data_of(const Task& task, const EntryConfig& common, const TextEntryConfig& text) {
    const Json* run = run_task();
    const bool as_in_run = run != nullptr && run_config_.contains("data") &&
                           run->value("type", std::string()) == task.type();
    Json section = as_in_run ? run_config_["data"] : Json::object();
    if (!common.data.empty()) {
      section["valid"] = common.data;
    } else {
      require(section.contains("valid"), ErrorCode::kUsage,
              "nothing to score is given: use --data FILE, or a run directory with held-out data");
    }
    if (!text.train.empty()) {
      section["train"] = Json::array();
      for (const std::string& path : text.train) section["train"].push_back({{"path", path}});
    }
    if (text.split) section["split"] = *text.split;
    if (text.packing) section["packing"] = *text.packing;
    section.erase("valid_tokens");
    // What the run left out of its own files says nothing of others.
    if (!common.data.empty()) section.erase("skip_bad");
    if (common.skip_bad) section["skip_bad"] = true;
    const JsonDocument document{section, {}};
    const ConfigNode node(&document.value, "data", &document);
    DataSection data_section;
    read_config(node, data_section);
    // Labelled files of the training are not needed where others are scored.
    if (!common.data.empty() && !task.learns_from_text()) data_section.train.clear();
    if (!common.data.empty() && config_.baselines.empty()) data_section.train.clear();
    const bool raw_text = task.learns_from_text();
    TaskData data =
        find_task_data(node, data_section, raw_text,
                       raw_text ? cache_directory(data_section.cache) : std::filesystem::path());
    require(data.holds_out(), ErrorCode::kUsage,
            "the run held nothing out: name files with --data FILE");
    const std::int64_t limit = loaded().model->facts().max_positions;
    if (!data_section.sequence_length) data.sequence_length = limit;
    if (common.sequence_length > 0) data.sequence_length = common.sequence_length;
    data.sequence_length = std::min(data.sequence_length, limit);
    data.valid_tokens = text.max_tokens;
    data.directory = loaded().directory;
    data.generation_directory = config_directory(data.directory);
    data.find_model = resolve_model_directory;
    data.tokenizer_of = load_tokenizer_of;
    const Json::json_pointer begun("/model/init_from");
    if (as_in_run && run_config_.contains(begun) && run_config_.at(begun).is_string()) {
      data.initial_model = run_config_.at(begun).get<std::string>();
      const Json& model = run_config_.at("model");
      data.initial_overrides = overrides_of(ConfigNode(&model, "model", nullptr));
    }
    return data;
  }

  void score_model(const Task& task, const EntryConfig& common, const TextEntryConfig& text,
                   EvaluationEntry& entry) {
    LoadedModel& model = loaded();
    const TaskData data = data_of(task, common, text);
    entry.data = (data.valid.empty() ? "held out of " : "") + describe(data.scored_files());
    for (const std::string& name : config_.baselines) task.check_baseline(name, data);
    if (!text.train.empty() && config_.baselines.empty())
      note_idle("train", "n-gram baselines are trained on it, and none is asked for");
    if (planning_) {
      task.check_data(data);
      const auto scored = data.scored_files();
      inputs_.insert(inputs_.end(), scored.begin(), scored.end());
      if (!common.save_predictions.empty()) outputs_.push_back(common.save_predictions);
      for (const auto& [key, file] : {std::pair("save_nbest", common.save_nbest),
                                      std::pair("save_null_odds", common.save_null_odds)}) {
        if (file.empty()) continue;
        require(task.type() == ExtractiveQaConfig().type, ErrorCode::kUsage, key, ": is for ",
                ExtractiveQaConfig().type, ", not for ", task.type());
        outputs_.push_back(file);
      }
      promise(entry, task.evaluation_scores());
      if (const std::string rule = task.baseline_rule(); !rule.empty())
        promise(entry, task.evaluation_scores(), rule_name(rule));
      for (const std::string& name : config_.baselines) {
        std::string rule = name;  // "ngram:5" → "ngram5"
        std::erase(rule, ':');
        promise(entry, {loss_kind(kLossName)}, rule);
      }
      return;
    }
    EvaluateOptions options;
    options.batch_size = config_.batch_size;
    options.context.compute = compute_.between_layers();
    options.baselines = config_.baselines;
    TaskEvaluation result = task.evaluate(*model.model, data, options);
    for (const auto& [member, file] : {std::pair(kNBest, common.save_nbest),
                                       std::pair(kNoAnswerProbability, common.save_null_odds)}) {
      if (!file.empty()) {
        Json by_id = Json::object();
        for (const Json& prediction : result.predictions)
          by_id[id_text(prediction.at("id"))] = prediction.at(member);
        write_output(file, dump_json(by_id, 2) + "\n");
      }
      for (Json& prediction : result.predictions) prediction.erase(member);
    }
    if (!common.save_predictions.empty()) save_predictions(task, result, common.save_predictions);
    take(std::move(result), entry);
  }

  void score_file(const Task& task, const EntryConfig& common, EvaluationEntry& entry) {
    require(common.save_predictions.empty() && common.save_nbest.empty() &&
                common.save_null_odds.empty(),
            ErrorCode::kUsage,
            "save_predictions, save_nbest, save_null_odds: the predictions are in a file already");
    if (!common.data.empty()) note_idle("data", "predictions are scored against references");
    if (common.sequence_length > 0) note_idle("sequence_length", "predictions are in a file");
    if (common.skip_bad) note_idle("skip_bad", "every reference stands for a prediction");
    const auto references = expand_paths(common.references);
    entry.data = common.predictions + " against " + describe(references);
    if (!planning_) {
      take(task.score(common.predictions, references), entry);
      return;
    }
    const auto predictions = expand_paths({common.predictions});
    inputs_.insert(inputs_.end(), predictions.begin(), predictions.end());
    inputs_.insert(inputs_.end(), references.begin(), references.end());
    promise(entry, task.evaluation_scores());
    if (const std::string rule = task.baseline_rule(); !rule.empty())
      promise(entry, task.evaluation_scores(), rule_name(rule));
  }

  void take(TaskEvaluation result, EvaluationEntry& entry) {
    for (const std::string& note : result.notes) warn_once(report_.notes, note);
    for (const std::string& signature : result.signatures) {
      if (std::ranges::find(report_.notes, signature) != report_.notes.end()) continue;
      log_info(signature);
      report_.notes.push_back(signature);
    }
    entry.scores = std::move(result.scores);
    entry.samples = std::move(result.samples);
    entry.baselines = std::move(result.baselines);
    entry.tables = std::move(result.tables);
  }

  static void save_predictions(const Task& task, const TaskEvaluation& result,
                               const std::filesystem::path& file) {
    require(!result.predictions.empty(), ErrorCode::kUsage, "save_predictions: ", task.type(),
            " has no predictions");
    if (text_extension(file) != ".jsonl") {
      write_output(file, dump_json(task.predictions_document(result.predictions), 2) + "\n");
      return;
    }
    std::string lines;
    for (const Json& prediction : result.predictions) lines += dump_json(prediction) + "\n";
    write_output(file, lines);
  }

  /// What scores of an entry are called in bounds: "NAME.METRIC", and "METRIC" when it is alone.
  void promise(const EvaluationEntry& entry, const std::vector<ScoreKind>& kinds,
               const std::string& rule = "") {
    const std::string infix = rule.empty() ? "" : rule + ".";
    for (ScoreKind kind : kinds) {
      const std::string metric = infix + kind.name;
      kind.name = entry.name + "." + metric;
      promised_.push_back(kind);
      if (config_.tasks.size() > 1) continue;
      kind.name = metric;
      promised_.push_back(kind);
    }
  }

  /// That every bound names a score and can be meant; before anything is computed.
  void check_bounds() {
    for (const auto& [name, bound] : config_.fail_under) {
      const std::string key = "fail_under." + name;
      const ScoreKind* kind = find_kind(promised_, name);
      if (kind == nullptr)
        root_.fail(key, "there is no such score" + did_you_mean(name, names_of(promised_)));
      if (const auto error = bound_error(*kind, bound); !error.empty()) root_.fail(key, error);
      if (const auto doubt = bound_doubt(*kind, bound); !doubt.empty())
        warn_once(report_.notes, concat(key, ": ", doubt));
    }
  }

  void note_idle(const std::string& key, const std::string& why) {
    warn_once(report_.notes, concat(key, " has no effect: ", why));
  }

  /// Settings for models where none is scored.
  void note_idle_settings() {
    if (loaded_) return;
    const std::string why = "predictions of files are scored, and no model";
    for (const auto& [section, key] :
         std::initializer_list<std::pair<std::string, std::string>>{{"model", "init_from"},
                                                                    {"compute", "device"},
                                                                    {"compute", "precision"},
                                                                    {"compute", "quantize"}}) {
      if (root_.has(section) && root_.child(section).has(key)) note_idle(section + "." + key, why);
    }
    for (const std::string key : {"baselines", "batch_size"}) {
      if (root_.has(key)) note_idle(key, why);
    }
  }

  void apply_bounds() {
    const Scores flat = report_.flat();
    for (const auto& [name, bound] : config_.fail_under) {
      const Score* score = flat.find(name);
      if (score == nullptr) {
        std::vector<std::string> names;
        for (const Score& known : flat) names.push_back(known.kind.name);
        root_.fail("fail_under." + name,
                   "this data gives no such score" + did_you_mean(name, names));
      }
      if (meets(*score, bound)) continue;
      const bool lower = score->kind.better == Direction::kLower;
      report_.missed.push_back(
          concat(name, " is ", score->value, lower ? ", above " : ", under ", bound));
    }
  }

  const JsonDocument& document_;
  ConfigNode root_;
  EvalConfig config_;
  std::vector<std::filesystem::path> inputs_, outputs_;  // found while planning
  bool dry_run_, overwrite_, planning_ = true, synthetic_ = false;
  std::vector<ScoreKind> promised_;  // what the entries may give
  Compute compute_;
  std::optional<LoadedModel> loaded_;
  Json run_config_;
  EvaluationReport report_;
};

}  // namespace

std::vector<FieldDoc> describe_evaluation_entry() {
  std::vector<FieldDoc> fields = describe_config<EntryConfig>();
  for (FieldDoc& field : describe_config<TextEntryConfig>()) {
    field.help.insert(0, "Raw text: ");
    fields.push_back(std::move(field));
  }
  return fields;
}

EvaluationReport run_evaluation(const JsonDocument& document, bool dry_run, bool overwrite) {
  return Evaluation(document, dry_run, overwrite).run();
}

Scores EvaluationReport::flat() const {
  Scores out;
  const auto put = [&](const EvaluationEntry& entry, const Scores& scores,
                       const std::string& infix) {
    for (Score score : scores) {
      const std::string metric = infix + score.kind.name;
      score.kind.name = entry.name + "." + metric;
      out.add(score);
      if (entries.size() > 1) continue;
      score.kind.name = metric;
      out.add(score);
    }
  };
  for (const auto& entry : entries) {
    put(entry, entry.scores, "");
    for (const Baseline& baseline : entry.baselines)
      put(entry, baseline.scores, rule_name(baseline.rule) + ".");
  }
  return out;
}

Json EvaluationReport::to_json() const {
  Json json;
  if (!model.empty()) json["model"] = model;
  json["results"] = Json::array();
  for (const auto& entry : entries) {
    Json one = {{"name", entry.name},
                {"type", entry.type},
                {"data", entry.data},
                {"scores", entry.scores.values()}};
    for (const Baseline& baseline : entry.baselines)
      one["baselines"].push_back({{"rule", baseline.rule}, {"scores", baseline.scores.values()}});
    for (const EvaluationTable& table : entry.tables)
      one["tables"].push_back(
          {{"title", table.title}, {"columns", table.columns}, {"rows", table.rows}});
    json["results"].push_back(one);
  }
  json["scores"] = flat().values();
  if (!missed.empty()) json["missed"] = missed;
  if (!notes.empty()) json["notes"] = notes;
  return json;
}

}  // namespace llmctl
