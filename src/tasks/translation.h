// Machine translation: parallel texts teach an encoder-decoder, or a causal language model that
// reads a source text as a prompt.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "metrics/translation_words.h"
#include "tasks/task.h"

namespace llmctl {

/// From which language to which; both may be empty where only one direction is translated and
/// fields are not named by languages.
struct TranslationDirection {
  std::string source, target;
  bool operator==(const TranslationDirection&) const = default;
};

/// Section "task" of type translation.
struct TranslationConfig {
  std::string type = "translation";
  std::string source, target;
  std::vector<std::string> directions;
  std::optional<std::string> source_field, target_field, prefix, prompt_template;
  double label_smoothing = 0, r_drop = 0, source_noise = 0, target_noise = 0;
  std::int64_t validation_samples = 500;
  std::optional<std::int64_t> num_beams, max_new_tokens;
  std::string bleu_tokenizer = "auto";
  bool ter_normalized = false, ter_no_punct = false, ter_asian_support = false,
       ter_case_sensitive = false;

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("type", self.type, "The task.", OneOf{{"translation"}});
    visit("source", self.source,
          "Language that is translated, as files name it in their ending or fields (\"en\").");
    visit("target", self.target, "Language that is written.");
    visit("directions", self.directions,
          "Several directions in one model, in place of source and target: [\"en-de\", \"de-en\"] "
          "(languages with a dash in their names: \"en>zh-Hans\").");
    visit("source_field", self.source_field,
          "Field of the source text; absent: the language's name, source, src, … as the file has "
          "it.");
    visit("target_field", self.target_field, "Field of the translation, likewise.");
    visit("prefix", self.prefix,
          "What stands before a source text, {source} and {target} standing for the languages; "
          "absent: \">>{target}<< \" where there are several directions, else nothing.");
    visit("template", self.prompt_template,
          "Causal models: what is read before a translation, {prompt} standing for the source text "
          "behind its prefix; absent: \"{prompt}\\n\".");
    visit("label_smoothing", self.label_smoothing,
          "Share of a label that is spread evenly over the vocabulary (as torch, transformers and "
          "Marian define it).",
          Range<double>{0, 0.99}, Change::kOnRequest);
    visit(
        "r_drop", self.r_drop,
        "Weight of the divergence of two passes under dropout (R-Drop, Liang et al., 2021: alpha, "
        "such as 5), for twice the work; 0: one pass.",
        Range<double>{0, 1000}, Change::kOnRequest);
    const Range<double> share{0, 0.99};
    visit("source_noise", self.source_noise,
          "Encoder-decoders: share of the source's tokens that are unknown ones in training.",
          share, Change::kOnRequest);
    visit("target_noise", self.target_noise,
          "Encoder-decoders: the same of the tokens before those that are predicted.", share,
          Change::kOnRequest);
    visit("validation_samples", self.validation_samples,
          "Held-out pairs translated at each validation for bleu, chrf and ter; 0: none.",
          Range<std::int64_t>{0, 10'000'000}, Change::kFree);
    visit("num_beams", self.num_beams,
          "Beams of the translations that are scored, 1: greedy; absent: what the model's "
          "generation_config.json says, else 1.",
          Range<std::int64_t>{1, 1000}, Change::kFree);
    visit("max_new_tokens", self.max_new_tokens,
          "Longest translation that is made for scores; absent: twice the source's tokens and 32, "
          "of a causal model 256.",
          Range<std::int64_t>{1, 1'000'000}, Change::kFree);
    visit("bleu_tokenizer", self.bleu_tokenizer,
          "sacreBLEU's tokenizer for bleu; auto: by the target language (zh for Chinese, char for "
          "Japanese and Korean, else 13a), by the references' script where its name is no code.",
          OneOf{{"auto", "13a", "intl", "zh", "char", "none"}}, Change::kFree);
    visit(
        "ter_normalized", self.ter_normalized,
        "sacreBLEU's options of ter: punctuation stands apart, XML's escapes are their characters.",
        Change::kFree);
    visit("ter_no_punct", self.ter_no_punct, "Punctuation is left out.", Change::kFree);
    visit("ter_asian_support", self.ter_asian_support,
          "Both of these for Asian texts, too, of which normalized takes ideographs apart.",
          Change::kFree);
    visit("ter_case_sensitive", self.ter_case_sensitive, "Capital letters count.", Change::kFree);
  }
  void validate(const ConfigNode& node) const;

  TerOptions ter() const {
    return {ter_normalized, ter_no_punct, ter_asian_support, ter_case_sensitive};
  }
  /// One at least.
  std::vector<TranslationDirection> all_directions() const;
  /// `prefix`, or what it is where it is absent.
  std::string prefix_template() const;
  /// What stands before a source text of this direction.
  std::string prefix_of(const TranslationDirection& direction) const;
};

std::unique_ptr<Task> make_translation(const TranslationConfig& config,
                                       std::shared_ptr<const Tokenizer> tokenizer);

}  // namespace llmctl
