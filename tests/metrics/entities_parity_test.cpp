// Against seqeval's values (tests/parity/README.md).
#include <gtest/gtest.h>

#include "base/files.h"
#include "config/json.h"
#include "metrics/entities.h"
#include "support/parity_dir.h"

namespace llmctl {
namespace {

TEST(EntitiesParity, DefaultMode) {
  LLMCTL_NEEDS_PARITY("metrics/seqeval.json");
  const auto all = nlohmann::json::parse(read_file(test::parity_dir() / "metrics/seqeval.json"));
  for (const auto& set : all.at("sets")) {
    SCOPED_TRACE(set.at("name"));
    EntityTotals totals;
    for (std::size_t i = 0; i < set.at("true").size(); ++i) {
      const auto tags_of = [&](const char* side) {
        return entities_of(set.at(side)[i].get<std::vector<std::string>>());
      };
      totals.add(tags_of("true"), tags_of("predicted"));
    }
    const Scores scores = totals.scores(true);
    const auto expect = [&](const std::string& prefix, const nlohmann::json& values) {
      for (const char* measure : {"precision", "recall", "f1"}) {
        EXPECT_NEAR(scores.at(prefix + measure), 100 * values.at(measure).get<double>(), 1e-6)
            << prefix << measure;
      }
    };
    expect("", set.at("micro"));
    expect("macro_", set.at("macro"));
    EXPECT_EQ(scores.at("total"), set.at("micro").at("support").get<double>());
    for (const auto& [type, values] : set.at("types").items()) {
      if (type != kUntyped) expect("entity." + type + ".", values);
    }
  }
}

}  // namespace
}  // namespace llmctl
