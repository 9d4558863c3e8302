#include "io/batch_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>

#include "base/log.h"
#include "base/signals.h"
#include "base/terminal.h"
#include "support/child.h"
#include "support/expect_error.h"
#include "support/temp_dir.h"

namespace llmctl::test {
namespace {

using ::testing::HasSubstr;

class BatchFile : public ::testing::Test {
 protected:
  void SetUp() override {
    set_quiet(true);
    set_log_level(LogLevel::kOff);
    for (int i = 0; i < 20; ++i) inputs.push_back({{"prompt", std::to_string(i)}});
  }
  static std::vector<Json> answers(std::size_t first, std::span<const Json> some) {
    std::vector<Json> out;
    for (const Json& input : some) out.push_back({{"answer", input["prompt"]}, {"group", first}});
    return out;
  }
  /// Answers six inputs at a time, each group's last one first.
  template <class Group>
  static AnswerInputs grouped(Group group) {
    return
        [group](std::size_t first, std::span<const Json> inputs, Progress&, const GiveLine& give) {
          for (std::size_t done = 0; done < inputs.size(); done += 6) {
            stop_if_asked();
            const auto some = inputs.subspan(done, std::min<std::size_t>(6, inputs.size() - done));
            const std::vector<Json> lines = group(first + done, some);
            for (std::size_t i = lines.size(); i-- > 0;) give(first + done + i, lines[i]);
          }
        };
  }
  const AnswerInputs echo = grouped(answers);
  std::filesystem::path out() const { return dir / "out.jsonl"; }
  std::filesystem::path partial() const { return dir / "out.jsonl.partial"; }

  TempDir dir;
  std::vector<Json> inputs;
};

TEST_F(BatchFile, WritesAnswersInOrder) {
  const BatchFileOutcome outcome = answer_batch_file(inputs, out(), "key", 6, echo);
  EXPECT_EQ(outcome.done, 20u);
  EXPECT_EQ(outcome.resumed, 0u);
  EXPECT_EQ(outcome.exit_status, 0);
  const std::string text = slurp(out());
  EXPECT_THAT(text, ::testing::StartsWith("{\"answer\":\"0\",\"group\":0}\n{\"answer\":\"1\""));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 20);
  EXPECT_FALSE(std::filesystem::exists(partial()));
  EXPECT_FALSE(std::filesystem::exists(partial().string() + ".key"));
}

TEST_F(BatchFile, GoesOnBehindTheLastCompleteGroup) {
  answer_batch_file(inputs, dir / "straight.jsonl", "key", 6, echo);
  for (const std::size_t dies_at : {0u, 6u, 12u, 18u}) {
    const int status = in_child([&] {
      answer_batch_file(inputs, out(), "key", 6,
                        grouped([&](std::size_t first, std::span<const Json> some) {
                          if (first == dies_at) ::raise(SIGKILL);
                          return answers(first, some);
                        }));
      return 0;
    });
    ASSERT_EQ(status, 1000 + SIGKILL);
    EXPECT_FALSE(std::filesystem::exists(out()));
    // A kill in the midst of writing leaves part of a group, and half a line.
    const std::string begun = slurp(partial());
    if (dies_at == 12) dir.write("out.jsonl.partial", begun + "{\"answer\":\"12\"}\n{\"answ");
    const BatchFileOutcome outcome = answer_batch_file(inputs, out(), "key", 6, echo);
    EXPECT_EQ(outcome.resumed, dies_at);
    EXPECT_EQ(slurp(out()), slurp(dir / "straight.jsonl"));
    std::filesystem::remove(out());
  }
}

TEST_F(BatchFile, ASignalEndsItBetweenGroups) {
  const int status = in_child([&] {
    install_signal_handlers();
    const auto outcome = answer_batch_file(
        inputs, out(), "key", 6, grouped([&](std::size_t first, std::span<const Json> some) {
          if (first == 6) ::raise(SIGTERM);
          return answers(first, some);
        }));
    return outcome.done == 12 ? outcome.exit_status : 1;
  });
  EXPECT_EQ(status, 143);
  EXPECT_EQ(answer_batch_file(inputs, out(), "key", 6, echo).resumed, 12u);
}

TEST_F(BatchFile, ASignalInsideAGroupDropsThatGroup) {
  const int status = in_child([&] {
    install_signal_handlers();
    const auto outcome = answer_batch_file(
        inputs, out(), "key", 6, grouped([&](std::size_t first, std::span<const Json> some) {
          if (first == 6) ::raise(SIGINT);
          stop_if_asked();  // as the engine does for each token
          return answers(first, some);
        }));
    return outcome.done == 6 ? outcome.exit_status : 1;
  });
  EXPECT_EQ(status, 130);
  EXPECT_FALSE(std::filesystem::exists(out()));
  EXPECT_EQ(answer_batch_file(inputs, out(), "key", 6, echo).resumed, 6u);
}

TEST_F(BatchFile, AFinishedFileIsKept) {
  answer_batch_file(inputs, out(), "key", 6, echo);
  const std::string text = slurp(out());
  const auto never = grouped([](std::size_t, std::span<const Json>) -> std::vector<Json> {
    ADD_FAILURE() << "computed again";
    return {};
  });
  // The same job is done.
  const BatchFileOutcome again = answer_batch_file(inputs, out(), "key", 6, never);
  EXPECT_EQ(again.done, 20u);
  EXPECT_EQ(again.resumed, 20u);
  // Another one, or a file that somebody has changed since, is refused.
  EXPECT_THAT(error_of([&] { answer_batch_file(inputs, out(), "other", 6, never); }).what(),
              HasSubstr("exists; choose another name, or replace it with --overwrite"));
  dir.write("out.jsonl", text + "{}\n");
  EXPECT_EQ(error_of([&] { answer_batch_file(inputs, out(), "key", 6, never); }).code(),
            ErrorCode::kCannotCreate);
  EXPECT_EQ(slurp(out()), text + "{}\n");
  // --overwrite begins anew, the beginning of another job included.
  dir.write("out.jsonl.partial", "{}\n");
  dir.write("out.jsonl.partial.key", "another\n");
  EXPECT_EQ(answer_batch_file(inputs, out(), "other", 6, echo, true).resumed, 0u);
  EXPECT_EQ(slurp(out()), text);
}

TEST_F(BatchFile, ALinkStaysOneAndADeviceIsWrittenAsItIs) {
  dir.write("target.jsonl", "");
  std::filesystem::create_symlink("target.jsonl", out());
  answer_batch_file(inputs, out(), "key", 6, echo);
  EXPECT_TRUE(std::filesystem::is_symlink(out()));
  const std::string text = slurp(dir / "target.jsonl");
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 20);
  EXPECT_EQ(answer_batch_file(inputs, "/dev/null", "key", 6, echo).done, 20u);
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
  EXPECT_FALSE(std::filesystem::exists("/dev/null.partial"));
  EXPECT_EQ(error_of([&] { answer_batch_file(inputs, "/dev/full", "key", 6, echo); }).code(),
            ErrorCode::kIo);
}

TEST_F(BatchFile, RefusesTheBeginningOfAnotherJob) {
  const auto interrupt = [&] {
    return in_child([&] {
      answer_batch_file(inputs, out(), "key", 6,
                        grouped([&](std::size_t first, std::span<const Json> some) {
                          if (first == 6) ::raise(SIGKILL);
                          return answers(first, some);
                        }));
      return 0;
    });
  };
  ASSERT_EQ(interrupt(), 1000 + SIGKILL);
  for (const int what : {0, 1, 2}) {
    std::vector<Json> others = inputs;
    if (what == 0) others[19]["prompt"] = "other";
    const Error error = error_of([&] {
      answer_batch_file(others, out(), what == 1 ? "other model" : "key", what == 2 ? 7 : 6, echo);
    });
    EXPECT_EQ(error.code(), ErrorCode::kCannotCreate);
    EXPECT_THAT(error.what(), HasSubstr("remove it"));
  }
  std::filesystem::remove(partial().string() + ".key");
  EXPECT_EQ(error_of([&] { answer_batch_file(inputs, out(), "key", 6, echo); }).code(),
            ErrorCode::kCannotCreate);
  // Nothing in it is nobody's.
  dir.write("out.jsonl.partial", "{\"half");
  EXPECT_EQ(answer_batch_file(inputs, out(), "new", 6, echo).resumed, 0u);
}

TEST_F(BatchFile, AFullDiskKeepsWhatIsComplete) {
  const int status = in_child([&] {
    install_signal_handlers();
    const rlimit limit{400, 400};
    setrlimit(RLIMIT_FSIZE, &limit);
    answer_batch_file(inputs, out(), "key", 6, echo);
    return 0;
  });
  EXPECT_EQ(status, 74);
  EXPECT_EQ(answer_batch_file(inputs, out(), "key", 6, echo).resumed, 12u);
}

TEST_F(BatchFile, NeedsSomewhereToWrite) {
  const auto to = [&](const std::filesystem::path& path) {
    return error_of([&] { answer_batch_file(inputs, path, "key", 6, echo); }).code();
  };
  EXPECT_EQ(to(dir.path()), ErrorCode::kCannotCreate);
  EXPECT_EQ(to(dir / "missing" / "out.jsonl"), ErrorCode::kCannotCreate);
}

}  // namespace
}  // namespace llmctl::test
