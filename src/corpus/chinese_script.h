// Simplified and traditional Chinese by OpenCC.
#pragma once

#include <memory>
#include <string>

namespace llmctl {

/// Thread-safe.
class ChineseScript {
 public:
  /// "simplified" or "traditional". kConfig, naming the package, in a build without OpenCC and
  /// where its tables are missing.
  explicit ChineseScript(const std::string& script);
  ~ChineseScript();
  ChineseScript(const ChineseScript&) = delete;
  ChineseScript& operator=(const ChineseScript&) = delete;

  std::string convert(const std::string& text) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace llmctl
