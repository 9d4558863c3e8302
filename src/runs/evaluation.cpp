#include "runs/evaluation.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/files.h"
#include "base/log.h"
#include "base/terminal.h"
#include "data/shards.h"
#include "io/text_source.h"
#include "metrics/kneser_ney.h"
#include "runs/assembly.h"
#include "runs/run_directory.h"
#include "runs/sections.h"
#include "tasks/objective.h"
#include "tasks/pseudo_perplexity.h"
#include "tasks/task.h"

namespace llmctl {

namespace {

/// Keys that every entry of `tasks` may have; the rest are the task's own options.
struct EntryConfig {
  std::string type, name;
  std::vector<std::string> data;
  std::string predictions;
  std::vector<std::string> references;
  std::string save_predictions;
  std::int64_t sequence_length = 0;
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("type", self.type,
          "causal_lm, masked_lm, or a task's type; empty: what the model was made for.");
    visit("name", self.name, "Name of the scores; empty: the type.");
    visit("data", self.data, "Text (LMs) or labelled files; empty: the run's own held-out data.");
    visit("predictions", self.predictions, "Predictions file to score instead of a model.");
    visit("references", self.references, "Labelled files for it.");
    visit("save_predictions", self.save_predictions, "Where the model's predictions go (JSON).");
    visit("sequence_length", self.sequence_length,
          "Longest row in tokens; 0: the run's, else the model's limit.",
          Range<std::int64_t>{0, 1'000'000});
  }
};

/// Further keys of entries of the types causal_lm and masked_lm.
struct LmEntryConfig {
  std::vector<std::string> train;
  std::string split = "blank_line";
  std::string packing = "best_fit";
  std::int64_t max_tokens = 0;
  bool pseudo_perplexity = false;
  std::int64_t pseudo_perplexity_tokens = 20'000;
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("train", self.train, "Text that n-gram baselines are trained on; empty: the run's.");
    visit("split", self.split, "Where a document of a text file ends.",
          OneOf{{"blank_line", "line", "file"}});
    visit("packing", self.packing, "As in pretraining.", OneOf{{"best_fit", "concat", "pad"}});
    visit("max_tokens", self.max_tokens, "Score at most this many tokens; 0: all.",
          Range<std::int64_t>{0, std::int64_t{1} << 40});
    visit("pseudo_perplexity", self.pseudo_perplexity,
          "Masked LMs: mask each token in turn (Salazar et al., 2020).");
    visit("pseudo_perplexity_tokens", self.pseudo_perplexity_tokens,
          "Tokens scored for it at most.", Range<std::int64_t>{1, std::int64_t{1} << 40});
  }
};

template <class Config>
std::vector<std::string> keys_of() {
  std::vector<std::string> keys;
  const Json defaults = config_to_json(Config{});
  for (const auto& [key, value] : defaults.items()) keys.push_back(key);
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

bool is_lm(const std::string& type) {
  return type == "causal_lm" || type == "masked_lm";
}

class Evaluation {
 public:
  Evaluation(const JsonDocument& document, bool dry_run)
      : document_(document), root_(root_node(document)), dry_run_(dry_run) {
    read_config(root_, config_);
    require(!config_.model.init_from.empty() || !config_.tasks.empty(), ErrorCode::kUsage,
            "nothing to score: use -m DIR, or --task with --predictions and --references");
  }

  EvaluationReport run() {
    if (config_.tasks.empty()) {
      config_.tasks.push_back(Json::object());
      synthetic_ = true;
    }
    for (std::size_t i = 0; i < config_.tasks.size(); ++i) {
      const ConfigNode node = synthetic_ ? ConfigNode(&config_.tasks[i], "tasks.0", &document_)
                                         : root_.child("tasks").child(i);
      run_entry(node);
    }
    report_.model = loaded_ ? loaded_->directory.string() : std::string();
    if (dry_run_) return std::move(report_);
    check_bounds();
    if (!config_.output.file.empty())
      write_file(config_.output.file, dump_json(report_.to_json(), 2) + "\n");
    return std::move(report_);
  }

 private:
  void run_entry(const ConfigNode& node) {
    if (!node.value().is_object())
      node.fail("", "expected an object with type and data, got " + dump_json(node.value()));
    static const auto common_keys = keys_of<EntryConfig>();
    EntryConfig common;
    const Json common_json = members(node.value(), common_keys, true);
    read_config(ConfigNode(&common_json, node.path(), &document_), common);
    const Json own = members(node.value(), common_keys, false);
    const ConfigNode own_node(&own, node.path(), &document_);

    EvaluationEntry entry;
    const bool from_file = !common.predictions.empty();
    if (from_file && common.references.empty())
      node.fail("references", "missing; predictions are scored against labelled files");
    if (from_file && common.type.empty())
      node.fail("type", "missing; name the task of the predictions");
    if (common.type.empty()) common.type = default_type();
    entry.type = common.type;
    entry.name = common.name.empty() ? common.type : common.name;
    if (is_lm(common.type)) {
      if (from_file) node.fail("predictions", "a language model has none; name a task's type");
      run_lm(common, own_node, entry);
    } else {
      run_task(common, own, node, entry);
    }
    report_.entries.push_back(std::move(entry));
  }

  LoadedModel& loaded() {
    if (!loaded_) {
      compute_ = assemble_compute(config_.compute.device, config_.compute.precision,
                                  config_.compute.threads);
      loaded_ = load_for_use(config_.model.init_from, compute_);
      run_config_ = read_run_config(run_directory_of(config_.model.init_from, loaded_->directory));
    }
    return *loaded_;
  }

  Context context() {
    Context context;
    context.compute = compute_.dtype;
    return context;
  }

  std::string default_type() {
    const ModelFacts& facts = loaded().model->facts();
    if (run_config_.is_object() && run_config_.contains("task"))
      return run_config_["task"].value("type", std::string());
    if (facts.head == HeadKind::kCausalLm) return "causal_lm";
    if (facts.head == HeadKind::kMaskedLm) return "masked_lm";
    const std::string type = task_of(facts);
    require(!type.empty(), ErrorCode::kUsage, loaded().directory.string(), ": a ",
            facts.architecture, " has no task of its own; name one with --task");
    return type;
  }

  /// The run's value of data.KEY when the entry names no data of its own.
  Json run_data() const {
    return run_config_.is_object() && run_config_.contains("data") ? run_config_["data"]
                                                                   : Json::object();
  }

  std::int64_t row_length(std::int64_t asked, const Json& data) {
    const auto limit = loaded().model->facts().max_positions;
    if (asked > 0) return std::min(asked, limit);
    return std::min(limit, data.value("sequence_length", limit));
  }

  void run_lm(const EntryConfig& common, const ConfigNode& own_node, EvaluationEntry& entry) {
    LoadedModel& model = loaded();
    const HeadKind wanted = common.type == "causal_lm" ? HeadKind::kCausalLm : HeadKind::kMaskedLm;
    require(model.model->facts().head == wanted, ErrorCode::kUsage, "a ",
            model.model->facts().architecture, " cannot be scored as ", common.type);
    LmEntryConfig lm;
    const bool own_data = !common.data.empty();
    const Json data = own_data ? Json::object() : run_data();
    lm.split = data.value("split", lm.split);
    lm.packing = data.value("packing", lm.packing);
    read_config(own_node, lm);
    require(!lm.pseudo_perplexity || wanted == HeadKind::kMaskedLm, ErrorCode::kConfig,
            own_node.path(),
            ".pseudo_perplexity: only masked LMs have it; a causal LM has perplexity");
    const LmTexts texts = lm_texts(common, lm, data);
    entry.data = texts.description;
    std::vector<int> orders;
    for (const auto& baseline : config_.baselines)
      orders.push_back(ngram_order(baseline, texts, entry));
    if (dry_run_) return;

    const auto valid = tokenize_to_shards(texts.valid_files, *model.tokenizer, texts.valid_options,
                                          cache_directory(""));
    const PackingOptions packing{lm.packing, row_length(common.sequence_length, data)};
    Json section = {{"type", common.type}};
    if (run_config_.is_object() && run_config_.contains("objective") &&
        run_config_["objective"].value("type", std::string()) == common.type) {
      section = run_config_["objective"];
    }
    const JsonDocument section_document{section, {}};
    const auto objective =
        make_objective(ConfigNode(&section, "objective", &section_document), model.tokenizer);
    const auto world = make_local_world();
    entry.scores =
        objective
            ->validator(*model.model, valid, packing, config_.batch_size, *world, lm.max_tokens)
            ->validate(context())
            .scores;
    if (lm.pseudo_perplexity) {
      const PseudoPerplexityOptions options{packing.sequence_length, config_.batch_size,
                                            lm.pseudo_perplexity_tokens};
      entry.scores["pseudo_perplexity"] =
          pseudo_perplexity(*model.model, *model.tokenizer, *valid, options, context(), *world)
              .perplexity;
    }
    for (const int order : orders) run_baseline(order, texts, *valid, *model.tokenizer, entry);
  }

  struct LmTexts {
    std::vector<std::filesystem::path> valid_files, train_files;
    TokenizeOptions valid_options, train_options;
    std::string description;
  };

  /// The held-out text of an entry, and what its baselines are trained on.
  LmTexts lm_texts(const EntryConfig& common, const LmEntryConfig& lm, const Json& data) {
    LmTexts texts;
    texts.valid_options.split = lm.split == "line"   ? DocumentSplit::kLine
                                : lm.split == "file" ? DocumentSplit::kFile
                                                     : DocumentSplit::kBlankLine;
    texts.train_options = texts.valid_options;
    std::vector<std::string> train = lm.train;
    if (!common.data.empty()) {
      texts.valid_files = expand_paths(common.data);
      texts.description = describe(texts.valid_files);
    } else {
      require(data.contains("valid") && data.contains("train"), ErrorCode::kUsage,
              "no text given: use --data FILE, or a run directory with held-out text");
      if (train.empty()) train = train_paths(data);
      const HeldOut held_out = held_out_of(data);
      if (!held_out.paths.empty()) {
        texts.valid_files = expand_paths(held_out.paths);
        texts.description = describe(texts.valid_files);
      } else {
        require(held_out.tail > 0 || held_out.hash > 0, ErrorCode::kUsage,
                "the run has no held-out text: name some with --data FILE");
        using Kind = DocumentSelection::Kind;
        const bool tail = held_out.tail > 0;
        const double share = tail ? held_out.tail : held_out.hash;
        texts.valid_options.selection = {tail ? Kind::kTail : Kind::kHashIn, share};
        texts.train_options.selection = {tail ? Kind::kHead : Kind::kHashOut, share};
        texts.valid_files = expand_paths(train);
        texts.description = "held out of " + describe(texts.valid_files);
      }
    }
    if (!train.empty()) texts.train_files = expand_paths(train);
    return texts;
  }

  static std::string describe(const std::vector<std::filesystem::path>& files) {
    if (files.size() == 1) return files.front().string();
    return concat(files.front().string(), " and ", files.size() - 1, " more");
  }

  /// The N of a baseline "ngram:N".
  static int ngram_order(const std::string& name, const LmTexts& texts,
                         const EvaluationEntry& entry) {
    int order = 0;
    const char* const end = name.data() + name.size();
    constexpr std::string_view kPrefix = "ngram:";
    const bool whole = name.starts_with(kPrefix) &&
                       std::from_chars(name.data() + kPrefix.size(), end, order).ptr == end;
    require(whole && order >= 1 && order <= 16, ErrorCode::kUsage, "baseline ", name,
            ": expected ngram:N with N from 1 to 16");
    require(entry.type == "causal_lm", ErrorCode::kUsage, "baseline ", name,
            ": it compares with causal LMs only");
    require(!texts.train_files.empty(), ErrorCode::kUsage, "baseline ", name,
            ": name its training text (the key train of the task), or evaluate a run directory");
    return order;
  }

  void run_baseline(int order, const LmTexts& texts, const Shards& valid,
                    const Tokenizer& tokenizer, EvaluationEntry& entry) {
    const SpecialTokens& special = tokenizer.special();
    const auto start = special.eos ? special.eos : special.bos;
    require(start.has_value(), ErrorCode::kUsage, "baseline ngram:", order,
            ": the tokenizer has no end-of-text token");
    const auto train =
        tokenize_to_shards(texts.train_files, tokenizer, texts.train_options, cache_directory(""));
    KneserNey::Builder builder(order, tokenizer.vocab_size(), *start);
    for_each_shard_document(*train,
                            [&](std::span<const std::int64_t> document) { builder.add(document); });
    const KneserNey model = builder.build();
    TokenLoss total;
    for_each_shard_document(valid, [&](std::span<const std::int64_t> document) {
      const TokenLoss loss = model.loss(document);
      total.nats += loss.nats;
      total.tokens += loss.tokens;
    });
    entry.baseline_rule = concat("ngram", order);
    entry.baseline["loss"] =
        total.nats / static_cast<double>(std::max<std::uint64_t>(total.tokens, 1));
  }

  static void for_each_shard_document(
      const Shards& shards, const std::function<void(std::span<const std::int64_t>)>& use) {
    std::vector<std::int64_t> tokens;
    for (std::uint64_t i = 0; i < shards.documents(); ++i) {
      tokens.resize(shards.document_start(i + 1) - shards.document_start(i));
      shards.read(shards.document_start(i), tokens);
      use(tokens);
    }
  }

  void run_task(const EntryConfig& common, const Json& own, const ConfigNode& node,
                EvaluationEntry& entry) {
    const bool from_file = !common.predictions.empty();
    Json section = {{"type", common.type}};
    // A run's own options come first, the entry's over them.
    if (!from_file) {
      loaded();
      if (run_config_.is_object() && run_config_.contains("task") &&
          run_config_["task"].value("type", std::string()) == common.type) {
        section = run_config_["task"];
      }
    }
    for (const auto& [key, value] : own.items()) section[key] = value;
    const ConfigNode section_node(&section, node.path(), &document_);
    const auto task = make_task(section_node, from_file ? nullptr : loaded().tokenizer);
    TaskEvaluation result;
    if (from_file) {
      const auto references = expand_paths(common.references);
      if (dry_run_)
        expand_paths({common.predictions});
      else
        result = task->score(common.predictions, references);
      entry.data = common.predictions + " against " + describe(references);
    } else {
      LoadedModel& model = loaded();
      require(model.model->facts().head == task->head(), ErrorCode::kUsage, "a ",
              model.model->facts().architecture, " cannot do ", common.type);
      PredictOptions options;
      const auto files = task_files(common, options);
      options.sequence_length = row_length(common.sequence_length, run_data());
      options.batch_size = config_.batch_size;
      options.context = context();
      if (!dry_run_) result = task->evaluate(*model.model, files, options);
      entry.data = (options.part ? "held out of " : "") + describe(files);
    }
    entry.scores = result.scores;
    entry.samples = result.samples;
    entry.baseline = result.baseline;
    entry.baseline_rule = result.baseline_rule;
    if (!common.save_predictions.empty()) {
      require(!from_file, ErrorCode::kUsage,
              "save_predictions: the predictions are in a file already");
      if (dry_run_) return;
      write_file(common.save_predictions, dump_json(result.predictions, 2) + "\n");
    }
  }

  /// The labelled files of an entry; the run's own, of which `options` takes what it held out,
  /// where none are named.
  std::vector<std::filesystem::path> task_files(const EntryConfig& common,
                                                PredictOptions& options) {
    if (!common.data.empty()) return expand_paths(common.data);
    const Json data = run_data();
    require(data.contains("valid"), ErrorCode::kUsage, "no labelled files given: use --data FILE");
    const HeldOut held_out = held_out_of(data);
    if (!held_out.paths.empty()) return expand_paths(held_out.paths);
    require(held_out.tail > 0 || held_out.hash > 0, ErrorCode::kUsage,
            "the run held nothing out: name labelled files with --data FILE");
    options.part = {held_out.hash, held_out.tail};
    return expand_paths(train_paths(data));
  }

  /// What the run's section `data` holds out, and the files that it trains on.
  static HeldOut held_out_of(const Json& data) {
    const JsonDocument document{data.at("valid"), {}};
    return read_held_out(ConfigNode(&document.value, "data.valid", &document));
  }
  static std::vector<std::string> train_paths(const Json& data) {
    std::vector<std::string> paths;
    for (const auto& one : data.at("train")) paths.push_back(one.at("path").get<std::string>());
    return paths;
  }

  static std::filesystem::path run_directory_of(const std::string& text,
                                                const std::filesystem::path& checkpoint) {
    std::error_code ignored;
    if (std::filesystem::exists(std::filesystem::path(text) / "run.json", ignored)) return text;
    return std::filesystem::weakly_canonical(checkpoint, ignored).parent_path().parent_path();
  }

  void check_bounds() {
    const auto flat = report_.flat();
    for (const auto& [name, bound] : config_.fail_under) {
      const auto found = flat.find(name);
      if (found == flat.end()) {
        std::vector<std::string> names;
        for (const auto& [known, value] : flat) names.push_back(known);
        root_.fail("fail_under." + name, "there is no such score" + did_you_mean(name, names));
      }
      const std::string metric = name.substr(name.rfind('.') + 1);
      const bool lower_is_better =
          metric == "loss" || metric.ends_with("perplexity") || metric == "bits_per_byte";
      const double value = found->second;
      if (!(lower_is_better ? value <= bound : value >= bound)) {
        report_.missed.push_back(
            concat(name, " is ", value, lower_is_better ? ", above " : ", under ", bound));
      }
    }
  }

  const JsonDocument& document_;
  ConfigNode root_;
  EvalConfig config_;
  bool dry_run_, synthetic_ = false;
  Compute compute_;
  std::optional<LoadedModel> loaded_;
  Json run_config_;
  EvaluationReport report_;
};

}  // namespace

EvaluationReport run_evaluation(const JsonDocument& document, bool dry_run) {
  return Evaluation(document, dry_run).run();
}

std::map<std::string, double> EvaluationReport::flat() const {
  std::map<std::string, double> out;
  for (const auto& entry : entries) {
    for (const auto& [metric, value] : entry.scores) {
      out[entry.name + "." + metric] = value;
      if (entries.size() == 1) out[metric] = value;
    }
    std::string rule = entry.baseline_rule;
    std::replace(rule.begin(), rule.end(), ' ', '_');
    for (const auto& [metric, value] : entry.baseline) {
      out[entry.name + "." + rule + "." + metric] = value;
      if (entries.size() == 1) out[rule + "." + metric] = value;
    }
  }
  return out;
}

Json EvaluationReport::to_json() const {
  Json json;
  if (!model.empty()) json["model"] = model;
  json["results"] = Json::array();
  for (const auto& entry : entries) {
    Json one = {
        {"name", entry.name}, {"type", entry.type}, {"data", entry.data}, {"scores", entry.scores}};
    if (!entry.baseline_rule.empty())
      one["baseline"] = {{"rule", entry.baseline_rule}, {"scores", entry.baseline}};
    json["results"].push_back(one);
  }
  json["scores"] = flat();
  if (!missed.empty()) json["missed"] = missed;
  return json;
}

}  // namespace llmctl
