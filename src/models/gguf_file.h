// What a GGUF file of llama.cpp holds of a model: tensors and tokenizer as the rest of the program
// takes them.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "io/gguf.h"
#include "models/gguf_config.h"
#include "text/ggml_vocabulary.h"

namespace llmctl {

/// A tensor's values as a view of the mapped file where it has fp32, fp16 or bf16, fp32 of a
/// quantised one. kData naming tensor and type for a type that is not read.
at::Tensor gguf_values(const std::shared_ptr<const GgufFile>& file, const std::string& name);

/// The values of all tensors, under the names and in the layout of Hugging Face's files. Those of
/// other names keep theirs.
std::map<std::string, at::Tensor> tensors_of_gguf(const std::shared_ptr<const GgufFile>& file);

/// The file's tokenizer, its chat template with it. kData.
std::shared_ptr<const Tokenizer> tokenizer_of_gguf(const std::filesystem::path& path);

/// The keys of a tokenizer for a model of `rows` embeddings that stops at the ids `ends`: unused
/// tokens fill up what the tokenizer lacks. `notes` gets what does not find its place. kData for
/// more tokens than rows, and without any end.
GgufMetadata vocabulary_metadata(GgmlVocabulary vocabulary, std::int64_t rows,
                                 const std::vector<TokenId>& ends, std::vector<std::string>& notes);

}  // namespace llmctl
