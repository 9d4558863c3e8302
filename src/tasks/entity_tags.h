// Tags of tokens that spell labelled spans: which schemes there are, which tags may follow one
// another, and the way from spans to tags (the way back is entities_of()).
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/entities.h"

namespace llmctl {

enum class TagScheme {
  kBio,   ///< B- begins an entity, I- goes on (IOB2)
  kIob1,  ///< I- begins one too; B- only directly behind another of its type (CoNLL 2003's files)
  kBioes  ///< B-, I-, E- of longer ones, S- of those of one token (IOBES, BMES, BILOU)
};
/// "BIO", "IOB1", "BIOES".
const char* tag_scheme_name(TagScheme scheme);

/// A tag in the letters B, I, E, S and O: M is I, L is E, U is S. Nothing for what is no such tag
/// ("NOUN", "B_PER").
std::optional<std::string> normal_tag(std::string_view tag);

using TagSequence = std::vector<std::string>;

/// The scheme of sequences of normal tags: BIOES where an E or S occurs, IOB1 where no B stands but
/// behind an entity of its type and some I begins one, else BIO.
TagScheme scheme_of(std::span<const TagSequence> sequences);

/// A tag that cannot stand where it does.
struct MisplacedTag {
  std::size_t index = 0;  ///< the sequence's length where the end leaves an entity open
  std::string message;    ///< "I-PER cannot follow O in BIO"
};
std::optional<MisplacedTag> find_misplaced(const TagSequence& tags, TagScheme scheme);

/// The tags of `count` units with entities [begin, end) in units, which do not overlap; BIO or
/// BIOES.
TagSequence tags_of(std::span<const Entity> entities, std::size_t count, TagScheme scheme);

/// Every tag that entities of these types can have, in the order of their ids: O first (where
/// `outside`), then type by type in the order given.
std::vector<std::string> tags_of_types(std::span<const std::string> types, TagScheme scheme,
                                       bool outside);

}  // namespace llmctl
