// A program of LLVM's libFuzzer for the reader named at compile time.
#include <cstddef>
#include <cstdint>
#include <string>

#include "fuzz/readers.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  for (const auto& reader : llmctl::test::fuzzed_readers()) {
    if (std::string(LLMCTL_FUZZED_READER) == reader.name) reader.read(bytes);
  }
  return 0;
}
