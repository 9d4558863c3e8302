// Rows of labelled files that cannot be used: collected over all files of a run, so that the user
// sees them all at once, then refused or, on request, left out.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/error.h"

namespace llmctl {

/// What reading labelled files met. Readers note a bad row and go on with the next one; whoever
/// called them settles when all files are read.
class BadRows {
 public:
  /// Rows told one by one; more are counted.
  static constexpr std::size_t kListed = 20;

  /// `skip`: data.skip_bad.
  explicit BadRows(bool skip) : skip_(skip) {}

  /// Notes a row: "FILE:LINE: what is wrong".
  void add(const std::string& message);
  /// Runs `use` on a row and notes a kData error that it throws; false then.
  template <class Use>
  bool attempt(Use&& use) {
    try {
      use();
      return true;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kData) throw;
      add(error.what());
      return false;
    }
  }
  std::size_t count() const { return count_; }
  bool skip() const { return skip_; }

  /// Lists the rows noted since the last time, if there are any, and their number: as warnings
  /// where they are left out, else as errors before a kData error (a single row is that error
  /// itself).
  void settle();

 private:
  bool skip_;
  std::size_t count_ = 0;
  std::vector<std::string> listed_;  // the first kListed of them
};

}  // namespace llmctl
