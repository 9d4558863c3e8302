// Texts of evaluations in a training corpus.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_set>

#include "config/json.h"
#include "corpus/prepare_config.h"

namespace llmctl {

/// Runs of words that texts of evaluations have (Brown et al., 2020, appendix C).
class Contamination {
 public:
  /// Reads every text in the files of `config.against`, whatever its field. kMissing, kData.
  explicit Contamination(const ContaminationConfig& config);

  bool empty() const { return runs_.empty(); }
  bool touches(std::string_view text) const;

 private:
  void add(const Json& value);
  void add_text(std::string_view text);

  std::size_t n_;
  std::unordered_set<std::uint64_t> runs_;
};

}  // namespace llmctl
