#include "tasks/records.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "base/hash.h"
#include "base/log.h"
#include "support/expect_error.h"
#include "support/temp_dir.h"

namespace llmctl {
namespace {

using test::expect_error;
using test::TempDir;

TEST(Records, TextOfFields) {
  const std::string place = "f.jsonl:7";
  const Json value = Json::parse(R"({"s": "x", "i": 3, "d": 0.5, "b": true, "n": null, "l": [1]})");
  const Record record{place, value, 7};
  EXPECT_EQ(record.text("s"), "x");
  EXPECT_EQ(record.text("i"), "3");
  EXPECT_EQ(record.text("d"), "0.5");
  EXPECT_EQ(record.text("b"), "true");
  EXPECT_FALSE(record.has("n"));
  EXPECT_EQ(record.fields(), "s, i, d, b, n, l");
  expect_error(ErrorCode::kData, "f.jsonl:7: no field 'x' (it has s, i, d, b, n, l)",
               [&] { record.text("x"); });
  expect_error(ErrorCode::kData, "f.jsonl:7: field 'n' is null", [&] { record.text("n"); });
  expect_error(ErrorCode::kData, "f.jsonl:7: field 'l': expected text, got array",
               [&] { record.text("l"); });
  EXPECT_EQ(find_field(record, "chosen", {"s"}), "chosen");
  EXPECT_EQ(find_field(record, std::nullopt, {"n", "d", "s"}), "d");
  EXPECT_EQ(find_field(record, std::nullopt, {"z"}), std::nullopt);
  EXPECT_EQ(find_field(record, std::nullopt, {"z", "n"}), "n") << "null, which reading it says";
}

TEST(Records, NumbersFromFiles) {
  const TempDir directory;
  const auto file = directory.write("a.csv", "a,b\n1,x\n2,y\n");
  std::vector<std::string> seen;
  for_each_labelled_record(file, [&](const Record& record) {
    seen.push_back(record.text("a") + record.text("b"));
    EXPECT_EQ(record.place, file.string() + ":" + std::to_string(record.number));
  });
  EXPECT_EQ(seen, (std::vector<std::string>{"1x", "2y"}));
}

std::size_t count(const std::vector<bool>& out) {
  return static_cast<std::size_t>(std::count(out.begin(), out.end(), true));
}

TEST(HeldOut, ByHashOrTail) {
  std::vector<std::string> texts;
  for (int i = 0; i < 1000; ++i) texts.push_back("text " + std::to_string(i));
  const std::vector<std::string_view> units(texts.begin(), texts.end());
  EXPECT_NEAR(static_cast<double>(count(held_out(units, {0.1, 0}))), 100, 30);
  EXPECT_EQ(held_out(units, {0.1, 0}), held_out(units, {0.1, 0}));
  const auto tail = held_out(units, {0, 0.25});
  EXPECT_EQ(count(tail), 250u);
  EXPECT_TRUE(tail[750] && !tail[749]);
  EXPECT_EQ(count(held_out(units, {0, 0})), 0u);
}

TEST(HeldOut, AtLeastOneNeverAll) {
  const std::vector<std::string_view> units = {"a", "b", "c"};
  EXPECT_EQ(count(held_out(units, {1e-9, 0})), 1u);
  EXPECT_EQ(count(held_out(units, {0, 1e-9})), 1u);
  EXPECT_EQ(count(held_out(units, {0, 0.999})), 2u);
  EXPECT_EQ(count(held_out(units, {1.0, 0})), 2u);
  EXPECT_EQ(count(held_out(std::vector<std::string_view>{"a"}, {0.5, 0})), 0u);
}

TEST(HeldOut, EqualTextsStayTogether) {
  const std::vector<std::string_view> units = {"a", "b", "a", "c", "d", "a", "e", "f"};
  const auto out = held_out(units, {0.4, 0});
  EXPECT_TRUE(out[0] == out[2] && out[2] == out[5]);
}

TEST(HeldOut, EqualTextsStayTogetherWhereTheShareDrawsNoneOrAll) {
  const std::vector<std::string_view> units = {"a", "b", "a", "b", "a"};
  for (const double share : {1e-9, 1.0}) {
    const auto out = held_out(units, {share, 0});
    EXPECT_EQ(out[0], out[2]);
    EXPECT_EQ(out[0], out[4]);
    EXPECT_EQ(out[1], out[3]);
    EXPECT_NE(out[0], out[1]);
  }
  EXPECT_EQ(count(held_out({"a", "a", "a"}, {1e-9, 0})), 1u);
  EXPECT_EQ(count(held_out({"a", "a", "a"}, {1.0, 0})), 2u);
}

TEST(HeldOut, EqualUnitsOfGroupsStayTogether) {
  // Every text three times, under another class each time.
  std::vector<std::string> names, groups;
  for (int i = 0; i < 40; ++i) {
    for (const char* group : {"no", "perhaps", "yes"}) {
      // Not all classes have the same texts, so that their draws differ.
      if (i % 3 == 0 && std::string(group) == "no") continue;
      names.push_back("text " + std::to_string(i));
      groups.push_back(group);
    }
  }
  // And copies under one class.
  for (int i = 0; i < 30; ++i) {
    names.push_back("copy " + std::to_string(i / 5));
    groups.push_back("yes");
  }
  const std::vector<std::string_view> units(names.begin(), names.end());
  for (const double share : {0.01, 0.1, 0.3, 0.5, 0.9}) {
    const std::vector<bool> out = held_out_of_groups(units, groups, share);
    std::map<std::string_view, bool> side;
    std::map<std::string, std::size_t> held, sizes;
    for (std::size_t i = 0; i < units.size(); ++i) {
      EXPECT_EQ(side.emplace(units[i], out[i]).first->second, out[i]) << units[i];
      held[groups[i]] += out[i] ? 1 : 0;
      ++sizes[groups[i]];
    }
    for (const auto& [group, count] : held) {
      EXPECT_GT(count, 0u) << group;
      EXPECT_LT(count, sizes[group]) << group;
    }
  }
  // Where that cannot be nothing is held out.
  EXPECT_EQ(count(held_out_of_groups({"a", "a", "b"}, {"x", "x", "y"}, 0.5)), 0u);
}

TEST(HeldOut, ManyCopiesOfOneTextDoNotFillAShare) {
  std::vector<std::string> names;
  for (int i = 0; i < 100; ++i) names.push_back(i < 60 ? "ok" : "text " + std::to_string(i));
  const std::vector<std::string_view> units(names.begin(), names.end());
  EXPECT_EQ(count(held_out_of_groups(units, std::vector<std::string>(100, "yes"), 0.1)), 10u);
  // Where each has more copies than the share, the text with the fewest.
  const std::vector<std::string_view> few = {"a", "a", "a", "a", "b", "b", "b", "c", "c", "c", "c"};
  const auto out = held_out_of_groups(few, std::vector<std::string>(few.size(), "yes"), 0.1);
  EXPECT_EQ(count(out), 3u);
  EXPECT_TRUE(out[4]);
}

TEST(HeldOut, DrawsOfGroupsWithoutCopiesAreThoseOfTheLowestHashes) {
  std::vector<std::string> names, groups;
  for (int i = 0; i < 50; ++i) {
    names.push_back("text " + std::to_string(i));
    groups.push_back(i % 5 == 0 ? "rare" : "usual");
  }
  const std::vector<std::string_view> units(names.begin(), names.end());
  const std::vector<bool> out = held_out_of_groups(units, groups, 0.2);
  for (const auto& [group, wanted] : {std::pair{"rare", 2u}, {"usual", 8u}}) {
    std::vector<std::pair<double, std::size_t>> order;
    for (std::size_t i = 0; i < units.size(); ++i)
      if (groups[i] == group) order.emplace_back(hash_fraction(units[i], 1), i);
    std::sort(order.begin(), order.end());
    for (std::size_t k = 0; k < order.size(); ++k) EXPECT_EQ(out[order[k].second], k < wanted) << k;
  }
}

TEST(Records, WarnsOfHeldOutRecordsThatAreLearnt) {
  const auto keys = [](const std::vector<std::string>& texts) {
    std::vector<std::uint64_t> result;
    for (const std::string& text : texts) result.push_back(record_key({text}));
    return result;
  };
  const auto said = [&](const std::vector<std::string>& held_out) {
    set_log_level(LogLevel::kInfo);
    testing::internal::CaptureStderr();
    warn_of_learnt("classification", "texts", keys(held_out), keys({"a", "b", "c"}));
    return testing::internal::GetCapturedStderr();
  };
  EXPECT_NE(said({"a", "x", "c"}).find("2 of 3 held-out texts are also learnt from"),
            std::string::npos);
  EXPECT_EQ(said({"x", ""}), "");
  EXPECT_NE(record_key({"ab", "c"}), record_key({"a", "bc"}));
  EXPECT_NE(record_key({"a"}), record_key({"a", ""}));
}

TEST(Passes, WholePartAlwaysFractionByHash) {
  int twice = 0, once = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::string unit = std::to_string(i);
    EXPECT_EQ(passes(unit, 1), 1);
    EXPECT_EQ(passes(unit, 3), 3);
    EXPECT_EQ(passes(unit, 0), 0);
    once += static_cast<int>(passes(unit, 0.5));
    twice += static_cast<int>(passes(unit, 2.25)) - 2;
  }
  EXPECT_NEAR(once, 500, 60);
  EXPECT_NEAR(twice, 250, 60);
}

TEST(Records, AShareIsTheSameOfEachGroupAndHoldsTheSmallerOnes) {
  std::vector<std::string> names, groups;
  for (int i = 0; i < 200; ++i) {
    names.push_back("text " + std::to_string(i));
    groups.push_back(i % 10 == 0 ? "rare" : "usual");
  }
  const std::vector<std::string_view> units(names.begin(), names.end());
  std::vector<bool> before(units.size(), false);
  for (const double share : {0.01, 0.1, 0.5, 1.0}) {
    const std::vector<bool> drawn = drawn_share(units, groups, share);
    EXPECT_EQ(std::count(drawn.begin(), drawn.end(), true), std::lround(200 * share));
    double rare = 0;
    for (std::size_t i = 0; i < units.size(); ++i) {
      EXPECT_LE(before[i], drawn[i]) << "the smaller share is part of the larger";
      rare += drawn[i] && groups[i] == "rare" ? 1 : 0;
    }
    EXPECT_NEAR(rare, 20 * share, 1) << share;
    EXPECT_GE(rare, 1) << share;
    before = drawn;
  }
  EXPECT_EQ(drawn_share(units, {}, 0.25), drawn_share(units, {}, 0.25));
  const std::vector<bool> least = drawn_share(units, {}, 0.0001);
  EXPECT_EQ(std::count(least.begin(), least.end(), true), 1);
}

}  // namespace
}  // namespace llmctl
