// Tokenizers are part of the public headers.
#pragma once

#include "llmctl/tokenizer.h"  // IWYU pragma: export
