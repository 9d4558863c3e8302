#include <unistd.h>
#include <CLI/CLI.hpp>
#include <ctime>
#include <memory>
#include <tuple>

#include "base/output.h"
#include "base/strings.h"
#include "base/terminal.h"
#include "cli/commands.h"
#include "cli/input_options.h"
#include "corpus/word_vectors.h"
#include "io/text_source.h"
#include "report/table.h"
#include "runs/assembly.h"
#include "runs/data_runs.h"
#include "runs/labelling.h"
#include "runs/sections.h"

namespace llmctl {

namespace {

struct PrepareCommandOptions {
  ConfigOptions config;
  InputOptions inputs;
  std::string output, tokenizer;
  bool overwrite = false, dropped = false;
};

std::string count_of(const Json& json) {
  return format_count(static_cast<double>(json.get<std::uint64_t>()));
}

/// What became of the documents, step by step.
std::string steps_table(const Json& manifest) {
  std::vector<std::vector<std::string>> rows;
  for (const Json& step : manifest["steps"]) {
    rows.push_back({step["step"].get<std::string>(), count_of(step["documents"]),
                    count_of(step["changed"]), count_of(step["dropped"]), count_of(step["matches"]),
                    format_bytes(step["bytes_out"].get<std::uint64_t>())});
  }
  for (const char* name :
       {"contaminated", "exact_duplicates", "near_duplicates", "repeated_paragraphs"}) {
    if (manifest[name] == 0) continue;
    std::string title = name;
    for (char& c : title) c = c == '_' ? ' ' : c;
    rows.push_back({title, "", "", count_of(manifest[name]), "", ""});
  }
  return text_table({"step", "documents", "changed", "dropped", "matches", "left"}, rows);
}

std::string describe(const PrepareConfig& config, const Json& manifest) {
  std::vector<std::pair<std::string, std::string>> facts = {
      {"read", concat(count_of(manifest["documents_read"]), " documents, ",
                      format_bytes(manifest["bytes_read"].get<std::uint64_t>()))}};
  for (const auto& [name, split] : manifest["splits"].items()) {
    std::string text = concat(count_of(split["documents"]), " documents, ",
                              format_bytes(split["bytes"].get<std::uint64_t>()));
    if (split.contains("tokens")) text += concat(", ", count_of(split["tokens"]), " tokens");
    facts.emplace_back(name, text);
  }
  const double seconds = manifest["seconds"].get<double>();
  facts.emplace_back("time", concat(format_duration(seconds), ", ",
                                    format_bytes(static_cast<std::uint64_t>(
                                        manifest["bytes_read"].get<double>() / seconds)),
                                    " a second"));
  facts.emplace_back("manifest", config.output + "/manifest.json");
  facts.emplace_back("report",
                     config.output + "/report.html: examples of what was changed and dropped");
  if (config.write_dropped) facts.emplace_back("dropped", config.output + "/dropped.jsonl");
  if (!config.tokenizer.empty()) {
    facts.emplace_back("next",
                       concat("llmctl pretrain … --set data.train=", config.output, "/train"));
  }
  return steps_table(manifest) + "\n" +
         render_facts(STDOUT_FILENO, "data prepare: " + config.output, facts);
}

int run_prepare(const CommonOptions& common, PrepareCommandOptions options) {
  ConfigOptions& overrides = options.config;
  if (!options.output.empty()) set_string(overrides, "output", options.output);
  if (!options.tokenizer.empty()) set_string(overrides, "tokenizer", options.tokenizer);
  if (options.dropped) overrides.sets.push_back("write_dropped=true");
  const PrepareConfig config =
      read_prepare_config(load_document(overrides, "prepare"), options.inputs);
  if (overrides.dry_run) {
    const Json plan = plan_preparation(config, options.overwrite);
    print_result(common, plan, dump_json(plan, 2) + "\n");
    return 0;
  }
  const Json manifest = prepare_data(config, {.overwrite = options.overwrite});
  print_result(common, manifest, describe(config, manifest));
  return 0;
}

struct StatsCommand : StatsOptions {
  InputOptions inputs;
  std::string tokenizer, output;
  bool overwrite = false;
};

/// The title of a page about files.
std::string title_of(const std::vector<std::string>& inputs) {
  if (inputs.size() == 1) return inputs.front();
  return concat(inputs.front(), " and ", inputs.size() - 1, " more");
}

/// The command as it was typed, in short where it names many files.
std::string command_text(const std::vector<std::string>& words) {
  std::string text = "llmctl";
  for (std::size_t i = 1; i < words.size(); ++i) {
    text += " " + words[i];
    if (text.size() > 300) return concat(text, " … (", words.size() - i - 1, " more words)");
  }
  return text;
}

int run_stats(const CommonOptions& common, const StatsCommand& options) {
  if (!options.output.empty()) {
    check_output_file(options.output, options.overwrite, expand_paths(options.inputs.inputs));
  }
  std::shared_ptr<const Tokenizer> tokenizer;
  if (!options.tokenizer.empty()) tokenizer = load_tokenizer_of(options.tokenizer);
  const CorpusStats stats = stats_of(options.inputs, tokenizer, options);
  const std::string title = title_of(options.inputs.inputs);
  if (!options.output.empty()) {
    write_output(options.output,
                 stats_page(title, stats,
                            {{"date", utc_now()},
                             {"command", command_text(common.command_line)},
                             {"tokenizer",
                              tokenizer ? concat(options.tokenizer, ", ", tokenizer->description())
                                        : "none: words are counted"}}));
  }
  std::vector<std::pair<std::string, std::string>> facts = {
      {"documents", std::to_string(stats.documents)}, {"text", format_bytes(stats.bytes)}};
  if (stats.tokens) facts.emplace_back("tokens", std::to_string(*stats.tokens));
  facts.emplace_back("exact duplicates", std::to_string(stats.duplicates));
  if (stats.near_duplicates) {
    facts.emplace_back("near duplicates", std::to_string(*stats.near_duplicates));
  }
  facts.emplace_back(stats.length_unit,
                     concat("median ", stats.lengths.median, ", 90 % ", stats.lengths.p90,
                            ", 99 % ", stats.lengths.p99, ", longest ", stats.lengths.most));
  std::vector<std::string> languages, frequent;
  for (const auto& [code, count] : stats.languages) {
    languages.push_back(concat(language_name(code), " ", count));
  }
  if (!languages.empty()) facts.emplace_back("languages", join(languages));
  for (const auto& [name, count] : stats.frequent) {
    frequent.push_back(concat(escape_control(name), " ", count));
  }
  facts.emplace_back("frequent", join(frequent, "  "));
  if (is_standard_output(options.output)) return 0;
  if (!options.output.empty()) facts.emplace_back("page", options.output);
  print_result(common, stats.to_json(), render_facts(STDOUT_FILENO, title, facts));
  return 0;
}

void add_stats_command(CLI::App& data, CommandContext context) {
  auto options = std::make_shared<StatsCommand>();
  CLI::App* stats =
      add_command(data, context.common, "stats",
                  "Describe a corpus or shards: lengths, languages, duplicates, tokens",
                  "  llmctl data stats corpus/*.txt -o corpus.html\n"
                  "  llmctl data stats prepared/train --tokenizer runs/tokenizer");
  stats
      ->add_option("input", options->inputs.inputs,
                   "Files, folders or globs, or a directory of shards")
      ->option_text("PATH...")
      ->required();
  stats->add_option("--tokenizer", options->tokenizer, "Count and name its tokens")
      ->option_text("DIR");
  add_input_options(*stats, options->inputs);
  stats->add_option("-o,--output", options->output, "HTML page to write, with charts")
      ->option_text("FILE");
  stats->add_flag("--overwrite", options->overwrite, "Replace a page that is there");
  stats->add_flag("--near", options->near_duplicates,
                  "Count documents that are nearly an earlier one, too");
  stats->add_option("--top", options->frequent, "Frequent tokens to show")
      ->option_text("N")
      ->check(between(1, 10000));
  stats->callback([options, context] {
    context.action = [options, context] { return run_stats(context.common, *options); };
  });
}

struct VectorsOptions {
  ConfigOptions config;
  InputOptions inputs;
  std::vector<std::string> nearest, analogy;
  std::string tokenizer, output, vectors;
  std::int64_t top = 10;
  bool overwrite = false;
};

/// Answers about vectors that are there.
int query_vectors(const CommonOptions& common, const VectorsOptions& options) {
  const WordVectors vectors = WordVectors::load(options.vectors);
  const auto count = static_cast<std::size_t>(options.top);
  Json json = Json::array();
  std::vector<std::vector<std::string>> rows;
  const auto add = [&](const std::string& question, const WordVectors::Neighbours& answers) {
    Json list = Json::array();
    std::string text;
    for (const auto& [word, cosine] : answers) {
      list.push_back({{"word", word}, {"cosine", cosine}});
      char number[16];
      std::snprintf(number, sizeof number, " %.2f", cosine);
      text += (text.empty() ? "" : "  ") + word + number;
    }
    json.push_back({{"query", question}, {"nearest", std::move(list)}});
    rows.push_back({question, text});
  };
  for (const std::string& word : options.nearest) add(word, vectors.nearest(word, count));
  if (!options.analogy.empty()) {
    require(options.analogy.size() == 3, ErrorCode::kUsage,
            "--analogy takes three words: A is to B as C is to …");
    const auto& [a, b, c] = std::tie(options.analogy[0], options.analogy[1], options.analogy[2]);
    add(concat(a, " : ", b, " = ", c, " : ?"), vectors.analogy(a, b, c, count));
  }
  print_result(common, json, text_table({"word", "nearest"}, rows));
  return 0;
}

int run_vectors(const CommonOptions& common, const VectorsOptions& options) {
  const bool asks = !options.nearest.empty() || !options.analogy.empty();
  require(asks != !options.inputs.inputs.empty(), ErrorCode::kUsage,
          "give texts and -o FILE to train vectors, or --vectors FILE with --nearest or --analogy");
  if (asks) {
    require(!options.vectors.empty(), ErrorCode::kUsage, "name the vectors: --vectors FILE");
    return query_vectors(common, options);
  }
  require(!options.output.empty(), ErrorCode::kUsage, "name the file of vectors: -o FILE");
  require(!is_standard_output(options.output) && !is_special_file(options.output),
          ErrorCode::kUsage, options.output, ": vectors go to a file");
  check_output_file(options.output, options.overwrite, expand_paths(options.inputs.inputs));
  VectorsConfig config;
  const JsonDocument document = load_document(options.config, "vectors");
  read_config(root_node(document), config);
  std::shared_ptr<const Tokenizer> tokenizer;
  if (!options.tokenizer.empty()) tokenizer = load_tokenizer_of(options.tokenizer);
  const auto sources = sources_of(options.inputs);
  if (options.config.dry_run) {
    print_result(common, config_to_json(config), dump_json(config_to_json(config), 2) + "\n");
    return 0;
  }
  const WordVectors vectors =
      train_word_vectors(sources, config, tokenizer.get(), options.output + ".text");
  vectors.save(options.output);
  print_result(common,
               {{"file", options.output}, {"words", vectors.size()}, {"dim", vectors.dim()}},
               render_facts(STDOUT_FILENO, "vectors: " + options.output,
                            {{"words", std::to_string(vectors.size())},
                             {"dim", std::to_string(vectors.dim())},
                             {"next", "llmctl data vectors --vectors " + options.output +
                                          " --nearest " + vectors.word(0)}}));
  return 0;
}

void add_vectors_command(CLI::App& data, CommandContext context) {
  auto options = std::make_shared<VectorsOptions>();
  CLI::App* vectors =
      add_command(data, context.common, "vectors",
                  "Train vectors of words or of a tokenizer's pieces, and ask about them",
                  "  llmctl data vectors corpus/*.txt -o vectors.txt --set dim=100\n"
                  "  llmctl data vectors --vectors vectors.txt --nearest river --nearest 河\n"
                  "  llmctl data vectors --vectors vectors.txt --analogy man king woman");
  vectors->add_option("input", options->inputs.inputs, "Texts to train on")->option_text("FILE...");
  vectors->add_option("-o,--output", options->output, "File to write, in word2vec's text format")
      ->option_text("FILE");
  vectors->add_flag("--overwrite", options->overwrite, "Replace a file that is there");
  vectors->add_option("--tokenizer", options->tokenizer, "Vectors of its pieces instead of words")
      ->option_text("DIR");
  vectors->add_option("--vectors", options->vectors, "Vectors to ask about")->option_text("FILE");
  vectors->add_option("--nearest", options->nearest, "Words nearest to this one; may be repeated")
      ->option_text("WORD")
      ->allow_extra_args(false);
  vectors->add_option("--analogy", options->analogy, "A is to B as C is to …")
      ->option_text("A B C");
  vectors->add_option("--top", options->top, "Answers to show")
      ->option_text("N")
      ->check(between(1, 10000));
  add_input_options(*vectors, options->inputs);
  add_config_options(*vectors, options->config);
  vectors->callback([options, context] {
    context.action = [options, context] { return run_vectors(context.common, *options); };
  });
}

int run_label(const CommonOptions& common, const LabellingRequest& request) {
  const LabellingReport report = label_texts(request);
  if (is_standard_output(request.output)) return 0;
  std::vector<std::vector<std::string>> rows;
  for (const RuleReport& rule : report.rules) {
    rows.push_back({rule.name, rule.label, std::to_string(rule.votes),
                    std::to_string(rule.overlaps), std::to_string(rule.conflicts),
                    rule.votes == 0 ? "–" : format_number(100 * rule.accuracy)});
  }
  const std::string facts =
      render_facts(STDOUT_FILENO, "labels: " + request.output,
                   {{"texts", std::to_string(report.texts)},
                    {"with votes", std::to_string(report.voted)},
                    {"written", std::to_string(report.written)},
                    {"next", "data.train or data.train_only of a classification"}});
  print_result(common, report.to_json(),
               text_table({"rule", "label", "votes", "overlaps", "conflicts", "accuracy %"}, rows) +
                   "\n" + facts);
  return 0;
}

void add_label_command(CLI::App& data, CommandContext context) {
  auto request = std::make_shared<LabellingRequest>();
  CLI::App* label = add_command(
      data, context.common, "label",
      "Label texts by rules that vote: words and regular expressions, weighed by how they agree",
      "  llmctl data label reviews.jsonl --rules rules.json -o weak.jsonl\n"
      "  llmctl data label reviews.txt --rules rules.json -o weak.jsonl --threshold 0.8");
  label
      ->add_option("input", request->inputs,
                   "Texts: .jsonl, .json, .csv, .tsv, or plain text, a text a line")
      ->option_text("FILE...")
      ->required();
  label
      ->add_option("--rules", request->rules,
                   R"(JSON: {"rules": [{"label": "good", "words": ["kind", "好吃"]}, )"
                   R"({"label": "bad", "regex": "not .* again", "unless": "…"}]})")
      ->option_text("FILE")
      ->required();
  label->add_option("-o,--output", request->output, "JSONL to write, with label and confidence")
      ->option_text("FILE")
      ->required();
  label
      ->add_option("--threshold", request->threshold,
                   "Leave out labels of a lower probability (0 to 1)")
      ->option_text("SHARE")
      ->check(between(0, 1));
  label->add_option("--text-field", request->text_field, "Field of the text")->option_text("NAME");
  label->add_flag("--skip-bad", request->skip_bad, "Leave bad rows out, listed and counted");
  label->add_flag("--overwrite", request->overwrite, "Replace a file that is there");
  label->callback([request, context] {
    context.action = [request, context] { return run_label(context.common, *request); };
  });
}

}  // namespace

void add_data_command(CommandContext context) {
  CLI::App* data =
      add_command(context.root, context.common, "data", "Turn a raw corpus into training data",
                  "  llmctl data prepare corpus/*.jsonl -o prepared --tokenizer runs/tokenizer\n"
                  "  llmctl data prepare -c configs/prepare/web.json\n"
                  "  llmctl data stats corpus/*.jsonl -o corpus.html");
  data->require_subcommand(1);
  auto options = std::make_shared<PrepareCommandOptions>();
  CLI::App* prepare =
      add_command(*data, context.common, "prepare",
                  "Clean, deduplicate, split and tokenize documents into memory-mapped shards",
                  "  llmctl data prepare corpus/*.txt -o prepared --set deduplicate.near=true\n"
                  "  llmctl data prepare dump.xml.bz2 -o wiki --tokenizer runs/tokenizer --set "
                  "split.valid=0.01\n"
                  "  llmctl data prepare posts.csv -o posts --set clean.urls=remove "
                  "--set clean.personal_data.phones=mask");
  prepare
      ->add_option(
          "input", options->inputs.inputs,
          "Files, folders or globs: text, .jsonl, .json, .csv, .tsv, .html, .xml (MediaWiki), "
          ".bin; plain or compressed (input)")
      ->option_text("FILE...");
  prepare->add_option("-o,--output", options->output, "Directory to make (output)")
      ->option_text("DIR");
  prepare->add_option("--tokenizer", options->tokenizer, "Tokenizer of the shards (tokenizer)")
      ->option_text("DIR");
  add_input_options(*prepare, options->inputs);
  prepare->add_flag("--dropped", options->dropped,
                    "Write OUTPUT/dropped.jsonl: what was dropped, and why (write_dropped)");
  prepare->add_flag("--overwrite", options->overwrite,
                    "Replace prepared data that the directory holds");
  add_config_options(*prepare, options->config);
  prepare->callback([options, context] {
    context.action = [options, context] { return run_prepare(context.common, *options); };
  });
  add_stats_command(*data, context);
  add_vectors_command(*data, context);
  add_label_command(*data, context);
}

}  // namespace llmctl
