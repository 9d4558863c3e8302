#include "tasks/entity_tags.h"

#include <gmock/gmock.h>

namespace llmctl {
namespace {

using testing::ElementsAre;

TEST(EntityTags, LettersOfOtherSchemes) {
  EXPECT_EQ(normal_tag("O"), "O");
  EXPECT_EQ(normal_tag("B-PER"), "B-PER");
  EXPECT_EQ(normal_tag("M-PER"), "I-PER");
  EXPECT_EQ(normal_tag("L-PER"), "E-PER");
  EXPECT_EQ(normal_tag("U-PER"), "S-PER");
  EXPECT_EQ(normal_tag("M"), "I");
  for (const char* other : {"", "NOUN", "B_PER", "B-", "X-PER", "b-PER", "LABEL_0", "0"})
    EXPECT_EQ(normal_tag(other), std::nullopt) << other;
}

TEST(EntityTags, SchemeIsWhatTheSequencesSay) {
  using Sequences = std::vector<TagSequence>;
  EXPECT_EQ(scheme_of(Sequences{{"B-A", "I-A", "O"}}), TagScheme::kBio);
  EXPECT_EQ(scheme_of(Sequences{{"B-A", "I-A"}, {"S-A"}}), TagScheme::kBioes);
  EXPECT_EQ(scheme_of(Sequences{{"I-A", "I-A", "B-A", "O"}}), TagScheme::kIob1);
  EXPECT_EQ(scheme_of(Sequences{{"O", "I-A"}, {"B-A", "O"}}), TagScheme::kBio)
      << "a bad row, since B begins an entity";
  EXPECT_EQ(scheme_of(Sequences{}), TagScheme::kBio);
}

TEST(EntityTags, WhatCannotFollowIsNamed) {
  const auto fault = [](const TagSequence& tags, TagScheme scheme) {
    const auto misplaced = find_misplaced(tags, scheme);
    return misplaced ? concat(misplaced->index, ": ", misplaced->message) : "";
  };
  EXPECT_EQ(fault({"B-A", "I-A", "B-A", "O", "B-B"}, TagScheme::kBio), "");
  EXPECT_EQ(fault({"I-A"}, TagScheme::kBio), "0: the tag I-A cannot begin a sentence in BIO");
  EXPECT_EQ(fault({"B-A", "I-B"}, TagScheme::kBio), "1: the tag I-B cannot follow B-A in BIO");
  EXPECT_EQ(fault({"I-A", "B-A", "I-B"}, TagScheme::kIob1), "");
  EXPECT_EQ(fault({"B-A", "E-A", "S-A", "O"}, TagScheme::kBioes), "");
  EXPECT_EQ(fault({"B-A", "O"}, TagScheme::kBioes), "1: the tag O cannot follow B-A in BIOES");
  EXPECT_EQ(fault({"S-A", "E-A"}, TagScheme::kBioes), "1: the tag E-A cannot follow S-A in BIOES");
  EXPECT_EQ(fault({"S-A", "B-A"}, TagScheme::kBioes),
            "2: the tag B-A cannot end a sentence in BIOES");
}

TEST(EntityTags, SpansBecomeTagsAndBack) {
  const std::vector<Entity> entities = {{"PER", 0, 1}, {"LOC", 1, 4}, {"_", 5, 7}};
  const TagSequence bio = tags_of(entities, 8, TagScheme::kBio);
  EXPECT_THAT(bio, ElementsAre("B-PER", "B-LOC", "I-LOC", "I-LOC", "O", "B", "I", "O"));
  const TagSequence bioes = tags_of(entities, 8, TagScheme::kBioes);
  EXPECT_THAT(bioes, ElementsAre("S-PER", "B-LOC", "I-LOC", "E-LOC", "O", "B", "E", "O"));
  EXPECT_EQ(entities_of(bio), entities);
  EXPECT_EQ(entities_of(bioes), entities);
}

TEST(EntityTags, EveryTagOfSomeTypes) {
  EXPECT_THAT(tags_of_types(std::vector<std::string>{"A", "B"}, TagScheme::kBio, true),
              ElementsAre("O", "B-A", "I-A", "B-B", "I-B"));
  EXPECT_THAT(tags_of_types(std::vector<std::string>{"_"}, TagScheme::kBioes, false),
              ElementsAre("B", "I", "E", "S"));
}

}  // namespace
}  // namespace llmctl
