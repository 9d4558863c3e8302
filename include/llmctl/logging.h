// How much the library says on stderr.
#pragma once

namespace llmctl {

enum class Verbosity { kSilent, kErrors, kWarnings, kNormal, kDetailed };

/// kNormal at first. Progress is shown from kNormal on.
void set_verbosity(Verbosity verbosity);

}  // namespace llmctl
