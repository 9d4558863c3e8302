// Files of the published library: exact bytes of the valid ones, refusal of the hostile ones.
#include <gtest/gtest.h>

#include "base/error.h"
#include "config/json.h"
#include "io/safetensors.h"
#include "support/parity_dir.h"

namespace llmctl {
namespace {

namespace fs = std::filesystem;

std::string hex(std::span<const std::byte> bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const std::byte byte : bytes) {
    text += kDigits[std::to_integer<unsigned>(byte) >> 4];
    text += kDigits[std::to_integer<unsigned>(byte) & 15];
  }
  return text;
}

TEST(SafetensorsParity, ValidFilesGiveTheirExactBytes) {
  LLMCTL_NEEDS_PARITY("formats/valid/values.json");
  const fs::path folder = test::parity_dir() / "formats/valid";
  const Json values = load_json(folder / "values.json");
  ASSERT_GE(values.size(), 5U);
  for (const auto& file : values.items()) {
    SCOPED_TRACE(file.key());
    const SafetensorsSet set(folder / file.key());
    EXPECT_EQ(set.tensors().size(), file.value().size());
    for (const auto& tensor : file.value().items()) {
      SCOPED_TRACE(tensor.key());
      ASSERT_TRUE(set.contains(tensor.key()));
      const TensorInfo& info = set.info(tensor.key());
      EXPECT_EQ(info.shape, tensor.value()["shape"].get<std::vector<std::int64_t>>());
      EXPECT_EQ(dtype_name(info.dtype), tensor.value()["dtype"].get<std::string>());
      EXPECT_EQ(hex(set.bytes(tensor.key())), tensor.value()["bytes_hex"].get<std::string>());
    }
  }
}

TEST(SafetensorsParity, HostileFilesAreRefusedByName) {
  LLMCTL_NEEDS_PARITY("formats/hostile/manifest.json");
  const fs::path folder = test::parity_dir() / "formats/hostile";
  std::size_t files = 0;
  for (const Json& entry : load_json(folder / "manifest.json")) {
    const std::string kind = entry["kind"];
    if (kind != "safetensors" && kind != "index") continue;
    ++files;
    const fs::path path = folder / entry["file"].get<std::string>();
    SCOPED_TRACE(path.string() + ": " + entry["wrong"].get<std::string>());
    try {
      SafetensorsSet set(kind == "index" ? path.parent_path() : path);
      ADD_FAILURE() << "accepted";
    } catch (const Error& error) {
      EXPECT_EQ(static_cast<int>(error.code()), static_cast<int>(ErrorCode::kData)) << error.what();
      EXPECT_NE(std::string(error.what()).find(path.filename()), std::string::npos) << error.what();
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    }
  }
  EXPECT_GT(files, 0U);
}

}  // namespace
}  // namespace llmctl
