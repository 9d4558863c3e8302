// Prompts with a chosen and a rejected answer, as users bring them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "tasks/conversation_form.h"
#include "tasks/dialogue_rows.h"

namespace llmctl {

/// Two dialogues that differ in their last answer alone.
struct PreferencePair {
  Dialogue chosen, rejected;
};

/// Fields of a pair's record; absent ones have their usual names.
struct PreferenceFields {
  std::optional<std::string> prompt, chosen, rejected;
};

/// Appends the pairs of file number `index`, in the forms that TRL takes: {prompt, chosen,
/// rejected} of texts; the same of lists of messages; or {chosen, rejected} alone, conversations
/// that differ in their last message. Beside a prompt that is a text stand what read_dialogue()
/// reads with it: Alpaca's "input", "system", "history"; conversations, too, get the record's
/// "system" unless they begin with one. Where conversations stand beside a prompt that they begin
/// with, the prompt counts once. Bad rows: no prompt, answers that are empty or alike,
/// conversations that begin differently or without the prompt text beside them.
void read_preference_pairs(const std::filesystem::path& file, std::size_t index,
                           const PreferenceFields& fields, BadRows& bad,
                           std::vector<PreferencePair>& out);

/// The pairs' rows of at most `length` tokens, pair i's at 2·i (chosen) and 2·i + 1, of which only
/// the last answer and its end are learned.
DialogueRows encode_pairs(const std::vector<PreferencePair>& pairs, const ConversationForm& form,
                          std::size_t length);

/// Pairs as a batch of twice as many rows, the chosen answers before the rejected ones.
Batch collate_pairs(const DialogueRows& rows, std::span<const std::int64_t> pairs, TokenId pad);

/// Tokens of the longer row of each pair.
std::vector<std::int32_t> pair_lengths(const DialogueRows& rows);

}  // namespace llmctl
