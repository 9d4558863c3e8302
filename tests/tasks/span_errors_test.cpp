#include "tasks/span_errors.h"

#include <gmock/gmock.h>

namespace llmctl {
namespace {

using testing::ElementsAre;

TEST(SpanErrors, TellWhatBecameOfEachSpan) {
  SpanErrors errors;
  const std::vector<Entity> expected = {
      {"PER", 0, 2}, {"PER", 3, 5}, {"LOC", 6, 8}, {"LOC", 9, 10}, {"_", 20, 21}};
  const std::vector<Entity> predicted = {
      {"PER", 0, 2}, {"LOC", 3, 5}, {"LOC", 6, 7}, {"ORG", 11, 12}, {"_", 20, 21}};
  errors.add(expected, predicted);
  errors.add(std::vector<Entity>{{"PER", 0, 1}}, {});
  const EvaluationTable table = errors.table();
  EXPECT_THAT(table.columns,
              ElementsAre("type", "right", "other type", "other bounds", "missed", "false"));
  EXPECT_THAT(table.rows, ElementsAre(ElementsAre("LOC", "0", "0", "1", "1", "0"),
                                      ElementsAre("ORG", "0", "0", "0", "0", "1"),
                                      ElementsAre("PER", "1", "1", "0", "1", "0"),
                                      ElementsAre("word", "1", "0", "0", "0", "0")));
}

}  // namespace
}  // namespace llmctl
