// Looking at what a model computes: hidden states, attention maps, sentence embeddings.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "config/json.h"

namespace llmctl {

/// What `inspect forward` is told. Exactly one of text and ids.
struct ForwardOptions {
  std::string model;  ///< as -m
  std::string text;   ///< with the model's special tokens around it
  std::vector<std::int64_t> ids;
  std::string target;             ///< of encoder-decoders: the decoder's text; else it begins one
  std::filesystem::path output;   ///< .safetensors
  std::filesystem::path picture;  ///< .html with the attention maps; empty: none
  bool overwrite = false;         ///< files that are there are replaced
  std::string device = "auto", precision = "fp32";
};

/// What was written: title, facts and the same for machines.
struct ForwardReport {
  std::vector<std::pair<std::string, std::string>> facts;
  Json json;
};

/// Runs the model once on one row, in evaluation mode, and writes a safetensors file with input_ids
/// [1, T], logits ([1, T, V], [1, T, 2], [1, T, labels], [1, labels], by the head),
/// hidden_states.0 … L [1, T, D] (0: the embeddings, the last after the final norm) and
/// attentions.0 … L-1 [1, H, T, T]; of encoder-decoders with encoder_, decoder_ and
/// cross_attentions. An earlier file of its own is replaced, another one only with `overwrite`, a
/// file of the model never. kUsage, kMissing, kData, kCannotCreate, kIo.
ForwardReport inspect_forward(const ForwardOptions& options);

/// Whether the file is one that inspect_forward() wrote: its metadata names model and architecture,
/// and it has input_ids, which no model's file has.
bool is_forward_file(const std::filesystem::path& path);

/// What `inspect embed` is told.
struct EmbedOptions {
  std::string model;
  std::vector<std::string> texts;
  std::string pooling = "mean";  ///< mean (of all tokens), cls (the first), last
  bool normalize = true;         ///< to length 1
  std::string device = "auto", precision = "fp32";
};

/// Sentence embeddings (Reimers and Gurevych, 2019): the body's last hidden states, pooled; a
/// vector of D numbers for each text.
std::vector<std::vector<float>> embed_texts(const EmbedOptions& options);

}  // namespace llmctl
