// Token ids in files of golden values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/safetensors.h"
#include "text/tokenizer.h"

namespace llmctl::test {

inline std::vector<TokenId> ids_of(const SafetensorsFile& file, const std::string& name) {
  const auto bytes = file.bytes(name);
  const auto* values = reinterpret_cast<const std::int64_t*>(bytes.data());
  return {values, values + file.info(name).elements()};
}

}  // namespace llmctl::test
