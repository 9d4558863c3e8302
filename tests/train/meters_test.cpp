#include "train/meters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/log.h"
#include "support/temp_dir.h"

namespace llmctl::test {
namespace {

const double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(LossMeter, WeighsEveryTokenAlike) {
  LossMeter meter;
  EXPECT_TRUE(meter.empty());
  EXPECT_TRUE(std::isnan(meter.loss()));
  meter.add({{"loss", 10, 10, 1, {{"accuracy", 5}}}}, 100, 2);
  meter.add({{"loss", 90, 30, 1, {{"accuracy", 15}}}}, 100, 2);
  EXPECT_DOUBLE_EQ(meter.loss(), 2.5);
  EXPECT_DOUBLE_EQ(meter.tokens_per_second(), 50);
  Json record;
  meter.describe(record);
  EXPECT_EQ(record, Json::parse(R"({"loss": 2.5, "accuracy": 0.5})"));
}

TEST(LossMeter, AddsTermsByTheirCoefficients) {
  LossMeter meter;
  meter.add({{"start", 4, 2, 0.5, {}}, {"end", 9, 3, 0.5, {}}, {"none", 0, 0, 1, {}}}, 1, 1);
  EXPECT_DOUBLE_EQ(meter.loss(), 2.5);
  Json record;
  meter.describe(record);
  EXPECT_EQ(record["start"], 2.0);
  EXPECT_EQ(record["end"], 3.0);
  EXPECT_FALSE(record.contains("none"));
}

TEST(LossMeter, HasNoLossWhereNothingWasLearned) {
  LossMeter meter;
  meter.add({{"loss", 0, 0, 1, {{"accuracy", 0}}}}, 1, 1);
  EXPECT_TRUE(std::isnan(meter.loss()));
  Json record;
  meter.describe(record);
  EXPECT_TRUE(record.is_null()) << record;
  meter.add({{"loss", 6, 2, 1, {{"accuracy", 1}}}}, 1, 1);
  EXPECT_DOUBLE_EQ(meter.loss(), 3);
}

TEST(LossMeter, LeavesSkippedStepsOut) {
  LossMeter meter;
  meter.add({{"loss", 10, 10, 1, {}}}, 100, 1);
  meter.add_skipped(100, 1);
  EXPECT_DOUBLE_EQ(meter.loss(), 1);
  EXPECT_DOUBLE_EQ(meter.tokens_per_second(), 100);
  Json record;
  meter.describe(record);
  EXPECT_EQ(record["skipped"], 1);
}

TEST(LossMeter, GoesOnFromItsState) {
  LossMeter meter;
  meter.add({{"loss", 0.1, 3, 1, {{"accuracy", 1.0 / 3}}}}, 7, 0.7);
  LossMeter other;
  other.restore(parse_json(dump_json(meter.state()), "state"));
  for (LossMeter* each : {&meter, &other})
    each->add({{"loss", 0.7, 4, 1, {{"accuracy", 0.3}}}}, 1, 1);
  EXPECT_EQ(meter.state(), other.state());
  EXPECT_EQ(meter.loss(), other.loss());
  EXPECT_THROW(other.restore(Json::parse(R"({"terms": [1]})")), Error);
  EXPECT_THROW(other.restore(Json::object()), Error);
}

class Metrics : public ::testing::Test {
 protected:
  void SetUp() override { set_log_level(LogLevel::kOff); }
  TempDir dir;
  std::filesystem::path path() const { return dir / "metrics.jsonl"; }
  std::vector<Json> lines() const {
    std::vector<Json> out;
    for_each_line(path(), [&](std::uint64_t, std::string_view line) {
      out.push_back(parse_json(line, "line"));
      return true;
    });
    return out;
  }
};

TEST_F(Metrics, WritesObjectsWithTheirTime) {
  MetricsFile file(dir.path(), 0);
  file.write({{"step", 1}, {"loss", 0.5}});
  const std::vector<Json> found = lines();  // flushed already
  ASSERT_EQ(found.size(), 1u);
  EXPECT_GT(found[0]["time"].get<double>(), 1.6e9);
  EXPECT_EQ(found[0]["loss"], 0.5);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir / "tensorboard"), {}), 1);
  MetricsFile none;
  none.write({{"step", 1}});
}

TEST_F(Metrics, TurnsWhatIsNoNumberIntoNull) {
  MetricsFile file(dir.path(), 0);
  file.write({{"step", 1},
              {"loss", kNan},
              {"lr", 0.1},
              {"grad_norm", std::numeric_limits<double>::infinity()}});
  const Json line = lines().at(0);
  EXPECT_TRUE(line["loss"].is_null());
  EXPECT_TRUE(line["grad_norm"].is_null());
  EXPECT_EQ(line["non_finite"], Json::parse(R"(["loss", "grad_norm"])"));
}

TEST_F(Metrics, DropsWhatTheRunWillWriteAgain) {
  dir.write("metrics.jsonl",
            "{\"step\": 1}\n{\"step\": 2}\nrubbish\n{\"step\": 3}\n{\"step\": 2, \"split\": "
            "\"valid\"}\n{\"step\": 1, \"broken\": tr");
  MetricsFile file(dir.path(), 2);
  file.write({{"step", 3}});
  const std::vector<Json> found = lines();
  ASSERT_EQ(found.size(), 4u);
  EXPECT_EQ(found[1]["step"], 2);
  EXPECT_EQ(found[2]["split"], "valid");
  EXPECT_TRUE(found[3].contains("time"));
}

TEST_F(Metrics, SurvivesAFullDisk) {
  std::filesystem::create_symlink("/dev/full", path());
  MetricsFile file;
  try {
    file = MetricsFile(dir.path(), 0);
  } catch (const Error&) {
    GTEST_SKIP() << "no /dev/full";
  }
  file.write({{"step", 1}});
  file.write({{"step", 2}});
}

}  // namespace
}  // namespace llmctl::test
