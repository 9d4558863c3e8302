#include "runs/tensor_listing.h"

#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "base/files.h"
#include "base/terminal.h"
#include "io/gguf.h"
#include "io/safetensors.h"
#include "io/torch_file.h"
#include "models/lora.h"
#include "models/lora_file.h"
#include "models/tensor_file.h"
#include "models/weight_files.h"
#include "report/table.h"

namespace llmctl {
namespace {

/// "model.layers.3.mlp.up_proj.weight" → "model.layers.*.mlp.up_proj.weight".
std::string group_name(const std::string& name) {
  std::string out;
  for (std::size_t i = 0; i < name.size();) {
    const std::size_t end = std::min(name.find('.', i), name.size());
    const std::string part = name.substr(i, end - i);
    const bool number = !part.empty() && std::all_of(part.begin(), part.end(),
                                                     [](char c) { return c >= '0' && c <= '9'; });
    out += (out.empty() ? "" : ".") + (number ? std::string("*") : part);
    i = end + 1;
  }
  return out;
}

/// A tensor as its file keeps it.
struct Listed {
  const at::Tensor& tensor;
  std::string dtype;
  std::uint64_t bytes;
};

Listed listed(const Tensors& tensors, const std::map<std::string, StoredForm>& stored,
              const std::string& name) {
  const at::Tensor& tensor = tensors.at(name);
  const auto form = stored.find(name);
  if (form != stored.end()) return {tensor, form->second.name, form->second.bytes};
  return {tensor, dtype_name(to_dtype(tensor.scalar_type())),
          static_cast<std::uint64_t>(tensor.numel()) *
              static_cast<std::uint64_t>(tensor.element_size())};
}

/// Of one tensor, or several together.
struct Statistics {
  double sum = 0, squares = 0, least = std::numeric_limits<double>::infinity(), most = -least;
  std::int64_t count = 0, zeros = 0, not_finite = 0;

  void add(const at::Tensor& tensor) {
    const at::Tensor wide = tensor.to(at::kDouble).reshape({-1});
    const at::Tensor finite = wide.isfinite();
    const auto good = finite.sum().item<std::int64_t>();
    not_finite += wide.numel() - good;
    zeros += wide.eq(0).sum().item<std::int64_t>();
    count += good;
    if (good == 0) return;
    const at::Tensor values = good == wide.numel() ? wide : wide.masked_select(finite);
    sum += values.sum().item<double>();
    squares += values.square().sum().item<double>();
    least = std::min(least, values.min().item<double>());
    most = std::max(most, values.max().item<double>());
  }
  double mean() const { return count > 0 ? sum / static_cast<double>(count) : 0; }
  double deviation() const {
    if (count == 0) return 0;
    return std::sqrt(std::max(0.0, squares / static_cast<double>(count) - mean() * mean()));
  }
  std::vector<std::string> cells() const {
    if (count == 0) return {"–", "–", "–", "–", std::to_string(zeros), std::to_string(not_finite)};
    return {format_number(mean(), 5), format_number(deviation(), 5), format_number(least, 4),
            format_number(most, 4),   std::to_string(zeros),         std::to_string(not_finite)};
  }
  Json json() const {
    Json json = {{"zeros", zeros}, {"not_finite", not_finite}};
    if (count > 0) {
      json.update({{"mean", mean()}, {"std", deviation()}, {"min", least}, {"max", most}});
    }
    return json;
  }
};

/// One line of a listing.
struct TensorGroup {
  std::int64_t count = 0, elements = 0;
  std::uint64_t bytes = 0;
  std::string dtype, shape;
  Statistics statistics;

  void add(const Listed& entry, bool measure) {
    const at::Tensor& tensor = entry.tensor;
    ++count;
    elements += tensor.numel();
    bytes += entry.bytes;
    dtype = count == 1 || dtype == entry.dtype ? entry.dtype : "various";
    shape =
        count == 1 || shape == shape_text(tensor.sizes()) ? shape_text(tensor.sizes()) : "various";
    if (measure) statistics.add(tensor);
  }
};

/// Orders "layers.2" before "layers.10".
bool natural_less(const std::string& a, const std::string& b) {
  std::size_t i = 0, j = 0;
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  while (i < a.size() && j < b.size()) {
    if (digit(a[i]) && digit(b[j])) {
      std::size_t x = i, y = j;
      while (x < a.size() && digit(a[x])) ++x;
      while (y < b.size() && digit(b[y])) ++y;
      if (x - i != y - j) return x - i < y - j;
      const int order = a.compare(i, x - i, b, j, y - j);
      if (order != 0) return order < 0;
      i = x;
      j = y;
    } else {
      if (a[i] != b[j]) return a[i] < b[j];
      ++i;
      ++j;
    }
  }
  return a.size() - i < b.size() - j;
}

/// The lines of a listing: a name (in a tree indented) and what it stands for.
std::vector<std::pair<std::string, TensorGroup>> group(
    const Tensors& tensors, const std::map<std::string, StoredForm>& stored, Listing listing,
    bool measure) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors) names.push_back(name);
  std::stable_sort(names.begin(), names.end(), natural_less);
  std::vector<std::pair<std::string, TensorGroup>> lines;
  std::map<std::string, std::size_t> places;
  const auto line = [&](const std::string& key, const std::string& label) -> TensorGroup& {
    const auto [place, fresh] = places.emplace(key, lines.size());
    if (fresh) lines.emplace_back(label, TensorGroup{});
    return lines[place->second].second;
  };
  for (const std::string& name : names) {
    const Listed tensor = listed(tensors, stored, name);
    if (listing == Listing::kTree) {
      // Every module on the way, then the tensor itself.
      std::string indent;
      for (std::size_t begin = 0;;) {
        const std::size_t end = name.find('.', begin);
        line(name.substr(0, end), indent + name.substr(begin, end - begin)).add(tensor, measure);
        if (end == std::string::npos) break;
        indent += "  ";
        begin = end + 1;
      }
    } else {
      const std::string key = listing == Listing::kTensors ? name : group_name(name);
      line(key, key).add(tensor, measure);
    }
  }
  return lines;
}

}  // namespace

void list_tensors(const Tensors& tensors, Listing listing, bool measure, Inspection& out,
                  const std::map<std::string, StoredForm>& stored) {
  const bool counts = listing != Listing::kTensors;
  out.columns = {listing == Listing::kTree ? "module" : "tensor", "dtype", "shape"};
  if (counts) out.columns.emplace_back("count");
  out.columns.insert(out.columns.end(), {"elements", "bytes"});
  if (measure) {
    out.columns.insert(out.columns.end(), {"mean", "std", "min", "max", "zeros", "not finite"});
  }
  for (const auto& [label, group] : group(tensors, stored, listing, measure)) {
    std::vector<std::string> row = {label, group.dtype, group.shape};
    if (counts) row.push_back(std::to_string(group.count));
    row.push_back(format_count(static_cast<double>(group.elements)));
    row.push_back(format_bytes(group.bytes));
    if (measure) {
      for (auto& cell : group.statistics.cells()) row.push_back(std::move(cell));
    }
    out.parts.push_back(std::move(row));
  }
  std::int64_t elements = 0;
  std::uint64_t bytes = 0;
  Json list = Json::array();
  for (const auto& [name, tensor] : tensors) {
    const Listed kept = listed(tensors, stored, name);
    elements += tensor.numel();
    bytes += kept.bytes;
    Json entry = {{"name", name}, {"dtype", kept.dtype}, {"shape", tensor.sizes().vec()}};
    if (measure) {
      Statistics statistics;
      statistics.add(tensor);
      entry.update(statistics.json());
    }
    list.push_back(std::move(entry));
  }
  out.facts.emplace_back("tensors",
                         concat(tensors.size(), ", ", format_count(static_cast<double>(elements)),
                                " elements, ", format_bytes(bytes)));
  out.json["elements"] = elements;
  out.json["bytes"] = bytes;
  out.json["tensors"] = std::move(list);
}

Tensors read_tensors(const fs::path& path) {
  std::error_code ignored;
  Tensors tensors;
  if (is_gguf_file(path)) return WeightFiles(path).tensors();
  const auto safetensors = [&](const fs::path& file) {
    const auto set = std::make_shared<const SafetensorsSet>(file);
    for (const auto& [name, unused] : set->tensors()) {
      tensors.emplace(name, map_tensor(set->info(name), set->bytes(name), set));
    }
  };
  if (fs::is_directory(path, ignored)) {
    if (!is_adapter_directory(path)) return WeightFiles(path).tensors();
    const fs::path weights = path / kAdapterWeights;
    return read_tensors(fs::exists(weights, ignored) ? weights : path / kOldAdapterWeights);
  } else if (path.extension() == ".bin") {
    const auto file = std::make_shared<const TorchFile>(path);
    for (const auto& [name, tensor] : file->tensors()) {
      tensors.emplace(name, map_tensor(tensor, file));
    }
  } else {
    safetensors(path);
  }
  return tensors;
}

}  // namespace llmctl
