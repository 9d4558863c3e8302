// Translating with a trained model: pairs for scores, and a user's texts.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "prompt/generate.h"
#include "tasks/answer.h"
#include "tasks/translation_rows.h"

namespace llmctl {

struct TranslateOptions {
  std::int64_t batch_size = 32;
  Context context;
  std::filesystem::path config_directory;  ///< as AnswerOptions has it
};

/// The best translation of each source text, by the model's own settings and those of the form's
/// task. Texts that are longer than the model takes lose their end.
std::vector<GeneratedText> translate(Model& model, const TranslationForm& form,
                                     const std::vector<const TextPair*>& pairs,
                                     const TranslateOptions& options);

/// Answers {"text": …} (or what data have: parallel_texts.h) with translations; with
/// options.document texts are translated sentence by sentence, their lines and what separates them
/// staying as they are. kUsage for a language (options.to) that no direction writes, and for
/// several translations of a document; kData, naming the place, for an input that asks for them.
std::unique_ptr<Responder> make_translator(Model& model, TranslationForm form,
                                           const AnswerOptions& options);

}  // namespace llmctl
