#include "tasks/entity_tags.h"

#include <algorithm>

#include "base/error.h"

namespace llmctl {
namespace {

char prefix_of(std::string_view tag) {
  return tag.empty() ? 'O' : tag.front();
}

/// The type of a normal tag, with the dash before it: "-PER", "".
std::string_view type_of(std::string_view tag) {
  return tag.substr(std::min<std::size_t>(1, tag.size()));
}

std::string typed(char prefix, const std::string& type) {
  return type == kUntyped ? std::string(1, prefix) : concat(prefix, "-", type);
}

/// Whether a tag is inside an entity that goes on behind it, by BIOES.
bool is_open(std::string_view tag) {
  return prefix_of(tag) == 'B' || prefix_of(tag) == 'I';
}

/// Whether `tag` goes on with the entity of the tag before it.
bool continues(std::string_view before, std::string_view tag) {
  return prefix_of(before) != 'O' && type_of(before) == type_of(tag);
}

bool may_follow(std::string_view before, std::string_view tag, TagScheme scheme) {
  switch (scheme) {
    case TagScheme::kBio:
      return prefix_of(tag) != 'I' || continues(before, tag);
    case TagScheme::kIob1:
      return prefix_of(tag) != 'B' || continues(before, tag);
    case TagScheme::kBioes:
      break;
  }
  const bool inside = prefix_of(tag) == 'I' || prefix_of(tag) == 'E';
  return is_open(before) ? inside && type_of(before) == type_of(tag) : !inside;
}

}  // namespace

const char* tag_scheme_name(TagScheme scheme) {
  switch (scheme) {
    case TagScheme::kBio:
      return "BIO";
    case TagScheme::kIob1:
      return "IOB1";
    case TagScheme::kBioes:
      break;
  }
  return "BIOES";
}

std::optional<std::string> normal_tag(std::string_view tag) {
  if (tag == "O") return "O";
  if (tag.empty() || (tag.size() > 1 && (tag[1] != '-' || tag.size() == 2))) return std::nullopt;
  constexpr std::string_view kKnown = "BIESMLU", kNormal = "BIESIES";
  const std::size_t letter = kKnown.find(tag[0]);
  if (letter == kKnown.npos) return std::nullopt;
  return kNormal[letter] + std::string(tag.substr(1));
}

TagScheme scheme_of(std::span<const TagSequence> sequences) {
  bool bio = true, iob1 = true;
  for (const TagSequence& tags : sequences) {
    std::string_view before = "O";
    for (const std::string& tag : tags) {
      if (prefix_of(tag) == 'E' || prefix_of(tag) == 'S') return TagScheme::kBioes;
      bio = bio && may_follow(before, tag, TagScheme::kBio);
      iob1 = iob1 && may_follow(before, tag, TagScheme::kIob1);
      before = tag;
    }
  }
  return !bio && iob1 ? TagScheme::kIob1 : TagScheme::kBio;
}

std::optional<MisplacedTag> find_misplaced(const TagSequence& tags, TagScheme scheme) {
  std::string_view before = "O";
  for (std::size_t i = 0; i < tags.size(); ++i) {
    if (!may_follow(before, tags[i], scheme)) {
      return MisplacedTag{i, concat("the tag ", tags[i], " cannot ",
                                    i == 0 ? "begin a sentence" : concat("follow ", before), " in ",
                                    tag_scheme_name(scheme))};
    }
    before = tags[i];
  }
  if (scheme == TagScheme::kBioes && is_open(before)) {
    return MisplacedTag{tags.size(), concat("the tag ", before, " cannot end a sentence in BIOES")};
  }
  return std::nullopt;
}

TagSequence tags_of(std::span<const Entity> entities, std::size_t count, TagScheme scheme) {
  TagSequence tags(count, "O");
  for (const Entity& entity : entities) {
    for (std::size_t i = entity.begin; i < entity.end; ++i)
      tags[i] = typed(i == entity.begin ? 'B' : 'I', entity.type);
    if (scheme != TagScheme::kBioes) continue;
    const bool alone = entity.end - entity.begin == 1;
    tags[entity.end - 1] = typed(alone ? 'S' : 'E', entity.type);
  }
  return tags;
}

std::vector<std::string> tags_of_types(std::span<const std::string> types, TagScheme scheme,
                                       bool outside) {
  std::vector<std::string> tags;
  if (outside) tags.emplace_back("O");
  const std::string_view prefixes = scheme == TagScheme::kBioes ? "BIES" : "BI";
  for (const std::string& type : types)
    for (const char prefix : prefixes) tags.push_back(typed(prefix, type));
  return tags;
}

}  // namespace llmctl
