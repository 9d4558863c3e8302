// What the fuzzers feed: each reader of files that come from strangers, as a function of bytes.
#pragma once

#include <ostream>
#include <span>
#include <string>

namespace llmctl::test {

/// A reader and what it makes of bytes: true when it takes them, false when it refuses them with an
/// Error that blames the data. Anything else that it throws, or does, is a fault.
struct FuzzedReader {
  const char* name;
  bool (*read)(const std::string& bytes);
};

/// For messages of tests.
inline void PrintTo(const FuzzedReader& reader, std::ostream* out) {
  *out << reader.name;
}

/// safetensors, torch_file, gguf, tokenizer_json, sentencepiece_model, json_config, gbnf, regex,
/// json_schema, tmx.
std::span<const FuzzedReader> fuzzed_readers();

}  // namespace llmctl::test
