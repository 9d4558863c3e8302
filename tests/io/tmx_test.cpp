#include "io/tmx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "base/utf8.h"
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

TEST(Tmx, ALongUnitIsReadOnce) {
  // Were its beginning looked at again with each line, or what follows with each "&", this would
  // take hours.
  std::string lines, marks(300'000, '&');
  for (int i = 0; i < 300'000; ++i) lines += "a\n";
  const Read found = read(kHead + unit(lines, marks) + unit("two", "zwei"));
  EXPECT_THAT(found.bad, ElementsAre());
  ASSERT_EQ(found.units.size(), 2u);
  EXPECT_EQ(found.units[0].second[0].second, lines);
  EXPECT_EQ(found.units[0].second[1].second, marks);
  EXPECT_EQ(found.units[1].first, 4u + 300'000u + 3u);
}

/// Whatever is done to a file, it is read or refused as data, and what is read is text.
TEST(Tmx, DamagedFilesAreReadOrRefused) {
  const std::string whole =
      kHead + unit("A &lt;b&gt; <hi>c</hi> <ph x=\"1>2\"/>", "\u00e4 &#8364;") +
      "<tu><!-- x --><tuv lang=\"en\"><seg><![CDATA[1 < 2]]></seg></tuv>\n<?p i?><tuv lang='zh'>"
      "<seg><bpt>q</bpt>\u4f60\u597d</seg></tuv></tu>\n" +
      unit("last", "letzte") + "</body></tmx>\n";
  const std::string_view signs = "<>&;\"'/!-[]?#x1 \n\t\xff\x00utvseg";
  int taken = 0, refused = 0, told = 0;
  for (std::uint64_t n = 0; n < 1000; ++n) {
    Random draws(random_key(5, "damage", n));
    std::string text = whole;
    for (std::uint64_t i = 0, count = 1 + draws.below(4); i < count && !text.empty(); ++i) {
      const std::size_t at = draws.below(text.size()), length = draws.below(30);
      switch (draws.below(5)) {
        case 0:
          text[at] = signs[draws.below(signs.size())];
          break;
        case 1:
          text.erase(at, length);
          break;
        case 2:
          text.insert(at, text.substr(draws.below(text.size()), length));
          break;
        case 3:
          text.insert(at, 1, signs[draws.below(signs.size())]);
          break;
        default:
          text.resize(at);
      }
    }
    try {
      const Read found = read(text);
      ++taken;
      told += !found.bad.empty();
      EXPECT_LE(found.units.size() + found.bad.size(), 20u);
      for (const auto& [line, unit] : found.units) {
        EXPECT_GE(line, 1u);
        for (const auto& [language, segment] : unit) EXPECT_FALSE(find_invalid_utf8(segment));
      }
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kData) << error.what();
      EXPECT_THAT(error.what(), HasSubstr("a.tmx"));
      ++refused;
    }
  }
  EXPECT_GT(taken, 150);
  EXPECT_GT(refused, 150);
  EXPECT_GT(told, 50);
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
