#include "models/tensor_matching.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "models/initialize_model.h"
#include "models/tensor_file.h"
#include "models/transformer_model.h"

namespace llmctl {

namespace fs = std::filesystem;

FileNames::FileNames(const WeightFiles& files, const ModelPlan& plan)
    : files_(files), own_prefix_(plan.prefix) {
  for (const auto& prefix : {plan.prefix, std::string("model."), std::string("bert."),
                             std::string("roberta."), std::string("transformer.")}) {
    if (!prefix.empty()) prefixes_.insert(prefix);
  }
}

std::optional<std::string> FileNames::find(const std::string& name, bool in_body) const {
  if (const auto found = with_old_norms(name)) return found;
  // Poolers are parts of Hugging Face's bodies and of our heads.
  if (!in_body && (own_prefix_.empty() || !name.starts_with(own_prefix_))) return std::nullopt;
  const std::string bare = name.starts_with(own_prefix_) ? name.substr(own_prefix_.size()) : name;
  if (const auto found = with_old_norms(bare)) return found;
  for (const auto& prefix : prefixes_) {
    if (const auto found = with_old_norms(prefix + bare)) return found;
  }
  return std::nullopt;
}

std::optional<std::string> FileNames::with_old_norms(const std::string& name) const {
  if (files_.contains(name)) return name;
  for (const auto& [now, before] : {std::pair{"LayerNorm.weight", "LayerNorm.gamma"},
                                    std::pair{"LayerNorm.bias", "LayerNorm.beta"}}) {
    if (!name.ends_with(now)) continue;
    const std::string old = name.substr(0, name.size() - std::string(now).size()) + before;
    if (files_.contains(old)) return old;
  }
  return std::nullopt;
}

const TensorRule& embedding_rule(const ModelPlan& plan) {
  const auto rule = std::find_if(plan.tensors.begin(), plan.tensors.end(), is_embedding);
  require(rule != plan.tensors.end(), ErrorCode::kInternal, "a plan without token embeddings");
  return *rule;
}

std::optional<bool> tied_by_files(const ModelPlan& plan, const WeightFiles& files,
                                  const fs::path& directory) {
  if (!plan.lm) return std::nullopt;
  const FileNames names(files, plan);
  const auto own = names.find(plan.output_matrix, false);
  if (!plan.lm->tied) {
    if (own) return std::nullopt;
    log_info(directory.string(), " has no ", plan.output_matrix,
             ": the embedding table is the output matrix (tie_word_embeddings)");
    return true;
  }
  const auto table = names.find(embedding_rule(plan).file_name, true);
  if (!own || !table || same_values(files.tensors().at(*own), files.tensors().at(*table))) {
    return std::nullopt;
  }
  log_warning(directory.string(), ": ", *own, " differs from ", *table,
              " although config.json says tie_word_embeddings: the file's own matrix is used, "
              "and saved as one that is not tied");
  return false;
}

namespace {

bool is_float(at::ScalarType dtype) {
  return dtype == at::kFloat || dtype == at::kHalf || dtype == at::kBFloat16 ||
         dtype == at::kDouble;
}

/// At most so many names, and how many more.
std::string list_names(const std::vector<std::string>& names, std::size_t shown) {
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), shown); ++i) {
    text += (i > 0 ? ", " : "") + names[i];
  }
  return names.size() > shown ? concat(text, " and ", names.size() - shown, " more") : text;
}

/// The integers and scales of a matrix have the shapes that models/quantization.h describes.
void check_quantized(const TensorRule& rule, const std::vector<std::int64_t>& parameter_shape,
                     const std::string& name, const WeightFiles& files, const fs::path& directory) {
  const at::Tensor& values = files.tensors().at(name);
  const at::Tensor& scales = files.tensors().at(name + kScaleSuffix);
  const std::int64_t outputs = parameter_shape.front() * rule.parts,
                     inputs = parameter_shape.back();
  const bool packed = values.scalar_type() == at::kByte;
  const bool matrix = parameter_shape.size() == 2 && values.dim() == 2 && scales.dim() > 0 &&
                      (packed || values.scalar_type() == at::kChar) && values.size(0) == outputs &&
                      scales.size(0) == outputs && values.size(1) == (packed ? inputs / 2 : inputs);
  bool fitting = matrix && scales.dim() == 1 && scales.scalar_type() == at::kFloat;
  if (matrix && packed) {
    const auto has_groups_of = [&](std::int64_t group) {
      return inputs % group == 0 && scales.size(1) == inputs / group;
    };
    fitting = scales.dim() == 2 && scales.scalar_type() == at::kBFloat16 &&
              (has_groups_of(32) || has_groups_of(64));
  }
  require(fitting, ErrorCode::kData, directory.string(), ": tensor ", name, ": ",
          at::toString(values.scalar_type()), " ", shape_text(values.sizes()), " with scales ",
          at::toString(scales.scalar_type()), " ", shape_text(scales.sizes()),
          " are no quantised matrix of ", outputs, " outputs and ", inputs, " inputs");
}

/// The tensor of a rule has the shape and a dtype that can be read; false for the output of a head
/// with another number of classes than is asked for.
bool fits(const TensorRule& rule, const std::vector<std::int64_t>& parameter_shape,
          const std::string& name, const WeightFiles& files, const fs::path& directory,
          const ModelRequest& request) {
  const at::Tensor& stored = files.tensors().at(name);
  if (!stored.is_floating_point() && files.contains(name + kScaleSuffix)) {
    check_quantized(rule, parameter_shape, name, files, directory);
    return true;
  }
  const auto shape = file_shape(rule, parameter_shape);
  if (stored.sizes() != at::IntArrayRef(shape)) {
    const bool output = rule.parameter.starts_with("head.output.");
    if (!request.labels.empty() && output) return false;
    require(stored.numel() > 0, ErrorCode::kData, directory.string(), ": tensor ", name,
            " is empty, as DeepSpeed's ZeRO-3 leaves them; make whole ones with the "
            "zero_to_fp32.py beside its files");
    fail(ErrorCode::kData, directory.string(), ": tensor ", name, " has shape ",
         shape_text(stored.sizes()), ", config.json asks for ", shape_text(shape),
         output ? " (id2label or num_labels says how many classes)" : "");
  }
  require(is_float(stored.scalar_type()), ErrorCode::kData, directory.string(), ": tensor ", name,
          " has dtype ", at::toString(stored.scalar_type()),
          ", expected float32, float16, bfloat16 or float64");
  return true;
}

/// Second names of tensors: marks both as used, takes the copy where the tensor itself is not there
/// or where the class computes with the copy. `found` is by the tensor's own name.
void settle_copies(const ModelPlan& plan, const WeightFiles& files, const FileNames& names,
                   const fs::path& directory, std::map<std::string, std::string>& found,
                   std::set<std::string>& used) {
  std::vector<TensorCopy> copies = plan.copies;
  if (plan.lm && plan.lm->tied) {
    copies.push_back({plan.output_matrix, embedding_rule(plan).file_name});
  }
  for (const TensorCopy& copy : copies) {
    const auto name = names.find(copy.name, copy.original.starts_with(plan.prefix));
    if (!name) continue;
    used.insert(*name);
    const auto original = found.find(copy.original);
    if (original == found.end()) {
      found[copy.original] = *name;
      continue;
    }
    if (same_values(files.tensors().at(*name), files.tensors().at(original->second))) continue;
    require(copy.counts, ErrorCode::kData, directory.string(), ": tensor ", *name, " differs from ",
            original->second, ", of which it should be a copy; such models are not supported");
    log_warning(directory.string(), ": ", *name, " differs from ", original->second,
                ", of which it should be a copy: ", *name, " is used");
    original->second = *name;
  }
}

}  // namespace

std::vector<std::string> match_tensors(const ModelPlan& plan, const WeightFiles& files,
                                       const fs::path& directory, const ModelRequest& request,
                                       LoadReport& report) {
  const FileNames names(files, plan);
  std::map<std::string, std::string> found;  // by the rules' names
  std::set<std::string> used;
  for (const TensorRule& rule : plan.tensors) {
    const auto name = names.find(rule.file_name, rule.parameter.starts_with("body."));
    if (!name) continue;
    found[rule.file_name] = *name;
    used.insert(*name);
  }
  settle_copies(plan, files, names, directory, found, used);
  for (const auto& [name, tensor] : files.tensors()) {
    const bool ignored = std::any_of(
        plan.ignored.begin(), plan.ignored.end(),
        [&name = name](const std::string& part) { return name.find(part) != std::string::npos; });
    const bool scales = name.ends_with(kScaleSuffix) &&
                        used.contains(name.substr(0, name.size() - std::strlen(kScaleSuffix)));
    if (!used.contains(name) && !ignored && !scales) report.unexpected.push_back(name);
  }

  const auto shapes = tensor_shapes(plan);
  std::vector<std::string> result(plan.tensors.size()), body_missing;
  for (std::size_t i = 0; i < plan.tensors.size(); ++i) {
    const TensorRule& rule = plan.tensors[i];
    const auto name = found.find(rule.file_name);
    if (name == found.end()) {
      const bool in_body = rule.parameter.starts_with("body.");
      (in_body ? body_missing : report.missing).push_back(rule.file_name);
    } else if (fits(rule, shapes[i], name->second, files, directory, request)) {
      result[i] = name->second;
    }
  }
  require(body_missing.empty(), ErrorCode::kData, directory.string(), ": ", body_missing.size(),
          body_missing.size() == 1 ? " tensor is missing, " : " tensors are missing, the first is ",
          body_missing.empty() ? "" : body_missing.front(),
          report.unexpected.empty()
              ? ""
              : "; the files have, for example, " + list_names(report.unexpected, 2));
  return result;
}

void say(const LoadReport& report, const fs::path& directory) {
  constexpr std::size_t kShown = 6;
  const std::string unused =
      report.unexpected.empty() ? "" : "not used of it: " + list_names(report.unexpected, kShown);
  if (!report.initialized.empty()) {
    log_warning(directory.string(), " lacks ", list_names(report.initialized, kShown),
                ": initialised afresh, to be trained", unused.empty() ? "" : "; ", unused);
  } else if (!unused.empty()) {
    log_info(directory.string(), ": ", unused);
  }
}

}  // namespace llmctl
