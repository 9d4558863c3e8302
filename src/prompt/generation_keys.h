// The keys that Hugging Face's generation_config.json may have, and what of them is done here.
#pragma once

#include <string>
#include <vector>

#include "config/fields.h"

namespace llmctl {

/// A file's settings, sorted.
struct GenerationKeys {
  Json done = Json::object();  ///< keys of section "generation", in its form
  /// "num_beams 4": what would change a text and is not done.
  std::vector<std::string> not_done, not_done_when_drawing;
};

/// Sorts the members of a generation_config.json (or of a config.json that stands in for one).
/// Keys that change no text, those with the value that changes nothing, and nobody's keys are left
/// out. Values are taken as transformers takes them: a number out of a setting's range turns the
/// setting off, a lone id is a list of one, an id that no vocabulary has is none; and a temperature
/// of 0 means that nothing is drawn. `encoder_decoder`: of such a model.
GenerationKeys sort_generation_keys(const Json& file, bool encoder_decoder);

/// A user's section with lone ids as lists and without the keys of transformers that change
/// nothing. kConfig at the node for those that would change a text and are not done.
Json own_generation_keys(const ConfigNode& section);

/// Settings that play a part only where tokens are drawn.
const std::vector<std::string>& keys_for_drawing();

}  // namespace llmctl
