// TensorBoard's event files: scalars over steps, in TFRecord framing
// (https://github.com/tensorflow/tensorboard, event.proto and summary.proto).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/files.h"

namespace llmctl {

/// A new file "events.out.tfevents.…" in a directory; TensorBoard reads all that are there as one
/// run. Each call of scalars() is one whole record or none: a full disk costs the record.
class EventFile {
 public:
  EventFile() = default;  ///< writes nothing
  /// kCannotCreate.
  explicit EventFile(const std::filesystem::path& directory);
  /// Values named "train/loss" and the like, at a step and a time in seconds since 1970. False when
  /// they could not be written.
  bool scalars(std::int64_t step, double time,
               const std::vector<std::pair<std::string, double>>& values);

 private:
  AppendFile file_;
};

/// CRC-32C (Castagnoli), as TFRecord and others use it.
std::uint32_t crc32c(std::string_view data);

}  // namespace llmctl
