#include "data/collate.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "support/device.h"
#include "support/expect_error.h"

namespace llmctl {
namespace {

using test::expect_error;

std::vector<std::int64_t> flat(const at::Tensor& tensor) {
  const at::Tensor host = tensor.cpu().contiguous();
  const auto* values = host.const_data_ptr<std::int64_t>();
  return {values, values + host.numel()};
}

using Numbers = std::vector<std::int64_t>;

TEST(Collate, RowsOfOneLengthNeedNothingElse) {
  const std::vector<TokenRow> rows{{.ids = {1, 2, 3}, .labels = {2, 3, 4}},
                                   {.ids = {5, 6, 7}, .labels = {6, 7, 8}}};
  const Batch batch = collate(rows, 0);
  EXPECT_EQ(batch.input.ids.sizes().vec(), (Numbers{2, 3}));
  EXPECT_EQ(flat(batch.input.ids), (Numbers{1, 2, 3, 5, 6, 7}));
  EXPECT_EQ(flat(batch.labels), (Numbers{2, 3, 4, 6, 7, 8}));
  EXPECT_EQ(flat(batch.extras.at(kLabelRows)), (Numbers{0, 1, 2, 3, 4, 5}));
  EXPECT_FALSE(batch.input.documents.defined());
  EXPECT_FALSE(batch.input.positions.defined());
  EXPECT_FALSE(batch.input.token_types.defined());
  EXPECT_FALSE(batch.target.ids.defined());
  EXPECT_FALSE(batch.weights.defined());
}

TEST(Collate, PaddingIsNoDocumentAndHasNoLabel) {
  const std::vector<TokenRow> rows{
      {.ids = {1}, .labels = {2}},
      {.ids = {5, 6, 7}, .labels = {6, kIgnoreLabel, 8}, .token_types = {0, 1, 1}}};
  const Batch batch = collate(rows, 99);
  EXPECT_EQ(flat(batch.input.ids), (Numbers{1, 99, 99, 5, 6, 7}));
  EXPECT_EQ(flat(batch.labels), (Numbers{2, -100, -100, 6, -100, 8}));
  EXPECT_EQ(flat(batch.input.documents), (Numbers{0, -1, -1, 0, 0, 0}));
  EXPECT_EQ(flat(batch.input.token_types), (Numbers{0, 0, 0, 0, 1, 1}));
  EXPECT_EQ(flat(batch.extras.at(kLabelRows)), (Numbers{0, 3, 5}));
  EXPECT_FALSE(batch.input.positions.defined());
}

TEST(Collate, PackedRowsBringPositionsAndDocuments) {
  const std::vector<TokenRow> rows{
      {.ids = {1, 2, 3}, .positions = {0, 1, 0}, .documents = {0, 0, 1}}, {.ids = {4, 5, 6}}};
  const Batch batch = collate(rows, 0);
  EXPECT_EQ(flat(batch.input.positions), (Numbers{0, 1, 0, 0, 1, 2}));
  EXPECT_EQ(flat(batch.input.documents), (Numbers{0, 0, 1, 0, 0, 0}));
  EXPECT_FALSE(batch.labels.defined());
  EXPECT_TRUE(batch.extras.empty());
}

TEST(Collate, PairsAreTwoSequencesWithTheTargetsLabels) {
  const std::vector<TokenRow> sources{{.ids = {1, 2, 3}}, {.ids = {4}}};
  const std::vector<TokenRow> targets{{.ids = {9}, .labels = {5}},
                                      {.ids = {9, 6}, .labels = {6, 7}}};
  const Batch batch = collate_pairs(sources, targets, 0);
  EXPECT_EQ(flat(batch.input.ids), (Numbers{1, 2, 3, 4, 0, 0}));
  EXPECT_EQ(flat(batch.input.documents), (Numbers{0, 0, 0, 0, -1, -1}));
  EXPECT_EQ(flat(batch.target.ids), (Numbers{9, 0, 9, 6}));
  EXPECT_FALSE(batch.target.documents.defined());
  EXPECT_EQ(flat(batch.labels), (Numbers{5, kIgnoreLabel, 6, 7}));
  EXPECT_EQ(flat(batch.extras.at(kLabelRows)), (Numbers{0, 2, 3}));
  expect_error(ErrorCode::kInternal, {"2 sources and 1 targets"},
               [&] { collate_pairs(sources, std::span(targets).first(1), 0); });
}

TEST(Collate, OnTheDeviceEverythingIsTheSame) {
  const std::vector<TokenRow> rows{
      {.ids = {1, 2, 3}, .labels = {7, 8, 9}, .positions = {0, 1, 0}, .documents = {0, 0, 1}},
      {.ids = {4}, .labels = {kIgnoreLabel}}};
  const Batch host = collate(rows, 0);
  const at::Device device(test::test_device());
  const Batch moved = to_device(host, device);
  EXPECT_EQ(moved.input.ids.device().type(), device.type());
  EXPECT_EQ(moved.extras.at(kLabelRows).device().type(), device.type());
  EXPECT_EQ(flat(moved.input.ids), flat(host.input.ids));
  EXPECT_EQ(flat(moved.input.positions), flat(host.input.positions));
  EXPECT_EQ(flat(moved.input.documents), flat(host.input.documents));
  EXPECT_EQ(flat(moved.labels), flat(host.labels));
  EXPECT_EQ(flat(moved.extras.at(kLabelRows)), (Numbers{0, 1, 2}));
  EXPECT_FALSE(moved.input.token_types.defined());
}

TEST(Collate, RowsThatDoNotFitTogetherAreRefused) {
  expect_error(ErrorCode::kInternal, {"no rows"}, [] { collate({}, 0); });
  const std::vector<TokenRow> rows{{.ids = {1, 2}, .labels = {1}}};
  expect_error(ErrorCode::kInternal, {"2 tokens", "1 other"}, [&] { collate(rows, 0); });
}

}  // namespace
}  // namespace llmctl
