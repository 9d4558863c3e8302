// A tokenizer of a few words in two languages, with a mark for each as a target.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>

#include "text/tokenizer.h"
#include "text/train.h"

namespace llmctl::test {

/// Trains it into `directory`; its marks are those of "de" and "en".
inline std::shared_ptr<const Tokenizer> translation_tokenizer(
    const std::filesystem::path& directory) {
  TokenizerTrainConfig config;
  config.recipe = "translation";
  config.vocab_size = 320;
  config.hard_vocab_limit = false;
  config.languages = {"de", "en"};
  train_tokenizer(
      config,
      [](const std::function<bool(std::string_view)>& use) {
        for (const char* text : {"a house by the river", "das Haus am Fluss"})
          if (!use(text)) return;
      },
      directory);
  return load_tokenizer(directory);
}

}  // namespace llmctl::test
