// Rendering a parsed template within bounds.
#pragma once

#include <string>
#include <vector>

#include "llmctl/tokenizer.h"
#include "text/template/syntax.h"
#include "text/template/value.h"

namespace llmctl::jinja {

struct Rendered {
  Text text;
  std::vector<ByteSpan> generations;  ///< what {% generation %} blocks wrote, in bytes
};

/// kData, "chat template line N: what", for what a template raises, for operations that fail, and
/// for one that writes more than 16 MB, takes more than 5 million steps or 256 MB of texts, or
/// calls macros deeper than 50.
Rendered render(const Block& block, const Dict& variables);

}  // namespace llmctl::jinja
