// Drives a chooser without an engine: every row's logits by a function of its whole text.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <vector>

#include "infer/chooser.h"

namespace llmctl::test {

/// The logits [V] that follow a text.
using TextLogits = std::function<std::vector<float>(const std::vector<TokenId>&)>;

struct DriverCounts {
  std::int64_t steps = 0, rows = 0;
};

inline std::vector<GeneratedTokens> drive(Chooser& chooser, const std::vector<TokenId>& prompt,
                                          const TextLogits& model, DriverCounts* counts = nullptr) {
  std::vector<std::vector<TokenId>> texts = {prompt};
  std::vector<std::size_t> fed = {1};
  for (;;) {
    std::vector<std::vector<float>> values(texts.size());
    std::vector<RowLogits> rows;
    for (std::size_t r = 0; r < texts.size(); ++r) {
      const std::vector<TokenId>& text = texts[r];
      std::size_t size = 0;
      for (std::size_t length = text.size() - fed[r] + 1; length <= text.size(); ++length) {
        const std::vector<float> logits =
            model({text.begin(), text.begin() + static_cast<std::ptrdiff_t>(length)});
        size = logits.size();
        values[r].insert(values[r].end(), logits.begin(), logits.end());
      }
      rows.push_back({values[r].data(), fed[r], size, size});
    }
    if (counts) ++counts->steps, counts->rows += static_cast<std::int64_t>(rows.size());
    chooser.choose(rows);
    const Step& step = chooser.advance();
    if (step.branches.empty()) return chooser.results();
    for (std::size_t r = 0; r < step.kept.size(); ++r) {
      texts[r].resize(texts[r].size() - fed[r] + step.kept[r]);
    }
    std::vector<std::vector<TokenId>> next;
    fed.clear();
    std::size_t parent = 0;
    for (const Branch& branch : step.branches) {
      EXPECT_GE(branch.parent, parent);
      parent = branch.parent;
      std::vector<TokenId>& text = next.emplace_back(texts.at(branch.parent));
      text.push_back(branch.token);
      text.insert(text.end(), branch.draft.begin(), branch.draft.end());
      fed.push_back(1 + branch.draft.size());
    }
    texts = std::move(next);
  }
}

inline std::vector<GeneratedTokens> drive(const GenerationRequest& request, const TextLogits& model,
                                          ChooserEvents events = {},
                                          DriverCounts* counts = nullptr) {
  const auto chooser = make_chooser(request, 1 << 20, std::move(events));
  return drive(*chooser, request.prompt, model, counts);
}

}  // namespace llmctl::test
