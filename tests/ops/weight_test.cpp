// Products with weights in each form: against fp64, whatever the instruction set, and bit for bit
// whoever shares the call.
#include "ops/weight.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <tuple>

#include "base/cpu.h"
#include "base/error.h"
#include "ops/backend.h"
#include "ops/kernels/matmul_x86.h"

namespace llmctl {
namespace {

void choose_target(std::int64_t target) {
  hwy::SetSupportedTargetsForTest(target);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

struct FormCase {
  WeightForm form;
  std::int64_t group;
  double tolerance;  ///< as ops/weight.h states it
};

Weight make(const FormCase& which, const at::Tensor& dense) {
  if (which.form == WeightForm::kFp32) return dense_weight(dense);
  if (which.form == WeightForm::kBf16) return dense_weight(dense.to(at::kBFloat16));
  return quantize_weight(dense, which.form, which.group);
}

/// √ of the mean square of a - b relative to that of b.
double relative_error(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor wide = b.to(at::kDouble);
  return (a.to(at::kDouble) - wide).norm().item<double>() / wide.norm().item<double>();
}

/// Once for every form and every instruction set that this machine has kernels for.
class Weights : public ::testing::TestWithParam<std::tuple<FormCase, std::int64_t>> {
 protected:
  void SetUp() override {
    choose_target(std::get<1>(GetParam()));
    seed_generator(at::kCPU, 7);
  }
  void TearDown() override { choose_target(0); }
  static FormCase form() { return std::get<0>(GetParam()); }
};

INSTANTIATE_TEST_SUITE_P(
    Forms, Weights,
    ::testing::Combine(::testing::Values(FormCase{WeightForm::kFp32, 0, 1e-6},
                                         FormCase{WeightForm::kBf16, 0, 0.004},
                                         FormCase{WeightForm::kInt8, 0, 0.015},
                                         FormCase{WeightForm::kInt4, 32, 0.15},
                                         FormCase{WeightForm::kInt4, 64, 0.15}),
                       ::testing::ValuesIn(hwy::SupportedAndGeneratedTargets())),
    [](const auto& test) {
      const FormCase& which = std::get<0>(test.param);
      return std::string(weight_form_name(which.form)) +
             (which.group > 0 ? std::to_string(which.group) : "") + "_" +
             hwy::TargetName(static_cast<std::uint32_t>(std::get<1>(test.param)));
    });

TEST_P(Weights, ProductsAreWithinTheStatedError) {
  for (const std::int64_t inputs : {64, 192, 768, 777}) {
    if (form().group > 0 && inputs % form().group != 0) continue;
    const at::Tensor dense = at::randn({41, inputs}), x = at::randn({13, inputs});
    const at::Tensor bias = at::randn({41});
    const at::Tensor wanted =
        at::addmm(bias.to(at::kDouble), x.to(at::kDouble), dense.to(at::kDouble).t());
    const Weight weight = make(form(), dense);
    EXPECT_LE(relative_error(multiply(x, weight, bias), wanted), form().tolerance) << inputs;
    // What is left of the error when the weight's own rounding is taken off: the inputs'.
    const at::Tensor own =
        at::addmm(bias.to(at::kDouble), x.to(at::kDouble), dequantize(weight).to(at::kDouble).t());
    EXPECT_LE(relative_error(multiply(x, weight, bias), own), 0.01) << inputs;
  }
}

TEST_P(Weights, ARowDoesNotDependOnTheRowsAndOutputsBesideIt) {
  for (const std::int64_t inputs : {96, 320, 768}) {
    if (form().group > 0 && inputs % form().group != 0) continue;
    const at::Tensor x = at::randn({70, inputs});
    const Weight weight = make(form(), at::randn({83, inputs}));
    const at::Tensor bias = at::randn({83});
    const at::Tensor alone = at::empty({70, 83});
    for (std::int64_t row = 0; row < 70; ++row) {
      alone.narrow(0, row, 1).copy_(multiply(x.narrow(0, row, 1), weight, bias));
    }
    for (std::int64_t rows = 1; rows <= 70; ++rows) {
      if (rows > 17 && rows < 69) continue;
      const std::int64_t first = 70 - rows;
      EXPECT_TRUE(
          multiply(x.narrow(0, first, rows), weight, bias).equal(alone.narrow(0, first, rows)))
          << rows << " rows of " << inputs;
    }
    at::set_num_threads(3);
    EXPECT_TRUE(multiply(x, weight, bias).equal(alone)) << "three threads";
    at::set_num_threads(1);
  }
}

/// Of many rows, which some forms multiply another way unless results must not depend on it.
TEST_P(Weights, ManyRowsAreWithinTheStatedErrorAndDeterministicWhereAsked) {
  for (const std::int64_t inputs : {64, 192, 777}) {
    if (form().group > 0 && inputs % form().group != 0) continue;
    for (const std::int64_t outputs : {1, 32, 83}) {
      SCOPED_TRACE(::testing::Message() << inputs << " inputs, " << outputs << " outputs");
      const at::Tensor dense = at::randn({outputs, inputs}), x = at::randn({131, inputs});
      const at::Tensor bias = at::randn({outputs});
      const Weight weight = make(form(), dense);
      const at::Tensor many = multiply(x, weight, bias);
      const at::Tensor wanted = at::addmm(bias, x, dense.t());
      if (outputs > 1) EXPECT_LE(relative_error(many, wanted), form().tolerance);
      set_deterministic(true);
      const at::Tensor same = multiply(x, weight, bias);
      for (const std::int64_t row : {0, 77, 130}) {
        EXPECT_TRUE(multiply(x.narrow(0, row, 1), weight, bias).equal(same.narrow(0, row, 1)));
      }
      set_deterministic(false);
      // Processors that round inputs round them alike; where the library multiplies they are not.
      const bool alike =
          form().form == WeightForm::kInt8 && kernels::multiplies_as_fast_as_fp32(weight.form);
      if (alike) EXPECT_LE(relative_error(many, same), 1e-6);
      EXPECT_LE(relative_error(multiply(x, weight, {}), many - bias), 1e-5);
    }
  }
}

/// Large ones are read as they lie in memory where rows are few, small ones in tiles.
TEST_P(Weights, ARowDoesNotDependOnTheSizeOfTheWeight) {
  const std::int64_t inputs = 352, outputs = 3200;  // more than 512 kB in each form
  const at::Tensor dense = at::randn({outputs, inputs}), x = at::randn({9, inputs});
  const at::Tensor bias = at::randn({outputs});
  const FormCase which = form().group == 64 ? FormCase{WeightForm::kInt4, 32, 0.15} : form();
  const Weight weight = make(which, dense);
  const at::Tensor all = multiply(x, weight, bias);
  EXPECT_LE(relative_error(all, at::addmm(bias, x, dense.t())), which.tolerance);
  for (std::int64_t rows = 1; rows <= 8; ++rows) {
    EXPECT_TRUE(multiply(x.narrow(0, 0, rows), weight, bias).equal(all.narrow(0, 0, rows))) << rows;
  }
  const std::int64_t few = 50, last = outputs - few;
  Weight part = weight;
  part.values = weight.values.narrow(0, last, few);
  if (weight.scales.defined()) part.scales = weight.scales.narrow(0, last, few);
  EXPECT_TRUE(multiply(x, part, bias.narrow(0, last, few)).equal(all.narrow(1, last, few)));
}

/// What this machine's tests would not see: the products of a processor with AVX2 alone.
TEST(WeightsOfAvx2, TakeTheSameValuesWithAndWithoutVnni) {
  if (!cpu_features().avx_vnni) GTEST_SKIP() << "this processor has no AVX-VNNI";
  choose_target(HWY_AVX2);
  for (const FormCase& which :
       {FormCase{WeightForm::kInt8, 0, 0}, FormCase{WeightForm::kInt4, 32, 0}}) {
    constexpr std::int64_t kRows = 7, kInputs = 352, kOutputs = 30;
    const Weight weight = make(which, at::randn({kOutputs, kInputs}));
    kernels::Product product;
    product.weight = {.form = weight.form, .outputs = kOutputs, .inputs = kInputs};
    product.weight.values = weight.values.const_data_ptr();
    product.weight.scales = weight.scales.const_data_ptr();
    product.rows = kRows;
    product.x_stride = kernels::prepared_bytes(product.weight);
    const at::Tensor x = at::randn({kRows, kInputs});
    const at::Tensor prepared =
        at::empty({kRows, static_cast<std::int64_t>(product.x_stride)}, at::kByte);
    auto* const rows = reinterpret_cast<std::byte*>(prepared.mutable_data_ptr<std::uint8_t>());
    kernels::prepare_rows(product.weight, x.const_data_ptr<float>(), rows, 0, kRows);
    product.x = rows;
    product.y_stride = kOutputs;
    at::Tensor results[2];
    for (const bool vnni : {false, true}) {
      results[vnni] = at::empty({kRows, kOutputs});
      product.y = results[vnni].mutable_data_ptr<float>();
      kernels::avx2_multiply(product, 0, kOutputs, vnni);
    }
    EXPECT_TRUE(results[0].equal(results[1])) << weight_form_name(which.form);
    EXPECT_TRUE(results[1].equal(multiply(x, weight))) << weight_form_name(which.form);
  }
  choose_target(0);
}

TEST_P(Weights, ManyRowsAreAsExactAndWhereAskedForTheSame) {
  const at::Tensor x = at::randn({300, 384}), dense = at::randn({40, 384});
  const Weight weight = make(form(), dense);
  const at::Tensor wanted = at::mm(x.to(at::kDouble), dense.to(at::kDouble).t());
  EXPECT_LE(relative_error(multiply(x, weight), wanted), form().tolerance);
  set_deterministic(true);
  const at::Tensor all = multiply(x, weight);
  const bool same =
      all[0].equal(multiply(x[0], weight)) && all[299].equal(multiply(x[299], weight));
  set_deterministic(false);
  EXPECT_TRUE(same);
  EXPECT_LE(relative_error(all, wanted), form().tolerance);
}

TEST_P(Weights, MayBeginAtAnyByteAndNothingBehindThemIsRead) {
  const std::int64_t outputs = 9, inputs = 192;
  const Weight weight = make(form(), at::randn({outputs, inputs}));
  const at::Tensor x = at::randn({5, inputs});
  const at::Tensor wanted = multiply(x, weight);
  const auto moved = [](const at::Tensor& tensor, std::string& bytes) {
    if (!tensor.defined()) return tensor;
    bytes.resize(tensor.nbytes() + 3);
    std::memcpy(bytes.data() + 3, tensor.const_data_ptr(), tensor.nbytes());
    return at::from_blob(bytes.data() + 3, tensor.sizes(), tensor.options());
  };
  std::string values, scales;
  Weight odd = weight;
  odd.values = moved(weight.values, values);
  odd.scales = moved(weight.scales, scales);
  EXPECT_TRUE(multiply(x, odd).equal(wanted));
}

TEST_P(Weights, KeepWhatIsNoNumber) {
  const Weight weight = make(form(), at::randn({5, 192}));
  const at::Tensor x = at::randn({3, 192});
  const at::Tensor good = multiply(x, weight);
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    at::Tensor spoilt = x.clone();
    spoilt[1][150] = bad;
    const at::Tensor got = multiply(spoilt, weight);
    EXPECT_FALSE(got[1].isfinite().any().item<bool>());
    EXPECT_TRUE(got[0].equal(good[0]));
    EXPECT_TRUE(got[2].equal(good[2]));
  }
}

TEST_P(Weights, RowsOfZeros) {
  const Weight weight = make(form(), at::zeros({5, 64}));
  EXPECT_TRUE(multiply(at::zeros({2, 64}), weight).equal(at::zeros({2, 5})));
}

TEST_P(Weights, SeveralOfOneInput) {
  const at::Tensor x = at::randn({2, 3, 128});
  const std::vector<Weight> weights = {make(form(), at::randn({24, 128})),
                                       make(form(), at::randn({5, 128})),
                                       dense_weight(at::randn({7, 128}))};
  const at::Tensor bias = at::randn({5});
  const std::vector<at::Tensor> got = multiply_each(x, weights, {{}, bias, {}});
  ASSERT_EQ(got.size(), 3U);
  EXPECT_EQ(got[0].sizes(), at::IntArrayRef({2, 3, 24}));
  EXPECT_TRUE(got[0].equal(multiply(x, weights[0])));
  EXPECT_TRUE(got[1].equal(multiply(x, weights[1], bias)));
  EXPECT_TRUE(got[2].equal(multiply(x, weights[2])));
}

TEST(Quantising, Int8RoundsToNearestByTheRow) {
  const at::Tensor dense = at::randn({7, 100}) * at::randn({7, 1});
  const Weight weight = quantize_weight(dense, WeightForm::kInt8);
  const at::Tensor largest = std::get<0>(dense.abs().max(1));
  EXPECT_LE((weight.scales - largest / 127).abs().max().item<double>(), 1e-7);
  const at::Tensor error = (dequantize(weight) - dense).abs();
  EXPECT_TRUE(error.le(weight.scales.unsqueeze(1) * 0.50001).all().item<bool>());
}

TEST(Quantising, Int4HasItsLayoutAndSmallErrors) {
  const at::Tensor dense = at::randn({6, 128});
  for (const std::int64_t group : {32, 64}) {
    const Weight weight = quantize_weight(dense, WeightForm::kInt4, group);
    ASSERT_EQ(weight.scales.sizes(), at::IntArrayRef({6, 128 / group}));
    const at::Tensor made = dequantize(weight);
    for (std::int64_t i = 0; i < 128; ++i) {
      const int byte = weight.values[2][kernels::packed_position(i, group)].item<std::uint8_t>();
      const int number = (i % group < group / 2 ? byte & 15 : byte >> 4) - 8;
      EXPECT_EQ(made[2][i].item<float>(),
                static_cast<float>(number) * weight.scales[2][i / group].item<float>());
    }
    EXPECT_LE(relative_error(made, dense), 0.12) << group;
  }
}

TEST(Quantising, RowsAreLookedUpAsTheyAreMultiplied) {
  const at::Tensor ids = at::randint(50, {3, 4}, at::kLong);
  for (const WeightForm form : {WeightForm::kInt8, WeightForm::kInt4}) {
    const Weight weight = quantize_weight(at::randn({50, 64}), form);
    const at::Tensor rows = weight_rows(weight, ids);
    ASSERT_EQ(rows.sizes(), at::IntArrayRef({3, 4, 64}));
    EXPECT_TRUE(rows.equal(dequantize(weight).index_select(0, ids.view(-1)).view({3, 4, 64})));
  }
}

TEST(Quantising, RefusesWhatIsNotFinite) {
  at::Tensor dense = at::randn({2, 64});
  dense[1][3] = std::numeric_limits<float>::infinity();
  EXPECT_THROW(quantize_weight(dense, WeightForm::kInt8), Error);
}

}  // namespace
}  // namespace llmctl
