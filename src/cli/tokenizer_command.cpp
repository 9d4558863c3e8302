#include <unistd.h>
#include <CLI/CLI.hpp>
#include <charconv>
#include <filesystem>
#include <memory>
#include <optional>
#include <sstream>

#include "base/log.h"
#include "base/strings.h"
#include "base/terminal.h"
#include "cli/commands.h"
#include "cli/input_options.h"
#include "report/table.h"
#include "runs/assembly.h"
#include "runs/sections.h"
#include "runs/tokenizer_runs.h"
#include "text/truncate.h"

namespace llmctl {

namespace {

struct TrainOptions {
  ConfigOptions config;
  InputOptions inputs, targets;
  std::string output, recipe, model_type;
  std::optional<std::int64_t> vocab_size;
  bool overwrite = false;
};

int run_train(const CommonOptions& common, TrainOptions options) {
  ConfigOptions& overrides = options.config;
  if (!options.recipe.empty()) set_string(overrides, "recipe", options.recipe);
  if (!options.model_type.empty()) set_string(overrides, "model_type", options.model_type);
  if (options.vocab_size) overrides.sets.push_back(concat("vocab_size=", *options.vocab_size));
  options.targets.split = options.inputs.split;
  options.targets.format = options.inputs.format;
  const JsonDocument document = load_document(overrides, "tokenizer");
  TokenizerTrainConfig config;
  read_config(root_node(document), config);
  check_tokenizer_directory(options.output, options.overwrite);
  const TrainingEstimate estimate = estimate_training_on_files(config, options.inputs);
  log_info("text: ", format_bytes(estimate.bytes), " in ", estimate.files,
           estimate.files == 1 ? " file" : " files",
           "; sample: ", format_bytes(estimate.sample_bytes), "; expect up to ",
           format_duration(estimate.seconds), " and ", format_bytes(estimate.memory), " of memory");
  if (overrides.dry_run) {
    print_result(common, config_to_json(config), dump_json(config_to_json(config), 2) + "\n");
    return 0;
  }
  const auto report = train_tokenizer_on_files(config, options.inputs, options.output,
                                               options.overwrite, options.targets);
  const Json json = {{"directory", options.output},
                     {"pieces", report.pieces},
                     {"bytes", report.bytes},
                     {"seconds", report.seconds}};
  print_result(common, json,
               render_facts(STDOUT_FILENO, "tokenizer: " + options.output,
                            {{"kind", concat(config.model_type, ", ", config.recipe, " recipe")},
                             {"pieces", std::to_string(report.pieces)},
                             {"text", format_bytes(report.bytes)},
                             {"time", format_duration(report.seconds)},
                             {"next", "llmctl tokenizer inspect -m " + options.output + " FILE"}}));
  return 0;
}

/// -m DIR of encode, decode and inspect; without it their first argument names the tokenizer.
void add_tokenizer_option(CLI::App& command, std::string& tokenizer) {
  command
      .add_option("-m,--tokenizer", tokenizer,
                  "Tokenizer, model or run directory, a SentencePiece .model or a .gguf; without "
                  "it the first "
                  "argument is that")
      ->option_text("DIR");
}

std::string chosen_tokenizer(const std::string& named, std::vector<std::string>& arguments) {
  if (!named.empty()) return named;
  require(!arguments.empty(), ErrorCode::kUsage, "no tokenizer given: use -m DIR");
  std::string path = std::move(arguments.front());
  arguments.erase(arguments.begin());
  return path;
}

struct ApplyOptions {
  std::string tokenizer, file;
  std::vector<std::string> texts;
  bool special = false, pieces = false;
};

void add_file_option(CLI::App& command, ApplyOptions& options, const char* text) {
  command.add_option("-f,--file", options.file, text)->option_text("FILE");
}

void require_one_source(const ApplyOptions& options) {
  require(options.texts.empty() || options.file.empty(), ErrorCode::kUsage,
          "give arguments or -f FILE, not both");
}

struct EncodeOptions : ApplyOptions {
  std::optional<std::string> pair;
  std::optional<std::int64_t> max_length;
  std::string truncation = "longest_first";
  bool recognise = false;
};

/// [[begin, end], …]
Json spans_json(const std::vector<ByteSpan>& spans) {
  Json list = Json::array();
  for (const ByteSpan span : spans) list.push_back({span.begin, span.end});
  return list;
}

/// What `encode` prints of one text: the two parts with their special tokens, cut to the length
/// that was asked for, and the bytes of its own part that each token covers (special tokens none).
struct Sequence {
  std::vector<TokenId> ids;
  std::vector<ByteSpan> bytes, characters;
};

void append(Sequence& out, const std::string& text, const Encoding& part, std::size_t count) {
  const std::span<const ByteSpan> spans(part.offsets.data(), count);
  out.ids.insert(out.ids.end(), part.ids.begin(), part.ids.begin() + static_cast<long>(count));
  out.bytes.insert(out.bytes.end(), spans.begin(), spans.end());
  const auto characters = character_offsets(text, {spans.begin(), spans.end()});
  out.characters.insert(out.characters.end(), characters.begin(), characters.end());
}

Sequence sequence_of(const Tokenizer& tokenizer, const std::string& text,
                     const EncodeOptions& options) {
  const Encoding first = options.recognise ? tokenizer.encode_with_special_pieces(text)
                                           : tokenizer.encode_with_offsets(text);
  Encoding second;
  if (options.pair) second = tokenizer.encode_with_offsets(*options.pair);
  std::vector<TokenId> a = first.ids, b = second.ids;
  const std::vector<TokenId> nothing;
  const std::size_t special =
      options.special ? tokenizer.with_special(nothing, options.pair ? &nothing : nullptr).size()
                      : 0;
  if (options.max_length) {
    const auto length = static_cast<std::size_t>(*options.max_length);
    require(length > special, ErrorCode::kUsage, "--max-length ", length,
            " leaves no room beside the ", special, " special tokens");
    truncate_pair(a, b, length - special, truncation_of(options.truncation));
  }
  Sequence out;
  append(out, text, first, a.size());
  if (options.pair) append(out, *options.pair, second, b.size());
  if (!options.special) return out;
  // The parts' own tokens are found again, in order, among the special ones.
  const std::vector<TokenId> own = std::move(out.ids);
  const std::vector<ByteSpan> bytes = std::move(out.bytes), characters = std::move(out.characters);
  out.ids = tokenizer.with_special(a, options.pair ? &b : nullptr);
  const std::vector<TokenId> frame =
      tokenizer.with_special(nothing, options.pair ? &nothing : nullptr);
  out.bytes.assign(out.ids.size(), {});
  out.characters.assign(out.ids.size(), {});
  std::size_t next_own = 0, next_special = 0;
  for (std::size_t i = 0; i < out.ids.size(); ++i) {
    // A special token before its part, between the parts or behind them; of equal ids the frame's
    // comes first only where no token of a part is due.
    const bool at_part_begin = next_own == 0 || next_own == a.size() || next_own == own.size();
    const bool frame_left = next_special < frame.size() && out.ids[i] == frame[next_special];
    const std::size_t left = out.ids.size() - i, own_left = own.size() - next_own;
    if (frame_left && at_part_begin && left > own_left) {
      ++next_special;
      continue;
    }
    out.bytes[i] = bytes[next_own];
    out.characters[i] = characters[next_own];
    ++next_own;
  }
  return out;
}

int run_encode(const CommonOptions& common, EncodeOptions options) {
  const auto tokenizer = load_tokenizer_of(chosen_tokenizer(options.tokenizer, options.texts));
  require_one_source(options);
  const auto encode = [&](const std::string& text) {
    const Sequence sequence = sequence_of(*tokenizer, text, options);
    std::vector<std::string> pieces;
    for (const TokenId id : sequence.ids) pieces.push_back(tokenizer->piece(id));
    if (common.json) {
      return write_stdout(dump_json({{"text", text},
                                     {"ids", sequence.ids},
                                     {"pieces", pieces},
                                     {"offsets", spans_json(sequence.characters)},
                                     {"byte_offsets", spans_json(sequence.bytes)}}) +
                          "\n");
    }
    std::string line;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      line += (i > 0 ? " " : "") + (options.pieces ? pieces[i] : std::to_string(sequence.ids[i]));
    }
    write_stdout(line + "\n");
  };
  if (options.texts.empty()) {
    for_each_input_text(options.file.empty() ? "-" : options.file, encode);
  }
  for (const auto& text : options.texts) encode(text);
  return 0;
}

int run_decode(const CommonOptions& common, ApplyOptions options) {
  const auto tokenizer = load_tokenizer_of(chosen_tokenizer(options.tokenizer, options.texts));
  require_one_source(options);
  const auto decode = [&](const std::string& line) {
    std::vector<TokenId> ids;
    std::istringstream words(line);
    for (std::string word; words >> word;) {
      TokenId id = 0;
      const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), id);
      require(error == std::errc() && end == word.data() + word.size(), ErrorCode::kData,
              "expected token ids, got '", word, "'");
      ids.push_back(id);
    }
    const std::string text = tokenizer->decode(ids, options.special);
    write_stdout((common.json ? dump_json({{"ids", ids}, {"text", text}}) : text) + "\n");
  };
  if (options.texts.empty()) {
    for_each_input_text(options.file.empty() ? "-" : options.file, decode);
    return 0;
  }
  std::string line;  // the arguments are the ids of one text
  for (const auto& id : options.texts) line += id + " ";
  decode(line);
  return 0;
}

std::string rate(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", value);
  return text;
}

struct InspectOptions {
  std::string tokenizer;
  std::vector<std::string> others;
  InputOptions files;
  bool vocabulary = false;
};

/// Every piece with its id, a line each.
void print_vocabulary(const CommonOptions& common, const Tokenizer& tokenizer) {
  std::string text;
  for (std::int64_t id = 0; id < tokenizer.vocab_size(); ++id) {
    const std::string piece = tokenizer.piece(static_cast<TokenId>(id));
    text += common.json ? dump_json({{"id", id}, {"piece", piece}})
                        : concat(id, "\t", escape_control(piece));
    text += "\n";
  }
  write_stdout(text);
}

using TableRows = std::vector<std::vector<std::string>>;

/// Files, and their odd pieces.
struct FileTables {
  TableRows rows, odd;
};

/// What a tokenizer makes of files: members of the JSON, rows of the tables.
void measure(const std::string& path, const Tokenizer& tokenizer, const InputOptions& files,
             bool named, Json& json, FileTables& tables) {
  auto& [rows, odd] = tables;
  for (const auto& [file, statistics] : inspect_tokenizer_on_files(tokenizer, files)) {
    json["files"].push_back(statistics.to_json());
    json["files"].back()["file"] = file;
    const auto& pieces = statistics.longest;
    const std::vector<std::string> longest(
        pieces.begin(), pieces.begin() + std::min<std::ptrdiff_t>(3, std::ssize(pieces)));
    rows.push_back({file, format_bytes(statistics.bytes),
                    format_count(static_cast<double>(statistics.tokens)),
                    rate(statistics.bytes_per_token()), rate(statistics.characters_per_token()),
                    rate(100 * statistics.unknown_rate()), rate(100 * statistics.byte_rate()),
                    std::to_string(statistics.odd), join(longest, " ")});
    if (named) rows.back().insert(rows.back().begin() + 1, path);
    for (std::size_t i = 0; i < std::min<std::size_t>(5, statistics.odd_pieces.size()); ++i) {
      const OddPiece& piece = statistics.odd_pieces[i];
      odd.push_back({file, piece.piece, std::to_string(piece.uses), piece.why});
      if (named) odd.back().insert(odd.back().begin() + 1, path);
    }
  }
}

int run_inspect(const CommonOptions& common, InspectOptions options) {
  std::vector<std::string> paths = {chosen_tokenizer(options.tokenizer, options.files.inputs)};
  if (options.vocabulary) {
    print_vocabulary(common, *load_tokenizer_of(paths.front()));
    return 0;
  }
  paths.insert(paths.end(), options.others.begin(), options.others.end());
  const bool several = paths.size() > 1;
  Json all = Json::array();
  std::string text;
  FileTables tables;
  auto& [rows, odd] = tables;
  for (const std::string& path : paths) {
    const auto tokenizer = load_tokenizer_of(path);
    Json json = {{"tokenizer", path},
                 {"description", tokenizer->description()},
                 {"vocab_size", tokenizer->vocab_size()},
                 {"fingerprint", tokenizer->fingerprint()}};
    text += render_facts(STDOUT_FILENO, path,
                         {{"kind", tokenizer->description()},
                          {"pieces", std::to_string(tokenizer->vocab_size())},
                          {"fingerprint", tokenizer->fingerprint().substr(0, 16)}});
    if (!options.files.inputs.empty())
      measure(path, *tokenizer, options.files, several, json, tables);
    all.push_back(std::move(json));
  }
  if (!rows.empty()) {
    std::vector<std::string> columns = {"file",        "size",        "tokens",
                                        "bytes/token", "chars/token", "unknown %",
                                        "bytes %",     "odd",         "longest"};
    std::vector<std::string> odd_columns = {"file", "odd piece", "uses", "why"};
    if (several) {
      columns.insert(columns.begin() + 1, "tokenizer");
      odd_columns.insert(odd_columns.begin() + 1, "tokenizer");
      // Files side by side: what each tokenizer makes of one stands together.
      TableRows sorted;
      const std::size_t files = rows.size() / paths.size();
      for (std::size_t file = 0; file < files; ++file) {
        for (std::size_t t = 0; t < paths.size(); ++t) sorted.push_back(rows[t * files + file]);
      }
      rows = std::move(sorted);
    }
    text += "\n" + text_table(columns, rows);
    if (!odd.empty()) text += "\n" + text_table(odd_columns, odd);
  }
  print_result(common, several ? Json{{"tokenizers", std::move(all)}} : all[0], text);
  return 0;
}

}  // namespace

void add_tokenizer_command(CommandContext context) {
  CLI::App* tokenizer =
      add_command(context.root, context.common, "tokenizer", "Train, apply and examine tokenizers",
                  "  llmctl tokenizer train data/corpus/*.txt -o runs/tokenizer --vocab-size 4000\n"
                  "  llmctl tokenizer encode -m runs/tokenizer 你好，世界\n"
                  "  llmctl tokenizer inspect -m runs/tokenizer data/corpus/*.txt");
  tokenizer->require_subcommand(1);

  auto train = std::make_shared<TrainOptions>();
  CLI::App* train_command =
      add_command(*tokenizer, context.common, "train", "Train a SentencePiece model on text",
                  "  llmctl tokenizer train corpus/*.txt -o tokenizers/16k --vocab-size 16000\n"
                  "  llmctl tokenizer train corpus/*.txt -o tokenizers/masked --recipe masked "
                  "--set model_type=unigram\n"
                  "  llmctl tokenizer train train.en train.de -o tokenizers/en-de --recipe "
                  "translation");
  train_command
      ->add_option("input", train->inputs.inputs,
                   "Files, folders or globs: text, .jsonl, .json, .csv, .tsv, .html, .xml "
                   "(MediaWiki); plain or compressed")
      ->option_text("FILE...")
      ->required();
  train_command->add_option("-o,--output", train->output, "Directory to make")
      ->option_text("DIR")
      ->required();
  train_command->add_option("--vocab-size", train->vocab_size, "Number of pieces (vocab_size)")
      ->option_text("N")
      ->check(between(8, 1'000'000));
  train_command
      ->add_option("--recipe", train->recipe,
                   "causal, masked or translation: the special tokens (recipe)")
      ->option_text("NAME")
      ->check(one_of({"causal", "masked", "translation"}));
  train_command
      ->add_option("--target", train->targets.inputs,
                   "Recipe translation: texts of the target language, which gets a model of its "
                   "own; may be repeated")
      ->option_text("FILE")
      ->allow_extra_args(false);
  train_command
      ->add_option("--target-fields", train->targets.fields,
                   "Fields of their records, as --fields names them")
      ->option_text("NAME,…");
  train_command->add_option("--type", train->model_type, "bpe, unigram, char or word (model_type)")
      ->option_text("TYPE")
      ->check(one_of({"bpe", "unigram", "char", "word"}));
  train_command->add_flag("--overwrite", train->overwrite,
                          "Replace the tokenizer that the directory holds");
  add_input_options(*train_command, train->inputs);
  add_config_options(*train_command, train->config);
  train_command->callback([train, context] {
    context.action = [train, context] { return run_train(context.common, *train); };
  });

  auto encode = std::make_shared<EncodeOptions>();
  CLI::App* encode_command =
      add_command(*tokenizer, context.common, "encode", "Text to token ids, a line each",
                  "  llmctl tokenizer encode -m runs/tokenizer 你好，世界\n"
                  "  llmctl tokenizer encode -m runs/tokenizer -f corpus.txt --json");
  add_tokenizer_option(*encode_command, encode->tokenizer);
  encode_command
      ->add_option("text", encode->texts, "Texts; without them and -f, lines of standard input")
      ->option_text("TEXT...");
  add_file_option(*encode_command, *encode,
                  "Lines of a text file, or members text of a .jsonl file; - is standard input");
  encode_command->add_flag("--special", encode->special,
                           "Add the special tokens that models expect");
  encode_command->add_flag("--pieces", encode->pieces, "Print pieces instead of ids");
  encode_command->add_flag("--recognise", encode->recognise,
                           "Take names of special tokens in the text for those tokens");
  encode_command->add_option("--pair", encode->pair, "A second text behind each")
      ->option_text("TEXT");
  encode_command->add_option("--max-length", encode->max_length, "Tokens to keep at most")
      ->option_text("N")
      ->check(between(1, 1 << 30));
  encode_command
      ->add_option("--truncation", encode->truncation,
                   "What gives way: longest_first, only_first or only_second")
      ->option_text("HOW")
      ->check(one_of({"longest_first", "only_first", "only_second"}));
  encode_command->callback([encode, context] {
    context.action = [encode, context] { return run_encode(context.common, *encode); };
  });

  auto decode = std::make_shared<ApplyOptions>();
  CLI::App* decode_command =
      add_command(*tokenizer, context.common, "decode", "Token ids to text",
                  "  llmctl tokenizer decode -m runs/tokenizer 512 77 1043\n"
                  "  llmctl tokenizer encode -m runs/tokenizer < a.txt | llmctl tokenizer decode "
                  "-m runs/tokenizer");
  add_tokenizer_option(*decode_command, decode->tokenizer);
  decode_command
      ->add_option("id", decode->texts,
                   "Ids of one text; without them and -f, a text in each line of standard input")
      ->option_text("ID...");
  add_file_option(*decode_command, *decode, "Lines of ids; - is standard input");
  decode_command->add_flag("--special", decode->special, "Keep special tokens in the text");
  decode_command->callback([decode, context] {
    context.action = [decode, context] { return run_decode(context.common, *decode); };
  });

  auto inspect = std::make_shared<InspectOptions>();
  CLI::App* inspect_command =
      add_command(*tokenizer, context.common, "inspect",
                  "Facts about a tokenizer and how well it compresses files",
                  "  llmctl tokenizer inspect -m runs/tokenizer data/corpus/*.txt\n"
                  "  llmctl tokenizer inspect -m runs/a data/corpus/*.txt --with runs/b");
  add_tokenizer_option(*inspect_command, inspect->tokenizer);
  inspect_command->add_option("file", inspect->files.inputs, "Texts to measure it on")
      ->option_text("FILE...");
  inspect_command->add_flag("--vocabulary", inspect->vocabulary,
                            "Print every piece with its id instead");
  inspect_command
      ->add_option("--with", inspect->others, "Another tokenizer to set beside it; may be repeated")
      ->option_text("DIR")
      ->allow_extra_args(false);
  add_input_options(*inspect_command, inspect->files);
  inspect_command->callback([inspect, context] {
    context.action = [inspect, context] { return run_inspect(context.common, *inspect); };
  });
}

}  // namespace llmctl
