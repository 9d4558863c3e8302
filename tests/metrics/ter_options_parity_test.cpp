// TER under each choice of its options, against sacreBLEU's values.
#include <gtest/gtest.h>

#include "base/files.h"
#include "config/json.h"
#include "metrics/translation.h"
#include "support/paths.h"

namespace llmctl {
namespace {

TEST(TerOptionsParity, EachChoiceOfOptions) {
  const Json golden =
      load_json(test::source_dir() / "tests" / "parity" / "metrics" / "ter_options.json");
  std::size_t cases = 0;
  for (const Json& entry : golden.at("cases")) {
    TranslationScoreOptions options;
    options.ter = {entry.at("normalized"), entry.at("no_punct"), entry.at("asian_support"),
                   entry.at("case_sensitive")};
    const std::string signature = "TER " + entry.at("signature").get<std::string>();
    SCOPED_TRACE(signature);
    TranslationTotals all(options);
    std::size_t at = 0;
    for (const Json& pair : golden.at("pairs")) {
      const std::vector<std::string> references = {pair[1].get<std::string>()};
      all.add(pair[0].get<std::string>(), references);
      TranslationTotals one(options);
      one.add(pair[0].get<std::string>(), references);
      const double wanted = entry.at("sentences")[at++].get<double>();
      EXPECT_NEAR(one.scores().find("ter")->value, wanted, 1e-9) << pair.dump();
    }
    EXPECT_NEAR(all.scores().find("ter")->value, entry.at("ter").get<double>(), 1e-9);
    EXPECT_EQ(all.signatures().back(), signature);
    ++cases;
  }
  EXPECT_EQ(cases, 16u);
}

}  // namespace
}  // namespace llmctl
