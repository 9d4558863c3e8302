#include "report/table.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/error.h"
#include "base/terminal.h"

namespace llmctl {
namespace {

constexpr int kNoTerminal = -1;

class TableTest : public testing::Test {
 protected:
  void TearDown() override { set_color_mode(ColorMode::kAuto); }
};

TEST_F(TableTest, AlignsByDisplayWidth) {
  Table table({{"name"}, {"score", Align::kRight}});
  table.add_row({"中文", "1.5"});
  table.add_row({"English", "12.25"});
  EXPECT_EQ(table.render(kNoTerminal),
            "name     score\n"
            "───────  ─────\n"
            "中文       1.5\n"
            "English  12.25\n");
}

TEST_F(TableTest, LastColumnLeavesNoTrailingSpaces) {
  Table table({{"a"}, {"b"}});
  table.add_row({"1", ""});
  table.add_row({"2", "long"});
  EXPECT_EQ(table.render(kNoTerminal), "a  b\n─  ────\n1\n2  long\n");
}

TEST_F(TableTest, CutsTheWidestTextToTheWidth) {
  Table table({{"text"}, {"n", Align::kRight}});
  table.add_row({"一二三四五六七八九十", "1"});
  table.add_row({"abcdefghijklmnopqrst", "2"});
  EXPECT_EQ(table.render(kNoTerminal, 14),
            "text         n\n"
            "───────────  ─\n"
            "一二三四五…  1\n"
            "abcdefghij…  2\n");
  EXPECT_EQ(table.render(kNoTerminal, 1), table.render(kNoTerminal, 11)) << "no column below 8";
}

TEST_F(TableTest, CellsAreOneHarmlessLine) {
  Table table({{"a"}});
  table.add_row({"x\ny\tz\x1b[31m\xff"});
  EXPECT_EQ(table.render(kNoTerminal).find('\x1b'), std::string::npos);
  EXPECT_NE(table.render(kNoTerminal).find("x y z\\x1b[31m\uFFFD\n"), std::string::npos)
      << table.render(kNoTerminal);
}

TEST_F(TableTest, ColourOnlyWhereTaken) {
  Table table({{"a"}});
  table.add_row({"1"});
  set_color_mode(ColorMode::kAlways);
  EXPECT_NE(table.render(1).find("\x1b["), std::string::npos);
  set_color_mode(ColorMode::kNever);
  EXPECT_EQ(table.render(1).find("\x1b["), std::string::npos);
}

TEST_F(TableTest, WrongNumberOfCells) {
  Table table({{"a"}, {"b"}});
  EXPECT_TRUE(table.empty());
  try {
    table.add_row({"1"});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInternal);
    EXPECT_STREQ(error.what(), "table: 1 cells for 2 columns");
  }
}

TEST_F(TableTest, Facts) {
  set_color_mode(ColorMode::kNever);
  EXPECT_EQ(render_facts(kNoTerminal, "Done",
                         {{"model", "runs/a"}, {"下一步", "one\ntwo"}, {"none", ""}}),
            "Done\n"
            "  model   runs/a\n"
            "  下一步  one\n"
            "          two\n"
            "  none\n");
  EXPECT_EQ(render_facts(kNoTerminal, "", {}), "");
}

TEST_F(TableTest, Numbers) {
  EXPECT_EQ(format_number(1.005, 1), "1.0");
  EXPECT_EQ(format_number(-3, 0), "-3");
  EXPECT_EQ(format_number(std::numeric_limits<double>::quiet_NaN()), "–");
  EXPECT_EQ(format_number(std::numeric_limits<double>::infinity()), "–");
}

}  // namespace
}  // namespace llmctl
