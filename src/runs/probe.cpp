#include "runs/probe.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/output.h"
#include "io/safetensors.h"
#include "models/inputs.h"
#include "models/tensor_file.h"
#include "report/html_page.h"
#include "runs/assembly.h"
#include "runs/resolve.h"

namespace llmctl {
namespace {

/// Maps of longer texts are no picture any more.
constexpr std::int64_t kMostPictured = 128;

at::Tensor row_of(const std::vector<std::int64_t>& ids) {
  return at::tensor(ids, at::kLong).unsqueeze(0);  // [1, T]
}

std::vector<std::int64_t> encode_text(const Tokenizer& tokenizer, const std::string& text,
                                      std::vector<std::int64_t>* types = nullptr) {
  std::vector<TokenId> kinds;
  const auto ids = tokenizer.with_special(tokenizer.encode_with_special_pieces(text).ids, nullptr,
                                          types ? &kinds : nullptr);
  if (types) types->assign(kinds.begin(), kinds.end());
  return {ids.begin(), ids.end()};
}

std::vector<std::string> pieces_of(const Tokenizer& tokenizer,
                                   const std::vector<std::int64_t>& ids) {
  std::vector<std::string> pieces;
  for (const std::int64_t id : ids) {
    pieces.push_back(id < tokenizer.vocab_size() ? tokenizer.piece(static_cast<TokenId>(id))
                                                 : std::to_string(id));
  }
  return pieces;
}

at::Tensor logits_of(Model& model, const at::Tensor& hidden, const Sequence& input,
                     const Context& context) {
  if (model.facts().head == HeadKind::kNone) return {};
  if (model.facts().head == HeadKind::kSequenceClassification)
    return model.head(model.pooled(hidden, input), context);
  const at::Tensor rows = hidden.reshape({-1, hidden.size(-1)});  // [B, T, D] → [B·T, D]
  return model.head(rows, context).unsqueeze(0);
}

void write_picture(const std::filesystem::path& path, const std::string& title,
                   const std::map<std::string, at::Tensor>& tensors,
                   const std::vector<std::string>& source, const std::vector<std::string>& target) {
  HtmlPage page(title);
  for (const auto& [name, tensor] : tensors) {
    if (name.find("attentions.") == std::string::npos) continue;
    // Of the two texts of an encoder-decoder, who asks and who is asked.
    const bool encoder = name.starts_with("encoder_"), cross = name.starts_with("cross_");
    const auto& rows = encoder || target.empty() ? source : target;
    const auto& columns = encoder || cross || target.empty() ? source : target;
    page.heading(name);
    const at::Tensor maps = tensor.to(at::kFloat).contiguous();
    for (std::int64_t head = 0; head < maps.size(1); ++head) {
      const at::Tensor map = maps[0][head].contiguous();
      const float* values = map.const_data_ptr<float>();
      page.heat_map(concat("head ", head), rows, columns, {values, values + map.numel()});
    }
  }
  write_output(path, page.text());
}

/// The files of the model are inputs, whatever name leads to them. Tensors are mapped where they
/// are read, so that a FIFO or device cannot take them.
void check_outputs(const ForwardOptions& options) {
  std::vector<std::filesystem::path> inputs;
  std::error_code ignored;
  const std::filesystem::path model = resolve_model_directory(options.model);
  if (std::filesystem::is_regular_file(model, ignored)) inputs.push_back(model);
  for (const auto& entry : std::filesystem::directory_iterator(model, ignored)) {
    if (entry.is_regular_file(ignored)) inputs.push_back(entry.path());
  }
  require(!is_special_file(options.output), ErrorCode::kCannotCreate, options.output,
          ": is no regular file, which tensors are written to");
  check_output_file(options.output, options.overwrite || is_forward_file(options.output), inputs);
  if (!options.picture.empty()) check_output_file(options.picture, options.overwrite, inputs);
}

}  // namespace

bool is_forward_file(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return false;
  try {
    const SafetensorsFile file(path);
    return file.metadata().contains("model") && file.metadata().contains("architecture") &&
           file.contains("input_ids");
  } catch (const Error&) {
    return false;  // damaged, or no safetensors at all
  }
}

ForwardReport inspect_forward(const ForwardOptions& options) {
  require(options.text.empty() != options.ids.empty(), ErrorCode::kUsage,
          "expected exactly one of --text and --ids");
  require(options.output.extension() == ".safetensors", ErrorCode::kUsage, options.output,
          ": expected a name that ends in .safetensors");
  check_outputs(options);
  const Compute compute = assemble_compute(options.device, options.precision, 0, Purpose::kAnswers);
  const LoadedModel loaded = load_for_use(options.model, compute);
  Model& model = *loaded.model;
  const ModelFacts& facts = model.facts();
  require(facts.encoder_decoder || options.target.empty(), ErrorCode::kUsage,
          "--target: ", facts.architecture, " is no encoder-decoder");

  std::vector<std::int64_t> ids = options.ids, types;
  if (ids.empty()) ids = encode_text(*loaded.tokenizer, options.text, &types);
  const auto length = static_cast<std::int64_t>(ids.size());
  require(length <= facts.max_positions, ErrorCode::kData, "the text has ", length,
          " tokens, the model takes ", facts.max_positions);
  require(options.picture.empty() || length <= kMostPictured, ErrorCode::kUsage, options.picture,
          ": a picture shows at most ", kMostPictured, " tokens, the text has ", length);

  const c10::InferenceMode inference;
  Sequence input;
  input.ids = row_of(ids);
  if (!types.empty()) input.token_types = row_of(types);
  std::map<std::string, at::Tensor> tensors;
  tensors["input_ids"] = input.ids;
  input = facts.encoder_decoder ? source_to_model(input, model) : to_model(input, model);
  const Tap tap = [&](const std::string& name, const at::Tensor& value) {
    tensors[name] = value.to(at::kCPU, at::kFloat).contiguous();
  };
  Context context;
  context.compute = compute.between_layers();
  context.tap = &tap;
  Memory memory;
  std::vector<std::int64_t> target;
  if (facts.encoder_decoder) {
    memory.states = model.encode(input, context);
    context.memory = &memory;
    target = {facts.decoder_start};
    if (!options.target.empty()) {
      const auto more = encode_text(loaded.tokenizer->target(), options.target);
      target.insert(target.end(), more.begin(), more.end());
    }
    input = Sequence{};
    input.ids = row_of(target);
    tensors["decoder_input_ids"] = input.ids;
    input = to_model(input, model);
  }
  const at::Tensor hidden = model.hidden(input, context);
  const at::Tensor logits = logits_of(model, hidden, input, context);
  if (logits.defined()) tensors["logits"] = logits.to(at::kCPU, at::kFloat).contiguous();
  write_tensors(options.output, {tensors.begin(), tensors.end()},
                {{"model", loaded.directory.string()}, {"architecture", facts.architecture}});

  const auto pieces = pieces_of(*loaded.tokenizer, ids);
  const auto target_pieces = pieces_of(loaded.tokenizer->target(), target);
  if (!options.picture.empty()) {
    write_picture(options.picture, concat("Attention of ", loaded.directory.string()), tensors,
                  pieces, target_pieces);
  }
  ForwardReport report;
  report.json = {{"model", loaded.directory.string()},
                 {"architecture", facts.architecture},
                 {"file", options.output.string()},
                 {"pieces", pieces},
                 {"tensors", Json::object()}};
  for (const auto& [name, tensor] : tensors) {
    report.json["tensors"][name] = tensor.sizes().vec();
  }
  std::string text;
  for (const auto& piece : pieces) text += (text.empty() ? "" : " ") + piece;
  report.facts = {{"architecture", facts.architecture},
                  {"tokens", text},
                  {"tensors", concat(tensors.size(), " in ", options.output.string())}};
  if (!options.picture.empty()) {
    report.json["picture"] = options.picture.string();
    report.facts.emplace_back("picture", options.picture.string());
  }
  return report;
}

std::vector<std::vector<float>> embed_texts(const EmbedOptions& options) {
  const Compute compute = assemble_compute(options.device, options.precision, 0, Purpose::kAnswers);
  const LoadedModel loaded = load_for_use(options.model, compute);
  Model& model = *loaded.model;
  require(!model.facts().encoder_decoder, ErrorCode::kUsage, loaded.directory.string(), ": a ",
          model.facts().architecture, " has no sentence embeddings");
  const c10::InferenceMode inference;
  Context context;
  context.compute = compute.between_layers();
  std::vector<std::vector<float>> vectors;
  for (std::size_t i = 0; i < options.texts.size(); ++i) {
    const auto ids = encode_text(*loaded.tokenizer, options.texts[i]);
    const auto length = static_cast<std::int64_t>(ids.size());
    require(length > 0 && length <= model.facts().max_positions, ErrorCode::kData, "text ", i + 1,
            " has ", length, " tokens, the model takes 1 to ", model.facts().max_positions);
    Sequence input;
    input.ids = row_of(ids);
    const at::Tensor hidden =
        model.hidden(to_model(input, model), context)[0].to(at::kCPU, at::kFloat);
    at::Tensor vector;
    if (options.pooling == "cls") {
      vector = hidden[0];
    } else if (options.pooling == "last") {
      vector = hidden[length - 1];
    } else {
      vector = hidden.mean(0);
    }
    if (options.normalize) vector = vector / vector.norm().clamp_min(1e-12);
    vector = vector.contiguous();
    const float* values = vector.const_data_ptr<float>();
    vectors.emplace_back(values, values + vector.numel());
  }
  return vectors;
}

}  // namespace llmctl
