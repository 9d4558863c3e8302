// Tokenizers trained on a part of the bundled corpora, each once per process.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/files.h"
#include "support/paths.h"
#include "support/temp_dir.h"
#include "text/tokenizer.h"
#include "text/train.h"

namespace llmctl::test {

/// English and Chinese documents, about 120 kB.
inline const std::vector<std::string>& sample_documents() {
  static const std::vector<std::string> kDocuments = [] {
    std::vector<std::string> documents;
    for (const char* name : {"en.txt", "zh.txt"}) {
      const std::string text = read_file(source_dir() / "data/corpus" / name).substr(0, 60000);
      for (std::size_t begin = 0, end; (end = text.find("\n\n", begin)) != text.npos;
           begin = end + 2) {
        documents.push_back(text.substr(begin, end - begin));
      }
    }
    return documents;
  }();
  return kDocuments;
}

inline DocumentReader reader_of(const std::vector<std::string>& documents) {
  return [&documents](const std::function<bool(std::string_view)>& document) {
    for (const std::string& text : documents) {
      if (!document(text)) return;
    }
  };
}

/// "causal bpe", "masked bpe", "causal unigram", …; 1,800 pieces where the kind can have them.
inline std::shared_ptr<const Tokenizer> trained_tokenizer(const std::string& recipe = "causal",
                                                          const std::string& type = "bpe") {
  static std::map<std::string, std::shared_ptr<const Tokenizer>> made;
  auto& tokenizer = made[recipe + " " + type];
  if (!tokenizer) {
    const TempDir directory;
    TokenizerTrainConfig config;
    config.recipe = recipe;
    config.model_type = type;
    config.vocab_size = 1800;
    train_tokenizer(config, reader_of(sample_documents()), directory / "tokenizer");
    tokenizer = load_tokenizer(directory / "tokenizer");
  }
  return tokenizer;
}

}  // namespace llmctl::test
