// Documents of a source, whatever its format.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "corpus/prepare_config.h"

namespace llmctl {

/// A file and how it is read.
struct SourceFile {
  std::filesystem::path path;
  SourceConfig how;  ///< with "format" known
};

/// The files of the sources, in order. kMissing; kData for formats that are not read (.parquet),
/// with the command that converts them.
std::vector<SourceFile> source_files(const std::vector<SourceConfig>& sources);

/// Documents of a file, in order; returning false stops. kData naming file and place.
void for_each_source_document(const SourceFile& file,
                              const std::function<bool(std::string_view)>& document);

}  // namespace llmctl
