// What the tests of language modelling tasks share: a task from its section, rows of an epoch,
// worlds of several ranks without processes.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "support/byte_tokenizer.h"
#include "tasks/text_task.h"

namespace llmctl::test {

/// The task on raw text that a section describes.
inline std::unique_ptr<TextTask> text_task(const std::string& section, ByteTokenizer::Kind kind) {
  const JsonDocument document =
      parse_json_document("{\"task\": " + section + "}", "run.json", {.code = ErrorCode::kConfig});
  const ConfigNode root(&document.value, "", &document);
  auto task = make_task(root.child("task"), std::make_shared<ByteTokenizer>(kind));
  return std::unique_ptr<TextTask>(&dynamic_cast<TextTask&>(*task.release()));
}

inline std::vector<std::int64_t> numbers(const at::Tensor& tensor) {
  const at::Tensor host = tensor.cpu().contiguous();
  const auto* values = host.const_data_ptr<std::int64_t>();
  return {values, values + host.numel()};
}

/// One row of a batch as the model sees it, padding left out.
struct SeenRow {
  std::vector<std::int64_t> ids, labels, positions, documents;
};

inline std::vector<SeenRow> rows_of(const Batch& batch) {
  const std::int64_t length = batch.input.length();
  const auto ids = numbers(batch.input.ids), labels = numbers(batch.labels);
  const auto positions = batch.input.positions.defined() ? numbers(batch.input.positions)
                                                         : std::vector<std::int64_t>{};
  const auto documents = batch.input.documents.defined() ? numbers(batch.input.documents)
                                                         : std::vector<std::int64_t>{};
  std::vector<SeenRow> rows(static_cast<std::size_t>(batch.input.rows()));
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const std::int64_t document = documents.empty() ? 0 : documents[i];
    if (document < 0) {
      EXPECT_EQ(labels[i], kIgnoreLabel);
      continue;
    }
    SeenRow& row = rows[i / static_cast<std::size_t>(length)];
    row.ids.push_back(ids[i]);
    row.labels.push_back(labels[i]);
    row.documents.push_back(document);
    row.positions.push_back(positions.empty() ? static_cast<std::int64_t>(i) % length
                                              : positions[i]);
  }
  return rows;
}

inline bool same(const Batch& a, const Batch& b) {
  const auto equal = [](const at::Tensor& x, const at::Tensor& y) {
    return x.defined() == y.defined() && (!x.defined() || (x.sizes() == y.sizes() && x.equal(y)));
  };
  return equal(a.input.ids, b.input.ids) && equal(a.input.positions, b.input.positions) &&
         equal(a.input.documents, b.input.documents) && equal(a.labels, b.labels);
}

inline bool same(const std::vector<Batch>& a, const std::vector<Batch>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!same(a[i], b[i])) return false;
  }
  return true;
}

/// A rank of several that are run one after the other: sums are gathered in `totals`, so that the
/// last rank sees those of all.
class SerialWorld : public World {
 public:
  SerialWorld(int rank, int size, std::vector<double>& totals)
      : rank_(rank), size_(size), totals_(totals) {}
  int rank() const override { return rank_; }
  int size() const override { return size_; }
  void sum(std::span<double> values) override {
    totals_.resize(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      totals_[i] += values[i];
      if (rank_ + 1 == size_) values[i] = totals_[i];
    }
  }
  void max(std::span<double>) override { FAIL() << "not expected"; }
  void broadcast(std::span<double>) override { FAIL() << "not expected"; }
  void barrier() override {}

 private:
  int rank_, size_;
  std::vector<double>& totals_;
};

}  // namespace llmctl::test
