// Making models: from a section with fresh weights, or from a directory.
#include <ATen/core/Tensor.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"
#include "base/files.h"
#include "base/log.h"
#include "io/safetensors.h"
#include "models/labels.h"
#include "models/rope_keys.h"
#include "models/tensor_file.h"
#include "models/transformer_model.h"
#include "models/weight_files.h"
#include "nn/initialize.h"

namespace llmctl {
namespace {

namespace fs = std::filesystem;

std::string type_names() {
  std::string text;
  for (const auto& type : model_types()) text += (text.empty() ? "" : ", ") + type;
  return text;
}

const Adapter& adapter_of(const ConfigNode& config) {
  if (!config.has("model_type")) config.fail("model_type", "missing, one of " + type_names());
  const Json& type = config.child("model_type").value();
  if (!type.is_string()) {
    config.fail("model_type", concat("expected a string, got ", type.dump()));
  }
  const auto name = type.get<std::string>();
  const Adapter* const adapter = find_adapter(name);
  if (!adapter) {
    config.fail("model_type", concat("'", name, "' is not supported, expected one of ",
                                     type_names(), did_you_mean(name, model_types())));
  }
  return *adapter;
}

const HeadClass& class_of(const Adapter& adapter, HeadKind head, const ConfigNode& config) {
  for (const auto& entry : adapter.classes()) {
    if (entry.head == head) return entry;
  }
  config.fail("model_type", concat("'", adapter.model_type(), "' has no such head"));
}

/// What a directory's "architectures" names; the type's natural class when it names none.
const HeadClass& class_of(const Adapter& adapter, const ConfigNode& config) {
  const Json& architectures = config.child("architectures").value();
  if (architectures.is_null() || architectures.empty()) return adapter.classes().front();
  if (!architectures.is_array() || !architectures.front().is_string()) {
    config.fail("architectures", concat("expected a list of strings, got ", architectures.dump()));
  }
  const auto name = architectures.front().get<std::string>();
  std::string known;
  for (const auto& entry : adapter.classes()) {
    if (entry.name == name) return entry;
    known += (known.empty() ? "" : ", ") + entry.name;
  }
  config.fail("architectures", concat("'", name, "' is not supported, expected one of ", known));
}

bool ends_with_any(const std::string& text, std::initializer_list<const char*> ends) {
  return std::any_of(ends.begin(), ends.end(),
                     [&](const char* end) { return text.ends_with(end); });
}

/// T5's deviations, which make up for attention that divides by nothing.
double t5_deviation(const std::string& parameter, const EncoderDecoderConfig& body) {
  const auto root = [](std::int64_t width) { return 1 / std::sqrt(static_cast<double>(width)); };
  const AttentionConfig& attention = body.decoder.attention;
  if (ends_with_any(parameter, {"embedding.weight", "head.weight"})) return 1;
  if (parameter.ends_with("attention.query.weight")) {
    return root(attention.hidden_size * attention.head_size);
  }
  if (parameter.ends_with("attention.output.weight")) {
    return root(attention.heads * attention.head_size);
  }
  if (parameter.ends_with("feed_forward.down.weight")) {
    return root(body.decoder.feed_forward.intermediate_size);
  }
  return root(attention.hidden_size);
}

/// Standard deviation of a fresh matrix.
double deviation(const TensorRule& rule, const ModelPlan& plan) {
  switch (plan.initialization) {
    case Initialization::kNormal:
      break;
    case Initialization::kScaledResidual:
      if (ends_with_any(rule.parameter, {"attention.output.weight", "feed_forward.down.weight"})) {
        return plan.initializer_range / std::sqrt(2.0 * static_cast<double>(plan.facts.layers));
      }
      break;
    case Initialization::kT5:
      return plan.initializer_range *
             t5_deviation(rule.parameter, std::get<EncoderDecoderConfig>(plan.body));
  }
  return plan.initializer_range;
}

void initialize(const TensorRule& rule, at::Tensor& parameter, const ModelPlan& plan,
                std::uint64_t seed) {
  const c10::AutoGradMode no_grad(false);
  switch (parameter_kind(rule.parameter)) {
    case ParameterKind::kBias:
      parameter.zero_();
      return;
    case ParameterKind::kNormWeight:
      parameter.fill_(1);
      return;
    case ParameterKind::kMatrix:
      if (plan.sinusoidal_positions && rule.parameter == "body.positions.weight") {
        // Twice the deviation of the words beside them: told apart from the start, not drowned.
        fill_sinusoids(parameter, 2 * std::sqrt(2.0) * plan.initializer_range);
        return;
      }
      fill_normal(parameter, deviation(rule, plan), seed, rule.name());
  }
  // The vector of padding starts as nothing, and stays so where it gets no gradient.
  const std::int64_t padding =
      std::visit([](const auto& body) { return body.padding_id; }, plan.body);
  if (padding >= 0 &&
      (rule.parameter == "body.embedding.weight" || rule.parameter == "body.words.weight")) {
    parameter.select(0, padding).zero_();
  }
}

/// Where a file keeps a tensor: under its name, without or with the body's prefix (files of bare
/// bodies), or with the norms' old "gamma" and "beta".
class FileNames {
 public:
  FileNames(const WeightFiles& files, const ModelPlan& plan) : files_(files) {
    for (const auto& adapter_prefix : {plan.prefix, std::string("model."), std::string("bert."),
                                       std::string("roberta."), std::string("transformer.")}) {
      if (!adapter_prefix.empty()) prefixes_.insert(adapter_prefix);
    }
    own_prefix_ = plan.prefix;
  }

  /// The file's name for `name`, or nothing.
  std::optional<std::string> find(const std::string& name, bool in_body) const {
    if (const auto found = with_old_norms(name)) return found;
    // Poolers are parts of Hugging Face's bodies and of our heads.
    if (!in_body && (own_prefix_.empty() || !name.starts_with(own_prefix_))) return std::nullopt;
    const std::string bare = name.substr(own_prefix_.size());
    if (const auto found = with_old_norms(bare)) return found;
    for (const auto& prefix : prefixes_) {
      if (const auto found = with_old_norms(prefix + bare)) return found;
    }
    return std::nullopt;
  }

 private:
  std::optional<std::string> with_old_norms(const std::string& name) const {
    if (files_.contains(name)) return name;
    for (const auto& [now, before] : {std::pair{"LayerNorm.weight", "LayerNorm.gamma"},
                                      std::pair{"LayerNorm.bias", "LayerNorm.beta"}}) {
      if (!name.ends_with(now)) continue;
      const std::string old = name.substr(0, name.size() - std::string(now).size()) + before;
      if (files_.contains(old)) return old;
    }
    return std::nullopt;
  }

  const WeightFiles& files_;
  std::set<std::string> prefixes_;
  std::string own_prefix_;
};

/// Of a tensor in a file, which may begin at any byte.
bool is_aligned(const at::Tensor& tensor) {
  const auto address = reinterpret_cast<std::uintptr_t>(tensor.const_data_ptr());
  return address % tensor.element_size() == 0;
}

bool is_float(at::ScalarType dtype) {
  return dtype == at::kFloat || dtype == at::kHalf || dtype == at::kBFloat16 ||
         dtype == at::kDouble;
}

/// For each rule of the plan the name in the file; "" for a head's tensor that is not there or,
/// where labels are asked for, has another number of classes.
std::vector<std::string> match_tensors(const ModelPlan& plan, const WeightFiles& files,
                                       const fs::path& directory, const ModelRequest& request,
                                       LoadReport& report) {
  const FileNames names(files, plan);
  const auto shapes = tensor_shapes(plan);
  std::vector<std::string> found(plan.tensors.size());
  std::vector<std::string> body_missing;
  for (std::size_t i = 0; i < plan.tensors.size(); ++i) {
    const TensorRule& rule = plan.tensors[i];
    const bool in_body = rule.parameter.starts_with("body.");
    const auto name = names.find(rule.file_name, in_body);
    if (!name) {
      (in_body ? body_missing : report.missing).push_back(rule.file_name);
      continue;
    }
    const at::Tensor& stored = files.tensors().at(*name);
    const auto shape = file_shape(rule, shapes[i]);
    if (stored.sizes() != at::IntArrayRef(shape)) {
      if (!request.labels.empty() && rule.parameter.starts_with("head.output.")) continue;
      fail(ErrorCode::kData, directory.string(), ": tensor ", *name, " has shape ",
           shape_text(stored.sizes()), ", config.json asks for ", shape_text(shape));
    }
    require(is_float(stored.scalar_type()), ErrorCode::kData, directory.string(), ": tensor ",
            *name, " has dtype ", at::toString(stored.scalar_type()),
            ", expected float32, float16, bfloat16 or float64");
    found[i] = *name;
  }
  require(body_missing.empty(), ErrorCode::kData, directory.string(), ": ", body_missing.size(),
          " tensors are missing, the first is ", body_missing.empty() ? "" : body_missing.front());

  std::set<std::string> used(found.begin(), found.end());
  for (const auto& [name, tensor] : files.tensors()) {
    const bool ignored = std::any_of(
        plan.ignored.begin(), plan.ignored.end(),
        [&name = name](const std::string& part) { return name.find(part) != std::string::npos; });
    if (!used.contains(name) && !ignored) report.unexpected.push_back(name);
  }
  return found;
}

/// Takes the unexpected tensors that a directory of the class carries along.
std::vector<std::pair<std::string, at::Tensor>> take_carried(const HeadClass& head,
                                                             const WeightFiles& files,
                                                             LoadReport& report) {
  std::vector<std::pair<std::string, at::Tensor>> carried;
  std::erase_if(report.unexpected, [&](const std::string& name) {
    const bool keep =
        std::any_of(head.carried.begin(), head.carried.end(),
                    [&](const std::string& begin) { return name.starts_with(begin); });
    if (keep) carried.emplace_back(name, files.tensors().at(name));
    return keep;
  });
  return carried;
}

/// Copies a directory's tensors into the parameters, or lets these be the mapped tensors.
void fill(TransformerModel& model, const std::vector<std::string>& names, const WeightFiles& files,
          const std::vector<std::int64_t>& label_order, const ModelRequest& request,
          LoadReport& report) {
  const c10::AutoGradMode no_grad(false);
  for (std::size_t i = 0; i < model.tensors().size(); ++i) {
    at::Tensor parameter = model.tensors()[i];
    const TensorRule& rule = model.plan().tensors[i];
    if (names[i].empty()) {
      initialize(rule, parameter, model.plan(), request.seed);
      report.initialized.push_back(rule.name());
      continue;
    }
    const at::Tensor stored = parameter_of_file(rule, files.tensors().at(names[i]));
    if (rule.parameter.starts_with("head.output.") && !label_order.empty()) {
      for (std::size_t row = 0; row < label_order.size(); ++row) {
        parameter.select(0, static_cast<std::int64_t>(row))
            .copy_(stored.select(0, label_order[row]));
      }
    } else if (request.mapped && stored.scalar_type() == parameter.scalar_type() &&
               stored.is_contiguous() && is_aligned(stored)) {
      parameter.set_data(stored);
    } else {
      parameter.copy_(stored);
    }
  }
}

void say(const LoadReport& report, const fs::path& directory) {
  const auto list = [](const std::vector<std::string>& names) {
    constexpr std::size_t kShown = 6;
    std::string text;
    for (std::size_t i = 0; i < std::min(names.size(), kShown); ++i) {
      text += (i > 0 ? ", " : "") + names[i];
    }
    return names.size() > kShown ? concat(text, " and ", names.size() - kShown, " more") : text;
  };
  if (!report.initialized.empty()) {
    log_warning(directory.string(), " lacks ", list(report.initialized),
                ": initialised afresh, to be trained");
  }
  if (!report.unexpected.empty()) {
    log_info("not used of ", directory.string(), ": ", list(report.unexpected));
  }
}

/// config.json, checked by its adapter; spelt as it will be written.
struct DirectoryConfig {
  JsonDocument document;
  const Adapter* adapter = nullptr;
  HeadClass head;
};

DirectoryConfig read_directory_config(const fs::path& directory, const ModelRequest& request,
                                      const Json& overrides) {
  DirectoryConfig config;
  const fs::path path = directory / "config.json";
  config.document = parse_json_document(read_file(path), path.string());
  Json& value = config.document.value;
  require(value.is_object(), ErrorCode::kData, path.string(), ": expected an object");
  const ConfigNode node(&value, "", &config.document, ErrorCode::kData);
  config.adapter = &adapter_of(node);
  config.head = class_of(*config.adapter, node);
  if (request.head != HeadKind::kNone && request.head != config.head.head) {
    config.head = class_of(*config.adapter, request.head, node);
  }
  if (!overrides.empty()) {
    config.adapter->check_overrides(ConfigNode(&overrides, "model", nullptr), value);
    // A stretched length is told in one spelling; the other one must not contradict it.
    write_rope(value);
    for (const auto& member : overrides.items()) value[member.key()] = member.value();
  }
  return config;
}

}  // namespace

Json resolve_model_section(const ConfigNode& section) {
  if (section.has("init_from")) return section.value();
  return adapter_of(section).resolve(section);
}

std::unique_ptr<Model> create_model(const ConfigNode& section, std::int64_t tokenizer_vocab_size,
                                    const ModelRequest& request) {
  const Adapter& adapter = adapter_of(section);
  Json config = adapter.complete(section, tokenizer_vocab_size);
  const HeadKind head =
      request.head == HeadKind::kNone ? adapter.classes().front().head : request.head;
  const std::vector<std::string> labels = choose_labels(request.labels, section);
  // The user's section has the places; the completed one has the values.
  ModelPlan plan =
      adapter.plan(section.with_value(&config), head, static_cast<std::int64_t>(labels.size()));
  plan.facts.architecture = class_of(adapter, head, section).name;
  write_rope(config);
  config["architectures"] = Json::array({plan.facts.architecture});
  if (plan.classifier && head != HeadKind::kSpan) write_labels(config, labels);
  auto model = std::make_unique<TransformerModel>(std::move(plan), std::move(config),
                                                  Json::object(), request.dtype,
                                                  request.meta ? at::kMeta : at::kCPU);
  for (std::size_t i = 0; i < model->tensors().size() && !request.meta; ++i) {
    at::Tensor parameter = model->tensors()[i];
    initialize(model->plan().tensors[i], parameter, model->plan(), request.seed);
  }
  return model;
}

namespace {

std::unique_ptr<TransformerModel> load_base(const fs::path& directory, const ModelRequest& request,
                                            const Json& overrides, LoadReport* report) {
  DirectoryConfig read = read_directory_config(directory, request, overrides);
  Json& config = read.document.value;
  const ConfigNode node(&config, "", &read.document, ErrorCode::kData);
  const std::vector<std::string> before = read_labels(node);
  const std::vector<std::string> labels = choose_labels(request.labels, node);
  const auto make_plan = [&] {
    ModelPlan plan =
        read.adapter->plan(node, read.head.head, static_cast<std::int64_t>(labels.size()));
    plan.facts.architecture = read.head.name;
    return plan;
  };
  ModelPlan plan = make_plan();

  const WeightFiles files(directory);
  if (plan.lm && !plan.lm->tied && plan.facts.causal && !files.contains("lm_head.weight")) {
    // A file without the matrix means the tied one.
    config["tie_word_embeddings"] = true;
    plan = make_plan();
  }
  LoadReport found;
  const std::vector<std::string> names = match_tensors(plan, files, directory, request, found);
  auto carried = take_carried(read.head, files, found);
  if (carried.empty() && !read.head.carried.empty()) {
    plan.facts.architecture = class_of(*read.adapter, read.head.head, node).name;
  }
  write_rope(config);
  config["architectures"] = Json::array({plan.facts.architecture});
  if (plan.classifier && read.head.head != HeadKind::kSpan) write_labels(config, labels);
  Json generation = Json::object();
  if (const fs::path path = directory / "generation_config.json"; fs::exists(path)) {
    generation = load_json(path);
    require(generation.is_object(), ErrorCode::kData, path.string(), ": expected an object");
  }
  auto model = std::make_unique<TransformerModel>(std::move(plan), std::move(config),
                                                  std::move(generation), request.dtype);
  model->carry(std::move(carried));
  fill(*model, names, files, label_order(before, labels), request, found);
  say(found, directory);
  if (report) *report = std::move(found);
  return model;
}

/// An adapter's base with the adapter.
std::unique_ptr<Model> load_adapted(const fs::path& directory, const ModelRequest& request,
                                    const Json& overrides, LoadReport* report) {
  const fs::path file = directory / kAdapterConfig;
  const JsonDocument document = parse_json_document(read_file(file), file.string());
  const LoraConfig config = read_lora_config(document);
  const fs::path base = adapter_base(directory, request.find_base);
  ModelRequest wanted = request;
  wanted.mapped = false;
  if (wanted.head == HeadKind::kNone) {
    wanted.head = adapter_head(document.value);
    if (wanted.labels.empty()) wanted.labels = adapter_labels(directory);
  }
  auto model = load_base(base, wanted, overrides, report);
  require(model->insert_lora(config, base.string()), ErrorCode::kData, file,
          ": target_modules: no layer of ", base.string(), " has such a name");
  const SafetensorsFile weights(directory / kAdapterWeights);
  const auto trained_on = weights.metadata().find(kBaseFingerprint);
  if (trained_on != weights.metadata().end() && trained_on->second != weights_fingerprint(base)) {
    log_warning(directory.string(), ": the adapter was trained on other weights than those that ",
                base.string(), " has now");
  }
  model->load_weights(directory);
  if (!request.train_adapter) model->merge_lora();
  return model;
}

}  // namespace

std::unique_ptr<Model> load_model(const fs::path& directory, const ModelRequest& request,
                                  const Json& overrides, LoadReport* report) {
  if (is_adapter_directory(directory)) return load_adapted(directory, request, overrides, report);
  return load_base(directory, request, overrides, report);
}

}  // namespace llmctl
