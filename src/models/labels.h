// Names of classes in config.json ("id2label", "label2id", "num_labels").
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/fields.h"
#include "models/model.h"

namespace llmctl {

/// The names by id; empty when the configuration has none. The node's code for ids with gaps.
std::vector<std::string> read_labels(const ConfigNode& config);

/// The names asked for; else the configuration's; else LABEL_0 and LABEL_1, as Hugging Face does.
std::vector<std::string> choose_labels(const std::vector<std::string>& asked,
                                       const ConfigNode& config);

/// LABEL_0, LABEL_1, …, as Hugging Face does.
std::vector<std::string> numbered_labels(std::int64_t count);

/// What a classifier's outputs mean: as asked for; else by the configuration's problem_type; else a
/// single output is a value and several are classes that exclude one another, as Hugging Face takes
/// them. The node's code for other values.
ProblemType choose_problem_type(const std::optional<ProblemType>& asked, const ConfigNode& config,
                                std::size_t outputs);
const char* problem_type_name(ProblemType type);
/// Nothing for an unknown name.
std::optional<ProblemType> find_problem_type(std::string_view name);

void write_labels(Json& config, const std::vector<std::string>& labels);

/// Whether the classes have names of their own: others than LABEL_0, LABEL_1, … and the ids.
bool has_names(const std::vector<std::string>& labels);

/// Where `labels` are the names of `before` in another order, their old ids in the new order; else
/// empty.
std::vector<std::int64_t> label_order(const std::vector<std::string>& before,
                                      const std::vector<std::string>& labels);

}  // namespace llmctl
