// Which llmctl this is.
#pragma once

namespace llmctl {

/// "MAJOR.MINOR.PATCH".
const char* version() noexcept;

/// The git commit that the library was built from, with "+" after it when files had been changed;
/// "unknown" when it was built outside git.
const char* commit() noexcept;

}  // namespace llmctl
