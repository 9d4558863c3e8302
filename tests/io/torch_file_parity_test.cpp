// Files of torch.save against the same tensors in safetensors, and hostile ones.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "config/json.h"
#include "io/torch_file.h"
#include "support/parity_dir.h"

namespace llmctl {
namespace {

/// The values in row-major order.
std::string values_of(const StridedTensor& tensor) {
  std::int64_t count = 1;
  for (const std::int64_t size : tensor.shape) count *= size;
  const std::size_t width = dtype_size(tensor.dtype);
  std::string values;
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t rest = i, place = 0;
    for (std::size_t axis = tensor.shape.size(); axis-- > 0;) {
      place += rest % tensor.shape[axis] * tensor.strides[axis];
      rest /= tensor.shape[axis];
    }
    values.append(
        reinterpret_cast<const char*>(tensor.data()) + static_cast<std::size_t>(place) * width,
        width);
  }
  return values;
}

TEST(TorchFileParity, ValidFilesEqualTheirSafetensors) {
  LLMCTL_NEEDS_PARITY("formats/bin");
  int compared = 0;
  for (const auto& entry : fs::directory_iterator(test::parity_dir() / "formats/bin")) {
    if (entry.path().extension() != ".safetensors") continue;
    fs::path path = entry.path();
    path.replace_extension(".bin");
    const std::string name = path.stem();
    SCOPED_TRACE(name);
    if (name == "legacy" || name == "deflated") {  // refused by name
      try {
        const TorchFile file(path);
        ADD_FAILURE() << "no error";
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kData);
        EXPECT_THAT(error.what(),
                    testing::HasSubstr(name == "legacy" ? "before 1.6" : "compressed"));
      }
      continue;
    }
    const TorchFile file(path);
    const SafetensorsFile wanted(entry.path());
    ASSERT_EQ(file.tensors().size(), wanted.tensors().size());
    for (const auto& [key, info] : wanted.tensors()) {
      ASSERT_TRUE(file.tensors().contains(key)) << key;
      const StridedTensor& tensor = file.tensors().at(key);
      EXPECT_EQ(tensor.dtype, info.dtype) << key;
      EXPECT_EQ(tensor.shape, info.shape) << key;
      const auto bytes = wanted.bytes(key);
      EXPECT_EQ(values_of(tensor),
                std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()))
          << key;
    }
    ++compared;
  }
  EXPECT_GT(compared, 0);
}

TEST(TorchFileParity, HostileFilesAreRefusedAndRunNothing) {
  LLMCTL_NEEDS_PARITY("formats/bin");
  const fs::path folder = test::parity_dir() / "formats/bin";
  const Json reasons = load_json(folder / "hostile.json");
  ASSERT_FALSE(reasons.empty());
  for (const auto& [name, reason] : reasons.items()) {
    SCOPED_TRACE(name + ": " + reason.get<std::string>());
    try {
      const TorchFile file(folder / name);
      ADD_FAILURE() << "no error, " << file.tensors().size() << " tensors";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kData) << error.what();
      const std::string message = error.what();
      EXPECT_THAT(message, testing::HasSubstr(name));
      EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    }
    EXPECT_FALSE(fs::exists("PWNED"));
  }
}

}  // namespace
}  // namespace llmctl
