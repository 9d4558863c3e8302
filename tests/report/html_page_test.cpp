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
  EXPECT_THAT(text, HasSubstr("<th scope=\"row\">documents</th><td>3</td>"));
  EXPECT_THAT(text, HasSubstr("<td>&lt;b&gt;</td>"));
  EXPECT_THAT(text, HasSubstr("width=\"480\""));  // the longest bar
  EXPECT_THAT(text, HasSubstr("width=\"240\""));
  EXPECT_THAT(text, HasSubstr(">four</text>"));
  EXPECT_THAT(text, Not(HasSubstr("http")));
  EXPECT_THAT(text, HasSubstr("lang=\"en\""));
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

}  // namespace
}  // namespace llmctl
