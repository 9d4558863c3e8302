#include "report/html_page.h"

#include <gmock/gmock.h>

namespace llmctl {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(HtmlPage, HoldsAllAndFetchesNothing) {
  HtmlPage page("Corpus <1>");
  page.heading("Lengths");
  page.facts({{"documents", "3"}});
  page.table({"a", "b"}, {{"1", "<b>"}});
  page.bars("By length", {{"1 to 1", 2, "2"}, {"2 to 3", 4, "four"}});
  const std::string text = page.text();
  EXPECT_THAT(text, HasSubstr("<title>Corpus &lt;1&gt;</title>"));
  EXPECT_THAT(text, HasSubstr("<th scope=\"row\">documents</th><td class=\"n\">3</td>"));
  EXPECT_THAT(text, HasSubstr("<td>&lt;b&gt;</td>"));
  EXPECT_THAT(text, HasSubstr("width=\"48.0%\""));  // the longest bar
  EXPECT_THAT(text, HasSubstr("width=\"24.0%\""));
  EXPECT_THAT(text, HasSubstr(">four</text>"));
  EXPECT_THAT(text, Not(HasSubstr("http")));
  EXPECT_THAT(text, HasSubstr("lang=\"en\""));
}

TEST(HtmlPage, ChartsKeepTheirLettersOnAPhone) {
  HtmlPage page("chart");
  page.bars("words", {{"a word too long to stand beside a bar", 1, "1,234"},
                      {"很长的一个中文标签在这里", 1, "2"}});
  const std::string text = page.text();
  // A view box would shrink the letters with the page.
  EXPECT_THAT(text, Not(HasSubstr("viewBox")));
  EXPECT_THAT(text, HasSubstr(">a word too lo…</text>"));
  EXPECT_THAT(text, HasSubstr("<title>a word too long to stand beside a bar: 1,234</title>"));
  EXPECT_THAT(text, HasSubstr(">很长的一个中…</text>"));
}

TEST(HtmlPage, EscapesWhatMeansSomething) {
  EXPECT_EQ(escape_html("a<b>&\"c\" 中"), "a&lt;b&gt;&amp;&quot;c&quot; 中");
}

TEST(HtmlPage, ChartsOfNothing) {
  HtmlPage page("none");
  page.bars("empty", {});
  page.bars("zero", {{"a", 0, "0"}});
  EXPECT_THAT(page.text(), HasSubstr("</html>"));
}

TEST(HtmlPage, HeatMapsTellEachCell) {
  HtmlPage page("maps");
  page.heat_map("head 0", {"<s>", "猫"}, {"a", "b", "c"}, {1, 0, 0, 0.25, 0.5, 0.25});
  const std::string text = page.text();
  std::size_t cells = 0;
  for (std::size_t at = text.find("<rect"); at != std::string::npos;
       at = text.find("<rect", at + 1))
    ++cells;
  EXPECT_EQ(cells, 6u);
  EXPECT_THAT(text, HasSubstr("fill-opacity=\"0.500\"><title>猫 → b: 0.500</title>"));
  EXPECT_THAT(text, HasSubstr("<title>&lt;s&gt; → a: 1.000</title>"));
  EXPECT_THAT(text, HasSubstr(">head 0</figcaption>"));
  EXPECT_THAT(text, Not(HasSubstr("http")));
}

TEST(HtmlPage, WholeNumbersHaveCommas) {
  EXPECT_EQ(format_whole(0), "0");
  EXPECT_EQ(format_whole(999), "999");
  EXPECT_EQ(format_whole(1000), "1,000");
  EXPECT_EQ(format_whole(571544), "571,544");
  EXPECT_EQ(format_whole(1234567890), "1,234,567,890");
}

}  // namespace
}  // namespace llmctl
