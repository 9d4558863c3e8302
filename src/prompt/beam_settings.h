// The settings of section "generation" that are about beam search.
#pragma once

#include <string>
#include <vector>

#include "prompt/generation_settings.h"
#include "text/tokenizer.h"

namespace llmctl {

/// Refuses what no beam search can do, in a section by itself.
void validate_beams(const GenerationConfig& config, const ConfigNode& node);

/// Refuses, in the user's section, settings that do not go together.
void check_beams(const GenerationConfig& config, const ConfigNode& node);

BeamOptions beam_options(const GenerationConfig& config);

/// The user's keys that have no effect since there are no beams.
void note_idle_beams(const Json& own, const GenerationConfig& config,
                     std::vector<std::string>& notes);

/// Takes out of a file's settings those of beam search where neither it nor the user wants beams.
void drop_idle_beams(Json& file, const Json& own);

/// The ways in which a text of the tokenizer can have the word, as force_words_ids has them: at its
/// beginning, behind a space and behind anything else. kConfig where there is none.
std::vector<std::vector<TokenId>> word_alternatives(const Tokenizer& tokenizer,
                                                    const std::string& word);

}  // namespace llmctl
