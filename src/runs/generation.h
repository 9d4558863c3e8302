// `generate`: a model's own kind of answer (text, filled masks, a span, a label) to prompts,
// questions and files of them.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "config/json.h"
#include "runs/assembly.h"
#include "runs/sections.h"
#include "tasks/answer.h"

namespace llmctl {

/// Where answers go when no file takes them: as soon as they and all before them are there.
struct AnswerSink {
  TextStream text;  ///< of all answers as they grow, inputs numbered from 0; may be empty
  std::function<void(const Json& record, const std::string& text)> answer;
};

/// What the command line says beyond the configuration.
struct GenerationFlags {
  bool raw = false;        ///< prompts as they are, without the form of the model's fine-tuning
  bool chat = false;       ///< prompts are a user's messages
  bool overwrite = false;  ///< a file of other answers is replaced
};

/// A loaded model and who answers with it, in the way of the model's task.
struct AnsweringModel {
  LoadedModel loaded;
  Compute compute;
  std::unique_ptr<Responder> responder;

  /// Digest of all that decides the answers, for files that are gone on with.
  std::string digest() const;
};
/// The sections of `generate`, that of generated text checked too. kConfig.
GenerateConfig read_generate_config(const JsonDocument& document);

AnsweringModel load_answering(const GenerateConfig& config, const GenerationFlags& flags);

/// How the configuration wants a model's inputs answered.
AnswerOptions answer_options(const GenerateConfig& config, const GenerationFlags& flags,
                             const LoadedModel& loaded, const Compute& compute);

/// The input with what was answered behind its own members.
Json answered_record(const AnswerInput& input, const Answer& answer);

struct GenerationReport {
  /// What the user should know, a line each: settings without effect or not done, prompts that were
  /// shortened or left out.
  std::vector<std::string> notes;
  std::filesystem::path file;
  std::size_t count = 0, done = 0, done_before = 0;
  int exit_status = 0;  ///< 130/143 when a signal ended the work on a file
  double seconds = 0;
  std::size_t tokens = 0;  ///< that were generated

  /// Logs those that are new and keeps them.
  void add_notes(const std::vector<std::string>& some);
};

/// Answers what the configuration's section input holds; a file of prompts is answered in batches
/// into output.file, in order, and goes on after a kill; without one, `sink` gets the answers in
/// order, those of a file batch by batch. The first record that it gets has the notes that are
/// known by then as its member "notes".
GenerationReport run_generation(const JsonDocument& document, const GenerationFlags& flags,
                                const AnswerSink& sink);

struct GenerationPlan {
  std::vector<std::pair<std::string, std::string>> facts;
  std::vector<std::string> notes;
};

/// What a plan says of a model, its settings, and where prompts come from and answers go.
std::vector<std::pair<std::string, std::string>> plan_facts(const AnsweringModel& answering,
                                                            const std::string& input,
                                                            const std::string& output);

/// For --dry-run: refuses what run_generation() would refuse before its first answer (standard
/// input is not read), and writes nothing.
GenerationPlan plan_generation(const JsonDocument& document, const GenerationFlags& flags);

}  // namespace llmctl
