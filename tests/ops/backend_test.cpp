#include "ops/backend.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/rand.h>
#include <gtest/gtest.h>

#include "base/cpu.h"
#include "base/error.h"
#include "support/device.h"

namespace llmctl {
namespace {

void expect_error(const std::function<void()>& work, ErrorCode code, const std::string& part) {
  try {
    work();
    ADD_FAILURE() << "no error with '" << part << "'";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
  }
}

TEST(Backend, ParsesDevices) {
  EXPECT_EQ(parse_device("cpu"), at::Device(at::kCPU));
  EXPECT_EQ(parse_device("auto").is_cuda(), at::globalContext().hasCUDA());
  for (const char* text :
       {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1x", "cuda:99999999999"}) {
    expect_error([&] { parse_device(text); }, ErrorCode::kConfig, "expected auto, cpu, cuda");
  }
}

TEST(Backend, CudaWithoutOneNamesTheRemedy) {
  if (at::globalContext().hasCUDA()) {
    expect_error([] { parse_device("cuda:127"); }, ErrorCode::kConfig, "is not there");
    return;
  }
  for (const char* text : {"cuda", "cuda:0", "cuda:3"}) {
    expect_error([&] { parse_device(text); }, ErrorCode::kConfig, "no CUDA device");
    expect_error([&] { parse_device(text); }, ErrorCode::kConfig, "use cpu or auto");
  }
}

TEST(Backend, ResolvesPrecision) {
  const at::Device cpu(at::kCPU);
  for (const Purpose purpose : {Purpose::kTraining, Purpose::kAnswers}) {
    EXPECT_EQ(resolve_precision("fp32", cpu, purpose), at::kFloat);
    EXPECT_EQ(resolve_precision("bf16", cpu, purpose), at::kBFloat16);
    expect_error([&] { resolve_precision("fp8", cpu, purpose); }, ErrorCode::kConfig, "fp8");
  }
  const CpuFeatures& features = cpu_features();
  const auto precision = [](bool bf16) { return bf16 ? at::kBFloat16 : at::kFloat; };
  EXPECT_EQ(resolve_precision("auto", cpu, Purpose::kAnswers), precision(features.amx_bf16));
  EXPECT_EQ(resolve_precision("auto", cpu, Purpose::kTraining),
            precision(features.amx_bf16 || features.avx512_bf16));
}

TEST(Backend, SeedsTheGenerator) {
  const at::Device device(test::test_device());
  const auto draw = [&](std::uint64_t seed) {
    seed_generator(device, seed);
    return at::rand({8}, at::TensorOptions().device(device));
  };
  EXPECT_TRUE(draw(5).equal(draw(5)));
  EXPECT_FALSE(draw(5).equal(draw(6)));
}

TEST(Backend, InitializesThreads) {
  initialize_backend(2);
  EXPECT_EQ(at::get_num_threads(), 2);
  initialize_backend(1);
  EXPECT_EQ(at::get_num_threads(), 1);
}

TEST(Backend, TranslatesErrors) {
  expect_error([] { translate_torch_errors([] {
                      at::mm(at::rand({2, 3}), at::rand({2, 3}));
                    }); },
               ErrorCode::kInternal, "mat1 and mat2 shapes cannot be multiplied");
  expect_error(
      [] { translate_torch_errors([] { at::empty({std::int64_t{1} << 60}, at::kByte); }); },
      ErrorCode::kInternal, "lower train.micro_batch_size");
  expect_error(
      [] {
        translate_torch_errors([] {
          TORCH_CHECK(false,
                      "cumsum_cuda_kernel does not have a deterministic implementation, but you "
                      "set 'torch.use_deterministic_algorithms(True)'. You can turn off");
        });
      },
      ErrorCode::kConfig, "train.deterministic: LibTorch's cumsum_cuda_kernel");
  expect_error(
      [] {
        translate_torch_errors([] {
          throw std::filesystem::filesystem_error(
              "status", "a/place", std::make_error_code(std::errc::permission_denied));
        });
      },
      ErrorCode::kMissing, "a/place");
  expect_error([] { translate_torch_errors([] { throw std::bad_alloc(); }); }, ErrorCode::kInternal,
               "out of memory");
  expect_error([] { translate_torch_errors([] { fail(ErrorCode::kData, "mine"); }); },
               ErrorCode::kData, "mine");
  EXPECT_NO_THROW(translate_torch_errors([] {}));
}

TEST(Backend, DeterministicIsNoMereWarning) {
  // Attention's backward pass is deterministic on GPUs only where LibTorch does more than warn.
  set_deterministic(true);
  EXPECT_TRUE(at::globalContext().deterministicAlgorithms());
  EXPECT_FALSE(at::globalContext().deterministicAlgorithmsWarnOnly());
  set_deterministic(false);
  EXPECT_FALSE(at::globalContext().deterministicAlgorithms());
}

TEST(Backend, StatesFacts) {
  std::string names;
  for (const auto& [name, value] : backend_facts()) {
    EXPECT_FALSE(value.empty()) << name;
    names += name + " ";
  }
  for (const char* name : {"libtorch", "onednn", "threads", "cuda_devices"}) {
    EXPECT_NE(names.find(name), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace llmctl
