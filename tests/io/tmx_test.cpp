#include "io/tmx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "support/temp_dir.h"

namespace llmctl {
namespace {

using test::TempDir;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Read {
  std::vector<std::pair<std::uint64_t, TranslationUnit>> units;
  std::vector<std::string> bad;
};

Read read(const std::string& body) {
  const TempDir work;
  const auto file = work.write("a.tmx", body);
  Read found;
  for_each_translation_unit(
      file,
      [&](std::uint64_t line, const TranslationUnit& unit) {
        found.units.emplace_back(line, unit);
        return true;
      },
      [&](const Error& error) { found.bad.push_back(error.what()); });
  return found;
}

const std::string kHead =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<tmx version=\"1.4\">\n"
    "<header srclang=\"en\"/><body>\n";

std::string unit(const std::string& english, const std::string& german) {
  return "<tu tuid=\"1\"><prop type=\"x\">no text</prop>\n<tuv xml:lang=\"en-US\"><seg>" + english +
         "</seg></tuv>\n<tuv xml:lang='de'><seg>" + german + "</seg></tuv></tu>\n";
}

TEST(Tmx, SegmentsWithTheirLanguagesAndLines) {
  const Read found = read(kHead + unit("A &lt;b&gt; &amp; &#8364;&#x20AC;", "zwei\nZeilen") +
                          unit("Two", "Zwei") + "</body></tmx>\n");
  EXPECT_THAT(found.bad, ElementsAre());
  ASSERT_EQ(found.units.size(), 2u);
  EXPECT_EQ(found.units[0].first, 4u);
  EXPECT_EQ(found.units[1].first, 8u);
  EXPECT_THAT(found.units[0].second,
              ElementsAre(std::pair("en-US", "A <b> & €€"), std::pair("de", "zwei\nZeilen")));
  EXPECT_EQ(found.units[1].second[1].second, "Zwei");
}

TEST(Tmx, UnitsOnOneLineAndMarkup) {
  const Read found = read(kHead +
                          "<tu><tuv lang=\"en\"><seg>a <bpt i=\"1\">&lt;b></bpt>bold<ept "
                          "i=\"1\">x</ept> <hi>word</hi><ph/>!</seg></tuv></tu><tu><!-- c "
                          "--><tuv lang=\"en\"><seg><![CDATA[1 < 2]]></seg></tuv></tu>\n");
  EXPECT_THAT(found.bad, ElementsAre());
  ASSERT_EQ(found.units.size(), 2u);
  EXPECT_EQ(found.units[0].second[0].second, "a bold word!");
  EXPECT_EQ(found.units[1].second[0].second, "1 < 2");
}

TEST(Tmx, BadUnitsAreToldAndReadingGoesOn) {
  const Read found =
      read(kHead + unit("a &nothing; b", "c") + "<tu><tuv><seg>x</seg></tuv></tu>\n" +
           unit("\xff\xfe", "c") + unit("1 < 2", "c") + unit("good", "gut"));
  ASSERT_EQ(found.units.size(), 1u);
  EXPECT_EQ(found.units[0].second[0].second, "good");
  ASSERT_EQ(found.bad.size(), 4u);
  EXPECT_THAT(found.bad[0], HasSubstr("a.tmx:4: &nothing;"));
  EXPECT_THAT(found.bad[1], HasSubstr("a.tmx:7: a <tuv> says no language"));
  EXPECT_THAT(found.bad[2], HasSubstr("a.tmx:9"));
  EXPECT_THAT(found.bad[3], HasSubstr("a.tmx:11: '<' begins no tag"));
}

TEST(Tmx, RefusesWhatIsNoTmx) {
  test::expect_error(ErrorCode::kData, {"a.tmx", "no <tmx>"}, [] { read("<html></html>\n"); });
  test::expect_error(ErrorCode::kData, {"a.tmx:4", "ends within"},
                     [] { read(kHead + "<tu><tuv xml:lang=\"en\"><seg>a\n"); });
  test::expect_error(ErrorCode::kData, {"a.tmx", "UTF-16"},
                     [] { read(std::string("\xFF\xFE<\0t\0m\0x\0", 10)); });
}

}  // namespace
}  // namespace llmctl
