#include "fuzz/readers.h"

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <stdexcept>

#include "base/error.h"
#include "base/utf8.h"
#include "config/json.h"
#include "io/gguf.h"
#include "io/safetensors.h"
#include "io/tmx.h"
#include "io/torch_file.h"
#include "models/adapter.h"
#include "models/gguf_file.h"
#include "models/weight_files.h"
#include "support/temp_dir.h"
#include "text/grammar/gbnf.h"
#include "text/grammar/json_schema.h"
#include "text/grammar/matcher.h"
#include "text/grammar/token_constraint.h"
#include "text/tokenizer.h"

namespace llmctl::test {
namespace {

/// The readers take paths: one file that is written over and over, in memory where there is any.
std::filesystem::path write_input(const char* name, const std::string& bytes) {
  static const TempDir directory = [] {
    if (std::filesystem::exists("/dev/shm")) setenv("TMPDIR", "/dev/shm", 0);
    return TempDir();
  }();
  return directory.write(std::filesystem::path(name) / name, bytes);
}

bool accepts(const std::function<void()>& read) {
  try {
    read();
    return true;
  } catch (const Error& error) {
    switch (error.code()) {
      case ErrorCode::kData:
      case ErrorCode::kConfig:
      case ErrorCode::kMissing:  // a file that this one names
        return false;
      default:
        throw;
    }
  }
}

/// Reads every value, so that a wrong offset does not stay unseen.
void touch(std::span<const std::byte> bytes) {
  volatile std::byte last{};
  for (const std::byte byte : bytes) last = byte;
  static_cast<void>(last);
}

bool read_safetensors(const std::string& bytes) {
  return accepts([&] {
    const SafetensorsFile file(write_input("model.safetensors", bytes));
    for (const auto& [name, info] : file.tensors()) touch(file.bytes(name));
  });
}

bool read_torch_file(const std::string& bytes) {
  return accepts([&] {
    const TorchFile file(write_input("pytorch_model.bin", bytes));
    for (const auto& [name, tensor] : file.tensors()) {
      std::int64_t last = 0;
      bool empty = false;
      for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
        empty |= tensor.shape[i] == 0;
        last += (tensor.shape[i] - 1) * tensor.strides[i];
      }
      if (empty) continue;
      const std::size_t size = dtype_size(tensor.dtype);
      touch({tensor.data(), size});
      touch({tensor.data() + static_cast<std::size_t>(last) * size, size});
    }
  });
}

/// A tokenizer that is taken must work, too.
void use(const Tokenizer& tokenizer) {
  const auto encoded = tokenizer.encode_with_special_pieces("Hello, wörld! 你好 <s>\n\t12 [MASK]");
  tokenizer.decode(encoded.ids);
}

bool read_tokenizer_json(const std::string& bytes) {
  return accepts([&] { use(*load_tokenizer(write_input("tokenizer.json", bytes).parent_path())); });
}

bool read_sentencepiece_model(const std::string& bytes) {
  return accepts(
      [&] { use(*load_tokenizer(write_input("tokenizer.model", bytes).parent_path())); });
}

/// As a file, and as a model: its configuration, tokenizer and tensors.
bool read_gguf(const std::string& bytes) {
  const auto path = write_input("model.gguf", bytes);
  const bool file = accepts([&] {
    const GgufFile gguf(path);
    for (const auto& [name, tensor] : gguf.tensors()) touch(gguf.bytes(tensor));
  });
  return file && accepts([&] {
           const JsonDocument config = read_model_config(path);
           const ConfigNode node(&config.value, "", &config, ErrorCode::kData);
           const Adapter* const adapter =
               find_adapter(config.value["model_type"].get<std::string>());
           adapter->plan(node, HeadKind::kCausalLm, 2);
           use(*tokenizer_of_gguf(path));
           const WeightFiles weights(path);
         });
}

/// As a model's config.json and as the section "model" of a run's configuration.
bool read_json_config(const std::string& bytes) {
  const auto plan = [&](bool section) {
    JsonLimits limits;
    limits.comments = section;
    const ErrorCode code = section ? ErrorCode::kConfig : ErrorCode::kData;
    limits.code = code;
    const JsonDocument document = parse_json_document(bytes, "config.json", limits);
    const ConfigNode node(&document.value, "", &document, code);
    if (!node.has("model_type") || !document.value["model_type"].is_string()) {
      node.fail("model_type", "expected a name");
    }
    const Adapter* const adapter = find_adapter(document.value["model_type"].get<std::string>());
    if (!adapter) node.fail("model_type", "unknown");
    const Json completed = section ? adapter->complete(node, 100) : document.value;
    for (const HeadClass& each : adapter->classes()) {
      adapter->plan(node.with_value(&completed), each.head, 2);
    }
  };
  const bool file = accepts([&] { plan(false); });
  return accepts([&] { plan(true); }) || file;
}

/// A grammar that is taken must be walked, too: by its own shortest ways, and by any bytes.
void use(const grammar::Grammar& grammar) {
  const auto automaton = std::make_shared<const grammar::Automaton>(grammar);
  grammar::MatcherStates states(automaton);
  for (const std::string_view text :
       {"{\"a\": [1, \"\u4f60\"]}", "yes", "aaaaaaaaaaaaaaaa", "12-07"}) {
    grammar::StateId state = states.start();
    for (const char byte : text) state = states.next(state, static_cast<std::uint8_t>(byte));
    static_cast<void>(states.complete(state));
  }
}

bool read_gbnf(const std::string& bytes) {
  return accepts([&] { use(grammar::parse_gbnf(bytes, "grammar")); });
}

bool read_regex(const std::string& bytes) {
  return accepts([&] {
    ConstraintSpec spec;
    spec.regex = bytes;
    use(parse_constraint(spec));
  });
}

bool read_json_schema(const std::string& bytes) {
  return accepts([&] {
    const JsonDocument document = parse_json_document(bytes, "schema.json");
    use(grammar::parse_json_schema(document.value, "schema.json"));
  });
}

/// What is told of single units is as good as refused.
bool read_tmx(const std::string& bytes) {
  bool good = true;
  return accepts([&] {
           for_each_translation_unit(
               write_input("memory.tmx", bytes),
               [](std::uint64_t, const TranslationUnit& unit) {
                 for (const auto& [language, segment] : unit)
                   if (find_invalid_utf8(segment)) throw std::logic_error("no text");
                 return true;
               },
               [&](const Error&) { good = false; });
         }) &&
         good;
}

constexpr FuzzedReader kReaders[] = {{"safetensors", read_safetensors},
                                     {"torch_file", read_torch_file},
                                     {"gguf", read_gguf},
                                     {"tokenizer_json", read_tokenizer_json},
                                     {"sentencepiece_model", read_sentencepiece_model},
                                     {"json_config", read_json_config},
                                     {"gbnf", read_gbnf},
                                     {"regex", read_regex},
                                     {"json_schema", read_json_schema},
                                     {"tmx", read_tmx}};

}  // namespace

std::span<const FuzzedReader> fuzzed_readers() {
  return kReaders;
}

}  // namespace llmctl::test
