#include "text/base64.h"

#include <gtest/gtest.h>

namespace llmctl {
namespace {

TEST(Base64, TheVectorsOfRfc4648) {
  const std::string text = "foobar";
  const char* const expected[] = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
  for (std::size_t size = 0; size <= text.size(); ++size) {
    EXPECT_EQ(encode_base64(text.substr(0, size)), expected[size]);
    EXPECT_EQ(decode_base64(expected[size]), text.substr(0, size));
  }
}

TEST(Base64, EveryByteBothWays) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  EXPECT_EQ(decode_base64(encode_base64(bytes)), bytes);
}

TEST(Base64, RefusesWhatIsNot) {
  for (const char* text : {"Z", "Zg=", "Zg==Zg==", "Zm9v!AAA", "Zm 9", "====", "=Zg="}) {
    EXPECT_EQ(decode_base64(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace llmctl
