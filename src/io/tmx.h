// TMX (Translation Memory eXchange 1.4b, LISA 2005): the segments of translation memories.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace llmctl {

/// A unit's segments: language as the file writes it ("en-US"), and plain text. Native code of the
/// original format (<bpt>, <ept>, <it>, <ph>, <ut>) is left out, what <hi> and <sub> mark stays.
using TranslationUnit = std::vector<std::pair<std::string, std::string>>;

/// Units of a possibly compressed TMX file in UTF-8, in bounded memory, each with the line on which
/// it begins; returning false stops. Units that are no XML, and those with bytes that are no UTF-8,
/// are given to `bad`, as "FILE:LINE: …", and reading goes on. kData for what is no TMX, for UTF-16
/// and for a file that ends within a unit.
void for_each_translation_unit(
    const std::filesystem::path& path,
    const std::function<bool(std::uint64_t line, const TranslationUnit& unit)>& use,
    const std::function<void(const Error&)>& bad);

}  // namespace llmctl
