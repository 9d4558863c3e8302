// Making models: from a section with fresh weights, or from a directory.
#include <ATen/core/Tensor.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/files.h"
#include "base/log.h"
#include "base/strings.h"
#include "models/initialize_model.h"
#include "models/labels.h"
#include "models/lora_file.h"
#include "models/rope_keys.h"
#include "models/tensor_matching.h"
#include "models/transformer_model.h"
#include "models/weight_files.h"

namespace llmctl {
namespace {

namespace fs = std::filesystem;

const Adapter& adapter_of(const ConfigNode& config) {
  if (!config.has("model_type"))
    config.fail("model_type", "missing, one of " + join(model_types()));
  const Json& type = config.child("model_type").value();
  if (!type.is_string()) {
    config.fail("model_type", concat("expected a string, got ", type.dump()));
  }
  const auto name = type.get<std::string>();
  const Adapter* const adapter = find_adapter(name);
  if (!adapter) {
    config.fail("model_type", concat("'", name, "' is not supported, expected one of ",
                                     join(model_types()), did_you_mean(name, model_types())));
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
  std::vector<std::string> known;
  for (const auto& entry : adapter.classes()) {
    if (entry.name == name) return entry;
    known.emplace_back(entry.name);
  }
  config.fail("architectures",
              concat("'", name, "' is not supported, expected one of ", join(known)));
}

/// Of a tensor in a file, which may begin at any byte.
bool is_aligned(const at::Tensor& tensor) {
  const auto address = reinterpret_cast<std::uintptr_t>(tensor.const_data_ptr());
  return address % tensor.element_size() == 0;
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

/// A quantised matrix that is a rule's part of a tensor in the files.
Weight stored_matrix(const TensorRule& rule, const std::string& name, const WeightFiles& files,
                     const ModelRequest& request) {
  const auto part = [&](const std::string& of) {
    const at::Tensor& whole = files.tensors().at(of);
    const std::int64_t rows = whole.size(0) / rule.parts;
    const at::Tensor values = whole.narrow(0, rule.part * rows, rows);
    return request.mapped && is_aligned(values) ? values : values.clone();
  };
  return stored_weight(part(name), part(name + kScaleSuffix));
}

/// Copies a directory's tensors into the parameters, or lets these be the mapped tensors. What the
/// files lack counts as stored in the dtype of most of the others.
void fill(TransformerModel& model, const std::vector<std::string>& names, const WeightFiles& files,
          const std::vector<std::int64_t>& label_order, const ModelRequest& request,
          LoadReport& report) {
  const c10::AutoGradMode no_grad(false);
  std::vector<at::ScalarType> dtypes(names.size(), at::kFloat);
  std::map<at::ScalarType, std::int64_t> values;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i].empty()) continue;
    // fp64 is read into fp32 and stays so.
    const at::ScalarType dtype = files.stored_dtype(names[i]);
    if (!c10::isFloatingType(dtype)) continue;
    dtypes[i] = dtype == at::kDouble ? at::kFloat : dtype;
    values[dtypes[i]] += model.tensors()[i].numel();
  }
  const auto most =
      std::max_element(values.begin(), values.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  for (std::size_t i = 0; i < names.size(); ++i) {
    const bool other = names[i].empty() || !c10::isFloatingType(files.stored_dtype(names[i]));
    if (other && most != values.end()) dtypes[i] = most->first;
  }
  model.set_stored_dtypes(std::move(dtypes));
  const std::map<std::string, Matrix*> matrices = model.matrices();
  for (std::size_t i = 0; i < model.tensors().size(); ++i) {
    at::Tensor parameter = model.tensors()[i];
    const TensorRule& rule = model.plan().tensors[i];
    if (names[i].empty()) {
      initialize_parameter(rule, parameter, model.plan(), request.seed);
      report.initialized.push_back(rule.name());
      continue;
    }
    const auto matrix = matrices.find(rule.parameter);
    if (!files.tensors().at(names[i]).is_floating_point()) {
      require(matrix != matrices.end(), ErrorCode::kData, "tensor ", names[i],
              " is quantised, which this part of a model cannot be");
      matrix->second->set_form(stored_matrix(rule, names[i], files, request), /*frozen=*/true);
      continue;
    }
    const at::Tensor stored = parameter_of_file(rule, files.tensors().at(names[i]));
    const bool as_stored = request.bf16_as_stored && stored.scalar_type() == at::kBFloat16;
    const at::ScalarType wanted =
        as_stored ? at::kBFloat16 : request.matrices.value_or(parameter.scalar_type());
    if (matrix != matrices.end() && wanted != parameter.scalar_type()) {
      at::Tensor kept = stored.to(wanted).contiguous();
      const bool maps = request.mapped && is_aligned(kept);
      if (kept.is_alias_of(stored) && !maps) kept = kept.clone();
      matrix->second->set_form(dense_weight(kept), /*frozen=*/true);
      continue;
    }
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

/// config.json, checked by its adapter; spelt as it will be written.
struct DirectoryConfig {
  JsonDocument document;
  Json changed = Json::object();  ///< keys of the overrides with other values than the file's
  const Adapter* adapter = nullptr;
  HeadClass head;
};

DirectoryConfig read_directory_config(const fs::path& directory, const ModelRequest& request,
                                      const Json& overrides) {
  DirectoryConfig config;
  config.document = read_model_config(directory);
  Json& value = config.document.value;
  require(value.is_object(), ErrorCode::kData, (directory / "config.json").string(),
          ": expected an object");
  const ConfigNode node(&value, "", &config.document, ErrorCode::kData);
  config.adapter = &adapter_of(node);
  config.head = class_of(*config.adapter, node);
  if (request.head != HeadKind::kNone && request.head != config.head.head) {
    config.head = class_of(*config.adapter, request.head, node);
  }
  if (!overrides.empty()) {
    config.changed =
        override_config(value, ConfigNode(&overrides, "model", nullptr), *config.adapter);
  }
  return config;
}

}  // namespace

Json override_config(Json& config, const ConfigNode& overrides, const Adapter& adapter) {
  adapter.check_overrides(overrides, config);
  // A stretched length is told in one spelling; the other one must not contradict it.
  write_rope(config);
  Json changed = Json::object();
  for (const auto& member : overrides.value().items()) {
    Json& value = config[member.key()];
    if (value != member.value()) changed[member.key()] = member.value();
    value = member.value();
  }
  return changed;
}

JsonDocument read_adapted_config(const fs::path& directory, const FindModel& find_base) {
  if (!is_adapter_directory(directory)) return read_model_config(directory);
  JsonDocument document = read_model_config(adapter_base(directory, find_base));
  const ConfigNode node(&document.value, "", &document, ErrorCode::kData);
  const Json overrides = adapter_overrides(directory);
  if (!overrides.empty()) {
    override_config(document.value, ConfigNode(&overrides, kOverrides, nullptr, ErrorCode::kData),
                    adapter_of(node));
  }
  for (const char* key : kAnsweringKeys) {
    if (Json value = adapter_metadata(directory, key); !value.is_null())
      document.value[key] = std::move(value);
  }
  return document;
}

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
  plan.facts.problem_type = choose_problem_type(request.problem_type, section, labels.size());
  write_rope(config);
  config["architectures"] = Json::array({plan.facts.architecture});
  if (plan.classifier && head != HeadKind::kSpan) write_labels(config, labels);
  if (head == HeadKind::kSequenceClassification) {
    config["problem_type"] = problem_type_name(plan.facts.problem_type);
  }
  auto model =
      std::make_unique<TransformerModel>(std::move(plan), std::move(config), Json::object(),
                                         request.dtype, request.meta ? at::kMeta : at::kCPU);
  for (std::size_t i = 0; i < model->tensors().size() && !request.meta; ++i) {
    at::Tensor parameter = model->tensors()[i];
    initialize_parameter(model->plan().tensors[i], parameter, model->plan(), request.seed);
  }
  return model;
}

namespace {

/// Rows of the output of a head in the files, where its classes are counted; 0 without one.
std::int64_t stored_labels(const ModelPlan& plan, const WeightFiles& files) {
  for (const TensorRule& rule : plan.tensors) {
    if (rule.parameter != "head.output.weight") continue;
    const auto name = FileNames(files, plan).find(rule.file_name, false);
    if (name && files.tensors().at(*name).dim() == 2) return files.tensors().at(*name).size(0);
  }
  return 0;
}

/// Names of classes, the first of them where they are many.
std::string shown(const std::vector<std::string>& labels) {
  constexpr std::size_t kShown = 6;
  const auto end = labels.begin() + static_cast<std::ptrdiff_t>(std::min(labels.size(), kShown));
  return join(std::vector(labels.begin(), end)) + (labels.size() > kShown ? ", …" : "");
}

/// Lets the output of a head be one that the files lack.
void forget_output(const ModelPlan& plan, std::vector<std::string>& names) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (plan.tensors[i].parameter.starts_with("head.output.")) names[i].clear();
  }
}

/// What sentence-transformers' models were trained for stands in their directory's 1_Pooling: a new
/// classifier that reads something else of the states is told.
void tell_pooling(const TransformerModel& model, const fs::path& directory,
                  const LoadReport& found) {
  const ModelFacts& facts = model.facts();
  const fs::path file = directory / "1_Pooling" / "config.json";
  if (facts.head != HeadKind::kSequenceClassification || facts.mean_pooling || facts.causal ||
      found.initialized.empty() || !fs::exists(file)) {
    return;
  }
  Json pooling;
  try {
    pooling = load_json(file);
  } catch (const Error&) {  // no reason not to load the model
  }
  if (pooling.is_object() && pooling.contains("pooling_mode_mean_tokens") &&
      pooling.at("pooling_mode_mean_tokens") == true) {
    log_info(
        file.string(), ": trained for the mean of all tokens, while the new classifier reads ",
        "the first token; \"classifier_pooling\": \"mean\" in the model section takes the mean");
  }
}

/// A model of `directory`, whose files' tensors those of `replaced` stand in for: what an adapter
/// keeps whole.
std::unique_ptr<TransformerModel> load_base(const fs::path& directory, const ModelRequest& request,
                                            const Json& overrides, const LoraFile* adapter,
                                            LoadReport* report) {
  DirectoryConfig read = read_directory_config(directory, request, overrides);
  Json& config = read.document.value;
  const ConfigNode node(&config, "", &read.document, ErrorCode::kData);
  const std::vector<std::string> before = read_labels(node);
  // The classes of the head in the files.
  std::vector<std::string> stored =
      choose_labels(adapter ? adapter->labels() : std::vector<std::string>(), node);
  const std::vector<std::string>& labels = request.labels.empty() ? stored : request.labels;
  const auto make_plan = [&] {
    ModelPlan plan =
        read.adapter->plan(node, read.head.head, static_cast<std::int64_t>(labels.size()));
    plan.facts.architecture = read.head.name;
    return plan;
  };
  ModelPlan plan = make_plan();
  const std::optional<Quantization> quantization = read_quantization(node);

  WeightFiles files(directory);
  if (adapter) {
    adapter->replace_in(files, config, plan, *read.adapter);
    plan = make_plan();
    // PEFT keeps a head's weights without the names of its classes.
    const std::int64_t rows = stored_labels(plan, files);
    if (rows > 0 && rows != std::ssize(stored) && adapter->has_head(plan)) {
      stored = numbered_labels(rows);
      plan = make_plan();
    }
  }
  if (const auto tied = tied_by_files(plan, files, directory)) {
    read.adapter->set_tied(config, *tied);
    plan = make_plan();
  }
  LoadReport found;
  std::vector<std::string> names = match_tensors(plan, files, directory, request, found);
  const std::vector<std::int64_t> order = label_order(stored, labels);
  // The row of one class is no beginning for another. Without names on one side classes go by their
  // ids, as Hugging Face takes them, and a regression's one output has no name.
  const bool other_head = stored != labels && order.empty() && has_names(stored) &&
                          has_names(labels) && request.problem_type != ProblemType::kRegression;
  if (other_head && stored.size() == labels.size()) {
    log_warning(directory.string(), ": its classes are ", shown(stored), ", not ", shown(labels),
                "; its head is left out");
  }
  if (other_head) forget_output(plan, names);
  auto carried = take_carried(read.head, files, found);
  if (carried.empty() && !read.head.carried.empty()) {
    plan.facts.architecture = class_of(*read.adapter, read.head.head, node).name;
  }
  // Other classes than the directory's are another problem.
  const bool other_classes =
      !request.labels.empty() && before != labels && label_order(before, labels).empty();
  if (other_classes) config.erase("problem_type");
  plan.facts.problem_type = choose_problem_type(request.problem_type, node, labels.size());
  write_rope(config);
  config["architectures"] = Json::array({plan.facts.architecture});
  if (plan.classifier && read.head.head != HeadKind::kSpan) write_labels(config, labels);
  if (request.problem_type && read.head.head == HeadKind::kSequenceClassification) {
    config["problem_type"] = problem_type_name(plan.facts.problem_type);
  }
  Json generation = Json::object();
  if (const fs::path path = directory / "generation_config.json"; fs::exists(path)) {
    generation = load_json(path);
    require(generation.is_object(), ErrorCode::kData, path.string(), ": expected an object");
  }
  auto model = std::make_unique<TransformerModel>(std::move(plan), std::move(config),
                                                  std::move(generation), request.dtype);
  model->carry(std::move(carried));
  model->set_overrides(std::move(read.changed));
  if (quantization) model->set_quantization(*quantization);
  fill(*model, names, files, order, request, found);
  say(found, directory);
  if (!overrides.contains("classifier_pooling")) tell_pooling(*model, directory, found);
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
  const LoraFile weights(directory, config);
  ModelRequest wanted = request;
  wanted.mapped = false;
  if (wanted.head == HeadKind::kNone) {
    wanted.head = adapter_head(document.value);
    if (wanted.labels.empty()) wanted.labels = weights.labels();
  }
  if (const Json type = adapter_metadata(directory, "problem_type"); type.is_string()) {
    if (!wanted.problem_type && request.labels.empty())
      wanted.problem_type = find_problem_type(type.get<std::string>());
  }
  // What the maps were trained beside, in one spelling of the stretched lengths.
  Json changes = adapter_overrides(directory);
  write_rope(changes);
  changes.update(overrides);
  auto model = load_base(base, wanted, changes, &weights, report);
  require(!model->quantization(), ErrorCode::kData, file, ": the adapter's base ", base.string(),
          " is quantised, which takes no adapters; name the model that it was made from, and "
          "quantise the result (--quantize)");
  require(model->insert_lora(config, base.string()), ErrorCode::kData, file,
          ": target_modules: no layer of ", base.string(), " has such a name");
  const auto trained_on = weights.metadata().find(kBaseFingerprint);
  if (trained_on != weights.metadata().end() && trained_on->second != weights_fingerprint(base)) {
    log_warning(directory.string(), ": the adapter was trained on other weights than those that ",
                base.string(), " has now");
  }
  if (Json described = adapter_metadata(directory, "task_specific_params"); !described.is_null())
    model->config()["task_specific_params"] = std::move(described);
  weights.require_used(*model, request.train_adapter);
  if (request.labels.empty()) {
    model->load_weights(directory);
  } else {
    // The head is there already, of these classes.
    model->load_maps(directory);
  }
  if (!request.train_adapter) model->merge_lora();
  return model;
}

}  // namespace

std::unique_ptr<Model> load_model(const fs::path& directory, const ModelRequest& request,
                                  const Json& overrides, LoadReport* report) {
  if (is_adapter_directory(directory)) return load_adapted(directory, request, overrides, report);
  return load_base(directory, request, overrides, nullptr, report);
}

}  // namespace llmctl
