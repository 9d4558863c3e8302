// tokenizer.json files by hand.
#pragma once

#include <memory>
#include <string>

#include "text/huggingface/huggingface_tokenizer.h"

namespace llmctl::test {

/// A tokenizer.json with the given model; the other members are null unless `more` has them.
inline Json tokenizer_file(const std::string& model, const std::string& more = "{}") {
  Json json = {{"version", "1.0"}};
  const Json members = parse_json(more, "more");
  for (const auto& [key, value] : members.items()) json[key] = value;
  json["model"] = parse_json(model, "model");
  return json;
}

inline std::shared_ptr<const Tokenizer> small_tokenizer(const std::string& model,
                                                        const std::string& more = "{}",
                                                        const std::string& config = "null") {
  return std::make_shared<HuggingFaceTokenizer>(
      TokenizerFiles{tokenizer_file(model, more), parse_json(config, "config"), "tokenizer.json"});
}

/// Single characters, then what they merge to.
inline constexpr char kLetters[] =
    R"({"type": "BPE", "unk_token": "?", "vocab": {"a": 0, "b": 1, "c": 2, "ab": 3, "abc": 4, " ": 5,
        "?": 6, "bc": 7}, "merges": [["a", "b"], ["ab", "c"], ["b", "c"]]})";

}  // namespace llmctl::test
