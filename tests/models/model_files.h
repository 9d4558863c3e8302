// Directories of small models, read and changed behind the library's back.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "golden.h"
#include "models/tensor_file.h"
#include "support/temp_dir.h"
#include "tiny_models.h"

namespace llmctl::test {

namespace fs = std::filesystem;

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

inline NamedTensors read_tensors(const fs::path& directory) {
  NamedTensors tensors;
  const Golden file(directory / "model.safetensors");
  for (const auto& [name, info] : file.file().tensors())
    tensors.emplace_back(name, file[name].clone());
  return tensors;
}

inline void rewrite(const fs::path& directory, const std::function<void(NamedTensors&)>& change) {
  NamedTensors tensors = read_tensors(directory);
  change(tensors);
  write_tensors(directory / "model.safetensors", tensors);
}

inline void edit_config(const fs::path& directory, const std::function<void(Json&)>& change) {
  Json config = load_json(directory / "config.json");
  change(config);
  std::ofstream(directory / "config.json") << config.dump();
}

inline std::unique_ptr<Model> saved(const TempDir& directory, const std::string& type,
                                    ModelRequest request = {}) {
  auto model = create(tiny_section(type), request);
  model->save(directory.path());
  return model;
}

inline void expect_equal(const Model& a, const Model& b) {
  const auto first = a.parameters(), second = b.parameters();
  ASSERT_EQ(first.size(), second.size());
  for (std::size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(first[i].first, second[i].first);
    EXPECT_TRUE(first[i].second.to(at::kCPU).equal(second[i].second.to(at::kCPU)))
        << first[i].first;
  }
}

}  // namespace llmctl::test
