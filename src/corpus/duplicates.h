// Which documents of a corpus were there before.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "corpus/shingles.h"

namespace llmctl {

/// Places whose key stood at an earlier place: one bit for each. Needs at most `memory` bytes
/// beside the keys (which may be mapped from a file) and the bits; the keys are looked through more
/// than once when that is little.
std::vector<bool> repeated_keys(std::span<const std::uint64_t> keys,
                                std::size_t memory = std::size_t{256} << 20);

/// Marks documents that are nearly an earlier one in `dropped`; those marked already are passed
/// over. Locality-sensitive hashing (Indyk and Motwani, 1998): documents whose signatures agree in
/// one of 42 bands of 3 values are compared, and joined where their similarity is at least the
/// threshold; of each group that hangs together the first document stays. Returns, for each one
/// marked here, that first. 20 bytes of memory for each document, and 32 for each marked one.
std::unordered_map<std::uint32_t, std::uint32_t> mark_near_duplicates(
    std::span<const Signature> signatures, double threshold, std::vector<bool>& dropped);

}  // namespace llmctl
