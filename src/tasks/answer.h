// What a model answers to an input, and who answers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "config/json.h"
#include "nn/context.h"

namespace llmctl {

/// One input: a record of a prompts file, or what the command line says as one.
struct AnswerInput {
  Json record;
  std::string place;  ///< for errors: "prompts.jsonl:3", "prompt 1"

  /// Throws kData "PLACE: message".
  [[noreturn]] void fail(const std::string& message) const;
};

/// The answer to one input. Every task has its own kind, typed; here is what writes it.
class Answer {
 public:
  virtual ~Answer() = default;
  /// Members that the output record gets, under names of predictions (record_names.h).
  virtual Json record() const = 0;
  /// What a person reads: lines without a final line break.
  virtual std::string text() const = 0;
};

/// " 10.7 %", six columns wide and more.
std::string format_percent(double share);

using AnswerList = std::vector<std::unique_ptr<Answer>>;

/// How inputs are answered.
struct AnswerOptions {
  std::filesystem::path directory;         ///< of the model: its chat templates
  std::filesystem::path config_directory;  ///< of its generation_config.json: an adapter's base's
  std::int64_t sequence_length = 0;        ///< most tokens of a row; 0: the model's limit
  std::int64_t batch_size = 32;            ///< rows per forward pass, where no text is generated
  Context context;
  Json generation = Json::object();  ///< keys over the model's generation_config.json
  std::int64_t top = 5;              ///< words shown for each mask
  /// Adapters beside the weights of a model that writes text: "DIR" or "DIR=SCALE".
  std::vector<std::string> adapters = {};
  /// The directory of what somebody calls so; absent: that of this path.
  std::function<std::filesystem::path(const std::string&)> find_model = {};
  bool raw = false;           ///< prompts as they are, without the form of the model's training
  bool chat = false;          ///< prompts are a user's messages
  std::string chat_template;  ///< a built-in one or a file; empty: the model's own
  std::string system;         ///< message before a conversation
  std::string to;             ///< language to translate to, of a model for several
  bool document = false;      ///< texts are translated sentence by sentence
};

/// What an answer's text grows by, in whole characters.
struct AnswerPiece {
  std::size_t input = 0, sample = 0;  ///< whose answer: in the call, of the input
  std::string text;
  bool last = false;  ///< the answer is complete; comes once for each
};
/// Sees the texts of answers as they grow, one after another in order.
using TextStream = std::function<void(const AnswerPiece&)>;

/// What a caller sees of answers before they are there. Members may be empty.
struct AnswerEvents {
  TextStream text = {};
  /// So far, of this call: answers (of several samples each counts) and their tokens.
  std::function<void(std::size_t answers, std::size_t tokens)> progress = {};
};

using AnswerGiver = std::function<void(std::size_t input, std::unique_ptr<Answer> answer)>;

/// Answers inputs with a model that outlives it.
class Responder {
 public:
  virtual ~Responder() = default;
  /// The record that a bare text stands for; kUsage, naming the remedy, where a text alone is no
  /// input.
  virtual Json input_of(const std::string& text) const = 0;
  /// Refuses (kData, naming the place) inputs that answer() would refuse, before any work.
  virtual void check(std::span<const AnswerInput> inputs) const = 0;
  /// One answer per input. `first` is the index of the first input among all, for random draws: a
  /// file is answered the same however it is cut. Only answers of generated text have events.
  virtual AnswerList answer(std::span<const AnswerInput> inputs, std::size_t first,
                            const AnswerEvents& events) = 0;
  /// The same for many inputs: each answer is given away when it is there, in any order, by its
  /// index in the call.
  virtual void answer_each(std::span<const AnswerInput> inputs, std::size_t first,
                           const AnswerEvents& events, const AnswerGiver& give);
  /// Answers may depend in their last digits on the inputs that are answered together: groups of so
  /// many, counted from the first of all.
  virtual std::int64_t group_size() const { return batch_size(); }
  /// All settings that decide the answers beside the model and its tokenizer.
  virtual Json settings() const = 0;
  /// What the user should know of the settings, a line each.
  virtual std::vector<std::string> notes() const { return {}; }
  /// Inputs that are worth answering in one call.
  virtual std::int64_t batch_size() const = 0;
};

}  // namespace llmctl
