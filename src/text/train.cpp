#include "text/train.h"

#include <sentencepiece_trainer.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <set>
#include <unordered_map>

#include "base/error.h"
#include "base/files.h"
#include "base/utf8.h"
#include "text/marian_tokenizer.h"
#include "text/sentencepiece_tokenizer.h"
#include "text/training_sample.h"

namespace llmctl {
namespace {

/// Characters that the trainer takes for itself: a tab is its mark of a boundary that no piece
/// spans (and gets no piece), lines with U+2585 are skipped, NUL is not counted.
constexpr char kBoundary = '\t';
constexpr std::string_view kReserved = "\u2585";

const std::string kTrained = "the trained model";  // for errors

std::int64_t piece_count(const SentencePieceModel& model) {
  return static_cast<std::int64_t>(model.pieces.size());
}

class ChunkIterator : public sentencepiece::SentenceIterator {
 public:
  explicit ChunkIterator(const std::vector<std::string>& chunks) : chunks_(chunks) {}
  bool done() const override { return next_ >= chunks_.size(); }
  void Next() override { ++next_; }
  const std::string& value() const override { return chunks_[next_]; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  const std::vector<std::string>& chunks_;
  std::size_t next_ = 0;
};

/// One run of the trainer over chunks of text.
class Trainer {
 public:
  explicit Trainer(const TokenizerTrainConfig& config)
      : config_(config),
        is_char_(config.model_type == "char"),
        is_word_(config.model_type == "word"),
        byte_fallback_(config.byte_fallback.value_or(!is_char_ && !is_word_)),
        add_dummy_prefix_(config.add_dummy_prefix.value_or(!is_char_)),
        split_cjk_(config.split_cjk.value_or(config.recipe == "masked") && !is_char_ && !is_word_),
        sample_(static_cast<std::uint64_t>(config.seed),
                static_cast<std::uint64_t>(config.sample_bytes)) {
    if (is_word_ && byte_fallback_) {
      fail(ErrorCode::kConfig, "byte_fallback: not possible with model_type word");
    }
    check_symbols();
  }

  void read(const DocumentReader& documents, TokenizerTrainReport& report);
  SentencePieceModel train();

 private:
  void check_symbols() const;
  std::vector<std::string> special_names() const;
  void add_chunk(std::string_view chunk, bool first);
  void add_training_text(std::string_view chunk, std::string& text);
  std::string train_once(const std::string& model_type, std::int64_t vocab_size) const;
  /// White space at the ends of a sentence, and between words more than one space, is no part of
  /// it, as Marian's and most translation models have it.
  bool is_translation() const { return config_.recipe == "translation"; }

  const TokenizerTrainConfig& config_;
  bool is_char_, is_word_, byte_fallback_, add_dummy_prefix_, split_cjk_;
  TrainingSample sample_;
  std::vector<std::string> chunks_;
  std::set<std::string> met_;  // characters that need a piece made by hand
};

std::vector<std::string> Trainer::special_names() const {
  if (config_.recipe == "masked") return {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  return {"<unk>", "<s>", "</s>"};
}

void Trainer::check_symbols() const {
  const std::vector<std::string> special = special_names();
  std::set<std::string_view> seen(special.begin(), special.end());
  const auto check = [&](const char* list, const std::vector<std::string>& symbols) {
    for (std::size_t i = 0; i < symbols.size(); ++i) {
      const std::string& symbol = symbols[i];
      const auto refuse = [&](const char* reason) {
        fail(ErrorCode::kConfig, list, "[", i, "]: ", reason);
      };
      if (symbol.empty() || symbol.size() > 1000) refuse("expected 1 to 1000 bytes");
      if (find_invalid_utf8(symbol)) refuse("not valid UTF-8");
      if (symbol.find('\0') != symbol.npos) refuse("contains NUL");
      if (symbol.find(' ') != symbol.npos || symbol.find("\u2581") != symbol.npos) {
        refuse("contains a space (or U+2581, which spells one)");
      }
      if (symbol.size() == 6 && symbol.starts_with("<0x")) refuse("the name of a byte piece");
      if (!seen.insert(symbol).second) refuse("occurs twice or is a special token");
    }
  };
  check("user_symbols", config_.user_symbols);
  check("chat_symbols", config_.chat_symbols);
  check("languages", config_.languages);
  require(config_.languages.empty() || is_translation(), ErrorCode::kConfig,
          "languages: their marks are for the recipe translation");
}

void Trainer::read(const DocumentReader& documents, TokenizerTrainReport& report) {
  documents([&](std::string_view document) {
    ++report.documents;
    report.bytes += document.size();
    if (const auto bad = find_invalid_utf8(document)) {
      fail(ErrorCode::kData, "document ", report.documents, " is not valid UTF-8 at byte ", *bad);
    }
    cut_document(document, kTrainingChunkBytes,
                 [&](std::string_view chunk, bool first) { add_chunk(chunk, first); });
    return true;
  });
  report.sampled_bytes += sample_.bytes();
  chunks_ = sample_.take();
}

void Trainer::add_chunk(std::string_view chunk, bool first) {
  if (is_word_) {  // lines apart: there is no piece for a line break
    while (!chunk.empty()) {
      const std::size_t end = std::min(chunk.find('\n'), chunk.size());
      std::string text;
      add_training_text(chunk.substr(0, end), text);
      sample_.add(std::move(text));
      chunk.remove_prefix(std::min(end + 1, chunk.size()));
    }
    return;
  }
  std::string text;
  // Keeps the dummy prefix off what does not begin a document. The nmt rules make it a space.
  if (!first && add_dummy_prefix_ && !config_.normalization.starts_with("nmt_")) text = kBoundary;
  add_training_text(chunk, text);
  sample_.add(std::move(text));
}

void Trainer::add_training_text(std::string_view chunk, std::string& text) {
  text.reserve(text.size() + chunk.size());
  for (std::size_t i = 0; i < chunk.size(); ++i) {
    const char c = chunk[i];
    std::string_view reserved;
    if (c == '\t' || c == '\0' || (!is_char_ && (c == '\n' || c == '\r'))) {
      reserved = chunk.substr(i, 1);
    } else if (chunk.substr(i).starts_with(kReserved)) {
      reserved = kReserved;
    } else {
      std::size_t end = i;
      const char32_t character = next_code_point(chunk, end);
      const bool apart = split_cjk_ && is_cjk(character);
      if (apart) text += kBoundary;
      text += chunk.substr(i, end - i);
      if (apart) text += kBoundary;
      i = end - 1;
      continue;
    }
    if (c != '\0') met_.emplace(reserved);
    text += kBoundary;
    i += reserved.size() - 1;
  }
}

std::string csv(const std::vector<std::string>& values) {
  std::string line;
  for (const std::string& value : values) {
    if (!line.empty()) line += ',';
    line += '"';
    for (const char c : value) {
      if (c == '"') line += '"';
      line += c;
    }
    line += '"';
  }
  return line;
}

std::string decimal(double value) {
  std::array<char, 32> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  return std::string(buffer.data(), end);
}

std::string Trainer::train_once(const std::string& model_type, std::int64_t vocab_size) const {
  const auto flag = [](bool value) { return std::string(value ? "true" : "false"); };
  std::unordered_map<std::string, std::string> options = {
      {"model_type", model_type},
      {"vocab_size", std::to_string(vocab_size)},
      {"hard_vocab_limit", "false"},
      {"character_coverage", decimal(config_.character_coverage.value_or(is_char_ ? 1.0 : 0.9995))},
      {"byte_fallback", flag(byte_fallback_)},
      {"split_digits", flag(config_.split_digits)},
      {"normalization_rule_name", config_.normalization},
      {"add_dummy_prefix", flag(add_dummy_prefix_)},
      {"remove_extra_whitespaces", flag(is_translation())},
      {"allow_whitespace_only_pieces", "true"},
      {"max_sentence_length", std::to_string(16 * kTrainingChunkBytes)},
      {"num_threads", std::to_string(config_.threads)},
      {"minloglevel", "3"},
  };
  std::uint64_t bytes = 0;
  for (const std::string& chunk : chunks_) bytes += chunk.size();
  if (bytes > 1u << 30) options["train_extremely_large_corpus"] = "true";
  if (config_.recipe == "masked") {
    options.insert({{"pad_id", "0"},
                    {"pad_piece", "[PAD]"},
                    {"unk_id", "1"},
                    {"unk_piece", "[UNK]"},
                    {"bos_id", "-1"},
                    {"eos_id", "-1"}});
  }
  std::vector<std::string> control;
  if (config_.recipe == "masked") control = {"[CLS]", "[SEP]", "[MASK]"};
  control.insert(control.end(), config_.chat_symbols.begin(), config_.chat_symbols.end());
  if (!control.empty()) options["control_symbols"] = csv(control);
  std::vector<std::string> symbols = config_.user_symbols;
  if (!byte_fallback_ && !is_word_) {
    for (const std::string& character : met_) {
      if (std::find(symbols.begin(), symbols.end(), character) == symbols.end()) {
        symbols.push_back(character);
      }
    }
  }
  if (!symbols.empty()) options["user_defined_symbols"] = csv(symbols);

  ChunkIterator iterator(chunks_);
  std::string serialized;
  const auto status = sentencepiece::SentencePieceTrainer::Train(options, &iterator, &serialized);
  if (!status.ok()) {
    fail(ErrorCode::kInternal, "SentencePiece's trainer failed: ", status.error_message());
  }
  return serialized;
}

SentencePieceModel Trainer::train() {
  std::erase_if(chunks_, [](const std::string& chunk) {
    return chunk.find_first_not_of(kBoundary) == chunk.npos;
  });
  if (chunks_.empty()) fail(ErrorCode::kData, "no text to train a tokenizer on");

  // A model of single characters has what every model of the text must have. It is asked first:
  // the unigram trainer ends the process where there is no character at all.
  constexpr std::int64_t kNoLimit = 2'000'000;
  SentencePieceModel characters = parse_sentencepiece_model(train_once("char", kNoLimit), kTrained);
  const std::int64_t alphabet = std::count_if(
      characters.pieces.begin(), characters.pieces.end(),
      [](const auto& piece) { return piece.type == SentencePieceModel::PieceType::kNormal; });
  if (alphabet == 0) fail(ErrorCode::kData, "no text to train a tokenizer on");
  // Words need no alphabet, but one word.
  const std::int64_t smallest = piece_count(characters) - (is_word_ ? alphabet - 1 : 0);
  if (config_.vocab_size < smallest) {
    fail(ErrorCode::kConfig, "vocab_size: ", config_.vocab_size,
         " is too small for this text, whose characters with the special and byte pieces take ",
         smallest, "; raise vocab_size or lower character_coverage");
  }
  if (is_char_) return characters;

  SentencePieceModel model =
      parse_sentencepiece_model(train_once(config_.model_type, config_.vocab_size), kTrained);
  if (config_.hard_vocab_limit && piece_count(model) < config_.vocab_size) {
    fail(ErrorCode::kConfig, "vocab_size: ", config_.vocab_size, " is more than this text gives, ",
         "which is ", piece_count(model), "; lower vocab_size or set hard_vocab_limit to false");
  }
  return model;
}

}  // namespace

TrainingEstimate estimate_training(const TokenizerTrainConfig& config, std::uint64_t bytes) {
  struct Costs {
    double memory;  // bytes for each of the sample
    double seconds_per_megabyte;
    double seconds_per_piece;  // of a vocabulary learnt from 20 MB; grows with the square root
  };
  const Costs costs = config.model_type == "bpe"       ? Costs{15, 0.1, 4e-3}
                      : config.model_type == "unigram" ? Costs{20, 2, 0}
                      : config.model_type == "word"    ? Costs{6, 0.15, 0}
                                                       : Costs{5, 0.1, 0};
  constexpr double kProgram = 120e6;            // bytes, what it takes without any text
  constexpr double kReadingPerMegabyte = 0.04;  // seconds
  TrainingEstimate estimate;
  estimate.bytes = bytes;
  estimate.sample_bytes = std::min(bytes, static_cast<std::uint64_t>(config.sample_bytes));
  const double megabytes = static_cast<double>(estimate.sample_bytes) / 1e6;
  estimate.seconds =
      1 + static_cast<double>(bytes) / 1e6 * kReadingPerMegabyte +
      megabytes * costs.seconds_per_megabyte +
      static_cast<double>(config.vocab_size) * costs.seconds_per_piece * std::sqrt(megabytes / 20);
  estimate.memory = static_cast<std::uint64_t>(
      kProgram + static_cast<double>(estimate.sample_bytes) * costs.memory);
  return estimate;
}

TokenizerTrainReport train_tokenizer(const TokenizerTrainConfig& config,
                                     const DocumentReader& documents,
                                     const std::filesystem::path& directory, bool overwrite,
                                     const DocumentReader& targets) {
  const auto start = std::chrono::steady_clock::now();
  if (!overwrite && std::filesystem::exists(directory) &&
      !(std::filesystem::is_directory(directory) && std::filesystem::is_empty(directory))) {
    fail(ErrorCode::kCannotCreate, directory, ": already there and not an empty directory");
  }
  require(!targets || config.recipe == "translation", ErrorCode::kConfig,
          "recipe: texts of a target language are for the recipe translation");
  require(targets || !config.separate_vocabs, ErrorCode::kConfig,
          "separate_vocabs: the texts of the target language are missing; name them by --target");
  TokenizerTrainReport report;
  const auto train = [&](const DocumentReader& texts) {
    Trainer trainer(config);
    trainer.read(texts, report);
    return std::make_unique<SentencePieceTokenizer>(trainer.train(), kTrained);
  };
  std::shared_ptr<const Tokenizer> tokenizer = train(documents);
  if (config.recipe == "translation") {
    const auto& source = dynamic_cast<const SentencePieceTokenizer&>(*tokenizer);
    tokenizer =
        make_marian_tokenizer(source.model(), targets ? train(targets)->model() : source.model(),
                              config.languages, config.separate_vocabs);
  }
  report.pieces = tokenizer->vocab_size();
  AtomicDirectory output(directory);
  tokenizer->save(output.path(), 0);
  output.commit(overwrite);
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

}  // namespace llmctl
