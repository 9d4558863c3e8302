// Using a model: text from prompts, filled masks, answers from passages, labels.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace llmctl {

/// A span of a passage that answers a question; empty where the model finds none.
struct PassageAnswer {
  std::string text;
  double probability = 0;
  std::size_t begin = 0, end = 0;  ///< in Unicode code points of the passage
};

/// What a classifier says of a text.
struct Classification {
  std::string label;  ///< the best class; of a model of several labels those of 50 % and more
  /// Each class with its probability; of a regression each output with its value.
  std::vector<std::pair<std::string, double>> scores;
};

/// A labelled span of a text: a name, a word of a segmentation.
struct TextSpan {
  std::string text, label;  ///< the label is empty for words of a segmentation
  double probability = 0;
  std::size_t begin = 0, end = 0;  ///< in Unicode code points of the text
};

/// A model directory, checkpoint or run directory, loaded for use. What its methods ask of a model
/// of another kind is kUsage. Not thread-safe.
class Generator {
 public:
  /// `device`: "auto", "cpu", "cuda" or "cuda:N". kMissing, kData, kConfig.
  explicit Generator(const std::string& model, const std::string& device = "auto");
  ~Generator();
  Generator(Generator&&) noexcept;
  Generator& operator=(Generator&&) noexcept;

  /// Continuations of the prompts, in their order. `generation`: JSON of the keys of
  /// generation_config.json
  /// ({"max_new_tokens": 50, "do_sample": true, …}), over the model's own file.
  std::vector<std::string> generate(const std::vector<std::string>& prompts,
                                    const std::string& generation = "{}");
  /// One continuation, handed over as it grows; never cut inside a character.
  std::string generate(const std::string& prompt, const std::string& generation,
                       const std::function<void(const std::string&)>& on_text);

  /// Text with [MASK] in it, filled with the best words.
  std::string fill_masks(const std::string& text);
  /// The span of `context` that answers the question.
  PassageAnswer answer(const std::string& question, const std::string& context);
  Classification classify(const std::string& text);
  /// The names, or the words, that a token classifier finds in a text.
  std::vector<TextSpan> find_spans(const std::string& text);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace llmctl
