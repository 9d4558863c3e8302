// `generate`: a model's own kind of answer (text, filled masks, a span, a label) to prompts,
// questions and files of them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "config/json.h"
#include "prompt/generate.h"
#include "runs/assembly.h"
#include "runs/sections.h"
#include "tasks/task.h"
#include "text/template/chat_template.h"

namespace llmctl {

/// What a model answers with.
enum class AnswerKind { kText, kMasks, kSpan, kLabel };

struct AnswererOptions {
  Json generation = Json::object();  ///< over the model's generation_config.json
  std::int64_t top = 5;              ///< words shown for each mask
  std::int64_t sequence_length = 0;  ///< of questions and classification; 0: the model's limit
  bool raw =
      false;  ///< prompts as they are, without the template that the model was fine-tuned with
  bool chat = false;          ///< prompts are a user's messages
  std::string chat_template;  ///< a built-in one or a file; empty: the model's own
  std::string system;         ///< message before a prompt
};

/// A loaded model and how it answers. The eos ids, the template and the generation defaults come
/// from its directory.
class Answerer {
 public:
  Answerer(const std::string& model, const Compute& compute, const AnswererOptions& options);

  AnswerKind kind() const { return kind_; }
  const LoadedModel& loaded() const { return loaded_; }
  const GenerationSettings& generation() const { return generation_; }
  /// Other settings for what follows: section "generation" over the model's own files.
  void configure(const Json& generation);
  /// Tokens of an input's prompt, and how many the model takes before an answer.
  std::size_t prompt_tokens(const Json& input) const;
  std::size_t prompt_limit() const;
  /// kUsage, naming the remedy, for a model that has no form for conversations.
  void require_conversations() const;
  /// True where the model's fine-tuning, not a chat template, puts conversations into tokens.
  bool answers_by_task() const { return task_ != nullptr; }
  /// Refuses (kData) prompts that answer() would refuse, before any work is done.
  void check(std::span<const Json> inputs) const;
  /// Digest of what decides the answers, for batch files.
  std::string digest() const;

  /// One object per input, the input's members first, then by kind:
  ///
  ///   text   of "prompt", or of "messages" through the chat template: "generated_text",
  ///   "finish_reason", "tokens", "logprob" (their sum); with
  ///          several samples a list "samples" of these
  ///   masks  of "text": "filled", and "masks", for each mask a list of {"word", "probability"}
  ///   span   of "question" and "context": "answer", "score", "start", "end" (in code points)
  ///   label  of "text": "label", "scores"
  ///
  /// kData for an input without the members needed. `first` is the index of the first input, for
  /// draws: a file is answered the same however it is cut. `on_text` streams a single text.
  std::vector<Json> answer(std::span<const Json> inputs, std::size_t first = 0,
                           const std::function<void(const std::string&)>& on_text = {});

 private:
  std::vector<Json> answer_texts(std::span<const Json> inputs, std::size_t first,
                                 const std::function<void(const std::string&)>& on_text);
  std::vector<Json> answer_masks(std::span<const Json> inputs);
  void choose_chat_template();
  std::vector<EncodedPrompt> encode(std::span<const Json> inputs, std::size_t first) const;

  LoadedModel loaded_;
  Compute compute_;
  AnswererOptions options_;
  AnswerKind kind_ = AnswerKind::kText;
  GenerationSettings generation_;
  std::unique_ptr<Task> task_;
  std::optional<ChatTemplate> chat_;
};

struct GenerationReport {
  AnswerKind kind = AnswerKind::kText;
  std::vector<Json> answers;  ///< empty when they went to a file
  std::filesystem::path file;
  std::size_t count = 0, done = 0, done_before = 0;
  std::vector<std::string> notes;  ///< settings that are not done or have no effect
  int exit_status = 0;             ///< 130/143 when a signal ended the work on a file
  double seconds = 0;
};

/// What the command line says beyond the configuration.
struct GenerationFlags {
  bool raw = false, chat = false;
};

/// Answers what the configuration's section input holds; a file of prompts is answered in batches
/// into output.file, in order, and goes on after a kill. `on_text` streams when there is one prompt
/// and no file.
GenerationReport run_generation(const JsonDocument& document, const GenerationFlags& flags,
                                const std::function<void(const std::string&)>& on_text);

/// Checks the configuration and its files without a model's weights: for --dry-run.
std::vector<std::pair<std::string, std::string>> plan_generation(const JsonDocument& document);

}  // namespace llmctl
